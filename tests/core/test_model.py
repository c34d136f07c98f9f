"""The engine does what the rules in words say: it and a model in plain Python agree at every tick, whatever the plan and the day."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.model import Model
from tests.core.world import T0, bodies, counter, declare, delta, gate, link, play, recount, site, stage, term, tick, zone

PLACES: list[dict[str, Any]] = [
    {"gate": "g0", "link": None},
    {"gate": "g1", "link": None},
    {"gate": None, "link": "to-bridge"},
    {"gate": None, "link": "to-hall"},
]
ZONES = ["mall", "bridge", "hall"]
MEASURES = ["occupancy_lower", "occupancy", "occupancy_upper"]


@st.composite
def terms(draw: st.DrawFn) -> dict[str, Any]:
    enter = draw(st.integers(1, 60))
    measure, clear_measure = draw(st.sampled_from(MEASURES)), draw(st.sampled_from(MEASURES))
    changes = {"zone": draw(st.sampled_from([*ZONES, "site"])), "measure": measure, "clear_measure": clear_measure}
    return term(enter, draw(st.integers(0, enter - 1)), hold_us=draw(st.sampled_from([0, 0, 3, 30, 90])) * SECOND, **changes)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, Any]:
    """Two outer zones and one within, whose four passages are counted, under a plan of two to five stages."""
    every = st.sampled_from([1, 10, 40])
    counters = [
        counter(
            f"c{i}",
            every_us=draw(every) * SECOND,
            swapped=draw(st.booleans()),
            error_ppm=draw(st.sampled_from([0, 5000, 200_000])),
            **place,
        )
        for i, place in enumerate(PLACES)
    ]
    stages = [stage("calm")]
    for rank in range(1, draw(st.integers(2, 5))):
        conditions = draw(st.lists(terms(), min_size=1, max_size=3, unique_by=lambda t: (t["zone"], t["measure"])))
        dwell = draw(st.sampled_from([1, 10, 60, 600])) * SECOND
        stages.append(stage(f"stage-{rank}", conditions, dwell, gates={"g1": draw(st.sampled_from(["out", "both"]))}))
    return site(
        stages=stages,
        zones=[zone("mall"), zone("hall"), zone("bridge", inside="mall")],
        gates=[gate("g0"), gate("g1", to="hall")],
        links=[link("to-bridge", "mall", "bridge"), link("to-hall", "mall", "hall")],
        counters=counters,
    )


passages = st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 7, 50]), st.integers(0, 25), st.integers(0, 25))
"""Counter, age in seconds, in, out."""
Step = tuple[int, list[tuple[int, int, int, int]], dict[str, int]]
"""Seconds since the last tick, passages, and people counted by hand at this tick by zone (then nobody passes)."""


def steps() -> st.SearchStrategy[Step]:
    waits = st.sampled_from([1, 1, 1, 2, 5, 20, 60, 61, 200])
    quiet: st.SearchStrategy[dict[str, int]] = st.just({})
    moving = st.tuples(waits, st.lists(passages, max_size=6), quiet)
    counting = st.tuples(
        waits, st.builds(list[tuple[int, int, int, int]]), st.dictionaries(st.sampled_from(ZONES), st.integers(0, 70), min_size=1)
    )
    return st.one_of(moving, moving, moving, counting)


@settings(max_examples=120)
@given(sites(), st.lists(steps(), min_size=5, max_size=50))
def test_the_engine_and_the_model_agree_on_stages_gates_incidents_and_minutes(document: dict[str, Any], day: list[Step]) -> None:
    engine, model = Engine("p00"), Model(document, T0)
    names = [s["stage"] for s in document["plans"][0]["stages"]]
    at, offset, ordinal = T0, 0, 0
    open_now: set[tuple[str, str]] = set()
    modes: dict[str, str] = {}
    rows = [declare(document), tick(T0)]
    model.tick(T0, [], {})
    for wait, moves, counts in [(0, [], {}), *day]:
        if wait:
            at += wait * SECOND
            readings = [(c, at - age * SECOND, come, gone) for c, age, come, gone in moves]
            rows = [delta(when, come, gone, c, ordinal=ordinal + i) for i, (c, when, come, gone) in enumerate(readings)]
            rows += [recount(at, n, z) for z, n in counts.items()]
            rows.append(tick(at))
            model.tick(at, readings, counts)
            ordinal += len(readings)
        made = play(rows, engine=engine, first=offset)
        offset += len(rows)
        for body in bodies(made.entries, "incident"):
            key = (body["what"], body["subject"])
            if body["what"] == "stage":
                open_now = {k for k in open_now if k[0] != "stage"}
            open_now = open_now - {key} if body["state"] == "cleared" else open_now | {key}
        for body in bodies(made.entries, "command"):
            modes[body["gate"]] = body["mode"]
        assert engine.standings["yu"].stages["yu"] == names[model.rank]
        assert open_now == model.open
        assert modes == document["plans"][0]["stages"][model.rank]["gates"]
        figures = model.figures()
        for estimate in made.estimates:
            body = json.loads(estimate.body)
            assert body["stage"] == names[model.rank]
            for name, told in body["zones"].items():
                inside, lower, upper, known = figures[name]
                assert (told["inside_m"], told["lower_m"], told["upper_m"]) == (inside, lower, upper if known else None)
                assert told["known"] == known
                if name != "site":
                    held = model.zones[name]
                    assert (told["raw_m"], told["in"], told["out"]) == (held.raw, held.people_in, held.people_out)
                    assert told["silent"] == [f"c{i}" for i, c in enumerate(model.counters) if c.silent and name in c.steps]
                    held.people_in = held.people_out = 0
