"""Following a journal that grows: entries in the order in which they were written, none twice, none passed over.

Across chains the order of reading by time is not exact while the journal grows (`Journal.entries`); the order of writing is. SQLite numbers
rows as they come and entries are never removed, so one number says how far somebody has read. A journal made anew from the log may hold the
same entries in another order: a place therefore names the entry that it stands behind, and one that does not fit is refused.

Asking whether anything came costs some microseconds (`PRAGMA data_version`), so it can be asked every few milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.journal.database import Database
from flowwatch.journal.journal import Journal

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read: the row's number and the entry's hash; 0 is the beginning."""

    row: int
    hash: bytes


BEGINNING: Final = Place(0, b"")


def inode_of(path: str | Path) -> int:
    """Which file lies at `path`, 0 for none: one that was made anew takes the place of another, which whoever follows still has open."""
    try:
        return Path(path).stat().st_ino
    except FileNotFoundError:
        return 0


class Follower:
    """One reader of a journal, for one thread. Raises `JournalError` if the file fails."""

    def __init__(self, database: Database, place: Place, kinds: Sequence[EntryKind]) -> None:
        self._database = database
        self._connection = database.engine.raw_connection()
        self._kinds = tuple(kind.value for kind in kinds)
        self._version = -1
        self.place = place
        """Behind the last entry that `new` gave."""

    @classmethod
    def open(cls, path: str | Path, place: Place = BEGINNING, kinds: Sequence[EntryKind] = tuple(EntryKind)) -> Self:
        """Follow the journal at `path` behind `place`, entries of `kinds` only. Raises `JournalError`, also if it is not there yet."""
        Journal.open(path, create=False).close()
        return cls(Database(path, create=False), place, kinds)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
        self._database.close()

    def fits(self) -> bool:
        """Whether the entry that `place` stands behind is where it was; a reader whose place does not fit begins anew."""
        return self.place == BEGINNING or self.hash_at(self.place.row) == self.place.hash

    def hash_at(self, row: int) -> bytes | None:
        """The hash of the entry in that row; None where there is none."""
        rows = self._rows("SELECT hash FROM entries WHERE rowid = ?", (row,))
        return rows[0][0] if rows else None

    def skip(self) -> None:
        """Go behind everything that is there."""
        rows = self._rows("SELECT rowid, hash FROM entries ORDER BY rowid DESC LIMIT 1")
        self.place = Place(*rows[0]) if rows else BEGINNING

    def grew(self) -> bool:
        """Whether anything was written since this was last asked; true the first time."""
        ((version,),) = self._rows("PRAGMA data_version")
        changed, self._version = int(version) != self._version, int(version)
        return changed

    def new(self) -> Iterator[Entry]:
        """The entries behind `place`, which moves along."""
        marks = ", ".join("?" * len(self._kinds))
        # + keeps SQLite from the index by kind, which would have every entry of these kinds sorted for each page
        ask = (
            f"SELECT rowid, chain, seq, kind, at_us, body, hash FROM entries WHERE rowid > ? AND +kind IN ({marks}) ORDER BY rowid LIMIT ?"  # noqa: S608 - marks only
        )
        while True:
            rows = self._rows(ask, (self.place.row, *self._kinds, PAGE))
            for row, chain, seq, kind, at, body, hash_ in rows:
                self.place = Place(row, hash_)
                yield Entry(chain, seq, EntryKind(kind), at, body, hash_)
            if len(rows) < PAGE:
                return

    def _rows(self, ask: str, values: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = self._connection.cursor().execute(ask, values).fetchall()
        except sqlite3.Error as error:
            raise self._database.worded(error) from error
        return rows
