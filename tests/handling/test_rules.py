"""What is put aside, and what never is: nothing more urgent stands behind something milder, whoever put that aside."""

from __future__ import annotations

from typing import Any

import pytest

from flowwatch.handling import kinds, showing, steps
from flowwatch.handling.incident import begun
from flowwatch.handling.kinds import Own
from flowwatch.handling.load import load
from flowwatch.handling.records import Act, Alert, Handling, Shown, Step, read
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.telling import alert_of
from tests.handling.made import SECOND, START, alert, entries, step
from tests.handling.tale import Tale
from tests.handling.test_flickering import HOUR_US, RULES, Told


def said(told: Told, act: Act) -> list[Step]:
    """The steps of a kind in the book."""
    return [one for entry in told.book if isinstance(one := read(entry), Step) and one.act is act]


def test_what_was_shelved_when_it_was_blue_sounds_when_it_comes_again_orange() -> None:
    told = Told()
    told.tell(0, "i1", what="stage", subject="p", level="IV")
    told.write(START + SECOND, [step(Act.SHELVE, "yuyuan-i1", reason="known", until_us=START + HOUR_US)])
    told.tell(60, "i1", what="stage", subject="p", level="IV", state="cleared")
    assert told.tell(1200, "i2", what="stage", subject="p", level="IV").shown is Shown.SHELVED
    told.tell(1260, "i2", what="stage", subject="p", level="IV", state="cleared")
    assert told.tell(1320, "i3", what="stage", subject="p", level="II").shown is Shown.RAISED


def test_a_shelving_ends_at_its_time_whatever_came_meanwhile() -> None:
    told = Told()
    told.tell(0, "i1", what="stage", subject="p", level="IV")
    told.write(START + SECOND, [step(Act.SHELVE, "yuyuan-i1", reason="known", until_us=START + HOUR_US)])
    told.tell(60, "i1", what="stage", subject="p", level="IV", state="cleared")
    assert told.tell(3601, "i2", what="stage", subject="p", level="IV").shown is Shown.RAISED


def test_what_becomes_worse_in_a_flood_sounds_and_is_opened_again() -> None:
    told = Told()
    told.tell(0, "i0", what="stage", subject="p", level="IV")
    for n in range(1, 12):
        told.tell(n, f"i{n}", what="degraded", subject=f"rule-{n}", level="IV")
    assert told.ward.own_open(Own.FLOOD) is not None
    assert told.tell(20, "i0", what="stage", subject="p", level="III", state="updated").shown is Shown.WORSE
    assert [one.incident for one in said(told, Act.REOPEN)] == ["yuyuan-i0"]


def test_a_group_is_as_urgent_as_the_worst_that_it_stands_for() -> None:
    told = Told()
    for n in range(3):
        told.tell(n, f"i{n}", what="counter_silent", subject=f"t{n}", level="II")
    group = told.ward.own_open(Own.COUNTERS_SILENT)
    assert group is not None
    assert group.priority == "II"


def test_what_is_more_urgent_than_the_group_of_its_kind_stands_for_itself() -> None:
    told = Told()
    for n in range(3):
        told.tell(n, f"i{n}", what="counter_silent", subject=f"t{n}", level="IV")
    assert told.tell(5, "i5", what="counter_silent", subject="t5", level="IV").shown is Shown.GROUP
    assert told.tell(6, "i6", what="counter_silent", subject="t6", level="II").shown is Shown.RAISED


def test_a_group_is_over_with_its_last_and_says_so() -> None:
    told = Told()
    for n in range(3):
        told.tell(n, f"i{n}", what="counter_silent", subject=f"t{n}")
    for n in range(3):
        told.tell(100 + n, f"i{n}", what="counter_silent", subject=f"t{n}", state="cleared")
    assert told.ward.incidents == {}
    assert [one.incident for one in said(told, Act.GROUP_OVER)] == ["yuyuan-h1"]


def test_a_command_that_a_lost_gate_cannot_answer_is_stood_for_by_the_loss_grouped_or_not() -> None:
    told = Told()
    for n in range(3):
        told.tell(n, f"i{n}", what="gate_lost", subject=f"gate/{n}", level="III")
    assert told.ward.incidents["yuyuan-i0"].parent == "yuyuan-h1"
    unanswered = told.tell(30, "i9", what="gate_unanswered", subject="gate/0", level="III")
    assert (unanswered.shown, unanswered.parent) == (Shown.PARENT, "yuyuan-i0")
    told.tell(60, "i0", what="gate_lost", subject="gate/0", level="III", state="cleared")
    assert told.come(119) == []
    (free,) = told.come(120)
    assert (free.incident, free.detail) == ("yuyuan-i9", {"sounds": True})


def test_nothing_milder_stands_for_what_is_more_urgent() -> None:
    told = Told()
    told.tell(0, "i1", what="gate_lost", subject="gate/0", level="III")
    assert told.tell(5, "i2", what="gate_unanswered", subject="gate/0", level="II").shown is Shown.RAISED


def test_a_fire_stands_for_what_is_about_counting_and_for_nothing_about_a_way_out() -> None:
    told = Told()
    told.tell(0, "i1", what="recount_needed", subject="mall", level="IV")
    told.tell(1, "i2", what="fire", subject="fire", level="I")
    assert [one.incident for one in said(told, Act.SUPPRESS)] == ["yuyuan-i1"]
    assert told.tell(2, "i3", what="counter_silent", subject="t1", level="IV").shown is Shown.PARENT
    for n, what in enumerate(("gate_lost", "gate_unanswered", "gate_wrong_mode", "gate_contradicted", "confirmation_needed")):
        assert told.tell(3 + 300 * n, f"i{4 + n}", what=what, subject=f"gate/{n}", level="III").shown is Shown.RAISED


def test_what_a_fire_stood_for_is_a_group_after_it_and_not_a_dozen() -> None:
    told = Told()
    told.tell(0, "i0", what="fire", subject="fire", level="I")
    for n in range(1, 13):
        told.tell(n, f"i{n}", what="counter_silent", subject=f"t{n}", level="IV")
    told.tell(300, "i0", what="fire", subject="fire", level="I", state="cleared")
    told.come(360)
    assert load(told.book, START + 300 * SECOND, START + HOUR_US).shown == 3
    group = told.ward.own_open(Own.COUNTERS_SILENT)
    assert group is not None
    assert {i.parent for i in told.ward.incidents.values() if i.what == "counter_silent"} == {group.name}


def test_what_ends_soon_after_what_stood_for_it_never_sounds() -> None:
    told = Told()
    told.tell(0, "i1", what="gate_lost", subject="gate/0", level="III")
    told.tell(5, "i2", what="gate_unanswered", subject="gate/0", level="III")
    told.tell(60, "i1", what="gate_lost", subject="gate/0", level="III", state="cleared")
    told.tell(70, "i2", what="gate_unanswered", subject="gate/0", level="III", state="cleared")
    assert told.come(500) == []
    assert told.ward.incidents == {}


def test_orange_does_not_wait_for_what_stood_for_it_to_be_gone_a_minute() -> None:
    told = Told()
    told.tell(0, "i1", what="gate_lost", subject="gate/0", level="II")
    told.tell(5, "i2", what="gate_unanswered", subject="gate/0", level="II")
    told.tell(60, "i1", what="gate_lost", subject="gate/0", level="II", state="cleared")
    (free,) = said(told, Act.UNSUPPRESS)
    assert (free.incident, free.detail) == ("yuyuan-i2", {"sounds": True})


def silence(told: Told, at: float, counters: list[str]) -> Alert:
    """A rule for missing data that looks at these counters."""
    rule = alert(
        "yuyuan-i9", what="degraded", subject="blind", level="IV", shown=Shown.NOTICE, since_us=START + round(at * SECOND),
        entry=f"yuyuan-{told.ward.told + 1}", detail={kinds.COUNTERS: counters},
    )  # fmt: skip
    told.write(START + round(at * SECOND), showing.tell(told.ward, rule, START + round(at * SECOND), RULES))
    return rule


def test_a_rule_about_one_counter_stands_for_its_silence_before_and_after() -> None:
    told = Told()
    told.tell(0, "i1", what="counter_silent", subject="t1")
    silence(told, 180, ["t1", "t2"])
    assert told.ward.incidents["yuyuan-i1"].parent == "yuyuan-i9"
    assert told.tell(200, "i2", what="counter_silent", subject="t2").shown is Shown.PARENT
    assert told.tell(210, "i3", what="counter_silent", subject="t3").shown is Shown.RAISED


def test_a_rule_about_any_counter_stands_for_those_that_were_silent_and_the_next_one_is_news() -> None:
    told = Told()
    told.tell(0, "i1", what="counter_silent", subject="t1")
    silence(told, 180, [kinds.EVERY])
    assert told.ward.incidents["yuyuan-i1"].parent == "yuyuan-i9"
    assert told.tell(200, "i2", what="counter_silent", subject="t2").shown is Shown.RAISED


@pytest.mark.parametrize(
    ("leaves", "found"),
    [
        ([{"kind": "health", "health": "silent", "counter": "t1"}], ["t1"]),
        ([{"kind": "health", "health": "silent", "counter": None}], [kinds.EVERY]),
        ([{"kind": "health", "health": "silent", "counter": "t1"}, {"kind": "number", "zone": "mall"}], None),
    ],
)
def test_an_alert_says_which_counters_its_rule_looks_at_if_it_looks_at_nothing_else(leaves: Any, found: list[str] | None) -> None:
    entry = Tale().says("i1", "raised", 0, what="degraded", subject="blind", level="IV")
    document = {"plans": [{"plan": "p", "degraded": [{"rule": "blind", "leaves": leaves}]}]}
    assert (alert_of(entry, document, {}, None).detail or {}).get(kinds.COUNTERS) == found


def test_what_stood_behind_a_level_that_becomes_milder_stands_for_itself() -> None:
    told = Told()
    told.tell(0, "i1", what="gate_lost", subject="gate/0", level="II")
    told.tell(5, "i2", what="gate_unanswered", subject="gate/0", level="III")
    assert told.ward.incidents["yuyuan-i2"].parent == "yuyuan-i1"
    told.tell(9, "i1", what="gate_lost", subject="gate/0", level="IV", state="updated")
    assert told.ward.incidents["yuyuan-i2"].parent is None


def test_only_what_is_about_a_device_goes_into_maintenance() -> None:
    stage = begun(alert(what="stage", subject="p", level="II"), "yuyuan-1", START)
    with pytest.raises(NotPossibleError, match="about no device"):
        steps.check(stage, Act.MAINTAIN, START, reason="belt", until_us=START + HOUR_US)


def under_maintenance() -> Told:
    """A counter that was silent, under maintenance for an hour; its alert has ended and is closed."""
    told = Told()
    told.tell(0, "i1", what="counter_silent", subject="t1", level="IV")
    told.write(START + SECOND, [step(Act.MAINTAIN, "yuyuan-i1", reason="belt", until_us=START + HOUR_US)])
    told.tell(60, "i1", what="counter_silent", subject="t1", level="IV", state="cleared")
    assert told.ward.incidents == {}
    return told


def test_what_a_device_under_maintenance_says_does_not_sound_until_its_time() -> None:
    told = under_maintenance()
    assert told.tell(1800, "i2", what="counter_silent", subject="t1", level="IV").shown is Shown.MAINTENANCE
    assert told.come(3599) == []
    (free,) = told.come(3600)
    assert (free.incident, free.detail) == ("yuyuan-i2", {"sounds": True})


def test_a_device_that_is_restored_is_heard_before_its_time() -> None:
    told = under_maintenance()
    told.write(START + 600 * SECOND, [step(Act.RESTORE, "yuyuan-i1", handling=Handling.CLOSED)])
    assert told.tell(1800, "i2", what="counter_silent", subject="t1", level="IV").shown is Shown.RAISED


def test_what_a_restored_device_says_already_sounds_at_once() -> None:
    told = under_maintenance()
    told.tell(600, "i2", what="counter_silent", subject="t1", level="IV")
    told.write(START + 900 * SECOND, [step(Act.RESTORE, "yuyuan-i2")])
    (free,) = told.come(900)
    assert (free.incident, free.act, free.detail) == ("yuyuan-i2", Act.UNSUPPRESS, {"sounds": True})
    assert not told.ward.incidents["yuyuan-i2"].waits


def test_only_a_device_under_maintenance_is_restored() -> None:
    told = under_maintenance()
    assert steps.check(told.ward.closed["yuyuan-i1"], Act.RESTORE, START) is Handling.CLOSED
    told.write(START + 600 * SECOND, [step(Act.RESTORE, "yuyuan-i1", handling=Handling.CLOSED)])
    with pytest.raises(NotPossibleError, match="nothing that is under maintenance"):
        steps.check(told.ward.closed["yuyuan-i1"], Act.RESTORE, START)


@pytest.mark.parametrize("chosen", ["IV", "notice"])
def test_no_deployment_makes_a_fire_less_than_red(chosen: str) -> None:
    assert kinds.priority("fire", "fire", None, None, {"fire": chosen}) == "I"
    assert kinds.priority("invariant_broken", "table", None, None, {"invariant_broken": chosen}) == "I"
    assert kinds.priority("stage", "p", None, "I", {"stage": chosen}) == "I"


def test_clocks_of_what_was_told_late_begin_when_it_was_told() -> None:
    late = begun(alert(told_us=START + HOUR_US), "yuyuan-1", START)
    assert late.begun_us == START + HOUR_US


def test_the_answer_to_what_was_told_late_is_timed_from_when_it_was_told() -> None:
    told = entries(
        (0, alert(told_us=START + 3_000 * SECOND)),
        (3_020, step(Act.ACKNOWLEDGE, handling=Handling.ACKNOWLEDGED)),
    )
    assert load(told, START, START + HOUR_US).acknowledge_p50_s == 20


def test_an_old_name_that_is_raised_again_is_a_new_thing() -> None:
    told = Told()
    told.tell(0, "i1", what="fire", subject="fire", level="I")
    told.write(START + SECOND, [step(Act.ACKNOWLEDGE, "yuyuan-i1", handling=Handling.ACKNOWLEDGED)])
    assert told.tell(60, "i1", what="stage", subject="p", level="III").shown is Shown.WORSE
    again = told.ward.incidents["yuyuan-i1"]
    assert (again.what, again.priority, again.handling, again.cycle) == ("stage", "III", Handling.NEW, 2)


def test_the_desks_own_incidents_have_names_of_their_own_whatever_was_altered() -> None:
    told = Told()
    for digits in (17, 18, 19, 4_000):
        told.write(START, [alert(f"yuyuan-h{'9' * digits}", what=Own.FLOOD, subject="site")])
        first = showing.own_name(told.ward)
        told.write(START, [alert(first, what=Own.FLOOD, subject="site")])
        assert showing.own_name(told.ward) != first
