"""What the tests of inputs share: a broker, a log, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowwatch import log
from tests.log.making import document
from tests.servers import Mosquitto


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log that knows two counters of site a."""
    path = tmp_path / "log"
    log.create(path, partitions=1)
    with log.Writer.open(path) as writer:
        writer.append_document(document("a", ["x", "y"]), 1)
        writer.commit()
    return path


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own."""
    place = tmp_path / "broker"
    place.mkdir()
    with Mosquitto(place) as broker:
        yield broker
