"""What must not happen to an alert on long, restless or broken days."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.core.entries import GENESIS, Entry, EntryKind, link
from flowwatch.handling import showing
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import SERVICE, Act, Handling, Said, Shown
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.telling import alert_of
from flowwatch.handling.ward import Ward
from flowwatch.journal import Journal
from tests.handling.tale import START, Room, Tale
from tests.handling.test_properties import CHOSEN, Play

WAIT_S = 60.0


def says(play: Play, name: str, state: str, at: int, what: str, subject: str, level: str | None = None) -> Incident | None:
    entry = play.tale.says(name, state, at, what=what, subject=subject, level=level)
    play.take(entry.at, showing.tell(play.ward, alert_of(entry, None, {}, None), entry.at, CHOSEN.rules))
    return play.ward.find(f"yuyuan-{name}")


def test_a_red_that_nobody_acknowledged_stays_whatever_it_becomes_before_it_ends() -> None:
    play = Play()
    for at, state, level in ((0, "raised", "I"), (10, "updated", "IV"), (20, "updated", "III"), (30, "cleared", "III")):
        incident = says(play, "i1", state, at, "stage", "p", level)
    assert incident is not None
    assert (incident.handling, incident.latched) == (Handling.NEW, True)


def test_what_goes_up_and_down_unacknowledged_runs_out_all_the_same() -> None:
    play = Play()
    says(play, "i1", "raised", 0, "stage", "p", "II")
    for minute in range(1, 12):
        play.clocks(minute * 60 - 1)
        says(play, "i1", "updated", minute * 60, "stage", "p", "III" if minute % 2 else "II")
    acts = [said.act for _, said in play.said() if hasattr(said, "act")]
    assert acts.count(Act.ESCALATE) >= 2


def test_a_flood_ends_although_what_it_gathered_stays_and_a_stage_sounds_in_it() -> None:
    play = Play()
    for n in range(1, 16):
        says(play, f"i{n}", "raised", n, "gate_unanswered", f"gate/{n}")
    stage = says(play, "i99", "raised", 100, "stage", "p", "III")
    assert stage is not None
    assert stage.shown is Shown.RAISED
    for hour in range(1, 8):
        play.clocks(hour * 3600)
    assert all(incident.parent is None for incident in play.ward.incidents.values())


def test_what_comes_long_after_a_group_began_stands_for_itself() -> None:
    play = Play()
    for n in range(1, 5):
        says(play, f"i{n}", "raised", n, "gate_lost", f"gate/{n}")
    late = says(play, "i9", "raised", 3 * 86_400, "gate_lost", "gate/exit")
    assert late is not None
    assert (late.shown, late.parent) == (Shown.RAISED, None)


def test_what_never_sounded_sounds_when_it_comes_again() -> None:
    play = Play()
    for n in range(1, 16):
        says(play, f"i{n}", "raised", n, "gate_unanswered", f"gate/{n}")
    gathered = says(play, "i15", "cleared", 30, "gate_unanswered", "gate/15")
    assert gathered is not None
    assert gathered.shown is Shown.FLOOD
    for n in range(1, 15):
        says(play, f"i{n}", "cleared", 40, "gate_unanswered", f"gate/{n}")
    play.clocks(620)
    again = says(play, "i50", "raised", 625, "gate_unanswered", "gate/15")
    assert again is not None
    assert again.shown is Shown.RAISED


def test_a_record_that_cannot_be_read_stops_nothing() -> None:
    ward = Ward(site="yuyuan")
    assert ward.take(Entry("yuyuan", 1, EntryKind.HANDLING, 0, b'{"act":"teleport"}', bytes(32))) is None
    assert ward.seq == 1


def test_an_identifier_that_cannot_be_made_keeps_no_red_from_being_told(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1, what="stage", subject="p", level="I")
    tale.write(room.journal)

    class Broken:
        def next(self, at_us: int, time_zone: str) -> str:
            raise ValueError(time_zone)

    desk = room.desk()
    desk.stop()
    room.book.unlink()
    desk = room.desk(naming=Broken())
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert [(alert.priority, alert.cap) for alert in room.alerts()] == [("I", None)]


@pytest.mark.parametrize(
    "body", [b"{}", b"not json", b"[1]", b'{"incident":"yuyuan-i9","what":"fire","subject":"fire","state":"raised","level":"I"}']
)
def test_an_entry_that_says_little_is_told_with_that(tmp_path: Path, body: bytes) -> None:
    room = Room(tmp_path)
    entry = Entry("yuyuan", 1, EntryKind.INCIDENT, START, body, link(GENESIS, EntryKind.INCIDENT, START, body))
    with Journal.open(room.journal) as journal:
        journal.append([entry])
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    (alert,) = room.alerts()
    assert (alert.entry, alert.shown) == ("yuyuan-1", Shown.RAISED)
    assert alert.priority == ("I" if b"fire" in body else "II")


def test_a_word_that_cannot_be_written_is_refused_and_holds_up_nobody(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    bad = desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason="\ud800")
    good = desk.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang")
    with pytest.raises(NotPossibleError, match="cannot be written"):
        bad.result(WAIT_S)
    assert good.result(WAIT_S) is not None
    desk.stop()


def test_what_a_feed_cannot_say_keeps_nothing_from_being_told(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1, what="fire", subject="fire")
    desk = room.desk()
    desk.trouble("webhook/w", Said("\ud800", "a text that cannot be written"), on=True)
    tale.write(room.journal)
    assert desk.caught_up(WAIT_S)
    desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    desk.stop()
    assert [alert.what for alert in room.alerts()] == ["fire"]


def test_the_trouble_of_a_feed_that_is_there_no_more_ends(tmp_path: Path) -> None:
    room = Room(tmp_path)
    Tale().write(room.journal)
    desk = room.desk()
    for name in ("webhook/gone", "webhook/there"):
        desk.trouble(name, Said("送不到", "cannot be delivered"), on=True)
    desk.end_troubles_but({"webhook/there"}.__contains__)
    desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    assert [i.subject for i in desk.incidents(SERVICE) if i.active] == ["webhook/there"]
    desk.stop()


@pytest.mark.parametrize("garbage", [b"no database at all" * 100])
def test_a_book_that_cannot_be_opened_keeps_the_service_from_nothing(tmp_path: Path, garbage: bytes) -> None:
    room = Room(tmp_path)
    room.book.write_bytes(garbage)
    desk = room.desk()
    assert desk.alive
    room.book.unlink()
    tale = Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert len(room.alerts()) == 1
