"""A fluid loses nobody, passes what lanes and widths pass, and is in the mean what persons are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from flowwatch.core.settings import Setting
from flowwatch.documents import find, load, shipped
from flowwatch_sim.arrivals import drawn_arrivals, mean_arrivals
from flowwatch_sim.capacity import Gates
from flowwatch_sim.demand import Batches, Stream, Visit, people
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import Habits, World
from tests.simulators.plaza import AIR, place, stream

IN, OUT, BOTH, SHUT = (Setting.parse(word) for word in ("in", "out", "both", "closed"))
SETTINGS = ["in", "out", "both", "metered 40/min", "metered 60/min both", "wave in 50s hold 10s out 60s", "wave both 30s hold 30s"]
PATIENT = Habits(AIR, reroute=0.0, balk=0.0, clearing_s=0.0)
SEEDS = range(20)


def fluid(here: Layout, streams: list[Stream], habits: Habits = PATIENT, *, step_s: float = 1.0, replicates: int = 1) -> Fluid:
    return Fluid(here, streams, mean_arrivals(streams, len(here.gates), replicates), habits, step_s=step_s)


def one(values: np.typing.NDArray[np.float64]) -> float:
    return float(values.ravel()[0])


@cache
def site(name: str) -> Layout:
    (files,) = [files for files in find(shipped()) if Path(files[0]).stem == name]
    return layout(load(files[0]).site)


# -- nobody is lost --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["yuyuan", "bund", "nanjing-road", "tianzifang", "scenic-area"])
@pytest.mark.parametrize("seed", [1])
def test_everybody_who_came_is_somewhere_after_every_step(name: str, seed: int) -> None:
    here = site(name)
    print("seed", seed)
    luck = np.random.default_rng(seed)
    outer = [g for g, out in enumerate(here.outer) if out]
    inner = {g: here.inner(g) for g in outer}
    visits = [Visit(z, 0.3, 200.0) for z in range(len(here.zones)) if z not in here.waiting][:3]
    streams = [
        Stream("strollers", np.full(60, 30.0), 60.0, dict.fromkeys(outer, 1.0), inner, 900.0, visits=visits, patience_s=200.0),
        Stream("metro", np.full(60, 10.0), 60.0, {outer[0]: 1.0}, inner, 600.0, batches=Batches(180.0), home_s=2400.0, home_share=0.5),
    ]
    trial = Fluid(here, streams, drawn_arrivals(streams, len(here.gates), 7, seed), Habits(DIAGRAMS["weidmann"]), step_s=4.0)
    trial.fill(0, np.arange(7.0))
    while trial.now < 3600.0:
        for _ in range(15):
            trial.step()
            assert np.abs(trial.missing).max() <= 1e-9 * trial.came.max()
            assert trial.inside.min() >= -1e-9
            assert trial.outside.min() >= -1e-9
        rows = np.flatnonzero(luck.random(7) < 0.5)
        gate, word = int(luck.integers(len(here.gates))), SETTINGS[int(luck.integers(len(SETTINGS)))]
        trial.set_gate(gate, Setting.parse(word), rows)
        if here.links:
            trial.lead(int(luck.integers(len(here.links))), [0, 1, None][int(luck.integers(3))], rows)
    for gate in range(len(here.gates)):
        trial.set_gate(gate, OUT if here.outer[gate] else BOTH)
    for link in range(len(here.links)):
        trial.lead(link, None)
    trial.close()
    trial.advance(3 * 3600.0)
    assert trial.present.max() < 1e-6
    assert np.allclose(trial.left + trial.turned, trial.came + np.arange(7.0), rtol=1e-9)
    passed = np.sum([trial.passed("gate", gate) for gate in outer], axis=0)
    assert np.allclose(passed[:, 0] + passed[:, 1], trial.entered.sum(axis=1) + trial.left, rtol=1e-9)


# -- gates and widths ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offered", "passes"), [(70, 70.0), (140, 80.0)])
def test_four_lanes_of_3_s_pass_what_comes_up_to_80_a_minute(offered: int, passes: float) -> None:
    trial = fluid(place({"gate": (4, 20.0)}), [stream(offered / 60)])
    trial.set_gate(0, IN)
    trial.advance(600.0)
    before = one(trial.entered)
    trial.advance(1800.0)
    assert (one(trial.entered) - before) / 20 == pytest.approx(passes, abs=0.5)


@pytest.mark.parametrize("per_lane", [20.0, 11.0])
def test_three_in_five_out_holds_from_the_switch_and_the_clearing_time_on(per_lane: float) -> None:
    here = place({f"gate-{i}": (1, per_lane) for i in range(8)}, {"hall": 1e4})
    trial = fluid(here, [stream(4.0, tuple(range(8)), stay_shape=1.0)], Habits(AIR, balk=0.0, clearing_s=20.0))
    trial.fill(0, 20_000.0)
    trial._people[:] = trial._people[::-1]
    for gate in range(8):
        trial.set_gate(gate, IN if gate % 2 else OUT)
    trial.advance(300.0)
    for gate in range(8):
        trial.set_gate(gate, IN if gate in {1, 2, 4} else OUT)
    trial.advance(320.0)
    entered = trial.entered.sum()
    trial.advance(400.0)
    before, gone = trial.entered.sum(), trial.gone.sum()
    assert before - entered == pytest.approx(4 * per_lane, rel=0.005)
    trial.advance(1000.0)
    assert (trial.entered.sum() - before) / 10 == pytest.approx(3 * per_lane, rel=0.005)
    assert (trial.gone.sum() - gone) / 10 == pytest.approx(5 * per_lane, rel=0.005)
    assert np.abs(trial.missing).max() < 1e-6


def test_lanes_that_are_turned_round_pass_nobody_until_they_are_clear() -> None:
    gates = Gates(place({"gate": (4, 30.0)}), 2, clearing_s=20.0)
    gates.set(np.array([0]), 0, IN, 0.0)
    assert gates.passing(0.0, 1.0)[:, 0].tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert gates.passing(20.0, 1.0)[:, 0].tolist() == [[2.0, 0.0], [1.0, 1.0]]
    gates.set(np.array([0, 1]), 0, Setting.parse("metered 30/min both"), 30.0)
    assert gates.passing(60.0, 1.0)[:, 0].tolist() == [[0.5, 1.0], [0.5, 1.0]]
    assert gates.switches[:, 0].tolist() == [2, 1]


def test_a_wave_passes_what_its_phases_leave_of_each_step() -> None:
    gates = Gates(place({"gate": (4, 30.0)}), 1, clearing_s=0.0)
    gates.set(np.array([0]), 0, Setting.parse("wave in 50s hold 10s both 60s"), 5.0)
    passes = np.array([gates.passing(5.0 + 4 * k, 4.0)[0, 0] for k in range(90)])
    assert passes[:12].tolist() == [[8.0, 0.0]] * 12
    assert passes[12].tolist() == [4.0, 0.0]
    assert passes.sum(axis=0) == pytest.approx([3 * 2.0 * 80, 3 * 2.0 * 30])


@pytest.mark.parametrize("width", [0.8, 1.0, 2.0, 3.5, 5.0])
def test_a_crowded_link_passes_the_densest_flow_of_its_diagram(width: float) -> None:
    here = place({"gate": (60, 60.0)}, {"room": 2e4, "hall": 2e4}, [("exit", "room", "hall", width)], {"gate": "hall"})
    trial = Fluid(here, [], mean_arrivals([], 1), Habits(DIAGRAMS["weidmann"]), step_s=1.0)
    trial.set_gate(0, OUT)
    trial.fill(0, 5000.0)
    trial.close()
    trial.advance(300.0)
    before = trial.passed("link", 0)[0, 0]
    trial.advance(600.0)
    assert (trial.passed("link", 0)[0, 0] - before) / 300 == pytest.approx(1.225 * width, rel=0.01)


def test_a_rush_before_a_gate_is_600_long_and_gone_half_an_hour_after_it() -> None:
    trial = fluid(place({"gate": (1, 20.0)}), [stream([0.5] * 60 + [0.0] * 60)], step_s=5.0)
    trial.set_gate(0, IN)
    longest, waited, empty = 0.0, 0.0, 0.0
    while trial.now < 7200.0:
        trial.step()
        waited += one(trial.outside) * trial.step_s / 3600
        longest = max(longest, one(trial.outside))
        if one(trial.outside) > 0.5:
            empty = trial.now
    assert longest == pytest.approx(600.0, rel=0.01)
    assert longest / (1200 / 3600) / 60 == pytest.approx(30.0, rel=0.01)
    assert empty == pytest.approx(5400.0, rel=0.01)
    assert waited == pytest.approx(450.0, rel=0.01)


def test_a_gate_that_was_shut_for_600_s_lets_300_people_in_within_600_s() -> None:
    trial = fluid(place({"gate": (1, 60.0)}), [stream(0.5)])
    trial.set_gate(0, SHUT)
    trial.advance(600.0)
    longest = one(trial.outside)
    trial.set_gate(0, IN)
    waited = longest * 600.0 / 2
    while one(trial.outside) > 0.01:
        trial.step()
        waited += one(trial.outside) * trial.step_s
    assert longest == pytest.approx(300.0, rel=0.02)
    assert trial.now == pytest.approx(1200.0, rel=0.02)
    assert waited / (0.5 * 1200.0) == pytest.approx(300.0, rel=0.02)


def test_at_a_shut_entrance_people_turn_away_go_elsewhere_or_wait() -> None:
    here = place({"gate-1": (2, 30.0), "gate-2": (60, 60.0), "gate-3": (60, 60.0)})
    habits = Habits(AIR, reroute=0.3, balk=0.2, between_gates_s=60.0)
    trial = fluid(here, [stream(1.0, patience_s=300.0)], habits)
    trial.set_gate(0, SHUT)
    trial.advance(3600.0)
    assert one(trial.outside[:, 0, :1]) == pytest.approx(0.5 * 300.0, rel=0.01)
    assert trial.entered[0] == pytest.approx([0.0, 0.15 * 3540, 0.15 * 3540], rel=0.01)
    assert one(trial.between) == pytest.approx(0.3 * 60.0, rel=0.02)


# -- occupancy and clearance -----------------------------------------------------------------------------------------------------------


def open_hall() -> Layout:
    return place({"in": (20, 30.0), "out": (20, 30.0)})


def hall(per_s: float, stay_s: float, shape: float, *, balk: float = 0.0, step_s: float = 1.0, replicates: int = 1) -> Fluid:
    streams = [stream(per_s, stay_s=stay_s, stay_shape=shape)]
    trial = fluid(open_hall(), streams, Habits(AIR, reroute=0.0, balk=balk, clearing_s=0.0), step_s=step_s, replicates=replicates)
    trial.set_gate(0, IN)
    trial.set_gate(1, OUT)
    return trial


@pytest.mark.slow
@pytest.mark.parametrize("shape", [1.0, 2.0, 4.0])
def test_how_many_are_inside_depends_on_the_mean_stay_alone(shape: float) -> None:
    trial = hall(600 / 3600, 3 * 3600.0, shape, step_s=5.0)
    trial.advance(18 * 3600.0)
    assert one(trial.inside) == pytest.approx(1800.0, rel=0.01)


def lagging(trial: Fluid, lags: list[float], until: float) -> tuple[list[float], list[float], list[float]]:
    """Shut the entrance of each replicate its lag after 1,500 are inside: (when it was crossed, the peak, how long until 1,400 again)."""
    n = len(lags)
    crossed, shut, again, peak = (np.full(n, np.nan) for _ in range(4))
    peak[:] = 0.0
    while trial.now < until:
        trial.step()
        inside = trial.inside[:, 0]
        crossed[np.isnan(crossed) & (inside >= 1500.0)] = trial.now
        due = np.isnan(shut) & (trial.now >= crossed + np.array(lags) - 1e-9)
        if due.any():
            trial.set_gate(0, SHUT, np.flatnonzero(due))
            shut[due] = trial.now
        again[~np.isnan(shut) & np.isnan(again) & (inside <= 1400.0)] = trial.now
        peak = np.maximum(peak, inside)
    return crossed.tolist(), peak.tolist(), (again - shut).tolist()


def test_a_plan_that_closes_at_1500_peaks_at_1607_and_reopens_after_993_s() -> None:
    (crossed,), (peak,), (closed,) = lagging(hall(2.0, 7200.0, 1.0, balk=1.0), [60.0], 2400.0)
    assert crossed == pytest.approx(792.0, rel=0.01)
    assert peak == pytest.approx(1607.0, rel=0.01)
    assert closed == pytest.approx(993.0, rel=0.01)


def test_the_later_the_entrances_close_the_more_people_are_inside() -> None:
    lags = [30.0, 60.0, 120.0, 300.0]
    _, peaks, _ = lagging(hall(2.0, 7200.0, 1.0, balk=1.0, step_s=0.25, replicates=4), lags, 1300.0)
    assert np.array(peaks) - 1500.0 == pytest.approx([54.0, 107.0, 213.0, 527.0], rel=0.03)


def test_a_crowd_that_walks_100_m_and_leaves_through_10_m_is_out_as_the_hydraulic_rule_says() -> None:
    here = place({"gate": (200, 60.0)}, {"room": 5000.0, "hall": 5000.0}, [("passage", "room", "hall", 10.0)], {"gate": "hall"})
    habits = Habits(DIAGRAMS["imo"], lengths={"passage": 100.0}, clearing_s=0.0)
    trial = Fluid(here, [], mean_arrivals([], 1), habits, step_s=1.0, pace=1 / 1.2)
    trial.set_gate(0, OUT)
    trial.fill(0, 3000.0)
    trial.close()
    while trial.passed("link", 0)[0, 0] < 2999.9:
        trial.step()
    assert trial.now == pytest.approx(380.0, rel=0.02)


def test_five_lanes_of_30_a_minute_let_3000_people_out_in_20_minutes() -> None:
    trial = fluid(place({"gate": (5, 30.0)}), [stream(0.0)])
    trial.set_gate(0, OUT)
    trial.fill(0, 3000.0)
    trial.close()
    while trial.left[0] < 2999.9:
        trial.step()
    assert trial.now == pytest.approx(1200.0, rel=0.01)


@pytest.mark.slow
def test_one_more_exit_never_makes_leaving_slower() -> None:
    seed = 11
    print("seed", seed)
    luck = np.random.default_rng(seed)
    for _ in range(8):
        lanes = [int(n) for n in luck.integers(1, 6, 4)]
        trial = fluid(place({f"gate-{i}": (n, 25.0) for i, n in enumerate(lanes)}), [stream(0.0)], replicates=4)
        for gate in range(4):
            trial.set_gate(gate, IN)
            trial.set_gate(gate, OUT, np.arange(gate, 4))
        trial.fill(0, 1000.0)
        trial.close()
        out = np.full(4, np.nan)
        while np.isnan(out).any():
            trial.step()
            out[np.isnan(out) & (trial.left >= 999.9)] = trial.now
        assert (np.diff(out) <= 0).all(), (lanes, out)


def test_closing_earlier_never_lets_more_in_nor_makes_the_queue_outside_shorter() -> None:
    trial = fluid(open_hall(), [stream(2.0, stay_s=3000.0)], replicates=6, step_s=5.0)
    trial.set_gate(0, IN)
    trial.set_gate(1, OUT)
    peak, queue = np.zeros(6), np.zeros(6)
    while trial.now < 4 * 3600.0:
        for row in range(6):
            if trial.now == 1200.0 + 300.0 * row:
                trial.set_gate(0, SHUT, np.array([row]))
        trial.step()
        peak, queue = np.maximum(peak, trial.inside[:, 0]), np.maximum(queue, trial.outside[:, 0, 0])
    assert (np.diff(peak) >= 0).all()
    assert (np.diff(queue) <= 0).all()


# -- in the mean what persons are -------------------------------------------------------------------------------------------------------


def persons(streams: list[Stream], seed: int, balk: float = 1.0) -> World:
    world = World(open_hall(), people(streams, seed), Habits(AIR, reroute=0.0, balk=balk, clearing_s=0.0))
    world.set_gate(0, IN, 0.0)
    world.set_gate(1, OUT, 0.0)
    return world


@pytest.mark.slow
@pytest.mark.parametrize("shape", [1.0, 3.0])
def test_a_hall_fills_as_it_does_with_persons(shape: float) -> None:
    streams = [stream(600 / 3600, stay_s=3 * 3600.0, stay_shape=shape, steps=420)]
    counts = np.zeros((len(SEEDS), 36))
    for seed in SEEDS:
        world = persons(streams, seed)
        for k in range(36):
            world.advance(600.0 * (k + 1))
            counts[seed, k] = world.present
    trial = hall(600 / 3600, 3 * 3600.0, shape, step_s=5.0)
    mean = []
    for k in range(36):
        trial.advance(600.0 * (k + 1))
        mean.append(one(trial.inside))
    assert counts[:, 18:].mean() == pytest.approx(np.mean(mean[18:]), rel=0.02)


@pytest.mark.slow
def test_a_plan_with_a_lag_works_on_persons_as_on_the_fluid() -> None:
    lags = [60.0, 300.0]
    found: list[tuple[float, float, float]] = []
    streams = [stream(2.0, stay_s=7200.0, stay_shape=1.0, steps=45)]
    for seed in SEEDS:
        for lag in lags:
            world, now = persons(streams, seed), 0.0
            crossed = shut = again = float("nan")
            peak = 0.0
            while now < 2700.0 and np.isnan(again):
                now += 2.0
                world.advance(now)
                inside = float(world.present)
                crossed = now if np.isnan(crossed) and inside >= 1500.0 else crossed
                if np.isnan(shut) and now >= crossed + lag:
                    world.set_gate(0, SHUT, now)
                    shut = now
                if not np.isnan(shut) and inside <= 1400.0:
                    again = now
                peak = max(peak, inside)
            found.append((crossed, peak, again - shut))
    mean = np.array(found).reshape(len(SEEDS), 2, 3).mean(axis=0)
    crossed_at, peaks, closed = lagging(hall(2.0, 7200.0, 1.0, balk=1.0, replicates=2), lags, 2700.0)
    assert mean[:, 0] == pytest.approx(crossed_at, rel=0.02)
    assert mean[:, 1] == pytest.approx(peaks, rel=0.02)
    assert mean[0, 2] == pytest.approx(closed[0], rel=0.02)


@pytest.mark.slow
def test_a_clearance_of_persons_takes_as_long_as_the_fluid_s() -> None:
    here = place({"in": (60, 60.0), "out": (5, 30.0)}, {"hall": 12000.0})
    streams = [stream([5.0] * 10, stay_s=1e9)]
    habits = Habits(DIAGRAMS["weidmann"], clearing_s=0.0)
    out = []
    for seed in SEEDS:
        world = World(here, people(streams, seed), habits)
        world.set_gate(0, IN, 0.0)
        world.set_gate(1, OUT, 0.0)
        world.advance(900.0)
        world.close(900.0)
        now = 900.0
        while world.left < 2850:
            now += 2.0
            world.advance(now)
        out.append((now - 900.0, len(world.people)))
    trial = fluid(here, streams, habits)
    trial.set_gate(0, IN)
    trial.set_gate(1, OUT)
    trial.advance(900.0)
    trial.close()
    while trial.left[0] < 2850:
        trial.step()
    assert np.mean([seconds for seconds, _ in out]) == pytest.approx(trial.now - 900.0, rel=0.02)


@pytest.mark.slow
def test_a_day_at_a_site_with_visits_is_in_the_mean_what_it_is_with_persons() -> None:
    here = site("yuyuan")
    outer = range(len(here.gates))
    rate = np.concatenate([np.full(90, 40.0), np.full(30, 10.0)])
    streams = [
        Stream(
            "visitors",
            rate,
            60.0,
            dict.fromkeys(outer, 1.0),
            dict.fromkeys(outer, 0),
            2400.0,
            visits=[Visit(1, 0.5, 300.0)],
            unrest=0.0,
            group_excess=0.0,
        )
    ]
    habits = Habits(DIAGRAMS["weidmann"])
    tables = [(3600.0, [IN if gate in {1, 2, 4} else OUT for gate in outer]), (5400.0, [OUT] * 8)]
    inside, bridge, crossed = (np.zeros((len(SEEDS), 24)) for _ in range(3))
    for seed in SEEDS:
        world, passed = World(here, people(streams, seed), habits), 0
        for k in range(24):
            for at, table in tables:
                if at == 300.0 * k:
                    for gate, setting in enumerate(table):
                        world.set_gate(gate, setting, at)
            passed += sum(crossing.kind == "link" and crossing.way == 0 for crossing in world.advance(300.0 * (k + 1)))
            inside[seed, k], bridge[seed, k], crossed[seed, k] = world.inside[0], world.inside[1], passed
    trial, there = fluid(here, streams, habits, step_s=5.0), []
    for k in range(24):
        for at, table in tables:
            if at == trial.now:
                for gate, setting in enumerate(table):
                    trial.set_gate(gate, setting)
        trial.advance(300.0 * (k + 1))
        assert inside[:, k].mean() == pytest.approx(trial.inside[0, 0], rel=0.02, abs=10.0), k  # 3 standard errors of the first 200 to come
        there.append(trial.inside[0, 1])
    assert bridge.mean() == pytest.approx(np.mean(there), rel=0.02)
    assert np.allclose(bridge.mean(axis=0), there, rtol=0.05, atol=4.0)
    assert crossed[:, -1].mean() == pytest.approx(sum(trial.passed("link", link)[0, 0] for link in range(2)), rel=0.03)


# -- arrivals --------------------------------------------------------------------------------------------------------------------------


def test_drawn_arrivals_vary_from_minute_to_minute_as_groups_do() -> None:
    groups = Stream("groups", np.full(600, 30.0), 60.0, {0: 3.0, 1: 1.0}, {0: 0, 1: 0}, 3600.0, unrest=0.0)
    counts = drawn_arrivals([groups], 2, 40, 3).rate * 60.0
    together = counts[:, :, 0].sum(axis=2)
    assert together.mean() == pytest.approx(30.0, rel=0.01)
    assert together.var() / together.mean() == pytest.approx(2.2, abs=0.1)
    assert counts[..., 0].sum() / counts.sum() == pytest.approx(0.75, abs=0.01)


def test_drawn_arrivals_are_in_the_mean_those_of_the_streams_and_of_people() -> None:
    streams = [
        Stream("a", np.linspace(5.0, 50.0, 120), 60.0, {0: 1.0}, {0: 0}, 3600.0),
        Stream("b", np.full(120, 20.0), 60.0, {1: 1.0}, {1: 0}, 3600.0, batches=Batches(300.0)),
    ]
    mean, drawn = mean_arrivals(streams, 2).rate[0], drawn_arrivals(streams, 2, 300, 4).rate
    assert drawn.mean(axis=0).sum(axis=0) == pytest.approx(mean.sum(axis=0), rel=0.01)
    assert np.array_equal(drawn, drawn_arrivals(streams, 2, 300, 4).rate)
    came = [people(streams, seed) for seed in range(40)]
    trains = np.mean([np.histogram(day.came[day.stream == 1], bins=120, range=(0, 7200))[0] for day in came], axis=0)
    assert np.corrcoef(trains[:118], mean[:118, 1, 1])[0, 1] > 0.97
