"""Where luck comes from: a generator of its own for every purpose, so that what is drawn for one never changes what is drawn for another.

Streams of people draw from `[seed, number of the stream, purpose]` (`demand.py`); everything else draws here.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What is drawn for."""

    COUNTING = 1
    """Whom a turnstile misses or counts twice."""
    SEEING = 2
    """How far off a camera is."""
    SENDING = 3
    """When messages arrive."""
    ANSWERS = 4
    """What operators say to questions."""
    HAND_COUNTS = 5
    """How far off people are who count by hand."""
    SHIFTS = 6
    """When the sites of a city begin their day."""


def generator(seed: int, purpose: Purpose, *which: int) -> np.random.Generator:
    """The generator of one purpose, and of one of several things of that purpose."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, *which)))
