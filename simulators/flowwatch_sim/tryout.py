"""Plans tried out on fluid days: what many of them come to on the same days, in seconds, to choose those that are worth days of persons.

All plans are screened side by side (`screening.py`), each on the same drawn arrivals. Counters are exact, people count by hand, gates obey: the
scenario's faults, disobedient gates and actions are left out, and nobody has luck. So a tryout ranks plans and says nothing of them by
itself: their peaks are those of a mean crowd, lower than the worst of real days (`search.py` allows for that, and confirms).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np

from flowwatch_sim.arrivals import Arrivals, drawn_arrivals
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.planned import Planned
from flowwatch_sim.screening import Routine, Screening

DAYS: Final = 8
"""Drawn days that each plan is tried on."""
STEP_S: Final = 10.0
"""A step of the fluid. On a National Day at Yuyuan peaks differ by 6 people, and waiting by 1 %, from those with 5 s."""
TICK_S: Final = 60.0
"""How often counters send and the engine decides."""
DECIMALS: Final = 3
"""Of what is kept: people and minutes to a thousandth."""


@dataclass(frozen=True, slots=True)
class Tryout:
    """What a plan came to, one figure a day."""

    queue_time: tuple[float, ...]
    """People-minutes waited outside."""
    turned_away: tuple[float, ...]
    """People who came and did not get in."""
    peaks: dict[str, tuple[float, ...]]
    """Zone -> most people at once."""

    def mean(self, measure: str) -> float:
        """The mean over the days of "queue_time", "turned_away" or "peak/<zone>"."""
        head, _, zone = measure.partition("/")
        return fmean({"queue_time": self.queue_time, "turned_away": self.turned_away}[head] if head != "peak" else self.peaks[zone])


def try_out(plans: Sequence[Planned], days: int = DAYS, seed: int = 1, advance: Callable[[float], None] = lambda _: None) -> list[Tryout]:
    """A tryout of each of several plans of one scenario, on the same days; `advance` hears the share of the work that was done since."""
    first = plans[0]
    drawn = drawn_arrivals(first.streams, len(first.layout.gates), days, seed)
    arrivals = Arrivals(np.tile(drawn.rate, (len(plans), 1, 1, 1)), drawn.step_s)
    fluid = Fluid(first.layout, first.streams, arrivals, first.habits, step_s=STEP_S)
    routine = Routine(tick_s=TICK_S, reaction_s=first.carry_out_s, answer_s=first.answer_s)
    own = [plan.loaded.site["plans"] for plan in plans for _ in range(days)]
    trial = Screening(first.loaded.site, fluid, first.start_us, routine, own)
    peak, queue = fluid.inside.copy(), np.zeros(fluid.replicates)
    while fluid.now < first.lasts_s - 1e-9:
        before = fluid.now
        trial.advance(min(before + TICK_S, first.lasts_s))
        passed_s = fluid.now - before
        peak = np.maximum(peak, fluid.inside)
        queue += fluid.outside.sum(axis=(1, 2)) * passed_s / 60.0
        advance(passed_s / first.lasts_s)
    fluid.close()
    return [_of(slice(k * days, (k + 1) * days), fluid, peak, queue) for k in range(len(plans))]


def _of(rows: slice, fluid: Fluid, peak: np.ndarray, queue: np.ndarray) -> Tryout:
    def kept(column: np.ndarray) -> tuple[float, ...]:
        return tuple(np.round(column[rows], DECIMALS).tolist())

    return Tryout(kept(queue), kept(fluid.turned), {zone: kept(peak[:, z]) for z, zone in enumerate(fluid.layout.zones)})
