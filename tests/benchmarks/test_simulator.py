"""What the simulator's benchmark compares is what it says: the same rush for all, answers that are known, and peers that may be missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import rushes, simulator
from benchmarks.crowds import Large
from benchmarks.peers import interpreter
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.people import Floats
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.stream import City, record


@pytest.mark.parametrize("rush", rushes.RUSHES, ids=lambda rush: rush.name)
@pytest.mark.parametrize("run", [rushes.in_fluid, rushes.by_persons])
def test_a_rush_comes_to_what_is_known_of_it(rush: rushes.Rush, run: object) -> None:
    assert callable(run)
    got = rushes.figures(run(rush))
    assert {name: got[name] for name in rush.expected} == pytest.approx(dict(rush.expected), rel=0.01)
    assert got["lost"] == pytest.approx(0.0, abs=1e-9)


def test_figures_come_from_the_curves_alone() -> None:
    times: Floats = np.arange(0.0, 101.0)
    came, passed = np.minimum(times, 50.0), np.minimum(times / 2, 50.0)
    got = rushes.figures({"times": times, "came": came, "passed": passed, "waiting": came - passed, "lost": 3.0})
    assert got["longest queue"] == 25.0
    assert got["longest wait, s"] == pytest.approx(49.5, abs=1.0)
    assert got["person-hours"] == pytest.approx(50 * 50 / 2 / 3600)
    assert got["lost"] == 3.0


@pytest.mark.parametrize("end", ["fluid", "persons"])
def test_people_get_across_the_grid(end: str) -> None:
    got = rushes.across(3, 600, 1200.0, end)
    assert got["came"] == pytest.approx(600, rel=0.2)
    assert 0.8 * got["came"] < got["arrived"] <= got["came"]
    assert got["links"] == 24


def test_a_peer_gets_the_rush_as_it_is_lived_through_here() -> None:
    (rush, _) = rushes.RUSHES
    told = rushes.job(rush, 10.0, None)
    assert sum(told["rates"]) * 10.0 == rush.come_per_s * rush.come_s


def test_a_peer_that_is_missing_is_left_out_and_said_so() -> None:
    for python in (None, Path(sys.executable)):
        peers = interpreter.at(python)
        assert peers.run("pednstream", {}) is None
        assert "left out" in peers.title("pednstream")
    asked = simulator.Asked(interpreter.at(None), 1, 0)
    assert "PedNStream, " not in simulator.answers(asked)
    assert "JuPedSim |" not in simulator.plaza(asked)


def test_the_large_day_is_a_scenario_like_any_other_and_its_plan_meters_it(tmp_path: Path) -> None:
    large = Large(people=2_000, zones=6, gates=3, hours=2)
    ready = read_scenario(large.scenario(), large.write(tmp_path))
    assert (len(ready.layout.zones), len(ready.layout.gates)) == (6, 3)
    assert len(City([record(ready, 1)], 2, 1)) > 1_000
    stages = [stage for _, _, stage in Laboratory(ready, [1]).run()[0].stages]
    assert "metered" in stages
