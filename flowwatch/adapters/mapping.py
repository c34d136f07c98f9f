"""The import document: how an archive's columns become readings. Its owner is the planner who has the archive.

These types are the language of `config/imports/*.yaml`; what they mean is said in docs/readings.md. They are read like sites and plans, so
every fault comes with file:line:column, all at once. This module knows no file but the document; `csv_import` applies it to tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.adapters.times import microseconds
from flowwatch.core.readings import ABSENT
from flowwatch.documents.load import read_document, source
from flowwatch.documents.site import Counts
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import Document, Duration, Name, Text, TimeZone


class Encoding(StrEnum):
    """How the file's characters are written."""

    UTF_8 = "utf-8"
    GB18030 = "gb18030"
    LATIN_1 = "latin-1"


class Delimiter(StrEnum):
    """What stands between two cells."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"
    PIPE = "pipe"

    @property
    def character(self) -> bytes:
        """The one byte."""
        return {"comma": b",", "semicolon": b";", "tab": b"\t", "pipe": b"|"}[self.value]


class Order(StrEnum):
    """In which order the rows enter the log."""

    FILE = "file"
    """As they stand in the files, one file after the other; ticks wait for the lateness."""
    TIME = "time"
    """By event time, all files together; for archives that are sorted by device. Holds them in memory."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name; the first of `names` that a file has."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """Text with columns in it: texts and columns in turn, `texts[0] + columns[0] + texts[1] + ... + texts[-1]`."""

    texts: tuple[str, ...]
    columns: tuple[Column, ...]


NUMBERS: Final = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
"""Formats of times that are numbers: how many microseconds one is."""
ISO: Final = "iso"


def column(text: str) -> Column:
    """The column that a document names. Raises ValueError for an empty name.

    >>> column("C/A|CA").names
    ('C/A', 'CA')
    """
    names = tuple(name.strip() for name in text.split("|"))
    if not all(names):
        raise ValueError
    return Column(names)


def template(text: str) -> Template:
    """The template that a document writes. Raises ValueError for a brace without its other half.

    >>> template("{C/A|CA}-{UNIT}").texts
    ('', '-', '')
    """
    parts = re.split(r"\{([^{}]*)\}", text)
    if any(c in "{}" for part in parts[0::2] for c in part):
        raise ValueError
    return Template(tuple(parts[0::2]), tuple(column(name) for name in parts[1::2]))


def wide_columns(text: str) -> re.Pattern[str]:
    """The pattern of a wide table's columns. Raises ValueError unless it has the group counter, and no other than that and direction."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError from error
    if not {"counter"} <= set(pattern.groupindex) <= {"counter", "direction"}:
        raise ValueError
    return pattern


def _format(text: str) -> None:
    if text != ISO and text not in NUMBERS and "%" not in text:
        raise ValueError


def _instant(text: str) -> None:
    if microseconds(text) == ABSENT:
        raise ValueError


_TEMPLATE: Final = 'a text with columns in braces, such as "{station}-{device}"'
_COLUMN: Final = 'the name of a column, or several names with "|" between them, of which the file has one'

ColumnName = Annotated[str, Meta(extra={"what": _COLUMN, "read": column})]
TemplateText = Annotated[str, Meta(extra={"what": _TEMPLATE, "read": template})]
TimeFormat = Annotated[
    str,
    Meta(
        description="how a time is written: iso, a strptime pattern, or seconds, milliseconds, microseconds since the epoch",
        extra={"what": "iso, seconds, milliseconds, microseconds or a pattern such as %Y-%m-%d %H:%M:%S", "read": _format},
    ),
]
Instant = Annotated[str, Meta(extra={"what": "a time with its offset, such as 2026-10-01T09:00:00+08:00", "read": _instant})]
Value = Annotated[str, Meta(min_length=1, extra={"what": "the text of a cell"})]
Values = Annotated[list[Value], Meta(min_length=1)]


class Time(Document, frozen=True, kw_only=True):
    """When a reading was taken."""

    from_: Annotated[TemplateText, Meta(description="the column, or columns together, that say when")] = field(name="from")
    format: TimeFormat = ISO
    zone: (
        Annotated[TimeZone, Meta(description="of times that have no offset; a time that the clocks show twice is the first")] | UnsetType
    ) = UNSET
    epoch: Annotated[Instant, Meta(description="what numbers count from; 1970-01-01T00:00:00Z if left out")] | UnsetType = UNSET
    shift: Annotated[Duration, Meta(description="added to every time, for rows that name the beginning of the interval they count")] = "0s"


class Direction(Document, frozen=True, kw_only=True):
    """Which way the people of a row went, for tables with one count a row. Rows with another value are refused: no direction."""

    column: ColumnName
    in_: Annotated[Values, Meta(description="the values that mean in")] | UnsetType = field(name="in", default=UNSET)
    out: Annotated[Values, Meta(description="the values that mean out")] | UnsetType = UNSET


class Wide(Document, frozen=True, kw_only=True):
    """A table with a column for every counter, or for every direction of one."""

    columns: Annotated[
        str,
        Meta(
            description="which columns are counters, as a regular expression with a group counter, and a group direction if two make one",
            extra={"what": "a regular expression with a group (?P<counter>...), perhaps a group (?P<direction>...)", "read": wide_columns},
        ),
    ]
    in_: Annotated[Values, Meta(description="the directions that mean in; a counter's first column, if left out")] | UnsetType = field(
        name="in", default=UNSET
    )
    out: Annotated[Values, Meta(description="the directions that mean out; a counter's second column, if left out")] | UnsetType = UNSET


class Import(Document, frozen=True, kw_only=True):
    """How the rows of an archive become readings."""

    import_: Annotated[Name, Meta(description="the name of this document")] = field(name="import")
    title: Text
    site: Annotated[Name, Meta(description="the site that the counters belong to; the import's name if left out")] | UnsetType = UNSET
    encoding: Encoding = Encoding.UTF_8
    delimiter: Delimiter = Delimiter.COMMA
    header: (
        Annotated[list[Value], Meta(min_length=1, description="the columns' names, for files without a line that says them")] | UnsetType
    ) = UNSET
    time: Time
    counter: Annotated[TemplateText, Meta(description="the counter's name within the site")] | UnsetType = UNSET
    names: Annotated[dict[Value, Name], Meta(description="the counter's name for each text of the template that is to be another")] = field(
        default_factory=dict
    )
    counts: Annotated[Counts, Meta(description="delta: people since the row before; cumulative: running totals; absolute: people in view")]
    in_: Annotated[ColumnName, Meta(description="people in, or the running total in")] | UnsetType = field(name="in", default=UNSET)
    out: Annotated[ColumnName, Meta(description="people out, or the running total out")] | UnsetType = UNSET
    inside: Annotated[ColumnName, Meta(description="people in view")] | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET
    people: Annotated[ColumnName, Meta(description="with direction: how many people; if left out, each row is one person")] | UnsetType = (
        UNSET
    )
    wide: Wide | UnsetType = UNSET
    seq: Annotated[ColumnName, Meta(description="the device's sequence number, below 2^62")] | UnsetType = UNSET
    id: Annotated[TemplateText, Meta(description="what tells one reading of a counter from all others")] | UnsetType = UNSET
    every: Annotated[Duration, Meta(description="how often a counter reports; only for drafts of sites")] = "5m"
    lateness: Annotated[Duration, Meta(description="how far a row may stand behind the newest before it")]
    order: Annotated[Order, Meta(description="file: rows enter the log as they stand; time: sorted by time, all files together")] = (
        Order.FILE
    )
    max_jump: Annotated[Duration, Meta(description="a row further ahead of all before it is believed only if its successors agree")] = "24h"

    @property
    def site_name(self) -> str:
        """The site that the counters belong to, unless the import is told another."""
        return self.import_ if isinstance(self.site, UnsetType) else self.site


def counts_in_one_way(doc: Import) -> Iterator[Problem]:
    """A document says in one way where the figures stand."""
    ways = {
        "in": doc.in_ is not UNSET or doc.out is not UNSET,
        "inside": doc.inside is not UNSET,
        "direction": doc.direction is not UNSET,
        "wide": doc.wide is not UNSET,
    }
    given = [way for way, here in ways.items() if here]
    if not given:
        yield (), "found no figures, expected one of: in and out, inside, direction, wide"
    for way in given[1:]:
        yield (way,), f"found {way} beside {given[0]}, expected one of them"


def figures_fit_the_kind(doc: Import) -> Iterator[Problem]:
    """Headcounts have no direction, and passers have no inside."""
    absolute = doc.counts is Counts.ABSOLUTE
    if doc.inside is not UNSET and not absolute:
        yield ("inside",), f"found inside with counts: {doc.counts}, expected counts: absolute, or in and out"
    for key, value in (("in", doc.in_), ("out", doc.out), ("direction", doc.direction)):
        if value is not UNSET and absolute:
            yield (key,), f"found {key} with counts: absolute, expected inside"
    if doc.people is not UNSET and doc.direction is UNSET:
        yield ("people",), "found people without direction, expected it with direction, or in and out instead"
    if doc.counts is Counts.CUMULATIVE and doc.direction is not UNSET and doc.people is UNSET:
        yield ("direction",), "found rows that are one person each with counts: cumulative, expected counts: delta, or people:"


def names_the_counter_once(doc: Import) -> Iterator[Problem]:
    """The counter's name comes from the cells of a row, or in a wide table from its columns."""
    if doc.wide is UNSET and doc.counter is UNSET:
        yield ("counter",), f"found no counter, expected {_TEMPLATE}"
    for key, value in (("counter", doc.counter), ("seq", doc.seq), ("id", doc.id)):
        if doc.wide is not UNSET and value is not UNSET:
            yield (key,), f"found {key} in a wide table, expected none: a row there is many readings"


def identified_once(doc: Import) -> Iterator[Problem]:
    """A reading has one identity, and one that is not a number says nothing about order."""
    if doc.seq is not UNSET and doc.id is not UNSET:
        yield ("id",), "found id beside seq, expected one of them"
    if doc.id is not UNSET and doc.counts is Counts.CUMULATIVE:
        yield ("id",), "found id with counts: cumulative, expected none: totals are put in order by seq or by time"


def times_have_a_zone(time: Time) -> Iterator[Problem]:
    """A time on a clock needs to say on which."""
    if "%" in time.format and "%z" not in time.format and time.zone is UNSET:
        yield ("zone",), "found no zone for times without an offset, expected one such as Asia/Shanghai"
    if time.format in NUMBERS and time.zone is not UNSET:
        yield ("zone",), f"found a zone with format: {time.format}, expected epoch: with the offset in it"
    if time.format not in NUMBERS and time.epoch is not UNSET:
        yield ("epoch",), f"found an epoch with format: {time.format}, expected it with seconds, milliseconds or microseconds"
    if not template(str(time.from_)).columns:
        yield ("from",), f"found {time.from_!r}, expected a column in braces"


def directions_differ(part: Direction | Wide) -> Iterator[Problem]:
    """No value means both ways, and a document that names directions names those of both columns."""
    into = [] if isinstance(part.in_, UnsetType) else part.in_
    out = [] if isinstance(part.out, UnsetType) else part.out
    for value in sorted(set(into) & set(out)):
        yield ("out",), f"found {value!r} in both in and out, expected it in one of them"
    if isinstance(part, Direction) and not into and not out:
        yield (), "found neither in nor out, expected the values that mean them"
    if isinstance(part, Wide) and (into or out) and "direction" not in wide_columns(str(part.columns)).groupindex:
        yield ("columns",), "found in or out without a group (?P<direction>...), expected the group"


def bytes_are_clear(doc: Import) -> Iterator[Problem]:
    """In GB18030 the byte of "|" is a part of Chinese characters."""
    if doc.encoding is Encoding.GB18030 and doc.delimiter is Delimiter.PIPE:
        yield ("delimiter",), "found pipe with encoding: gb18030, where its byte is a part of characters; expected the file saved as UTF-8"


RULES: Final[Rules] = {
    Import: (counts_in_one_way, figures_fit_the_kind, names_the_counter_once, identified_once, bytes_are_clear),
    Time: (times_have_a_zone,),
    Direction: (directions_differ,),
    Wide: (directions_differ,),
}


def load_import(path: Path) -> Import:
    """The import document at `path`. Raises `DocumentErrors` with every fault of it."""
    return read_document(source(path), Import, RULES)
