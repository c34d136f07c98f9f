"""Times of day and kinds of day, with `zoneinfo` as the oracle: at any moment, over the hours that clocks skip or show twice."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.clocks import WEEKDAYS, clock
from flowwatch.core.engine import Engine
from flowwatch.core.readings import DAY, SECOND
from flowwatch.documents.compiled import offsets
from tests.core.world import Document, bodies, declare, hours, on_days, plan, play, recount, site, stage, stages_seen, stored, term, tick

ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe")
SHIFTS = {
    "Europe/Amsterdam": [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)],
    "America/New_York": [datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)],
    "Asia/Shanghai": [datetime(2026, 10, 1, tzinfo=UTC)],
}
EPOCH = date(1970, 1, 1)
zones = st.sampled_from(ZONES)


@lru_cache
def place(name: str) -> Document:
    return site(stages=[stage("calm")], time_zone=name, offsets=[list(pair) for pair in offsets(name)])


@st.composite
def moments(draw: st.DrawFn, name: str) -> int:
    """A second from 2001 to 2049, as often as not within two days of a change of the clocks."""
    if draw(st.booleans()):
        near = draw(st.sampled_from(SHIFTS[name])) + timedelta(seconds=draw(st.integers(-2 * 86_400, 2 * 86_400)))
        return int(near.timestamp()) * SECOND
    return draw(st.integers(978_307_200, 2_493_072_000)) * SECOND


def shown(name: str, at: int) -> datetime:
    """What the clocks show."""
    return datetime.fromtimestamp(at // SECOND, ZoneInfo(name)).replace(tzinfo=None)


def in_window(leaf: Document, now: datetime) -> bool:
    second = now.hour * 3600 + now.minute * 60 + now.second
    since, until = leaf["from_s"], leaf["until_s"]
    return bool(since <= second < until) if since < until else not until <= second < since


def is_day(leaf: Document, days: Document, now: datetime) -> bool:
    day = (now - timedelta(seconds=leaf["business_day_s"])).date()
    number = (day - EPOCH).days

    def among(kind: str) -> bool:
        return any(first <= number <= last for first, last in days.get(kind, []))

    kinds = {WEEKDAYS[day.weekday()], *(k for k in days if k not in ("holiday", "makeup") and among(k))}
    kinds |= {"holiday"} if among("holiday") else set()
    kinds |= {"workday"} if among("makeup") or (day.weekday() < 5 and not among("holiday")) else set()
    kinds |= {"weekend"} if day.weekday() >= 5 and not among("makeup") else set()
    return bool(kinds & set(leaf["days"]))


@st.composite
def leaves(draw: st.DrawFn) -> Document:
    hour = st.integers(0, 47).map(lambda n: n * 1800)
    if draw(st.booleans()):
        return hours(draw(hour), draw(hour))
    kinds = draw(st.lists(st.sampled_from([*WEEKDAYS, "workday", "weekend", "holiday", "lantern"]), min_size=1, max_size=3, unique=True))
    return on_days(*kinds, begins=draw(hour))


def calendar(at: int, dice: random.Random) -> Document:
    """Holidays, weekends that are worked, and an event around `at`."""
    today = at // DAY
    return {k: [[d := today + dice.randrange(-4, 5), d + dice.randrange(3)]] for k in ("holiday", "makeup", "lantern")}


def expected(leaf: Document, days: Document, now: datetime) -> bool:
    return in_window(leaf, now) if leaf["kind"] == "time" else is_day(leaf, days, now)


@settings(max_examples=500)
@given(zones.flatmap(lambda z: st.tuples(st.just(z), moments(z))), leaves(), st.integers(0, 2**32))
def test_a_clock_says_what_the_clocks_of_the_place_show_and_for_how_long(where: tuple[str, int], leaf: Document, seed: int) -> None:
    (name, at), dice = where, random.Random(seed)
    made = plan("yu", [], days=calendar(at, dice))
    on, until = clock(place(name), made, leaf, at)
    assert on == expected(leaf, made["days"], shown(name, at))
    assert until > at
    for _ in range(12):
        later = at + dice.randrange(0, until - at, SECOND)
        assert expected(leaf, made["days"], shown(name, later)) == on
    assert until - at <= 25 * 3600 * SECOND


@settings(max_examples=60)
@given(zones.flatmap(lambda z: st.tuples(st.just(z), st.sampled_from(SHIFTS[z]))), leaves(), st.integers(0, 2**32))
def test_the_engine_follows_the_clocks_over_a_change_whenever_it_was_stored(where: tuple[str, datetime], leaf: Document, seed: int) -> None:
    (name, shift), dice = where, random.Random(seed)
    at = int(shift.timestamp()) * SECOND - 6 * 3600 * SECOND
    document = site(stages=[stage("calm"), stage("timed", [leaf])], time_zone=name, offsets=[list(p) for p in offsets(name)])
    document["plans"][0]["days"] = calendar(at, dice)
    engine = Engine("p00")
    play([declare(document)], engine=engine)
    for _ in range(120):
        at += dice.choice([1, 60, 600, 1200, 1800]) * SECOND
        at -= at % (dice.choice([1, 60, 1800]) * SECOND)
        if at <= engine.tick:
            continue
        play([tick(at)], engine=engine)
        assert bool(engine.plans.rank[0]) == expected(leaf, document["plans"][0]["days"], shown(name, at))
        if dice.random() < 0.05:
            engine = stored(engine)


@pytest.mark.parametrize(
    ("at", "on"), [("21:59:59", False), ("22:00:00", True), ("00:00:00", True), ("04:59:59", True), ("05:00:00", False)]
)
def test_a_window_past_midnight_begins_with_its_first_second_and_ends_before_its_last(at: str, on: bool) -> None:
    moment = datetime.fromisoformat(f"2026-09-21T{at}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert clock(place("Asia/Shanghai"), plan("yu", []), hours(22 * 3600, 5 * 3600), int(moment.timestamp()) * SECOND)[0] == on


def test_a_window_that_ends_where_it_begins_is_the_whole_day() -> None:
    document = place("Europe/Amsterdam")
    assert all(clock(document, plan("yu", []), hours(7200, 7200), 1_790_000_000 * SECOND + n * 997 * SECOND)[0] for n in range(200))


@pytest.mark.parametrize(
    ("at", "kind", "on"),
    [
        ("2026-10-04T02:00", "sat", True),
        ("2026-10-04T04:59", "sat", True),
        ("2026-10-04T05:00", "sat", False),
        ("2026-10-04T02:00", "sun", False),
        ("2026-10-08T04:00", "holiday", True),
        ("2026-10-08T06:00", "holiday", False),
        ("2026-10-10T12:00", "workday", True),
        ("2026-10-10T12:00", "weekend", False),
        ("2026-10-10T12:00", "sat", True),
        ("2026-10-11T04:00", "workday", True),
        ("2026-10-11T05:00", "weekend", True),
        ("2026-10-03T12:00", "weekend", True),
        ("2026-10-01T12:00", "workday", False),
    ],
)
def test_a_business_day_lasts_into_the_night(at: str, kind: str, on: bool) -> None:
    """National Day 2026 until the 7th, and Saturday the 10th worked instead."""
    days = {
        name: [[(date(2026, 10, a) - EPOCH).days, (date(2026, 10, b) - EPOCH).days]]
        for name, a, b in (("holiday", 1, 7), ("makeup", 10, 10))
    }
    moment = int(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * SECOND
    assert clock(place("Asia/Shanghai"), plan("yu", [], days=days), on_days(kind, begins=5 * 3600), moment)[0] == on


def test_a_window_that_ends_in_the_hour_that_comes_twice_holds_in_both_and_ends_in_both() -> None:
    """02:30 comes twice in Amsterdam on 2026-10-25."""
    leaf, back = hours(3600, 9000), int(SHIFTS["Europe/Amsterdam"][1].timestamp()) * SECOND
    found = [clock(place("Europe/Amsterdam"), plan("yu", []), leaf, back + m * 60 * SECOND)[0] for m in (-31, -30, -1, 0, 29, 30)]
    assert found == [True, False, False, True, True, False]


def test_times_and_people_together_make_a_stage_due_only_while_both_hold() -> None:
    begin = int(datetime(2026, 9, 21, 8, 59, tzinfo=UTC).timestamp()) * SECOND
    """16:59 in Shanghai."""
    due: dict[str, Any] = {"leaves": [term(100, 80), hours(17 * 3600, 23 * 3600)], "clauses": [[0, 1]]}
    document = site(stages=[stage("calm"), stage("evening", [], SECOND, **due)])
    rows = [declare(document, begin), recount(begin, 150), tick(begin), *(tick(begin + n * 20 * SECOND) for n in range(1, 10))]
    entries = play(rows).entries
    assert stages_seen(entries)[1:] == [(begin + 60 * SECOND, "calm", "evening", "rise")]
    cause = bodies(entries, "transition")[-1]["cause"]["term"]
    assert (cause["measure"], cause["zone"], cause["leaf"]) == ("time", None, due["leaves"][1])
