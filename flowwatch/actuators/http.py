"""Commands over HTTP: `PUT` to a device's own address, which answers with the acknowledgement; `GET` tells its state.

One thread with an event loop serves all devices, so that one that hangs keeps no other waiting. A command that comes while an earlier one to
the same device is still being put takes its place. Devices are asked for their state every few seconds, which is also how they hear that the
service lives; one that has not answered for `SILENT_S` counts as lost, well before it falls to its `on_lost`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from flowwatch.actuators import protocol
from flowwatch.actuators.clock import now_us
from flowwatch.actuators.protocol import MOST_BYTES, Command
from flowwatch.actuators.wires import Actuator, Connected, Heard, Silent, Tell
from flowwatch.documents.secrets import SecretError
from flowwatch.tls import Tls, TlsFileError

LOG: Final = logging.getLogger(__name__)
PUT_S: Final = 5.0
GET_S: Final = 3.0
ASK_EVERY_S: Final = 5.0
MOVING_EVERY_S: Final = 0.5
"""How often a device is asked while it obeys."""
MOVING_S: Final = 30.0
SILENT_S: Final = 12.0
GENERATION: Final = "Flowwatch-Generation"


class HttpWire:
    """All devices that are reached over HTTP."""

    def __init__(self, generation: int, tell: Tell) -> None:
        self.name = "http"
        self._generation, self._tell = generation, tell
        self._ways: dict[tuple[str, str], Actuator] = {}
        self._puts: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._asks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._wanted: dict[tuple[str, str], int] = {}
        self._put_at: dict[tuple[str, str], float] = {}
        self._wake: dict[tuple[str, str], asyncio.Event] = {}
        self._clients: dict[Tls, httpx.AsyncClient] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="actuators-http", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()
        self._tell(Connected(self.name, up=True, at_us=now_us()))

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)

    def abandon(self) -> None:
        """The same; there is no connection to leave behind."""
        self.stop()

    def way(self, site: str, device: str, actuator: Actuator) -> None:
        """Where `device` is; before `add`."""
        self._ways[site, device] = actuator

    def add(self, site: str, devices: Sequence[str]) -> None:
        """Ask devices from now on."""
        for device in devices:
            self._loop.call_soon_threadsafe(self._begin, (site, device))

    def send(self, command: Command) -> None:
        """Put `command`; returns at once."""
        self._loop.call_soon_threadsafe(self._replace, command)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        tasks = [*self._puts.values(), *self._asks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    def _begin(self, key: tuple[str, str]) -> None:
        if key not in self._asks:
            self._wake[key] = asyncio.Event()
            self._asks[key] = self._loop.create_task(self._ask(key))

    def _replace(self, command: Command) -> None:
        key = (command.site, command.device)
        if (before := self._puts.get(key)) is not None:
            before.cancel()
        self._wanted[key], self._put_at[key] = command.revision, time.monotonic()
        self._puts[key] = self._loop.create_task(self._put(key, command))

    async def _put(self, key: tuple[str, str], command: Command) -> None:
        way = self._ways[key]
        with contextlib.suppress(httpx.HTTPError, OSError, SecretError, TlsFileError):
            async with self._client(way).stream(
                "PUT", way.url_of(key[1]), content=protocol.write(command), headers=self._headers(way), timeout=PUT_S
            ) as answer:
                data = await _bounded(answer)
            if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
                self._tell(Heard(*key, "ack", data, live=True, at_us=now_us()))
        self._wake[key].set()

    async def _ask(self, key: tuple[str, str]) -> None:
        way = self._ways[key]
        heard, silent, pause, why = time.monotonic(), False, 0.0, ""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake[key].wait(), pause)
            self._wake[key].clear()
            pause = ASK_EVERY_S
            try:
                async with self._client(way).stream("GET", way.url_of(key[1]), headers=self._headers(way), timeout=GET_S) as answer:
                    data = await _bounded(answer)
                if answer.is_success:
                    heard, silent = time.monotonic(), False
                    self._tell(Heard(*key, "state", data, live=True, at_us=now_us()))
                    pause = ASK_EVERY_S if self._settled(data, key) else MOVING_EVERY_S
                why = f"HTTP {answer.status_code}"
            except (httpx.HTTPError, OSError, SecretError, TlsFileError) as error:
                why = way.tls.why_not(error, urlsplit(way.url_of(key[1])).hostname or key[1])
            if time.monotonic() - heard > SILENT_S and not silent:
                silent = True
                LOG.warning("%s/%s: %s: tells no state: %s", *key, urlsplit(way.url_of(key[1])).netloc, why)
                self._tell(Silent(*key, at_us=now_us()))

    def _settled(self, data: bytes, key: tuple[str, str]) -> bool:
        """Whether the last command that was put shows in the state, or never will; then it need not be asked so often."""
        if time.monotonic() - self._put_at.get(key, -MOVING_S) > MOVING_S:
            return True
        with contextlib.suppress(protocol.ProtocolError):
            return protocol.read(protocol.State, data).revision >= self._wanted.get(key, 0)
        return True

    def _client(self, way: Actuator) -> httpx.AsyncClient:
        if way.tls not in self._clients:
            limits = httpx.Limits(max_connections=None)
            self._clients[way.tls] = httpx.AsyncClient(verify=way.tls.context(), trust_env=False, limits=limits)
        return self._clients[way.tls]

    def _headers(self, way: Actuator) -> dict[str, str]:
        headers, token = {GENERATION: str(self._generation), "Content-Type": "application/json"}, way.token()
        return headers | ({"Authorization": f"Bearer {token}"} if token is not None else {})


async def _bounded(answer: httpx.Response) -> bytes:
    """The body, given up where it is larger than any message."""
    data = b""
    async for part in answer.aiter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise httpx.DecodingError(f"a body of more than {MOST_BYTES} bytes")
    return data
