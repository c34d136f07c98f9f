"""What is still to be delivered, and what came of it: rows that are there before anything is sent, and stay until it was received or given up.

What the journal and the book have new becomes rows in one transaction with how far they were read, so after a crash nothing is left out; a row has
the event's own name, so nothing is there twice, also where a journal that was made anew is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Column, Connection, Index, LargeBinary, MetaData, Table, Text, delete, desc, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from flowwatch.feed.webhooks import subscriptions
from flowwatch.feed.webhooks.subscriptions import Heard
from flowwatch.journal.database import Database
from flowwatch.journal.follower import BEGINNING, Place
from flowwatch.journal.tables import Whole

MOST_WAITING: Final = 50_000
"""Deliveries that may wait for one receiver: some 50 MB in the service's database, beside everything else that it keeps."""
KEPT_US: Final = 30 * 86_400 * 1_000_000
"""How long a row is kept after its event: what is older is never sent anew."""

metadata = MetaData()


class State(StrEnum):
    """How a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; it can be replayed by hand."""


outbox = Table(
    "webhook_outbox",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("event", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("rank", Whole, nullable=False),
    Column("at_us", Whole, nullable=False),
    Column("state", Text, nullable=False),
    Column("failures", Whole, nullable=False),
    Column("next_us", Whole, nullable=False),
    Column("not_before_us", Whole, nullable=False),
    Column("status", Whole),
    Column("why", Text),
    Column("answered_us", Whole),
    Index("webhook_outbox_due", "subscription", "state", "next_us"),
    Index("webhook_outbox_order", "subscription", "state", desc("rank"), "at_us", "event", "next_us"),
    sqlite_strict=True,
)
"""One row a subscription and event. `at_us`: the event's, in the log's time. `rank`: how urgent; `not_before_us`: what the receiver asked for;
`status`, `why`: the last answer."""

places = Table(
    "webhook_places",
    metadata,
    Column("source", Text, primary_key=True),
    Column("row", Whole, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)
"""How far the book and the journal were read."""

heard = Table(
    "webhook_heard",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    sqlite_strict=True,
)
"""The incidents that a subscription with a least priority has heard of and that are not over."""


@dataclass(frozen=True, slots=True)
class Due:
    """A new delivery."""

    subscription: str
    event: str
    body: bytes
    rank: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the outbox."""

    subscription: str
    event: str
    body: bytes
    rank: int
    at_us: int
    state: str
    failures: int
    next_us: int
    not_before_us: int
    status: int | None
    why: str | None
    answered_us: int | None


class Outbox:
    """The outbox in the service's database; for several threads. Any method raises `JournalError` if the file fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, database: Database) -> Outbox:
        """The outbox, with its tables made where they are not there."""

        def work(connection: Connection) -> None:
            metadata.create_all(connection)
            subscriptions.metadata.create_all(connection)

        database.write(work)
        return cls(database)

    def place(self, source: str) -> Place:
        """How far `source` was read."""
        with self._database.reading() as connection:
            row = connection.execute(select(places).where(places.c.source == source)).first()
        return BEGINNING if row is None else Place(row.row, row.hash)

    def heard(self) -> Heard:
        """Which incidents each subscription has heard of."""
        with self._database.reading() as connection:
            return Heard((row.subscription, row.incident) for row in connection.execute(select(heard)))

    def put(self, due: Sequence[Due], read: Iterable[tuple[str, Place]], now_us: int, heard_of: Heard | None = None) -> int:
        """Keep new deliveries, how far each source was read, and which incidents were heard of, together; how many are new."""
        rows = [
            {"subscription": d.subscription, "event": d.event, "body": d.body, "rank": d.rank, "at_us": d.at_us}
            | {"state": State.WAITING.value, "failures": 0, "next_us": now_us, "not_before_us": 0}
            for d in due
        ]
        marks = [{"source": source, "row": place.row, "hash": place.hash} for source, place in read]
        begun, over = ([], []) if heard_of is None else (sorted(heard_of.heard), sorted(heard_of.over))

        def work(connection: Connection) -> int:
            new = connection.execute(upsert(outbox).on_conflict_do_nothing(), rows).rowcount if rows else 0
            for mark in marks:
                values = {name: mark[name] for name in ("row", "hash")}
                connection.execute(upsert(places).values(**mark).on_conflict_do_update(index_elements=["source"], set_=values))
            for subscription, incident in begun:
                connection.execute(upsert(heard).values(subscription=subscription, incident=incident).on_conflict_do_nothing())
            for subscription, incident in over:
                connection.execute(delete(heard).where(heard.c.subscription == subscription, heard.c.incident == incident))
            return new

        return self._database.write(work)

    def due(self, subscription: str, now_us: int, limit: int) -> list[Delivery]:
        """What waits and may go now: the most urgent first, then the oldest."""
        o = outbox.c
        mine = (o.subscription == subscription) & (o.state == State.WAITING.value)
        with self._database.reading() as connection:
            first = connection.scalar(select(func.min(o.next_us)).where(mine))
            if first is None or first > now_us:
                return []
            # the names come from an index alone, in their order; of many that wait only these few bodies are read
            chosen = select(o.event).where(mine, o.next_us <= now_us).order_by(o.rank.desc(), o.at_us, o.event).limit(limit)
            names = list(connection.scalars(chosen))
            rows = connection.execute(select(outbox).where(o.subscription == subscription, o.event.in_(names)))
            found = {row.event: Delivery(*row) for row in rows}
        return [found[name] for name in names]

    def latest(self, subscription: str, limit: int, state: State | None = None) -> list[Delivery]:
        """The newest deliveries, newest first."""
        o = outbox.c
        ask = select(outbox).where(o.subscription == subscription)
        if state is not None:
            ask = ask.where(o.state == state.value)
        return self._rows(ask.order_by(o.at_us.desc(), o.event.desc()).limit(limit))

    def delivered(self, one: Delivery, status: int, now_us: int) -> None:
        """It was received."""
        self._set(one, state=State.DELIVERED.value, status=status, why=None, answered_us=now_us)

    def failed(self, one: Delivery, wait_us: int | None, status: int | None, why: str, now_us: int, hold_us: int = 0) -> None:
        """It was not; it is tried again after `wait_us`, or given up. `hold_us`: how long the receiver asked not to be asked."""
        after = {"state": State.DEAD.value} if wait_us is None else {"next_us": now_us + wait_us, "not_before_us": now_us + hold_us}
        self._set(one, failures=one.failures + 1, status=status, why=why[:300], answered_us=now_us, **after)

    def hurry(self, subscription: str, now_us: int) -> None:
        """Its receiver takes again: what waits on the ladder goes now, or when the receiver said."""
        o = outbox.c
        late = update(outbox).where(o.subscription == subscription, o.state == State.WAITING.value, o.next_us > now_us)
        self._database.write(lambda connection: connection.execute(late.values(next_us=func.max(o.not_before_us, now_us))))

    def known(self, subscription: str, events: Sequence[str]) -> set[str]:
        """Which of these events it was ever to be sent."""
        ask = select(outbox.c.event).where(outbox.c.subscription == subscription, outbox.c.event.in_(events))
        with self._database.reading() as connection:
            return set(connection.scalars(ask))

    def replay(self, subscription: str, now_us: int, *, since_us: int | None = None, events: Sequence[str] | None = None) -> int:
        """Send again what was delivered or given up: since a time, or these; how many."""
        o = outbox.c
        chosen = update(outbox).where(o.subscription == subscription, o.state != State.WAITING.value)
        if since_us is not None:
            chosen = chosen.where(o.at_us >= since_us)
        if events is not None:
            chosen = chosen.where(o.event.in_(events))
        statement = chosen.values(state=State.WAITING.value, failures=0, next_us=now_us, not_before_us=0)
        return self._database.write(lambda connection: connection.execute(statement).rowcount)

    def counts(self) -> dict[str, dict[str, int]]:
        """Subscription -> state -> how many."""
        found: dict[str, dict[str, int]] = {}
        ask = select(outbox.c.subscription, outbox.c.state, func.count()).group_by(outbox.c.subscription, outbox.c.state)
        with self._database.reading() as connection:
            for name, state, count in connection.execute(ask):
                found.setdefault(name, {})[state] = count
        return found

    def waiting_since(self) -> int | None:
        """When the oldest event happened that waits for a receiver, in the log's time; None if none waits."""
        with self._database.reading() as connection:
            found = connection.execute(select(func.min(outbox.c.at_us)).where(outbox.c.state == State.WAITING.value)).scalar_one()
        return None if found is None else int(found)

    def bound(self) -> None:
        """Give up the mildest, and of those the oldest, where more than `MOST_WAITING` wait for a receiver: they are shown, and can be replayed."""
        o = outbox.c

        def work(connection: Connection) -> None:
            waiting = select(o.subscription, func.count()).where(o.state == State.WAITING.value).group_by(o.subscription)
            for name, count in connection.execute(waiting).all():
                if count > MOST_WAITING:
                    mine = (o.subscription == name) & (o.state == State.WAITING.value)
                    oldest = select(o.event).where(mine).order_by(o.rank, o.at_us).limit(count - MOST_WAITING)
                    given_up = update(outbox).where(mine, o.event.in_(oldest))
                    connection.execute(given_up.values(state=State.DEAD.value, why=f"more than {MOST_WAITING} wait for this receiver"))

        self._database.write(work)

    def forget(self, before_us: int) -> None:
        """Remove what is too old, and what belongs to no subscription any more. What still waits is given up first, and shown."""
        there, waits = select(subscriptions.table.c.id), outbox.c.state == State.WAITING.value

        def work(connection: Connection) -> None:
            connection.execute(delete(outbox).where(((outbox.c.at_us < before_us) & ~waits) | outbox.c.subscription.not_in(there)))
            too_old = update(outbox).where(waits, outbox.c.at_us < before_us)
            connection.execute(too_old.values(state=State.DEAD.value, why="it waited until it was too old"))
            connection.execute(delete(heard).where(heard.c.subscription.not_in(there)))

        self._database.write(work)

    def _set(self, one: Delivery, **values: Any) -> None:
        this = (outbox.c.subscription == one.subscription) & (outbox.c.event == one.event)
        self._database.write(lambda connection: connection.execute(update(outbox).where(this).values(**values)))

    def _rows(self, ask: Any) -> list[Delivery]:
        with self._database.reading() as connection:
            return [Delivery(*row) for row in connection.execute(ask)]
