"""What stands now, as one event: what a listener begins with, and what it gets in the place of events that it missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flowwatch.feed.stories import OpenStories
from flowwatch.handling.records import SERVICE
from flowwatch.journal.export import with_times
from flowwatch.picture import Picture, people, told

GATE = ("id", "at_us", "gate", "mode", "setting", "may_enter", "may_leave", "per_min", "phases", "revision", "stage", "drill", "reason")
DEVICE = ("id", "at_us", "device", "name", "state", "revision")
Upto = dict[tuple[bool, str], int]
"""(of the record of handling, chain) -> the last entry that is in the snapshot."""


class Snapshots:
    """Snapshots of one installation. What a site's part says is encoded again only when something has changed there."""

    def __init__(self, picture: Picture, book: OpenStories) -> None:
        self._picture, self._book = picture, book
        self._parts: dict[str, tuple[tuple[int, int, str | None], bytes]] = {}
        self._lock = threading.Lock()

    def of(self, sites: Sequence[str], *, service: bool) -> tuple[list[bytes], Upto]:
        """The members `sites` and `service` of the event, in pieces, and what they hold. `service`: with the incidents of no site.

        Raises `JournalError`.
        """
        upto: Upto = {}
        pieces = [b'"sites":[']
        for number, site in enumerate(sites):
            pieces += [b"," if number else b"", self._site(site, upto)]
        pieces.append(b"]")
        if service:
            upto[True, SERVICE], incidents = self._book.site(SERVICE)
            pieces.append(b',"service":' + msgspec.json.encode(_listed(incidents)))
        return pieces, upto

    def _site(self, site: str, upto: Upto) -> bytes:
        handled, stories = self._book.site(site)
        standing = self._picture.site(site)
        at, stage, zones = people(self._picture.minute(site))
        upto[True, site], upto[False, site] = handled, standing.seq
        key = handled, standing.seq, at
        with self._lock:
            known = self._parts.get(site)
        if known is not None and known[0] == key:
            return known[1]
        untold = {name: {"handling": None, "entry": with_times(body)} for name, body in standing.incidents.items()}
        said: dict[str, Any] = {
            "site": site,
            "stages": {plan: body["to"] for plan, body in sorted(standing.stages.items())},
            "gates": [_some(body, GATE) for _, body in sorted(standing.gates.items())],
            "devices": [_some(body, DEVICE) for _, body in sorted(standing.devices.items())],
            "incidents": _listed(stories if handled else untold),  # nothing is handled where no desk has begun
            "zones": None if at is None else with_times({"at": at, "stage": stage, "zones": zones}),
        }
        part = msgspec.json.encode(said)
        with self._lock:
            self._parts[site] = key, part
        return part


def _listed(incidents: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"incident": name} | incident for name, incident in incidents.items()]


def _some(body: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return told(body, *(key for key in keys if key in body))


def pieces_of(event: bytes, members: Sequence[bytes]) -> Iterator[bytes]:
    """The lines of the event in pieces: `event` as it would be without these members, which go in at its end."""
    head, brace, tail = event.rpartition(b"}")
    yield head + b","
    yield from members
    yield brace + tail
