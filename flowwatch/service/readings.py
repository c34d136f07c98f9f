"""`POST /v1/readings`: bytes to rows in the log's inbox, answered when they are durable.

The body is NDJSON (`docs/readings.md`), a JSON array of readings, or one. What is no reading, or of a counter that the log does not know, is
kept in the log as refused and counted in the answer; it stops nothing else. A plain ASGI application, because it is asked thousands of
times a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.ndjson import Codec
from flowwatch.core.readings import Reason
from flowwatch.documents.faults import near
from flowwatch.log.routing import site_of
from flowwatch.service.auth.identity import Identity, Scope
from flowwatch.service.auth.rates import Rates
from flowwatch.service.bodies import Bodies
from flowwatch.service.idempotency import Idempotency
from flowwatch.service.problems import Problem, wait
from flowwatch.service.singles import Singles
from flowwatch.service.sites import Sites
from flowwatch.service.staging import Stager

PATH: Final = "/v1/readings"
LINES: Final = frozenset({b"application/x-ndjson", b"application/ndjson", b"application/jsonl", b"application/json-lines", b""})
JSON: Final = frozenset({b"application/json"})
MOST_EXAMPLES: Final = 5
LARGE: Final = 256 << 10
"""A body above it is decoded in a thread, so that others are answered meanwhile."""
LARGE_AT_ONCE: Final = 8
"""Bodies above `LARGE` that are decoded at a time; the others wait, so that memory has a bound."""
COMMAS: Final = 500_000
"""The most commas in a JSON array, some 60,000 readings; NDJSON takes more."""
RETRY_S: Final = 1.0
DURABLE_S: Final = 30.0
"""How long rows may wait to be durable; a disk that takes longer is broken."""
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ITEM: Final = msgspec.json.Decoder(msgspec.Raw)
_ONE: Final = b'{"accepted":1,"refused":{},"examples":[]}'
_ACCEPTED: Final = b'{"accepted":%d,"refused":{},"examples":[]}'


class Readings:
    """The route. `rates` are readings by identity."""

    def __init__(self, sites: Sites, stager: Stager, bodies: Bodies, idempotency: Idempotency, rates: Rates) -> None:
        self._sites, self._stager, self._bodies, self._idempotency, self._rates = sites, stager, bodies, idempotency, rates
        self._codec = Codec()
        self._singles = Singles(sites, stager, durable)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def answer(self, identity: Identity, headers: Mapping[bytes, bytes], receive: Any) -> bytes:
        """The body of the 202. Raises `Problem`, `Disconnected`."""
        self._check_there()
        self._not_too_many(identity, 1)
        body = await self._bodies.read(headers, receive)
        key = headers.get(b"idempotency-key")
        if key is None:
            return await self._take(identity, headers, body)
        text = key.decode("latin-1")
        with self._idempotency.alone(identity.who, text):
            before = await asyncio.to_thread(self._idempotency.answered, identity.who, text, body)
            if before is not None:
                return before
            answer = await self._take(identity, headers, body)
            await asyncio.to_thread(self._idempotency.keep, identity.who, text, body, answer)
            return answer

    def _check_there(self) -> None:
        """Raise `Problem` before the log has any document: then nobody's counters are known, and what came would be lost on nobody."""
        if not self._sites.counters() and not self._sites.names():
            raise wait("unavailable", "the log has no documents yet; `flowwatch run --documents DIR` brings them in", RETRY_S)

    async def _take(self, identity: Identity, headers: Mapping[bytes, bytes], body: bytes) -> bytes:
        """Take a body whose first row is charged."""
        kind = headers.get(b"content-type", b"")
        if len(body) <= LARGE:
            return await self._rows(identity, as_lines(kind, body).rstrip(b"\r\n"))
        async with self._large:
            return await self._rows(identity, (await asyncio.to_thread(as_lines, kind, body)).rstrip(b"\r\n"))

    async def _rows(self, identity: Identity, lines: bytes) -> bytes:
        if b"\n" not in lines and 0 < len(lines) <= LARGE and identity.sees_everything() and await self._singles.take(lines):
            return _ONE
        batch = await asyncio.to_thread(Codec().batch, lines) if len(lines) > LARGE else self._codec.batch(lines)
        self._check_sites(identity, batch)
        rows = len(batch) + len(batch.refused)
        self._not_too_many(identity, max(0, rows - 1))
        unknown = self._unknown(batch)
        if unknown:
            await asyncio.to_thread(self._sites.names)  # its document may have come a moment ago
            unknown = self._unknown(batch)
        if rows:
            await durable(self._stager.offer(batch, len(lines)))
        if not unknown and not batch.refused:
            return _ACCEPTED % len(batch)
        return _told(batch, unknown, self._sites.counters(), identity)

    def _not_too_many(self, identity: Identity, rows: int) -> None:
        seconds = self._rates.take(identity.who, rows)
        if seconds:
            raise wait("too-many-requests", "more readings than this identity may send; wait and go on more slowly", seconds)

    def _check_sites(self, identity: Identity, batch: Batch) -> None:
        """Raise `Problem` where a reading is of a site that the token is not for; then nothing of the request is taken."""
        if identity.sees_everything():
            return
        for site in sorted({site_of(name) for name in set(batch.readings.names)}):
            if not identity.may(None, Scope.READINGS_WRITE, self._sites.areas.of(site)):
                raise Problem("not-allowed", f'this token may not send readings of site "{site:.80}"; nothing of the request was taken')

    def _unknown(self, batch: Batch) -> list[int]:
        known, names = self._sites.counters(), batch.readings.names
        if known.issuperset(names):
            return []
        return [i for i, name in enumerate(names) if name not in known]


async def durable(future: Future[Any] | None) -> None:
    """Wait until rows are on the disk. Raises `Problem` where there is no room for them, or the disk refuses."""
    if future is None:
        raise wait("busy", "more readings are waiting to become durable than can be held; nothing of this request was taken", RETRY_S)
    try:
        async with asyncio.timeout(DURABLE_S):
            await asyncio.wrap_future(future)
    except TimeoutError:
        raise wait("unavailable", f"the disk has not taken the rows within {DURABLE_S:.0f} s; they may or may not be kept", 5) from None


def as_lines(content_type: bytes, body: bytes) -> bytes:
    """The body as NDJSON. Raises `Problem` for one of another kind, and for JSON that is none."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind in LINES:
        return body
    if kind not in JSON:
        shown = kind.decode("latin-1")[:80]
        raise Problem("unsupported-media-type", f'the body is "{shown}", expected application/x-ndjson or application/json')
    if body.count(b",") > COMMAS:
        raise Problem("too-large", f"a JSON array of more than {COMMAS:,} commas; send NDJSON, or less at a time")
    try:
        items = _ITEMS.decode(body) if body.lstrip()[:1] == b"[" else [_ITEM.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad-request", f"the body is no JSON: {error}") from None
    texts = [bytes(item) for item in items]
    if b"\n" in body or b"\r" in body:
        texts = [text.replace(b"\n", b" ").replace(b"\r", b" ") for text in texts]  # between tokens: a JSON string cannot hold either
    return b"\n".join(texts)


def _told(batch: Batch, unknown: list[int], known: frozenset[str], identity: Identity) -> bytes:
    names = batch.readings.names
    refused: Counter[str] = Counter(refusal.reason.name.lower() for refusal in batch.refused)
    examples: list[dict[str, Any]] = []
    sites = {site_of(name) for name in known}
    for i in unknown:
        reason = Reason.UNKNOWN_COUNTER if site_of(names[i]) in sites else Reason.UNKNOWN_SITE
        refused[reason.name.lower()] += 1
        if len(examples) < MOST_EXAMPLES:
            example = {"reason": reason.name.lower(), "counter": names[i][:200]}
            seen = known if identity.sees_everything() else [name for name in known if site_of(name) == site_of(names[i])]
            meant = near(names[i], seen)
            examples.append(example | ({"did_you_mean": meant} if meant else {}))
    examples += [
        {"reason": refusal.reason.name.lower(), "raw": refusal.raw[:200].decode("utf-8", "replace")}
        for refusal in batch.refused[: MOST_EXAMPLES - len(examples)]
    ]
    accepted = len(batch) - len(unknown)
    return msgspec.json.encode({"accepted": accepted, "refused": dict(sorted(refused.items())), "examples": examples})
