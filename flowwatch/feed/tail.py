"""The end of a file that grows: a journal that may not be there yet, and that may be replaced by one made anew while it is read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from flowwatch.core.entries import EntryKind
from flowwatch.journal.follower import BEGINNING, Follower, inode_of


class Tail:
    """Follows a journal from where it ends when this first looks; one that comes later, from its beginning. For one thread."""

    def __init__(self, path: Path, kinds: Sequence[EntryKind]) -> None:
        self.path, self._kinds = path, kinds
        self.follower: Follower | None = None
        self.inode = 0
        self.place = BEGINNING
        """Where it goes on when it is opened anew."""
        self._looked = False

    def look(self) -> bool:
        """Open what is there; whether it is another file than was followed before. Raises `JournalError` for one that cannot be read."""
        inode = inode_of(self.path)
        if not inode:
            self._looked = True
            return False
        if self.follower is not None and inode == self.inode:
            return False
        self.leave()
        follower = Follower.open(self.path, self.place, self._kinds)
        goes_on = not self.inode or (inode == self.inode and follower.fits())
        if not self._looked or not goes_on:
            follower.skip()
        self.follower, self.inode, self._looked = follower, inode, True
        return not goes_on

    def leave(self) -> None:
        """Give the file back; the place is kept."""
        follower, self.follower = self.follower, None
        if follower is not None:
            self.place = follower.place
            with contextlib.suppress(Exception):
                follower.close()
