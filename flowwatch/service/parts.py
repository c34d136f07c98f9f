"""The parts that the handlers work with, put together once; and what the service asks of a dispatcher, if one is connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flowwatch.feed.caps import Caps
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.handling.desk import Desk
from flowwatch.journal.opened import Opened
from flowwatch.picture import Picture
from flowwatch.service.auth.authenticate import Authenticator
from flowwatch.service.auth.identity import Areas, Identity, Role, Scope
from flowwatch.service.auth.roster import Roster
from flowwatch.service.auth.slowdown import Slowdown
from flowwatch.service.auth.users import Users
from flowwatch.service.problems import Problem
from flowwatch.service.records import Hearing, Records
from flowwatch.service.sites import Sites

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _no_hearing(site: str, record: dict[str, Any]) -> None:
    del site, record


def _no_devices(site: str) -> Mapping[str, Mapping[str, Any]]:
    del site
    return {}


def _no_deliveries(site: str, limit: int) -> list[dict[str, Any]]:
    del site, limit
    return []


@dataclass(frozen=True, slots=True)
class Wires:
    """A dispatcher as the service sees it; without one, nothing is sent and nothing known of it.

    `on_fire(site, record)` is called, in a thread, for every report of a fire before it is written, and returns when the latch is durable.
    `devices(site)` gives "gate/<id>" -> what is known of the device (wanted, reported, in flight, why it waits) as JSON values;
    `deliveries(site, limit)` the newest deliveries, last first. Both are called in threads. `reports_waiting()`: reports of devices that the log
    does not have yet.
    """

    connected: bool = False
    on_fire: Hearing = _no_hearing
    devices: Callable[[str], Mapping[str, Mapping[str, Any]]] = _no_devices
    deliveries: Callable[[str, int], list[dict[str, Any]]] = _no_deliveries
    reports_waiting: Callable[[], int] = int


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a handler may use."""

    sites: Sites
    picture: Picture
    records: Records
    users: Users
    authenticator: Authenticator
    slowdown: Slowdown
    roster: Roster
    now_us: Callable[[], int]
    book: Opened
    """The book of handling, to read."""
    caps: Caps
    wires: Wires = field(default_factory=Wires)
    desk: Desk | None = None
    """Who tells people of incidents and takes their steps; None where nobody does."""
    courier: Courier | None = None

    @property
    def areas(self) -> Areas:
        """Where sites lie."""
        return self.sites.areas

    def sees(self, identity: Identity, site: str | None) -> bool:
        """Whether the identity may read of the site; None stands for what belongs to no site."""
        if site is None:
            return identity.sees_everything() and identity.is_any(Role.VIEWER, Scope.READ)
        return identity.may(Role.VIEWER, Scope.READ, self.areas.of(site))


def micros(at: datetime, name: str) -> int:
    """A moment as microseconds since the epoch. Raises `Problem` for one without an offset, or before the epoch."""
    if at.tzinfo is None:
        raise Problem("invalid", f"{name}: found a time without an offset, expected one such as 2026-10-01T09:00:00+08:00", field=name)
    try:
        found = (at - _EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        found = -1
    if found < 0:
        raise Problem("invalid", f"{name}: found a time before 1970, expected a later one", field=name)
    return found
