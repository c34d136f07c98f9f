"""The newest minute of every site, as estimates are written: what shows the state of a place now, and forgets what came before.

Estimates have no number of their own, so this asks for those behind the newest that was seen, and a little before it, because partitions are
journaled apart from each other. A site whose partition lags further than `LAG_US` is told again when it has caught up.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final, Self

from flowwatch.core.entries import Estimate
from flowwatch.journal.database import Database
from flowwatch.journal.journal import Journal

LAG_US: Final = 90 * 1_000_000


class Minutes:
    """One reader of a journal's estimates, for one thread. Raises `JournalError` if the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = database.engine.raw_connection()
        self._version = -1
        self._newest = -(2**62)
        self._told: dict[str, int] = {}

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read the journal at `path`. Raises `JournalError`, also if it is not there yet."""
        Journal.open(path, create=False).close()
        return cls(Database(path, create=False))

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
        self._database.close()

    def grew(self) -> bool:
        """Whether anything was written since this was last asked; true the first time."""
        ((version,),) = self._rows("PRAGMA data_version", ())
        changed, self._version = int(version) != self._version, int(version)
        return changed

    def new(self) -> list[Estimate]:
        """The newest estimate of each site that has one which was not told yet, by (at, site). The first time, of the last minutes."""
        if self._newest < 0:
            ((last,),) = self._rows("SELECT max(at_us) FROM estimates", ())
            if last is None:
                return []
            self._newest = int(last)
        rows = self._rows("SELECT at_us, site, body FROM estimates WHERE at_us > ? ORDER BY at_us", (self._newest - LAG_US,))
        found: dict[str, Estimate] = {}
        for at, site, body in rows:
            if at > self._told.get(site, -(2**62)):
                found[site] = Estimate(site, at, body)
                self._newest = max(self._newest, at)
        self._told |= {site: estimate.at for site, estimate in found.items()}
        return sorted(found.values(), key=lambda estimate: (estimate.at, estimate.site))

    def _rows(self, ask: str, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = self._connection.cursor().execute(ask, values).fetchall()
        except sqlite3.Error as error:
            raise self._database.worded(error) from error
        return rows
