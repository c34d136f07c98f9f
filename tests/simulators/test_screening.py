"""The engine of production decides about fluids as it would about a site, and its commands are carried out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowwatch.documents import find, load, shipped
from flowwatch_sim.arrivals import drawn_arrivals
from flowwatch_sim.demand import Stream, Visit
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import layout
from flowwatch_sim.screening import Routine, Screening
from flowwatch_sim.verification.plans import screened
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import Habits

START = int(datetime(2026, 3, 4, 1, tzinfo=UTC).timestamp() * 1e6)
"""Nine in the morning in Shanghai."""


@cache
def yuyuan(plans: int = 1) -> dict[str, Any]:
    (files,) = [files for files in find(shipped()) if Path(files[0]).stem == "yuyuan"]
    return load(files[0], files[1][:plans]).site


def test_a_plan_that_closes_at_1500_peaks_at_1607_and_reopens_at_1400() -> None:
    trial = screened("10s", Routine(tick_s=1.0, reaction_s=60.0, recount_s=600.0), 1)
    peak = 0.0
    while trial.fluid.now < 1900.0:
        trial.advance(trial.fluid.now + 1.0)
        peak = max(peak, float(trial.fluid.present[0]))
    (opened, _, _, first), (closed, _, _, second), (again, _, _, third) = trial.transitions
    assert (first, second, third) == ("open", "full", "open")
    assert opened == 0.0
    assert closed == pytest.approx(792.0, rel=0.01)
    assert peak == pytest.approx(1607.0, rel=0.01)
    assert again - (closed + 60.0) == pytest.approx(993.0, abs=0.01 * 993 + 5)  # counters count whole persons, and one takes 5 s to go


def test_the_overshoot_grows_with_the_reaction_time() -> None:
    lags = np.array([30.0, 60.0, 120.0, 300.0])
    trial = screened("10s", Routine(tick_s=2.0, reaction_s=lags, recount_s=600.0), 4)
    peak = np.zeros(4)
    while trial.fluid.now < 1300.0:
        trial.advance(trial.fluid.now + 2.0)
        peak = np.maximum(peak, trial.fluid.present)
    assert peak - 1500.0 == pytest.approx([54.0, 107.0, 213.0, 527.0], rel=0.03, abs=2 * 2.0)
    assert (np.diff(peak) > 0).all()


def test_gates_close_no_oftener_than_the_dwell_allows_and_stay_open_as_long_as_it_takes_to_fill_the_bars() -> None:
    dwell, hours, come = 900.0, 4, 2.0
    trial = screened("15m", Routine(tick_s=10.0, reaction_s=0.0), 1, step_s=5.0)
    trial.advance(hours * 3600.0)
    closed = [at for at, _, _, stage in trial.transitions if stage == "full"]
    opened = [at for at, _, _, stage in trial.transitions[1:] if stage == "open"]
    assert 4 <= len(closed) <= hours * 3600 / dwell + 1
    assert min(b - a for a, b in zip(closed, opened, strict=False)) >= dwell
    assert min(b - a for a, b in zip(opened, closed[1:], strict=False)) >= (1500 - 1400) / come
    assert trial.fluid.gates.switches[0, 0] == len(closed) + len(opened)


def yuyuan_day(replicates: int, seed: int, plans: int = 1) -> Screening:
    """Three hours in which 80 people a minute come, each to one of eight gates; half of them see the bridge."""
    record = yuyuan(plans)
    here, gates = layout(record), range(8)
    streams = [
        Stream(
            "visitors", np.full(180, 80.0), 60.0, dict.fromkeys(gates, 1.0), dict.fromkeys(gates, 0), 4500.0, visits=[Visit(1, 0.5, 400.0)]
        )
    ]
    fluid = Fluid(here, streams, drawn_arrivals(streams, 8, replicates, seed), Habits(DIAGRAMS["weidmann"]))
    return Screening(record, fluid, START)


def test_the_engine_knows_how_many_are_inside_and_its_stages_reach_the_gates() -> None:
    seed = 3
    print("seed", seed)
    trial = yuyuan_day(6, seed)
    trial.advance(3 * 3600.0)
    known = trial._engine.occupancy.zones.inside.reshape(6, 2) / 1000
    zones = [trial._engine.network.zones[:2].index(f"yuyuan-0001/{name}") for name in trial.fluid.layout.zones]
    assert np.abs(known[:, zones] - trial.fluid.inside).max() < 10.0
    stages = {row: [stage for _, of, _, stage in trial.transitions if of == row] for row in range(6)}
    assert all(found[:2] == ["normal", "three_in_five_out"] for found in stages.values())
    assert (trial.fluid.gates.open[:, [0, 3, 5, 6, 7], 0] == 0).all()
    full = np.array([found[-1] == "exit_only" for found in stages.values()])
    assert ((trial.fluid.gates.open[:, [1, 2, 4], 0] == 0).all(axis=1) == full).all()
    assert ((trial.fluid.gates.open[:, [1, 2, 4], 1] == 4).all(axis=1) == full).all()
    assert len({at for at, _, _, stage in trial.transitions if stage == "three_in_five_out"}) > 1
    assert np.abs(trial.fluid.missing).max() < 1e-8
    assert not trial._engine._refs


def test_the_same_seed_gives_the_same_day() -> None:
    one, other = yuyuan_day(3, 8), yuyuan_day(3, 8)
    one.advance(7200.0)
    other.advance(7200.0)
    assert one.transitions == other.transitions
    assert np.array_equal(one.fluid.inside, other.fluid.inside)


def test_a_fall_waits_for_the_answer_and_links_are_led_as_the_plans_say() -> None:
    trial = yuyuan_day(2, 8, plans=2)
    trial.advance(2 * 3600.0)
    plans = {plan for _, _, plan, _ in trial.transitions}
    assert plans == {"yuyuan", "bridge"}
    trial.fluid.close()
    trial.advance(2.5 * 3600.0)
    falls = [(at, stage) for at, row, plan, stage in trial.transitions if row == 0 and plan == "yuyuan"]
    assert falls[-1][1] == "normal"
    assert falls[-1][0] > 7200.0 + trial.routine.answer_s
