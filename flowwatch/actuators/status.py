"""How every device is, for people: wanted, reported, under way, and why nothing goes to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowwatch.actuators.fleet import Device
from flowwatch.actuators.reconcile import Flight, Plan, Wait, Wanted

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device for the people who look: how it is to be, how it says that it is, and why nothing goes to it now."""

    site: str
    device: str
    driven: bool
    wanted: Wanted | None
    setting: str | None
    revision: int
    link: str
    """up, lost, unsure (known from the broker's memory alone) or unheard."""
    heard_us: int | None
    flight: Flight | None
    """The last attempt of the newest revision."""
    wait: Wait | None
    fault: str | None
    fenced: bool
    passed: tuple[int, int] | None


def statuses(site: Record, wanted: Mapping[str, Wanted], devices: Mapping[str, Device], plan: Plan) -> Iterator[DeviceStatus]:
    """Every device of the compiled `site`, those without an actuator too."""
    there = [f"{kind}/{one[kind]}" for kind in ("gate", "barrier", "sign", "link") for one in site[f"{kind}s"]]
    for id_ in there:
        device, want = devices.get(id_), wanted.get(id_)
        seen = device.known.reported if device is not None else None
        flights = device.known.flights if device is not None else ()
        link = "unheard" if seen is None else "lost" if not seen.up else "up" if seen.live else "unsure"
        yield DeviceStatus(
            site["site"],
            id_,
            driven=device is not None,
            wanted=want,
            setting=seen.setting if seen is not None else None,
            revision=seen.revision if seen is not None else 0,
            link=link,
            heard_us=seen.heard_us if seen is not None else None,
            flight=max(flights, key=lambda f: f.revision, default=None),
            wait=plan.waits.get(id_),
            fault=device.fault if device is not None else None,
            fenced=device is not None and device.fenced,
            passed=device.passed if device is not None else None,
        )
