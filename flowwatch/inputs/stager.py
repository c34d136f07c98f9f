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
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, cast

import numpy as np

from flowwatch.adapters.batch import Batch, numbered, stamped
from flowwatch.adapters.ordinals import number_whole
from flowwatch.core.readings import Reason
from flowwatch.log.errors import LogError
from flowwatch.log.inbox import Inbox, backlog
from flowwatch.log.readings import Readings
from flowwatch.log.routing import check_length

EVERY_S: Final = 0.01
"""Readings are staged no oftener than this: a file costs the engine a millisecond to drain, and many senders then share one."""
FILE_ROWS: Final = 131_072
"""A staged file is closed after this many rows (some 20 MB), so that draining one does not hold up a tick."""
LOOK_S: Final = 0.5
"""How often the inbox is looked at while files wait in it."""
ROW_BYTES: Final = 61
"""What the columns of a reading take in memory."""
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
    """An action or report on its way."""

    site: str
    payload: bytes
    at_us: int
    report: bool
    received_us: int
    done: Future[Receipt]


class Stager:
    """Takes rows from any thread. One a process is enough; several on one log do no harm.

    `staged_files`, `staged_rows`: what was made durable so far; `no_room`: how often somebody was told to come again.
    """

    def __init__(self, log: Path | str, bounds: Bounds | None = None, *, inbox: Staging | None = None, every_s: float = EVERY_S) -> None:
        """Stage for the log at `log`. Raises `LogError` where there is none."""
        self._log = Path(log)
        self._bounds = bounds or Bounds()
        self._inbox = cast(Staging, Inbox(log)) if inbox is None else inbox
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
        rows = _Rows(batch, _now_us(), kept + ROW_BYTES * len(batch), _taken())
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
        return self._offer_record(site, payload, at_us, report=False)

    def offer_report(self, site: str, payload: bytes, at_us: int) -> Future[Receipt] | None:
        """Take a device's report for a site; None only where nothing can be made durable any more. Raises `BadRecord` if it is too long."""
        return self._offer_record(site, payload, at_us, report=True)

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

    def _offer_record(self, site: str, payload: bytes, at_us: int, *, report: bool) -> Future[Receipt] | None:
        check_length(payload)
        record = _Record(site, payload, at_us, report, _now_us(), _taken())
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
        for site, parts in sites.items():
            staged = []
            for part in parts:
                append = self._inbox.append_report if part.report else self._inbox.append_action
                with _told(part.done):
                    append(site, part.payload, part.at_us)
                    staged.append((part.done, Receipt(0, 0, part.received_us)))
            self._commit(staged, len(staged))

    def _stage_rows(self, rows: Sequence[_Rows]) -> None:
        staged = []
        for part in rows:
            with _told(part.done):
                self._append(part)
                staged.append((part.done, Receipt(len(part.batch), len(part.batch.refused), part.received_us)))
        self._commit(staged, sum(receipt.readings + receipt.refused for _, receipt in staged))

    def _append(self, part: _Rows) -> None:
        now, batch = part.received_us, part.batch
        if len(batch):
            batch = stamped(batch, np.full(len(batch), now, np.int64), now)
            if len(batch) > 1:
                readings = batch.readings
                batch = numbered(batch, number_whole(readings.names, readings.at, readings.seq))
            self._inbox.append(batch.readings)
        for refusal in batch.refused:
            self._inbox.append_refused(refusal.raw, refusal.reason, now)

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


def _now_us() -> int:
    return time.time_ns() // 1000
