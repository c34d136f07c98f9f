"""The rushes of the verification as a rival is asked for them, and people across a grid, lived through by both back-ends of the simulator."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.arrivals import mean_arrivals
from flowwatch_sim.demand import Stream, people
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import Layout
from flowwatch_sim.verification.rushes import PATIENT, RUSHES, Rush, by_persons, figures, in_fluid
from flowwatch_sim.verification.sites import Door, place
from flowwatch_sim.world import World

__all__ = ["RUSHES", "Rush", "across", "by_persons", "figures", "in_fluid", "job"]


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
