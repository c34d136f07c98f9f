"""Everybody who comes in a day, with all the luck that they will have, drawn before the day begins.

Nothing that happens changes a draw: the same seed gives two plans the same people, who arrive at the same second, want to stay as long and are
as quick in a lane. So two plans are compared on the same day, and the difference is the plans' (common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class People:
    """One entry a person, sorted by arrival; times in seconds from the start of the scenario."""

    came: Floats
    stream: Ints
    """The stream of demand that they belong to."""
    gate: Ints
    """The entrance that they come to."""
    stays: list[list[tuple[int, float]]]
    """The zones that they want to see, with the time that they want to spend there; a group's are one list."""
    speed: Floats
    """Walking speed when alone, m/s."""
    patience: Floats
    """How long they wait outside before they give up."""
    into: Floats
    """How long they take in a lane inward, as a multiple of the gate's mean; and outward."""
    out: Floats
    luck: Floats
    """(n, 3) in [0, 1): where to go when the entrance is shut, which exit to take, and the next one if that is shut."""

    def __len__(self) -> int:
        return len(self.came)
