"""The test file of a plan: what happens to a site, step by step, and what the plan is expected to do about it.

These types are the language of `rules/<plan>/*.test.yaml`, read by the same walk as sites and plans, so that every fault comes at once and
with its place. Names (zones, gates, counters, stages, tasks) are those of the site and its plans, against which a test file is read
(`reading.py`). Times are counted from the test's start: `at: 5m` is five minutes after it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.core.incidents import What
from flowwatch.documents.words import (
    NUMBER_OR_TEXT,
    BarrierRef,
    Document,
    Duration,
    GateOrOthers,
    GateRef,
    GateSetting,
    LinkRef,
    Moment,
    Name,
    Period,
    SignRef,
    SomePeople,
    StageRef,
    ZoneRef,
    note,
)

NONE = "none"
"""As a stage of a plan: it is not in force. As a question: there is none."""


def _refers(kind: str, pattern: str, what: str) -> Any:
    return Meta(pattern=pattern, extra={"what": what, "refers": kind, "also": (), "hints": {}})


_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
PlanRef = Annotated[str, _refers("plan", _NAME, "the name of a plan of the site")]
CaseRef = Annotated[str, _refers("case", _NAME, "the name of a case")]
TaskRef = Annotated[str, _refers("task", _NAME, "the name of a task")]
CounterRef = Annotated[str, _refers("counter", _NAME, "the name of a counter")]
FigureRef = Annotated[str, _refers("figure", r"^[^\s]{1,150}$", "what is measured, such as mall.occupancy or gate-1.flow_in")]
Steps = Annotated[
    str,
    Meta(
        max_length=20_000,
        extra_json_schema={"format": NUMBER_OR_TEXT},
        extra={"what": 'a series of steps such as "2950+20x5 2700x4 _ stale"'},
    ),
]
TestName = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}$",
        extra={"what": "a sentence of one line, at most 200 characters", "prose": True, "defines": "test"},
    ),
]
Question = Annotated[
    str,
    Meta(
        pattern=r"^(none|(rise|fall):[A-Za-z0-9][A-Za-z0-9_.:-]{0,63})$",
        extra={"what": "rise:<stage>, fall:<stage>, or none"},
    ),
]


class AlertWord(StrEnum):
    """The level that is announced, or none."""

    IV = "IV"
    III = "III"
    II = "II"
    I = "I"  # noqa: E741 - the level's name
    NONE = "none"


class LinkWord(StrEnum):
    """Which way people are led on a link, or that nothing is asked of it."""

    ONE_WAY = "one_way"
    ONE_WAY_BACK = "one_way_back"
    BOTH = "both"
    NONE = "none"


class BarrierWord(StrEnum):
    """What a barrier was last told, or that nothing is asked of it."""

    RAISE = "raise"
    LOWER = "lower"
    NONE = "none"


class Answer(StrEnum):
    """An answer to the open question."""

    YES = "yes"
    NO = "no"


class OnOff(StrEnum):
    """A fire is reported, or is over."""

    ON = "on"
    OFF = "off"


class Recount(Document, frozen=True, kw_only=True):
    """Somebody counts the people in a zone by hand."""

    at: Annotated[Duration, note("when, from the start of the test")]
    zone: ZoneRef
    count: SomePeople


class Hold(Document, frozen=True, kw_only=True):
    """An override: a stage (of the main plan, unless `plan` says whose), or a gate with its setting, until a time."""

    stage: Annotated[Name, note("the stage to hold")] | UnsetType = UNSET
    plan: Annotated[PlanRef, note("whose stage; the main plan's, if left out")] | UnsetType = UNSET
    gate: Annotated[GateRef, note("the gate to hold, with mode")] | UnsetType = UNSET
    mode: Annotated[GateSetting, note("the gate's setting")] | UnsetType = UNSET
    until: Annotated[Duration, note("its end, from the start of the test; not after `at`, it ends one in force")]


class Drill(Document, frozen=True, kw_only=True):
    """A stage of the main plan is exercised."""

    stage: Annotated[Name, note("the stage to exercise")]
    until: Annotated[Duration, note("its end, from the start of the test; not after `at`, it ends the drill")]


class Declared(Document, frozen=True, kw_only=True):
    """A case is declared."""

    case: CaseRef
    until: Annotated[Duration, note("its end, from the start of the test; not after `at`, it ends the declaration")]


class Act(Document, frozen=True, kw_only=True):
    """What somebody in charge does; exactly one of override, confirm, drill, fire, case."""

    at: Annotated[Duration, note("when, from the start of the test")]
    override: Hold | UnsetType = UNSET
    confirm: Annotated[Answer, note("the answer to the question that is open")] | UnsetType = UNSET
    plan: Annotated[PlanRef, note("whose question is answered; the main plan's, if left out")] | UnsetType = UNSET
    drill: Drill | UnsetType = UNSET
    fire: OnOff | UnsetType = UNSET
    case: Declared | UnsetType = UNSET
    refused: Annotated[bool, note("true: it is expected to be refused, as one that would take people's way out")] = False


class State(Document, frozen=True, kw_only=True):
    """How things stand; what is left out may be anything."""

    stage: (
        Annotated[StageRef, note("the stage that the site is in: its main plan's, or that of the case which replaces it")] | UnsetType
    ) = UNSET
    plans: Annotated[dict[PlanRef, Name], note('the stage of any plan by its name; "none": not in force')] = field(default_factory=dict)
    gates: Annotated[dict[GateOrOthers, GateSetting], note('what gates were last asked to be; "others" is all that are not named')] = field(
        default_factory=dict
    )
    alert: Annotated[AlertWord, note("the gravest level announced, by a stage, a degraded rule or a fire")] | UnsetType = UNSET
    asks: Annotated[Question, note("the question that waits for a person's answer")] | UnsetType = UNSET
    incidents: Annotated[list[What], Meta(max_length=20), note("kinds of incidents that are open, at least these")] = field(
        default_factory=list
    )
    tasks: Annotated[list[TaskRef], Meta(max_length=100), note("tasks that stand, at least these")] = field(default_factory=list)
    barriers: Annotated[dict[BarrierRef, BarrierWord], note("what barriers were last told")] = field(default_factory=dict)
    links: Annotated[dict[LinkRef, LinkWord], note("which way people are led on links")] = field(default_factory=dict)
    signs: Annotated[list[SignRef], Meta(max_length=100), note("signs that show something, at least these")] = field(default_factory=list)


class Expect(State, frozen=True, kw_only=True):
    """What is expected: at a moment, or never between two."""

    at: Annotated[Duration, note("when, from the start of the test")] | UnsetType = UNSET
    nothing: Annotated[bool, note("true: nothing was decided since the last expectation, or the start")] | UnsetType = UNSET
    from_: Annotated[Duration, note("with never: from when on")] | UnsetType = field(name="from", default=UNSET)
    until: Annotated[Duration, note("with never: until when")] | UnsetType = UNSET
    never: Annotated[State, note("how things must not stand at any moment in between")] | UnsetType = UNSET


class Trial(Document, frozen=True, kw_only=True):
    """One test: its own beginning of the world."""

    name: TestName
    starts: Annotated[Moment, note("when it begins, on the clocks of the site; 09:00 on a plain workday, if left out")] | UnsetType = UNSET
    every: Annotated[Period, note("how long one step of every series is; 1m, if left out")] = "1m"
    series: Annotated[dict[FigureRef, Steps], note("figures as the plan's conditions see them")] = field(default_factory=dict)
    readings: Annotated[dict[CounterRef, Steps], note("what counters send: people in (or in/out), totals, or people in view")] = field(
        default_factory=dict
    )
    recounts: Annotated[list[Recount], Meta(max_length=1000), note("people counted by hand, from which readings go on")] = field(
        default_factory=list
    )
    actions: Annotated[list[Act], Meta(max_length=1000), note("what people in charge do")] = field(default_factory=list)
    expect: Annotated[list[Expect], Meta(min_length=1, max_length=1000), note("what the plan is expected to do")]


class Trials(Document, frozen=True, kw_only=True):
    """A file of tests for the plans in its folder."""

    tests: Annotated[list[Trial], Meta(min_length=1, max_length=5000)]
