"""A device's message as it arrived, and the map that says which counter a device is.

A device is known by what it calls itself: a MAC address or a serial number, with the channel, line or rule behind a "/" where it has
several. Each family's module says how its devices are named. MAC addresses are compared in one spelling, so "4419B6000001" and
"44-19-B6-00-00-01" are one device.

A counter belongs to one device. Two devices' totals in one counter would be nonsense, and two devices' counts of the same passage would be
counted twice; the site file has a counter for each of them instead. This is why a line that a device reports in two ways has two names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal
from zoneinfo import ZoneInfo

from flowwatch.core.readings import Reason

Direction = Literal["in", "out"]

_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(?:([:-]?)[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}", re.ASCII)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
LONGEST_NAME: Final = 200
"""A device's name is cut to so many characters: it comes from the device, and stands before the 4 KiB that are kept of what is refused."""


class Refused(Exception):  # noqa: N818 - no error: how a module says that bytes are no reading
    """These bytes are no reading, for this reason; `why` in words, without ": "; `device`: whose they are, if that is known."""

    def __init__(self, reason: Reason, why: str, device: str = "") -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why
        self.device = device


@contextmanager
def speaking(device: str) -> Iterator[None]:
    """What is refused within is of that device."""
    try:
        yield
    except Refused as refused:
        raise Refused(refused.reason, refused.why, refused.device or device) from refused


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived, when (microseconds), and what the way it came says of it: the HTTP content type and URL, or the MQTT topic."""

    body: bytes
    received: int
    content_type: str = ""
    topic: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """What the deployment says of a device: its counter's full name, and what its messages leave open.

    `swap`: mounted the other way round, in is out. `zone`: the IANA time zone of its clock, for devices that send local time. `direction`:
    for devices that send one number, which way its people went.
    """

    counter: str
    swap: bool = False
    zone: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A device with its name and its clock, as the modules use it."""

    name: str
    counter: str
    swap: bool
    zone: ZoneInfo | None
    direction: Direction | None

    def one_way(self, people: int) -> tuple[int | None, int | None]:
        """The one number of this device as (in, out). Raises `Refused` if nobody said which of them it is."""
        if self.direction is None:
            raise Refused(
                Reason.NO_DIRECTION,
                "one number without a direction; its entry in the deployment file needs its direction, in or out",
                self.name,
            )
        return (people, None) if self.direction == "in" else (None, people)


@dataclass(frozen=True, slots=True)
class Devices:
    """All devices of a deployment by name."""

    known: Mapping[str, Known] = field(default_factory=dict)

    @classmethod
    def of(cls, devices: Mapping[str, Device] | Iterable[tuple[str, Device]]) -> Devices:
        """The map of these names and devices. Raises ValueError for a device or counter that stands there twice, and an unknown time zone."""
        known: dict[str, Known] = {}
        holders: dict[str, str] = {}
        for said, device in devices.items() if isinstance(devices, Mapping) else devices:
            name = named(said)
            if name in known:
                raise ValueError(f'device "{said}" stands there twice, expected one counter for it')
            if device.counter in holders:
                raise ValueError(f'"{holders[device.counter]}" and "{said}" are both {device.counter}, expected a counter for each of them')
            holders[device.counter] = said
            known[name] = Known(name, device.counter, device.swap, _zone(device.zone), device.direction)
        return cls(known)

    def find(self, name: str) -> Known:
        """The device of that name. Raises `Refused` for one that nobody named."""
        device = self.known.get(name)
        if device is None:
            raise Refused(Reason.UNKNOWN_COUNTER, "no counter for this device in the deployment file", name)
        return device


def named(*parts: str) -> str:
    """The name that these parts make, in the one spelling by which devices are compared.

    >>> named("4419B6000001", "2"), named("cam-1/4419B6-000001")
    ('44:19:b6:00:00:01/2', 'cam-1/4419B6-000001')
    """
    text = _UNPRINTABLE.sub(" ", "/".join(parts)).strip()[:LONGEST_NAME]
    head, slash, rest = text.partition("/")
    if _MAC.fullmatch(head):
        digits = re.sub("[:-]", "", head).lower()
        head = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return head + slash + rest


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f'no time zone "{name}", expected one such as Asia/Shanghai') from error
