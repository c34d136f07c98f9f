"""Rows that wait for the next commit of one partition, in the order in which they came.

Columns are kept as they were handed over; a copy is made only where several pieces go into one frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flowwatch.core.readings import Block, joined_blocks
from flowwatch.log.schema import Row, block_of

FRAME_ROWS: Final = 65_536
"""The most rows in a frame: some 4 MB, where batches stop getting cheaper and memory begins to count."""

FRAME_PAYLOAD: Final = 16 << 20
"""The most bytes of payloads in a frame, one row excepted."""

_SINGLE_PAYLOAD: Final = 4 << 20


class Buffer:
    """Rows in order. `len` is their number."""

    def __init__(self) -> None:
        self._pieces: list[Block] = []
        self._singles: list[Row] = []
        self._single_bytes = 0
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(self, block: Block) -> None:
        """Add a block's rows."""
        self._gather()
        self._pieces.append(block)
        self._rows += len(block)

    def add_row(self, row: Row) -> None:
        """Add one row."""
        self._singles.append(row)
        self._rows += 1
        self._single_bytes += len(row.payload or b"")
        if self._single_bytes > _SINGLE_PAYLOAD or len(self._singles) >= FRAME_ROWS:
            self._gather()

    def take(self) -> Iterator[Block]:
        """Empty the buffer, as blocks that each fit a frame."""
        self._gather()
        pieces, self._pieces, self._rows = self._pieces, [], 0
        group: list[Block] = []
        rows = payload = 0
        for piece in pieces:
            for start in range(0, len(piece), FRAME_ROWS):
                part = piece if len(piece) <= FRAME_ROWS else piece.slice(start, min(start + FRAME_ROWS, len(piece)))
                size = sum(map(len, part.payload.values()))
                if group and (rows + len(part) > FRAME_ROWS or payload + size > FRAME_PAYLOAD):
                    yield joined_blocks(group)
                    group, rows, payload = [], 0, 0
                group.append(part)
                rows += len(part)
                payload += size
        if group:
            yield joined_blocks(group)

    def _gather(self) -> None:
        if self._singles:
            self._pieces.append(block_of(self._singles))
            self._singles, self._single_bytes = [], 0
