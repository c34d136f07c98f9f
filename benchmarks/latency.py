"""How soon: from the reading in the log to the command in the journal, at 20,000 readings a second.

    python -m benchmarks.latency [--sites 100 10_000] [--seconds 60] [--through writer|inbox] [--write]

A real `flowwatch run` follows a log with a wall clock. This process writes the readings: as the log's writer, ticking too, or through the
inbox that `run` drains while it ticks itself. Every counter reports once a second; at random moments one reading in hundreds takes its
site over a bar, or back. The clock starts when the call that made that reading durable returns, and stops when a third process, which
looks at the journal about once a millisecond, sees the commands. Decisions are taken at ticks, so most of the time is waiting for the
next one: the aim is one tick and 50 ms for 99 in 100. Beside it, what comes after the tick: from the deciding tick in the log to the
commands.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import measure
from benchmarks.live import Load, Seen, Turn, Watcher, Writing, prepare
from benchmarks.measure import say, table, verdict
from benchmarks.workload import CLOSED, SECOND_US, Shape
from flowwatch.workspace import Workspace

RATE: Final = 20_000
BEYOND_TICK_S: Final = 0.050
PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds from each turn's commit, and from the commit of the tick that decided it, to its commands; and how many turns had none."""

    whole: list[float]
    after_tick: list[float]
    lost: int


def matched(load: Load, seen: Seen) -> Result:
    """Turn by turn: the k-th turn of a site is its k-th change of stage, and the commands name the change that they belong to."""
    commanded = {json.loads(row.body)["of"]: row.when for row in seen.rows if row.kind == "command"}
    changes: dict[str, list[tuple[bool, int, float]]] = defaultdict(list)
    for row in seen.rows:
        body = json.loads(row.body)
        if row.kind == "transition" and body["from"] is not None:
            changes[body["site"]].append((body["to"] == CLOSED, body["cause"]["tick_us"], commanded[row.id]))
    turns: dict[str, list[Turn]] = defaultdict(list)
    for turn in load.turns:
        turns[turn.site].append(turn)
    whole: list[float] = []
    after_tick: list[float] = []
    lost = 0
    for site, mine in turns.items():
        found = changes[site]
        if [turn.closes for turn in mine] != [closes for closes, _, _ in found]:
            lost += len(mine)
            continue
        whole += [when - turn.at for turn, (_, _, when) in zip(mine, found, strict=True)]
        after_tick += [when - load.ticks[tick] for _, tick, when in found if tick in load.ticks]
    return Result(whole, after_tick, lost)


def trial(root: Path, shape: Shape, seconds: float, through: str, tick_us: int, partitions: int) -> tuple[Load, Seen]:
    """One run: what was written, and what was seen of it."""
    workspace = Workspace(root)
    prepare(root, shape, tick_us, partitions)
    with Watcher(workspace.journal) as watcher:
        writing = Writing(workspace.log, shape, through)
        process = measure.flowwatch("run", "--data", root)
        try:
            writing.idle(lambda: watcher.transitions() >= shape.sites, PATIENCE_S)
            say(f"{shape.sites:,} sites are up; readings for {seconds:g} s through the {through}")
            writing.work(seconds)
            seen = watcher.stop()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            writing.close()
    if process.returncode:
        raise RuntimeError(f"flowwatch run ended with exit code {process.returncode}")
    return writing.load, seen


def row(shape: Shape, through: str, tick_us: int, load: Load, seen: Seen) -> list[str]:
    """A line of the table."""
    result = matched(load, seen)
    aim = tick_us / SECOND_US + BEYOND_TICK_S
    kept = bool(result.whole) and not result.lost and float(np.percentile(result.whole, 99)) <= aim
    return [
        f"{shape.sites:,}, {through}",
        f"{load.readings / load.took:,.0f}",
        f"{len(result.whole):,}",
        f"{result.lost:,}",
        *_spread(result.whole),
        verdict(met=kept),
        *_spread(result.after_tick),
        f"{seen.away * 1000:.0f}",
        f"{load.late * 1000:.0f}",
    ]


def _spread(took: Sequence[float]) -> list[str]:
    return [f"{value * 1000:,.0f}" for value in np.percentile(took, (50, 99, 100))] if took else ["", "", ""]


def main() -> None:
    """Run the trials, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sites", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--through", nargs="+", choices=["writer", "inbox"], default=["writer"])
    parser.add_argument("--tick-ms", type=int, default=1_000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--folder", type=Path, help="where log and journal go, on the disk to be measured [default: a temporary one]")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    asked = parser.parse_args()
    tick_us = asked.tick_ms * 1000
    rows = []
    for sites in asked.sites:
        for through in asked.through:
            shape = Shape(sites=sites, counters=RATE // sites, rate=RATE)
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                load, seen = trial(Path(folder), shape, asked.seconds, through, tick_us, asked.partitions)
            rows.append(row(shape, through, tick_us, load, seen))
            say(" ".join(rows[-1]))
    head = ["sites, through", "readings/s", "turns", "lost", "p50", "p99", "max", f"p99 within {asked.tick_ms + 50} ms"]
    head += ["after tick: p50", "p99", "max", "watcher away", "writer late"]
    told = f"{asked.seconds:g} s each, {asked.partitions} partitions, a tick every {asked.tick_ms} ms; all times in milliseconds"
    measure.report("latency", f"{told}. {measure.machine()}\n\n{table(head, rows)}", write=asked.write)


if __name__ == "__main__":
    main()
