"""What was sent, when, and what came of it; and the fires that the service latched by itself.

A row is written before its attempt is sent, so that after a crash nothing can be under way of which nothing is known, and no attempt's number is
ever used twice. A latch is written before any device hears of it. Beside both lies what was folded from the journal, so that a start goes on where
the last life stopped. The tables are in the service's own database; times are microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Index, LargeBinary, MetaData, Table, Text, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from flowwatch.actuators.reconcile import Flight
from flowwatch.actuators.standing_orders import Fire
from flowwatch.journal.database import Database
from flowwatch.journal.follower import Place
from flowwatch.journal.tables import Whole

KEPT_US: Final = 90 * 86_400 * 1_000_000
"""How long a delivery is kept after it was sent: a quarter's complaints can be looked up."""
LATEST: Final = 200
"""Deliveries told at once, if nobody asks for another number."""

metadata = MetaData()

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Whole, primary_key=True),
    Column("site", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("revision", Whole, nullable=False),
    Column("attempt", Whole, nullable=False),
    Column("generation", Whole, nullable=False),
    Column("setting", Text),
    Column("at_us", Whole, nullable=False),
    Column("expires_us", Whole),
    Column("outcome", Text),
    Column("why", Text),
    Column("answered_us", Whole),
    Column("note", Text),
    Index("deliveries_by_device", "site", "device", "revision", "attempt"),
    Index("deliveries_by_time", "at_us"),
    sqlite_strict=True,
)
"""One row an attempt; and, with attempt 0, one for every note on a command that was not sent, or not at once."""

latches = Table(
    "latches",
    metadata,
    Column("site", Text, primary_key=True),
    Column("record", Text, primary_key=True),
    Column("set_us", Whole, nullable=False),
    Column("ended_us", Whole),
    sqlite_strict=True,
)
"""The fires that the service latched, and when it saw that people had ended them."""

folded = Table(
    "folded",
    metadata,
    Column("journal", Text, primary_key=True),
    Column("row", Whole, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("orders", LargeBinary, nullable=False),
    sqlite_strict=True,
)
"""How far the journal was folded, and into what."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the ledger."""

    id: int
    site: str
    device: str
    command: str
    revision: int
    attempt: int
    generation: int
    setting: str | None
    at_us: int
    expires_us: int | None = None
    outcome: str | None = None
    why: str | None = None
    answered_us: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt, and when that was heard."""

    site: str
    device: str
    revision: int
    attempt: int
    outcome: str
    why: str | None
    at_us: int


class Ledger:
    """The ledger in the service's database; for several threads. Any method raises `JournalError` if the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """The ledger in the database at `path`, made if it is not there."""
        database = Database(path, create=True)
        try:
            database.write(metadata.create_all)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    # ---- deliveries

    def write(self, rows: Sequence[Delivery]) -> None:
        """Keep attempts that are about to be sent, and notes, in one transaction; their ids are given here."""
        values = [{name: getattr(row, name) for name in deliveries.c.keys() if name != "id"} for row in rows]  # noqa: SIM118 - columns
        if values:
            self._database.write(lambda connection: connection.execute(insert(deliveries), values))

    def answered(self, answers: Sequence[Answer]) -> None:
        """Note what came of attempts; the last word on each counts."""
        d = deliveries.c

        def work(connection: Connection) -> None:
            for a in answers:
                this = (d.site == a.site) & (d.device == a.device) & (d.revision == a.revision) & (d.attempt == a.attempt)
                connection.execute(update(deliveries).where(this).values(outcome=a.outcome, why=a.why, answered_us=a.at_us))

        if answers:
            self._database.write(work)

    def attempts(self, site: str, device: str, revision: int) -> int:
        """How often that revision was sent to that device, ever."""
        d = deliveries.c
        ask = select(func.max(d.attempt)).where(d.site == site, d.device == device, d.revision == revision)
        with self._database.reading() as connection:
            return connection.scalar(ask) or 0

    def flights(self, site: str, device: str, since_us: int) -> list[Flight]:
        """The last attempt of each revision that was sent since, lowest revision first."""
        d = deliveries.c
        ask = select(deliveries).where(d.site == site, d.device == device, d.attempt > 0, d.at_us >= since_us)
        with self._database.reading() as connection:
            rows = connection.execute(ask.order_by(d.revision, d.attempt)).all()
        rows = list({r.revision: r for r in rows}.values())
        return [Flight(r.setting, r.revision, r.attempt, r.generation, r.at_us, r.expires_us, r.outcome) for r in rows]

    def latest(
        self, site: str | None = None, device: str | None = None, before_id: int | None = None, limit: int = LATEST
    ) -> list[Delivery]:
        """The newest rows, newest first; of a site, of a device ("gate/gate-3"), older than the row `before_id`."""
        d = deliveries.c
        ask = select(deliveries).order_by(d.id.desc()).limit(limit)
        for column, value in ((d.site, site), (d.device, device)):
            if value is not None:
                ask = ask.where(column == value)
        if before_id is not None:
            ask = ask.where(d.id < before_id)
        with self._database.reading() as connection:
            return [Delivery(*row) for row in connection.execute(ask)]

    def forget(self, before_us: int) -> None:
        """Remove what was sent before, for good."""
        self._database.write(lambda connection: connection.execute(delete(deliveries).where(deliveries.c.at_us < before_us)))

    # ---- latches

    def latch(self, site: str, record: str, at_us: int) -> bool:
        """Keep a fire; whether it is new. When this returns it is on the disk."""
        row = upsert(latches).values(site=site, record=record, set_us=at_us).on_conflict_do_nothing()
        return self._database.write(lambda connection: connection.execute(row).rowcount > 0)

    def unlatch(self, site: str, record: str, at_us: int) -> None:
        """Note that people have ended it."""
        row = update(latches).where(latches.c.site == site, latches.c.record == record).values(ended_us=at_us)
        self._database.write(lambda connection: connection.execute(row))

    def latched(self) -> dict[str, list[Fire]]:
        """The fires that stand, by site."""
        found: dict[str, list[Fire]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(select(latches).where(latches.c.ended_us.is_(None)).order_by(latches.c.set_us)):
                found.setdefault(row.site, []).append(Fire(row.record, row.set_us))
        return found

    # ---- what was folded

    def keep(self, journal: str, place: Place, orders: bytes) -> None:
        """Keep what the journal at the path `journal` was folded into, up to `place`."""
        values = {"row": place.row, "hash": place.hash, "orders": orders}

        def work(connection: Connection) -> None:
            connection.execute(
                upsert(folded).values(journal=journal, **values).on_conflict_do_update(index_elements=["journal"], set_=values)
            )

        self._database.write(work)

    def kept(self, journal: str) -> tuple[Place, bytes] | None:
        """What was kept of it last."""
        with self._database.reading() as connection:
            row = connection.execute(select(folded).where(folded.c.journal == journal)).first()
        return None if row is None else (Place(row.row, row.hash), row.orders)
