"""The message about a zone, and the one that says whether this feed lives: what whoever listens to the broker reads. Pure.

A message is absolute: it says how the zone is, never what changed. Figures are persons; what is not known is null, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from flowwatch.actuators.protocol import ROOT, Moment, SiteName, Words, moment
from flowwatch.core.entries import Estimate
from flowwatch.core.incidents import What
from flowwatch.picture import Standing
from flowwatch.planning.settings import capacity

STATUS_TOPIC: Final = f"{ROOT}/service/feed"
"""Not the dispatcher's: gates fall to their own mode when that one says "lost", and they need not for a feed."""
WHOLE: Final = "site"
"""The name under which a minute has the whole site beside its zones."""
_TOPIC: Final = re.compile(rf"{ROOT}/([^/]+)/zone/([^/]+)/state")

Persons = Annotated[float, Meta(description="thousandths at the finest; below 0 where counters drift")]
ZoneName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description='as the site file names it; "site" is the whole')]


class StageNow(Struct, frozen=True, kw_only=True):
    """The stage that a plan of the site is in."""

    plan: str
    stage: str
    level: Annotated[str | None, Meta(description="I (red) to IV (blue); null where the plan gives it none")] = None
    since: Moment
    entry: Annotated[str, Meta(description="the journal's entry that tells of it")]


class ZoneState(Struct, frozen=True, kw_only=True, rename={"came_in": "in", "went_out": "out"}):
    """A zone as its newest minute has it, and what is in force at its site."""

    v: Literal[1] = 1
    site: SiteName
    zone: ZoneName
    title: Words | None = None
    at: Annotated[Moment, Meta(description="when the minute was closed: how old the figures are")]
    known: Annotated[bool, Meta(description="whether anything has anchored the figure")]
    people: Annotated[Persons | None, Meta(description="people inside; null while it is not known")] = None
    lower: Annotated[Persons | None, Meta(description="there are at least so many")] = None
    upper: Annotated[Persons | None, Meta(description="there are at most so many; null while it is not known")] = None
    capacity: Annotated[int | None, Meta(description="persons")] = None
    capacity_share: Annotated[float | None, Meta(description="people / capacity: 1 is full")] = None
    people_per_m2: float | None = None
    came_in: Annotated[int, Meta(description="people counted in, in that minute")] = 0
    went_out: Annotated[int, Meta(description="people counted out, in that minute")] = 0
    silent: Annotated[list[str], Meta(description="counters of the zone that say nothing")] = msgspec.field(default_factory=list)
    stages: Annotated[list[StageNow], Meta(description="of every plan of the site")] = msgspec.field(default_factory=list)
    drill: Annotated[bool, Meta(description="an exercise is running at the site")] = False
    override: Annotated[bool, Meta(description="an operator holds a stage or a gate elsewhere than the plan asks")] = False
    fire: Annotated[bool, Meta(description="a fire is reported at the site")] = False


class FeedStatus(Struct, frozen=True, kw_only=True):
    """Whether zone states are being told; the last will says "lost"."""

    v: Literal[1] = 1
    state: Literal["up", "lost"]


_ENCODER: Final = msgspec.json.Encoder()


def topic(site: str, zone: str) -> str:
    """Where the state of a zone is kept.

    >>> topic("yuyuan", "mall")
    'flowwatch/v1/yuyuan/zone/mall/state'
    """
    return f"{ROOT}/{site}/zone/{zone}/state"


def read_topic(name: str) -> tuple[str, str] | None:
    """(site, zone) of a zone state's topic; None for any other."""
    found = _TOPIC.fullmatch(name)
    return (found[1], found[2]) if found else None


def write(message: ZoneState | FeedStatus) -> bytes:
    """The bytes of `message`."""
    return _ENCODER.encode(message)


def states(estimate: Estimate, standing: Standing, document: Mapping[str, Any] | None) -> Iterator[ZoneState]:
    """The message of every zone of a site's minute. `document`: the compiled site that decided it; None where it is no longer known."""
    places, stages = _places(document), _stages(standing, document)
    open_ = {str(body["what"]) for body in standing.incidents.values()}
    for zone, figures in msgspec.json.decode(estimate.body)["zones"].items():
        known, place = bool(figures["known"]), places.get(zone, {})
        people = _persons(figures["inside_m"]) if known else None
        most, area = place.get("capacity"), place.get("area_m2")
        yield ZoneState(
            site=estimate.site,
            zone=zone,
            title=Words(**place["title"]) if place.get("title") else None,
            at=moment(estimate.at),
            known=known,
            people=people,
            lower=_persons(figures["lower_m"]),
            upper=_persons(figures["upper_m"]) if known else None,
            capacity=most,
            capacity_share=round(people / most, 4) if people is not None and most else None,
            people_per_m2=round(people / area, 4) if people is not None and area else None,
            came_in=int(figures["in"]),
            went_out=int(figures["out"]),
            silent=list(figures["silent"]),
            stages=stages,
            drill=What.DRILL_ACTIVE in open_,
            override=What.OVERRIDE_ACTIVE in open_,
            fire=What.FIRE in open_,
        )


def _places(document: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Zone -> its part of the document; the whole site among them."""
    if document is None:
        return {}
    zones = document["zones"]
    floor = sum(z["area_m2"] for z in zones if z["inside"] is None and not z.get("outside"))
    whole = {"title": document.get("title"), "capacity": capacity(document), "area_m2": floor}
    return {zone["zone"]: zone for zone in zones} | {WHOLE: whole}


def _stages(standing: Standing, document: Mapping[str, Any] | None) -> list[StageNow]:
    levels = {(plan["plan"], stage["stage"]): stage.get("level") for plan in (document or {}).get("plans", ()) for stage in plan["stages"]}
    return [
        StageNow(plan=plan, stage=body["to"], level=levels.get((plan, body["to"])), since=moment(body["at_us"]), entry=body["id"])
        for plan, body in sorted(standing.stages.items())
    ]


def _persons(milli: int | None) -> float | None:
    return None if milli is None else milli / 1000
