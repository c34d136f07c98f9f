"""The stream: the log's partitions flow through their engines into the journal, hosted by Bytewax.

    log ──read──▶ (partition, chunks) ──decide──▶ journal
                    one source partition      one engine a key, in `Host`;
                    a log partition           the journal is written before the step returns

What Bytewax is trusted with: which worker hosts which partition, and back-pressure. What it is not: exactly-once. It writes sinks before it
commits, so every decision is journaled by sequence number and a repeat changes nothing; it pickles a key's whole state every epoch, so the
engine keeps its own checkpoints and Bytewax's recovery holds no more than an offset and a checkpoint's name; it loses the open epoch at a
signal, so stopping is ours: a word on a pipe, and the source ends. Step ids and partition names are frozen for life.

Run as a process: `python -m flowwatch.dataflow`, by the supervisor, whose pipe says "stop" or, by closing, that the supervisor is gone.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from flowwatch.core.scribe import Output
from flowwatch.core.state import StateError
from flowwatch.decided import Note, Place
from flowwatch.figures import Watcher
from flowwatch.host import CHECKPOINT_S, Host, find_start
from flowwatch.journal import Journal
from flowwatch.journal.database import JournalError
from flowwatch.log.errors import DiskRefused, LogError
from flowwatch.log.reader import Chunk, Reader
from flowwatch.log.settings import Clock, load
from flowwatch.workspace import Workspace

READ_ROWS: Final = 65_536
"""Rows that a partition hands on at a time: enough to amortise a journal transaction, few enough that partitions take turns."""
POLL: Final = timedelta(milliseconds=5)
"""How often a partition whose end was reached looks again: a small part of the 50 ms that a decision may take beyond its tick."""
POLL_EMPTY: Final = timedelta(milliseconds=250)
"""The same for a partition that never had a row: most of them, where sites are few."""
DAMAGED, DISK_REFUSED = 4, 6
"""A worker's exit codes where it knows why it ends; those of the command line (`cli.exits.Exit`)."""
EPOCH: Final = timedelta(seconds=2)
"""How often Bytewax notes offsets; a restart does not depend on it."""

Portion = tuple[str, list[Chunk]]
"""A partition's name and its next rows; the name is also the key."""
Item = tuple[str, Portion]
Recovered = tuple[int, str]
"""What recovery holds: the offset reached, and the name of the checkpoint from which it can be reached again."""


class LogPartition(StatefulSourcePartition[Item, Recovered]):
    """Reads one partition from where its engine's checkpoint stands."""

    def __init__(self, workspace: Workspace, name: str, stop: threading.Event, *, until_end: bool) -> None:
        self._reader = Reader(workspace.log, name)
        self._name, self._stop, self._until_end = name, stop, until_end
        self._folder = workspace.log / name
        start = find_start(self._folder, self._reader.start(), self._reader.end())
        self._offset, self._from = start.offset, start.offset
        self._awake: datetime | None = None
        self._stopping = False

    def next_batch(self) -> Iterable[Item]:
        """The next rows, or none yet. Called again and again; ends when told to stop, or at the end of a log that is not followed.

        Told to stop it reads once more: the ticker has stopped by then, and what it wrote last is to be decided too.
        """
        if self._stop.is_set():
            if self._stopping:
                raise StopIteration
            self._stopping = True
        chunks = self._reader.read(self._offset, READ_ROWS)
        if not chunks:
            if self._until_end:
                raise StopIteration
            self._awake = datetime.now(UTC) + (POLL if self._offset else POLL_EMPTY)
            return []
        self._awake = None
        self._offset = chunks[-1].first + chunks[-1].rows
        return [(self._name, (self._name, chunks))]

    def next_awake(self) -> datetime | None:
        """When to be asked again."""
        return self._awake

    def snapshot(self) -> Recovered:
        """Where this partition is; read by nobody but people, since source and engine both start from the newest whole checkpoint."""
        return self._offset, f"{self._from:020d}.ckpt"

    def close(self) -> None:
        """Close the files."""
        self._reader.close()


class LogSource(FixedPartitionedSource[Item, Recovered]):
    """All partitions of a log."""

    def __init__(self, workspace: Workspace, stop: threading.Event, *, until_end: bool) -> None:
        self._workspace, self._stop, self._until_end = workspace, stop, until_end

    def list_parts(self) -> list[str]:
        """The partitions' names, fixed when the log was made."""
        return load(self._workspace.log).folders

    def build_part(self, step_id: str, for_part: str, resume_state: Recovered | None) -> LogPartition:  # noqa: ARG002
        """Open one partition; called once for each, on the worker that reads it."""
        return LogPartition(self._workspace, for_part, self._stop, until_end=self._until_end)


class Decide(StatefulBatchLogic[Portion, int, Recovered]):
    """One partition's engine. Called with all portions that wait; what they decided is in the journal when it returns."""

    def __init__(self, workspace: Workspace, checkpoint_s: float) -> None:
        self._workspace, self._checkpoint_s = workspace, checkpoint_s
        self._journal: Journal | None = None
        self._host: Host | None = None
        self._note: Note | None = None
        self._watcher: Watcher | None = None

    def on_batch(self, values: list[Portion]) -> tuple[Iterable[int], bool]:
        """Decide; tells how many rows were taken."""
        taken = 0
        for name, chunks in values:
            host = self._host or self._begin(name, chunks[0].first)
            before, began = host.engine.tick, time.perf_counter()
            host.take(chunks)
            assert self._note is not None
            assert self._watcher is not None
            self._note.put(Place(host.offset, host.engine.tick))
            self._watcher.decided(time.perf_counter() - began, ticked=host.engine.tick != before)
            taken += sum(chunk.rows for chunk in chunks)
        return [taken], StatefulBatchLogic.RETAIN

    def _begin(self, name: str, offset: int) -> Host:
        """Start at the checkpoint where the source started: its first chunk's offset says which."""
        folder = self._workspace.log / name
        start = find_start(folder, offset, offset)
        self._journal = Journal.open(self._workspace.journal)
        wall = load(self._workspace.log).clock is Clock.WALL
        self._watcher = Watcher(self._workspace, name, lambda: host.engine, wall=wall)
        host = Host(folder, start, self._write, checkpoint_s=self._checkpoint_s, look=self._watcher.look)
        self._host, self._note = host, Note(self._workspace, name)
        return host

    def _write(self, out: Output) -> None:
        assert self._journal is not None
        appended = self._journal.append(out.entries, out.estimates)
        for conflict in appended.conflicts:
            print(f"flowwatch: FROZEN: {conflict}", file=sys.stderr, flush=True)  # noqa: T201 (the supervisor passes it on)

    def on_eof(self) -> tuple[Iterable[int], bool]:
        """The source has ended: leave a checkpoint at the very end."""
        if self._host is not None and self._journal is not None and self._note is not None:
            self._host.close()
            self._note.close()
            if self._watcher is not None:
                self._watcher.close()
            self._journal.close()
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> Recovered:
        """Offset and checkpoint: all that Bytewax may keep of an engine."""
        return (self._host.offset, f"{self._host.checkpoint:020d}.ckpt") if self._host is not None else (0, "")


class _Nowhere(StatelessSinkPartition[tuple[str, int]]):
    def write_batch(self, items: list[tuple[str, int]]) -> None:
        """Nothing: decisions left through the journal."""


class Nowhere(DynamicSink[tuple[str, int]]):
    """Where a dataflow must end: what matters was written by the step before."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Nowhere:  # noqa: ARG002
        """One for each worker."""
        return _Nowhere()


def build(workspace: Workspace, stop: threading.Event, *, until_end: bool, checkpoint_s: float = CHECKPOINT_S) -> Dataflow:
    """The graph. Step ids are frozen: renaming one makes Bytewax forget its state in silence."""
    flow = Dataflow("flowwatch")
    portions: KeyedStream[Portion] = op.input("log", flow, LogSource(workspace, stop, until_end=until_end))
    decided = op.stateful_batch("decide", portions, lambda _: Decide(workspace, checkpoint_s))
    op.output("journaled", decided, Nowhere())
    return flow


def _watch_supervisor(stop: threading.Event) -> None:
    """Wait for the supervisor's word on standard input: "stop" ends the source; a closed pipe means that it died, and so do we."""
    if sys.stdin.readline().strip() == "stop":
        stop.set()
    else:
        os._exit(1)


def main() -> None:
    """A worker process of the supervisor's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--until-end", action="store_true")
    parser.add_argument("--checkpoint-s", type=float, default=CHECKPOINT_S)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--process", type=int)
    parser.add_argument("--addresses", nargs="*")
    asked = parser.parse_args()
    stop = threading.Event()
    threading.Thread(target=_watch_supervisor, args=(stop,), daemon=True).start()
    workspace = Workspace(asked.root)
    try:
        cli_main(  # type: ignore[no-untyped-call]  # Bytewax's compiled part carries no types
            build(workspace, stop, until_end=asked.until_end, checkpoint_s=asked.checkpoint_s),
            workers_per_process=asked.threads,
            process_id=asked.process,
            addresses=asked.addresses,
            epoch_interval=EPOCH,
            recovery_config=RecoveryConfig(workspace.recovery),  # type: ignore[no-untyped-call]
        )
    except Exception as error:
        reason = _reason(error)
        if reason is None:
            raise
        print(f"flowwatch: {reason}", file=sys.stderr, flush=True)  # noqa: T201 - the last line of what a worker says
        sys.exit(DISK_REFUSED if isinstance(reason, DiskRefused) else DAMAGED)


def _reason(error: BaseException | None) -> BaseException | None:
    """The error of ours that Bytewax passed on inside its own, if there is one."""
    while error is not None and not isinstance(error, LogError | JournalError | StateError):
        error = error.__cause__ or error.__context__
    return error


if __name__ == "__main__":
    main()
