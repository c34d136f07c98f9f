"""What the counters of a site send about people who really pass: messages on their way, some of them late, twice or out of order.

What a counter sees is its own (`counters.py`), what may be wrong with it too (`troubles.py`); here its readings become messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np

from flowwatch.core.readings import ABSENT, SECOND, Kind
from flowwatch_sim.counters import Camera, Counter, Reading, Sight, Turnstile
from flowwatch_sim.layout import GATE, LINK, Layout
from flowwatch_sim.luck import Purpose, generator
from flowwatch_sim.troubles import Trouble, Truth
from flowwatch_sim.world import Crossing

LINK_FULL_PER_S: Final = 1.3
"""People a second through each metre of a link that is full (IMO table 1.2, as in `walking.py`)."""


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


class Sensors:
    """The counters of one site in one replicate. `first` is the code of its first counter in the log."""

    def __init__(self, layout: Layout, troubles: Sequence[Trouble], *, sight: Sight, seed: int, first: int = 0) -> None:
        self.truth = Truth()
        self._first, self._order = first, 0
        self._ways: dict[tuple[str, int], list[Turnstile]] = {}
        self._counters: list[Counter] = []
        self._wires: list[_Wire] = []
        self._ahead: list[Message] = []
        places = {GATE: {g: i for i, g in enumerate(layout.gates)}, LINK: {k: i for i, k in enumerate(layout.links)}}
        for i, record in enumerate(layout.site["counters"]):
            mine = [t for t in troubles if t.counter == i]
            self._wires.append(_Wire(mine, [generator(seed, Purpose.SENDING, i, k) for k in range(3)]))
            if record["zone"] is not None:
                zone = layout.zones.index(record["zone"])
                self._counters.append(Camera(record, i, mine, self.truth, sight, seed, (zone, layout.area[zone])))
                continue
            kind = GATE if record["gate"] is not None else LINK
            place = places[kind][record[kind]]
            full = layout.lanes[place] * layout.rate[place] / 60.0 if kind == GATE else LINK_FULL_PER_S * layout.link_width[place]
            turnstile = Turnstile(record, i, mine, self.truth, sight, seed, full)
            self._counters.append(turnstile)
            self._ways.setdefault((kind, place), []).append(turnstile)
            if turnstile.kind is Kind.CUMULATIVE:
                self._send(
                    turnstile, Reading(0.0, 0, 0, ABSENT), 0.0
                )  # what it showed before anybody came; else the first period counts nobody

    def see(self, crossings: Sequence[Crossing], inside: Sequence[int], now: float) -> None:
        """People passed since the last call, and so many are in each zone at `now` (seconds): send what is due."""
        for crossing in crossings:
            for turnstile in self._ways.get((crossing.kind, crossing.place), ()):
                turnstile.passes(crossing.way, crossing.at)
        for counter in self._counters:
            while counter.due <= now:
                reading = counter.read(inside)
                if reading is not None:
                    self._send(counter, reading, now)

    def heard(self, now: float) -> list[Message]:
        """The messages that have arrived by `now`, in the order in which they did."""
        found = []
        limit = round(now * SECOND)
        while self._ahead and self._ahead[0].received <= limit:
            found.append(heappop(self._ahead))
        return found

    def _send(self, counter: Counter, reading: Reading, now: float) -> None:
        wire, at = self._wires[counter.index], reading.at
        ahead = wire.clock(counter, at)
        for delay in wire.delays(counter, at, now):
            self._order += 1
            received, stamp = round((max(now, at) + delay) * SECOND), round((at + ahead) * SECOND)
            code, kind = self._first + counter.index, int(counter.kind)
            heappush(self._ahead, Message(received, self._order, stamp, code, kind, *reading[1:]))


class _Wire:
    """The way of one counter's messages; for `late`, `disorder` and `duplicates` each a generator."""

    def __init__(self, troubles: Sequence[Trouble], luck: Sequence[np.random.Generator]) -> None:
        self._troubles = troubles
        self._late, self._disorder, self._duplicates = luck

    def delays(self, counter: Counter, at: float, now: float) -> list[float]:
        """How many seconds after it was sent each copy of the message of `at` arrives."""
        delay, copies = 0.0, 0
        for t in [t for t in self._troubles if t.holds(at)]:
            match t.what:
                case "late":
                    more = float(self._late.exponential(t.by))
                case "disorder":
                    more = 1.5 * counter.every if float(self._disorder.random()) < t.share else 0.0
                case "backlog":
                    more = max(0.0, t.until - max(now, at))
                case "duplicates" if float(self._duplicates.random()) < t.share:
                    copies += 1
                    counter.truth.tell(at, counter.name, t.what)
                    continue
                case _:
                    continue
            if more > 0:
                counter.truth.tell(at, counter.name, t.what, arrives_s=max(now, at) + more)
            delay = max(delay, more)
        return [delay + copy for copy in range(copies + 1)]

    def clock(self, counter: Counter, at: float) -> float:
        """How many seconds its clock is ahead."""
        ahead = 0.0
        for t in [t for t in self._troubles if t.what in ("clock", "skew") and t.holds(at)]:
            off = float(t.by) if t.what == "clock" else t.by * (at - t.since) / 3600
            if round(off * SECOND):
                counter.truth.tell(at, counter.name, t.what, ahead_s=off)
            ahead += off
        return ahead
