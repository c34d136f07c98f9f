"""How often one identity may ask, and how much it may send: a bucket each that fills again evenly.

Small enough to be asked for every request: one dictionary, no threads, a clock that is given. Buckets that are full again are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_MOST_BUCKETS: Final = 10_000


class Rates:
    """Buckets of `most` that fill with `per_s` a second, one a key; `now_s` is a steady clock."""

    def __init__(self, per_s: float, most: float, now_s: Callable[[], float]) -> None:
        self._per_s, self._most, self._now_s = per_s, most, now_s
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, cost: float = 1.0) -> float:
        """Take `cost` out; 0, or nothing is taken and this is how many seconds to wait. What costs more than all waits for a full bucket."""
        now = self._now_s()
        held, at = self._buckets.get(key, (self._most, now))
        held = min(self._most, held + (now - at) * self._per_s)
        if held < min(cost, self._most):
            return (min(cost, self._most) - held) / self._per_s
        if key not in self._buckets and len(self._buckets) >= _MOST_BUCKETS:
            self._forget(now)
        self._buckets[key] = (held - cost, now)
        return 0.0

    def _forget(self, now: float) -> None:
        full = [key for key, (held, at) in self._buckets.items() if held + (now - at) * self._per_s >= self._most]
        for key in full or list(self._buckets)[: _MOST_BUCKETS // 10]:
            del self._buckets[key]
