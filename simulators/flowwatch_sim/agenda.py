"""What is to happen when, in the order of time: a heap for what is near, and unsorted pages for what is further ahead.

Most of what is known of a day lies hours ahead: arrivals, and the ends of stays. In one heap all of it would be in the way of the little that
happens in the next seconds. So it waits on pages, each of which becomes the heap when its time comes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

PAGE_S: Final = 8.0
"""Seconds a page: a power of two, so that no rounding puts a moment on another page."""
NEVER: Final = float("inf")

Event = tuple[float, int, int, int]
"""(when, how many events were noted before it, what, of whom or which)."""


class Agenda:
    """Events, first the soonest and, of those at one moment, the one that was noted first."""

    __slots__ = ("_ends", "_noted", "_numbers", "_pages", "_soon")

    def __init__(self) -> None:
        self._soon: list[Event] = []
        """All before `_ends`, when the page ends that is open; a heap."""
        self._ends = 0.0
        self._pages: dict[int, list[Event]] = {}
        self._numbers: list[int] = []
        """Those of the pages; a heap."""
        self._noted = 0

    def note(self, at: float, what: int, which: int) -> None:
        """Something is to happen at `at`; at `NEVER`, it is not."""
        self._noted = noted = self._noted + 1
        if at < self._ends:
            heappush(self._soon, (at, noted, what, which))
        elif at < NEVER:
            number = int(at / PAGE_S)
            page = self._pages.get(number)
            if page is None:
                self._pages[number] = [(at, noted, what, which)]
                heappush(self._numbers, number)
            else:
                page.append((at, noted, what, which))

    def soon(self) -> list[Event]:
        """A heap of what happens next, to be taken from; empty when nothing is noted any more."""
        if not self._soon and self._numbers:
            number = heappop(self._numbers)
            self._soon, self._ends = self._pages.pop(number), (number + 1) * PAGE_S
            heapify(self._soon)
        return self._soon
