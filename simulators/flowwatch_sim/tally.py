"""What a receiver of readings made of them: how many it took, what it refused and why, what was sent again, and how soon it answered."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

_STEP: Final = math.log(1.02)
"""Waits are kept in classes of 2 %."""
_LEAST_S: Final = 1e-6


class Tally:
    """Counts for several threads. An answer is one request's or one message's."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.again = 0
        """Requests that were sent another time, and connections that were made anew."""
        self._lock = threading.Lock()
        self._waits: Counter[int] = Counter()
        self._most_s = 0.0

    def answered(self, accepted: int, refused: Mapping[str, int], waited_s: float) -> None:
        """So many readings were taken, others refused for these reasons, so long after they were due."""
        with self._lock:
            self.accepted += accepted
            self.refused.update(refused)
            self._waits[int(math.log(max(waited_s, _LEAST_S) / _LEAST_S) / _STEP)] += 1
            self._most_s = max(self._most_s, waited_s)

    def repeated(self) -> None:
        """Something was sent another time."""
        with self._lock:
            self.again += 1

    def wait_s(self, share: float) -> float:
        """How long after it was due a share of the answers had come at most, to 2 %; 0 where there was none."""
        with self._lock:
            left = share * self._waits.total()
            for place in sorted(self._waits):
                left -= self._waits[place]
                if left <= 0:
                    return min(self._most_s, _LEAST_S * math.exp((place + 1) * _STEP))
            return self._most_s

    def __str__(self) -> str:
        median, late, most = (self.wait_s(share) * 1000 for share in (0.5, 0.99, 1.0))
        told = f"{self.accepted:,} accepted, {median:,.0f} ms after they were due (p50; p99 {late:,.0f} ms, max {most:,.0f} ms)"
        if self.again:
            told += f"; tried again {self.again:,} times"
        if self.refused:
            told += f"; refused {self.refused.total():,}: " + ", ".join(f"{reason} {n:,}" for reason, n in sorted(self.refused.items()))
        return told
