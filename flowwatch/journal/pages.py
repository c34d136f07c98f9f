"""Pages of a journal that grows, in the order in which it was written: no entry is skipped and none comes twice.

Across chains the times of entries say nothing about which was written first, because one chain may lag. So a page goes by the number of the
row: rows are only ever added, each transaction alone, so a number that was seen is behind every number that comes. The mark of a page is
its last row's number with the entry that it holds; a rebuilt journal numbers anew, and then the entry is another and the mark is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, literal_column, select

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.journal.database import JournalError
from flowwatch.journal.queries import entry_of
from flowwatch.journal.tables import Whole, entries

_NUMBER: Final[ColumnElement[int]] = literal_column("entries.rowid", Whole)


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
        chosen = chosen.where(number < after.row if newest else number > after.row)
    if sought.chains is not None:
        chosen = chosen.where(e.chain.in_(sorted(sought.chains)))
    if sought.kind is not None:
        chosen = chosen.where(e.kind == sought.kind.value)
    if sought.since is not None:
        chosen = chosen.where(e.at_us >= sought.since)
    if sought.until is not None:
        chosen = chosen.where(e.at_us < sought.until)
    rows = connection.execute(chosen.order_by(number.desc() if newest else number).limit(limit)).all()
    found = [entry_of(row) for row in rows]
    return found, Mark(rows[-1].row, rows[-1].chain, rows[-1].seq) if rows else after
