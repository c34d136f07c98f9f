"""The plans that ship: they compile, the safety analysis has nothing against them, they do what their tests say, and cover every stage and case."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from flowwatch.documents import Loaded, alternatives, find, load, shipped
from flowwatch.documents.load import source
from flowwatch.safety import Code, analyse
from flowwatch.trials import Failure, Stock, Test, read, run

ROOT: Final = shipped()
SHELF: Final = {plans[0].parent.name: (site, plans) for site, plans in find(ROOT) + alternatives(ROOT) if plans}
FOLDERS: Final = sorted(SHELF)
OF_ANOTHER_AREA: Final = "yuyuan-2018"
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")


@cache
def loaded(folder: str) -> Loaded:
    return load(*SHELF[folder])


@cache
def trials_of(folder: str) -> list[Test]:
    files = sorted((ROOT / "rules" / folder).glob("*.test.yaml"))
    return [test for file in files for test in read(source(file), Stock.of(loaded(folder).site))]


@cache
def failures(folder: str, number: int) -> list[Failure]:
    """Of test `number` of a folder, played once."""
    return run(trials_of(folder)[number], loaded(folder)).failures


def plans(folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = loaded(folder).site["plans"]
    return found


def expected(folder: str) -> list[Any]:
    """Everything that the tests of a folder say, as plain YAML."""
    files = sorted((ROOT / "rules" / folder).glob("*.test.yaml"))
    return [test for file in files for test in yaml.load(file.read_bytes(), yaml.BaseLoader)["tests"]]


def test_these_plans_ship() -> None:
    assert FOLDERS == ["bund", "capacity-80-100", "nanjing-road", "tianzifang", "yuyuan", "yuyuan-2018"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_safety_analysis_finds_no_fault_and_no_warning_in_any_situation(folder: str) -> None:
    report = analyse(loaded(folder).site)
    assert [f.en for f in report.faults] == []
    assert [f.en for f in report.warnings if f.code is not Code.BAR_ABOVE_CAPACITY or folder != OF_ANOTHER_AREA] == []
    assert [f.code for f in report.notes] == []
    assert report.coverage.complete


def test_each_bar_of_the_plan_of_2018_is_found_to_be_of_another_area() -> None:
    """Ten times the capacity: those numbers were counted over a larger area than the site file's (docs/plans/yuyuan-2018.md)."""
    found = [f for f in analyse(loaded(OF_ANOTHER_AREA).site).warnings if f.code is Code.BAR_ABOVE_CAPACITY]
    assert [(f.plan, f.stage) for f in found] == [
        *(("yuyuan-2018", stage) for stage in ("two_in_six_out", "one_in_seven_out", "exit_only")),
        ("bridge-2019", "one_way"),
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_single_exit_is_accepted_and_no_gate_that_fails_cuts_anybody_off(folder: str) -> None:
    report = analyse(loaded(folder).site)
    assert all(zone["accepts_single_exit"] is None for zone in loaded(folder).site["zones"])
    assert {failure.gate: failure.cut_off for failure in report.failures if failure.cut_off} == {}


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        pytest.param(folder, number, id=f"{folder}: {test.trial.name}")
        for folder in FOLDERS
        if folder != "yuyuan"
        for number, test in enumerate(trials_of(folder))
    ],
)
def test_a_plan_does_what_its_tests_say(folder: str, number: int) -> None:
    assert failures(folder, number) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_stage_of_every_plan_is_reached_in_some_test(folder: str) -> None:
    reached = set()
    for number, trial in enumerate(trials_of(folder)):
        assert failures(folder, number) == [], trial.trial.name
    for test in expected(folder):
        for expect in test["expect"]:
            reached |= {(plan, stage) for plan, stage in expect.get("plans", {}).items()} | {("", expect.get("stage"))}
    leading = {plan["plan"] for i, plan in enumerate(plans(folder)) if i == 0 or (plan["case"] or {}).get("effect") == "replace"}
    wanted = {(plan["plan"], stage["stage"]) for plan in plans(folder) for stage in plan["stages"]}
    assert {
        (plan, stage) for plan, stage in wanted if (plan, stage) not in reached and not (plan in leading and ("", stage) in reached)
    } == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_tests_show_a_rise_a_fall_that_is_asked_for_and_silence_that_lowers_nothing(folder: str) -> None:
    tests = expected(folder)
    assert any("yes" in [act.get("confirm") for act in test.get("actions", ())] for test in tests)
    assert any(str(expect.get("asks", "")).startswith("fall:") for test in tests for expect in test["expect"])
    assert any("stale" in str(test.get("series", "")) and test["expect"][-1].get("asks") == "none" for test in tests)


@pytest.mark.parametrize("folder", FOLDERS)
def test_levels_rise_and_every_level_is_announced_in_both_languages(folder: str) -> None:
    order = ["IV", "III", "II", "I"]
    for plan in plans(folder):
        levels = [order.index(stage["level"]) for stage in plan["stages"] if stage["level"] is not None]
        assert all(a <= b for a, b in pairwise(levels))
        for stage in plan["stages"][1:]:
            assert stage["level"] is not None
            for text in stage["alert"].values():
                assert _HAN.search(text["zh"])
                assert not _HAN.search(text["en"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_fall_is_asked_for_and_every_risen_stage_of_a_main_plan_gives_tasks(folder: str) -> None:
    for plan in plans(folder):
        assert all(stage["confirm"]["fall"]["by"] == "officer_in_charge" for stage in plan["stages"])
    assert all(stage["tasks"] for stage in plans(folder)[0]["stages"][1:])
    assert plans(folder)[0]["degraded"]


def test_a_case_that_replaces_the_main_plan_is_never_the_laxer_one() -> None:
    """Its highest stage shuts no later than the main plan's, on each figure that both look at."""
    for folder in FOLDERS:
        main, *others = plans(folder)
        for case in (plan for plan in others if (plan["case"] or {}).get("effect") == "replace"):
            for figure, bar in highest_bars(main).items():
                if figure in highest_bars(case):
                    assert highest_bars(case)[figure] <= bar, (case["plan"], figure)


def highest_bars(plan: dict[str, Any]) -> dict[tuple[str, str], int]:
    last = plan["stages"][-1]
    return {(leaf["zone"], leaf["source"]): leaf["enter_m"] for leaf in last["leaves"] if leaf["kind"] == "people"}


def test_sites_that_act_on_each_other_are_one_group() -> None:
    assert {loaded(folder).site["group"] for folder in ("bund", "nanjing-road")} == {"huangpu-riverfront"}
    assert loaded("yuyuan").site["group"] == "yuyuan"


def test_the_plan_in_force_at_yuyuan_is_the_districts_and_2018_is_an_alternative() -> None:
    in_force = {site.stem: plans[0].parent.name for site, plans in find(ROOT) if plans}
    assert in_force["yuyuan"] == "yuyuan"
    assert [plans[0].parent.name for _, plans in alternatives(ROOT)] == ["yuyuan-2018"]


def test_only_the_last_step_of_2018_is_a_persons_and_stays_undone_without_a_yes() -> None:
    rises = {stage["stage"]: stage["confirm"]["rise"] for stage in plans("yuyuan-2018")[0]["stages"]}
    asked = {stage: rise for stage, rise in rises.items() if rise["by"] is not None}
    assert asked == {"exit_only": {"by": "officer_in_charge", "within_us": 120_000_000, "otherwise": "keep"}}


def test_a_light_phase_at_nanjing_road_lets_about_two_thousand_cross() -> None:
    gate = next(g for g in loaded("bund").site["gates"] if g["gate"] == "nanjing-crossing")
    per_min = gate["lanes"] * gate["lane_per_min"]
    assert 0.98 * 2000 <= per_min * 170 / 60 <= 1.02 * 2000
    assert 40_000 <= per_min * 60 <= 43_000


def test_the_example_area_holds_what_its_area_says() -> None:
    park = next(z for z in loaded("capacity-80-100").site["zones"] if z["zone"] == "park")
    assert park["capacity"] == park["area_m2"] / 2


def test_tests_of_plans_stand_beside_a_plan() -> None:
    assert {file.parent.name for file in (ROOT / "rules").glob("*/*.test.yaml")} <= set(FOLDERS)
    assert all(list(Path(ROOT / "rules" / folder).glob("*.test.yaml")) for folder in FOLDERS)
