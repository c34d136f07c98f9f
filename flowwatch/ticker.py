"""Time for a live log: whoever holds the log's lock appends a tick every period, and takes in what other processes staged.

Decisions are taken on ticks, silence is noticed on ticks: so ticks must go on whatever becomes of the input. The ticker takes the lock when it
is free, and tries again while another process (an import) holds it. Time is the wall clock's as long as that goes forward; when somebody sets
it back, ticks go on at the speed of the monotonic clock until the wall clock has caught up (`log.clock`). In a rehearsal the ticks are among what
other processes staged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowwatch import checkpoints
from flowwatch.core.readings import MINUTE
from flowwatch.log.clock import Ticker as Clock
from flowwatch.log.errors import LogLocked
from flowwatch.log.settings import Clock as LogClock
from flowwatch.log.writer import Writer

DRAIN_S: Final = 0.01
"""How often staged files are looked for: a small part of a tick."""
TOLD_S: Final = 0.001
"""The same in a rehearsal, which waits for each of its ticks."""
RETRY_S: Final = 0.5
"""How often a lock that another process holds is asked for."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a live log is kept: bytes, and microseconds before the last tick; None keeps all."""

    bytes: int | None = None
    age_us: int | None = None


class Ticker(threading.Thread):
    """The thread that ticks. `failed` holds what ended it, if anything but `stop` did."""

    def __init__(self, log: Path, tell: Callable[[str], None], keep: Keep) -> None:
        super().__init__(name="ticker", daemon=True)
        self._log, self._tell, self._keep = log, tell, keep
        self._stop_asked = threading.Event()
        self.failed: Exception | None = None
        self.ticking = threading.Event()
        """Set while this thread holds the lock."""

    def stop(self) -> None:
        """End after the tick at hand, and wait."""
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        """Hold the lock whenever it is free; tick while holding it."""
        waited = False
        try:
            while not self._stop_asked.is_set():
                try:
                    with Writer.open(self._log) as writer:
                        for repair in writer.repaired:
                            self._tell(f"repaired: {repair}")
                        waited = False
                        self.ticking.set()
                        self._tick(writer)
                except LogLocked as locked:
                    if not waited:
                        self._tell(f"waiting to tick: {locked}")
                    waited = True
                    self._stop_asked.wait(RETRY_S)
        except Exception as error:  # noqa: BLE001 - whatever it is: a log that does not tick decides nothing, and the run must end and say so
            self.failed = error
        finally:
            self.ticking.clear()

    def _tick(self, writer: Writer) -> None:
        clock = Clock.start(writer.settings.tick_us, writer.last_tick_us, time.monotonic_ns() // 1000)
        told = writer.settings.clock is LogClock.TOLD
        minute = 0
        while not self._stop_asked.is_set():
            clock, due = clock.look(time.time_ns() // 1000, time.monotonic_ns() // 1000)
            if due is not None and not told:
                writer.tick(due)
                writer.commit()
                if self._keep != Keep() and due // MINUTE != minute:
                    minute = due // MINUTE
                    writer.retain(self._keep.bytes, self._keep.age_us, whole=checkpoints.is_whole)
            for path, problem in writer.drain().bad:
                self._tell(f"set aside {path}: {problem}")
            self._stop_asked.wait(TOLD_S if told else min(DRAIN_S, clock.wait_us / 1e6))
