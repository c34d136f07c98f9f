"""What the tests of the log make logs from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flowwatch import log
from flowwatch.core.readings import ABSENT, Block

COLUMNS = ("kind", "counter", "at", "received", "seq", "ordinal", "ingress", "egress", "headcount")
SECOND = 1_000_000


@contextmanager
def fresh_log(**settings: Any) -> Iterator[Path]:
    """A new log in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log.create(path, **{"partitions": 3, **settings})
        yield path


def document(site: str, counters: Sequence[str], group: str | None = None) -> bytes:
    """As much of a compiled site record as the log reads, and a field that it does not."""
    body = {"site": site, "group": group or site, "counters": [{"counter": c, "every_us": SECOND} for c in counters], "format": 1}
    return json.dumps(body, sort_keys=True).encode()


def readings(names: Sequence[str], first_seq: int = 0, /, **columns: Any) -> log.Readings:
    """Delta readings with sequence numbers from `first_seq` on; columns may be given instead."""
    n = len(names)
    absent = np.full(n, ABSENT, np.int64)
    given: dict[str, Any] = {
        "kind": np.full(n, 1, np.uint8),
        "at": np.arange(n, dtype=np.int64) * SECOND,
        "received": np.arange(n, dtype=np.int64) * SECOND + 7,
        "seq": np.arange(first_seq, first_seq + n, dtype=np.int64),
        "ordinal": np.zeros(n, np.int32),
        "ingress": np.arange(n, dtype=np.int64),
        "egress": np.zeros(n, np.int64),
        "headcount": absent,
        **columns,
    }
    return log.Readings(names, **given, raw=lambda i: f"raw {names[i]} {first_seq + i}".encode())


def rows(path: Path, partition: str, start: int = 0, limit: int | None = None) -> list[tuple[Any, ...]]:
    """A partition's rows, each as (offset, the columns, payload)."""
    with log.Reader(path, partition) as reader:
        return [row for block in reader.walk(start, limit) for row in rows_of(block)]


def rows_of(block: Block) -> list[tuple[Any, ...]]:
    """A block's rows, each as (offset, the columns, payload)."""
    columns = (getattr(block, name).tolist() for name in COLUMNS)
    payloads = [block.payload.get(i) for i in range(len(block))]
    return list(zip(range(block.first, block.first + len(block)), *columns, payloads, strict=True))


def only_segment(path: Path, partition: str) -> Path:
    """The one segment of a partition."""
    (segment,) = (path / partition).glob("*.seg")
    return segment


def forget_marks(path: Path) -> None:
    """Leave the log as a copy of its segments would be: nobody knows how far it was committed."""
    (path / "committed").unlink()


def another_boot(path: Path) -> None:
    """Leave the log as the machine's restart would: the marks are of another boot."""
    data = bytearray((path / "committed").read_bytes())
    data[8] ^= 0xFF
    (path / "committed").write_bytes(bytes(data))
