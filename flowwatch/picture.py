"""What stands now, drawn from the journal: each site's stages, gates, devices, tasks and open incidents.

The journal tells changes; this remembers the last of each. A site's chain is read once, backwards, so that only the last word on each thing need be
read out, and then only from where it was left, when somebody asks: the picture is as new as the journal. It holds what entries said and adds nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from flowwatch.core.entries import Entry, EntryKind, Estimate
from flowwatch.journal import Journal
from flowwatch.journal.export import body_of, iso, with_times
from flowwatch.journal.opened import Opened

LOG: Final = logging.getLogger(__name__)
Body = dict[str, Any]
OUTCOMES_KEPT: Final = 1_000
"""How many operators' records of a site are remembered with what became of them."""


class _Words(msgspec.Struct):
    zh: str
    en: str


class _Transition(msgspec.Struct):
    plan: str
    to: str | None


class _Command(msgspec.Struct):
    gate: str
    mode: str
    revision: int


class _Device(msgspec.Struct):
    device: str
    name: str


class _Incident(msgspec.Struct):
    site: str
    incident: str
    state: Literal["raised", "updated", "cleared"]
    what: str
    subject: str
    since_us: int
    level: Literal["I", "II", "III", "IV"] | None
    reason: str | None
    headline: _Words | None
    instruction: _Words | None
    detail: dict[str, Any] | None


class _Action(msgspec.Struct):
    action: str


class _Document(msgspec.Struct):
    pass


_READ: Final = {
    kind: msgspec.json.Decoder(shape)
    for kind, shape in {
        EntryKind.TRANSITION: _Transition,
        EntryKind.COMMAND: _Command,
        EntryKind.DEVICE: _Device,
        EntryKind.INCIDENT: _Incident,
        EntryKind.ACTION: _Action,
        EntryKind.DOCUMENT: _Document,
    }.items()
}
"""What those who look at the picture count upon in a body of each kind; other kinds say nothing of what stands."""
CANNOT_READ: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding bytes can raise that somebody else may have written."""


class _Key(msgspec.Struct, frozen=True):
    """What an entry is about, without the rest of it."""

    plan: str = ""
    gate: str = ""
    device: str = ""
    name: str = ""
    incident: str = ""


_KEY: Final = msgspec.json.Decoder(_Key)


def _key(kind: str, seq: int, body: bytes) -> tuple[str, ...]:
    """What an entry is about, so that the last word on it counts. Raises `CANNOT_READ`."""
    found = _KEY.decode(body)
    match kind:
        case EntryKind.TRANSITION:
            return "plan", found.plan
        case EntryKind.COMMAND:
            return "gate", found.gate
        case EntryKind.DEVICE:
            return "device", found.device, found.name
        case EntryKind.INCIDENT:
            return "incident", found.incident
        case EntryKind.DOCUMENT:
            return ("document",)
        case _:
            return "action", str(seq)


@dataclass(slots=True)
class Standing:
    """What stands at one site; every body is a journal entry's with its `id` and `at_us`."""

    seq: int = 0
    stages: dict[str, Body] = field(default_factory=dict)
    gates: dict[str, Body] = field(default_factory=dict)
    devices: dict[tuple[str, str], Body] = field(default_factory=dict)
    incidents: dict[str, Body] = field(default_factory=dict)
    actions: dict[str, Body] = field(default_factory=dict)
    document: Body | None = None

    def take(self, entry: Entry) -> None:
        """Go on by one entry. One that cannot be read is passed over: what came before it stands."""
        self.seq = entry.seq
        if entry.kind not in _READ:
            return
        try:
            _READ[entry.kind].decode(entry.body)
        except CANNOT_READ as error:
            LOG.error("%s: an entry that cannot be read (%s); passed over", entry.id, error)  # noqa: TRY400 - the sentence says it
            return
        self._take(entry.kind, msgspec.json.decode(entry.body) | {"id": entry.id, "at_us": entry.at})

    def _take(self, kind: EntryKind, body: Body) -> None:
        match kind:
            case EntryKind.TRANSITION:
                if body["to"] is None:
                    self.stages.pop(body["plan"], None)
                else:
                    self.stages[body["plan"]] = body
            case EntryKind.COMMAND:
                self.gates[body["gate"]] = body
            case EntryKind.DEVICE:
                self.devices[body["device"], body["name"]] = body
            case EntryKind.INCIDENT:
                if body["state"] == "cleared":
                    self.incidents.pop(body["incident"], None)
                else:
                    self.incidents[body["incident"]] = body
            case EntryKind.ACTION:
                self.actions[body["action"]] = body
                while len(self.actions) > OUTCOMES_KEPT:
                    del self.actions[next(iter(self.actions))]
            case EntryKind.DOCUMENT:
                self.document = body
            case _:
                pass

    @classmethod
    def of(cls, journal: Journal, site: str) -> Standing:
        """What stands after all entries of a site: as if each had been taken, in the order in which each thing first came up."""
        newest: dict[tuple[str, ...], tuple[int, str, int, bytes]] = {}
        first: dict[tuple[str, ...], int] = {}
        last = actions = 0
        for row in journal.backwards(site):
            seq, kind, _, body = row
            last = last or seq
            actions += kind == EntryKind.ACTION
            if kind not in _READ or (kind == EntryKind.ACTION and actions > OUTCOMES_KEPT):
                continue
            try:
                key = _key(kind, seq, body)
                if key not in newest:
                    _READ[EntryKind(kind)].decode(body)
            except CANNOT_READ as error:
                LOG.error("%s-%d: an entry that cannot be read (%s); passed over", site, seq, error)  # noqa: TRY400 - the sentence says it
                continue
            newest.setdefault(key, row)
            first[key] = seq
        made = cls()
        for key in sorted(first, key=first.__getitem__):
            seq, kind, at, body = newest[key]
            made.take(Entry(site, seq, EntryKind(kind), at, body, b""))
        made.seq = last
        return made

    def copied(self) -> Standing:
        """The same, for another thread to keep."""
        return Standing(
            self.seq, dict(self.stages), dict(self.gates), dict(self.devices), dict(self.incidents), dict(self.actions), self.document
        )


class Picture(Opened):
    """The picture of one journal; without a journal yet, an empty one. For several threads."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal)
        self._sites: dict[str, Standing] = {}

    def site(self, name: str) -> Standing:
        """What stands at the site now. Raises `JournalError`."""
        with self._lock:
            return self._brought(name).copied()

    def outcome(self, site: str, action: str) -> Body | None:
        """What the journal says of an operator's record; None while it says nothing."""
        with self._lock:
            return self._brought(site).actions.get(action)

    def _brought(self, name: str) -> Standing:
        """The site's picture, brought up to now."""
        journal = self._opened()
        if name not in self._sites:
            self._sites[name] = Standing() if journal is None else Standing.of(journal, name)
        standing = self._sites[name]
        if journal is not None:
            for entry in journal.entries(name, after_id=f"{name}-{standing.seq}" if standing.seq else None):
                standing.take(entry)
        return standing

    def incidents(self, name: str) -> list[Body]:
        """The site's open incidents, the oldest first."""
        return sorted(self.site(name).incidents.values(), key=lambda body: (body["since_us"], body["incident"]))

    def newest_documents(self) -> str | None:
        """The id of the newest entry that tells of documents: another one, and documents have changed."""
        journal = self.journal
        entry = None if journal is None else next(journal.entries(kind=EntryKind.DOCUMENT, limit=1, newest=True), None)
        return None if entry is None else entry.id

    def minute(self, site: str) -> Estimate | None:
        """The site's newest estimate."""
        journal = self.journal
        return None if journal is None else journal.estimate_before(site, 2**62)

    def _forget(self) -> None:
        self._sites.clear()


def told(body: Body, *keys: str) -> Body:
    """These keys of an entry's body, moments as text."""
    found: Body = with_times({key: body[key] for key in keys})
    return found


def people(estimate: Estimate | None) -> tuple[str | None, str | None, Body]:
    """(when, stage, zone -> figures) of an estimate."""
    if estimate is None:
        return None, None, {}
    body = msgspec.json.decode(estimate.body)
    return iso(estimate.at), body["stage"], body["zones"]


def plain_page(entries: list[Entry]) -> Iterator[Body]:
    """Entries as the API gives them: with id, chain's site, kind, time and body, None where that was damaged on the disk."""
    for entry in entries:
        body = with_times(body_of(entry))
        yield {"id": entry.id, "kind": entry.kind.value, "at": iso(entry.at), "hash": entry.hash.hex(), "body": body}
