"""Webhooks: each event arrives at least once under one name, whatever the receiver does and whenever the courier is killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook

from flowwatch.core.entries import Entry, EntryKind, link
from flowwatch.feed.webhooks import courier as carrying
from flowwatch.feed.webhooks import outbox as boxes
from flowwatch.feed.webhooks.outbox import Due, State
from flowwatch.handling.records import Said
from flowwatch.journal import Journal, JournalError
from tests.feed.carried import alert, carried, made, now_us, step, subscribe, until, write
from tests.feed.receiver import Receiver, receiving
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


def ids(*numbers: int) -> set[str]:
    return {f"book_yuyuan_{n}" for n in numbers}


def test_an_event_is_verified_by_the_libraries_of_both_standards(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1), step(1))
        receiver.wait(lambda: receiver.taken.keys() == ids(1, 2))
    for headers, body in receiver.requests:
        Webhook(one.secret).verify(body, headers)
        event = from_structured_event(HTTPMessage(headers=headers, body=body), JSONFormat())
        assert event.get_id() == headers["webhook-id"]
        assert event.get_type() in ("cn.flowwatch.alert.raised.v1", "cn.flowwatch.handling.acknowledge.v1")
        assert event.get_source() == "urn:flowwatch:test/yuyuan"


@pytest.mark.parametrize("does", ["500", "elsewhere", "break", "flood", "429"])
def test_a_receiver_that_fails_in_any_way_gets_the_event_again_under_the_same_name(tmp_path: Path, does: str) -> None:
    with receiving(Receiver(lambda n, path: does if n < 2 else "take")) as receiver, carried(tmp_path) as courier:
        subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        receiver.wait(lambda: receiver.taken.keys() == ids(1))
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == ids(1)
    assert len({body for _, body in receiver.requests}) == 1
    assert len(receiver.requests) == 3


def test_a_receiver_that_stalls_holds_up_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "TIMEOUT_S", 1.0)
    with receiving(Receiver(lambda n, path: "stall" if path == "/dead" else "take")) as receiver, carried(tmp_path) as courier:
        subscribe(courier, receiver.url("/dead"))
        subscribe(courier, receiver.url("/well"))
        write(tmp_path, *(alert(n) for n in range(1, 31)))
        receiver.wait(lambda: receiver.taken.keys() == ids(*range(1, 31)))


def test_a_redirection_is_never_followed(tmp_path: Path) -> None:
    paths: list[str] = []

    def behave(n: int, path: str) -> str:
        paths.append(path)
        return "elsewhere" if n < 3 else "take"

    with receiving(Receiver(behave)) as receiver, carried(tmp_path) as courier:
        subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        receiver.wait(lambda: bool(receiver.taken))
    assert set(paths) == {"/hook"}


def test_who_answers_410_is_not_asked_again_and_it_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []
    came = threading.Event()

    def trouble(key: str, text: Said, *, on: bool) -> None:
        told.append((key, on))
        came.set()

    with receiving(Receiver(lambda n, path: "410")) as receiver, carried(tmp_path, trouble=trouble) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        assert came.wait(30)
        found = courier.subscriptions.find(one.id)
    assert found is not None
    assert "410" in str(found.disabled)
    assert told == [(f"webhook/{one.id}", True)]
    assert len(receiver.requests) == 1


def test_what_a_receiver_says_does_not_enter_the_record(tmp_path: Path) -> None:
    told: list[str] = []

    def trouble(key: str, text: Said, *, on: bool) -> None:
        told.append(text.en)

    with receiving(Receiver(lambda n, path: "babble")) as receiver, carried(tmp_path, trouble=trouble) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        until(lambda: bool(told))
        rows = courier.outbox.latest(one.id, 10)
    assert len(told) == 1
    assert "SECRET" not in told[0]
    assert "SECRET" not in str(rows[0].why)
    assert len(told[0]) < 200


def test_who_asks_for_a_long_pause_is_shown_at_once(tmp_path: Path) -> None:
    told = threading.Event()
    receiver = Receiver(lambda n, path: "later")
    with receiving(receiver), carried(tmp_path, trouble=lambda key, text, *, on: told.set() if on else None) as courier:
        subscribe(courier, receiver.url())
        write(tmp_path, alert(1, priority="I"))
        assert told.wait(30)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("data", [b"{not JSON", b"[]", b"{}", b'{"incident":5,"priority":[]}'])
def test_a_record_that_cannot_be_read_keeps_no_other_from_its_receivers(tmp_path: Path, data: bytes) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url(), priority="III")
        write(tmp_path, alert(1))
        receiver.wait(lambda: receiver.taken.keys() == ids(1))
        with Journal.open(tmp_path / "handling.db") as book:
            (seq, hash_), at = book.heads()["yuyuan"], now_us()
            for kind in (EntryKind.ALERT, EntryKind.HANDLING):
                seq, hash_ = seq + 1, link(hash_, kind, at, data)
                book.append([Entry("yuyuan", seq, kind, at, data, hash_)])
        write(tmp_path, alert(4))
        receiver.wait(lambda: ids(4) <= receiver.taken.keys())
        assert courier.well
        before = len(receiver.requests)
        courier.replay_since(one, 0)
        receiver.wait(lambda: len(receiver.requests) > before)


def test_what_cannot_be_noted_is_not_sent_again_without_end_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    with receiving(Receiver()) as receiver, carried(tmp_path, trouble=lambda key, text, *, on: told.set() if on else None) as courier:

        def full(*_: object, **__: object) -> None:
            raise JournalError("the disk is full")

        monkeypatch.setattr(courier.outbox, "delivered", full)
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        assert told.wait(30)
        receiver.wait(lambda: len(receiver.requests) >= 5)
        assert courier._held[one.id][1] >= 8, "each pause is twice as long as the one before"
        monkeypatch.undo()
        until(lambda: courier.outbox.counts().get(one.id) == {"delivered": 1})
        write(tmp_path, alert(2))
        until(lambda: not courier._held)


def test_a_disk_that_takes_something_again_ends_the_pauses_of_who_could_not_be_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url())
        monkeypatch.setattr(courier, "_held", {one.id: (float("inf"), 300.0)})
        write(tmp_path, alert(1))
        receiver.wait(lambda: receiver.taken.keys() == ids(1))


def test_several_failures_of_one_moment_are_one_and_a_pause_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(carrying, "time", SimpleNamespace(monotonic=lambda: now[0]))
    courier = made(tmp_path, faster=1.0)
    one = subscribe(courier, "http://127.0.0.1:9/x")
    pauses = []
    for _ in range(2_000):
        for _ in range(8):
            courier._hold(one)
        now[0], pause = courier._held[one.id]
        pauses.append(pause)
    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert set(pauses[10:]) == {300}
    courier.store.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("field", "value"), [("priority", "V"), ("areas", "["), ("kinds", "5")])
def test_a_damaged_subscription_takes_nothing_from_the_others_and_is_seen(tmp_path: Path, field: str, value: str) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        bad, _ = subscribe(courier, receiver.url("/bad")), subscribe(courier, receiver.url())
        with closing(sqlite3.connect(tmp_path / "service.db")) as connection, connection:
            connection.execute(f"UPDATE webhooks SET {field} = ? WHERE id = ?", (value, bad.id))
        courier.subscriptions.version += 1
        write(tmp_path, alert(1))
        receiver.wait(lambda: receiver.taken.keys() == ids(1))
        assert courier.subscriptions.damaged == {bad.id}
        assert not courier.well


def test_what_waits_is_never_forgotten_silently(tmp_path: Path) -> None:
    courier = made(tmp_path)
    one = subscribe(courier, "http://127.0.0.1:9/x")
    courier.outbox.put([Due(one.id, "book_yuyuan_1", b"{}", 0, 1_000)], [], 1_000)
    courier.outbox.forget(now_us())
    assert courier.outbox.counts() == {one.id: {"dead": 1}}
    courier.outbox.forget(now_us())
    assert courier.outbox.counts() == {}
    courier.store.close()  # type: ignore[attr-defined]


def test_a_new_life_tries_at_once_what_waited_by_a_clock_that_was_set_back(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver:
        first = made(tmp_path, faster=1.0)
        one = subscribe(first, receiver.url())
        ahead = now_us() + 3_600_000_000
        first.outbox.put([Due(one.id, "book_yuyuan_1", b"{}", 0, now_us())], [], ahead)
        first.store.close()  # type: ignore[attr-defined]
        with carried(tmp_path, faster=1.0):
            receiver.wait(lambda: receiver.taken.keys() == ids(1))


def test_one_who_comes_and_goes_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "CALM_S", 1e9)
    told: list[bool] = []

    def trouble(key: str, text: Said, *, on: bool) -> None:
        told.append(on)

    with receiving(Receiver(lambda n, path: "take" if n % 6 == 5 else "503")) as receiver, carried(tmp_path, trouble=trouble) as courier:
        subscribe(courier, receiver.url())
        for n in range(1, 4):
            write(tmp_path, alert(n))
            receiver.wait(lambda n=n: receiver.taken.keys() == ids(*range(1, n + 1)))  # type: ignore[misc]
    assert told == [True]


def test_what_waits_for_a_dead_receiver_has_a_bound_and_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "MOST_WAITING", 3)
    with receiving(Receiver(lambda n, path: "500")) as receiver, carried(tmp_path, faster=1.0) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, *(alert(n) for n in range(1, 9)))
        until(lambda: sum(courier.outbox.counts().get(one.id, {}).values()) == 8)
        courier.outbox.bound()
        assert courier.outbox.counts()[one.id] == {"waiting": 3, "dead": 5}
        assert {row.event for row in courier.outbox.latest(one.id, 3)} == ids(6, 7, 8)


def test_people_hear_of_a_receiver_that_cannot_be_reached_and_of_its_return(tmp_path: Path) -> None:
    told: list[bool] = []
    changed = threading.Condition()

    def trouble(key: str, text: Said, *, on: bool) -> None:
        with changed:
            told.append(on)
            changed.notify_all()

    with receiving(Receiver(lambda n, path: "503" if n < 5 else "take")) as receiver, carried(tmp_path, trouble=trouble) as courier:
        subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        with changed:
            assert changed.wait_for(lambda: told == [True, False], 30)
    assert len(receiver.requests) == 6


def test_what_was_given_up_is_shown_and_sent_again_by_hand(tmp_path: Path) -> None:
    well = threading.Event()
    with receiving(Receiver(lambda n, path: "take" if well.is_set() else "500")) as receiver, carried(tmp_path, faster=1e9) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        receiver.wait(lambda: len(receiver.requests) == 13)
        until(lambda: courier.outbox.counts()[one.id] == {"dead": 1})
        well.set()
        assert courier.outbox.replay(one.id, 0, since_us=0) == 1
        receiver.wait(lambda: receiver.taken.keys() == ids(1))
        assert [d.state for d in courier.outbox.latest(one.id, 10)] in ([State.DELIVERED], [State.WAITING])


def test_each_is_told_only_of_what_it_asked_for_and_may_see(tmp_path: Path) -> None:
    areas = {"yuyuan": "huangpu/yuyuan", "bund": "huangpu/waitan"}
    paths: dict[str, list[str]] = {}
    with receiving(Receiver()) as receiver, carried(tmp_path, areas=areas) as courier:
        for path, more in {
            "/all": {"areas": [""]},
            "/yuyuan": {"areas": ["huangpu/yuyuan"]},
            "/sites": {"areas": ["huangpu"], "sites": ["bund"]},
            "/red": {"areas": ["huangpu"], "priority": "I", "kinds": ["alert"]},
        }.items():
            subscribe(courier, receiver.url(path), **more)  # type: ignore[arg-type]

        def behave(n: int, path: str) -> str:
            paths.setdefault(path, []).append(receiver.requests[n][0]["webhook-id"])
            return "take"

        receiver.behave = behave
        write(tmp_path, alert(1), alert(1, "bund", "I"), step(1, "bund"), alert(9, "@service"))
        receiver.wait(lambda: sum(map(len, paths.values())) == 4 + 1 + 2 + 1)
    assert {path: set(found) for path, found in paths.items()} == {
        "/all": {"book_yuyuan_1", "book_bund_1", "book_bund_2", "book_@service_1"},
        "/yuyuan": {"book_yuyuan_1"},
        "/sites": {"book_bund_1", "book_bund_2"},
        "/red": {"book_bund_1"},
    }


def test_a_new_secret_signs_beside_the_old_one(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        old = subscribe(courier, receiver.url())
        new = courier.subscriptions.rotate(old)
        write(tmp_path, alert(1))
        receiver.wait(lambda: bool(receiver.taken))
    headers, body = receiver.requests[0]
    assert old.secret != new.secret
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(body, headers)


def test_nothing_goes_to_what_is_not_on_the_open_internet(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path, allow=False, faster=1e9) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        until(lambda: courier.outbox.counts().get(one.id) == {"dead": 1})
        (row,) = courier.outbox.latest(one.id, 1)
    assert "open internet" in str(row.why)
    assert receiver.requests == []


def test_a_name_that_means_something_else_a_moment_later_gains_nothing(tmp_path: Path) -> None:
    """What is connected to is what was looked at: the resolver is asked once an attempt."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with receiving(Receiver()) as receiver, carried(tmp_path, resolve=resolve) as courier:
        subscribe(courier, receiver.url(host="nowhere.invalid"))
        write(tmp_path, alert(1))
        receiver.wait(lambda: bool(receiver.taken))
    assert asked == ["nowhere.invalid"]
    assert receiver.requests[0][0]["host"] == f"nowhere.invalid:{receiver.port}"


@pytest.mark.slow
def test_a_courier_that_is_killed_delivers_everything_all_the_same(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck = random.Random(seed)

    def behave(n: int, path: str) -> str:
        return luck.choice(["take", "take", "500", "break", "elsewhere"])

    with receiving(Receiver(behave)) as receiver:
        with carried(tmp_path) as courier:
            one = subscribe(courier, receiver.url())
        written = 0
        for _ in range(8):
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.feed.carried", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            count = luck.randrange(1, 30)
            seen = len(receiver.requests)
            write(tmp_path, *(alert(written + n + 1) for n in range(count)))
            written += count
            more = luck.randrange(0, count)
            receiver.wait(lambda seen=seen, more=more: len(receiver.requests) >= seen + more)  # type: ignore[misc]
            child.kill()
            child.communicate()
        receiver.behave = lambda n, path: "take"
        with carried(tmp_path, faster=1e5) as courier:
            courier.outbox.replay(one.id, 0, since_us=0)  # what the dice gave up
            receiver.wait(lambda: receiver.taken.keys() == ids(*range(1, written + 1)), 60)
    bodies: dict[str, set[bytes]] = {}
    for headers, body in receiver.requests:
        bodies.setdefault(headers["webhook-id"], set()).add(body)
    assert all(len(different) == 1 for different in bodies.values())


def test_a_journal_made_anew_brings_nothing_twice(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver:
        with carried(tmp_path) as courier:
            subscribe(courier, receiver.url())
            write(tmp_path, alert(1), alert(2))
            receiver.wait(lambda: receiver.taken.keys() == ids(1, 2))
            until(lambda: list(courier.outbox.counts().values()) == [{"delivered": 2}])
        (tmp_path / "handling.db").rename(tmp_path / "old.db")
        write(tmp_path, alert(1), alert(2), alert(3))
        with carried(tmp_path):
            receiver.wait(lambda: receiver.taken.keys() == ids(1, 2, 3))
    assert {name: len(found) for name, found in receiver.taken.items()} == dict.fromkeys(ids(1, 2, 3), 1)


def test_the_receiver_of_the_page_takes_what_is_sent(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "feed.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    port = free_port()
    with carried(tmp_path) as courier:
        one = subscribe(courier, f"http://127.0.0.1:{port}/flowwatch")
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={"SECRET": one.secret, "PORT": str(port)}
        ) as receiver:  # fmt: skip
            write(tmp_path, alert(1))
            try:
                until(lambda: courier.outbox.counts().get(one.id) == {"delivered": 1})
            finally:
                receiver.kill()
            assert receiver.stdout is not None
            assert receiver.stdout.read() == "III 与通道口 3 失去联系\n"
