"""What a test's log holds: the documents, ticks, what counters send, what operators write; and the figures that stand in for counters.

Every tick is a row among the others, and a counter's message stands before the tick of its own time:

- people who pass in step k do so evenly from the step's moment to the next one's; a total goes evenly from this step's to the next one's; a
  camera sees the same people throughout the step;
- a counter that the test does not name works, and tells that nobody passes; a camera that it does not name sees what is estimated, give or
  take the rounding, so that nothing is silent unless the test says so;
- a series goes on as its last step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from flowwatch.core.entries import canonical
from flowwatch.core.network import KINDS
from flowwatch.core.quantities import Script
from flowwatch.core.readings import ABSENT, SECOND, Block, Kind
from flowwatch.trials.series import Series, Value

HEARTBEAT_US: Final = 30 * SECOND
"""How often a counter that is not named sends: well within the 60 s after which the fastest is silent."""


@dataclass(slots=True)
class Rows:
    """Rows on their way to a block; `first` is the offset of the first one."""

    first: int = 0
    rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    """(kind, counter, at, ingress, egress, headcount)."""
    payload: dict[int, bytes] = field(default_factory=dict)

    def add(self, kind: Kind, at: int, counter: int = 0, ingress: int = ABSENT, egress: int = ABSENT, headcount: int = ABSENT) -> None:
        """One row."""
        self.rows.append((int(kind), counter, at, ingress, egress, headcount))

    def say(self, kind: Kind, at: int, payload: bytes) -> None:
        """A row with a text."""
        self.payload[len(self.rows)] = payload
        self.add(kind, at)

    def block(self) -> Block:
        """The rows so far as the next block of the log."""
        n = len(self.rows)
        columns = np.array(self.rows, np.int64).reshape(-1, 6).T
        kind, counter, at, ingress, egress, headcount = columns
        absent = np.full(n, ABSENT, np.int64)
        ordinal, payload = np.zeros(n, np.int32), self.payload
        made = Block(
            self.first, kind.astype(np.uint8), counter.astype(np.int32), at, at, absent, ordinal, ingress, egress, headcount, payload
        )
        self.first, self.rows, self.payload = self.first + n, [], {}
        return made


def record(site: str, number: int, kind: str, at: int, fields: Mapping[str, Any]) -> bytes:
    """An operator's record, the `number`-th of a test."""
    return canonical({"action": name(number), "type": kind, "site": site, "by": "test", "reason": "test", "at_us": at} | dict(fields))


def name(number: int) -> str:
    """What the `number`-th record of a test is called: as long as a real one's name, and the same each time.

    >>> name(3)
    '00000000000000000000000003'
    """
    return f"{number:026d}"


class Figures:
    """The figures that a test writes, by the step."""

    def __init__(self, site: str, series: Mapping[str, Series]) -> None:
        self._site = site
        self._values = {name: (made.values(), made.stale) for name, made in series.items()}
        self._last: dict[str, Value] = {}

    def at(self, step: int) -> Script:
        """What the engine is told at a step; steps are asked for in turn. A figure that never had a value yet is left to the counters."""
        script = {}
        for name, (values, stale) in self._values.items():
            value = values[min(step, len(values) - 1)]
            if value is not None:
                self._last[name] = value
            fresh = value is not None and not (stale and step >= len(values))
            if name in self._last:
                script[self._site, name] = (self._last[name][0], fresh)
        return script


class Counters:
    """What the counters of a site send in a test."""

    def __init__(self, site: Mapping[str, Any], readings: Mapping[str, Series], every_us: int) -> None:
        self._every = every_us
        self._named: list[_Named] = []
        self._others: list[_Other] = []
        for code, counter in enumerate(site["counters"]):
            kind = KINDS[counter["counts"]]
            span = (counter["valid_from_us"], counter["valid_to_us"])
            if counter["counter"] in readings:
                series = readings[counter["counter"]]
                self._named.append(_Named(code, kind, counter["counts_down"], series.values(), series.stale))
            else:
                self._others.append(_Other(code, kind, counter["zone"], counter["coverage_ppm"], span))

    def send(self, rows: Rows, before: int | None, tick: int, start: int, inside: Mapping[str, int]) -> None:
        """The messages between two ticks (from the test's start; None: before the first); `inside`: people by zone at the one before."""
        for counter in self._named:
            counter.send(rows, before, tick, start, self._every)
        if before is None or before // HEARTBEAT_US != tick // HEARTBEAT_US:
            for other in self._others:
                other.send(rows, start + (tick if before is None else before), start + tick, inside)


@dataclass(frozen=True, slots=True)
class _Other:
    """A counter that the test does not name."""

    code: int
    kind: Kind
    zone: str | None
    coverage_ppm: int
    span: tuple[int | None, int | None]

    def send(self, rows: Rows, before: int, at: int, inside: Mapping[str, int]) -> None:
        if (self.span[0] is not None and before < self.span[0]) or (self.span[1] is not None and at >= self.span[1]):
            return
        if self.zone is None:
            rows.add(self.kind, at, self.code, 0, 0)
        else:
            seen = max(inside.get(self.zone, 0), 0) * self.coverage_ppm / 1e9
            rows.add(self.kind, before, self.code, headcount=round(seen))


@dataclass(frozen=True, slots=True)
class _Named:
    """A counter that the test speaks for."""

    code: int
    kind: Kind
    counts_down: bool
    values: Sequence[Value | None]
    stale: bool

    def value(self, step: int) -> tuple[int, int] | None:
        """People (in, out) of a step; None where nothing is sent."""
        if self.stale and step >= len(self.values):
            return None
        value = self.values[min(step, len(self.values) - 1)]
        return None if value is None else (value[0] // 1000, (value[1] or 0) // 1000)

    def send(self, rows: Rows, before: int | None, tick: int, start: int, every: int) -> None:
        if self.kind is Kind.DELTA:
            step = max(tick - 1, 0) // every
            people = self.value(step)
            if people is not None:
                since = step * every if before is None else before
                ingress, egress = (whole * (tick - step * every) // every - whole * (since - step * every) // every for whole in people)
                rows.add(self.kind, start + tick, self.code, ingress, egress)
            return
        step = tick // every
        people = self.value(step)
        if people is None:
            return
        if self.kind is Kind.ABSOLUTE:
            rows.add(self.kind, start + tick, self.code, headcount=people[0])
            return
        then = self.value(step + 1)
        shown = [self._between(a, b, tick - step * every, every) for a, b in zip(people, then or people, strict=True)]
        rows.add(self.kind, start + tick, self.code, *shown)

    def _between(self, now: int, then: int, elapsed: int, every: int) -> int:
        """A total on its way; one that is set back jumps."""
        onward = then <= now if self.counts_down else then >= now
        return now + (then - now) * elapsed // every if onward else now
