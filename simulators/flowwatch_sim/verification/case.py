"""One verification case: what is expected, from where, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

SEED: Final = 20261001
"""The seed of every case that draws; run i of several has SEED + i."""
NOTHING: Final = 1e-5
"""What is less than this is told as 0: its digits are those of the machine's arithmetic."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the report."""

    name: str
    title: str
    source: str
    expected: str
    tolerance: str
    got: str
    passed: bool


class Figure(NamedTuple):
    """One number of a case, which must lie between `low` and `high` (both included)."""

    what: str
    """What it is, with its unit."""
    expected: str
    got: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """Whether it lies there."""
        return self.low <= self.got <= self.high


def about(what: str, expected: float, got: float, *, within: float = 0.0, share: float = 0.0) -> Figure:
    """A figure that may lie `within` of what is expected, or within a `share` of it."""
    slack = within + share * abs(expected)
    return Figure(what, number(expected), got, expected - slack, expected + slack)


def at_most(what: str, most: float, got: float) -> Figure:
    """A figure that may be anything up to `most`."""
    return Figure(what, f"≤ {number(most)}", got, -float("inf"), most)


def at_least(what: str, least: float, got: float) -> Figure:
    """A figure that may be anything from `least` on."""
    return Figure(what, f"≥ {number(least)}", got, least, float("inf"))


def case(name: str, title: str, source: str, tolerance: str, *figures: Figure) -> Case:
    """The case of some figures, all of which must pass."""
    return Case(
        name=name,
        title=title,
        source=source,
        expected="; ".join(f"{figure.what} {figure.expected}" for figure in figures),
        tolerance=tolerance,
        got="; ".join(f"{figure.what} {number(figure.got)}" for figure in figures),
        passed=all(figure.passed for figure in figures),
    )


def number(x: float) -> str:
    """A number to four digits, whole ones in full; what is left of adding up is 0.

    >>> number(1234567.0), number(1799.6), number(0.70151), number(-1e-15)
    ('1,234,567', '1,800', '0.7015', '0')
    """
    if abs(x) < NOTHING:
        return "0"
    return f"{x:,.0f}" if abs(x) >= 1000 or x == round(x) else f"{x:.4g}"
