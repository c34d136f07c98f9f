"""What an engine has taken since it began: for whoever watches it. It decides nothing, and is in no checkpoint."""

from __future__ import annotations

from typing import Final

import numpy as np

from flowwatch.core.readings import Bytes, Int32s, Ints, Reason
from flowwatch.core.runs import Runs

REASONS: Final = max(Reason) + 1


class Tally:
    """Sums by counter, shape (C,), and by reason of refusal, shape (REASONS,), all int64."""

    def __init__(self) -> None:
        self.ticks = 0
        self.readings, self.people_in, self.people_out = (np.zeros(0, np.int64) for _ in range(3))
        self.refused: Ints = np.zeros(REASONS, np.int64)

    def counted(self, runs: Runs, ingress: Ints, egress: Ints) -> None:
        """Rows in `runs` were due and moved so many people (C,); those of them that were refused after all are taken back by `judged_unfit`."""
        more = len(ingress) - len(self.readings)
        if more > 0:
            self.readings, self.people_in, self.people_out = (
                np.concatenate([old, np.zeros(more, np.int64)]) for old in (self.readings, self.people_in, self.people_out)
            )
        self.readings[runs.at] += 1 if runs.single else runs.lengths
        self.people_in += ingress
        self.people_out += egress

    def judged_unfit(self, counter: Int32s) -> None:
        """Rows of these counters, one an element, were refused when they were due."""
        np.subtract.at(self.readings, counter, 1)

    def refuse(self, reasons: Bytes) -> None:
        """Rows were refused, one an element."""
        self.refused += np.bincount(reasons, minlength=REASONS)
