"""What the service's log says of a request: who, which route, what came of it, how long it took. Never a body, a header or a query."""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("flowwatch.service.access")
FAULTS: Final = logging.getLogger("flowwatch.service")
ACCOUNTS: Final = logging.getLogger("flowwatch.service.accounts")
"""Who gave and took which rights."""


TOLD_EVERY_S: Final = 10.0


class Tally:
    """Requests that are answered alike thousands of times a second, as one line in ten seconds for each identity."""

    def __init__(self, route: str, status: int) -> None:
        self._route, self._status = route, status
        self._counts: dict[str, tuple[float, int, float]] = {}

    def count(self, who: str, now_s: float, ms: float) -> None:
        """One more; `now_s` is a steady clock."""
        since, times, slowest = self._counts.get(who, (now_s, 0, 0.0))
        self._counts[who] = since, times + 1, max(slowest, ms)
        if now_s - since >= TOLD_EVERY_S:
            self.tell(who)

    def tell(self, who: str | None = None) -> None:
        """Write the lines of one identity, or of all."""
        for one in [who] if who is not None else list(self._counts):
            _, times, slowest = self._counts.pop(one)
            LOGGER.info("- %s %s %d, %d times, slowest %.1f ms", one, self._route, self._status, times, slowest)


def line(request: str, who: str, route: str, status: int, ms: float) -> None:
    """Write one line. `route` is the declared path, not what was asked for: names of incidents and cursors stay out of the log."""
    LOGGER.info("%s %s %s %d %.1f ms", request, who, route, status, ms)
