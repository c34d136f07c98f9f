"""What one piece of input became: readings as columns, and beside them what could not be read.

An adapter makes batches, the driver stamps them and hands them to the log. Every line, cell pair or event of the input is one row of a
batch: either a reading or a refusal, never both, never none. Refusals stand between the readings, so the order of the input is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from flowwatch.core.readings import ABSENT, Bytes, Int32s, Ints, Reason
from flowwatch.log.readings import Readings


class Refusal(NamedTuple):
    """Bytes that are no reading, and why. `place`: how many readings of the batch stand before it; `received`: `ABSENT` until stamped."""

    place: int
    raw: bytes
    reason: Reason
    received: int = ABSENT


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings (n of them) and refusals, in the order of the input; `refused` is sorted by place (0..n)."""

    readings: Readings
    refused: Sequence[Refusal] = ()

    def __len__(self) -> int:
        return len(self.readings)


def unstamped(
    names: list[str],
    kind: Bytes,
    at: Ints,
    ingress: Ints,
    egress: Ints,
    headcount: Ints,
    raw: Callable[[int], bytes],
    seq: Ints | None = None,
) -> Readings:
    """Readings (n,) as an adapter makes them; receipt times and ordinals are given later, by the driver. No `seq`: none declared."""
    n = len(names)
    return Readings(
        names=names,
        kind=kind,
        at=at,
        received=at,
        seq=np.full(n, ABSENT, np.int64) if seq is None else seq,
        ordinal=np.zeros(n, np.int32),
        ingress=ingress,
        egress=egress,
        headcount=headcount,
        raw=raw,
    )


def stamped(batch: Batch, received: Ints, before: int) -> Batch:
    """The same rows with receipt times, of readings (n,); a refusal has that of the reading before it, the first ones have `before`."""
    refused = [r._replace(received=int(received[r.place - 1]) if r.place else before) for r in batch.refused]
    return Batch(replace(batch.readings, received=received), refused)


def numbered(batch: Batch, ordinal: Int32s) -> Batch:
    """The same rows with ordinals (n,)."""
    return Batch(replace(batch.readings, ordinal=ordinal), batch.refused)


def pieces(batch: Batch, cuts: Iterable[int]) -> Iterator[Batch]:
    """The rows cut before these readings (ascending, 0..n): one piece more than cuts. Refusals before a cut's reading are before the cut."""
    start = taken = 0
    for stop in (*cuts, None):
        end = len(batch) if stop is None else stop
        last = len(batch.refused) if stop is None else bisect_right(batch.refused, stop, key=_place)
        yield Batch(part(batch.readings, start, end), [r._replace(place=r.place - start) for r in batch.refused[taken:last]])
        start, taken = end, last


def _place(refusal: Refusal) -> int:
    return refusal.place


def part(readings: Readings, start: int, stop: int) -> Readings:
    """Readings start..stop-1 (views, no copy)."""
    if start == 0 and stop >= len(readings):
        return readings
    rows = slice(start, stop)
    raw = readings.raw
    return Readings(
        names=readings.names[rows],
        kind=readings.kind[rows],
        at=readings.at[rows],
        received=readings.received[rows],
        seq=readings.seq[rows],
        ordinal=readings.ordinal[rows],
        ingress=readings.ingress[rows],
        egress=readings.egress[rows],
        headcount=readings.headcount[rows],
        raw=lambda i: raw(start + i),
    )


def by_time(batch: Batch) -> Batch:
    """The same rows in the order of event time, equal times as they were; a refusal stays behind the reading that it stood behind."""
    readings = batch.readings
    order = np.argsort(readings.at, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    raw, places = readings.raw, order.tolist()
    arranged = Readings(
        names=[readings.names[i] for i in places],
        kind=readings.kind[order],
        at=readings.at[order],
        received=readings.received[order],
        seq=readings.seq[order],
        ordinal=readings.ordinal[order],
        ingress=readings.ingress[order],
        egress=readings.egress[order],
        headcount=readings.headcount[order],
        raw=lambda i: raw(places[i]),
    )
    moved = [r._replace(place=int(rank[r.place - 1]) + 1 if r.place else 0) for r in batch.refused]
    return Batch(arranged, sorted(moved, key=lambda r: r.place))


def joined(batches: Sequence[Batch]) -> Batch:
    """The rows of all `batches` (at least one), in order."""
    if len(batches) == 1:
        return batches[0]
    parts = [b.readings for b in batches]
    ends = list(accumulate(map(len, parts)))
    starts = [0, *ends[:-1]]

    def raw(i: int) -> bytes:
        which = int(np.searchsorted(ends, i, side="right"))
        return parts[which].raw(i - starts[which])

    readings = Readings(
        names=[name for p in parts for name in p.names],
        kind=np.concatenate([p.kind for p in parts]),
        at=np.concatenate([p.at for p in parts]),
        received=np.concatenate([p.received for p in parts]),
        seq=np.concatenate([p.seq for p in parts]),
        ordinal=np.concatenate([p.ordinal for p in parts]),
        ingress=np.concatenate([p.ingress for p in parts]),
        egress=np.concatenate([p.egress for p in parts]),
        headcount=np.concatenate([p.headcount for p in parts]),
        raw=raw,
    )
    refused = [r._replace(place=r.place + start) for b, start in zip(batches, starts, strict=True) for r in b.refused]
    return Batch(readings, refused)
