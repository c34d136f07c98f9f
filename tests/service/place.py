"""A live log with two sites and a service on it, in this process: what the tests of the service stand on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from argon2 import PasswordHasher

from flowwatch import log
from flowwatch.adapters.batch import Batch, numbered, stamped
from flowwatch.adapters.ordinals import number_whole
from flowwatch.core.engine import Engine
from flowwatch.core.entries import canonical
from flowwatch.documents.alarms import Alarms
from flowwatch.evidence import Evidence
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.feed.webhooks.courier import Setting as CourierSetting
from flowwatch.feed.webhooks.guard import Guard
from flowwatch.feed.webhooks.outbox import Outbox
from flowwatch.feed.webhooks.subscriptions import Subscriptions
from flowwatch.handling.desk import Desk
from flowwatch.handling.settings import Settings
from flowwatch.handling.telling import DocumentOf
from flowwatch.journal import Journal
from flowwatch.journal.database import Database
from flowwatch.log import Inbox
from flowwatch.service.app import Limits, Service, Setting, build
from flowwatch.service.auth.identity import Areas, Grant, Role, Scope
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.parts import Wires
from flowwatch.service.tables import open_store
from flowwatch.workspace import Workspace
from tests.journal.story import site

SECOND = 1_000_000
START = 1_790_834_400 * SECOND
PASSWORD = "correct horse battery"
AREAS = {"yuyuan": "huangpu/yuyuan", "bund": "huangpu/waitan"}
ORIGIN = "http://flowwatch.test"


class Now:
    """A clock that tests set."""

    def __init__(self, us: int = START) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us

    def seconds(self) -> float:
        return self.us / SECOND

    def advance(self, seconds: float) -> None:
        self.us += int(seconds * SECOND)


class PlainStager:
    """Stages every offer at once, in the caller's thread."""

    def __init__(self, path: Path, now: Now) -> None:
        self._now = now
        self._inbox = Inbox(path)
        self._lock = threading.Lock()
        self.room = True

    def offer(self, batch: Batch, size: int | None = None) -> Future[None] | None:
        return self._stage(lambda: self._take(batch))

    def offer_action(self, site: str, payload: bytes, at_us: int) -> Future[None] | None:
        return self._stage(lambda: self._inbox.append_action(site, payload, at_us))

    def offer_tick(self, at_us: int) -> Future[None] | None:
        return self._stage(lambda: self._inbox.append_tick(at_us))

    def _take(self, batch: Batch) -> None:
        now, rows = self._now(), batch.readings
        if len(batch):
            batch = numbered(stamped(batch, np.full(len(batch), now, np.int64), now), number_whole(rows.names, rows.at, rows.seq))
            self._inbox.append(batch.readings)
        for refusal in batch.refused:
            self._inbox.append_refused(refusal.raw, refusal.reason, now)

    def _stage(self, take: Callable[[], None]) -> Future[None] | None:
        if not self.room:
            return None
        with self._lock:
            take()
            self._inbox.commit()
        done: Future[None] = Future()
        done.set_result(None)
        return done


def document(name: str, note: str = "first") -> bytes:
    """The compiled record of a site of that name."""
    record = json.loads(site(note))
    return canonical(record | {"site": name, "group": name, "plans": [plan | {"plan": name} for plan in record["plans"]]})


@dataclass
class Live:
    """A log with a wall clock, written and decided by the test: `drain` takes what the service staged and ticks."""

    root: Path
    now: Now
    writer: log.Writer
    engines: dict[str, Engine] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    def drain(self, ticks: int = 1) -> None:
        """What `run` does: take the inbox, tick, decide, journal."""
        self.writer.drain()
        for _ in range(ticks):
            self.now.advance(1)
            self.writer.tick(self.now())
        self.writer.commit()
        with Journal.open(self.root / "journal.db") as journal:
            for partition in self.writer.settings.folders:
                engine = self.engines.setdefault(partition, Engine(partition))
                with ExitStack() as owned:
                    reader = log.Reader(self.root / "log", partition)
                    owned.callback(reader.close)
                    for chunk in reader.read(self.read.get(partition, 0)):
                        out = engine.feed(log.blocks(chunk))
                        journal.append(out.entries, out.estimates)
                        self.read[partition] = chunk.first + chunk.rows

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the log that is a reading or a refusal."""
        self.writer.drain()
        return [row for row in log.cat(self.root / "log") if row["kind"] in ("delta", "refused")]


@dataclass
class Place:
    """The service, its clock, and people: one of each role in area "huangpu/yuyuan", named by the role; `chief` is admin everywhere."""

    live: Live
    workspace: Workspace
    store: Database
    service: Service
    stager: PlainStager
    client: httpx.AsyncClient
    now: Now
    fires: list[tuple[str, dict[str, Any]]]
    desk: Desk
    courier: Courier
    """Not started: a test that wants deliveries starts it."""

    @property
    def parts(self) -> Any:
        return self.service.parts

    @property
    def parts_idempotency(self) -> Any:
        return self.service.app._readings._idempotency

    def token(self, *scopes: Scope, areas: tuple[str, ...] = ("",), sites: tuple[str, ...] | None = None) -> dict[str, str]:
        """Headers of a new token."""
        text, _ = self.parts.authenticator.tokens.add("test", scopes, areas, sites, by="test")
        return {"authorization": f"Bearer {text}"}

    async def begun(self, path: str, headers: dict[str, str], query: bytes = b"") -> int:
        """The status of an answer that does not end by itself; hangs up when it has begun."""
        found: list[int] = []
        done = asyncio.Event()

        async def send(message: Any) -> None:
            found.append(message.get("status", 0))
            done.set()

        async def receive() -> Any:
            await done.wait()
            return {"type": "http.disconnect"}

        given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": given, "client": ("127.0.0.1", 1)}
        await self.service.app(scope, receive, send)  # type: ignore[arg-type]
        return found[0]

    async def signed_in(self, name: str) -> dict[str, str]:
        """Headers of a new session."""
        answer = await self.client.post("/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        self.client.cookies.clear()
        cookie = answer.headers["set-cookie"].partition(";")[0]
        return {"cookie": cookie, "x-csrf-token": answer.json()["csrf"]}


def document_of(path: Path) -> DocumentOf:
    """The documents in the log, for a desk."""

    def found(site: str, version: str | None) -> dict[str, Any] | None:
        with Evidence(path) as evidence:
            return evidence.document(site, version)

    return found


def make(
    root: Path, owned: ExitStack, *, limits: Limits | None = None, now: Now | None = None, connected: bool = False, attended: bool = True
) -> Place:
    """A live folder with the sites yuyuan and bund, and a service on it. `attended` false: the desk does not begin, and the test writes the book."""
    clock = now or Now()
    log.create(root / "log", clock="wall", partitions=2)
    writer = owned.enter_context(log.Writer.open(root / "log"))
    for name in AREAS:
        writer.append_document(document(name), clock())
    writer.commit()
    live = Live(root, clock, writer)
    live.drain(3)
    store = open_store(root / "service.db")
    owned.callback(store.close)
    fires: list[tuple[str, dict[str, Any]]] = []
    wires = Wires(connected=connected, on_fire=lambda site, record: fires.append((site, record)))
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    stager = PlainStager(root / "log", clock)
    desk = Desk(root / "journal.db", root / "handling.db", Settings.of(Alarms()), document_of(root / "log"), clock)
    if attended:
        desk.start()
        owned.callback(desk.stop)
    subscriptions = Subscriptions(store, clock)
    of_courier = CourierSetting(
        root / "handling.db", root / "journal.db", Areas(AREAS).lies_in, Guard.of(["127.0.0.0/8"]), "urn:flowwatch:test", None, desk.trouble
    )
    courier = Courier(Outbox.open(store), subscriptions, of_courier, clock)
    setting = Setting(Areas(AREAS), limits or Limits(), wires, passwords, now_us=clock, now_s=clock.seconds, desk=desk, courier=courier)
    service = build(Workspace(root), store, stager, setting)
    owned.callback(service.close)
    users = service.parts.users
    for role in Role:
        users.add(role.value, PASSWORD, [Grant(role, "huangpu/yuyuan")])
    users.add("chief", PASSWORD, [Grant(Role.ADMIN)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=service.app), base_url=ORIGIN)  # type: ignore[arg-type]
    return Place(live, Workspace(root), store, service, stager, client, clock, fires, desk, courier)
