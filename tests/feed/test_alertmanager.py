"""Debian's Alertmanager receives what is open and resolves what ended, across its own death and ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowwatch.feed.alertmanager import AlertmanagerFeed, Goal, alert, is_told
from flowwatch.handling.desk import Desk
from flowwatch.handling.records import Said
from tests.feed.alertmanager import Alertmanager
from tests.handling.tale import START, Room, Tale

WAIT_S = 20.0


def now_us() -> int:
    return time.time_ns() // 1000


def early(tmp_path: Path) -> tuple[Room, Tale]:
    """A tale that began a little before now."""
    room = Room(tmp_path)
    room.clock.us = now_us()
    return room, Tale()


def at_now() -> float:
    return (now_us() - START) / 1e6


@contextmanager
def feeding(desk: Desk, url: str, told: list[bool] | None = None) -> Iterator[AlertmanagerFeed]:
    def trouble(key: str, text: Said, *, on: bool) -> None:
        if told is not None:
            told.append(on)

    feed = AlertmanagerFeed(Goal(url), desk, now_us, "https://flowwatch.test", trouble)
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()


def told(room: Room, tale: Tale, desk: Desk) -> None:
    """Wait until the desk has told the tale."""
    tale.write(room.journal)
    last = tale.entries[-1].id
    until = time.monotonic() + WAIT_S
    while not any(i.alert.entry == last for i in desk.known("yuyuan")):
        assert time.monotonic() < until


def test_it_receives_what_is_open_and_resolves_what_ended(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    tale.says("i1", "raised", at_now() - 5, what="stage", subject="p", level="I")
    tale.says("i2", "raised", at_now() - 4)
    desk = room.desk()
    told(room, tale, desk)
    with Alertmanager(tmp_path) as manager, feeding(desk, manager.url):
        first, second = manager.until("yuyuan-i1", "yuyuan-i2")
        assert first["labels"]["severity"] == "critical"
        assert second["annotations"]["runbook_url"] == "https://flowwatch.test/runbooks/gate_lost"
        tale.says("i1", "cleared", at_now(), level="I")
        told(room, tale, desk)
        manager.until("yuyuan-i2")
    desk.stop()


def test_one_that_was_restarted_without_memory_is_told_again(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    tale.says("i1", "raised", at_now() - 5)
    desk = room.desk()
    told(room, tale, desk)
    with Alertmanager(tmp_path) as manager, feeding(desk, manager.url):
        manager.until("yuyuan-i1")
        manager.stop()
        tale.says("i2", "raised", at_now(), subject="gate/h")
        told(room, tale, desk)
        manager.start()
        manager.until("yuyuan-i1", "yuyuan-i2")
    desk.stop()


def test_what_ended_while_nobody_was_there_to_tell_it_is_resolved(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    tale.says("i1", "raised", at_now() - 5)
    desk = room.desk()
    told(room, tale, desk)
    with Alertmanager(tmp_path) as manager:
        with feeding(desk, manager.url):
            manager.until("yuyuan-i1")
        tale.says("i1", "cleared", at_now())
        told(room, tale, desk)
        with feeding(desk, manager.url):
            manager.until()
    desk.stop()


def test_what_something_stands_for_and_what_nobody_need_answer_is_not_told(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    for n in range(1, 5):
        tale.says(f"i{n}", "raised", at_now() - 5 + n, what="counter_silent", subject=f"t{n}")
    tale.says("i9", "raised", at_now(), what="override_active", subject="stage")
    desk = room.desk()
    told(room, tale, desk)
    assert [i.name for i in desk.incidents("yuyuan") if is_told(i)] == ["yuyuan-h1"]
    desk.stop()


def test_an_alert_that_becomes_worse_is_another_one(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    tale.says("i1", "raised", at_now() - 5, what="stage", subject="p", level="III")
    desk = room.desk()
    told(room, tale, desk)
    with Alertmanager(tmp_path) as manager, feeding(desk, manager.url):
        assert [one["labels"]["severity"] for one in manager.until("yuyuan-i1")] == ["warning"]
        tale.says("i1", "updated", at_now(), what="stage", subject="p", level="I")
        told(room, tale, desk)
        until = time.monotonic() + WAIT_S
        while [one["labels"]["severity"] for one in manager.alerts()] != ["critical"]:
            assert time.monotonic() < until
    desk.stop()


def test_its_life_is_three_minutes_unless_it_is_told_again(tmp_path: Path) -> None:
    room, tale = early(tmp_path)
    tale.says("i1", "raised", at_now() - 5)
    desk = room.desk()
    told(room, tale, desk)
    (incident,) = desk.incidents("yuyuan")
    desk.stop()
    made = alert(incident, 1_800_000_000_000_000, None)
    assert made["endsAt"] == "2027-01-15T08:03:00.000000Z"
    assert "generatorURL" not in made
