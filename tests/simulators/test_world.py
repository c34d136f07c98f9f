"""What people do when gates and links change under them, and what they choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from flowwatch.core.settings import Setting
from flowwatch_sim.demand import Batches, Stream, people
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.verification.sites import ENTRANCE, Door, crowd, place, room
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import AWAY, LEFT, TURNED, Habits, World

CODE = DIAGRAMS["imo"]
OUT, IN = Setting.parse("out"), Setting.parse("in")


def waiting(world: World) -> list[int]:
    return [*world.outside, world.walking, world.turned]


def test_an_entrance_only_leads_in_before_anybody_sets_it() -> None:
    world = World(room(100.0), crowd(np.zeros(5)), Habits(CODE))
    world.advance(600.0)
    assert (world.present, world.left) == (5, 0)


def test_who_sees_the_entrance_shut_before_them_goes_to_another_waits_or_turns_away() -> None:
    here = place({"room": 1e4}, {"a": Door("room", lanes=1, per_min=0.01), "b": Door("room", lanes=1, per_min=0.01)})
    world = World(here, crowd(np.zeros(1001), into=1.0), Habits(CODE))
    world.set_gate(0, IN, 0.0)
    world.set_gate(1, IN, 0.0)
    world.advance(60.0)
    assert waiting(world) == [1000, 0, 0, 0]
    world.set_gate(0, OUT, 60.0)
    assert waiting(world) == [pytest.approx(400, abs=60), 0, pytest.approx(300, abs=50), pytest.approx(300, abs=50)]
    world.advance(181.0)
    assert world.walking == 0
    assert world.outside[1] + world.passing == pytest.approx(300, abs=50)


def test_patience_counts_from_the_first_entrance() -> None:
    here = place({"room": 1e4}, {"a": Door("room"), "b": Door("room", lanes=1, per_min=0.01)})
    someone = replace(crowd(np.zeros(2), into=1.0), patience=np.array([np.inf, 150.0]), gate=np.array([1, 0]))
    world = World(here, someone, Habits(CODE, balk=0.0, reroute=1.0))
    world.set_gate(0, OUT, 0.0)
    world.set_gate(1, IN, 0.0)
    world.advance(1000.0)
    assert world.state[1] == TURNED
    assert world.waited[1] == 150.0


def loop() -> Layout:
    """A room and a hall with two links and an exit each."""
    doors = {"in": ENTRANCE, "out": Door("room"), "back": Door("hall")}
    return place({"room": 1e4, "hall": 1e4}, doors, {"left": ("room", "hall", 2.0), "right": ("room", "hall", 2.0)})


def test_people_share_two_ways_between_the_same_zones() -> None:
    world = World(loop(), crowd(np.arange(1000.0), [[(1, 1e7)]] * 1000), Habits(CODE))
    taken = [c.place for c in world.advance(2000.0) if c.kind == "link"]
    assert sum(taken) == pytest.approx(500, abs=60)


def test_a_link_that_leads_the_other_way_is_not_taken_even_by_those_who_wait_before_it() -> None:
    world = World(loop(), crowd(np.zeros(1000), [[(1, 1e7)]] * 1000), Habits(CODE))
    world.advance(10.0)
    on_it = world.links[0].count[0]
    world.lead(0, 1)
    passed = [c.place for c in world.advance(3600.0) if c.kind == "link"]
    assert len(passed) == 1000
    assert passed.count(0) == on_it < 100


def gated(per_min: float = 60.0) -> Layout:
    """A room with an exit, and a garden behind an inner gate whose two lanes pass `per_min` each."""
    zones = [{"zone": zone, "area_m2": 100.0, "inside": None} for zone in ("room", "garden")]
    some = {"lanes": 2, "width_m": 100.0}
    ends: Mapping[str, tuple[str, str]] = {"in": ("outside", "room"), "exit": ("outside", "room"), "inner": ("room", "garden")}
    gates = [
        {"gate": name, "from": a, "to": b, **some, "lane_per_min": per_min if name == "inner" else 6000.0, "entrance_only": name == "in"}
        for name, (a, b) in ends.items()
    ]
    return layout({"zones": zones, "gates": gates, "links": []})


def test_who_waits_before_an_inner_gate_as_it_shuts_goes_on_to_the_next_stay() -> None:
    world = World(gated(0.1), crowd(np.zeros(20), [[(1, 50.0), (0, 60.0)]] * 20, into=1.0), Habits(CODE))
    world.advance(60.0)
    assert len(world.lanes[2].queues[0]) == 19
    world.set_gate(2, OUT, 60.0)
    world.advance(600.0)
    assert (world.left, world.inside) == (19, [1, 0])
    world.advance(3600.0)
    assert world.left == 20


def test_nobody_walks_to_a_gate_that_was_shut_on_their_way_and_stays_there() -> None:
    world = World(gated(), crowd(np.zeros(1), [[(0, 100.0), (1, 50.0)]]), Habits(CODE))
    world.advance(50.0)
    world.set_gate(2, OUT, 50.0)
    world.set_gate(1, OUT, 50.0)
    world.advance(600.0)
    assert world.state[0] == LEFT


def test_whoever_is_on_the_way_to_a_zone_when_the_day_ends_turns_home() -> None:
    here = place(
        {"a": 1e4, "b": 1e4, "c": 1e4}, {"in": ENTRANCE._replace(to="a"), "out": Door("a")}, {"ab": ("a", "b", 2.0), "bc": ("b", "c", 2.0)}
    )
    world = World(here, crowd(np.zeros(1), [[(2, 1e7)]]), Habits(CODE))
    world.advance(5.0)
    world.close(5.0)
    passed = world.advance(600.0)
    assert [(c.kind, c.place, c.way) for c in passed] == [("link", 0, 0), ("link", 0, 1), ("gate", 1, 1)]


def test_one_more_exit_takes_people_from_the_others_and_sends_nobody_from_one_to_another() -> None:
    taken = []
    for exits in (3, 4):
        world = World(room(1e4, **{f"exit-{i}": Door("room") for i in range(exits)}), crowd(np.zeros(500)), Habits(CODE, clearing_s=0.0))
        for gate in range(1, exits + 1):
            world.set_gate(gate, OUT, 0.0)
        world.advance(3600.0)
        taken.append(np.array(world._gate))
    moved = taken[0] != taken[1]
    assert (taken[1][moved] == 4).all()
    assert moved.sum() == pytest.approx(125, abs=35)


def test_a_group_has_one_speed_one_stay_and_one_luck() -> None:
    stream = Stream("day", np.full(60, 60.0), 60.0, {0: 1.0}, {0: 0}, 600.0, batches=Batches(300.0))
    here = people([stream], 1)
    for _, members in zip(range(200), np.unique(here.luck), strict=False):
        own = here.luck == members
        assert len(np.unique(here.speed[own])) == len(np.unique(here.patience[own])) == len(np.unique(here.gate[own])) == 1
        assert len({id(here.stays[i]) for i in np.flatnonzero(own)}) == 1
    assert (np.diff(here.came) >= 0).all()


def test_a_full_zone_lets_nobody_in_until_somebody_leaves_it() -> None:
    here = place({"room": 1e4, "den": 4.0}, {"in": ENTRANCE, "out": Door("room")}, {"way": ("room", "den", 2.0)})
    world = World(here, crowd(np.zeros(200), [[(1, 300.0)]] * 200), Habits(CODE))
    most = 0
    for now in range(1, 7200, 5):
        world.advance(float(now))
        most = max(most, world.inside[1])
    assert most <= 19 + world.links[0].most
    assert world.left == 200
    assert not (world.state == AWAY).any()
