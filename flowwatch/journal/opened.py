"""A journal that the service reads: opened when somebody asks, not there before it was written, opened anew when another file took its place."""

from __future__ import annotations

import threading
from pathlib import Path

from flowwatch.core.entries import Entry
from flowwatch.journal import Journal
from flowwatch.journal.follower import inode_of
from flowwatch.journal.pages import Mark, Sought


class Opened:
    """The journal or the book of handling at `path`. For several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal: Journal | None = None
        self._inode = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._leave()

    @property
    def journal(self) -> Journal | None:
        """The journal, None before there is one. Raises `JournalError`. One that was replaced by a rebuild is opened anew."""
        with self._lock:
            return self._opened()

    def page(self, sought: Sought, after: Mark | None, limit: int, *, newest: bool) -> tuple[list[Entry], Mark | None]:
        """A page of it; an empty one before there is a file."""
        journal = self.journal
        return ([], after) if journal is None else journal.page(sought, after, limit, newest=newest)

    def _opened(self) -> Journal | None:
        inode = inode_of(self.path)
        if not inode:
            self._leave()
            return None
        if self._journal is None or inode != self._inode:
            self._leave()
            self._journal, self._inode = Journal.open(self.path, create=False), inode
        return self._journal

    def _leave(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = None
        self._forget()

    def _forget(self) -> None:
        """Drop what was remembered of the file that is left."""
