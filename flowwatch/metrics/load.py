"""How heavy alarms were over the last 24 hours, counted now and then: it reads a month of the book."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from flowwatch.handling.load import HOUR_US, LEAD_US, Load, load
from flowwatch.journal.opened import Opened
from flowwatch.metrics.board import Board

SPAN_US: Final = 24 * HOUR_US
EVERY_S: Final = 60.0
"""How often it is counted, at most: the figures are those of a day."""
SHARE: Final = 0.02
"""The part of the time that counting may take; where a month's book is large it is counted less often."""


class AlarmLoad:
    """The load of the alarms in the book, by the log's time `now_us`, divided among so many people. For one thread at a time."""

    def __init__(self, book: Opened, now_us: Callable[[], int], operators: int = 1) -> None:
        self._book, self._now_us, self._operators = book, now_us, operators
        self._found: Load | None = None
        self._due = 0.0

    def fill(self, board: Board) -> None:
        """Put the figures up; nothing before there is a book. Raises `JournalError`, `LogError`."""
        began = time.monotonic()
        if began >= self._due:
            self._found = self._count()
            took = time.monotonic() - began
            self._due = began + max(EVERY_S, took / SHARE)
        found = self._found
        if found is None:
            return
        board.put("alarms_per_operator_hour", found.per_operator_hour)
        board.put("alarms_worst_window", found.worst_10min)
        board.put("alarms_flood_ratio", found.flood_share)
        board.put("alarms_chattering", len(found.chatter))
        board.put("alarms_stale", len(found.stale))
        board.put("alarms_red_hidden", found.reds_hidden)
        for quantile, seconds in (("0.5", found.acknowledge_p50_s), ("0.9", found.acknowledge_p90_s)):
            if seconds is not None:
                board.put("alarms_acknowledge_seconds", seconds, quantile=quantile)

    def _count(self) -> Load | None:
        book, until = self._book.journal, self._now_us()
        if book is None or until <= SPAN_US:
            return None
        since = until - SPAN_US
        entries = [entry for chain in sorted(book.heads()) for entry in book.entries(chain, since=since - LEAD_US, until=until)]
        return load(entries, since, until, operators=self._operators)
