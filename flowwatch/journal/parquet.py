"""The journal as two flat Parquet tables that pandas, polars or DuckDB open without further work: entries, and estimates (a row a minute,
site and zone).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from flowwatch.core.entries import Entry, Estimate
from flowwatch.journal.journal import Journal
from flowwatch.journal.tables import site_of

ROW_GROUP: Final = 20_000
"""Items in a Parquet row group: some 20 MB in memory while it is written."""

T = TypeVar("T")

_AT: Final = pa.timestamp("us", tz="UTC")

_ENTRIES: Final[list[tuple[str, pa.DataType]]] = [
    ("id", pa.string()),
    ("chain", pa.string()),
    ("seq", pa.int64()),
    ("site", pa.string()),
    ("kind", pa.string()),
    ("at", _AT),
    ("body", pa.string()),
    ("hash", pa.string()),
]
_ESTIMATES: Final[list[tuple[str, pa.DataType]]] = [
    ("site", pa.string()),
    ("at", _AT),
    ("stage", pa.string()),
    ("zone", pa.string()),
    ("people", pa.float64()),
    ("lower", pa.float64()),
    ("upper", pa.float64()),
    ("raw", pa.float64()),
    ("known", pa.bool_()),
    ("people_in", pa.int64()),
    ("people_out", pa.int64()),
    ("silent", pa.list_(pa.string())),
]


def write_parquet(journal: Journal, folder: Path) -> dict[str, int]:
    """Write entries.parquet and estimates.parquet into `folder`, each in one step; returns their numbers of rows.

    Entries: id, chain, seq, site, kind, at, body (JSON), hash (hex). Estimates: site, at, stage, zone ("site" for the whole), people,
    lower, upper, raw (persons; upper is null while a zone is not known), known, people_in, people_out (in that minute), silent (counters).
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "entries": _write(folder / "entries.parquet", journal.entries(), _entry_rows, pa.schema(_ENTRIES)),
        "estimates": _write(folder / "estimates.parquet", journal.estimates(), _zone_rows, pa.schema(_ESTIMATES)),
    }


def _entry_rows(entry: Entry) -> list[dict[str, Any]]:
    return [
        {
            "id": entry.id,
            "chain": entry.chain,
            "seq": entry.seq,
            "site": site_of(entry.chain),
            "kind": entry.kind.value,
            "at": entry.at,
            "body": entry.body.decode(),
            "hash": entry.hash.hex(),
        }
    ]


def _zone_rows(estimate: Estimate) -> list[dict[str, Any]]:
    body = json.loads(estimate.body)
    return [
        {
            "site": estimate.site,
            "at": estimate.at,
            "stage": body["stage"],
            "zone": zone,
            "people": _persons(figures["inside_m"]),
            "lower": _persons(figures["lower_m"]),
            "upper": _persons(figures["upper_m"]),
            "raw": _persons(figures["raw_m"]),
            "known": figures["known"],
            "people_in": figures["in"],
            "people_out": figures["out"],
            "silent": figures["silent"],
        }
        for zone, figures in body["zones"].items()
    ]


def _persons(milli: int | None) -> float | None:
    return None if milli is None else milli / 1000


def _write(path: Path, items: Iterator[T], rows_of: Callable[[T], list[dict[str, Any]]], schema: pa.Schema) -> int:
    written = 0
    unfinished = path.with_name(path.name + ".part")
    with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        while group := list(islice(items, ROW_GROUP)):
            rows = [row for item in group for row in rows_of(item)]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            written += len(rows)
    unfinished.replace(path)
    return written
