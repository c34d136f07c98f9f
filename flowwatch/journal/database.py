"""The file behind a journal: how it is opened, how writers share it, and what its failures mean in words.

SQLite in WAL mode with synchronous=FULL: a commit that returned survives a power cut. Several processes write one file; each takes the
write lock at the beginning of its transaction (BEGIN IMMEDIATE), so that a transaction that has begun to read never has to give way to
another writer, and waits for the lock rather than fail. Knows nothing of chains and bodies.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

REBUILD: Final = "`flowwatch journal rebuild`"

BUSY_MS: Final = 5_000
"""How long SQLite itself waits for another writer's transaction, which takes milliseconds."""

PATIENCE_S: Final = 30.0
"""How long a write is tried again when the file stays locked: longer than any checkpoint of the WAL that was seen (0.3 s for 40 MB)."""

PAUSE_S: Final = 0.01

T = TypeVar("T")


class JournalError(Exception):
    """The journal cannot be opened, read or written. The text says where, what was found and what was expected."""


class Database:
    """An open database with a name for messages; `write` and `reading` are the only two ways in."""

    def __init__(self, target: str | Path, *, create: bool) -> None:
        url = _url(target)
        self.path = Path(url.database or "")
        self.where = str(self.path)
        self._check_path(create=create)
        self.engine = _engine(url)
        self._writing = self.engine.execution_options(immediate=True)

    def write(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction that holds the write lock: all of it is kept, or nothing. `work` may be called again."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._writing.begin() as connection:
                    return work(connection)
            except (DBAPIError, sqlite3.Error) as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise self.worded(error) from error
            time.sleep(PAUSE_S)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the journal as it was at its first statement, however long it takes and whoever writes meanwhile."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except (DBAPIError, sqlite3.Error) as error:
            raise self.worded(error) from error

    def close(self) -> None:
        """Give back every connection; the last process to close folds the WAL into the file."""
        self.engine.dispose()

    def worded(self, error: DBAPIError | sqlite3.Error) -> JournalError:
        """`error` as a sentence: where, what, and what to do."""
        text = _SENTENCES.get(_code(error), "the database refused the operation")
        cause = _cause(error)
        return JournalError(f"{self.where}: {text} (SQLite: {getattr(cause, 'sqlite_errorname', type(cause).__name__)}, {cause})")

    def _check_path(self, *, create: bool) -> None:
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            if not create:
                raise JournalError(f"{self.where}: no journal; `flowwatch run` begins one, {REBUILD} makes one from the log") from None
            if not self.path.parent.is_dir():
                raise JournalError(f"{self.where}: the folder {self.path.parent} does not exist") from None
        except OSError as error:
            raise JournalError(f"{self.where}: cannot be opened ({error.strerror})") from error
        else:
            if not stat.S_ISREG(mode):
                raise JournalError(f"{self.where}: is a folder or a device, expected a file")


def install(new: str | Path, at: str | Path) -> Path | None:
    """Put the closed journal `new` in the place of `at`, in one step; the old file is kept beside it, and its path returned.

    The write-ahead log of either is folded in first: one left beside a replaced file would be applied to the wrong database. What SQLite
    leaves of the WAL of a file that it cannot open moves with that file. No process may have either open (hold the log's lock).
    Raises `JournalError` if the new journal cannot be finished, `OSError` from the file system.
    """
    new, at = Path(new), Path(at)
    _fold(new)
    _refuse_if_held(new)
    kept: Path | None = None
    if at.exists():
        damaged = False
        try:
            _fold(at)
        except JournalError:
            damaged = True
        if not damaged:
            _refuse_if_held(at)
        kept = _unused(at)
        os.link(at, kept)
        _move_beside(at, kept)
    new.replace(at)
    folder = os.open(at.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def _fold(path: Path) -> None:
    """Read anything and close: the last to close folds the WAL in and removes it."""
    database = Database(path, create=False)
    try:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    finally:
        database.close()


def _refuse_if_held(path: Path) -> None:
    if Path(f"{path}-wal").exists():
        raise JournalError(f"{path}: another process has it open (its -wal file stays); stop `flowwatch run` first")


def _move_beside(path: Path, kept: Path) -> None:
    for suffix in ("-wal", "-shm"):
        if (beside := Path(f"{path}{suffix}")).exists():
            beside.replace(f"{kept}{suffix}")


def _unused(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    return kept


def _url(target: str | Path) -> URL:
    if isinstance(target, str) and "://" in target:
        try:
            url = make_url(target)
        except ArgumentError as error:
            raise JournalError(f"{target}: not a database URL ({error}); expected a file's path or sqlite:///path") from error
        if url.get_backend_name() != "sqlite":
            raise JournalError(
                f"{target}: journals on {url.get_backend_name()} are not supported, expected a file's path or sqlite:///path"
            )
        return url
    return URL.create("sqlite", database=str(target))


def _engine(url: URL) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own; `begun` below does
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _patiently(step: Callable[[], Any]) -> None:
    """Turning a new file to WAL needs it alone, and SQLite does not wait for that: two processes that open it at once would fail."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            step()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _cause(error: DBAPIError | sqlite3.Error) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _code(error: DBAPIError | sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return int(getattr(_cause(error), "sqlite_errorcode", 0)) & 0xFF


_SENTENCES: Final = {
    sqlite3.SQLITE_FULL: "no space left on the disk; nothing of this write was kept. Free some and start again",
    sqlite3.SQLITE_READONLY: "the file or its folder may not be written; expected both to be writable by the user who runs flowwatch",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; expected a folder that exists and that this user may read and write",
    sqlite3.SQLITE_PERM: "this user may not open it",
    sqlite3.SQLITE_NOTADB: f"not a database, expected a flowwatch journal; if it was one, move it away and run {REBUILD}",
    sqlite3.SQLITE_CORRUPT: f"the database is damaged; keep a copy of the file and run {REBUILD}",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it, or is full; nothing of this write was kept",
    sqlite3.SQLITE_BUSY: f"locked by another process for more than {PATIENCE_S:.0f} s; find who holds it (`fuser`, `lsof`)",
}
