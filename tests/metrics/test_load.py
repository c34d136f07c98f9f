"""The figures of the alarm load: what comes to one operator is by how many there are."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from flowwatch.handling.book import Book
from flowwatch.journal.opened import Opened
from flowwatch.metrics.board import Board
from flowwatch.metrics.load import AlarmLoad
from tests.handling.made import SECOND, START, alert, pages


def figures(file: Path, operators: int) -> dict[str, float]:
    board = Board()
    with closing(Opened(file)) as book:
        AlarmLoad(book, lambda: START + 24 * 3600 * SECOND, operators).fill(board)
    return {sample.name.removeprefix("flowwatch_"): sample.value for sample in board.samples()}


@pytest.mark.parametrize("operators", [1, 5])
def test_alerts_are_divided_among_the_operators_and_the_worst_window_is_not(tmp_path: Path, operators: int) -> None:
    book = Book.open(tmp_path / "handling.db")
    book.write(pages([(60 * i, alert(f"yuyuan-i{i + 1}", subject=f"gate-{i}")) for i in range(12)]))
    book.close()
    found = figures(tmp_path / "handling.db", operators)
    assert found["alarms_per_operator_hour"] == pytest.approx(12 / 24 / operators)
    assert found["alarms_worst_window"] == 10
