"""Kinds of day: which of a stream's days the date of a scenario picks, by the same calendars as plans.

A holiday is one before it is anything else; then the weekday's own name counts, then weekend and workday. A Saturday on which people work
instead (调休) is a workday and no Saturday. What `holiday`, `weekend` and `workday` are, `documents.days` and `core.clocks` say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from flowwatch.core.clocks import is_kind
from flowwatch.documents.days import holidays_of, number
from flowwatch.documents.faults import quoted
from flowwatch.documents.walk import Problem
from flowwatch.documents.words import CALENDAR_DAYS, WEEKDAYS, moment
from flowwatch_sim import scenario as language
from flowwatch_sim.scenario import DayKind

PLAIN: Final = (DayKind.WORKDAY, DayKind.WEEKEND, DayKind.HOLIDAY)
"""The kinds that a calendar tells apart."""


def kind_of(day: date, kinds: Collection[str], country: str | None) -> DayKind | None:
    """The most particular of `kinds` that `day` is; None where it is none of them. Without a `country` no day is a holiday.

    >>> kind_of(date(2026, 10, 10), ["workday", "sat"], "CN"), kind_of(date(2026, 10, 3), ["sat", "holiday"], "CN")
    (<DayKind.WORKDAY: 'workday'>, <DayKind.HOLIDAY: 'holiday'>)
    """
    known = None if country is None else holidays_of(country)
    spans = {} if known is None else {"holiday": known.holiday, "makeup": known.makeup}
    made_up = is_kind("makeup", number(day), spans)
    for kind in DayKind:
        if kind in kinds and is_kind(kind.value, number(day), spans) and not (made_up and kind.value in WEEKDAYS):
            return kind
    return None


def on_its_day(said: language.Scenario) -> language.Scenario:
    """The scenario with each stream as it is on the day on which it starts."""
    country = None if isinstance(said.calendar, UnsetType) else said.calendar
    return replace(said, streams=[_on(stream, moment(said.starts).date(), country) for stream in said.streams])


def _on(stream: language.Stream, day: date, country: str | None) -> language.Stream:
    kind = kind_of(day, stream.days, country)
    if kind is None:
        return stream
    found = stream.days[kind]
    people = stream.people if isinstance(found.people, UnsetType) else found.people
    return replace(stream, people=people, hours=found.hours or stream.hours)


def days_can_be_told(said: language.Scenario) -> Iterator[Problem]:
    """Which days are holidays only a calendar tells, as in plans."""
    if said.calendar is not UNSET:
        return
    for i, stream in enumerate(said.streams):
        for kind in stream.days:
            if kind in CALENDAR_DAYS:
                told = f"found {quoted(kind)} without a calendar, expected calendar: with a country's code in this scenario, such as CN"
                yield ("streams", i, "days", kind), told


def days_say_something(day: language.OtherDay) -> Iterator[Problem]:
    """A kind of day that is like every other needs no entry."""
    if day.people is UNSET and not day.hours:
        yield (), "found neither people nor hours, expected what is different on such a day"
