"""A scenario's people and hours by kind of day: the date picks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.documents import DocumentErrors, Source, shipped
from flowwatch_sim.daykinds import PLAIN, kind_of
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.scenario import DayKind

WEEK = """
scenario: week
title: {zh: 一周, en: A week}
site: yuyuan
calendar: CN
starts: 2026-10-09 09:00
lasts: 4h
streams:
  - stream: visitors
    people: 6000
    hours: {9: 1, 12: 3}
    days:
      weekend: {people: 9000}
      sun: {hours: {10: 1}}
      holiday: {people: 20000, hours: {9: 2, 12: 1}}
    stay: 60m
"""


def week(starts: str = "2026-10-09 09:00", text: str = WEEK) -> Planned:
    return read_scenario(Source("week.yaml", text.replace("2026-10-09 09:00", starts).encode()), shipped())


@pytest.mark.parametrize(
    ("starts", "people", "hours"),
    [
        ("2026-10-09 09:00", 6000, {"9": 1, "12": 3}),  # a Friday: the stream's own
        ("2026-10-17 09:00", 9000, {"9": 1, "12": 3}),  # a Saturday: a weekend, at the usual hours
        ("2026-10-18 09:00", 6000, {"10": 1}),  # a Sunday: more particular than a weekend
        ("2026-10-04 09:00", 20000, {"9": 2, "12": 1}),  # a Sunday, but National Day
        ("2026-10-10 09:00", 6000, {"9": 1, "12": 3}),  # a Saturday on which people work
    ],
)
def test_the_date_picks_people_and_hours(starts: str, people: int, hours: dict[str, float]) -> None:
    planned = week(starts)
    assert planned.streams[0].rate.sum() == pytest.approx(people)
    assert (planned.scenario.streams[0].people, planned.scenario.streams[0].hours) == (people, hours)


@pytest.mark.parametrize(
    ("was", "wrong", "told"),
    [
        ("weekend: {people: 9000}", "weekends: {people: 9000}", 'found "weekends", expected one of holiday, mon'),
        ("weekend: {people: 9000}", "weekends: {people: 9000}", 'did you mean "weekend"?'),
        ("calendar: CN\n", "", 'found "holiday" without a calendar, expected calendar: with a country\'s code in this scenario'),
        ("calendar: CN", "calendar: China", 'did you mean "CN"?'),
        ("weekend: {people: 9000}", "weekend: {}", "found neither people nor hours, expected what is different on such a day"),
        ("weekend: {people: 9000}", "weekend: {peple: 9000}", 'did you mean "people"?'),
    ],
)
def test_what_cannot_be_meant_is_told_with_the_near_miss(was: str, wrong: str, told: str) -> None:
    with pytest.raises(DocumentErrors) as caught:
        week(text=WEEK.replace(was, wrong))
    assert told in str(caught.value)


@given(st.dates(date(2018, 1, 1), date(2026, 12, 31)), st.sets(st.sampled_from(list(DayKind))))
def test_every_day_is_one_plain_kind_and_more_kinds_only_make_it_more_particular(day: date, kinds: set[DayKind]) -> None:
    order = list(DayKind)
    plain = kind_of(day, PLAIN, "CN")
    assert plain is not None
    found = kind_of(day, {*PLAIN, *kinds}, "CN")
    assert found is not None
    assert order.index(found) <= order.index(plain)
    assert (kind_of(day, kinds, "CN") is None) or kind_of(day, kinds, "CN") in kinds


def test_without_a_calendar_weekdays_alone_are_told_apart() -> None:
    sunday = date(2026, 10, 4)
    assert kind_of(sunday, ["sun", "holiday"], None) is DayKind.SUN
    assert kind_of(sunday + timedelta(1), ["sun", "holiday"], None) is None
