"""The stream as a listener has it: in order, from any place on, only what it may see, and whoever is slow harms nobody but itself."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowwatch.core.entries import Entry, EntryKind, Estimate, link
from flowwatch.feed import hub
from flowwatch.feed.listener import MOST_BYTES
from flowwatch.feed.places import CHECKED
from flowwatch.handling.records import SERVICE, Act, Handling, Step
from flowwatch.journal import Journal, JournalError, follower
from flowwatch.service import edge, stream
from flowwatch.service.auth.identity import Grant, Role, Scope
from flowwatch.service.server import STOP_S
from tests.feed.live import WAIT_S, Ear, Event, Live, until
from tests.service.place import PASSWORD, SECOND, START

LATER = START + 60 * SECOND


def story(there: Live, *, apart: bool = False) -> list[str]:
    """Some decisions, alerts and steps; their ids in the order of their times, those of alerts and steps with a sign.

    `apart`: nothing is written before the alert that precedes it was told to those who listen, so that they have them in just this order.
    """
    hub_, told = there.place.service.feed.hub, []
    for number in range(6):
        at = LATER + number * SECOND
        told.append(there.written.decide("yuyuan", at=at).id)
        alert = there.written.alert("yuyuan", f"yuyuan-i{number + 2}", at=at)
        told.append("!" + alert.id)
        if apart:
            last = alert.hash[:CHECKED].hex()
            until(lambda last=last: hub_.place.endswith(last))  # type: ignore[misc]
        told.append(there.written.decide("bund", EntryKind.DEVICE, at=at + 1, name="x", device="sign", state="on").id)
    return told


def signed(events: list[Event]) -> list[str]:
    return ["!" * (event.kind in ("alert", "handling")) + event.data["id"] for event in events]


def take(ear: Ear, count: int) -> list[Event]:
    return [ear.next("alert", "handling", "transition", "command", "device", "task") for _ in range(count)]


def test_what_happens_comes_in_order(there: Live) -> None:
    ear = there.listen()
    assert ear.next().kind == "snapshot"
    told = story(there)
    found = signed(take(ear, len(told)))
    for of_book in (True, False):
        assert [name for name in found if name.startswith("!") is of_book] == [name for name in told if name.startswith("!") is of_book]
    for before, alert in zip(told[::3], told[1::3], strict=True):
        assert found.index(before) < found.index(alert)


def test_what_happens_slowly_comes_in_the_order_of_its_times(there: Live) -> None:
    ear = there.listen()
    assert ear.next().kind == "snapshot"
    told = story(there, apart=True)
    assert signed(take(ear, len(told))) == told


def test_the_same_comes_to_who_was_there_and_to_who_comes_again_at_any_place(there: Live) -> None:
    ear = there.listen()
    begin = ear.next("snapshot").id
    events = take(ear, len(story(there, apart=True)))
    for number, place in enumerate([begin, *(event.id for event in events)]):
        rest = events[number:]
        for again in (there.listen(f"?since={place}"), there.listen(headers=there.token() | {"last-event-id": str(place)})):
            assert take(again, len(rest)) == rest
            again.close()
    late = there.listen(f"?since={events[-1].id}")
    entry = there.written.decide("yuyuan")
    assert take(late, 1)[0].data["id"] == entry.id


def test_a_browsers_own_word_of_its_place_goes_before_the_address(there: Live) -> None:
    ear = there.listen()
    ear.next("snapshot")
    events = take(ear, len(story(there, apart=True)))
    again = there.listen("?since=j0-h0", there.token() | {"last-event-id": str(events[-2].id)})
    assert take(again, 1) == events[-1:]


def test_from_the_beginning_everything_comes_once(there: Live) -> None:
    story(there)
    with Journal.open(there.place.workspace.journal) as journal:
        wanted = {entry.id for entry in journal.entries() if entry.kind.value in ("transition", "command", "device", "task")}
    with Journal.open(there.place.workspace.handling) as book:
        wanted |= {"!" + entry.id for entry in book.entries()}
    ear = there.listen("?since=j0-h0")
    found = signed(take(ear, len(wanted)))
    assert set(found) == wanted
    entry = there.written.decide("bund")
    assert take(ear, 1)[0].data["id"] == entry.id


def test_more_than_a_page_is_read_back_while_more_comes(there: Live) -> None:
    for _ in range(3 * 200 + 7):
        there.written.decide("yuyuan")
    ear = there.listen("?since=j0-h0&kinds=task")
    for _ in range(50):
        there.written.decide("bund")
    assert sorted(ear.ids(657)) == sorted(there.written.ids)


def test_events_say_what_the_journal_says_with_times_as_text(there: Live) -> None:
    ear = there.listen()
    ear.next("snapshot")
    entry = there.written.alert("yuyuan", "yuyuan-i2", at=LATER)
    event = ear.next("alert")
    assert event.data | {"body": None} == {
        "id": entry.id,
        "kind": "alert",
        "site": "yuyuan",
        "at": "2026-10-01T06:01:00.000000Z",
        "hash": entry.hash.hex(),
        "body": None,
    }
    assert event.data["body"]["since_at"] == "2026-10-01T06:01:00.000000Z"
    assert event.data["body"]["text"] == {"zh": "太满", "en": "Too full"}


def test_the_head_is_that_of_a_stream_which_nothing_keeps(there: Live) -> None:
    ear = there.listen()
    assert ear.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert ear.headers["cache-control"] == "no-store"
    assert ear.headers["x-accel-buffering"] == "no"
    assert ear.headers["x-request-id"]


def test_a_snapshot_says_what_stands(there: Live) -> None:
    there.written.alert("yuyuan", "yuyuan-i1")
    there.written.alert("yuyuan", "yuyuan-i2")
    there.written.step("yuyuan", "yuyuan-i2", Act.CLOSE, Handling.CLOSED)
    there.written.step("yuyuan", "yuyuan-i1")
    there.written.step("yuyuan", "", Act.HANDOVER, Handling.NEW)
    there.written.minute("yuyuan", LATER, 12)
    ear = there.listen("?site=yuyuan")
    (site,) = ear.next("snapshot").data["sites"]
    assert site["stages"] == {"yuyuan": "normal"}
    assert [(gate["gate"], gate["mode"]) for gate in site["gates"]] == [("gate-1", "both"), ("gate-2", "both")]
    assert site["zones"]["zones"] == {"mall": {"people": 12}}
    (incident,) = site["incidents"]
    assert (incident["incident"], incident["handling"], incident["step"]["body"]["by"]) == ("yuyuan-i1", "acknowledged", "wang")
    assert incident["alert"]["body"]["text"]["zh"] == "太满"


def test_a_shift_that_took_over_keeps_no_snapshot_from_being_made(there: Live) -> None:
    there.written.book.write([("yuyuan", START, Step(site="yuyuan", act=Act.HANDOVER, by="wang", to="li"))])
    ear = there.listen()
    sites = [site["site"] for site in ear.next("snapshot").data["sites"]]
    assert "yuyuan" in sites
    ear.close()


def test_what_a_snapshot_has_does_not_come_again(there: Live) -> None:
    first = there.listen()
    first.next("snapshot")
    for number in range(20):
        entry = there.written.decide("yuyuan")
        ear = there.listen()  # while the hub may not have given it out yet
        snapshot = ear.next("snapshot")
        last = there.written.decide("yuyuan")
        got = ear.next("task").data["id"]
        assert got in (entry.id, last.id) if number == 0 else got == last.id, snapshot
        ear.close()


def test_zones_come_as_a_state_without_an_id(there: Live) -> None:
    ear = there.listen("?kinds=zones")
    ear.next("snapshot")
    there.written.minute("yuyuan", LATER, 12)
    event = ear.next()
    assert (event.kind, event.id) == ("zones", None)
    assert event.data == {
        "kind": "zones",
        "site": "yuyuan",
        "at": "2026-10-01T06:01:00.000000Z",
        "stage": "open",
        "zones": {"mall": {"people": 12}},
    }
    again = there.listen("?since=j0-h0&kinds=zones")
    assert again.next() == event


def test_a_damaged_minute_of_one_site_takes_nothing_from_the_others(there: Live) -> None:
    ear = there.listen("?kinds=zones")
    ear.next("snapshot")
    for number, damaged in enumerate((b'{"zones"', b"[]")):
        at = LATER + number * 60 * SECOND
        there.written.journal.append(
            [], [Estimate("bund", at, damaged), Estimate("yuyuan", at, b'{"zones":{"mall":{"people":%d}}}' % number)]
        )
        event = ear.next()
        assert (event.data["site"], event.data["zones"]["mall"]["people"]) == ("yuyuan", number)
    assert there.place.service.feed.hub.well()


def test_only_the_kinds_and_the_site_that_were_asked_for_come(there: Live) -> None:
    ear = there.listen("?kinds=alert,handling&site=bund")
    ear.next("snapshot")
    story(there)
    there.written.step("yuyuan", "yuyuan-i2")
    entry = there.written.step("bund", "bund-i1")
    assert ear.next().data["hash"] == entry.hash.hex()


def test_nobody_hears_of_a_site_that_is_not_theirs(there: Live) -> None:
    ear = there.listen(headers=there.token(areas=("huangpu/waitan",)))
    snapshot = ear.next("snapshot")
    assert [site["site"] for site in snapshot.data["sites"]] == ["bund"]
    assert "service" not in snapshot.data
    again = there.listen("?since=j0-h0", there.token(areas=("huangpu/waitan",)))
    everything = there.listen()
    everything.next("snapshot")
    story(there)
    there.written.minute("yuyuan", LATER, 12)
    there.written.alert(SERVICE, "@service-h1")
    assert everything.next("alert").data["site"] == "yuyuan"
    for _ in range(5):
        everything.next("alert")
    assert everything.next("alert").data["site"] is None
    end = there.written.decide("bund")
    for listener in (ear, again):
        while (event := listener.next()).data.get("id") != end.id:
            assert event.data["site"] == "bund"


def test_a_site_that_one_may_not_see_is_not_there(there: Live) -> None:
    ear = there.listen("?site=yuyuan", there.token(areas=("huangpu/waitan",)))
    assert (ear.status, json.loads(ear.body)["type"]) == (404, "urn:flowwatch:problem:unknown-site")
    assert "yuyuan" not in json.loads(ear.body)["detail"].partition(";")[2]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?since=j12", 400, "expected the id of an event"),
        ("?kinds=alerts", 422, 'did you mean "alert"'),
        ("?site=yuyan", 404, 'did you mean "yuyuan"'),
        ("?last=3", 422, 'no parameter "last"'),
    ],
)
def test_what_cannot_be_asked_is_told(there: Live, query: str, status: int, words: str) -> None:
    ear = there.listen(query)
    assert ear.status == status
    assert words in json.loads(ear.body)["detail"]


def test_nobody_listens_without_saying_who(there: Live) -> None:
    assert there.listen(headers={}).status == 401


def test_the_stream_of_a_revoked_token_ends(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RIGHTS_S", 0.2)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    tokens = there.place.parts.authenticator.tokens
    text, token = tokens.add("test", [Scope.READ], by="test")
    ear, other = there.listen(headers={"authorization": f"Bearer {text}"}), there.listen()
    ear.next("snapshot")
    assert other.next().kind == "snapshot"
    tokens.revoke(token.id)
    there.place.now.advance(2)
    assert ear.ends()
    assert ear.last == "", "a browser begins anew"
    entry = there.written.decide("yuyuan")
    assert other.next().data["id"] == entry.id


def test_the_stream_of_a_session_ends_with_it_and_with_a_right(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RIGHTS_S", 0.2)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    parts = there.place.parts
    for end in ("session", "right"):
        parts.users.add(f"wang-{end}", PASSWORD, [Grant(Role.VIEWER, "huangpu/yuyuan"), Grant(Role.VIEWER, "huangpu/waitan")])
        who = {"name": f"wang-{end}", "password": PASSWORD}
        answer = httpx.post(f"http://127.0.0.1:{there.port}/v1/session", json=who, timeout=WAIT_S, trust_env=False)
        ear = there.listen(headers={"cookie": answer.headers["set-cookie"].partition(";")[0]})
        assert [site["site"] for site in ear.next("snapshot").data["sites"]] == ["bund", "yuyuan"]
        if end == "session":
            there.place.now.advance(12 * 3600)
        else:
            parts.users.grant(f"wang-{end}", [Grant(Role.VIEWER, "huangpu/waitan")])
            there.place.now.advance(2)
        assert ear.ends()


def test_something_comes_in_time_even_if_nothing_happens_and_says_how_far_one_is(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream.HEARTBEAT_S <= 4
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    ear = there.listen("?site=bund")
    begin = ear.next("snapshot").id
    until(lambda: ear.beats > 1)
    assert ear.last == begin
    there.written.decide("yuyuan")
    until(lambda: ear.last != begin)
    again = there.listen(f"?since={ear.last}&site=bund")
    entry = there.written.decide("bund")
    assert take(again, 1)[0].data["id"] == entry.id


def test_nothing_says_that_all_is_well_while_the_files_are_not_read(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    ear = there.listen()
    until(lambda: ear.beats > 1)
    asked: list[bool] = []

    def unwell() -> bool:
        asked.append(True)
        return False

    monkeypatch.setattr(there.place.service.feed.hub, "well", unwell)
    until(lambda: bool(asked))
    there.written.decide("yuyuan")
    ear.next("task")
    beats = ear.beats  # all that were sent before it was not well
    count = len(asked)
    until(lambda: len(asked) > count + 3)
    there.written.decide("yuyuan")
    ear.next("task")
    assert ear.beats == beats
    monkeypatch.undo()
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    there.written.decide("yuyuan")
    until(lambda: ear.beats > beats)


def test_a_slow_listener_gets_a_snapshot_and_the_ids_of_what_it_missed_and_nobody_else_is_disturbed(
    there: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STUCK_S", 600.0)
    quick = there.listen("?kinds=task")
    quick.next("snapshot")
    slow = there.listen("?kinds=task", receive=4096, begin=False)
    until(lambda: len(there.place.service.feed.hub.listeners) == 2)
    for _ in range(60):
        there.written.decide("yuyuan", text="x" * 300_000)
        quick.next("task")
    assert quick.events.empty()
    for listener in there.place.service.feed.hub.listeners:
        assert listener._size <= MOST_BYTES
        assert len(listener._waiting) < 10
    slow.begin()
    assert slow.next().data["because"] == "begin"
    got = []
    while (event := slow.next()).kind == "task":
        got.append(event.data["id"])
    assert 0 < len(got) < 60
    assert (event.kind, event.data["because"]) == ("snapshot", "slow")
    missed = event.data["missed"]
    assert missed["until"] == event.id
    again = there.listen(f"?since={missed['since']}&kinds=task")
    assert got + again.ids(60 - len(got)) == there.written.ids
    entry = there.written.decide("yuyuan")
    assert slow.next("task").data["id"] == entry.id


def fill(there: Live, quick: Ear) -> None:
    """More than a connection that is not read holds: as fast as the quick one hears of what comes behind it, which is small."""
    for number in range(40):
        there.written.decide("yuyuan", text="x" * 300_000)
        there.written.alert("yuyuan", f"yuyuan-i{number + 100}")
        quick.next("alert")


def test_a_connection_that_takes_nothing_is_broken_off(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STUCK_S", 0.3)
    deaf, quick = there.listen("?kinds=task", receive=4096, begin=False), there.listen("?kinds=alert")
    quick.next("snapshot")
    feed = there.place.service.feed
    until(lambda: len(feed.hub.listeners) == 2)
    fill(there, quick)
    until(lambda: len(feed.hub.listeners) == 1)
    assert len(feed.streams) == 1
    assert quick.events.empty()
    deaf.close()


def test_the_service_ends_streams_at_once_even_those_that_take_nothing(there: Live) -> None:
    ear = there.listen("?kinds=alert")
    ear.next("snapshot")
    there.listen("?kinds=task", receive=4096, begin=False)
    feed = there.place.service.feed
    until(lambda: len(feed.hub.listeners) == 2)
    fill(there, ear)
    until(lambda: any(one.sending for one in [*feed.streams]))
    began = time.monotonic()
    there.stop()
    assert time.monotonic() - began < STOP_S - 1, "it did not wait for the one that takes nothing"
    assert ear.ends()


def test_streams_have_a_bound_of_their_own(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    app = there.place.service.app
    monkeypatch.setattr(app._streams, "_of_one", 2)
    first, second = there.listen(), there.listen()
    third = there.listen()
    assert (third.status, third.headers["retry-after"]) == (503, "1")
    until(lambda: app._streams._under_way == 2)  # the third has left, too
    assert app._requests._under_way == 0
    first.close()
    until(lambda: app._streams._under_way == 1)
    assert there.listen().status == 200
    assert second.next().kind == "snapshot"
    assert edge.STREAMS_AT_ONCE == 1_000


def test_a_journal_made_anew_is_noticed_and_gone_on_with(there: Live, tmp_path: Path) -> None:
    ear = there.listen()
    ear.next("snapshot")
    there.written.decide("yuyuan", at=LATER)
    there.written.decide("bund", at=LATER)
    alert = there.written.alert("yuyuan", "yuyuan-i2", at=LATER + 1)
    events = take(ear, 3)
    there.written.decide("yuyuan", at=LATER + 2)
    take(ear, 1)
    rebuild(there, tmp_path)
    snapshot = ear.next()
    assert (snapshot.kind, snapshot.data["because"]) == ("snapshot", "rebuilt")
    entry = there.written.decide("yuyuan", at=LATER + 3)
    assert take(ear, 1)[0].data["id"] == entry.id
    assert entry.id == "yuyuan-8"
    again = there.listen(f"?since={events[1].id}")
    back = [again.next(), again.next()]
    assert back[0].data["hash"] == alert.hash.hex(), "the record of handling is the same, and is read back"
    assert (back[1].kind, back[1].data["because"], back[1].data["missed"]) == ("snapshot", "unknown_id", None)
    last = there.written.decide("bund", at=LATER + 4)
    assert take(again, 1)[0].data["id"] == last.id


def rebuild(there: Live, folder: Path) -> None:
    """Put a journal with the same entries in another order in the place of the one that is open."""
    path = there.place.workspace.journal
    entries = list(there.written.journal.entries())
    with Journal.open(folder / "new.db") as new:
        for chain in sorted({entry.chain for entry in entries}, reverse=True):
            new.append([entry for entry in entries if entry.chain == chain])
        assert sum(1 for _ in new.entries()) == len(entries)
    for suffix in ("-wal", "-shm", ""):
        if (part := path.with_name(path.name + suffix)).exists():
            part.rename(folder / f"old.db{suffix}")
    (folder / "new.db").replace(path)
    there.written.journal = Journal.open(path)


def test_files_that_cannot_be_read_now_and_then_cost_no_event(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "AGAIN_S", 0.02)
    monkeypatch.setattr(follower, "PAGE", 3)
    ear = there.listen("?kinds=task,alert")
    ear.next("snapshot")
    plain, dice, failed = follower.Follower._rows, random.Random(7), list[Any]()

    def sometimes(self: Any, *asked: Any) -> Any:
        if "rowid >" in asked[0] and len(failed) < 12 and dice.random() < 0.3:
            failed.append(asked)
            raise JournalError("the disk failed to read it")
        return plain(self, *asked)

    monkeypatch.setattr(follower.Follower, "_rows", sometimes)
    wanted = []
    for number in range(40):
        at = LATER + number * SECOND
        wanted.append(there.written.decide("yuyuan", at=at).hash.hex())
        wanted.append(there.written.alert("bund", f"bund-i{number + 2}", at=at).hash.hex())
    got = [ear.next().data["hash"] for _ in wanted]
    assert len(failed) > 3
    mine = {hash_: number for number, hash_ in enumerate(wanted)}
    order = [mine[hash_] for hash_ in got]
    assert [n for n in order if n % 2] == list(range(1, 80, 2)), "each record in its order, each entry once"
    assert [n for n in order if not n % 2] == list(range(0, 80, 2))


def test_a_damaged_entry_keeps_nothing_behind_it(there: Live) -> None:
    ear = there.listen("?kinds=task")
    ear.next("snapshot")
    first = there.written.decide("yuyuan")
    data = b"{not JSON"
    bad = Entry("yuyuan", first.seq + 1, EntryKind.TASK, LATER, data, link(first.hash, EntryKind.TASK, LATER, data))
    there.written.journal.append([bad])
    there.written.heads["yuyuan"] = bad.seq, bad.hash
    last = there.written.decide("yuyuan")
    events = [ear.next() for _ in range(3)]
    assert [event.data["id"] for event in events] == [first.id, bad.id, last.id]
    assert events[1].data["body"] is None
    again = there.listen(f"?kinds=task&since={events[0].id}")
    assert [again.next(), again.next()] == events[1:]


def test_damaged_entries_take_the_snapshot_from_nobody(there: Live) -> None:
    seq, hash_ = there.written.journal.heads()["yuyuan"]
    kinds = (EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.DEVICE, EntryKind.INCIDENT)
    for kind, data in itertools.product(kinds, (b"{not JSON", b"[]", b"{}")):
        seq, hash_ = seq + 1, link(hash_, kind, LATER, data)
        there.written.journal.append([Entry("yuyuan", seq, kind, LATER, data, hash_)])
    assert {site["site"] for site in there.listen().next("snapshot").data["sites"]} == {"bund", "yuyuan"}
    assert there.place.service.parts.picture.site("yuyuan").seq == seq


def test_a_record_of_handling_that_comes_later_is_told_from_its_beginning(there: Live) -> None:
    path = there.place.workspace.handling
    there.written.book.close()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    ear, back = there.listen("?kinds=alert"), there.listen("?since=j0-h0&kinds=alert")
    ear.next("snapshot")
    there.written.book = type(there.written.book).open(path)
    entry = there.written.alert("yuyuan", "yuyuan-i2")
    assert ear.next("alert").data["hash"] == back.next("alert").data["hash"] == entry.hash.hex()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_it(there: Live) -> None:
    token = there.token()["authorization"]
    command = [
        "curl",
        "-sS",
        "-N",
        "--max-time",
        "30",
        f"http://127.0.0.1:{there.port}/v1/feed?kinds=alert",
        "-H",
        f"Authorization: {token}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        try:
            for line in curl.stdout:
                if line == "event: snapshot\n":
                    there.written.alert("yuyuan", "yuyuan-i2")
                if line == "event: alert\n":
                    break
            data = json.loads(curl.stdout.readline().removeprefix("data: "))
            assert data["body"]["text"]["zh"] == "太满"
        finally:
            curl.kill()
