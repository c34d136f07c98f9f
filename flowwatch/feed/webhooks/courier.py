"""Carries events to those who subscribed: reads what is new into the outbox, and sends what is due, each receiver apart from the others.

One thread with an event loop. A receiver that fails has one delivery under way at a time, a sound one several; the first of each takes no room
from the others, and its host is looked up in a thread of its own, so that nobody waits for a dead one. Deliveries come in no promised order: the
most urgent go first, and whoever must know the order reads the numbers in the ids.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from flowwatch.feed.events import BOOK, JOURNAL, MEDIA_TYPE, entry_of, event, event_id
from flowwatch.feed.trouble import Trouble, no_trouble
from flowwatch.feed.webhooks import ladder
from flowwatch.feed.webhooks.guard import ForbiddenError, Goal, Guard
from flowwatch.feed.webhooks.outbox import KEPT_US, Delivery, Due, Outbox
from flowwatch.feed.webhooks.subscriptions import GONE, Heard, LiesIn, Subscription, Subscriptions
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.readable import bodies, readable
from flowwatch.handling.records import Said
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place, inode_of
from flowwatch.log.time import Onward, unhurried

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
TURN_S: Final = 0.1
TIMEOUT_S: Final = 15.0
"""How long a receiver may take, all in all: what Standard Webhooks recommends at least (15 to 30 s)."""
MOST_ANSWER: Final = 16 << 10
"""The most that is read of an answer, bytes; nothing of it matters."""
MOST_WHY: Final = 300
"""The most that is kept of why something failed, characters."""
CALM_S: Final = 300.0
"""How long nothing may have failed before people are told that a receiver can be reached again: one that comes and goes is told of once."""
MOST: Final = 128
"""Deliveries under way together, beside the first of each receiver."""
MOST_OF_ONE: Final = 8
PAGE: Final = 500
FORGET_S: Final = 60.0
FIRST_PAUSE_S: Final = 1.0
MOST_PAUSE_S: Final = 300.0
"""The shortest and the longest pause before what could not be noted is sent again; the disk that takes something ends it."""
GONE_STATUS: Final = 410


@dataclass(frozen=True, slots=True)
class Setting:
    """Where events come from and how they are addressed. `source` begins their `source`; `links` begins links, None where they lead nowhere."""

    book: Path
    journal: Path
    lies_in: LiesIn
    guard: Guard
    source: str
    links: str | None
    trouble: Trouble = no_trouble
    steps_faster: float = field(default=1.0)
    """Divides every wait of the ladder; for tests."""
    log_us: Callable[[], int] | None = None
    """The log's time, where that is not the wall clock's: what entries say that it is. Asked by several threads."""


class Courier:
    """The thread. `start`, then `stop`."""

    def __init__(self, outbox: Outbox, subscriptions: Subscriptions, setting: Setting, now_us: Callable[[], int]) -> None:
        """`now_us`: the wall clock, by which what is sent is signed; waits go by it, too, but never begin anew where it is set back."""
        self.outbox, self.subscriptions = outbox, subscriptions
        self.guard = setting.guard
        self._setting, self._wall_us, self._now_us = setting, now_us, Onward(now_us)
        self._log_us = setting.log_us or self._now_us
        self._collecting = threading.Lock()
        """Held while the outbox is filled from book and journal, so that what a subscription has heard of is told once and by one."""
        self._heard: Heard | None = None
        self._page_us = unhurried(self._log_us)
        self._followers: dict[str, Follower] = {}
        self._inodes: dict[str, int] = {}
        self._sources = {"book": (setting.book, BOOK), "journal": (setting.journal, JOURNAL)}
        self._known: tuple[int, list[Subscription]] = (-1, [])
        self._under_way: set[tuple[str, str]] = set()
        self._failing: Counter[str] = Counter()
        """Failures since a receiver took something last: more than the fast tries of one event, and it was away, not choosy."""
        self._said: dict[str, bool] = {}
        """What people were told last of each subscription, in this life."""
        self._failed_at: dict[str, float] = {}
        """Of those in trouble: when something failed last, on the steady clock."""
        self._held: dict[str, tuple[float, float]] = {}
        """Receivers whose answers could not be noted, because the service's database fails: until when they wait, and how long that is."""
        self._turned_well, self._hurried = True, False
        self._well: set[str] = set()
        """Of those in trouble: who took something since."""
        self._checked = -1
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

    @property
    def well(self) -> bool:
        """Whether its loop runs, its last turn did not fail, and every subscription can be read."""
        return self.alive and self._turned_well and not self.subscriptions.damaged

    def offer(self, one: Subscription, name: str, body: Mapping[str, Any], rank: int = 0) -> None:
        """Put an event of one's own into the outbox, for one receiver."""
        self.outbox.put([Due(one.id, name, msgspec.json.encode(body), rank, self._log_us())], [], self._now_us())

    def replay_since(self, one: Subscription, since_us: int) -> int:
        """Send again, under the same ids, all that it wants of what happened since, but 30 days at most; how many.

        Also what it was never sent, because there was no such subscription yet or it was stopped. What has not been read yet comes anyway.
        """
        since, now = max(since_us, self._log_us() - KEPT_US), self._now_us()
        with self._collecting:
            self._heard = None
            count, heard = self.outbox.replay(one.id, now, since_us=since), self.outbox.heard()
            wanted: list[Due] = []
            for entry in self._happened(since):
                if one.may_have(entry, self._setting.lies_in):
                    wanted += self._wanted([one], entry, heard)
                if len(wanted) >= PAGE:
                    count += self.outbox.put(wanted, [], now)
                    wanted.clear()
            return count + self.outbox.put(wanted, [], now, heard)

    def replay(self, one: Subscription, events: Sequence[str]) -> tuple[int, list[str]]:
        """Send these events again, under the same ids: how many, and which there are none of for this subscription."""
        now = self._now_us()
        known = self.outbox.known(one.id, events)
        found = {name: entry for name in events if name not in known and (entry := self._find(name)) is not None}
        mine = [entry for entry in found.values() if one.may_have(entry, self._setting.lies_in) and _is_readable(entry)]
        wanted = [self._made(one, entry) for entry in mine]
        count = self.outbox.replay(one.id, now, events=events) + self.outbox.put(wanted, [], now)
        return count, [name for name in events if name not in known and name not in {due.event for due in wanted}]

    # ---- what happened before

    def _happened(self, since_us: int) -> Iterator[Entry]:
        """Entries since then, each store's in the order of their time."""
        for path, kinds in self._sources.values():
            if path.exists():
                with Journal.open(path, create=False) as journal:
                    yield from (entry for entry in journal.entries(since=since_us) if entry.kind in kinds)

    def _find(self, name: str) -> Entry | None:
        """The entry of an event's name, if there is one."""
        store, _, id_ = name.partition("_")
        path, kinds = self._sources.get(store, (None, ()))
        if path is None or not path.exists():
            return None
        with Journal.open(path, create=False) as journal:
            try:
                entry = journal.get(entry_of(id_))
            except UnknownIdError:
                return None
        return entry if entry.kind in kinds and event_id(entry) == name else None

    # ---- the loop

    def _run(self) -> None:
        asyncio.run(self._serve())
        for follower in self._followers.values():
            with suppress(JournalError):
                follower.close()

    async def _serve(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # a connection is for the one host that it was checked for
        forget_at = 0.0
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False, limits=limits, timeout=TIMEOUT_S) as client:
            tasks: set[asyncio.Task[None]] = set()
            while not self._stopping.is_set():
                try:
                    self._hurry_all()
                    self._forget_troubles()
                    self._end_troubles()
                    more = self._collect()
                    for one, delivery in self._ready(MOST):
                        self._under_way.add((delivery.subscription, delivery.event))
                        task = asyncio.create_task(self._deliver(client, one, delivery))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                    if asyncio.get_running_loop().time() >= forget_at:
                        forget_at = asyncio.get_running_loop().time() + FORGET_S
                        self.outbox.forget(self._log_us() - KEPT_US)
                        self.outbox.bound()
                    self._turned_well = True
                except Exception:
                    LOG.exception("webhooks: a turn failed; again in a second")
                    self._turned_well = False
                    self._leave()
                    more = False
                    await asyncio.sleep(1.0)
                await asyncio.sleep(0 if more else TURN_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self) -> None:
        """Let go of what may be half done, and read it anew."""
        self._heard, self._known = None, (-1, [])
        followers, self._followers = self._followers, {}
        for follower in followers.values():
            with suppress(Exception):
                follower.close()

    # ---- what is new

    def _hurry_all(self) -> None:
        """With a new life everything is tried at once, wherever the clock stood by which it waited."""
        if not self._hurried:
            for one in self._enabled():
                self.outbox.hurry(one.id, self._now_us())
            self._hurried = True

    def _collect(self) -> bool:
        """Read a page of what is new into the outbox; whether there may be more. Not while somebody else fills it."""
        if not self._collecting.acquire(blocking=False):
            return False
        try:
            return self._collect_page()
        finally:
            self._collecting.release()

    def _collect_page(self) -> bool:
        due: list[Due] = []
        read: list[tuple[str, Place]] = []
        count, oldest = 0, self._page_us() - KEPT_US
        if self._heard is None:
            self._heard = self.outbox.heard()
        for source in self._sources:
            follower = self._follower(source)
            if follower is None:
                continue
            before = follower.place
            for entry in follower.new():
                if entry.at >= oldest:
                    due += self._due(entry, self._heard)
                count += 1
                if count >= PAGE:
                    break
            if follower.place != before:
                read.append((source, follower.place))
        if read:
            self.outbox.put(due, read, self._now_us(), self._heard)
            self._heard.kept()
            self._held.clear()
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

    def _due(self, entry: Entry, heard: Heard) -> list[Due]:
        there = [one for one in self._enabled() if entry.at >= one.begins_us and one.may_have(entry, self._setting.lies_in)]
        return self._wanted(there, entry, heard)

    def _wanted(self, there: Sequence[Subscription], entry: Entry, heard: Heard) -> list[Due]:
        """What is due of an entry to those of `there` for whom it is urgent enough."""
        if not there or not _is_readable(entry):
            return []
        return [self._made(one, entry) for one in there if heard.is_urgent(one, entry)]

    def _made(self, one: Subscription, entry: Entry) -> Due:
        body = msgspec.json.encode(event(entry, self._setting.source, self._setting.links))
        return Due(one.id, event_id(entry), body, _rank(entry), entry.at)

    def _enabled(self) -> list[Subscription]:
        version, known = self._known
        if version != self.subscriptions.version:
            version = self.subscriptions.version
            known = [one for one in self.subscriptions.all() if one.disabled is None]
            self._known = version, known
        return known

    # ---- what is due

    def _ready(self, room: int) -> list[tuple[Subscription, Delivery]]:
        """What may be sent now: the first of each receiver, and `room` more, of which some may be taken."""
        busy = Counter(name for name, _ in self._under_way)
        room -= sum(count - 1 for count in busy.values())
        found: list[tuple[Subscription, Delivery]] = []
        for one in self._enabled():
            if time.monotonic() < self._held.get(one.id, (0.0, 0.0))[0]:
                continue
            first = 0 if busy[one.id] else 1
            free = first + max(0, min((1 if one.id in self._failing else MOST_OF_ONE) - busy[one.id] - first, room))
            if free <= 0:
                continue
            waiting = self.outbox.due(one.id, self._now_us(), free + busy[one.id])
            ready = [(one, d) for d in waiting if (d.subscription, d.event) not in self._under_way][:free]
            found += ready
            room -= max(0, len(ready) - first)
        return sorted(found, key=lambda pair: -pair[1].rank)

    async def _deliver(self, client: httpx.AsyncClient, one: Subscription, delivery: Delivery) -> None:
        try:
            status, retry_after, why = await self._send(client, one, delivery)
            self._note(one, delivery, status, retry_after, why)
        except Exception:
            LOG.exception("webhooks: %s to %s could not be noted; it is sent again", delivery.event, one.id)
            self._hold(one)
            self._tell(one, "what it answers cannot be noted, so it is sent the same again", on=True)
        finally:
            self._under_way.discard((delivery.subscription, delivery.event))

    def _hold(self, one: Subscription) -> None:
        """Send a receiver nothing for a while, each time for twice as long; several failures of one moment are one."""
        until, pause = self._held.get(one.id, (0.0, FIRST_PAUSE_S / 2))
        if time.monotonic() >= until:
            pause = min(2 * pause, MOST_PAUSE_S)
            self._held[one.id] = time.monotonic() + pause / self._setting.steps_faster, pause

    async def _send(self, client: httpx.AsyncClient, one: Subscription, delivery: Delivery) -> tuple[int | None, float | None, str]:
        """(status, Retry-After in seconds, what went wrong: "" where nothing did)."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                goal = await _looked_up(self.guard, one.url)
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
            return None, None, str(error)[:MOST_WHY]
        except httpx.RemoteProtocolError:  # its sentence would hold what the receiver said, for ever in the book
            return None, None, "its answer is no HTTP, or broke off"
        except (httpx.HTTPError, OSError, ValueError) as error:
            return None, None, f"{type(error).__name__}: {error}"[:MOST_WHY]
        why = "" if answer.is_success else f"answered {answer.status_code}"
        return answer.status_code, _retry_after(answer.headers.get("retry-after")), why

    def _headers(self, one: Subscription, delivery: Delivery) -> dict[str, str]:
        now = datetime.fromtimestamp(self._wall_us() // SECOND, UTC)
        text = delivery.body.decode()
        signatures = [Webhook(secret).sign(delivery.event, now, text) for secret in one.secrets(self._wall_us())]
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
            if one.id not in self._said or self._failing[one.id] > len(ladder.FAST_S):
                self.outbox.hurry(one.id, now)
            del self._failing[one.id]
            if self._said.get(one.id):
                self._well.add(one.id)
            else:
                self._tell(one, "", on=False)
            return
        failures = delivery.failures + 1
        wait = ladder.wait_us(delivery.event, failures, retry_after)
        faster = self._setting.steps_faster
        hold = round(min(retry_after or 0.0, ladder.LONGEST_S) * SECOND / faster)
        self.outbox.failed(delivery, None if wait is None else round(wait / faster), status, why, now, hold)
        self.delivered["failed"] += 1
        self._failing[one.id] += 1
        gone = status == GONE_STATUS and self.subscriptions.gone(one)
        self.delivered["gone"] += gone
        wanted = gone or any(other.id == one.id for other in self._enabled())
        self._failed_at[one.id] = time.monotonic()
        self._well.discard(one.id)
        if wanted and (gone or ladder.is_long(wait)):
            LOG.warning("webhook %s (%s): %s", one.id, one.label, why)
            self._tell(one, why, on=True)

    def _forget_troubles(self) -> None:
        """Say that it is over with those who were stopped by a person, or taken away: nobody waits for them."""
        if self.subscriptions.version == self._checked:
            return
        self._checked = self.subscriptions.version
        there = {one.id: one for one in self.subscriptions.all()}
        over = {name for name, one in there.items() if one.disabled not in (None, GONE)} | (self._said.keys() - there.keys())
        for name in sorted(over):
            if self._said.get(name) is not False:
                text = Said("该推送已停用", "this feed was stopped")
                self._setting.trouble(f"webhook/{name}", text, on=False)
                self._said[name] = False

    def _end_troubles(self) -> None:
        """Say that it is over with those who have taken what came for a while."""
        if not self._well:
            return
        calm = time.monotonic() - CALM_S / self._setting.steps_faster
        for one in self._enabled():
            if one.id in self._well and self._failed_at.get(one.id, 0.0) <= calm:
                self._well.discard(one.id)
                self._tell(one, "", on=False)

    def _tell(self, one: Subscription, why: str, *, on: bool) -> None:
        if self._said.get(one.id, None) == on:
            return
        self._said[one.id] = on
        if on:
            text = Said(f"推送“{one.label}”送达失败：{why}", f'webhook "{one.label}" cannot be delivered: {why}')
        else:
            text = Said(f"推送“{one.label}”恢复送达", f'webhook "{one.label}" is delivered again')
        self._setting.trouble(f"webhook/{one.id}", text, on=on)


async def _looked_up(guard: Guard, url: str) -> Goal:
    """Where a request to `url` goes, asked in a thread of its own: a resolver that hangs keeps neither another receiver waiting nor the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Goal] = loop.create_future()

    def tell(goal: Goal | None, error: Exception | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is not None:
            done.set_exception(error)
        elif goal is not None:
            done.set_result(goal)

    def look() -> None:
        try:
            goal, error = guard.goal(url), None
        except Exception as found:  # noqa: BLE001 - it is raised where it is waited for
            goal, error = None, found
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, goal, error)

    threading.Thread(target=look, name="webhooks-host", daemon=True).start()
    return await done


def _is_readable(entry: Entry) -> bool:
    """Whether an entry can be told; one that was damaged on the disk, or is of another version, is passed over, and others do not wait for it."""
    kept = (entry,)
    return next(iter(readable(kept) if entry.kind in BOOK else bodies(kept)), None) is not None


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
