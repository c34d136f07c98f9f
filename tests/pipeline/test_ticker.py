"""The thread that ticks a live log; in a rehearsal it takes in the ticks that others stage."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.core.readings import SECOND, Kind
from flowwatch.log.time import clock_of, now
from flowwatch.ticker import Keep, Ticker
from tests.log.making import document, readings, rows

NOON = 1_790_000_000 * SECOND


def _begun(path: Path, clock: str) -> None:
    log.create(path, partitions=1, clock=clock)
    with log.Writer.open(path) as writer:
        writer.append_document(document("a", ["x"]), NOON)
        writer.commit()


def _drained(path: Path) -> tuple[list[str], Exception | None]:
    """Let a ticker run until the inbox is empty; what it told, and what ended it."""
    told: list[str] = []
    ticker = Ticker(path, told.append, Keep())
    ticker.start()
    soon = threading.Event()
    while list((path / "inbox").glob("*.staged")):
        soon.wait(0.005)
    ticker.stop()
    return told, ticker.failed


def test_in_a_rehearsal_time_is_what_somebody_says_it_is(tmp_path: Path) -> None:
    _begun(tmp_path, "told")
    assert now(tmp_path) == 0
    inbox = log.Inbox(tmp_path)
    for at in (NOON, NOON + 20 * SECOND):
        inbox.append(readings(["a/x"], at))
        inbox.append_tick(at)
        inbox.commit()
    assert _drained(tmp_path) == ([], None)
    seen = [(Kind(int(row[1])).name, row[3] if row[1] == Kind.TICK else None) for row in rows(tmp_path, "p00", 1)]
    assert seen == [("DELTA", None), ("TICK", NOON), ("DELTA", None), ("TICK", NOON + 20 * SECOND)]
    assert clock_of(tmp_path)() == NOON + 20 * SECOND


def test_an_earlier_tick_or_the_same_again_moves_no_time(tmp_path: Path) -> None:
    _begun(tmp_path, "told")
    inbox = log.Inbox(tmp_path)
    for at in (NOON, NOON - 5 * SECOND, NOON):
        inbox.append_tick(at)
        inbox.commit()
    assert _drained(tmp_path) == ([], None)
    assert [row[3] for row in rows(tmp_path, "p00", 1)] == [NOON]


@pytest.mark.parametrize("clock", ["wall", "event"])
def test_nobody_tells_any_other_log_what_time_it_is(tmp_path: Path, clock: str) -> None:
    _begun(tmp_path, clock)
    inbox = log.Inbox(tmp_path)
    inbox.append_tick(NOON)
    inbox.commit()
    with log.Writer.open(tmp_path) as writer:
        [(_, problem)] = writer.drain().bad
    assert "ticks from outside only in a log with clock told" in problem


def test_whatever_ends_the_ticks_is_known(tmp_path: Path) -> None:
    _begun(tmp_path, "wall")

    def broken(_text: str) -> None:
        raise BrokenPipeError

    (tmp_path / "inbox" / "00000000000000000001-aa.staged").write_bytes(b"no frame")
    ticker = Ticker(tmp_path, broken, Keep())
    ticker.start()
    ticker.join(60)
    assert isinstance(ticker.failed, BrokenPipeError)
