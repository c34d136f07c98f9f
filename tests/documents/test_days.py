"""Public holidays and dated events in the record: the right days, as ranges, and only those that the plan's conditions use."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.documents import Source, compile_sources
from flowwatch.documents.days import EPOCH, holidays_of, number, ranges
from flowwatch.documents.words import LAST_YEAR
from tests.documents.written import SITE_TEXT

PLAN = """
plan: p
site: hall
title: {{zh: 一, en: One}}
calendar: CN
events: {{gala: [{{from: 2025-06-20, until: 2025-06-22}}, {{from: 2025-06-23, until: 2025-06-23}}], fair: [{{from: 2025-07-01, until: 2025-07-01}}]}}
stages:
  - {{stage: calm, title: {{zh: 平时, en: Calm}}, gates: {{turnstile: in, others: both}}}}
  - {{stage: up, title: {{zh: 高, en: Up}}, dwell: 1m, gates: {{turnstile: closed, others: out}}, when: {{any: [{{day: [{0}]}}]}}}}
"""


def days(words: str) -> tuple[dict[str, Any], int | None]:
    plan = compile_sources(Source("s", SITE_TEXT.encode()), [Source("p", PLAN.format(words).encode())]).site["plans"][0]
    return plan["days"], plan["days_until"]


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_the_same_days_in_order_and_do_not_touch(numbers: list[int]) -> None:
    made = ranges(numbers)
    assert [day for first, last in made for day in range(first, last + 1)] == sorted(set(numbers))
    assert all(b[0] - a[1] > 1 for a, b in pairwise(made))


@pytest.mark.parametrize(
    ("words", "tables"),
    [
        ("mon", []),
        ("gala", ["gala"]),
        ("sat, fair", ["fair"]),
        ("holiday", ["holiday"]),
        ("weekend", ["makeup"]),
        ("workday", ["holiday", "makeup"]),
        ("workday, gala, fair", ["fair", "gala", "holiday", "makeup"]),
    ],
)
def test_the_record_carries_only_the_days_that_the_conditions_use(words: str, tables: list[str]) -> None:
    found, until = days(words)
    assert sorted(found) == tables
    assert (until is None) == (not {"holiday", "makeup"} & set(tables))


def test_the_days_of_an_event_are_all_days_from_the_first_to_the_last() -> None:
    assert days("gala")[0] == {"gala": [[number(date(2025, 6, 20)), number(date(2025, 6, 23))]]}


def test_where_holidays_are_decreed_by_the_year_nothing_is_known_after_the_last_decree() -> None:
    decreed = max(holidays.country_holidays("CN").special_public_holidays)
    assert holidays_of("CN").until == number(date(decreed, 12, 31))
    assert holidays_of("FR").until == number(date(LAST_YEAR, 12, 31))
    for country in ("CN", "FR"):
        known = holidays_of(country)
        assert max(last for _, last in (*known.holiday, *known.makeup)) <= known.until


def test_a_holiday_is_one_with_the_weekend_that_adjoins_it() -> None:
    assert (number(date(2024, 10, 1)), number(date(2024, 10, 7))) in holidays_of("CN").holiday
    assert (number(date(2024, 5, 1)), number(date(2024, 5, 1))) in holidays_of("FR").holiday
    assert (number(date(2024, 3, 30)), number(date(2024, 4, 1))) in holidays_of("FR").holiday


def test_days_off_in_china_are_those_that_the_state_council_announced(data_dir: Path) -> None:
    known = holidays_of("CN")
    off, named, makeup = set(), set(), set()
    with (data_dir / "holidays_cn" / "cn_holidays_2018_on.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        day = number(date.fromisoformat(row["date"]))
        off |= {day} if row["is_off"] == "1" else set()
        named |= {day} if row["is_off"] == "1" and row["holiday"] else set()
        makeup |= {day} if row["makeup_workday"] == "1" else set()
    all_days = range(number(date.fromisoformat(rows[0]["date"])), number(date.fromisoformat(rows[-1]["date"])) + 1)
    holiday = {day for first, last in known.holiday for day in range(first, last + 1)} & set(all_days)
    worked = {day for first, last in known.makeup for day in range(first, last + 1)} & set(all_days)
    assert worked == makeup
    assert named <= holiday
    assert holiday <= off
    weekend = {day for day in all_days if (EPOCH + timedelta(days=day)).weekday() >= 5}
    assert holiday | (weekend - worked) == off
