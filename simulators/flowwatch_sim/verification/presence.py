"""Who is there when: nobody lost, loss systems, occupancy, clearance, and that more ways out and earlier closing never harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from math import exp, log
from pathlib import Path
from typing import Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch.documents import find, load, shipped
from flowwatch_sim.demand import GROUP_EXCESS, Stream, Visit, people
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.links import Link
from flowwatch_sim.people import Floats, People
from flowwatch_sim.verification.case import SEED, Case, about, at_most, case
from flowwatch_sim.verification.sites import Door, crowd, everybody, led_out, lost, room
from flowwatch_sim.walking import DIAGRAMS, Diagram
from flowwatch_sim.world import Habits, World

CODE: Final = DIAGRAMS["imo"]
WORDS: Final = ("in", "out", "both", "metered 40/min", "wave in 50s hold 10s out 60s")
PLACES: Final = 100
"""Of the corridor of 8 x 2.5 m: five persons/m²."""
FREE: Final = 1.5
"""Its speed when alone, m/s."""
STAY_S: Final = 3 * 3600.0


def conservation() -> Case:
    """Nobody is lost, whatever the gates do."""
    seeds = range(SEED, SEED + 5)
    wrong = sum(tossed(seed)[1] for seed in seeds)
    return case(
        "V1",
        "came = before entrances + between them + in lanes + inside + left + turned away; every 5 s of 5 days of Yuyuan, a gate a minute set",
        "conservation",
        "exact",
        about("people missing or too many", 0, wrong),
    )


def loss() -> Case:
    """A corridor that slows down as it fills, against its product form."""
    figures = []
    bent = exponential()
    for what, speeds, rate, tells_loss in (
        ("exponential", bent, 1.0, False),
        ("exponential", bent, 2.0, False),
        ("exponential", bent, 4.0, True),
        ("linear", [FREE * (PLACES + 1 - n) / PLACES for n in range(1, PLACES + 1)], 3.0, False),
    ):
        presence, share, out = product_form(speeds, rate)
        found = served(speeds, rate)
        figures += [
            about(f"{what}, {rate:g}/s: present", presence, found[0], share=0.03),
            about("time in it, s", presence / out, found[0] / found[2], share=0.03),
        ]
        figures += (
            [about("share lost", share, found[1], share=0.03), about("out, persons/s", out, found[2], share=0.03)] if tells_loss else []
        )
    return case(
        "V22",
        "M/G/c/c with service that depends on the state: a corridor of 8 x 2.5 m, c = 100, 1.5 m/s alone, 40,000 people each",
        "Yuhaski and Smith 1989, Cruz and Smith 2007 (exponential: 0.64 m/s at 2 and 0.25 at 4 persons/m²; at 3/s it is metastable and left out)",
        "± 3 %",
        *figures,
    )


def occupancy() -> Case:
    """As many stay as come times how long they stay, whatever the law of their stays: one law as people live it, the others as they are drawn."""
    figures = []
    for law, shape, present in (("exponential", 1.0, drawn), ("Erlang-2", 2.0, lived), ("all alike", 1e4, drawn)):
        figures.append(about(f"{law}: mean at 600/h", 1800, float(np.mean(present(600.0, shape, 30))), share=0.01))
        figures.append(about("SD at 20/h", 60**0.5, float(np.std(present(20.0, shape, 1000))), share=0.05))
    groups = drawn(20.0, 2.0, 1000, excess=GROUP_EXCESS)
    figures.append(about("groups: variance/mean", 1 + GROUP_EXCESS, float(np.var(groups) / np.mean(groups)), share=0.1))
    return case(
        "V24",
        "M/G/∞: people inside who stay 3 h on average, by the law of their stays, every 3 h; and in groups that stay together",
        "insensitivity: Poisson with mean 1,800 at 600/h; SD √60 at 20/h, where 1,000 samples fit; groups × 2.2",
        "± 1 %, ± 5 %, ± 10 %",
        *figures,
    )


def clearance() -> Case:
    """How long until everybody is out, by the hydraulic method."""
    wide = led_out(room(40_000.0, exit=Door("room", 10.0)), everybody(3000, speed=0.67), CODE)
    lanes = Door("room", 10.0, lanes=5, per_min=30.0)
    turnstiles = led_out(room(40_000.0, exit=lanes), replace(everybody(3000, speed=0.67), out=np.ones(3000)), CODE)
    for world in (wide, turnstiles):
        world.advance(7200.0)
    return case(
        "V28",
        "3,000 people 100 m from 10 m of exits, at 0.67 m/s (the speed of the densest flow); the same before 5 lanes of 30/min",
        "IMO MSC.1/Circ.1533, hydraulic: 3000/13 + 100/0.67 s; 1,200 s + walk",
        "± 2 %",
        about("10 m, s", 380, float(wide.left_at.max()), share=0.02),
        about("reported with the safety factor 1.25, s", 475, 1.25 * float(wide.left_at.max()), share=0.02),
        about("5 lanes, s", 1349, float(turnstiles.left_at.max()), share=0.02),
    )


def one_more_way_out() -> Case:
    """The same people with one more exit."""
    worst = max(emptied(seed, 4) - emptied(seed, 3) for seed in range(SEED, SEED + 20))
    return case(
        "V29a",
        "2,000 people, 3 exits of 4 lanes, then 4: clearance on the same 20 days",
        "dominance; cf. FDS issue 582, where noise of seeds made more exits look slower",
        "never longer",
        at_most("greatest change, s", 0.0, worst),
    )


def closing_earlier() -> Case:
    """The same people, where entry ends ten minutes earlier."""
    days = [(closed(seed, 3000.0), closed(seed, 3600.0)) for seed in range(SEED, SEED + 10)]
    return case(
        "V29b",
        "entry ends after 50 min instead of 60, on the same 10 days",
        "dominance",
        "never more; never fewer",
        at_most("greatest change of the peak inside", 0, max(early[0] - late[0] for early, late in days)),
        at_most("least change of the queue outside, with its sign turned", 0, max(late[1] - early[1] for early, late in days)),
    )


def same_again() -> Case:
    """A seed is a day: the same people, and the same day under the same settings."""
    before = yuyuan_day(SEED)
    first, second = tossed(SEED), tossed(SEED)
    apart = sum(
        not np.array_equal(getattr(first[0], a), getattr(second[0], a), equal_nan=True)
        for a in ("state", "entered_at", "left_at", "waited")
    )
    changed = sum(not same(getattr(before, f.name), getattr(first[0].people, f.name)) for f in fields(before))
    more = yuyuan_day(SEED, second_per_min=20.0)
    shared = sum(
        not np.array_equal(getattr(before, f.name)[before.stream == 0], getattr(more, f.name)[more.stream == 0])
        for f in fields(before)
        if f.name != "stays"
    )
    return case(
        "V30",
        "one seed twice under the same changes of gates; people before and after; one stream where another one doubles",
        "common random numbers",
        "exact",
        about("records of the day that differ", 0, apart),
        about("draws that settings changed", 0, changed),
        about("draws that the other stream changed", 0, shared),
    )


# -- what the cases measure ---------------------------------------------------------------------------------------------------------------


@cache
def yuyuan() -> Layout:
    """The shipped site."""
    return layout(next(load(files[0]).site for files in find(shipped()) if Path(files[0]).stem == "yuyuan"))


def yuyuan_day(seed: int, second_per_min: float = 10.0) -> People:
    """An hour of strollers who see the bridge, and of people who do not."""
    here = yuyuan()
    gates, first = dict.fromkeys(range(len(here.gates)), 1.0), dict.fromkeys(range(len(here.gates)), 0)
    strollers = Stream("strollers", np.full(60, 40.0), 60.0, gates, first, 900.0, visits=[Visit(1, 0.4, 200.0)], patience_s=300.0)
    return people([strollers, Stream("others", np.full(60, second_per_min), 60.0, gates, first, 600.0)], seed)


def tossed(seed: int) -> tuple[World, int]:
    """An hour and a half of Yuyuan whose gates are set at random every minute, and how many people were missing or too many at any moment."""
    world, luck, wrong = World(yuyuan(), yuyuan_day(seed), Habits(DIAGRAMS["weidmann"])), np.random.default_rng(seed), 0
    for now in range(5, 5401, 5):
        world.advance(float(now))
        counted = np.bincount(world.state, minlength=5).tolist()
        here = [sum(world.outside) + world.walking, world.present + world.passing, world.left, world.turned]
        wrong += abs(lost(world)) + sum(abs(a - b) for a, b in zip(counted[1:], here, strict=True))
        if now % 60 == 0:
            world.set_gate(int(luck.integers(8)), Setting.parse(WORDS[int(luck.integers(len(WORDS)))]), float(now))
    return world, wrong


def exponential() -> list[float]:
    """Speeds (m/s) of the exponential model with 1, 2 … persons on the corridor: 1.5 exp(-((n - 1)/b)^g) through its two points."""
    g = log(log(0.64 / FREE) / log(0.25 / FREE)) / log(39 / 79)
    b = 39 / log(FREE / 0.64) ** (1 / g)
    return [FREE * exp(-(((n - 1) / b) ** g)) for n in range(1, PLACES + 1)]


def product_form(speeds: list[float], rate: float) -> tuple[float, float, float]:
    """(mean presence, share lost, persons/s out) of a corridor 8 m long."""
    weights = [1.0]
    for n, speed in enumerate(speeds, 1):
        weights.append(weights[-1] * rate / (n * speed / 8.0))
    share = weights[-1] / sum(weights)
    return sum(n * w for n, w in enumerate(weights)) / sum(weights), share, rate * (1 - share)


def served(speeds: list[float], rate: float) -> tuple[float, float, float]:
    """The same of the corridor that people walk, after the first tenth; who finds it full is lost."""
    nodes = tuple((n / 20.0, speed) for n, speed in enumerate([speeds[0], *speeds]))
    corridor = Link(8.0, 2.5, Diagram("cruz", nodes, PLACES / 20.0, 1e6))
    came = np.cumsum(np.random.default_rng(SEED).exponential(1 / rate, 44_000)).tolist()
    since = came[4_000]
    area = out = turned = 0.0
    now, n = 0.0, 0
    for who, at in enumerate(came):
        while (end := corridor.through(0)) <= at:
            area += n * max(0.0, end - max(now, since))
            corridor.leave(0, end)
            now, n, out = end, n - 1, out + (end >= since)
        area += n * max(0.0, at - max(now, since))
        now = at
        if n < PLACES:
            corridor.enter(who, 0, at, FREE)
            n += 1
        else:
            turned += at >= since
    return area / (now - since), turned / 40_000, out / (now - since)


def lived(per_hour: float, shape: float, samples: int) -> Floats:
    """People inside every 3 h, after a day, whom nothing holds up."""
    crowd_ = stayers(per_hour, shape, samples)
    n = len(crowd_)
    world = led_out(room(10_000.0, exit=Door("room")), replace(crowd_, into=np.zeros(n), out=np.zeros(n), speed=np.full(n, 1e6)), CODE)
    found = []
    for moment in moments(samples).tolist():
        world.advance(moment)
        found.append(world.present)
    return np.array(found, np.float64)


def drawn(per_hour: float, shape: float, samples: int, excess: float = 0.0) -> Floats:
    """The same by when people come and how long they want to stay."""
    crowd_ = stayers(per_hour, shape, samples, excess)
    gone = np.sort(crowd_.came + [sum(seconds for _, seconds in stays) for stays in crowd_.stays])
    into, out = (np.searchsorted(times, moments(samples)) for times in (crowd_.came, gone))
    return np.asarray(into - out, np.float64)


def stayers(per_hour: float, shape: float, samples: int, excess: float = 0.0) -> People:
    """People who stay `STAY_S` on average."""
    hours = 24 + 3 * samples
    return people([Stream("day", np.full(hours, per_hour), 3600.0, {0: 1.0}, {0: 0}, STAY_S, shape, group_excess=excess, unrest=0.0)], SEED)


def moments(samples: int) -> Floats:
    """When people are counted (s)."""
    return np.asarray(24 * 3600.0 + np.arange(samples) * STAY_S)


def emptied(seed: int, exits: int) -> float:
    """When the last of 2,000 people is out (s), who take random times in the lanes."""
    here = room(10_000.0, **{f"exit-{i}": Door("room", lanes=4, per_min=30.0) for i in range(exits)})
    out = np.random.default_rng(seed).gamma(6.25, 0.16, 2000)
    world = led_out(here, replace(everybody(2000, seed=seed), out=out), CODE)
    world.advance(7200.0)
    return float(world.left_at.max())


def closed(seed: int, at: float) -> tuple[int, int]:
    """(most people inside, people before the entrance after two hours) where 2 persons/s come and entry ends at `at`."""
    random = np.random.default_rng(seed)
    came = np.cumsum(random.exponential(0.5, 14_000))
    stays = [[(0, float(s))] for s in random.gamma(2.0, 900.0, len(came))]
    here = room(10_000.0, gate=Door("room", lanes=8, per_min=13.0, entrance=True), exit=Door("room"))
    world = led_out(here, crowd(came, stays, gate=1, into=random.gamma(6.25, 0.16, len(came))), CODE)
    peak = 0
    for now in range(10, 7201, 10):
        world.advance(float(now))
        peak = max(peak, world.present)
        if now == at:
            world.set_gate(1, Setting.parse("closed"), at)
    return peak, world.outside[1]


def same(a: object, b: object) -> bool:
    """Whether two columns are the same."""
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b


SLOW: Final[tuple[Callable[[], Case], ...]] = (conservation, occupancy, one_more_way_out, closing_earlier)
CASES: Final = (conservation, loss, occupancy, clearance, one_more_way_out, closing_earlier, same_again)
