"""A day as it is lived: what reaches the log, in its order, and who is really there, tick by tick.

The laboratory lives through the day with an engine of its own, which turns the gates; here is written down what that engine was told. Whoever
puts the same rows into a log has another engine decide the same, because a decision follows from the rows alone. So a pipeline can be shown at
work on people who obey it, without waiting for it. `flowwatch demo` does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from flowwatch.core.readings import Block, Kind
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.people import Ints
from flowwatch_sim.planned import Planned
from flowwatch_sim.sinks import Lines
from flowwatch_sim.stream import Batch

MESSAGES = (Kind.DELTA, Kind.CUMULATIVE, Kind.ABSOLUTE)


@dataclass(frozen=True, slots=True)
class Tick:
    """What the log gets up to one decision, part by part, and the truth at that moment; times in microseconds (UTC)."""

    at: int
    document: bytes | None
    """The site's documents, before everything else; with the first tick."""
    lines: bytes
    """Messages of counters in the reading format, n of them."""
    received: Ints
    """(n,) when each arrived."""
    records: list[bytes]
    """What operators write, after that."""
    inside: int
    """People at the site, in truth."""
    waiting: int
    """People who wait before its entrances."""


class Diary:
    """The day of a scenario of one site with this seed; `ticks` lives through it once."""

    def __init__(self, planned: Planned, seed: int) -> None:
        self.planned = planned
        self._blocks: list[Block] = []
        self._laboratory = Laboratory(planned, [seed], tap=self._blocks.append)
        (self._world,) = self._laboratory.worlds
        self._file = BytesIO()
        self._lines = Lines(self._file, [planned.scenario.site], [c["counter"] for c in planned.loaded.site["counters"]])

    @property
    def came_in(self) -> int:
        """People who passed an entrance so far."""
        return int(np.count_nonzero(~np.isnan(self._world.entered_at)))

    @property
    def turned_away(self) -> int:
        """People who came and did not get in so far: they turned away at once, or waited and gave up."""
        return self._world.turned

    def ticks(self) -> Iterator[Tick]:
        """Live through the day."""
        for _ in self._laboratory.ticks():
            yield self._tick(self._blocks.pop())

    def _tick(self, block: Block) -> Tick:
        messages = np.flatnonzero(np.isin(block.kind, MESSAGES))
        start = self.planned.start_us
        columns = (block.counter, block.kind, block.at - start, block.received - start, block.ingress, block.egress, block.headcount)
        self._file.seek(0)
        self._file.truncate()
        self._lines.send(Batch(np.zeros(len(messages), np.int64), *(column[messages].astype(np.int64) for column in columns)), start)
        return Tick(
            at=int(block.at[-1]),
            document=next((block.payload[i] for i in self._rows(block, Kind.DOCUMENT)), None),
            lines=self._file.getvalue(),
            received=block.received[messages],
            records=[block.payload[i] for i in self._rows(block, Kind.ACTION)],
            inside=self._world.present,
            waiting=sum(self._world.outside),
        )

    @staticmethod
    def _rows(block: Block, kind: Kind) -> list[int]:
        return [int(i) for i in np.flatnonzero(block.kind == kind)]
