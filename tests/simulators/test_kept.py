"""A folder of results is told again without running anything, or refused with what is wrong with it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowwatch.documents import Source, shipped
from flowwatch_sim import report, runs
from flowwatch_sim.cli.main import main
from flowwatch_sim.kept import KeptError, read, shown_name
from flowwatch_sim.runs import Setup
from flowwatch_sim.shelf import folder as shipped_scenarios
from tests.simulators.made import setup, whole_days

SEEDS = range(1, 5)


def told(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stderr


def written(folder: Path, *setups: Setup) -> Path:
    results = [day for one in setups for day in whole_days(one.name, SEEDS, lower=90.0 * len(one.moved))]
    runs.write(folder, setups, list(SEEDS), results)
    return folder


def moved(*bars: int) -> Setup:
    return replace(setup(None), moved=(("three_in_five_out", bars[0]), *((("exit_only", bars[1]),) if len(bars) > 1 else ())))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    setups, results = read(written(tmp_path, setup(None), moved(1200, 2600), setup(None)), shipped())
    assert [(s.name, s.plan, s.sight) for s in setups] == [(n, None, "perfect") for n in ("in-force", "in-force 1200/2600", "in-force")]
    expected = [
        day
        for name, lower in (("in-force", 0.0), ("in-force 1200/2600", 180.0), ("in-force", 0.0))
        for day in whole_days(name, SEEDS, lower)
    ]
    assert results == expected


def test_a_page_of_a_folder_is_the_page_of_its_days(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: charts need flowwatch-crowd[plots]")
    text = Source(str(shipped_scenarios() / "drill.yaml"), (shipped_scenarios() / "drill.yaml").read_bytes())
    setups = [replace(setup(None), text=text), replace(moved(1200), text=text)]
    written(tmp_path, *setups)
    assert f"report: {tmp_path / 'report.html'}" in told("report", tmp_path, "--lang", "zh")
    results = [*whole_days("in-force", SEEDS), *whole_days("in-force 1200", SEEDS, 90.0)]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.page(setups, results, "zh")


def test_a_scenario_of_ones_own_is_named_by_the_folder_that_keeps_it(tmp_path: Path) -> None:
    (own, *_), _ = read(written(tmp_path, setup(None)), shipped())
    assert shown_name(own.text) == str(tmp_path / "scenario.yaml")


def test_more_setups_than_a_page_holds_are_chosen_by_name(tmp_path: Path) -> None:
    written(tmp_path, setup(None), *(moved(people) for people in (1100, 1200, 1300, 1400)))
    assert "choose with --setup, one of in-force, in-force 1100" in told("report", tmp_path, code=2)
    assert 'did you mean "in-force 1400"' in told("report", tmp_path, "--setup", "in-force 1440", code=2)
    told("report", tmp_path, "--setup", "in-force 1300", "--setup", "in-force 1100", "--to", tmp_path / "two.html", "--lang", "en")
    assert "compared with A (1,300/3,000)" in (tmp_path / "two.html").read_text(encoding="utf-8")


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeptError, match="expected a folder that --out wrote"):
        read(tmp_path, shipped())


def test_days_of_other_documents_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "out", setup(None))
    for name in ("rules/yuyuan", "config/sites"):
        shutil.copytree(shipped() / name, tmp_path / name)
    plan = tmp_path / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("3000", "2900"), encoding="utf-8")
    with pytest.raises(KeptError, match=r"found documents of version \w+ for in-force under .*, expected"):
        read(tmp_path / "out", tmp_path)
