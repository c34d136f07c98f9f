"""Days under the production engine: the same each time, the same alone as among others, and decided by what counters say."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest

from flowwatch.core.settings import Setting
from flowwatch.documents import Source, shipped
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.planned import Planned, read_scenario

RUSH = """
scenario: rush
title: {zh: 高峰, en: Rush}
site: yuyuan
starts: 2026-10-01 09:00
lasts: 90m
streams:
  - {stream: visitors, people: 5200, template: even, stay: 60m, visits: [{zone: bridge, share: 0.5, stay: 6m}]}
"""
SHORT = RUSH.replace("lasts: 90m", "lasts: 10m").replace("people: 5200", "people: 2600")
"""Ten minutes, in which the plan rises all the same: for what lives a day more than once."""


@cache
def rush(more: str = "", text: str = RUSH) -> Planned:
    return read_scenario(Source("rush.yaml", (text + more).encode()), shipped())


def same(one: Day, two: Day) -> bool:
    def equal(a: Any, b: Any) -> bool:
        return bool(np.array_equal(a, b, equal_nan=True)) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else bool(np.all(a == b))

    return all(equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(Day) if f.name != "sensing")


@pytest.mark.determinism
def test_a_seed_gives_the_same_day_alone_and_among_others() -> None:
    short = rush(text=SHORT)
    alone = Laboratory(short, [3]).run()[0]
    among = Laboratory(short, [1, 3]).run()
    assert [stage for _, plan, stage in alone.stages if plan == "yuyuan"] == ["normal", "three_in_five_out"]
    assert same(alone, among[1])
    assert not same(among[0], among[1])


def test_the_plan_changes_who_gets_in() -> None:
    (day,) = Laboratory(rush(), [3], "perfect").run()
    assert [stage for _, plan, stage in day.stages if plan == "yuyuan"][:2] == ["normal", "three_in_five_out"]
    assert {gate for _, gate, setting in day.settings if setting == "out"} == {"gate-1", "gate-4", "gate-6", "gate-7", "gate-8"}
    crossed = next(at for at, plan, stage in day.stages if stage == "three_in_five_out")
    turned = min(at for at, _, _ in day.settings)
    assert turned == crossed + 90.0
    assert day.turned_away > 0


def test_perfect_counters_know_how_many_are_inside() -> None:
    (day,) = Laboratory(rush(), [3], "perfect").run()
    assert (day.lower <= day.truth).all()
    assert (day.truth <= day.upper).all()


def test_nobody_is_lost() -> None:
    for day in Laboratory(rush(), [4, 5]).run():
        assert day.came == day.left + day.turned_away + day.still_inside
        assert day.still_inside == 0


def test_nobody_is_lost_who_is_in_a_lane_when_the_day_ends() -> None:
    text = """
scenario: late
title: {zh: 晚到, en: Late}
site: bund
starts: 2026-12-31 19:00
lasts: 10m
streams: [{stream: late, people: 4000, template: even, stay: 20m}]
"""
    (day,) = Laboratory(read_scenario(Source("late.yaml", text.encode()), shipped()), [1]).run()
    assert day.came == day.left + day.turned_away
    assert day.still_inside == 0


def test_a_gate_that_refuses_stays_as_it_is() -> None:
    (day,) = Laboratory(rush("gates: [{gate: gate-4, does: refuses, at: 0s, lasts: 90m}]\n"), [3], "perfect").run()
    assert ("gate-4", "out") in {(gate, setting) for _, gate, setting in day.commands}
    assert "gate-4" not in {gate for _, gate, _ in day.settings}


def test_officers_answer_after_their_time() -> None:
    said = "operators: {answer: 5m, carry_out: 30s}\n"
    planned = rush(said)
    assert (planned.answer_s, planned.carry_out_s) == (300.0, 30.0)
    assert Setting.parse("both").may_enter
