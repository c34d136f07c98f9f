"""Everybody who comes in a day, with all the luck that they will have, drawn before the day begins.

Nothing that happens changes a draw: the same seed gives two plans the same people, who arrive at the same second, want to stay as long and are
as quick in a lane. So two plans are compared on the same day, and the difference is the plans' (common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LUCK: Final = 2**31 - 1
MULTIPLIER: Final = 48271
"""The minimal standard generator (Park and Miller 1988, with the multiplier of 1993): luck · 48271^(i + 1) mod (2^31 - 1)."""


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
    """Walking speed when alone, m/s; a group's is one."""
    patience: Floats
    """How long they stay outside before they give up; a group's is one."""
    into: Floats
    """How long they take in a lane inward, as a multiple of the gate's mean; and outward."""
    out: Floats
    luck: Ints
    """From 1 to 2^31 - 2: what decides between one way and another (`chance`); a group's is one."""

    def __len__(self) -> int:
        return len(self.came)


def steps(n: int) -> list[int]:
    """What luck is multiplied with for the decisions 0 … n - 1."""
    return [pow(MULTIPLIER, i + 1, LUCK) for i in range(n)]


def chance(luck: int, step: int) -> float:
    """A number in (0, 1), always the same for one person and decision and independent between both. `step`: one of `steps`.

    Each thing that may be chosen has its own, so that one more thing to choose changes nobody's liking for the others.
    """
    return luck * step % LUCK / LUCK
