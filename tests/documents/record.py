"""The shape of the compiled record, written down a second time, from the work order and not from the code."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Text = dict[Literal["zh", "en"], str]
Mode = Literal["in", "out", "both", "closed"]
Setting = Annotated[str, Meta(pattern=r"^(in|out|both|closed|metered [1-9]\d*/min( both)?|wave( (in|out|both|hold) [1-9]\d*s){2,})$")]
Occupancy = Literal["occupancy", "occupancy_upper", "occupancy_lower"]
Source = Literal["occupancy", "occupancy_upper", "occupancy_lower", "band_width", "net_flow"]
Level = Literal["IV", "III", "II", "I"]
Delivery = Literal["advise", "confirm", "automatic"]
Micros = Annotated[int, Meta(ge=0, le=2**53)]
Milli = Annotated[int, Meta(ge=-(10**10), le=10**12)]
SecondOfDay = Annotated[int, Meta(ge=0, lt=86400)]
Day = Annotated[int, Meta(ge=10957, le=29585)]
Ppm = Annotated[int, Meta(ge=0, le=10**6)]


class Strict(Struct, forbid_unknown_fields=True):
    pass


class SingleExit(Strict):
    reason: str
    by: str


class Zone(Strict):
    zone: str
    title: Text
    area_m2: float
    capacity: int
    inside: str | None
    outside: str | None
    accepts_single_exit: SingleExit | None


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
    delivery: Delivery
    drill: bool
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


class Bars(Strict):
    enter_m: Milli
    clear_m: Milli
    hold_us: Micros
    enter: str
    clear: str


class People(Bars, tag_field="kind", tag="people"):
    zone: str
    measure: str
    source: Source
    clear_source: Source


class Passers(Bars, tag_field="kind", tag="passers"):
    gate: str | None
    link: str | None
    measure: Literal["flow_rate", "specific_flow", "opposing_flow"]
    direction: Literal["in", "out", "both"]


class Forecast(Bars, tag_field="kind", tag="forecast"):
    zone: str
    measure: Literal["forecast_p50", "forecast_p75", "forecast_p90", "forecast_p95"]
    within_us: Micros


class Health(Strict, tag_field="kind", tag="health"):
    counter: str | None
    health: Literal["silent", "stuck", "implausible", "drifting"]
    hold_us: Micros


class Neighbour(Strict, tag_field="kind", tag="neighbour"):
    site: str
    plan: str | None
    stage: str
    hold_us: Micros


class Time(Strict, tag_field="kind", tag="time"):
    from_s: SecondOfDay
    until_s: SecondOfDay


class Days(Strict, tag_field="kind", tag="day"):
    days: Annotated[list[str], Meta(min_length=1)]
    business_day_s: SecondOfDay


class Rule(Strict):
    leaves: list[People | Passers | Forecast | Health | Neighbour | Time | Days]
    clauses: Annotated[list[Annotated[list[int], Meta(min_length=1)]], Meta(max_length=64)]

    def __post_init__(self) -> None:
        if {i for clause in self.clauses for i in clause} != set(range(len(self.leaves))):
            raise ValueError("clauses and leaves do not fit each other")


class Case(Rule):
    effect: Literal["replace", "tighten"]
    declared_only: bool


class Task(Strict):
    task: str
    role: str
    within_us: Micros
    text: Text


class Approval(Strict):
    by: str | None
    within_us: Micros | None
    otherwise: Literal["apply", "keep"]


class Confirm(Strict):
    rise: Approval
    fall: Approval


class Alert(Strict):
    headline: Text
    instruction: Text


class Stage(Rule):
    stage: str
    title: Text
    level: Level | None
    dwell_us: Micros
    gates: dict[str, Setting]
    links: dict[str, Literal["one_way", "one_way_back", "both"]]
    barriers: dict[str, Literal["raise", "lower"]]
    signs: dict[str, Text]
    tasks: list[Task]
    confirm: Confirm
    alert: Alert | None


class Degraded(Rule):
    rule: str
    level: Level | None
    stage: str | None
    headline: Text | None


class Plan(Strict):
    plan: str
    title: Text
    basis: Text | None
    zone: str | None
    case: Case | None
    valid_from_us: Micros | None
    valid_to_us: Micros | None
    days: dict[str, list[tuple[Day, Day]]]
    days_until: Day | None
    stages: list[Stage]
    degraded: list[Degraded]


class KnownEmpty(Strict):
    at_s: SecondOfDay
    when_below: int


class Barrier(Strict):
    barrier: str
    title: Text


class Sign(Strict):
    sign: str
    title: Text
    kind: Literal["sign", "broadcast"]


class Record(Strict):
    format: Literal[2]
    site: str
    group: str
    title: Text
    area: Text | None
    time_zone: str
    offsets: list[tuple[Micros, int]]
    delivery: Delivery
    egress_min_per_min: int
    known_empty: KnownEmpty | None
    zones: list[Zone]
    gates: list[Gate]
    links: list[Link]
    barriers: list[Barrier]
    signs: list[Sign]
    counters: list[Counter]
    plans: list[Plan]
