"""One partition's engine at work: chunks of the log in, journal rows and checkpoints out.

The host is the shell around the pure engine that every mode of operation shares: the dataflow hosts one per partition, a replay hosts one with
a sink that compares instead of writing. It keeps three promises: what a chunk decided is in the journal, in one transaction, before `take`
returns; a checkpoint is written only of what the journal holds; rows that were taken before are skipped.
"""

from __future__ import annotations

import functools
import platform
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from flowwatch import checkpoints
from flowwatch.core.engine import ENGINE_VERSION, Engine
from flowwatch.core.readings import Block, Kind
from flowwatch.core.scribe import Output
from flowwatch.core.state import pack
from flowwatch.log.errors import LogError
from flowwatch.log.reader import Chunk, blocks
from flowwatch.log.segments import segment_file

CHECKPOINT_S: Final = 30.0
"""Seconds between quick checkpoints: a restart reads at most this much of the log again."""

Sink = Callable[[Output], None]
"""What becomes of a chunk's output; returns once it is safe."""
Look = Callable[[Block], None]
"""Who looks at rows before they are decided, and changes nothing."""


class VersionError(LogError):
    """A checkpoint of another engine version stands before rows that only that version may decide."""


@functools.cache
def fingerprint() -> dict[str, Any]:
    """What besides the log may move a bit of a decision: numpy's version and the processor's features that it uses."""
    config: Any = np.show_config(mode="dicts")
    found = config["SIMD Extensions"]
    return {"numpy": np.__version__, "machine": platform.machine(), "simd": [*found["baseline"], *found.get("found", [])]}


@dataclass(frozen=True, slots=True)
class Start:
    """Where a partition's engine begins: an offset, and the state there (None: the very beginning)."""

    offset: int
    state: dict[str, Any] | None


def find_start(folder: Path, first: int, end: int) -> Start:
    """The newest whole checkpoint of a partition's folder, whose log holds rows `first` to `end` - 1.

    Raises `VersionError` when that checkpoint is another engine's and rows follow it, `LogError` when the log's beginning is gone and no
    checkpoint is whole.
    """
    found = checkpoints.newest(folder, not_after=end)
    if found is None:
        if first > 0:
            raise LogError(folder, f"the log begins at row {first} and no checkpoint is whole", "a whole checkpoint at a segment's start")
        return Start(0, None)
    offset, state = found
    if state["engine"] != ENGINE_VERSION and offset < end:
        rows = f"{end - offset} rows after its last checkpoint are undecided"
        raise VersionError(
            folder, f"engine version {state['engine']} wrote this, and {rows}", f"that version to finish them; this is {ENGINE_VERSION}"
        )
    return Start(offset, state)


class Host:
    """The engine of one partition with its surroundings."""

    def __init__(
        self, folder: Path, start: Start, sink: Sink, *, checkpoint_s: float | None = CHECKPOINT_S, look: Look | None = None
    ) -> None:
        """Begin at `start` of the partition in `folder`; `checkpoint_s` None writes no checkpoints."""
        self.folder = folder
        self.offset = start.offset
        """The offset after the last row taken."""
        self.checkpoint = start.offset
        """The offset of the last checkpoint begun."""
        mark = fingerprint()
        self.engine = Engine(folder.name, mark) if start.state is None else Engine.from_state(start.state, mark)
        self._sink, self._look = sink, look
        self._every = checkpoint_s
        self._saved_at = time.monotonic() - _phase(folder.name) * (checkpoint_s or 0.0)
        self._saving: Future[Path] | None = None
        self._pool = ThreadPoolExecutor(1, "checkpoint") if checkpoint_s is not None else None

    def take(self, chunks: Sequence[Chunk]) -> None:
        """Feed the rows of `chunks` that are new, and hand what they decided to the sink."""
        out = Output()
        for adjoining in self._between_segments([c for c in chunks if c.first + c.rows > self.offset]):
            if adjoining[0].first > self.offset:
                raise LogError(self.folder, f"row {adjoining[0].first} after row {self.offset - 1}", f"row {self.offset}")
            block = blocks(*adjoining)
            if block.first < self.offset:
                block = block.slice(self.offset - block.first, len(block))
            elif self._starts_segment(adjoining[0]):
                self._flush(out)
                self.save()
            if self._look is not None:
                self._look(block)
            ticks = np.flatnonzero(block.kind == Kind.TICK).tolist() if self._due() else []
            if ticks:
                cut = ticks[-1] + 1
                _extend(out, self.engine.feed(block.slice(0, cut)))
                self.offset = block.first + cut
                self._flush(out)
                self.save()
                block = block.slice(cut, len(block))
            _extend(out, self.engine.feed(block))
            self.offset = block.first + len(block)
        self._flush(out)

    def _between_segments(self, chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
        """The chunks in groups that can be fed as one, none of which reaches over the start of a segment."""
        group: list[Chunk] = []
        for chunk in chunks:
            if group and self._starts_segment(chunk):
                yield group
                group = []
            group.append(chunk)
        if group:
            yield group

    def _due(self) -> bool:
        return self._every is not None and time.monotonic() - self._saved_at >= self._every

    def _starts_segment(self, chunk: Chunk) -> bool:
        return (
            self._every is not None
            and chunk.skip == 0
            and chunk.first > self.checkpoint
            and segment_file(self.folder, chunk.first).exists()
        )

    def _flush(self, out: Output) -> None:
        if out.entries or out.estimates:
            self._sink(out)
            out.entries, out.estimates = [], []

    def save(self) -> None:
        """Begin a checkpoint here (right after a tick); it is written beside the work. An earlier one that failed is raised now."""
        if self._pool is None or self.checkpoint == self.offset:
            return
        self._await()
        body = pack(self.engine.to_state())
        self._saving = self._pool.submit(checkpoints.save, self.folder, self.offset, body)
        self.checkpoint, self._saved_at = self.offset, time.monotonic()

    def _await(self) -> None:
        if self._saving is not None:
            self._saving.result()
            self._saving = None

    def close(self) -> None:
        """Write a last checkpoint, if the engine stands right after a tick, and wait for it."""
        try:
            if self.engine.idle:
                self.save()
            self._await()
        finally:
            if self._pool is not None:
                self._pool.shutdown()


def _phase(partition: str) -> float:
    """A share of the period, different for each partition: were all to write their checkpoints at once, a tick would wait for all."""
    return zlib.crc32(partition.encode()) % 1000 / 1000


def _extend(out: Output, more: Output) -> None:
    out.entries += more.entries
    out.estimates += more.estimates
