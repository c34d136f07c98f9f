"""Axis People Counter: live-sum.json as it is polled, and its CSV export.

live-sum has totals since midnight ("until now today", says the API), and the export the people of each interval. Both have local time
without a zone, so the device's entry needs one. The totals' fall at midnight is a reset, which the engine knows.

A device of live-sum is its serial number, which is its MAC address. The export does not say whose it is: there the device is the host of the
URL that was polled, or the topic that it came on. An hour that comes twice, when clocks are set back, is told by the order of the rows.
"""

from __future__ import annotations

import csv
from typing import Final
from urllib.parse import urlsplit

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import both, instant
from flowwatch.adapters.devices.message import Devices, Message, Refused, named, speaking
from flowwatch.adapters.devices.sheet import Found, Sheet, gather
from flowwatch.adapters.devices.values import count, members, text, whole
from flowwatch.core.readings import Kind, Reason

NAME: Final = "axis"
COLUMNS: Final = ("start", "end", "in", "out")
_BOM: Final = b"\xef\xbb\xbf"


def looks_like(message: Message) -> bool:
    """Whether this is a live sum or an export."""
    head = message.body[:1000]
    return _is_export(message.body) or all(f'"{key}"'.encode() in head for key in ("serial", "timestamp", "in", "out"))


def read(message: Message, devices: Devices) -> Batch:
    """The totals of a live sum, or the counts of each row of an export."""
    if _is_export(message.body):
        return gather(NAME, message, lambda sheet: _export(sheet, message, devices))
    return gather(NAME, message, lambda sheet: sheet.take(message.body, lambda raw: _live(raw, message, devices)))


def _live(raw: bytes, message: Message, devices: Devices) -> Found:
    body = members(raw)
    serial = text(body.get("serial"))
    if serial is None:
        raise Refused(Reason.UNREADABLE, "no serial number")
    device = devices.find(named(serial))
    with speaking(device.name):
        at = instant(text(body.get("timestamp")), message.received, device.zone)
        ingress, egress = (count(body.get(way), way) for way in ("in", "out"))
        return Found(device, Kind.CUMULATIVE, at, ingress, egress)


def _is_export(body: bytes) -> bool:
    names = _cells(body[:200].split(b"\n")[0])
    return set(COLUMNS) <= set(names)


def _cells(line: bytes) -> list[str]:
    """The cells of a line, without blanks; none for what is no line of a table."""
    try:
        rows = list(csv.reader([line.removeprefix(_BOM).decode().strip()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return []
    return [cell.strip().lower() for cell in rows[0]] if rows else []


def _export(sheet: Sheet, message: Message, devices: Devices) -> None:
    head, *lines = (line for line in message.body.splitlines() if line.strip())
    columns = _cells(head)
    if not set(COLUMNS) <= set(columns):
        raise Refused(Reason.UNREADABLE, f"no first line with the columns {', '.join(COLUMNS)}")
    rows = _Rows(columns, message, devices)
    for line in lines:
        sheet.take(line, rows.row)


class _Rows:
    """The rows of an export, one after the other."""

    def __init__(self, columns: list[str], message: Message, devices: Devices) -> None:
        self._places = [columns.index(name) for name in COLUMNS]
        self._width = len(columns)
        self._owner = named(_host(message.url) or message.topic)
        self._devices = devices
        self._last = 0

    def row(self, line: bytes) -> Found:
        """The counts of a row. Raises `Refused`."""
        if not self._owner:
            raise Refused(Reason.UNKNOWN_COUNTER, "an export does not say whose it is, and neither a URL nor a topic does")
        device = self._devices.find(self._owner)
        with speaking(device.name):
            cells = _cells(line)
            if len(cells) != self._width:
                raise Refused(Reason.UNREADABLE, f"a row of {len(cells)} cells, expected {self._width}")
            start, end, ingress, egress = (cells[place] for place in self._places)
            first, second = both(end, device.zone)
            at = second if first <= self._last else first
            self._last = max(self._last, at)
            return Found(device, Kind.DELTA, at, whole(ingress, "in"), whole(egress, "out"), within=start)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
