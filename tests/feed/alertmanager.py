"""Debian's Alertmanager on a free port of this machine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from tests.inputs.broker import free_port

BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
WAIT_S = 60
CONFIG = "route:\n  receiver: none\n  group_by: [site]\n  group_wait: 1s\nreceivers:\n  - name: none\n"


class Alertmanager:
    """One that sends to nobody; what it holds is asked over its API."""

    def __init__(self, folder: Path) -> None:
        if BINARY is None:
            pytest.skip("prometheus-alertmanager is not installed: these tests run against it")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        (folder / "alertmanager.yml").write_text(CONFIG, encoding="utf-8")
        self._log = (folder / "alertmanager.log").open("wb")
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        command = [
            BINARY,
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until = time.monotonic() + WAIT_S
        while True:
            assert self._process.poll() is None
            assert time.monotonic() < until
            try:
                if httpx.get(f"{self.url}/-/ready").status_code == 200:
                    return
            except httpx.HTTPError:
                threading.Event().wait(0.05)

    def stop(self, how: int = signal.SIGTERM) -> None:
        self._process.send_signal(how)
        self._process.wait(WAIT_S)

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are active there, by incident."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts").json()
        return sorted(found, key=lambda one: str(one["labels"]["incident"]))

    def until(self, *incidents: str) -> list[dict[str, Any]]:
        """Wait until exactly these incidents are active there (it has no event to await)."""
        until = time.monotonic() + WAIT_S
        while True:
            found = self.alerts()
            if [one["labels"]["incident"] for one in found] == sorted(incidents):
                return found
            assert time.monotonic() < until, found
            threading.Event().wait(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.stop(signal.SIGKILL)
        self._log.close()
