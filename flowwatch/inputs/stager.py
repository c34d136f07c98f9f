"""Group commit: many hand over rows, one thread makes them durable in the log's inbox, and each is told when its own are.

    future = stager.offer(batch)            # None: no room, come again later
    receipt = future.result()               # durable now; or raises what the disk said

Syncing a file costs milliseconds however much is in it, so everything that waits when the thread comes round goes into one staged file.
Readings of all sites share a file. What belongs to a site by name (actions, reports) has a file for each site, because the log sets a file
aside as a whole where it knows no such site, and nobody else's rows may go with it.

Three things are bounded: rows that wait, bytes that wait, and staged files that nobody drains while the engine is down. Above a bound `offer`
says no, and the sender keeps what it has. Actions and reports are never refused for the sake of readings: a fire must get through a flood.

A batch is a source of its own (`adapters.ordinals`): its k-th reading of one counter at one time without a sequence gets ordinal k. So the
same message again is the same readings again, whenever it comes and whatever came between, and the engine counts them once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import numpy as np

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.ordinals import number_whole
from flowwatch.core.readings import Kind, Reason
from flowwatch.log.errors import LogError
from flowwatch.log.inbox import Inbox, backlog
from flowwatch.log.readings import Readings
from flowwatch.log.routing import check_length
from flowwatch.log.time import clock_of

EVERY_S: Final = 0.01
"""Readings are staged no oftener than this: a file costs the engine a millisecond to drain, and many senders then share one."""
FILE_ROWS: Final = 131_072
"""A staged file is closed after this many rows (some 20 MB), so that draining one does not hold up a tick."""
LOOK_S: Final = 0.5
"""How often the inbox is looked at while files wait in it."""
RUN_ROWS: Final = 1_024
"""Batches are put together until they have so many readings, because what is done once an array costs as much as a hundred readings."""
ROW_BYTES: Final = 61
"""What the columns of a reading take in memory."""
_FIRST: Final = np.zeros(1, np.int32)
MOST_RECORDS: Final = 10_000
"""Actions and reports that may wait. There are some a second; so many wait only where the disk does not answer."""


class Staging(Protocol):
    """What rows are staged in: the log's `Inbox`. One thread uses it."""

    def append(self, readings: Readings) -> None:
        """Buffer readings."""

    def append_refused(self, raw: bytes, reason: Reason, received_us: int) -> None:
        """Buffer what is no reading."""

    def append_action(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer an operator's record."""

    def append_report(self, site: str, payload: bytes, at_us: int) -> None:
        """Buffer a device's report."""

    def append_tick(self, at_us: int) -> None:
        """Buffer a tick, for a log whose time is told."""

    def commit(self) -> Path | None:
        """Make durable what is buffered."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait. Rows and bytes wait in memory, files and their bytes in the inbox for the engine."""

    rows: int = 500_000
    size: int = 128 << 20
    files: int = 20_000
    file_size: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Receipt:
    """Rows are durable: so many readings and refusals, which came at this time."""

    readings: int
    refused: int
    received_us: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits now: rows and bytes in memory, staged files and their bytes in the inbox as of the last look, and whether that is too much."""

    rows: int
    size: int
    files: int
    file_size: int
    full: bool


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch on its way."""

    batch: Batch
    received_us: int
    size: int
    done: Future[Receipt]

    @property
    def count(self) -> int:
        return len(self.batch) + len(self.batch.refused)


@dataclass(frozen=True, slots=True)
class _Record:
    """An action, report or tick on its way."""

    kind: Kind
    site: str
    payload: bytes
    at_us: int
    received_us: int
    done: Future[Receipt]


class Stager:
    """Takes rows from any thread. One a process is enough; several on one log do no harm.

    `staged_files`, `staged_rows`: what was made durable so far; `no_room`: how often somebody was told to come again.
    """

    def __init__(
        self,
        log: Path | str,
        bounds: Bounds | None = None,
        *,
        inbox: Staging | None = None,
        every_s: float = EVERY_S,
        now_us: Callable[[], int] | None = None,
    ) -> None:
        """Stage for the log at `log`. Raises `LogError` where there is none."""
        self._log = Path(log)
        self._bounds = bounds or Bounds()
        self._inbox = Inbox(log) if inbox is None else inbox
        self._now_us = clock_of(self._log) if now_us is None else now_us
        self._every_s = every_s
        self._changed = threading.Condition()
        self._rows: deque[_Rows] = deque()
        self._records: deque[_Record] = deque()
        self._waiting_rows = self._waiting_size = 0
        self._files, self._file_size = backlog(self._log)
        self._looked = time.monotonic()
        self._closing = False
        self.staged_files = 0
        self.staged_rows = 0
        self.no_room = 0
        self._thread = threading.Thread(target=self._run, name="flowwatch-stager", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- handing over -----------------------------------------------------------------------------------------------------------------

    def offer(self, batch: Batch, size: int | None = None) -> Future[Receipt] | None:
        """Take a batch as an adapter made it, received now; None where there is no room (or after `close`).

        `size`: the bytes that it was read from, which it keeps; taken from its refusals and 100 a reading, if not said. Returns at once: the
        future has a `Receipt` once every row is durable, or the error that kept them from it, after which none of them is.
        """
        kept = size if size is not None else 100 * len(batch) + sum(len(refusal.raw) for refusal in batch.refused)
        rows = _Rows(batch, self._now_us(), kept + ROW_BYTES * len(batch), _taken())
        with self._changed:
            if self._closing or self._is_full(rows):
                self.no_room += 1
                return None
            self._rows.append(rows)
            self._waiting_rows += rows.count
            self._waiting_size += rows.size
            self._changed.notify()
        return rows.done

    def offer_action(self, site: str, payload: bytes, at_us: int) -> Future[Receipt] | None:
        """Take an operator's record for a site; None only where nothing can be made durable any more. Raises `BadRecord` if it is too long."""
        return self._offer_record(Kind.ACTION, site, payload, at_us)

    def offer_report(self, site: str, payload: bytes, at_us: int) -> Future[Receipt] | None:
        """Take a device's report for a site; None only where nothing can be made durable any more. Raises `BadRecord` if it is too long."""
        return self._offer_record(Kind.REPORT, site, payload, at_us)

    def offer_tick(self, at_us: int) -> Future[Receipt] | None:
        """Take a tick, for a log whose time is told: everything that was durable before it happened before it."""
        return self._offer_record(Kind.TICK, "", b"", at_us)

    @property
    def waiting(self) -> Waiting:
        """What waits now."""
        with self._changed:
            return Waiting(self._waiting_rows + len(self._records), self._waiting_size, self._files, self._file_size, self._is_full(None))

    def close(self) -> None:
        """Take nothing more, make durable what waits, and end the thread. Calling it again does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _offer_record(self, kind: Kind, site: str, payload: bytes, at_us: int) -> Future[Receipt] | None:
        check_length(payload)
        record = _Record(kind, site, payload, at_us, self._now_us(), _taken())
        with self._changed:
            if self._closing or len(self._records) >= MOST_RECORDS:
                self.no_room += 1
                return None
            self._records.append(record)
            self._changed.notify()
        return record.done

    def _is_full(self, more: _Rows | None) -> bool:
        """Whether there is no room; a single batch that is larger than the bounds is taken where nothing else waits."""
        bounds = self._bounds
        if self._files >= bounds.files or self._file_size >= bounds.file_size:
            return True
        rows, size = (1, 1) if more is None else (more.count, more.size)
        return self._waiting_rows > 0 and (self._waiting_rows + rows > bounds.rows or self._waiting_size + size > bounds.size)

    # -- the thread -------------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        last = time.monotonic() - self._every_s
        while True:
            with self._changed:
                if not self._records and not self._rows:
                    if self._closing:
                        return
                    self._changed.wait(LOOK_S if self._files else None)
                if self._rows:
                    pause = last + self._every_s - time.monotonic()
                    self._changed.wait_for(lambda: self._records or self._closing or self._waiting_rows >= FILE_ROWS, max(pause, 0))
                    last = time.monotonic()
                records, rows = [*self._records], self._next_rows()
                self._records.clear()
            self._stage_records(records)
            self._stage_rows(rows)
            with self._changed:
                self._waiting_rows -= sum(part.count for part in rows)
                self._waiting_size -= sum(part.size for part in rows)
            self._look()

    def _next_rows(self) -> list[_Rows]:
        """The batches of the next file. After a record has cut the pause short, these go along."""
        taken: list[_Rows] = []
        count = 0
        while self._rows and (not taken or count + self._rows[0].count <= FILE_ROWS):
            taken.append(self._rows.popleft())
            count += taken[-1].count
        return taken

    def _stage_records(self, records: Sequence[_Record]) -> None:
        sites: dict[str, list[_Record]] = {}
        for record in records:
            sites.setdefault(record.site, []).append(record)
        for parts in sites.values():
            staged = []
            for part in parts:
                with _told(part.done):
                    self._append_record(part)
                    staged.append((part.done, Receipt(0, 0, part.received_us)))
            self._commit(staged, len(staged))

    def _append_record(self, part: _Record) -> None:
        if part.kind is Kind.TICK:
            self._inbox.append_tick(part.at_us)
        elif part.kind is Kind.REPORT:
            self._inbox.append_report(part.site, part.payload, part.at_us)
        else:
            self._inbox.append_action(part.site, part.payload, part.at_us)

    def _stage_rows(self, rows: Sequence[_Rows]) -> None:
        """Stage batches together; where one of them cannot be staged, each by itself, so that it harms no other."""
        try:
            self._append(rows)
            staged = list(rows)
        except Exception:  # noqa: BLE001 - nothing of them was appended
            staged = []
            for part in rows:
                with _told(part.done):
                    self._append([part])
                    staged.append(part)
        receipts = [(part.done, Receipt(len(part.batch), len(part.batch.refused), part.received_us)) for part in staged]
        self._commit(receipts, sum(part.count for part in staged))

    def _append(self, rows: Sequence[_Rows]) -> None:
        """Buffer the rows of batches: readings in runs of a thousand or more, stamped and numbered, and behind them what was refused."""
        run: list[_Rows] = []
        readings: list[Readings] = []
        count = 0
        for part in rows:
            if len(part.batch):
                run.append(part)
                count += len(part.batch)
            if count >= RUN_ROWS:
                readings.append(_readings(run))
                run, count = [], 0
        if run:
            readings.append(_readings(run))
        for some in readings:
            self._inbox.append(some)
        for part in rows:
            for refusal in part.batch.refused:
                self._inbox.append_refused(refusal.raw, refusal.reason, part.received_us)

    def _commit(self, parts: Sequence[tuple[Future[Receipt], Receipt]], rows: int) -> None:
        if not parts:
            return
        try:
            path = self._inbox.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who wait, and the thread goes on
            for done, _ in parts:
                done.set_exception(error)
            return
        if path is not None:
            with self._changed:
                self._files += 1
                with suppress(FileNotFoundError):  # drained already
                    self._file_size += path.stat().st_size
                self.staged_files += 1
                self.staged_rows += rows
        for done, receipt in parts:
            done.set_result(receipt)

    def _look(self) -> None:
        """See what waits in the inbox, if that was not seen lately."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        try:
            files, size = backlog(self._log)
        except LogError:
            return  # an inbox that cannot be read cannot be written either, and whoever offers is told then
        with self._changed:
            self._files, self._file_size = files, size
        self._looked = time.monotonic()


def _readings(run: Sequence[_Rows]) -> Readings:
    """The readings of batches one after another, each with the receipt time of its batch and numbered within it; their bytes are looked up here."""
    parts = [part.batch.readings for part in run]
    raw = [some.raw(i) for some in parts for i in range(len(some))]
    received = np.repeat(np.array([part.received_us for part in run], np.int64), [len(some) for some in parts])
    ordinal = [_FIRST if len(some) == 1 else number_whole(some.names, some.at, some.seq) for some in parts]

    def column(name: str) -> Any:
        return getattr(parts[0], name) if len(parts) == 1 else np.concatenate([getattr(some, name) for some in parts])

    return Readings(
        names=[name for some in parts for name in some.names],
        kind=column("kind"),
        at=column("at"),
        received=received,
        seq=column("seq"),
        ordinal=np.concatenate(ordinal),
        ingress=column("ingress"),
        egress=column("egress"),
        headcount=column("headcount"),
        raw=raw.__getitem__,
    )


@contextmanager
def _told(future: Future[Receipt]) -> Iterator[None]:
    """Let an error within go to the one whose rows it is about; the thread goes on with the others'."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one batch harms no other
        future.set_exception(error)


def _taken() -> Future[Receipt]:
    """A future that nobody can cancel: its rows are on their way."""
    future: Future[Receipt] = Future()
    future.set_running_or_notify_cancel()
    return future
