"""Batches as plain rows, to compare them with what a test worked out by itself."""

from __future__ import annotations

from collections.abc import Iterable

from flowwatch.adapters.batch import Batch
from flowwatch.core.readings import ABSENT, Kind

Row = tuple[object, ...]
COLUMNS = ("kind", "at", "received", "seq", "ordinal", "ingress", "egress", "headcount")


def number(value: int) -> int | None:
    """A column's number; None for "not given"."""
    return None if value == ABSENT else value


def rows(batches: Iterable[Batch | None]) -> list[Row]:
    """Every row in order: ("reading", counter, kind, at, in, out, inside, seq) or ("refused", reason, bytes)."""
    told: list[Row] = []
    for batch in batches:
        if batch is None:
            continue
        readings, refused = batch.readings, list(batch.refused)
        for i in range(len(readings) + 1):
            while refused and refused[0].place == i:
                told.append(("refused", refused[0].reason, refused.pop(0).raw))
            if i < len(readings):
                figures = (
                    number(int(column[i])) for column in (readings.at, readings.ingress, readings.egress, readings.headcount, readings.seq)
                )
                told.append(("reading", readings.names[i], Kind(int(readings.kind[i])), *figures))
        assert not refused, "a refusal stands behind the last reading of its batch at most"
    return told


def raws(batches: Iterable[Batch | None]) -> list[bytes]:
    """The bytes of every reading."""
    return [batch.readings.raw(i) for batch in batches if batch is not None for i in range(len(batch))]
