"""Two rushes whose answers are known, lived through by both back-ends: V20 and V21.

A rush is told as curves (people who came to the gate, who passed it, who wait before it), and its figures come from the curves alone, by one function
for all: who waits is served first come first served, so a wait is how far the curves lie apart. `benchmarks/rushes.py` sets others beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.arrivals import mean_arrivals
from flowwatch_sim.demand import Stream
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.layout import Layout
from flowwatch_sim.people import Floats
from flowwatch_sim.verification.case import Case, about, case
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


def _case(rush: Rush, share: float) -> Case:
    figures_ = []
    for end, lived in (("fluid", in_fluid), ("persons", by_persons)):
        got = figures(lived(rush))
        figures_ += [about(f"{end}: {what}", expected, got[what], share=share) for what, expected in rush.expected.items()]
        figures_.append(about("lost", 0, got["lost"], within=1e-6))
    return case(rush.name, rush.what, "arithmetic of curves (Newell's queue)", f"± {share:.0%}", *figures_)


def before_a_narrow_gate() -> Case:
    """More come than a gate passes."""
    return _case(RUSHES[0], 0.01)


def before_a_shut_gate() -> Case:
    """A gate is shut for a while."""
    return _case(RUSHES[1], 0.02)


CASES: Final[tuple[Callable[[], Case], ...]] = (before_a_narrow_gate, before_a_shut_gate)
