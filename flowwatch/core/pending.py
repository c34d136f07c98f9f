"""Readings that the intake has accepted and whose time has not come: they count at the first tick at or after their event time.

In live operation almost nothing waits. In an archive whose rows come out of order by hours, everything waits for hours, so what waits is
kept as runs sorted by event time, merged like a log-structured tree: a tick takes a prefix of each of a few runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.readings import Bytes, Int32s, Ints

_FIELDS: Final = ("kind", "counter", "at", "seq", "ordinal", "ingress", "egress", "headcount", "offset")


@dataclass(frozen=True, slots=True)
class Rows:
    """Accepted readings as columns (n,); `offset` is each one's place in the log."""

    kind: Bytes
    counter: Int32s
    at: Ints
    seq: Ints
    ordinal: Int32s
    ingress: Ints
    egress: Ints
    headcount: Ints
    offset: Ints

    def __len__(self) -> int:
        return len(self.at)

    def take(self, index: Any) -> Rows:
        """The rows at `index` (a slice, a mask or positions)."""
        return Rows(
            self.kind[index],
            self.counter[index],
            self.at[index],
            self.seq[index],
            self.ordinal[index],
            self.ingress[index],
            self.egress[index],
            self.headcount[index],
            self.offset[index],
        )


def joined(parts: list[Rows]) -> Rows:
    """The rows of all `parts`, in order (at least one part)."""
    return parts[0] if len(parts) == 1 else Rows(*(np.concatenate([getattr(p, f) for p in parts]) for f in _FIELDS))


class Pending:
    """What waits for its tick."""

    def __init__(self) -> None:
        self._runs: list[Rows] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def put(self, rows: Rows) -> None:
        """Let `rows` wait; rows of equal time keep the order in which they came."""
        if not len(rows):
            return
        self._runs.append(rows.take(np.argsort(rows.at, kind="stable")))
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 > len(self._runs[-2]):
            two = joined(self._runs[-2:])
            self._runs[-2:] = [two.take(np.argsort(two.at, kind="stable"))]

    def due(self, tick: int) -> Rows | None:
        """Take out all rows whose event time is at most `tick`; None when there are none."""
        taken, left = [], []
        for run in self._runs:
            cut = int(np.searchsorted(run.at, tick, side="right"))
            if cut:
                taken.append(run.take(slice(0, cut)))
            if cut < len(run):
                left.append(run.take(slice(cut, None)))
        self._runs = left
        return joined(taken) if taken else None

    def to_state(self) -> dict[str, Any]:
        """All that waits, in one order whatever the history of merges (offset order)."""
        if not self._runs:
            return {}
        rows = joined(self._runs)
        rows = rows.take(np.argsort(rows.offset, kind="stable"))
        return {f: getattr(rows, f) for f in _FIELDS}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Pending:
        """What `to_state` wrote."""
        made = cls()
        if state:
            made.put(Rows(*(state[f] for f in _FIELDS)))
        return made
