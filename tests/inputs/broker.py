"""A real Mosquitto on a free port of this machine, which a test can kill and start again; and a plain client to talk to it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WAIT_S = 30
BINARY = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Mosquitto:
    """A broker that keeps its sessions on the disk."""

    def __init__(self, folder: Path, more: str = "", *, anonymous: bool = True) -> None:
        if BINARY is None:
            pytest.skip("mosquitto is not installed: the tests of MQTT inputs run against it")
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous {str(anonymous).lower()}\npersistence true\npersistence_location {folder}/\n"
            f"autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 100000\nuser root\n{more}",
            encoding="utf-8",
        )
        self._log = (folder / "mosquitto.log").open("wb")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert BINARY is not None
        self._process = subprocess.Popen([BINARY, "-c", str(self._file)], stdout=self._log, stderr=self._log)
        until = time.monotonic() + WAIT_S
        while True:
            assert self._process.poll() is None
            assert time.monotonic() < until
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            threading.Event().wait(0.01)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, SIGKILL for suddenly."""
        self._process.send_signal(how)
        self._process.wait(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.stop(signal.SIGKILL)
        self._log.close()


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
        self._client.publish(topic, body, qos, retain).wait_for_publish(WAIT_S)

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
