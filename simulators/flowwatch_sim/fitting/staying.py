"""How long people stay, from who went in and who went out: the area under the cumulative difference, shared by those who came.

That area is what the mean time of going out lies after the mean time of going in, and written so it needs no count of those inside: a counter that
misses as many either way shifts neither. It holds for a place of which every way in and out is counted, and which is nearly empty when its day
begins and ends. A street has passers both ways and nobody stays in it, which no figure betrays: somebody must say that a place is enclosed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

from flowwatch_sim.fitting.days import Days
from flowwatch_sim.fitting.variation import Estimate

UNLIKE: Final = 0.2
"""In and out of a day may differ by this share, as counters miss people."""
EMPTY: Final = 0.1
"""Of the busiest hour's people, how many may go out in the first hour and come in in the last, of a place that empties; and half as many as may
come in in the first."""
COMPLETE: Final = 0.9
"""Of a day's slots, that must be measured."""
SURE: Final = 2.0
"""Standard errors that a stay must be away from 0."""


def stay_s(days: Days, counters: Sequence[int], *, enclosed: bool) -> Estimate | str:
    """Seconds that people who pass `counters` (by index) stay, on the average of days; or why it cannot be told.

    The reasons are "ways", "one_way", "holes", "unlike", "open" and "unsure" (`writing.WHY_NO_STAY` says them).
    """
    if not enclosed:
        return "ways"
    if not days.both_ways:
        return "one_way"
    middles = (np.arange(days.into.shape[2]) + 0.5) * days.slot_s
    per_hour, mine = 3600 // days.slot_s, list(counters)
    found: list[tuple[float, float]] = []
    why = "holes"
    for d in range(len(days.dates)):
        into, out = (people[mine, d].sum(axis=0).astype(float) for people in (days.into, days.out))
        if days.measured[mine, d].mean() < COMPLETE or not into.sum() or not out.sum():
            continue
        if abs(out.sum() / into.sum() - 1) > UNLIKE:
            why = "unlike"
            continue
        most = max(float(into.reshape(-1, per_hour).sum(axis=1).max()), float(out.reshape(-1, per_hour).sum(axis=1).max()))
        if max(into[:per_hour].sum() / 2, out[:per_hour].sum(), into[-per_hour:].sum()) > EMPTY * most:
            why = "open"
            continue
        went_in, went_out = (float((people * middles).sum() / people.sum()) for people in (into, out))
        scatter = sum(
            float((people * (middles - mean) ** 2).sum() / people.sum() ** 2) for people, mean in ((into, went_in), (out, went_out))
        )
        found.append((went_out - went_in, scatter))
    if not found:
        return why
    values = np.array([value for value, _ in found])
    error = float(values.std(ddof=1) / sqrt(len(values))) if len(values) > 1 else sqrt(found[0][1])
    mean = float(values.mean())
    return Estimate(mean, error) if mean > SURE * error else "unsure"
