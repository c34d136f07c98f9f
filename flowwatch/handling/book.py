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


class UnwritableError(ValueError):
    """What is said holds something that no record can: half of a character, a number that is none. Nothing was prepared."""


class Book:
    """The book, open for its one writer. Any method raises `JournalError` if the file fails."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._heads: dict[str, Head] = journal.heads()
        self._waiting: list[Entry] = []

    @classmethod
    def open(cls, path: Path) -> Book:
        """The book at `path`, made if it is not there."""
        return cls(Journal.open(path))

    def close(self) -> None:
        """Give the file back."""
        self.journal.close()

    def write(self, pages: Sequence[Page]) -> list[Entry]:
        """Append, in one transaction that is on the disk when this returns; the entries as they stand there."""
        made = [self.prepare(*page) for page in pages]
        self.commit()
        return made

    def prepare(self, chain: str, at: int, said: Alert | Step) -> Entry:
        """The next entry of a chain, for the next `commit`."""
        seq, previous = self._heads.get(chain, (0, GENESIS))
        try:
            kind, data = kind_of(said), body(said)
        except ValueError as error:
            raise UnwritableError(f"what is said cannot be written: {error}") from error
        entry = Entry(chain, seq + 1, kind, at, data, link(previous, kind, at, data))
        self._heads[chain] = entry.seq, entry.hash
        self._waiting.append(entry)
        return entry

    def commit(self) -> None:
        """Keep what was prepared, in one transaction. Where it fails nothing of it is kept, and it is forgotten here too."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            done = self.journal.append(waiting)
        except BaseException:
            self._heads = self.journal.heads()
            raise
        if done.conflicts or done.withheld or done.repeated:
            self._heads = self.journal.heads()
            raise JournalError(f"{self.journal.path}: somebody else wrote into the book of handling; only one service may")
