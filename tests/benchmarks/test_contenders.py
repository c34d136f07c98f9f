"""What the benchmarks compare does the same job: each contender says what a plain loop says of the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import pipeline
from benchmarks.peers import lean, reference, windows
from benchmarks.throughput import SMALL, SMALL_READINGS
from benchmarks.workload import SECOND_US, START_US, Lines

LAST_SECOND = START_US // SECOND_US + SMALL_READINGS // SMALL.rate - 1

# A benchmark runs in forks of itself, and pyarrow's allocator has a thread of its own, which sees to forks.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.fixture(scope="module")
def lines() -> Lines:
    return Lines(SMALL, SMALL_READINGS)


@pytest.fixture(scope="module")
def right(lines: Lines) -> list[reference.Change]:
    return reference.changes(lines)


def test_the_workload_closes_sites_and_opens_them_again(right: list[reference.Change]) -> None:
    assert sum(closed for _, _, closed in right) > 3
    assert sum(not closed for _, _, closed in right) > 3


def test_the_same_seed_makes_the_same_bytes() -> None:
    assert list(Lines(SMALL, 100).blocks(7)) == list(Lines(SMALL, 100).blocks(7))


@pytest.mark.parametrize("batch", [100, 1_000])
def test_the_window_dataflow_says_what_the_plain_loop_says(lines: Lines, right: list[reference.Change], batch: int) -> None:
    assert sorted(windows.changes(lines, batch)) == right


@pytest.mark.parametrize("batch", [10, 1_000])
def test_the_lean_dataflow_says_it_but_for_the_last_second(lines: Lines, right: list[reference.Change], batch: int) -> None:
    assert sorted(lean.changes(lines, batch)) == [change for change in right if change[1] < LAST_SECOND]


@pytest.mark.parametrize("partitions", [1, 16])
def test_flowwatch_says_what_the_plain_loop_says(lines: Lines, right: list[reference.Change], tmp_path: Path, partitions: int) -> None:
    pipeline.prepare(tmp_path, SMALL, partitions)
    pipeline.edge(tmp_path, lines, 1_000)
    pipeline.engine(tmp_path)
    assert pipeline.changes(tmp_path) == right
