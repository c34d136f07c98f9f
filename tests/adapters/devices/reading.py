"""Messages through a family of devices, as plain rows; and an event of Hikvision's that a test can change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.families import FAMILIES
from flowwatch.adapters.devices.message import Device, Devices, Message
from flowwatch.adapters.devices.sheet import told
from flowwatch.core.readings import ABSENT, Kind, Reason
from tests.adapters.told import number

RECEIVED = 1_790_816_460_000_000
"""2026-10-01T09:01:00+08:00."""
DOCUMENTED = Path(__file__).parent / "documented"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Facts = tuple[object, ...]


def us(text: str) -> int:
    """The time that an ISO text with an offset names."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def read(family: str, body: bytes, devices: Mapping[str, Device] | None = None, received: int = RECEIVED, **hints: str) -> Batch:
    return FAMILIES[family].read(Message(body, received, **hints), Devices.of(devices or {}))


def readings(batch: Batch) -> list[Facts]:
    """(counter, kind, at, in, out, inside) of each reading."""
    r = batch.readings
    figures = [[number(int(v)) for v in column] for column in (r.at, r.ingress, r.egress, r.headcount)]
    return [(r.names[i], Kind(int(r.kind[i])), *(column[i] for column in figures)) for i in range(len(r))]


def refusals(batch: Batch) -> list[tuple[Reason, str, str]]:
    """(reason, device, why) of each refusal."""
    return [(r.reason, told(r.raw).device, told(r.raw).why) for r in batch.refused]


def reasons(batch: Batch) -> list[Reason]:
    return [r.reason for r in batch.refused]


def sequences(batch: Batch) -> list[int]:
    made: list[int] = batch.readings.seq.tolist()
    assert ABSENT not in made
    return made


def event(**changes: Any) -> bytes:
    """An event of a camera; `changes` replace the defaults, None leaves an element out."""
    said: dict[str, Any] = {
        "mac": "44:19:b6:00:00:01",
        "ip": "192.168.1.64",
        "channel": 1,
        "type": "PeopleCounting",
        "method": "realTime",
        "time": "2026-10-01T09:00:02+08:00",
        "start": None,
        "end": None,
        "enter": 167,
        "exit": 54,
        "region": None,
        "again": "false",
        "namespace": "http://www.isapi.org/ver20/XMLSchema",
    } | changes

    def tag(name: str, value: object) -> str:
        return "" if value is None else f"<{name}>{value}</{name}>"

    span = tag("startTime", said["start"]) + tag("endTime", said["end"])
    counting = tag("statisticalMethods", said["method"]) + (f"<TimeRange>{span}</TimeRange>" if span else "")
    counting += (f"<RealTime>{tag('time', said['time'])}</RealTime>" if said["time"] else "") + tag("enter", said["enter"])
    counting += tag("exit", said["exit"]) + tag("regionsID", said["region"])
    head = (
        tag("ipAddress", said["ip"]) + tag("macAddress", said["mac"]) + tag("channelID", said["channel"]) + tag("eventType", said["type"])
    )
    space = f' xmlns="{said["namespace"]}"' if said["namespace"] else ""
    body = f"{head}<peopleCounting>{counting}</peopleCounting>{tag('isDataRetransmission', said['again'])}"
    return f"<EventNotificationAlert{space}>{body}</EventNotificationAlert>".encode()
