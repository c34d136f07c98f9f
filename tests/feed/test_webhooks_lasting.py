"""Webhooks over a long time: who heard of an incident hears its end, who is dead or slow keeps nobody waiting, who was away is caught up with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flowwatch.feed.webhooks import courier as carrying
from flowwatch.feed.webhooks import ladder, subscriptions
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.feed.webhooks.outbox import Delivery, State
from flowwatch.feed.webhooks.subscriptions import GONE, Subscription, TooManyError
from flowwatch.handling.records import Said
from tests.feed.carried import alert, carried, now_us, step, subscribe, until, write
from tests.feed.receiver import Receiver, receiving

DAY = 86_400 * 1_000_000
HOUR = 3_600 * 1_000_000
LAST_YEAR = 1_760_000_000 * 1_000_000


def ids(*numbers: int) -> set[str]:
    return {f"book_yuyuan_{n}" for n in numbers}


def row(courier: Courier, one: Subscription, ready: Callable[[Delivery], bool]) -> Delivery:
    """The delivery that is so, as soon as there is one."""
    found: list[Delivery] = []

    def look() -> bool:
        found[:] = [delivery for delivery in courier.outbox.latest(one.id, 100) if ready(delivery)]
        return bool(found)

    until(look)
    return found[0]


class Told:
    """What people were told, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        self._changed = threading.Condition()

    def __call__(self, key: str, text: Said, *, on: bool) -> None:
        with self._changed:
            self.said.append((key, on))
            self._changed.notify_all()

    def wait(self, last: tuple[str, bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.said[-1:] == [last], 30), self.said


# ---- who heard of an incident


def test_one_admin_does_not_take_all_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST_OF_ONE", 2)
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        for _ in range(2):
            subscribe(courier, receiver.url())
        with pytest.raises(TooManyError, match="found 2 webhooks that wang made"):
            subscribe(courier, receiver.url())


def test_who_heard_of_an_incident_hears_that_it_became_milder_and_ended(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        subscribe(courier, receiver.url(), priority="II")
        told = (alert(1, priority="I"), alert(1, priority="IV", state="updated"), alert(1, priority="IV", state="cleared"))
        write(tmp_path, *told, alert(2, priority="IV"), alert(1, priority="IV", state="updated"), alert(3, priority="II"))
        receiver.wait(lambda: receiver.taken.keys() >= ids(1, 2, 3, 6))
    assert receiver.taken.keys() == ids(1, 2, 3, 6)


def test_that_it_heard_of_it_outlives_the_courier(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver:
        with carried(tmp_path) as courier:
            subscribe(courier, receiver.url(), priority="II")
            write(tmp_path, alert(1, priority="I"))
            receiver.wait(lambda: receiver.taken.keys() == ids(1))
        with carried(tmp_path):
            write(tmp_path, alert(1, priority="IV", state="cleared"))
            receiver.wait(lambda: receiver.taken.keys() == ids(1, 2))


def test_one_that_was_caught_up_with_hears_how_it_ends(tmp_path: Path) -> None:
    """It heard of the incident by a replay of what was before it."""
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        write(tmp_path, alert(1, priority="I"))
        one = subscribe(courier, receiver.url(), priority="II")
        assert courier.replay_since(one, now_us() - HOUR) == 1
        write(tmp_path, alert(1, priority="IV", state="cleared"))
        receiver.wait(lambda: receiver.taken.keys() == ids(1, 2))


# ---- who keeps nobody waiting


def test_a_resolver_that_hangs_holds_up_nobody_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "TIMEOUT_S", 300.0)
    hangs = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        if host == "dead.invalid":
            hangs.wait(300)
        return ["127.0.0.1"]

    with receiving(Receiver()) as receiver:
        try:
            with carried(tmp_path, resolve=resolve) as courier:
                subscribe(courier, receiver.url(host="dead.invalid"))
                subscribe(courier, receiver.url(host="well.invalid"))
                write(tmp_path, *(alert(n) for n in range(1, 31)))
                receiver.wait(lambda: receiver.taken.keys() == ids(*range(1, 31)))
            assert not courier.alive
        finally:
            hangs.set()


def test_however_many_are_dead_the_next_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "MOST", 4)
    monkeypatch.setattr(carrying, "TIMEOUT_S", 300.0)
    with receiving(Receiver(lambda n, path: "stall" if path == "/dead" else "take")) as receiver, carried(tmp_path) as courier:
        for _ in range(6):
            subscribe(courier, receiver.url("/dead"))
        subscribe(courier, receiver.url("/well"))
        write(tmp_path, *(alert(n) for n in range(1, 6)))
        receiver.wait(lambda: receiver.taken.keys() == ids(*range(1, 6)))


def test_there_are_no_more_subscriptions_than_can_be_served_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST", 2)
    with carried(tmp_path) as courier:
        subscribe(courier, "http://127.0.0.1:9/a")
        subscribe(courier, "http://127.0.0.1:9/b")
        with pytest.raises(TooManyError, match="found 2 webhooks"):
            subscribe(courier, "http://127.0.0.1:9/c")


# ---- who was away


def test_when_a_receiver_is_back_what_waited_long_goes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six failures in a row: it was away. The ladder would let each wait for an hour."""
    monkeypatch.setattr(ladder, "wait_us", lambda name, failures, retry_after_s=None: HOUR)
    with receiving(Receiver(lambda n, path: "500" if n < 6 else "take")) as receiver, carried(tmp_path, faster=1.0) as courier:
        subscribe(courier, receiver.url())
        write(tmp_path, *(alert(n) for n in range(1, 7)))
        until(lambda: courier.delivered["failed"] == 6)
        write(tmp_path, alert(7))
        receiver.wait(lambda: receiver.taken.keys() == ids(*range(1, 8)))


def test_a_receiver_that_asked_for_time_is_given_it_also_when_it_takes_something_else(tmp_path: Path) -> None:
    with receiving(Receiver(lambda n, path: "later" if n < 6 else "take")) as receiver, carried(tmp_path, faster=1.0) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, *(alert(n) for n in range(1, 7)))
        until(lambda: courier.delivered["failed"] == 6)
        write(tmp_path, alert(7))
        row(courier, one, lambda d: d.event == "book_yuyuan_7" and d.state == State.DELIVERED)
        waiting = courier.outbox.latest(one.id, 100, State.WAITING)
        assert len(waiting) == 6
        assert all(d.next_us > now_us() + HOUR * 0.9 for d in waiting)


def test_one_event_that_nobody_can_take_is_not_hurried_by_the_others(tmp_path: Path) -> None:
    """It fails once between two that are taken: the receiver was not away."""
    with receiving(Receiver()) as receiver, carried(tmp_path, faster=0.01) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        row(courier, one, lambda d: d.state == State.DELIVERED)
        receiver.behave = lambda n, path: "500"
        write(tmp_path, alert(2))
        failed = row(courier, one, lambda d: d.failures == 1)
        receiver.behave = lambda n, path: "take"
        write(tmp_path, alert(3))
        row(courier, one, lambda d: d.event == "book_yuyuan_3" and d.state == State.DELIVERED)
        assert row(courier, one, lambda d: d.event == failed.event) == failed


# ---- what was before, and meanwhile


def test_what_happened_before_a_subscription_is_sent_when_it_is_asked_for(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        write(tmp_path, alert(1), at_us=now_us() - 3 * HOUR)
        write(tmp_path, alert(2), step(2), at_us=now_us() - HOUR)
        write(tmp_path, alert(1, "bund"))
        one = subscribe(courier, receiver.url(), sites=["yuyuan"])
        assert courier.replay_since(one, now_us() - 2 * HOUR) == 2
        receiver.wait(lambda: receiver.taken.keys() == ids(2, 3))


def test_nothing_that_is_older_than_is_kept_is_sent(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        write(tmp_path, alert(1), at_us=now_us() - 31 * DAY)
        write(tmp_path, alert(2))
        one = subscribe(courier, receiver.url())
        assert courier.replay_since(one, 0) == 1
        receiver.wait(lambda: receiver.taken.keys() == ids(2))


def test_what_happened_while_it_was_stopped_is_sent_when_it_is_asked_for(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url())
        other = subscribe(courier, receiver.url("/other"))
        began = now_us()
        write(tmp_path, alert(1))
        row(courier, one, lambda d: d.state == State.DELIVERED)
        courier.subscriptions.change(one, disabled="stopped by wang")
        write(tmp_path, alert(2))
        row(courier, other, lambda d: d.event == "book_yuyuan_2" and d.state == State.DELIVERED)
        courier.subscriptions.change(one, disabled=None)
        assert [d.event for d in courier.outbox.latest(one.id, 10)] == ["book_yuyuan_1"]
        assert courier.replay_since(one, began) == 2
        row(courier, one, lambda d: d.event == "book_yuyuan_2" and d.state == State.DELIVERED)


def test_single_events_are_sent_again_or_named_as_none_of_its_own(tmp_path: Path) -> None:
    with receiving(Receiver()) as receiver, carried(tmp_path) as courier:
        write(tmp_path, alert(1), alert(2), alert(1, "bund"))
        one = subscribe(courier, receiver.url(), sites=["yuyuan"])
        strange = ["book_bund_1", "book_yuyuan_9", "journal_yuyuan_1", f"book_yuyuan_{'9' * 30}", "book_", "", "x"]
        assert courier.replay(one, ["book_yuyuan_2", *strange]) == (1, strange)
        receiver.wait(lambda: receiver.taken.keys() == ids(2))


def test_in_a_rehearsal_the_log_says_what_time_it_is(tmp_path: Path) -> None:
    """Its day is long over by the wall clock; a courier begins with forgetting what is old."""
    clock = [LAST_YEAR]
    with receiving(Receiver()) as receiver, carried(tmp_path, log_us=lambda: clock[0]) as courier:
        write(tmp_path, alert(1), at_us=LAST_YEAR - 1)
        one = subscribe(courier, receiver.url())
        clock[0] = LAST_YEAR + HOUR
        write(tmp_path, alert(2), at_us=LAST_YEAR + HOUR)
        receiver.wait(lambda: receiver.taken.keys() == ids(2))
        row(courier, one, lambda d: d.state == State.DELIVERED)
    with carried(tmp_path, log_us=lambda: clock[0]) as courier:
        write(tmp_path, alert(3), at_us=LAST_YEAR + 2 * HOUR)
        row(courier, one, lambda d: d.event == "book_yuyuan_3" and d.failures > 0)
        assert len(courier.outbox.latest(one.id, 10)) == 2


# ---- what is changed meanwhile, and what is over


def test_what_was_changed_while_a_delivery_was_under_way_stays_changed(tmp_path: Path) -> None:
    came, go = threading.Event(), threading.Event()

    def behave(n: int, path: str) -> str:
        came.set()
        go.wait(30)
        return "410"

    with receiving(Receiver(behave)) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        assert came.wait(30)
        changed = courier.subscriptions.rotate(one)
        go.set()
        row(courier, one, lambda d: d.status == 410)
        found = courier.subscriptions.find(one.id)
    assert found is not None
    assert (found.secret, found.old_secret) == (changed.secret, one.secret)


def test_a_receiver_that_is_gone_does_not_stop_what_goes_elsewhere_by_now(tmp_path: Path) -> None:
    came, go = threading.Event(), threading.Event()

    def behave(n: int, path: str) -> str:
        if path == "/new":
            return "take"
        came.set()
        go.wait(30)
        return "410"

    with receiving(Receiver(behave)) as receiver, carried(tmp_path) as courier:
        one = subscribe(courier, receiver.url("/old"))
        write(tmp_path, alert(1))
        assert came.wait(30)
        courier.subscriptions.change(one, url=receiver.url("/new"))
        go.set()
        receiver.wait(lambda: receiver.taken.keys() == ids(1))
        found = courier.subscriptions.find(one.id)
    assert found is not None
    assert found.disabled is None


@pytest.mark.parametrize("way", ["removed", "stopped"])
def test_what_people_were_told_is_over_when_the_subscription_is(tmp_path: Path, way: str) -> None:
    told = Told()
    with receiving(Receiver(lambda n, path: "410")) as receiver, carried(tmp_path, trouble=told) as courier:
        one = subscribe(courier, receiver.url())
        write(tmp_path, alert(1))
        told.wait((f"webhook/{one.id}", True))
        found = courier.subscriptions.find(one.id)
        assert found is not None
        assert found.disabled == GONE
        if way == "removed":
            courier.subscriptions.remove(one.id)
        else:
            courier.subscriptions.change(one, disabled="stopped by wang")
        told.wait((f"webhook/{one.id}", False))
    after = Told()
    if way == "stopped":
        with carried(tmp_path, trouble=after):  # whoever was to note it may have been killed before
            after.wait((f"webhook/{one.id}", False))
