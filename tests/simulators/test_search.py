"""A search asks only for what it may, confirms the best, remembers what it did, and calls nothing better that is not shown to be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flowwatch.documents import Source
from flowwatch_sim import findings, runs
from flowwatch_sim import search as searching
from flowwatch_sim.cli.main import main
from flowwatch_sim.grid import Grid, read_grid, read_span
from flowwatch_sim.proposals import NoSearchError, Proposals
from flowwatch_sim.runs import Result, Setup
from flowwatch_sim.search import Aim, Candidate, Confirmed, Minimise, Search
from flowwatch_sim.tryout import Tryout, try_out
from flowwatch_sim.variants import BadBarsError, Moved
from tests.simulators.made import SCENARIO, days, setup

SEEDS = range(1, 60)
GRID = "three_in_five_out=1200:1800:300"
LIMIT = 2000
SHORT = SCENARIO.replace("lasts: 2h", "lasts: 10m").replace("people: 5200", "people: 600").encode()


def peak_of(setup: Setup) -> float:
    """Made up: the mall fills to 300 over the bar, and waiting falls with it."""
    return dict(setup.moved).get("three_in_five_out", 1500) + 300.0


def tried(plans: Sequence[Any], *_: Any) -> list[Tryout]:
    peaks = [plan.loaded.site["plans"][0]["stages"][1]["leaves"][0]["enter_m"] / 1000 + 200.0 for plan in plans]
    return [Tryout((9000 - peak,), (5000 - peak,), {"mall": (peak,), "bridge": (0.0,)}) for peak in peaks]


def lived(setups: Sequence[Setup], seeds: Sequence[int], *_: Any) -> list[Result]:
    found = []
    for one in setups:
        peaks = [peak_of(one) - seed % 7 for seed in seeds]
        more = {"queue_time": [9000 - peak_of(one) + seed % 5 for seed in seeds], "turned_away": [5000 - peak for peak in peaks]}
        found += days(one.name, peaks, more)
    return found


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days whose truth is known, in no time."""
    monkeypatch.setattr(searching, "try_out", tried)
    monkeypatch.setattr(runs, "run", lived)


def job(folder: Path, limit: int = LIMIT, grid: str = GRID) -> Search:
    return Search(setup(None), read_grid([grid]), Aim(Minimise.WAITED, {"mall": limit}), SEEDS, folder)


def found(of: Search, most: int = 100) -> tuple[list[Candidate], list[Confirmed]]:
    of.screen(of.live(), Proposals(of.grid, most, 1))
    chosen = of.best()
    return chosen, of.confirmed(chosen, of.live(chosen))


def test_a_span_has_its_ends_and_steps_of_fifty_where_nobody_says() -> None:
    assert list(read_span("a=100:200").bars) == [100, 150, 200]
    assert list(read_span("a=100:199:50").bars) == [100, 150]


@pytest.mark.parametrize("text", ["a", "a=1", "a=2:1:1", "a=1:2:0", "a=0:2:1", "=1:2:1", "a=1:x:1", "a=1:2:3:4"])
def test_a_span_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadBarsError, match="expected a stage with people from, to and step"):
        read_span(text)


def test_a_stage_that_is_named_twice_is_refused() -> None:
    with pytest.raises(BadBarsError, match='found "a" twice'):
        read_grid(["a=1:2:1", "a=3:4:1"])


def test_few_combinations_are_all_proposed_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    grid = read_grid(["a=1:3:1", "b=1:4:1"])
    proposals, asked = Proposals(grid, 12, 1), []
    while some := proposals.ask():
        asked += some
    assert asked == list(grid)


def test_without_optuna_the_line_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NoSearchError, match=r"pip install flowwatch-crowd\[search\]"):
        Proposals(read_grid(["a=1:100:1"]), 10, 1)
    told = CliRunner().invoke(main, ["search", "national-day", "--bar", "three_in_five_out=1000:1900:10"])
    assert told.exit_code == 2
    assert "pip install flowwatch-crowd[search]" in told.stderr


def asked(grid: Grid, seed: int, most: int = 40) -> list[Moved]:
    """All that is proposed where the cost is least at 70 and 30, and 60 and more is not allowed."""
    proposals, all_of = Proposals(grid, most, seed), list[Moved]()
    while some := proposals.ask():
        all_of += some
        for bars in some:
            a, b = (people for _, people in bars)
            proposals.learn(bars, float((a - 70) ** 2 + (b - 30) ** 2), (a - 60) / 60)
    return all_of


def test_proposals_are_new_each_time_and_come_nearer_to_the_best_that_is_allowed() -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: flowwatch-crowd[search]")
    grid = read_grid(["a=1:100:1", "b=1:100:1"])
    proposed = asked(grid, 3)
    assert len(set(proposed)) == len(proposed) == 40
    assert asked(grid, 3) == proposed
    cost = [(a - 70) ** 2 + (b - 30) ** 2 if a <= 60 else 1e9 for (_, a), (_, b) in proposed]
    assert min(cost[16:]) < min(cost[:8])


def test_fewer_than_fifty_nine_days_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least 59"):
        Search(setup(None), read_grid([GRID]), Aim(Minimise.WAITED, {"mall": 1}), range(58), tmp_path)


def test_a_stage_that_is_not_there_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    with pytest.raises(BadBarsError, match='did you mean "exit_only"'):
        job(tmp_path, grid="exit_onyl=2000:2100")


@pytest.mark.usefixtures("made_up")
def test_the_cheapest_bars_that_keep_the_limit_come_first_and_those_in_force_never(tmp_path: Path) -> None:
    of = job(tmp_path, grid="three_in_five_out=1300:1900:100")
    chosen, confirmed = found(of)
    assert [c.bars[0][1] for c in chosen] == [1700, 1600, 1400]
    assert [one.holds for one in confirmed] == [True, True, True, True]
    assert [one.better for one in confirmed] == [False, True, True, False]
    (sentence,) = findings.conclusion(of, confirmed, "en")
    assert sentence.startswith(
        "three_in_five_out=1700 is shown better than the bars in force: 200 fewer people-minutes waited outside a day"
    )


@pytest.mark.usefixtures("made_up")
def test_what_the_safety_analysis_refuses_is_never_run(tmp_path: Path) -> None:
    of = job(tmp_path, grid="three_in_five_out=1400:3200:600")
    chosen, _ = found(of)
    refused = {c.bars[0][1]: c for c in of.candidates if c.refused}
    assert set(refused) == {3200}
    assert refused[3200].cost is None
    assert 3200 not in {c.bars[0][1] for c in chosen}


@pytest.mark.usefixtures("made_up")
def test_where_nothing_is_shown_better_that_is_said(tmp_path: Path) -> None:
    of = job(tmp_path, limit=1800, grid="three_in_five_out=1200:1400:100")
    _, confirmed = found(of)
    (sentence,) = findings.conclusion(of, confirmed, "en")
    assert sentence == "None of the 3 candidates confirmed is shown better than the bars in force on 59 days."
    (chinese,) = findings.conclusion(of, confirmed, "zh")
    assert "没有一组被证明优于现行阈值" in chinese


@pytest.mark.usefixtures("made_up")
def test_where_only_dearer_bars_keep_the_limit_their_price_is_told(tmp_path: Path) -> None:
    of = job(tmp_path, limit=1700, grid="three_in_five_out=1300:1400:100")
    _, confirmed = found(of)
    broken, kept = findings.conclusion(of, confirmed, "en")
    assert "mall may hold 1,700; 95 % of days stay at or below 1,800 with 95 % confidence, and 59 of 59 are above" in broken
    assert kept.startswith("three_in_five_out=1400 keeps it, at 7,302 people-minutes")


@pytest.mark.usefixtures("made_up")
def test_intervals_hold_for_all_candidates_together(tmp_path: Path) -> None:
    of = job(tmp_path)
    of.screen(of.live(), Proposals(of.grid, 9, 1))
    noisy = replace(of.candidates[0], bars=(("three_in_five_out", 1200),))
    results = days("a", range(59), {"queue_time": range(59)}) + days("b", range(59), {"queue_time": [s * 2 % 59 for s in range(59)]}) * 3
    one = of.confirmed([noisy], results)[1].difference
    three = of.confirmed([noisy] * 3, results)[1].difference
    assert one is not None
    assert three is not None
    assert three.low < one.low < one.high < three.high


@pytest.mark.usefixtures("made_up")
def test_the_tables_are_the_same_bytes_when_the_search_goes_on(tmp_path: Path) -> None:
    def written() -> dict[str, bytes]:
        of = job(tmp_path)
        chosen, confirmed = found(of)
        findings.write(tmp_path, of, chosen, of.live(chosen), confirmed)
        return {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    first = written()
    assert {"candidates.csv", "candidates.parquet", "days.parquet", "manifest.json"} <= set(first)
    assert first["candidates.csv"].decode().splitlines()[0].startswith('"bars","bar/three_in_five_out","refused","screened"')
    screened = list((tmp_path / "parts").glob("screened-*.json"))
    assert screened
    for file in screened[:1]:
        file.unlink()
    assert written() == first


def short(*moved: int) -> list[Any]:
    base = replace(setup(None), text=Source("short.yaml", SHORT))
    return [replace(base, moved=(("three_in_five_out", people),)).planned() for people in moved]


def test_plans_are_tried_on_the_same_days_and_a_lower_bar_keeps_more_people_out() -> None:
    low, high = try_out(short(20, 1500), days=2, seed=4)
    assert low.mean("peak/mall") < high.mean("peak/mall")
    assert low.mean("queue_time") > high.mean("queue_time") >= 0
    assert len(low.peaks["mall"]) == 2


def test_a_plan_is_tried_alone_as_among_others() -> None:
    (alone,) = try_out(short(20), days=2, seed=4)
    among = try_out(short(1500, 20), days=2, seed=4)[1]
    assert alone.peaks["mall"] == pytest.approx(among.peaks["mall"], abs=0.01)


@pytest.mark.parametrize(
    ("limit", "told"),
    [("mal=3300", 'did you mean "mall"'), ("mall", "expected people such as mall=3000"), (None, "so say what must hold")],
)
def test_a_limit_that_means_nothing_is_refused_with_the_near_miss(tmp_path: Path, limit: str | None, told: str) -> None:
    file = tmp_path / "short.yaml"
    file.write_bytes(SHORT)
    result = CliRunner().invoke(main, ["search", str(file), "--bar", GRID, *(("--most", limit) if limit else ())])
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.slow
def test_a_search_ends_with_a_table_a_sentence_and_the_command_for_the_page(tmp_path: Path) -> None:
    file, out = tmp_path / "short.yaml", tmp_path / "out"
    file.write_bytes(SHORT)
    words = [
        "search",
        str(file),
        "--bar",
        "three_in_five_out=200:400:100",
        "--most",
        "mall=700",
        "--confirm",
        "1",
        "--runs",
        "59",
        "--processes",
        "1",
    ]
    first = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[0].startswith("3 candidates screened, 0 refused by the safety analysis, 1 confirmed on 59 days")
    assert lines[2].startswith("in force")
    assert lines[-1] == f"the whole comparison: flowwatch-sim report {out}"
    kept = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    again = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert again.stdout == first.stdout
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == kept
