"""Time in the log, and the clock that makes it: never back, never twice, one tick for a jump."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import ABSENT, Kind, Reason
from tests.log.making import SECOND, document, fresh_log, readings, rows


def test_a_tick_enters_every_partition_that_has_a_row_and_no_other(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=4)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        writer.append_refused(b"?", Reason.UNREADABLE, 1)
        writer.tick(SECOND)
        writer.commit()
        writer.tick(2 * SECOND)
        ends, here = writer.ends, writer.routing["a"].partition
    assert ends == {partition: 2 if partition in (here, log.UNROUTED) else 0 for partition in ends}
    for partition in (here, log.UNROUTED):
        assert [(row[1], row[3]) for row in rows(tmp_path, partition, 1)] == [(Kind.TICK, SECOND), (Kind.TICK, 2 * SECOND)]


def test_ticks_never_go_back_and_the_last_one_again_does_nothing(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        assert writer.last_tick_us == ABSENT
        writer.append_document(document("a", ["x"]), 1)
        writer.tick(5 * SECOND)
        writer.tick(5 * SECOND)
        with pytest.raises(ValueError, match="ticks never go back"):
            writer.tick(5 * SECOND - 1)
    assert len(rows(tmp_path, "p00")) == 2
    with log.Writer.open(tmp_path) as writer:
        assert writer.last_tick_us == 5 * SECOND
        with pytest.raises(ValueError, match="ticks never go back"):
            writer.tick(4 * SECOND)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_readings_and_ticks_keep_the_order_in_which_they_were_appended(steps: list[tuple[int, bool]]) -> None:
    expected: list[tuple[int, int]] = []
    with fresh_log(partitions=1) as path:
        with log.Writer.open(path) as writer:
            writer.append_document(document("a", ["x"]), 1)
            for i, (count, commit) in enumerate(steps):
                writer.append(readings(["a/x"] * count, 10 * i))
                writer.tick((i + 1) * SECOND)
                expected += [*((Kind.DELTA, 10 * i + n) for n in range(count)), (Kind.TICK, ABSENT)]
                if commit:
                    writer.commit()
        assert [(row[1], row[5]) for row in rows(path, "p00", 1)] == expected


CLOCKS = st.lists(st.tuples(st.integers(0, 5 * SECOND), st.one_of(st.integers(-3 * SECOND, 3 * SECOND), st.just(0))), max_size=50)


@given(st.integers(1, 3 * SECOND), st.one_of(st.just(ABSENT), st.integers(0, 10**15)), CLOCKS)
def test_whatever_the_wall_clock_does_ticks_rise_on_the_grid_at_the_monotonic_clocks_speed_or_faster(
    tick_us: int, last: int, steps: list[tuple[int, int]]
) -> None:
    ticker = log.Ticker.start(tick_us, last, 0)
    wall, monotonic, ticks = 10**15, 0, []
    for elapsed, stepped in steps:
        before = ticker.now_us
        wall, monotonic = wall + elapsed + stepped, monotonic + elapsed
        ticker, due = ticker.look(wall, monotonic)
        assert ticker.now_us >= max(wall, before + elapsed)
        assert 0 < ticker.wait_us <= tick_us
        if due is not None:
            ticks.append(due)
        assert ticker.last_tick_us >= ticker.now_us - tick_us
    assert all(tick % tick_us == 0 for tick in ticks)
    assert [*ticks] == sorted({*ticks})
    assert not ticks or ticks[0] > last


def test_while_the_wall_clock_is_set_back_ticks_go_on_every_period() -> None:
    ticker, ticks = log.Ticker.start(SECOND, 99 * SECOND, 0), []
    for second in range(1, 11):
        wall = (100 + second) * SECOND - (3600 * SECOND if second > 3 else 0)
        ticker, due = ticker.look(wall, second * SECOND)
        ticks.append(due)
    assert ticks == [(100 + second) * SECOND for second in range(1, 11)]


def test_a_wall_clock_set_back_while_the_log_was_closed_does_not_stop_the_ticks() -> None:
    ticker = log.Ticker.start(SECOND, 5000 * SECOND, 7)
    ticker, due = ticker.look(100 * SECOND, 7)
    assert due is None
    ticker, due = ticker.look(101 * SECOND, 7 + SECOND)
    assert due == 5001 * SECOND


def test_a_jump_forward_is_one_tick() -> None:
    ticker = log.Ticker.start(SECOND, 100 * SECOND, 0)
    ticker, due = ticker.look(90_000 * SECOND + 5, SECOND)
    assert due == 90_000 * SECOND
    ticker, due = ticker.look(90_000 * SECOND + 10, SECOND + 5)
    assert due is None
