"""The log again through the engine: to compare with the journal, or to write it anew.

A replay begins at the log's first row, or at the checkpoint where retention cut the log, and gives every entry and every minute estimate its old
name and hash. What differs is named: the first difference of each partition by time. Only the engine version that decided a stretch of the log
can repeat it; the journal's engine entries say which one that was, and stretches of other versions are told apart instead of compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowwatch import checkpoints
from flowwatch.core.chains import Chains
from flowwatch.core.engine import ENGINE_VERSION
from flowwatch.core.entries import EntryKind
from flowwatch.core.scribe import Output
from flowwatch.host import Host, Sink, Start, VersionError
from flowwatch.instance import sole_instance
from flowwatch.journal import Journal
from flowwatch.journal.database import install
from flowwatch.journal.findings import Difference
from flowwatch.log.errors import LogError
from flowwatch.log.reader import Reader
from flowwatch.log.segments import checkpoint_file, offsets
from flowwatch.log.settings import load
from flowwatch.workspace import Workspace

READ_ROWS: Final = 200_000

Advance = Callable[[int], None]
"""Hears how many more rows were replayed."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one partition's log that one engine version decided."""

    partition: str
    engine: int
    first: int
    rows: int
    difference: Difference | None
    repeatable: bool = True

    @property
    def identical(self) -> bool:
        """Whether the engine said again exactly what the journal holds."""
        return self.repeatable and self.difference is None

    def __str__(self) -> str:
        head = f"{self.partition}, engine {self.engine}, rows {self.first:,} to {self.first + self.rows:,}: "
        if not self.repeatable:
            return head + f"not compared, only that version can repeat it (this is {ENGINE_VERSION})"
        return head + ("identical" if self.difference is None else f"different: {self.difference}")


def rows(log: Path) -> int:
    """How many rows a replay of the log at `log` reads."""
    total = 0
    for name in load(log).folders:
        with Reader(log, name) as reader:
            total += reader.end() - reader.start()
    return total


def replay(log: Path, journal: Path, advance: Advance = lambda _: None) -> Iterator[Span]:
    """Run the log again and compare with the journal: one span for each partition that has rows, others for older engines' stretches."""
    with Journal.open(journal, create=False) as opened:
        for name in load(log).folders:
            with Reader(log, name) as reader:
                if reader.end() == reader.start():
                    continue
                start, first = _start_of_span(opened, log / name, reader)
                for engine, begin, length in first:
                    yield Span(name, engine, begin, length, None, repeatable=False)
                found: list[Difference] = []

                def compare(out: Output, found: list[Difference] = found) -> None:
                    if not found:
                        difference = opened.first_difference([e for e in out.entries if e.kind is not EntryKind.ENGINE], out.estimates)
                        found += [difference] if difference else []

                host = Host(log / name, start, compare, checkpoint_s=None)
                taken = _run(reader, host, advance)
                yield Span(name, ENGINE_VERSION, start.offset, taken, found[0] if found else _unsaid(opened, host))


def rebuild(log: Path, journal: Path, advance: Advance = lambda _: None) -> Path | None:
    """Write the journal again from the log, beside the old one, which is kept under the name that is returned (None: there was none).

    Raises `AlreadyRunning` while flowwatch runs there, `VersionError` where another engine version decided a part of the log.
    """
    workspace = Workspace(log.parent)
    fresh = journal.with_name(journal.name + ".rebuild")
    with sole_instance(workspace):
        for leftover in _files(fresh):
            leftover.unlink(missing_ok=True)
        with Journal.open(fresh) as made:
            for name in load(log).folders:
                with Reader(log, name) as reader:
                    start = _oldest(log / name, reader)
                    if start.state is not None:
                        if start.state["engine"] != ENGINE_VERSION:
                            raise VersionError(log / name, f"engine version {start.state['engine']} decided its beginning", "that version")
                        made.start_after(Chains.from_state(start.state["scribe"]["chains"]).heads)
                    _run(reader, Host(log / name, start, _into(made), checkpoint_s=None), advance)
        return install(fresh, journal)


def _into(journal: Journal) -> Sink:
    def write(out: Output) -> None:
        journal.append(out.entries, out.estimates)

    return write


def _run(reader: Reader, host: Host, advance: Advance) -> int:
    """Feed the host all there is; how many rows that was."""
    end, first = reader.end(), host.offset
    while host.offset < end:
        before = host.offset
        host.take(reader.read(host.offset, min(READ_ROWS, end - host.offset)))
        advance(host.offset - before)
    host.close()
    return host.offset - first


def _unsaid(journal: Journal, host: Host) -> Difference | None:
    """The first entry of the partition's chains that the journal holds and the engine did not say again."""
    for chain, (seq, _) in sorted(host.engine.scribe.chains.heads.items()):
        stored, _ = journal.head(chain)
        if stored > seq and not chain.endswith(".engine"):
            entry = journal.get(f"{chain}-{seq + 1}")
            return Difference(chain, entry.seq, entry.at, entry.body, None)
    return None


def _oldest(folder: Path, reader: Reader) -> Start:
    """Where the log that is left begins."""
    first = reader.start()
    if first == 0:
        return Start(0, None)
    return Start(first, checkpoints.read(checkpoint_file(folder, first)))


def _start_of_span(journal: Journal, folder: Path, reader: Reader) -> tuple[Start, list[tuple[int, int, int]]]:
    """Where this engine's version takes over, and the stretches before it: (engine, first row, rows)."""
    versions = [json.loads(e.body)["engine"] for e in journal.entries(f"@{folder.name}.engine")]
    start = _oldest(folder, reader)
    if set(versions) <= {ENGINE_VERSION}:
        return start, []
    for offset in offsets(folder, ".ckpt"):
        state = checkpoints.read(checkpoint_file(folder, offset))
        if state["engine"] == ENGINE_VERSION:
            return Start(offset, state), [(versions[0], start.offset, offset - start.offset)]
    raise LogError(folder, f"engine version {versions[-1]} decided all of it", f"that version to replay it; this is {ENGINE_VERSION}")


def _files(journal: Path) -> list[Path]:
    return [journal, *(journal.with_name(journal.name + suffix) for suffix in ("-wal", "-shm"))]
