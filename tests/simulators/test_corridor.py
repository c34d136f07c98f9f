"""Jams move and dissolve as the diagram says."""

from __future__ import annotations

import numpy as np
import pytest

from flowwatch_sim.corridor import Corridor
from flowwatch_sim.walking import DIAGRAMS

WEIDMANN = DIAGRAMS["weidmann"]


@pytest.mark.parametrize(("density", "speed"), [(0.5, 0.1325), (1.0, 0.2405), (1.5, 0.3102)])
def test_the_tail_of_a_queue_moves_back_as_fast_as_its_flows_and_densities_say(density: float, speed: float) -> None:
    corridor = Corridor(WEIDMANN, 200.0, 3.0)
    corridor.fill(density)
    corridor.open[:] = 0.0
    come = float(WEIDMANN.flow(density)) * 3.0
    corridor.advance(100.0, come)
    tail, people = float(corridor.tail(2 * density)[0]), float(corridor.people[0])
    corridor.advance(300.0, come)
    assert (float(corridor.tail(2 * density)[0]) - tail) / 200.0 == pytest.approx(speed, rel=0.02)
    jammed = (float(corridor.people[0]) - people) / (3.0 * (WEIDMANN.jam - density))
    assert jammed / 200.0 == pytest.approx(speed, rel=0.02)


def test_the_tail_reaches_the_near_end_of_100_m_in_416_s() -> None:
    corridor = Corridor(WEIDMANN, 100.0, 2.0)
    corridor.fill(1.0)
    corridor.open[:] = 0.0
    come = float(WEIDMANN.flow(1.0)) * 2.0
    while corridor.tail(3.0)[0] < 99.0:
        corridor.step(corridor.longest_step_s, come)
    assert corridor.now == pytest.approx(416.0, rel=0.02)


@pytest.mark.parametrize("width", [1.0, 4.0])
def test_a_queue_that_is_let_go_leaves_at_the_densest_flow_until_it_is_gone(width: float) -> None:
    corridor = Corridor(WEIDMANN, 100.0, width)
    corridor.fill(WEIDMANN.jam)
    corridor.open[:] = 0.0
    corridor.advance(60.0, 0.0)
    people = float(corridor.people[0])
    assert people == pytest.approx(WEIDMANN.jam * 100.0 * width)
    corridor.open[:] = 1.0
    for until in (120.0, 240.0, 360.0):
        left, start = float(corridor.left[0]), corridor.now
        corridor.advance(until, 0.0)
        assert (float(corridor.left[0]) - left) / (until - start) == pytest.approx(1.225 * width, rel=0.02)
    corridor.advance(2000.0, 0.0)
    assert float(corridor.people[0]) < 0.01 * people


def test_nobody_is_lost_in_a_corridor_whatever_its_end_does() -> None:
    seed = 5
    print("seed", seed)
    luck = np.random.default_rng(seed)
    corridor = Corridor(DIAGRAMS["imo"], 80.0, 2.5, replicates=20, cell_m=2.0)
    corridor.fill(luck.uniform(0.0, 5.0, (20, 1)))
    first = corridor.people
    for _ in range(500):
        corridor.open[:] = luck.integers(0, 2, 20)
        corridor.step(corridor.longest_step_s, luck.uniform(0.0, 4.0, 20))
        assert np.allclose(corridor.people, first + corridor.entered - corridor.left, rtol=1e-9)
        assert corridor.density.min() >= 0.0
        assert corridor.density.max() <= DIAGRAMS["imo"].jam + 1e-9


def test_a_step_in_which_somebody_would_walk_farther_than_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at most"):
        Corridor(WEIDMANN, 10.0, 1.0).step(5.0)
