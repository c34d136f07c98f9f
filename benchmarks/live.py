"""A log in use: readings and ticks by the wall clock, and a process that watches the journal for what comes of them.

The writer's time and the watcher's are both the machine's monotonic clock, which is the same for all processes. Used by `latency.py`.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.workload import SECOND_US, Shape
from flowwatch.core.entries import canonical
from flowwatch.core.readings import ABSENT, Kind
from flowwatch.log import Inbox, Readings, Ticker, Writer, create
from flowwatch.workspace import Workspace

COMMIT_S: Final = 0.04
"""Readings of this long are made durable together, as `flowwatch ingest` does."""
LOOK_S: Final = 0.001
TURNS_PER_S: Final = 20.0
"""How many sites a second are taken over a bar, in all."""
REST_S: Final = 3.0
"""How long a site is then left in peace, so that its next turn is not judged at the same tick."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A reading that took its site over a bar: `closes` it or opens it again; durable at `at` (seconds on the monotonic clock)."""

    site: str
    closes: bool
    at: float


@dataclass(slots=True)
class Load:
    """What was written. `ticks`: tick (microseconds) -> when it was durable; `late`: by how much commits fell behind their time."""

    turns: list[Turn] = field(default_factory=list)
    ticks: dict[int, float] = field(default_factory=dict)
    readings: int = 0
    took: float = 0.0
    late: float = 0.0


class Source:
    """The readings of a shape as time goes by, in columns; counts cancel out but for the turns."""

    def __init__(self, shape: Shape, began_us: int) -> None:
        self._shape, self._began_us = shape, began_us
        self._rng = np.random.default_rng(shape.seed)
        self._order = self._rng.permutation(shape.sites * shape.counters)
        self._names = [f"{shape.site(c // shape.counters)}/counter-{c % shape.counters:02d}" for c in self._order.tolist()]
        self._closed = np.zeros(shape.sites, np.bool_)
        self._rested = np.zeros(shape.sites)
        self.made = 0

    def until(self, now_us: int, *, turning: bool) -> tuple[Readings, list[tuple[str, bool]]]:
        """The readings since the last call, and which sites they turn."""
        stop = max(self.made, (now_us - self._began_us) * self._shape.rate // SECOND_US)
        number = np.arange(self.made, stop)
        places = number % len(self._order)
        n, turned = len(number), []
        ingress, egress = np.ones(n, np.int64), np.ones(n, np.int64)
        step = self._shape.enter - self._shape.begin + self._shape.enter - self._shape.clear
        wanted = self._rng.poisson(TURNS_PER_S * n / self._shape.rate) if turning and n else 0
        for row in self._rng.choice(n, min(n, wanted), replace=False).tolist():
            site = int(self._order[places[row]]) // self._shape.counters
            if now_us / SECOND_US < self._rested[site]:
                continue
            self._rested[site] = now_us / SECOND_US + REST_S
            self._closed[site] = ~self._closed[site]
            (ingress if self._closed[site] else egress)[row] += step
            turned.append((self._shape.site(site), bool(self._closed[site])))
        self.made = stop
        absent = np.full(n, ABSENT, np.int64)
        readings = Readings(
            [self._names[i] for i in places.tolist()],
            np.full(n, Kind.DELTA, np.uint8),
            self._began_us + number * SECOND_US // self._shape.rate,
            np.full(n, now_us, np.int64),
            absent,
            np.zeros(n, np.int32),
            ingress,
            egress,
            absent,
            lambda _: b"",
        )
        return readings, turned


def prepare(
    root: Path, shape: Shape, tick_us: int, partitions: int, changed: Callable[[dict[str, Any]], dict[str, Any]] = lambda record: record
) -> None:
    """A log with a wall clock, its documents as `changed` makes them, and how many people are inside each site now."""
    log = Workspace(root).log
    log.parent.mkdir(parents=True, exist_ok=True)
    create(log, clock="wall", tick_us=tick_us, partitions=partitions)
    now = time.time_ns() // 1000
    with Writer.open(log) as writer:
        for s in range(shape.sites):
            document = changed(shape.document(s))
            for counter in document["counters"]:
                counter["max_per_min"] = 10**8  # a turn is one reading of many people
            writer.append_document(canonical(document), now)
            recount = json.loads(shape.recount(s)) | {"at_us": now, "counted_at_us": now}
            writer.append_action(shape.site(s), json.dumps(recount).encode(), now)


class Writing:
    """Writes the readings of `shape` into a log by the wall clock: as its writer, which ticks, or through the inbox of the one who does."""

    def __init__(self, log: Path, shape: Shape, through: str) -> None:
        """Raises `LogLocked` where somebody else has the writer's lock."""
        self.load = Load()
        self._shape = shape
        self._owned = ExitStack()
        self._writer = self._owned.enter_context(Writer.open(log)) if through == "writer" else None
        self._sink = self._writer or Inbox(log)
        if self._writer:
            self._clock = Ticker.start(self._writer.settings.tick_us, self._writer.last_tick_us, time.monotonic_ns() // 1000)

    def close(self) -> None:
        """Give back the lock."""
        self._owned.close()

    def idle(self, done: Callable[[], bool], patience_s: float) -> None:
        """Only tick until `done`. Raises RuntimeError when that takes longer than `patience_s`."""
        until = time.monotonic() + patience_s
        while not done():
            if time.monotonic() > until:
                raise RuntimeError(f"the engine was not ready after {patience_s:g} s")
            self._commit(())
            time.sleep(COMMIT_S)

    def work(self, seconds: float) -> None:
        """Readings with turns for so long, and then without until the last turn must be decided."""
        source = Source(self._shape, time.time_ns() // 1000)
        begin = due = time.monotonic()
        while (now := time.monotonic()) < begin + seconds + REST_S:
            readings, turned = source.until(time.time_ns() // 1000, turning=now < begin + seconds)
            self._sink.append(readings)
            self._commit(turned)
            due += COMMIT_S
            self.load.late = max(self.load.late, time.monotonic() - due)
            time.sleep(max(0.0, due - time.monotonic()))
        self.load.readings, self.load.took = source.made, time.monotonic() - begin

    def _commit(self, turned: Iterable[tuple[str, bool]]) -> None:
        tick = None
        if self._writer:
            self._clock, tick = self._clock.look(time.time_ns() // 1000, time.monotonic_ns() // 1000)
            if tick is not None:
                self._writer.tick(tick)
        self._sink.commit()
        durable = time.monotonic()
        self.load.turns += [Turn(site, closes, durable) for site, closes in turned]
        if tick is not None:
            self.load.ticks[tick] = durable


class Row(NamedTuple):
    """A transition or command, and when it was first seen."""

    when: float
    id: str
    kind: str
    body: bytes


@dataclass(slots=True)
class Seen:
    """What a watcher saw, and how long it looked away at the longest (seconds)."""

    rows: list[Row] = field(default_factory=list)
    away: float = 0.0


class Watcher(AbstractContextManager["Watcher"]):
    """A process that looks at a journal about once a millisecond. It asks SQLite only whether the file changed, and reads when it did."""

    def __init__(self, journal: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, its = context.Pipe()
        self._process = context.Process(target=_watch, args=(journal, its), daemon=True)
        self._process.start()

    def transitions(self) -> int:
        """How many transitions it has seen."""
        return int(self._ask("count"))

    def stop(self) -> Seen:
        """What it saw since the last count."""
        seen = self._ask("stop")
        assert isinstance(seen, Seen)
        return seen

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


def _watch(journal: Path, pipe: Connection) -> None:
    select = "SELECT rowid, chain || '-' || seq, kind, body FROM entries WHERE rowid > ? AND kind IN ('transition', 'command')"
    select += " ORDER BY rowid"
    seen, transitions, last, version, looked = Seen(), 0, 0, -1, time.monotonic()
    connection: sqlite3.Connection | None = None
    while True:
        if connection is None and journal.exists():
            connection = sqlite3.connect(journal, isolation_level=None)
            connection.execute("PRAGMA query_only = 1")
        with suppress(sqlite3.OperationalError):  # it is being made
            (found,) = connection.execute("PRAGMA data_version").fetchone() if connection else (version,)
            now = time.monotonic()
            seen.away, looked = max(seen.away, now - looked), now
            if found != version and connection:
                rows = connection.execute(select, (last,)).fetchall()
                version = found
                last = rows[-1][0] if rows else last
                seen.rows += [Row(now, id_, kind, body) for _, id_, kind, body in rows]
                transitions += sum(kind == "transition" for _, _, kind, _ in rows)
        if pipe.poll(LOOK_S):
            if pipe.recv() == "stop":
                pipe.send(seen)
                return
            pipe.send(transitions)
            seen.away, looked = 0.0, time.monotonic()
