"""Xovis sensors: data push of firmware 5, JSON, one package or a list of them.

`logics_data` has records: what a logic counted from one time to another. Counts called `fw` and `bw` are people in and out; a logic over a
zone that has `balance` alone says how many are in the zone at the end of the record. `live_data` has frames with events: each
LINE_CROSS_FORWARD or LINE_CROSS_BACKWARD of a person is one person in or out. A group crosses again after the people it is made of, so only
tracked objects that are persons count, and a crossing of an object that the frame does not describe is refused. `status_data` and what else is
pushed has no count.

Records and packages can come again: a record is known by its logic and interval, a crossing by its track and time. A gap in
`package_info.id` is a package that was lost; its counter falls silent for the interval, which widens the band.

A device is the sensor's serial number, which is its MAC address, "/" and the logic's name; of live crossings the line's name and "/live". These are
two devices, so that a sensor which pushes both does not count the same people twice.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import instant, of_milliseconds
from flowwatch.adapters.devices.message import Devices, Known, Message, Refused, named, speaking
from flowwatch.adapters.devices.sheet import Found, Sheet, gather
from flowwatch.adapters.devices.values import Members, count, elements, members, opened, text
from flowwatch.core.readings import Kind, Reason

NAME: Final = "xovis"
PACKAGES: Final = ("logics_data", "live_data", "status_data")
WAYS: Final = {"fw": "in", "forward": "in", "bw": "out", "backward": "out", "balance": "balance"}
"""What the counts of a record are called."""
CROSSINGS: Final = {"LINE_CROSS_FORWARD": (1, None), "LINE_CROSS_BACKWARD": (None, 1)}
PERSONS: Final = frozenset({"PERSON", "WHEELCHAIR"})
_MILLISECONDS: Final = re.compile(r"\d{1,14}", re.ASCII)


def looks_like(message: Message) -> bool:
    """Whether this is a package."""
    return any(f'"{name}"'.encode() in message.body[:4096] for name in PACKAGES)


def read(message: Message, devices: Devices) -> Batch:
    """The counts of each record and the crossings of each frame."""

    def fill(sheet: Sheet) -> None:
        document = opened(message.body)
        push = _Push(sheet, message, devices)
        for package in document if isinstance(document, list) else [message.body]:
            push.add(package)

    return gather(NAME, message, fill)


class _Push:
    """One push on its way to the sheet."""

    def __init__(self, sheet: Sheet, message: Message, devices: Devices) -> None:
        self._sheet = sheet
        self._received = message.received
        self._devices = devices

    def add(self, raw: bytes) -> None:
        """All that a package holds; one that cannot be opened, or holds no count, is refused whole."""
        before = self._sheet.rows
        try:
            package = members(raw, "a package")
            logics, live = (package.get(name) for name in PACKAGES[:2])
            if logics is not None:
                self._logics(members(logics, "logics_data"))
            if live is not None:
                self._live(members(live, "live_data"))
        except Refused as refused:
            self._sheet.refuse(raw, refused)
        if self._sheet.rows == before:
            self._sheet.refuse(raw, Refused(Reason.MISSING_COUNT, "a package without records and crossings"))

    def _logics(self, data: Members) -> None:
        serial = _serial(data)
        for raw in elements(data.get("logics"), "logics"):
            try:
                with speaking(serial):
                    logic = members(raw, "a logic")
                    name = named(serial, text(logic.get("name")) or text(logic.get("id")) or "?")
                    records = elements(logic.get("records", b"[]"), "records")
                    zone = "ZONE" in (text(logic.get("info")) or "")
            except Refused as refused:
                self._sheet.refuse(raw, refused)
                continue
            for record in records:
                self._sheet.take(record, partial(self._record, name=name, zone=zone))

    def _record(self, raw: bytes, *, name: str, zone: bool) -> Found:
        device = self._devices.find(name)
        with speaking(name):
            record = members(raw, "a record")
            start, end = (_time(record.get(key), device, self._received) for key in ("from", "to"))
            counts = _named_counts(elements(record.get("counts"), "counts"))
            into, out, balance = (counts.get(way) for way in ("in", "out", "balance"))
            if into is not None or out is not None:
                return Found(device, Kind.DELTA, end, into, out, within=str(start))
            if balance is not None and zone:
                return Found(device, Kind.ABSOLUTE, end, inside=balance, within=str(balance))
            raise Refused(Reason.MISSING_COUNT, "a record without fw and bw, and no balance of a zone")

    def _live(self, data: Members) -> None:
        serial = _serial(data)
        for raw in elements(data.get("frames"), "frames"):
            try:
                with speaking(serial):
                    frame = members(raw, "a frame")
                    events = elements(frame.get("events", b"[]"), "events")
                    types = _types(frame)
            except Refused as refused:
                self._sheet.refuse(raw, refused)
                continue
            for event in events:
                self._crossing(event, serial, frame.get("time"), types)

    def _crossing(self, raw: bytes, serial: str, time: bytes | None, types: dict[str, str]) -> None:
        """One event of a frame, if it is a person over a line."""
        try:
            with speaking(serial):
                event = members(raw, "an event")
                crossing = text(event.get("type")) or ""
                if crossing not in CROSSINGS:
                    return
                attributes = members(event.get("attributes"), "attributes")
                track = text(attributes.get("track_id")) or "?"
                line = text(attributes.get("geometry_name")) or text(attributes.get("geometry_id")) or "?"
        except Refused as refused:
            self._sheet.refuse(raw, refused)
            return
        kind = types.get(track)
        if kind is None or kind in PERSONS:
            name = named(serial, line, "live")
            self._sheet.take(raw, lambda _: self._crossed(name, crossing, track, time, described=kind is not None))

    def _crossed(self, name: str, crossing: str, track: str, time: bytes | None, *, described: bool) -> Found:
        device = self._devices.find(name)
        with speaking(name):
            if not described:
                raise Refused(Reason.UNREADABLE, "a crossing of an object that the frame does not describe")
            at = _time(time, device, self._received)
            return Found(device, Kind.DELTA, at, *CROSSINGS[crossing], within=f"{crossing} {track}")


def _serial(data: Members) -> str:
    serial = text(members(data.get("sensor_info"), "sensor_info").get("serial_number"))
    if serial is None:
        raise Refused(Reason.UNREADABLE, "no serial_number")
    return named(serial)


def _named_counts(entries: list[bytes]) -> dict[str, int]:
    """The sums of a record's counts: "in", "out", "balance"."""
    counts: dict[str, int] = {}
    for raw in entries:
        entry = members(raw, "a count")
        way = WAYS.get((text(entry.get("name")) or "").lower())
        people = count(entry.get("value"), "a count")
        if way is not None and people is not None:
            counts[way] = counts.get(way, 0) + people
    return counts


def _types(frame: Members) -> dict[str, str]:
    """What the tracked objects of a frame are, by track."""
    found = {}
    for raw in elements(frame.get("tracked_objects", b"[]"), "tracked_objects"):
        tracked = members(raw, "a tracked object")
        found[text(tracked.get("track_id")) or ""] = text(tracked.get("type")) or ""
    return found


def _time(raw: bytes | None, device: Known, received: int) -> int:
    """Milliseconds since the epoch, or a text, as the agent's time format is set."""
    said = text(raw)
    if said is not None and _MILLISECONDS.fullmatch(said):
        return of_milliseconds(int(said))
    return instant(said, received, device.zone)
