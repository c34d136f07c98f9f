"""The book of handling: a journal of its own (`handling.db`), chained and checked like the engine's, written by one thread of the service.

It is no function of the log, because people and clocks write it, so nothing can make it again: it is evidence, and backed up as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowwatch.core.entries import GENESIS, Entry, link
from flowwatch.handling.records import Alert, Step, body, kind_of
from flowwatch.journal import Head, Journal, JournalError

Page = tuple[str, int, Alert | Step]
"""(chain, when in microseconds, what is said)."""


class Book:
    """The book, open for its one writer. Any method raises `JournalError` if the file fails."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._heads: dict[str, Head] = journal.heads()

    @classmethod
    def open(cls, path: Path) -> Book:
        """The book at `path`, made if it is not there."""
        return cls(Journal.open(path))

    def close(self) -> None:
        """Give the file back."""
        self.journal.close()

    def write(self, pages: Sequence[Page]) -> list[Entry]:
        """Append, in one transaction that is on the disk when this returns; the entries as they stand there."""
        heads, made = dict(self._heads), list[Entry]()
        for chain, at, said in pages:
            seq, previous = heads.get(chain, (0, GENESIS))
            kind, data = kind_of(said), body(said)
            hash_ = link(previous, kind, at, data)
            made.append(Entry(chain, seq + 1, kind, at, data, hash_))
            heads[chain] = seq + 1, hash_
        if not made:
            return made
        done = self.journal.append(made)
        if done.conflicts or done.withheld:
            raise JournalError(
                f"{self.journal.path}: another writer wrote into the book of handling; {done.conflicts[0] if done.conflicts else ''}"
            )
        self._heads = heads
        return made
