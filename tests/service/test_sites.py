"""The sites of a log that is damaged: as far as it can be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.log.routing import Routing
from flowwatch.log.settings import load
from flowwatch.service.auth.identity import Areas
from flowwatch.service.sites import LOOKED_S, Sites
from tests.service.place import AREAS, START, Now, document

NAMES = ("yuyuan", "bund", "mall", "garden")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of two partitions, each with sites."""
    log.create(tmp_path / "log", partitions=2)
    with log.Writer.open(tmp_path / "log") as writer:
        for name in NAMES:
            writer.append_document(document(name), START)
    return tmp_path / "log"


def _title(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[40] ^= 0xFF
    segment.write_bytes(data)


def _garbage(segment: Path) -> None:
    segment.write_bytes(b"garbage")


def _gone(segment: Path) -> None:
    shutil.rmtree(segment.parent)


@pytest.mark.parametrize("harm", [_title, _garbage, _gone])
def test_a_damaged_partition_takes_no_site_of_the_others(
    path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    places = Routing(path, load(path)).sites
    of = {name: places[name].partition for name in NAMES}
    assert set(of.values()) == {"p00", "p01"}
    now = Now()
    running = Sites(path, Areas(AREAS), now.seconds)
    (segment,) = (path / "p00").glob("*.seg")
    harm(segment)
    assert Sites(path, Areas(AREAS)).names() == sorted(name for name in NAMES if of[name] == "p01")
    assert "p00" in caplog.text
    for _ in range(3):
        now.advance(LOOKED_S + 1)
        assert running.names() == sorted(NAMES), "what was known before is still known"
    assert len(caplog.records) == 2, "once each"


def test_of_a_damaged_segment_what_lies_before_the_damage_is_read(path: Path) -> None:
    with log.Writer.open(path) as writer:
        writer.commit()
        (segment,) = (path / "p00").glob("*.seg")
        whole = segment.stat().st_size
        for name in NAMES:
            writer.append_document(document(name, "second"), START + 1)
    data = bytearray(segment.read_bytes())
    data[whole + 100] ^= 0xFF
    segment.write_bytes(data)
    found = Sites(path, Areas(AREAS))
    assert found.names() == sorted(NAMES)
