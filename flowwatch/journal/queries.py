"""Reading the journal's tables: each function takes an open read transaction and yields what `core.entries` names.

Decides the orders in which the journal is read: a chain by its sequence; several chains by (at, chain, seq); everything, canonically, by
(chain, seq) and then (site, at). Rows are fetched a page at a time, so the length of a journal costs no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select, text, tuple_

from flowwatch.core.entries import GENESIS, Entry, EntryKind, Estimate
from flowwatch.journal.database import JournalError
from flowwatch.journal.findings import Conflict, UnknownIdError
from flowwatch.journal.tables import INCIDENT, OF_INCIDENT, conflicts, entries, estimates
from flowwatch.journal.tables import roots as beginnings

Head = tuple[int, bytes]
"""The last sequence number of a chain and its hash; (0, GENESIS) for one that has not begun."""

BEGINNING: Final[Head] = (0, GENESIS)

MOST_DIGITS: Final = 18
"""Of a sequence number; SQLite's integers have 19."""
PAGE: Final = 1_000
"""Rows fetched at a time when many are read: about 1 MB."""

Chosen = Select[Any]
"""A selection of entries, made from `ENTRY`."""

ENTRY: Final[Chosen] = select(entries.c.chain, entries.c.seq, entries.c.kind, entries.c.at_us, entries.c.body, entries.c.hash)
ESTIMATE: Final = select(estimates.c.site, estimates.c.at_us, estimates.c.body)


def roots(connection: Connection) -> dict[str, Head]:
    """What the first entry of a chain links to, for the chains that do not begin with their entry 1."""
    return {row.chain: (row.seq, row.hash) for row in connection.execute(select(beginnings))}


def head(connection: Connection, chain: str) -> Head:
    """The last entry's sequence number and hash."""
    last = select(entries.c.seq, entries.c.hash).where(entries.c.chain == chain).order_by(entries.c.seq.desc()).limit(1)
    row = connection.execute(last).first()
    return (row.seq, row.hash) if row else roots(connection).get(chain, BEGINNING)


def chains(connection: Connection) -> list[str]:
    """The chains that have entries, by name; each is one step in the index of their keys."""
    found = list[str]()
    after = connection.scalar(select(func.min(entries.c.chain)))
    while after is not None:
        found.append(after)
        after = connection.scalar(select(func.min(entries.c.chain)).where(entries.c.chain > after))
    return found


def heads(connection: Connection) -> dict[str, Head]:
    """Every chain's head, by name."""
    found = roots(connection) | {chain: head(connection, chain) for chain in chains(connection)}
    return dict(sorted(found.items()))


def frozen(connection: Connection) -> list[Conflict]:
    """The conflicts that froze chains."""
    rows = connection.execute(select(conflicts).order_by(conflicts.c.chain, conflicts.c.seq))
    return [Conflict(row.chain, row.seq, row.stored, row.offered, row.body) for row in rows]


def entry(connection: Connection, id_: str) -> Entry:
    """The entry "<chain>-<seq>". Raises `UnknownIdError` with the near miss."""
    chain, _, seq = id_.rpartition("-")
    if not (chain and seq.isascii() and seq.isdigit() and len(seq) <= MOST_DIGITS):
        raise UnknownIdError(f'"{id_}" names no entry; expected one as yuyuan-17, an incident as yuyuan-i3, or an operator\'s record')
    row = connection.execute(ENTRY.where(entries.c.chain == chain, entries.c.seq == int(seq))).first()
    if row is not None:
        return entry_of(row)
    found = head(connection, chain)[0]
    if found:
        raise UnknownIdError(f'no entry "{id_}": chain "{chain}" ends at {chain}-{found}')
    near = get_close_matches(chain, connection.scalars(select(entries.c.chain).distinct()), n=1)
    raise UnknownIdError(f'no entry "{id_}": no chain "{chain}"' + (f'; did you mean "{near[0]}-{seq}"?' if near else ""))


def entries_where(*, chain: str | None, kind: EntryKind | None, since: int | None, until: int | None, after: Entry | None) -> Chosen:
    """Entries of a chain, or of all chains; since <= at < until; behind the entry `after` in the order of reading (`ordered`)."""
    chosen = ENTRY
    e = entries.c
    if chain is not None:
        chosen = chosen.where(e.chain == chain)
    if kind is not None:
        chosen = chosen.where(e.kind == kind.value)
    if since is not None:
        chosen = chosen.where(e.at_us >= since)
    if until is not None:
        chosen = chosen.where(e.at_us < until)
    if after is not None:
        behind = e.seq > after.seq if chain is not None else tuple_(e.at_us, e.chain, e.seq) > tuple_(after.at, after.chain, after.seq)
        chosen = chosen.where(behind)
    return chosen


def ordered(chosen: Chosen, *, chain: str | None, limit: int | None, newest: bool) -> Chosen:
    """`chosen` by sequence within one chain, by (at, chain, seq) across chains; the first `limit`, or the last if `newest` (last first)."""
    e = entries.c
    columns = (e.seq,) if chain is not None else (e.at_us, e.chain, e.seq)
    return chosen.order_by(*(c.desc() if newest else c for c in columns)).limit(limit)


def about(incident: str) -> Chosen:
    """The entries about an incident, of its own chain."""
    of_it = text(OF_INCIDENT).bindparams(incident=incident)
    return ENTRY.where(entries.c.chain == incident.rpartition("-")[0], of_it).order_by(entries.c.seq)


def open_before(connection: Connection, chain: str, at: int) -> list[str]:
    """The incidents of a chain that were raised before `at` and not ended then."""
    asked = (
        f'SELECT {INCIDENT} AS incident, max(seq), instr(body, CAST(\'"state":"cleared"\' AS BLOB)) AS ended FROM entries'  # noqa: S608 - our words
        " WHERE chain = :chain AND kind = 'incident' AND kind IN ('action', 'alert', 'handling', 'incident') AND at_us < :at GROUP BY 1"
    )
    return [row.incident for row in connection.execute(text(asked), {"chain": chain, "at": at}) if not row.ended and row.incident]


def span(chain: str, first: int, last: int) -> Chosen:
    """The entries first..last of a chain."""
    return ENTRY.where(entries.c.chain == chain, entries.c.seq.between(first, last)).order_by(entries.c.seq)


def read_entries(connection: Connection, chosen: Chosen) -> Iterator[Entry]:
    """The entries that `chosen` selects."""
    for row in connection.execute(chosen).yield_per(PAGE):
        yield entry_of(row)


def site_estimates(connection: Connection, site: str, since: int | None, until: int | None) -> Iterator[Estimate]:
    """One site's estimates with since <= at < until, by time.

    The table's key begins with the time; a walk from each stored minute to the next finds the site's rows without reading the others'.
    """
    t = estimates.c
    first = select(func.min(t.at_us).label("at_us"))
    minutes = (first if since is None else first.where(t.at_us >= since)).cte("minutes", recursive=True)
    behind = select(func.min(t.at_us)).where(t.at_us > minutes.c.at_us)
    following = (behind if until is None else behind.where(t.at_us < until)).scalar_subquery()
    minutes = minutes.union_all(select(following).where(minutes.c.at_us.is_not(None)))
    chosen = ESTIMATE.join_from(minutes, estimates, (t.at_us == minutes.c.at_us) & (t.site == site))
    for row in connection.execute(chosen).yield_per(PAGE):
        if until is not None and row.at_us >= until:
            return
        yield Estimate(row.site, row.at_us, row.body)


def all_estimates(connection: Connection, since: int | None, until: int | None) -> Iterator[Estimate]:
    """Every site's estimates with since <= at < until, by (at, site)."""
    t = estimates.c
    chosen = ESTIMATE.order_by(t.at_us, t.site)
    if since is not None:
        chosen = chosen.where(t.at_us >= since)
    if until is not None:
        chosen = chosen.where(t.at_us < until)
    for row in connection.execute(chosen).yield_per(PAGE):
        yield Estimate(row.site, row.at_us, row.body)


def estimate_before(connection: Connection, site: str, at: int) -> Estimate | None:
    """The site's last estimate at or before `at`."""
    t = estimates.c
    row = connection.execute(ESTIMATE.where(t.at_us <= at, t.site == site).order_by(t.at_us.desc()).limit(1)).first()
    return Estimate(row.site, row.at_us, row.body) if row else None


def walk(connection: Connection) -> Iterator[Entry | Estimate]:
    """All there is, in the canonical order."""
    yield from read_entries(connection, ENTRY.order_by(entries.c.chain, entries.c.seq))
    for row in connection.execute(ESTIMATE.order_by(estimates.c.site, estimates.c.at_us)).yield_per(PAGE):
        yield Estimate(row.site, row.at_us, row.body)


def entry_of(row: Row[Any]) -> Entry:
    """A row of `ENTRY` as an entry. Raises `JournalError` for a kind that this schema does not have."""
    try:
        kind = EntryKind(row.kind)
    except ValueError:
        raise JournalError(f'entry {row.chain}-{row.seq}: kind "{row.kind}", expected one of {", ".join(EntryKind)}') from None
    return Entry(row.chain, row.seq, kind, row.at_us, row.body, row.hash)
