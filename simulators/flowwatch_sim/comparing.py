"""Simulated days of several setups, measure by measure: means, paired differences with their intervals, verdicts, bounds and worst days.

The first setup is what the others are held against. All lived through the same seeds, so a difference is taken day by day (`statistics.py`),
and no verdict says "better" while 0 lies in the interval. A measure knows which direction is better, or that neither is: more minutes with a
gate shut are a means, not an end. Pure data; how it is told is `report`'s matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Final

from flowwatch_sim.runs import Result
from flowwatch_sim.statistics import Difference, Verdict, paired, runs_for, upper_bound

BOUNDED: Final = ("peak", "queue_most", "wait_most")
"""The measures whose worst days are bounded: what a place must bear at once."""


class Better(StrEnum):
    """Which direction of a measure is better."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"


_DIRECTIONS: Final = dict.fromkeys(("came", "closed_in", "stage", "alerts"), Better.NEITHER) | dict.fromkeys(
    ("entered", "band"), Better.MORE
)
"""By the first word of a measure's name; less is better of all others."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days of one setup, in the order of their seeds."""

    plan: str
    sight: str
    results: tuple[Result, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """What each day was drawn from."""
        return tuple(result.seed for result in self.results)

    def values(self, measure: str) -> list[float] | None:
        """A measure on each day; None where a day was not measured so. A stage that was not reached lasted no time."""
        absent = 0.0 if measure.startswith("stage/") else None
        found = [result.measures.get(measure, absent) for result in self.results]
        return None if None in found else [value for value in found if value is not None]

    def worst(self, measure: str) -> Result:
        """The day on which a measure was worst, or most where neither direction is better; the first of several."""
        values = self.values(measure) or [0.0] * len(self.results)
        extreme = min(values) if better(measure) is Better.MORE else max(values)
        return self.results[values.index(extreme)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure over all setups. S setups; what is told of a difference is told of each setup but the first."""

    measure: str
    better: Better
    means: tuple[float | None, ...]
    """(S,) None where a setup has no such measure."""
    spans: tuple[tuple[float, float] | None, ...]
    """(S,) the least and the most of all days."""
    bounds: tuple[float | None, ...]
    """(S,) what 95 % of days stay at or below with 95 % confidence; None for a measure that is not bounded, and for too few days."""
    worst: tuple[int | None, ...]
    """(S,) seed of the worst day, or of the day with most where neither direction is better."""
    differences: tuple[Difference | None, ...]
    """(S - 1,) a setup's mean less that of the first; None where one of them was not measured, or for a single day."""
    verdicts: tuple[Verdict | None, ...]
    """(S - 1,) None where there is no difference to judge, or neither direction is better."""


@dataclass(frozen=True, slots=True)
class Table:
    """All measures of all setups over the same seeds."""

    days: tuple[Days, ...]
    rows: dict[str, Comparison]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of every setup."""
        return self.days[0].seeds

    @property
    def bound_needs(self) -> int:
        """How many days a bound on the worst needs, where there are too few; else 0."""
        return runs_for() if len(self.seeds) < runs_for() else 0


def better(measure: str) -> Better:
    """Which direction of a measure is better.

    >>> str(better("peak/mall")), str(better("entered")), str(better("closed_in/gate-2"))
    ('less', 'more', 'neither')
    """
    return _DIRECTIONS.get(measure.partition("/")[0], Better.LESS)


def by_setup(results: Sequence[Result]) -> list[Days]:
    """Results in the order in which `runs.run` gives them, divided by setup: another plan or sight begins one, and so does a seed that is back."""
    groups: list[list[Result]] = []
    for result in results:
        same = groups and (groups[-1][0].plan, groups[-1][0].sight) == (result.plan, result.sight)
        if not same or any(result.seed == before.seed for before in groups[-1]):
            groups.append([])
        groups[-1].append(result)
    return [Days(group[0].plan, group[0].sight, tuple(group)) for group in groups]


def compare(results: Sequence[Result]) -> Table:
    """All measures of all setups. Raises ValueError for no days, and where setups did not live through the same seeds."""
    days = by_setup(results)
    if not days:
        raise ValueError("found no days, expected at least one")
    for other in days[1:]:
        if other.seeds != days[0].seeds:
            raise ValueError(f"found seeds {other.seeds} of {other.plan}, expected those of {days[0].plan}, {days[0].seeds}")
    names = dict.fromkeys(name for of in days for result in of.results for name in result.measures)
    return Table(tuple(days), {name: _compared(name, days) for name in names})


def _compared(measure: str, days: Sequence[Days]) -> Comparison:
    direction = better(measure)
    values = [of.values(measure) for of in days]
    differences = [_difference(values[0], other) for other in values[1:]]
    return Comparison(
        measure,
        direction,
        tuple(None if v is None else fmean(v) for v in values),
        tuple(None if v is None else (min(v), max(v)) for v in values),
        tuple(None if v is None or measure.partition("/")[0] not in BOUNDED else _bound(v) for v in values),
        tuple(None if v is None else of.worst(measure).seed for v, of in zip(values, days, strict=True)),
        tuple(differences),
        tuple(_verdict(found, direction) for found in differences),
    )


def _difference(first: list[float] | None, second: list[float] | None) -> Difference | None:
    return None if first is None or second is None or len(first) < 2 else paired(first, second)


def _verdict(difference: Difference | None, direction: Better) -> Verdict | None:
    if difference is None or direction is Better.NEITHER:
        return None
    return difference.verdict(less_is_better=direction is Better.LESS)


def _bound(values: list[float]) -> float | None:
    return upper_bound(values) if len(values) >= runs_for() else None
