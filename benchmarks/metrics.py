"""What it costs to be watched: to the engine that is, and to who fetches the figures.

    python -m benchmarks.metrics [--readings 1_000_000] [--sites 1_000] [--rounds 7] [--folder F] [--write]

- *Throughput*: the same log through the engine into a journal, on one core, with everything that is kept for figures (sums by counter, lateness,
  times, a file a second) and with none of it. The aim is less than 3 %.
- *A tick*: 1,000 zones with four counters each, one reading a counter and second. What the watcher does around each tick is timed by itself, and it
  writes its file at every one. The aim is less than 1 ms at p99.
- *A scrape*: 10,000 zones with six samples each, and all that is exposed besides, made from the folder and encoded. The aim is one second; what
  comes within a second of it is given the same body.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import measure, pipeline
from benchmarks.measure import Rounds, apart, rate, say, table, verdict
from benchmarks.plans import begun, readings_of
from benchmarks.workload import GATES, SECOND_US, START_US, Lines, Shape
from flowwatch.core.entries import Estimate, canonical
from flowwatch.core.readings import Block, Kind, joined_blocks
from flowwatch.core.scribe import Output
from flowwatch.core.tally import Tally
from flowwatch.dataflow import READ_ROWS
from flowwatch.evidence import Evidence
from flowwatch.figures import Watcher
from flowwatch.host import Host, find_start
from flowwatch.journal import Journal
from flowwatch.log import Reader, Writer, create
from flowwatch.metrics.body import Bodies
from flowwatch.metrics.ground import Ground
from flowwatch.workspace import Workspace

THROUGHPUT_AIM: Final = 0.03
TICK_AIM_MS: Final = 1.0
SCRAPE_AIM_S: Final = 1.0
TICKS: Final = 600
SERIES_OF_A_ZONE: Final = 6


class _Nothing(Tally):
    """Counts nothing."""

    def counted(self, *_: Any) -> None:
        """Nothing."""

    def judged_unfit(self, *_: Any) -> None:
        """Nothing."""

    def refuse(self, *_: Any) -> None:
        """Nothing."""


def through(root: Path, folder: Path, *, watched: bool) -> float:
    """Seconds for the log at `root` through the engine into a journal of its own."""
    workspace = Workspace(pipeline.view(root, folder / "round"))
    partition = workspace.log / "p00"
    with closing(Reader(workspace.log, "p00")) as reader, Journal.open(workspace.journal) as journal:
        start = find_start(partition, reader.start(), reader.end())

        def sink(out: Output) -> None:
            journal.append(out.entries, out.estimates)

        watcher = Watcher(workspace, "p00", lambda: host.engine, wall=True) if watched else None
        host = Host(partition, start, sink, checkpoint_s=None, look=None if watcher is None else watcher.look)
        if not watched:
            host.engine.intake.tally = _Nothing()
        began = time.perf_counter()
        offset = start.offset
        while chunks := reader.read(offset, READ_ROWS):
            offset = chunks[-1].first + chunks[-1].rows
            before = time.perf_counter()
            host.take(chunks)
            if watcher is not None:
                watcher.decided(time.perf_counter() - before, ticked=True)
        took = time.perf_counter() - began
    pipeline.remove(folder / "round")
    return took


def throughput(folder: Path, readings: int, rounds: int) -> list[list[str]]:
    """The first rows."""
    shape = Shape()
    root = folder / "log"
    pipeline.prepare(root, shape)
    apart(functools.partial(pipeline.edge, root, Lines(shape, readings)))
    pipeline.forget(root)
    contenders: dict[str, Callable[[], float]] = {
        name: functools.partial(through, root, folder, watched=name == "watched") for name in ("alone", "watched")
    }
    found = Rounds(contenders)
    found.run(rounds)
    alone, watched = statistics.median(found.times["alone"]), statistics.median(found.times["watched"])
    cost = watched / alone - 1
    pipeline.remove(root)
    return [
        ["engine alone", f"{rate(readings, alone)} readings/s", ""],
        [
            "engine watched",
            f"{rate(readings, watched)} readings/s",
            f"{100 * cost:+.1f} %, aim < 3 %: {verdict(met=cost < THROUGHPUT_AIM)}",
        ],
    ]


def ticks(folder: Path, sites: int) -> list[list[str]]:
    """The rows of a tick."""
    engine = begun(sites, 3)
    workspace = Workspace(folder)
    watcher = Watcher(workspace, "p00", lambda: engine, wall=True)
    counters = np.arange(len(engine.names))
    added, whole = [], []
    at = engine.tick
    for _ in range(TICKS):
        at += SECOND_US
        block = joined_blocks([readings_of(counters, at), _tick(at)])
        begin = time.perf_counter()
        watcher.look(block)
        looked = time.perf_counter()
        engine.feed(block)
        decided = time.perf_counter()
        watcher.decided(decided - looked, ticked=True)
        watcher.write()
        end = time.perf_counter()
        added.append(1000 * (looked - begin + end - decided))
        whole.append(1000 * (end - begin))
    p50, p99 = np.percentile(added, [50, 99])
    size = (workspace.state / "figures" / "p00").stat().st_size
    return [
        [f"a tick, {sites:,} zones, all of it", f"median {statistics.median(whole):.2f} ms", ""],
        [
            f"of it being watched, with a file of {size / 1024:,.0f} KiB",
            f"median {p50:.2f} ms, p99 {p99:.2f} ms",
            f"aim p99 < {TICK_AIM_MS:g} ms: {verdict(met=p99 < TICK_AIM_MS)}",
        ],
    ]


def scrape(folder: Path, zones: int, rounds: int) -> list[list[str]]:
    """The rows of a scrape."""
    workspace = Workspace(folder / "scraped")
    sites, each = zones // 100, 100
    _fill(workspace, sites, each)
    with Evidence(workspace.log) as evidence:
        known = evidence.documents()
    ground = Ground(workspace, documents=lambda: known)
    bodies = Bodies(ground.parts, fresh_s=0.0)
    first, size = _timed(bodies)
    found = [_timed(bodies)[0] for _ in range(rounds)]
    samples = sum(1 for sample in ground.samples() if "zone" in sample.labels)
    kept = Bodies(ground.parts, fresh_s=60.0)
    _timed(kept)
    again, _ = _timed(kept)
    ground.close()
    took = statistics.median(found)
    return [
        [f"the first body, {zones:,} zones in {sites:,} sites, {samples / zones:.1f} samples a zone", f"{first:.2f} s", ""],
        [
            f"a body, {size / 1e6:.1f} MB",
            f"median {took:.2f} s, worst {max(found):.2f} s",
            f"aim 1 s: {verdict(met=took < SCRAPE_AIM_S)}",
        ],
        ["the same body again", f"{1000 * again:.2f} ms", ""],
    ]


def _timed(bodies: Bodies) -> tuple[float, int]:
    begin = time.perf_counter()
    body = bodies.body("text/plain", packed=False)
    return time.perf_counter() - begin, len(body.data)


def _fill(workspace: Workspace, sites: int, zones: int) -> None:
    """A log with the documents of so many sites of so many zones, and a journal with an estimate of each site."""
    shape = Shape(sites=sites, counters=GATES, rate=sites * GATES)
    create(workspace.log, clock="wall", tick_us=SECOND_US, partitions=16)
    estimates = []
    with Writer.open(workspace.log) as writer:
        for s in range(sites):
            record = shape.document(s)
            zone = record["zones"][0]
            record["zones"] = [zone, *(zone | {"zone": f"zone-{z:03d}", "inside": "all"} for z in range(1, zones))]
            writer.append_document(canonical(record), START_US)
            told = {
                "in": 9,
                "inside_m": 4_000_000,
                "known": True,
                "lower_m": 3_900_000,
                "out": 3,
                "raw_m": 1,
                "silent": [],
                "upper_m": 4_100_000,
            }
            body = {"minute_us": START_US, "site": shape.site(s), "stage": "normal", "zones": {z["zone"]: told for z in record["zones"]}}
            estimates.append(Estimate(shape.site(s), START_US, canonical(body)))
        writer.tick(START_US)
    with Journal.open(workspace.journal) as journal:
        journal.append([], estimates)


def _tick(at: int) -> Block:
    one = np.full(1, at, np.int64)
    none = np.full(1, -1, np.int64)
    return Block(0, np.full(1, Kind.TICK, np.uint8), np.full(1, -1, np.int32), one, one, none, np.zeros(1, np.int32), none, none, none)


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--zones", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    measure.alone(0)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        root = Path(folder)
        rows = throughput(root, asked.readings, asked.rounds)
        say("ticks")
        rows += apart(functools.partial(ticks, root / "ticks", asked.sites))
        say("scrapes")
        rows += apart(functools.partial(scrape, root, asked.zones, asked.rounds))
    head = f"{asked.readings:,} readings, median of {asked.rounds}, one core. {measure.machine()}"
    measure.report("metrics", f"{head}\n\n{table(['', 'figure', 'against its aim'], rows)}", write=asked.write)


if __name__ == "__main__":
    main()
