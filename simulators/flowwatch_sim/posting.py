"""Readings over HTTP, as gateways send them: NDJSON batches to `POST /v1/readings`, over connections that stay open.

Every site has its connection, so that its readings arrive in their order, and a request is repeated until it is answered: after a 429 or 503 when
`Retry-After` says, after a broken connection with growing pauses, always with the same bytes and the same idempotency key, so that what was taken
before the answer got lost is not taken twice. What a request holds is of its own, too: a counter's second message of one time goes into
the next one, since within a request it would be another reading and not the same again (docs/deployment.md).

Requests wait here while their connection is busy, a few of each connection; then `send` waits. Either way the time counts from when the
readings were due.
"""

from __future__ import annotations

import gzip
import http.client
import json
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flowwatch_sim.sinks import SinkError, Texts
from flowwatch_sim.stream import Batch
from flowwatch_sim.tally import Tally

PATH: Final = "/v1/readings"
MOST_LINES: Final = 1_000
"""Of one request."""
WAITING: Final = 16
"""Requests of one connection that may wait for it."""
ANSWER_S: Final = 45.0
"""How long an answer may take: longer than the service waits for its disk."""
FIRST_PAUSE_S: Final = 0.05
LAST_PAUSE_S: Final = 5.0
"""Between attempts where nobody says how long to wait."""
LONGEST_WAIT_S: Final = 60.0
"""No `Retry-After` is believed beyond this."""
_LATER: Final = frozenset({429, 500, 502, 503, 504})
_NOBODY: Final = frozenset({401, 403, 404})
"""The token or the address is wrong: no request will ever be taken."""
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Post:
    """One request. `due`: when its readings should have gone out, on the monotonic clock."""

    body: bytes
    readings: int
    due: float


class Posts:
    """A service that takes readings at an address such as http://127.0.0.1:8470."""

    def __init__(
        self, address: str, token: str, texts: Texts, *, connections: int = 8, compress: bool = False, patience_s: float = 60.0
    ) -> None:
        """`patience_s`: how long one request is tried before all ends with `SinkError`. Raises ValueError for no address."""
        self._url = urlsplit(address)
        if self._url.scheme not in ("http", "https") or not self._url.hostname or self._url.query:
            raise ValueError(f'found "{address}", expected an address such as http://127.0.0.1:8470')
        self._texts, self._patience_s = texts, patience_s
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        if compress:
            self._headers["Content-Encoding"] = "gzip"
        self._compress = compress
        self._run = secrets.token_hex(8)
        self._tally = Tally()
        self._error = ""
        self._over = threading.Event()
        self._queues: list[queue.Queue[Post | None]] = [queue.Queue(WAITING) for _ in range(connections)]
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(connections)]
        for thread in self._threads:
            thread.start()

    def send(self, batch: Batch, start_us: int, late_s: float = 0.0) -> None:
        """Hand the readings to their connections. Raises `SinkError`."""
        due = time.monotonic() - late_s
        for connection, lines in self._requests(batch, start_us):
            body = "".join(lines).encode()
            self._hand_over(connection, Post(gzip.compress(body, 1) if self._compress else body, len(lines), due))

    def close(self) -> None:
        """Wait until every request is answered. Raises `SinkError`."""
        for connection in range(len(self._queues)):
            self._hand_over(connection, None)
        for thread in self._threads:
            thread.join()
        self._check()

    def taken(self) -> Tally | None:
        """What the service answered."""
        return self._tally

    def _requests(self, batch: Batch, start_us: int) -> Iterator[tuple[int, list[str]]]:
        """(connection, lines): at most `MOST_LINES`, and no two of one counter at one time."""
        many = len(self._queues)
        lines: list[list[str]] = [[] for _ in range(many)]
        there: list[set[tuple[int, int, int]]] = [set() for _ in range(many)]
        columns = (batch.site.tolist(), batch.counter.tolist(), batch.at.tolist())
        for line, name in zip(self._texts.lines(batch, start_us), zip(*columns, strict=True), strict=True):
            connection = name[0] % many
            if len(lines[connection]) == MOST_LINES or name in there[connection]:
                yield connection, lines[connection]
                lines[connection], there[connection] = [], set()
            lines[connection].append(line)
            there[connection].add(name)
        yield from ((connection, rest) for connection, rest in enumerate(lines) if rest)

    def _hand_over(self, connection: int, post: Post | None) -> None:
        while True:
            self._check()
            with suppress(queue.Full):
                self._queues[connection].put(post, timeout=_LOOK_S)
                return

    def _check(self) -> None:
        if self._error:
            raise SinkError(self._error)

    # -- one thread a connection ------------------------------------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        made = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        assert self._url.hostname is not None
        connection = made(self._url.hostname, self._url.port, timeout=ANSWER_S)
        try:
            count = 0
            while not self._over.is_set():
                try:
                    post = self._queues[number].get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if post is None:
                    return
                count += 1
                self._post(connection, post, f"{self._run}-{number}-{count}")
        except Exception as error:  # noqa: BLE001 - whatever ends this thread, the sender must hear of it
            self._end(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, post: Post, key: str) -> None:
        """Repeat one request until it is answered for good."""
        headers, path = self._headers | {"Idempotency-Key": key}, self._url.path.rstrip("/") + PATH
        began, pause, first = time.monotonic(), FIRST_PAUSE_S, True
        while not self._over.is_set():
            if not first:
                self._tally.repeated()
            first = False
            try:
                connection.request("POST", path, post.body, headers)
                answer = connection.getresponse()
                data, status, after = answer.read(), answer.status, answer.headers.get("Retry-After")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                why, wait = f"{type(error).__name__}: {error}", pause
            else:
                if status == 202:
                    self._accepted(post, data)
                    return
                why = f"{status} {_detail(data)}"
                if status in _NOBODY:
                    self._end(why)
                    return
                if status not in _LATER and after is None:
                    self._tally.answered(0, {f"answered {status}": post.readings}, time.monotonic() - post.due)
                    return
                wait = _seconds(after, pause)
            pause = min(LAST_PAUSE_S, 2 * pause)
            if time.monotonic() + wait > began + self._patience_s:
                self._end(f"a request was not taken within {self._patience_s:g} s: {why}")
                return
            self._over.wait(wait)

    def _accepted(self, post: Post, data: bytes) -> None:
        told: dict[str, Any] = json.loads(data)
        self._tally.answered(int(told["accepted"]), told.get("refused", {}), time.monotonic() - post.due)

    def _end(self, why: str) -> None:
        self._error = self._error or f"{self._url.hostname}: {why}"
        self._over.set()


def _seconds(after: str | None, otherwise: float) -> float:
    return min(LONGEST_WAIT_S, float(after)) if after is not None and after.isdigit() else otherwise


def _detail(data: bytes) -> str:
    try:
        return str(json.loads(data)["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        return ""
