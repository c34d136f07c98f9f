"""What devices say becomes knowledge, and news only once."""

from __future__ import annotations

import json
from typing import Any

from flowwatch.actuators.fleet import STALE_US, Device
from flowwatch.actuators.protocol import Ack, Outcome, Passed, State, moment
from flowwatch.actuators.reconcile import SECOND, Flight, Known

NOW = 1_790_000_000 * SECOND


def state(setting: str = "out", revision: int = 2, **changes: Any) -> State:
    said: dict[str, Any] = {"device": "gate/a", "link": "up", "setting": setting, "revision": revision, "attempt": 1, "on_lost": "out"}
    return State(**said | changes)


def ack(outcome: Outcome, revision: int = 4, why: str | None = None) -> Ack:
    return Ack(command="yu-9", device="gate/a", revision=revision, attempt=1, outcome=outcome, why=why, at=moment(NOW))


def said(report: bytes | None) -> dict[str, Any] | None:
    return None if report is None else json.loads(report)


def test_only_changes_are_news() -> None:
    device = Device("yu", "gate/a", Known())
    first = said(device.says(state(), NOW, live=True))
    assert first == {
        "site": "yu", "device": "gate/a", "at_us": NOW, "link": "up", "setting": "out", "revision": 2,
        "command": None, "outcome": None, "about": None,
        "why": None
    }  # fmt: skip
    assert device.says(state(), NOW + SECOND, live=True) is None
    assert said(device.says(state("in", 4), NOW + SECOND, live=True)) is not None
    lost = said(device.lost(NOW + 2 * SECOND))
    assert lost is not None
    assert (lost["link"], lost["setting"]) == ("lost", "in")
    assert device.lost(NOW + 3 * SECOND) is None
    assert said(device.says(state("in", 4), NOW + 4 * SECOND, live=True)) is not None


def test_what_the_broker_had_kept_is_a_last_word_but_no_presence_and_no_news() -> None:
    device = Device("yu", "gate/a", Known())
    assert device.says(state(), NOW, live=False) is None
    assert device.known.reported is not None
    assert (device.known.reported.up, device.known.reported.live) == (True, False)
    assert device.says(state(), NOW + SECOND, live=True) is not None


def test_an_answer_is_news_once_and_only_of_the_newest_revision() -> None:
    device = Device("yu", "gate/a", Known())
    device.says(state("in"), NOW, live=True)
    device.sent(Flight("out", 4, 1, 1, NOW, NOW + 60 * SECOND))
    refused = said(device.answers(ack(Outcome.REFUSED, why="local"), NOW))
    assert refused is not None
    assert (refused["outcome"], refused["why"], refused["setting"], refused["about"]) == ("refused", "local", "in", 4)
    assert refused["revision"] < 4
    assert device.answers(ack(Outcome.REFUSED, why="local"), NOW) is None
    assert device.answers(ack(Outcome.STALE, revision=2), NOW) is None
    fenced = said(device.answers(ack(Outcome.FENCED), NOW))
    assert fenced is not None
    assert (fenced["outcome"], fenced["why"]) == ("failed", "fenced")
    assert device.fenced


def test_a_device_that_begins_to_turn_has_obeyed_once_its_state_says_so() -> None:
    device = Device("yu", "gate/a", Known())
    device.says(state("in"), NOW, live=True)
    device.sent(Flight("out", 4, 1, 1, NOW, NOW + 60 * SECOND))
    moving = said(device.answers(ack(Outcome.ACCEPTED), NOW))
    there = said(device.says(state("out", 4), NOW + SECOND, live=True))
    assert moving is not None
    assert there is not None
    told = [(report["outcome"], report["setting"], report["revision"]) for report in (moving, there)]
    assert told == [("moving", "in", 2), (None, "out", 4)]


def test_a_refused_attempt_may_still_be_obeyed_and_an_overtaken_one_not() -> None:
    device = Device("yu", "gate/a", Known())
    device.says(state("out"), NOW, live=True)
    device.sent(Flight("in", 4, 1, 1, NOW, NOW + 60 * SECOND))
    device.answers(ack(Outcome.REFUSED), NOW)
    device.says(state("out"), NOW + SECOND, live=True)
    assert [f.revision for f in device.known.flights] == [4]
    device.sent(Flight("both", 6, 1, 1, NOW, NOW + 60 * SECOND))
    device.says(state("both", 6), NOW + 2 * SECOND, live=True)
    assert [f.revision for f in device.known.flights] == [6]


def test_silence_and_people_are_counted() -> None:
    device = Device("yu", "gate/a", Known())
    device.says(state(passed=Passed(came_in=1, went_out=2)), NOW, live=True)
    device.says(state(passed=Passed(came_in=3, went_out=4)), NOW, live=True)
    assert device.passed == (4, 6)
    assert not device.overdue(NOW + STALE_US)
    assert device.overdue(NOW + STALE_US + 1)
