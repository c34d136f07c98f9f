"""Rows sorted by counter, seen as one run of rows for each counter: the arithmetic that intake does run by run, on whole arrays.

When no counter has more than one row, as in live operation with a tick a second, a run is a row and everything is plain indexing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar

import numpy as np

from flowwatch.core.readings import Bools, Bytes, Int32s, Ints

A = TypeVar("A", Ints, Bools, Bytes)


class Runs:
    """The runs of `counter` (n,), which is sorted; R runs. `heads` (R,) holds each run's counter."""

    def __init__(self, counter: Int32s) -> None:
        new = np.empty(len(counter), np.bool_)
        new[:1] = True
        np.not_equal(counter[1:], counter[:-1], out=new[1:])
        self.single = bool(new.all())
        """Whether every run is one row."""
        self.size = len(counter)
        self._new = new
        self.heads = counter if self.single else counter[self.starts]
        adjoining = self.size > 0 and int(self.heads[-1]) - int(self.heads[0]) + 1 == len(self.heads)
        self.at: slice | Int32s = slice(int(self.heads[0]), int(self.heads[-1]) + 1) if adjoining else self.heads
        """The counters as an index: a slice, where none between the first and the last is missing, is several times faster than their codes."""

    @cached_property
    def starts(self) -> Ints:
        """(R,) where each run begins."""
        return np.flatnonzero(self._new)

    @cached_property
    def lengths(self) -> Ints:
        """(R,) how many rows each run has."""
        return np.diff(np.append(self.starts, self.size))

    @cached_property
    def _ends(self) -> Ints:
        return self.starts + self.lengths - 1

    def last(self, values: A) -> A:
        """(R,) the value of each run's last row."""
        return values if self.single else values[self._ends]

    def first(self, values: A) -> A:
        """(R,) the value of each run's first row."""
        return values if self.single else values[self.starts]

    def spread(self, values: A) -> A:
        """(n,) each run's value (R,) at each of its rows."""
        return values if self.single else np.repeat(values, self.lengths)

    def before(self, values: Ints, seeds: Ints) -> Ints:
        """(n,) the value of the row before each in its run; a run's first row has its seed (R,)."""
        if self.single:
            return seeds
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.starts] = seeds
        return shifted

    def total(self, values: Ints) -> Ints:
        """(R,) the sum of each run."""
        return values if self.single else np.add.reduceat(values, self.starts)

    def highest(self, values: Ints) -> Ints:
        """(R,) the maximum of each run."""
        return values if self.single else np.maximum.reduceat(values, self.starts)

    def every(self, values: Bools) -> Bools:
        """(R,) whether all rows of a run are true."""
        return values if self.single else np.logical_and.reduceat(values, self.starts)
