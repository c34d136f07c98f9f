"""The one who writes: buffers rows, commits them to all partitions at once, ticks, drains the inbox, deletes old segments.

Rows are in the log when `commit` has returned, not before; a process that dies earlier may leave some of them there, whole and in order,
but has told nobody that they are safe. After an error of the disk the writer takes back what it can and refuses everything until the log
is opened again, which repairs it. One process at a time has a log open for writing (`writer.lock`), and one thread of it uses the writer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from flowwatch.core.readings import ABSENT, Block, Ints, Kind, Reason
from flowwatch.log.disk import Lock, storage, sync_folder
from flowwatch.log.errors import BadRecord, LogError, WriterClosed
from flowwatch.log.inbox import RAW_BYTES, Drained, Staged, set_aside, staged_files
from flowwatch.log.partition import Partition
from flowwatch.log.readings import Readings
from flowwatch.log.retention import delete, held, plan, present
from flowwatch.log.routing import UNKNOWN_SITE, Place, Routes, Routing, check_length, read_document, site_of
from flowwatch.log.schema import Row, taken
from flowwatch.log.settings import Clock, Settings, inbox_folder, load
from flowwatch.log.watermark import WatermarkReader, WatermarkWriter

SEGMENT_BYTES: Final = 256 << 20
SEGMENT_AGE_US: Final = 86_400_000_000
DRAIN_ROWS: Final = 500_000
_SYNCS_AT_ONCE: Final = 16


class Writer:
    """The one writer of a log; a context manager that commits at the end of a block without an error, and closes.

    `settings`: what the log was created with. `last_tick_us`: the newest tick, `ABSENT` before the first. `repaired`: what was cut off at
    opening, in words.
    """

    def __init__(self, path: Path, segment_bytes: int, segment_age_us: int) -> None:
        """Use `Writer.open`."""
        self.path = path
        self.settings: Settings = load(path)
        self.last_tick_us = ABSENT
        self._segment_bytes = segment_bytes
        self._segment_age_us = segment_age_us
        self._unusable: str | None = None
        with ExitStack() as owned:
            lock = Lock(path / "writer.lock")
            owned.callback(lock.release)
            self._routing = Routing(path, self.settings)
            self._routes = Routes(self._routing)
            self._partitions: list[Partition] = []
            for number, name in enumerate(self.settings.folders):
                partition = Partition(path / name, number, _accepted(path, number), self._routes)
                owned.callback(partition.close)
                self._partitions.append(partition)
                self.last_tick_us = max(self.last_tick_us, partition.last_tick)
            self._mark = WatermarkWriter(path)
            owned.callback(self._mark.close)
            self._mark.publish(self._ends())
            self._syncs = owned.enter_context(ThreadPoolExecutor(_SYNCS_AT_ONCE, "log-sync"))
            self._owned = owned.pop_all()
        self._unrouted = self._partitions[-1]
        self._by_name = {partition.folder.name: partition for partition in self._partitions}
        self.repaired = [partition.repaired for partition in self._partitions if partition.repaired]

    @classmethod
    def open(cls, path: Path | str, *, segment_bytes: int = SEGMENT_BYTES, segment_age_us: int = SEGMENT_AGE_US) -> Writer:
        """Take the log's lock, repair torn ends, and be ready to append.

        A new segment begins after a tick once one holds `segment_bytes` bytes or `segment_age_us` microseconds of ticks.

        Raises:
            LogLocked: another process has it.
            LogDamaged: accepted rows are altered or gone; nothing was changed.
            LogError: no log there, or one of another format.
            DiskRefused: read-only folder and the like.
        """
        return cls(Path(path), segment_bytes, segment_age_us)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self._unusable is None:
                self.commit()
        finally:
            self.close()

    def close(self) -> None:
        """Give the lock back. What was not committed is dropped."""
        self._unusable = self._unusable or "closed"
        self._owned.close()

    @property
    def routing(self) -> Mapping[str, Place]:
        """Every site that ever had a document: its group and partition."""
        return self._routing.sites

    @property
    def documents(self) -> dict[str, str]:
        """Site -> version (12 hex digits) of its newest document, buffered ones included."""
        return {site: version for partition in self._partitions for site, version in partition.documents.items()}

    @property
    def ends(self) -> dict[str, int]:
        """Partition -> offset after its last written row."""
        return dict(zip(self.settings.folders, self._ends(), strict=True))

    def resolve(self, names: Sequence[str]) -> Ints:
        """(partition number << 32) | code of each full counter name; -1: unknown site, -2: unknown counter of a known site. Shape (n,)."""
        return np.fromiter(map(self._routes.__getitem__, names), np.int64, len(names))

    def append(self, readings: Readings) -> int:
        """Buffer readings; how many of them became REFUSED rows because the log knows no such counter."""
        self._check_usable()
        if not len(readings):
            return 0
        routes = self.resolve(readings.names)
        block = Block(
            0,
            readings.kind,
            routes.astype(np.int32),  # the low half: the code
            readings.at,
            readings.received,
            readings.seq,
            readings.ordinal,
            readings.ingress,
            readings.egress,
            readings.headcount,
        )
        refused: list[tuple[Partition, Row]] = []
        if routes.min() < 0:
            refused = [self._refusal(readings, i, int(routes[i])) for i in np.flatnonzero(routes < 0).tolist()]
            good = np.flatnonzero(routes >= 0)
            block, routes = taken(block, good), routes[good]
        self._spread(block, (routes >> 32).astype(np.uint8))
        for partition, row in refused:
            partition.add_row(row)
        return len(refused)

    def append_document(self, payload: bytes, at_us: int) -> None:
        """Buffer a compiled site record; its counters have codes from here on. Raises `BadRecord` for one that cannot be placed."""
        self._check_usable()
        name = self._routing.admit(read_document(payload))
        self._by_name[name].add_document(payload, at_us)

    def append_action(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer an operator's record for a site. Raises `BadRecord` for a site without a document."""
        self._check_usable()
        check_length(payload)
        self._by_name[self._routing.place(site).partition].add_row(Row(Kind.ACTION, at=at_us, payload=payload))

    def append_report(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer what a device of a site reports. Raises `BadRecord` for a site without a document."""
        self._check_usable()
        check_length(payload)
        self._by_name[self._routing.place(site).partition].add_row(Row(Kind.REPORT, at=at_us, payload=payload))

    def append_refused(self, raw: bytes, reason: Reason, received_us: int) -> None:
        """Buffer bytes that could not be read, in the partition of what is not routed; the first 4 KiB are kept."""
        self._check_usable()
        self._unrouted.add_row(Row(Kind.REFUSED, received=received_us, ingress=reason, payload=raw[:RAW_BYTES]))

    def tick(self, at_us: int) -> None:
        """Buffer a tick in every partition that has a row; the last tick again does nothing.

        Raises ValueError for an earlier one; `DiskRefused` where a segment ends here and cannot be written.
        """
        self._check_usable()
        if at_us < self.last_tick_us:
            raise ValueError(f"tick at {at_us} after one at {self.last_tick_us}: ticks never go back")
        if at_us == self.last_tick_us:
            return
        self.last_tick_us = at_us
        full = [part for part in self._partitions if part.add_tick(at_us, self._segment_bytes, self._segment_age_us)]
        if full:
            with self._writing():
                self._routing.save()
                for partition in full:
                    partition.roll()

    def commit(self) -> None:
        """Make everything buffered durable: one frame a partition (more for more than 65,536 rows), synced, and then shown to readers.

        Raises `DiskRefused`; then the rows are not committed, and the log must be opened again.
        """
        self._check_usable()
        with self._writing():
            self._routing.save()
            for partition in self._partitions:
                if partition.waiting:
                    partition.write()
            unsynced = [partition for partition in self._partitions if partition.unsynced]
            if len(unsynced) == 1:
                unsynced[0].sync()
            else:
                list(self._syncs.map(Partition.sync, unsynced))
            for partition in unsynced:
                partition.settle()
            self._mark.publish(self._ends())

    def drain(self, limit_rows: int = DRAIN_ROWS) -> Drained:
        """Commit what other processes staged, whole files in the order of their names, and delete those files.

        Stops after the file that reaches `limit_rows`; the next call goes on. What was buffered before is committed with them. A file that
        is damaged or cannot be placed is set aside under another name and reported. Raises `DiskRefused` as `commit` does; then no file is
        gone.
        """
        self._check_usable()
        done: list[Path] = []
        bad: list[tuple[Path, str]] = []
        rows = 0
        for file in staged_files(self.path):
            try:
                staged = Staged(file)
                self._check_placeable(staged)
            except LogError as error:
                bad.append((set_aside(file), str(error)))
                continue
            self._append_staged(staged)
            done.append(file)
            rows += len(staged)
            if rows >= limit_rows:
                break
        if done:
            self.commit()
            folder = inbox_folder(self.path)
            with storage(folder):
                for file in done:
                    file.unlink(missing_ok=True)
                sync_folder(folder)
        return Drained(len(done), rows, bad)

    def retain(self, max_bytes: int | None = None, max_age_us: int | None = None, *, whole: Callable[[Path], bool] = present) -> list[Path]:
        """Delete the oldest segments until the log is within its bytes and no tick in it is older than `max_age_us` before the last one.

        Never goes past a segment at whose start there is no checkpoint of which `whole` says that a replay can start there. Returns what
        was deleted. Raises `LogError`.
        """
        self._check_usable()
        return delete(plan([held(part.folder, whole) for part in self._partitions], self.last_tick_us, max_bytes, max_age_us))

    def _ends(self) -> list[int]:
        return [partition.end for partition in self._partitions]

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise WriterClosed(self.path, f"this writer is {self._unusable}", "a writer that was opened after that")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # whatever came between, half of it may be in the files
            self._unusable = f"out of use after {type(error).__name__}: {error}"
            for partition in self._partitions:
                partition.undo()
            raise

    def _spread(self, block: Block, numbers: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        """Buffer a block's rows in the partitions of these numbers, one a row, in order within each."""
        if not len(numbers):
            return
        if numbers.min() == numbers.max():
            self._partitions[numbers[0]].add(block)
            return
        order = np.argsort(numbers, kind="stable")
        block, numbers = taken(block, order), numbers[order]
        starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        for start, stop in itertools.pairwise(starts):
            self._partitions[numbers[start]].add(block.slice(start, stop))

    def _refusal(self, readings: Readings, i: int, route: int) -> tuple[Partition, Row]:
        raw = readings.raw(i)[:RAW_BYTES]
        received = int(readings.received[i])
        if route == UNKNOWN_SITE:
            return self._unrouted, Row(Kind.REFUSED, received=received, ingress=Reason.UNKNOWN_SITE, payload=raw)
        partition = self._by_name[self._routing.place(site_of(readings.names[i])).partition]
        return partition, Row(Kind.REFUSED, received=received, ingress=Reason.UNKNOWN_COUNTER, payload=raw)

    def _check_placeable(self, staged: Staged) -> None:
        groups: dict[str, str] = {}
        for row in staged.singles():
            if row.kind is Kind.DOCUMENT:
                document = read_document(row.payload)
                self._routing.check(document)
                group = groups.setdefault(document.site, document.group)
                if group != document.group:
                    raise BadRecord("document", f"site {document.site!r} in group {document.group!r}", f"group {group!r}, as before it")
            elif row.kind is Kind.TICK and self.settings.clock is not Clock.TOLD:
                raise BadRecord("tick", "one that another process staged", "ticks from outside only in a log with clock told")
            elif row.kind in (Kind.ACTION, Kind.REPORT) and row.site not in groups:
                self._routing.place(row.site)

    def _append_staged(self, staged: Staged) -> None:
        for part in staged.parts:
            if isinstance(part, Readings):
                self.append(part)
            elif part.kind is Kind.DOCUMENT:
                self.append_document(part.payload, part.time_us)
            elif part.kind is Kind.ACTION:
                self.append_action(part.site, part.payload, part.time_us)
            elif part.kind is Kind.REPORT:
                self.append_report(part.site, part.payload, part.time_us)
            elif part.kind is Kind.TICK:
                self.tick(max(part.time_us, self.last_tick_us))
            else:
                self.append_refused(part.payload, part.reason, part.time_us)


def _accepted(path: Path, number: int) -> int:
    mark = WatermarkReader(path, number)
    try:
        return mark.read()[1]
    finally:
        mark.close()
