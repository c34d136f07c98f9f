"""The service as a process: a socket, TLS by files if there are any, one event loop, and an end that finishes what it began.

`SIGTERM` and Ctrl-C stop it: no new requests, streams end at once, requests under way are finished (ten seconds at most), and what they staged
is durable before the process ends.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
import uvloop
from msgspec import UnsetType
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flowwatch.documents.deployment import Deployment
from flowwatch.documents.deployment import Limits as DeclaredLimits
from flowwatch.documents.wires import is_local, listen_address
from flowwatch.inputs.stager import Bounds
from flowwatch.service.app import Limits

STOP_S: Final = 10
"""How long requests under way may take to end when the service stops."""
IDLE_S: Final = 75
"""How long a connection may be idle between two requests."""
FEW_DESCRIPTORS: Final = 4_096
"""Enough for all requests and streams that there is room for (`edge`), and what the rest of the service has open."""
MANY_DESCRIPTORS: Final = 65_536
"""More than that are not taken: systems that allow any number have no use for it here."""
LOG: Final = logging.getLogger(__name__)
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the service listens and how. `proxies`: addresses that are believed when they say for whom they ask."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxies: Sequence[str] = field(default_factory=tuple)

    @property
    def is_open(self) -> bool:
        """Whether passwords and tokens may cross a network in the clear."""
        return not is_local(self.host) and self.certificate is None

    @classmethod
    def of(cls, deployment: Deployment | None, folder: Path, listen: str | None) -> Listening:
        """What a deployment file says (paths from its `folder`), with another address if one is given. Raises ValueError for none."""
        said = deployment or Deployment(deployment="here")
        text = said.listen if listen is None else listen
        host, port = (text.removesuffix(":0").strip("[]"), 0) if text.endswith(":0") else listen_address(text)
        if isinstance(said.tls, UnsetType):
            return cls(host, port, proxies=tuple(said.proxies))
        return cls(host, port, folder / said.tls.certificate, folder / said.tls.key, tuple(said.proxies))


def limits_of(said: DeclaredLimits) -> tuple[Limits, Bounds]:
    """A deployment file's limits, for the API and for what may wait to be durable."""
    usual = Limits()
    readings = usual.readings_per_s if isinstance(said.readings_per_s, UnsetType) else float(said.readings_per_s)
    requests = said.requests_per_min / 60
    limits = Limits(
        body=said.body_mb * MIB,
        bodies_together=max(usual.bodies_together, 4 * said.body_mb * MIB),
        requests_per_s=requests,
        requests_at_once=max(10.0, requests * 10),
        readings_per_s=readings,
        readings_at_once=max(readings * 2, 10_000.0),
    )
    return limits, Bounds(said.waiting_rows, said.waiting_mb * MIB, said.inbox_files, said.inbox_mb * MIB)


def run(app: Any, listening: Listening, ready: Callable[[str], None]) -> None:
    """Serve until a signal; `ready` is told the address once requests are answered. Raises OSError where the address is taken."""
    # what is there now stays for the life of the process: looking through it for garbage would stop all answers for 0.2 s, now and then
    gc.collect()
    gc.freeze()
    take_descriptors()
    with closing_socket(listening) as bound, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, listening, bound, ready))


def take_descriptors() -> None:
    """Take file descriptors, as many as may be had: each connection needs one, and a service without any takes no report of a fire."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MANY_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < FEW_DESCRIPTORS:
        LOG.warning("only %d file descriptors may be had, expected %d at least (ulimit -n, LimitNOFILE)", wanted, FEW_DESCRIPTORS)


@contextmanager
def closing_socket(listening: Listening) -> Iterator[socket.socket]:
    """The socket that the service listens on."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((listening.host, listening.port))
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{listening.host}:{listening.port}") from error
        yield bound
    finally:
        bound.close()


async def _serve(app: Any, listening: Listening, bound: socket.socket, ready: Callable[[str], None]) -> None:
    server = _Server(_config(app, listening), app.stop)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    serving = asyncio.ensure_future(server.serve([bound]))
    await asyncio.wait([serving, asyncio.ensure_future(server.up.wait())], return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        ready(f"http{'s' if listening.certificate else ''}://{shown}:{port}")
    await serving


class _Server(uvicorn.Server):
    """uvicorn's server, told to stop by us: its own way ends the process by the signal that it got."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        """`stopping`: ends what would last longer than the server waits."""
        super().__init__(config)
        self._stopping = stopping
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """End; a second time, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._stopping()


class _Protocol(HttpToolsProtocol):
    """uvicorn's, and a request says how its connection is broken off: one that reads nothing cannot be ended in any other way."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["flowwatch.abort"] = self.transport.abort


def _config(app: Any, listening: Listening) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(listening.proxies),
        forwarded_allow_ips=list(listening.proxies),
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.key,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )
