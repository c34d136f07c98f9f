"""The log for people and their tools: rows as JSON-able dictionaries, a partition as an Arrow table for pandas and polars."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from flowwatch.core.readings import ABSENT, Block, Kind, Reason
from flowwatch.log.reader import Reader
from flowwatch.log.schema import SCHEMA, batch
from flowwatch.log.settings import load

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def cat(
    path: Path | str, partitions: Sequence[str] | None = None, start: int | None = None, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """The log's rows as dictionaries that JSON can hold, partition after partition: names decoded, times ISO 8601 in UTC, nothing absent.

    `partitions`: their names, all by default. `start`: the offset to begin with in each, the oldest row by default. `limit`: rows of each
    at most. Raises `LogError`; the rows before damage are given first.
    """
    for partition in load(Path(path)).folders if partitions is None else partitions:
        with closing(Reader(path, partition)) as reader:
            names = reader.names()
            for block in reader.walk(reader.start() if start is None else start, limit):
                for i in range(len(block)):
                    yield {"partition": partition, "offset": block.first + i, **_row(block, i, names)}


def table(path: Path | str, partition: str, start: int | None = None, limit: int | None = None) -> pa.Table:
    """A partition's rows as an Arrow table with an `offset` column and the counters' names; `.to_pandas()` and `polars.from_arrow` read it.

    `ABSENT` times are NaT in pandas; other absent numbers stay -2**63. Raises `LogError`.
    """
    with closing(Reader(path, partition)) as reader:
        first = reader.start() if start is None else start
        names = pa.array(reader.names(), pa.string())
        batches = [batch(chunk.data).slice(chunk.skip, chunk.rows) for chunk in reader.chunks(first, limit)]
    rows = pa.Table.from_batches(batches, SCHEMA)
    codes = rows.column("counter").to_numpy()
    counters = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), names)
    rows = rows.set_column(rows.schema.get_field_index("counter"), "counter", counters)
    return rows.add_column(0, "offset", pa.array(np.arange(first, first + len(rows))))


def _row(block: Block, i: int, names: Sequence[str]) -> dict[str, Any]:
    kind = Kind(int(block.kind[i]))
    row: dict[str, Any] = {"kind": kind.name.lower()}
    if kind < Kind.TICK:
        row["counter"] = names[block.counter[i]]
    for name, column in (("at", block.at), ("received", block.received)):
        if column[i] != ABSENT:
            row[name] = utc(int(column[i]))
    if kind < Kind.TICK:
        for name, column in (("seq", block.seq), ("in", block.ingress), ("out", block.egress), ("headcount", block.headcount)):
            if column[i] != ABSENT:
                row[name] = int(column[i])
        row["ordinal"] = int(block.ordinal[i])
    payload = block.payload.get(i)
    if kind is Kind.REFUSED:
        row["reason"] = Reason(int(block.ingress[i])).name.lower()
        row.update(_raw(payload or b""))
    elif payload is not None:
        row.update(_record(payload))
    return row


def _record(payload: bytes) -> dict[str, Any]:
    try:
        return {"payload": json.loads(payload)}
    except ValueError:
        return _raw(payload)


def _raw(data: bytes) -> dict[str, str]:
    try:
        return {"raw": data.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(data).decode()}


def utc(time_us: int) -> str | int:
    """Microseconds since 1970 as ISO 8601 in UTC; the number itself where no calendar has it."""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return time_us
