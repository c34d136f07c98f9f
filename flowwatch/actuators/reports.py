"""Handing reports on to the log, in a thread of its own: a log that is slow or full must not keep a command waiting."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

LOG: Final = logging.getLogger(__name__)
Report = Callable[[str, bytes, int], None]
"""Takes (site, payload, microseconds); raises what it likes, and is asked again then."""
WAITING: Final = 100_000
"""Reports that may wait; beyond it the newest are dropped and counted, since devices say their state again."""
AGAIN_S: Final = 1.0


class Reports:
    """The way to the log."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._queue: queue.Queue[tuple[str, bytes, int] | None] = queue.Queue(WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="actuators-reports", daemon=True)
        self._lock = threading.Lock()
        self.waiting = 0
        """Reports that the log does not have yet."""
        self.dropped = 0

    def start(self) -> None:
        """Begin to hand on."""
        self._thread.start()

    def put(self, site: str, payload: bytes, at_us: int) -> None:
        """One more report; returns at once."""
        self._count(1)
        try:
            self._queue.put_nowait((site, payload, at_us))
        except queue.Full:
            self._count(-1)
            self.dropped += 1

    def stop(self, timeout: float = 5.0) -> None:
        """Hand on what waits, as far as that goes, and end."""
        self._stopping.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            LOG.warning("%d reports wait that the log does not take", WAITING)
        self._thread.join(timeout)

    def _count(self, more: int) -> None:
        with self._lock:
            self.waiting += more

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            while True:
                try:
                    self._report(*item)
                    self._count(-1)
                    break
                except Exception:
                    LOG.exception("a report of %s could not be handed to the log", item[0])
                    if self._stopping.wait(AGAIN_S):
                        return
