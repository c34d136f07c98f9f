"""How wide a text is before anybody has drawn it, and where to break it, so that pictures need no font and no library.

Widths are upper bounds for the usual sans-serif fonts: what a Chinese font draws wide is one em, Latin letters about half of one by their
class. Texts are broken at spaces, after a Chinese character, and inside a word only where it is wider than a whole line. A number stays with
its unit, full stops and closing brackets never begin a line, opening ones never end it (避头尾).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

BOLD: Final = 1.08
"""How much wider bold letters are."""
_NARROW: Final = frozenset("iljtfrI.,:;'|!()[] -/")
_WIDE: Final = frozenset("mwMWQ@%&—…")
_NO_START: Final = frozenset("，。、；：！？）》」』】”’％,.;:!?)]}%·")
_NO_END: Final = frozenset("（《「『【“‘([{")
_TOKEN: Final = re.compile(
    r"[0-9][0-9,.]* ?(?:分钟|小时|秒|人/分|人|号口|min(?![a-z/])|s(?![a-z])|h(?![a-z])|people(?![a-z])|persons/min)|"
    r"\s+|[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]+"
)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of `text` in a font of `size`, in its unit.

    >>> width("三进五出", 10)
    40.0
    """
    return sum(_em(c) for c in text) * size * (BOLD if bold else 1.0)


def _em(c: str) -> float:
    if unicodedata.east_asian_width(c) in "WFA":
        return 1.0
    if c in _NARROW:
        return 0.36
    if c in _WIDE:
        return 0.92
    if c.isupper():
        return 0.72
    return 0.58


def wrapped(text: str, size: float, room: float, *, bold: bool = False, most: int | None = None) -> list[str]:
    """`text` in lines that are at most `room` wide; past `most` lines the last one ends with an ellipsis."""
    lines, line = [], ""
    for token in _tokens(text, size, room, bold=bold):
        if line and width((line + token).rstrip(), size, bold=bold) > room:
            head, rest = _carried(line, token)
            if width(rest.strip(), size, bold=bold) > room:
                head, rest = line, token
            lines.append(head.rstrip())
            line = rest.lstrip()
        else:
            line += token if line or token.strip() else ""
    lines += [line.rstrip()] if line.strip() else []
    if most is not None and len(lines) > most:
        last = lines[most - 1]
        while last and width(f"{last}…", size, bold=bold) > room:
            last = last[:-1]
        lines = [*lines[: most - 1], f"{last}…"]
    return lines


def _tokens(text: str, size: float, room: float, *, bold: bool) -> list[str]:
    tokens: list[str] = []
    for token in _TOKEN.findall(text):
        while width(token, size, bold=bold) > room and len(token) > 1:
            n = max(1, next(i for i in range(len(token), 0, -1) if i == 1 or width(token[:i], size, bold=bold) <= room))
            tokens.append(token[:n])
            token = token[n:]  # noqa: PLW2901 - what is left of a word that is wider than a line
        tokens.append(token)
    return tokens


def _carried(line: str, token: str) -> tuple[str, str]:
    """Where to break between `line` and `token`: what must not stand at an edge goes with its neighbour."""
    carried = token
    if token[:1] in _NO_START and len(line) > 1:
        last = _TOKEN.findall(line)[-1]
        if last != line:
            line, carried = line[: -len(last)], last + token
    while len(line) > 1 and line[-1] in _NO_END:
        line, carried = line[:-1], line[-1] + carried
    return line, carried
