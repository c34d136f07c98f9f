"""What a listener missed, read back from the files in pages, from any place on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Entry
from flowwatch.feed.frames import DECIDED, HANDLED, Frame, of_entry
from flowwatch.feed.merged import merged
from flowwatch.feed.places import Places, fits
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place

PAGE: Final = 200


class Reader:
    """One listener's way from a place to the end. One thread at a time. Any method raises `JournalError` if a file fails."""

    def __init__(self, journal: Path, handling: Path, begin: Places, kinds: frozenset[str]) -> None:
        self.whole = True
        """Whether both places are known; from one that is not, nothing is read back."""
        self._begin = begin
        self._files = {
            journal: (begin.journal, [kind for kind in DECIDED if kind.value in kinds]),
            handling: (begin.handling, [kind for kind in HANDLED if kind.value in kinds]),
        }
        self._followers: dict[Path, Follower | None] = dict.fromkeys(self._files)
        self._entries: Iterator[tuple[Entry, Places]] | None = None
        self._open()
        self.whole = self.whole and all(follower or self._files[path][0] == BEGINNING for path, follower in self._followers.items())

    def close(self) -> None:
        """Give the files back."""
        for follower in self._followers.values():
            if follower is not None:
                follower.close()

    def page(self) -> list[Frame]:
        """The next events, fewer than `PAGE` where there are no more now. Asked again, it gives what has come since."""
        if self._entries is None:
            self._open()
            journal, handling = self._followers.values()
            self._entries = merged(journal, handling, self._begin)
        found = [of_entry(entry, places) for entry, places in islice(self._entries, PAGE)]
        if len(found) < PAGE:
            self._entries = None
        return found

    def _open(self) -> None:
        """Open what is there and was not there before."""
        try:
            for path, (place, kinds) in self._files.items():
                if self._followers[path] is None and path.exists():
                    self._followers[path] = follower = Follower.open(path, BEGINNING, kinds)
                    self._find(follower, place)
        except JournalError:
            self.close()
            raise

    def _find(self, follower: Follower, place: Place) -> None:
        if not fits(follower, place):
            self.whole = False
            follower.skip()
        elif place.row:
            follower.place = Place(place.row, follower.hash_at(place.row) or b"")
