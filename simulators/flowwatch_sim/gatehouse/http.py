"""Controllers behind one HTTP server: `PUT /<kind>/<id>` takes a command and answers with the acknowledgement, `GET` tells the state.

For tests, `PUT /<kind>/<id>/faults` takes a text such as "refuse"; empty ends them.
"""

from __future__ import annotations

import contextlib
import hmac
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from flowwatch.actuators import protocol
from flowwatch.actuators.http import GENERATION
from flowwatch.actuators.protocol import MOST_BYTES
from flowwatch_sim.gatehouse.controller import Controller, Voice
from flowwatch_sim.gatehouse.faults import Faults

SILENT = Voice(lambda _state: None, lambda _ack: None)
"""Over HTTP a controller speaks when it is asked."""


class HttpLines:
    """The server of all controllers of one process, on the loopback interface unless another `host` is given."""

    def __init__(self, controllers: Mapping[str, Controller], host: str, port: int, token: str | None = None) -> None:
        lines = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10.0

            def do_GET(self) -> None:
                lines.answer(self, put=False)

            def do_PUT(self) -> None:
                lines.answer(self, put=True)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that is overridden
                """The diary has it."""

        self._controllers, self._token = controllers, token
        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, *, put: bool) -> None:
        """One request."""
        device, _, leaf = request.path.strip("/").partition("/faults")
        controller = self._controllers.get(device)
        given = request.headers.get("Authorization", "")
        if self._token is not None and not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            _say(request, HTTPStatus.UNAUTHORIZED, b"{}")
        elif controller is None or leaf:
            _say(request, HTTPStatus.NOT_FOUND, b"{}")
        elif not put:
            _heard(request, controller)
            _say(request, HTTPStatus.OK, protocol.write(controller.state()))
        else:
            self._put(request, controller, faults=request.path.endswith("/faults"))

    @staticmethod
    def _put(request: BaseHTTPRequestHandler, controller: Controller, *, faults: bool) -> None:
        length = request.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MOST_BYTES:
            request.close_connection = True
            _say(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"{}")
            return
        data = request.rfile.read(int(length))
        if faults:
            with contextlib.suppress(ValueError):
                controller.set_faults(Faults.parse(data.decode(errors="replace")))
            _say(request, HTTPStatus.OK, b"{}")
            return
        _heard(request, controller)
        ack = controller.hear(data)
        if ack is None:
            _say(request, HTTPStatus.BAD_REQUEST, b"{}")
        else:
            _say(request, HTTPStatus.OK, protocol.write(ack))


def _heard(request: BaseHTTPRequestHandler, controller: Controller) -> None:
    """The service lives, if it is not one that was fenced."""
    said = request.headers.get(GENERATION, "")
    if said.isascii() and said.isdigit() and len(said) < 16 and int(said) >= controller.memory.generation:
        controller.service_lives(int(said))


def _say(request: BaseHTTPRequestHandler, status: HTTPStatus, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
