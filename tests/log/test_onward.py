"""The wall clock of a log never goes back, and never stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import SECOND
from flowwatch.log.time import Onward, clock_of
from tests.log.making import document

HOUR = 3_600 * SECOND
FAR = 4_000_000_000 * SECOND


def told(looks: list[tuple[int, int]], not_before_us: int = 0) -> list[int]:
    """What it says at each look, (wall, steady) clock."""
    walls: Iterator[int] = iter([wall for wall, _ in looks])
    steadies: Iterator[int] = iter([looks[0][1], *(steady for _, steady in looks)])
    clock = Onward(lambda: next(walls), lambda: next(steadies), not_before_us=not_before_us)
    return [clock() for _ in looks]


def test_it_is_the_wall_clocks_time_while_that_goes_on() -> None:
    assert told([(HOUR, 5), (HOUR + 7, 12), (HOUR + 90, 95)]) == [HOUR, HOUR + 7, HOUR + 90]


def test_where_the_wall_clock_is_set_back_time_goes_on_at_its_own_pace_until_that_has_caught_up() -> None:
    assert told([(2 * HOUR, 0), (HOUR, 10), (HOUR + 20, 30), (2 * HOUR + 50, 31)]) == [
        2 * HOUR,
        2 * HOUR + 10,
        2 * HOUR + 30,
        2 * HOUR + 50,
    ]


def test_it_begins_not_before_what_was_decided_already() -> None:
    assert told([(HOUR, 0), (HOUR, 10)], not_before_us=2 * HOUR) == [2 * HOUR, 2 * HOUR + 10]


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)), min_size=1))
def test_it_goes_on_at_least_as_fast_as_the_steady_clock_and_is_never_behind_the_wall(steps: list[tuple[int, int]]) -> None:
    steady = 0
    looks = [(wall, steady := steady + pause) for wall, pause in steps]
    said = told(looks)
    for (_, before), (wall, now), earlier, later in zip(looks, looks[1:], said, said[1:], strict=False):
        assert later - earlier >= now - before
        assert later >= wall


def test_a_live_log_is_never_earlier_than_its_last_tick(tmp_path: Path) -> None:
    log.create(tmp_path / "log", partitions=1, clock="wall")
    with log.Writer.open(tmp_path / "log") as writer:
        writer.append_document(document("a", ["x"]), FAR)
        writer.tick(FAR)
        writer.commit()
    clock = clock_of(tmp_path / "log")
    assert FAR <= clock() <= clock() < FAR + HOUR
