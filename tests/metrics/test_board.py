from __future__ import annotations

import pytest

from flowwatch.metrics.board import Board
from flowwatch.metrics.part import fill


def test_samples_come_in_the_order_of_the_table_whatever_the_order_of_putting() -> None:
    board = Board()
    board.put("desk_up", 1)
    board.put("zone_known", 1, site="yuyuan", zone="mall")
    assert [sample.name for sample in board.samples()] == ["flowwatch_zone_known", "flowwatch_desk_up"]


def test_a_name_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError):
        Board().put("zone_unknown", 1)


@pytest.mark.parametrize("labels", [{}, {"site": "a"}, {"site": "a", "zone": "b", "more": "c"}])
def test_other_labels_than_those_of_the_table_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"expected \['site', 'zone'\]"):
        Board().put("zone_known", 1, **labels)


def test_a_histogram_has_its_steps_count_and_sum() -> None:
    board = Board()
    board.spread("decide_seconds", (0.1, 1.0), [2, 3, 5], 7.5)
    told = {(sample.name, sample.labels.get("le")): sample.value for sample in board.samples()}
    name = "flowwatch_decide_seconds"
    assert told == {(f"{name}_bucket", "0.1"): 2, (f"{name}_bucket", "1.0"): 3, (f"{name}_bucket", "+Inf"): 5} | {
        (f"{name}_count", None): 5,
        (f"{name}_sum", None): 7.5,
    }


@pytest.mark.parametrize(("name", "steps"), [("decide_seconds", [1, 2]), ("zone_known", [1, 2, 3])])
def test_what_is_no_histogram_is_refused(name: str, steps: list[int]) -> None:
    with pytest.raises(ValueError, match="expected a histogram"):
        Board().spread(name, (0.1, 1.0), steps, 1.0)


def test_a_part_that_fails_shows_nothing_says_so_and_takes_nothing_from_the_others() -> None:
    def half(board: Board) -> None:
        board.put("desk_up", 1)
        raise OSError("gone")

    board = Board()
    fill(board, {"feeds": half, "journal": lambda b: b.put("journal_frozen", 0)})
    told = {(sample.name, sample.labels.get("part", "")): sample.value for sample in board.samples()}
    assert told == {
        ("flowwatch_journal_frozen", ""): 0,
        ("flowwatch_metrics_failed", "feeds"): 1,
        ("flowwatch_metrics_failed", "journal"): 0,
    }
