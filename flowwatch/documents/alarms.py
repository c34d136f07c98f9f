"""`alarms` of the deployment file: how urgent incidents are for people, by when each step of handling is due, and who answers.

docs/deployment.md explains every key, docs/handling.md what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta, field

from flowwatch.core.incidents import What
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import Document, Name, Period, duration_us, note

IncidentKind = Annotated[str, Meta(pattern=f"^({'|'.join(What)})$", extra={"what": f"a kind of incident: {', '.join(What)}"})]


class Clocks(Document, frozen=True, kw_only=True):
    """How long each step of handling may take, all from the moment at which the incident was told."""

    acknowledge: Annotated[Period, note("until somebody acknowledges (签收)")]
    dispatch: Annotated[Period, note("until somebody is sent (派警)")]
    arrive: Annotated[Period, note("until they are there (到场)")]
    handle: Annotated[Period, note("until it is handled (处置)")]


class LevelClocks(Document, frozen=True, kw_only=True):
    """The clocks of each level. Red and orange: a proposal of the field's; yellow and blue: ASSUMED."""

    I: Clocks = Clocks(acknowledge="60s", dispatch="120s", arrive="5m", handle="15m")  # noqa: E741 - the level's name
    II: Clocks = Clocks(acknowledge="2m", dispatch="5m", arrive="10m", handle="30m")
    III: Clocks = Clocks(acknowledge="5m", dispatch="15m", arrive="30m", handle="2h")
    IV: Clocks = Clocks(acknowledge="15m", dispatch="1h", arrive="2h", handle="8h")


class Priority(StrEnum):
    """How urgent an incident is for people: a warning level, or a notice that nobody need answer."""

    I = "I"  # noqa: E741 - the level's name
    II = "II"
    III = "III"
    IV = "IV"
    NOTICE = "notice"


class Alarms(Document, frozen=True, kw_only=True):
    """How incidents are brought before people, and what happens when nobody answers."""

    clocks: LevelClocks = field(default_factory=LevelClocks)
    duties: Annotated[
        list[Name], Meta(min_length=1, max_length=10, description="who answers, in the order in which it escalates: duties of the roster")
    ] = field(default_factory=lambda: ["operator", "supervisor"])
    priorities: Annotated[
        dict[IncidentKind, Priority], Meta(max_length=100), note("kinds of incidents that are more or less urgent here than usual")
    ] = field(default_factory=dict)
    operators: Annotated[
        int,
        Meta(ge=1, le=1000, description="how many people answer alerts at one time: the load of alarms is judged by what comes to each"),
    ] = 1
    returns_within: Annotated[Period, note("an incident that comes again within this of its end is the same one coming back")] = "10m"
    flood_from: Annotated[
        int,
        Meta(
            ge=2,
            le=1000,
            description="alerts that may sound in 10 minutes: the milder ones are gathered before, to leave room for orange and red",
        ),
    ] = 10
    flood_until: Annotated[int, Meta(ge=1, le=1000, description="fewer than this in 10 minutes end the flood")] = 5


def clocks_follow_each_other(part: Clocks) -> Iterator[Problem]:
    """A later step is not due before an earlier one."""
    steps = ("acknowledge", "dispatch", "arrive", "handle")
    for before, after in pairwise(steps):
        if duration_us(getattr(part, after)) < duration_us(getattr(part, before)):
            yield (after,), f"found {after} {getattr(part, after)} before {before} {getattr(part, before)}, expected no earlier one"


def flood_ends_below_its_beginning(part: Alarms) -> Iterator[Problem]:
    """A flood that ends where it begins would begin again at once."""
    if part.flood_until > part.flood_from:
        yield ("flood_until",), f"found {part.flood_until}, expected at most flood_from ({part.flood_from})"


RULES: Final[Rules] = {Clocks: (clocks_follow_each_other,), Alarms: (flood_ends_below_its_beginning,)}
