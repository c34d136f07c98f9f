"""What comes and goes at once waits until it has stayed; a flood leaves room for orange and red; groups are seen through a flood."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from flowwatch.core.entries import Entry
from flowwatch.handling import showing, steps
from flowwatch.handling.incident import begun
from flowwatch.handling.kinds import Own
from flowwatch.handling.load import load
from flowwatch.handling.records import Act, Alert, Handling, Shown, Step, body, kind_of, read
from flowwatch.handling.showing import SETTLES_US, Rules
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.ward import Ward
from tests.handling.made import SECOND, START, alert, step

RULES = Rules(returns_us=600 * SECOND, flood_from=10, flood_until=5)
HOUR_US = 3_600 * SECOND


class Told:
    """A ward that is told alerts, and its book."""

    def __init__(self) -> None:
        self.ward, self.book = Ward(site="yuyuan"), list[Entry]()

    def write(self, at: int, said: Iterable[Alert | Step]) -> None:
        for one in said:
            self.book.append(Entry("yuyuan", self.ward.seq + 1, kind_of(one), at, body(one), b""))
            self.ward.take(self.book[-1])

    def tell(self, seconds: float, incident: str, *, state: str = "raised", subject: str = "mall", what: str = "negative_occupancy",
             level: str | None = "IV") -> Alert:  # fmt: skip
        at, first = START + round(seconds * SECOND), len(self.book)
        entry = f"yuyuan-{self.ward.told + 1}"
        said = alert(
            f"yuyuan-{incident}", what=what, subject=subject, state=state, level=level, shown=Shown.NOTICE, since_us=at, entry=entry
        )
        self.write(at, showing.tell(self.ward, said, at, RULES))
        told = [one for entry in self.book[first:] if isinstance(one := read(entry), Alert) and one.incident == said.incident]
        return told[0]

    def come(self, seconds: float) -> list[Step]:
        """What the time alone brings by then."""
        at, first = START + round(seconds * SECOND), len(self.book)
        self.write(at, showing.timed(self.ward, at, RULES))
        return [one for entry in self.book[first:] if isinstance(one := read(entry), Step)]

    def flicker(self, times: int, level: str = "IV") -> None:
        for i in range(times):
            self.tell(20 * i, f"i{i + 1}", level=level)
            self.tell(20 * i + 10, f"i{i + 1}", level=level, state="cleared")


def test_what_comes_back_at_once_is_stood_for_by_the_one_before() -> None:
    told = Told()
    told.flicker(1)
    again = told.tell(20, "i2")
    assert (again.shown, again.parent) == (Shown.RETURNED, "yuyuan-i1")
    assert told.ward.incidents["yuyuan-i2"].waits


def test_what_comes_back_after_a_while_is_before_people() -> None:
    told = Told()
    told.flicker(1)
    again = told.tell(10 + SETTLES_US / SECOND + 1, "i2")
    assert (again.shown, again.parent) == (Shown.RETURNED, None)


def test_once_it_has_stayed_it_sounds_and_its_clocks_begin() -> None:
    told = Told()
    told.flicker(1)
    told.tell(20, "i2")
    assert showing.next_timed(told.ward) == START + 20 * SECOND + SETTLES_US
    assert told.come(79) == []
    (sounds,) = told.come(80)
    assert (sounds.act, sounds.incident, sounds.detail) == (Act.UNSUPPRESS, "yuyuan-i2", {"sounds": True})
    incident = told.ward.incidents["yuyuan-i2"]
    assert not incident.waits
    assert incident.begun_us == START + 80 * SECOND
    assert told.come(200) == []


def test_what_flickered_away_is_closed_and_never_heard_of() -> None:
    told = Told()
    told.flicker(5)
    assert told.ward.incidents == {}
    assert told.come(600) == []
    assert [said.shown for entry in told.book if isinstance(said := read(entry), Alert) and said.state == "raised"] == [
        Shown.RAISED,
        *[Shown.RETURNED] * 4,
    ]


def test_ten_changes_in_a_minute_are_no_chatter_to_people() -> None:
    told = Told()
    told.flicker(5)
    found = load(told.book, START, START + HOUR_US)
    assert (found.shown, found.chatter) == (1, ())


def test_orange_that_comes_back_at_once_does_not_wait() -> None:
    told = Told()
    told.flicker(1, level="II")
    assert told.tell(20, "i2", level="II").parent is None
    assert not told.ward.incidents["yuyuan-i2"].waits


def test_what_comes_back_worse_sounds() -> None:
    told = Told()
    told.flicker(1)
    assert told.tell(20, "i2", level="III").shown is Shown.RAISED


def test_a_flood_leaves_room_for_orange() -> None:
    told = Told()
    for i in range(20):
        told.tell(i, f"i{i + 1}", what="degraded", subject=f"rule-{i}", level="III")
    flood = told.ward.own_open(Own.FLOOD)
    assert flood is not None
    assert load(told.book, START, START + HOUR_US).shown == RULES.mild == 7
    for i in range(3):
        assert told.tell(30 + i, f"i{i + 21}", what="gate_contradicted", subject=f"gate-{i}", level="II").shown is Shown.RAISED
    assert load(told.book, START, START + HOUR_US).worst_10min == 10


@pytest.mark.parametrize(("flood_from", "mild"), [(2, 2), (3, 2), (5, 3), (10, 7), (100, 70)])
def test_a_flood_begins_at_seven_tenths_of_its_bound_and_never_with_the_first_alert(flood_from: int, mild: int) -> None:
    assert Rules(0, flood_from, 1).mild == mild


def test_gates_that_are_lost_together_are_orange_though_each_was_gathered() -> None:
    told = Told()
    for i in range(8):
        told.tell(i, f"i{i + 1}", what="degraded", subject=f"rule-{i}", level="III")
    shown = [told.tell(20 + i, f"i{i + 11}", what="gate_lost", subject=f"gate-{i}", level="III").shown for i in range(4)]
    assert shown == [Shown.FLOOD, Shown.FLOOD, Shown.GROUP, Shown.GROUP]
    group = told.ward.own_open(Own.GATES_LOST)
    assert group is not None
    assert (group.priority, group.shown) == ("II", Shown.RAISED)
    assert {i.parent for i in told.ward.incidents.values() if i.what == "gate_lost"} == {group.name}


def test_what_somebody_has_in_hand_does_not_sound_when_it_stands_for_itself_again() -> None:
    told = Told()
    told.tell(0, "i1", what="recount_needed")
    told.tell(5, "i2")
    told.write(START + 6 * SECOND, [step(Act.ACKNOWLEDGE, "yuyuan-i1", handling=Handling.ACKNOWLEDGED)])
    told.tell(10, "i2", state="cleared")
    (free,) = told.come(10 + SETTLES_US / SECOND)
    assert (free.incident, free.detail) == ("yuyuan-i1", {"sounds": False})


def test_a_red_is_not_put_under_maintenance() -> None:
    red = begun(alert(level="I"), "yuyuan-1", START)
    with pytest.raises(NotPossibleError, match="a supervisor can defer it"):
        steps.check(red, Act.MAINTAIN, START, reason="belt", until_us=START + HOUR_US)
