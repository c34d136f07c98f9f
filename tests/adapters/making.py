"""Batches for tests: a row is (counter, event time) or None, which is a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from flowwatch.adapters.batch import Batch, Refusal, unstamped
from flowwatch.core.readings import ABSENT, Kind, Reason

Row = tuple[str, int] | None
T = TypeVar("T")


def batch(rows: Sequence[Row]) -> Batch:
    """The rows as a batch of deltas, unstamped."""
    readings = [row for row in rows if row is not None]
    n = len(readings)
    refused = [Refusal(sum(r is not None for r in rows[:i]), b"row %d" % i, Reason.UNREADABLE) for i, row in enumerate(rows) if row is None]
    absent = np.full(n, ABSENT, np.int64)
    at = np.array([at for _, at in readings], np.int64)
    made = unstamped([name for name, _ in readings], np.full(n, Kind.DELTA, np.uint8), at, absent, absent, absent, lambda i: b"%d" % i)
    return Batch(made, refused)


def cut(rows: Sequence[T], cuts: Sequence[int]) -> list[Sequence[T]]:
    """The rows cut at these places."""
    edges = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    return [rows[a:b] for a, b in pairwise(edges)]
