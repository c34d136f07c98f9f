"""What an adapter hands to the log: readings as columns, with the counters' full names still in them.

The log turns names into codes and sorts rows into partitions; adapters know neither. The columns are those of `flowwatch.core.readings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flowwatch.core.readings import Bytes, Int32s, Ints, Kind

_COLUMNS = (
    ("kind", np.uint8),
    ("at", np.int64),
    ("received", np.int64),
    ("seq", np.int64),
    ("ordinal", np.int32),
    ("ingress", np.int64),
    ("egress", np.int64),
    ("headcount", np.int64),
)


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings as columns of shape (n,); a column that a kind does not use holds `ABSENT`.

    `names` are the counters' full names ("<site>/<counter>"), one a row. `raw(i)` gives the bytes that row i was read from: they are kept
    where the log knows no such counter. The arrays belong to the log once they are appended: nobody may change them afterwards.
    Raises ValueError for columns of another length or type, and for a kind that is no reading.
    """

    names: Sequence[str]
    kind: Bytes
    at: Ints
    received: Ints
    seq: Ints
    ordinal: Int32s
    ingress: Ints
    egress: Ints
    headcount: Ints
    raw: Callable[[int], bytes]

    def __post_init__(self) -> None:
        n = len(self.names)
        for name, dtype in _COLUMNS:
            column = getattr(self, name)
            if column.shape != (n,) or column.dtype != dtype:
                raise ValueError(f"{name}: {column.dtype} {column.shape}, expected {np.dtype(dtype)} ({n},)")
        if n and (self.kind.min() < Kind.DELTA or self.kind.max() > Kind.ABSOLUTE):
            raise ValueError(f"kind: {self.kind.min()} to {self.kind.max()}, expected readings only ({Kind.DELTA:d} to {Kind.ABSOLUTE:d})")

    def __len__(self) -> int:
        return len(self.names)
