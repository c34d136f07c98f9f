"""How people walk: alone, on stairs, in a crowd. RiMEA 1 to 8, IMO 1 to 3 and 5, NIST 1.1, 2.1, 2.2 and 2.4."""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np

from flowwatch_sim.links import Link
from flowwatch_sim.verification.case import SEED, Case, about, at_most, case
from flowwatch_sim.verification.sites import ENTRANCE, crowd, place, room
from flowwatch_sim.walking import DIAGRAMS, LEVEL, STAIRS_FLOW, STAIRS_SPEED, Diagram, free_speeds
from flowwatch_sim.world import Habits, World

WEIDMANN: Final = DIAGRAMS["weidmann"]
DENSITIES: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
LAB: Final = ((0.37, 1.49, 0.15), (1.28, 1.20, 0.07), (1.69, 1.04, 0.12), (2.33, 0.53, 0.15))
"""Density, mean speed and standard deviation where the runs in one direction have one."""


def corridor_time() -> Case:
    """40 m at 1.33 m/s."""
    got = walked(40.0, 1.33)
    return case("V2", "40 m along a corridor 2 m wide at 1.33 m/s", "RiMEA 1 (26 to 34 s)", "± 1 s", about("s", 30.1, got, within=1.0))


def corridor_time_slow() -> Case:
    """40 m at 1.0 m/s."""
    return case("V3", "40 m along a corridor 2 m wide at 1.0 m/s", "IMO 1", "± 1 s", about("s", 40.0, walked(40.0, 1.0), within=1.0))


def stairs() -> Case:
    """10 m of stairs, both ways."""
    up, down = (walked(10.0, 1.2, slope) for slope in ("up", "down"))
    figures = (about("up, s", 12.5, up, share=0.05), about("down, s", 10.0, down, share=0.05))
    return case(
        "V4", "10 m of stairs, by people who walk 1.2 m/s on the level", "IMO table 1.3 (0.8 and 1.0 m/s), RiMEA 2 and 3", "± 5 %", *figures
    )


def start_delays() -> Case:
    """Ten people who set out after 10 to 100 s."""
    delays = np.arange(10.0, 101.0, 10.0)
    world = World(room(100.0, exit=ENTRANCE._replace(entrance=False)), crowd(np.zeros(10), [[(0, s)] for s in delays], speed=1.0), _HABITS)
    world.advance(200.0)
    got = float(np.abs(world.left_at - 5.0 - delays).max())
    return case("V5", "10 people set out 10, 20 … 100 s after the start", "RiMEA 5, IMO 5", "1 s", at_most("greatest error, s", 1.0, got))


def speeds_drawn() -> Case:
    """The distribution of free speeds."""
    speeds = free_speeds(np.random.default_rng(SEED).random(10_000))
    outside = int(((speeds < 0.5) | (speeds > 2.2)).sum())
    figures = (about("mean, m/s", 1.34, float(speeds.mean()), within=0.01), about("outside", 0, outside))
    return case(
        "V6",
        "10,000 free speeds: normal 1.34 ± 0.26 within 0.5 to 2.2 m/s",
        "Weidmann 1993; RiMEA 7",
        "± 0.01 m/s; none outside",
        *figures,
    )


def weidmann() -> Case:
    """The formula of Weidmann, as written and as walked."""
    expected = [1.34 * (1 - exp(-1.913 * (1 / k - 1 / 5.4))) for k in DENSITIES]
    written = max(abs(v / e - 1) for v, e in zip(WEIDMANN.speed(DENSITIES).tolist(), expected, strict=True))
    walks = max(abs(crowded(WEIDMANN, k) / e - 1) for k, e in zip(DENSITIES, expected, strict=True) if k < 5)
    at, most = WEIDMANN.densest_flow()
    return case(
        "V7",
        "speed by density at 12 densities from 0.25 to 5 persons/m²; walked on 100 m x 10 m up to 4.5, where links are full",
        "Weidmann 1993: 1.34 (1 - exp(-1.913 (1/k - 1/5.4))); RiMEA 4",
        "± 1 %; ± 0.02 persons/m²",
        at_most("greatest error of the formula", 0.01, written),
        at_most("as walked", 0.01, walks),
        about("most persons/m/s", 1.225, most, share=0.01),
        about("at persons/m²", 1.75, at, within=0.02),
    )


def laboratory() -> Case:
    """The laboratory's diagram, as walked, against its own data."""
    figures = (about(f"at {k} persons/m², m/s", v, crowded(DIAGRAMS["lab"], k), within=2 * sd) for k, v, sd in LAB)
    return case(
        "V8",
        "preset `lab`: speed by density, walked on 100 m x 10 m",
        "Wuppertal and Jülich, one direction",
        "± 2 SD of the data",
        *figures,
    )


def imo() -> Case:
    """The planning code's table, and that nothing between its rows stands out."""
    diagram = DIAGRAMS["imo"]
    rows = {0.5: 1.2, 1.9: 0.67, 3.2: 0.20, 3.5: 0.10}
    error = max(abs(float(diagram.speed(k)) - v) for k, v in rows.items())
    rises = int((np.diff(diagram.speed(np.arange(0.0, 5.5, 0.01))) > 0).sum())
    stair = max(abs(1.2 * STAIRS_SPEED[s] - v) + abs(1.3 * STAIRS_FLOW[s] - f) for s, v, f in (("up", 0.8, 0.88), ("down", 1.0, 1.1)))
    return case(
        "V9",
        "preset `imo`: speed by density at the rows of the table, and between them; stairs",
        "IMO MSC.1/Circ.1533, tables 1.1 to 1.3 (its row for 3.5 and more is taken for 3.5, and led on to 0 at 5.4)",
        "exact; never rising",
        at_most("greatest error at a row, m/s", 1e-12, error),
        about("steps where it rises", 0, rises),
        at_most("greatest error on stairs", 1e-12, stair),
    )


def walked(metres: float, speed: float, slope: str = LEVEL) -> float:
    """Seconds that one person takes on a link 2 m wide."""
    here = place({"room": 100.0, "hall": 100.0}, {"entrance": ENTRANCE}, {"way": ("room", "hall", 2.0)})
    habits = Habits(WEIDMANN, lengths={"way": metres}, stairs={"way": slope})
    through, end = World(here, crowd(np.zeros(1), [[(1, 1e6)]], speed=speed), habits).advance(1000.0)
    return end.at - through.at


def crowded(diagram: Diagram, density: float) -> float:
    """Speed (m/s) of the first of a crowd of a density, all of whom walk as fast as the diagram says when alone."""
    metres, width = 100.0, 10.0
    corridor = Link(metres, width, diagram)
    for who in range(round(density * metres * width)):
        corridor.enter(who, 0, 0.0, float(diagram.speed(0.0)))
    return metres / corridor.through(0)


_HABITS: Final = Habits(WEIDMANN)
CASES: Final = (corridor_time, corridor_time_slow, stairs, start_delays, speeds_drawn, weidmann, laboratory, imo)
