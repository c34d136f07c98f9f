"""The site file: what exists. Its owner is operations; what must happen is the plan's.

These types are the language of `config/sites/<site>.yaml` and the only place where its keys stand: the reader, the JSON Schema and the
tests go by them. A key that may be left out and is UNSET gets its value when the document is compiled (`compiled.py`), so that the engine
never sees a default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.core.readings import OUTSIDE
from flowwatch.documents.words import (
    BarrierName,
    CounterName,
    Document,
    Duration,
    GateName,
    GateRef,
    LaneFlow,
    Lanes,
    LinkName,
    LinkRef,
    Metres,
    Modulus,
    Name,
    People,
    Period,
    PerMinute,
    Prose,
    Rate,
    Share,
    SignName,
    SiteName,
    SmallShare,
    SomePeople,
    SquareMetres,
    Text,
    TimeOfDay,
    TimeZone,
    Validity,
    ZoneName,
    ZoneOrOutside,
    ZoneRef,
    note,
)


class Counts(StrEnum):
    """What the numbers of a counter mean; the three are never mixed in one counter."""

    DELTA = "delta"
    CUMULATIVE = "cumulative"
    ABSOLUTE = "absolute"


class Delivery(StrEnum):
    """How far commands go by themselves: the system says and people act, people confirm each, or gates follow."""

    ADVISE = "advise"
    CONFIRM = "confirm"
    AUTOMATIC = "automatic"


class LostMode(StrEnum):
    """What a gate does by itself without a connection."""

    IN = "in"
    OUT = "out"
    BOTH = "both"
    CLOSED = "closed"


class SignKind(StrEnum):
    """What carries a text to people."""

    SIGN = "sign"
    BROADCAST = "broadcast"


class SingleExit(Document, frozen=True, kw_only=True):
    """Somebody answers for a zone that has only one way out."""

    reason: Annotated[Prose, note("why that is acceptable here")]
    by: Annotated[Prose, note("the person who answers for it")]


class Zone(Document, frozen=True, kw_only=True):
    """A measured area."""

    title: Text
    area_m2: Annotated[SquareMetres, note("the area that people can stand on, square metres")]
    capacity: Annotated[People, note("instantaneous capacity (瞬时承载量), persons")]
    inside: Annotated[ZoneRef, note("the zone that this one is a part of; its people count in both")] | UnsetType = UNSET
    outside: (
        Annotated[GateRef, note("a waiting area outside that gate: not part of the site's people, measured by cameras")] | UnsetType
    ) = UNSET
    accepts_single_exit: Annotated[SingleExit, note("known to have only one way out")] | UnsetType = UNSET


class Gate(Document, frozen=True, kw_only=True):
    """A passage that can be controlled. Ingress through it is movement from `from` to `to`."""

    title: Text
    from_: Annotated[ZoneOrOutside, note('where it leads from: a zone, or "outside"')] = field(name="from", default=OUTSIDE)
    to: Annotated[ZoneRef, note("the zone that it leads into")]
    lanes: Annotated[Lanes, note("lanes that can be set to either direction")]
    width_m: Annotated[Metres, note("clear width of all lanes together, metres")]
    lane_per_min: Annotated[LaneFlow, note("persons a minute that one lane passes in use")] = 25
    on_lost: Annotated[LostMode, note("mode without a connection; out, or closed if entrance_only, if left out")] | UnsetType = UNSET
    emergency: Annotated[bool, note("an emergency exit: no plan and no override may shut it for people leaving")] = False
    entrance_only: Annotated[bool, note("built so that nobody can leave by it: only ever in or closed")] = False
    delivery: Annotated[Delivery, note("how far commands to it go by themselves; as at the site, if left out")] | UnsetType = UNSET
    drill: Annotated[bool, note("a drill may move it")] = False


class Link(Document, frozen=True, kw_only=True):
    """A passage between two zones that nobody controls. Ingress through it is movement from `from` to `to`."""

    title: Text
    from_: Annotated[ZoneRef, note("the zone at one end")] = field(name="from")
    to: Annotated[ZoneRef, note("the zone at the other end")]
    width_m: Annotated[Metres, note("clear width at the narrowest point, metres")]


class Barrier(Document, frozen=True, kw_only=True):
    """A crash barrier in the road that can be raised and lowered."""

    title: Text


class Sign(Document, frozen=True, kw_only=True):
    """What tells people something: a sign that can be written on, or loudspeakers."""

    title: Text
    kind: SignKind


class Counter(Document, frozen=True, kw_only=True):
    """A sensor: at a gate or on a link it counts people passing, in a zone it counts people in view. Exactly one of the three is given."""

    gate: Annotated[GateRef, note("the gate whose passers it counts")] | UnsetType = UNSET
    link: Annotated[LinkRef, note("the link whose passers it counts")] | UnsetType = UNSET
    zone: Annotated[ZoneRef, note("the zone that it looks at")] | UnsetType = UNSET
    counts: Annotated[Counts, note("delta: since its last message; cumulative: since its last reset; absolute: in view now")]
    every: Annotated[Period, note("how often it reports; after three periods without a message it is silent")]
    lateness: Annotated[Duration, note("how late its messages may come and still count")] = "2m"
    error: Annotated[SmallShare, note("passers: drift, as a share of those counted; 0.005 if left out")] | UnsetType = UNSET
    max_per_min: Annotated[Rate, note("passers: more is refused; 60 a lane, 123 a metre of a link, if left out")] | UnsetType = UNSET
    modulus: Annotated[Modulus, note("cumulative: the total at which the display begins again at 0")] | UnsetType = UNSET
    counts_down: Annotated[bool, note("cumulative: its totals fall as people pass; false if left out")] | UnsetType = UNSET
    swapped: Annotated[bool, note("passers: mounted the other way round, in is out; false if left out")] | UnsetType = UNSET
    coverage: Annotated[Share, note("absolute: share of the zone in its view; 1 if left out")] | UnsetType = UNSET
    camera_error: Annotated[Share, note("absolute: standard deviation of one frame, as a share; 0.15 if left out")] | UnsetType = UNSET
    valid: Annotated[Validity, note("when it is in service; always, if left out")] | UnsetType = UNSET


class KnownEmpty(Document, frozen=True, kw_only=True):
    """A time of day at which the site is known to be empty, so that drift is set back."""

    at: Annotated[TimeOfDay, note("on the clocks of the site")]
    when_below: Annotated[SomePeople, note("only while the upper edge of the band is below this, persons")]


class Site(Document, frozen=True, kw_only=True):
    """A scenic area: its zones, the gates and links between them, the counters that watch them, and what else can be moved or written on."""

    site: Annotated[SiteName, note("its name, by which plans and readings know it")]
    title: Text
    group: Annotated[Name, note("sites whose plans look at each other name one group; its own name if left out")] | UnsetType = UNSET
    area: Annotated[Text, note("where it lies: the district, the street")] | UnsetType = UNSET
    time_zone: Annotated[TimeZone, note("of the clocks at the site")]
    delivery: Annotated[Delivery, note("how far commands to its gates go by themselves")] = Delivery.ADVISE
    egress_min_per_min: Annotated[PerMinute, note("capacity out that no stage may fall below, persons a minute")]
    known_empty: KnownEmpty | UnsetType = UNSET
    zones: Annotated[dict[ZoneName, Zone], Meta(min_length=1, max_length=1000)]
    gates: Annotated[dict[GateName, Gate], Meta(min_length=1, max_length=1000)]
    links: Annotated[dict[LinkName, Link], Meta(max_length=1000)] = field(default_factory=dict)
    barriers: Annotated[dict[BarrierName, Barrier], Meta(max_length=1000)] = field(default_factory=dict)
    signs: Annotated[dict[SignName, Sign], Meta(max_length=1000)] = field(default_factory=dict)
    counters: Annotated[dict[CounterName, Counter], Meta(min_length=1, max_length=10_000)]
