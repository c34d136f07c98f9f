"""Counts of simulated days of a fitted demand, to hold beside the archive's: the same streams, rates and draws as in a scenario's day.

Who comes is drawn as `demand.people` draws it, without what happens to anybody afterwards.
"""

from __future__ import annotations

import numpy as np

from flowwatch_sim.demand import Stream, chosen_gates, gaps, generators, group_sizes, group_times
from flowwatch_sim.fitting.fit import Fit, Fitted
from flowwatch_sim.fitting.writing import groups_of, said, unrest_of
from flowwatch_sim.people import Ints
from flowwatch_sim.rates import STEP_S, rates
from flowwatch_sim.scenario import DayKind


def stream_of(fit: Fit, fitted: Fitted, kind: DayKind | None) -> Stream:
    """A fitted stream as days are drawn from it; its gates are numbered in the order of its entrances."""
    rate = rates(said(fit, fitted, kind), fit.days.begins, fit.days.hours * 3600.0)
    entrances = {i: people for i, people in enumerate(fitted.entrances.values()) if people > 0}
    return Stream(
        name=fitted.name,
        rate=rate,
        step_s=STEP_S,
        entrances=entrances,
        first=dict.fromkeys(entrances, 0),
        stay_s=3600.0,
        group_excess=groups_of(fitted),
        unrest=unrest_of(fitted),
        turns_s=fitted.turns_s,
    )


def counts(stream: Stream, gates: int, number: int, seed: int, slot_s: int) -> Ints:
    """(gates, S) people who come to each gate in each slot of one day."""
    random = generators(seed, number)
    times = group_times(stream, random)
    sizes = group_sizes(stream.group_excess, len(times), random["sizes"])
    gate = np.repeat(chosen_gates(stream, len(times), random["gates"]), sizes)
    slots = round(len(stream.rate) * stream.step_s / slot_s)
    slot = ((np.repeat(times, sizes) + gaps(sizes)) // slot_s).astype(np.int64)
    inside = slot < slots
    return np.bincount(gate[inside] * slots + slot[inside], minlength=gates * slots).reshape(gates, slots)
