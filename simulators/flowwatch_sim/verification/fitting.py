"""Is a known demand found again in its own counts? Days drawn from a scenario's streams, counted every three minutes, and fitted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

import numpy as np

from flowwatch_sim import scenario as language
from flowwatch_sim.demand import Stream
from flowwatch_sim.fitting.days import Days
from flowwatch_sim.fitting.drawn import counts
from flowwatch_sim.fitting.fit import Fit, fit
from flowwatch_sim.rates import STEP_S, rates
from flowwatch_sim.scenario import DayKind
from flowwatch_sim.verification.case import SEED, Case, about, at_most, case

PEOPLE: Final = {DayKind.WORKDAY: 12_000, DayKind.WEEKEND: 20_000}
HOURS: Final = {"8": 1.0, "10": 6.0, "12": 5.0, "18": 9.0, "20": 4.0}
BEGINS: Final = 8
LASTS_H: Final = 13
GROUPS: Final = 1.2
UNREST: Final = 0.15
GATES: Final = ("north", "south")
SHARE: Final = 0.7
STAY_S: Final = 3600.0
SLOT_S: Final = 180
MONDAY: Final = date(2026, 5, 11)
FITS: Final = 20


def known(kind: DayKind, *, turns_s: float = 900.0, groups: float = GROUPS, unrest: float = UNREST) -> Stream:
    """The stream that is to be found again, on one kind of day."""
    said = language.Stream(stream="visitors", people=PEOPLE[kind], hours=HOURS, stay="1h")
    rate = rates(said, BEGINS, LASTS_H * 3600.0)
    shares = {0: SHARE, 1: 1 - SHARE}
    return Stream("visitors", rate, STEP_S, shares, {0: 0, 1: 0}, STAY_S, group_excess=groups, unrest=unrest, turns_s=turns_s)


def counted(seed: int, slot_s: int = SLOT_S, weeks: int = 2, stream: Callable[[DayKind], Stream] = known) -> Days:
    """Weeks of days of the known demand, by counters that miss nobody and count one way."""
    dates = tuple(MONDAY + timedelta(i) for i in range(7 * weeks))
    kinds = tuple(DayKind.WEEKEND if day.weekday() >= 5 else DayKind.WORKDAY for day in dates)
    into = np.stack([counts(stream(kind), len(GATES), 0, seed + i, slot_s) for i, kind in enumerate(kinds)], axis=1)
    measured = np.ones(into.shape, np.bool_)
    return Days("site", GATES, slot_s, BEGINS, dates, kinds, into, np.zeros_like(into), measured, False, 0.0, ())


def found_in(days: Days) -> Fit:
    """The fit of a site whose counters are its gates."""
    return fit(days, {gate: gate for gate in GATES})


def again() -> Case:
    """A known demand is found again, and the errors that are told are those that are made."""
    fits = [found_in(counted(SEED + 100 * i)) for i in range(FITS)]
    streams = [one.streams[0] for one in fits]

    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    off = [s.kinds[DayKind.WORKDAY].people.value - PEOPLE[DayKind.WORKDAY] for s in streams]
    told = mean([s.kinds[DayKind.WORKDAY].people.error ** 2 for s in streams]) ** 0.5
    shape = np.interp(np.arange(BEGINS, BEGINS + LASTS_H) + 0.5, [float(h) + 0.5 for h in HOURS], list(HOURS.values()))
    hours = np.mean([s.kinds[DayKind.WORKDAY].hours / s.kinds[DayKind.WORKDAY].hours.sum() for s in streams], axis=0)
    return case(
        "V32c",
        f"`fit`: a known demand found again in its counts every 3 min, two weeks, {FITS} times",
        "the demand that the days were drawn from; errors as told against errors made",
        "people ± 1 %; hours 2 %; groups ± 0.05; unrest, share ± 0.01; errors half to twice",
        about("people of a workday", PEOPLE[DayKind.WORKDAY], PEOPLE[DayKind.WORKDAY] + mean(off), share=0.01),
        about("of a weekend's day", PEOPLE[DayKind.WEEKEND], mean([s.kinds[DayKind.WEEKEND].people.value for s in streams]), share=0.01),
        at_most(
            "an hour's weight off by, of the greatest", 0.02, float(np.abs(hours - shape / shape.sum()).max() / (shape / shape.sum()).max())
        ),
        about("groups", GROUPS, mean([s.ratio.value - 1 if s.ratio else 0.0 for s in streams]), within=0.05),
        about("unrest", UNREST, mean([s.unrest.value if s.unrest else 0.0 for s in streams]), within=0.01),
        about("share of an entrance", SHARE, mean([s.entrances["north"] / sum(s.entrances.values()) for s in streams]), within=0.01),
        at_most("error told, of the error made, as a factor off", 2.0, _factor(told, float(np.sqrt(np.mean(np.square(off)))))),
    )


def _factor(one: float, other: float) -> float:
    return max(one, other) / min(one, other)


SLOW: Final[tuple[Callable[[], Case], ...]] = (again,)
CASES: Final = (again,)
