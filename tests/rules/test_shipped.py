"""The plans that ship with flowwatch are without fault, prove safe, and pass their own tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flowwatch.cli.main import main
from flowwatch.documents import alternatives, find, load, shipped
from flowwatch.safety import analyse

PLANS = [(site, plans) for site, plans in [*find(shipped()), *alternatives(shipped())] if plans]


@pytest.mark.parametrize(("site_file", "plan_files"), PLANS, ids=[plans[0].parent.name for _, plans in PLANS])
def test_a_shipped_plan_compiles_and_its_analysis_finds_no_fault(site_file: Path, plan_files: list[Path]) -> None:
    report = analyse(load(site_file, plan_files).site)
    assert [found.en for found in report.faults] == []
    assert report.coverage.complete


def test_every_shipped_plan_has_tests_of_its_own_and_they_pass() -> None:
    assert all((plans[0].parent / "plan.test.yaml").is_file() for _, plans in PLANS)
    told = CliRunner().invoke(main, ["test", "--documents", str(shipped())])
    assert told.exit_code == 0, told.output
    assert "0 failed" in told.output
