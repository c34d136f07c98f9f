"""Carries events to those who subscribed: reads what is new into the outbox, and sends what is due, each receiver apart from the others.

One thread with an event loop. A receiver that fails has one delivery under way at a time, a sound one several, so that nobody waits for a dead one.
Deliveries come in no promised order: the most urgent go first, and whoever must know the order reads the numbers in the ids.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from standardwebhooks import Webhook

import flowwatch
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.feed.events import BOOK, JOURNAL, MEDIA_TYPE, event, event_id
from flowwatch.feed.webhooks import ladder
from flowwatch.feed.webhooks.guard import ForbiddenError, Guard
from flowwatch.feed.webhooks.outbox import KEPT_US, Delivery, Due, Outbox
from flowwatch.feed.webhooks.subscriptions import LiesIn, Subscription, Subscriptions
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import Said
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place, inode_of

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
TURN_S: Final = 0.1
TIMEOUT_S: Final = 15.0
"""How long a receiver may take, all in all: what Standard Webhooks recommends at least (15 to 30 s)."""
MOST_ANSWER: Final = 16 << 10
"""The most that is read of an answer, bytes; nothing of it matters."""
MOST: Final = 128
MOST_OF_ONE: Final = 8
PAGE: Final = 500
FORGET_S: Final = 3_600.0

Trouble = Callable[..., None]
"""(key, text, on=...): somebody who is to be told cannot be reached, or can again."""


def _no_trouble(key: str, text: Said, *, on: bool) -> None:
    del key, text, on


@dataclass(frozen=True, slots=True)
class Setting:
    """Where events come from and how they are addressed. `source` begins their `source`; `links` begins links, None where they lead nowhere."""

    book: Path
    journal: Path
    lies_in: LiesIn
    guard: Guard
    source: str
    links: str | None
    trouble: Trouble = _no_trouble
    steps_faster: float = field(default=1.0)
    """Divides every wait of the ladder; for tests."""


class Courier:
    """The thread. `start`, then `stop`."""

    def __init__(self, outbox: Outbox, subscriptions: Subscriptions, setting: Setting, now_us: Callable[[], int]) -> None:
        """`now_us`: the wall clock."""
        self.outbox, self.subscriptions = outbox, subscriptions
        self.guard = setting.guard
        self._setting, self._now_us = setting, now_us
        self._followers: dict[str, Follower] = {}
        self._inodes: dict[str, int] = {}
        self._sources = {"book": (setting.book, BOOK), "journal": (setting.journal, JOURNAL)}
        self._known: tuple[int, list[Subscription]] = (-1, [])
        self._under_way: set[tuple[str, str]] = set()
        self._failing: set[str] = set()
        self._said: dict[str, bool] = {}
        self.delivered: Counter[str] = Counter()
        """What came of attempts in this life: "delivered", "failed", "gone"."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is broken off and sent again by the next."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def offer(self, one: Subscription, name: str, body: Mapping[str, Any], rank: int = 0) -> None:
        """Put an event of one's own into the outbox, for one receiver."""
        now = self._now_us()
        self.outbox.put([Due(one.id, name, msgspec.json.encode(body), rank, now)], [], now)

    # ---- the loop

    def _run(self) -> None:
        asyncio.run(self._serve())
        for follower in self._followers.values():
            with suppress(JournalError):
                follower.close()

    async def _serve(self) -> None:
        limits = httpx.Limits(max_connections=MOST, max_keepalive_connections=0)  # a connection is for the one host that it was checked for
        forget_at = 0.0
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=limits, timeout=TIMEOUT_S) as client:
            tasks: set[asyncio.Task[None]] = set()
            while not self._stopping.is_set():
                try:
                    more = self._collect()
                    for one, delivery in self._ready(MOST - len(tasks)):
                        self._under_way.add((delivery.subscription, delivery.event))
                        task = asyncio.create_task(self._deliver(client, one, delivery))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                    if asyncio.get_running_loop().time() >= forget_at:
                        forget_at = asyncio.get_running_loop().time() + FORGET_S
                        self.outbox.forget(self._now_us() - KEPT_US)
                except Exception:
                    LOG.exception("webhooks: a turn failed; again in a second")
                    self._leave()
                    more = False
                    await asyncio.sleep(1.0)
                await asyncio.sleep(0 if more else TURN_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self) -> None:
        followers, self._followers = self._followers, {}
        for follower in followers.values():
            with suppress(Exception):
                follower.close()

    # ---- what is new

    def _collect(self) -> bool:
        """Read a page of what is new into the outbox; whether there may be more."""
        due: list[Due] = []
        read: list[tuple[str, Place]] = []
        count = 0
        for source in self._sources:
            follower = self._follower(source)
            if follower is None:
                continue
            before = follower.place
            for entry in follower.new():
                due += self._due(entry)
                count += 1
                if count >= PAGE:
                    break
            if follower.place != before:
                read.append((source, follower.place))
        if read:
            self.outbox.put(due, read, self._now_us())
        return count >= PAGE

    def _follower(self, source: str) -> Follower | None:
        path, kinds = self._sources[source]
        inode = inode_of(path)
        if source in self._followers and inode != self._inodes[source]:
            self._followers.pop(source).close()
        if source not in self._followers:
            if not inode:
                return None
            self._inodes[source] = inode
            follower = Follower.open(path, self.outbox.place(source), kinds)
            if not follower.fits():
                follower.place = BEGINNING
            self._followers[source] = follower
        return self._followers[source]

    def _due(self, entry: Entry) -> list[Due]:
        if entry.at < self._now_us() - KEPT_US:
            return []
        wanted = [one for one in self._enabled() if one.wants(entry, self._setting.lies_in)]
        if not wanted:
            return []
        body = msgspec.json.encode(event(entry, self._setting.source, self._setting.links))
        return [Due(one.id, event_id(entry), body, _rank(entry), entry.at) for one in wanted]

    def _enabled(self) -> list[Subscription]:
        version, known = self._known
        if version != self.subscriptions.version:
            version = self.subscriptions.version
            known = [one for one in self.subscriptions.all() if one.disabled is None]
            self._known = version, known
        return known

    # ---- what is due

    def _ready(self, room: int) -> list[tuple[Subscription, Delivery]]:
        """What may be sent now, at most so many."""
        busy = Counter(name for name, _ in self._under_way)
        found: list[tuple[Subscription, Delivery]] = []
        for one in self._enabled():
            free = min((1 if one.id in self._failing else MOST_OF_ONE) - busy[one.id], room - len(found))
            if free <= 0:
                continue
            waiting = self.outbox.due(one.id, self._now_us(), free + busy[one.id])
            found += [(one, d) for d in waiting if (d.subscription, d.event) not in self._under_way][:free]
        return sorted(found, key=lambda pair: -pair[1].rank)

    async def _deliver(self, client: httpx.AsyncClient, one: Subscription, delivery: Delivery) -> None:
        try:
            status, retry_after, why = await self._send(client, one, delivery)
            self._note(one, delivery, status, retry_after, why)
        except Exception:
            LOG.exception("webhooks: %s to %s could not be noted; it is sent again", delivery.event, one.id)
            await asyncio.sleep(1.0)
        finally:
            self._under_way.discard((delivery.subscription, delivery.event))

    async def _send(self, client: httpx.AsyncClient, one: Subscription, delivery: Delivery) -> tuple[int | None, float | None, str]:
        """(status, Retry-After in seconds, what went wrong: "" where nothing did)."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                goal = await asyncio.to_thread(self.guard.goal, one.url)
                headers = self._headers(one, delivery) | {"host": goal.authority}
                request = client.build_request(
                    "POST", goal.url, content=delivery.body, headers=headers, extensions={"sni_hostname": goal.host}
                )  # fmt: skip
                answer = await client.send(request, stream=True)
                try:
                    size = 0
                    async for piece in answer.aiter_raw():
                        size += len(piece)
                        if size > MOST_ANSWER:
                            break
                finally:
                    await answer.aclose()
        except TimeoutError:
            return None, None, f"no answer within {TIMEOUT_S:.0f} s"
        except ForbiddenError as error:
            return None, None, str(error)
        except (httpx.HTTPError, OSError, ValueError) as error:
            return None, None, f"{type(error).__name__}: {error}"
        why = "" if answer.is_success else f"answered {answer.status_code}"
        return answer.status_code, _retry_after(answer.headers.get("retry-after")), why

    def _headers(self, one: Subscription, delivery: Delivery) -> dict[str, str]:
        now = datetime.fromtimestamp(self._now_us() // SECOND, UTC)
        text = delivery.body.decode()
        signatures = [Webhook(secret).sign(delivery.event, now, text) for secret in one.secrets(self._now_us())]
        return {
            "content-type": MEDIA_TYPE,
            "user-agent": f"flowwatch/{flowwatch.__version__}",
            "webhook-id": delivery.event,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _note(self, one: Subscription, delivery: Delivery, status: int | None, retry_after: float | None, why: str) -> None:
        now = self._now_us()
        if not why and status is not None:
            self.outbox.delivered(delivery, status, now)
            self.delivered["delivered"] += 1
            self._failing.discard(one.id)
            self._tell(one, "", on=False)
            return
        failures = delivery.failures + 1
        wait = ladder.wait_us(delivery.event, failures, retry_after)
        self.outbox.failed(delivery, None if wait is None else round(wait / self._setting.steps_faster), status, why, now)
        self.delivered["failed"] += 1
        self._failing.add(one.id)
        if status == 410:
            self.subscriptions.change(one, disabled="the receiver answered 410: it is gone")
            self.delivered["gone"] += 1
        if status == 410 or ladder.is_slow(failures):
            LOG.warning("webhook %s (%s): %s", one.id, one.label, why)
            self._tell(one, why, on=True)

    def _tell(self, one: Subscription, why: str, *, on: bool) -> None:
        if self._said.get(one.id, None) == on:
            return
        self._said[one.id] = on
        if on:
            text = Said(f"推送“{one.label}”送达失败：{why}", f'webhook "{one.label}" cannot be delivered: {why}')
        else:
            text = Said(f"推送“{one.label}”恢复送达", f'webhook "{one.label}" is delivered again')
        self._setting.trouble(f"webhook/{one.id}", text, on=on)


def _rank(entry: Entry) -> int:
    """How urgent an event is: an alert's priority."""
    if entry.kind is not EntryKind.ALERT:
        return 0
    return RANKS.get(msgspec.json.decode(entry.body).get("priority"), 0)


def _retry_after(text: str | None) -> float | None:
    """The seconds in a Retry-After: a number or a date.

    >>> _retry_after("30"), _retry_after("soon"), _retry_after(None)
    (30.0, None, None)
    """
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at.tzinfo else None
