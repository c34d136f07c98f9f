"""A ladder as a Mermaid `stateDiagram-v2`, for pages that render it (GitHub, GitLab, many wikis).

Ids are `s0`, `s1`, …, whatever the stages are called, and every text is escaped: Mermaid reads `:` and `;` in labels as its own punctuation,
and cuts lines that look like styles; `#58;` is its way to write a character by number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flowwatch.planning.diagram import Ladder, State
from flowwatch.vocabulary import level
from flowwatch.words import Language, say

COLOURS: Final[Mapping[str | None, tuple[str, str, str]]] = {
    None: ("#ffffff", "#111111", "#6b7280"),
    "IV": ("#3b82f6", "#0b1220", "#1e3a8a"),
    "III": ("#ffe066", "#1a1a1a", "#8a6d00"),
    "II": ("#fb8500", "#1a1a1a", "#8a4700"),
    "I": ("#b00020", "#ffffff", "#5c0011"),
}
"""Fill, text and outline of each warning level: blue, yellow, orange, red as the national scale has them; dark enough apart in grey."""
_BREAK: Final = "<br/>"
_PLAIN: Final = re.compile(r"[^0-9A-Za-z \u00a0-\u22ff\u2460-\uffef.,()+/=~·→“”‘’-]|--|->")
_WORDS: Final = re.compile(r"style|classDef|class|note|end|state|direction|accTitle|accDescr|click|default|href", re.IGNORECASE)


def mermaid(ladder: Ladder) -> str:
    """The state diagram of a ladder, ending with a newline."""
    lang = ladder.lang
    lines = ["---", f"title: {_yaml(ladder.title)}", "---", "stateDiagram-v2", "    direction TB"]
    for code, (fill, text, line) in COLOURS.items():
        lines.append(f"    classDef {_class(code)} fill:{fill},color:{text},stroke:{line},stroke-width:2px")
    for i, state in enumerate(ladder.states):
        lines.append(f'    state "{_label(_inside(state, lang))}" as s{i}')
    lines.append("    [*] --> s0")
    for i, state in enumerate(ladder.states[1:], 1):
        lines.append(f"    s{i - 1} --> s{i}: {_label(_rise(state, lang))}")
        lines.append(f"    s{i} --> s{i - 1}: {_label(_fall(state, lang))}")
    lines += [f"    class s{i} {_class(state.level)}" for i, state in enumerate(ladder.states)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text that means nothing to Mermaid.

    >>> escaped('17:00; "x"')
    '17#58;00#59; #34;x#34;'
    """
    safe = _PLAIN.sub(lambda match: "".join(f"#{ord(c)};" for c in match[0]), text)
    return _WORDS.sub(lambda match: f"#{ord(match[0][0])};{match[0][1:]}", safe)


def _class(code: str | None) -> str:
    return f"level{code or 'None'}"


def _yaml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(parts: list[str]) -> str:
    return _BREAK.join(escaped(part) for part in parts if part)


def _inside(state: State, lang: Language) -> list[str]:
    title = f"{state.number}. {state.title}"
    return [title, "" if state.level is None else level(state.level, lang), state.summary, *state.way_out]


def _rise(state: State, lang: Language) -> list[str]:
    either = say(lang, "或 ", "or ")
    ways = [way if i == 0 else either + way for i, way in enumerate(state.rise)]
    common = "" if not state.common else say(lang, f"{state.common}，且：", f"{state.common}, and:")
    return [say(lang, "▲ 启动", "▲ begins when"), common, *ways, state.rise_by]


def _fall(state: State, lang: Language) -> list[str]:
    several = len(state.fall) > 1
    head = (
        say(lang, "▼ 解除（启动条件均已解除）", "▼ ends when its conditions have ended") if several else say(lang, "▼ 解除", "▼ ends when")
    )
    return [head, *state.fall, state.enough if several else "", state.dwell, state.fall_by]
