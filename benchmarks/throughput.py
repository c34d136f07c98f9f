"""How many readings a second, on one core: the edge, the engine, both in a row, and beside them what others do with the same bytes.

    python -m benchmarks.throughput [--readings 10_000_000] [--write]

Before anything is timed, every contender says which sites closed and opened when, on a small input, and must say the same as a plain
loop; and the batch of each peer is found that suits it best. Then all are measured in turn, the best of seven rounds counts. Aims: edge
at least half of decoding alone; engine at least 10 M readings/s on batches of 1,000 and more; both in a row at least ten times the window
dataflow and twice the lean one.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import measure, pipeline
from benchmarks.measure import Rounds, apart, rate, say, seconds, table, verdict
from benchmarks.peers import decode, lean, reference, windows
from benchmarks.workload import SECOND_US, START_US, Lines, Shape

SMALL: Final = Shape(sites=7, counters=5, rate=35)
SMALL_READINGS: Final = 35 * 900
PEER_BATCHES: Final = (100, 1_000, 4_000, 10_000, 30_000)
TUNING_READINGS: Final = 120_000
ENGINE_BATCHES: Final = (1_000, 10_000, 100_000)
ENGINE_AIM: Final = 10e6

LEAN, WINDOWS, DECODE = "lean: one stateful_map call a reading", "windows: idiomatic Bytewax", "decode alone"
EDGE, BOTH = "edge: JSON bytes to log", "both in a row: JSON bytes to journal"
EMPTY: Final = "engine: start, one tick, checkpoint, end"

Peer = Callable[[Lines, int], object]
PEERS: Final[Mapping[str, Peer]] = {
    **{f"{DECODE}, {way}": run for way, run in decode.WAYS.items()},
    LEAN: lean.changes,
    WINDOWS: windows.changes,
}


def check() -> None:
    """Every contender says what the plain loop says, on a small input. Raises AssertionError."""
    lines = Lines(SMALL, SMALL_READINGS)
    right = reference.changes(lines)
    last = START_US // SECOND_US + SMALL_READINGS // SMALL.rate - 1
    assert len(right) > 5, "the small input has too few changes to tell anything"
    for batch in (100, 1_000):
        assert sorted(windows.changes(lines, batch)) == right, f"windows, batch {batch}"
        assert sorted(lean.changes(lines, batch)) == [change for change in right if change[1] < last], f"lean, batch {batch}"
    with tempfile.TemporaryDirectory() as folder:
        for partitions in (1, 16):
            root = Path(folder, str(partitions))
            pipeline.prepare(root, SMALL, partitions)
            pipeline.edge(root, lines, 1_000)
            pipeline.engine(root)
            assert pipeline.changes(root) == right, f"flowwatch, {partitions} partitions"


def tuned(lines: Lines, batches: tuple[int, ...]) -> dict[str, dict[int, float]]:
    """Each peer's seconds a reading by batch, the best of two."""
    few = lines.first(TUNING_READINGS)
    found: dict[str, dict[int, float]] = {}
    for name, peer in PEERS.items():
        trials = {batch: functools.partial(seconds, functools.partial(peer, few, batch)) for batch in batches}
        found[name] = {batch: min(apart(trial) for _ in range(2)) / len(few) for batch, trial in trials.items()}
        say(f"{name}: " + ", ".join(f"{batch:,} {rate(1, took)}" for batch, took in found[name].items()))
    return found


def contenders(lines: Lines, folder: Path, batches: Mapping[str, int], peer_lines: Lines) -> dict[str, Callable[[], float]]:
    """What is measured, by name; each gives its seconds, its preparation left out."""

    def edge() -> float:
        root = pipeline.copy(folder / "log-0", folder / "edge")
        return seconds(lambda: pipeline.edge(root, lines))

    def engine(batch: int) -> float:
        root = pipeline.view(folder / f"log-{batch}", folder / "engine")
        return seconds(lambda: pipeline.engine(root))

    def both() -> float:
        root = pipeline.copy(folder / "log-0", folder / "both")

        def work() -> None:
            pipeline.edge(root, lines)
            pipeline.engine(root)

        return seconds(work)

    def empty() -> float:
        root = pipeline.view(folder / "log-1", folder / "engine")
        return seconds(lambda: pipeline.engine(root))

    peers = {
        name: functools.partial(seconds, functools.partial(peer, lines if name.startswith(DECODE) else peer_lines, batches[name]))
        for name, peer in PEERS.items()
    }
    engines = {_engine(batch): functools.partial(engine, batch) for batch in ENGINE_BATCHES}
    return {**peers, EDGE: edge, EMPTY: empty, **engines, BOTH: both}


def _engine(batch: int) -> str:
    return f"engine: log to journal, batches of {batch:,}"


def results(lines: Lines, peer_readings: int, rounds: Rounds) -> str:
    """The table."""
    took = {name: rounds.best(name) / (peer_readings if name in (LEAN, WINDOWS) else len(lines)) for name in rounds.times if name != EMPTY}
    start = rounds.best(EMPTY)
    decoding = min((name for name in took if name.startswith(DECODE) and not name.endswith("times read")), key=lambda name: took[name])

    def ratio(name: str, to: str, aim: float) -> str:
        found = took[to] / took[name]
        return f"{found:.2f} x {to.partition(':')[0]}, aim {aim:g}: {verdict(met=found >= aim)}"

    aims = {EDGE: ratio(EDGE, decoding, 0.5), BOTH: f"{ratio(BOTH, WINDOWS, 10)}; {ratio(BOTH, LEAN, 2)}"}
    for name in map(_engine, ENGINE_BATCHES):
        sustained = took[name] - start / len(lines)
        aims[name] = f"{rate(1, sustained)} but for start and end ({start * 1000:.0f} ms), aim {rate(ENGINE_AIM, 1)}: "
        aims[name] += verdict(met=1 / sustained >= ENGINE_AIM)
    rows = [[name, rate(1, took[name]), aims.get(name, "the decode peer" if name == decoding else "")] for name in took]
    return table(["one core", "readings/s", "against its aim"], rows)


def tuning(found: Mapping[str, Mapping[int, float]]) -> str:
    """The second table: how the peers were tuned."""
    head = ["peer, readings/s by batch", *(f"{batch:,}" for batch in PEER_BATCHES)]
    return table(head, [[name, *(rate(1, took) for took in by_batch.values())] for name, by_batch in found.items()])


def main() -> None:
    """Check, tune, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--peer-readings", type=int, help="measure the two dataflow peers on so many of the readings only [default: all]")
    parser.add_argument("--folder", type=Path, help="where logs and journals go, on the disk to be measured [default: a temporary one]")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    measure.alone(asked.core)
    apart(check)
    say("every contender agrees with the plain loop")
    lines = Lines(Shape(), asked.readings)
    found = tuned(lines, PEER_BATCHES)
    batches = {name: min(by_batch, key=lambda batch: by_batch[batch]) for name, by_batch in found.items()}
    peer_lines = lines.first(asked.peer_readings or asked.readings)
    with tempfile.TemporaryDirectory(dir=asked.folder) as made:
        folder = Path(made)
        pipeline.prepare(folder / "log-0", lines.shape)
        apart(functools.partial(pipeline.idle, pipeline.copy(folder / "log-0", folder / "log-1"), 1))
        for batch in ENGINE_BATCHES:
            root = pipeline.copy(folder / "log-0", folder / f"log-{batch}")
            apart(functools.partial(pipeline.edge, root, lines, batch))
        rounds = Rounds(contenders(lines, folder, batches, peer_lines))
        rounds.run(asked.rounds)
    what = f"{len(lines):,} readings of {lines.shape.sites} sites x {lines.shape.counters} counters"
    title = f"{what}, best of {asked.rounds}. {measure.machine()}"
    if len(peer_lines) < len(lines):
        title += f". The two dataflow peers: on the first {len(peer_lines):,} readings"
    text = f"{title}\n\n{results(lines, len(peer_lines), rounds)}\n\n{tuning(found)}"
    measure.report(f"throughput {asked.readings:,}", text, write=asked.write)


if __name__ == "__main__":
    main()
