"""One partition as its writer sees it: the rows that wait, the segment being written, the names, the last tick.

Opening repairs: the newest segment is read through, a torn commit at its end is cut off, damage is an error. Writing rolls to a new segment
right after a tick once the segment is large or long enough. Whether rows are *committed* is the `Writer`'s to say: it syncs all partitions
and then moves the mark.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from flowwatch.core.readings import ABSENT, Block, Kind
from flowwatch.log.buffer import Buffer
from flowwatch.log.errors import LogDamaged
from flowwatch.log.frames import Flag, Frame, seal
from flowwatch.log.routing import Routes, read_document
from flowwatch.log.schema import Row, decode, encode
from flowwatch.log.segments import Segment, SegmentWriter, drop_unfinished, offsets

_ROW_BYTES: Final = 61
"""A reading in a large frame, for guessing how long a segment becomes."""


class Partition:
    """The write side of one partition. `end`: the offset after its last written row; `last_tick`: `ABSENT` before the first."""

    def __init__(self, folder: Path, number: int, accepted: int, routes: Routes) -> None:
        """Open and repair; put the names into `routes`. `accepted`: an offset before which rows are known to have been accepted.

        Raises `LogDamaged`, `DiskRefused`.
        """
        self.folder = folder
        self.number = number
        self.end = 0
        self.last_tick = ABSENT
        self.names: list[str] = []
        self.documents: dict[str, str] = {}
        self.repaired: str | None = None
        """What was cut off at opening, in words; None where the end was whole."""
        self.unsynced = False
        """Whether rows were written that are not yet known to be on the disk."""
        self._routes = routes
        self._waiting = Buffer()
        self._segment: SegmentWriter | None = None
        self._opened_at = ABSENT
        self._group = 0
        drop_unfinished(folder)
        firsts = offsets(folder, ".seg")
        if firsts:
            self._resume(firsts[-1], accepted)
        elif accepted:
            raise LogDamaged(folder, 0, f"{accepted} rows were accepted and there is no segment", "the segment files of this partition")

    @property
    def waiting(self) -> int:
        """How many rows are not yet written."""
        return len(self._waiting)

    def add(self, block: Block) -> None:
        """Buffer a block's rows; their offsets are given when they are written."""
        self._waiting.add(block)

    def add_row(self, row: Row) -> None:
        """Buffer one row."""
        self._waiting.add_row(row)

    def add_document(self, payload: bytes, at_us: int) -> None:
        """Buffer a document; its new counters have codes from here on."""
        self._learn(payload)
        self._waiting.add_row(Row(Kind.DOCUMENT, at=at_us, payload=payload))

    def add_tick(self, at_us: int, segment_bytes: int, segment_age_us: int) -> bool:
        """Buffer a tick, if the partition has any row; whether the segment is now large or long enough to begin another."""
        if self.end + self.waiting == 0:
            return False
        self._waiting.add_row(Row(Kind.TICK, at=at_us))
        if self._opened_at == ABSENT:
            self._opened_at = at_us
        size = self.waiting * _ROW_BYTES + (self._segment.size if self._segment else 0)
        return size >= segment_bytes or at_us - self._opened_at >= segment_age_us

    def write(self) -> None:
        """Write the rows that wait. Raises `DiskRefused`."""
        for block in self._waiting.take():
            if self._segment is None:
                self._segment = SegmentWriter.create(self.folder, 0, ABSENT, [], {})
            ticks = block.at[block.kind == Kind.TICK]
            if len(ticks):
                self.last_tick = int(ticks[-1])
            payload = encode(block)
            head = seal(
                payload,
                rows=len(block),
                flags=Flag.DOCUMENTS if np.any(block.kind == Kind.DOCUMENT) else 0,
                first=self.end,
                tick=self.last_tick,
                group=self._group,
                salt=self._segment.salt,
            )
            self.unsynced = True
            self._segment.write([head, payload])
            self.end += len(block)

    def sync(self) -> None:
        """Wait until what was written is on the disk. Raises `DiskRefused`."""
        if self._segment is not None:
            self._segment.sync()

    def settle(self) -> None:
        """What was written is on the disk: the next rows belong to a new commit."""
        self.unsynced = False
        self._group = self.end
        if self._segment is not None:
            self._segment.settle()

    def roll(self) -> None:
        """Write what waits, which must end with a tick, and begin a new segment. Raises `DiskRefused`."""
        self.write()
        self.sync()
        self.settle()
        following = SegmentWriter.create(self.folder, self.end, self.last_tick, self.names, self.documents)
        self.close()
        self._segment = following
        self._opened_at = self.last_tick

    def undo(self) -> None:
        """Take back what was written and not settled, as far as the disk lets us."""
        if self._segment is not None:
            self._segment.undo()

    def close(self) -> None:
        """Close the segment; what waits is dropped."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _resume(self, first: int, accepted: int) -> None:
        segment = Segment(self.folder, first)
        try:
            self._routes.learn(self.number, segment.title.names, self.names)
            self.documents = dict(segment.title.documents)
            self._opened_at = segment.title.last_tick_us
            tail = segment.scan(segment.start, self._revisit)
            if segment.judge(tail, accepted):
                self.repaired = f"{segment.path}: a torn commit of {segment.size() - tail.position} bytes cut off at byte {tail.position}"
            self._segment = SegmentWriter(segment.path, segment.title.salt, tail.position)
        finally:
            segment.close()
        self.end = self._group = tail.end
        self.last_tick = tail.tick

    def _revisit(self, frame: Frame) -> None:
        if self._opened_at == ABSENT:
            self._opened_at = frame.head.tick
        if frame.head.flags & Flag.DOCUMENTS:
            block = decode(frame.payload, frame.head.first)
            for i in np.flatnonzero(block.kind == Kind.DOCUMENT).tolist():
                self._learn(block.payload[i])

    def _learn(self, payload: bytes) -> None:
        document = read_document(payload)
        self._routes.learn(self.number, document.names, self.names)
        self.documents[document.site] = hashlib.sha256(payload).hexdigest()[:12]
