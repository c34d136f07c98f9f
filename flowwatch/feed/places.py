"""How far a listener has read, as a text: `j123.1f2e3d4c-h45.9a8b7c6d`. It is the id of an event, and `?since=` takes it back.

Two places in one: behind row 123 of the journal and row 45 of the record of handling, each with the first bytes of that entry's hash. A journal
that was made anew numbers its rows anew; then the hash is another, and the place is told to be unknown rather than guessed at. `j0-h0` is before
everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from flowwatch.journal.follower import BEGINNING, Follower, Place

CHECKED: Final = 4
"""Bytes of the hash in the text: a place of another journal fits by chance once in four thousand million times."""
_TEXT: Final = re.compile(r"j(\d{1,18})(?:\.([0-9a-f]{8}))?-h(\d{1,18})(?:\.([0-9a-f]{8}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Places:
    """Behind these entries of the journal and of the record of handling. Read from a text, a hash has its first `CHECKED` bytes only."""

    journal: Place = BEGINNING
    handling: Place = BEGINNING

    def __str__(self) -> str:
        return f"j{_told(self.journal)}-h{_told(self.handling)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The places that a text says. Raises ValueError for another text."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(
                f'found "{text:.60}", expected the id of an event, such as j123.1f2e3d4c-h45.9a8b7c6d, or j0-h0 for the beginning'
            )
        return cls(_read(found[1], found[2]), _read(found[3], found[4]))


def fits(follower: Follower, place: Place) -> bool:
    """Whether the entry that a place stands behind is where it was; the follower's own place is left as it is."""
    if place.row == 0:
        return True
    found = follower.hash_at(place.row)
    return found is not None and bool(place.hash) and found.startswith(place.hash)


def _told(place: Place) -> str:
    return f"{place.row}.{place.hash[:CHECKED].hex()}" if place.row else "0"


def _read(row: str, hash_: str | None) -> Place:
    return Place(int(row), bytes.fromhex(hash_ or "")) if int(row) else BEGINNING
