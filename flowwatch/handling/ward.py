"""What the desk knows of one site: its open incidents, what ended lately, what sounded lately, and what people put aside.

Folded from the chain of the site in the book (`take`), in its order, and from nothing else. Told to a file it can be taken up again (`Ward` is plain
data), so that a start reads no year of records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from msgspec import Struct, field
from msgspec.structs import replace

from flowwatch.core.entries import Entry
from flowwatch.handling.incident import FOREVER_US, Incident, after_alert, after_step, begun
from flowwatch.handling.kinds import Own
from flowwatch.handling.load import WINDOW_US
from flowwatch.handling.readable import readable_one
from flowwatch.handling.records import FLOWWATCH, SHOWN, Act, Alert, Handling, Shown, Step

REMEMBERED_US: Final = 3_600 * 1_000_000
"""How long an incident that ended is remembered, for one that comes back: longer than any `returns_within` that helps."""
CLOSED_KEPT: Final = 20
"""Closed incidents of a site that can still be noted on."""


LONGEST_NUMBER: Final = 18
"""Digits that a number of an entry has at most: one more is still one."""


class Ended(Struct, frozen=True):
    """The last end of one thing: when, how urgent it was, and as which incident."""

    at_us: int
    priority: str | None
    incident: str
    sounded: bool
    """Whether people had heard of it."""


class Shelf(Struct, frozen=True):
    """What a person shelved: until when, and how urgent it was then. What comes again more urgent is not what was shelved."""

    until_us: int
    priority: str | None


class Ward(Struct, kw_only=True):
    """The state of one chain of the book."""

    site: str
    seq: int = 0
    """The last record that was taken."""
    told: int = 0
    """The number, in the journal's chain, of the last entry that was told."""
    told_hash: bytes = b""
    """Its hash: the same number in another journal is another entry."""
    own: int = 0
    """How many incidents the desk raised itself."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    closed: dict[str, Incident] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    """"what/subject" -> its last end."""
    sounded: list[int] = field(default_factory=list)
    """When alerts sounded in the last ten minutes."""
    gathered: list[int] = field(default_factory=list)
    """When alerts were gathered by the flood in the last ten minutes."""
    shelved: dict[str, Shelf] = field(default_factory=dict)
    """"what/subject" -> until when it is shelved, also if it ends and comes again."""
    maintained: dict[str, int] = field(default_factory=dict)
    """Subject -> until when it is under maintenance."""

    @classmethod
    def of(cls, site: str, entries: Iterable[Entry]) -> Self:
        """What these records of a chain say, in their order."""
        made = cls(site=site)
        for entry in entries:
            made.take(entry)
        return made

    def take(self, entry: Entry) -> Incident | None:
        """Go on by one record; the incident that it is about, as it is then."""
        self.seq = entry.seq
        said = readable_one(entry)
        if said is None:
            return None
        return self._alert(said, entry) if isinstance(said, Alert) else self._step(said, entry.at)

    def find(self, name: str) -> Incident | None:
        """An open incident, or one that was closed lately."""
        return self.incidents.get(name) or self.closed.get(name)

    def own_open(self, what: Own) -> Incident | None:
        """The desk's own incident of a kind that is active, if there is one."""
        return next((i for i in self.incidents.values() if i.what == what and i.active), None)

    def children(self, parent: str) -> list[Incident]:
        """The active incidents that another stands for."""
        return [i for i in self.incidents.values() if i.parent == parent and i.active]

    def _alert(self, alert: Alert, entry: Entry) -> Incident:
        at, number = entry.at, _number_of(alert)
        if number is not None and alert.entry is not None:
            self.told, self.told_hash = number, bytes.fromhex(alert.entry_hash or "")
        elif number is not None and alert.incident not in self.incidents:
            self.own = max(self.own, number)
        self.forget(at)
        if alert.shown in SHOWN:
            self.sounded.append(at)
        elif alert.shown is Shown.FLOOD:
            self.gathered.append(at)
        present = self.incidents.get(alert.incident)
        new = present is None or alert.state == "raised"  # raised again under an old name: another journal tells of another thing
        made = begun(alert, entry.id, at) if new or present is None else after_alert(present, alert, entry.id, at)
        if alert.shown is Shown.SHELVED and present is None:
            shelf = self.shelved.get(key(alert.what, alert.subject))
            made = replace(made, shelved_until=FOREVER_US if shelf is None else shelf.until_us)
        if alert.shown in (Shown.PARENT, Shown.GROUP, Shown.FLOOD):
            made = replace(made, parent=alert.parent)
        if alert.state == "cleared":
            self.ended[key(alert.what, alert.subject)] = Ended(at, made.priority, made.name, made.sounded)
            made = replace(made, parent=None)
        return self._keep(made)

    def _step(self, step: Step, at: int) -> Incident | None:
        incident = self.find(step.incident)
        if incident is None:
            return None
        if step.act is Act.SHELVE and step.until_us is not None:
            self.shelved[key(*incident.key)] = Shelf(step.until_us, incident.priority)
        elif step.act in (Act.UNSHELVE, Act.REOPEN):
            self.shelved.pop(key(*incident.key), None)
        elif step.act is Act.MAINTAIN and step.until_us is not None:
            self.maintained[incident.subject] = step.until_us
        elif step.act is Act.RESTORE:
            self.maintained.pop(incident.subject, None)
        if step.act is Act.REOPEN and step.by == FLOWWATCH:
            self.maintained.pop(incident.subject, None)
        if step.act is Act.UNSUPPRESS and step.detail is not None and step.detail.get("sounds"):
            self.sounded.append(at)
        return self._keep(after_step(incident, step, at))

    def _keep(self, incident: Incident) -> Incident:
        self.incidents.pop(incident.name, None)
        self.closed.pop(incident.name, None)
        if incident.handling is Handling.CLOSED:
            self.closed[incident.name] = incident
            while len(self.closed) > CLOSED_KEPT:
                del self.closed[next(iter(self.closed))]
        else:
            self.incidents[incident.name] = incident
        return incident

    def forget(self, now_us: int) -> None:
        """Let go of what happened too long ago to matter."""
        if self.sounded:
            self.sounded = [at for at in self.sounded if abs(now_us - at) < WINDOW_US]
        if self.gathered:
            self.gathered = [at for at in self.gathered if abs(now_us - at) < WINDOW_US]
        if self.shelved:
            self.shelved = {k: shelf for k, shelf in self.shelved.items() if shelf.until_us > now_us}
        if self.maintained:
            self.maintained = {k: until for k, until in self.maintained.items() if until > now_us}
        if len(self.ended) > CLOSED_KEPT:
            self.ended = {k: e for k, e in self.ended.items() if e.at_us > now_us - REMEMBERED_US}


def _number_of(alert: Alert) -> int | None:
    """The number of the journal's entry that an alert tells of, or of the desk's own among those; None where it was altered and has none."""
    number = alert.incident.rpartition("-h")[2] if alert.entry is None else alert.entry.rpartition("-")[2]
    return int(number) if number.isdecimal() and len(number) <= LONGEST_NUMBER else None


def key(what: str, subject: str) -> str:
    """What an incident is about, in one text."""
    return f"{what}/{subject}"
