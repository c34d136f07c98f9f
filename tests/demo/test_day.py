"""The demonstration as a whole: the day tells the story that the README tells, through the real pipeline, and leaves other people's files alone."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import flowwatch
from flowwatch.cli.exits import CommandError
from flowwatch.core.entries import EntryKind
from flowwatch.core.readings import SECOND, Reason
from flowwatch.demo import DemoFailed, prepared
from flowwatch.demo.day import Day
from flowwatch.demo.summary import hints, summary
from flowwatch.documents import shipped
from flowwatch.replay import replay
from flowwatch_sim.gatehouse.memory import MemoryFile
from flowwatch_sim.laboratory import Laboratory

SILENT = (150, 175)
"""From and until which minute the demo's turnstile is silent, as the scenario says."""
COUNTED = 180
"""The minute in which people are counted by hand after that."""
RUSH = """
scenario: rush
title: {zh: 客流骤增, en: A rush}
site: yuyuan
starts: 2026-10-01 17:00
lasts: 30m
streams: [{stream: visitors, people: 5000, template: even, stay: 60m, visits: [{zone: bridge, share: 0.5, stay: 4m}]}]
operators: {carry_out: 60s, answer: 1m, decline: 0.5, round: 10m}
faults: [{counter: any, wrong: disorder, at: 5m, lasts: 10m}, {counter: turnstile-4, wrong: reset, at: 12m}]
gates: [{gate: gate-4, does: refuses, at: 0s, lasts: 20m}]
actions: [{at: 20m, case: {case: sudden-rain, until: 25m}}]
"""


def equals_its_laboratory(day: Day, seed: int) -> bool:
    """Whether the journal has the stages and commands that the laboratory's own engine and gates give on this day, at the same moments."""
    (lived,), start = Laboratory(day.planned, [seed]).run(), day.planned.start_us
    told = {kind: [(e.at, json.loads(e.body)) for e in day.entries if e.kind is kind] for kind in (EntryKind.TRANSITION, EntryKind.COMMAND)}
    stages = [(at, body["plan"], body["to"]) for at, body in told[EntryKind.TRANSITION]]
    commands = [(at, body["gate"], body["setting"]) for at, body in told[EntryKind.COMMAND]]
    there = [[(start + round(at * SECOND), *what) for at, *what in those] for those in (lived.stages, lived.commands)]
    return [stages, commands] == there and len(stages) > 1 and len(commands) > 8


def _last_commands(day: Day) -> dict[str, tuple[str, int]]:
    bodies = [json.loads(e.body) for e in day.entries if e.kind is EntryKind.COMMAND]
    return {body["gate"]: (body["setting"], body["revision"]) for body in bodies}


@pytest.mark.slow
def test_the_day_shows_every_stage_a_silence_a_recount_and_what_was_refused_and_replays_identically(tmp_path: Path) -> None:
    day = prepared(tmp_path / "demo", None, 1, "en")
    bands: dict[int, tuple[int, int]] = {}
    for minute in day.minutes():
        bands[minute] = (day.view.lower, day.view.upper)
        if SILENT[0] + 2 <= minute < SILENT[1]:
            assert day.view.silent
        if day.view.level == "I":
            assert set(day.view.modes.values()) == {"out"}

    wave = ["three_in_five_out", "normal"]
    assert [stage for _, stage in day.stages] == ["normal", *wave, "three_in_five_out", "exit_only", *wave]
    assert equals_its_laboratory(day, 1)
    assert day.refused == {Reason.DUPLICATE: 3, Reason.FAR_FUTURE: 1}
    assert day.covered >= 0.85 * day.view.minutes

    def width(minute: int) -> int:
        return bands[minute][1] - bands[minute][0]

    assert width(SILENT[1] - 1) > 3 * width(SILENT[0] - 1)
    assert width(COUNTED + 2) < width(COUNTED - 2) / 2

    assert "explain" in hints(day)[0]
    assert hints(day)[0].endswith(" yuyuan-i7")
    assert all("_" not in line for line in summary(day, 50)[:3])
    spans = list(replay(day.workspace.log, day.workspace.journal))
    assert spans
    assert all(span.identical for span in spans)


def test_any_scenario_of_one_site_can_be_shown_and_the_pipeline_decides_as_its_laboratory_did(tmp_path: Path) -> None:
    scenario = tmp_path / "rush.yaml"
    scenario.write_text(RUSH, encoding="utf-8")
    day = prepared(tmp_path / "demo", None, 4, "zh", scenario)
    assert len(list(day.minutes())) == 30
    assert equals_its_laboratory(day, 4)
    said = [json.loads(e.body)["record"] for e in day.entries if e.kind is EntryKind.ACTION]
    assert {record["by"] for record in said} <= {"巡查民警", "值班指挥长"}
    for gate, (setting, revision) in _last_commands(day).items():
        kept = MemoryFile(day.workspace.root / "gates" / "yuyuan" / f"gate-{gate}.json").read()
        assert kept is not None
        assert (kept.setting, kept.revision) == (setting, 2 * revision)


@pytest.mark.parametrize(
    ("scenario", "error", "told"),
    [
        ("nanjing-road-and-bund", CommandError, "expected one of a single site"),
        ("lantern-festivl", CommandError, 'did you mean "lantern-festival"'),
    ],
)
def test_a_day_that_cannot_be_shown_is_refused_and_the_folder_left_as_it_is(
    tmp_path: Path, scenario: str, error: type[Exception], told: str
) -> None:
    folder = tmp_path / "demo"
    with pytest.raises(error, match=told):
        prepared(folder, None, 1, "en", Path(scenario))
    assert not folder.exists()


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "thesis.txt"
    kept.write_text("years of work")
    with pytest.raises(DemoFailed, match="no demonstration"):
        prepared(tmp_path, None, 1, "en")
    assert kept.read_text() == "years of work"


def test_a_folder_with_an_earlier_demonstration_is_filled_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    prepared(folder, None, 1, "en")
    (folder / "journal.db").write_text("the last one")
    prepared(folder, None, 1, "en")
    assert not (folder / "journal.db").exists()


def test_documents_without_a_plan_are_refused_before_anything_is_removed(tmp_path: Path) -> None:
    site = tmp_path / "documents" / "config" / "sites" / "yuyuan.yaml"
    site.parent.mkdir(parents=True)
    site.write_bytes((shipped() / "config" / "sites" / "yuyuan.yaml").read_bytes())
    scenario = tmp_path / "rush.yaml"
    scenario.write_text("\n".join(line for line in RUSH.splitlines() if not line.startswith("actions")), encoding="utf-8")
    folder = tmp_path / "demo"
    prepared(folder, None, 1, "en")
    (folder / "journal.db").write_text("the last one")
    with pytest.raises(DemoFailed, match="yuyuan has no plan"):
        prepared(folder, tmp_path / "documents", 1, "en", scenario)
    assert (folder / "journal.db").exists()


def test_only_the_demo_imports_the_simulator_and_only_its_command_imports_the_demo() -> None:
    root = Path(flowwatch.__file__).parent
    importers: dict[str, set[str]] = {"flowwatch_sim": set(), "flowwatch.demo": set()}
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            )
            for package, found in importers.items():
                if any(f"{name}.".startswith(f"{package}.") for name in names):
                    found.add(file.relative_to(root).as_posix())
    assert all(name.startswith("demo/") for name in importers["flowwatch_sim"])
    assert {name for name in importers["flowwatch.demo"] if not name.startswith("demo/")} == {"cli/running.py"}
