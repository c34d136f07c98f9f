"""The newest minute of every site is told once, whichever partition is journaled first."""

from __future__ import annotations

from pathlib import Path

from flowwatch.core.entries import Estimate
from flowwatch.journal import Journal
from flowwatch.journal.minutes import LAG_US, Minutes

MINUTE = 60_000_000


def written(path: Path, *estimates: tuple[str, int]) -> None:
    with Journal.open(path) as journal:
        journal.append([], [Estimate(site, at, b"{}") for site, at in estimates])


def told(minutes: Minutes) -> list[tuple[str, int]]:
    return [(estimate.site, estimate.at) for estimate in minutes.new()]


def test_each_newest_minute_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, ("a", MINUTE), ("a", 2 * MINUTE), ("b", 2 * MINUTE + 1))
    minutes = Minutes.open(path)
    assert told(minutes) == [("a", 2 * MINUTE), ("b", 2 * MINUTE + 1)]
    assert told(minutes) == []
    written(path, ("a", 3 * MINUTE))
    assert told(minutes) == [("a", 3 * MINUTE)]
    minutes.close()


def test_a_partition_that_lags_a_little_is_told_and_one_that_lags_more_when_it_has_caught_up(tmp_path: Path) -> None:
    path, now = tmp_path / "journal.db", 100 * MINUTE
    written(path, ("a", now))
    minutes = Minutes.open(path)
    assert told(minutes) == [("a", now)]
    written(path, ("b", now - LAG_US + 1), ("c", now - 10 * MINUTE))
    assert told(minutes) == [("b", now - LAG_US + 1)]
    written(path, ("c", now - 1))
    assert told(minutes) == [("c", now - 1)]
    minutes.close()


def test_a_journal_without_minutes_tells_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path)
    minutes = Minutes.open(path)
    assert told(minutes) == []
    assert minutes.grew()
    assert not minutes.grew()
    written(path, ("a", MINUTE))
    assert minutes.grew()
    assert told(minutes) == [("a", MINUTE)]
    minutes.close()
