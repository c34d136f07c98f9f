"""A scenario as a stream of readings for one site or ten thousand: days that were lived through once, played by many sites.

Living a day person by person costs seconds; a city of sites that all live at once would cost hours. So a few days are recorded with all their
faults (`record`), and each site of a `City` plays one of them, shifted by up to ten minutes so that sites do not beat in time. What a site sends
is a real day with its truth known; that some sites share one is the price.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.readings import SECOND
from flowwatch_sim.counters import Sight
from flowwatch_sim.luck import Purpose, generator
from flowwatch_sim.passages import Between, site_seed
from flowwatch_sim.people import Ints
from flowwatch_sim.planned import Planned
from flowwatch_sim.sensing import Sensors
from flowwatch_sim.world import World

SHIFT_S: Final = 10
"""Sites are shifted by multiples of this."""
SHIFTS: Final = 60
"""Ten minutes."""
DAYS: Final = 4
"""How many days are recorded for a city, at most."""
COLUMNS: Final = ("counter", "kind", "at", "received", "ingress", "egress", "headcount")
"""Of a reading, beside the site that sends it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The messages of one day, in the order in which they arrive; times in microseconds from the start, people `ABSENT` where they mean nothing."""

    received: Ints
    at: Ints
    counter: Ints
    kind: Ints
    ingress: Ints
    egress: Ints
    headcount: Ints
    minutes: Ints
    """(M, Z) people in each zone at the end of each minute, in truth."""
    faults: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.received)


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that arrive in one step of a city; columns of one length, `site` and `counter` by number."""

    site: Ints
    counter: Ints
    kind: Ints
    at: Ints
    received: Ints
    ingress: Ints
    egress: Ints
    headcount: Ints

    def __len__(self) -> int:
        return len(self.site)


def record(planned: Planned, seed: int, sight: Sight | None = None) -> Recording:
    """One day of a scenario without an engine: gates stay as they are, counters send what they see. Of several sites the first one's."""
    return records(planned, seed, sight)[0]


def records(planned: Planned, seed: int, sight: Sight | None = None) -> list[Recording]:
    """One day of each site of a scenario (`record`); counters are numbered through all of them."""
    every, between = planned.every_s, Between(planned.sites, planned.passages, seed)
    how = sight or planned.scenario.sensing.value
    seen, first = [], 0
    for i, (place, world) in enumerate(zip(planned.sites, between.worlds, strict=True)):
        seen.append(_Seen(Sensors(place.layout, place.troubles, sight=how, seed=site_seed(seed, i), first=first), world))
        first += len(place.layout.site["counters"])
    for k in range(round(planned.lasts_s / every)):
        now = (k + 1) * every
        between.announce(now)
        for site in seen:
            site.advance(now, minute=now % 60.0 < every)
        between.collect()
    return [site.recording() for site in seen]


class _Seen:
    """What the counters of one site send, and who is really there."""

    def __init__(self, sensors: Sensors, world: World) -> None:
        self._sensors, self._world = sensors, world
        self._rows: list[tuple[int, ...]] = []
        self._minutes: list[list[int]] = []

    def advance(self, now: float, *, minute: bool) -> None:
        """One step, to `now`; `minute`: it ends one."""
        sensors, world = self._sensors, self._world
        crossings, people = world.advance(now), world.in_zones()
        sensors.see(crossings, people, now)
        self._rows += [(m.received, m.at, m.counter, m.kind, m.ingress, m.egress, m.headcount) for m in sensors.heard(now)]
        if minute:
            self._minutes.append(people)

    def recording(self) -> Recording:
        """Everything so far."""
        received, at, counter, kind, ingress, egress, headcount = np.ascontiguousarray(np.array(self._rows, np.int64).reshape(-1, 7).T)
        truth = np.array(self._minutes, np.int64)
        return Recording(received, at, counter, kind, ingress, egress, headcount, truth, self._sensors.truth.faults)


class City:
    """Many sites that play recordings. Those of a scenario of several sites stand next to each other, `together` at a time, in both lists."""

    def __init__(self, recordings: Sequence[Recording], sites: int, seed: int, together: int = 1) -> None:
        luck = generator(seed, Purpose.SHIFTS)
        self.recordings = recordings
        self.day = np.arange(sites) % len(recordings)
        """Which recording each site plays."""
        self.shift_us: Ints = np.repeat(luck.integers(0, SHIFTS, sites // together), together) * SHIFT_S * SECOND
        self._rows = {column: np.concatenate([getattr(day, column) for day in recordings]) for column in COLUMNS}
        first = np.cumsum([0, *map(len, recordings)])
        self._groups = [
            (r, int(first[r]), int(shift), np.flatnonzero((self.day == r) & (self.shift_us == shift)))
            for r in range(len(recordings))
            for shift in np.unique(self.shift_us[self.day == r])
        ]

    def __len__(self) -> int:
        """Readings in all."""
        return sum(len(self.recordings[day]) for day in self.day.tolist())

    @property
    def lasts_us(self) -> int:
        """When the last reading arrives, in microseconds from the start."""
        return max(int(r.received[-1]) if len(r) else 0 for r in self.recordings) + int(self.shift_us.max(initial=0))

    def steps(self, step_us: int) -> Iterator[tuple[int, Batch]]:
        """(end of the step, what arrives in it), in microseconds from the start, until every site has played its day."""
        for until in range(step_us, self.lasts_us + step_us, step_us):
            yield until, self._between(until - step_us if until > step_us else -1, until)  # what arrives at 0 is in the first step

    def _between(self, since: int, until: int) -> Batch:
        rows, sites = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for r, first, shift, group in self._groups:
            a, b = self.recordings[r].received.searchsorted([since - shift, until - shift], side="right")
            if a < b:
                rows.append(np.repeat(np.arange(first + a, first + b), len(group)))
                sites.append(np.tile(group, b - a))
        row, site = np.concatenate(rows), np.concatenate(sites)
        order = np.argsort(self._rows["received"][row] + self.shift_us[site], kind="stable")
        row, site = row[order], site[order]
        columns, shift_us = {name: column[row] for name, column in self._rows.items()}, self.shift_us[site]
        return Batch(site, **columns | {name: columns[name] + shift_us for name in ("at", "received")})
