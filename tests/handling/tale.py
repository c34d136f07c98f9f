"""A journal told by a test: incidents of a site, entry by entry, as an engine would write them; and a desk that stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.documents.alarms import Alarms
from flowwatch.handling.desk import Desk
from flowwatch.handling.records import Alert, Step, read
from flowwatch.handling.settings import Settings
from flowwatch.handling.telling import Naming
from flowwatch.journal import Journal

SECOND = 1_000_000
START = 1_790_834_400 * SECOND


@dataclass
class Tale:
    """What an engine says of one site. Each word of it is an entry `at` seconds after `START`."""

    site: str = "yuyuan"
    entries: list[Entry] = field(default_factory=list)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def says(
        self, incident: str, state: str, at: float, *, what: str = "gate_lost", subject: str = "gate/g", level: str | None = None, **more: Any
    ) -> Entry:  # fmt: skip
        name, us = f"{self.site}-{incident}", START + round(at * SECOND)
        told = self.known.setdefault(name, {"what": what, "subject": subject, "since_us": us})
        cause = {"tick_us": us, "action": more.pop("action", None), "estimate": None, "term": more.pop("term", None)}
        body = {"site": self.site, "incident": name, "state": state, "level": level, "cause": cause, "headline": None, "instruction": None}
        body |= {"reason": None, "detail": None} | told | more
        return self._add(EntryKind.INCIDENT, us, body)

    def records(self, action: str, by: str, at: float) -> Entry:
        """An operator's record."""
        us = START + round(at * SECOND)
        return self._add(
            EntryKind.ACTION, us, {"site": self.site, "action": action, "record": {"by": by}, "accepted": True, "refused": None}
        )

    def _add(self, kind: EntryKind, us: int, body: Mapping[str, Any]) -> Entry:
        data = canonical(dict(body))
        previous = self.entries[-1].hash if self.entries else GENESIS
        entry = Entry(self.site, len(self.entries) + 1, kind, us, data, link(previous, kind, us, data))
        self.entries.append(entry)
        return entry

    def write(self, path: Path) -> None:
        """Put all of it into the journal; what is there is passed over."""
        with Journal.open(path) as journal:
            journal.append(self.entries)


class Clock:
    """A clock that a test sets, in seconds after `START`."""

    def __init__(self) -> None:
        self.us = START

    def __call__(self) -> int:
        return self.us

    def at(self, seconds: float) -> None:
        self.us = START + round(seconds * SECOND)


@dataclass
class Room:
    """A folder with a journal, a book and desks that come and go."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=lambda: Settings.of(Alarms()))

    @property
    def journal(self) -> Path:
        return self.root / "journal.db"

    @property
    def book(self) -> Path:
        return self.root / "handling.db"

    def desk(self, naming: Naming | None = None) -> Desk:
        desk = Desk(
            self.journal, self.book, self.settings, lambda site, version: None, self.clock, kept=self.root / "kept", naming=naming
        )  # fmt: skip
        desk.start()
        return desk

    def said(self, chain: str = "yuyuan") -> list[Alert | Step]:
        """What stands in the book."""
        with Journal.open(self.book, create=False) as journal:
            return [read(entry) for entry in journal.entries(chain)]

    def alerts(self, chain: str = "yuyuan") -> list[Alert]:
        return [said for said in self.said(chain) if isinstance(said, Alert)]

    def steps(self, chain: str = "yuyuan") -> list[Step]:
        return [said for said in self.said(chain) if isinstance(said, Step)]
