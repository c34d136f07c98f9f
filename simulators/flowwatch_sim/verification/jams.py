"""Jams that move and dissolve as the diagram says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flowwatch_sim.corridor import Corridor
from flowwatch_sim.verification.case import Case, about, case
from flowwatch_sim.walking import DIAGRAMS

WEIDMANN: Final = DIAGRAMS["weidmann"]


def tails() -> Case:
    """The far end of a corridor is closed."""
    found = []
    for density, speed in ((0.5, 0.1325), (1.0, 0.2405), (1.5, 0.3102)):
        corridor = Corridor(WEIDMANN, 200.0, 3.0)
        corridor.fill(density)
        corridor.open[:] = 0.0
        come = float(WEIDMANN.flow(density)) * 3.0
        corridor.advance(100.0, come)
        tail = float(corridor.tail(2 * density)[0])
        corridor.advance(300.0, come)
        found.append(about(f"at {density:g} persons/m², m/s", speed, (float(corridor.tail(2 * density)[0]) - tail) / 200.0, share=0.02))
    return case(
        "V10",
        "the end of a corridor of 200 m x 3 m is shut: how fast the tail of the queue moves back",
        "shock wave of Weidmann's diagram: q(k) / (5.4 - k)",
        "± 2 %",
        *found,
    )


def dissolving() -> Case:
    """A full corridor is let go."""
    found = []
    for width in (1.0, 4.0):
        corridor = Corridor(WEIDMANN, 100.0, width)
        corridor.fill(WEIDMANN.jam)
        corridor.open[:] = 0.0
        corridor.advance(60.0, 0.0)
        corridor.open[:] = 1.0
        corridor.advance(120.0, 0.0)
        left = float(corridor.left[0])
        corridor.advance(360.0, 0.0)
        found.append(about(f"{width:g} m wide, persons/s", 1.225 * width, (float(corridor.left[0]) - left) / 240.0, share=0.02))
    return case("V11", "a full corridor of 100 m is opened: how many leave it", "the diagram's densest flow", "± 2 %", *found)


CASES: Final[tuple[Callable[[], Case], ...]] = (tails, dissolving)
