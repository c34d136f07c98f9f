"""When the next tick of a live log is due: the wall clock as a wall clock should be, one that never goes back.

The log's time follows the wall clock as long as that goes forward. Where it is set back, the log's time goes on at the speed of the
monotonic clock until the wall clock has caught up; where it jumps forward, the log's time jumps with it, and one tick covers the gap.
Ticks lie on the grid of whole multiples of the tick length since 1970. A pure function of the times given; it reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticker:
    """The state between two looks at the clocks, all microseconds.

    `tick_us`: the log's tick length; `last_tick_us`: the newest tick, `ABSENT` for none; `now_us`: the log's time when `monotonic_us` was
    read.

    >>> ticker = Ticker.start(1_000_000, last_tick_us=5_000_000, monotonic_us=0)
    >>> ticker, due = ticker.look(wall_us=6_200_000, monotonic_us=10)
    >>> due, ticker.wait_us
    (6000000, 800000)
    """

    tick_us: int
    last_tick_us: int
    now_us: int
    monotonic_us: int

    @classmethod
    def start(cls, tick_us: int, last_tick_us: int, monotonic_us: int) -> Ticker:
        """Go on after the log's last tick."""
        return cls(tick_us, last_tick_us, last_tick_us, monotonic_us)

    def look(self, wall_us: int, monotonic_us: int) -> tuple[Ticker, int | None]:
        """The state after reading both clocks, and the tick that is due, None before the next one."""
        now = max(wall_us, self.now_us + max(0, monotonic_us - self.monotonic_us))
        due = now - now % self.tick_us
        if due <= self.last_tick_us:
            return Ticker(self.tick_us, self.last_tick_us, now, monotonic_us), None
        return Ticker(self.tick_us, due, now, monotonic_us), due

    @property
    def wait_us(self) -> int:
        """How long after the last look the next tick is due."""
        return self.tick_us - self.now_us % self.tick_us
