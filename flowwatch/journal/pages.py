"""Pages of a journal that grows, in the order in which it was written: no entry is skipped and none comes twice.

Across chains the times of entries say nothing about which was written first, because one chain may lag. So a page goes by the number of the
row: rows are only ever added, each transaction alone, so a number that was seen is behind every number that comes. The mark of a page is
its last row's number with the entry that it holds; a rebuilt journal numbers anew, and then the entry is another and the mark is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.journal.database import JournalError
from flowwatch.journal.queries import entry_of
from flowwatch.journal.tables import Whole, entries

_NUMBER: Final[ColumnElement[int]] = literal_column("entries.rowid", Whole)


_UNSORTED: Final[ColumnElement[int]] = literal_column("+entries.rowid", Whole)
"""The same, where SQLite shall find the least in the index of times, not look through the rows for the first."""


class StaleMarkError(JournalError):
    """The mark is of another journal than this: it was rebuilt or replaced since."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page ended: the row's number, and the entry in it."""

    row: int
    chain: str
    seq: int


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries: of these chains (None: all), of that kind, with since <= at < until."""

    chains: Collection[str] | None = None
    kind: EntryKind | None = None
    since: int | None = None
    until: int | None = None


def page(connection: Connection, sought: Sought, after: Mark | None, limit: int, *, newest: bool) -> tuple[list[Entry], Mark | None]:
    """The next entries behind `after`, at most `limit`, the last written first if `newest`; and their mark, `after` where there are none.

    Raises `StaleMarkError` for a mark of another journal.
    """
    e, number = entries.c, _NUMBER
    chosen: Select[Any] = select(number.label("row"), e.chain, e.seq, e.kind, e.at_us, e.body, e.hash)
    if after is not None:
        marked = connection.execute(select(e.chain, e.seq).where(number == after.row)).first()
        if marked is None or (marked.chain, marked.seq) != (after.chain, after.seq):
            raise StaleMarkError("the journal was made anew since that page was read; begin again")
    if sought.chains is not None and len(sought.chains) == 1 and (after is None or after.chain in sought.chains):
        chosen = _of_one(chosen, sought, after, limit, newest=newest)
    else:
        chosen = _of_several(chosen, sought, after, newest=newest).order_by(number.desc() if newest else number).limit(limit)
    rows = connection.execute(chosen).all()
    found = [entry_of(row) for row in rows]
    return found, Mark(rows[-1].row, rows[-1].chain, rows[-1].seq) if rows else after


def _of_one(chosen: Select[Any], sought: Sought, after: Mark | None, limit: int, *, newest: bool) -> Select[Any]:
    """Of one chain: it was written in the order of its numbers. They are found in an index alone, and only then are the rows read."""
    e = entries.c
    (chain,) = sought.chains or ("",)
    numbers = _filtered(select(e.seq).where(e.chain == chain), sought)
    if after is not None:
        numbers = numbers.where(e.seq < after.seq if newest else e.seq > after.seq)
    numbers = numbers.order_by(e.seq.desc() if newest else e.seq).limit(limit)
    return chosen.where(e.chain == chain, e.seq.in_(numbers.scalar_subquery())).order_by(e.seq.desc() if newest else e.seq)


def _of_several(chosen: Select[Any], sought: Sought, after: Mark | None, *, newest: bool) -> Select[Any]:
    """Of several chains: by the numbers of the rows. Where only a time is asked for, the index of times says where to begin."""
    number = _NUMBER
    if after is not None:
        chosen = chosen.where(number < after.row if newest else number > after.row)
    elif sought.kind is None and sought.since is not None and sought.until is None and not newest:
        chosen = chosen.where(number >= select(func.min(_UNSORTED)).where(entries.c.at_us >= sought.since).scalar_subquery())
    if sought.chains is not None:
        chosen = chosen.where(entries.c.chain.in_(sorted(sought.chains)))
    return _filtered(chosen, sought)


def _filtered(chosen: Select[Any], sought: Sought) -> Select[Any]:
    e = entries.c
    if sought.kind is not None:
        chosen = chosen.where(e.kind == sought.kind.value)
    if sought.since is not None:
        chosen = chosen.where(e.at_us >= sought.since)
    if sought.until is not None:
        chosen = chosen.where(e.at_us < sought.until)
    return chosen
