"""Lanes lead one way at a time, turn when they are empty, and keep to what they are set to."""

from __future__ import annotations

import numpy as np
import pytest

from flowwatch.core.settings import Setting
from flowwatch_sim.lanes import IN, NEVER, OUT, Lanes


def gate(total: int, setting: str, *, clearing_s: float = 0.0, width_s: float = 0.0) -> Lanes:
    lanes = Lanes(total, clearing_s=clearing_s, width_s=width_s)
    lanes.set(Setting.parse(setting), -clearing_s)
    return lanes


def serve(lanes: Lanes, way: int, until: float, service_s: float, now: float = 0.0) -> list[float]:
    """When people start, who wait without end."""
    starts: list[float] = []
    while now < until:
        lanes.queues[way].append(0)
        started = lanes.start(way, now, [service_s])
        if isinstance(started, float):
            now = started
        else:
            starts.append(now)
        lanes.queues[way].clear()
    return starts


def test_a_lane_that_turns_waits_for_who_is_in_it_and_then_clears() -> None:
    lanes = gate(1, "in", clearing_s=20.0)
    lanes.queues[IN].append(0)
    assert lanes.start(IN, 0.0, [50.0]) == (50.0, 0)
    lanes.set(Setting.parse("out"), 10.0)
    lanes.queues[OUT].append(0)
    assert lanes.start(OUT, 10.0, [5.0]) == 70.0
    assert lanes.start(OUT, 70.0, [5.0]) == (75.0, 0)


def test_a_lane_shut_and_opened_again_has_no_second_place() -> None:
    lanes = gate(1, "in")
    lanes.queues[IN].extend([0, 0])
    assert lanes.start(IN, 0.0, [50.0]) == (50.0, 0)
    lanes.set(Setting.parse("closed"), 10.0)
    assert lanes.start(IN, 10.0, [50.0]) == NEVER
    lanes.set(Setting.parse("in"), 20.0)
    assert lanes.start(IN, 20.0, [50.0]) == 50.0


@pytest.mark.parametrize(("setting", "per_min"), [("in", 80.0), ("both", 40.0), ("metered 30/min", 30.0), ("wave in 30s hold 30s", 40.0)])
def test_as_many_pass_inward_as_the_setting_says(setting: str, per_min: float) -> None:
    assert len(serve(gate(4, setting), IN, 3600.0, 3.0)) == pytest.approx(60 * per_min, rel=0.01)


@pytest.mark.parametrize("total", [1, 3, 5])
def test_an_odd_number_of_lanes_leads_half_of_them_each_way(total: int) -> None:
    for way in (IN, OUT):
        lanes = gate(total, "both")
        assert lanes.leads(way) == total / 2
        assert len(serve(lanes, way, 3600.0, 3.0)) == pytest.approx(1200 * total / 2, rel=0.03)


def test_a_width_passes_no_more_than_it_can_however_fast_its_lanes_are() -> None:
    starts = serve(gate(10, "out", width_s=1 / 1.3), OUT, 600.0, 0.1)
    assert np.diff(starts).min() >= 1 / 1.3 - 1e-9
    assert len(starts) == pytest.approx(600 * 1.3, abs=2)


def test_nobody_starts_in_a_hold_or_against_a_wave() -> None:
    starts = np.array(serve(gate(2, "wave in 20s hold 10s out 30s"), IN, 600.0, 7.0))
    assert (starts % 60 < 20).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_lane_ever_has_two_people_whatever_it_is_set_to(seed: int) -> None:
    print("seed", seed)
    luck = np.random.default_rng(seed)
    lanes, inside, now = gate(5, "both"), [], 0.0
    words = ["in", "out", "both", "closed", "metered 40/min both", "wave in 20s out 20s"]
    for _ in range(3000):
        now += float(luck.exponential(1.0))
        way = int(luck.integers(2))
        lanes.queues[way].append(0)
        while not isinstance(started := lanes.start(way, now, [float(luck.exponential(6.0))]), float):
            inside.append(started[0])
        inside = [end for end in inside if end > now]
        assert len(inside) <= 5
        if luck.random() < 0.1:
            lanes.set(Setting.parse(words[int(luck.integers(len(words)))]), now)
