"""FIWARE CrowdFlowObserved: an entity as key values or normalized, a list of them, or a context broker's notification.

An entity holds the people of one interval: `peopleCountTowards` and `peopleCountAway` are in and out. One that has `peopleCount` alone says
nothing of where they went, and the device's entry in the deployment file must. Its attribute `direction` tells of the road and the city
centre, not of a site, and is not looked at. `occupancy` is the share of *time* for which somebody stood in the sensor's view, never a
headcount, and is not read.

A device is the entity's id. The count is of the end of the interval: `dateObservedTo`, else what stands behind the "/" of `dateObserved`.
"""

from __future__ import annotations

from typing import Final

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import instant
from flowwatch.adapters.devices.message import Devices, Known, Message, Refused, named, speaking
from flowwatch.adapters.devices.sheet import Found, Sheet, gather
from flowwatch.adapters.devices.values import Members, count, members, opened, text
from flowwatch.core.readings import Kind, Reason

NAME: Final = "fiware"
TYPE: Final = "CrowdFlowObserved"


def looks_like(message: Message) -> bool:
    """Whether an entity of that type is in it."""
    return f'"{TYPE}"'.encode() in message.body[:65_536]


def read(message: Message, devices: Devices) -> Batch:
    """The counts of each entity."""

    def fill(sheet: Sheet) -> None:
        for entity in _entities(message.body):
            sheet.take(entity, lambda raw: _entity(raw, message, devices))

    return gather(NAME, message, fill)


def _entities(body: bytes) -> list[bytes]:
    document = opened(body)
    if isinstance(document, list):
        return document
    if "data" in document and "id" not in document:
        data = opened(document["data"])
        return data if isinstance(data, list) else [document["data"]]
    return [body]


def _entity(raw: bytes, message: Message, devices: Devices) -> Found:
    entity = members(raw)
    said = text(entity.get("id"))
    if said is None:
        raise Refused(Reason.UNREADABLE, "no id")
    with speaking(named(said)):
        if text(entity.get("type")) != TYPE:
            raise Refused(Reason.MISSING_COUNT, f"an entity that is no {TYPE}")
        return _counts(entity, devices.find(named(said)), message.received)


def _counts(entity: Members, device: Known, received: int) -> Found:
    whole_span = text(_value(entity.get("dateObserved")))
    begin, _, end = (whole_span or "").rpartition("/")
    said_from, said_to = (text(_value(entity.get(name))) for name in ("dateObservedFrom", "dateObservedTo"))
    at = instant(said_to or end or None, received, device.zone)
    start = said_from or begin
    towards, away, people = (count(_value(entity.get(f"peopleCount{way}")), f"peopleCount{way}") for way in ("Towards", "Away", ""))
    if towards is None and away is None and people is not None:
        towards, away = device.one_way(people)
    return Found(device, Kind.DELTA, at, towards, away, within=str(instant(start, received, device.zone)) if start else "")


def _value(raw: bytes | None) -> bytes | None:
    """An attribute's value, which in the normalized form stands in an object (and a time once more, as "@value")."""
    for _ in range(3):
        if raw is None or raw[:1] != b"{":
            return raw
        inner = members(raw, "an attribute")
        raw = inner.get("value", inner.get("@value"))
    return raw
