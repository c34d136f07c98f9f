"""The scenario file: who comes to a site and when, what its counters and people in charge get wrong, and what is expected of the plan.

Read by the same walk as sites, plans and tests, so that every fault comes at once and with its place. Names are those of the site that the
scenario names. Times are counted from the start, `at: 90m`; shares are written 0.3.

    scenario: national-day
    title: {zh: 国庆高峰, en: National Day peak}
    site: yuyuan
    starts: 2026-10-01 08:00
    lasts: 14h
    streams:
      - {stream: visitors, people: 42000, hours: {8: 1, 10: 6, 12: 5, 18: 9, 20: 4}, stay: 75m}

A scenario of several sites says of each, under `sites:`, what it would say alone, and how people walk between them (`coupled.py`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.documents.words import (
    CounterOrAny,
    Country,
    Document,
    Duration,
    GateOrOthers,
    GateRef,
    LinkRef,
    Moment,
    Name,
    People,
    Period,
    SomePeople,
    StageRef,
    Text,
    ZoneRef,
    note,
)
from flowwatch.trials.language import Act, PlanRef
from flowwatch_sim.demand import GROUP_EXCESS, UNREST

Share = Annotated[float, Meta(ge=0, le=1, extra={"of": "as a share from 0 to 1"})]
Weight = Annotated[float, Meta(ge=0, le=1_000_000, extra={"of": "as a weight"})]
Parameter = Annotated[float, Meta(ge=0, le=10, extra={"of": "as a number"})]
Factor = Annotated[float, Meta(gt=0, le=100, extra={"of": "as a factor"})]
Length = Annotated[float, Meta(gt=0, le=10_000, extra={"of": "metres"})]
Hour = Annotated[
    str,
    Meta(pattern=r"^([01]?[0-9]|2[0-9]|3[0-5])$", extra={"what": "an hour of the day such as 8 or 18; 25 is one at night, the day after"}),
]
SiteGate = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$",
        extra={"what": "a gate with its site such as bund/henan-cordon"},
    ),
]
Number = Annotated[int, Meta(ge=1, le=1000, extra={"of": "a number"})]


class Diagram(StrEnum):
    """How fast people walk in a crowd (`walking.py`)."""

    WEIDMANN = "weidmann"
    IMO = "imo"
    LAB = "lab"


class Template(StrEnum):
    """The shape of a day, where no hours are given."""

    STREET = "street"
    EVEN = "even"


class DayKind(StrEnum):
    """A kind of day, the most particular first (`daykinds.py`)."""

    HOLIDAY = "holiday"
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"
    WEEKEND = "weekend"
    WORKDAY = "workday"


class Sensing(StrEnum):
    """How well counters count: exactly, as well as the site's documents say, or as real devices do (`counters.py`)."""

    PERFECT = "perfect"
    DECLARED = "declared"
    REAL = "real"


class Wrong(StrEnum):
    """What may be wrong with a counter, for a while (`troubles.py`)."""

    MISSES = "misses"
    TWICE = "twice"
    DRIFT = "drift"
    SWAPPED = "swapped"
    OUTAGE = "outage"
    ZEROS = "zeros"
    STUCK = "stuck"
    RESET = "reset"
    LATE = "late"
    BACKLOG = "backlog"
    DISORDER = "disorder"
    DUPLICATES = "duplicates"
    CLOCK = "clock"
    SKEW = "skew"


class Disobedience(StrEnum):
    """What a gate, or the people at it, may do with a command."""

    REFUSES = "refuses"
    JAMS = "jams"
    SLOW = "slow"
    LIES = "lies"


class Visit(Document, frozen=True, kw_only=True):
    """A zone that some of the people see on their way."""

    zone: Annotated[ZoneRef, note("the zone")]
    share: Annotated[Share, note("how many of the people see it")]
    stay: Annotated[Period, note("how long, on the average")]


class Batch(Document, frozen=True, kw_only=True):
    """People come off a train or out of coaches, all at once."""

    every: Annotated[Period, note("how often")]
    spread: Annotated[Duration, note("how long the walk from the platform spreads them; 40s, if left out")] = "40s"


class Home(Document, frozen=True, kw_only=True):
    """When most set out for home, because something ends."""

    at: Annotated[Period, note("when, from the start")]
    share: Annotated[Share, note("how many of those inside")]


class Shock(Document, frozen=True, kw_only=True):
    """Something that makes more people come, or fewer, for a while."""

    at: Annotated[Duration, note("from when on")]
    lasts: Annotated[Period, note("for how long")]
    factor: Annotated[Parameter, note("how many times as many come as otherwise")]


class OtherDay(Document, frozen=True, kw_only=True):
    """What is different of a stream on one kind of day."""

    people: Annotated[People, note("how many come then, on the average; as many as otherwise, if left out")] | UnsetType = UNSET
    hours: Annotated[dict[Hour, Weight], Meta(max_length=36), note("hour of the day -> weight; as otherwise, if left out")] = field(
        default_factory=dict
    )


class Stream(Document, frozen=True, kw_only=True):
    """One kind of visitor."""

    stream: Annotated[Name, note("its name")]
    people: Annotated[People, note("how many come, on the average")]
    hours: Annotated[dict[Hour, Weight], Meta(max_length=36), note("hour of the day -> weight; the hours between are in between")] = field(
        default_factory=dict
    )
    days: Annotated[dict[DayKind, OtherDay], note("kind of day -> what is different on it; the date of starts picks one")] = field(
        default_factory=dict
    )
    template: Annotated[Template, note("the shape of the day, if no hours are given: street, if left out")] = Template.STREET
    entrances: Annotated[dict[GateRef, Weight], note("gate -> weight; their lanes, if left out")] = field(default_factory=dict)
    stay: Annotated[Period, note("how long they stay, on the average")]
    shape: Annotated[Factor, note("shape of the gamma distribution of stays: 1 is exponential; 2, if left out")] = 2.0
    zone: Annotated[ZoneRef, note("where they stay; the zone behind their entrance, if left out")] | UnsetType = UNSET
    visits: Annotated[list[Visit], Meta(max_length=20), note("what some see on their way")] = field(default_factory=list)
    groups: Annotated[Parameter, note("parameter of the sizes of groups; 0: everybody alone")] = GROUP_EXCESS
    unrest: Annotated[Parameter, note("coefficient of variation of the slow changes of the rate")] = UNREST
    turns: Annotated[Period, note("how long the rate stays above or below before it turns; 15m, if left out")] = "15m"
    patience: Annotated[Period, note("how long they wait outside, on the average; 20m, if left out")] = "20m"
    batches: Annotated[Batch, note("they come off trains or coaches")] | UnsetType = UNSET
    home: Annotated[Home, note("when most set out for home")] | UnsetType = UNSET
    shocks: Annotated[list[Shock], Meta(max_length=50), note("times at which more come, or fewer")] = field(default_factory=list)


class Crowd(Document, frozen=True, kw_only=True):
    """How people walk and what they do at a shut entrance."""

    walking: Annotated[Diagram, note("the fundamental diagram: weidmann, imo or lab")] = Diagram.WEIDMANN
    lengths: Annotated[dict[LinkRef, Length], note("metres of links; 20, if left out")] = field(default_factory=dict)
    reroute: Annotated[Share, note("of those at a shut entrance, who go to one that is open")] = 0.6
    balk: Annotated[Share, note("who turn away at once; the others wait")] = 0.2
    between_gates: Annotated[Duration, note("the way from one gate to another")] = "2m"
    clearing: Annotated[Duration, note("how long a lane stands still when it is turned round")] = "20s"


class Operators(Document, frozen=True, kw_only=True):
    """What the people in charge do."""

    carry_out: Annotated[Duration, note("from a command to the turned gate")] = "90s"
    answer: Annotated[Duration, note("from a question to its answer")] = "2m"
    decline: Annotated[Share, note("how many questions are answered with no")] = 0.0
    round_: Annotated[Period, note("how often the people inside are counted by hand; never, if left out")] | UnsetType = field(
        name="round", default=UNSET
    )


class Fault(Document, frozen=True, kw_only=True):
    """Something is wrong with a counter for a while."""

    counter: Annotated[CounterOrAny, note("which; any for all of them")]
    wrong: Annotated[Wrong, note("what")]
    at: Annotated[Duration, note("from when on")]
    lasts: Annotated[Period, note("for how long")] = "10m"
    share: Annotated[Share, note("of the messages (duplicates, disorder) or people (misses, twice, drift)")] = 0.2
    by: Annotated[
        Annotated[int, Meta(ge=-86_400, le=86_400, extra={"of": "seconds"})], note("late, clock: seconds; skew: seconds an hour")
    ] = 300


class Gate(Document, frozen=True, kw_only=True):
    """A gate, or the people at it, do not as they are told for a while."""

    gate: Annotated[GateOrOthers, note("which")]
    does: Annotated[Disobedience, note("what it does with commands")]
    at: Annotated[Duration, note("from when on")]
    lasts: Annotated[Period, note("for how long")] = "30m"


class Expect(Document, frozen=True, kw_only=True):
    """What is expected of the plan on that day, in every replicate."""

    stages: Annotated[list[StageRef], Meta(max_length=20), note("stages of the main plan that are reached")] = field(default_factory=list)
    never: Annotated[list[StageRef], Meta(max_length=20), note("stages of the main plan that are not")] = field(default_factory=list)
    plans: Annotated[dict[PlanRef, Name], note("another plan -> a stage that it reaches, as in a plan's test")] = field(
        default_factory=dict
    )
    most: Annotated[dict[ZoneRef, SomePeople], note("zone -> people that are never exceeded, in truth")] = field(default_factory=dict)
    least: Annotated[dict[ZoneRef, SomePeople], note("zone -> people that its peak exceeds, in truth")] = field(default_factory=dict)
    turned_away: Annotated[Share, note("share of those who come that is turned away, at most")] | UnsetType = UNSET
    within_band: Annotated[Share, note("share of the time that the truth is inside the band, at least")] | UnsetType = UNSET


class Passage(Document, frozen=True, kw_only=True):
    """A way from one site of the scenario to another, which people take when they leave."""

    from_: Annotated[SiteGate, note("the gate that they leave by, <site>/<gate>")] = field(name="from")
    to: Annotated[SiteGate, note("the entrance that they come to, <site>/<gate>")]
    share: Annotated[Share, note("of those who leave by the gate, who take it")]
    walk: Annotated[Period, note("how long the way takes")]
    as_: Annotated[Name, note("the stream of the other site whose stays and patience they have there")] = field(name="as")


class Between(Document, frozen=True, kw_only=True):
    """What a scenario of several sites says beside its sites."""

    passages: Annotated[list[Passage], Meta(min_length=1, max_length=20), note("the ways from one site to another")]


class Scenario(Document, frozen=True, kw_only=True):
    """A day at a site."""

    scenario: Annotated[Name, note("its name")]
    title: Annotated[Text, note("its title")]
    site: Annotated[Name, note("a site of the documents")]
    plan: Annotated[Name, note("a folder of plans under rules/; the plans in force, if left out")] | UnsetType = UNSET
    calendar: Annotated[Country, note("whose public holidays count: a country code such as CN")] | UnsetType = UNSET
    starts: Annotated[Moment, note("when, on the clocks of the site")]
    lasts: Annotated[Period, note("how long people come; then everybody goes home")]
    every: Annotated[Period, note("how often the engine decides, a part of a minute: 10s, if left out")] = "10s"
    sensing: Annotated[Sensing, note("perfect, as good as declared, or as real devices count")] = Sensing.REAL
    crowd: Annotated[Crowd, note("how people walk and wait")] = field(default_factory=Crowd)
    streams: Annotated[list[Stream], Meta(min_length=1, max_length=50), note("who comes")]
    operators: Annotated[Operators, note("what the people in charge do")] = field(default_factory=Operators)
    faults: Annotated[list[Fault], Meta(max_length=500), note("what is wrong with counters")] = field(default_factory=list)
    actions: Annotated[list[Act], Meta(max_length=200), note("what people in charge do besides answering, as in a plan's test")] = field(
        default_factory=list
    )
    gates: Annotated[list[Gate], Meta(max_length=200), note("gates that do not as they are told")] = field(default_factory=list)
    expect: Annotated[Expect, note("what is expected")] = field(default_factory=Expect)
    runs: Annotated[Number, note("how many days are simulated at a time, if nobody says: 20")] = 20
