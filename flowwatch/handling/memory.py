"""What the desk knows, kept in a file, so that a start reads no year of records: a shortcut and never evidence.

It is taken only where the book still holds the very entries behind which it was made; else the book is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flowwatch.handling.ward import Ward
from flowwatch.journal import Head, Journal
from flowwatch.journal.follower import Place
from flowwatch.log.disk import replace_file

FORM: Final = 3
"""Of the file below; one of another form is passed over."""


class Memory(Struct, kw_only=True):
    """All wards, the heads of the book that they were folded up to, and how far the journal was read then."""

    form: int = FORM
    heads: dict[str, Head]
    row: int
    hash: bytes
    wards: dict[str, Ward]

    @property
    def place(self) -> Place:
        """How far the journal was read."""
        return Place(self.row, self.hash)


def keep(path: Path, heads: Mapping[str, Head], place: Place, wards: Mapping[str, Ward]) -> None:
    """Put it at `path`, whole or not at all. Raises `DiskRefused`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    memory = Memory(heads=dict(heads), row=place.row, hash=place.hash, wards=dict(wards))
    replace_file(path, [msgspec.msgpack.encode(memory)])


def recall(path: Path, book: Journal) -> Memory | None:
    """What was kept, if it fits the book; None else."""
    try:
        found = msgspec.msgpack.decode(path.read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return found if found.form == FORM and not book.behind(found.heads) else None
