"""What plans cost: one tick of many sites whose plans have five stages and conditions of every kind.

    python -m benchmarks.plans [--most-sites 10_000] [--write] [sites conditions events]

A tick is measured by itself, on an engine that has run for two minutes: the plans' own part (`Measures.at` and `Plans.decide`, that is
all conditions, holds, dwells and questions), and the whole of `Engine.advance` with nothing new and with 20,000 readings. Sites have four
gates with a counter each, a main plan of five stages, and by default ten conditions in it: six on people (their number, the edges and the
width of the band, in a zone and in the site), one each on passers, the hour, the kind of day and silent counters. Nothing rises or falls
meanwhile; what it costs when everything does at once is the table of events. The median of five ticks; the aim is 100 ms for 10,000 sites.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks import measure
from benchmarks.measure import apart, say, table, verdict
from benchmarks.workload import GATES, MOST, SECOND_US, START_US, Shape
from flowwatch.core.engine import Engine
from flowwatch.core.readings import ABSENT, Block, Kind

SITES: Final = (100, 1_000, 10_000)
CONDITIONS: Final = (1, 3, 10, 30)
USUAL: Final = 10
STAGES: Final = 5
READINGS: Final = 20_000
"""In the tick that has any: what 10,000 sites send in a second."""
WARM_S: Final = 120
TICKS: Final = 5
AIM_MS: Final = 100.0
INSIDE: Final = 4_000
Record = dict[str, Any]


def leaf(n: int, rank: int) -> Record:
    """Condition number `n` of a plan, in its stage `rank`: kinds in turn, none of which comes on by what this benchmark counts."""
    bar = 10_000 + 1_000 * rank
    bars = {"enter_m": bar * 1000, "clear_m": (bar - 500) * 1000, "enter": f"{bar}", "clear": f"{bar - 500}", "hold_us": 30 * SECOND_US}
    sources = ("occupancy", "occupancy_upper", "band_width", "occupancy_lower")
    match n % USUAL:
        case 2:
            return {"kind": "passers", "gate": f"gate-{n % GATES}", "link": None, "measure": "flow_rate", "direction": "both"} | bars
        case 4:
            return {"kind": "time", "from_s": 3 * 3600, "until_s": 4 * 3600}
        case 6:
            return {"kind": "health", "counter": None, "health": "silent", "hold_us": 3 * WARM_S * SECOND_US}
        case 8:
            return {"kind": "day", "days": ["sat", "sun"], "business_day_s": 5 * 3600}
    source = sources[n % len(sources)]
    people = {"kind": "people", "zone": "site" if n % 3 == 0 else "all", "measure": source, "source": source, "clear_source": source}
    return people | bars


def document(shape: Shape, s: int, conditions: int, enter: int | None = None, asked: str | None = None) -> bytes:
    """The compiled record of site `s`; `enter`: a bar that its highest stage rises over; `asked`: the role that is asked before it does."""
    made = shape.document(s)
    calm, closed = made["plans"][0]["stages"]
    stages = [calm]
    for rank in range(1, STAGES):
        leaves = [leaf(n, rank) for n in range(conditions) if n % (STAGES - 1) == rank - 1] or [leaf(0, rank)]
        stages.append(closed | {"stage": f"stage-{rank}", "leaves": leaves, "clauses": _clauses(leaves), "dwell_us": 60 * SECOND_US})
    if enter is not None:
        bars = {"enter_m": enter * 1000, "clear_m": (enter - 1) * 1000, "hold_us": 0}
        stages[-1] = stages[-1] | {"leaves": [leaf(0, STAGES) | {"zone": "all"} | bars], "clauses": [[0]]}
        rise = {"by": asked, "within_us": None, "otherwise": "keep"}
        stages = [x if rank == 0 or asked is None else x | {"confirm": x["confirm"] | {"rise": rise}} for rank, x in enumerate(stages)]
    made["plans"][0]["stages"] = stages
    return json.dumps(made).encode()


def _clauses(leaves: list[Record]) -> list[list[int]]:
    """What the calendar and the counters' health say goes together with a condition beside it; each of the others holds alone."""
    alone = [i for i, x in enumerate(leaves) if x["kind"] not in ("time", "day", "health")]
    return [[i] for i in alone] + [[i, alone[0]] if alone else [i] for i in range(len(leaves)) if i not in alone]


def begun(sites: int, conditions: int, enter: int | None = None, asked: str | None = None) -> Engine:
    """An engine with all documents, the people counted by hand, and two minutes behind it."""
    shape = Shape(sites=sites, counters=GATES, rate=sites * GATES)
    engine = Engine("p00")
    for s in range(sites):
        engine.ingest(_control(Kind.DOCUMENT, s, document(shape, s, conditions, enter, asked)))
    engine.advance(START_US)
    for s in range(sites):
        engine.ingest(_control(Kind.ACTION, s, json.dumps(json.loads(shape.recount(s)) | {"count": INSIDE}).encode()))
    engine.advance(START_US + SECOND_US)
    every = len(engine.names)
    for n in range(2, WARM_S, 10):
        engine.ingest(readings_of(np.arange(every), START_US + n * SECOND_US))
        engine.advance(START_US + n * SECOND_US)
    return engine


def _control(kind: Kind, offset: int, payload: bytes) -> Block:
    nothing = np.full(1, ABSENT)
    return Block(
        offset,
        np.full(1, kind, np.uint8),
        np.zeros(1, np.int32),
        np.full(1, START_US),
        np.full(1, START_US),
        nothing,
        np.zeros(1, np.int32),
        nothing,
        nothing,
        nothing,
        {0: payload},
    )


def readings_of(counters: npt.NDArray[np.int64], at: int, ingress: int = 1) -> Block:
    """So many people in and one out at each of `counters`."""
    n = len(counters)
    nothing, ones = np.full(n, ABSENT), np.ones(n, np.int64)
    when, zero = np.full(n, at), np.zeros(n, np.int32)
    return Block(
        0, np.full(n, Kind.DELTA, np.uint8), counters.astype(np.int32), when, when, nothing, zero, ingress * ones, ones, nothing, {}
    )


def _ms(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def steady(sites: int, conditions: int) -> dict[str, float]:
    """Milliseconds of a tick at which nothing is decided: "plans", "idle" (all of it, nothing new) and "busy" (with readings)."""
    engine = begun(sites, conditions)
    network, terms = engine.network, engine.terms
    every = len(engine.names)
    took: dict[str, list[float]] = {"plans": [], "idle": [], "busy": []}
    at = engine.tick
    for _ in range(TICKS):
        at += SECOND_US
        took["idle"].append(_ms(functools.partial(engine.advance, at)))
        at += SECOND_US
        engine.ingest(readings_of(np.arange(min(every, READINGS)), at))
        took["busy"].append(_ms(functools.partial(engine.advance, at)))
        last_at = engine.intake.totals.counted_at
        figures = engine.occupancy.figures(network, last_at, at)
        silent = np.zeros(every, np.bool_)

        def plans(now: int = at, figures: Any = figures, last_at: Any = last_at, silent: Any = silent) -> None:
            found = engine.measures.at(
                network, terms, figures, engine.occupancy.zones.recounted_at, last_at, silent, engine.plans.rank, now
            )
            if engine.plans.decide(terms, found, (), now):
                raise RuntimeError("a plan moved in a tick that should move none")

        took["plans"].append(_ms(plans))
    return {"leaves": float(len(terms.leaves))} | {name: statistics.median(times) for name, times in took.items()}


def rising(sites: int) -> float:
    """Milliseconds of the tick at which the plan of every site rises and closes the gates."""
    engine = begun(sites, USUAL, enter=INSIDE + 5)
    took = _ms(functools.partial(engine.advance, _crowds(engine)))
    if not (engine.plans.rank == STAGES - 1).all():
        raise RuntimeError("not every plan rose")
    return took


def waiting(sites: int) -> float:
    """Milliseconds of a tick while at every site a person is asked and has not answered; the median."""
    engine = begun(sites, USUAL, enter=INSIDE + 5, asked="officer")
    engine.advance(_crowds(engine))
    if len(engine.plans.questions) != sites:
        raise RuntimeError("not everybody is asked")
    return statistics.median(_ms(functools.partial(engine.advance, engine.tick + SECOND_US)) for _ in range(TICKS))


def _crowds(engine: Engine) -> int:
    """Twelve more people come into every site than leave it, enough for the bar; returns the next tick, at which they count."""
    at = engine.tick + SECOND_US
    engine.ingest(readings_of(np.arange(len(engine.names)), at, MOST))
    return at


def by_sites(most: int) -> str:
    """The table of sites."""
    rows = [_row(f"{n:,}", apart(functools.partial(steady, n, USUAL))) for n in SITES if n <= most]
    return table(["sites", *HEAD], rows)


def by_conditions(most: int) -> str:
    """The table of conditions."""
    rows = [_row(f"{n}", apart(functools.partial(steady, most, n))) for n in CONDITIONS]
    return f"{most:,} sites\n\n{table(['conditions a plan', *HEAD], rows)}"


def by_events(most: int) -> str:
    """The table of ticks at which much happens at once."""
    rows = []
    for n in (n for n in SITES if n <= most):
        rows.append([f"{n:,}", f"{apart(functools.partial(rising, n)):,.0f}", f"{apart(functools.partial(waiting, n)):,.0f}"])
        say(f"{n:,} sites: {rows[-1][1:]}")
    return table(["sites", "every plan rises, ms", "a person is asked at every site, ms a tick"], rows)


HEAD: Final = (
    "conditions in all",
    "plans, ms",
    "ns a condition",
    "a tick with nothing new, ms",
    "with 20,000 readings, ms",
    "aim of 100 ms",
)


def _row(name: str, took: Mapping[str, float]) -> list[str]:
    say(f"{name}: {took}")
    each = 1e6 * took["plans"] / took["leaves"]
    ms = [f"{took[part]:.1f}" for part in ("idle", "busy")]
    return [name, f"{took['leaves']:,.0f}", f"{took['plans']:.1f}", f"{each:,.0f}", *ms, verdict(met=took["busy"] <= AIM_MS)]


PARTS: Final[dict[str, Callable[[int], str]]] = {"sites": by_sites, "conditions": by_conditions, "events": by_events}


def main() -> None:
    """Measure the parts that are asked for, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which tables [default: all]")
    parser.add_argument("--most-sites", type=int, default=SITES[-1], help="leave out what has more")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    measure.alone(asked.core)
    for name in asked.parts or PARTS:
        text = PARTS[name](asked.most_sites)
        measure.report(f"plans {name}", f"One core, the median of {TICKS} ticks. {measure.machine()}\n\n{text}", write=asked.write)


if __name__ == "__main__":
    main()
