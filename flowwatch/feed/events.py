"""Journal and book as CloudEvents 1.0: one event for each entry, the same one whenever it is made again.

Its id is the entry's own, so whoever gets an event twice knows it; its data are the entry's, with moments as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling import runbooks
from flowwatch.journal.export import iso, with_times

MEDIA_TYPE: Final = "application/cloudevents+json"
PREFIX: Final = "cn.flowwatch."
STEMS: Final[Mapping[EntryKind, str]] = {
    EntryKind.ALERT: "alert",
    EntryKind.HANDLING: "handling",
    EntryKind.TRANSITION: "plan.transition",
    EntryKind.COMMAND: "gate.command",
    EntryKind.DEVICE: "device.command",
    EntryKind.TASK: "task",
}
"""The kinds of entry that become events, with the middle of their types."""
BOOK: Final = (EntryKind.ALERT, EntryKind.HANDLING)
JOURNAL: Final = tuple(kind for kind in STEMS if kind not in BOOK)


def event(entry: Entry, source: str, links: str | None) -> dict[str, Any]:
    """An entry as an event, JSON values. `source`: the installation, an address or URN; `links`: what links begin with, if they lead anywhere."""
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    data = with_times(body) | {"id": entry.id, "kind": entry.kind.value, "at": iso(entry.at), "hash": entry.hash.hex()}
    if links and body.get("incident"):
        data["link"] = incident_link(str(body["incident"]), links)
    if links and entry.kind is EntryKind.ALERT:
        data["runbook"] = runbooks.address(str(body["what"]), links)
    return {
        "specversion": "1.0",
        "id": event_id(entry),
        "source": f"{source.rstrip('/')}/{entry.chain}",
        "type": type_of(entry.kind, body),
        "subject": str(body.get("incident") or body.get("gate") or body.get("plan") or body.get("name") or entry.chain),
        "time": iso(entry.at),
        "datacontenttype": "application/json",
        "data": data,
    }


def incident_link(incident: str, links: str | None) -> str | None:
    """Where an incident is read, which asks who you are; None where links lead nowhere.

    >>> incident_link("yuyuan-i7", "https://flowwatch.example.cn/")
    'https://flowwatch.example.cn/v1/incidents/yuyuan-i7'
    """
    return f"{links.rstrip('/')}/v1/incidents/{incident}" if links else None


def type_of(kind: EntryKind, body: Mapping[str, Any]) -> str:
    """The type of an entry's event.

    >>> type_of(EntryKind.ALERT, {"state": "raised"}), type_of(EntryKind.HANDLING, {"act": "close"}), type_of(EntryKind.COMMAND, {})
    ('cn.flowwatch.alert.raised.v1', 'cn.flowwatch.handling.close.v1', 'cn.flowwatch.gate.command.v1')
    """
    last = {EntryKind.ALERT: "state", EntryKind.HANDLING: "act", EntryKind.TASK: "state"}.get(kind)
    return ".".join([PREFIX + STEMS[kind], *([str(body[last])] if last else []), "v1"])


def event_id(entry: Entry) -> str:
    """The name of an entry's event: without a point, which Standard Webhooks keeps for itself.

    >>> from flowwatch.core.entries import GENESIS
    >>> event_id(Entry("old.town", 12, EntryKind.ALERT, 0, b"{}", GENESIS))
    'book_old~town_12'
    """
    store = "book" if entry.kind in BOOK else "journal"
    return f"{store}_{entry.chain.replace('.', '~')}_{entry.seq}"


def entry_of(name: str) -> str:
    """The entry's id in the name of an event, behind the name of its store.

    >>> entry_of("old~town_12")
    'old.town-12'
    """
    chain, _, seq = name.rpartition("_")
    return f"{chain.replace('~', '.')}-{seq}"
