"""The way of an archive or a stream into the log: batches are stamped, numbered, split at ticks and committed.

Decides when rows become durable and what is counted of them. How bytes become batches is the formats' matter, what time is the clock's, and
where a row goes the log's; so this is the same for files and standard input, for NDJSON and tables, and whether the log takes rows itself or
another process holds it and they are staged in its inbox.

In a log with a wall clock rows are committed when the source pauses, and after `FLUSH_S` in any case. Sources that are to be put in the order
of time (an import document says so) are held in memory whole, all together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

import numpy as np

from flowwatch.adapters import ndjson
from flowwatch.adapters.batch import Batch, by_time, joined, numbered, pieces, stamped
from flowwatch.adapters.event_time import MAX_JUMP_US, EventClock, Ticks
from flowwatch.adapters.lines import SourceError, Stream
from flowwatch.adapters.mapping import Import, Order
from flowwatch.adapters.ordinals import AHEAD_US, HOUR, Ordinals, number_whole
from flowwatch.core.readings import ABSENT, Ints, Reason
from flowwatch.documents.words import duration_us
from flowwatch.log.readings import Readings
from flowwatch.log.routing import UNKNOWN_COUNTER, UNKNOWN_SITE
from flowwatch.log.time import clock_of
from flowwatch.log.writer import Writer

FLUSH_S: Final = 0.04
"""After this, rows are committed as soon as more come (a commit takes some milliseconds, and rows are to be durable within 50)."""
COMMIT_ROWS: Final = 65_536
"""Rows to a commit in an archive: a frame's worth, so that syncing costs little beside decoding."""
MOST_EXAMPLES: Final = 5
DEFAULT_LATENESS_US: Final = 120 * 1_000_000
"""For readings in flowwatch's own format, which declare none: that of a counter in a site file that says nothing else."""


class Sink(Protocol):
    """Where rows go: the log's writer, or its inbox."""

    def append(self, readings: Readings) -> int | None:
        """Take readings; how many of them are of counters that the log does not know, None where that is not known yet."""

    def append_refused(self, raw: bytes, reason: Reason, received_us: int) -> None:
        """Take what is no reading."""

    def commit(self) -> object:
        """Make durable what was taken."""


class EventLog(Sink, Protocol):
    """The writer of a log with an event clock."""

    last_tick_us: int

    def tick(self, at_us: int) -> None:
        """Take a tick."""


@runtime_checkable
class Resolving(Protocol):
    """A sink that knows which counters the log has."""

    def resolve(self, names: Sequence[str]) -> Ints:
        """Negative for names that it does not know: -1 the site, -2 the counter."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something to read: what opens it, and for a table the document that explains it and a site instead of the document's."""

    open: Callable[[], AbstractContextManager[Stream]]
    document: Import | None = None
    site: str | None = None

    def batches(self, stream: Stream) -> Iterator[Batch | None]:
        """The rows of the opened stream; None where it pauses."""
        if self.document is None:
            return ndjson.batches(stream)
        from flowwatch.adapters import csv_import  # noqa: PLC0415 - it brings pandas, which NDJSON does without

        return csv_import.batches(self.document, stream, self.site)


@dataclass(slots=True)
class Report:
    """What came of it so far. `readings` + all of `refused` is every row of the sources.

    `readings`: taken into the log (or staged); the engine may still refuse some, and it will refuse the `ahead`: those whose time is more
    than a minute ahead of the receipt time. `refused`: rows kept as refused, by reason; of counters that the log does not know there are
    examples in `unknown`. `first_us`, `last_us`: the event times between which readings lie (`ABSENT` without any).
    """

    readings: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    unknown: dict[str, None] = field(default_factory=dict)
    ahead: int = 0
    ticks: int = 0
    commits: int = 0
    first_us: int = ABSENT
    last_us: int = ABSENT
    source: str = ""
    taken: int = 0
    size: int | None = None

    @property
    def rows(self) -> int:
        """All rows so far."""
        return self.readings + self.refused.total()


class WallTime:
    """Receipt times for a live log: now. Ticks are not the importer's."""

    def __init__(self, now: Callable[[], int], lateness_us: int = 0) -> None:
        """`now`: the log's time (`log.time.clock_of`); `lateness_us`: how late readings may come and still be numbered exactly, an hour at least."""
        self.horizon_us = max(lateness_us, HOUR)
        self._now = now

    def stamp(self, batch: Batch) -> Batch | None:
        """The rows, received now."""
        now = self._now()
        return stamped(batch, np.full(len(batch), now, np.int64), now)

    def end(self) -> Batch | None:
        """Nothing is ever held."""
        return None


class EventTime:
    """Receipt times and ticks for a log with an event clock."""

    def __init__(self, log: EventLog, tick_us: int, lateness_us: int, max_jump_us: int = MAX_JUMP_US) -> None:
        """For the log that `log` writes, whose grid is `tick_us`; all in microseconds, as in `event_time`."""
        self.log = log
        self.ticks = Ticks(tick_us, lateness_us, log.last_tick_us)
        self.horizon_us = max(lateness_us, HOUR)
        self._clock = EventClock(max_jump_us)

    def stamp(self, batch: Batch) -> Batch | None:
        """What was held and `batch` as far as it is decided, with the source's clock."""
        return self._clock.stamp(batch)

    def end(self) -> Batch | None:
        """What was held to the end of a source."""
        return self._clock.end()


def time_of(writer: Writer, document: Import | None = None, lateness_us: int = DEFAULT_LATENESS_US) -> WallTime | EventTime:
    """The time of the writer's log, for sources that `document` explains; `lateness_us` is for sources without one."""
    if document is not None:
        lateness_us = 0 if document.order is Order.TIME else duration_us(document.lateness)
    if writer.settings.live:
        return WallTime(clock_of(writer.path), lateness_us)
    return EventTime(writer, writer.settings.tick_us, lateness_us, MAX_JUMP_US if document is None else duration_us(document.max_jump))


def ingest(sources: Sequence[Source], sink: Sink, timing: WallTime | EventTime, progress: Callable[[Report], None] | None = None) -> Report:
    """Bring `sources`, one after the other, into the log; the report, which `progress` gets too whenever there is more in it.

    In a log with an event clock the sources are one archive: ticks run through all of them, and to the end only after the last.
    What was read before an error of a source is committed. Raises `SourceError` and `LogError`.
    """
    way = _Way(sink, timing, progress)
    try:
        if any(source.document and source.document.order is Order.TIME for source in sources):
            way.together(sources)
        else:
            for source in sources:
                way.through(source)
    except (SourceError, KeyboardInterrupt):
        way.commit()
        raise
    way.finish()
    return way.report


class _Way:
    """One run of `ingest`."""

    def __init__(self, sink: Sink, timing: WallTime | EventTime, progress: Callable[[Report], None] | None) -> None:
        self.report = Report()
        self._sink = sink
        self._timing = timing
        self._progress = progress
        self._waiting = 0
        self._since = 0.0

    def through(self, source: Source) -> None:
        """All rows of one source, as they come."""
        ordinals = Ordinals(self._timing.horizon_us)
        with source.open() as stream:
            for batch in source.batches(stream):
                if batch is None:
                    self.commit()
                else:
                    self._pass(self._timing.stamp(batch), ordinals)
                self._tell(stream)
            self._pass(self._timing.end(), ordinals)
            self._tell(stream)

    def together(self, sources: Sequence[Source]) -> None:
        """All rows of all sources, in the order of event time; each source is numbered by itself, as it stands."""
        parts = []
        for source in sources:
            with source.open() as stream:
                batches = []
                for batch in source.batches(stream):
                    batches += [] if batch is None else [batch]
                    self._tell(stream)
            if batches:
                whole = joined(batches)
                rows = whole.readings
                parts.append(numbered(whole, number_whole(rows.names, rows.at, rows.seq)))
        if parts:
            whole = by_time(joined(parts))
            for piece in pieces(whole, range(COMMIT_ROWS, len(whole), COMMIT_ROWS)):
                self._pass(self._timing.stamp(piece), None)
        self._pass(self._timing.end(), None)

    def finish(self) -> None:
        """The ticks after the last row, and the last commit."""
        if isinstance(self._timing, EventTime):
            self._tick(self._timing.ticks.end())
        self.commit()

    def commit(self) -> None:
        """Make durable what was passed on."""
        if self._waiting:
            self._sink.commit()
            self.report.commits += 1
            self._waiting = 0
            if self._progress:
                self._progress(self.report)

    def _tell(self, stream: Stream) -> None:
        self.report.source, self.report.taken, self.report.size = stream.name, stream.taken, stream.size
        if self._progress:
            self._progress(self.report)

    def _pass(self, batch: Batch | None, ordinals: Ordinals | None) -> None:
        """Stamped rows on their way: number them, let the ticks in between, commit if it is time to."""
        if batch is None:
            return
        rows = batch.readings
        if ordinals is not None and len(rows):
            batch = numbered(batch, ordinals.number(rows.names, rows.at, rows.received, rows.seq))
        if not self._waiting:
            self._since = time.monotonic()
        if isinstance(self._timing, EventTime):
            due_ticks = self._timing.ticks.due(rows.at, rows.received)
            for piece, ticks in zip(pieces(batch, [reading for reading, _ in due_ticks]), [*(t for _, t in due_ticks), ()], strict=True):
                self._append(piece)
                self._tick(ticks)
            due = self._waiting >= COMMIT_ROWS
        else:
            self._append(batch)
            due = time.monotonic() - self._since >= FLUSH_S
        if due:
            self.commit()

    def _append(self, batch: Batch) -> None:
        """Pass rows on. In an archive's log what is refused stands in the order of the input, also where the log refuses unknown sites."""
        archive = isinstance(self._timing, EventTime) and len(batch.refused) > 0
        if archive and isinstance(self._sink, Resolving) and (self._sink.resolve(batch.readings.names) == UNKNOWN_SITE).any():
            for piece in pieces(batch, sorted({refusal.place for refusal in batch.refused})):
                self._append_together(piece)
        else:
            self._append_together(batch)

    def _append_together(self, batch: Batch) -> None:
        rows, report = batch.readings, self.report
        if len(rows):
            unknown = self._sink.append(rows) or 0
            report.readings += len(rows) - unknown
            if unknown:
                self._note_unknown(rows)
            first, last = int(rows.at.min()), int(rows.at.max())
            report.first_us = first if report.first_us == ABSENT else min(report.first_us, first)
            report.last_us = max(report.last_us, last)
            report.ahead += int(np.count_nonzero(rows.at - rows.received > AHEAD_US))
        for refusal in batch.refused:
            self._sink.append_refused(refusal.raw, refusal.reason, refusal.received)
            report.refused[refusal.reason] += 1
        self._waiting += len(rows) + len(batch.refused)

    def _note_unknown(self, rows: Readings) -> None:
        assert isinstance(self._sink, Resolving)
        routes = self._sink.resolve(rows.names)
        self.report.refused[Reason.UNKNOWN_SITE] += int(np.count_nonzero(routes == UNKNOWN_SITE))
        self.report.refused[Reason.UNKNOWN_COUNTER] += int(np.count_nonzero(routes == UNKNOWN_COUNTER))
        for i in np.flatnonzero(routes < 0).tolist():
            if len(self.report.unknown) >= MOST_EXAMPLES:
                break
            self.report.unknown[rows.names[i]] = None

    def _tick(self, ticks: Sequence[int]) -> None:
        assert isinstance(self._timing, EventTime)
        for tick in ticks:
            self._timing.log.tick(tick)
        self.report.ticks += len(ticks)
        self._waiting += len(ticks)
