"""Nobody is lost and nobody appears, whatever the gates do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from flowwatch.core.settings import Setting
from flowwatch.documents import find, load, shipped
from flowwatch_sim.demand import Batches, Stream, Visit, people
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import INSIDE, Habits, World

SETTINGS = ["in", "out", "both", "metered 40/min", "metered 60/min both", "wave in 50s hold 10s out 60s", "wave both 30s hold 30s"]


@cache
def site(name: str) -> Layout:
    (files,) = [files for files in find(shipped()) if Path(files[0]).stem == name]
    return layout(load(files[0]).site)


@pytest.mark.parametrize("name", ["yuyuan", "bund", "nanjing-road", "tianzifang"])
@pytest.mark.parametrize("seed", [1, 2])
def test_everybody_who_came_is_somewhere_at_every_moment(name: str, seed: int) -> None:
    here = site(name)
    print("seed", seed)
    luck = np.random.default_rng(seed)
    outer = [g for g, out in enumerate(here.outer) if out]
    inner = {g: here.inner(g) for g in outer}
    visits = [Visit(z, 0.3, 200.0) for z in range(len(here.zones)) if z not in here.waiting][:3]
    streams = [
        Stream("strollers", np.full(60, 30.0), 60.0, dict.fromkeys(outer, 1.0), inner, 900.0, visits=visits, patience_s=200.0),
        Stream("metro", np.full(60, 10.0), 60.0, {outer[0]: 1.0}, inner, 600.0, batches=Batches(180.0)),
    ]
    world = World(here, people(streams, seed), Habits(DIAGRAMS["weidmann"]))
    for minute in range(1, 61):
        world.advance(minute * 60.0)
        gate = int(luck.integers(len(here.gates)))
        word = SETTINGS[int(luck.integers(len(SETTINGS)))]
        world.set_gate(gate, Setting.parse(word), minute * 60.0)
        counted = np.bincount(world.state, minlength=5)
        assert counted[INSIDE] == world.present + world.passing
        assert world.came == sum(world.outside) + world.walking + world.passing + world.present + world.left + world.turned
        assert min(world.inside) >= 0
    for gate in range(len(here.gates)):
        world.set_gate(gate, Setting.parse("out"), 3600.0)
    world.close(3600.0)
    world.advance(6 * 3600.0)
    assert (world.present, world.passing, world.walking, sum(world.outside)) == (0, 0, 0, 0)
    assert world.left + world.turned == world.came == len(world.people)
