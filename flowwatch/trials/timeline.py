"""What happened in a test that failed, line by line, in Chinese or English: the figures, the stage, the open question, the gates.

The words of the documents (stages, gates, settings) stay as they are written, because that is what a test file says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from rich.cells import cell_len

from flowwatch.core.readings import SECOND
from flowwatch.trials.run import Failure, Moment, Outcome
from flowwatch.trials.series import shown
from flowwatch.words import Language

MARK: Final = ">"
_WORDS: Final[dict[str, dict[Language, str]]] = {
    "time": {"zh": "时间", "en": "time"},
    "stage": {"zh": "阶段", "en": "stage"},
    "asks": {"zh": "待确认", "en": "asks"},
    "gates": {"zh": "通道口", "en": "gates"},
    "did": {"zh": "人工操作", "en": "operators"},
    "all": {"zh": "全部 {0}", "en": "all {0}"},
    "others": {"zh": "其余 {0}", "en": "others {0}"},
    "unknown": {"zh": "未知", "en": "unknown"},
    "stale": {"zh": "{0}（无新数据）", "en": "{0} (stale)"},
    "expected": {
        "zh": "第 {line} 行：{key}：预期 {expected}，实际 {found}",
        "en": "line {line}: {key}: expected {expected}, found {found}",
    },
}
_FOUND: Final[dict[str, str]] = {
    "none": "无",
    "accepted": "已采纳",
    "refused": "拒绝",
    "an open question": "有待确认事项",
    "nothing was decided": "没有任何决定",
}
"""Words of differences that are not the documents', in Chinese."""


def timeline(outcome: Outcome, language: Language) -> list[str]:
    """The lines that show a test: one for each moment at which something happened, and one below it for each thing that was not as expected."""
    figures = list(dict.fromkeys(name for moment in outcome.moments for name in (*moment.figures, *moment.estimates)))
    with_acts = any(moment.acts for moment in outcome.moments)
    head = [_word("time", language), *figures, _word("stage", language), _word("asks", language), _word("gates", language)]
    rows = [_cells(moment, figures, language) for moment in outcome.moments]
    if with_acts:
        head.append(_word("did", language))
        rows = [[*row, ", ".join(moment.acts)] for row, moment in zip(rows, outcome.moments, strict=True)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [f"  {_padded(head, widths)}"]
    for moment, row in zip(outcome.moments, rows, strict=True):
        failed = [failure for failure in outcome.failures if failure.at == moment.at]
        lines.append(f"{MARK if failed else ' '} {_padded(row, widths)}")
        lines += [f"{MARK} {'':{widths[0]}}  {text}" for failure in failed for text in sentences(failure, language)]
    return lines


def sentences(failure: Failure, language: Language) -> list[str]:
    """What was not as expected, a sentence for each thing."""
    return [
        _WORDS["expected"][language].format(
            line=failure.line, key=d.key, expected=_said(d.expected, language), found=_said(d.found, language)
        )
        for d in failure.differences
    ]


def clock(at: int) -> str:
    """A time from the test's start, as tests write it.

    >>> clock(90_000_000), clock(300_000_000), clock(7_200_000_000)
    ('1m30s', '5m', '120m')
    """
    minutes, seconds = divmod(at // SECOND, 60)
    return f"{minutes}m{seconds}s" if minutes and seconds else f"{seconds}s" if seconds else f"{minutes}m"


def gates_in_short(gates: Mapping[str, str], language: Language) -> str:
    """A table of gates as a plan would write it: those that differ from most, and the others.

    >>> gates_in_short({"a": "in", "b": "out", "c": "out"}, "en")
    'a in, others out'
    """
    if not gates:
        return "–"
    (most, number), *_ = Counter(gates.values()).most_common(1)
    if number == len(gates):
        return _WORDS["all"][language].format(most)
    if number == 1:
        return ", ".join(f"{gate} {setting}" for gate, setting in gates.items())
    named = [f"{gate} {setting}" for gate, setting in gates.items() if setting != most]
    return ", ".join([*named, _WORDS["others"][language].format(most)])


def _cells(moment: Moment, figures: Sequence[str], language: Language) -> list[str]:
    cells = [clock(moment.at)]
    for name in figures:
        if name in moment.figures:
            value, fresh = moment.figures[name]
            text = shown((value, None))
            cells.append(text if fresh else _WORDS["stale"][language].format(text))
        else:
            cells.append(_estimate(moment, name, language))
    return [*cells, moment.stage, ", ".join(moment.asks) or "–", gates_in_short(moment.gates, language)]


def _estimate(moment: Moment, zone: str, language: Language) -> str:
    if zone not in moment.estimates:
        return "–"
    band = moment.estimates[zone]
    if band is None:
        return _word("unknown", language)
    inside, lower, upper = (round(part / 1000) for part in band)
    return f"{inside} ({lower}–{upper})"


def _word(key: str, language: Language) -> str:
    return _WORDS[key][language]


def _said(text: str, language: Language) -> str:
    if language == "en":
        return text
    if text.startswith("never "):
        return f"始终不为 {text.removeprefix('never ')}"
    if text.startswith("refused: "):
        return f"拒绝：{text.removeprefix('refused: ')}"
    return _FOUND.get(text, text)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()
