"""Plans in the loop: a hall that closes at a bar and opens below another, decided by the production engine, for fluids and for persons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np

from flowwatch.documents import Loaded, Source, compile_sources
from flowwatch.documents.load import read_document
from flowwatch_sim.arrivals import mean_arrivals
from flowwatch_sim.demand import Stream
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.layout import layout
from flowwatch_sim.planned import planned
from flowwatch_sim.scenario import Scenario
from flowwatch_sim.screening import Routine, Screening
from flowwatch_sim.verification.case import SEED, Case, about, at_least, at_most, case
from flowwatch_sim.walking import Diagram
from flowwatch_sim.world import Habits

COME: Final = 2.0
"""People a second."""
STAY_S: Final = 7200.0
BAR, CLEAR = 1500, 1400
LAGS: Final = (30.0, 60.0, 120.0, 300.0)
"""Seconds from the plan's stage to the shut entrance."""
FREE: Final = Diagram("air", ((0.0, 1.34), (1000.0, 1.34)), 1000.0, 1.3)
"""Nobody is in anybody's way."""
START: Final = int(datetime(2026, 3, 4, 1, tzinfo=UTC).timestamp() * 1e6)
DWELL_MIN: Final = 15
HOURS: Final = 2
SITE: Final = """
site: hall
title: {zh: 厅, en: Hall}
time_zone: Asia/Shanghai
egress_min_per_min: 100
zones:
  hall: {title: {zh: 厅, en: Hall}, area_m2: AREA, capacity: 1500}
gates:
  entrance: {title: {zh: 入口, en: Entrance}, to: hall, lanes: 20, lane_per_min: 30, width_m: 20, entrance_only: true}
  exit: {title: {zh: 出口, en: Exit}, to: hall, lanes: 20, lane_per_min: 30, width_m: 20}
counters:
  count-in: {gate: entrance, counts: delta, every: 1s, error: 0.0001}
  count-out: {gate: exit, counts: delta, every: 1s, error: 0.0001}
"""
PLAN: Final = """
plan: hall
site: hall
title: {zh: 厅, en: Hall}
basis: {zh: 试, en: A test}
stages:
  - stage: open
    title: {zh: 开, en: Open}
    gates: {entrance: in, exit: out}
  - stage: full
    title: {zh: 满, en: Full}
    level: II
    when: {any: [{zone: hall, measure: occupancy, enter: 1500, clear: 1400, hold: 0s, clear_measure: occupancy}]}
    dwell: DWELL
    confirm: {fall: {by: automatic}}
    gates: {entrance: closed, exit: out}
"""
DAY: Final = f"""
scenario: hall
title: {{zh: 厅, en: Hall}}
site: hall
starts: 2026-03-04 09:00
lasts: {HOURS}h
sensing: perfect
crowd: {{reroute: 0, balk: 1, clearing: 0s}}
streams: [{{stream: visitors, people: {round(COME * HOURS * 3600)}, template: even, stay: 2h, shape: 1, groups: 0, unrest: 0}}]
operators: {{carry_out: 10s}}
"""


@cache
def hall(dwell: str, area_m2: int = 4) -> Loaded:
    """A hall, of no size for a fluid, that closes at 1,500 and opens below 1,400, `dwell` after it closed at the earliest."""
    return compile_sources(
        Source("hall.yaml", SITE.replace("AREA", str(area_m2)).encode()), [Source("plan.yaml", PLAN.replace("DWELL", dwell).encode())]
    )


def screened(dwell: str, routine: Routine, replicates: int, step_s: float = 1.0) -> Screening:
    """The hall as a fluid, whose mean is the answer."""
    record = hall(dwell).site
    streams = [
        Stream("visitors", np.full(1440, COME * 60), 60.0, {0: 1.0}, {0: 0}, STAY_S, 1.0, group_excess=0.0, unrest=0.0, patience_s=1e12)
    ]
    habits = Habits(FREE, reroute=0.0, balk=1.0, clearing_s=0.0)
    return Screening(record, Fluid(layout(record), streams, mean_arrivals(streams, 2, replicates), habits, step_s=step_s), START, routine)


def closing() -> Case:
    """The engine closes the hall at its bar and opens it again."""
    trial = screened("10s", Routine(tick_s=1.0, reaction_s=60.0, recount_s=600.0), 1)
    peak = 0.0
    while trial.fluid.now < 1900.0:
        trial.advance(trial.fluid.now + 1.0)
        peak = max(peak, float(trial.fluid.present[0]))
    (_, _, _, _), (closed, _, _, _), (again, _, _, _) = trial.transitions
    return case(
        "V25",
        "2 people/s who stay 2 h; closed at 1,500 and open again below 1,400, 60 s later each time; the engine decides every second about a fluid",
        "differential equation of filling and emptying; persons: tests/simulators/test_fluid.py, 20 runs within 2 %",
        "± 1 %; the last one besides 5 s, in which one person more or less is gone: counters count whole ones",
        about("at the bar after s", 792.0, closed, share=0.01),
        about("peak", 1607.0, peak, share=0.01),
        about("closed for s", 993.0, again - (closed + 60.0), share=0.01, within=5.0),
    )


def late() -> Case:
    """The later the entrance closes, the more are inside."""
    trial = screened("10s", Routine(tick_s=2.0, reaction_s=np.array(LAGS), recount_s=600.0), len(LAGS))
    peak = np.zeros(len(LAGS))
    while trial.fluid.now < 1300.0:
        trial.advance(trial.fluid.now + 2.0)
        peak = np.maximum(peak, trial.fluid.present)
    expected = (54.0, 107.0, 213.0, 527.0)
    over = [about(f"{lag:g} s late", e, p - BAR, share=0.03, within=2 * COME) for lag, e, p in zip(LAGS, expected, peak, strict=True)]
    return case(
        "V26",
        "the same hall: people above the bar, by how late the entrance closes; the engine decides every 2 s",
        "(2 - N / 7,200) people/s times the lag",
        "± 3 % and what comes in a tick; rising",
        *over,
        at_least("least step from one lag to the next", 1.0, float(np.diff(peak).min())),
    )


def chatter() -> Case:
    """Gates do not flutter, however near the bar people are."""
    limit = HOURS * 60 / DWELL_MIN + 1
    trial = screened(f"{DWELL_MIN}m", Routine(tick_s=10.0, reaction_s=0.0), 1, step_s=5.0)
    trial.advance(HOURS * 3600.0)
    fluid = [at for at, _, _, stage in trial.transitions if stage == "full"]
    day = planned(read_document(Source("hall", DAY.encode()), Scenario, {}), hall(f"{DWELL_MIN}m", 4000))
    days = Laboratory(day, [SEED, SEED + 1]).run()
    closed = [[at for at, _, stage in lived.stages if stage == "full"] for lived in days]
    opened = [[at for at, _, stage in lived.stages[1:] if stage == "open"] for lived in days]
    shortest = min(b - a for mine, theirs in zip(closed, opened, strict=True) for a, b in zip(mine, theirs, strict=False))
    return case(
        "V27",
        f"the same hall for {HOURS} h, with a dwell of {DWELL_MIN} min: how often it closes; fluid, and persons on 2 days",
        "hysteresis and dwell: at most T / H + 1 times, each for H at least",
        "one-sided",
        at_most("fluid: times closed", limit, len(fluid)),
        at_most("persons: times closed, most", limit, max(map(len, closed))),
        at_least("persons: times closed, least", 2, min(map(len, closed))),
        at_least("persons: shortest time closed, min", DWELL_MIN, shortest / 60),
    )


SLOW: Final[tuple[Callable[[], Case], ...]] = (closing, chatter)
CASES: Final = (closing, late, chatter)
