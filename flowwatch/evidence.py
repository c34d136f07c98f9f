"""The rows of the log that stand behind an entry: by partition and offset, with the documents that were in force.

Rows are found whether or not a writer is at work. What retention has removed is None, never an error; the documents of removed segments
are still found in the checkpoint at the start of the oldest segment, if they were in force there. Damage is raised as the log raises it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from flowwatch import checkpoints
from flowwatch.core.readings import ABSENT, Block, Kind, Reason
from flowwatch.core.state import StateError
from flowwatch.log.errors import DiskRefused, LogError, RowsOutOfRange
from flowwatch.log.frames import Flag
from flowwatch.log.reader import Reader
from flowwatch.log.routing import Routing, read_document
from flowwatch.log.schema import decode
from flowwatch.log.segments import Segment, checkpoint_file, offsets
from flowwatch.log.settings import load

Document = dict[str, Any]
"""A compiled site, as a DOCUMENT row holds it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A site's documents as they entered the log: 12 hex digits of their SHA-256, when (microseconds), and how many bytes they are."""

    version: str
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log with its counter's full name; what its kind does not use is None. Times in microseconds UTC."""

    partition: str
    offset: int
    kind: Kind
    counter: str | None
    at: int | None
    received: int | None
    seq: int | None
    ingress: int | None
    egress: int | None
    headcount: int | None
    reason: Reason | None
    """Of a REFUSED row: why the edge refused it."""
    payload: bytes | None


class Evidence:
    """The log at `path`, open for looking things up. A context manager; not for several threads at once. Raises `LogError`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._places = Routing(self.path, load(self.path)).sites
        self._readers: dict[str, Reader] = {}
        self._names: dict[str, list[str]] = {}
        self._documents: dict[tuple[str, str | None], Document | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the log's files."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def row(self, partition: str, offset: int) -> LogRow | None:
        """The row at that place; None if retention has removed it."""
        return next(self.rows(partition, [offset]))

    def rows(self, partition: str, wanted: Sequence[int]) -> Iterator[LogRow | None]:
        """The rows at those offsets, in their order; a frame that holds several ascending ones is read once."""
        reader = self._reader(partition)
        block: Block | None = None
        for offset in wanted:
            if block is None or not block.first <= offset < block.first + len(block):
                block = self._frame(reader, offset)
            yield None if block is None else self._row(partition, block, offset - block.first)

    def first(self, partition: str) -> int:
        """The offset of the oldest row that is still there."""
        return self._reader(partition).start()

    def document(self, site: str, version: str | None = None) -> Document | None:
        """The compiled site of that version, or the newest; None if the log does not have it any more."""
        key = (site, version)
        if key not in self._documents:
            self._documents[key] = self._find_document(site, version)
        return self._documents[key]

    def documents(self, damaged: Callable[[LogError], None] | None = None) -> dict[str, Document]:
        """The newest compiled site of every site, in one pass over each partition; without those that the log does not have any more.

        `damaged` is told of what cannot be read, and the newest that can be is found; without it damage is raised.
        """
        found: dict[str, Document] = {}
        for partition in sorted({place.partition for place in self._places.values()}):
            wanted = {site for site, place in self._places.items() if place.partition == partition}
            with _passing(damaged):
                self._find_newest(self.path / partition, wanted, found, damaged)
        return found

    def _find_newest(self, folder: Path, wanted: set[str], found: dict[str, Document], damaged: Callable[[LogError], None] | None) -> None:
        """Move what is `wanted` of a partition into `found`."""
        for first in reversed(offsets(folder, ".seg")):
            for _, payload in reversed(_readable_in(folder, first, damaged)):
                if (site := read_document(payload).site) in wanted:
                    wanted.discard(site)
                    found[site] = json.loads(payload)
            if not wanted:
                return
        for site in wanted:
            document = self._find_document(site, None, damaged)
            if document is not None:
                found[site] = document

    def versions(self, site: str) -> list[Version]:
        """The documents of the site that the log still has, the oldest first; none for a site that it does not know."""
        place = self._places.get(site)
        found: dict[tuple[str, int], Version] = {}
        if place is None:
            return []
        folder = self.path / place.partition
        for first in offsets(folder, ".seg"):
            for at, payload in _documents_in(folder, first):
                if read_document(payload).site == site:
                    version = Version(sha256(payload).hexdigest()[:12], at, len(payload))
                    found[version.version, at] = version
        return list(found.values())

    def _reader(self, partition: str) -> Reader:
        if partition not in self._readers:
            self._readers[partition] = Reader(self.path, partition)
        return self._readers[partition]

    def _frame(self, reader: Reader, offset: int) -> Block | None:
        """The rows from `offset` to the end of its frame."""
        try:
            chunk = reader.read(offset, 1)[0]
        except RowsOutOfRange:
            return None
        return decode(chunk.data, chunk.first - chunk.skip)

    def _row(self, partition: str, block: Block, i: int) -> LogRow:
        kind = Kind(int(block.kind[i]))
        refused = kind is Kind.REFUSED

        def given(column: Any) -> int | None:
            value = int(column[i])
            return None if value == ABSENT else value

        return LogRow(
            partition,
            block.first + i,
            kind,
            self._counter(partition, int(block.counter[i])) if kind < Kind.TICK else None,
            given(block.at),
            given(block.received),
            given(block.seq),
            None if refused else given(block.ingress),
            given(block.egress),
            given(block.headcount),
            Reason(int(block.ingress[i])) if refused else None,
            block.payload.get(i),
        )

    def _counter(self, partition: str, code: int) -> str:
        names = self._names.get(partition)
        if names is None or code >= len(names):
            names = self._names[partition] = self._reader(partition).names()
        return names[code]

    def _find_document(self, site: str, version: str | None, damaged: Callable[[LogError], None] | None = None) -> Document | None:
        place = self._places.get(site)
        if place is None:
            return None
        folder = self.path / place.partition
        for first in reversed(offsets(folder, ".seg")):
            for _, payload in reversed(_readable_in(folder, first, damaged)):
                if version in (None, sha256(payload).hexdigest()[:12]) and (document := json.loads(payload))["site"] == site:
                    return dict(document)
            try:
                found = checkpoints.read(checkpoint_file(folder, first))["documents"].get(site)
            except (DiskRefused, StateError):
                continue
            if found is not None and version in (None, found[0]):
                return dict(json.loads(found[1]))
        return None


@contextmanager
def _passing(damaged: Callable[[LogError], None] | None) -> Iterator[None]:
    try:
        yield
    except LogError as error:
        if damaged is None:
            raise
        damaged(error)


def _readable_in(folder: Path, first: int, damaged: Callable[[LogError], None] | None) -> list[tuple[int, bytes]]:
    """The documents in a segment, up to damage that `damaged` is told of."""
    found: list[tuple[int, bytes]] = []
    with _passing(damaged):
        found.extend(_documents_in(folder, first))
    return found


def _documents_in(folder: Path, first: int) -> Iterator[tuple[int, bytes]]:
    """The documents in a segment, each with its time. Their frames are flagged in their heads, so no other frame is read."""
    with closing(Segment(folder, first)) as segment:
        position = segment.start.position
        while (head := segment.head(position)) is not None and head.rows:
            frame = segment.frame(position) if head.flags & Flag.DOCUMENTS else None
            if frame is not None:
                block = decode(frame.payload, head.first)
                for i in np.flatnonzero(block.kind == Kind.DOCUMENT).tolist():
                    yield int(block.at[i]), block.payload[i]
            position += head.size
