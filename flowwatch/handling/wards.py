"""The book and what it says, side by side: whatever is written into the one is known by the other before the next thing is decided.

For the one thread that writes the book. Where the disk fails both are let go of and opened anew: nothing is known that was not kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling import memory
from flowwatch.handling.book import Book, UnwritableError
from flowwatch.handling.readable import sensible
from flowwatch.handling.records import Alert, Step
from flowwatch.handling.ward import Ward
from flowwatch.journal import Journal
from flowwatch.journal.follower import BEGINNING, Place
from flowwatch.log.errors import DiskRefused

LOG: Final = logging.getLogger(__name__)


class Wards:
    """Every chain of the book with its ward. Any method raises `JournalError` if the file fails."""

    def __init__(self, book: Book, wards: dict[str, Ward], place: Place, kept: Path | None) -> None:
        self.place = place
        """How far the journal was read when what is known was kept last."""
        self._book, self._wards, self._kept_path = book, wards, kept
        self._kept_at: tuple[Place, int] | None = None
        self._touched = set(wards)

    @classmethod
    def open(cls, path: Path, kept: Path | None) -> Wards:
        """Open the book at `path`, and know again what it says: from the file `kept`, so far as it fits, and behind that from the book."""
        book = Book.open(path)
        try:
            wards, place = recalled(book.journal, kept)
        except BaseException:
            book.close()
            raise
        return cls(book, wards, place, kept)

    def close(self) -> None:
        """Give the file back."""
        self._book.close()

    def __iter__(self) -> Iterator[Ward]:
        """Every ward that there is."""
        return iter(self._wards.values())

    def of(self, chain: str) -> Ward:
        """The ward of a chain, an empty one of one that has none yet."""
        return self._wards.setdefault(chain, Ward(site=chain))

    def add(self, chain: str, at_us: int, said: Alert | Step) -> Entry:
        """Write one record, for the next `commit`; it is known at once. Raises `UnwritableError`, and nothing is written."""
        try:
            sensible(said)
        except ValueError as error:  # who reads it would pass over it
            raise UnwritableError(f"what is said cannot be written: {error}") from error
        entry = self._book.prepare(chain, at_us, said)
        self.of(chain).take(entry)
        self._touched.add(chain)
        return entry

    def write(self, chain: str, at_us: int, said: Iterable[Alert | Step]) -> Entry | None:
        """Write one after the other, each known before the next is made; the last."""
        entry = None
        for one in said:
            entry = self.add(chain, at_us, one)
        return entry

    def touch(self, chain: str) -> None:
        """Have `commit` name the chain, though nothing is written there."""
        self._touched.add(chain)

    def commit(self) -> Mapping[str, Ward]:
        """Have all that was written on the disk when this returns; the wards of which something is new since the last time."""
        self._book.commit()
        touched, self._touched = self._touched, set()
        return {chain: self._wards[chain] for chain in touched}

    def alerts_at(self, chain: str, at_us: int) -> Iterator[Entry]:
        """The alerts that the book has of a moment."""
        return self._book.journal.entries(chain, EntryKind.ALERT, since=at_us, until=at_us + 1)

    def keep(self, place: Place) -> None:
        """Keep what is known, and how far the journal was read, for the next start. Where that fails it costs time there and nothing else."""
        state = place, sum(ward.seq for ward in self)
        if self._kept_path is None or state == self._kept_at:
            return
        self._kept_at = state
        try:
            memory.keep(self._kept_path, self._book.journal.heads(), place, self._wards)
        except DiskRefused as error:
            LOG.warning("the desk: %s", error)


def recalled(book: Journal, kept: Path | None) -> tuple[dict[str, Ward], Place]:
    """The ward of every chain of the book, and how far the journal was read when the file `kept` was written, so far as that fits the book."""
    known = None if kept is None else memory.recall(kept, book)
    wards = {} if known is None else known.wards
    for chain, (seq, _) in book.heads().items():
        ward = wards.setdefault(chain, Ward(site=chain))
        if seq > ward.seq:
            for entry in book.entries(chain, after_id=f"{chain}-{ward.seq}" if ward.seq else None):
                ward.take(entry)
    return wards, BEGINNING if known is None else known.place
