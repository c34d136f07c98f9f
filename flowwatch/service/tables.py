"""The tables of service.db: what the service keeps for itself. Nothing here is evidence; that is the log's and the journal's.

Secrets are kept as what they can be checked by and never as themselves: passwords as Argon2id, cookies and tokens as SHA-256 (they are 256
random bits, so that nobody can search for them). Times are microseconds UTC. The tables are STRICT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Boolean, Column, Connection, Index, LargeBinary, MetaData, Table, Text, inspect, select
from sqlalchemy.dialects import sqlite

from flowwatch.journal.database import Database, JournalError
from flowwatch.journal.tables import Whole, insert_new

SCHEMA: Final = 1
"""Of the tables below; a file of another schema is refused."""

metadata = MetaData()
_Flag = Boolean().with_variant(sqlite.INTEGER(), "sqlite")

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),
    Column("created_us", Whole, nullable=False),
    Column("changed_us", Whole, nullable=False),
    sqlite_strict=True,
)
"""People. `password`: Argon2id with its parameters and salt; `changed_us`: when it was set."""

grants = Table(
    "grants",
    metadata,
    Column("user", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("area", Text, primary_key=True),
    sqlite_strict=True,
)
"""What a person is, and where; the area "" is everywhere."""

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user", Text, nullable=False, index=True),
    Column("created_us", Whole, nullable=False),
    Column("seen_us", Whole, nullable=False),
    sqlite_strict=True,
)
"""Log-ins that have not ended. `hash`: SHA-256 of the cookie; `seen_us`: to the minute."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("areas", Text, nullable=False),
    Column("sites", Text),
    Column("created_by", Text, nullable=False),
    Column("created_us", Whole, nullable=False),
    Column("expires_us", Whole, nullable=False),
    Column("revoked_us", Whole),
    sqlite_strict=True,
)
"""Machines. `scopes`, `areas`, `sites`: JSON lists of texts; without `sites` the token is narrowed by its areas alone."""

failures = Table(
    "failures",
    metadata,
    Column("key", Text, primary_key=True),
    Column("times", Whole, nullable=False),
    Column("last_us", Whole, nullable=False),
    sqlite_strict=True,
)
"""Failed log-ins running, by account and by address."""

shifts = Table(
    "shifts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("duty", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("from_us", Whole, nullable=False),
    Column("until_us", Whole, nullable=False),
    Column("written_by", Text, nullable=False),
    Index("shifts_by_site", "site", "until_us"),
    sqlite_strict=True,
)
"""Who has which duty of a site's plans, and when."""

answers = Table(
    "answers",
    metadata,
    Column("who", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at_us", Whole, nullable=False),
    Index("answers_by_at", "at_us"),
    sqlite_strict=True,
)
"""What was answered to a request with an idempotency key. `digest`: SHA-256 of its body."""

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False), sqlite_strict=True)
"""schema: the number above."""


def open_store(path: Path) -> Database:
    """The database at `path`, made if it is not there, readable by its owner alone. Raises `JournalError` for one that is not ours."""
    if not path.exists() and path.parent.is_dir():
        path.touch(mode=0o600)
    database = Database(path, create=True)
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: Database) -> None:
    with database.reading() as connection:
        names = set(inspect(connection).get_table_names())
        found = connection.scalar(select(meta.c.value).where(meta.c.key == "schema")) if meta.name in names else None
    if not names:
        found = database.write(_create)
    if found != str(SCHEMA):
        told = f"schema {found}" if found else f"tables {', '.join(sorted(names))}"
        raise JournalError(f"{database.where}: {told}, expected what `flowwatch serve` keeps (schema {SCHEMA})")


def _create(connection: Connection) -> str:
    metadata.create_all(connection)
    connection.exec_driver_sql(insert_new(connection.dialect, meta), ("schema", str(SCHEMA)))
    return str(SCHEMA)
