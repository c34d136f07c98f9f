"""What a listener missed, read back from the files in pages, from any place on.

Between two pages nothing is open: a listener that takes its time costs a place and the page that it has, however many of them there are.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from flowwatch.feed.frames import DECIDED, HANDLED, Frame, of_entry
from flowwatch.feed.merged import merged
from flowwatch.feed.places import NOWHERE, Places, Told, find
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place, inode_of

PAGE: Final = 200


class Reader:
    """One listener's way from a place to the end. One thread at a time. `page` raises `JournalError` if a file fails."""

    def __init__(self, journal: Path, handling: Path, begin: Told, kinds: frozenset[str]) -> None:
        self.whole = True
        """Whether both places are known, so far as was looked; from one that is not, nothing is read back."""
        self.place = str(begin)
        """Behind the last event that was given."""
        self._kinds = tuple([kind for kind in of if kind.value in kinds] for of in (DECIDED, HANDLED))
        self._paths = journal, handling
        self._told = begin.journal, begin.handling
        self._at: list[Place | None] = [None, None]
        self._file = 0

    def page(self) -> list[Frame]:
        """The next events, fewer than `PAGE` where there are no more now. Asked again, it gives what has come since."""
        decided, handled = self._follow(0), None
        try:
            handled = self._follow(1)
            with closing(merged(decided, handled, Places(file=self._file))) as entries:
                found = list(islice(entries, PAGE))
            self._at = [at if f is None else f.place for f, at in zip((decided, handled), self._at, strict=True)]
        finally:
            for follower in (decided, handled):
                if follower is not None:
                    follower.close()
        if found:
            self.place = str(found[-1][1])
        return [of_entry(entry, places) for entry, places in found]

    def _follow(self, which: int) -> Follower | None:
        """The journal (0) or the record of handling (1), behind what was given of it; None where it is not there yet."""
        path, told, at = self._paths[which], self._told[which], self._at[which]
        inode = inode_of(path)
        if not inode:
            self.whole &= at is None and told == NOWHERE
            return None
        try:
            follower = Follower.open(path, BEGINNING if at is None else at, self._kinds[which])
        except JournalError:
            if at is None and told == NOWHERE:
                return None  # it may be in the making; the hub reads it, too, and says when it cannot
            raise
        try:
            if (known := self._known(which, follower, inode)) is None:
                self.whole = False
                follower.skip()
            else:
                follower.place = known
        except BaseException:
            follower.close()
            raise
        if not which:
            self._file = inode
        return follower

    def _known(self, which: int, follower: Follower, inode: int) -> Place | None:
        """Where to go on; None where the file is another than that of which it was told, or given."""
        at = self._at[which]
        if at is None:
            return find(follower, self._told[which], 0 if which else inode)
        same = which or inode == self._file
        return at if same and follower.fits() else None
