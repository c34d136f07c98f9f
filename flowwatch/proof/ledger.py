"""The ledger of a day at one site (电子台账): what its journal, its book of handling and its deliveries say of it, put in order.

Gathered from what it is given and from nothing else; it reads no file. What came before the day is told apart: it says what stood and what was open
when the day began. What cannot be read is passed over and named (`Ledger.unreadable`). Times are microseconds UTC, the day is
since_us <= at < until_us; people of estimates are thousandths of a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import msgspec

from flowwatch.actuators.ledger import Delivery
from flowwatch.core.entries import Entry, EntryKind, Estimate
from flowwatch.core.readings import Reason
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.load import Load
from flowwatch.handling.load import load as load_of
from flowwatch.handling.readable import CANNOT_READ, bodies, readable
from flowwatch.journal.export import iso
from flowwatch.proof.cases import Body, Case, cases

SITE: Final = "site"
HOUR_US: Final = 3_600_000_000
GAP_US: Final = 3 * 60_000_000
"""Estimates further apart than this are drawn apart: nothing was decided between them."""
EFFECTS: Final = ("gate_unanswered", "gate_wrong_mode", "gate_lost", "gate_contradicted", "release_needed")
"""Incidents that say how a command fared, besides its answer."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of the day: how many the log holds, how many of them were counted; `refused` by reason. `whole`: the log still has all of the day."""

    total: int
    accepted: int
    refused: Mapping[Reason, int]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Peak:
    """The most people that a zone held, and when. `known` false: at least so many; `upper_m` is None then."""

    zone: str
    at_us: int
    inside_m: int
    lower_m: int
    upper_m: int | None
    known: bool


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour: people in and out of the whole site, and its peak; None where nothing was decided."""

    since_us: int
    people_in: int
    people_out: int
    peak: Peak | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A plan in one stage; `since_us` and `until_us` within the day. `entry`, `reason`: of the change that began it, None if before the day."""

    plan: str
    stage: str
    since_us: int
    until_us: int
    entry: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """One command to a gate or another device, how it was delivered, and what was seen of it until the next one (incident kind, when)."""

    entry: str
    at_us: int
    device: str
    """"gate/gate-3", "sign/board-1"."""
    body: Body
    deliveries: tuple[Delivery, ...]
    effects: tuple[tuple[str, int], ...]

    @property
    def last(self) -> Delivery | None:
        """The last attempt at it."""
        return next((d for d in reversed(self.deliveries) if d.attempt), None)


@dataclass(frozen=True, slots=True)
class Deed:
    """An operator's record that the engine read."""

    entry: str
    at_us: int
    body: Body


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a chain stood at the end of the day."""

    file: str
    chain: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All of a day at a site."""

    site: str
    day: str
    since_us: int
    until_us: int
    as_of_us: int
    """Up to when it is told: the end of the day, or how far the log was in a day that is not over."""
    document: Mapping[str, Any] | None
    estimates: Sequence[tuple[int, Body]]
    """(when, zone -> figures)."""
    readings: Readings | None
    """None where the log is not there."""
    peaks: Sequence[Peak]
    hours: Sequence[Hour]
    stages: Mapping[str, Sequence[Stretch]]
    orders: Sequence[Order]
    cases: Sequence[Case]
    deeds: Sequence[Deed]
    tasks: Sequence[tuple[int, Body]]
    documents: Sequence[tuple[int, str]]
    """(since when, version): in force when the day began, and every one that came into force in it."""
    ends: Sequence[ChainEnd]
    head: str | None
    """The SHA-256 of the signed head of the day, if there is one in the workspace."""
    handled: bool
    """Whether there is a book of handling."""
    delivered: bool
    """Whether there is a ledger of deliveries."""
    load: Load | None
    """How heavy the alarms were; None where nobody was told anything."""
    unreadable: Sequence[tuple[str, str]] = ()
    """(file, id) of records that could not be read, and that nothing here counts."""

    @property
    def over(self) -> bool:
        """Whether the day is over."""
        return self.as_of_us >= self.until_us

    @property
    def worst(self) -> Stretch | None:
        """The highest stage that any plan with levels was in."""
        found = [stretch for stretches in self.stages.values() for stretch in stretches]
        return max(found, key=lambda s: (RANKS[self.level(s)], -s.since_us), default=None)

    def level(self, stretch: Stretch) -> str | None:
        """The level of a stage by the site's documents."""
        for plan in (self.document or {}).get("plans", ()):
            for stage in plan["stages"]:
                if (plan["plan"], stage["stage"]) == (stretch.plan, stretch.stage):
                    return None if stage["level"] is None else str(stage["level"])
        return None


# ---- figures


def peaks(estimates: Iterable[tuple[int, Body]]) -> list[Peak]:
    """Of each zone, the most people; by the figure, by the lower edge where it is not known. The whole site comes first."""
    found: dict[str, Peak] = {}
    for at, zones in estimates:
        for zone, figures in zones.items():
            peak = _peak(zone, at, figures)
            if zone not in found or _most(peak) > _most(found[zone]):
                found[zone] = peak
    return sorted(found.values(), key=lambda peak: (peak.zone != SITE, peak.zone))


def _peak(zone: str, at: int, figures: Body) -> Peak:
    return Peak(zone, at, figures["inside_m"], figures["lower_m"], figures["upper_m"], bool(figures["known"]))


def _most(peak: Peak) -> int:
    return peak.inside_m if peak.known else peak.lower_m


def hours(estimates: Sequence[tuple[int, Body]], since: int, until: int) -> list[Hour]:
    """Each hour of the day; a minute's estimate belongs to the hour in which the minute ended."""
    made = []
    for start in range(since, until, HOUR_US):
        within = [(at, zones[SITE]) for at, zones in estimates if start <= at < start + HOUR_US and SITE in zones]
        best = max((_peak(SITE, at, figures) for at, figures in within), key=_most, default=None)
        made.append(Hour(start, sum(f["in"] for _, f in within), sum(f["out"] for _, f in within), best))
    return made


def stretches(moves: Iterable[Entry], since: int, until: int) -> dict[str, list[Stretch]]:
    """Each plan's stages within the day, from its changes in their order, those before the day included."""
    told: dict[str, list[tuple[int, str | None, str, str]]] = {}
    for entry in moves:
        body = json.loads(entry.body)
        told.setdefault(body["plan"], []).append((entry.at, body["to"], entry.id, body["reason"]))
    found: dict[str, list[Stretch]] = {}
    for plan, changes in told.items():
        for (at, stage, id_, reason), (following, *_) in pairwise([*changes, (until, None, "", "")]):
            start, end = max(at, since), min(following, until)
            if stage is not None and start < end:
                here = (id_, reason) if at >= since else (None, None)
                found.setdefault(plan, []).append(Stretch(plan, stage, start, end, *here))
    return found


# ---- commands


def orders(entries: Iterable[Entry], deliveries: Iterable[Delivery], incidents: Iterable[tuple[int, Body]]) -> list[Order]:
    """The day's commands with what came of them: answers of the ledger, incidents about the device until its next command."""
    by_command: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_command.setdefault(delivery.command, []).append(delivery)
    raised: dict[str, list[tuple[int, str]]] = {}
    for at, body in incidents:
        if body["what"] in EFFECTS and body["state"] == "raised":
            name = body["subject"] if "/" in body["subject"] else f"gate/{body['subject']}"
            raised.setdefault(name, []).append((at, body["what"]))
    said = [(entry, device_of(json.loads(entry.body)), json.loads(entry.body)) for entry in entries]
    following: dict[str, int] = {}
    found = list[Order]()
    for entry, device, body in reversed(said):
        end = following.get(device, 2**62)
        effects = tuple((what, at) for at, what in raised.get(device, ()) if entry.at <= at < end)
        found.append(Order(entry.id, entry.at, device, body, tuple(by_command.get(entry.id, ())), effects))
        following[device] = entry.at
    return found[::-1]


def device_of(body: Body) -> str:
    """The device that a command is for, as the ledger of deliveries names it."""
    return f"gate/{body['gate']}" if "gate" in body else f"{body['device']}/{body['name']}"


# ---- all of it


def gather(  # noqa: PLR0913 - a day has many sources, each with its name
    *,
    site: str,
    day: str,
    span: tuple[int, int],
    document: Mapping[str, Any] | None,
    before: Iterable[Entry],
    entries: Iterable[Entry],
    estimates: Iterable[Estimate],
    records: Iterable[Entry] | None,
    deliveries: Iterable[Delivery] | None,
    readings: Readings | None,
    ends: Sequence[ChainEnd],
    head: str | None = None,
    as_of_us: int | None = None,
    unreadable: Iterable[tuple[str, str]] = (),
) -> Ledger:
    """The ledger. `before`: the site's changes of stage, incidents and documents before the day; `entries`: all of the day; both in order.

    `records`: its chain of the book, from `load.LEAD_US` before the day to its end. `as_of_us`: how far the log was, where the day is not over;
    nothing is said of what comes then. `unreadable`: (file, id) of what could not be read on the way here.
    """
    since, until = span
    end = until if as_of_us is None else min(as_of_us, until)
    if end <= since:
        raise ValueError(f"found a day that begins at {since} and a log that is at {end}, expected a day that has begun")
    of_journal, of_book = set[str](), set[str]()
    earlier, today = ([entry for entry, _ in bodies(found, of_journal)] for found in (before, entries))
    told = list(readable(records or (), of_book))
    minutes = list(_minutes(estimates, of_journal))
    both = [*earlier, *today]
    incidents = [(entry.at, json.loads(entry.body)) for entry in both if entry.kind is EntryKind.INCIDENT]
    commanded = [entry for entry in today if entry.kind in (EntryKind.COMMAND, EntryKind.DEVICE)]
    versions = [(entry.at, str(json.loads(entry.body)["version"])) for entry in both if entry.kind is EntryKind.DOCUMENT]
    return Ledger(
        site=site,
        day=day,
        since_us=since,
        until_us=until,
        as_of_us=end,
        document=document,
        estimates=minutes,
        readings=readings,
        peaks=peaks(minutes),
        hours=hours(minutes, since, end),
        stages=stretches((entry for entry in both if entry.kind is EntryKind.TRANSITION), since, end),
        orders=orders(commanded, deliveries or (), ((at, body) for at, body in incidents if at >= since)),
        cases=cases(incidents, told, since, until),
        deeds=[Deed(entry.id, entry.at, json.loads(entry.body)) for entry in today if entry.kind is EntryKind.ACTION],
        tasks=[(entry.at, json.loads(entry.body)) for entry in today if entry.kind is EntryKind.TASK],
        documents=list(_in_force(versions, since)),
        ends=ends,
        head=head,
        handled=records is not None,
        delivered=deliveries is not None,
        load=load_of([entry for entry, _ in told], since, end) if told else None,
        unreadable=_in_order({*unreadable, *(("journal", id_) for id_ in of_journal), *(("handling", id_) for id_ in of_book)}),
    )


def _in_order(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(found, key=lambda one: (one[0], len(one[1]), one[1]))


class _Figures(msgspec.Struct):
    inside_m: int
    lower_m: int
    upper_m: int | None
    known: bool
    came: int = msgspec.field(name="in")
    left: int = msgspec.field(name="out")


class _Minute(msgspec.Struct):
    zones: dict[str, _Figures]


def _minutes(estimates: Iterable[Estimate], passed: set[str]) -> Iterator[tuple[int, Body]]:
    for estimate in estimates:
        try:
            body = msgspec.json.decode(estimate.body, type=dict[str, Any])
            msgspec.convert(body, _Minute)
        except CANNOT_READ:
            passed.add(f"{estimate.site} {iso(estimate.at)}")
        else:
            yield estimate.at, body["zones"]


def _in_force(versions: Sequence[tuple[int, str]], since: int) -> Iterator[tuple[int, str]]:
    before = [version for version in versions if version[0] < since]
    yield from before[-1:]
    yield from (version for version in versions if version[0] >= since)
