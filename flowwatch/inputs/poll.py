"""Readings from an address that is asked again and again: a feed, a camera that answers and does not send.

One thread an address: it asks, deals with the answer, and only then waits for the next time, so two questions never overlap. An answer is
durable before the next question. What goes wrong is counted and told, and the next question waits longer, up to a bound. The same answer as
before (by its ETag, or byte for byte) is *stale*: it is counted and not staged again. Its rows would be the same readings and count once
anyway; a feed that has stood still for an hour is for people to see.

An answer is untrusted: it has a size and a time in which it must be complete, it is not unpacked, and it does not lead elsewhere (no redirects).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpx

from flowwatch.adapters.devices.message import Message
from flowwatch.core.readings import Reason
from flowwatch.documents.deployment import PollInput
from flowwatch.documents.secrets import SecretError, secret
from flowwatch.documents.wires import web_address
from flowwatch.documents.words import duration_us
from flowwatch.inputs.formats import Readers, own_readers, refused
from flowwatch.inputs.stager import Stager
from flowwatch.log.errors import LogError
from flowwatch.tls import Tls

LONGEST_PAUSE_S: Final = 600.0
"""However often it went wrong, the next question comes after so long; or after `every`, if that is longer."""
DURABLE_S: Final = 30.0
"""Rows that are not durable after this are counted as not taken; the next answer brings them again."""


class AnswerError(Exception):
    """An answer that cannot be used; the message says what was wrong with it."""


@dataclass(slots=True)
class PollFigures:
    """What came of it so far, for people and metrics.

    `stale`: answers that were the one before; `no_room`: answers that were not taken; `in_a_row`: questions that went wrong since the last good
    one; `since_s`: seconds since the last answer with something new in it, None before the first; `trouble`: what was wrong with the last
    question, "" if nothing was.
    """

    asked: int = 0
    answers: int = 0
    stale: int = 0
    readings: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    errors: int = 0
    no_room: int = 0
    in_a_row: int = 0
    since_s: float | None = None
    trouble: str = ""


class PollSource:
    """One address. `start` begins to ask, `close` ends it; `once` asks one time, in the caller's thread."""

    def __init__(
        self,
        source: PollInput,
        stager: Stager,
        *,
        formats: Readers | None = None,
        folder: Path = Path(),
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`formats`: readers of device families beside flowwatch's own; `folder`: the deployment file's. Raises ValueError without a reader."""
        self.source = source
        readers = own_readers() | dict(formats or {})
        if source.format not in readers:
            raise ValueError(f"no reader for the format {source.format}")
        self._reader = readers[source.format]
        self._stager = stager
        self._folder = folder
        self._tls = Tls.of(source.tls, folder)
        self._transport = transport
        self._clock = clock
        self._every_s = duration_us(source.every) / 1_000_000
        self._timeout_s = duration_us(source.timeout) / 1_000_000
        self._figures = PollFigures()
        self._lock = threading.Lock()
        self._etag = self._modified = ""
        self._digest = b""
        self._fresh_at: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flowwatch-poll", daemon=True)

    def start(self) -> None:
        """Begin to ask. Returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more. A question that is under way is given up within its timeout."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def figures(self) -> PollFigures:
        """A copy of the figures."""
        with self._lock:
            since = None if self._fresh_at is None else self._clock() - self._fresh_at
            return replace(self._figures, refused=self._figures.refused.copy(), since_s=since)

    def once(self) -> float:
        """Ask, and make durable what comes; seconds from the beginning of this question to that of the next."""
        with self._lock:
            self._figures.asked += 1
        try:
            self._take(self._ask())
        except (AnswerError, SecretError) as error:
            self._wrong(str(error))
        except Exception as error:  # noqa: BLE001 - the network, a certificate, a source that breaks the rules: the next question may go well
            self._wrong(f"{type(error).__name__}: {self._tls.why_not(error, web_address(self.source.url).hostname or self.source.url)}")
        else:
            with self._lock:
                self._figures.in_a_row, self._figures.trouble = 0, ""
        return max(self._every_s, min(LONGEST_PAUSE_S, self._every_s * 2.0 ** min(self._figures.in_a_row, 20)))

    def _run(self) -> None:
        while not self._closing.is_set():
            began = self._clock()
            pause = self.once()
            self._closing.wait(max(0.0, began + pause - self._clock()))

    def _wrong(self, why: str) -> None:
        with self._lock:
            self._figures.errors += 1
            self._figures.in_a_row += 1
            self._figures.trouble = f"{self.source.url}: {why}"

    def _ask(self) -> Message | None:
        """The answer; None if it is the one before. Raises `AnswerError`, `SecretError`, `httpx.HTTPError`."""
        until = self._clock() + self._timeout_s
        most = self.source.body_mb << 20
        headers = {"accept-encoding": "identity"}
        if self._etag:
            headers["if-none-match"] = self._etag
        elif self._modified:
            headers["if-modified-since"] = self._modified
        token = secret(self.source.token_file, self.source.token_env, self._folder)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        with self._client() as client, client.stream("GET", self.source.url, headers=headers) as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return None
            if answer.status_code != httpx.codes.OK:
                raise AnswerError(f"found the status {answer.status_code}, expected 200")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise AnswerError("found a packed answer, expected it unpacked, as it was asked for")
            parts, size = [], 0
            for part in answer.iter_raw():
                parts.append(part)
                size += len(part)
                if size > most:
                    raise AnswerError(f"found more than {most} bytes, expected at most that")
                if self._clock() > until:
                    raise AnswerError(f"found no end of the answer within {self.source.timeout}, expected it whole by then")
            self._etag, self._modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
            kind = answer.headers.get("content-type", "")
        return Message(b"".join(parts), time.time_ns() // 1000, content_type=kind, url=self.source.url)

    def _client(self) -> httpx.Client:
        source, auth = self.source, None
        if isinstance(source.username, str):
            auth = _Asked(source.username, secret(source.password_file, source.password_env, self._folder) or "")
        return httpx.Client(
            auth=auth,
            verify=self._tls.context(),
            timeout=self._timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
        )

    def _take(self, arrived: Message | None) -> None:
        """Make an answer durable. Raises `AnswerError` where it is not, after which the next answer counts as new."""
        digest = self._digest if arrived is None else hashlib.sha256(arrived.body).digest()
        if arrived is None or digest == self._digest:
            with self._lock:
                self._figures.answers += 1
                self._figures.stale += 1
            return
        try:
            batch = self._reader(arrived)
        except Exception:  # noqa: BLE001 - a reader that fails on some bytes is no reason to stop asking
            batch = refused(arrived.body, Reason.UNREADABLE)
        future = self._stager.offer(batch, len(arrived.body))
        try:
            if future is not None:
                future.result(DURABLE_S)
        except (LogError, NotYet) as error:
            self._etag = self._modified = ""
            raise AnswerError(str(error) or f"its rows are not durable after {DURABLE_S:.0f} s") from error
        if future is None:
            self._etag = self._modified = ""
            with self._lock:
                self._figures.no_room += 1
            raise AnswerError("found no room for its rows, expected the engine to take what waits")
        self._digest = digest
        with self._lock:
            self._fresh_at = self._clock()
            self._figures.answers += 1
            self._figures.readings += len(batch)
            self._figures.refused.update(refusal.reason for refusal in batch.refused)


class _Asked(httpx.Auth):
    """Digest where the source asks for it, Basic where it asks for that; nothing is shown before it has asked."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The question as it is, and if it is refused with an offer, again with the proof that was asked for."""
        answer = yield request
        offers = [offer.split(" ", 1)[0].casefold() for offer in answer.headers.get_list("www-authenticate")]
        if answer.status_code != httpx.codes.UNAUTHORIZED or not {"basic", "digest"} & set(offers):
            return
        if "digest" in offers:
            flow = httpx.DigestAuth(self._user, self._password).auth_flow(request)
            next(flow)
            yield flow.send(answer)
        else:
            yield next(httpx.BasicAuth(self._user, self._password).auth_flow(request))
