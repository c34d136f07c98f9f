"""The state of every zone at a real broker: there at once for whoever comes, newest minute only, back after every break."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from flowwatch.actuators.wires import Broker
from flowwatch.core.entries import Estimate
from flowwatch.feed.zone_states import STATUS_TOPIC, ZoneState, ZoneStates, states, topic
from flowwatch.journal import Journal
from tests.inputs.broker import Mosquitto
from tests.journal.made import minutes
from tests.journal.story import site as compiled

DOCUMENT = json.loads(compiled())
WAIT_S = 30


class Ear:
    """Somebody who subscribes, and has what is retained at once."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, bytes] = {}
        self.changed = threading.Condition()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_message = self._hear
        self.client.on_connect = self._begin
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _begin(self, client: Any, *_: Any) -> None:
        client.subscribe("flowwatch/v1/#", 1)

    def _hear(self, _client: Any, _data: Any, message: Any) -> None:
        with self.changed:
            self.heard[message.topic] = bytes(message.payload)
            self.changed.notify_all()

    def wait(self, ready: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(ready, WAIT_S), self.heard

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def telling(root: Path, port: int) -> Iterator[ZoneStates]:
    feed = ZoneStates(
        root / "journal.db", Broker("main", "127.0.0.1", port, "test-feed"), lambda site, version: DOCUMENT, lambda *a, **b: None
    )  # fmt: skip
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()


def written(root: Path, *estimates: Estimate) -> None:
    with Journal.open(root / "journal.db") as journal:
        journal.append([], estimates)


def people(ear: Ear, zone: str = "mall") -> int | None:
    payload = ear.heard.get(topic("yuyuan", zone))
    return None if payload is None else msgspec.json.decode(payload, type=ZoneState).people


def test_a_state_says_what_the_minute_says() -> None:
    body = minutes("yuyuan", 3)[2]
    found = {state.zone: state for state in states(body, DOCUMENT)}
    told = msgspec.json.decode(body.body)["zones"]["mall"]
    assert found["mall"].people == told["inside_m"] // 1000
    assert (found["mall"].capacity, found["mall"].share) == (3000, round(told["inside_m"] / 3_000_000, 4))
    assert found["mall"].stage == "normal"
    assert found["site"].capacity is None


def test_what_nobody_has_counted_is_not_known() -> None:
    (first, *_) = minutes("yuyuan", 1)
    state = next(iter(states(first, DOCUMENT)))
    assert (state.known, state.people, state.upper, state.share) == (False, None, None, None)


def test_whoever_comes_later_has_the_newest_minute_at_once(tmp_path: Path) -> None:
    made = minutes("yuyuan", 5)
    with Mosquitto(tmp_path) as broker, telling(tmp_path, broker.port):
        written(tmp_path, *made[:2])
        first = Ear(broker.port)
        first.wait(lambda: people(first) == 1)
        written(tmp_path, *made[2:])
        first.wait(lambda: people(first) == 4)
        first.close()
        later = Ear(broker.port)
        later.wait(lambda: people(later) == 4 and later.heard.get(STATUS_TOPIC) == b'{"state":"up"}')
        later.close()


def test_after_a_broker_that_was_killed_everything_is_there_again(tmp_path: Path) -> None:
    made = minutes("yuyuan", 4)
    with Mosquitto(tmp_path) as broker, telling(tmp_path, broker.port) as feed:
        written(tmp_path, *made[:2])
        ear = Ear(broker.port)
        ear.wait(lambda: people(ear) == 1)
        ear.close()
        broker.stop(signal.SIGKILL)
        for file in tmp_path.glob("mosquitto.db*"):
            file.unlink()
        written(tmp_path, *made[2:])
        broker.start()
        again = Ear(broker.port)
        again.wait(lambda: people(again) == 3 and people(again, "site") == 3)
        assert feed.connected
        again.close()


def test_who_listens_is_told_that_the_feed_goes(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        with telling(tmp_path, broker.port):
            ear = Ear(broker.port)
            ear.wait(lambda: ear.heard.get(STATUS_TOPIC) == b'{"state":"up"}')
        ear.wait(lambda: ear.heard.get(STATUS_TOPIC) == b'{"state":"lost"}')
        ear.close()


def test_a_minute_of_a_site_without_documents_is_told_without_sizes() -> None:
    state = next(iter(states(minutes("nowhere", 2)[1], None)))
    assert (state.site, state.capacity, state.density_per_m2) == ("nowhere", None, None)
