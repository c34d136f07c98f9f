"""What time it is in a log: the wall clock's in a live one; elsewhere that of its last tick, found by walking over the heads of its newest frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from flowwatch.core.readings import ABSENT
from flowwatch.log.segments import Segment, offsets
from flowwatch.log.settings import Clock, load

LEAP_US: Final = 60_000_000
"""A wall clock that is further ahead than this has leapt: time services slew what is less."""
LASTS_US: Final = 10_000_000
"""How long a leap stands before it is taken: a time service that was wrong once asks again within seconds. ASSUMED."""


def clock_of(log: Path) -> Callable[[], int]:
    """What tells the log's time, microseconds: the wall clock where its ticks follow that, else its last tick, 0 before the first.

    Both may raise `LogError`.
    """
    return wall if load(log).clock is Clock.WALL else lambda: max(log_time(log), 0)


def wall() -> int:
    """The wall clock, microseconds since the epoch."""
    return time.time_ns() // 1000


class Onward:
    """A wall clock for what lasts: it never goes back, and takes no leap that does not last.

    Where the wall clock is set back, time goes on at the speed of the steady clock until the wall clock has caught up, as the ticks of a log do
    (`log.clock`): what was begun by it runs out in its time. A leap forward is taken once it has stood for `LASTS_US`: one wrong look at a clock
    that is put right must not make everything late, or too old, for as long as it was wrong. For several threads.
    """

    def __init__(
        self,
        wall_us: Callable[[], int] = wall,
        steady_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        *,
        not_before_us: int = 0,
    ) -> None:
        self._wall_us, self._steady_us = wall_us, steady_us
        self._looked_us, self._leapt_us = steady_us(), -1
        self._now_us = max(not_before_us, wall_us())
        self._looking = threading.Lock()

    def __call__(self) -> int:
        """What time it is, microseconds since the epoch."""
        with self._looking:
            said, steady = self._wall_us(), self._steady_us()
            self._now_us += steady - self._looked_us
            self._looked_us = steady
            if said <= self._now_us + LEAP_US:
                self._leapt_us = -1
                self._now_us = max(said, self._now_us)
            elif self._leapt_us < 0:
                self._leapt_us = steady
            elif steady - self._leapt_us >= LASTS_US:
                self._leapt_us, self._now_us = -1, said
            return self._now_us


def unhurried(clock: Callable[[], int], every_s: float = 0.2) -> Callable[[], int]:
    """The same clock, asked at most so often: what a log says of the time costs a walk over its newest frames. For one thread."""
    asked_s, said_us = -every_s, 0

    def now_us() -> int:
        nonlocal asked_s, said_us
        if time.monotonic() - asked_s >= every_s:
            asked_s, said_us = time.monotonic(), clock()
        return said_us

    return now_us


def now(log: Path) -> int:
    """The log's time (`clock_of`). Raises `LogError`."""
    return clock_of(log)()


def last_tick(folder: Path) -> int:
    """The last tick of the partition with that folder (microseconds), `ABSENT` where it has none. Raises `LogError`."""
    firsts = offsets(folder, ".seg")
    if not firsts:
        return ABSENT
    with closing(Segment(folder, firsts[-1])) as segment:
        position, tick = segment.start.position, segment.start.tick
        while (head := segment.head(position)) is not None and head.rows:
            tick = head.tick
            position += head.size
    return tick


def log_time(log: Path) -> int:
    """The last tick of the whole log, `ABSENT` before the first. Raises `LogError`."""
    return max(last_tick(log / name) for name in load(log).folders)
