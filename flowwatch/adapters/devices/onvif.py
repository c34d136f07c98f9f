"""ONVIF profile M: JSON over MQTT, the topics RuleEngine/CountAggregation/Counter and …/OccupancyCounter.

`Counter` is the people that a rule has counted since it was reset, one way over one line: `Data.Count`, a number or a string of one. It says
not whether that way is in or out, so the device's entry in the deployment file has `direction`. A passage that is counted both ways has two
rules, and two counters in the site file. `OccupancyCounter` is the people in a field now. `ResetTime`, which is local time, is not read: the
engine knows a reset by the fall of the total.

`Source` and `Data` hold their items by name, or as ONVIF's list of SimpleItem, as cameras were seen to write either. A time without an
offset is in UTC, as its name `UtcTime` says.

A device is what stands before "/onvif-ej/" in the topic, and the rule's name: "entrance-cam/Inbound".
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Final

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import instant
from flowwatch.adapters.devices.message import Devices, Known, Message, Refused, named, speaking
from flowwatch.adapters.devices.sheet import Found, gather
from flowwatch.adapters.devices.values import Members, count, elements, members, text
from flowwatch.core.readings import Kind, Reason

NAME: Final = "onvif"
LONGEST_EVENT: Final = 1 << 16
"""Bytes of an event; those known have under 300."""
_TOPIC: Final = re.compile(r"(?:(?P<device>.*?)/)?(?:onvif-ej/|tns1:)(?P<event>.*)", re.DOTALL)
_COUNTS: Final = {"Counter": Kind.CUMULATIVE, "OccupancyCounter": Kind.ABSOLUTE}


def looks_like(message: Message) -> bool:
    """Whether the topic or the members are those of an ONVIF event."""
    return "/onvif-ej/" in message.topic or all(f'"{key}"'.encode() in message.body[:4096] for key in ("UtcTime", "Source", "Data"))


def read(message: Message, devices: Devices) -> Batch:
    """The count of an event."""
    return gather(NAME, message, lambda sheet: sheet.take(message.body, lambda raw: _event(raw, message, devices)), LONGEST_EVENT)


def _event(raw: bytes, message: Message, devices: Devices) -> Found:
    event = members(raw)
    topic = _TOPIC.fullmatch(message.topic or text(event.get("Topic")) or "")
    if topic is None:
        raise Refused(Reason.UNREADABLE, "no topic of ONVIF, which says what is counted")
    source = _items(event.get("Source"))
    levels = topic["event"].replace("tns1:", "").split("/")
    rule = text(source.get("Rule")) or levels[-1]
    name = named(*(part for part in (topic["device"], rule) if part))
    with speaking(name):
        if levels[:2] != ["RuleEngine", "CountAggregation"] or levels[2:3] == [] or levels[2] not in _COUNTS:
            raise Refused(Reason.MISSING_COUNT, "an event that is no count")
        return _counted(event, _COUNTS[levels[2]], devices.find(name), message.received)


def _counted(event: Members, kind: Kind, device: Known, received: int) -> Found:
    people = count(_items(event.get("Data")).get("Count"), "Count")
    if people is None:
        raise Refused(Reason.MISSING_COUNT, "no Count")
    at = instant(text(event.get("UtcTime")), received, UTC)
    if kind is Kind.ABSOLUTE:
        return Found(device, kind, at, inside=people, within=str(people))
    ingress, egress = device.one_way(people)
    return Found(device, kind, at, ingress, egress)


def _items(raw: bytes | None) -> Members:
    """The items of Source or Data by name."""
    found = {} if raw is None else members(raw, "Source or Data")
    listed = found.get("SimpleItem")
    if listed is None:
        return found
    for item in elements(listed, "SimpleItem") if listed[:1] == b"[" else [listed]:
        pair = members(item, "an item")
        if "Value" in pair and (name := text(pair.get("Name"))) is not None:
            found[name] = pair["Value"]
    return found
