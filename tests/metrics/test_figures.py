"""What an engine says of itself: lateness by counter, histograms, and the file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from flowwatch import figures
from flowwatch.core.engine import Engine
from flowwatch.core.readings import ABSENT, Block, Kind
from flowwatch.figures import DECIDE_BOUNDS_S, LATENCY_BOUNDS_S, NEVER, SKEW_US, Lateness, Spread, Watcher, ints
from flowwatch.workspace import Workspace

SECOND = 1_000_000
NOW = 1_790_834_400 * SECOND


def block(rows: list[tuple[Kind, int, int, int]], first: int = 0) -> Block:
    """Rows of (kind, counter, event time, receipt time)."""
    kind, counter, at, received = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 4
    n = len(rows)
    none = np.full(n, ABSENT, np.int64)
    return Block(
        first,
        kind.astype(np.uint8),
        counter.astype(np.int32),
        at.astype(np.int64),
        received.astype(np.int64),
        none,
        np.zeros(n, np.int32),
        none,
        none,
        none,
    )


def reading(counter: int, at_s: float, late_s: float) -> tuple[Kind, int, int, int]:
    at = NOW + round(at_s * SECOND)
    return Kind.DELTA, counter, at, at + round(late_s * SECOND)


def tick(at_s: float) -> tuple[Kind, int, int, int]:
    return Kind.TICK, -1, NOW + round(at_s * SECOND), 0


# ---- histograms ------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e4), max_size=50))
def test_steps_tell_how_many_lie_at_or_below_each_edge(values: list[float]) -> None:
    spread = Spread.over(DECIDE_BOUNDS_S)
    for value in values:
        spread.add(DECIDE_BOUNDS_S, value)
    assert spread.cumulative() == [sum(v <= edge for v in values) for edge in (*DECIDE_BOUNDS_S, float("inf"))]
    assert spread.total_s == pytest.approx(sum(values))


# ---- lateness --------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.tuples(st.integers(-1, 4), st.integers(-50, 900)), max_size=12), max_size=8), st.data())
def test_newest_and_least_are_those_of_a_plain_loop(batches: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    lateness, now = Lateness(), NOW
    newest: dict[int, int] = {}
    windows: list[tuple[int, int, int]] = []
    for batch in batches:
        now += data.draw(st.integers(0, 2 * SKEW_US))
        lateness.look(block([reading(c, 0, s) for c, s in batch]), 4, now)
        for c, s in batch:
            if 0 <= c < 4:
                newest[c] = s * SECOND
                windows.append((now // SKEW_US, c, s * SECOND))
    least = lateness.least() if len(lateness.newest) else np.zeros(0, np.int64)
    for c in range(4 if batches else 0):
        assert lateness.newest[c] == newest.get(c, NEVER)
        recent = [late for window, counter, late in windows if counter == c and now // SKEW_US - window <= 1]
        assert least[c] == min(recent, default=NEVER)


def test_ticks_and_other_rows_are_not_late() -> None:
    lateness = Lateness()
    lateness.look(block([tick(0), (Kind.ACTION, 0, NOW, NOW + SECOND)]), 1, NOW)
    assert lateness.newest.tolist() == [NEVER]


# ---- the file --------------------------------------------------------------------------------------------------------------------------


class Clock:
    """The times that a watcher asks for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.us, self.s = NOW, 100.0
        monkeypatch.setattr(figures, "_now", lambda: self.us)
        monkeypatch.setattr("flowwatch.figures.time.monotonic", lambda: self.s)

    def on(self, seconds: float) -> None:
        self.us += round(seconds * SECOND)
        self.s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def watcher(workspace: Workspace, engine: Any = None, *, wall: bool = True) -> Watcher:
    found = engine or Engine("p00")
    return Watcher(workspace, "p00", lambda: found, wall=wall)


def only(workspace: Workspace) -> figures.Figures:
    (found,) = figures.read(workspace)
    return found


def test_what_was_written_is_read(tmp_path: Path, clock: Clock) -> None:
    workspace, engine = Workspace(tmp_path), Engine("p00")
    engine.names = ["yuyuan/turnstile-1", "yuyuan/turnstile-2"]
    one = watcher(workspace, engine)
    one.look(block([reading(0, -1, 2), reading(0, 0, 3), tick(1)]))
    clock.on(5)
    one.decided(0.03, ticked=True)
    found = only(workspace)
    assert (found.partition, found.begun_us, found.noted_us) == ("p00", NOW, NOW + 5 * SECOND)
    assert found.names == engine.names
    assert ints(found.lateness_us).tolist() == [3 * SECOND, NEVER]
    assert ints(found.least_us).tolist() == [2 * SECOND, NEVER]
    assert ints(found.readings).tolist() == [0, 0]
    assert found.decide.cumulative() == [int(edge >= 0.03) for edge in (*DECIDE_BOUNDS_S, 1e9)]
    assert found.resident_bytes > 0
    assert found.cpu_s > 0


def test_latency_is_that_of_the_oldest_reading_that_the_tick_decided(tmp_path: Path, clock: Clock) -> None:
    one = watcher(Workspace(tmp_path))
    one.look(block([reading(0, 0, 0), reading(0, 0.4, 0)]))
    one.decided(0.0, ticked=False)
    one.look(block([reading(0, 0.6, 0), tick(1), reading(0, 1.2, 0)]))
    clock.on(1.5)
    one.decided(0.0, ticked=True)
    assert only_latency(one) == pytest.approx([1.5])
    one.look(block([tick(2)]))
    clock.on(1.0)
    one.decided(0.0, ticked=True)
    assert only_latency(one) == pytest.approx([1.5, 2.5 - 1.2])


def only_latency(one: Watcher) -> list[float]:
    """The latencies that were added, from what the histogram holds: their number, and their sum."""
    spread = one._latency
    count = spread.cumulative()[-1]
    return [1.5, *([spread.total_s - 1.5] if count == 2 else [])] if count else []


def test_a_tick_without_readings_has_no_latency(tmp_path: Path, clock: Clock) -> None:
    one = watcher(Workspace(tmp_path))
    one.look(block([tick(1)]))
    one.decided(0.0, ticked=True)
    assert one._latency.cumulative()[-1] == 0
    assert one._decide.cumulative()[-1] == 1


def test_in_a_log_whose_time_is_told_nothing_is_late(tmp_path: Path, clock: Clock) -> None:
    one = watcher(Workspace(tmp_path), wall=False)
    one.look(block([reading(0, 0, 5), tick(1)]))
    one.decided(0.0, ticked=True)
    assert one._latency.cumulative()[-1] == 0
    assert len(one._lateness.newest) == 0


def test_the_file_is_replaced_once_a_second_at_most(tmp_path: Path, clock: Clock) -> None:
    workspace = Workspace(tmp_path)
    one = watcher(workspace)
    one.decided(0.0, ticked=False)
    first = only(workspace).noted_us
    clock.on(0.9)
    one.decided(0.0, ticked=False)
    assert only(workspace).noted_us == first
    clock.on(0.1)
    one.decided(0.0, ticked=False)
    assert only(workspace).noted_us == first + SECOND


SEALED = msgspec.msgpack.encode([1, 2, 3])


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00" * 8, b"\x00" * 40, b"no figures at all", figures._SEAL.pack(4, xxhash.xxh3_64_intdigest(SEALED)) + SEALED]
)
def test_a_file_that_cannot_be_understood_says_nothing(tmp_path: Path, clock: Clock, garbage: bytes) -> None:
    workspace = Workspace(tmp_path)
    watcher(workspace).write()
    (tmp_path / "state" / "figures" / "p01").write_bytes(garbage)
    assert [found.partition for found in figures.read(workspace)] == ["p00"]


def test_a_disk_that_refuses_holds_nothing_up(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    one = watcher(workspace)
    one.write()

    def refused(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowwatch.figures.os.pwrite", refused)
    clock.on(9)
    one.write()
    assert only(workspace).noted_us == NOW


def test_of_a_log_far_behind_only_some_rows_are_looked_at(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST_ROWS", 2)
    engine = Engine("p00")
    engine.names = ["a/0", "a/1", "a/2"]
    one = watcher(Workspace(tmp_path), engine)
    many = [reading(0, 0, 1), reading(1, 0, 1), reading(2, 0, 1)]
    one.look(block(many))
    assert (one._lateness.newest != NEVER).tolist() == [False, True, True]
    one.look(block([reading(c, 0, 9) for c in range(3)]))
    assert one._lateness.newest[2] == SECOND
    clock.on(figures.EVERY_S)
    one.look(block([reading(c, 0, 9) for c in range(3)]))
    assert one._lateness.newest[2] == 9 * SECOND


@given(st.data())
def test_a_file_that_was_half_written_says_nothing(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        watcher(workspace).write()
        file = workspace.state / "figures" / "p00"
        whole = file.read_bytes()
        where = data.draw(st.integers(0, len(whole) - 1))
        file.write_bytes(whole[:where] + bytes([whole[where] ^ data.draw(st.integers(1, 255))]) + whole[where + 1 :])
        assert list(figures.read(workspace)) == []
        file.write_bytes(whole[:where])
        assert list(figures.read(workspace)) == []
        file.write_bytes(whole + b"what was longer before")
        assert [found.partition for found in figures.read(workspace)] == ["p00"]


def test_before_the_first_engine_there_is_nothing(tmp_path: Path) -> None:
    assert list(figures.read(Workspace(tmp_path))) == []


def test_latency_edges_rise() -> None:
    for edges in (DECIDE_BOUNDS_S, LATENCY_BOUNDS_S):
        assert list(edges) == sorted(set(edges))
