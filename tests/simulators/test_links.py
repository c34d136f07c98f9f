"""People on a link walk at the pace of their number, pass one another, and take turns at its mouths."""

from __future__ import annotations

import numpy as np
import pytest

from flowwatch_sim.links import Link
from flowwatch_sim.verification.sites import ENTRANCE, crowd, place
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import Habits, World

CODE = DIAGRAMS["imo"]


def test_who_is_quicker_passes_a_slow_walker() -> None:
    corridor = Link(100.0, 5.0, CODE)
    corridor.enter(0, 0, 0.0, 0.5)
    corridor.enter(1, 0, 10.0, 2.0)
    assert corridor.leave(0, corridor.through(0)) == 1
    assert corridor.through(0) == pytest.approx(200.0)


def test_who_is_alone_again_walks_at_their_own_pace_again() -> None:
    corridor = Link(10.0, 1.0, CODE)
    for who in range(20):
        corridor.enter(who, 0, 0.0, 1.2 if who else 0.6)
    crowded = corridor.through(0)
    assert crowded > 10 / 1.2
    for _ in range(19):
        corridor.leave(0, crowded)
    assert corridor.through(0) == pytest.approx(crowded + 10 / 0.6 / 2)


def test_those_who_come_the_other_way_slow_everybody_down() -> None:
    through = []
    for others in (0, 10, 50, 100):
        corridor = Link(40.0, 2.0, CODE)
        for who in range(others):
            corridor.enter(who, 1, 0.0, 1.2)
        corridor.enter(others, 0, 0.0, 1.2)
        through.append(corridor.through(0))
    assert through[:2] == [pytest.approx(40 / 1.2)] * 2
    assert through[1] < through[2] < through[3]


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_queue_fills_a_link_to_its_densest_flow_and_no_further(*, both_ways: bool) -> None:
    here = place({"room": 1e4, "hall": 1e4}, {"a": ENTRANCE, "b": ENTRANCE._replace(to="hall")}, {"way": ("room", "hall", 2.0)})
    people = crowd(np.zeros(1200), [[(1, 1e7)]] * 600 + [[(0 if both_ways else 1, 1e7)]] * 600)
    people.gate[600:] = both_ways
    world = World(here, people, Habits(CODE))
    ends = np.array([c.at for c in world.advance(3600.0) if c.kind == "link"])
    assert len(ends) == 1200
    middle = ends[200:1000]
    assert 799 / (middle[-1] - middle[0]) == pytest.approx(2.0 * CODE.densest_flow()[1], rel=0.02)


def test_both_ends_of_a_link_let_people_in_by_turns() -> None:
    here = place({"room": 1e4, "hall": 1e4}, {"a": ENTRANCE, "b": ENTRANCE._replace(to="hall")}, {"way": ("room", "hall", 2.0)})
    people = crowd(np.zeros(400), [[(1, 1e7)]] * 200 + [[(0, 1e7)]] * 200)
    people.gate[200:] = 1
    world = World(here, people, Habits(CODE))
    passed = [c.way for c in world.advance(3600.0) if c.kind == "link"]
    assert abs(sum(passed[:200]) - 100) <= 2
