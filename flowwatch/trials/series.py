"""The notation of series: what is measured, or what a counter sends, at each step of a test, in a line that people can write.

Words parted by spaces, each for one step or several:

=============  ==============================================================================================
word           steps
=============  ==============================================================================================
`a`            one: a
`axN`          N: a, a, ... a
`a+bxN`        N + 1: a, and then N more, each b higher: a, a+b, ... a+N*b
`a-bxN`        the same, each b lower
`_`  `_xN`     one, or N, without a value: nothing fresh is known at that step
`stale`        the end: nothing fresh is known from there on
=============  ==============================================================================================

A value is a number with at most three decimals, or for counters that tell two directions a pair in/out (`12/3`, `12/3+1/0x5`). A series that
does not end in `stale` goes on as its last step until the test is over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MOST_STEPS: Final = 100_000
"""Steps that one series may have."""

Value = tuple[int, int | None]
"""Thousandths: a number with None, or a pair in and out."""

_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,3})?"
_VALUE: Final = rf"-?{_NUMBER}(?:/-?{_NUMBER})?"
_WORD: Final = re.compile(rf"(?P<start>_|{_VALUE})(?:(?P<sign>[+-])(?P<by>{_NUMBER}(?:/-?{_NUMBER})?))?(?:x(?P<times>[0-9]{{1,6}}))?")
_SLIPS: Final = {"×": "x", "*": "x", "X": "x", "，": "", ",": "", "＋": "+", "－": "-", "–": "-", "—": "-"}
"""What people type for the notation's own letters."""
_EXPECTED: Final = "expected steps such as 2950, 2700x4, 2950+20x5, _ or stale"


class SeriesError(ValueError):
    """A text that is no series: `column` says where in it, counted from 1."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Run:
    """Steps in a row: `start` and then `more` of them, each `by` higher; without a value where `start` is None."""

    start: Value | None
    by: Value = (0, None)
    more: int = 0
    column: int = field(default=1, compare=False)
    """Where it stands in the text."""

    @property
    def steps(self) -> int:
        """How many steps it is."""
        return self.more + 1

    def values(self) -> list[Value | None]:
        """Each step's value."""
        if self.start is None:
            return [None] * self.steps
        (a, b), (up, out) = self.start, self.by
        return [(a + k * up, None if b is None else b + k * (out or 0)) for k in range(self.steps)]

    def __str__(self) -> str:
        start = "_" if self.start is None else shown(self.start)
        if not self.more:
            return start
        if self.start is None or self.by in ((0, None), (0, 0)):
            return f"{start}x{self.steps}"
        up, out = self.by
        sign = "-" if up < 0 else "+"
        by = _number(abs(up)) if out is None else f"{_number(abs(up))}/{_number(-out if sign == '-' else out)}"
        return f"{start}{sign}{by}x{self.more}"


@dataclass(frozen=True, slots=True)
class Series:
    """A series as it was written; `str` is a text that means the same."""

    runs: tuple[Run, ...]
    stale: bool = False

    def values(self) -> list[Value | None]:
        """The value of each step that is written; None where there is none."""
        return [value for run in self.runs for value in run.values()]

    def __str__(self) -> str:
        return " ".join([*map(str, self.runs), *(["stale"] if self.stale else [])])


def parse(text: str) -> Series:
    """The series that `text` says. Raises `SeriesError` with the place, what was found and what was expected.

    >>> [value and value[0] // 1000 for value in parse("2950+20x2 _ 2700x2").values()]
    [2950, 2970, 2990, None, 2700, 2700]
    """
    runs: list[Run] = []
    steps = 0
    stale = False
    for found in re.finditer(r"\S+", text):
        word, column = found[0], found.start() + 1
        if stale:
            raise SeriesError(column, f'found "{_short(word)}" after "stale", expected nothing more: it ends the series')
        if word == "stale":
            stale = True
            continue
        run = _run(word, column)
        steps += run.steps
        if steps > MOST_STEPS:
            raise SeriesError(column, f"found more than {MOST_STEPS} steps, expected fewer")
        runs.append(run)
    if not runs:
        raise SeriesError(1, f"found no step{' before stale' if stale else ''}, {_EXPECTED}")
    return Series(tuple(runs), stale)


def _run(word: str, column: int) -> Run:
    found = _WORD.fullmatch(word)
    if found is None:
        raise SeriesError(column, f'found "{_short(word)}", {_EXPECTED}{_meant(word)}')
    start, sign, by, times = found["start"], found["sign"], found["by"], found["times"]
    if times is not None and int(times) < 1:
        raise SeriesError(column + found.start("times"), f'found "x{times}", expected x1 or more')
    if sign is None:
        return Run(None if start == "_" else _value(start), more=0 if times is None else int(times) - 1, column=column)
    if start == "_":
        raise SeriesError(column, f'found "{_short(word)}", expected _ or _xN: what is missing does not grow')
    if times is None:
        raise SeriesError(column, f'found "{_short(word)}", expected how many steps more, as in {start}{sign}{by}x5')
    first, step = _value(start), _value(by)
    if first[1] is None and step[1] is not None:
        raise SeriesError(column + found.start("by"), f'found the pair "{by}" after one number, expected one number')
    if sign == "-":
        step = (-step[0], None if step[1] is None else -step[1])
    if first[1] is not None and step[1] is None:
        step = (step[0], 0)
    return Run(first, step, int(times), column)


def _meant(word: str) -> str:
    """The near miss, where a letter was mistaken."""
    amended = "".join(_SLIPS.get(letter, letter) for letter in word)
    if word.casefold() in ("stales", "stale", "end", "nan", "null"):
        amended = "stale" if word.casefold() != "null" else "_"
    if amended != word and (amended in ("stale", "_") or _WORD.fullmatch(amended)):
        return f'; did you mean "{amended}"?'
    return ""


def _value(text: str) -> Value:
    parts = [_milli(part) for part in text.split("/")]
    return parts[0], parts[1] if len(parts) == 2 else None


def _milli(text: str) -> int:
    whole, _, rest = text.lstrip("-").partition(".")
    milli = int(whole) * 1000 + int(rest.ljust(3, "0") or 0)
    return -milli if text.startswith("-") else milli


def shown(value: Value) -> str:
    """A value as it is written.

    >>> shown((12_500, None)), shown((12_000, 3_000))
    ('12.5', '12/3')
    """
    return "/".join(_number(part) for part in value if part is not None)


def _number(milli: int) -> str:
    whole, rest = divmod(abs(milli), 1000)
    return f"{'-' if milli < 0 else ''}{whole}{f'.{rest:03}'.rstrip('0') if rest else ''}"


def _short(word: str) -> str:
    return word if len(word) <= 30 else f"{word[:30]}…"
