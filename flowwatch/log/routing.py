"""Who goes where, and as what number: site -> partition, counter -> code.

A site's group, and with it its partition, is frozen when its first document enters the log (`routing.json`, on the disk before that row).
A counter's code is given by order of first appearance over the DOCUMENT rows of its partition, so that codes are a function of the log
alone; the engine counts the same way. Codes are never given back: what is *in service* is the engine's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import BadRecord, LogError
from flowwatch.log.settings import Settings

UNKNOWN_SITE: Final = -1
UNKNOWN_COUNTER: Final = -2

PAYLOAD_BYTES: Final = 16 << 20
"""The longest document or action."""


class Counter(msgspec.Struct, frozen=True):
    """What the log needs of a counter in a document."""

    counter: str


class Document(msgspec.Struct, frozen=True):
    """What the log needs of a compiled site record; everything else in it is the engine's."""

    site: str
    group: str
    counters: tuple[Counter, ...]

    @property
    def names(self) -> list[str]:
        """The counters' full names, in the document's order."""
        return [f"{self.site}/{counter.counter}" for counter in self.counters]


def read_document(payload: bytes) -> Document:
    """What the log needs of a DOCUMENT row's payload. Raises `BadRecord`."""
    check_length(payload)
    try:
        document = msgspec.json.decode(payload, type=Document)
    except msgspec.MsgspecError as error:
        raise BadRecord("document", f"not a compiled site record: {error}", "what `flowwatch check` accepts") from error
    if not document.site or "/" in document.site:
        raise BadRecord("document", f"site {document.site!r}", 'a name without "/"')
    return document


class Place(msgspec.Struct, frozen=True):
    """Where a site's rows are: its group and the name of that group's partition."""

    group: str
    partition: str


class Routing:
    """The frozen membership of sites. `sites`: site -> `Place`."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Read the routing of the log at `path`. Raises `LogError`, `DiskRefused`."""
        self._file = path / "routing.json"
        self._settings = settings
        self._saved = True
        self.sites: dict[str, Place] = {}
        if not self._file.exists():
            return
        with storage(self._file):
            data = self._file.read_bytes()
        try:
            self.sites = msgspec.json.decode(data, type=dict[str, Place])
        except msgspec.MsgspecError as error:
            raise LogError(self._file, f"unreadable: {error}", "the file as flowwatch wrote it; put it back from a backup") from error
        for site, place in self.sites.items():
            partition = self._partition(place.group)
            if place.partition != partition:
                raise LogError(self._file, f"site {site!r} in {place.partition!r}", f"{partition!r}, where group {place.group!r} belongs")

    def check(self, document: Document) -> None:
        """Raise `BadRecord` for a document of a known site that names another group."""
        place = self.sites.get(document.site)
        if place is not None and place.group != document.group:
            what = f"site {document.site!r} in group {document.group!r}"
            raise BadRecord(
                self._file, what, f"group {place.group!r}: a site keeps the group of its first document for the life of the log"
            )

    def admit(self, document: Document) -> str:
        """The name of the partition of the document's rows; a new site is remembered, `save` makes that durable. Raises `BadRecord`."""
        self.check(document)
        place = self.sites.get(document.site)
        if place is None:
            place = self.sites[document.site] = Place(document.group, self._partition(document.group))
            self._saved = False
        return place.partition

    def place(self, site: str) -> Place:
        """Where a site is. Raises `BadRecord` for one without a document, naming the nearest that has one."""
        try:
            return self.sites[site]
        except KeyError:
            near = difflib.get_close_matches(site, self.sites, 1)
            expected = f"{near[0]!r}, perhaps" if near else "a site whose document is in the log"
            raise BadRecord(self._file, f"no site {site!r}", expected) from None

    def save(self) -> None:
        """Make the membership durable if it changed. Raises `DiskRefused`."""
        if not self._saved:
            data = msgspec.json.format(msgspec.json.encode(dict(sorted(self.sites.items()))), indent=1)
            replace_file(self._file, [data + b"\n"])
            self._saved = True

    def _partition(self, group: str) -> str:
        return self._settings.folders[self._settings.partition_of(group)]


class Routes(dict[str, int]):
    """Full counter name -> (partition number << 32) | code; looking up another name gives `UNKNOWN_SITE` or `UNKNOWN_COUNTER`."""

    def __init__(self, routing: Routing) -> None:
        super().__init__()
        self._routing = routing

    def __missing__(self, name: str) -> int:
        return UNKNOWN_COUNTER if site_of(name) in self._routing.sites else UNKNOWN_SITE

    def learn(self, partition: int, names: Iterable[str], known: list[str]) -> None:
        """Give codes in the partition to the names that have none there; `known` is its list of names by code, which grows."""
        for name in names:
            if name not in self:
                self[name] = partition << 32 | len(known)
                known.append(name)


def site_of(name: str) -> str:
    """The site in a counter's full name."""
    return name.partition("/")[0]


def check_length(payload: bytes) -> None:
    """Raise `BadRecord` for a document or an action that is too long for the log."""
    if len(payload) > PAYLOAD_BYTES:
        raise BadRecord("record", f"{len(payload)} bytes", f"{PAYLOAD_BYTES} bytes at most")
