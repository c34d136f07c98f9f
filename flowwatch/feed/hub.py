"""The one who reads for all listeners: a thread follows the journal and the record of handling, and the event loop gives each event to everybody.

An event is encoded once, in the thread. The thread waits until the loop has given out what it has, so nothing piles up between the two. It never
waits for a listener.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Estimate
from flowwatch.feed.frames import DECIDED, HANDLED, Frame, of_entry, of_minute
from flowwatch.feed.listener import Listener
from flowwatch.feed.merged import merged
from flowwatch.feed.places import Places
from flowwatch.feed.tail import Tail
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING
from flowwatch.journal.minutes import Minutes

LOG: Final = logging.getLogger(__name__)
POLL_S: Final = 0.02
"""How often it is asked whether anything was written."""
LOOK_S: Final = 0.5
"""How often it is looked whether a file came, or is another one."""
TOGETHER: Final = 250
"""Events that are given out at a time."""
AGAIN_S: Final = 1.0
"""How long a file that cannot be read is left alone."""
FRESH_S: Final = 2.0
"""How long the files may not have been looked at before a listener is no longer told that all is well."""
REBUILT: Final = "rebuilt"
"""Why a snapshot is due: the journal was made anew, and what came between the two is not known one by one."""


@dataclass(slots=True)
class Batch:
    """What the loop gives out at a time: events in order, newest minutes, and the place behind them."""

    place: str
    frames: list[Frame] = field(default_factory=list)
    minutes: list[Frame] = field(default_factory=list)
    replaced: bool = False


class Hub:
    """Follows two journals for any number of listeners. `ready` starts it; every method but `close` is the loop's."""

    def __init__(self, journal: Path, handling: Path) -> None:
        self.journal, self.handling = journal, handling
        self.place = str(Places())
        """Behind what was given out last."""
        self.epoch = 0
        """How often a file was replaced by another."""
        self.minutes: dict[str, Frame] = {}
        """Every site's newest minute."""
        self.listeners: set[Listener] = set()
        self._tails = self._opened_anew()
        self._minutes: Minutes | None = None
        self._unread = True
        self._look_at = 0.0
        self._at = Places()
        self._turned = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun: asyncio.Event | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- for the loop

    async def ready(self) -> None:
        """Begin to follow, if nobody asked before; and wait until it is known what comes next."""
        if self._thread is None:
            self._loop, self._begun = asyncio.get_running_loop(), asyncio.Event()
            self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
            self._thread.start()
        assert self._begun is not None
        await self._begun.wait()

    def join(self, listener: Listener) -> None:
        """From now on it gets everything."""
        self.listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """It gets no more."""
        self.listeners.discard(listener)

    def well(self) -> bool:
        """Whether the files were looked at a moment ago."""
        return time.monotonic() - self._turned < FRESH_S

    def _give(self, batch: Batch, done: threading.Event) -> None:
        try:
            self.place = batch.place
            self.minutes.update((frame.chain, frame) for frame in batch.minutes)
            if batch.replaced:
                self.epoch += 1
            for listener in self.listeners:
                if batch.replaced:
                    listener.lose(REBUILT)
                listener.offer(batch.frames, batch.minutes)
            assert self._begun is not None
            self._begun.set()
        finally:
            done.set()

    # ---- the thread

    def close(self) -> None:
        """End the thread and give the files back."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    for batch in self._turn():
                        self._publish(batch)
                    self._turned = time.monotonic()
                except JournalError as error:
                    LOG.warning("the feed: %s", error)
                    self._fail()
                except Exception:
                    LOG.exception("the feed failed; it goes on")
                    self._fail()
                self._stopping.wait(POLL_S)
        finally:
            self._leave()

    def _fail(self) -> None:
        """Open everything anew, in a while, behind what was given out last: what was read and not given out is read again."""
        self._leave()
        if self._turned:
            for tail, place in zip(self._tails, (self._at.journal, self._at.handling), strict=True):
                tail.place = place
        else:
            self._tails = self._opened_anew()
        self._unread, self._look_at = True, 0.0
        self._stopping.wait(AGAIN_S)

    def _opened_anew(self) -> tuple[Tail, Tail]:
        return Tail(self.journal, DECIDED), Tail(self.handling, HANDLED)

    def _leave(self) -> None:
        for tail in self._tails:
            tail.leave()
        if self._minutes is not None:
            self._minutes.close()
        self._minutes = None

    def _publish(self, batch: Batch) -> None:
        """Hand it to the loop, and wait until it was given out."""
        assert self._loop is not None
        done = threading.Event()
        try:
            self._loop.call_soon_threadsafe(self._give, batch, done)
        except RuntimeError:  # the loop has ended, and with it everybody who listened
            self._stopping.set()
        while not done.wait(0.2) and not self._stopping.is_set():
            pass

    def _turn(self) -> Iterator[Batch]:
        """What has come since, in batches."""
        decided, handled = self._tails
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            yield from self._look()
        grew = [tail.follower is not None and tail.follower.grew() for tail in (handled, decided)]
        if any(grew) or self._unread:
            self._unread = True
            entries = merged(decided.follower, handled.follower, self._at)
            while some := list(islice(entries, TOGETHER)):
                frames = [of_entry(entry, places) for entry, places in some]
                self._at = some[-1][1]
                yield Batch(str(self._at), frames)
            self._unread = False
        if self._minutes is not None and self._minutes.grew() and (found := list(_frames(self._minutes.new()))):
            yield Batch(str(self._at), minutes=found)

    def _look(self) -> Iterator[Batch]:
        """See whether the files are there, and still the same."""
        decided = self._tails[0]
        before = decided.inode
        replaced = [tail.look() for tail in self._tails]
        if decided.follower is not None and (self._minutes is None or decided.inode != before):
            if self._minutes is not None:
                self._minutes.close()
            self._minutes = Minutes.open(self.journal)
        if any(replaced) or not self._turned or decided.inode != before:
            handled = self._tails[1].follower
            journal = BEGINNING if decided.follower is None else decided.follower.place
            self._at = Places(journal, self._at.handling if handled is None else handled.place, decided.inode)
            self._unread = True
            yield Batch(str(self._at), replaced=any(replaced))


def _frames(estimates: Iterable[Estimate]) -> Iterator[Frame]:
    """The events of minutes; one that is damaged is passed over, so that it takes nothing from the other sites."""
    for estimate in estimates:
        try:
            yield of_minute(estimate)
        except Exception:
            LOG.exception("the feed: the newest minute of %s cannot be read; passed over", estimate.site)
