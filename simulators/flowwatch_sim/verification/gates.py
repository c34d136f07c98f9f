"""How gates and widths serve: RiMEA 9, 12 and 13, IMO 4 and 9, NIST 5.1 and 5.2, the Green Guide, and the formulas of queueing theory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import factorial
from typing import Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.lanes import IN, Lanes
from flowwatch_sim.layout import LINK
from flowwatch_sim.people import Floats
from flowwatch_sim.statistics import student_quantile
from flowwatch_sim.verification.case import SEED, Case, Figure, about, at_least, at_most, case
from flowwatch_sim.verification.sites import ENTRANCE, FOR_GOOD, Door, crowd, everybody, led_out, lost, outflow, place, room
from flowwatch_sim.walking import DIAGRAMS, LEVEL, Diagram
from flowwatch_sim.world import Crossing, Habits, World

CODE: Final = DIAGRAMS["imo"]
BANDS: Final = ((1.0, 1.90, 0.25), (1.2, 2.36, 0.3), (2.0, 3.55, 0.5), (5.0, 11.6, 1.5))
"""Metres, persons/s, and what other runs differ by: Seyfried 2009, Seyfried 2009, EG 2006, AO 2009."""
RUNS: Final = 30


def exits_by_code() -> Case:
    """A door that people queue at, by the planning code."""
    widths = (0.8, 1.0, 1.2, 2.0, 3.0, 5.0)
    figures = (about(f"{w:g} m", 1.3 * w, bottleneck(CODE, w), share=0.01) for w in widths)
    return case(
        "V12a",
        "preset `imo`: persons/s through an exit before a queue, by its width",
        "IMO table 1.2; NIST 5.2",
        "± 1 %",
        *figures,
    )


def exits_by_laboratory() -> Case:
    """A door that people queue at, as in laboratories."""
    figures = (about(f"{w:g} m", flow, bottleneck(DIAGRAMS["lab"], w), within=band + 1e-9) for w, flow, band in BANDS)
    tolerance = "± " + ", ".join(f"{band:g}" for _, _, band in BANDS)
    return case("V12b", "preset `lab`: the same", "Seyfried 2009 (1, 1.2 m), EG 2006 (2 m), AO 2009 (5 m)", tolerance, *figures)


def one_door() -> Case:
    """A hundred people, one door."""
    world = led_out(room(40.0, exit=Door("room", 1.0)), everybody(100), CODE)
    world.advance(600.0)
    figures = (at_most("persons/s", 1.33, outflow(world)), at_least("s until the last is out", 75.0, float(world.left_at.max())))
    return case("V13", "100 people, a room of 8 x 5 m, one exit of 1 m", "IMO 4", "one-sided", *figures)


def half_the_doors() -> Case:
    """A thousand people; then two of the four doors are shut."""
    four, two = (cleared(600.0, doors, 1.0, 1000) for doors in (4, 2))
    return case(
        "V14",
        "1,000 people, a room of 30 x 20 m, 4 exits of 1 m, then 2; everybody chooses an exit by chance",
        "RiMEA 9, IMO 9 (1.3 persons/m/s)",
        "ratio 1.6 to 2.4; times + 15 % for the walk and uneven choice",
        Figure("ratio", "2", two / four, 1.6, 2.4),
        Figure("4 exits, s", "192", four, 192.0, 192.3 * 1.15),
        Figure("2 exits, s", "385", two, 384.6, 384.6 * 1.15),
    )


def green_guide() -> Case:
    """Eight minutes by the guide to safety at sports grounds."""
    figures = []
    for what, per_m_min in (("level", 82.0), ("stairs", 66.0)):
        guide = replace(CODE, specific_flow=per_m_min / 60)
        world = led_out(room(250_000.0, exit=Door("room", 20.0)), everybody(14_000, speed=2.0), guide)
        first = 0.5 * 250_000.0**0.5 / 2.0
        world.advance(first + 480.0)
        figures.append(about(what, per_m_min * 20 * 8, world.left, share=0.01))
    return case(
        "V15",
        "people out of 20 m of exits within 8 minutes of the first",
        "Green Guide: 82 and 66 persons/m/min",
        "± 1 %",
        *figures,
    )


def where_queues_stand() -> Case:
    """A crowd stands before a neck and before stairs, and nowhere behind."""
    before, behind, flow, _ = queues(("room", "corridor", 1.0), ("corridor", "hall", 2.0))
    _, at_foot, along, up = queues(("room", "corridor", 2.0), ("corridor", "hall", 2.0), stairs="up", between=400.0)
    return case(
        "V16",
        "150 people through a neck of 1 m and on through 2 m; then through 2 m and up stairs of 2 m",
        "RiMEA 12 and 13, IMO 11: queues only before the neck, and at the foot of the stairs",
        "one-sided",
        at_least("queue before the neck", 50, before),
        at_most("queue behind it", 1, behind),
        at_least("through the neck, persons/s", 1.2, flow),
        at_least("queue at the foot of the stairs", 20, at_foot),
        at_least("along the level less up the stairs, persons/s", 0.05, along - up),
    )


def turnstiles() -> Case:
    """Four lanes that take three seconds."""
    figures = []
    for offered, expected, slack in ((70, 70, 2.0), (140, 80, 0.5)):
        came = np.arange(offered * 60) * 60.0 / offered
        world = World(
            room(1e6, gate=Door("room", lanes=4, per_min=20.0, entrance=True)),
            crowd(came, [FOR_GOOD] * len(came), gate=1, into=1.0),
            Habits(CODE),
        )
        world.advance(600.0)
        n = sum(600.0 <= crossing.at < 1800.0 for crossing in world.advance(1800.0))
        figures.append(about(f"{offered}/min offered, persons/min", expected, n / 20, within=slack))
    return case("V17", "4 lanes of 3 s each", "capacity; JuPedSim 1.4.2 lets 70.3 and 80.0 through", "± 2; ± 0.5", *figures)


def three_in_five_out() -> Case:
    """Eight gates in, then three in and five out."""
    figures = []
    for per_min in (20.0, 11.0):
        into, out, nowhere = turned(per_min)
        figures += [
            about(f"in, persons/h at {per_min:g}/min", 180 * per_min, into, share=0.01),
            about("out", 300 * per_min, out, share=0.01),
        ]
        figures.append(about("people lost", 0, nowhere))
    return case(
        "V18",
        "8 lanes in; from 20 min on 3 in, 5 out; the half-hour after the clearing time",
        "capacity; Green Guide (11/min)",
        "± 1 %; exact",
        *figures,
    )


def queueing_theory() -> Case:
    """Waits at lanes with random arrivals against Erlang's and Pollaczek and Khinchine's formulas."""
    figures: list[Figure] = []
    for servers, rate, mean in ((8, 2.4, 3.0), (8, 2.0, 3.0), (10, 4.0, 2.0), (1, 0.9, 1.0)):
        chance, wait = erlang(servers, rate * mean, mean)
        runs = [waits(servers, rate, mean, SEED + i, constant=False) for i in range(RUNS)]
        figures += estimated(f"M/M/{servers} at {rate:g}/s", wait, [float(w.mean()) for w in runs])
        figures.append(about("P(wait)", chance, float(np.mean([(w > 1e-9).mean() for w in runs])), share=0.03))
    figures += estimated("M/D/1 at 0.8/s", 2.0, [float(waits(1, 0.8, 1.0, SEED + i, constant=True).mean()) for i in range(RUNS)])
    return case(
        "V19",
        f"mean wait (s) before lanes with exponential and with constant times; {RUNS} runs each of 45,000 people after 5,000",
        "Erlang 1917; Pollaczek and Khinchine",
        "3 %; the expected mean in the 99 % interval of the runs",
        *figures,
    )


def batches() -> Case:
    """A gate that opens every five minutes and lets all in."""
    came = np.arange(0.0, 36_000.0, 0.5)
    here = room(1e6, gate=Door("room", entrance=True))
    world = World(here, crowd(came, [FOR_GOOD] * len(came), gate=1), Habits(CODE))
    world.set_gate(1, Setting.parse("wave in 1s hold 299s"), 0.0)
    world.advance(36_001.0)
    waited = world.waited[np.isfinite(world.waited)]
    figures = (about("mean wait, s", 150, float(waited.mean()), share=0.02), about("longest, s", 300, float(waited.max()), share=0.02))
    return case(
        "V23", "everybody who waits is let in every 300 s; 2 come a second", "uniform arrivals: half a period, a period", "± 2 %", *figures
    )


# -- what the cases measure ---------------------------------------------------------------------------------------------------------------


def bottleneck(diagram: Diagram, width: float) -> float:
    """Persons/s through an exit."""
    world = led_out(room(10_000.0, exit=Door("room", width)), everybody(600), diagram)
    world.advance(3600.0)
    return outflow(world)


def cleared(area: float, doors: int, width: float, people: int) -> float:
    """When the last is out (s)."""
    world = led_out(room(area, **{f"exit-{i}": Door("room", width) for i in range(doors)}), everybody(people), CODE)
    world.advance(3600.0)
    return float(world.left_at.max())


def queues(
    first: tuple[str, str, float], second: tuple[str, str, float], *, stairs: str = LEVEL, between: float = 40.0
) -> tuple[float, float, float, float]:
    """The longest queue before each of two links, and the persons/s along each, of 150 people who go from a room through a corridor to a hall.

    `stairs`: the slope of the second; `between`: m² of the corridor.
    """
    here = place({"room": 400.0, "corridor": between, "hall": 400.0}, {"entrance": ENTRANCE}, {"first": first, "second": second})
    world = World(here, crowd(np.zeros(150), [[(2, 1e7)]] * 150), Habits(CODE, stairs={"second": stairs}))
    longest = [0, 0]
    passed: list[Crossing] = []
    for now in range(1, 600):
        passed += world.advance(float(now))
        longest = [max(n, len(mouths[0])) for n, mouths in zip(longest, world.mouths, strict=True)]
    times = [[c.at for c in passed if c.kind == LINK and c.place == i] for i in (0, 1)]
    along, onward = ((len(t) - 1) / (t[-1] - t[0]) for t in times)
    return longest[0], longest[1], along, onward


def turned(per_min: float) -> tuple[float, float, int]:
    """Persons/h in and out of 8 gates of one lane, 3 of which lead in and 5 out, with queues before all; and how many people got lost."""
    here = place({"room": 1e6}, {f"gate-{i}": Door("room", lanes=1, per_min=per_min) for i in range(8)})
    people = crowd(np.zeros(12000), into=1.0)
    people = replace(people, gate=np.arange(12000) % 8, out=np.ones(12000), speed=np.full(12000, 1e3))
    world = World(here, people, Habits(CODE, balk=0.0, reroute=0.0))
    for gate in range(8):
        world.set_gate(gate, Setting.parse("in"), 0.0)
    nowhere, since = 0, 1200.0 + 20.0 + 60.0
    passed: list[Crossing] = []
    for second in range(10, int(since) + 1801, 10):
        passed = passed if second > since else []
        passed += world.advance(float(second))
        nowhere += abs(lost(world))
        if second == 1200:
            for gate in range(3, 8):
                world.set_gate(gate, Setting.parse("out"), 1200.0)
    into, out = (sum(c.at >= since and c.way == way for c in passed) * 2.0 for way in (0, 1))
    return into, out, nowhere


def waits(servers: int, rate: float, mean: float, seed: int, *, constant: bool) -> Floats:
    """How long each of 45,000 people waits (s) before lanes that take `mean` seconds, when `rate` come a second."""
    random, settled, n = np.random.default_rng(seed), 5_000, 50_000
    came = np.cumsum(random.exponential(1 / rate, n))
    service = np.full(n, mean) if constant else random.exponential(mean, n)
    lanes = Lanes(servers)
    lanes.set(Setting.parse("in"), 0.0)
    starts = np.fromiter(_starts(lanes, came.tolist(), service.tolist()), np.float64, n)
    return np.asarray(starts - came)[settled:]


def _starts(lanes: Lanes, came: list[float], service: list[float]) -> Iterator[float]:
    now = 0.0
    for who, at in enumerate(came):
        lanes.queues[IN].append(who)
        now = max(now, at)
        while isinstance(later := lanes.start(IN, now, service), float):
            now = later
        yield now


def erlang(servers: int, load: float, mean: float) -> tuple[float, float]:
    """(chance of a wait, mean wait in s) of M/M/c by Erlang's second formula."""
    last = load**servers / factorial(servers) / (1 - load / servers)
    chance = last / (sum(load**k / factorial(k) for k in range(servers)) + last)
    return chance, chance * mean / (servers - load)


def estimated(what: str, expected: float, runs: list[float]) -> list[Figure]:
    """The mean of runs, within 3 %, and how many half-widths of its 99 % interval it lies from what is expected."""
    mean, n = float(np.mean(runs)), len(runs)
    half = student_quantile(0.995, n - 1) * float(np.std(runs, ddof=1)) / n**0.5
    return [about(f"{what}, s", expected, mean, share=0.03), at_most("half-widths off", 1.0, abs(mean - expected) / half)]


SLOW: Final[tuple[Callable[[], Case], ...]] = (queueing_theory,)
CASES: Final = (
    *(exits_by_code, exits_by_laboratory, one_door, half_the_doors, green_guide, where_queues_stand),
    *(turnstiles, three_in_five_out, queueing_theory, batches),
)
