"""Bodies of requests, read with a bound on everything: bytes on the wire, bytes after decompression, time, and all bodies together.

A body is cut off at the first byte too many, whatever its head promised; the connection is closed then, so that nobody goes on sending.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any, Final

from litestar.types import Receive

from flowwatch.service.problems import Problem, wait

BODY_S: Final = 30.0
"""How long a body may take."""
MEMBERS: Final = 16
"""The most gzip files that may stand one behind another in a body: each costs a copy of the rest."""
IN_A_THREAD: Final = 64 << 10
"""A packed body above it is unpacked in a thread, so that others are answered meanwhile."""
_GZIP: Final = 31
"""zlib's window bits for gzip with a header."""


class Disconnected(Exception):  # noqa: N818 - named by what it says
    """Who asked has gone."""


def in_time(receive: Receive) -> Receive:
    """`receive`, but the whole body comes within `BODY_S` of the first time that it is asked for. Raises `Problem`."""
    began: list[float] = []
    whole = False

    async def bounded() -> Any:
        nonlocal whole
        if whole:
            return await receive()
        if not began:
            began.append(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout_at(began[0] + BODY_S):
                message: Any = await receive()
        except TimeoutError:
            raise Problem("bad-request", f"the body did not come within {BODY_S:.0f} s", headers={"connection": "close"}) from None
        whole = not message.get("more_body", False)
        return message

    return bounded


class Bodies:
    """Reads bodies of at most `most` bytes, `together` bytes at one time."""

    def __init__(self, most: int, together: int) -> None:
        self.most = most
        self._together = together
        self._held = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, decompressed if it says gzip. Raises `Problem`, `Disconnected`."""
        promised = headers.get(b"content-length")
        if promised is not None and (not promised.isdigit() or int(promised) > self.most):
            raise self._too_large("the body")
        message: Any = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        data: bytes = message["body"]
        if message.get("more_body", False):
            data = await self._rest(data, receive)
        elif len(data) > self.most:
            raise self._too_large("the body")
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding == b"gzip":
            return await asyncio.to_thread(self._unpacked, data) if len(data) > IN_A_THREAD else self._unpacked(data)
        if encoding != b"identity":
            raise Problem(
                "unsupported-media-type", "the body's Content-Encoding is neither gzip nor identity", headers={"accept-encoding": "gzip"}
            )
        return data

    async def _rest(self, begun: bytes, receive: Receive) -> bytes:
        parts, size = [begun], len(begun)
        self._hold(size)
        held = size
        try:
            while True:
                message: Any = await receive()
                if message["type"] != "http.request":
                    raise Disconnected
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > self.most:
                    raise self._too_large("the body")
                self._hold(len(part))
                held += len(part)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
        finally:
            self._held -= held

    def _hold(self, size: int) -> None:
        if self._held + size > self._together:
            raise wait("busy", "too many large bodies are on their way", 2)
        self._held += size

    def _unpacked(self, data: bytes) -> bytes:
        unpacker = zlib.decompressobj(_GZIP)
        try:
            plain, members = unpacker.decompress(data, self.most + 1), 1
            while unpacker.eof and unpacker.unused_data and len(plain) <= self.most:  # gzip files may stand one behind another
                if members == MEMBERS:
                    raise Problem("bad-request", f"the gzip body has more than {MEMBERS} parts")
                rest, members = unpacker.unused_data, members + 1
                unpacker = zlib.decompressobj(_GZIP)
                plain += unpacker.decompress(rest, self.most + 1 - len(plain))
        except zlib.error:
            raise Problem("bad-request", "the body says gzip and is none") from None
        if len(plain) > self.most:
            raise self._too_large("the decompressed body")
        if not unpacker.eof:
            raise Problem("bad-request", "the gzip body ends too early")
        return plain

    def _too_large(self, what: str) -> Problem:
        return Problem("too-large", f"{what} is larger than {self.most} bytes; send less at a time", headers={"connection": "close"})
