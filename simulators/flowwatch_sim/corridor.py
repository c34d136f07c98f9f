"""A corridor as a row of cells, in which jams build up, move back and dissolve: the cell transmission model.

Between two cells pass as many people as the one can send and the other can take (Godunov's scheme for the equation of Lighthill, Whitham and
Richards; Daganzo 1994), so that jams move at the speed that their flows and densities give, (q2 - q1) / (k2 - k1), on any diagram. Worked out for one
corridor in any number of replicates at once; for how people walk between zones all day a fluid's legs are enough.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flowwatch_sim.capacity import Floats
from flowwatch_sim.walking import Diagram


class Corridor:
    """R corridors of one length (m) and width (m), in one direction, in cells of `cell_m`; all empty and open at first."""

    def __init__(self, diagram: Diagram, length_m: float, width_m: float, *, replicates: int = 1, cell_m: float = 1.0) -> None:
        cells = max(1, round(length_m / cell_m))
        self.diagram, self.width_m, self.cell_m = diagram, width_m, length_m / cells
        self.density: Floats = np.zeros((replicates, cells))
        """(R, cells) persons/m², from the near end to the far one."""
        self.open: Floats = np.ones(replicates)
        """(R,) the share of its width that is open at the far end; 0 is shut."""
        self.entered, self.left = np.zeros(replicates), np.zeros(replicates)
        """(R,) all who have come in and gone out, persons."""
        self.now = 0.0
        self._densest, self._most = diagram.densest_flow()
        self.longest_step_s = self.cell_m / float(np.max(diagram.speed(np.linspace(0.0, diagram.jam, 1000))))
        """In a step nobody walks farther than a cell (Courant's condition)."""

    @property
    def people(self) -> Floats:
        """(R,) persons in the corridor."""
        return np.asarray(self.density.sum(axis=1) * self.cell_m * self.width_m)

    def fill(self, density: npt.ArrayLike) -> None:
        """Set the density of all cells, persons/m²."""
        self.density[:] = density

    def step(self, step_s: float, comes: npt.ArrayLike = np.inf) -> Floats:
        """Let `step_s` seconds pass while `comes` persons/s want to come in (as many as can, if not given); gives (R,) persons who left.

        Raises ValueError for a step in which somebody would walk farther than a cell.
        """
        if not 0 < step_s <= self.longest_step_s * (1 + 1e-9):
            raise ValueError(f"found a step of {step_s:g} s, expected at most {self.longest_step_s:g} s for cells of {self.cell_m:g} m")
        send, take = self._send() * self.width_m, self._take() * self.width_m
        flow = np.empty((len(self.density), self.density.shape[1] + 1))
        flow[:, 0] = np.minimum(comes, take[:, 0])
        flow[:, 1:-1] = np.minimum(send[:, :-1], take[:, 1:])
        flow[:, -1] = np.minimum(send[:, -1], self._most * self.width_m * self.open)
        passed = flow * step_s
        self.density += (passed[:, :-1] - passed[:, 1:]) / (self.cell_m * self.width_m)
        self.entered += passed[:, 0]
        self.left += passed[:, -1]
        self.now += step_s
        return np.asarray(passed[:, -1])

    def advance(self, until: float, comes: npt.ArrayLike = np.inf) -> None:
        """Let time run to `until` (s) in steps that are as long as may be."""
        while self.now < until - 1e-9:
            self.step(min(self.longest_step_s, until - self.now), comes)

    def tail(self, density: float) -> Floats:
        """(R,) metres from the far end to where the density last passes `density` on the way there; 0 where no jam stands at the end."""
        denser = self.density > density
        cells = np.where(denser.all(axis=1), denser.shape[1], np.argmin(denser[:, ::-1], axis=1))
        before = np.take_along_axis(self.density, np.maximum(denser.shape[1] - cells - 1, 0)[:, None], axis=1)[:, 0]
        return np.asarray((cells + np.where(cells < denser.shape[1], np.minimum(before / density, 1.0) - 0.5, 0.0)).clip(0) * self.cell_m)

    def _send(self) -> Floats:
        """(R, cells) persons/m/s that each cell can send on: its flow, or the most there is once it is denser than that."""
        return np.where(self.density < self._densest, self.diagram.flow(self.density), self._most)

    def _take(self) -> Floats:
        """(R, cells) persons/m/s that each cell can take."""
        return np.where(self.density > self._densest, self.diagram.flow(self.density), self._most)
