"""The journal's tables, and the one statement that differs between databases.

Rows are what the engine said, byte for byte: `body` is the canonical JSON whose hash is the link of its chain, so it is kept as bytes, not
as text that a database may normalise; the tables are STRICT, so a body cannot turn into text by hand either. Nothing here knows what a body
says.

Two keys were chosen by measurement (10,000 sites, 60 minutes stored, one more minute appended, synchronous=FULL, the same machine and run):

=========================================  ==========
primary key of `estimates`                 one minute
=========================================  ==========
(site, at), with row ids                   130 ms
(site, at), clustered                      390 ms
(at, site), clustered: what stands here    35 ms
=========================================  ==========

What is written together then lies on neighbouring pages, where a key that begins with the site touches a page for every site. Reading one
site hops from one stored time to the next (`Journal.estimates`), at about 10 us each: a site alone has 1,440 a day, among thousands that
report at their own second of the minute it has 86,400.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Dialect, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects import sqlite

SCHEMA: Final = 1
"""Of the tables below. A journal of a later schema is refused, never guessed at."""

Whole = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
"""64 bits; the only name for it that a STRICT table knows."""

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at_us", Whole, nullable=False),
    Column("site", Text),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("entries_by_at", "at_us", "chain", "seq"),
    Index("entries_by_kind", "kind", "at_us"),
    Index("entries_by_chain_and_kind", "chain", "kind", "seq", "at_us"),
    Index("entries_by_chain_and_at", "chain", "at_us", "seq"),
    sqlite_strict=True,
)
"""What was decided, in chains. `site` is empty for what belongs to a partition and no site.

The last two indexes came later: whoever may write a file that lacks them makes them, and without them the same is found, only not as soon.
"""

_TEXT: Final = "CAST(body AS TEXT)"
INCIDENT: Final = (
    f"CASE WHEN json_valid({_TEXT}) THEN coalesce(json_extract({_TEXT}, '$.incident'), json_extract({_TEXT}, '$.record.incident')) END"
)
"""The incident that an entry is about; a body that is no JSON is about none."""
_NAMING: Final = "kind IN ('action', 'alert', 'handling', 'incident')"
BY_INCIDENT: Final = f"CREATE INDEX IF NOT EXISTS entries_by_incident ON entries (chain, {INCIDENT}, seq) WHERE {_NAMING}"
OF_INCIDENT: Final = f"{_NAMING} AND {INCIDENT} = :incident"
"""What finds them: the index is taken only where these words are its own."""

estimates = Table(
    "estimates",
    metadata,
    Column("at_us", Whole, primary_key=True, autoincrement=False),
    Column("site", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)
"""One row a site and minute."""

conflicts = Table(
    "conflicts",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("stored", LargeBinary, nullable=False),
    Column("offered", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("noted_us", Whole, nullable=False),
    sqlite_strict=True,
)
"""Chains that are frozen because two different entries claimed one place: both hashes, the body that was turned away, the wall clock then.
`seq` 0 stands for a minute's estimate, whose hash is that of its body alone."""

roots = Table(
    "roots",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("seq", Whole, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)
"""Where a chain begins in this journal when not at its first entry: it was rebuilt from a log whose beginning retention had removed."""

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)
"""schema: the number above; log: the identity of the log that this journal belongs to, if one was given."""


def site_of(chain: str) -> str | None:
    """The site whose chain this is; none for a partition's ("@p03")."""
    return None if chain.startswith("@") else chain


def insert_new(dialect: Dialect, table: Table) -> str:
    """The text of an INSERT of whole rows of `table`, columns in their order, that passes over rows whose key is already there.

    The upsert is a dialect's own; this is the only place that knows. Raises `NotImplementedError` for one that has not been added.
    """
    if dialect.name != "sqlite":
        raise NotImplementedError(f"journal on {dialect.name}: only sqlite is supported")
    statement = sqlite.insert(table).on_conflict_do_nothing()
    return str(statement.compile(dialect=dialect, column_keys=table.columns.keys()))
