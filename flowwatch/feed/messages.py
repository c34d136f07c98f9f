"""Which CAP messages the book of handling holds: found by their names, by incident, and the newest first.

Kept in memory and brought up from the book when somebody asks, by the order in which it was written; the texts stay in the book. A message is about
400 bytes here: 40 MB for 100,000, which is ten alerts an hour for a year.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.feed.cap import Sent
from flowwatch.feed.cap_names import is_name
from flowwatch.handling.records import Alert, read
from flowwatch.journal import Journal
from flowwatch.journal.pages import Mark, Sought, StaleMarkError

LOG: Final = logging.getLogger(__name__)
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its name, when it was told (microseconds), its chain and number in the book, and its place in the order of all messages."""

    identifier: str
    at_us: int
    chain: str
    seq: int
    incident: str
    place: int
    first: int
    """The earliest of its incident's messages that it refers to, as a number among them; its own where it refers to none."""
    number: int
    """Its own number among its incident's messages."""

    @property
    def entry(self) -> str:
        """The book's entry."""
        return f"{self.chain}-{self.seq}"


class _Head(Struct, frozen=True):
    site: str
    incident: str
    state: str
    cap: str | None = None


_READ: Final = msgspec.json.Decoder(_Head)


class Messages:
    """The messages of one book; `book` gives it, None before there is one. For several threads. Methods raise `JournalError`."""

    def __init__(self, book: Callable[[], Journal | None]) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._read: Journal | None = None
        self._mark: Mark | None = None
        self._all: list[Message] = []
        self._named: dict[str, Message] = {}
        self._incidents: dict[tuple[str, str], list[Message]] = {}
        self._ended: set[tuple[str, str]] = set()

    def find(self, identifier: str) -> Message | None:
        """The message of that name."""
        with self._lock:
            self._bring()
            return self._named.get(identifier)

    def earlier(self, message: Message) -> list[Sent]:
        """The messages of its incident that it takes the place of, the oldest first."""
        with self._lock:
            told = self._incidents.get((message.chain, message.incident), [])
            return [Sent(one.identifier, one.at_us) for one in told[message.first : message.number]]

    def newest(self, chains: Collection[str], before: Message | None, limit: int) -> list[Message]:
        """The last of these chains, at most `limit`, the newest first, and of those the ones told before `before`."""
        with self._lock:
            self._bring()
            start = len(self._all) if before is None else before.place
            mine = (one for one in (self._all[i] for i in range(start - 1, -1, -1)) if one.chain in chains)
            return list(islice(mine, limit))

    def behind(self, place: int) -> list[Message]:
        """All messages from that place in the order on."""
        with self._lock:
            self._bring()
            return self._all[place:]

    def alert(self, message: Message) -> Alert:
        """What the message says, as it stands in the book."""
        book = self._book()
        if book is None:
            raise KeyError(message.identifier)
        said = read(book.get(message.entry))
        assert isinstance(said, Alert)
        return said

    def _bring(self) -> None:
        book = self._book()
        if book is not self._read:
            self._forget()
            self._read = book
        if book is None:
            return
        try:
            self._take(book)
        except StaleMarkError:
            self._forget()
            self._read = book
            self._take(book)

    def _take(self, book: Journal) -> None:
        while True:
            entries, self._mark = book.page(Sought(), self._mark, PAGE)
            for entry in entries:
                self._keep(entry)
            if len(entries) < PAGE:
                return

    def _keep(self, entry: Entry) -> None:
        head = _head(entry)
        if head is None or head.cap is None:
            return
        if not is_name(head.cap) or head.cap in self._named or head.site != entry.chain:
            LOG.error("handling: entry %s has no CAP identifier of its own (%.80s); it is not in the feed", entry.id, head.cap)
            return
        key = (entry.chain, head.incident)
        told = self._incidents.setdefault(key, [])
        number = len(told)
        first = number if not told or key in self._ended else told[-1].first
        self._ended.discard(key)
        if head.state == "cleared":
            self._ended.add(key)
        made = Message(head.cap, entry.at, entry.chain, entry.seq, head.incident, len(self._all), first, number)
        told.append(made)
        self._all.append(made)
        self._named[head.cap] = made

    def _forget(self) -> None:
        self._read = self._mark = None
        self._all, self._named, self._incidents, self._ended = [], {}, {}, set()


def _head(entry: Entry) -> _Head | None:
    if entry.kind is not EntryKind.ALERT or b'"cap":"' not in entry.body:
        return None
    try:
        return _READ.decode(entry.body)
    except msgspec.MsgspecError as error:
        LOG.error("handling: entry %s cannot be read (%s); it is not in the feed", entry.id, error)  # noqa: TRY400 - a bad record, no fault
        return None
