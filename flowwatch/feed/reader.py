"""What a listener missed, read back from the files in pages, from any place on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.feed.frames import DECIDED, HANDLED, Frame, of_entry
from flowwatch.feed.merged import merged
from flowwatch.feed.places import NOWHERE, Places, Told, find
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower

PAGE: Final = 200


class Reader:
    """One listener's way from a place to the end. One thread at a time. Any method raises `JournalError` if a file fails."""

    def __init__(self, journal: Path, handling: Path, begin: Told, kinds: frozenset[str]) -> None:
        self.whole = True
        """Whether both places are known; from one that is not, nothing is read back."""
        self._begin = begin
        self._paths = journal, handling
        self._kinds = tuple([kind for kind in of if kind.value in kinds] for of in (DECIDED, HANDLED))
        self._journal: Follower | None = None
        self._handling: Follower | None = None
        self._file = 0
        self._entries: Iterator[tuple[Entry, Places]] | None = None
        self._open()
        opened = self._journal is not None, self._handling is not None
        if not all(there or told == NOWHERE for there, told in zip(opened, (begin.journal, begin.handling), strict=True)):
            self.whole = False

    def close(self) -> None:
        """Give the files back."""
        for follower in (self._journal, self._handling):
            if follower is not None:
                follower.close()

    def page(self) -> list[Frame]:
        """The next events, fewer than `PAGE` where there are no more now. Asked again, it gives what has come since."""
        if self._entries is None:
            self._open()
            self._entries = merged(self._journal, self._handling, Places(file=self._file))
        found = [of_entry(entry, places) for entry, places in islice(self._entries, PAGE)]
        if len(found) < PAGE:
            self._entries = None
        return found

    def _open(self) -> None:
        """Open what is there and was not there before."""
        try:
            if self._journal is None and self._paths[0].exists():
                self._file = self._paths[0].stat().st_ino
                self._journal = self._opened(self._paths[0], self._begin.journal, self._kinds[0], self._file)
            if self._handling is None and self._paths[1].exists():
                self._handling = self._opened(self._paths[1], self._begin.handling, self._kinds[1], 0)
        except JournalError:
            self.close()
            raise

    def _opened(self, path: Path, told: tuple[int, bytes], kinds: list[EntryKind], file: int) -> Follower | None:
        try:
            follower = Follower.open(path, BEGINNING, kinds)
        except JournalError:
            if told == NOWHERE:
                return None  # it may be in the making; the hub reads it, too, and says when it cannot
            raise
        place = find(follower, told, file)
        if place is None:
            self.whole = False
            follower.skip()
        else:
            follower.place = place
        return follower
