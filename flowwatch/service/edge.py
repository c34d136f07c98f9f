"""The outermost layer: what every answer has, whoever makes it. Names the request, bounds it, adds the headers, writes the access line.

It also carries the readings' route and the feed's, past the framework. What nobody caught becomes a 500 that says nothing but the request's name.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send

from flowwatch.journal.database import JournalError
from flowwatch.log.errors import LogError
from flowwatch.service import stream
from flowwatch.service.access import FAULTS, Tally, line
from flowwatch.service.bodies import Disconnected, in_time
from flowwatch.service.gatekeeper import WHO, Gatekeeper, address
from flowwatch.service.problems import MEDIA_TYPE, Problem, wait
from flowwatch.service.readings import PATH, Readings
from flowwatch.service.stream import Feed

REQUEST: Final = "flowwatch.request"
"""Where the request's name stands in its scope."""
_PROCESS: Final = secrets.token_hex(4)
_NUMBERS: Final = itertools.count(1)
MOST_AT_ONCE: Final = 1_000
"""Requests that are under way; a further one is answered 503."""
MOST_OF_ONE: Final = 500
"""The same of one address, so that nobody takes all the room."""
STREAMS_AT_ONCE: Final = 1_000
"""Listeners to the feed. They last for hours, so they have room of their own and take none of the requests'."""
STREAMS_OF_ONE: Final = 500
"""The same of one address."""
KEPT_FOR_FIRE: Final = 100
"""Room that nothing but the report of a fire takes."""
FIRE: Final = "/actions/fire"
_JSON: Final = b"application/json"
_STRICT: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE_POLICY: Final = _STRICT + b"; script-src 'self'; style-src 'self'; connect-src 'self'"
"""For the pages of the documentation: their own script and style, nothing inline, nothing from elsewhere."""
_ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class Edge:
    """The service as an ASGI application."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper, readings: Readings, feed: Feed) -> None:
        self._app, self._gatekeeper, self._readings, self._feed = app, gatekeeper, readings, feed
        self._requests, self._streams = _Room(MOST_AT_ONCE, MOST_OF_ONE), _Room(STREAMS_AT_ONCE, STREAMS_OF_ONE)
        self._taken = Tally(f"POST {PATH}", 202)

    def stop(self) -> None:
        """End what lasts by itself, before the server waits for what is under way; called in the event loop."""
        self._feed.stop()

    def close(self) -> None:
        """Write what was not told yet."""
        self._taken.tell()

    async def __call__(self, given: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope: Any = given
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange, where, path = _Exchange(scope, send), address(scope), scope["path"]
        room = self._streams if path == stream.PATH else self._requests
        has_room = room.enter(where, KEPT_FOR_FIRE if path.endswith(FIRE) else 0)
        try:
            if not has_room:
                await exchange.problem(wait("busy", "too many requests are under way", 1))
            elif path == PATH:
                await self._read(scope, receive, exchange)
            elif path == stream.PATH:
                await self._feed.answer(scope, receive, exchange.send)
            else:
                await self._app(scope, in_time(receive), exchange.send)
        except Problem as problem:
            await exchange.problem(problem)
        except (LogError, JournalError) as error:
            FAULTS.error("request %s: %s", exchange.name, error)
            await exchange.problem(wait("unavailable", "the log cannot be written now; nothing of the request is kept", 5))
        except Disconnected:
            exchange.status = 499
        except Exception:  # noqa: BLE001 - the last place where anything can be caught: nobody sees a traceback but the log
            FAULTS.exception("request %s: %s", exchange.name, scope["method"])
            await exchange.problem(Problem("internal", "a fault of the service; its own log says more under this request's name"))
        finally:
            room.leave(where)
            exchange.end(self._taken)

    async def _read(self, scope: Any, receive: Receive, exchange: _Exchange) -> None:
        if scope["method"] != "POST":
            raise Problem("wrong-method", "readings are posted here", headers={"allow": "POST"})
        scope["path_template"] = PATH
        identity = await self._gatekeeper.admit(scope, PATH, {})
        assert identity is not None
        body = await self._readings.answer(identity, dict(scope["headers"]), in_time(receive))
        await exchange.answer(202, _JSON, body)


class _Room:
    """How many may be under way: `most` together, `of_one` of one address."""

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._under_way = 0
        self._of_address: Counter[str] = Counter()

    def enter(self, where: str, kept: int) -> bool:
        """One more comes, who may use `kept` places that nobody else may, from whatever address; whether there is room. It leaves in any case."""
        self._under_way += 1
        self._of_address[where] += 1
        if kept:
            return self._under_way <= self._most + kept
        return self._under_way <= self._most and self._of_address[where] <= self._of_one

    def leave(self, where: str) -> None:
        """One less."""
        self._under_way -= 1
        self._of_address[where] -= 1
        if not self._of_address[where]:
            del self._of_address[where]


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._scope, self._send = scope, send
        self._began = time.perf_counter()
        self.name = scope[REQUEST] = f"{_PROCESS}{next(_NUMBERS):08x}"
        self.status = 0

    async def send(self, message: Any) -> None:
        """Send on, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *_ALWAYS, (b"x-request-id", self.name.encode())]
            there = {name for name, _ in headers}
            if b"content-security-policy" not in there:
                headers.append((b"content-security-policy", _STRICT))
            if b"cache-control" not in there:
                headers.append((b"cache-control", b"no-store"))
            if self._scope.get("scheme") == "https":
                headers.append(_HSTS)
            message = {**message, "headers": headers}
        await self._send(message)

    async def answer(self, status: int, kind: bytes, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        given = [(name.encode(), value.encode("latin-1", "replace")) for name, value in (headers or {}).items()]
        start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *given],
        }
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})

    async def problem(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun: then it is broken off."""
        if not self.status:
            await self.answer(problem.status, MEDIA_TYPE.encode(), problem.body(self.name), problem.headers)

    def end(self, taken: Tally) -> None:
        """Write the access line; readings that were taken are counted in `taken` instead."""
        scope, now = self._scope, time.perf_counter()
        if self.status == 202 and scope["path"] == PATH:
            taken.count(scope[WHO].who, now, (now - self._began) * 1000)
            return
        identity = scope.get(WHO)
        who = identity.who if identity is not None else f"address:{address(scope)}"
        route = f"{scope['method']} {scope.get('path_template') or '-'}"
        line(self.name, who, route, self.status, (now - self._began) * 1000)
