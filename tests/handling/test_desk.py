"""The desk: every incident of the journal told once and in order, whatever ends; who stood by it; what people ask is kept or refused."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest

from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.handling import clocks, showing
from flowwatch.handling.book import UnwritableError
from flowwatch.handling.records import FLOWWATCH, SERVICE, Act, Alert, Handling, Said, Shown, Step, read
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.ward import Ward
from flowwatch.handling.wards import Wards
from flowwatch.journal import Journal, JournalError
from flowwatch.log.time import Onward
from tests.handling.made import alert
from tests.handling.tale import SECOND, START, Clock, Room, Tale

WAIT_S = 60.0


def alter(book: Path, changes: dict[str, object]) -> None:
    """Change the first alert of a book on the disk."""
    with closing(sqlite3.connect(book)) as connection:
        row, body = connection.execute("select rowid, body from entries where kind = 'alert' order by seq limit 1").fetchone()
        connection.execute("update entries set body = ? where rowid = ?", (canonical(json.loads(body) | changes), row))
        connection.commit()


def test_what_happened_while_nobody_sat_there_is_told_with_its_own_times(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.says("i1", "cleared", 9)
    tale.write(room.journal)
    room.clock.at(5000)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    with Journal.open(room.book, create=False) as book:
        assert [(e.kind.value, (e.at - START) / 1e6) for e in book.entries("yuyuan")] == [("alert", 1.0), ("alert", 9.0), ("handling", 9.0)]


def test_each_alert_names_the_entry_that_it_tells_of_and_its_hash(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    entry = tale.says("i1", "raised", 1, level="III", what="stage", subject="p")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    (alert,) = room.alerts()
    assert (alert.entry, alert.entry_hash, alert.priority) == (entry.id, entry.hash.hex(), "III")


@pytest.mark.parametrize("kept", [True, False])
def test_a_desk_that_comes_after_another_goes_on_where_it_stopped(tmp_path: Path, kept: bool) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    first = room.desk()
    assert first.caught_up(WAIT_S)
    first.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    first.stop() if kept else first.abandon()
    tale.says("i2", "raised", 2, subject="gate/h")
    tale.write(room.journal)
    second = room.desk()
    assert second.caught_up(WAIT_S)
    assert [(i.name, i.handling) for i in second.incidents("yuyuan")] == [
        ("yuyuan-i1", Handling.ACKNOWLEDGED),
        ("yuyuan-i2", Handling.NEW),
    ]
    second.stop()
    assert [alert.entry for alert in room.alerts()] == ["yuyuan-1", "yuyuan-2"]


def test_a_journal_that_was_made_anew_is_told_on_and_nothing_twice(tmp_path: Path) -> None:
    room, tale, other = Room(tmp_path), Tale(), Tale("bund")
    tale.says("i1", "raised", 1)
    other.says("i1", "raised", 2)
    tale.write(room.journal)
    other.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    room.journal.unlink()
    tale.says("i1", "cleared", 3)
    other.write(room.journal)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert [alert.entry for alert in room.alerts()] == ["yuyuan-1", "yuyuan-2"]
    assert [alert.entry for alert in room.alerts("bund")] == ["bund-1"]


def test_a_journal_that_is_made_anew_while_the_desk_sits_is_gone_on_with(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    tale.says("i2", "raised", 2, subject="gate/h")
    tale.write(tmp_path / "anew.db")
    for beside in ("-wal", "-shm"):
        room.journal.with_name(room.journal.name + beside).unlink(missing_ok=True)
    (tmp_path / "anew.db").replace(room.journal)
    until = time.monotonic() + WAIT_S
    while desk.find("yuyuan-i2") is None:
        assert time.monotonic() < until
    desk.stop()
    assert [alert.entry for alert in room.alerts()] == ["yuyuan-1", "yuyuan-2"]


def test_who_confirms_with_an_operators_record_has_acknowledged(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.records("01A", "li", 4)
    tale.says("i1", "updated", 4, reason="confirmed", action="01A")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    incident = desk.find("yuyuan-i1")
    desk.stop()
    assert incident is not None
    assert (incident.handling, incident.by) == (Handling.ACKNOWLEDGED, "li")


def test_a_step_that_cannot_be_taken_is_refused_with_the_near_miss(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    with pytest.raises(NotPossibleError, match='no incident "yuyuan-i11" at yuyuan; did you mean "yuyuan-i1"'):
        desk.act("yuyuan", "yuyuan-i11", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    desk.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    with pytest.raises(NotPossibleError, match="still holds"):
        desk.act("yuyuan", "yuyuan-i1", Act.CLOSE, "wang").result(WAIT_S)
    desk.stop()


def test_an_operator_does_not_close_what_was_verified_a_moment_ago(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.says("i1", "cleared", 2)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    tale.says("i2", "raised", 3)
    tale.write(room.journal)
    until = time.monotonic() + WAIT_S
    while desk.find("yuyuan-i2") is None:
        assert time.monotonic() < until
    for act in (Act.DISPATCH, Act.HANDLE, Act.FEEDBACK):
        desk.act("yuyuan", "yuyuan-i2", act, "wang", "operator", "done", to="patrol").result(WAIT_S)
    tale.says("i2", "cleared", 4)
    tale.write(room.journal)
    while (found := desk.find("yuyuan-i2")) is None or found.active:
        assert time.monotonic() < until
    desk.act("yuyuan", "yuyuan-i2", Act.VERIFY, "chief", "supervisor")
    with pytest.raises(NotPossibleError, match="takes a supervisor"):
        desk.act("yuyuan", "yuyuan-i2", Act.CLOSE, "wang", "operator").result(WAIT_S)
    desk.act("yuyuan", "yuyuan-i2", Act.CLOSE, "chief", "supervisor").result(WAIT_S)
    desk.stop()


def test_nothing_is_taken_once_it_stops(tmp_path: Path) -> None:
    room = Room(tmp_path)
    desk = room.desk()
    desk.stop()
    with pytest.raises(JournalError, match="stops"):
        desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason="x").result(WAIT_S)


def test_a_clock_warns_once_and_escalates_once(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 0, what="fire", subject="fire")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    for at in (47, 48, 50, 60, 70):
        room.clock.at(at)
        desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason=f"at {at}").result(WAIT_S)
        desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason="after the clocks").result(WAIT_S)
    desk.stop()
    told = [(s.act, s.clock, s.to) for s in room.steps() if s.act in (Act.WARN, Act.ESCALATE)]
    assert told == [(Act.WARN, "acknowledge", "operator"), (Act.ESCALATE, "acknowledge", "supervisor")]


def test_a_wall_clock_that_is_set_back_holds_up_no_clock_of_handling(tmp_path: Path) -> None:
    wall, steady, tale = Clock(), [0], Tale()
    room = Room(tmp_path, clock=Onward(wall, lambda: steady[0]))  # type: ignore[arg-type]
    tale.says("i1", "raised", 0, what="fire", subject="fire")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    wall.at(-3600)
    steady[0] = 60 * SECOND
    for _ in range(2):
        desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason="a turn").result(WAIT_S)
    desk.stop()
    assert [(s.act, s.clock) for s in room.steps() if s.by == FLOWWATCH] == [(Act.ESCALATE, "acknowledge")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("entry", "yuyuan-x"), ("entry", None), ("entry_hash", "zz"), ("priority", "VII"), ("state", "away"), ("since_us", [])],
)
def test_a_record_that_was_altered_keeps_the_desk_from_nothing(tmp_path: Path, field: str, value: object) -> None:
    room, tale = Room(tmp_path), Tale()
    for number in (1, 2):
        tale.says(f"i{number}", "raised", number, subject=f"gate/{number}", level="III")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.abandon()
    alter(room.book, {field: value})
    again = room.desk()
    assert again.caught_up(WAIT_S)
    again.act("yuyuan", "yuyuan-i2", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    again.stop()
    with Journal.open(room.book, create=False) as book:
        steps = [read(entry) for entry in book.entries("yuyuan", EntryKind.HANDLING)]
    assert [(step.incident, step.act) for step in steps if isinstance(step, Step)] == [("yuyuan-i2", Act.ACKNOWLEDGE)]


DEEP = b'{"x":' * 5_000 + b"1" + b"}" * 5_000


@pytest.mark.parametrize("changes", [{"level": "V"}, {"state": "Raised"}, {"since_us": -1}, {"since_us": 2**70}])
def test_a_red_with_an_odd_word_in_the_journal_is_before_people_all_the_same(tmp_path: Path, changes: dict[str, object]) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", str(changes.pop("state", "raised")), 1, what="stage", subject="p", **{"level": "I"} | changes)  # type: ignore[arg-type]
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    (incident,) = desk.incidents("yuyuan")
    desk.stop()
    assert incident.name == "yuyuan-i1"
    assert incident.priority in ("I", "II")


def test_a_body_that_nobody_can_unfold_keeps_no_other_site_waiting(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale(site="bund")
    tale.says("i1", "raised", 2, level="I", what="stage", subject="p")
    tale.write(room.journal)
    with Journal.open(room.journal) as journal:
        journal.append([Entry("yuyuan", 1, EntryKind.INCIDENT, START, DEEP, link(GENESIS, EntryKind.INCIDENT, START, DEEP))])
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    assert [one.name for one in desk.incidents("bund")] == ["bund-i1"]
    assert [one.name for one in desk.incidents("yuyuan")] == ["yuyuan-e1"]
    desk.act("bund", "bund-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    desk.stop()


def test_trouble_of_a_feed_is_an_incident_of_the_service_until_it_is_over(tmp_path: Path) -> None:
    room = Room(tmp_path)
    Tale().write(room.journal)
    desk = room.desk()
    for on in (True, True, False, False):
        desk.trouble("webhook/w1", Said("送不到", "cannot be delivered"), on=on)
    desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    assert desk.incidents(SERVICE) == []
    desk.stop()
    assert [(a.incident, a.state, a.what) for a in room.alerts(SERVICE)] == [
        ("@service-h1", "raised", "feed_undelivered"),
        ("@service-h1", "cleared", "feed_undelivered"),
    ]


def test_a_book_that_cannot_be_written_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    append, refused = Journal.append, [True]

    def failing(self: Journal, *given: object, **more: object) -> object:
        if self.path == room.book and refused:
            refused.clear()
            raise JournalError("no space left on the disk")
        return append(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", failing)
    with pytest.raises(JournalError, match="no space"):
        desk.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    desk.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    desk.stop()
    assert [step.act for step in room.steps()] == [Act.ACKNOWLEDGE]


def test_several_counters_that_fall_silent_sound_once_more_as_a_group(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    for n in range(1, 6):
        tale.says(f"i{n}", "raised", n, what="counter_silent", subject=f"t{n}")
    for n in range(1, 6):
        tale.says(f"i{n}", "cleared", 100 + n)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    assert desk.incidents("yuyuan") == []
    desk.stop()
    told = [(a.incident, a.shown) for a in room.alerts() if a.state == "raised"]
    assert told == [
        ("yuyuan-i1", Shown.RAISED),
        ("yuyuan-i2", Shown.RAISED),
        ("yuyuan-h1", Shown.RAISED),
        ("yuyuan-i3", Shown.GROUP),
        ("yuyuan-i4", Shown.GROUP),
        ("yuyuan-i5", Shown.GROUP),
    ]


@pytest.mark.parametrize("entries", [1, 2, 4])
def test_of_another_journal_everything_is_told_however_long_it_is(tmp_path: Path, entries: int) -> None:
    room, old, new = Room(tmp_path), Tale(), Tale()
    old.says("i1", "raised", 1)
    old.says("i1", "cleared", 2)
    old.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    room.journal.unlink()
    for n in range(1, entries + 1):
        new.says(f"i{n}", "raised", 100 + n, what="stage", subject=f"p{n}", level="I")
    new.write(room.journal)
    for _ in range(2):
        desk = room.desk()
        assert desk.caught_up(WAIT_S)
        desk.stop()
    told = [(alert.entry_hash, alert.shown) for alert in room.alerts()][2:]
    assert told == [(entry.hash.hex(), Shown.RAISED) for entry in new.entries]


def test_of_a_journal_that_parts_from_what_was_told_only_what_is_new_is_told(tmp_path: Path) -> None:
    room, old, new = Room(tmp_path), Tale(), Tale()
    for tale in (old, new):
        tale.says("i1", "raised", 1)
    old.says("i1", "cleared", 5)
    new.says("i2", "raised", 6, subject="gate/h")
    new.says("i3", "raised", 7, subject="gate/k")
    old.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    room.journal.unlink()
    new.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert [alert.entry_hash for alert in room.alerts()] == [e.hash.hex() for e in (*old.entries, *new.entries[1:])]


def test_a_journal_that_grows_again_from_its_beginning_is_told_on_where_it_was(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    for n in range(1, 5):
        tale.says(f"i{n}", "raised", n, what="stage", subject=f"p{n}", level="II")
    whole = list(tale.entries)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    room.journal.unlink()
    for length in (2, 4):
        tale.entries = whole[:length]
        tale.write(room.journal)
        desk = room.desk()
        assert desk.caught_up(WAIT_S)
        desk.stop()
    tale.says("i9", "raised", 9, what="stage", subject="p9", level="II")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert [alert.entry for alert in room.alerts()] == [f"yuyuan-{n}" for n in range(1, 6)]


def test_an_entry_at_which_the_rules_fail_is_told_without_them_and_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tell = showing.tell

    def failing(ward: Ward, alert: Alert, *rest: Any) -> Iterator[Alert | Step]:
        if alert.subject == "gate/bad":
            raise ZeroDivisionError
        return tell(ward, alert, *rest)

    monkeypatch.setattr(showing, "tell", failing)
    room, tale = Room(tmp_path), Tale()
    for n, subject in enumerate(("gate/a", "gate/bad", "gate/b"), 1):
        tale.says(f"i{n}", "raised", n, what="gate_wrong_mode", subject=subject)
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    assert [(alert.subject, alert.shown) for alert in room.alerts()] == [
        ("gate/a", Shown.RAISED),
        ("gate/bad", Shown.RAISED),
        ("gate/b", Shown.RAISED),
    ]
    assert "told without the rules of showing" in caplog.text


def test_a_rule_of_clocks_that_fails_keeps_no_alert_from_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, tale = Room(tmp_path), Tale()

    def failing(*_: object) -> Iterator[Step]:
        raise ZeroDivisionError

    monkeypatch.setattr(clocks, "due", failing)
    tale.says("i1", "raised", 0, what="fire", subject="fire")
    tale.write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    room.clock.at(60)
    tale.says("i2", "raised", 61, subject="gate/h")
    tale.write(room.journal)
    for _ in range(2):  # the second is taken after the first turn that failed
        desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    desk.stop()
    assert [alert.entry for alert in room.alerts()] == ["yuyuan-1", "yuyuan-2"]


def test_what_happened_while_nobody_sat_there_has_clocks_that_begin_when_it_is_told(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1, what="fire", subject="fire")
    tale.write(room.journal)
    room.clock.at(5000)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.act("yuyuan", "yuyuan-i1", Act.NOTE, "wang", reason="here").result(WAIT_S)
    found = desk.find("yuyuan-i1")
    desk.stop()
    assert found is not None
    assert (found.alert.told_us, found.begun_us) == (START + 5000 * 1_000_000,) * 2
    assert [step.act for step in room.steps()] == [Act.NOTE]


def test_a_flood_that_passed_while_nobody_sat_there_gathers_nothing_of_what_came_hours_later(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    for n in range(1, 10):
        tale.says(f"i{n}", "raised", n, what="degraded", subject=f"rule-{n}", level="III")
        tale.says(f"i{n}", "cleared", 200 + n)
    late = tale.says("i20", "raised", 9000, what="degraded", subject="rule-20", level="III")
    tale.entries.sort(key=lambda entry: entry.seq)
    tale.write(room.journal)
    room.clock.at(9001)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    desk.stop()
    shown = {alert.entry: alert.shown for alert in room.alerts()}
    assert Shown.FLOOD in shown.values()
    assert shown[late.id] is Shown.RAISED


def test_a_word_of_a_feed_is_not_lost_where_the_book_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path)
    Tale().write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    append, refused = Journal.append, [True, True]

    def failing(self: Journal, *given: object, **more: object) -> object:
        if self.path == room.book and refused:
            refused.pop()
            raise JournalError("no space left on the disk")
        return append(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "append", failing)
    desk.trouble("webhook/w1", Said("送不到", "cannot be delivered"), on=True)
    while refused:
        with suppress(JournalError):
            desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    desk.handover("yuyuan", "wang", "li", "evening").result(WAIT_S)
    desk.stop()
    assert [alert.subject for alert in room.alerts(SERVICE)] == ["webhook/w1"]


def test_whoever_asks_while_it_ends_is_answered(tmp_path: Path) -> None:
    room = Room(tmp_path)
    Tale().write(room.journal)
    desk = room.desk()
    assert desk.caught_up(WAIT_S)
    asking, answers = Event(), list[Future[Entry | None]]()

    def ask() -> None:
        while desk.alive or len(answers) < 50:
            answers.append(desk.handover("yuyuan", "wang", "li", "evening"))
            asking.set()

    asker = Thread(target=ask)
    asker.start()
    assert asking.wait(WAIT_S)
    desk.stop()
    asker.join(WAIT_S)
    assert wait(answers, WAIT_S).not_done == set()
    kept = sum(one.exception() is None for one in answers)
    assert sum(step.act is Act.HANDOVER for step in room.steps()) == kept


def test_what_was_kept_of_another_book_is_passed_over(tmp_path: Path) -> None:
    room, tale = Room(tmp_path), Tale()
    tale.says("i1", "raised", 1)
    tale.write(room.journal)
    for _ in range(2):
        desk = room.desk()
        assert desk.caught_up(WAIT_S)
        desk.stop()
        assert (tmp_path / "kept").exists()
        assert [alert.entry for alert in room.alerts()] == ["yuyuan-1"]
        room.book.unlink()


@pytest.mark.parametrize("changes", [{"priority": "V"}, {"state": "Raised"}, {"told_us": -1}, {"entry_hash": "zz"}])
def test_nothing_is_written_that_nobody_could_read_again(tmp_path: Path, changes: dict[str, object]) -> None:
    wards = Wards.open(tmp_path / "handling.db", None)
    with pytest.raises(UnwritableError):
        wards.add("yuyuan", START, msgspec.structs.replace(alert(), **changes))
    assert wards.commit() == {}
    wards.close()
