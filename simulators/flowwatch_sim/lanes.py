"""The lanes of a gate: two FIFO queues, inward and outward, before servers that a setting turns, meters and shuts.

Everything here is exact in time: whoever is next starts when a lane that leads their way is free and the setting lets them. A lane leads one way
at a time. It turns when the one in it is through, and then stands still for the clearing time first; one that is shut and opened the same way
again goes on at once. A service that has begun ends. So nobody is in two lanes, and no lane has two people.

A wave turns by the clock, and its holds are the time to clear. Where an odd number of lanes leads both ways, the lane in the middle leads in and
out by turns, so that each way has half of the lanes, as the rules for gates count them (`flowwatch/core/gates.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heapify, heapreplace
from typing import Final

from flowwatch.core.settings import Mode, Setting

IN, OUT = 0, 1
NEVER: Final = float("inf")
MIDDLE_S: Final = 30.0
"""How long the lane in the middle leads one way (assumed; two to a minute, as people let one another through)."""

Round = tuple[tuple[tuple[int, int], float], ...]
"""((lanes inward, lanes outward), seconds), in turn and for ever."""


class Lanes:
    """A gate. Times are seconds, ways are `IN` and `OUT`."""

    __slots__ = (
        "_at",
        "_every",
        "_free",
        "_last",
        "_leads",
        "_metered_s",
        "_round",
        "_shut",
        "_turns",
        "clearing_s",
        "queues",
        "total",
        "width_s",
    )

    def __init__(self, total: int, *, clearing_s: float = 0.0, width_s: float = 0.0) -> None:
        """`total` lanes at `width_s` seconds a person that all of their width passes at the most (0: as fast as the lanes are)."""
        self.total, self.clearing_s, self.width_s = total, clearing_s, width_s
        self.queues: tuple[deque[int], deque[int]] = (deque(), deque())
        """Who waits, first come first."""
        self._free: list[list[float]] = [[], []]
        """Way -> when each lane that leads that way is free; a heap."""
        self._shut: list[list[float]] = [[-NEVER] * total, []]
        """The same of the lanes that led that way last."""
        self._last, self._every = [-NEVER, -NEVER], [0.0, 0.0]
        self._metered_s = 0.0
        self._round: Round = (((0, 0), NEVER),)
        self._at, self._turns = 0, NEVER
        self._leads = (0.0, 0.0)

    def leads(self, way: int) -> float:
        """Lanes that lead this way; of a round, on the average."""
        return self._leads[way]

    def set(self, setting: Setting, now: float) -> None:
        """Bring the lanes to a setting at `now`, not before any time that they were asked about."""
        self._bring(now)
        self._round = _round(setting, self.total)
        self._metered_s = 60.0 / setting.per_min if setting.per_min is not None else 0.0
        period = sum(seconds for _, seconds in self._round)
        inward, outward = (sum(lanes[way] * seconds for lanes, seconds in self._round) / period for way in (IN, OUT))
        self._leads = (inward, outward)
        self._at, self._turns = 0, now + self._round[0][1] if len(self._round) > 1 else NEVER
        self._turn(now, self.clearing_s)

    def start(self, way: int, now: float, service_s: Sequence[float]) -> tuple[float, int] | float:
        """Let the first of a queue into a lane: (when through, who); or, if nobody may start now, when to ask again (`NEVER`: after the next change).

        `service_s`: person -> seconds in a lane of this gate.
        """
        if self._turns <= now:
            self._bring(now)
        queue, free = self.queues[way], self._free[way]
        if not queue:
            return NEVER
        start = max(free[0], self._last[way] + self._every[way]) if free else NEVER
        if start > now:
            return min(start, self._turns)
        who = queue.popleft()
        self._last[way] = now
        end = now + service_s[who]
        heapreplace(free, end)
        return end, who

    def _bring(self, now: float) -> None:
        while self._turns <= now:
            at = self._turns
            self._at = (self._at + 1) % len(self._round)
            self._turns = at + self._round[self._at][1]
            self._turn(at, 0.0)

    def _turn(self, at: float, clearing_s: float) -> None:
        """Lead as many lanes each way as the round says: those that lead there already first, then others as soon as they are empty."""
        wanted = self._round[self._at][0]
        have = [sorted(free + shut) for free, shut in zip(self._free, self._shut, strict=True)]
        self._free = [lanes[:count] for lanes, count in zip(have, wanted, strict=True)]
        self._shut = [lanes[count:] for lanes, count in zip(have, wanted, strict=True)]
        for way in (IN, OUT):
            others, count = self._shut[1 - way], wanted[way] - len(self._free[way])
            self._free[way] += [max(at, free) + clearing_s for free in others[:count]]
            del others[:count]
            heapify(self._free[way])
            self._every[way] = self.width_s * self.total / max(1, wanted[way])
        self._every[IN] = max(self._every[IN], self._metered_s)


def _round(setting: Setting, total: int) -> Round:
    if setting.mode is Mode.WAVE:
        return tuple((_lanes(word, total), float(seconds)) for word, seconds in setting.phases)
    word = ("both" if setting.leave else "in") if setting.mode is Mode.METERED else setting.mode.value
    if word == "both" and total % 2:
        return tuple(((inward, total - inward), MIDDLE_S) for inward in (total - total // 2, total // 2))
    return ((_lanes(word, total), 1.0),)


def _lanes(word: str, total: int) -> tuple[int, int]:
    """Lanes (inward, outward) under a word of a setting or of a phase."""
    half = total // 2
    return {"in": (total, 0), "out": (0, total), "both": (half, total - half)}.get(word, (0, 0))
