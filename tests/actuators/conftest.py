"""A broker a module, and a laboratory a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actuators.lab import Lab
from tests.servers import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto."""
    with Mosquitto(tmp_path, "set_tcp_nodelay true\n", keeps=False) as made:
        yield made


@pytest.fixture
def lab(tmp_path: Path, broker: Mosquitto) -> Iterator[Lab]:
    """A journal, a ledger, and what a test adds."""
    made = Lab(tmp_path, broker)
    yield made
    made.end()
