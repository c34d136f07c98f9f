"""The generated day: nobody appears or vanishes, gates are obeyed, and the faults that the demonstration tells of are there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.gates import Mode, Setting
from flowwatch.demo import holiday as facts
from flowwatch.demo.holiday import Holiday
from flowwatch.documents import find, load, shipped

SITE: dict[str, Any] = next(load(site, plans) for site, plans in find(shipped()) if site.stem == "yuyuan").site
GATES = [gate["gate"] for gate in SITE["gates"]]
seeds = st.integers(0, 2**32 - 1)
tables = st.fixed_dictionaries({gate: st.sampled_from([Mode.IN, Mode.OUT, Mode.BOTH]) for gate in GATES})


def day(seed: int, opens: int = 9, closes: int = 22) -> Holiday:
    zone = ZoneInfo(SITE["time_zone"])
    return Holiday(SITE, seed, datetime(2026, 10, 1, opens, tzinfo=zone), datetime(2026, 10, 1, closes, tzinfo=zone))


def messages(holiday: Holiday, first: int, last: int) -> Iterator[dict[str, Any]]:
    for minute in range(first, last):
        for _, lines in holiday.minute(minute):
            yield from map(json.loads, lines)


@given(seeds)
@settings(max_examples=5)
def test_the_same_seed_gives_the_same_day(seed: int) -> None:
    assert list(messages(day(seed), 0, 40)) == list(messages(day(seed), 0, 40))


@given(seeds, st.lists(tables, min_size=1, max_size=4))
@settings(max_examples=10)
def test_no_number_of_people_is_ever_negative_whatever_the_gates_do(seed: int, orders: list[Mapping[str, str]]) -> None:
    holiday = day(seed, opens=17)
    for i, modes in enumerate(orders):
        holiday.order(i * 10, modes)
        for minute in range(i * 10, i * 10 + 10):
            for _ in holiday.minute(minute):
                assert min(holiday.inside, holiday.on_bridge, holiday.waiting, holiday.turned_away) >= 0


@given(seeds)
@settings(max_examples=10)
def test_people_inside_are_those_who_came_less_those_who_left(seed: int) -> None:
    holiday = day(seed)
    for minute in range(60):
        inside = holiday.inside
        came = holiday.came
        through: Counter[str] = Counter()
        walk = holiday._walk_gates

        def counted(now: float, walk: Any = walk, through: Counter[str] = through) -> dict[str, tuple[int, int]]:
            passed: dict[str, tuple[int, int]] = walk(now)
            through["in"] += sum(into for into, _ in passed.values())
            through["out"] += sum(out for _, out in passed.values())
            return passed

        holiday._walk_gates = counted  # type: ignore[method-assign]
        for _ in holiday.minute(minute):
            pass
        holiday._walk_gates = walk  # type: ignore[method-assign]
        assert through["in"] == holiday.came - came
        assert holiday.inside == inside + through["in"] - through["out"]


@given(seeds, tables)
@settings(max_examples=10)
def test_a_gate_passes_nobody_the_way_its_mode_forbids_once_it_was_turned(seed: int, modes: dict[str, str]) -> None:
    holiday = day(seed, opens=11)
    holiday.order(0, modes)
    list(messages(holiday, 0, facts.REACTION_MIN))
    gate_of = {f"{SITE['site']}/{c['counter']}": c["gate"] for c in SITE["counters"] if c["gate"] and c["counts"] == "delta"}
    for message in messages(holiday, facts.REACTION_MIN, facts.REACTION_MIN + 15):
        gate = gate_of.get(message["counter"])
        if gate is not None:
            assert Setting.parse(modes[gate]).may_enter or not message["in"]
            assert Setting.parse(modes[gate]).may_leave or not message["out"]


def test_a_gate_obeys_its_command_a_little_after_it_was_given() -> None:
    holiday = day(1)
    holiday.order(10, dict.fromkeys(GATES, Mode.OUT))
    list(messages(holiday, 10, 10 + facts.REACTION_MIN))
    assert set(holiday.modes.values()) == {Mode.BOTH}
    list(messages(holiday, 10 + facts.REACTION_MIN, 11 + facts.REACTION_MIN))
    assert set(holiday.modes.values()) == {Mode.OUT}


@given(seeds)
@settings(max_examples=5)
def test_while_no_gate_leads_in_nobody_comes_in_and_most_newcomers_turn_away(seed: int) -> None:
    holiday = day(seed, opens=18)
    holiday.modes = dict.fromkeys(GATES, Mode.OUT)
    came = holiday.came
    list(messages(holiday, 0, 20))
    assert holiday.came == came
    assert holiday.turned_away > holiday.waiting > 0


def test_the_day_has_a_silent_turnstile_repeated_messages_and_a_wrong_clock() -> None:
    holiday = day(1)
    turnstiles = [f"{SITE['site']}/{c['counter']}" for c in SITE["counters"] if c["gate"]]
    heard: Counter[int] = Counter()
    ahead = repeated = 0
    for minute in range(holiday.minutes):
        for at, lines in holiday.minute(minute):
            told = [json.loads(line) for line in lines]
            heard[minute] += sum(m["counter"] == turnstiles[facts.SILENT[0]] for m in told)
            ahead += sum(datetime.fromisoformat(m["at"]) > at for m in told)
            repeated += len(lines) - len(set(lines))
    silent = [minute for minute in range(holiday.minutes) if not heard[minute]]
    assert silent == list(range(facts.SILENT[1], facts.SILENT[2]))
    assert (ahead, repeated) == (1, len(facts.REPEATED[1]))


@pytest.mark.parametrize("hour", [9.0, 11.2, 15.5, 18.3, 21.9])
def test_people_come_in_two_waves(hour: float) -> None:
    rate = facts.arrivals_per_min(hour)
    assert rate >= 0
    assert rate <= facts.arrivals_per_min(18.3)
    if hour in (9.0, 15.5, 21.9):
        assert rate < facts.arrivals_per_min(11.2)
