"""How fast people walk in a crowd: fundamental diagrams, speed (m/s) by density (persons/m²), and what passes a width.

    weidmann      Weidmann 1993: 1.34 (1 - exp(-1.913 (1/k - 1/5.4))); most 1.225 persons/m/s at 1.75 persons/m²
    imo           IMO MSC.1/Circ.1533, table 1.1, linear between its rows: a planning code
    lab           laboratory runs in one direction (Wuppertal and Jülich): young people in a hurry, 20-30 % faster

A line that people queue at, such as a door, passes `specific_flow` persons/m/s: 1.3 by the code (IMO table 1.2), 2.02 in laboratories. A length
that people walk passes no more than its diagram has room for, which is a little less. A diagram is a setting of a site, because students, families
and steps differ more than models do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FINE: Final = 100
"""Steps of a person/m² in which speeds are looked up."""
FREE_SPEED: Final = (1.34, 0.26, 0.5, 2.2)
"""Mean and standard deviation of the speed that people choose when they are alone, and the least and the most (Weidmann 1993), m/s."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """One fundamental diagram."""

    name: str
    nodes: tuple[tuple[float, float], ...]
    """(density, speed), ascending by density, down to 0 at the jam; none: the formula of Weidmann."""
    jam: float
    """Density at which nobody walks, persons/m²."""
    specific_flow: float
    """What a width passes while people queue at it, persons/m/s."""

    def speed(self, density: npt.ArrayLike) -> Floats:
        """Walking speed in m/s at a density in persons/m²; 0 from the jam on.

        >>> DIAGRAMS["weidmann"].speed([0.5, 2.0]).round(3).tolist()
        [1.298, 0.606]
        """
        k = np.asarray(density, np.float64)
        if not self.nodes:
            return np.asarray(np.clip(1.34 * -np.expm1(-1.913 * (1 / np.maximum(k, 1e-6) - 1 / self.jam)), 0.0, 1.34))
        at, speeds = zip(*self.nodes, strict=True)
        return np.asarray(np.interp(k, at, speeds))

    def shares(self) -> list[float]:
        """The speed at every density of 0, 1, 2 … / `FINE` persons/m², as a share of that of people alone; 0 at and beyond its end.

        What a person's own speed is multiplied with, to be looked up by `int(density * FINE)`.
        """
        k = np.arange(round(self.jam * FINE) + 1) / FINE
        return [*(self.speed(k) / self.speed(0.0)).tolist(), 0.0]

    def flow(self, density: npt.ArrayLike) -> Floats:
        """Persons/m/s that pass at a density."""
        return np.asarray(density, np.float64) * self.speed(density)

    def densest_flow(self) -> tuple[float, float]:
        """(density, persons/m/s) where most pass; found on a grid of 1/1000 person/m²."""
        k = np.arange(1, round(self.jam * 1000)) / 1000
        q = self.flow(k)
        best = int(q.argmax())
        return float(k[best]), float(q[best])

    def receives(self) -> list[float]:
        """Persons/m/s that a length takes in at every density of 0, 1, 2 … / `FINE` persons/m²; 0 at and beyond its end.

        As many as can ever pass while people flow freely, and only as many as move on where it is denser (what a cell receives in the cell
        transmission model, Daganzo 1994). So a corridor that people queue before fills up to its densest flow and stays there.
        """
        k = np.arange(round(self.jam * FINE) + 1) / FINE
        at, most = self.densest_flow()
        return [*np.minimum(np.where(k <= at, most, self.flow(k)), self.specific_flow).tolist(), 0.0]


_IMO: Final = ((0.0, 1.2), (0.5, 1.2), (1.9, 0.67), (3.2, 0.2), (3.5, 0.1), (5.4, 0.0))
_LAB: Final = (
    *((0.0, 1.49), (0.37, 1.49), (0.65, 1.42), (1.28, 1.20), (1.69, 1.04)),
    *((2.33, 0.53), (2.68, 0.39), (3.24, 0.22), (3.68, 0.16), (5.4, 0.0)),
)

DIAGRAMS: Final = {
    "weidmann": Diagram("weidmann", (), 5.4, 1.3),
    "imo": Diagram("imo", _IMO, 5.4, 1.3),
    "lab": Diagram("lab", _LAB, 5.4, 2.02),
}
"""`imo` ends where its table does, with 0.1 m/s at 3.5 persons/m², and is led on to nothing at Weidmann's jam. The flow of `lab` is the slope
that lies in the bands of Seyfried 2009, EG 2006 and AO 2009 from 1 to 5 m."""
LEVEL: Final = "level"
STAIRS_SPEED: Final = {LEVEL: 1.0, "up": 0.8 / 1.2, "down": 1.0 / 1.2}
"""Speed on stairs as a share of that on the level (IMO table 1.3: 0.8 and 1.0 m/s, where the level has 1.2)."""
STAIRS_FLOW: Final = {LEVEL: 1.0, "up": 0.88 / 1.3, "down": 1.1 / 1.3}
"""What stairs pass as a share of what the level does (IMO table 1.2: 0.88 and 1.1 persons/m/s, where the level has 1.3)."""
BACK: Final = {LEVEL: LEVEL, "up": "down", "down": "up"}
"""Stairs as they are the other way."""


def free_speeds(uniforms: Sequence[float] | Floats) -> Floats:
    """Speeds that people choose when alone (m/s), one for each number in (0, 1): a normal distribution cut at its least and most."""
    mean, sd, least, most = FREE_SPEED
    normal = NormalDist(mean, sd)
    low, high = normal.cdf(least), normal.cdf(most)
    return np.array([normal.inv_cdf(low + u * (high - low)) for u in np.asarray(uniforms, np.float64).tolist()])
