"""How the pipeline grows: with the number of sites, with the size of batches, in memory, and with the length of the log at a start.

    python -m benchmarks.growth [--readings 1_000_000] [--write] [sites batches starts]

Sites: 1 to 10,000 with 20 counters each share the same 20,000 readings a second, so only their number changes. Every site is looked at at
every tick, so a tick costs by the site; what ticks cost by themselves is measured on a log that holds nothing else, and where they are
most of the time the table says so. Start, last checkpoint and end are left out. Memory is the highest of the whole process beyond that
with one site. Starts are those of the real command, `flowwatch run --until-end`, from the shell's point of view.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import measure, pipeline
from benchmarks.measure import Rounds, apart, peak_bytes, rate, say, seconds, table
from benchmarks.workload import Lines, Shape
from flowwatch.log import Writer
from flowwatch.workspace import Workspace

SITES: Final = (1, 10, 100, 1_000, 10_000)
RATE: Final = 20_000
BATCHES: Final = (10, 100, 1_000, 10_000, 100_000)
MOST_COMMITS: Final = 2_000
"""Small batches are measured on fewer readings: each commit waits for the disk."""
BEHIND_S: Final = 30
"""A killed process has lost at most this much of its work: the time between checkpoints."""
MIB: Final = 2**20


def by_sites(readings: int, rounds: int, folder: Path, most_sites: int) -> str:
    """The table of sites."""
    head = ["sites", "edge, readings/s", "engine, readings/s", "a tick by itself, ms", "ticks' share"]
    head += ["engine but for ticks", "MiB a 1,000 sites"]
    rows: list[list[str]] = []
    rates: list[float] = []
    one_site = 0
    ticks = readings // RATE
    for sites in (n for n in SITES if n <= most_sites):
        lines = Lines(Shape(sites=sites, rate=RATE), readings)
        begun, ended, full, idle = (folder / name for name in ("begun", "ended", "full", "idle"))
        pipeline.prepare(begun, lines.shape)
        apart(functools.partial(pipeline.edge, pipeline.copy(begun, full), lines))
        apart(functools.partial(pipeline.idle, pipeline.copy(begun, idle), ticks))
        apart(functools.partial(pipeline.idle, pipeline.copy(begun, ended), 1))
        work = {root.name: functools.partial(_engine, root, folder) for root in (ended, full, idle)}
        measured = Rounds({"edge": functools.partial(_edge, begun, folder, lines)} | work)
        measured.run(rounds)
        peak = apart(functools.partial(_peak, full, folder))
        one_site = one_site or peak
        whole = measured.best("full") - measured.best("ended")
        ticking = max(0.0, measured.best("idle") - measured.best("ended")) * ticks / (ticks - 1)
        rates.append(readings / whole)
        share = ticking / whole
        rows.append(
            [
                f"{sites:,}",
                rate(readings, measured.best("edge")),
                rate(readings, whole),
                f"{ticking / ticks * 1000:.2f}",
                f"{share:.0%}" + (" **ticks dominate**" if share > 0.5 else ""),
                rate(readings, whole - ticking) if share < 0.9 else "",
                f"{(peak - one_site) / MIB / sites * 1000:.0f}" if sites >= 100 else "",
            ]
        )
        for root in (begun, ended, full, idle):
            pipeline.remove(root)
    return f"{table(head, rows)}\n\nBest to worst, engine: {max(rates) / min(rates):.1f} x (start and end left out)."


def by_batch(readings: int, rounds: int, folder: Path, most_sites: int) -> str:  # noqa: ARG001
    """The table of batches."""
    lines = Lines(Shape(), readings)
    begun, ended, full = (folder / name for name in ("begun", "ended", "full"))
    pipeline.prepare(begun, lines.shape)
    apart(functools.partial(pipeline.idle, pipeline.copy(begun, ended), 1))
    rows = []
    for batch in BATCHES:
        few = lines.first(batch * MOST_COMMITS)
        apart(functools.partial(pipeline.edge, pipeline.copy(begun, full), few, batch))
        work = {root.name: functools.partial(_engine, root, folder) for root in (ended, full)}
        measured = Rounds({"edge": functools.partial(_edge, begun, folder, few, batch)} | work)
        measured.run(rounds)
        whole = measured.best("full") - measured.best("ended")
        rows.append([f"{batch:,}", f"{len(few):,}", rate(len(few), measured.best("edge")), rate(len(few), whole)])
    return table(["lines a commit", "readings", "edge, readings/s", "engine, readings/s (start and end left out)"], rows)


def by_length(readings: int, rounds: int, folder: Path, most_sites: int) -> str:  # noqa: ARG001
    """The table of starts."""
    shape = Shape()
    behind = BEHIND_S * shape.rate
    lines = Lines(shape, max(readings, 2 * behind))
    rows = []
    for length in _lengths(readings, behind):
        root = folder / f"long-{length}"
        pipeline.prepare(root, shape)
        apart(functools.partial(pipeline.edge, root, lines.first(length - behind)))
        apart(functools.partial(pipeline.engine, root))
        old = folder / "old"
        pipeline.copy(root, old)
        apart(functools.partial(pipeline.edge, root, lines.part(length - behind, length)))
        took: dict[str, list[float]] = {name: [] for name in ("at the end", "behind", "none", "writer")}
        for _ in range(rounds):
            pipeline.copy(root, old)
            took["behind"].append(_start(old))
            took["at the end"].append(_start(old))
            took["writer"].append(apart(functools.partial(_open, old)))
            pipeline.forget(old)
            took["none"].append(_start(old))
        size = sum(file.stat().st_size for file in Workspace(root).log.rglob("*.seg"))
        rows.append([f"{length:,}", f"{size / MIB:,.0f}", *(f"{min(took[name]):.2f}" for name in took)])
        say(f"{length:,} readings: {rows[-1][2:]}")
        pipeline.remove(root)
        pipeline.remove(old)
    head = ["readings in the log", "MiB", "checkpoint at the end, s", f"{BEHIND_S} s back, s", "none, s", "opening the writer, s"]
    return table(head, rows)


def _lengths(readings: int, behind: int) -> Sequence[int]:
    return [length for length in (2 * behind, 1_000_000, 3_000_000, 10_000_000) if length <= max(readings, 2 * behind)]


def _edge(begun: Path, folder: Path, lines: Lines, commit: int | None = None) -> float:
    root = pipeline.copy(begun, folder / "edge")
    return seconds(lambda: pipeline.edge(root, lines, commit))


def _engine(root: Path, folder: Path) -> float:
    fresh = pipeline.view(root, folder / "engine")
    return seconds(lambda: pipeline.engine(fresh))


def _peak(root: Path, folder: Path) -> int:
    fresh = pipeline.view(root, folder / "engine")
    return peak_bytes(lambda: pipeline.engine(fresh))


def _start(root: Path) -> float:
    """How long `flowwatch run --until-end` takes, from call to exit."""
    begin = time.perf_counter()
    process = measure.flowwatch("run", "--data", root, "--until-end")
    if process.wait():
        raise RuntimeError(f"flowwatch run ended with exit code {process.returncode}")
    return time.perf_counter() - begin


def _open(root: Path) -> float:
    return seconds(lambda: Writer.open(Workspace(root).log).close())


PARTS: Final[dict[str, Callable[[int, int, Path, int], str]]] = {"sites": by_sites, "batches": by_batch, "starts": by_length}


def main() -> None:
    """Measure the parts that are asked for, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which tables [default: all]")
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most-sites", type=int, default=SITES[-1], help="leave out what has more")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="where logs and journals go, on the disk to be measured [default: a temporary one]")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    measure.alone(asked.core)
    for name in asked.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=asked.folder) as made:
            text = PARTS[name](asked.readings, asked.rounds, Path(made), asked.most_sites)
        measure.report(f"growth {name}", f"One core, best of {asked.rounds}. {measure.machine()}\n\n{text}", write=asked.write)


if __name__ == "__main__":
    main()
