"""A service that listens on a port of this machine, in this process; what is written for it to tell; and a listener that takes its stream apart."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from flowwatch.core.entries import GENESIS, Entry, EntryKind, Estimate, canonical, link
from flowwatch.handling.book import Book
from flowwatch.handling.records import Act, Alert, Handling, Said, Shown, Step
from flowwatch.journal import Journal
from flowwatch.service.auth.identity import Scope
from flowwatch.service.server import Listening, _config, _Server
from tests.service.place import START, Place, make

WAIT_S = 30.0


@dataclass(frozen=True)
class Event:
    """One event as a listener has it."""

    kind: str
    id: str | None
    data: Any


class Ear:
    """A listener over a plain socket, so that it can also read nothing. Events are read in its own thread."""

    def __init__(self, port: int, path: str, headers: dict[str, str], *, receive: int | None = None) -> None:
        self.socket = socket.socket()
        if receive is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(("127.0.0.1", port))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.last: str | None = None
        """As a browser keeps it."""
        self.beats = 0
        self.beaten: list[str] = []
        """The places that heartbeats told, in order."""
        self.events: queue.Queue[Event | None] = queue.Queue()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self._thread: threading.Thread | None = None

    def begin(self) -> Self:
        """Read the head, and what it is if it is no stream; then events, in a thread."""
        self.status = int(self._file.readline().split()[1])
        while (line := self._file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        if self.status != 200:
            self.body = self._file.read(int(self.headers["content-length"]))
            return self
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def next(self, *kinds: str) -> Event:
        """The next event, of one of the kinds if any is given. Fails after `WAIT_S`, and where the stream ends."""
        while True:
            event = self.events.get(timeout=WAIT_S)
            assert event is not None, "the stream has ended"
            if not kinds or event.kind in kinds:
                return event

    def ids(self, count: int) -> list[str]:
        """The entries' ids of the next so many events that are no state."""
        return [self.next("alert", "handling", "transition", "command", "device", "task").data["id"] for _ in range(count)]

    def ends(self) -> bool:
        """Whether the stream ends."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if self.events.get(timeout=WAIT_S) is None:
                return True
        return False

    def close(self) -> None:
        """Hang up."""
        with self.socket:
            self.socket.shutdown(socket.SHUT_RDWR) if self._connected() else None
        if self._thread is not None:
            self._thread.join()
        self._file.close()

    def _connected(self) -> bool:
        try:
            self.socket.getpeername()
        except OSError:
            return False
        return True

    def _read(self) -> None:
        kind, id_, data = "message", None, list[str]()
        try:
            for line in self._lines():
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if line == "":
                    if id_ is not None:
                        self.last = id_
                    if kind == "heartbeat":
                        self.beats += 1
                        self.beaten += [id_] if id_ else []
                    elif data:
                        self.events.put(Event(kind, id_, json.loads("\n".join(data))))
                    kind, id_, data = "message", None, []
                elif name == "event":
                    kind = value
                elif name == "id":
                    id_ = value
                elif name == "data":
                    data.append(value)
        except (OSError, ValueError):
            pass
        self.events.put(None)

    def _lines(self) -> Iterator[str]:
        rest = b""
        while size := int(self._file.readline() or b"0", 16):
            rest += self._file.read(size)
            self._file.readline()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                yield line.decode()


@dataclass
class Written:
    """Writes a journal and a record of handling as engine and desk do."""

    journal: Journal
    book: Book
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)

    def decide(self, site: str, kind: EntryKind = EntryKind.TASK, at: int = START, **body: Any) -> Entry:
        seq, previous = self.heads.get(site) or self.journal.head(site)
        data = canonical({"site": site, **body})
        entry = Entry(site, seq + 1, kind, at, data, link(previous or GENESIS, kind, at, data))
        self.heads[site] = entry.seq, entry.hash
        self.journal.append([entry])
        self.ids.append(entry.id)
        return entry

    def minute(self, site: str, at: int, people: int) -> None:
        self.journal.append([], [Estimate(site, at, canonical({"stage": "open", "zones": {"mall": {"people": people}}}))])

    def alert(self, site: str, incident: str, at: int = START, **more: Any) -> Entry:
        said: dict[str, Any] = {"state": "raised", "what": "stage", "subject": "mall", "priority": "II", "since_us": at} | more
        alert = Alert(site=site, incident=incident, text=Said("太满", "Too full"), shown=Shown.RAISED, **said)
        return self._write(site, at, alert)

    def step(self, site: str, incident: str, act: Act = Act.ACKNOWLEDGE, handling: Handling = Handling.ACKNOWLEDGED) -> Entry:
        return self._write(site, START, Step(site=site, incident=incident, act=act, by="wang", handling=handling))

    def _write(self, site: str, at: int, said: Alert | Step) -> Entry:
        (entry,) = self.book.write([(site, at, said)])
        self.ids.append(entry.id)
        return entry


@dataclass
class Live:
    """The service, what is written for it, and its port."""

    place: Place
    written: Written
    port: int
    stop: Callable[[], None]
    loop: asyncio.AbstractEventLoop
    listeners: list[Ear] = field(default_factory=list)

    def listen(self, query: str = "", headers: dict[str, str] | None = None, *, receive: int | None = None, begin: bool = True) -> Ear:
        given = headers if headers is not None else self.token()
        made = Ear(self.port, f"/v1/feed{query}", given, receive=receive)
        self.listeners.append(made)
        return made.begin() if begin else made

    def token(self, **where: Any) -> dict[str, str]:
        return self.place.token(Scope.READ, **where)

    def cut(self) -> None:
        """Break every stream off, as a network does."""
        for stream in list(self.place.service.feed.streams):
            self.loop.call_soon_threadsafe(stream.abort)


@contextmanager
def live(root: Path, front: Callable[[Any], Any] = lambda app: app) -> Iterator[Live]:
    """A live folder with a service that listens, behind `front`."""
    with ExitStack() as owned:
        place = make(root, owned, attended=False)
        journal = owned.enter_context(Journal.open(place.workspace.journal))
        book = Book.open(place.workspace.handling)
        owned.callback(book.close)
        port, stop, loop = owned.enter_context(served(front(place.service.app)))
        made = Live(place, Written(journal, book), port, stop, loop)
        yield made
        for listener in made.listeners:
            listener.close()


@contextmanager
def served(app: Any) -> Iterator[tuple[int, Callable[[], None], asyncio.AbstractEventLoop]]:
    """The application on a free port, in a thread; what ends it; and its loop."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        loop = asyncio.new_event_loop()
        server = _Server(_config(app, Listening("127.0.0.1", 0)), app.stop)
        thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve([bound])), daemon=True)
        up = threading.Event()
        loop.call_soon(lambda: asyncio.ensure_future(_tell(server, up)))
        thread.start()
        assert up.wait(WAIT_S)

        def stop() -> None:
            loop.call_soon_threadsafe(server.stop)
            thread.join(WAIT_S)
            assert not thread.is_alive()

        try:
            yield bound.getsockname()[1], stop, loop
        finally:
            if thread.is_alive():
                stop()
            loop.close()


async def _tell(server: _Server, up: threading.Event) -> None:
    await server.up.wait()
    up.set()


def until(true: Callable[[], bool]) -> None:
    """Wait until something of another thread is so."""
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def numbered(events: Sequence[Event]) -> list[str]:
    return [event.data["id"] for event in events]
