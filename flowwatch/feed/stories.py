"""What people were told and did not bring to its end yet, drawn from the record of handling: each site's open incidents.

The record tells changes; this remembers the last alert and the last step of each incident that is open. A site's chain is read once from its
beginning and then only from where it was left, when somebody asks.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.feed.frames import told
from flowwatch.handling.records import Handling
from flowwatch.journal import Journal


@dataclass(slots=True)
class Story:
    """An incident: its newest alert, the newest step taken (None where nobody took one), and how far people are with it."""

    alert: dict[str, Any] | None = None
    step: dict[str, Any] | None = None
    handling: str = Handling.NEW.value

    @property
    def over(self) -> bool:
        """Whether nobody has to do with it any more: it was closed, or nobody need answer it and its condition ended."""
        if self.handling == Handling.CLOSED.value:
            return True
        body = {} if self.alert is None else self.alert["body"]
        return self.step is None and body.get("priority") is None and body.get("state") == "cleared"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"handling": self.handling, "alert": self.alert, "step": self.step}


@dataclass(slots=True)
class Stories:
    """One site's incidents, by name, up to entry `seq` of its chain."""

    seq: int = 0
    incidents: dict[str, Story] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        """Go on by one entry."""
        self.seq = entry.seq
        said = told(entry)
        name = said["body"].get("incident")
        if not name:
            return  # a shift took over
        story = self.incidents.setdefault(name, Story())
        if entry.kind is EntryKind.ALERT:
            story.alert = said
        else:
            story.step, story.handling = said, said["body"]["handling"]
        if story.over:
            del self.incidents[name]


class OpenStories:
    """The open incidents of one record of handling. For several threads. Raises `JournalError` if the file fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal: Journal | None = None
        self._inode = 0
        self._sites: dict[str, Stories] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._leave()

    def site(self, chain: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Up to which entry of the chain this is, and its open incidents by name."""
        with self._lock:
            stories = self._sites.setdefault(chain, Stories()) if (journal := self._opened()) is not None else Stories()
            if journal is not None:
                for entry in journal.entries(chain, after_id=f"{chain}-{stories.seq}" if stories.seq else None):
                    stories.take(entry)
            return stories.seq, {name: story.plain() for name, story in stories.incidents.items()}

    def _opened(self) -> Journal | None:
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
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
        self._sites.clear()
