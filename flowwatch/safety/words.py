"""A report for people to read, in Chinese or in English: findings, a table of capacities, what single failures leave, how much was looked at."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from flowwatch.safety.report import Finding, Report, Severity
from flowwatch.safety.sentences import number

Language = Literal["zh", "en"]

_WORDS: Final = {
    "zh": {
        "title": "{site}：静态安全分析，{faults}个错误，{warnings}个警告，{notes}条说明",
        Severity.FAULT: "错误",
        Severity.WARNING: "警告",
        Severity.NOTE: "说明",
        "stages": ("方案", "阶段", "可进 人/分钟", "疏散能力 人/分钟", "疏散{people}人 分钟", "各种组合下最低"),
        "failures": ("失效的通道口", "剩余疏散能力 最低", "无出路的区域"),
        "overrides": ("人工干预", "在这些阶段被拒绝", "升级后解除"),
        "coverage": "共{total}种情形，检查了{visited}种（通道口表不同的{different}种）",
        "partial": "，只含至多{depth}个方案同时不在常态的情形",
        "none": "无",
        "least": "下限{least}人/分钟",
    },
    "en": {
        "title": "{site}: static safety analysis, {faults} faults, {warnings} warnings, {notes} notes",
        Severity.FAULT: "fault",
        Severity.WARNING: "warning",
        Severity.NOTE: "note",
        "stages": ("plan", "stage", "in /min", "out /min", "min to clear {people}", "lowest of all"),
        "failures": ("gate that fails", "out /min left, lowest", "zones cut off"),
        "overrides": ("override", "refused in", "lifted when it rises to"),
        "coverage": "{total} situations, {visited} of them visited ({different} with different gate tables)",
        "partial": ", those with at most {depth} plans away from calm",
        "none": "-",
        "least": "at least {least} /min",
    },
}


Place = Callable[[Finding], str]
"""Where a finding points: "rules/yuyuan/plan.yaml:33:13: stages[1].when"."""


def render(report: Report, language: Language, *, overrides: bool = False, place: Place | None = None) -> str:
    """The report as lines of text; with the table of refused overrides if `overrides`, with the places of findings in the files by `place`."""
    return "\n".join(_lines(report, language, overrides, place)) + "\n"


def line(found: Finding, language: Language, place: Place | None = None) -> str:
    """One finding as one line; with its place first, as faults have it, where it has one."""
    if place is not None and found.path:
        said = found.zh if language == "zh" else found.en
        return f"{place(found)}: {_WORDS[language][found.severity]}{': ' if language == 'en' else '：'}{said} ({found.code})"
    where = ".".join(str(part) for part in found.path)
    whose = f"{found.plan}: {where}: " if found.plan else f"{where}: " if where else ""
    text = found.zh if language == "zh" else found.en
    return f"{_WORDS[language][found.severity]} {found.code}: {whose}{text}"


def _lines(report: Report, language: Language, overrides: bool, place: Place | None) -> Iterator[str]:  # noqa: FBT001 - render's own
    words = _WORDS[language]
    counts = {"faults": len(report.faults), "warnings": len(report.warnings), "notes": len(report.notes)}
    yield str(words["title"]).format(site=report.site, **counts)
    for found in report.findings:
        yield ("" if place is not None and found.path else "  ") + line(found, language, place)
    none = str(words["none"])
    if report.capacities:
        yield ""
        heads = [str(head).format(people=number(report.people)) for head in words["stages"]]
        rows = [
            [
                c.plan,
                c.stage,
                number(c.ingress_per_min),
                number(c.egress_per_min),
                none if c.minutes_to_clear is None else number(c.minutes_to_clear),
                number(c.lowest_per_min),
            ]
            for c in report.capacities
        ]
        yield from _table([heads, *rows], right=(2, 3, 4, 5))
        yield "  " + str(words["least"]).format(least=number(report.egress_min_per_min))
    if report.failures:
        yield ""
        left = _left([f.lowest_per_min for f in report.failures], report.egress_min_per_min)
        rows = [[f.gate, rest, ", ".join(f.cut_off) or none] for f, rest in zip(report.failures, left, strict=True)]
        yield from _table([[str(head) for head in words["failures"]], *rows], right=(1,))
    refused = [o for o in report.overrides if o.refused]
    if overrides and refused:
        yield ""
        rows = [
            [f"{o.gate}: {o.setting}", ", ".join(o.refused), ", ".join(f"{a} → {b}" for a, b in o.lifted.items()) or none] for o in refused
        ]
        yield from _table([[str(head) for head in words["overrides"]], *rows], right=())
    yield ""
    coverage = report.coverage
    said = str(words["coverage"]).format(
        total=f"{coverage.situations:,}", visited=f"{coverage.visited:,}", different=f"{coverage.different:,}"
    )
    yield said + (
        "" if coverage.complete or coverage.away_from_calm is None else str(words["partial"]).format(depth=coverage.away_from_calm)
    )


def _left(rest: Sequence[float], least: float) -> list[str]:
    """What failing gates leave, each marked that leaves less than the site file asks.

    >>> _left([400.0, 375.0], 400.0)
    ['400      ', '375 < 400']
    """
    mark = f" < {number(least)}"
    space = " " * len(mark) if any(left < least for left in rest) else ""
    return [number(left) + (mark if left < least else space) for left in rest]


def _table(rows: Sequence[Sequence[str]], right: tuple[int, ...]) -> Iterator[str]:
    widths = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            cells.append(space + cell if i in right else cell + space)
        yield ("  " + "  ".join(cells)).rstrip()


def _width(text: str) -> int:
    """Columns on a screen: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
