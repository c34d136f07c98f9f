"""The Shanghai feed: how many people are in each of the city's scenic spots, polled as one JSON document.

A row has `NUM`, the people inside now, and `TIME`, local time of UTC+8 to the minute. The same row comes with every poll until the spot reports
again: it has the same identity and counts once. Rows can be years old and some minutes ahead; the engine refuses these with its own
reasons (`too_late`, `far_future`), so a counter fed from here needs a `lateness` as long as the spot takes to report. `MAX_NUM` is the spot's
capacity and `SSD` its comfort class: the capacity that decides stands in the site file, so neither is read.

A device is "shanghai/" and the spot's CODE. The feed is the whole city's: rows of spots that the deployment does not name are left out, unless
it names none of them, for then something is wrong and each row says so.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import instant
from flowwatch.adapters.devices.message import Devices, Message, Refused, named, speaking
from flowwatch.adapters.devices.sheet import Found, Sheet, gather
from flowwatch.adapters.devices.values import count, elements, members, opened, text
from flowwatch.core.readings import Kind, Reason

NAME: Final = "shanghai"
ZONE: Final = ZoneInfo("Asia/Shanghai")
_DEEPEST: Final = 4


def looks_like(message: Message) -> bool:
    """Whether this has the feed's figures."""
    head = message.body[:4096]
    return all(f'"{key}"'.encode() in head for key in ("CODE", "NUM", "MAX_NUM"))


def read(message: Message, devices: Devices) -> Batch:
    """The headcount of each spot that is somebody's counter."""

    def fill(sheet: Sheet) -> None:
        rows = [(_name(row), row) for row in _rows(message.body, _DEEPEST)]
        ours = any(name in devices.known for name, _ in rows)
        for name, row in rows:
            if not ours or name is None or name in devices.known:
                sheet.take(row, lambda raw: _spot(raw, message, devices))

    return gather(NAME, message, fill)


def _rows(body: bytes, deepest: int) -> list[bytes]:
    """The rows of the feed, however it is wrapped: under "data" and "rows", as "spot", as a list, or one by itself."""
    document = opened(body)
    if isinstance(document, list):
        return document
    if "rows" in document:
        return elements(document["rows"], "rows")
    inner = document.get("data", document.get("spot"))
    if inner is not None and "CODE" not in document and deepest:
        return _rows(inner, deepest - 1)
    return [body]


def _name(row: bytes) -> str | None:
    try:
        code = text(members(row, "a row").get("CODE"))
    except Refused:
        return None
    return None if code is None else named(NAME, code)


def _spot(raw: bytes, message: Message, devices: Devices) -> Found:
    row = members(raw, "a row")
    code = text(row.get("CODE"))
    if code is None:
        raise Refused(Reason.UNREADABLE, "a row without CODE")
    device = devices.find(named(NAME, code))
    with speaking(device.name):
        people = count(row.get("NUM"), "NUM")
        at = instant(text(row.get("TIME")), message.received, device.zone or ZONE)
        return Found(device, Kind.ABSOLUTE, at, inside=people, within=str(people))
