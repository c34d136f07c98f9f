"""Careful plans: no fault, no warning, and the figures that a planner would work out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowwatch.safety import Code, analyse, render
from tests.safety.good import GOOD, with_forecast, yuyuan
from tests.safety.made import Record, site


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_a_careful_plan_has_no_fault_and_no_warning(make: Callable[[], Record]) -> None:
    report = analyse(make())
    assert [f.en for f in report.faults] == []
    assert [f.en for f in report.warnings if f.code is not Code.EGRESS_FALLS_TOGETHER] == []
    assert report.coverage.complete


def test_capacity_out_is_what_the_site_file_says_by_hand() -> None:
    report = analyse(yuyuan())
    main = {c.stage: c for c in report.capacities if c.plan == "yuyuan"}
    assert [(c.egress_per_min, c.minutes_to_clear) for c in main.values()] == [(425, 7.1), (550, 5.5), (850, 3.5)]
    assert main["three_in_five_out"].ingress_per_min == 100 + 40 + 100
    assert report.people == 3000
    assert report.coverage.situations == 3 * 3 * 4 * 4
    assert {f.gate: f.left_per_min["normal"] for f in report.failures}["gate-1"] == 350


def test_a_single_exit_that_somebody_accepts_is_told_with_reason_and_name() -> None:
    notes = [f for f in analyse(GOOD["two_zones"]()).notes if f.code is Code.SINGLE_EXIT_ACCEPTED]
    assert [f.en for f in notes] == ['zone "hall" has a single way out ("hall-door"), accepted by Li: one door by construction']
    assert "由Li接受" in notes[0].zh


def test_what_is_not_evaluated_yet_is_told() -> None:
    assert [f.code for f in analyse(with_forecast()).notes] == [Code.NOT_EVALUATED_YET]


def test_a_site_without_a_plan_has_nothing_to_analyse() -> None:
    report = analyse(site())
    assert [f.code for f in report.findings] == [Code.NO_PLAN]
    assert report.coverage.situations == 0
    assert render(report, "en").startswith("yu: static safety analysis, 0 faults")


def test_the_report_prints_the_capacity_of_each_stage_in_columns() -> None:
    lines = render(analyse(yuyuan()), "en").splitlines()
    rows = [line.split() for line in lines if line.startswith("  yuyuan")]
    assert rows[1] == ["yuyuan", "three_in_five_out", "240", "550", "5.5", "550"]
    zh = [line for line in render(analyse(yuyuan()), "zh").splitlines() if line.startswith(("  yuyuan", "  方案"))]
    assert len(zh) == 4


def test_a_gate_whose_failure_leaves_less_than_the_site_asks_is_marked() -> None:
    record = yuyuan() | {"egress_min_per_min": 360}
    rows = [line.split() for line in render(analyse(record), "en").splitlines() if line.startswith("  gate-")]
    assert [row[1:] for row in rows if row[0] in ("gate-1", "gate-2")] == [["350", "<", "360", "-"], ["375", "-"]]
    assert "<" not in render(analyse(yuyuan()), "en")
