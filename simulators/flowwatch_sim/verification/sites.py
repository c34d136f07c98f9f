"""The small places and crowds that the cases are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.people import LUCK, Floats, People
from flowwatch_sim.verification.case import SEED
from flowwatch_sim.walking import Diagram
from flowwatch_sim.world import Habits, World

Stay = tuple[int, float]
FOR_GOOD: Final[list[Stay]] = [(0, 1e7)]
"""The stay of somebody who does not go home while anybody looks."""


class Door(NamedTuple):
    """A gate from the street."""

    to: str
    width: float = 1e6
    """Metres."""
    lanes: int = 1000
    per_min: float = 60.0
    """Persons/min that a lane passes."""
    entrance: bool = False
    """Whether it leads in only."""


ENTRANCE: Final = Door("room", entrance=True)
"""A way in that holds up nobody whose time in a lane is 0."""


def place(zones: Mapping[str, float], doors: Mapping[str, Door], links: Mapping[str, tuple[str, str, float]] | None = None) -> Layout:
    """A layout of zones (m²), doors, and links (from, to, metres wide)."""
    return layout(
        {
            "zones": [{"zone": zone, "area_m2": area, "inside": None} for zone, area in zones.items()],
            "gates": [
                {
                    "gate": name,
                    "from": "outside",
                    "to": door.to,
                    "lanes": door.lanes,
                    "lane_per_min": door.per_min,
                    "width_m": door.width,
                    "entrance_only": door.entrance,
                }
                for name, door in doors.items()
            ],
            "links": [{"link": name, "from": a, "to": b, "width_m": width} for name, (a, b, width) in (links or {}).items()],
        }
    )


def room(area: float, **exits: Door) -> Layout:
    """One zone with an entrance, gate 0, that holds up nobody, and exits."""
    return place({"room": area}, {"entrance": ENTRANCE, **exits})


def crowd(
    came: Floats,
    stays: Sequence[list[Stay]] | None = None,
    *,
    gate: int = 0,
    speed: float = 1.34,
    into: float | Floats = 0.0,
    seed: int = SEED,
) -> People:
    """People alike, who come to one gate at moments in ascending order, never give up, and take no time in a lane outward.

    `stays`: what each wants to see; without it, they set out for home at once.
    """
    n = len(came)
    return People(
        came=came,
        stream=np.zeros(n, np.int64),
        gate=np.full(n, gate),
        stays=list(stays) if stays is not None else [[]] * n,
        speed=np.full(n, speed),
        patience=np.full(n, np.inf),
        into=np.broadcast_to(np.asarray(into, np.float64), n).copy(),
        out=np.zeros(n),
        luck=np.random.default_rng(seed).integers(1, LUCK, n),
    )


def everybody(n: int, *, speed: float = 1.34, seed: int = SEED) -> People:
    """People who are all inside at the start and set out for home at once, through exits that have no lanes to wait for."""
    return crowd(np.zeros(n), speed=speed, seed=seed)


def led_out(here: Layout, people: People, diagram: Diagram) -> World:
    """A day at whose start every gate that is not an entrance only leads out; who finds an entrance shut waits."""
    world = World(here, people, Habits(diagram, clearing_s=0.0, balk=0.0, reroute=0.0))
    for gate, entrance in enumerate(here.entrance_only):
        if not entrance:
            world.set_gate(gate, Setting.parse("out"), 0.0)
    return world


def outflow(world: World) -> float:
    """Persons/s of those who have left, from the first to the last."""
    left = np.sort(world.left_at[np.isfinite(world.left_at)])
    return float((len(left) - 1) / (left[-1] - left[0]))


def lost(world: World) -> int:
    """People who came and are nowhere."""
    return world.came - sum(world.outside) - world.walking - world.passing - world.present - world.left - world.turned
