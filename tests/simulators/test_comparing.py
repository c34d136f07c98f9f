"""Comparisons whose truth is known: nothing is better that is not shown to be, and every difference is a day's own."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.documents import Source
from flowwatch_sim import runs
from flowwatch_sim.comparing import Better, better, by_setup, compare
from flowwatch_sim.statistics import Verdict
from tests.simulators.made import SCENARIO, days, setup

FEW = SCENARIO.replace("lasts: 2h", "lasts: 10m").replace("people: 5200", "people: 100").encode()
PEAKS = st.lists(st.floats(0, 1e5), min_size=2, max_size=70)


@given(PEAKS)
def test_a_plan_beside_itself_differs_by_exactly_nothing(peaks: list[float]) -> None:
    table = compare([*days("a", peaks), *days("a", peaks)])
    row = table.rows["peak/mall"]
    (difference,) = row.differences
    assert difference is not None
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert row.verdicts == (Verdict.OPEN,)


def test_a_difference_is_taken_day_by_day() -> None:
    """Days differ by hundreds, plans by ten: only pairs show it."""
    luck = random.Random(5)
    first = [luck.uniform(2000, 3000) for _ in range(30)]
    second = [peak - 10 + luck.uniform(-3, 3) for peak in first]
    row = compare([*days("a", first), *days("b", second)]).rows["peak/mall"]
    (difference,) = row.differences
    assert difference is not None
    assert difference.low <= -10 <= difference.high < 0
    assert difference.mean == pytest.approx(fmean(second) - fmean(first))
    assert row.verdicts == (Verdict.BETTER,)


@given(PEAKS, st.data())
def test_nothing_is_better_or_worse_while_zero_lies_in_the_interval(peaks: list[float], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.floats(0, 1e5), min_size=len(peaks), max_size=len(peaks)))
    row = compare([*days("a", peaks), *days("b", others)]).rows["peak/mall"]
    (difference,), (verdict,) = row.differences, row.verdicts
    assert difference is not None
    assert (verdict is Verdict.OPEN) == (difference.low <= 0 <= difference.high)


@pytest.mark.parametrize(
    ("measure", "direction", "verdict"),
    [
        ("turned_away", Better.LESS, Verdict.WORSE),
        ("entered", Better.MORE, Verdict.BETTER),
        ("closed_in/gate-2", Better.NEITHER, None),
        ("stage/yuyuan/exit_only", Better.NEITHER, None),
    ],
)
def test_a_measure_knows_which_direction_is_better(measure: str, direction: Better, verdict: Verdict | None) -> None:
    rows = compare([*days("a", [1, 1, 1], {measure: [5, 6, 7]}), *days("b", [1, 1, 1], {measure: [8, 9.5, 10]})]).rows
    assert better(measure) is direction
    assert rows[measure].verdicts == (verdict,)


def test_a_bound_on_the_worst_day_needs_fifty_nine_days() -> None:
    few, enough = compare(days("a", range(58))), compare(days("a", range(59)))
    assert (few.bound_needs, few.rows["peak/mall"].bounds) == (59, (None,))
    assert (enough.bound_needs, enough.rows["peak/mall"].bounds) == (0, (58.0,))


def test_the_worst_day_is_named_by_its_seed() -> None:
    table = compare([*days("a", [3, 9, 9], {"band": [0.9, 0.7, 0.8]}), *days("b", [8, 2, 1], {"band": [1, 1, 0.5]})])
    assert table.rows["peak/mall"].worst == (2, 1)
    assert table.rows["band"].worst == (2, 3)


def test_a_stage_that_was_not_reached_lasted_no_time() -> None:
    reached = days("a", [1, 2], {"stage/yuyuan/exit_only": [30, 40]})
    row = compare([*reached, *days("b", [1, 2])]).rows["stage/yuyuan/exit_only"]
    assert row.means == (35.0, 0.0)


def test_what_one_plan_was_not_measured_by_is_not_compared() -> None:
    row = compare([*days("a", [1, 2], {"minutes_over/mall/1500": [3, 4]}), *days("b", [1, 2])]).rows["minutes_over/mall/1500"]
    assert (row.means, row.differences, row.verdicts) == ((3.5, None), (None,), (None,))


def test_one_setup_is_told_without_differences() -> None:
    row = compare(days("a", [4, 6])).rows["peak/mall"]
    assert (row.means, row.spans, row.differences, row.verdicts) == ((5.0,), ((4.0, 6.0),), (), ())


def test_a_single_day_shows_no_difference_at_all() -> None:
    row = compare([*days("a", [4]), *days("b", [6])]).rows["peak/mall"]
    assert (row.differences, row.verdicts) == ((None,), (None,))


def test_setups_are_told_apart_by_plan_by_sight_and_by_a_seed_that_is_back() -> None:
    found = by_setup([*days("a", [1, 2]), *days("a", [1, 2], sight="real"), *days("b", [1, 2]), *days("b", [1, 2])])
    assert [(of.plan, of.sight, of.seeds) for of in found] == [
        ("a", "perfect", (1, 2)),
        ("a", "real", (1, 2)),
        ("b", "perfect", (1, 2)),
        ("b", "perfect", (1, 2)),
    ]


def test_other_days_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="seeds"):
        compare([*days("a", [1, 2, 3]), *days("b", [1, 2])])
    with pytest.raises(ValueError, match="no days"):
        compare([])


def test_people_are_counted_over_the_bars_of_all_plans_under_each_of_them(tmp_path: Path) -> None:
    setups = [replace(made, text=Source("few.yaml", FEW)) for made in (setup("yuyuan"), setup("yuyuan-2018"))]
    results = runs.run(setups, [1], tmp_path)
    over = [{name for name in result.measures if name.startswith("minutes_over/mall")} for result in results]
    assert over[0] == over[1]
    assert {"minutes_over/mall/1500", "minutes_over/mall/30000"} <= over[0]
    assert runs.run(setups, [1], tmp_path) == results
    (alone,) = runs.run(setups[:1], [1], tmp_path)
    assert "minutes_over/mall/30000" not in alone.measures
