"""An archive cut into days, each of one kind: from the quietest hour to the next, or the hours that somebody asks for.

A day with less than half of the best day's slots is left out and named. Counters that die often go on sending zeros: a run of zeros both ways, in
which the counter's other days have `DEAD` people and more, was an outage and is not measured. So is nothing else ever judged by its figures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from flowwatch.core.readings import SECOND, Bools, Floats, Ints
from flowwatch_sim.daykinds import PLAIN, kind_of
from flowwatch_sim.fitting.archive import Counts, NoDemandError
from flowwatch_sim.scenario import DayKind

DEAD: Final = 200
"""People expected in a run of zeros before it is an outage: 20 groups of ten, none of whom came by chance once in e^20 times."""
ENOUGH: Final = 0.5
"""Of the best day's measured slots."""
LATEST_HOUR: Final = 36
"""The hour at which a scenario's day ends at the latest, from the midnight before."""


@dataclass(frozen=True)
class Days:
    """D days of S slots; arrays have shape (counters, D, S), and what was not measured is 0."""

    site: str
    counters: tuple[str, ...]
    slot_s: int
    begins: int
    """The hour at which a day begins."""
    dates: tuple[date, ...]
    kinds: tuple[DayKind | None, ...]
    """None for all, where no calendar tells them apart."""
    into: Ints
    out: Ints
    measured: Bools
    both_ways: bool
    outage_hours: float
    """Counter hours of zeros that were taken for outages."""
    left_out: tuple[date, ...]
    """Days with too little of them."""

    @property
    def hours(self) -> int:
        """How many hours a day has."""
        return int(self.into.shape[2]) * self.slot_s // 3600

    def only(self, chosen: Sequence[int]) -> Days:
        """Some of the days, by their index."""
        picked = list(chosen)
        return replace(
            self,
            dates=tuple(self.dates[i] for i in picked),
            kinds=tuple(self.kinds[i] for i in picked),
            into=self.into[:, picked],
            out=self.out[:, picked],
            measured=self.measured[:, picked],
        )


def split(
    counts: Counts, zone: ZoneInfo, hours: tuple[int, int] | None = None, country: str | None = None, kinds: Collection[str] = PLAIN
) -> Days:
    """The days of an archive on the clocks of `zone`, from `hours[0]` until before `hours[1]` o'clock (up to 36: the next day's noon).

    Without a `country`, whose holidays count, all days are of one kind. Raises `NoDemandError` for an archive without a day.
    """
    begins, until = hours or _from_quietest(counts, zone)
    per_day = (until - begins) * 3600 // counts.slot_s
    dates = _dates(counts, zone)
    width = counts.into.shape[1]
    starts = [
        round((datetime(d.year, d.month, d.day, begins, tzinfo=zone).timestamp() * SECOND - counts.first_us) / (counts.slot_s * SECOND))
        for d in dates
    ]
    index = np.array(starts)[:, None] + np.arange(per_day)
    there = (index >= 0) & (index < width)
    index = np.clip(index, 0, width - 1)
    measured = counts.measured[:, index] & there
    have = measured.sum(axis=(0, 2))
    enough = have >= max(1.0, ENOUGH * float(have.max(initial=0)))
    if not enough.any():
        raise NoDemandError(f"found nothing measured between {begins} and {until} o'clock, expected at least one day of it")
    kept = np.flatnonzero(enough).tolist()
    measured = measured[:, kept]
    into, out = (np.where(measured, people[:, index[kept]], 0) for people in (counts.into, counts.out))
    dead = _dead(into + out, measured, counts.slot_s)
    days = [dates[i] for i in kept]
    return Days(
        site=counts.site,
        counters=counts.counters,
        slot_s=counts.slot_s,
        begins=begins,
        dates=tuple(days),
        kinds=tuple(None if country is None else kind_of(day, kinds, country) for day in days),
        into=into,
        out=out,
        measured=measured & ~dead,
        both_ways=counts.both_ways,
        outage_hours=float(dead.sum()) * counts.slot_s / 3600,
        left_out=tuple(day for i, day in enumerate(dates) if i not in kept and have[i]),
    )


def _dates(counts: Counts, zone: ZoneInfo) -> list[date]:
    """Every date on which something is counted, and the one before, whose night that may be."""
    ends = (counts.first_us, counts.first_us + counts.into.shape[1] * counts.slot_s * SECOND - 1)
    first, last = (datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone).date() for at in ends)
    return [first + timedelta(i) for i in range(-1, (last - first).days + 1)]


def _from_quietest(counts: Counts, zone: ZoneInfo) -> tuple[int, int]:
    """From the hour with the fewest people, around the clock; the hours that were measured at all, where those are not all."""
    starts_s = counts.first_us // SECOND + np.arange(counts.into.shape[1]) * counts.slot_s
    offset = datetime.fromtimestamp(int(starts_s[0]), zone).utcoffset() or timedelta(0)
    hour = ((starts_s + int(offset.total_seconds())) // 3600 % 24).astype(np.int64)
    slots = np.bincount(hour, counts.measured.sum(axis=0), minlength=24)
    people = np.bincount(hour, (counts.into + counts.out).sum(axis=0), minlength=24)
    if not slots.all():
        known = np.flatnonzero(slots)
        gaps = np.diff(np.append(known, known[0] + 24))
        widest = int(gaps.argmax())
        begins = int(known[(widest + 1) % len(known)])
        return begins, begins + 25 - int(gaps[widest])
    begins = int((people / slots)[:12].argmin())
    return begins, begins + 24


def _dead(people: Ints, measured: Bools, slot_s: int) -> Bools:
    """Runs of zeros in which other days have `DEAD` people."""
    counters, days = len(people), int(people.shape[1])
    per_hour = 3600 // slot_s
    cells = people.reshape(counters, days, -1, per_hour)
    alive = cells.sum(axis=3) > 0
    counted = (measured.reshape(cells.shape).sum(axis=3) * alive).sum(axis=1)
    rate: Floats = np.divide(cells.sum(axis=(1, 3)), counted, out=np.zeros(counted.shape), where=counted > 0)
    expected = np.repeat(rate, per_hour, axis=1)
    dead = np.zeros(people.shape, np.bool_)
    for c in range(counters):
        so_far = np.concatenate([[0.0], np.cumsum(expected[c])])
        for d in range(days):
            zero = np.concatenate([[False], (people[c, d] == 0) & measured[c, d], [False]])
            edges = np.flatnonzero(np.diff(zero))
            for since, until in edges.reshape(-1, 2).tolist():
                dead[c, d, since:until] = so_far[until] - so_far[since] >= DEAD
    return dead
