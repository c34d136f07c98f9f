"""Two rushes whose answers are known, and people across a grid, lived through by both back-ends of the simulator.

V20 and V21 are the numbers of the design's cases. A rush is told as curves (people who came to the gate, who passed it, who wait before it), and its
figures come from the curves alone, by one function for all: who waits is served first come first served, so a wait is how far the curves lie apart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.arrivals import mean_arrivals
from flowwatch_sim.demand import Stream, people
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import Layout
from flowwatch_sim.people import Floats
from flowwatch_sim.verification.sites import FOR_GOOD, Door, crowd, place
from flowwatch_sim.walking import DIAGRAMS
from flowwatch_sim.world import Habits, World

PATIENT: Final = Habits(DIAGRAMS["imo"], reroute=0.0, balk=0.0, clearing_s=0.0)
LOOK_S: Final = 5.0
Curves = Mapping[str, Any]
"""times (s), came, passed, waiting: one entry a moment; lost: people who came and were not kept."""


@dataclass(frozen=True, slots=True)
class Rush:
    """People come at `come_per_s` until `come_s`; the gate is shut until `shut_s`, then passes `per_s`."""

    name: str
    what: str
    come_per_s: float
    come_s: float
    per_s: float
    shut_s: float
    lasts_s: float
    expected: Mapping[str, float]


RUSHES: Final = (
    Rush(
        "V20",
        "1,800 people/h for 1 h before a gate that passes 1,200/h",
        *(0.5, 3600.0, 1200 / 3600, 0.0, 9000.0),
        {"longest queue": 600.0, "empty after, s": 5400.0, "longest wait, s": 1800.0, "person-hours": 450.0},
    ),
    Rush(
        "V21",
        "0.5 people/s before a gate that is shut for 600 s and then passes 1/s",
        *(0.5, 3600.0, 1.0, 600.0, 3600.0),
        {"longest queue": 300.0, "empty after, s": 1200.0, "longest wait, s": 600.0, "mean wait of the delayed, s": 300.0},
    ),
)
GONE: Final = 1.5
"""A queue of fewer is none: somebody who has just come."""


def figures(curves: Curves) -> dict[str, float]:
    """What a rush came to."""
    times, came, passed, waiting = (np.asarray(curves[name], np.float64) for name in ("times", "came", "passed", "waiting"))
    longest = int(np.argmax(waiting))
    after = np.flatnonzero(waiting[longest:] <= GONE)
    gone = float(times[longest + after[0]]) if len(after) else float(times[-1])
    number = np.arange(0.5, min(passed[-1], np.interp(gone, times, came)), 1.0)
    waits = _when(number, passed, times) - _when(number, came, times) if gone else np.zeros(1)
    return {
        "longest queue": float(waiting.max()),
        "empty after, s": gone,
        "longest wait, s": float(waits.max()),
        "person-hours": float(((waiting[1:] + waiting[:-1]) / 2 * np.diff(times)).sum()) / 3600,
        "mean wait of the delayed, s": float(waits.mean()),
        "lost": float(curves["lost"]),
    }


def _when(number: Floats, total: Floats, times: Floats) -> Floats:
    """When each person of a growing total came."""
    return np.asarray(np.interp(number, total + np.arange(len(total)) * 1e-9, times))


def in_fluid(rush: Rush) -> Curves:
    """A rush as a fluid."""
    steps = np.where(np.arange(int(rush.lasts_s / 60)) * 60 < rush.come_s, rush.come_per_s * 60, 0.0)
    stream = Stream("rush", steps, 60.0, {0: 1.0}, {0: 0}, 1e6, group_excess=0.0, unrest=0.0, patience_s=1e12)
    here = room_with_gate(rush)
    fluid = Fluid(here, [stream], mean_arrivals([stream], len(here.gates)), PATIENT, step_s=LOOK_S)
    fluid.set_gate(0, Setting.parse("closed" if rush.shut_s else "in"))
    rows = [(0.0, 0.0, 0.0, 0.0)]
    while fluid.now < rush.lasts_s:
        if fluid.now == rush.shut_s:
            fluid.set_gate(0, Setting.parse("in"))
        fluid.step()
        rows.append((fluid.now, float(fluid.came[0]), float(fluid.entered[0, 0]), float(fluid.outside[0].sum())))
    return _curves(rows, float(abs(fluid.missing[0])))


def by_persons(rush: Rush) -> Curves:
    """A rush person by person."""
    came = np.arange(rush.come_per_s * rush.come_s) / rush.come_per_s
    world = World(room_with_gate(rush), crowd(came, [FOR_GOOD] * len(came), into=1.0), PATIENT)
    world.set_gate(0, Setting.parse("closed" if rush.shut_s else "in"), 0.0)
    rows = [(0.0, 0.0, 0.0, 0.0)]
    for now in np.arange(LOOK_S, rush.lasts_s + LOOK_S, LOOK_S).tolist():
        if now - LOOK_S == rush.shut_s:
            world.set_gate(0, Setting.parse("in"), now - LOOK_S)
        world.advance(now)
        rows.append((now, world.came, world.came - world.outside[0], world.outside[0]))
    nowhere = world.came - sum(world.outside) - world.walking - world.passing - world.present - world.left - world.turned
    return _curves(rows, abs(nowhere))


def _curves(rows: list[tuple[float, float, float, float]], lost: float) -> Curves:
    return dict(zip(("times", "came", "passed", "waiting"), zip(*rows, strict=True), strict=True)) | {"lost": lost}


def room_with_gate(rush: Rush) -> Layout:
    """A room behind one lane that passes what the rush says."""
    return place({"room": 1e6}, {"gate": Door("room", lanes=1, per_min=60 * rush.per_s, entrance=True)})


def job(rush: Rush, step_s: float, forecourt: tuple[float, float] | None, *, calibrated: bool = False) -> dict[str, Any]:
    """The same rush for PedNStream; `forecourt`: metres of the link behind which the gate stands, None for a gate at the origin."""
    rates = np.where(np.arange(int(rush.lasts_s / step_s)) * step_s < rush.come_s, rush.come_per_s, 0.0).tolist()
    told: dict[str, Any] = {"per_s": rush.per_s, "come_s": rush.come_s, "shut_s": rush.shut_s, "lasts_s": rush.lasts_s, "rates": rates}
    length, width = forecourt or (60.0, 20.0)
    told |= {"gate": "forecourt" if forecourt else "origin", "forecourt": {"length": length, "width": width}}
    return told | {"job": "rush", "step_s": step_s, "calibrated": calibrated}


# -- a grid -------------------------------------------------------------------------------------------------------------------------------


def grid(n: int) -> Layout:
    """n x n places of 400 m², joined by links of 20 m x 4 m; a wide way in at each place of the west side, a wide way out at each of the east."""
    zones = {f"z{r}-{c}": 400.0 for r in range(n) for c in range(n)}
    doors = {f"in-{r}": Door(f"z{r}-0", entrance=True) for r in range(n)} | {f"out-{r}": Door(f"z{r}-{n - 1}") for r in range(n)}
    east = {f"e{r}-{c}": (f"z{r}-{c}", f"z{r}-{c + 1}", 4.0) for r in range(n) for c in range(n - 1)}
    south = {f"s{r}-{c}": (f"z{r}-{c}", f"z{r + 1}-{c}", 4.0) for r in range(n - 1) for c in range(n)}
    return place(zones, doors, east | south)


def across(n: int, number: int, lasts_s: float, back_end: str, replicates: int = 1) -> dict[str, float]:
    """So many people from the west side to the east side: seconds to make it and to run it, and how many came and got there."""
    begin = time.perf_counter()
    here = grid(n)
    rate, west = np.full(int(lasts_s / 60), number * 60 / lasts_s), range(n)
    first = {gate: here.inner(gate) for gate in west}
    stream = Stream("walkers", rate, 60.0, dict.fromkeys(west, 1.0), first, 1.0, 1.0, group_excess=0.0, unrest=0.0, patience_s=1e12)
    run: World | Fluid
    if back_end == "fluid":
        run = Fluid(here, [stream], mean_arrivals([stream], len(here.gates), replicates), PATIENT)
        for gate in range(2 * n):
            run.set_gate(gate, Setting.parse("in" if gate < n else "out"))
    else:
        run = World(here, people([stream], 1), PATIENT)
        for gate in range(n, 2 * n):
            run.set_gate(gate, Setting.parse("out"), 0.0)
    made = time.perf_counter()
    run.advance(lasts_s)
    took = time.perf_counter() - made
    came, left = (run.came, run.left) if isinstance(run, World) else (run.came[0], run.left[0])
    return {"made_s": made - begin, "took_s": took, "links": 2.0 * len(here.links), "came": float(came), "arrived": float(left)}
