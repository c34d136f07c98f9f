"""The shape of the compiled record, written down a second time, from the work order and not from the code."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Text = dict[Literal["zh", "en"], str]
Mode = Literal["in", "out", "both", "closed"]
Measure = Literal["occupancy", "occupancy_upper", "occupancy_lower"]
Micros = Annotated[int, Meta(ge=0, le=2**53)]
Milli = Annotated[int, Meta(ge=0, le=10**10)]
Ppm = Annotated[int, Meta(ge=0, le=10**6)]


class Strict(Struct, forbid_unknown_fields=True):
    pass


class Zone(Strict):
    zone: str
    title: Text
    area_m2: float
    capacity: int
    inside: str | None


class Gate(Strict):
    gate: str
    title: Text
    to: str
    lanes: int
    width_m: float
    lane_per_min: int
    on_lost: Mode
    emergency: bool
    entrance_only: bool
    from_: str = field(name="from")


class Link(Strict):
    link: str
    title: Text
    to: str
    width_m: float
    from_: str = field(name="from")


class Counter(Strict):
    counter: str
    gate: str | None
    link: str | None
    zone: str | None
    counts: Literal["delta", "cumulative", "absolute"]
    every_us: Micros
    lateness_us: Micros
    error_ppm: Ppm
    max_per_min: int
    modulus: int | None
    counts_down: bool
    swapped: bool
    coverage_ppm: Ppm
    camera_error_ppm: Ppm
    valid_from_us: Micros | None
    valid_to_us: Micros | None


class Term(Strict):
    zone: str
    measure: Measure
    enter_m: Milli
    clear_m: Milli
    clear_measure: Measure
    hold_us: Micros


class Alert(Strict):
    headline: Text
    instruction: Text


class Stage(Strict):
    stage: str
    title: Text
    level: Literal["IV", "III", "II", "I"] | None
    dwell_us: Micros
    any: list[Term]
    gates: dict[str, Mode]
    alert: Alert | None


class Plan(Strict):
    plan: str
    title: Text
    valid_from_us: Micros | None
    valid_to_us: Micros | None
    stages: list[Stage]


class KnownEmpty(Strict):
    at_s: Annotated[int, Meta(ge=0, lt=86400)]
    when_below: int


class Record(Strict):
    format: Literal[1]
    site: str
    group: str
    title: Text
    time_zone: str
    offsets: list[tuple[Micros, int]]
    egress_min_per_min: int
    known_empty: KnownEmpty | None
    zones: list[Zone]
    gates: list[Gate]
    links: list[Link]
    counters: list[Counter]
    plan: Plan | None
