"""The inbox: how a process that does not hold the log's lock gets rows into the log.

It buffers rows with the `Writer`'s own verbs and `commit`s them as one file in LOG/inbox, durable when the call returns. The holder of the
lock takes the files in the order of their names (the time at which they were staged, behind all that waited before), commits their rows and
deletes them. If it dies between the two, the rows enter the log twice, and the engine refuses the second: readings by their identity, actions
by their id, documents by their version. (A raw record that no identity could be read from is then counted twice; it moves nobody.)

A staged file is a file of frames like a segment. Its rows carry names, not codes, because only the writer knows those: `counter` is an
index into the title's `names` (for an action or a report: the site), and every reading brings the bytes that it was read from, in case its counter is
unknown.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from flowwatch.core.readings import ABSENT, Block, Kind, Reason
from flowwatch.log.buffer import Buffer
from flowwatch.log.disk import replace_file, storage
from flowwatch.log.errors import LogDamaged
from flowwatch.log.frames import Frame, FrameFile, Title, seal, title_frame
from flowwatch.log.readings import Readings
from flowwatch.log.routing import check_length, read_document
from flowwatch.log.schema import Row, decode, encode
from flowwatch.log.settings import FORMAT, inbox_folder, load

RAW_BYTES: Final = 4096
"""The most that is kept of bytes that could not be read or routed."""

_STAGED: Final = ".staged"
_NAMED: Final = re.compile(r"[0-9]{20}(?=-)")
_BAD: Final = ".bad"


class StagedTitle(Title, frozen=True, kw_only=True):
    """What a staged file opens with."""

    names: list[str]
    rows: int


class Inbox:
    """Stages rows for the log's writer. One thread uses it."""

    def __init__(self, path: Path | str) -> None:
        """Stage for the log at `path`. Raises `LogError` where there is none."""
        path = Path(path)
        load(path)
        self._folder = inbox_folder(path)
        named = [found for file in staged_files(path) if (found := _NAMED.match(file.name))]
        self._last = max((int(found[0]) for found in named), default=0)
        """The newest name: behind what waits also where the clock was set back."""
        self._clear()

    def append(self, readings: Readings) -> None:
        """Buffer readings, all or (where it raises) none; whether their counters are known is seen when they are drained."""
        n = len(readings)
        codes = np.fromiter((self._names.setdefault(name, len(self._names)) for name in readings.names), np.int32, n)
        block = Block(
            0,
            readings.kind,
            codes,
            readings.at,
            readings.received,
            readings.seq,
            readings.ordinal,
            readings.ingress,
            readings.egress,
            readings.headcount,
        )
        pieces = []
        for start in range(0, n, 1024):  # 4 MiB of raw bytes at most
            stop = min(start + 1024, n)
            raw = {i - start: readings.raw(i)[:RAW_BYTES] for i in range(start, stop)}
            pieces.append(replace(block.slice(start, stop), payload=raw))
        for piece in pieces:
            self._waiting.add(piece)

    def append_document(self, payload: bytes, at_us: int) -> None:
        """Buffer a compiled site record. Raises `BadRecord` for what is none."""
        read_document(payload)
        self._waiting.add_row(Row(Kind.DOCUMENT, at=at_us, payload=payload))

    def append_action(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer an operator's record for a site. Raises `BadRecord` for one that is too long."""
        check_length(payload)
        self._waiting.add_row(Row(Kind.ACTION, at=at_us, payload=payload, counter=self._names.setdefault(site, len(self._names))))

    def append_report(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer what a device of a site reports. Raises `BadRecord` for a report that is too long."""
        check_length(payload)
        self._waiting.add_row(Row(Kind.REPORT, at=at_us, payload=payload, counter=self._names.setdefault(site, len(self._names))))

    def append_tick(self, at_us: int) -> None:
        """Buffer a tick, for a log whose time is told: it is this late now."""
        self._waiting.add_row(Row(Kind.TICK, at=at_us))

    def append_refused(self, raw: bytes, reason: Reason, received_us: int) -> None:
        """Buffer bytes that could not be read."""
        self._waiting.add_row(Row(Kind.REFUSED, received=received_us, ingress=reason, payload=raw[:RAW_BYTES]))

    def commit(self) -> Path | None:
        """Stage what is buffered, durably; the file, or None where nothing waited.

        Raises `DiskRefused`; then nothing was staged, and nothing is buffered any more.
        """
        waiting, names = self._waiting, list(self._names)
        self._clear()
        rows = len(waiting)
        if not rows:
            return None
        title = StagedTitle(format=FORMAT, salt=secrets.randbits(63), names=names, rows=rows)
        parts = [title_frame(title, 0, ABSENT)]
        first = 0
        for block in waiting.take():
            payload = encode(block)
            head = seal(payload, rows=len(block), flags=0, first=first, tick=ABSENT, group=0, salt=title.salt)
            parts += [head, payload.to_pybytes()]
            first += len(block)
        self._last = max(time.time_ns() // 1000, self._last + 1)
        path = self._folder / f"{self._last:020d}-{secrets.token_hex(6)}{_STAGED}"
        replace_file(path, parts)
        return path

    def _clear(self) -> None:
        self._waiting = Buffer()
        self._names: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Single:
    """A staged row that is no reading. `site` is given for an action or a report, `reason` for a refusal."""

    kind: Kind
    time_us: int
    payload: bytes
    site: str = ""
    reason: Reason = Reason.UNREADABLE


class Staged:
    """A staged file, read whole. `parts`: its rows in order, runs of readings and single rows of other kinds; `len`: how many rows."""

    def __init__(self, path: Path) -> None:
        """Read and check. Raises `LogError`."""
        frames: list[Frame] = []
        with closing(FrameFile(path, StagedTitle)) as file:
            tail = file.scan(file.start, frames.append)
            if tail.end != file.title.rows or tail.position != file.size():
                raise LogDamaged(path, tail.position, f"{tail.end} whole rows", f"{file.title.rows} rows and nothing after them")
            names = file.title.names
        try:
            self.parts = [part for frame in frames for part in _parts(decode(frame.payload, 0), names)]
        except (IndexError, KeyError, ValueError) as error:
            raise LogDamaged(
                path, 0, f"a row that no process stages: {error}", "rows written by `flowwatch ingest` or `operate`"
            ) from error
        self._rows = tail.end

    def __len__(self) -> int:
        return self._rows

    def singles(self) -> list[Single]:
        """The rows that are no readings, in order."""
        return [part for part in self.parts if isinstance(part, Single)]


def _parts(block: Block, names: list[str]) -> Iterator[Readings | Single]:
    readings = block.kind < Kind.TICK
    edges = (np.flatnonzero(np.diff(readings) | ~readings[1:]) + 1).tolist()
    for start, stop in zip([0, *edges], [*edges, len(block)], strict=True):
        part = block.slice(start, stop)
        yield _readings(part, names) if readings[start] else _single(part, names)


def _readings(block: Block, names: list[str]) -> Readings:
    return Readings(
        [names[code] for code in block.counter.tolist()],
        block.kind,
        block.at,
        block.received,
        block.seq,
        block.ordinal,
        block.ingress,
        block.egress,
        block.headcount,
        block.payload.__getitem__,
    )


def _single(block: Block, names: list[str]) -> Single:
    kind = Kind(int(block.kind[0]))
    if kind in (Kind.ACTION, Kind.REPORT):
        return Single(kind, int(block.at[0]), block.payload[0], site=names[block.counter[0]])
    if kind is Kind.REFUSED:
        return Single(kind, int(block.received[0]), block.payload[0], reason=Reason(int(block.ingress[0])))
    if kind is Kind.DOCUMENT:
        return Single(kind, int(block.at[0]), block.payload[0])
    if kind is Kind.TICK:
        return Single(kind, int(block.at[0]), b"")
    raise ValueError(f"a {kind.name} row")


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did: files and rows that are now in the log, and the files set aside with what was wrong with each."""

    files: int = 0
    rows: int = 0
    bad: list[tuple[Path, str]] = field(default_factory=list)


def staged_files(path: Path) -> list[Path]:
    """The staged files of the log at `path`, in the order in which they are drained. Raises `DiskRefused`."""
    folder = inbox_folder(path)
    with storage(folder), os.scandir(folder) as entries:
        return [folder / name for name in sorted(entry.name for entry in entries if entry.name.endswith(_STAGED))]


def backlog(path: Path) -> tuple[int, int]:
    """How many files wait in the inbox of the log at `path`, and their bytes. Raises `DiskRefused`."""
    folder, files, size = inbox_folder(path), 0, 0
    with storage(folder), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_STAGED):
                with suppress(FileNotFoundError):  # drained since
                    size += entry.stat().st_size
                    files += 1
    return files, size


def set_aside(file: Path) -> Path:
    """Rename a staged file that cannot be drained, so that nobody tries again; its name now."""
    aside = file.with_name(file.name + _BAD)
    with suppress(OSError):
        return file.rename(aside)
    return file
