"""The read side of one partition: rows by offset, from files that another process may be writing.

A reader gives only rows that are durable and whose frames check out. It stops at the writer's mark (`watermark`), or, where no mark can be
trusted (after a restart of the machine, in a copy of the log), at the last whole frame. What lies before that must be whole: else it
raises, and never gives a damaged row. It takes no lock and disturbs nobody; following the log is calling `read` again.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np

from flowwatch.core.readings import Block, Kind
from flowwatch.log.errors import LogDamaged, RowsOutOfRange
from flowwatch.log.frames import Flag, Frame, Tail
from flowwatch.log.routing import read_document
from flowwatch.log.schema import batch, decode, decode_all
from flowwatch.log.segments import Segment, offsets, segment_file
from flowwatch.log.settings import load
from flowwatch.log.watermark import WatermarkReader

_WALK_ROWS: Final = 262_144


class Chunk(NamedTuple):
    """Rows of one frame, checked and not yet decoded: cheap to send to another process.

    `first`: offset of the first row; `rows`: how many; `data`: the frame's payload; `skip`: rows in `data` before `first`.
    """

    first: int
    rows: int
    data: bytes
    skip: int = 0


def blocks(*chunks: Chunk) -> Block:
    """The rows of adjoining chunks (at least one) as columns: read-only, and where there is one chunk, views of its bytes."""
    return decode_all([batch(c.data).slice(c.skip, c.rows) for c in chunks], chunks[0].first)


class _Newest(NamedTuple):
    """The newest segment: what its title repeats of the rows before it, the documents in it, and how far it is whole."""

    names: list[str]
    documents: dict[str, str]
    payloads: list[bytes]
    end: int


class Reader:
    """Reads one partition. Not for several threads at once."""

    def __init__(self, path: Path | str, partition: str) -> None:
        """Read the partition of that name ("p00", ..., "unrouted"). Raises `LogError` where there is no such log or partition."""
        path = Path(path)
        self._folder = path / partition
        self._mark = WatermarkReader(path, load(path).number_of(path, partition))
        self._segment: Segment | None = None
        self._at = Tail(0, 0, 0)
        """The place in the segment: at a frame's head, with the offset of that frame's first row."""
        self._held: Frame | None = None
        """The frame at that place, where a part of it was given."""
        self._tail: tuple[int, Tail] | None = None
        """How far the newest segment was found whole, where no mark can be trusted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._leave()
        self._mark.close()

    def start(self) -> int:
        """The offset of the oldest row that the log still has; `end()` where it has none."""
        firsts = offsets(self._folder, ".seg")
        return firsts[0] if firsts else 0

    def end(self) -> int:
        """The offset after the last row that may be read. Raises `LogError`."""
        exact, bound = self._mark.read()
        return self._scanned_end(bound) if exact is None else exact

    def read(self, offset: int, limit_rows: int = 1_000_000) -> list[Chunk]:
        """The rows from `offset` on, at most `limit_rows`, as chunks in order; nothing where `offset` is the end.

        Raises:
            RowsOutOfRange: `offset` is after the end, or its row was deleted by retention.
            LogDamaged: a frame between here and the end is not whole. Rows before it are given first.
            DiskRefused: a file cannot be read.
        """
        end, damage = self._whole_end()
        if offset == end:
            if damage is not None:
                raise damage
            return []
        if not 0 <= offset < end:
            raise RowsOutOfRange(self._folder, f"row {offset} asked for", f"a row up to {end}, where the log ends")
        self._seek(offset)
        chunks: list[Chunk] = []
        while offset < end and limit_rows > 0:
            try:
                frame = self._frame()
            except LogDamaged:
                if chunks:
                    break
                raise
            head = frame.head
            skip = offset - head.first
            rows = min(head.rows - skip, limit_rows)
            chunks.append(Chunk(offset, rows, frame.payload, skip))
            offset += rows
            limit_rows -= rows
            if skip + rows == head.rows:
                self._at = Tail(self._at.position + head.size, head.first + head.rows, head.tick)
                self._held = None
            else:
                self._held = frame
        return chunks

    def walk(self, offset: int, limit_rows: int | None = None) -> Iterator[Block]:
        """The rows of `chunks`, decoded, a frame at a time."""
        return map(blocks, self.chunks(offset, limit_rows))

    def chunks(self, offset: int, limit_rows: int | None = None) -> Iterator[Chunk]:
        """The rows from `offset` up to the present end, or `limit_rows` of them. Raises as `read` does, at the damage."""
        end, damage = self._whole_end()
        stop = end if limit_rows is None else min(end, offset + limit_rows)
        while offset < stop:
            for chunk in self.read(offset, min(stop - offset, _WALK_ROWS)):
                yield chunk
                offset += chunk.rows
        if damage is not None and stop == end:
            raise damage

    def names(self) -> list[str]:
        """The counters' full names by code, of all documents up to the present end, or to where damage begins. Raises `LogError`."""
        newest = self._newest(self._whole_end()[0])
        return list(dict.fromkeys([*newest.names, *(name for payload in newest.payloads for name in read_document(payload).names)]))

    def documents(self) -> dict[str, str]:
        """Site -> version (12 hex digits) of its newest document up to the present end. Raises `LogError`."""
        end = self.end()
        newest = self._newest(end)
        if newest.end < end:
            raise LogDamaged(self._folder, 0, f"row {newest.end} cannot be read", "a segment that is whole (`flowwatch doctor` tells more)")
        return newest.documents | {read_document(data).site: hashlib.sha256(data).hexdigest()[:12] for data in newest.payloads}

    def _newest(self, end: int) -> _Newest:
        firsts = offsets(self._folder, ".seg")
        payloads: list[bytes] = []
        if not firsts:
            return _Newest([], {}, payloads, 0)

        def learn(frame: Frame) -> None:
            if frame.head.flags & Flag.DOCUMENTS and frame.head.first < end:
                block = decode(frame.payload, frame.head.first)
                payloads.extend(block.payload[i] for i in np.flatnonzero(block.kind == Kind.DOCUMENT).tolist())

        with closing(Segment(self._folder, firsts[-1])) as segment:
            tail = segment.scan(segment.start, learn)
            return _Newest(segment.title.names, segment.title.documents, payloads, tail.end)

    def _whole_end(self) -> tuple[int, LogDamaged | None]:
        """The end; where damage keeps it from being known, the row at which the damage begins, with the error."""
        try:
            return self.end(), None
        except LogDamaged as damage:
            if self._tail is None:
                raise
            return self._tail[1].end, damage

    def _seek(self, offset: int) -> None:
        """Go to the frame that holds the row, or to where it should be."""
        if self._segment is not None and offset == self._at.end:
            return
        if self._held is not None and 0 <= offset - self._held.head.first < self._held.head.rows:
            return
        self._held = None
        firsts = offsets(self._folder, ".seg")
        i = bisect.bisect_right(firsts, offset) - 1
        if i < 0:
            raise self._deleted(offset)
        if self._segment is None or self._segment.title.first != firsts[i] or offset < self._at.end:
            self._enter(firsts[i])
        assert self._segment is not None
        while (head := self._segment.head(self._at.position)) and head.first == self._at.end and 0 < head.rows <= offset - head.first:
            self._at = Tail(self._at.position + head.size, head.first + head.rows, head.tick)

    def _frame(self) -> Frame:
        """The frame at the present place, in the next segment where this one is at its end. Raises `LogDamaged` where it is not whole."""
        assert self._segment is not None
        if self._held is not None:
            return self._held
        frame = self._segment.frame(self._at.position)
        if frame is None and self._at.position == self._segment.size() and segment_file(self._folder, self._at.end).exists():
            self._enter(self._at.end)
            frame = self._segment.frame(self._at.position)
        if frame is None or frame.head.first != self._at.end or not frame.head.rows:
            if self.start() > self._at.end:
                raise self._deleted(self._at.end)
            what = f"no whole frame with row {self._at.end}"
            raise LogDamaged(self._segment.path, self._at.position, what, "the frame as it was written (`flowwatch doctor` tells more)")
        return frame

    def _deleted(self, offset: int) -> RowsOutOfRange:
        return RowsOutOfRange(self._folder, f"row {offset} asked for", f"row {self.start()} or later: retention deleted what was before")

    def _enter(self, first: int) -> None:
        following = Segment(self._folder, first)
        self._leave()
        self._segment = following
        self._at = following.start

    def _leave(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _scanned_end(self, accepted: int) -> int:
        firsts = offsets(self._folder, ".seg")
        if not firsts:
            if accepted:
                raise LogDamaged(
                    self._folder, 0, f"{accepted} rows were accepted and there is no segment", "this partition's segment files"
                )
            return 0
        with closing(Segment(self._folder, firsts[-1])) as segment:
            since = segment.start
            if self._tail is not None and self._tail[0] == firsts[-1] and self._tail[1].position <= segment.size():
                since = self._tail[1]
            tail = segment.scan(since)
            self._tail = firsts[-1], tail
            segment.judge(tail, accepted)
        return tail.end
