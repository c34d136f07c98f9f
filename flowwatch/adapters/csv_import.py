"""An archive's table becomes readings, by an import document.

Every row of the table (in a wide table: every counter of every row) is one row of a batch, a reading or a refusal with its reason and the
bytes of its line: nothing is skipped, repaired or guessed. What the whole file must have for that, the columns that the document names, is
looked up in its header, and a file without them is an error. Knows no log and no clock; memory is bounded by the block.

Cells repeat, so a column's distinct texts are read once (`cells`), and its rows take from them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import UnsetType

from flowwatch.adapters import cells
from flowwatch.adapters.batch import Batch, Refusal, unstamped
from flowwatch.adapters.cells import UNREADABLE
from flowwatch.adapters.lines import SourceError, Stream
from flowwatch.adapters.mapping import Column, Direction, Import, Template, Wide, column, template, wide_columns
from flowwatch.adapters.ndjson import identity
from flowwatch.adapters.tables import Cells, Rows, Table, header
from flowwatch.core.readings import ABSENT, Bools, Bytes, Ints, Kind, Reason
from flowwatch.documents.faults import did_you_mean, listed, near, quoted
from flowwatch.documents.site import Counts

KINDS: Final = {Counts.DELTA: Kind.DELTA, Counts.CUMULATIVE: Kind.CUMULATIVE, Counts.ABSOLUTE: Kind.ABSOLUTE}
KEPT: Final = 0
"""As a reason: none, the row is a reading."""
IN, OUT, NEITHER = 1, -1, 0


def batches(document: Import, stream: Stream, site: str | None = None) -> Iterator[Batch | None]:
    """The rows of a file; None when a live source pauses. `site`: instead of the one that the document names.

    Raises `SourceError` where the file cannot be read, or has not the columns that the document names.
    """
    reader: _Reader | None = None
    for block in stream.blocks():
        if reader is None and block.strip():
            names, block = _header(document, stream.name, block)  # noqa: PLW2901 - the rest of the first block
            reader = _Reader(document, names, site or document.site_name)
        if reader is not None and block:
            yield reader.batch(block)
        elif not block:
            yield None


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a file's columns."""

    names: list[str]
    file: str
    document: str

    def place(self, wanted: Column) -> int:
        """Where a column stands. Raises `SourceError` for one that the file has not."""
        for name in wanted.names:
            if name in self.names:
                return self.names.index(name)
        told = " or ".join(map(quoted, wanted.names))
        meant = did_you_mean(next((found for name in wanted.names if (found := near(name, self.names))), None))
        raise SourceError(
            self.file, f"found no column {told}, which the import {self.document} names, expected {listed(self.names)}{meant}"
        )


def _header(document: Import, file: str, block: bytes) -> tuple[Header, bytes]:
    """The columns' names, and what of the first block is rows."""
    if not isinstance(document.header, UnsetType):
        return Header(list(document.header), file, document.import_), block
    line, rest = b"", block
    while not line.strip():
        line, _, rest = rest.partition(b"\n")
    try:
        names = header(line.rstrip(b"\r"), document.delimiter.character, document.encoding)
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(file, f"the first line does not name columns: {error}") from error
    return Header(names, file, document.import_), rest


class _Reader:
    """Reads the blocks of one file."""

    def __init__(self, document: Import, names: Header, site: str) -> None:
        self._counted: _Long | _Wide
        if isinstance(document.wide, UnsetType):
            self._counted = _Long(document, names, site)
        else:
            self._counted = _Wide(document, document.wide, names, site)
        self._table = Table(len(names.names), self._counted.places, document.delimiter.character, document.encoding)

    def batch(self, block: bytes) -> Batch:
        return self._counted.batch(self._table.rows(block))


class _Long:
    """Tables with one reading a row."""

    def __init__(self, document: Import, names: Header, site: str) -> None:
        self.places: list[int] = []
        self._site = site
        self._names = document.names
        self._kind = KINDS[document.counts]
        self._at = cells.times(document.time)
        self._time = self._bound(document.time.from_, names)
        self._counter = self._bound("" if isinstance(document.counter, UnsetType) else document.counter, names)
        self._id = None if isinstance(document.id, UnsetType) else self._bound(document.id, names)
        self._seq, self._in, self._out, self._inside, self._people = (
            None if isinstance(name, UnsetType) else self._place(column(name), names)
            for name in (document.seq, document.in_, document.out, document.inside, document.people)
        )
        self._direction = None if isinstance(document.direction, UnsetType) else document.direction
        self._way = None if self._direction is None else self._place(column(self._direction.column), names)

    def _place(self, wanted: Column, names: Header) -> int:
        self.places.append(names.place(wanted))
        return self.places[-1]

    def _bound(self, text: str, names: Header) -> _Bound:
        made = template(text)
        return _Bound(made, [self._place(part, names) for part in made.columns])

    def batch(self, rows: Rows) -> Batch:
        """The rows as a batch."""
        n = len(rows.good)
        reason = np.zeros(n, np.uint8)
        counter, time = self._counter.texts(rows), self._time.texts(rows)
        at = _taken(time, self._at)
        _mark(reason, (at == UNREADABLE) | np.array([text is None for text in counter.texts], np.bool_)[counter.codes], Reason.UNREADABLE)
        seq = self._sequence(rows, reason)
        ingress, egress, headcount = self._figures(rows, reason)
        _mark(reason, (ingress == UNREADABLE) | (egress == UNREADABLE) | (headcount == UNREADABLE), Reason.UNREADABLE)
        _mark(reason, (ingress == ABSENT) & (egress == ABSENT) & (headcount == ABSENT), Reason.MISSING_COUNT)
        full = [None if text is None else f"{self._site}/{self._names.get(text, text)}" for text in counter.texts]
        kept = reason == KEPT
        names = [full[code] or "" for code in counter.codes[kept].tolist()]
        reasons = np.full(len(rows.lines), Reason.UNREADABLE, np.uint8)
        reasons[rows.good] = reason
        lines = np.arange(len(rows.lines))
        return _batch(rows.lines, lines, reasons, names, self._kind, at[kept], (ingress[kept], egress[kept], headcount[kept]), seq[kept])

    def _sequence(self, rows: Rows, reason: Bytes) -> Ints:
        if self._seq is not None:
            seq = _taken(rows.cells[self._seq], cells.sequences)
            _mark(reason, seq == UNREADABLE, Reason.UNREADABLE)
            return seq
        if self._id is not None:
            ids = self._id.texts(rows)
            _mark(reason, np.array([not text for text in ids.texts], np.bool_)[ids.codes], Reason.UNREADABLE)
            return np.array([identity(text or "") for text in ids.texts], np.int64)[ids.codes]
        return np.full(len(rows.good), ABSENT, np.int64)

    def _figures(self, rows: Rows, reason: Bytes) -> tuple[Ints, Ints, Ints]:
        """People in, out and in view, each (n,)."""
        n = len(rows.good)
        absent = np.full(n, ABSENT, np.int64)

        def figure(place: int | None) -> Ints:
            return absent if place is None else _taken(rows.cells[place], cells.counts)

        if self._direction is None or self._way is None:
            return figure(self._in), figure(self._out), figure(self._inside)
        way = _ways(self._direction, rows.cells[self._way])
        _mark(reason, way == NEITHER, Reason.NO_DIRECTION)
        people = np.ones(n, np.int64) if self._people is None else figure(self._people)
        return np.where(way == IN, people, ABSENT), np.where(way == OUT, people, ABSENT), absent


class _Wide:
    """Tables with many readings a row: a column, or two, for each counter."""

    def __init__(self, document: Import, wide: Wide, names: Header, site: str) -> None:
        made = template(document.time.from_)
        self._time = _Bound(made, [names.place(part) for part in made.columns])
        self._at = cells.times(document.time)
        self._kind = KINDS[document.counts]
        self._names, self._first, self._second = [], [], []
        for text, (first, second) in _paired(wide, names).items():
            self._names.append(f"{site}/{document.names.get(text, text)}")
            self._first.append(first)
            self._second.append(second)
        self.places = [*self._time.places, *(place for place in (*self._first, *self._second) if place is not None)]

    def batch(self, rows: Rows) -> Batch:
        """The rows as a batch."""
        n, width = len(rows.lines), len(self._names)
        at = np.full(n, UNREADABLE, np.int64)
        at[rows.good] = _taken(self._time.texts(rows), self._at)
        first, second = self._figures(rows, self._first), self._figures(rows, self._second)
        reason = np.zeros((n, width), np.uint8)
        _mark(reason, (first == UNREADABLE) | (second == UNREADABLE), Reason.UNREADABLE)
        _mark(reason, (first == ABSENT) & (second == ABSENT), Reason.MISSING_COUNT)
        bad = at == UNREADABLE
        reason[bad] = Reason.UNREADABLE
        there = np.ones((n, width), np.bool_)
        there[bad, 1:] = False  # a line that cannot be read is one row
        kept = reason == KEPT
        line, which = np.nonzero(kept)
        absent = np.full(len(line), ABSENT, np.int64)
        figures = (absent, absent, first[kept]) if self._kind is Kind.ABSOLUTE else (first[kept], second[kept], absent)
        names = [self._names[i] for i in which.tolist()]
        return _batch(rows.lines, np.nonzero(there)[0], reason[there], names, self._kind, at[line], figures, absent)

    def _figures(self, rows: Rows, places: Sequence[int | None]) -> Ints:
        figures = np.full((len(rows.lines), len(places)), ABSENT, np.int64)
        for i, place in enumerate(places):
            if place is not None:
                figures[rows.good, i] = _taken(rows.cells[place], cells.counts)
        return figures


@dataclass(frozen=True, slots=True)
class _Bound:
    """A template whose columns are found."""

    template: Template
    places: list[int]

    def texts(self, rows: Rows) -> Cells:
        """The template filled for each row; None where a cell in it is empty or not in the declared encoding."""
        codes = np.zeros(len(rows.good), np.int64)
        filled: list[str | None] = [self.template.texts[0]]
        for place, after in zip(self.places, self.template.texts[1:], strict=True):
            part = rows.cells[place]
            pairs, codes = np.unique(codes * len(part.texts) + part.codes, return_inverse=True)
            filled = [_joined(filled[pair // len(part.texts)], part.texts[pair % len(part.texts)], after) for pair in pairs.tolist()]
        return Cells(codes, filled)


def _joined(before: str | None, cell: str | None, after: str) -> str | None:
    return None if before is None or not cell else before + cell + after


def _taken(column: Cells, read: Callable[[Sequence[str]], Ints]) -> Ints:
    """What `read` makes of each cell's text, (n,)."""
    if not column.texts:
        return np.zeros(0, np.int64)
    return read([_UNDECODABLE if text is None else text for text in column.texts])[column.codes]


_UNDECODABLE: Final = "\ufffd"


def _mark(reason: Bytes, where: Bools, why: Reason) -> None:
    """Give a reason to the rows that have none yet."""
    reason[where & (reason == KEPT)] = why


def _ways(direction: Direction, column: Cells) -> Ints:
    ways = dict.fromkeys([] if isinstance(direction.in_, UnsetType) else direction.in_, IN)
    ways |= dict.fromkeys([] if isinstance(direction.out, UnsetType) else direction.out, OUT)
    return np.array([ways.get(text or "", NEITHER) for text in column.texts], np.int64)[column.codes]


def _paired(wide: Wide, names: Header) -> dict[str, tuple[int | None, int | None]]:
    """Each counter's text with the places of its columns, (in, out) or (the only one, None). Raises `SourceError`."""
    pattern = wide_columns(wide.columns)
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(names.names):
        match = pattern.fullmatch(name)
        if match:
            found.setdefault(match["counter"], {})[match.groupdict().get("direction", "")] = place
    if not found:
        told = f"found no column that fits {quoted(wide.columns)}, which the import {names.document} asks for"
        raise SourceError(names.file, f"{told}, expected it among {listed(names.names)}")
    return {counter: _pair(wide, counter, ways, names) for counter, ways in found.items()}


def _pair(wide: Wide, counter: str, ways: dict[str, int], names: Header) -> tuple[int | None, int | None]:
    into = [] if isinstance(wide.in_, UnsetType) else wide.in_
    out = [] if isinstance(wide.out, UnsetType) else wide.out
    if not into and not out:
        places = [*ways.values(), None]
        if len(ways) <= 2:
            return places[0], places[1]
        told = f"found {len(ways)} columns for the counter {quoted(counter)}"
        raise SourceError(names.file, f"{told}, expected one or two, or in: and out: in the import {names.document}")
    place: dict[int, int] = {}
    for way, at in ways.items():
        direction = IN if way in into else OUT if way in out else NEITHER
        if direction == NEITHER or direction in place:
            told = f"found the direction {quoted(way)} of {quoted(counter)}"
            raise SourceError(names.file, f"{told}, expected one column in ({listed(into)}) and one out ({listed(out)})")
        place[direction] = at
    return place.get(IN), place.get(OUT)


def _batch(
    lines: list[bytes], line: Ints, reason: Bytes, names: list[str], kind: Kind, at: Ints, figures: tuple[Ints, Ints, Ints], seq: Ints
) -> Batch:
    """A batch of m rows in order: row i comes from line `line[i]`; the other columns are those of the rows that are kept."""
    kept = reason == KEPT
    before = np.cumsum(kept)
    refused = [Refusal(int(before[i]), lines[line[i]], Reason(int(reason[i]))) for i in np.flatnonzero(~kept).tolist()]
    source = line[kept].tolist()
    ingress, egress, headcount = figures
    kinds = np.full(len(names), kind, np.uint8)
    return Batch(unstamped(names, kinds, at, ingress, egress, headcount, lambda i: lines[source[i]], seq), refused)
