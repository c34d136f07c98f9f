"""What was not counted, and why: totals by minute, partition and reason, and the rows themselves.

The journal says how many rows each partition refused in each minute, why, and where they stand in the log; the rows are fetched from there.
So the list is exact however often the engine was killed, and it reaches as far back as retention has left the log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.readings import MINUTE, Reason
from flowwatch.evidence import Evidence, LogRow
from flowwatch.journal import Journal, JournalError
from flowwatch.journal.export import iso


@dataclass(frozen=True, slots=True)
class RefusedMinute:
    """How many rows a partition refused for one reason in the minute that began at `minute` (microseconds UTC)."""

    minute: int
    partition: str
    reason: Reason
    count: int


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One refused row; `row` is None where retention has removed it."""

    minute: int
    partition: str
    offset: int
    reason: Reason
    row: LogRow | None


def totals(journal: Journal, since: int | None = None, until: int | None = None, reason: Reason | None = None) -> Iterator[RefusedMinute]:
    """Refusals by minute, partition and reason, of the minutes that touch since <= t < until, in the order of time."""
    for _, body in minutes(journal, since, until):
        for name, count in body["counts"].items():
            found = Reason[name.upper()]
            if reason is None or found is reason:
                yield RefusedMinute(body["minute_us"], body["partition"], found, count)


def refused(
    journal: Journal,
    log: Path | str,
    since: int | None = None,
    until: int | None = None,
    reason: Reason | None = None,
    limit: int | None = None,
) -> Iterator[RefusedRow]:
    """The refused rows themselves, at most `limit`: by minute and partition, and there in the order of the log. Raises `LogError`."""
    left = limit
    with Evidence(log) as evidence:
        for entry, body in minutes(journal, since, until):
            offsets, reasons = unpack(entry.id, body["refs"])
            chosen = np.arange(len(offsets)) if reason is None else np.flatnonzero(reasons == reason)
            chosen = chosen[np.argsort(offsets[chosen], kind="stable")][:left]
            places = offsets[chosen].tolist()
            rows = evidence.rows(body["partition"], places)
            for offset, code, row in zip(places, reasons[chosen].tolist(), rows, strict=True):
                yield RefusedRow(body["minute_us"], body["partition"], offset, Reason(code), row)
            if left is not None:
                left -= len(places)
                if left == 0:
                    return


def plain(refusal: RefusedRow) -> dict[str, Any]:
    """A refused row as values for JSON: where, why, and what it said; bytes that are no text as base64."""
    told: dict[str, Any] = {"partition": refusal.partition, "offset": refusal.offset, "minute": iso(refusal.minute)}
    told |= {"reason": refusal.reason.name.lower(), "kept": refusal.row is not None}
    return told | (said(refusal.row) if refusal.row is not None else {})


def said(row: LogRow) -> dict[str, Any]:
    """What a row says in the words of flowwatch's reading format, without what it does not have."""
    told: dict[str, Any] = {"kind": row.kind.name.lower(), "counter": row.counter}
    told |= {"at": None if row.at is None else iso(row.at), "received": None if row.received is None else iso(row.received)}
    told |= {"seq": row.seq, "in": row.ingress, "out": row.egress, "headcount": row.headcount}
    if row.payload is not None:
        try:
            told["raw"] = row.payload.decode()
        except UnicodeDecodeError:
            told["raw_base64"] = base64.b64encode(row.payload).decode()
    return {key: value for key, value in told.items() if value is not None}


def unpack(id_: str, refs: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.uint8]]]:
    """The offsets and reason codes, both (n,), that the entry `id_` has packed: n little-endian int64, then n bytes."""
    try:
        packed = base64.b64decode(refs, validate=True)
    except ValueError as error:
        raise JournalError(f"entry {id_}: refs are no base64 ({error})") from error
    n, rest = divmod(len(packed), 9)
    if rest:
        raise JournalError(f"entry {id_}: refs of {len(packed)} bytes, expected a multiple of 9")
    return np.frombuffer(packed, "<i8", n), np.frombuffer(packed, np.uint8, n, 8 * n)


def minutes(journal: Journal, since: int | None, until: int | None) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """The refusals entries of the minutes that touch since <= t < until; an entry is written when its minute is over."""
    for entry in journal.entries(kind=EntryKind.REFUSALS, since=since):
        body = json.loads(entry.body)
        if (since is None or body["minute_us"] + MINUTE > since) and (until is None or body["minute_us"] < until):
            yield entry, body
