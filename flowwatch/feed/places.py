"""How far a listener has read, as a text: `j123.1f2e3d4c-h45.9a8b7c6d`. It is the id of an event, and `?since=` takes it back.

Two places in one: behind row 123 of the journal and row 45 of the record of handling, each with a check of that entry's hash. A journal that was
made anew numbers its rows anew, and an entry may have the same number while others before it have not; so the journal's check depends on its file,
too, and a place of another one is told to be unknown rather than guessed at. The record of handling is never made anew. `j0-h0` is before everything.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from flowwatch.journal.follower import BEGINNING, Follower, Place

CHECKED: Final = 4
"""Bytes of a check: a place of another journal fits by chance once in four thousand million times."""
NOWHERE: Final = (0, b"")
_TEXT: Final = re.compile(r"j(\d{1,18})(?:\.([0-9a-f]{8}))?-h(\d{1,18})(?:\.([0-9a-f]{8}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Places:
    """Behind these entries of the journal, which is the file with that inode, and of the record of handling."""

    journal: Place = BEGINNING
    handling: Place = BEGINNING
    file: int = 0

    def __str__(self) -> str:
        return f"j{_text(told(self.journal, self.file))}-h{_text(told(self.handling))}"


@dataclass(frozen=True, slots=True)
class Told:
    """Places as a text says them: rows, each with its check."""

    journal: tuple[int, bytes] = NOWHERE
    handling: tuple[int, bytes] = NOWHERE

    def __str__(self) -> str:
        return f"j{_text(self.journal)}-h{_text(self.handling)}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The places that a text says. Raises ValueError for another text."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(
                f'found "{text:.60}", expected the id of an event, such as j123.1f2e3d4c-h45.9a8b7c6d, or j0-h0 for the beginning'
            )
        return cls(_read(found[1], found[2]), _read(found[3], found[4]))


def told(place: Place, file: int = 0) -> tuple[int, bytes]:
    """The row of a place, and its check."""
    if not place.row:
        return NOWHERE
    check = hashlib.blake2b(place.hash, digest_size=CHECKED, key=file.to_bytes(8, "big")).digest() if file else place.hash[:CHECKED]
    return place.row, check


def find(follower: Follower, given: tuple[int, bytes], file: int = 0) -> Place | None:
    """The place that was told, if it is one of what is followed (for the journal: of the file with this inode)."""
    row, _ = given
    hash_ = follower.hash_at(row) if row else None
    place = BEGINNING if hash_ is None else Place(row, hash_)
    return place if told(place, file) == given else None


def _text(said: tuple[int, bytes]) -> str:
    return f"{said[0]}.{said[1].hex()}" if said[0] else "0"


def _read(row: str, check: str | None) -> tuple[int, bytes]:
    return (int(row), bytes.fromhex(check or "")) if int(row) else NOWHERE
