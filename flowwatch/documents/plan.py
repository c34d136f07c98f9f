"""The plan file: what must happen. Its owner is the safety planner; what exists is the site file's.

These types are the language of `rules/<site>/plan.yaml` and the only place where its keys stand: the reader, the JSON Schema and the tests
go by them. A larger language is more types and more fields here, and a rule in `rules.py` where a type cannot say it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from flowwatch.core.gates import Mode
from flowwatch.documents.words import (
    Document,
    Duration,
    GateOrOthers,
    Level,
    Name,
    People,
    SiteRef,
    StageName,
    Text,
    Validity,
    ZoneOrSite,
    note,
)


class Measure(StrEnum):
    """What a condition looks at: people inside as estimated, or the upper or lower edge of the band around it."""

    OCCUPANCY = "occupancy"
    UPPER = "occupancy_upper"
    LOWER = "occupancy_lower"


class Condition(Document, frozen=True, kw_only=True):
    """Rises when the measure has been above `enter` for `hold`, falls when the clear measure is below `clear`."""

    zone: Annotated[ZoneOrSite, note('a zone of the site, or "site" for the whole')]
    measure: Measure
    enter: Annotated[People, note("the bar that it must exceed, persons")]
    clear: Annotated[People, note("the bar that it must fall below, persons; lower than enter")]
    clear_measure: Annotated[Measure, note("what must fall below clear: the band's upper edge, unless written otherwise")] = Measure.UPPER
    hold: Annotated[Duration, note("how long it must stay above enter before the condition holds")]


class When(Document, frozen=True, kw_only=True):
    """The stage is due when any of the conditions holds."""

    any: Annotated[list[Condition], Meta(min_length=1, max_length=50)]


class Alert(Document, frozen=True, kw_only=True):
    """What people are told when the stage rises."""

    headline: Text
    instruction: Text


class Stage(Document, frozen=True, kw_only=True):
    """A state of the plan: when it is due, how long it stays at least, what every gate does, and what is said."""

    stage: StageName
    title: Text
    level: Annotated[Level, note("warning level: IV blue, III yellow, II orange, I red")] | UnsetType = UNSET
    when: When | UnsetType = UNSET
    dwell: Annotated[Duration, note("how long it stays at least, from its own rise")] | UnsetType = UNSET
    gates: Annotated[dict[GateOrOthers, Mode], Meta(min_length=1), note('the mode of every gate; "others" is all that are not named')]
    alert: Alert | UnsetType = UNSET


class Plan(Document, frozen=True, kw_only=True):
    """A plan for one site; the highest stage whose condition holds is active."""

    plan: Name
    site: SiteRef
    title: Text
    valid: Annotated[Validity, note("when the plan is in force; always, if left out")] | UnsetType = UNSET
    stages: Annotated[list[Stage], Meta(min_length=1, max_length=20), note("from calm to closed; the first has no condition")]
