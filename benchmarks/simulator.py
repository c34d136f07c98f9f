"""The simulator: its answers beside a peer's and beside what is known, its speed beside a peer's, and its own speed and memory.

    python -m benchmarks.simulator [--peer-python PATH | --make-peers] [--rounds 5] [--write] [answers network days replicates emit report plaza]

Answers: two rushes before a gate, in both back-ends and in PedNStream, set up as `peers/pednstream_runs.py` tells. Network: people across a grid for
an hour. Days: the large site of `crowds.py`, person by person; by its people and by its zones. Replicates: the same day as fluids, with and without
the engine that decides about them. Emit: readings as lines. Report: `flowwatch-sim compare national-day` on all cores. Plaza: the gate plaza of V35,
person level beside JuPedSim. All but the report on one core; the median of the rounds, of three where one is longer than a minute.
Aims: a day 5 s; 1,000 replicates 60 s; a report of 60 days of two plans 5 min; 200,000 readings/s.
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import measure, rushes
from benchmarks.crowds import Large
from benchmarks.measure import README, apart, peak_bytes, rate, say, seconds, table, verdict
from benchmarks.peers import interpreter
from benchmarks.peers.interpreter import Peers
from flowwatch_sim import emit
from flowwatch_sim.arrivals import drawn_arrivals
from flowwatch_sim.demand import people
from flowwatch_sim.fluid import Fluid
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.screening import Screening
from flowwatch_sim.sinks import Lines
from flowwatch_sim.stream import City, Recording, record
from flowwatch_sim.verification.sites import Door, crowd, led_out, room
from flowwatch_sim.walking import DIAGRAMS, free_speeds
from flowwatch_sim.world import World

DAY_AIM_S, REPLICATES_AIM_S, REPORT_AIM_S, EMIT_AIM = 5.0, 60.0, 300.0, 200_000.0
PEDNSTREAM: Final = (
    *((None, 10.0, False), ((30.0, 5.0), 10.0, False)),
    *(((60.0, 20.0), 10.0, False), ((60.0, 20.0), 60.0, False), ((60.0, 20.0), 60.0, True)),
)
"""(metres of the forecourt, None for a gate at the origin; seconds a step; whether the gate is widened to pass its rate)."""
SIDES: Final = (3, 5, 7, 10)
WALKERS: Final = 14_400
PEOPLE: Final = (7_500, 15_000, 30_000, 60_000, 120_000)
ZONES: Final = (5, 10, 20, 40, 80)
REPLICATES: Final = (125, 250, 500, 1_000, 2_000, 4_000, 8_000)
TOGETHER: Final = 125
"""Replicates in one fluid: their arrays stay near the processor; more go one batch after the other, as a search over plans runs them."""
SITES: Final = (1, 10, 100, 1_000, 10_000)
READINGS: Final = 2_000_000
LONG_S: Final = 60.0
MIB: Final = 2**20
PLAZA: Final = (20.0, 15.0, 300)
"""Metres, metres, people."""
PLAZA_SEEDS: Final = (1, 2, 3)
GATE_M: Final = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    peers: Peers
    rounds: int
    most: int
    """Leave out rows of more people, replicates or sites."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The median of the rounds, and the most memory of one."""

    seconds: float
    mib: float


def cost(name: str, prepare: Callable[[], Callable[[], object]], rounds: int) -> Cost:
    """What it costs to do what `prepare` gives, in forks."""
    took: list[float] = []
    peak = 0.0
    while len(took) < (min(rounds, 3) if took and took[0] > LONG_S else rounds):
        one, bytes_ = apart(functools.partial(_once, prepare))
        took.append(one)
        peak = max(peak, bytes_ / MIB)
    found = Cost(statistics.median(took), peak)
    say(f"{name}: {found.seconds:.2f} s, {found.mib:.0f} MiB")
    return found


def _once(prepare: Callable[[], Callable[[], object]]) -> tuple[float, int]:
    work = prepare()
    took: list[float] = []
    peak = peak_bytes(lambda: took.append(seconds(work)))
    return took[0], peak


@functools.cache
def planned(large: Large) -> Planned:
    """A large day made ready."""
    with tempfile.TemporaryDirectory() as folder:
        return read_scenario(large.scenario(), large.write(Path(folder)))


# -- beside peers -------------------------------------------------------------------------------------------------------------------------


def answers(asked: Asked) -> str:
    """The tables of both rushes."""
    parts = [asked.peers.title("pednstream")]
    for rush in rushes.RUSHES:
        names = [*rush.expected, "lost"]
        rows = [["expected", *(f"{rush.expected.get(name, 0):,.0f}" for name in names)]]
        runs = {"flowwatch, fluid": rushes.in_fluid(rush), "flowwatch, persons": rushes.by_persons(rush)}
        for forecourt, step, calibrated in PEDNSTREAM:
            found = asked.peers.run("pednstream", rushes.job(rush, step, forecourt, calibrated=calibrated))
            if found is not None:
                where = f"forecourt {forecourt[0]:.0f} x {forecourt[1]:.0f} m" if forecourt else "gate at the origin"
                widened = f", gate widened to {found['width_m']:.2f} m" if calibrated else ""
                runs[f"PedNStream, {where}, steps of {step:.0f} s{widened}"] = found
        for name, curves in runs.items():
            got = rushes.figures(curves)
            rows.append([name, *(f"{got[figure]:,.0f}" for figure in names)])
        parts.append(f"{rush.name}: {rush.what}.\n\n{table([rush.name, *names], rows)}")
    return "\n\n".join(parts)


def network(asked: Asked) -> str:
    """The table of grids."""
    head = ["places, directed links", "simulator", "made, s", "an hour, s", "link-steps/s", "offered", "got there"]
    rows = []
    for n in SIDES:
        runs: dict[str, tuple[float, Callable[[], dict[str, float] | None]]] = {
            f"flowwatch, {end}": (step, functools.partial(apart, functools.partial(rushes.across, n, WALKERS, 3600.0, end)))
            for end, step in (("fluid", 5.0), ("persons", 0.0))
        }
        job = {"job": "grid", "n": n, "step_s": 10.0, "lasts_s": 3600.0, "people": WALKERS}
        runs["PedNStream"] = (10.0, functools.partial(asked.peers.run, "pednstream", job))
        for name, (step, run) in runs.items():
            every = [found for _ in range(asked.rounds) if (found := run()) is not None]
            if not every:
                continue
            took, made, one = (statistics.median(f[key] for f in every) for key in ("took_s", "made_s", "links"))
            speed = rate(one * 3600 / step, took) if step else "events"
            rows.append(
                [
                    f"{n * n}, {one:,.0f}",
                    name,
                    f"{made:.2f}",
                    f"{took:.2f}",
                    speed,
                    f"{every[0]['came']:,.0f}",
                    f"{every[0]['arrived']:,.0f}",
                ]
            )
            say(f"grid: {rows[-1]}")
    return f"{asked.peers.title('pednstream')}\n\n{table(head, rows)}"


def plaza(asked: Asked) -> str:
    """The table of V35."""
    long, wide, number = PLAZA
    found = [asked.peers.run("jupedsim", {"width_m": GATE_M, "people": number, "seed": seed}) for seed in PLAZA_SEEDS]
    runs = {"JuPedSim": [_plaza(run["passed_s"], run["waited_s"], run["densest_per_m2"]) for run in found if run is not None]}
    flow = float(np.mean([run[0] for run in runs["JuPedSim"]])) / GATE_M if runs["JuPedSim"] else None
    diagrams = {"lab": DIAGRAMS["lab"], "imo": DIAGRAMS["imo"]}
    if flow is not None:
        diagrams[f"lab, {flow:.2f} persons/m/s as JuPedSim"] = replace(DIAGRAMS["lab"], specific_flow=flow)
    for name, diagram in diagrams.items():
        runs[f"flowwatch, {name}"] = []
        for seed in PLAZA_SEEDS:
            speed = free_speeds(np.random.default_rng(seed).random(number))
            everybody = replace(crowd(np.zeros(number), seed=seed), speed=speed)
            world = led_out(room(long * wide, gate=Door("room", GATE_M)), everybody, diagram)
            densest = 0.0
            for now in range(1, 900):
                world.advance(float(now))
                densest = max(densest, world.present / (long * wide))
            waited = world.left_at - 0.5 * (long * wide) ** 0.5 / speed
            runs[f"flowwatch, {name}"].append(_plaza(np.sort(world.left_at).tolist(), waited.tolist(), densest))
    head = ["300 people, a gate of 2 m", "persons/s", "mean wait, s", "most persons/m²", "against JuPedSim (± 5 %, ± 10 %, ± 20 %)"]
    rows = []
    means = {name: np.mean(got, axis=0) for name, got in runs.items() if got}
    for name, mean in means.items():
        off = mean / means["JuPedSim"] - 1 if "JuPedSim" in means else np.full(3, np.nan)
        met = ", ".join(f"{100 * x:+.0f} % {verdict(met=abs(x) <= most)}" for x, most in zip(off.tolist(), (0.05, 0.1, 0.2), strict=True))
        rows.append([name, f"{mean[0]:.2f}", f"{mean[1]:.1f}", f"{mean[2]:.1f}", "" if name == "JuPedSim" or flow is None else met])
    return f"{asked.peers.title('jupedsim')}; the mean of seeds {', '.join(map(str, PLAZA_SEEDS))}\n\n{table(head, rows)}"


def _plaza(passed: Sequence[float], waited: Sequence[float], densest: float) -> tuple[float, float, float]:
    """Persons/s of the middle four fifths, mean wait, density."""
    edge = len(passed) // 10
    middle = passed[edge : len(passed) - edge]
    return (len(middle) - 1) / (middle[-1] - middle[0]), float(np.mean(waited)), densest


# -- by itself ----------------------------------------------------------------------------------------------------------------------------


def days(asked: Asked) -> str:
    """The table of large days, person by person."""
    head = [
        "people, zones",
        "people alone, s",
        "and counters, s",
        "and the engine, s",
        "of ten side by side, s each",
        "MiB",
        "MiB of the ten",
    ]
    head.append(f"aim of {DAY_AIM_S:g} s")
    sizes = [Large(people=n) for n in PEOPLE if n <= asked.most] + [Large(zones=n) for n in ZONES if n != Large().zones]
    rows = []
    for large in sizes:
        ready, name = planned(large), f"{large.people:,}, {large.zones}"
        alone = cost(f"{name}: people", functools.partial(_alone, ready), asked.rounds)
        seen = cost(f"{name}: counters", lambda ready=ready: functools.partial(record, ready, 1), asked.rounds)  # type: ignore[misc]
        one, ten = (cost(f"{name}: {n} days", functools.partial(_lived, ready, n), asked.rounds) for n in (1, 10))
        met = "" if large != Large() else verdict(met=one.seconds <= DAY_AIM_S)
        times = [f"{took:.1f}" for took in (alone.seconds, seen.seconds, one.seconds, ten.seconds / 10)]
        rows.append([name, *times, f"{one.mib:.0f}", f"{ten.mib:.0f}", met])
    return table(head, rows)


def _alone(ready: Planned) -> Callable[[], object]:
    world = World(ready.layout, people(ready.streams, 1), ready.habits)
    return functools.partial(world.advance, ready.lasts_s)


def _lived(ready: Planned, number: int) -> Callable[[], object]:
    return Laboratory(ready, range(1, number + 1)).run


def replicates(asked: Asked) -> str:
    """The table of fluids."""
    ready, rows = planned(Large()), []
    for number in (n for n in REPLICATES if n <= asked.most):
        fluid, screened = (
            cost(f"{number:,} replicates", functools.partial(_fluids, ready, number, engine), asked.rounds) for engine in (False, True)
        )
        met = (
            ""
            if number != 1_000
            else f"{verdict(met=fluid.seconds <= REPLICATES_AIM_S)}, {verdict(met=screened.seconds <= REPLICATES_AIM_S)}"
        )
        each = 1000 * fluid.seconds / number
        rows.append(
            [
                f"{number:,}",
                f"{fluid.seconds:.1f}",
                f"{each:.0f}",
                f"{fluid.mib:.0f}",
                f"{screened.seconds:.1f}",
                f"{screened.mib:.0f}",
                met,
            ]
        )
    head = ["replicates", "fluid, s", "ms each", "MiB", "with the engine, s", "MiB", f"aim of {REPLICATES_AIM_S:g} s for 1,000"]
    return table(head, rows)


def _fluids(ready: Planned, number: int, engine: bool) -> Callable[[], object]:  # noqa: FBT001 - by functools.partial
    def work() -> None:
        for first in range(0, number, TOGETHER):
            arrivals = drawn_arrivals(ready.streams, len(ready.layout.gates), min(TOGETHER, number - first), first + 1)
            fluid = Fluid(ready.layout, ready.streams, arrivals, ready.habits)
            run: Any = Screening(ready.loaded.site, fluid, ready.start_us) if engine else fluid
            run.advance(ready.lasts_s)

    return work


class _Nowhere(io.RawIOBase):
    """Takes bytes and keeps none."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def emitted(asked: Asked) -> str:
    """The table of streams."""
    ready, rows = planned(Large()), []
    day = record(ready, 1)
    for sites in (n for n in SITES if n <= asked.most):
        city = City([_first(day, READINGS // sites)], sites, 1)
        took = cost(f"{sites:,} sites", functools.partial(_sent, ready, city), asked.rounds)
        met = verdict(met=len(city) / took.seconds >= EMIT_AIM)
        rows.append([f"{sites:,}", f"{len(city):,}", rate(len(city), took.seconds), f"{took.mib:.0f}", met])
    return table(["sites", "readings", "readings/s", "MiB", f"aim of {EMIT_AIM:,.0f}/s"], rows)


def _first(day: Recording, readings: int) -> Recording:
    """The first readings of a day."""
    columns = ("received", "at", "counter", "kind", "ingress", "egress", "headcount")
    return replace(day, **{column: getattr(day, column)[:readings] for column in columns})


def _sent(ready: Planned, city: City) -> Callable[[], object]:
    names, counters = [f"site-{s:05d}" for s in range(len(city.day))], [c["counter"] for c in ready.layout.site["counters"]]
    return functools.partial(emit.send, city, Lines(_Nowhere(), names, counters), ready.start_us, speed=None)  # type: ignore[arg-type]


def reported(asked: Asked) -> str:
    """The table of the report, from the shell's point of view."""
    root, took, peak = README.parent.parent, [], 0.0
    words = ["compare", "national-day", "--bars", "three_in_five_out=1200,exit_only=2600", "--runs", "60"]
    for _ in range(min(asked.rounds, 3)):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", "from flowwatch_sim.cli.main import main; main()", *words, "--report", f"{folder}/page.html"]
            environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'simulators'}"}
            both = functools.partial(os.sched_setaffinity, 0, range(os.cpu_count() or 1))
            run = functools.partial(
                subprocess.run, command, env=environment, cwd=root, check=True, stdout=subprocess.DEVNULL, preexec_fn=both
            )
            took.append(seconds(run))
        peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
        say(f"report: {took[-1]:.0f} s")
    middle = statistics.median(took)
    row = [f"flowwatch-sim {' '.join(words)} --report", f"{middle:.0f}", f"{peak:.0f}", verdict(met=middle <= REPORT_AIM_S)]
    return table(["60 days of two plans, all cores", "s", "MiB of the largest process", f"aim of {REPORT_AIM_S:g} s"], [row])


PARTS: Final[dict[str, Callable[[Asked], str]]] = {
    "answers": answers,
    "network": network,
    "days": days,
    "replicates": replicates,
    "emit": emitted,
    "report": reported,
    "plaza": plaza,
}


def main() -> None:
    """Measure the parts that are asked for, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which tables [default: all]")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peers' packages (benchmarks/peers/requirements.txt)")
    parser.add_argument("--make-peers", action="store_true", help="make one in a temporary folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=PEOPLE[-1], help="leave out rows of more people, replicates or sites")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    given = parser.parse_args()
    measure.alone(given.core)
    with interpreter.found(given.peer_python, make=given.make_peers) as peers:
        asked = Asked(peers, given.rounds, given.most)
        for name in given.parts or PARTS:
            text = PARTS[name](asked)
            head = f"The median of {given.rounds}, of 3 where a round is longer than a minute. {measure.machine()}"
            measure.report(f"simulator {name}", f"{head}\n\n{text}", write=given.write)


if __name__ == "__main__":
    main()
