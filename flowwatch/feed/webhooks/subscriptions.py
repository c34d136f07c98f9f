"""Who is told what over a webhook.

A subscription belongs to the installation: it stays when the person goes who made it, and every admin of its areas sees it.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Column, MetaData, Row, Table, Text, delete, insert, select, update

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import Alert, read
from flowwatch.journal.database import Database
from flowwatch.journal.tables import Whole, site_of

OVERLAP_US: Final = 24 * 3_600 * 1_000_000
"""How long the old secret signs beside the new one, so that a receiver can change at its leisure."""
LiesIn = Callable[[str, Sequence[str]], bool]
"""(site, areas) -> whether it lies in one of them."""
KINDS: Final = ("alert", "handling", "transition", "command", "device", "task")

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
    Column("disabled", Text),
    sqlite_strict=True,
)
"""Subscriptions. Secrets stand as they are, because what signs must know them; the file is its owner's alone."""


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
    disabled: str | None = None

    def secrets(self, now_us: int) -> list[str]:
        """What signs now, the newest first."""
        old = self.old_secret if self.old_until_us is not None and now_us < self.old_until_us else None
        return [self.secret, *([old] if old else [])]

    def wants(self, entry: Entry, lies_in: LiesIn) -> bool:
        """Whether it is told of an entry: of its kind, its sites, in its areas, and urgent enough."""
        if entry.kind.value not in self.kinds or entry.at < self.created_us:
            return False
        site = site_of(entry.chain)
        if site is None:
            if "" not in self.areas or self.sites is not None:
                return False
        elif (self.sites is not None and site not in self.sites) or not lies_in(site, self.areas):
            return False
        if self.priority is None or entry.kind is not EntryKind.ALERT:
            return True
        said = read(entry)
        return isinstance(said, Alert) and RANKS[said.priority] >= RANKS[self.priority]


def new_secret() -> str:
    """A secret of 32 random bytes, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Subscriptions:
    """All subscriptions, in the service's database; for several threads. `version` counts changes."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database, self._now_us = database, now_us
        self.version = 0

    def all(self) -> list[Subscription]:
        """Every subscription, the oldest first."""
        with self._database.reading() as connection:
            return [_of(row) for row in connection.execute(select(table).order_by(table.c.created_us, table.c.id))]

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
        """Make one; it is told of what happens from now on."""
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
        )
        self._write(insert(table).values(**_row(made)))
        return made

    def change(self, one: Subscription, **fields: Any) -> Subscription:
        """Change some of its fields."""
        changed = replace(one, **fields)
        values = {name: value for name, value in _row(changed).items() if name != "id"}
        self._write(update(table).where(table.c.id == one.id).values(**values))
        return changed

    def rotate(self, one: Subscription) -> Subscription:
        """A new secret; the old one signs beside it for a day."""
        return self.change(one, secret=new_secret(), old_secret=one.secret, old_until_us=self._now_us() + OVERLAP_US)

    def remove(self, name: str) -> None:
        """Take one away."""
        self._write(delete(table).where(table.c.id == name))

    def _write(self, statement: Any) -> None:
        self._database.write(lambda connection: connection.execute(statement))
        self.version += 1


def _row(one: Subscription) -> dict[str, Any]:
    lists = {name: None if (v := getattr(one, name)) is None else json.dumps(v) for name in ("areas", "sites", "kinds")}
    plain = ("id", "url", "label", "priority", "secret", "old_secret", "old_until_us", "created_by", "created_us", "disabled")
    return {name: getattr(one, name) for name in plain} | lists


def _of(row: Row[Any]) -> Subscription:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    lists = {name: None if values[name] is None else tuple(json.loads(values[name])) for name in ("areas", "sites", "kinds")}
    return Subscription(**values | lists)
