"""A gate's lanes in one direction: a FIFO queue before c servers, which a setting opens, meters, turns and shuts.

Everything here is exact in time: whoever is next starts when a lane is free and the setting lets them. A lane that turns round stands still for
the clearing time first. Nobody is in two lanes, and a service that has begun ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heapify, heapreplace
from typing import Final

from flowwatch.core.settings import Mode, Setting

IN, OUT = 0, 1
NEVER: Final = float("inf")


class Lanes:
    """One direction of a gate. Times are seconds."""

    __slots__ = ("_cycle", "_free", "_last", "_rate_s", "_since", "clearing_s", "queue", "total", "way")

    def __init__(self, total: int, way: int, *, clearing_s: float = 0.0) -> None:
        self.total, self.way, self.clearing_s = total, way, clearing_s
        self.queue: deque[tuple[float, int]] = deque()
        """(when they came, who), in that order."""
        self._free: list[float] = []
        self._rate_s, self._last = 0.0, -NEVER
        self._cycle: tuple[tuple[float, float], ...] = ()
        self._since = 0.0

    @property
    def open(self) -> int:
        """Lanes that lead this way now."""
        return len(self._free)

    def set(self, setting: Setting, now: float) -> None:
        """Bring the lanes to a setting. Half of the lanes of `both` lead each way; an odd one leads out."""
        lanes = self._lanes(setting)
        kept = sorted(self._free)[:lanes]
        self._free = kept + [now + self.clearing_s] * (lanes - len(kept))
        heapify(self._free)
        self._rate_s = 60.0 / setting.per_min if setting.per_min is not None and self.way == IN else 0.0
        self._cycle = tuple((_slower(word, self.way), float(seconds)) for word, seconds in setting.phases)
        self._since = now

    def _lanes(self, setting: Setting) -> int:
        if setting.mode is Mode.WAVE:
            return self.total
        both = (self.total // 2, self.total - self.total // 2)
        word = ("both" if setting.leave else "in") if setting.mode is Mode.METERED else setting.mode.value
        return {"in": (self.total, 0), "out": (0, self.total), "both": both, "closed": (0, 0)}[word][self.way]

    def start(self, now: float, service_s: Sequence[float]) -> tuple[float, int] | float:
        """Let the first of the queue into a lane: (when through, who); or, if nobody may start now, when that will be (`NEVER` if it is not known).

        `service_s`: person -> seconds in a lane of this gate.
        """
        if not self.queue or not self._free:
            return NEVER
        start, slower = max(now, self._free[0], self._last + self._rate_s), 1.0
        if self._cycle:
            start, slower = self._release(start)
        if start > now:
            return start
        who = self.queue.popleft()[1]
        self._last = now
        end = now + slower * service_s[who]
        heapreplace(self._free, end)
        return end, who

    def _release(self, at: float) -> tuple[float, float]:
        """The first moment from `at` on at which a wave leads this way, and how much slower the lanes then are (`both`: half of them lead)."""
        period = sum(seconds for _, seconds in self._cycle)
        phase, waited = (at - self._since) % period, 0.0
        for _ in range(2):
            start = 0.0
            for slower, seconds in self._cycle:
                if phase < start + seconds:
                    if slower:
                        return at + waited, slower
                    waited += start + seconds - phase
                    phase = start + seconds
                start += seconds
            phase = 0.0
        return NEVER, 1.0


def _slower(word: str, way: int) -> float:
    """How many times as long people take in a phase; 0 where it does not lead this way."""
    return 2.0 if word == "both" else float(word == ("in", "out")[way])
