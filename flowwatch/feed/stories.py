"""What people were told and did not bring to its end yet, drawn from the record of handling: each site's open incidents.

The record tells changes; this remembers the last alert and the last step of each incident that is open. A site's chain is read once, backwards, so
that only what is open need be read out, and then only from where it was left, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.feed.frames import told
from flowwatch.handling.records import Handling
from flowwatch.journal import Journal
from flowwatch.journal.opened import Opened


class _Key(msgspec.Struct, frozen=True):
    """What an entry is about, without the rest of it."""

    incident: str | None = None
    handling: str = Handling.NEW.value


_KEY: Final = msgspec.json.Decoder(_Key)


@dataclass(slots=True)
class Stories:
    """One site's incidents that are not closed, by name, up to entry `seq` of its chain: newest alert, newest step, and how far people are."""

    seq: int = 0
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, book: Journal, chain: str) -> Self:
        """What the whole chain says."""
        made, handled = cls(), dict[str, str | None]()
        for seq, kind, _, body in book.backwards(chain):
            made.seq = made.seq or seq
            key = _key(body)
            if key.incident is not None and handled.get(key.incident) is None:
                handled[key.incident] = key.handling if kind == EntryKind.HANDLING else None
        for name in reversed([name for name, handling in handled.items() if handling != Handling.CLOSED]):
            made._look(book, name)
        return made

    def go_on(self, book: Journal, chain: str) -> None:
        """What has come since."""
        new = list(book.entries(chain, after_id=f"{chain}-{self.seq}" if self.seq else None))
        if new:
            self.seq = new[-1].seq
        for name in dict.fromkeys(_key(entry.body).incident for entry in new):
            if name is not None:  # a shift that took over is about no incident
                self._look(book, name)

    def _look(self, book: Journal, name: str) -> None:
        """See how it is with an incident now."""
        last: dict[EntryKind, dict[str, Any]] = {e.kind: told(e) for e in _newest(e for e in book.about(name) if e.seq <= self.seq)}
        alert, step = last.get(EntryKind.ALERT), last.get(EntryKind.HANDLING)
        handling = Handling.NEW.value if step is None else (step["body"] or {}).get("handling", Handling.NEW.value)
        self.incidents.pop(name, None)
        if handling != Handling.CLOSED:
            self.incidents[name] = {"handling": handling, "alert": alert, "step": step}


def _key(body: bytes) -> _Key:
    try:
        return _KEY.decode(body)
    except msgspec.DecodeError:
        return _Key()  # it was damaged on the disk, and says nothing of any incident


def _newest(entries: Iterable[Entry]) -> Iterable[Entry]:
    """The last of each kind."""
    return {entry.kind: entry for entry in entries}.values()


class OpenStories(Opened):
    """The open incidents of one record of handling. For several threads. Raises `JournalError` if the file fails."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._sites: dict[str, Stories] = {}

    def site(self, chain: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Up to which entry of the chain this is, and its open incidents by name, the one last told of last."""
        with self._lock:
            book = self._opened()
            if book is None:
                return 0, {}
            if chain not in self._sites:
                self._sites[chain] = Stories.of(book, chain)
            stories = self._sites[chain]
            stories.go_on(book, chain)
            return stories.seq, dict(stories.incidents)

    def _forget(self) -> None:
        self._sites.clear()
