"""What an engine says of itself, for whoever watches it: a small file for each partition, written by its engine once a second.

Sums begin anew with each start of the engine. Nothing depends on the file: it is never synced, and one that cannot be read says nothing. It costs
the engine a look at the rows of a live log as they come, and one small write a second: in place, because that is a hundred times faster than to
put another file there. A checksum tells a reader that came in the middle of it.
"""

from __future__ import annotations

import os
import struct
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import xxhash

from flowwatch.core.engine import Engine
from flowwatch.core.readings import Block, Ints, Kind
from flowwatch.log.disk import storage
from flowwatch.workspace import Workspace

EVERY_S: Final = 1.0
"""How often the file is written: four times between two scrapes at the shortest interval in use (5 s)."""
DECIDE_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Edges of how long the engine takes over rows with a tick; 0.05 s is the most that a decision may take beyond its tick."""
LATENCY_BOUNDS_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.05, 1.2, 1.5, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Edges from a reading's receipt to the decision; a tick a second makes it one second and those 0.05 at most."""
MOST_ROWS: Final = 8_192
"""Rows that are looked at together. Only a log that is far behind brings more at once; of such only some are looked at, so that it is no slower."""
SKEW_US: Final = 600 * 1_000_000
"""The least lateness is that of this window, and of so much of the one before it as is left."""
NEVER: Final = -(2**62)
"""Stands for a lateness that is not known."""
READS: Final = 5
"""How often a file is read that is being written just then; that takes some microseconds."""
_SEAL: Final = struct.Struct("<QQ")
"""Before the figures: how many bytes they are, and their XXH3."""


class Spread(msgspec.Struct):
    """A histogram: how many fell in each step (one more than edges), and their sum in seconds."""

    counts: list[int]
    total_s: float = 0.0

    @classmethod
    def over(cls, edges: tuple[float, ...]) -> Spread:
        """An empty one."""
        return cls([0] * (len(edges) + 1))

    def add(self, edges: tuple[float, ...], value_s: float) -> None:
        """One more; a value on an edge belongs below it."""
        self.counts[bisect_left(edges, value_s)] += 1
        self.total_s += value_s

    def cumulative(self) -> list[int]:
        """How many fell at or below each edge, and in all."""
        return list(accumulate(self.counts))


class Figures(msgspec.Struct):
    """What one partition's engine says. Times in microseconds UTC; arrays of the C counters in `names`, "site/counter"."""

    partition: str
    pid: int
    begun_us: int
    noted_us: int
    cpu_s: float
    """Processor time of the whole process, which may have several partitions."""
    resident_bytes: int
    ticks: int
    refused: list[int]
    """By number of the reason (`Reason`)."""
    decide: Spread
    latency: Spread
    names: list[str]
    readings: bytes
    people_in: bytes
    people_out: bytes
    last_us: bytes
    """(C,) int64, the newest time of a reading that counted."""
    lateness_us: bytes
    """(C,) int64, of the newest reading; `NEVER` where none was looked at."""
    least_us: bytes
    """(C,) int64, the least lateness of the last window or two."""


def ints(data: bytes) -> Ints:
    """An array of a `Figures`."""
    return np.frombuffer(data, "<i8")


class Lateness:
    """How late readings come, by counter, (C,) microseconds."""

    def __init__(self) -> None:
        self.newest, self._least, self._before = (np.full(0, NEVER, np.int64) for _ in range(3))
        self._window = NEVER

    def look(self, block: Block, counters: int, now_us: int) -> None:
        """Readings came; `counters` is how many the engine knows."""
        if counters > len(self.newest):
            more = np.full(counters - len(self.newest), NEVER, np.int64)
            self.newest, self._least, self._before = (np.concatenate([old, more]) for old in (self.newest, self._least, self._before))
        if now_us // SKEW_US != self._window:
            passed, self._window = now_us // SKEW_US - self._window, now_us // SKEW_US
            self._before = self._least if passed == 1 else np.full_like(self._least, NEVER)
            self._least = np.full_like(self._least, NEVER)
        mine = (block.kind < Kind.TICK) & (block.counter >= 0) & (block.counter < counters)
        counter, late = block.counter[mine], (block.received - block.at)[mine]
        self.newest[counter] = late
        fresh = counter[self._least[counter] == NEVER]
        self._least[fresh] = self.newest[fresh]
        np.minimum.at(self._least, counter, late)

    def least(self) -> Ints:
        """(C,) the least of both windows."""
        both = np.minimum(self._least, self._before)
        return np.where(both == NEVER, np.maximum(self._least, self._before), both)


class Watcher:
    """One partition's file, and what is measured for it. For the one engine that decides there."""

    def __init__(self, workspace: Workspace, partition: str, engine: Callable[[], Engine], *, wall: bool) -> None:
        """`engine`: who is watched; `wall`: whether the log's time is that on the wall, so that what comes can be late. Raises `DiskRefused`."""
        self._partition, self._engine, self._wall = partition, engine, wall
        file = _folder(workspace) / partition
        with storage(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._begun = _now()
        self._lateness = Lateness()
        self._decide, self._latency = Spread.over(DECIDE_BOUNDS_S), Spread.over(LATENCY_BOUNDS_S)
        self._oldest: int | None = None
        """When the oldest reading came that no tick has decided."""
        self._behind: int | None = None
        """The same of those behind the last tick that was looked at."""
        self._due = self._look_due = 0.0

    def look(self, block: Block) -> None:
        """The engine is about to decide on these rows."""
        if not self._wall or not len(block):
            return
        if len(block) > MOST_ROWS:
            if time.monotonic() < self._look_due:
                return
            self._look_due = time.monotonic() + EVERY_S
            block = block.slice(len(block) - MOST_ROWS, len(block))
        self._lateness.look(block, len(self._engine().names), _now())
        ticks = np.flatnonzero(block.kind == Kind.TICK)
        cut = int(ticks[-1]) + 1 if len(ticks) else 0
        before, after = _oldest(block.slice(0, cut)), _oldest(block.slice(cut, len(block)))
        if len(ticks):
            self._oldest, self._behind = _earlier(_earlier(self._oldest, self._behind), before), after
        else:
            self._behind = _earlier(self._behind, after)

    def decided(self, took_s: float, *, ticked: bool) -> None:
        """The journal holds what the rows decided; it took so long. Writes the file, if it is time to."""
        if ticked:
            self._decide.add(DECIDE_BOUNDS_S, took_s)
            if self._oldest is not None:
                self._latency.add(LATENCY_BOUNDS_S, max(0.0, (_now() - self._oldest) / 1e6))
                self._oldest = None
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY_S
            self.write()

    def write(self) -> None:
        """Write the file; a disk that refuses is nobody's trouble here."""
        body = msgspec.msgpack.encode(self._figures())
        with suppress(OSError):
            os.pwrite(self._fd, _SEAL.pack(len(body), xxhash.xxh3_64_intdigest(body)) + body, 0)

    def close(self) -> None:
        """Write a last time, and close the file."""
        self.write()
        os.close(self._fd)

    def _figures(self) -> Figures:
        engine = self._engine()
        tally, count = engine.intake.tally, len(engine.names)
        times = os.times()

        def filled(values: Ints, absent: int) -> bytes:
            return np.concatenate([values[:count], np.full(max(0, count - len(values)), absent, np.int64)]).astype("<i8").tobytes()

        return Figures(
            self._partition,
            os.getpid(),
            self._begun,
            _now(),
            times.user + times.system,
            _resident(),
            tally.ticks,
            tally.refused.tolist(),
            self._decide,
            self._latency,
            engine.names,
            filled(tally.readings, 0),
            filled(tally.people_in, 0),
            filled(tally.people_out, 0),
            filled(engine.intake.totals.counted_at, NEVER),
            filled(self._lateness.newest, NEVER),
            filled(self._lateness.least(), NEVER),
        )


def read(workspace: Workspace) -> Iterator[Figures]:
    """What the engines said last, by partition; nothing of one that never said anything, or that cannot be understood."""
    for file in sorted(_folder(workspace).glob("*")):
        with suppress(OSError, msgspec.DecodeError):
            body = _whole(file)
            if body is not None:
                yield msgspec.msgpack.decode(body, type=Figures)


def _whole(file: Path) -> bytes | None:
    """The figures in a file, None where they are not whole."""
    for _ in range(READS):
        data = file.read_bytes()
        if len(data) >= _SEAL.size:
            size, seal = _SEAL.unpack_from(data)
            body = data[_SEAL.size : _SEAL.size + size]
            if len(body) == size and xxhash.xxh3_64_intdigest(body) == seal:
                return body
    return None


def _oldest(block: Block) -> int | None:
    received = block.received[block.kind < Kind.TICK]
    return int(received.min()) if len(received) else None


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _now() -> int:
    return time.time_ns() // 1000


def _resident() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _folder(workspace: Workspace) -> Path:
    return workspace.state / "figures"
