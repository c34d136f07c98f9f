"""The wall clock of a log never goes back, and never stands still."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.readings import SECOND
from flowwatch.log.time import Onward

HOUR = 3_600 * SECOND
YEAR = 365 * 24 * HOUR


def told(looks: list[tuple[int, int]], not_before_us: int = 0) -> list[int]:
    """What it says at each look, (wall, steady) clock; the first is its beginning."""
    walls: Iterator[int] = iter([wall for wall, _ in looks])
    steadies: Iterator[int] = iter([steady for _, steady in looks])
    clock = Onward(lambda: next(walls), lambda: next(steadies), not_before_us=not_before_us)
    return [clock() for _ in looks[1:]]


def test_it_is_the_wall_clocks_time_while_that_goes_on() -> None:
    assert told([(HOUR, 5), (HOUR + 7, 12), (HOUR + 90, 95)]) == [HOUR + 7, HOUR + 90]


def test_where_the_wall_clock_is_set_back_time_goes_on_at_its_own_pace_until_that_has_caught_up() -> None:
    assert told([(2 * HOUR, 0), (HOUR, 10), (HOUR + 20, 30), (2 * HOUR + 50, 31)]) == [2 * HOUR + 10, 2 * HOUR + 30, 2 * HOUR + 50]


def test_it_begins_not_before_what_was_decided_already() -> None:
    assert told([(HOUR, 0), (HOUR, 10)], not_before_us=2 * HOUR) == [2 * HOUR + 10]


def test_a_leap_of_the_wall_clock_that_is_put_right_leaves_nothing() -> None:
    assert told([(HOUR, 0), (HOUR + YEAR, SECOND), (HOUR + 2 * SECOND, 2 * SECOND)]) == [HOUR + SECOND, HOUR + 2 * SECOND]


def test_a_leap_of_the_wall_clock_that_lasts_is_taken() -> None:
    ahead = [(2 * HOUR + s * SECOND, s * SECOND) for s in range(1, 15)]
    said = told([(HOUR, 0), *ahead])
    assert said[0] == HOUR + SECOND
    assert said[-1] == 2 * HOUR + 14 * SECOND
    assert said == sorted(said)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**8)), min_size=2))
def test_it_goes_on_at_least_as_fast_as_the_steady_clock(steps: list[tuple[int, int]]) -> None:
    steady = 0
    looks = [(wall, steady := steady + pause) for wall, pause in steps]
    said = told(looks)
    for (_, before), (_, now), earlier, later in zip(looks[1:], looks[2:], said, said[1:], strict=False):
        assert later - earlier >= now - before
