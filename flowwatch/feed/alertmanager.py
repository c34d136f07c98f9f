"""Telling Alertmanagers what is open, so that whatever pages people already pages them of this, too.

An Alertmanager remembers no alert over a restart, and resolves by itself what nobody repeats. So each is told everything every minute (`EVERY_S`), at
once when something changes, and each time for the next five minutes (`LIVES_S`; its own `resolve_timeout` is as long). One that was started anew
knows everything a minute later, and what a dead flowwatch left firing is resolved after five. What ended is told as ended for a quarter of an hour,
for the same reason; a start begins with what the book says has ended lately. To an Alertmanager that does not have it as firing that says nothing.

One thread serves them all, each in a task of its own, so that one that hangs keeps no other waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from flowwatch.documents.secrets import SecretError
from flowwatch.feed.alertmanager_messages import Labels, Message, ended, firing
from flowwatch.feed.trouble import GRACE_S, Complaint, Trouble, no_trouble
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import Said
from flowwatch.log.errors import LogError
from flowwatch.tls import Tls, TlsFileError

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
PATH: Final = "/api/v2/alerts"
EVERY_S: Final = 60.0
LIVES_S: Final = 300.0
"""Prometheus sends every minute, and each time for four of its intervals."""
ENDED_S: Final = 900.0
"""How long what ended is repeated; as long as Prometheus does."""
LOOK_S: Final = 0.5
"""How often it is looked whether anything changed."""
ANSWER_S: Final = 10.0
FIRST_PAUSE_S: Final = 1.0
LAST_PAUSE_S: Final = 60.0
BATCH: Final = 256
"""Alerts in one request, as many as Prometheus sends."""
MOST_BYTES: Final = 4_096
"""Of an answer; what is wrong stands at its beginning."""


class Incidents(Protocol):
    """What knows the incidents: the desk."""

    def sites(self) -> list[str]:
        """The chains of the book."""

    def incidents(self, site: str) -> list[Incident]:
        """The open incidents of a site."""

    def lately(self, site: str) -> list[Incident]:
        """Those, and what was closed lately."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """An Alertmanager. `token`: reads the bearer token, if it wants one; raises `SecretError`."""

    url: str
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    tls: Tls = field(default_factory=Tls)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take; other values are for tests. `pause_s`: the first and the longest wait after a failure."""

    every_s: float = EVERY_S
    lives_s: float = LIVES_S
    look_s: float = LOOK_S
    answer_s: float = ANSWER_S
    pause_s: tuple[float, float] = (FIRST_PAUSE_S, LAST_PAUSE_S)
    grace_s: float = GRACE_S


class Alertmanagers:
    """Tells all of an installation's Alertmanagers. `start`, then `stop`."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        incidents: Incidents,
        now_us: Callable[[], int],
        *,
        deployment: str,
        public_url: str | None,
        trouble: Trouble = no_trouble,
        pace: Pace | None = None,
    ) -> None:
        """`now_us`: the log's time, by which the book says when something ended. `deployment`: the installation's name, a label."""
        self._incidents, self._now_us = incidents, now_us
        self._deployment, self._public_url = deployment, public_url
        self._pace = pace or Pace()
        self._told = [_Told(one, self._pace, trouble) for one in receivers]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="feed-alertmanager", daemon=True)

    def start(self) -> None:
        """Begin to tell. What fires stays so at the Alertmanagers when this stops, for as long as it was told for."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        if self._thread.ident is None:
            self._loop.close()
            return
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10.0)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        over = list(self._ended())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.serve(over, self._firing)) for one in self._told]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    def _firing(self) -> dict[Labels, Message]:
        open_ = (incident for site in self._incidents.sites() for incident in self._incidents.incidents(site))
        return firing(open_, self._deployment, self._public_url)

    def _ended(self) -> Iterable[Message]:
        try:
            since_us = self._now_us() - int(ENDED_S * SECOND)
        except LogError as error:
            LOG.warning("Alertmanagers are not told what ended lately: %s", error)
            return []
        lately = (incident for site in self._incidents.sites() for incident in self._incidents.lately(site))
        return ended(lately, since_us, self._deployment, self._public_url)


@dataclass(slots=True)
class _Over:
    """An alert that ended: when, by the wall clock, and until when on the monotonic clock that is repeated."""

    message: Message
    ended_us: int
    until: float


class _Told:
    """One Alertmanager, and what it was told."""

    def __init__(self, receiver: Receiver, pace: Pace, trouble: Trouble) -> None:
        self._receiver, self._pace = receiver, pace
        self._complaint = Complaint(f"alertmanager/{receiver.name}", trouble, pace.grace_s)
        self._known: dict[Labels, Message] | None = None
        """What it was told to be firing when that last went well."""
        self._maybe: dict[Labels, Message] = {}
        """What it may take for firing: also what was on its way to it when that went wrong."""
        self._over: dict[Labels, _Over] = {}
        self._client: httpx.AsyncClient | None = None

    async def serve(self, over: Sequence[Message], firing_now: Callable[[], dict[Labels, Message]]) -> None:
        """Tell it, for ever. `over`: what ended before this began."""
        for message in over:
            self._ends(message)
        due, pause = 0.0, self._pace.pause_s[0]
        try:
            while True:
                now = firing_now()
                if time.monotonic() < due and now == self._known:
                    await asyncio.sleep(self._pace.look_s)
                elif await self._went_well(now):
                    due, pause = time.monotonic() + self._pace.every_s, self._pace.pause_s[0]
                else:
                    due = 0.0
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._pace.pause_s[1])
        finally:
            if self._client is not None:
                await self._client.aclose()

    async def _went_well(self, now: Mapping[Labels, Message]) -> bool:
        """Tell it everything, and the desk whether that can be done."""
        try:
            why = await self._tell(now)
        except Exception as error:
            LOG.exception("Alertmanager %s: what is open could not be told", self._receiver.name)
            why = type(error).__name__
        name = self._receiver.name
        if why is not None:
            LOG.warning("Alertmanager %s: %s", name, why)
            self._complaint.fails(Said(f"Alertmanager（{name}）无法送达：{why}", f"Alertmanager {name} cannot be told: {why}"))
        elif not self._complaint.well:
            self._complaint.goes(Said(f"Alertmanager（{name}）恢复送达", f"Alertmanager {name} can be told again"))
        return why is None

    async def _tell(self, now: Mapping[Labels, Message]) -> str | None:
        """Tell it everything; why that failed, None where it did not."""
        for labels in now:
            self._over.pop(labels, None)
        for labels, message in self._maybe.items():
            if labels not in now:
                self._ends(message)
        self._maybe = dict(now)
        self._over = {labels: one for labels, one in self._over.items() if one.until > time.monotonic()}
        wall_us = time.time_ns() // 1000
        lives_us = wall_us + int(self._pace.lives_s * SECOND)
        said = [message.plain(wall_us, lives_us) for message in now.values()]
        said += [one.message.plain(wall_us, one.ended_us) for one in self._over.values()]
        for first in range(0, max(len(said), 1), BATCH):  # nothing is told, too: it may not be there
            why = await self._post(said[first : first + BATCH])
            if why is not None:
                return why
        self._known = dict(now)
        return None

    def _ends(self, message: Message) -> None:
        """It is over, from now on: what the log's time calls the end may be any time of the clock on the wall."""
        self._over[message.labels] = _Over(message, time.time_ns() // 1000, time.monotonic() + ENDED_S)

    async def _post(self, alerts: Sequence[dict[str, Any]]) -> str | None:
        """Why it did not take them; None where it did."""
        url = self._receiver.url.rstrip("/") + PATH
        try:
            token = self._receiver.token()
            headers = {"Content-Type": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
            async with asyncio.timeout(self._pace.answer_s):
                async with self._opened().stream("POST", url, content=msgspec.json.encode(alerts), headers=headers) as answer:
                    if answer.is_success:
                        return None
                    return f"HTTP {answer.status_code} {await _beginning(answer)}".strip()
        except TimeoutError:
            return f"no answer within {self._pace.answer_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, SecretError, TlsFileError) as error:
            return f"{type(error).__name__}: {self._receiver.tls.why_not(error, urlsplit(url).hostname or url)}"[:500]

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            verify = self._receiver.tls.context()
            self._client = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=self._pace.answer_s)
        return self._client


async def _beginning(answer: httpx.Response) -> str:
    """The beginning of what it says, in one line."""
    data = b""
    async for part in answer.aiter_bytes(MOST_BYTES):
        data += part
        if len(data) >= MOST_BYTES:
            break
    return " ".join(data[:MOST_BYTES].decode(errors="replace").split())[:300]
