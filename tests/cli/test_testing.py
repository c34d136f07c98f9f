"""`test`: which tests are played, what is told of them, and the exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.documents import shipped
from tests.cli.conftest import Invoke, objects

FAILING = """
tests:
  - name: what does not happen
    series: {mall.occupancy: 1600}
    expect: [{at: 1m, stage: normal}]
  - name: what happens
    series: {mall.occupancy: 1600}
    expect: [{at: 1m, stage: three_in_five_out}]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the shipped documents, with one test that passes and one that fails instead of those that are shipped."""
    for part in ("config", "rules"):
        shutil.copytree(shipped() / part, tmp_path / part)
    for file in (tmp_path / "rules").glob("*/*.test.yaml"):
        file.unlink()
    (tmp_path / "rules" / "yuyuan" / "plan.test.yaml").write_text(FAILING, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_the_shipped_plans_pass_their_tests(invoke: Invoke) -> None:
    assert invoke("test").stdout.endswith(" passed, 0 failed\n")
    assert invoke("test", "--site", "scenic-area", "--lang", "zh").stdout.endswith("未通过 0 项\n")


def test_a_failure_is_told_with_its_place_and_a_timeline(invoke: Invoke, root: Path) -> None:
    lines = invoke("test", "--documents", root, code=Exit.FINDINGS).stdout.splitlines()
    assert lines[0] == f"FAILED  {root}/rules/yuyuan/plan.test.yaml:3: what does not happen"
    assert [line for line in lines if line.startswith(">")][-1].endswith("line 5: stage: expected normal, found three_in_five_out")
    assert lines[-1] == "1 passed, 1 failed"


def test_programs_get_an_object_for_each_test_and_one_for_all(invoke: Invoke, root: Path) -> None:
    failed, passed, both = objects(invoke("test", "--documents", root, "--format", "json", code=Exit.FINDINGS))
    assert (failed["test"], failed["passed"], failed["line"]) == ("what does not happen", False, 3)
    assert failed["failures"] == [{"line": 5, "at": "1m", "key": "stage", "expected": "normal", "found": "three_in_five_out"}]
    assert failed["timeline"][-1]["figures"] == {"mall.occupancy": 1600.0}
    assert passed["passed"]
    assert both == {"passed": 1, "failed": 1}


def test_faults_of_all_test_files_come_at_once_and_nothing_is_played(invoke: Invoke, root: Path) -> None:
    folder = root / "rules" / "yuyuan"
    for name, text in (
        ("a", "tests: [{name: a, expect: [{at: 1m, stage: nomral}]}]"),
        ("b", "tests: [{name: b, series: {mall.occupancy: 1y}}]"),
    ):
        (folder / f"{name}.test.yaml").write_text(text, encoding="utf-8")
    faults = objects(invoke("test", "--documents", root, "--format", "json", code=Exit.DOCUMENTS))
    assert [Path(fault["file"]).name for fault in faults] == ["a.test.yaml", "b.test.yaml", "b.test.yaml"]
    lines = invoke("test", "--documents", root, code=Exit.DOCUMENTS).stdout.splitlines()
    assert lines == [f"{f['file']}:{f['line']}:{f['column']}: {f['path']}: {f['text']}" for f in faults]


def test_a_plan_with_faults_is_not_tested(invoke: Invoke, root: Path) -> None:
    plan = root / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    assert "no_such_key" in invoke("test", "--documents", root, code=Exit.DOCUMENTS).stdout


def test_files_test_the_plan_that_they_stand_beside_or_the_one_that_is_named(invoke: Invoke, root: Path, tmp_path: Path) -> None:
    beside = root / "rules" / "yuyuan" / "plan.test.yaml"
    invoke("test", "--documents", root, beside, code=Exit.FINDINGS)
    elsewhere = tmp_path / "other.test.yaml"
    elsewhere.write_text(FAILING, encoding="utf-8")
    assert "beside no plan" in invoke("test", "--documents", root, elsewhere, code=Exit.USAGE).stderr
    invoke("test", "--documents", root, "--plan", "yuyuan", elsewhere, code=Exit.FINDINGS)


def test_an_alternative_is_tested_by_name(invoke: Invoke, root: Path) -> None:
    shutil.copytree(root / "rules" / "yuyuan", root / "rules" / "yuyuan-strict")
    plan = root / "rules" / "yuyuan-strict" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("enter: 1500", "enter: 1601"), encoding="utf-8")
    (only,) = [
        o["test"]
        for o in objects(invoke("test", "--documents", root, "--plan", "yuyuan-strict", "--format", "json", code=1))[:-1]
        if o["passed"]
    ]
    assert only == "what does not happen"
    assert objects(invoke("test", "--documents", root, "--format", "json", code=1))[-1] == {"passed": 2, "failed": 2}


def test_names_that_there_are_not_and_folders_without_tests_are_told(invoke: Invoke, root: Path) -> None:
    assert 'did you mean "yuyuan"?' in invoke("test", "--documents", root, "--site", "yuyuann", code=Exit.USAGE).stderr
    assert 'did you mean "yuyuan"?' in invoke("test", "--documents", root, "--plan", "yuyun", code=Exit.USAGE).stderr
    (root / "rules" / "yuyuan" / "plan.test.yaml").unlink()
    assert "found no tests" in invoke("test", "--documents", root, "--plan", "yuyuan", code=Exit.USAGE).stderr
