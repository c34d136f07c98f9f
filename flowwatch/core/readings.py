"""The columns of a block of log records, and the codes that stand in them.

This is the one vocabulary that the log, the edge and the engine share. A *row* is one record of a partition's log; its *offset* is its
number since the partition began (0, 1, 2, ...), which never changes. Rows of every kind have the same columns; a column that a kind does
not use holds `ABSENT`. Times are integer microseconds since 1970-01-01T00:00Z.

=============  ==========================================================================================================
kind           columns in use
=============  ==========================================================================================================
DELTA          counter, at, received, seq, ordinal, ingress, egress (people since the counter's last message)
CUMULATIVE     the same; ingress and egress are totals since the device's last reset
ABSOLUTE       counter, at, received, seq, ordinal, headcount (people in view at `at`)
TICK           at: time itself; every decision is taken at a tick
DOCUMENT       at, payload: the compiled canonical site with its plan (JSON); assigns codes to counters that have none yet
ACTION         at, payload: an operator's record (JSON): override, recount, confirm, drill, fire, approve, release, deliver, turned
REFUSED        received, ingress = a `Reason` code, payload = the raw bytes: what the edge could not read or route
REPORT         at, payload: what a gate, barrier, sign or link reports of itself (JSON): its setting, whether it can be reached
=============  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ABSENT: Final = -(2**63)
"""Stands in an integer column for "not given"; no count, time or sequence can be this number."""

NEVER: Final = -(2**61)
"""Before every time, and far enough from ABSENT that differences do not overflow."""

OUTSIDE: Final = "outside"
"""The name of the world beyond the site, as a gate's or a link's end."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE


class Kind(IntEnum):
    """What a row of the log is. The numbers are on disk and never change; below TICK they are readings."""

    DELTA = 1
    CUMULATIVE = 2
    ABSOLUTE = 3
    TICK = 16
    DOCUMENT = 17
    ACTION = 18
    REFUSED = 19
    REPORT = 20


class Reason(IntEnum):
    """Why a row moved nobody. The numbers are on disk and never change."""

    UNREADABLE = 1
    """The bytes are no reading."""
    NO_DIRECTION = 2
    """The source does not say whether people went in or out."""
    UNKNOWN_SITE = 3
    UNKNOWN_COUNTER = 4
    WRONG_KIND = 5
    """A counter declared to send one kind of count sent another."""
    MISSING_COUNT = 6
    NEGATIVE_COUNT = 7
    FAR_FUTURE = 8
    """Event time after the receipt time by more than clocks may differ."""
    TOO_LATE = 9
    """Event time before the last tick by more than the counter's declared lateness."""
    DUPLICATE = 10
    IMPOSSIBLE_RATE = 11
    """More people than the counter's lanes can pass in the time."""
    SUPERSEDED = 12
    """A cumulative reading older than one already counted: the newer total holds it."""
    DECREASED = 13
    """A cumulative total fell, and neither wrap, reset nor a count-down device explains it."""
    NOT_IN_SERVICE = 14
    """Outside the counter's validity times."""
    IMPOSSIBLE_HEADCOUNT = 15
    """More people in view than the zone's area holds at the static limit."""
    BAD_ACTION = 16
    """An operator's record that cannot be read or applied."""
    BAD_DOCUMENT = 17
    BAD_REPORT = 18
    """A device's report that cannot be read, or of a device that the site does not have."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one partition's log, as columns of one length n; the engine never changes them.

    `first` is the offset of row 0. `payload` maps an index in the block to the bytes of that row, for the rare rows that have any.
    Shapes: every array (n,); dtypes as annotated.
    """

    first: int
    kind: Bytes
    counter: Int32s
    at: Ints
    received: Ints
    seq: Ints
    ordinal: Int32s
    ingress: Ints
    egress: Ints
    headcount: Ints
    payload: Mapping[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    def slice(self, start: int, stop: int) -> Block:
        """The rows start..stop-1 as a block (views, no copy)."""
        rows = slice(start, stop)
        payload = {i - start: b for i, b in self.payload.items() if start <= i < stop} if self.payload else self.payload
        return Block(
            self.first + start,
            self.kind[rows],
            self.counter[rows],
            self.at[rows],
            self.received[rows],
            self.seq[rows],
            self.ordinal[rows],
            self.ingress[rows],
            self.egress[rows],
            self.headcount[rows],
            payload,
        )


def joined_blocks(blocks: Sequence[Block]) -> Block:
    """The rows of several blocks one after another as one that begins where the first does; a single one is not copied."""
    if len(blocks) == 1:
        return blocks[0]
    payload: dict[int, bytes] = {}
    shift = 0
    for block in blocks:
        if block.payload:
            payload |= {shift + i: data for i, data in block.payload.items()}
        shift += len(block)
    return Block(
        blocks[0].first,
        np.concatenate([b.kind for b in blocks]),
        np.concatenate([b.counter for b in blocks]),
        np.concatenate([b.at for b in blocks]),
        np.concatenate([b.received for b in blocks]),
        np.concatenate([b.seq for b in blocks]),
        np.concatenate([b.ordinal for b in blocks]),
        np.concatenate([b.ingress for b in blocks]),
        np.concatenate([b.egress for b in blocks]),
        np.concatenate([b.headcount for b in blocks]),
        payload,
    )
