"""How many people a stream brings when: its people spread over its hours, times its shocks."""

from __future__ import annotations

from typing import Final

import numpy as np

from flowwatch.documents.words import duration_us
from flowwatch_sim import scenario as language
from flowwatch_sim.people import Floats

STEP_S: Final = 60.0
STREET: Final = (1.9, 3.5, 5.2, 7.1, 8.8, 9.5, 9.9, 9.6, 9.0, 7.4, 6.4, 5.2, 3.7)
"""Share of a day's people in each hour from 8 to 20 o'clock: streets of Melbourne, 94 sensors."""
STREET_FROM: Final = 8


def rates(said: language.Stream, begins: float, lasts_s: float) -> Floats:
    """People who come in each step of `STEP_S`, on the average: the stream's people spread over its hours, times its shocks."""
    steps = int(np.ceil(lasts_s / STEP_S))
    hour = begins + (np.arange(steps) + 0.5) * STEP_S / 3600
    if said.hours:
        table = sorted((int(h), float(w)) for h, w in said.hours.items())
        at, weight = np.array([h + 0.5 for h, _ in table]), np.array([w for _, w in table])
        shape = np.interp(hour, at, weight, left=0.0, right=0.0) if len(table) > 1 else (np.abs(hour - at[0]) < 0.5) * weight[0]
        shape = np.where((hour >= table[0][0]) & (hour <= table[-1][0] + 1), np.maximum(shape, _ends(hour, at, weight)), 0.0)
    elif said.template is language.Template.STREET:
        shape = np.interp(hour % 24, STREET_FROM + 0.5 + np.arange(len(STREET)), STREET, left=0.5, right=1.0)
    else:
        shape = np.ones(steps)
    if not shape.sum():
        return np.zeros(steps)
    rate = said.people * shape / shape.sum()
    for shock in said.shocks:
        since, until = duration_us(shock.at) / 1e6, (duration_us(shock.at) + duration_us(shock.lasts)) / 1e6
        middle = (np.arange(steps) + 0.5) * STEP_S
        rate = np.where((middle >= since) & (middle < until), rate * shock.factor, rate)
    return np.asarray(rate, np.float64)


def _ends(hour: Floats, at: Floats, weight: Floats) -> Floats:
    """The first and last half hour have the weight of their hour."""
    return np.where(hour < at[0], weight[0], np.where(hour > at[-1], weight[-1], 0.0))
