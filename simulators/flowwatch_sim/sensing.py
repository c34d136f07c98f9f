"""What a site's counters send about people who really pass: messages, with all that goes wrong, and a log of the truth beside them.

A perfect counter counts everybody. A real one misses people, more of them when many pass, counts some twice, and takes its cameras' people for
more or fewer by an error that lasts for minutes. On top of that come faults for a while: a gap, zeros instead of counts, a stuck display, a
reset, messages twice, late or out of order, directions swapped, a clock that is wrong. Each fault is written to the truth log when it begins to
tell, so that whoever tests an engine knows what it should have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

import numpy as np

from flowwatch.core.readings import ABSENT, SECOND, Kind
from flowwatch_sim.layout import GATE, LINK, Layout
from flowwatch_sim.world import Crossing

MISSES: Final = 0.01
"""Share of people whom a turnstile misses however few pass (devices are sold with 95-99 % accuracy)."""
MISSES_BUSY: Final = 0.02
"""Share that it misses besides where its lanes are full: misses grow with the flow (Duives 2018)."""
TWICE: Final = 0.003
"""Share of people who are counted twice (assumed)."""
CAMERA_TURNS_S: Final = 300.0
"""How long a camera's error lasts before it turns (assumed: light and crowd change slowly)."""
KINDS: Final = {"delta": Kind.DELTA, "cumulative": Kind.CUMULATIVE, "absolute": Kind.ABSOLUTE}


class Message(NamedTuple):
    """One message of a counter; times in microseconds of the scenario's clock, people as `ABSENT` where they mean nothing."""

    received: int
    order: int
    """Messages that arrive together are read in this order."""
    at: int
    counter: int
    kind: int
    ingress: int
    egress: int
    headcount: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with one counter (its index) from `since` until `until`, in seconds."""

    counter: int
    what: str
    since: float
    until: float
    share: float = 0.2
    by: int = 300


@dataclass(slots=True)
class Truth:
    """What happened really, for whoever checks an engine."""

    passed: int = 0
    """People who passed a counted gate or link."""
    counted: int = 0
    """Crossings in what was sent, before messages went astray."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """{"at_s", "counter", "what", ...}: one for each message or moment that a fault touched."""


class Sensors:
    """The counters of one site in one replicate. `first` is the code of its first counter in the log."""

    def __init__(self, layout: Layout, troubles: Sequence[Trouble], *, perfect: bool, seed: int, first: int = 0) -> None:
        self.truth = Truth()
        self._ways: dict[tuple[str, int], list[_Sensor]] = {}
        self._sensors: list[_Sensor] = []
        self._ahead: list[Message] = []
        self._order = 0
        places = {GATE: {g: i for i, g in enumerate(layout.gates)}, LINK: {k: i for i, k in enumerate(layout.links)}}
        for i, counter in enumerate(layout.site["counters"]):
            mine = [t for t in troubles if t.counter == i]
            sensor = _Sensor(first + i, counter, mine, np.random.default_rng([seed, 7, i]), perfect=perfect)
            self._sensors.append(sensor)
            for kind in (GATE, LINK):
                if counter[kind] is not None:
                    self._ways.setdefault((kind, places[kind][counter[kind]]), []).append(sensor)
            if counter["zone"] is not None:
                sensor.zone = layout.zones.index(counter["zone"])
            if counter["gate"] is not None:
                gate = places[GATE][counter["gate"]]
                sensor.full_per_s = layout.lanes[gate] * layout.rate[gate] / 60.0
            if sensor.kind is Kind.CUMULATIVE:
                self._send(sensor, (0.0, 0, 0, ABSENT), 0.0)  # what it showed before anybody came; else the first period would count nobody

    def see(self, crossings: Sequence[Crossing], inside: Sequence[int], now: float) -> None:
        """People passed since the last call, and so many are in each zone at `now` (seconds): send what is due."""
        for crossing in crossings:
            for sensor in self._ways.get((crossing.kind, crossing.place), ()):
                self.truth.passed += 1
                sensor.passes(crossing.way, crossing.at)
        for sensor in self._sensors:
            while sensor.due <= now:
                self._send(sensor, sensor.read(inside), now)

    def heard(self, now: float) -> list[Message]:
        """The messages that have arrived by `now`, in the order in which they did."""
        found = []
        limit = round(now * SECOND)
        while self._ahead and self._ahead[0].received <= limit:
            found.append(heappop(self._ahead))
        return found

    def _send(self, sensor: _Sensor, reading: tuple[float, int, int, int] | None, now: float) -> None:
        if reading is None:
            return
        at, ingress, egress, headcount = reading
        delay, copies = sensor.sends(at, self.truth)
        self.truth.counted += max(ingress, 0) + max(egress, 0) if sensor.kind is Kind.DELTA else 0
        for copy in range(copies):
            self._order += 1
            received = round((max(now, at) + delay + copy) * SECOND)
            stamp = round((at + sensor.clock(at)) * SECOND)
            heappush(self._ahead, Message(received, self._order, stamp, sensor.code, int(sensor.kind), ingress, egress, headcount))


class _Sensor:
    """One counter. Its readings are for whole periods, which end at `due`."""

    def __init__(
        self, code: int, counter: Mapping[str, Any], troubles: Sequence[Trouble], random: np.random.Generator, *, perfect: bool
    ) -> None:
        self.code, self.kind, self.name = code, KINDS[counter["counts"]], counter["counter"]
        self.every = counter["every_us"] / SECOND
        self.due = self.every
        self.zone: int | None = None
        self.full_per_s = 4.0
        self._perfect, self._troubles, self._random = perfect, troubles, random
        self._modulus: int | None = counter["modulus"]
        self._mounted_back = bool(counter["swapped"])
        self._coverage, self._error = counter["coverage_ppm"] / 1e6, counter["camera_error_ppm"] / 1e6
        self._now, self._total, self._sent = [0, 0], [0, 0], [0, 0]
        self._camera, self._rate, self._last = 0.0, 0.0, 0.0

    def passes(self, way: int, at: float) -> None:
        """Somebody passes."""
        times = 1
        if not self._perfect:
            self._rate = self._rate * 0.98 + 0.02 / max(at - self._last, 0.01)
            self._last = at
            extra = sum(t.share for t in self._within("misses", at))
            u, missed = float(self._random.random()), MISSES + MISSES_BUSY * min(1.0, self._rate / self.full_per_s) + extra
            times = 0 if u < missed else 2 if u > 1 - TWICE else 1
        if self._mounted_back ^ bool(self._within("swapped", at)):
            way = 1 - way
        self._now[way] += times

    def read(self, inside: Sequence[int]) -> tuple[float, int, int, int] | None:
        """The reading that is due: (when it was taken, in, out, people in view), and on to the next; None in a gap."""
        at, self.due = self.due, self.due + self.every
        if self.kind is Kind.ABSOLUTE:
            return None if self._within("outage", at) else (at, ABSENT, ABSENT, self._in_view(inside, at))
        counts, self._now = self._now, [0, 0]
        if self._within("zeros", at):
            counts = [0, 0]
        for t in self._within("reset", at):
            if t.since <= at < t.since + self.every:
                self._total = [0, 0]
        self._total = [total + n for total, n in zip(self._total, counts, strict=True)]
        if self._within("outage", at):
            return None
        if self.kind is Kind.DELTA:
            return at, counts[0], counts[1], ABSENT
        if not self._within("stuck", at):
            self._sent = [n % self._modulus for n in self._total] if self._modulus else list(self._total)
        return at, self._sent[0], self._sent[1], ABSENT

    def _in_view(self, inside: Sequence[int], at: float) -> int:
        people = inside[self.zone] if self.zone is not None else 0
        if self._within("zeros", at):
            return 0
        if self._within("stuck", at):
            return self._sent[0]
        seen = people * self._coverage
        if not self._perfect:
            keep = float(np.exp(-self.every / CAMERA_TURNS_S))
            self._camera = keep * self._camera + float(np.sqrt(1 - keep**2)) * self._error * float(self._random.standard_normal())
            seen *= max(0.0, 1 + self._camera)
        self._sent[0] = round(seen)
        return self._sent[0]

    def sends(self, at: float, truth: Truth) -> tuple[float, int]:
        """(seconds until it arrives, how many times)."""
        delay, copies = 0.0, 1
        for t in self._troubles:
            if not t.since <= at < t.until:
                continue
            touched = True
            if t.what == "late":
                delay = max(delay, float(t.by) if t.share >= 1 else float(self._random.exponential(t.by)))
            elif t.what == "disorder":
                touched = float(self._random.random()) < t.share
                delay = max(delay, 1.5 * self.every if touched else 0.0)
            elif t.what == "duplicates":
                touched = float(self._random.random()) < t.share
                copies += int(touched)
            if touched:
                truth.faults.append({"at_s": at, "counter": self.name, "what": t.what})
        return delay, copies

    def clock(self, at: float) -> int:
        """How many seconds its clock is ahead."""
        return sum(t.by for t in self._within("clock", at))

    def _within(self, what: str, at: float) -> list[Trouble]:
        return [t for t in self._troubles if t.what == what and t.since <= at < t.until] if self._troubles else []
