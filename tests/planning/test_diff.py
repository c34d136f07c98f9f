"""What changed between two records: nothing that differs is passed over, and what loosens a plan is marked so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from flowwatch.planning.changes import Trend, Weight
from flowwatch.planning.diff import diff, report
from tests.planning import made

RECORDS: tuple[Callable[[], dict[str, Any]], ...] = (made.site, made.yuyuan, made.rich, made.big)
Path = tuple[str | int, ...]


def values(thing: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every plain value in a record, with the way to it."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from values(value, (*path, key))
    elif isinstance(thing, list):
        for i, value in enumerate(thing):
            yield from values(value, (*path, i))
    else:
        yield path, thing


def at(record: Any, path: Path) -> Any:
    """What stands there."""
    for key in path:
        record = record[key]
    return record


NAMES = {"stage", "plan", "zone", "gate", "link", "counter", "barrier", "sign", "task", "rule", "from", "to", "inside", "outside"}
WORDS = {"kind", "measure", "source", "clear_source", "level", "effect", "direction", "health", "by", "on_lost", "delivery", "days"}
CHANGEABLE = [
    path
    for path, value in values(made.rich())
    if path[-1] not in NAMES | WORDS and "clauses" not in path and "gates" not in path[4:] and not (path[0] == "plans" and "days" in path)
    if isinstance(value, int | float) or path[-1] in ("zh", "en")
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_does_not_differ_from_itself(record: Callable[[], dict[str, Any]]) -> None:
    assert diff(record(), record()) == []
    assert report([], "en") == "Nothing changed.\n"


@settings(max_examples=200)
@given(st.sampled_from(CHANGEABLE))
def test_whatever_changes_is_told(path: Path) -> None:
    new = made.rich()
    holder, value = at(new, path[:-1]), at(new, path)
    holder[path[-1]] = f"{value}!" if isinstance(value, str) else (not value) if isinstance(value, bool) else value + 60
    changes = diff(made.rich(), new)
    note(str(path))
    assert changes
    for change in changes:
        assert change.zh
        assert change.en
        assert "None" not in change.zh + change.en
        json.dumps(change.plain())


def bars(record: dict[str, Any]) -> list[tuple[int, int, int]]:
    """(plan, stage, leaf) of each leaf with bars that a clause uses."""
    return [
        (p, s, k)
        for p, plan in enumerate(record["plans"])
        for s, stage in enumerate(plan["stages"])
        for k, leaf in enumerate(stage["leaves"])
        if "enter_m" in leaf and any(k in clause for clause in stage["clauses"])
    ]


@given(st.data(), st.sampled_from(["enter", "clear"]), st.integers(-200, 200).filter(bool))
def test_each_changed_bar_is_told_with_both_values_and_its_trend(data: st.DataObject, edge: str, by: int) -> None:
    old, new = made.rich(), made.rich()
    p, s, k = data.draw(st.sampled_from(bars(new)))
    leaf = new["plans"][p]["stages"][s]["leaves"][k]
    was = leaf[f"{edge}_m"]
    leaf[f"{edge}_m"] = now = was + by * 1000
    changes = [c for c in diff(old, new) if c.path.endswith(f"{edge}_m")]
    assert len(changes) == 1
    assert changes[0].trend is (Trend.TIGHTER if by < 0 else Trend.LOOSER)
    assert changes[0].stage == new["plans"][p]["stages"][s]["stage"]
    for text in (changes[0].zh, changes[0].en):
        assert f"{round(was / 1000):,}" in text
        assert f"{round(now / 1000):,}" in text
        assert f"{abs(by):,}" in text


@pytest.mark.parametrize(("one", "other"), [(made.yuyuan, made.rich), (made.site, made.rich)])
def test_the_way_back_turns_every_trend_round(one: Callable[[], dict[str, Any]], other: Callable[[], dict[str, Any]]) -> None:
    there, back = diff(one(), other()), diff(other(), one())
    turned = {Trend.TIGHTER: Trend.LOOSER, Trend.LOOSER: Trend.TIGHTER, None: None}

    def marks(changes: Any, turn: bool) -> list[str]:
        return sorted(str(turned[c.trend] if turn else c.trend) for c in changes)

    assert marks(there, turn=True) == marks(back, turn=False)


def test_changes_come_by_weight_and_what_loosens_comes_first() -> None:
    changes = diff(made.yuyuan(), made.rich()) + diff(made.rich(), made.big())
    for part in (diff(made.yuyuan(), made.rich()), diff(made.rich(), made.big())):
        assert [c.weight for c in part] == sorted(c.weight for c in part)
        for weight in Weight:
            trends = [c.trend for c in part if c.weight is weight]
            assert trends == sorted(trends, key=[Trend.LOOSER, None, Trend.TIGHTER].index)
    assert changes


def told(change: Callable[[dict[str, Any]], None], record: Callable[[], dict[str, Any]] = made.yuyuan) -> list[str]:
    """The English report after a change of the record."""
    new = copy.deepcopy(record())
    change(new)
    return report(diff(record(), new), "en").splitlines()


def test_a_gate_turned_inward_is_looser_and_so_is_what_it_takes_from_the_way_out() -> None:
    lines = told(lambda r: r["plans"][0]["stages"][2]["gates"].update({"gate-4": "in", "gate-6": "in"}))
    assert lines == [
        (
            '1. "Exit only": capacity out falls from 850 to 650 persons/min (by 200); a full site is empty after 5 min instead of 4 min. '
            "[looser]"
        ),
        '2. "Exit only": gates 4 and 6: "in only" instead of "out only". [looser]',
    ]


def test_a_renamed_stage_is_the_same_stage() -> None:
    assert told(lambda r: r["plans"][0]["stages"][1].update(stage="yellow")) == [
        '1. "Three in, five out": renamed from three_in_five_out to yellow.'
    ]


def test_a_removed_stage_is_told_with_when_it_came() -> None:
    lines = told(lambda r: r["plans"][0]["stages"].pop(1))
    assert lines[0].startswith(
        '1. "Three in, five out": this stage is removed (level III (yellow), above "Normal"); condition: there have been more than 1,500'
    )
    assert lines[0].endswith("[looser]")


def test_one_more_thing_that_must_hold_is_looser() -> None:
    def narrowed(record: dict[str, Any]) -> None:
        stage = record["plans"][0]["stages"][1]
        stage["leaves"].append(made.leaves()[15])
        stage["clauses"] = [[0, 1]]

    assert told(narrowed) == [
        (
            '1. "Three in, five out": "there have been more than 1,500 people at Yuyuan mall for 30 s" is no longer enough; '
            "it must also hold that the time is within 17:00–02:00. [looser]"
        )
    ]


def test_a_changed_bar_of_a_rule_for_failing_data_says_which_rule() -> None:
    lines = told(lambda r: r["plans"][0]["degraded"][0]["leaves"][0].update(hold_us=60_000_000), made.rich)
    assert lines == [
        '1. Rule "blind" for failing data: any counter is silent: this must hold for 1 min instead of 3 min. [tighter]',
    ]


def test_asking_somebody_before_a_rise_is_looser_and_before_a_fall_tighter() -> None:
    officer = {"by": "officer_in_charge", "within_us": 60_000_000, "otherwise": "apply"}
    assert told(lambda r: r["plans"][0]["stages"][2]["confirm"].update(rise=officer))[0].endswith("[looser]")
    assert told(lambda r: r["plans"][0]["stages"][2]["confirm"].update(fall=officer))[0].endswith("[looser]")
    assert told(lambda r: r["plans"][0]["stages"][2]["confirm"].update(fall=made.AUTOMATIC))[0].endswith("[looser]")


def test_a_bar_that_moved_because_the_place_changed_says_so() -> None:
    def grown(record: dict[str, Any]) -> None:
        record["zones"][0]["capacity"] = 3300
        record["plans"][0]["stages"][1]["leaves"][1].update(enter_m=2_640_000, clear_m=2_310_000)

    lines = told(grown, made.rich)
    assert any("80% of the capacity (2,640 people)" in line and "the place's size changed" in line for line in lines)


def test_a_plan_under_another_name_is_compared_as_the_main_plan() -> None:
    assert told(lambda r: r["plans"][0].update(plan="yuyuan-2018")) == ["1. The plan's name is yuyuan-2018 instead of yuyuan."]
