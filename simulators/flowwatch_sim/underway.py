"""Crowds on their way: who sets off on a leg now comes off it some steps later, and what these steps are changes as legs get crowded.

Who sets off in one step is handed on to the one step or the two that their time lies between, each in its own list of what comes off when. So a step
costs the same however long the ways are, and a time that changes holds for those who set off from then on.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from flowwatch_sim.capacity import Floats, Ints


class Underway:
    """People of R replicates on T legs. Arrays have a row for each leg, in which replicates lie side by side."""

    def __init__(self, replicates: int) -> None:
        self.went: Floats = np.zeros((0, replicates))
        """(T, R) all who have set off so far."""
        self.came: Floats = np.zeros((0, replicates))
        """(T, R) all who have come off so far."""
        self._ahead: deque[Floats] = deque()
        """Who comes off in the next step, in the one after it …: (T + 1, R), nobody in the last row."""
        self._now: Floats = np.zeros((1, replicates))
        self._part: Floats = np.zeros((0, replicates))
        self._shares: list[tuple[int, slice, Floats]] = []
        """(steps, legs, (legs, R) the share of those who set off on them now that comes off so many steps later)."""

    @property
    def on(self) -> Floats:
        """(T, R) who are on their way."""
        return self.went - self.came

    def arrange(self, rows: Ints, legs: int) -> None:
        """From now on there are `legs` legs; those there were so far get the rows `rows`."""
        self.went, self.came = (moved(array, rows, legs) for array in (self.went, self.came))
        self._ahead = deque(moved(array[:-1], rows, legs + 1) for array in self._ahead)
        self._now, self._part = np.zeros((legs + 1, self.went.shape[1])), np.zeros_like(self.went)

    def take(self, steps: Floats, at: Ints) -> None:
        """From now on legs take (C, R) `steps`, at least 1; those from row `at[c]` on, up to the next class's, belong to class c."""
        whole = steps.astype(np.int64)
        late = steps - whole
        first = np.append(at, len(self.went))
        self._shares = []
        for ahead in np.flatnonzero(np.bincount(np.concatenate([whole.ravel(), whole.ravel() + 1]))).tolist():
            share = np.where(whole == ahead, 1.0 - late, np.where(whole == ahead - 1, late, 0.0))
            for start, end in _stretches(np.asarray(share.any(axis=1))):
                rows = np.repeat(share[start:end], np.diff(first[start : end + 1]), axis=0)
                self._shares.append((ahead, slice(int(first[start]), int(first[end])), rows))
            while len(self._ahead) < ahead:
                self._ahead.append(np.zeros_like(self._now))

    def come_off(self) -> Floats:
        """(T + 1, R) who come off in this step; nobody in the last row. Good until the next call."""
        self._now.fill(0.0)
        self._ahead.append(self._now)
        self._now = self._ahead.popleft()
        self.came += self._now[:-1]
        return self._now

    def set_off(self, go: Floats) -> None:
        """(T, R) people set off."""
        self.went += go
        for ahead, legs, share in self._shares:
            part = np.multiply(go[legs], share, out=self._part[legs])
            comes = self._ahead[ahead - 1][legs]
            comes += part


def moved(array: Floats, rows: Ints, number: int) -> Floats:
    """(number, R) in which the rows of `array` have become `rows`; the others are empty."""
    made = np.zeros((number, array.shape[1]))
    made[rows] = array
    return made


def _stretches(there: np.ndarray) -> list[tuple[int, int]]:
    """The parts of a row of booleans that are true throughout, as (first, one after the last).

    >>> _stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
