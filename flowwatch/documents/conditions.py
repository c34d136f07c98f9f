"""Conditions: what a stage, a degraded rule or a case looks at, and when it holds.

One struct stands for all shapes of a condition, because a planner writes them all alike: a mapping whose *leading key* (`any`, `zone`,
`time`, …) says what the other keys mean. The table `SHAPES` is the only place that knows which keys belong to which shape; the rules about
conditions (`condition_rules.py`), the compiler and the reference page go by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType

from flowwatch.documents.faults import Path
from flowwatch.documents.words import (
    Bar,
    CounterOrAny,
    DayWord,
    Document,
    Duration,
    GateRef,
    LinkRef,
    Name,
    Period,
    Window,
    ZoneOrSite,
    note,
)

DEEPEST_GROUP: Final = 4
"""Groups within groups, the outermost included: deeper ones nobody reads rightly at night."""
MOST_CLAUSES: Final = 64
"""Alternatives of a condition, when it is multiplied out."""
_CONDITION: Final = Meta(
    extra={"what": "a condition: a mapping that begins with one of any, all, zone, gate, link, counter, site, time, day"}
)


class Measure(StrEnum):
    """What is compared with the bars; which place has which is in `PEOPLE` and `PASSERS`."""

    OCCUPANCY = "occupancy"
    UPPER = "occupancy_upper"
    LOWER = "occupancy_lower"
    BAND_WIDTH = "band_width"
    CAPACITY_SHARE = "capacity_share"
    DENSITY = "density"
    LEVEL_OF_SERVICE = "level_of_service"
    QUEUE = "queue"
    NET_FLOW = "net_flow"
    FORECAST_P50 = "forecast_p50"
    FORECAST_P75 = "forecast_p75"
    FORECAST_P90 = "forecast_p90"
    FORECAST_P95 = "forecast_p95"
    FLOW_RATE = "flow_rate"
    SPECIFIC_FLOW = "specific_flow"
    OPPOSING_FLOW = "opposing_flow"


OCCUPANCIES: Final = (Measure.OCCUPANCY, Measure.UPPER, Measure.LOWER)
FORECASTS: Final = (Measure.FORECAST_P50, Measure.FORECAST_P75, Measure.FORECAST_P90, Measure.FORECAST_P95)
PASSERS: Final = (Measure.FLOW_RATE, Measure.SPECIFIC_FLOW, Measure.OPPOSING_FLOW)
"""Measures of a gate or link; the last of a link only."""
PEOPLE: Final = tuple(measure for measure in Measure if measure not in PASSERS)
"""Measures of a zone."""


class ClearMeasure(StrEnum):
    """What must fall below `clear`: people inside as estimated, or an edge of the band around them."""

    OCCUPANCY = "occupancy"
    UPPER = "occupancy_upper"
    LOWER = "occupancy_lower"


class Direction(StrEnum):
    """Which passers count; in is from `from` to `to` of the gate or link."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Health(StrEnum):
    """What may be wrong with a counter."""

    SILENT = "silent"
    STUCK = "stuck"
    IMPLAUSIBLE = "implausible"
    DRIFTING = "drifting"


class Condition(Document, frozen=True, kw_only=True):
    """One comparison, one kind of time, or a group of conditions. Its leading key says which, and which other keys it takes."""

    any: Annotated[list[Annotated[Condition, _CONDITION]], Meta(min_length=1, max_length=50), note("holds when one of these holds")] | (
        UnsetType
    ) = UNSET
    all: Annotated[list[Annotated[Condition, _CONDITION]], Meta(min_length=1, max_length=50), note("holds when all of these hold")] | (
        UnsetType
    ) = UNSET
    zone: Annotated[ZoneOrSite, note('people in a zone of the site, or in "site", the whole')] | UnsetType = UNSET
    gate: Annotated[GateRef, note("people passing a gate")] | UnsetType = UNSET
    link: Annotated[LinkRef, note("people passing on a link")] | UnsetType = UNSET
    counter: Annotated[CounterOrAny, note('the health of a counter, or of "any"')] | UnsetType = UNSET
    site: Annotated[Name, note("another site of the same group, by the stage that one of its plans is at")] | UnsetType = UNSET
    time: Annotated[Window, note("the time of day, on the clocks of the site; it may pass midnight")] | UnsetType = UNSET
    day: Annotated[list[DayWord], Meta(min_length=1, max_length=50), note("the kind of the business day")] | UnsetType = UNSET
    measure: Annotated[Measure, note("what is compared with the bars")] | UnsetType = UNSET
    direction: Annotated[Direction, note("passers: which of them count; both, if left out")] | UnsetType = UNSET
    within: Annotated[Period, note("forecasts: how far ahead")] | UnsetType = UNSET
    enter: Annotated[Bar, note("the bar that must be exceeded: 1500, 3.5, 80% or E, as the measure has it")] | UnsetType = UNSET
    clear: Annotated[Bar, note("the bar that must be fallen below; lower than enter")] | UnsetType = UNSET
    clear_measure: (
        Annotated[ClearMeasure, note("what must fall below clear: the band's upper edge, unless written otherwise")] | UnsetType
    ) = UNSET
    health: Annotated[Health, note("what is wrong with the counter")] | UnsetType = UNSET
    plan: Annotated[Name, note("which of the other site's plans: its main plan, if left out")] | UnsetType = UNSET
    stage: Annotated[Name, note("the stage that the other site's plan is at, or above")] | UnsetType = UNSET
    hold: Annotated[Duration, note("how long it must stay so before the condition holds")] | UnsetType = UNSET


class When(Document, frozen=True, kw_only=True):
    """A group of conditions: any of them, or all."""

    any: Annotated[list[Annotated[Condition, _CONDITION]], Meta(min_length=1, max_length=50), note("holds when one of these holds")] | (
        UnsetType
    ) = UNSET
    all: Annotated[list[Annotated[Condition, _CONDITION]], Meta(min_length=1, max_length=50), note("holds when all of these hold")] | (
        UnsetType
    ) = UNSET


Group = When | Condition
"""A condition that has parts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys that a condition takes beside its leading one."""

    needed: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


SHAPES: Final = {
    "any": Shape(),
    "all": Shape(),
    "zone": Shape(needed=("measure", "enter", "clear", "hold"), allowed=("clear_measure", "within")),
    "gate": Shape(needed=("measure", "enter", "clear", "hold"), allowed=("direction",)),
    "link": Shape(needed=("measure", "enter", "clear", "hold"), allowed=("direction",)),
    "counter": Shape(needed=("health", "hold")),
    "site": Shape(needed=("stage", "hold"), allowed=("plan",)),
    "time": Shape(),
    "day": Shape(),
}
"""Leading key -> what goes with it."""


def leading(condition: Condition) -> list[str]:
    """The leading keys that stand in a condition; exactly one in a sound one."""
    return [key for key in SHAPES if getattr(condition, key) is not UNSET]


def parts(group: Group) -> tuple[str, list[Condition]]:
    """The key of a group and the conditions in it; ("", []) if the condition is no group."""
    for key in ("any", "all"):
        found = getattr(group, key)
        if found is not UNSET:
            return key, found
    return "", []


def leaves(group: Group, path: Path = ()) -> Iterator[tuple[Path, Condition]]:
    """Every condition without parts below `group`, in the order of writing, with its path."""
    key, inner = parts(group)
    for i, condition in enumerate(inner):
        if parts(condition)[0]:
            yield from leaves(condition, (*path, key, i))
        else:
            yield (*path, key, i), condition
