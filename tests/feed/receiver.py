"""A receiver of webhooks on this machine that behaves as it is told: it takes, fails, stalls, sends elsewhere, breaks off, or says too much."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """`behave(n, path)`: what it does with request number n (from 0); what it took, by `webhook-id`."""

    behave: Callable[[int, str], str] = lambda n, path: "take"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: dict[str, list[bytes]] = field(default_factory=dict)
    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def wait(self, ready: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until it is so; it is looked again after each request."""
        with self.changed:
            assert self.changed.wait_for(ready, timeout_s), (len(self.requests), sorted(self.taken))


class _Quiet(BaseHTTPRequestHandler):
    def handle(self) -> None:
        with suppress(ssl.SSLError, ConnectionError):  # whoever called does not believe us, or was killed
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's own name
        pass


RAW = {
    "break": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
    "babble": b"SECRET " * 10_000 + b"\r\n\r\n",
    "flood": b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 1_000_000,
}
"""What is no answer, byte for byte."""


@contextmanager
def receiving(receiver: Receiver, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(_Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(body) < int(self.headers["content-length"]):
                return  # whoever sent it was killed
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.changed:
                n = len(receiver.requests)
                receiver.requests.append((headers, body))
                does = receiver.behave(n, self.path)
                if does == "take":
                    receiver.taken.setdefault(headers["webhook-id"], []).append(body)
                receiver.changed.notify_all()
            self._answer(does)

        def _answer(self, does: str) -> None:
            match does:
                case "take":
                    self.send_response(204)
                    self.end_headers()
                case "stall":
                    receiver.ended.wait(300)
                case "elsewhere":
                    self.send_response(302)
                    self.send_header("location", receiver.url("/inside"))
                    self.end_headers()
                case "later":
                    self.send_response(503)
                    self.send_header("retry-after", "3600")
                    self.end_headers()
                case "break" | "babble" | "flood":
                    self.wfile.write(RAW[does])
                case status:
                    self.send_response(int(status))
                    self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:  # the handshake is the thread's that serves the connection, so that nobody else waits for it
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
