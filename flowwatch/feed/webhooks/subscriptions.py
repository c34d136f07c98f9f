"""Who is told what over a webhook.

A subscription belongs to the installation: it stays when the person goes who made it, and every admin of its areas sees it.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, MetaData, Row, Table, Text, delete, func, insert, select, update

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import Alert, read
from flowwatch.journal.database import Database
from flowwatch.journal.tables import Whole, site_of

LOG: Final = logging.getLogger(__name__)
OVERLAP_US: Final = 24 * 3_600 * 1_000_000
"""How long the old secret signs beside the new one, so that a receiver can change at its leisure."""
LiesIn = Callable[[str, Sequence[str]], bool]
"""(site, areas) -> whether it lies in one of them."""
MOST: Final = 200
"""The most subscriptions of one installation: each may have a delivery under way at any time."""
MOST_OF_ONE: Final = 50
"""The most that one admin may have made, so that no area takes the room of the others."""
GONE: Final = "the receiver answered 410: it is gone"
"""Why one is disabled that nobody stopped by hand."""
KINDS: Final = ("alert", "handling", "transition", "command", "device", "task")

T = TypeVar("T")

metadata = MetaData()
table = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("areas", Text, nullable=False),
    Column("sites", Text),
    Column("kinds", Text, nullable=False),
    Column("priority", Text),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_until_us", Whole),
    Column("created_by", Text, nullable=False),
    Column("created_us", Whole, nullable=False),
    Column("begins_us", Whole, nullable=False),
    Column("disabled", Text),
    sqlite_strict=True,
)
"""Subscriptions. Secrets stand as they are, because what signs must know them; the file is its owner's alone. `begins_us` is the log's time, which
in a rehearsal is not the wall clock's."""


class TooManyError(ValueError):
    """There are as many subscriptions as there may be."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One receiver. `areas`, `sites` (None: all of them), `kinds`, `priority` (the mildest alert that it is told) narrow what it gets.

    `disabled`: why nothing is sent to it, None where it is.
    """

    id: str
    url: str
    label: str
    areas: tuple[str, ...]
    sites: tuple[str, ...] | None
    kinds: tuple[str, ...]
    priority: str | None
    secret: str
    old_secret: str | None
    old_until_us: int | None
    created_by: str
    created_us: int
    begins_us: int
    disabled: str | None = None

    def secrets(self, now_us: int) -> list[str]:
        """What signs now, the newest first."""
        old = self.old_secret if self.old_until_us is not None and now_us < self.old_until_us else None
        return [self.secret, *([old] if old else [])]

    def may_have(self, entry: Entry, lies_in: LiesIn) -> bool:
        """Whether an entry is of its kinds and its sites, in its areas."""
        if entry.kind.value not in self.kinds:
            return False
        site = site_of(entry.chain)
        if site is None:
            return "" in self.areas and self.sites is None
        return (self.sites is None or site in self.sites) and lies_in(site, self.areas)


def new_secret() -> str:
    """A secret of 32 random bytes, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Heard:
    """Which incidents each subscription has heard of that are not over: whoever heard of one hears how it goes on and ends, however mild it becomes.

    `incidents`: (subscription, incident). `heard`, `over`: what was added and taken away since the beginning of this page.
    """

    def __init__(self, incidents: Iterable[tuple[str, str]] = ()) -> None:
        self._incidents = set(incidents)
        self.heard: set[tuple[str, str]] = set()
        self.over: set[tuple[str, str]] = set()

    def is_urgent(self, one: Subscription, entry: Entry) -> bool:
        """Whether an entry that it may have is urgent enough for it. Entries come in the order of their chain."""
        if one.priority is None or entry.kind is not EntryKind.ALERT:
            return True
        said = read(entry)
        if not isinstance(said, Alert):
            return False
        key = (one.id, said.incident)
        if key not in self._incidents and RANKS[said.priority] < RANKS[one.priority]:
            return False
        if said.state == "cleared":
            self._incidents.discard(key)
            self.heard.discard(key)
            self.over.add(key)
        elif key not in self._incidents:
            self._incidents.add(key)
            self.heard.add(key)
            self.over.discard(key)
        return True

    def kept(self) -> None:
        """What was added and taken away is on the disk."""
        self.heard.clear()
        self.over.clear()


class Subscriptions:
    """All subscriptions, in the service's database; for several threads. `version` counts changes."""

    def __init__(self, database: Database, now_us: Callable[[], int], log_us: Callable[[], int] | None = None) -> None:
        """`now_us`: the wall clock; `log_us`: the log's time, where that is another."""
        self._database, self._now_us, self._log_us = database, now_us, log_us or now_us
        self.version, self._counting = 0, threading.Lock()
        self.damaged: frozenset[str] = frozenset()
        """The subscriptions that could not be read when all were read last."""

    def all(self) -> list[Subscription]:
        """Every subscription that can be read, the oldest first."""
        found: list[Subscription] = []
        damaged: set[str] = set()
        with self._database.reading() as connection:
            for row in connection.execute(select(table).order_by(table.c.created_us, table.c.id)):
                try:
                    found.append(_of(row))
                except (ValueError, TypeError, RecursionError) as error:
                    damaged.add(str(row.id))
                    LOG.error("webhook %s cannot be read (%s): its receiver hears nothing", row.id, error)  # noqa: TRY400 - the sentence says it
        self.damaged = frozenset(damaged)
        return found

    def find(self, name: str) -> Subscription | None:
        """One by its id."""
        return next((one for one in self.all() if one.id == name), None)

    def add(
        self,
        url: str,
        label: str,
        *,
        areas: Sequence[str],
        sites: Sequence[str] | None,
        kinds: Sequence[str],
        priority: str | None,
        by: str,
    ) -> Subscription:
        """Make one; it is told of what happens from now on. Raises `TooManyError`."""
        made = Subscription(
            "wh_" + secrets.token_hex(8),
            url,
            label,
            tuple(areas),
            None if sites is None else tuple(sites),
            tuple(kinds),
            priority,
            new_secret(),
            None,
            None,
            by,
            self._now_us(),
            self._log_us(),
        )

        def work(connection: Connection) -> None:
            mine = connection.scalar(select(func.count()).select_from(table).where(table.c.created_by == by)) or 0
            if mine >= MOST_OF_ONE:
                raise TooManyError(f"found {mine} webhooks that {by} made, expected fewer before there is another; take one away first")
            if (connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST:
                raise TooManyError(f"found {MOST} webhooks, expected fewer before there is another; take one away first")
            connection.execute(insert(table).values(**_row(made)))

        self._do(work)
        return made

    def change(self, one: Subscription, **fields: Any) -> Subscription:
        """Change some of its fields, and no other: others may have been changed meanwhile."""
        changed = replace(one, **fields)
        if fields:
            row = _row(changed)
            self._do(lambda c: c.execute(update(table).where(table.c.id == one.id).values({name: row[name] for name in fields})))
        return changed

    def gone(self, one: Subscription) -> bool:
        """Disable one whose receiver said that it is gone; whether it still goes to that receiver."""
        this = update(table).where(table.c.id == one.id, table.c.url == one.url, table.c.disabled.is_(None)).values(disabled=GONE)
        return self._do(lambda connection: connection.execute(this).rowcount) > 0

    def rotate(self, one: Subscription) -> Subscription:
        """A new secret; the old one signs beside it for a day."""
        return self.change(one, secret=new_secret(), old_secret=one.secret, old_until_us=self._now_us() + OVERLAP_US)

    def remove(self, name: str) -> None:
        """Take one away."""
        self._do(lambda connection: connection.execute(delete(table).where(table.c.id == name)))

    def _do(self, work: Callable[[Connection], T]) -> T:
        done = self._database.write(work)
        with self._counting:
            self.version += 1
        return done


def _row(one: Subscription) -> dict[str, Any]:
    lists = {name: None if (v := getattr(one, name)) is None else json.dumps(v) for name in ("areas", "sites", "kinds")}
    return {name: getattr(one, name) for name in table.c.keys()} | lists  # noqa: SIM118 - columns


def _of(row: Row[Any]) -> Subscription:
    """The subscription of a row. Raises ValueError or TypeError for one that was damaged."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    lists = {name: None if values[name] is None else tuple(json.loads(values[name])) for name in ("areas", "sites", "kinds")}
    if values["priority"] not in RANKS:
        raise ValueError(f'found the priority "{values["priority"]}", expected I to IV')
    return Subscription(**values | lists)
