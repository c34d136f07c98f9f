"""What was decided, kept: chains of entries and minute estimates, appended exactly once and read back.

The engine's state holds each chain's sequence and head, and every body is a function of the log prefix; so an engine that was killed and
replays the log offers the same entries again, and appending is a matter of leaving out what is there. Three rules keep a journal honest:

- an entry is accepted only behind its predecessor, and only if its hash links to the one stored there;
- an entry that is there already is compared by its hash: equal is a repeat; different freezes the chain - this and nothing more of it is
  journaled, its estimates neither, while other chains go on - until the journal is rebuilt;
- one append is one transaction, and the stored neighbours are read inside it. No head is remembered from one append to the next: reading
  it costs about 20 us a chain, and a remembered head would have to be doubted after every restart, rebuild or restored backup.

Knows nothing of what bodies say, of the engine or of the log. Times are microseconds UTC.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.schema import CreateIndex

from flowwatch.core.entries import Entry, EntryKind, Estimate, link
from flowwatch.journal import pages, queries, verify
from flowwatch.journal.database import REBUILD, Database, JournalError
from flowwatch.journal.findings import Appended, Break, Conflict, Difference, JournalGapError, Lag, Standing
from flowwatch.journal.queries import BEGINNING, Head
from flowwatch.journal.tables import BY_INCIDENT, SCHEMA, conflicts, entries, estimates, insert_new, meta, metadata, site_of
from flowwatch.journal.tables import roots as beginnings

Minutes = list[tuple[int, str, bytes]]
"""Estimates as rows of their table: (at, site, body)."""


class Journal:
    """A journal that is open. One object a process, never carried through a fork. Any method raises `JournalError` if the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = database.engine.dialect
        self._insert_entries = insert_new(dialect, entries)
        self._insert_estimates = insert_new(dialect, estimates)
        self._insert_conflicts = insert_new(dialect, conflicts)
        span = select(entries.c.seq, entries.c.hash).where(entries.c.chain == "", entries.c.seq >= 0, entries.c.seq <= 0)
        self._select_span = str(span.compile(dialect=dialect))

    @classmethod
    def open(cls, target: str | Path, *, create: bool = True, log: str | None = None) -> Self:
        """The journal at `target`, a file's path or sqlite:///path; with `create`, an empty one is made where none is.

        `log` is the identity of the log whose decisions it holds: noted in a journal that has none, refused if another is noted.
        Raises `JournalError`: not there (without `create`), not a database, not a journal, of a later schema, of another log, not writable.
        """
        database = Database(target, create=create)
        try:
            _prepare(database, create=create, log=log)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Give the file back. A closed journal has no -wal file beside it unless another process has it open."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    # ---- writing

    def append(self, entries: Iterable[Entry], estimates: Iterable[Estimate] = ()) -> Appended:
        """Add what is new, in one transaction that is on the disk when this returns.

        Entries may come in any order and any number of times, as long as no chain has a gap. A conflict is not raised, because the other
        chains go on: look at `.conflicts` and say it aloud. Raises `JournalGapError`, and keeps nothing of this append, for an entry whose
        predecessor is missing or to which it does not link.
        """
        chains = _by_chain(entries)
        minutes = [(e.at, e.site, e.body) for e in estimates]
        return self._database.write(lambda connection: self._append(connection, chains, minutes))

    def start_after(self, heads: Mapping[str, Head]) -> None:
        """Let chains begin behind these heads: for a rebuild from a log whose beginning is gone. Raises `JournalError` if one has begun."""

        def work(connection: Connection) -> None:
            for chain, (seq, hash_) in heads.items():
                if stored := queries.head(connection, chain)[0]:
                    raise JournalError(f'{self.path}: chain "{chain}" already ends at entry {stored}, expected an empty one')
                if seq:
                    connection.execute(insert(beginnings).values(chain=chain, seq=seq, hash=hash_))

        self._database.write(work)

    def _append(self, connection: Connection, chains: dict[str, list[Entry]], minutes: Minutes) -> Appended:
        frozen = set(connection.scalars(select(conflicts.c.chain)))
        fresh: list[Entry] = []
        found: list[Conflict] = []
        roots = queries.roots(connection)
        repeated = withheld = 0
        for chain, offered in chains.items():
            if chain in frozen:
                withheld += len(offered)
                continue
            new, known, conflict = self._sift(connection, chain, offered, roots.get(chain, BEGINNING))
            fresh += new
            repeated += known
            withheld += len(offered) - len(new) - known
            if conflict is not None:
                found.append(conflict)
        if fresh:
            rows = [(e.chain, e.seq, e.kind.value, e.at, site_of(e.chain), e.body, e.hash) for e in fresh]
            connection.exec_driver_sql(self._insert_entries, rows)
        frozen.update(conflict.chain for conflict in found)
        kept = [m for m in minutes if m[1] not in frozen] if frozen else minutes
        added = connection.exec_driver_sql(self._insert_estimates, kept).rowcount if kept else 0
        differ = _other_minutes(connection, kept) if added < len(kept) else []
        found += differ
        repeated += len(kept) - added - len(differ)
        withheld += len(minutes) - len(kept) + len(differ)
        if found:
            noted = time.time_ns() // 1000
            connection.exec_driver_sql(self._insert_conflicts, [(c.chain, c.seq, c.stored, c.offered, c.body, noted) for c in found])
        return Appended(len(fresh) + added, repeated, withheld, tuple(found))

    def _sift(self, connection: Connection, chain: str, offered: list[Entry], root: Head) -> tuple[list[Entry], int, Conflict | None]:
        """Of `offered` (one chain that begins at `root`, by seq) up to the first conflict: the new ones, and how many are there already."""
        known = self._hashes(connection, chain, offered[0].seq - 1, offered[-1].seq)
        known.setdefault(*root)
        new: list[Entry] = []
        repeated = 0
        for entry in offered:
            kept = known.get(entry.seq)
            if kept is None:
                self._check_link(connection, entry, known.get(entry.seq - 1))
                known[entry.seq] = entry.hash
                new.append(entry)
            elif kept != entry.hash:
                return new, repeated, Conflict(chain, entry.seq, kept, entry.hash, entry.body)
            else:
                repeated += 1
        return new, repeated, None

    def _hashes(self, connection: Connection, chain: str, first: int, last: int) -> dict[int, bytes]:
        """The stored hashes of `chain` by seq, first..last."""
        rows = connection.exec_driver_sql(self._select_span, (chain, first, last)).all()
        return {seq: hash_ for seq, hash_ in rows}  # noqa: C416 (a row is no pair to a type checker)

    def _check_link(self, connection: Connection, entry: Entry, previous: bytes | None) -> None:
        where = f'{self.path}: chain "{entry.chain}": entry {entry.seq}'
        if previous is None:
            stored = queries.head(connection, entry.chain)[0]
            raise JournalGapError(f"{where} has no predecessor: the journal ends at {stored}, expected entry {stored + 1}; run {REBUILD}")
        if link(previous, entry.kind, entry.at, entry.body) != entry.hash:
            raise JournalGapError(
                f"{where} does not link to entry {entry.seq - 1}, whose stored hash is {previous.hex()[:12]};"
                f" journal and engine tell different stories, run {REBUILD}"
            )

    # ---- comparing

    def behind(self, heads: Mapping[str, Head]) -> list[Lag]:
        """The chains that do not hold what `heads` (of a checkpoint) says was written; none if the engine may go on from there."""
        lags = []
        with self._database.reading() as connection:
            frozen = {conflict.chain for conflict in queries.frozen(connection)}
            roots = queries.roots(connection)
            for chain, (seq, hash_) in heads.items():
                root = roots.get(chain, BEGINNING)
                known = root[1] if seq == root[0] else self._hashes(connection, chain, seq, seq).get(seq)
                if chain in frozen:
                    standing = Standing.FROZEN
                elif known == hash_:
                    continue
                else:
                    standing = Standing.BEHIND if known is None else Standing.DIFFERS
                lags.append(Lag(chain, standing, seq, queries.head(connection, chain)[0]))
        return lags

    def require(self, heads: Mapping[str, Head]) -> None:
        """Refuse to go on from a checkpoint with these heads unless the journal holds all that it wrote. Raises `JournalError`."""
        if lags := self.behind(heads):
            told = "; ".join(map(str, lags[:5])) + (f"; and {len(lags) - 5} more" if len(lags) > 5 else "")
            raise JournalError(f"{self.path}: {told}. Run {REBUILD} to make the journal again from the log")

    def first_difference(self, entries: Iterable[Entry], estimates: Iterable[Estimate] = ()) -> Difference | None:
        """Where this output of a re-run first departs from what is stored, by time; None if nowhere. Writes nothing."""
        found: list[Difference] = []
        with self._database.reading() as connection:
            for chain, offered in _by_chain(entries).items():
                span = queries.span(chain, offered[0].seq, offered[-1].seq)
                stored = {e.seq: e for e in queries.read_entries(connection, span)}
                for entry in offered:
                    kept = stored.get(entry.seq)
                    if kept != entry:
                        found.append(Difference(chain, entry.seq, entry.at, kept.body if kept else None, entry.body))
                        break
            minutes = [(e.at, e.site, e.body) for e in estimates]
            for (at, site, body), kept_body in _with_stored(connection, minutes):
                if kept_body != body:
                    found.append(Difference(site, 0, at, kept_body, body))
                    break
        return min(found, key=lambda d: (d.at, d.seq == 0, d.chain), default=None)

    def verify(self) -> list[Break]:
        """Everything that does not verify, chain by chain; none for a sound journal."""
        with self._database.reading() as connection:
            return list(verify.breaks(connection))

    # ---- reading

    def head(self, chain: str) -> Head:
        """The sequence number and hash of the chain's last entry; (0, GENESIS) if it has none."""
        with self._database.reading() as connection:
            return queries.head(connection, chain)

    def heads(self) -> dict[str, Head]:
        """Every chain's head, by name."""
        with self._database.reading() as connection:
            return queries.heads(connection)

    def conflicts(self) -> list[Conflict]:
        """What froze chains; a rebuilt journal has none."""
        with self._database.reading() as connection:
            return queries.frozen(connection)

    def get(self, id_: str) -> Entry:
        """The entry "<chain>-<seq>". Raises `UnknownIdError` with the near miss."""
        with self._database.reading() as connection:
            return queries.entry(connection, id_)

    def entries(
        self,
        chain: str | None = None,
        kind: EntryKind | None = None,
        since: int | None = None,
        until: int | None = None,
        after_id: str | None = None,
        limit: int | None = None,
        *,
        newest: bool = False,
    ) -> Iterator[Entry]:
        """Entries with since <= at < until: of one chain by sequence, of all by (at, chain, seq); at most `limit`; last first if `newest`.

        `after_id` goes on behind an entry that was read. Following a journal that grows is exact chain by chain; across chains, one that
        lags may still add entries before the last one read.
        """
        with self._database.reading() as connection:
            after = None if after_id is None else queries.entry(connection, after_id)
            chosen = queries.entries_where(chain=chain, kind=kind, since=since, until=until, after=after)
            chosen = queries.ordered(chosen, chain=chain, limit=limit, newest=newest)
            yield from queries.read_entries(connection, chosen)

    def about(self, incident: str) -> Iterator[Entry]:
        """The entries about an incident, of its own chain, in their order: operators' records that name it, what people were told and did, too."""
        with self._database.reading() as connection:
            yield from queries.read_entries(connection, queries.about(incident))

    def open_before(self, chain: str, at: int) -> list[str]:
        """The incidents of a chain that were raised before `at` and not ended then."""
        with self._database.reading() as connection:
            return queries.open_before(connection, chain, at)

    def count_behind(self, row: int, kind: EntryKind) -> int:
        """How many entries of a kind were written behind a row (`follower.Place`): few, for who follows."""
        with self._database.reading() as connection:
            # + keeps SQLite from the index by kind, in which all of them would be counted
            asked = "SELECT count(*) FROM entries WHERE rowid > ? AND +kind = ?"
            return int(connection.exec_driver_sql(asked, (row, kind.value)).scalar_one())

    def backwards(self, chain: str) -> Iterator[tuple[int, str, int, bytes]]:
        """(seq, kind, at, body) of a chain, the newest first: for who looks for the last of each thing and reads no more of the rest."""
        with self._database.reading() as connection:
            asked = "SELECT seq, kind, at_us, body FROM entries WHERE chain = ? ORDER BY seq DESC"
            for row in connection.exec_driver_sql(asked, (chain,)).yield_per(queries.PAGE):
                yield row.seq, row.kind, row.at_us, row.body

    def page(
        self, sought: pages.Sought, after: pages.Mark | None = None, limit: int = 1_000, *, newest: bool = False
    ) -> tuple[list[Entry], pages.Mark | None]:
        """Entries in the order in which they were written, and where the next page begins (`journal.pages`)."""
        with self._database.reading() as connection:
            return pages.page(connection, sought, after, limit, newest=newest)

    def estimates(self, site: str | None = None, since: int | None = None, until: int | None = None) -> Iterator[Estimate]:
        """Minute estimates with since <= at < until: one site's by time, or all by (at, site)."""
        with self._database.reading() as connection:
            if site is None:
                yield from queries.all_estimates(connection, since, until)
            else:
                yield from queries.site_estimates(connection, site, since, until)

    def estimate_before(self, site: str, at: int) -> Estimate | None:
        """The site's last estimate at or before `at`."""
        with self._database.reading() as connection:
            return queries.estimate_before(connection, site, at)

    def walk(self) -> Iterator[Entry | Estimate]:
        """All there is at one moment, in the canonical order: entries by (chain, seq), then estimates by (site, at)."""
        with self._database.reading() as connection:
            yield from queries.walk(connection)


def _prepare(database: Database, *, create: bool, log: str | None) -> None:
    """See that the file holds a journal that this program can read; make its tables if it is empty and may be used."""
    with database.reading() as connection:
        names = set(inspect(connection).get_table_names())
        noted = _noted(connection) if meta.name in names else {}
        indexes = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    if not names and create:
        noted = database.write(_create)
    elif "schema" not in noted:
        held = f"tables {', '.join(sorted(names))}" if names else "nothing"
        raise JournalError(f"{database.where}: a database, but not a flowwatch journal: it holds {held}")
    if noted["schema"] != str(SCHEMA):
        raise JournalError(
            f"{database.where}: schema {noted['schema']}, this flowwatch reads schema {SCHEMA}; a later flowwatch wrote it, use that one"
        )
    if create and names and not {index.name for index in entries.indexes} | {"entries_by_incident"} <= indexes:
        database.write(_index)
    if log is not None and noted.setdefault("log", log) != log:
        raise JournalError(f"{database.where}: belongs to the log {noted['log']}, not to {log}; expected the journal of this log")
    if log is not None:
        database.write(lambda connection: connection.exec_driver_sql(insert_new(connection.dialect, meta), ("log", log)))


def _create(connection: Connection) -> dict[str, str]:
    """The tables and the schema's number, unless another process was faster."""
    metadata.create_all(connection)
    connection.exec_driver_sql(BY_INCIDENT)
    connection.exec_driver_sql(insert_new(connection.dialect, meta), ("schema", str(SCHEMA)))
    return _noted(connection)


def _index(connection: Connection) -> None:
    """The indexes that an earlier version did not make: some seconds for a year."""
    for index in entries.indexes:
        connection.execute(CreateIndex(index, if_not_exists=True))
    connection.exec_driver_sql(BY_INCIDENT)


def _noted(connection: Connection) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}


def _by_chain(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    chains: dict[str, list[Entry]] = {}
    for entry in entries:
        chains.setdefault(entry.chain, []).append(entry)
    for offered in chains.values():
        offered.sort(key=lambda e: e.seq)
    return chains


def _with_stored(connection: Connection, minutes: Minutes) -> Iterator[tuple[tuple[int, str, bytes], bytes | None]]:
    """Each offered minute, by (at, site), with the body that is stored in its place."""
    if not minutes:
        return
    ats = [at for at, _, _ in minutes]
    stored = {(e.at, e.site): e.body for e in queries.all_estimates(connection, min(ats), max(ats) + 1)}
    for minute in sorted(minutes):
        yield minute, stored.get(minute[:2])


def _other_minutes(connection: Connection, minutes: Minutes) -> list[Conflict]:
    """A conflict for every site whose offered minutes differ from the stored ones: the first such minute."""
    found: dict[str, Conflict] = {}
    for (_, site, body), stored in _with_stored(connection, minutes):
        if stored is not None and stored != body and site not in found:
            found[site] = Conflict(site, 0, hashlib.sha256(stored).digest(), hashlib.sha256(body).digest(), body)
    return list(found.values())
