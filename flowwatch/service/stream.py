"""`GET /v1/feed`: alerts, steps of handling and decisions as they happen, as Server-Sent Events.

A listener that says how far it had come (`Last-Event-ID`, as browsers do by themselves, or `?since=`) gets everything behind it, in order, and then
what comes; one that says nothing gets a snapshot first. Who reads too slowly loses what waits and gets a snapshot, with the place behind which it
was lost. Who may see what is looked up again and again while the stream lasts. A plain ASGI application, because it sends for hours.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs

import msgspec

from flowwatch.feed.frames import KINDS, event
from flowwatch.feed.hub import REBUILT, Hub
from flowwatch.feed.listener import CHUNK, SLOW, Listener
from flowwatch.feed.places import Told
from flowwatch.feed.reader import PAGE, Reader
from flowwatch.feed.snapshot import Snapshots, pieces_of
from flowwatch.feed.stories import OpenStories
from flowwatch.journal.database import JournalError
from flowwatch.journal.export import iso
from flowwatch.journal.tables import site_of
from flowwatch.service.access import FAULTS
from flowwatch.service.auth.identity import Identity, Role, Scope
from flowwatch.service.gatekeeper import Gatekeeper
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem, unknown, wait
from flowwatch.service.threads import at_the_door

PATH: Final = "/v1/feed"
HEARTBEAT_S: Final = 3.0
"""How often something is sent at least; a console that hears nothing for 5 s says so."""
HEARTBEAT: Final = "heartbeat"
RIGHTS_S: Final = 5.0
"""How often it is looked up whether a listener may still listen."""
STUCK_S: Final = 30.0
"""How long a connection may take nothing before it is broken off."""
BEGUN_S: Final = 10.0
"""How long a listener waits for the files to be read the first time."""
READERS: Final = 2
"""Threads that read back for listeners; the others wait, so that a crowd of them does not keep the rest of the service from its work."""
MOST_OF_IDENTITY: Final = 100
"""Streams of one person or token: a room full of screens, and not the whole of it."""
MOST_OF_MACHINES: Final = 800
"""Streams of all tokens together: a fifth of the room is for people."""
BEGIN: Final = "begin"
"""Why a snapshot is sent: the listener has nothing yet."""
UNKNOWN: Final = "unknown_id"
"""Why a snapshot is sent: the place that the listener named is of another journal."""
T = TypeVar("T")


class Gone(Exception):  # noqa: N818 - named by what it says
    """The stream is over: the listener went, may listen no more, or the service ends."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a listener asks for. `since` None: no place, a snapshot first."""

    kinds: frozenset[str]
    site: str | None
    since: Told | None


@dataclass(slots=True, eq=False)
class Stream:
    """One stream that is under way."""

    asked: Asked
    identity: Identity
    headers: Iterable[tuple[bytes, bytes]]
    send: Callable[[Any], Any]
    abort: Callable[[], None]
    listener: Listener
    checked_s: float
    sending: bool = False

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Give bytes to the connection; one that takes nothing for `STUCK_S` is broken off."""
        stuck = asyncio.get_running_loop().call_later(STUCK_S, self.abort)
        self.sending = True
        try:
            await self.send({"type": "http.response.body", "body": data, "more_body": more})
        finally:
            self.sending = False
            stuck.cancel()


class Feed:
    """The route. `hub` reads for all of them."""

    def __init__(self, parts: Parts, gatekeeper: Gatekeeper, journal: Path, handling: Path) -> None:
        self._parts, self._gatekeeper = parts, gatekeeper
        self.hub = Hub(journal, handling)
        self._book = OpenStories(handling)
        self._snapshots = Snapshots(parts.picture, self._book)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="feed-reader")
        self.streams: set[Stream] = set()
        self.dropped = 0
        """How often a listener was too slow, and was given a snapshot instead."""
        self._stopping = False

    @property
    def listening(self) -> int:
        """How many listen now."""
        return len(self.streams)

    def stop(self) -> None:
        """End every stream at once; called in the event loop."""
        self._stopping = True
        for stream in self.streams:
            stream.listener.end()
            if stream.sending:
                stream.abort()

    def close(self) -> None:
        """Give files and threads back."""
        self.hub.close()
        self._threads.shutdown()
        self._book.close()

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the listener goes, may listen no more, or the service ends. Raises `Problem` before the first byte."""
        if scope["method"] != "GET":
            raise Problem("wrong-method", "the feed is read with GET", headers={"allow": "GET"})
        scope["path_template"] = PATH
        identity = await self._gatekeeper.admit(scope, PATH, {})
        assert identity is not None
        self._check_room(identity)
        asked = self._asked(scope)
        await self._check_site(asked, identity)
        try:
            async with asyncio.timeout(BEGUN_S):
                await self.hub.ready()
        except TimeoutError:
            raise wait("unavailable", "the journal cannot be read now; the service's own log says why", 5) from None
        if self._stopping:
            raise wait("unavailable", "the service ends", 1)
        begin = str(asked.since or self.hub.place)
        listener = Listener(partial(self._sees, identity, asked.site), asked.kinds, begin)
        abort = scope.get("flowwatch.abort", lambda: None)
        # spread, so that who came together is not looked up together
        checked_s = asyncio.get_running_loop().time() - random.uniform(0, RIGHTS_S)
        stream = Stream(asked, identity, scope["headers"], send, abort, listener, checked_s)
        self.streams.add(stream)
        going = asyncio.ensure_future(_until_gone(receive, listener))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _headers()})
            try:
                await self._run(stream)
            except Gone:
                pass
            except JournalError as error:
                FAULTS.error("request %s: %s", scope.get("flowwatch.request"), error)
            await stream.write(b"", more=False)
        finally:
            self.streams.discard(stream)
            self.hub.leave(listener)
            listener.end()
            going.cancel()

    def _check_room(self, identity: Identity) -> None:
        """Raise `Problem` where one identity, or the machines together, would take the room of the others."""
        mine = sum(stream.identity.who == identity.who for stream in self.streams)
        machines = sum(not stream.identity.is_person for stream in self.streams)
        if mine >= MOST_OF_IDENTITY or (not identity.is_person and machines >= MOST_OF_MACHINES):
            raise wait(
                "busy", f"{mine} streams of this identity are under way, and {machines} of machines; that is all there is room for", 30
            )

    # ---- what is asked

    def _asked(self, scope: Any) -> Asked:
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50)
        extra = query.keys() - {"since", "site", "kinds"}
        if extra:
            raise unknown("invalid", "parameter", min(extra), ("since", "site", "kinds"))
        named = [name for text in query.get("kinds", ()) for name in text.split(",") if name]
        for name in named:
            if name not in KINDS:
                raise unknown("invalid", "kind", name, KINDS)
        sent = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
        since = sent or query.get("since", [""])[-1]  # a browser asks the same address again, and says in the header how far it came
        try:
            places = Told.read(since) if since else None
        except ValueError as error:
            raise Problem("bad-cursor", f"{'Last-Event-ID' if sent else 'since'}: {error}") from None
        return Asked(frozenset(named or KINDS), query.get("site", [None])[-1], places)

    async def _check_site(self, asked: Asked, identity: Identity) -> None:
        if asked.site is None:
            return
        seen = await at_the_door(self._parts.sites.seen_by, identity)
        if asked.site not in seen:
            raise unknown("unknown-site", "site", asked.site, seen)

    def _sees(self, identity: Identity, site: str | None, chain: str) -> bool:
        """Whether a chain is for this listener."""
        return site in (None, chain) and self._parts.sees(identity, site_of(chain))

    # ---- a stream from beginning to end

    async def _run(self, stream: Stream) -> None:
        listener = stream.listener
        # spread, so that after a restart not everybody comes again at the same moment
        await self._send(stream, b"retry: %d\n\n" % random.randint(500, 2_000))
        if stream.asked.since is None:
            listener.lose(BEGIN)
            self.hub.join(listener)
        else:
            await self._catch_up(stream, stream.asked.since)
        while True:
            if listener.lost is not None:
                await self._send_snapshot(stream)
            data = listener.next()
            if data:
                await self._send(stream, data)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await listener.wake.wait()
            except TimeoutError:
                await self._beat(stream)
            if listener.ended:
                raise Gone

    async def _catch_up(self, stream: Stream, since: Told) -> None:
        """Send everything behind a place; when this returns the hub gives the rest."""
        listener, hub = stream.listener, self.hub
        epoch, joined = hub.epoch, False
        reader, told_s = Reader(hub.journal, hub.handling, since, stream.asked.kinds), asyncio.get_running_loop().time()
        while True:
            page = await self._in_thread(reader.page)
            parts = [frame.data for frame in page if listener.wants(frame) and listener.fresh(frame)]
            for piece in _joined(parts):
                await self._send(stream, piece)
            now = asyncio.get_running_loop().time()
            if parts:
                told_s = now
            elif now - told_s >= HEARTBEAT_S:  # much that is not for it: it hears how far it is, and need not read that again
                told_s = now
                listener.place = reader.place
                await self._beat(stream, reader.place)
            await self._go_on(stream)
            if len(page) == PAGE:
                continue
            if joined and listener.lost is None:
                break
            listener.lost = None  # the files have what it lost
            hub.join(listener)
            joined = True
        if epoch != hub.epoch:
            listener.lose(REBUILT)
        elif not reader.whole:
            listener.lose(UNKNOWN)
        else:
            listener.offer((), hub.minutes.values())

    async def _send_snapshot(self, stream: Stream) -> None:
        listener, identity, asked = stream.listener, stream.identity, stream.asked
        because, missed, place = listener.lost, listener.place, self.hub.place
        self.dropped += because == SLOW
        listener.lost = None  # from here on events wait again; those that the snapshot has are passed over
        sites = [asked.site] if asked.site is not None else await at_the_door(self._parts.sites.seen_by, identity)
        service = asked.site is None and self._parts.sees(identity, None)
        members, upto = await self._in_thread(partial(self._snapshots.of, sites, service=service))
        listener.found(upto)
        listener.place = place
        gap = None if because in (BEGIN, UNKNOWN) else {"since": missed, "until": place}
        head = msgspec.json.encode({"kind": "snapshot", "because": because, "missed": gap})
        for piece in _joined(pieces_of(event("snapshot", head, place), members)):
            await self._send(stream, piece)

    async def _beat(self, stream: Stream, place: str = "") -> None:
        """Say that nothing happened, and how far the listener is (`place`, or where the hub is): it need not read again what was not for it."""
        await self._check_rights(stream)
        if not self.hub.well():
            return  # what it has may be old, and it is to notice
        listener = stream.listener
        if not place and listener.place != self.hub.place and listener.idle:
            place = listener.place = self.hub.place
        # no comment, which a page could not see: it says by this that what it shows is old
        await self._send(stream, event(HEARTBEAT, b'{"kind":"heartbeat","at":"%b"}' % iso(self._parts.now_us()).encode(), place))

    async def _send(self, stream: Stream, data: bytes) -> None:
        """Send a piece to who may still have it. Raises `Gone`."""
        await self._go_on(stream)
        await stream.write(data)
        if stream.listener.ended:
            raise Gone

    async def _go_on(self, stream: Stream) -> None:
        """Whether anybody listens, and still may. Raises `Gone`."""
        await self._check_rights(stream)
        if stream.listener.ended:
            raise Gone

    async def _check_rights(self, stream: Stream) -> None:
        """Now and then, whether it may still listen. Raises `Gone`."""
        now = asyncio.get_running_loop().time()
        if now - stream.checked_s < RIGHTS_S:
            return
        stream.checked_s = now
        if not await self._may_go_on(stream):
            # an empty id: a browser comes again without one, and begins with a snapshot of what it may see now
            await stream.write(b"id\n\n")
            raise Gone

    async def _may_go_on(self, stream: Stream) -> bool:
        """Whether it is still the one who may see the same."""
        authenticator = self._gatekeeper.authenticator
        try:
            identity = authenticator.remembered(stream.headers)
            if identity is None:  # that a page is open is no sign that somebody is there
                identity = await at_the_door(authenticator.identify, stream.headers, used=False)
        except Problem:
            return False
        return identity == stream.identity and identity.is_any(Role.VIEWER, Scope.READ)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


async def _until_gone(receive: Any, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


def _headers() -> list[tuple[bytes, bytes]]:
    # the last one: a proxy in front (nginx) sends on at once what it gets
    return [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


def _joined(parts: Iterable[bytes]) -> Iterable[bytes]:
    """The same bytes in pieces of about `CHUNK`."""
    some: list[bytes] = []
    size = 0
    for part in parts:
        some.append(part)
        size += len(part)
        if size >= CHUNK:
            yield b"".join(some)
            some, size = [], 0
    if some:
        yield b"".join(some)
