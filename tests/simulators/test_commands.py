"""`flowwatch-sim` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowwatch.documents import shipped
from flowwatch.documents.load import source
from flowwatch_sim.cli.main import main
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.shelf import folder, names
from tests.simulators.test_laboratory import RUSH, SHORT


def run(*arguments: str | Path | int, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.fixture
def rush(tmp_path: Path) -> Path:
    file = tmp_path / "rush.yaml"
    file.write_text(RUSH, encoding="utf-8")
    return file


@pytest.fixture
def short(tmp_path: Path) -> Path:
    file = tmp_path / "short.yaml"
    file.write_text(SHORT, encoding="utf-8")
    return file


def test_a_run_sums_up_its_days_and_writes_tables_once(short: Path, tmp_path: Path) -> None:
    out, _ = run("run", short, "--runs", 2, "--processes", 1, "--out", tmp_path / "out")
    assert "most people in mall" in out
    files = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir() if file.is_file()}
    assert set(files) == {"manifest.json", "scenario.yaml", "days.parquet", "curves.parquet"}
    again, told = run("run", short, "--runs", 2, "--processes", 1, "--out", tmp_path / "out")
    assert again == out
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir() if file.is_file()} == files
    assert "2 days of 2" in told or not told


def test_an_expectation_that_is_not_met_is_named_with_the_day_to_run_again(rush: Path) -> None:
    rush.write_text(RUSH + "expect: {most: {mall: 900}}\n", encoding="utf-8")
    _, told = run("run", rush, "--runs", 1, "--seed", 7, "--processes", 1, code=1)
    assert "seed 7: most.mall: expected at most 900, found " in told
    assert f"flowwatch-sim run {rush} --seed 7 --runs 1" in told


def test_faults_of_a_scenario_come_all_at_once_with_places(rush: Path) -> None:
    rush.write_text(RUSH.replace("lasts: 90m", "lasts: 90 min") + "gates: [{gate: gate-11, does: jams, at: 0s}]\n", encoding="utf-8")
    _, told = run("run", rush, code=3)
    assert 'rush.yaml:6:8: lasts: found "90 min"' in told
    assert 'did you mean "90m"?' in told


def test_a_name_of_no_scenario_is_told_with_the_near_miss() -> None:
    _, told = run("run", "natinal-day", code=2)
    assert 'did you mean "national-day"?' in told


def test_every_shipped_scenario_reads() -> None:
    assert len(names()) >= 12
    for name in names():
        assert read_scenario(source(folder() / f"{name}.yaml"), shipped()).scenario.scenario == name


def test_emit_writes_the_reading_format_with_the_truth_beside_it(tmp_path: Path) -> None:
    lines, truth = tmp_path / "readings.ndjson", tmp_path / "truth.ndjson"
    _, told = run("emit", "drill", "--out", lines, "--truth", truth, "--sites", 2)
    sent = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert {str(line["counter"]).split("/")[0] for line in sent} == {"yuyuan-00000", "yuyuan-00001"}
    assert f"{len(sent):,} readings in " in told
    assert {json.loads(line)["site"] for line in truth.read_text(encoding="utf-8").splitlines()} == {"yuyuan-00000", "yuyuan-00001"}


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_a_shipped_scenario_meets_what_it_expects(name: str) -> None:
    run("run", name, "--runs", 1, "--processes", 1)


def test_a_plan_held_against_itself_is_no_different(short: Path) -> None:
    out, _ = run("compare", short, "--bars", "three_in_five_out=1500", "--runs", 2, "--processes", 1)
    verdicts = {line.split("  ")[-1].strip() for line in out.splitlines()[2:]}
    assert verdicts == {"no difference shown"}


def test_a_sweep_names_what_it_leaves_out(short: Path) -> None:
    out, told = run("sweep", short, "--bar", "exit_only=1400:2800:1400", "--runs", 2, "--processes", 1)
    assert "in-force 2800 against in-force, 2 days of each" in out
    assert "left out: 1400: " in told


def test_a_comparison_is_told_as_a_page(short: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("compare", short, "--sensing", "perfect", "--sensing", "real", "--runs", 2, "--processes", 1, "--report", page, "--lang", "en")
    assert "<svg" in page.read_text(encoding="utf-8")


def test_a_day_is_drawn_as_a_moving_map(short: Path, tmp_path: Path) -> None:
    run("animate", short, "--out", tmp_path / "day.gif")
    assert (tmp_path / "day.gif").read_bytes().startswith(b"GIF89a")
