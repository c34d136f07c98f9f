"""One listener: what waits to be sent to it, with a bound. Belongs to the event loop's thread.

What is a state (a site's newest minute) replaces the older one of its site. Of everything else so much may wait as `MOST` and `MOST_BYTES` say;
a listener that is slower loses what waits and gets a snapshot instead, so that it costs no more memory than that and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

from flowwatch.feed.frames import Frame

MOST: Final = 1_000
MOST_BYTES: Final = 1 << 20
CHUNK: Final = 64 << 10
"""About how many bytes are given to the connection at a time: the server holds one such piece of a listener that does not read."""
SLOW: Final = "slow"
"""Why a snapshot is due: more came than may wait."""


class Listener:
    """`sees` says of a chain whether it may be told of; `kinds` are those that are wanted."""

    def __init__(self, sees: Callable[[str], bool], kinds: Collection[str], place: str) -> None:
        self._sees, self._kinds = sees, frozenset(kinds)
        self._waiting: deque[Frame] = deque()
        self._size = 0
        self._minutes: dict[str, Frame] = {}
        self._told: dict[tuple[bool, str], int] = {}
        self._seen: dict[str, bool] = {}
        self.place = place
        """The id of the last event that it was given."""
        self.lost: str | None = None
        """Why it needs a snapshot, if it does: nothing is kept for it until it has one."""
        self.ended = False
        self.wake = asyncio.Event()

    def offer(self, frames: Iterable[Frame], minutes: Iterable[Frame] = ()) -> None:
        """Let these wait, as far as they are for it."""
        if self.lost is None and not self.ended:
            for frame in frames:
                if self.wants(frame):
                    self._waiting.append(frame)
                    self._size += len(frame.data)
            for frame in minutes:
                if self.wants(frame):
                    self._minutes[frame.chain] = frame
            if len(self._waiting) > MOST or self._size > MOST_BYTES:
                self.lose(SLOW)
        if self.lost is not None or self._waiting or self._minutes:
            self.wake.set()

    def wants(self, frame: Frame) -> bool:
        """Whether it is of a kind and a site that it is told of."""
        if frame.kind not in self._kinds:
            return False
        sees = self._seen.get(frame.chain)
        if sees is None:
            sees = self._seen[frame.chain] = self._sees(frame.chain)
        return sees

    def lose(self, why: str) -> None:
        """Forget what waits: a snapshot says what stands."""
        self.lost = why
        self._waiting.clear()
        self._minutes.clear()
        self._size = 0
        self.wake.set()

    def found(self, told: dict[tuple[bool, str], int]) -> None:
        """It has been told all entries up to these: (of the book, chain) -> seq."""
        for key, seq in told.items():
            self._told[key] = max(seq, self._told.get(key, 0))

    def fresh(self, frame: Frame) -> bool:
        """Whether it has not been given this entry, nor a later one of its chain; from now on it has."""
        key = (frame.of_book, frame.chain)
        if frame.seq <= self._told.get(key, 0):
            return False
        self._told[key] = frame.seq
        self.place = frame.place
        return True

    def next(self) -> bytes:
        """What is to be sent next, about `CHUNK` bytes; empty where nothing waits."""
        parts: list[bytes] = []
        size = 0
        while self._waiting and size < CHUNK:
            frame = self._waiting.popleft()
            self._size -= len(frame.data)
            if self.fresh(frame):
                parts.append(frame.data)
                size += len(frame.data)
        while self._minutes and size < CHUNK and not self._waiting:
            frame = self._minutes.pop(next(iter(self._minutes)))
            parts.append(frame.data)
            size += len(frame.data)
        if self.idle and not self.ended:
            self.wake.clear()
        return b"".join(parts)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for it, not even a snapshot."""
        return self.lost is None and not self._waiting and not self._minutes

    def end(self) -> None:
        """It gets no more."""
        self.ended = True
        self.wake.set()
