"""Events as they stand in the stream: each is encoded once, and the same bytes go to everybody who may see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from flowwatch.core.entries import Entry, EntryKind, Estimate
from flowwatch.feed.places import Places
from flowwatch.journal.export import body_of, iso, with_times
from flowwatch.journal.tables import site_of

DECIDED: Final = (EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.DEVICE, EntryKind.TASK)
"""What is told of the journal."""
HANDLED: Final = (EntryKind.ALERT, EntryKind.HANDLING)
"""What is told of the record of handling."""
ZONES: Final = "zones"
KINDS: Final = (*(kind.value for kind in (*HANDLED, *DECIDED)), ZONES)
"""What may be asked for. Snapshots come to everybody."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event. `of_book`: of the record of handling; `chain`, `seq`: of the entry, seq 0 for zones; `place`: its id, "" for zones."""

    kind: str
    chain: str
    seq: int
    place: str
    data: bytes
    of_book: bool = False


def of_entry(entry: Entry, places: Places) -> Frame:
    """The event of an entry; `places` is where a listener is that has it."""
    place = str(places)
    data = event(entry.kind.value, msgspec.json.encode(told(entry)), place)
    return Frame(entry.kind.value, entry.chain, entry.seq, place, data, entry.kind in HANDLED)


def of_minute(estimate: Estimate) -> Frame:
    """The event of a site's newest minute."""
    body = with_times(msgspec.json.decode(estimate.body))
    data = msgspec.json.encode({"kind": ZONES, "site": estimate.site, "at": iso(estimate.at)} | body)
    return Frame(ZONES, estimate.site, 0, "", event(ZONES, data))


def told(entry: Entry) -> dict[str, Any]:
    """An entry as the stream tells it: as `/v1/journal` does, with its site (None for what belongs to none).

    A body that cannot be read is None: it was damaged on the disk, and what comes behind it is told all the same.
    """
    head = {"id": entry.id, "kind": entry.kind.value, "site": site_of(entry.chain), "at": iso(entry.at), "hash": entry.hash.hex()}
    return head | {"body": with_times(body_of(entry))}


def event(kind: str, data: bytes, place: str = "") -> bytes:
    """The lines of an event; `data` is JSON, which has no line breaks."""
    head = f"id: {place}\nevent: {kind}\n" if place else f"event: {kind}\n"
    return b"%bdata: %b\n\n" % (head.encode(), data)
