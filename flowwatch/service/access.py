"""What the service's log says of a request: who, which route, what came of it, how long it took. Never a body, a header or a query."""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("flowwatch.service.access")
FAULTS: Final = logging.getLogger("flowwatch.service")
ACCOUNTS: Final = logging.getLogger("flowwatch.service.accounts")
"""Who gave and took which rights."""


def line(request: str, who: str, route: str, status: int, ms: float) -> None:
    """Write one line. `route` is the declared path, not what was asked for: names of incidents and cursors stay out of the log."""
    LOGGER.info("%s %s %s %d %.1f ms", request, who, route, status, ms)
