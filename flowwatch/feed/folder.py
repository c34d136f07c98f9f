"""CAP files in a folder, for systems that fetch files: each message under its identifier, and `atom.xml` that lists the newest.

A file appears whole under its name or not at all, and the index last, so that whatever it lists is there.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flowwatch.feed.atom import MOST
from flowwatch.feed.cap import Speaker
from flowwatch.feed.caps import Caps
from flowwatch.feed.messages import Message
from flowwatch.journal import Journal
from flowwatch.journal.tables import site_of

INDEX: Final = "atom.xml"
Documents = dict[str, dict[str, Any]]
"""Compiled sites by name."""


class CapFolder:
    """A folder that is kept up with the book of handling: of one `site` or all, from `since_us` (microseconds) or the beginning on."""

    def __init__(
        self,
        folder: Path,
        book: Journal,
        speaker: Speaker,
        documents: Callable[[], Documents],
        site: str | None = None,
        since_us: int | None = None,
    ) -> None:
        """`documents` gives every site's newest document; it is asked when there is something to write."""
        self._folder, self._site, self._since_us = folder, site, since_us
        self._documents, self._known = documents, Documents()
        self._caps = Caps(lambda: book, self._known.get, speaker)
        self._newest: deque[Message] = deque(maxlen=MOST)
        self._place: int | None = None

    def write(self) -> tuple[int, int]:
        """Bring the folder up to now: how many files were written, and how many were there already. Raises `JournalError`, `OSError`."""
        told = self._caps.messages.behind(self._place or 0)
        chosen = [one for one in told if self._wanted(one)]
        if chosen:
            self._known.update(self._documents())
        written = sum(_put(self._folder / f"{one.identifier}.xml", self._caps.file(one)) for one in chosen)
        self._newest.extendleft(chosen)
        if chosen or self._place is None:
            _put(self._folder / INDEX, self._caps.folder(list(self._newest), self._site, INDEX))
        self._place = (self._place or 0) + len(told)
        return written, len(chosen) - written

    def _wanted(self, one: Message) -> bool:
        if site_of(one.chain) is None or self._site not in (None, one.chain):
            return False
        return self._since_us is None or one.at_us >= self._since_us


def _put(path: Path, data: bytes) -> bool:
    """Write the file unless it is there and the same; whether it was written."""
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return True
