"""The plan file: what must happen. Its owner is the safety planner; what exists is the site file's.

These types, with those of `conditions.py`, are the language of `rules/<plan>/plan.yaml` and of the zone plans and cases beside it, and the
only place where its keys stand: the reader, the JSON Schema and the tests go by them. A larger language is more types and more fields here,
and a rule where a type cannot say it (`plan_rules.py`, `condition_rules.py`; `together.py` for what needs the site).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.documents.conditions import When
from flowwatch.documents.words import (
    BarrierRef,
    Country,
    Day,
    Document,
    Duration,
    EventName,
    GateOrOthers,
    GateSetting,
    Level,
    LinkRef,
    Name,
    Period,
    Prose,
    RuleName,
    SignRef,
    SiteRef,
    StageName,
    StageRef,
    TaskName,
    Text,
    TimeOfDay,
    Validity,
    ZoneRef,
    note,
)

AUTOMATIC: Final = "automatic"
"""In `confirm`, instead of a role: nobody is asked."""
OFFICER: Final = "officer_in_charge"
"""Who is asked before a stage falls, unless the plan says otherwise."""


class Effect(StrEnum):
    """What becomes of the main plan while a case is in force: it asks nothing of gates while it is calm, or both ask."""

    REPLACE = "replace"
    TIGHTEN = "tighten"


class LinkWay(StrEnum):
    """Which way people may go on a link: from `from` to `to`, back, or both."""

    ONE_WAY = "one_way"
    ONE_WAY_BACK = "one_way_back"
    BOTH = "both"


class BarrierState(StrEnum):
    """What a crash barrier in the road is to do."""

    RAISE = "raise"
    LOWER = "lower"


class Unanswered(StrEnum):
    """What happens when nobody answers in time: it is done, or everything stays as it is."""

    APPLY = "apply"
    KEEP = "keep"


class Span(Document, frozen=True, kw_only=True):
    """Days in a row."""

    from_: Annotated[Day, note("the first day")] = field(name="from")
    until: Annotated[Day, note("the last day; the same as from, if it is one day")]


class Case(Document, frozen=True, kw_only=True):
    """Makes a plan a case: it is in force only at certain times, or when somebody declares it."""

    during: (
        Annotated[When, note("when it is in force: time, day and site conditions; only when it is declared, if left out")] | UnsetType
    ) = UNSET
    effect: Annotated[Effect, note("replace: the main plan asks nothing of gates meanwhile, while it is calm; tighten: both ask")]


class Template(Document, frozen=True, kw_only=True):
    """The same words in Chinese and in English, with {placeholders} for the figures of the moment; braces themselves are {{ and }}."""

    zh: Annotated[Prose, note("in Chinese")]
    en: Annotated[Prose, note("in English")]


class Alert(Document, frozen=True, kw_only=True):
    """What people are told when the stage rises."""

    headline: Template
    instruction: Template


class Task(Document, frozen=True, kw_only=True):
    """Something that people are to do while the stage stands."""

    task: TaskName
    role: Annotated[Name, note("who is to do it: a role of the roster")]
    within: Annotated[Period, note("by when, from the stage's rise")]
    text: Text


class Approval(Document, frozen=True, kw_only=True):
    """Who must say yes before a change is made."""

    by: Annotated[Name, note('a role of the roster, or "automatic": nobody is asked')]
    within: Annotated[Period, note("how long an answer is waited for; for ever, if left out")] | UnsetType = UNSET
    otherwise: Annotated[Unanswered, note("without an answer in time: apply the change, or keep things as they are")] | UnsetType = UNSET


class Confirm(Document, frozen=True, kw_only=True):
    """Whether people are asked before the stage rises, and before it falls."""

    rise: Annotated[Approval, note("before this stage is entered from a calmer one; automatic, if left out")] | UnsetType = UNSET
    fall: Annotated[Approval, note("before this stage is left for a calmer one; the officer in charge, if left out")] | UnsetType = UNSET


class Stage(Document, frozen=True, kw_only=True):
    """A state of the plan: when it is due, how long it stays at least, what every gate does, and what is said."""

    stage: StageName
    title: Text
    level: Annotated[Level, note("warning level: IV blue, III yellow, II orange, I red")] | UnsetType = UNSET
    business_day: Annotated[TimeOfDay, note("when the day begins for this stage's conditions; the plan's, if left out")] | UnsetType = UNSET
    when: When | UnsetType = UNSET
    dwell: Annotated[Duration, note("how long it stays at least, from its own rise")] | UnsetType = UNSET
    gates: Annotated[dict[GateOrOthers, GateSetting], note('the setting of every gate; "others" is all that are not named')] = field(
        default_factory=dict
    )
    links: Annotated[dict[LinkRef, LinkWay], note("which way people are led on links")] = field(default_factory=dict)
    barriers: Annotated[dict[BarrierRef, BarrierState], note("crash barriers that move")] = field(default_factory=dict)
    signs: Annotated[dict[SignRef, Text], note("what signs show and broadcasts say")] = field(default_factory=dict)
    tasks: Annotated[list[Task], Meta(max_length=50), note("what people are to do")] = field(default_factory=list)
    confirm: Confirm | UnsetType = UNSET
    alert: Alert | UnsetType = UNSET


class Degraded(Document, frozen=True, kw_only=True):
    """What a blind spot does: while counters fail, a level is announced, or a stage held at least."""

    rule: RuleName
    when: When
    level: Annotated[Level, note("the level that is announced at least")] | UnsetType = UNSET
    stage: Annotated[StageRef, note("the stage that is held at least")] | UnsetType = UNSET
    headline: Template | UnsetType = UNSET


class Plan(Document, frozen=True, kw_only=True):
    """A plan for one site; the highest stage whose condition holds is active."""

    plan: Name
    site: SiteRef
    title: Text
    basis: Annotated[Text, note("by what authority")] | UnsetType = UNSET
    zone: Annotated[ZoneRef, note("a zone plan, beside a plan.yaml: it names only the gates that it cares for")] | UnsetType = UNSET
    case: Annotated[Case, note("a case, beside a plan.yaml")] | UnsetType = UNSET
    valid: Annotated[Validity, note("when the plan is in force; always, if left out")] | UnsetType = UNSET
    business_day: Annotated[TimeOfDay, note("when the place's day begins; at midnight, if left out")] = "00:00"
    calendar: Annotated[Country, note("whose public holidays count: a country code such as CN")] | UnsetType = UNSET
    events: Annotated[
        dict[EventName, Annotated[list[Span], Meta(min_length=1, max_length=100)]],
        Meta(max_length=100),
        note("dated events, for day: conditions"),
    ] = field(default_factory=dict)
    stages: Annotated[list[Stage], Meta(min_length=1, max_length=20), note("from calm to closed; the first has no condition")]
    degraded: Annotated[list[Degraded], Meta(max_length=50), note("what happens when counters fail")] = field(default_factory=list)
