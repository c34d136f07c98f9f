"""From the journal to gates and back, over a real broker, with kills on every side."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowwatch.actuators import http
from flowwatch.actuators.ledger import Ledger
from flowwatch.actuators.reconcile import Because
from flowwatch.actuators.wires import Actuator, Broker
from flowwatch.core.entries import EntryKind
from flowwatch.journal import JournalError
from flowwatch.journal.follower import Follower
from tests.actuators.lab import PATIENCE_S, SITE, Lab, now_us, place
from tests.encrypted import overheard
from tests.feed.carried import until
from tests.servers import Mosquitto, users

pytestmark = pytest.mark.slow

DEEP = b'{"x":' * 5_000 + b"1" + b"}" * 5_000


def test_a_command_is_obeyed_and_reported_and_the_ledger_knows_of_it(lab: Lab) -> None:
    lab.house(a="out", b="out")
    dispatcher = lab.dispatcher()
    lab.post.settled(a="out", b="out")
    began = time.monotonic()
    (entry,) = lab.story.command(a="in")
    lab.post.settled(a="in")
    assert time.monotonic() - began < 10.0, "it waited for nothing that comes by the clock"
    lab.post.outcome("gate/a", "done")
    said = next(b for b in lab.post.all if b["outcome"] == "done")
    assert {k: said[k] for k in ("site", "device", "link", "setting", "revision", "command", "why")} == {
        "site": SITE, "device": "gate/a", "link": "up", "setting": "in", "revision": 2, "command": entry.id, "why": None
    }  # fmt: skip
    dispatcher.stop()
    (row,) = [r for r in lab.ledger.latest(SITE) if r.attempt]
    assert (row.command, row.revision, row.attempt, row.outcome, row.setting) == (entry.id, 2, 1, "done", "in")


def test_gates_change_places_without_a_moment_with_no_way_out(lab: Lab) -> None:
    lab.record = place("a", "b", "c")
    lab.house(a="out", b="in", c="in", turn_s=0.2)
    lab.dispatcher()
    lab.post.settled(a="out", b="in", c="in")
    lab.story.command(a="in", b="out", c="in")
    lab.post.settled(a="in", b="out")
    assert lab.obeyed()[-1] == ("gate/a", "in", 2)
    assert ("gate/b", "out", 2) in lab.obeyed()[:-1]


def _delivered(lab: Lab, **how: str) -> None:
    """How commands to gates are delivered, by the documents in force."""
    for one in lab.record["gates"]:
        one["delivery"] = how.get(one["gate"], one["delivery"])


def test_what_is_on_advise_or_unconfirmed_stays_until_a_person_says_so(lab: Lab) -> None:
    lab.house(a="in", b="in")
    lab.record["egress_min_per_min"] = 0
    _delivered(lab, a="advise", b="confirm")
    dispatcher = lab.dispatcher()
    lab.post.settled(a="in", b="in")
    lab.story.command(a="out", b="out")
    lab.story.tell(lab.story.action("A1", "release", gate="b", revision=1))
    lab.post.settled(b="out")
    lab.story.tell(lab.story.action("A2", "deliver", to="advise"))
    lab.story.command(b="both")
    lab.story.tell(lab.story.action("A3", "deliver", to="plan"))
    lab.story.tell(lab.story.action("A4", "release", gate="b", revision=2))
    lab.post.settled(b="both")
    (waiting,) = [s.wait for s in dispatcher.status(SITE) if s.device == "gate/a"]
    assert waiting is not None
    assert waiting.because is Because.ADVISE
    assert [d for d, *_ in lab.obeyed()] == ["gate/b", "gate/b"]
    notes = [r.note for r in lab.ledger.latest(SITE) if r.device == "gate/a"]
    assert notes == ["held: advise: on advise: people carry it out"]


def test_a_fire_opens_every_gate_without_an_engine_and_ends_only_when_people_end_it(lab: Lab) -> None:
    lab.house(a="in", b="out")
    _delivered(lab, a="advise", b="advise")
    dispatcher = lab.dispatcher()
    lab.story.command(a="in", b="out")
    lab.post.settled(a="in", b="out")
    dispatcher.fire(SITE, "F1")
    lab.post.settled(a="out", b="out")
    assert dispatcher.latched() == {SITE: ("F1",)}
    dispatcher.abandon()
    dispatcher = lab.dispatcher(2)
    assert dispatcher.latched() == {SITE: ("F1",)}
    lab.story.tell(lab.story.action("F1", "fire", state="on"))
    lab.story.command(a="out", b="out")
    lab.post.until(lambda last: last["gate/a"]["revision"] == 5 and last["gate/b"]["revision"] == 5)
    _delivered(lab, a="automatic", b="automatic")
    lab.story.tell(lab.story.action("F2", "fire", state="off"))
    lab.story.command(a="in", b="out")
    lab.post.settled(a="in", b="out")
    assert dispatcher.latched() == {}
    assert [x for x in lab.obeyed() if x[0] == "gate/a"] == [("gate/a", "out", 3), ("gate/a", "out", 5), ("gate/a", "in", 6)]


def test_a_broker_that_is_killed_loses_no_command(lab: Lab) -> None:
    lab.house(a="out", b="out")
    lab.dispatcher()
    lab.post.settled(a="out", b="out")
    lab.broker.kill()
    lab.story.command(a="both")
    lab.story.command(a="in")
    lab.broker.start()
    lab.post.settled(a="in")
    assert lab.obeyed() in ([("gate/a", "in", 4)], [("gate/a", "both", 2), ("gate/a", "in", 4)])


def test_a_controller_that_is_killed_obeys_when_it_is_back_and_nothing_twice(lab: Lab) -> None:
    process = lab.process("a", "b")
    lab.dispatcher()
    lab.post.settled(a="out", b="out")
    lab.story.command(a="in")
    lab.post.settled(a="in")
    process.kill()
    process.wait()
    lab.post.until(lambda last: last["gate/a"]["link"] == "lost" and last["gate/b"]["link"] == "lost")
    lab.story.command(a="out", b="both")
    lab.process("a", "b")
    lab.post.settled(a="out", b="both")
    began = [e for e in lab.told() if e["event"] == "began" and e["device"] == "gate/a"]
    assert [(e["setting"], e["revision"]) for e in began] == [("out", 0), ("in", 2)]
    assert len(lab.obeyed()) == len(set(lab.obeyed())) == 3


def test_an_old_instance_is_fenced_by_every_gate(lab: Lab) -> None:
    house = lab.house(a="out", b="out")
    old = lab.dispatcher(1)
    lab.post.settled(a="out", b="out")
    lab.dispatcher(2)
    lab.knows(house, 2)
    lab.story.command(a="in")
    lab.post.settled(a="in")
    heard = [(e["generation"], e["outcome"]) for e in lab.told() if e["event"] == "heard"]
    assert (2, "done") in heard
    assert all(outcome == "fenced" for generation, outcome in heard if generation == 1)
    assert house.controllers["gate/a"].memory.generation == 2
    assert old.alive


def test_a_service_that_is_killed_and_comes_back_sends_what_is_left_and_only_that(lab: Lab) -> None:
    lab.house(a="out", b="out")
    first = lab.dispatcher(1)
    lab.story.command(a="in", b="out")
    lab.post.settled(a="in", b="out")
    first.abandon()
    old = now_us() - 60_000_000
    lab.story.command(old, b="both")
    lab.story.command(old, a="metered 40/min")
    lab.story.command(old, a="out")
    lab.dispatcher(2)
    lab.post.settled(a="out", b="both")
    assert sorted(x for x in lab.obeyed() if x[2] > 2) == [("gate/a", "out", 6), ("gate/b", "both", 4)]
    notes = [(r.device, r.revision, r.note) for r in reversed(lab.ledger.latest(SITE)) if r.note in ("catching_up", "superseded")]
    assert notes == [("gate/b", 4, "catching_up"), ("gate/a", 4, "superseded"), ("gate/a", 6, "catching_up")]


def test_a_gate_without_the_service_falls_to_on_lost_and_is_told_again(lab: Lab) -> None:
    house = lab.house(a="out", b="out")
    first = lab.dispatcher(1)
    lab.story.command(a="in")
    lab.post.settled(a="in")
    lab.knows(house, 1)
    for controller in house.controllers.values():
        controller.lost_after_s = 1.0
    first.abandon()
    lab.diary.until("fell", "gate/a")
    lab.dispatcher(2)
    lab.diary.until("obeyed", "gate/a", times=2)
    assert lab.obeyed() == [("gate/a", "in", 2), ("gate/a", "in", 2)]


def test_no_attempt_is_obeyed_twice_and_nothing_old(lab: Lab) -> None:
    house = lab.house(a="out", b="out")
    lab.dispatcher()
    lab.story.command(a="both")
    lab.post.settled(a="both")
    lab.story.command(a="in")
    lab.post.settled(a="in")
    sent = [r for r in lab.ledger.latest(SITE) if r.attempt]
    controller = house.controllers["gate/a"]
    outcomes = [_again(controller, row) for row in sent]
    assert set(outcomes) <= {"done", "stale"}
    assert controller.real == "in"
    assert lab.obeyed() == [("gate/a", "both", 2), ("gate/a", "in", 4)]


def _again(controller: Any, row: Any) -> str:
    """The same bytes come once more."""
    from flowwatch.actuators import protocol  # noqa: PLC0415

    command = protocol.Command(
        command=row.command, site=row.site, device=row.device, setting=row.setting, revision=row.revision, attempt=row.attempt,
        generation=row.generation, expires=protocol.moment(row.expires_us), sent=protocol.moment(row.at_us)
    )  # fmt: skip
    return str(controller.hear(protocol.write(command)).outcome)


@pytest.mark.parametrize("fault", ["refuse", "jam", "deaf"])
def test_a_gate_that_does_not_obey_is_told_again_until_it_does(lab: Lab, fault: str) -> None:
    from flowwatch_sim.gatehouse.faults import Faults  # noqa: PLC0415

    house = lab.house(a="in", b="out")
    lab.dispatcher()
    lab.post.settled(a="in", b="out")
    house.controllers["gate/a"].set_faults(Faults.parse(fault))
    lab.story.command(a="out")
    if fault != "deaf":
        lab.post.outcome("gate/a", {"refuse": "refused", "jam": "moving"}[fault])
    house.controllers["gate/a"].set_faults(Faults())
    lab.post.settled(a="out")


def test_gates_over_http_obey_and_a_fire_reaches_them(lab: Lab) -> None:
    from flowwatch_sim.gatehouse.diary import Diary  # noqa: PLC0415
    from flowwatch_sim.gatehouse.house import Fitting, House, Manner  # noqa: PLC0415

    fittings = [Fitting("gate/a", "out", "out"), Fitting("gate/b", "out", "out")]
    house = House(SITE, fittings, lab.folder / "m", Manner(), Diary(lab.folder / "diary.jsonl"), http=("127.0.0.1", 0, "secret"))
    house.start()
    assert house.http is not None
    url = f"http://127.0.0.1:{house.http.port}/{{kind}}/{{id}}"
    try:
        dispatcher = lab.dispatcher(ways=[Actuator(SITE, url=url, token=lambda: "secret")])
        lab.post.settled(a="out", b="out")
        lab.story.command(a="in")
        lab.post.settled(a="in")
        dispatcher.fire(SITE, "F1")
        lab.post.settled(a="out")
        assert "secret" not in repr(lab.ledger.latest())
    finally:
        house.stop()


def test_a_changed_password_of_the_broker_needs_no_restart(tmp_path: Path) -> None:
    words = ["old"]
    with Mosquitto(tmp_path, users(tmp_path, us="new"), keeps=False) as broker, overheard("flowwatch.actuators.mqtt") as log:
        lab = Lab(tmp_path, broker)
        lab.house(a="out", b="out")
        lab.dispatcher(broker=Broker("main", "127.0.0.1", broker.port, "fw-out", "us", lambda: words[-1]))
        log.until("mqtt:main: the broker refuses the connection")
        words.append("new")
        lab.post.settled(a="out", b="out")
        lab.end()


def test_a_changed_token_of_gates_over_http_needs_no_restart(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowwatch_sim.gatehouse.diary import Diary  # noqa: PLC0415
    from flowwatch_sim.gatehouse.house import Fitting, House, Manner  # noqa: PLC0415

    monkeypatch.setattr(http, "SILENT_S", 1.0)
    monkeypatch.setattr(http, "ASK_EVERY_S", 0.1)
    fittings, words = [Fitting("gate/a", "out", "out"), Fitting("gate/b", "out", "out")], ["old"]
    house = House(SITE, fittings, lab.folder / "m", Manner(), Diary(lab.folder / "diary.jsonl"), http=("127.0.0.1", 0, "new"))
    house.start()
    assert house.http is not None
    url = f"http://127.0.0.1:{house.http.port}/{{kind}}/{{id}}"
    try:
        with overheard("flowwatch.actuators.http") as log:
            lab.dispatcher(ways=[Actuator(SITE, url=url, token=lambda: words[-1])])
            log.until(f"{SITE}/gate/a", "tells no state: HTTP 401")
        words.append("new")
        lab.post.settled(a="out", b="out")
    finally:
        house.stop()


def test_one_site_that_cannot_be_read_keeps_no_other_waiting(lab: Lab) -> None:
    lab.house(a="out", b="out")
    dispatcher = lab.dispatcher(ways=[Actuator("aa", broker="main"), Actuator(SITE, broker="main")])
    dispatcher._records["aa"] = (None, {"site": "aa"})
    lab.post.settled(a="out", b="out")
    dispatcher.fire("aa", "F0")
    lab.story.tell((EntryKind.COMMAND, {"site": SITE, "gate": "a"}))
    for kind, body in itertools.product((EntryKind.COMMAND, EntryKind.ACTION, EntryKind.DOCUMENT), (b"[]", b"null", b"{broken", DEEP)):
        lab.story.tell((kind, body))
    lab.story.command(a="in")
    lab.post.settled(a="in")
    assert dispatcher.well


def test_a_journal_that_cannot_be_followed_is_seen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.house(a="out", b="out")
    dispatcher = lab.dispatcher()
    lab.story.command(a="in")
    lab.post.settled(a="in")
    failed = threading.Event()

    def broken(_self: Follower) -> bool:
        failed.set()
        raise JournalError("the disk failed to read it")

    monkeypatch.setattr(Follower, "grew", broken)
    assert failed.wait(PATIENCE_S)
    until(lambda: not dispatcher.well)
    monkeypatch.undo()
    lab.story.command(a="both")
    lab.post.settled(a="both")
    until(lambda: dispatcher.well)


def test_a_fire_is_not_taken_for_one_that_is_over_where_the_wall_clock_was_set_back(lab: Lab) -> None:
    lab.house(a="in", b="out")
    dispatcher = lab.dispatcher()
    ahead = now_us() + 3_600_000_000
    lab.story.tell(lab.story.action("F1", "fire", state="on"), lab.story.action("F1e", "fire", state="off"), at=ahead)
    lab.story.command(at=ahead, a="in", b="out")
    lab.post.settled(a="in", b="out")
    dispatcher.fire(SITE, "F2")
    lab.post.settled(a="out", b="out")
    assert dispatcher.latched() == {SITE: ("F2",)}


def test_a_ledger_that_cannot_be_written_keeps_no_way_out_shut(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.house(a="in", b="out")
    dispatcher = lab.dispatcher()
    lab.post.settled(a="in", b="out")

    def full(*_: object) -> None:
        raise JournalError("no space left on the disk")

    for name in ("write", "latch", "attempts", "keep"):
        monkeypatch.setattr(lab.ledger, name, full)
    lab.story.command(b="both")
    with pytest.raises(JournalError):
        dispatcher.fire(SITE, "F1")
    lab.post.settled(a="out", b="out")
    assert {setting for _, setting, _ in lab.obeyed()} <= {"out"}


def test_a_fire_that_another_process_latched_reaches_every_gate_too(lab: Lab) -> None:
    lab.house(a="in", b="out")
    dispatcher = lab.dispatcher()
    lab.story.command(a="in", b="out")
    lab.post.settled(a="in", b="out")
    other = Ledger.open(lab.folder / "service.db")
    other.latch(SITE, "F9", time.time_ns() // 1000)
    other.close()
    lab.post.settled(a="out", b="out")
    assert dispatcher.latched() == {SITE: ("F9",)}


def test_a_fire_goes_out_though_the_journal_cannot_be_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.house(a="in", b="out")
    dispatcher = lab.dispatcher()
    lab.story.command(a="in", b="out")
    lab.post.settled(a="in", b="out")

    def broken(_self: Follower) -> bool:
        raise JournalError("the disk failed to read it")

    monkeypatch.setattr(Follower, "grew", broken)
    dispatcher.fire(SITE, "F1")
    lab.post.settled(a="out", b="out")
