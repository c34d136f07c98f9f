"""People an hour, by maximum likelihood: the weights at the middles of hours between which a scenario's rate runs straight.

A count is taken for Poisson with the mean that the scenario's own interpolation gives it, so that a peak's weight is not lowered by the slopes beside
it. Counts vary more than that (`variation`), which leaves the estimate right and only its error larger. The likelihood is climbed by
expectation and maximisation (Richardson 1972, Lucy 1974): weights stay positive, and each step is sure to climb.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from flowwatch_sim.people import Floats
from flowwatch_sim.rates import STEP_S

STEPS: Final = 400
"""Of expectation and maximisation; after 200 no hour of the tests changes by one in a thousand."""


def weights(people: Floats, days: Floats, slot_s: int) -> Floats:
    """(H,) persons an hour at the middle of each hour, from people (S,) in each slot of so many measured `days` (S,); NaN for hours without any.

    >>> weights(np.array([40.0, 40.0, 80.0, 80.0]), np.full(4, 2.0), 1800).round().tolist()
    [39.0, 81.0]
    """
    shape = interpolation(len(people), slot_s)
    offered = shape.T @ days
    known = offered > 1e-9
    w = np.full(shape.shape[1], max(float(people.sum()), 1e-9) / max(float(days.sum()), 1e-9))
    for _ in range(STEPS):
        mean = shape @ w
        ratio = np.divide(people, mean, out=np.zeros(len(people)), where=mean > 0)
        w = np.where(known, w * (shape.T @ ratio) / np.where(known, offered, 1.0), 0.0)
    return np.where(known, w * 3600 / slot_s, np.nan)


def interpolation(slots: int, slot_s: int) -> Floats:
    """(S, H) what weights of hours give each slot, as `rates.rates` runs between them; every row sums to 1."""
    hours = max(1, round(slots * slot_s / 3600))
    steps = max(1, round(slot_s / STEP_S))
    at = (np.arange(slots * steps) + 0.5) * slot_s / steps / 3600
    middles = np.arange(hours) + 0.5
    rows = np.stack([np.interp(at, middles, unit) for unit in np.eye(hours)], axis=1) if hours > 1 else np.ones((len(at), 1))
    return np.asarray(rows.reshape(slots, steps, hours).mean(axis=1))


def spread(w: Floats, slots: int, slot_s: int) -> Floats:
    """(S,) people that weights `w` (persons an hour) give each slot.

    Hours that are NaN lie between their neighbours, as those that a scenario leaves out do; before the first that is known and after the last
    nobody comes.
    """
    known = np.flatnonzero(~np.isnan(w))
    if not len(known):
        return np.zeros(slots)
    hour = (np.arange(slots) + 0.5) * slot_s / 3600
    filled = np.interp(np.arange(len(w)), known, w[known])
    there = (hour > known[0]) & (hour < known[-1] + 1)
    return np.where(there, interpolation(slots, slot_s) @ filled * slot_s / 3600, 0.0)
