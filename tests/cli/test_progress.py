"""Progress away from a terminal: plain lines, on stderr, not too many."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.cli.progress import EVERY_S, Lines, progress


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_quick_work_prints_nothing() -> None:
    out = io.StringIO()
    with progress("ingest", 10, "rows", out) as advance:
        advance(10)
    assert out.getvalue() == ""


def test_a_line_says_how_far_how_fast_and_how_long_still() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines("ingest", 3_000, "rows", out, clock)
    clock.now += 10
    lines.advance(1_000)
    assert out.getvalue() == "ingest: 1,000 rows of 3,000, 100 rows/s, 20 s left\n"


def test_work_of_unknown_size_promises_no_end() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines("ingest", None, "rows", out, clock)
    clock.now += 10
    lines.advance(1_000)
    assert out.getvalue() == "ingest: 1,000 rows, 100 rows/s\n"


def test_slow_work_is_told_by_the_minute() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines("national-day", 120, "days", out, clock)
    clock.now += 40
    lines.advance(10)
    assert out.getvalue() == "national-day: 10 days of 120, 15 days/min, 440 s left\n"


def test_nothing_is_said_twice() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines("ingest", 3_000, "rows", out, clock)
    for done in (3_000, 0, 0):
        clock.now += 10
        lines.advance(done)
    lines.close()
    assert out.getvalue().count("\n") == 1


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 10_000)), max_size=50))
def test_lines_come_no_more_often_than_promised_and_the_last_has_everything(steps: list[tuple[float, int]]) -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines("work", None, "rows", out, clock)
    for seconds, done in steps:
        clock.now += seconds
        lines.advance(done)
    lines.close()
    said = out.getvalue().splitlines()
    took = sum(seconds for seconds, _ in steps)
    assert len(said) <= took / EVERY_S + 1
    if clock.now - 100.0 >= EVERY_S and any(done for _, done in steps):
        assert said[-1].startswith(f"work: {sum(done for _, done in steps):,} rows")
