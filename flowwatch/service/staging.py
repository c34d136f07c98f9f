"""What the service needs of whoever brings rows into the log: take them, and say when they are durable."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from flowwatch.adapters.batch import Batch


class Stager(Protocol):
    """Group commit into the log's inbox. For one event loop; the futures are done in another thread."""

    def offer(self, batch: Batch, size: int | None = None) -> Future[Any] | None:
        """Take the rows of one source, received now, read from `size` bytes; None where there is no room, and then nothing was taken.

        The future is done when they are durable, or holds what kept them from it.
        """

    def offer_tick(self, at_us: int) -> Future[Any] | None:
        """Take a tick for a log whose time is told, in the same way."""

    def offer_action(self, site: str, payload: bytes, at_us: int) -> Future[Any] | None:
        """Take an operator's record, in the same way."""
