"""The ties between journal and book of handling: every incident entry of a site is told once, in the journal's order, and named by its hash.

So the book is a second witness of the journal: who changes an incident's entry must change what people were told of it, and everything behind it in
both files. The newest entries may not be told yet, because the desk is a moment behind; older ones that are not told are a fault. A function of the
entries alone; times are microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from flowwatch.core.entries import Entry
from flowwatch.handling.readable import CANNOT_READ
from flowwatch.handling.records import Alert, read

DIGITS: Final = 19
"""So many a number of an entry has at most: 64 bits."""
NAMED: Final = 100
"""So much of a name is told, of one that is longer than any can be."""
LATE_US: Final = 60 * 1_000_000
"""How much older than the newest of the journal an untold entry may be: the desk needs a second, a restart of the service some more."""


class Fault(StrEnum):
    """How a tie is broken."""

    ALTERED = "altered"
    """Journal and book tell different stories of one entry."""
    UNKNOWN = "unknown"
    """The book tells of an entry that the journal does not have."""
    MOVED = "moved"
    """The entries that were told stand under other numbers."""
    REPEATED = "repeated"
    ORDER = "order"
    UNTOLD = "untold"
    """An entry of the journal is not told, and others behind it are."""
    LATE = "late"
    """The newest entries are not told: the service does not run, or the end of the book is missing."""


@dataclass(frozen=True, slots=True)
class Untied:
    """A broken tie: the journal's entry (its id), the book's (None where there is none), and to which of both the same happened."""

    fault: Fault
    entry: str
    told: str | None
    what: str
    last: str | None = None

    def __str__(self) -> str:
        where = self.entry if self.last in (None, self.entry) else f"{self.entry} to {self.last}"
        return f"{where}{f' (told in {self.told})' if self.told else ''}: {self.what}"


def untied(site: str, incidents: Iterable[Entry], told: Iterable[Entry], newest_us: int, late_us: int = LATE_US) -> Iterator[Untied]:
    """What is wrong between a site's incident entries and the alerts in its chain of the book, both in the order of their chains.

    `newest_us`: when the journal's newest entry was written. Only alerts are read of `told`, and of them those that tell of an entry.
    """
    weaver = _Weaver(site, incidents)
    for record in told:
        weaver.take(record)
    weaver.end(newest_us - late_us)
    yield from weaver.found


class _Weaver:
    """Goes along a site's alerts and looks up what each tells of."""

    def __init__(self, site: str, incidents: Iterable[Entry]) -> None:
        self._site = site
        self._by_seq = {entry.seq: entry for entry in incidents}
        self._by_hash = {entry.hash: entry.seq for entry in self._by_seq.values()}
        self._seen: dict[int, str] = {}
        self._otherwise: set[int] = set()
        """Places that were told with another hash: of a journal that was made anew, all may be told again."""
        self._last = 0
        self._moved: list[tuple[int, str, int]] = []
        self.found: list[Untied] = []

    def take(self, record: Entry) -> None:
        """Go on by one alert."""
        alert = _alert(record)
        if alert is None:
            self._tell(Fault.ALTERED, "-", record, "it is no alert that this flowwatch can read")
        elif alert.entry is not None:
            place = self._place(alert, alert.entry, record)
            if place is not None:
                self._in_order(place, record)

    def _place(self, alert: Alert, named: str, record: Entry) -> int | None:
        """The number of the entry that an alert tells of; None where the journal holds no such entry."""
        chain, _, number = named.rpartition("-")
        if chain != self._site or not (number.isascii() and number.isdigit() and len(number) <= DIGITS):
            told = named if len(named) <= NAMED else f"{named[:NAMED]}..."
            self._tell(Fault.UNKNOWN, told, record, f"the chain {self._site} of the book tells of no entry of this site")
            return None
        seq = int(number)
        entry = self._by_seq.get(seq)
        if entry is not None and entry.hash.hex() == alert.entry_hash:
            if (what := _differs(alert, entry.body)) is not None:
                self._tell(Fault.ALTERED, named, record, what)
            return seq
        if (found := self._by_hash.get(_hash(alert))) is not None:
            if self._moved and self._moved[0][2] - self._moved[0][0] != found - seq:
                self._tell_moved()
            self._moved.append((seq, record.id, found))
            return found
        self._otherwise.add(seq)
        if entry is None:
            self._tell(Fault.UNKNOWN, named, record, "the journal has no such incident entry: it is missing there, or never was")
        else:
            hashes = f"{(alert.entry_hash or '')[:12]} and has {entry.hash.hex()[:12]}"
            self._tell(Fault.ALTERED, named, record, f"it was told with the hash {hashes}: it was changed since, or the journal is another")
        return None

    def _in_order(self, place: int, record: Entry) -> None:
        if place in self._seen:
            self._tell(Fault.REPEATED, f"{self._site}-{place}", record, f"it was told before, in {self._seen[place]}")
        elif place < self._last:
            self._tell(Fault.ORDER, f"{self._site}-{place}", record, f"it was told behind {self._site}-{self._last}")
        self._seen.setdefault(place, record.id)
        self._last = max(self._last, place)

    def end(self, late_us: int) -> None:
        """Look what was not told; what is newer than `late_us` need not be yet, behind the last that was."""
        if self._moved:
            self._tell_moved()
        site, last = self._site, max(self._last, *self._otherwise, 0)
        left = [entry for seq, entry in self._by_seq.items() if seq not in self._seen and seq not in self._otherwise]
        for entry in left:
            if entry.seq < last:
                self.found.append(Untied(Fault.UNTOLD, entry.id, None, "it was never told, and later ones were"))
        if waiting := [entry for entry in left if entry.seq > last and entry.at < late_us]:
            behind = f"behind {site}-{last}, the last that was told" if last else "nothing of this site was ever told"
            what = f"not told yet ({len(waiting)} in all, {behind}): the service does not run, or the end of the book is missing"
            self.found.append(Untied(Fault.LATE, waiting[0].id, None, what, waiting[-1].id))

    def _tell(self, fault: Fault, entry: str, record: Entry, what: str) -> None:
        self.found.append(Untied(fault, entry, record.id, what))

    def _tell_moved(self) -> None:
        seq, told, found = self._moved[0]
        shift = found - seq
        places = f"{abs(shift)} place{'s' * (abs(shift) > 1)} {'further on' if shift > 0 else 'further back'}"
        more = f", and so does what was told of {len(self._moved) - 1} more" if len(self._moved) > 1 else ""
        why = "put in" if shift > 0 else "taken out"
        what = f"what was told of it stands in {self._site}-{found} now, {places}{more}: an entry before it was {why}"
        self.found.append(Untied(Fault.MOVED, f"{self._site}-{seq}", told, what))
        self._moved = []


def _alert(record: Entry) -> Alert | None:
    try:
        said = read(record)
    except CANNOT_READ:
        return None
    return said if isinstance(said, Alert) else None


def _hash(alert: Alert) -> bytes:
    try:
        return bytes.fromhex(alert.entry_hash or "")
    except ValueError:
        return b""


def _differs(alert: Alert, data: bytes) -> str | None:
    """What an alert tells otherwise than the entry that it names, whose body this is."""
    try:
        body = msgspec.json.decode(data, type=dict[str, Any])
    except CANNOT_READ:
        return "its body is not what was written: it cannot be read"
    for key, said in (("incident", alert.incident), ("state", alert.state), ("what", alert.what)):
        if body.get(key) != said:
            return f'it says {key} "{str(body.get(key))[:NAMED]}", and "{said}" was told'
    return None
