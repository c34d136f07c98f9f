"""Every planted mistake is found under its code, at its place, by the shortest way; and a record without it is not accused of it."""

from __future__ import annotations

import pytest

from flowwatch.safety import Code, Severity, analyse, render
from flowwatch.safety.sentences import SENTENCES
from tests.safety.bad import BAD, Bad, one
from tests.safety.good import GOOD
from tests.safety.made import people


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_planted_mistake_is_found_by_the_shortest_way(bad: Bad) -> None:
    found = [f for f in analyse(bad.record()).findings if f.code is bad.code]
    assert found, [f.code for f in analyse(bad.record()).findings]
    lengths = [None if f.events is None else len(f.events) for f in found]
    assert lengths[0] == bad.steps
    assert all(length is None or bad.steps is None or length >= bad.steps for length in lengths)
    if bad.path is not None:
        assert bad.path in [f.path for f in found]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_found_is_said_in_both_languages(bad: Bad) -> None:
    for f in analyse(bad.record()).findings:
        assert f.zh != f.en
        assert any("\u4e00" <= char <= "\u9fff" for char in f.zh)
        assert "None" not in f.zh + f.en
        assert not {"{", "}"} & set(f.zh + f.en)
    assert render(analyse(bad.record()), "zh")


def test_every_code_has_a_planted_mistake_or_a_test_of_its_own() -> None:
    elsewhere = {Code.NO_PLAN, Code.SINGLE_EXIT_ACCEPTED, Code.NOT_ALL_VISITED}
    assert {bad.code for bad in BAD.values()} | elsewhere == set(Code)
    assert set(SENTENCES) == set(Code)


def test_no_good_record_is_accused_of_a_mistake() -> None:
    for make in GOOD.values():
        assert not [f for f in analyse(make()).findings if f.severity is Severity.FAULT]


def test_the_way_is_told_step_by_step() -> None:
    bad = BAD["a case that replaces the plan keeps too few ways out"]
    found = next(f for f in analyse(bad.record()).faults if f.code is bad.code)
    assert found.events is not None
    assert [(e.happening.value, e.plan, e.stage) for e in found.events] == [("begins", "rain", None), ("rises", "rain", "storm")]
    assert found.en.endswith("Shortest way there: operator declares rain; occupancy of mall above 900 for 30 s -> rain: storm")
    assert "值班员宣布启用“rain”；商城在场人数超过900人并持续30秒 → " in found.zh


def test_a_stage_that_cannot_come_by_itself_is_reached_by_an_operator() -> None:
    record = BAD["more people than the floor can hold"].record()
    record["plans"][0]["stages"][1]["gates"]["g0"] = "in"
    fall = next(f for f in analyse(record).faults if f.code is Code.EGRESS_FALLS)
    assert fall.events is not None
    assert fall.events[-1].en == "operator sets yu to busy"


def test_a_bar_beside_one_with_a_shorter_hold_may_wait_long() -> None:
    record = one([people(2500, 2200)], [people(1500, 1350, hold=1800)])
    assert [f.code for f in analyse(record).findings] == []
    assert [f.code for f in analyse(one([people(2500, 2200, hold=601)], [people(1500, 1350, hold=1800)])).findings] == [
        Code.HOLD_TOO_LONG
    ] * 2


def test_a_density_far_above_the_capacity_is_no_slip_of_a_unit() -> None:
    bar = people(30_000, 25_000, measure="density") | {"enter": "2.5", "clear": "2.1"}
    assert [f.code for f in analyse(one([people(1500, 1350)], [bar])).findings] == []


def test_chinese_sentences_name_zones_by_title_and_say_units() -> None:
    stuck = next(f for f in analyse(BAD["nobody leaves the mall when it is busy"].record()).faults if f.code is Code.NO_WAY_OUT)
    assert stuck.zh.startswith("区域“商城（mall）”没有任何出路")
    assert stuck.en.startswith('zone "mall" would have no way out')
    bar = people(60_000, 58_000, measure="density") | {"enter": "5", "clear": "4.9"}
    (near,) = (f for f in analyse(one([bar])).notes if f.code is Code.NARROW_BARS)
    assert "商城密度超过5人/平方米并持续30秒" in near.zh
    assert "density of mall above 5 persons/m2 for 30 s" in near.en
