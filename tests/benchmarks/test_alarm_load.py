"""What a command room is told on the shipped peak day stays within the bounds of one operator, and no red is ever among what does not sound."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from benchmarks.alarm_load import PEAK, PEAK_LOST, Told, peak_day, random_day, scenario, told
from benchmarks.command_room import CommandRoom
from benchmarks.troubles import at_random, lived
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents.alarms import Alarms, Priority
from flowwatch.handling.load import WINDOW_US, most_within
from flowwatch.handling.records import SHOWN, Alert, read
from flowwatch.handling.ward import Ward

EVERYTHING = {
    *("stage", "counter_silent", "negative_occupancy", "occupancy_unknown", "recount_needed", "confirmation_needed", "degraded"),
    *("gate_unanswered", "gate_wrong_mode", "gate_lost", "gate_contradicted"),
}
"""What goes wrong on the peak day."""


def raised(journal: Iterable[Entry]) -> set[str]:
    bodies = [json.loads(entry.body) for entry in journal if entry.kind is EntryKind.INCIDENT]
    return {body["what"] for body in bodies if body["state"] == "raised"}


def reds_that_wait(book: Iterable[Entry], site: str) -> list[str]:
    """The entries after whose moment an open red was stood for, shelved or put aside."""
    ward, found, last = Ward(site=site), list[str](), 0
    for entry in book:
        if entry.at != last:
            found += [
                i.alert_id for i in ward.incidents.values() if i.priority == "I" and i.active and i.deferred_until is None and i.waits
            ]
            last = entry.at
        ward.take(entry)
    return found


@pytest.fixture(scope="module", params=range(3))
def peak(request: pytest.FixtureRequest) -> Told:
    return peak_day(request.param)


@pytest.mark.slow
def test_the_peak_day_stays_within_what_one_operator_can_read(peak: Told) -> None:
    load = peak.after
    assert load.per_hour <= 6
    assert load.worst_10min <= 10
    assert load.flood_share < 0.01
    assert load.chatter == ()
    assert load.broken == ()


@pytest.mark.slow
def test_every_red_of_the_peak_day_sounds(peak: Told) -> None:
    assert peak.reds
    assert peak.reds <= peak.reds_shown
    assert peak.after.reds_hidden == 0


@pytest.mark.slow
def test_told_one_by_one_the_peak_day_would_be_more_than_anybody_can_read(peak: Told) -> None:
    assert most_within(peak.before, WINDOW_US)[0] > 20
    assert len(peak.before) > 1.5 * peak.after.shown


@pytest.mark.slow
def test_everything_goes_wrong_on_the_peak_day() -> None:
    planned = scenario(PEAK)
    assert raised(lived(planned, 0, PEAK_LOST)) == EVERYTHING


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_no_red_is_kept_from_people_whatever_breaks_and_whatever_they_put_aside(number: int) -> None:
    day = random_day(number)
    assert day.reds <= day.reds_shown
    assert day.after.reds_hidden == 0
    assert day.after.worst_10min <= 10
    assert day.after.chatter == ()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_what_a_deployment_makes_red_is_kept_from_nobody(number: int) -> None:
    chosen = dict.fromkeys(("gate_contradicted", "gate_lost", "counter_silent"), Priority.I)
    planned, lost = at_random(number)
    room = CommandRoom(planned.loaded.site, number, Alarms(priorities=chosen), careless=0.5)
    journal = lived(planned, number, lost)
    day = told(planned, journal, room)
    bodies = {entry.id: json.loads(entry.body) for entry in journal if entry.kind is EntryKind.INCIDENT}
    begun = {id_ for id_, body in bodies.items() if body["what"] in chosen and body["state"] == "raised"}
    sounded = {said.entry for entry in room.book if isinstance(said := read(entry), Alert) and said.shown in SHOWN}
    assert begun <= sounded
    assert day.after.reds_hidden == 0
    assert reds_that_wait(room.book, room.site) == []


def test_the_same_day_is_told_the_same_again() -> None:
    books = []
    for _ in range(2):
        planned, lost = at_random(3)
        room = CommandRoom(planned.loaded.site, 3, careless=0.2)
        told(planned, lived(planned, 3, lost), room)
        books.append([(entry.at, entry.body) for entry in room.book])
    assert books[0] == books[1]
    assert len(books[0]) > 20
