"""Counters one by one: a turnstile counts who passes, a camera looks at who is there, and both err.

How well they count is one of three things. A *perfect* counter counts everybody. A *declared* one is as good as the site's documents say. A
*real* one is as good as such devices are said to be where they have been checked: it misses people, more of them when many pass, and counts
some twice. A camera's error lasts for a minute, part of it for the whole day, and it cannot see people who stand behind others.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any, Final, Literal, NamedTuple

from flowwatch.core.readings import ABSENT, SECOND, Kind
from flowwatch_sim.luck import Purpose, generator
from flowwatch_sim.troubles import Trouble, Truth, holding

Sight = Literal["perfect", "declared", "real"]
MISSES: Final = 0.01
"""Share of people whom a turnstile misses however few pass (devices are sold with 95-99 % accuracy)."""
MISSES_BUSY: Final = 0.02
"""Share that it misses besides where its lanes are full: misses grow with the flow (Duives 2018)."""
TWICE: Final = 0.003
"""Share of people who are counted twice (assumed)."""
FLOW_S: Final = 60.0
"""The time over which a flow is looked at, to say how full lanes are."""
CAMERA_TURNS_S: Final = 60.0
"""How long a camera's error lasts before it turns (the design's trial on frames of a mall camera)."""
CAMERA_BIAS: Final = 0.5
"""Of a camera's error (standard deviation), what stays all day (assumed, as the engine assumes it)."""
SATURATES_PER_M2: Final = 4.0
"""A camera sees no more than so many people on a square metre (assumed: those behind them are hidden)."""
KINDS: Final = {"delta": Kind.DELTA, "cumulative": Kind.CUMULATIVE, "absolute": Kind.ABSOLUTE}


class Reading(NamedTuple):
    """What a counter would send: when it was taken (seconds), and people, `ABSENT` where they mean nothing."""

    at: float
    ingress: int
    egress: int
    headcount: int


@dataclass(frozen=True, slots=True)
class Skill:
    """How well a turnstile counts: shares of people missed when few pass, missed besides when its lanes are full, and counted twice."""

    misses: float
    busy: float
    twice: float


def skill(sight: Sight, error: float) -> Skill:
    """A turnstile's, whose documents declare the share `error`: half of that is missed when few pass, all of it when lanes are full."""
    match sight:
        case "perfect":
            return Skill(0.0, 0.0, 0.0)
        case "declared":
            return Skill(error / 2, error / 2, 0.0)
        case "real":
            return Skill(MISSES, MISSES_BUSY, TWICE)


class Counter:
    """What turnstiles and cameras share. Readings are for whole periods, which end at `due`; `index` is its place at the site."""

    def __init__(self, record: Mapping[str, Any], index: int, troubles: Sequence[Trouble], truth: Truth) -> None:
        self.index, self.name, self.kind = index, str(record["counter"]), KINDS[record["counts"]]
        self.every = self.due = record["every_us"] / SECOND
        self.troubles, self.truth = troubles, truth

    def read(self, inside: Sequence[int]) -> Reading | None:
        """The reading that is due, and on to the next; None in a gap. `inside`: people by zone."""
        raise NotImplementedError

    def within(self, what: str, at: float) -> list[Trouble]:
        """Its troubles of one kind at `at`."""
        return holding(self.troubles, what, at)


class Turnstile(Counter):
    """Counts who passes a gate or a link, in as `from` to `to`. `full_per_s`: people a second when its lanes are full."""

    def __init__(
        self, record: Mapping[str, Any], index: int, troubles: Sequence[Trouble], truth: Truth, sight: Sight, seed: int, full_per_s: float
    ) -> None:
        super().__init__(record, index, troubles, truth)
        self._skill, self._full = skill(sight, record["error_ppm"] / 1e6), full_per_s
        self._luck = generator(seed, Purpose.COUNTING, index)
        self._modulus: int | None = record["modulus"]
        self._mounted_back = bool(record["swapped"])
        self._now, self._total, self._sent = [0, 0], [0, 0], [0, 0]
        self._flow, self._last = 0.0, 0.0
        self._off = Tally[str]()
        self._resets = [t for t in troubles if t.what == "reset"]
        self._passed = truth.passed.setdefault(self.name, [0, 0])
        self._counted = truth.counted.setdefault(self.name, [0, 0])

    def passes(self, way: int, at: float) -> None:
        """Somebody passes."""
        self._flow = self._flow * exp((self._last - at) / FLOW_S) + 1 / FLOW_S
        self._last = at
        way = way ^ self._mounted_back
        self._passed[way] += 1
        times = self._times(at)
        if times and self.within("swapped", at):
            way = 1 - way
            self._off["swapped"] += times * (1 - 2 * way)  # in one period one way makes up for the other
        self._now[way] += times

    def _times(self, at: float) -> int:
        """How many times it counts somebody; what a fault did of it is remembered for the reading."""
        u = float(self._luck.random())
        missed = self._skill.misses + self._skill.busy * min(1.0, self._flow / self._full)
        if u < missed:
            return 0
        if u > 1 - self._skill.twice:
            return 2
        for what in ("misses", "drift", "twice") if self.troubles else ():
            for t in self.within(what, at):
                share = t.share * (t.progress(at) if what == "drift" else 1.0)
                missed += share
                if u < missed:
                    self._off[what] += 1
                    return 2 if what == "twice" else 0
        return 1

    def read(self, inside: Sequence[int]) -> Reading | None:  # noqa: ARG002 - a turnstile sees nobody but who passes
        """The people of the period that ends, or all so far."""
        at, self.due = self.due, self.due + self.every
        counts, self._now = self._now, [0, 0]
        self._counted[0] += counts[0]
        self._counted[1] += counts[1]
        for what, people in sorted(self._off.items()):
            if people:
                self.truth.tell(at, self.name, what, people=abs(people))
        self._off.clear()
        self._begin_anew(at)
        self._total = [total + n for total, n in zip(self._total, counts, strict=True)]
        if self._modulus:
            self._total = [n % self._modulus for n in self._total]
        right = counts if self.kind is Kind.DELTA else self._total
        if self.within("outage", at):
            self.truth.tell(at, self.name, "outage", people=sum(counts) if self.kind is Kind.DELTA else 0)
            return None
        sent = [0, 0] if self.within("zeros", at) else self._sent if self.within("stuck", at) else right
        if sent != right:
            what = "zeros" if self.within("zeros", at) else "stuck"
            self.truth.tell(at, self.name, what, people=sum(abs(a - b) for a, b in zip(sent, right, strict=True)))
        self._sent = list(sent)
        return Reading(at, sent[0], sent[1], ABSENT)

    def _begin_anew(self, at: float) -> None:
        for t in [t for t in self._resets if t.since <= at]:
            self._resets.remove(t)
            self.truth.tell(at, self.name, "reset", people=sum(self._total))
            self._total = [0, 0]


class Camera(Counter):
    """Counts the people in view of one zone (its index and square metres)."""

    def __init__(
        self,
        record: Mapping[str, Any],
        index: int,
        troubles: Sequence[Trouble],
        truth: Truth,
        sight: Sight,
        seed: int,
        zone: tuple[int, float],
    ) -> None:
        super().__init__(record, index, troubles, truth)
        self._zone, area = zone
        self._coverage = record["coverage_ppm"] / 1e6
        self._perfect, error = sight == "perfect", record["camera_error_ppm"] / 1e6
        self._most = area * self._coverage * SATURATES_PER_M2
        self._luck = generator(seed, Purpose.SEEING, index)
        self._bias = CAMERA_BIAS * error * float(self._luck.standard_normal())
        self._spread = error * sqrt(1 - CAMERA_BIAS**2)
        self._turning = self._spread * float(self._luck.standard_normal())
        self._keep = exp(-self.every / CAMERA_TURNS_S)
        self._sent = 0

    def read(self, inside: Sequence[int]) -> Reading | None:
        """The people in view now."""
        at, self.due = self.due, self.due + self.every
        self._turning = self._keep * self._turning + sqrt(1 - self._keep**2) * self._spread * float(self._luck.standard_normal())
        seen = inside[self._zone] * self._coverage
        if not self._perfect:
            seen = min(seen * max(0.0, 1 + self._bias + self._turning), self._most)
        right = round(seen)
        if self.within("outage", at):
            self.truth.tell(at, self.name, "outage")
            return None
        fewer = min(1.0, sum(t.share * t.progress(at) for t in self.within("drift", at)))
        what, sent = "drift", round(seen * (1 - fewer))
        if self.within("zeros", at):
            what, sent = "zeros", 0
        elif self.within("stuck", at):
            what, sent = "stuck", self._sent
        if sent != right:
            self.truth.tell(at, self.name, what, people=abs(sent - right))
        self._sent = sent
        return Reading(at, ABSENT, ABSENT, sent)
