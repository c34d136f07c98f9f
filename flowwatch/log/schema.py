"""The log's rows as Arrow record batches, and back, without copying a column on the way out.

The columns are those of `flowwatch.core.readings.Block`. Times are Arrow timestamps (microseconds, UTC), so that pandas and polars show
them as such; `ABSENT` is the very number that they show as "not a time". `payload` is null in rows that have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flowwatch.core.readings import ABSENT, Block

_TIME: Final = pa.timestamp("us", "UTC")
_COLUMNS: Final[tuple[tuple[str, pa.DataType, type[np.generic]], ...]] = (
    ("kind", pa.uint8(), np.uint8),
    ("counter", pa.int32(), np.int32),
    ("at", _TIME, np.int64),
    ("received", _TIME, np.int64),
    ("seq", pa.int64(), np.int64),
    ("ordinal", pa.int32(), np.int32),
    ("ingress", pa.int64(), np.int64),
    ("egress", pa.int64(), np.int64),
    ("headcount", pa.int64(), np.int64),
)

SCHEMA: Final = pa.schema(
    [*(pa.field(name, arrow, nullable=False) for name, arrow, _ in _COLUMNS), pa.field("payload", pa.binary(), nullable=True)],
)
"""The columns of every record batch in the log."""

NO_CODE: Final = -1
"""Stands in `counter` and `ordinal` of rows that have none."""


class Row(NamedTuple):
    """One row of a kind that comes singly: tick, document, action, refusal."""

    kind: int
    at: int = ABSENT
    received: int = ABSENT
    ingress: int = ABSENT
    payload: bytes | None = None
    counter: int = NO_CODE


def block_of(rows: Sequence[Row]) -> Block:
    """Single rows as a block that starts at 0."""
    n = len(rows)
    absent = np.full(n, ABSENT, np.int64)
    return Block(
        0,
        np.array([row.kind for row in rows], np.uint8),
        np.array([row.counter for row in rows], np.int32),
        np.array([row.at for row in rows], np.int64),
        np.array([row.received for row in rows], np.int64),
        absent,
        np.full(n, NO_CODE, np.int32),
        np.array([row.ingress for row in rows], np.int64),
        absent,
        absent,
        {i: row.payload for i, row in enumerate(rows) if row.payload is not None},
    )


def taken(block: Block, rows: npt.NDArray[np.intp]) -> Block:
    """The rows of a block without payloads at the given indices, as a block that starts at 0."""
    columns: dict[str, Any] = {name: getattr(block, name).take(rows) for name, _, _ in _COLUMNS}
    return Block(0, **columns)


def encode(block: Block) -> pa.Buffer:
    """The block as an Arrow record batch message, without its schema."""
    n = len(block)
    columns: list[pa.Array[Any]] = [
        pa.Array.from_buffers(arrow, n, [None, _memory(getattr(block, name))], 0) for name, arrow, _ in _COLUMNS
    ]
    payloads = pa.array([block.payload.get(i) for i in range(n)], pa.binary()) if block.payload else pa.nulls(n, pa.binary())
    return pa.RecordBatch.from_arrays([*columns, payloads], schema=SCHEMA).serialize()


def batch(data: bytes) -> pa.RecordBatch:
    """The record batch that `encode` wrote, over the same memory."""
    return pa.ipc.read_record_batch(pa.py_buffer(data), SCHEMA)


def decode(data: bytes, first: int) -> Block:
    """The rows that `encode` wrote, the first of which has the offset `first`: read-only views of `data`."""
    return _columns(batch(data), first)


def decode_all(parts: Sequence[pa.RecordBatch], first: int) -> Block:
    """The rows of several batches one after another, the first of which has the offset `first`.

    Arrow joins the columns of many small batches several times faster than numpy would join their views.
    """
    if len(parts) == 1:
        return _columns(parts[0], first)
    (whole,) = pa.Table.from_batches(list(parts)).combine_chunks().to_batches()
    return _columns(whole, first)


def _columns(read: pa.RecordBatch, first: int) -> Block:
    n = read.num_rows
    columns: dict[str, Any] = {}
    for i, (name, _, dtype) in enumerate(_COLUMNS):
        column = read.column(i)
        columns[name] = np.frombuffer(_view(column.buffers()[1]), dtype, n, column.offset * np.dtype(dtype).itemsize)
    return Block(first, **columns, payload=_payloads(read.column(len(_COLUMNS)), n))


def _payloads(column: pa.Array[Any], n: int) -> dict[int, bytes]:
    if column.null_count == n:
        return {}
    given = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)).tolist()
    return {i: column[i].as_py() for i in given}


def _view(buffer: pa.Buffer | None) -> memoryview:
    return memoryview(b"" if buffer is None else buffer)


def _memory(column: npt.NDArray[Any]) -> pa.Buffer:
    return pa.py_buffer(np.ascontiguousarray(column).data)
