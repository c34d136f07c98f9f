"""The times that devices write, as microseconds since 1970-01-01T00:00Z.

Devices write times with and without seconds, "T", separators and offsets, and offsets without their leading zero ("-5:00", seen from
cameras of Hikvision). A time without an offset is local time, and says when only together with the zone of the device's clock. When clocks
are set back an hour comes twice: the reading belongs to the one nearer to the receipt of the message. A time that the clocks skip is read
as if they had not been set yet.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from flowwatch.adapters.devices.message import Refused
from flowwatch.adapters.times import microseconds
from flowwatch.core.readings import ABSENT, Reason

_SHAPE: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ]?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,12}))?)? ?(?:([Zz])|([+-])(\d{1,2}):?(\d\d))?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - what wall clocks count from
_LATEST: Final = microseconds("9999-12-30T00:00:00Z")


def instant(text: str | None, received: int, zone: tzinfo | None = None) -> int:
    """When `text` was; `zone` and `received` (microseconds) are for local times. Raises `Refused`."""
    first, second = both(text, zone)
    return first if abs(first - received) <= abs(second - received) else second


def both(text: str | None, zone: tzinfo | None = None) -> tuple[int, int]:
    """The one or two moments at which the clocks of `zone` showed `text`, the earlier first. Raises `Refused`."""
    match = _SHAPE.fullmatch((text or "").strip())
    if match is None:
        raise Refused(Reason.UNREADABLE, "no time" if text is None else "a time that is none")
    year, month, day, hour, minute, second, fraction, zulu, sign, ahead_h, ahead_min = match.groups()
    wall = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}.{fraction or '0'}"
    if zulu or sign:
        at = microseconds(wall + (f"{sign}{ahead_h:0>2}:{ahead_min}" if sign else "Z"))
        return _checked(at), at
    shown = microseconds(wall + "Z")
    if zone is None:
        raise Refused(Reason.UNREADABLE, "a local time; the device's entry in the deployment file needs its zone, such as Asia/Shanghai")
    local = _EPOCH + timedelta(microseconds=_checked(shown))
    first, last = (_checked(shown - _offset_us(local.replace(fold=fold), zone)) for fold in (0, 1))
    return (first, last) if first < last else (first, first)


def of_milliseconds(number: int) -> int:
    """The moment so many milliseconds after the epoch. Raises `Refused`."""
    return _checked(number * 1000)


def _checked(at: int) -> int:
    if at == ABSENT or not 0 <= at <= _LATEST:
        raise Refused(Reason.UNREADABLE, "a time that is none")
    return at


def _offset_us(local: datetime, zone: tzinfo) -> int:
    return (local.replace(tzinfo=zone).utcoffset() or timedelta()) // timedelta(microseconds=1)
