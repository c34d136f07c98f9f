"""flowwatch itself as the benchmarks run it: the parts of `flowwatch ingest` and `flowwatch run`, in this process and nothing left out.

    lines ──edge──▶ log ──engine──▶ journal

The edge is `flowwatch ingest` but for the reading of a file: its lines lie in memory. They are in the order of time, which is declared,
so every second's tick follows its readings. The engine is the worker process's own dataflow with recovery, checkpoints and journal. A log
for one core has one partition; one for more has more.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Final

from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.measure import apart
from benchmarks.peers.reference import Change
from benchmarks.workload import CLOSED, SECOND_US, START_US, WIDTH, Lines, Shape
from flowwatch.adapters.ingest import Source, ingest, time_of
from flowwatch.adapters.lines import BLOCK, Stream
from flowwatch.core.entries import EntryKind, canonical
from flowwatch.dataflow import EPOCH, build
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.workspace import Workspace

BLOCK_LINES: Final = BLOCK // WIDTH
"""Lines that `flowwatch ingest` reads from a file at a time."""


class Memory(Stream):
    """Lines as a stream. With `commit` they come so many at a time, and after each block the stream pauses, so that it is committed."""

    def __init__(self, lines: Lines, commit: int | None) -> None:
        super().__init__(-1, "memory", lines.size)
        self._lines, self._commit = lines, commit

    def blocks(self) -> Iterator[bytes]:
        if self._commit is None:
            yield from self._lines.blocks(BLOCK_LINES)
            return
        for block in self._lines.blocks(self._commit):
            yield block
            yield b""


def prepare(root: Path, shape: Shape, partitions: int = 1) -> None:
    """A workspace in its first second: its log holds the documents of all sites and how many people are inside each, all decided."""
    log = Workspace(root).log
    log.parent.mkdir(parents=True, exist_ok=True)
    create(log, clock="event", tick_us=SECOND_US, partitions=partitions)
    with Writer.open(log) as writer:
        for s in range(shape.sites):
            writer.append_document(canonical(shape.document(s)), START_US)
            writer.append_action(shape.site(s), shape.recount(s), START_US)
        writer.tick(START_US)
    apart(functools.partial(engine, root))


def edge(root: Path, lines: Lines, commit: int | None = None) -> None:
    """Bring the lines into the workspace's log, as `flowwatch ingest` does an archive, or with a commit after every `commit` lines."""
    with Writer.open(Workspace(root).log) as writer:
        report = ingest([Source(lambda: nullcontext(Memory(lines, commit)))], writer, time_of(writer, lateness_us=0))
    assert report.readings == len(lines), f"{report.readings} readings of {len(lines)}, refused: {report.refused}"


def idle(root: Path, ticks: int) -> None:
    """Let time pass in the workspace's log, and nothing else."""
    with Writer.open(Workspace(root).log) as writer:
        for number in range(1, ticks + 1):
            writer.tick(START_US + number * SECOND_US)


def engine(root: Path) -> None:
    """Run the dataflow over what is new in the workspace's log, to its end, as a worker process does."""
    workspace = Workspace(root)
    if not workspace.recovery.exists():
        workspace.recovery.mkdir(parents=True)
        init_db_dir(workspace.recovery, 1)  # type: ignore[no-untyped-call]  # Bytewax's compiled part carries no types
    flow = build(workspace, threading.Event(), until_end=True)
    recovery = RecoveryConfig(workspace.recovery)  # type: ignore[no-untyped-call]
    cli_main(flow, epoch_interval=EPOCH, recovery_config=recovery)  # type: ignore[no-untyped-call]


def remove(root: Path) -> None:
    """Take away what an earlier round left."""
    shutil.rmtree(root, ignore_errors=True)


def copy(root: Path, beside: Path) -> Path:
    """A workspace at `beside` just like the one at `root`."""
    remove(beside)
    shutil.copytree(root, beside)
    return beside


def view(root: Path, beside: Path) -> Path:
    """The same, with the log's segments as they are, not copied: for an engine that reads them, not for an edge that appends."""

    def link(source: str, goal: str) -> None:
        if source.endswith(".seg"):
            os.link(source, goal)
        else:
            shutil.copyfile(source, goal)

    remove(beside)
    shutil.copytree(root, beside, copy_function=link)
    return beside


def forget(root: Path) -> None:
    """Leave the workspace nothing but its log."""
    workspace = Workspace(root)
    remove(workspace.state)
    for file in [*root.glob("journal.db*"), *workspace.log.rglob("*.ckpt")]:
        file.unlink()


def changes(root: Path) -> list[Change]:
    """What the workspace's journal says: every change of stage but the first of a site, by site and second."""

    def told() -> Iterator[Change]:
        with closing(Journal.open(Workspace(root).journal, create=False)) as journal:
            for entry in journal.entries(kind=EntryKind.TRANSITION):
                body = json.loads(entry.body)
                if body["from"] is not None:
                    yield body["site"], entry.at // SECOND_US - 1, body["to"] == CLOSED

    return sorted(told())
