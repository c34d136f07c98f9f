"""What arrives, and how it is read: the table from a format's name to its reader.

A reader is a pure function from what arrived to a batch; families of devices have theirs in `adapters/devices`, flowwatch's own format and the two
signals stand here. Whatever the bytes are, a reader answers; what it cannot read is a refusal in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UnsetType

from flowwatch.adapters.batch import Batch, Refusal, unstamped
from flowwatch.adapters.devices.families import FAMILIES, Family
from flowwatch.adapters.devices.message import Device, Devices, Message
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.readings import Reason
from flowwatch.documents.compiled_site import or_
from flowwatch.documents.deployment import Deployment

Reader = Callable[[Message], Batch]
Readers = Mapping[str, Reader]
"""Format -> its reader. One thread uses a table."""


def own_readers() -> dict[str, Reader]:
    """The readers that need nothing else: flowwatch's own format. A new table for every thread, because a codec remembers."""
    codec = Codec()
    return {"flowwatch": lambda arrived: codec.batch(as_lines(arrived.body))}


def family_readers(deployment: Deployment) -> dict[str, Reader]:
    """The readers of all families of devices, with the deployment's devices. Raises ValueError as `Devices.of` does."""

    def reader(family: Family) -> Reader:
        return lambda arrived: family.read(arrived, devices)

    told = [
        (d.device, Device(d.counter, d.swap, or_(d.zone, None), None if isinstance(d.direction, UnsetType) else d.direction.value))
        for d in deployment.devices
    ]
    devices = Devices.of(told)
    return {name: reader(family) for name, family in FAMILIES.items()}


def as_lines(body: bytes) -> bytes:
    """NDJSON of NDJSON, of one JSON object, or of an array of them, however these are broken into lines; any other bytes as they are.

    >>> as_lines(b'[{"a": 1},\\n {"a":\\n 2}]')
    b'{"a": 1}\\n{"a":  2}\\n'
    """
    begin = body[:64].lstrip()[:1]
    try:
        if begin == b"[":
            parts = msgspec.json.decode(body, type=list[msgspec.Raw])
            return b"".join([bytes(part).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" for part in parts])
        if begin == b"{" and b"\n" in body.rstrip():
            return bytes(msgspec.json.decode(body, type=msgspec.Raw)).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return body


def refused(raw: bytes, reason: Reason) -> Batch:
    """A batch of nothing but these bytes, refused."""
    none = np.zeros(0, np.int64)
    return Batch(unstamped([], np.zeros(0, np.uint8), none, none, none, none, [b""].__getitem__), [Refusal(0, raw, reason)])


class Signal(Enum):
    """What a signal says."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


_ON: Final = frozenset({"on", "1", "true", "yes", "fire", "alarm", "active"})
_OFF: Final = frozenset({"", "off", "0", "false", "no", "clear", "normal", "ok", "inactive"})
_UP: Final = frozenset({"up", "online", "on", "1", "true", "connected", "ok"})
_LOST: Final = frozenset({"", "lost", "offline", "off", "0", "false", "disconnected", "dead"})


def fire_signal(body: bytes) -> Signal:
    """Whether a message on a fire topic says that there is a fire: one word, or a JSON object with `state`, `fire` or `alarm`.

    >>> fire_signal(b"ALARM"), fire_signal(b'{"fire": true}'), fire_signal(b'{"state": "off"}')
    (<Signal.ON: 'on'>, <Signal.ON: 'on'>, <Signal.OFF: 'off'>)
    """
    return _signal(body, ("state", "fire", "alarm"), _ON, _OFF)


def link_signal(body: bytes) -> Signal:
    """Whether a message on a status topic says that its device is there: one word, or a JSON object with `state`, `link` or `status`.

    >>> link_signal(b"offline"), link_signal(b'{"v": 1, "state": "up"}')
    (<Signal.OFF: 'off'>, <Signal.ON: 'on'>)
    """
    return _signal(body, ("state", "link", "status"), _UP, _LOST)


def _signal(body: bytes, keys: tuple[str, ...], on: frozenset[str], off: frozenset[str]) -> Signal:
    try:
        text = body[:4096].decode().strip()
        value: Any = msgspec.json.decode(text) if text[:1] == "{" else text
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Signal.UNKNOWN
    if isinstance(value, dict):
        value = next((value[key] for key in keys if key in value), None)
    if isinstance(value, (list, dict)) or value is None:
        return Signal.UNKNOWN
    word = str(value).strip().casefold()
    return Signal.ON if word in on else Signal.OFF if word in off else Signal.UNKNOWN
