"""Real servers from Debian on free ports of this machine, which a test can kill and start again; and a plain client of a broker."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WAIT_S = 30
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin:/opt/homebrew/bin"
BINARY = shutil.which("mosquitto", path=_PLACES)
PROMETHEUS = shutil.which("prometheus", path=_PLACES)
PROMTOOL = shutil.which("promtool", path=_PLACES)
ALERTMANAGER = shutil.which("prometheus-alertmanager", path=_PLACES) or shutil.which("alertmanager", path=_PLACES)
_PORTS = range(11_000, 32_000)
"""Below those that systems give by themselves to whoever connects or asks for any."""
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that nobody gets by chance before the one that it is for begins to listen, or while that one is dead."""
    dice = random.SystemRandom()  # the usual one is seeded, the same in every process
    while True:
        port = dice.choice(_PORTS)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


class Server:
    """A process that listens on `port`; running once this is made. Where its program is missing, the test is skipped."""

    def __init__(self, program: str | None, called: str, arguments: Sequence[str], port: int, log: Path) -> None:
        """`called`: the program and its package."""
        if program is None:
            pytest.skip(f"{called} is not installed: these tests run against it")
        self.port = port
        self._command = [program, *arguments]
        self._log = log.open("ab")
        self.start()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)
        until = time.monotonic() + WAIT_S
        while True:
            assert self._process.poll() is None, self._log.name
            assert time.monotonic() < until, self._log.name
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            threading.Event().wait(0.01)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, SIGKILL for suddenly."""
        self._process.send_signal(how)
        self._process.wait(WAIT_S)

    def kill(self) -> None:
        """End it suddenly; one that is dead already stays so."""
        if self._process.poll() is None:
            self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        self._log.close()


class Mosquitto(Server):
    """A broker. `keeps`: it keeps its sessions and what is retained on the disk; `more`: further lines of its configuration."""

    def __init__(self, folder: Path, more: str = "", *, anonymous: bool = True, keeps: bool = True) -> None:
        port, file = free_port(), folder / "mosquitto.conf"
        kept = (
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 100000\n"
        )
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous {str(anonymous).lower()}\nuser root\n{kept if keeps else ''}{more}",
            encoding="utf-8",
        )
        super().__init__(BINARY, "mosquitto (Debian: mosquitto)", ["-c", str(file)], port, folder / "mosquitto.log")


def users(folder: Path, **passwords: str) -> str:
    """A line that has a Mosquitto know these users, written down in `folder`. Whoever gives no name may come in all the same, if anybody may."""
    salt = b"twelve bytes"
    hashed = {name: hashlib.pbkdf2_hmac("sha512", word.encode(), salt, 101, 64) for name, word in passwords.items()}
    lines = [f"{name}:$7$101${b64encode(salt).decode()}${b64encode(found).decode()}\n" for name, found in hashed.items()]
    (folder / "users").write_text("".join(lines), encoding="utf-8")
    return f"password_file {folder}/users\n"


class Alertmanager(Server):
    """Prometheus's Alertmanager. `config`: its configuration, YAML; `web`: that of its TLS, YAML too, if it has any."""

    def __init__(self, folder: Path, config: str, *, port: int | None = None, web: str | None = None) -> None:
        """`port`: a free one if it is left out."""
        self._scheme = "http" if web is None else "https"
        listens, file = port or free_port(), folder / "alertmanager.yaml"
        file.write_text(config, encoding="utf-8")
        arguments = [f"--config.file={file}", f"--storage.path={folder}/kept", f"--web.listen-address=127.0.0.1:{listens}"]
        if web is not None:
            (folder / "web.yaml").write_text(web, encoding="utf-8")
            arguments.append(f"--web.config.file={folder}/web.yaml")
        super().__init__(
            ALERTMANAGER,
            "prometheus-alertmanager (Debian: prometheus-alertmanager)",
            [*arguments, "--cluster.listen-address="],
            listens,
            folder / "alertmanager.log",
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self._scheme}://127.0.0.1:{self.port}"


class Prometheus(Server):
    """A Prometheus that keeps what it scrapes in `folder`. `config`: its configuration, YAML."""

    def __init__(self, folder: Path, config: str) -> None:
        port, file = free_port(), folder / "prometheus.yml"
        file.write_text(config, encoding="utf-8")
        arguments = [f"--config.file={file}", f"--storage.tsdb.path={folder}/kept", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(PROMETHEUS, "prometheus (Debian: prometheus)", arguments, port, folder / "prometheus.log")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


class Sender:
    """A device, or somebody who listens: connects, publishes and waits until the broker has it."""

    def __init__(self, port: int, name: str = "sender", will: tuple[str, bytes] | None = None) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        if will is not None:
            self._client.will_set(will[0], will[1], qos=1, retain=True)
        connected = threading.Event()
        self._client.on_connect = lambda *_: connected.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert connected.wait(WAIT_S)

    def send(self, topic: str, body: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Publish; returns when the broker has acknowledged it."""
        sent = self._client.publish(topic, body, qos, retain)
        sent.wait_for_publish(WAIT_S)
        assert sent.is_published()

    def vanish(self) -> None:
        """Break off without a word, so that the last will is published."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        self._client.reconnect_delay_set(3600, 3600)
        sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye."""
        self._client.disconnect()
        self._client.loop_stop()
