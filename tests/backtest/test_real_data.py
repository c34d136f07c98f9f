"""The hall of Grand Central with two plans, held against plain reckonings of the same film; the streets of Amsterdam against their columns."""

from __future__ import annotations

import json
from bisect import bisect_left
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest

from flowwatch.adapters.draft import draft_site
from flowwatch.adapters.ingest import Source, ingest, time_of
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import load_import
from flowwatch.backtest import LOG, Answer, Archive, Options, Result, backtest
from flowwatch.backtest.contenders import contender, loaded_plan
from flowwatch.backtest.picture import draw
from flowwatch.core.entries import EntryKind
from flowwatch.documents import load, shipped
from flowwatch.log import Writer, create
from tests.backtest.made import HALL_BEGINS, SECOND, hall_documents, hall_log
from tests.backtest.test_same_as_journal import journal_of

pytestmark = pytest.mark.slow

PASSAGES: Final = "grand_central/gate_events.csv.gz"
MINUTE: Final = 60 * SECOND


@pytest.fixture(scope="module")
def hall(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the hall's documents, and its log in the working folder "data"."""
    root = tmp_path_factory.mktemp("hall")
    hall_documents(root, data_dir / PASSAGES)
    hall_log(root, data_dir / PASSAGES)
    return root


def tried(root: Path, *names: str, options: Options | None = None) -> Result:
    archive = Archive(root / "data")
    plans = [contender(name, None if name == LOG else loaded_plan(name, root), archive) for name in names]
    return backtest(archive, plans, options or Options())


def test_the_plan_of_the_log_decides_what_its_engine_decided(hall: Path) -> None:
    (outcome,) = tried(hall, LOG, options=Options(answer=Answer.NONE)).outcomes
    entries = journal_of(hall / "data" / "log", "p00")
    bodies = [json.loads(e.body) | {"at": e.at} for e in entries if e.kind is EntryKind.TRANSITION]
    assert outcome["stages"]["hall"] == [[b["at"], b["to"]] for b in bodies]
    assert len(bodies) > 6


def test_people_in_at_shut_gates_are_those_of_the_film_between_the_commands(hall: Path, data_dir: Path) -> None:
    """Each passage of the film is looked up in the commands that an engine gave for the same log; a passage counts at the next full second."""
    (outcome,) = tried(hall, LOG, options=Options(answer=Answer.NONE)).outcomes
    commands: dict[str, list[tuple[int, bool]]] = {}
    for entry in journal_of(hall / "data" / "log", "p00"):
        if entry.kind is EntryKind.COMMAND:
            body = json.loads(entry.body)
            commands.setdefault(body["gate"], []).append((entry.at, not body["may_enter"]))
    film = pd.read_csv(data_dir / PASSAGES)
    film = film[film["dir"] == "in"]
    came: dict[str, int] = dict.fromkeys(commands, 0)
    for gate, t in zip(film["gate"], film["t_s"], strict=True):
        tick = HALL_BEGINS + -(-round(t * 1000) // 1000) * SECOND
        given = commands[gate]
        came[gate] += given[bisect_left([at for at, _ in given], tick) - 1][1]
    assert {gate: told["came_in_while_shut"] for gate, told in outcome["gates"].items()} == came
    assert sum(came.values()) > 100
    ends = outcome_end(hall)
    minutes = {
        gate: sum((e - s) * shut for (s, shut), (e, _) in zip(g, [*g[1:], (ends, False)], strict=True)) for gate, g in commands.items()
    }
    assert {gate: told["shut_min"] for gate, told in outcome["gates"].items()} == pytest.approx(
        {gate: us / MINUTE for gate, us in minutes.items()}, abs=0.001
    )


def outcome_end(root: Path) -> int:
    """The last tick."""
    last = 0
    for step in Archive(root / "data").steps(lambda _: None):
        last = step.tick
    return last


def test_the_peak_is_that_of_the_film_and_the_same_under_both_plans(hall: Path, data_dir: Path) -> None:
    result = tried(hall, "grand-central", "early")
    film = pd.read_csv(data_dir / PASSAGES)
    second = -(-(film["t_s"] * 1000).round() // 1000)
    inside = film["dir"].map({"in": 1, "out": -1}).groupby(second).sum().cumsum()
    peaks = [outcome["peaks"]["site"] for outcome in result.outcomes]
    assert peaks[0] == peaks[1]
    highest = int(inside.index.to_numpy()[inside.to_numpy().argmax()])
    assert (peaks[0]["inside_m"], peaks[0]["at_us"]) == (1000 * inside.max(), HALL_BEGINS + highest * SECOND)


def test_both_plans_in_one_pass_come_to_what_each_comes_to_alone(hall: Path) -> None:
    together = tried(hall, "grand-central", "early").outcomes
    assert together == [tried(hall, name).outcomes[0] for name in ("grand-central", "early")]
    assert together[0]["came_in_while_shut"] != together[1]["came_in_while_shut"]


def test_people_in_at_the_gates_of_a_site_without_a_plan_are_the_sums_of_the_columns(data_dir: Path, tmp_path: Path) -> None:
    """Four days of Amsterdam's streets; the first column of a counter is in, its second out."""
    file = data_dir / "sail2025" / "sensordata.csv"
    document = load_import(shipped() / "config" / "imports" / "sail.yaml")
    sources = [Source(partial(opened, file), document)]
    (tmp_path / "sail.yaml").write_text(draft_site(document, sources), encoding="utf-8")
    create(tmp_path / "log", clock="event", tick_us=3 * MINUTE, partitions=1)
    with Writer.open(tmp_path / "log") as writer:
        writer.append_document(load(tmp_path / "sail.yaml").payload, 0)
        ingest(sources, writer, time_of(writer, document))
    archive = Archive(tmp_path)
    (outcome,) = backtest(archive, [contender(LOG, None, archive)], Options()).outcomes
    table = pd.read_csv(file)
    columns = [c for c in table.columns if c[0].isupper()]
    first = {c.rsplit("_", 1)[0]: c for c in reversed(columns)}
    assert {gate: told["came_in"] for gate, told in outcome["gates"].items()} == {name: int(table[c].sum()) for name, c in first.items()}
    assert (outcome["plan"], outcome["stages"], outcome["came_in_while_shut"]) == (None, {}, 0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_same_backtest_gives_the_same_picture(hall: Path, tmp_path: Path, language: Any) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pictures need flowwatch-crowd[plots]")
    for name in ("a", "b"):
        draw(tried(hall, "grand-central", "early"), tmp_path / f"{name}.png", language)
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert picture == (tmp_path / "b.png").read_bytes()
    assert len(picture) > 50_000
