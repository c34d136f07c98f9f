"""Readings and signals from a real Mosquitto: acknowledged only when durable, nothing lost, nothing counted twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flowwatch import log
from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.message import Message
from flowwatch.core.readings import Kind, Reason
from flowwatch.documents.deployment import Broker, ClientTls, Format, MqttInput
from flowwatch.inputs.formats import Reader, own_readers
from flowwatch.inputs.mqtt import Listeners, MqttSource
from flowwatch.inputs.stager import Bounds, Receipt, Stager
from flowwatch.log.inbox import Inbox
from tests.encrypted import LEFT_OPEN, Authority
from tests.log.making import rows
from tests.servers import WAIT_S, Mosquitto, Sender, users

COUNTS = MqttInput(broker="main", topic="flowwatch/v1/+/count/+", format=Format.FLOWWATCH)
FIRES = MqttInput(broker="main", topic="flowwatch/v1/+/fire", format=Format.FIRE)
STATUS = MqttInput(broker="main", topic="flowwatch/v1/+/+/+/status", format=Format.STATUS)


def reading(second: int, counter: str = "a/x", people: int = 1) -> bytes:
    """A message with one reading."""
    return json.dumps({"counter": counter, "at": f"2026-10-01T09:{second // 60:02d}:{second % 60:02d}+08:00", "in": people}).encode()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, by looking often: what happens in other threads and processes has no event here."""
    pause = threading.Event()
    for _ in range(WAIT_S * 200):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError("it never came to be so")


class Everything(Stager):
    """A stager whose reports are actions, since this log takes none; `hold` makes it wait."""

    def offer_report(self, site: str, payload: bytes, at_us: int) -> Future[Receipt] | None:
        return self.offer_action(site, b"report " + payload, at_us)


def source(mosquitto: Mosquitto, stager: Stager, *inputs: MqttInput, client: str = "fw", **more: Any) -> MqttSource:
    """The inputs, connected."""
    made = MqttSource(
        Broker(host="127.0.0.1", port=mosquitto.port, client=client, in_flight=more.pop("in_flight", 50)),
        inputs or (COUNTS, FIRES, STATUS),
        stager,
        reconnect_s=(0.05, 0.2),
        **more,
    )
    made.start()
    until(lambda: made.figures.connected)
    return made


def drained(folder: Path) -> list[tuple[Any, ...]]:
    """All rows of the log but its documents, with what waits in the inbox."""
    with log.Writer.open(folder) as writer:
        while writer.drain().files:
            pass
    return [row for partition in ("p00", log.UNROUTED) for row in rows(folder, partition) if row[1] != Kind.DOCUMENT]


def times(folder: Path) -> Counter[int]:
    """How often a reading of each event time is in the log."""
    return Counter(row[3] for row in drained(folder) if row[1] == Kind.DELTA)


@pytest.fixture
def sender(mosquitto: Mosquitto) -> Iterator[Sender]:
    """A device."""
    one = Sender(mosquitto.port)
    yield one
    one.close()


def test_readings_arrive_and_what_is_none_is_refused_beside_them(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager)
        sender.send("flowwatch/v1/a/count/x", reading(0) + b"\n" + reading(1) + b"\nnonsense\n")
        sender.send("flowwatch/v1/a/count/x", b"[" + reading(2) + b",\n" + reading(3) + b"]")
        sender.send("flowwatch/v1/b/count/x", reading(4))  # speaks for another site
        sender.send("flowwatch/v1/a/count/x", b"\xff\xfe\x00{")
        sender.send("flowwatch/v1/a/count/x", b"[" * 100_000)
        until(lambda: inputs.figures.messages == 5 and inputs.figures.waiting == 0)
        figures = inputs.figures
        inputs.close()
    assert (figures.readings, figures.refused) == (4, Counter({Reason.UNREADABLE: 3, Reason.UNKNOWN_SITE: 1}))
    found = drained(folder)
    assert Counter(row[1] for row in found) == {Kind.DELTA: 4, Kind.REFUSED: 4}


class Held(Inbox):
    """An inbox whose commits wait until they may."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked = threading.Semaphore(0)
        self.may = threading.Semaphore(0)

    def commit(self) -> Path | None:
        self.asked.release()
        assert self.may.acquire(timeout=WAIT_S)
        return super().commit()

    def append_report(self, site: str, payload: bytes, at_us: int) -> None:
        raise NotImplementedError


def test_a_message_is_acknowledged_only_when_it_is_durable(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    held = Held(folder)
    stager = Stager(folder, inbox=held)
    inputs = source(mosquitto, stager)
    sender.send("flowwatch/v1/a/count/x", reading(0))
    assert held.asked.acquire(timeout=WAIT_S)
    inputs.close()  # the connection ends before the rows are durable: the broker must still have the message
    held.may.release(10)
    stager.close()
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager)
        until(lambda: inputs.figures.again == 1 and inputs.figures.waiting == 0)
        inputs.close()
        inputs = source(mosquitto, stager)  # and has it no more once they are
        sender.send("flowwatch/v1/a/count/x", reading(1))
        until(lambda: inputs.figures.messages == 1 and inputs.figures.waiting == 0)
        inputs.close()
    found = [(row[3], row[6]) for row in drained(folder) if row[1] == Kind.DELTA]
    assert len(found) == 3
    assert found[0] == found[1]  # the same identity: the engine counts it once


def _life(folder: Path, port: int, dies: bool) -> None:
    """A process that listens; it dies when the first rows are read and not staged yet."""

    class Dies(Inbox):
        def commit(self) -> Path | None:
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().commit()

        def append_report(self, site: str, payload: bytes, at_us: int) -> None:
            raise NotImplementedError

    stager = Stager(folder, inbox=Dies(folder))
    inputs = MqttSource(Broker(host="127.0.0.1", port=port, client="fw"), [COUNTS], stager)
    inputs.start()
    until(lambda: inputs.figures.readings >= 30 and inputs.figures.waiting == 0)
    inputs.close()
    stager.close()


def test_killed_between_receipt_and_staging_nothing_is_lost(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    with Stager(folder) as stager:
        source(mosquitto, stager, COUNTS).close()  # the broker knows us from here on
    for second in range(30):
        sender.send("flowwatch/v1/a/count/x", reading(second))
    spawn = multiprocessing.get_context("spawn")
    for dies, code in ((True, -signal.SIGKILL), (False, 0)):
        process = spawn.Process(target=_life, args=(folder, mosquitto.port, dies))
        process.start()
        process.join(2 * WAIT_S)
        assert process.exitcode == code
    assert len(times(folder)) == 30


def test_a_broker_killed_and_started_again_loses_nothing_that_it_acknowledged(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    seen: set[bytes] = set()

    def read(arrived: Message) -> Batch:
        seen.add(arrived.body)
        return own["flowwatch"](arrived)

    own = own_readers()
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager, COUNTS, formats={"flowwatch": read})
        for second in range(10):
            sender.send("flowwatch/v1/a/count/x", reading(second))
        until(lambda: len(seen) == 10)
        mosquitto.stop(signal.SIGKILL)
        until(lambda: not inputs.figures.connected and bool(inputs.figures.trouble))
        mosquitto.start()
        until(lambda: inputs.figures.connected)
        again = Sender(mosquitto.port, "again")
        for second in range(10, 20):
            again.send("flowwatch/v1/a/count/x", reading(second))
        again.close()
        until(lambda: len(seen) == 20 and inputs.figures.waiting == 0)
        assert (inputs.figures.connections, inputs.figures.trouble) == (2, "")
        inputs.close()
    assert len(times(folder)) == 20


def test_what_came_while_we_were_away_waits_at_the_broker(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    with Stager(folder) as stager:
        source(mosquitto, stager).close()
        for second in range(5):
            sender.send("flowwatch/v1/a/count/x", reading(second))
        inputs = source(mosquitto, stager)
        until(lambda: inputs.figures.readings == 5 and inputs.figures.waiting == 0)
        inputs.close()
    assert set(times(folder).values()) == {1}


def test_a_message_sent_twice_and_a_retained_one_are_the_same_readings_again(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    with Stager(folder) as stager:
        first = source(mosquitto, stager)
        sender.send("flowwatch/v1/a/count/x", reading(0), retain=True)
        sender.send("flowwatch/v1/a/count/x", reading(0))
        until(lambda: first.figures.readings == 2 and first.figures.waiting == 0)
        other = source(mosquitto, stager, client="other")  # new to the broker: gets what is retained
        until(lambda: other.figures.readings == 1 and other.figures.waiting == 0)
        assert (first.figures.retained, other.figures.retained) == (0, 1)
        other.close()
        other = source(mosquitto, stager, client="other")  # known to the broker: does not get it again
        sender.send("flowwatch/v1/a/count/y", reading(1, "a/y"))
        until(lambda: other.figures.readings == 1)
        assert other.figures.retained == 0
        until(lambda: first.figures.readings == 3 and first.figures.waiting == other.figures.waiting == 0)
        other.close()
        first.close()
    identities = Counter((row[2], row[3], row[6]) for row in drained(folder) if row[1] == Kind.DELTA)
    assert sorted(identities.values()) == [2, 3]
    assert {ordinal for _, _, ordinal in identities} == {0}


def test_a_shared_subscription_divides_the_messages(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    shared = MqttInput(broker="main", topic="$share/fw/flowwatch/v1/+/count/+", format=Format.FLOWWATCH)
    with Stager(folder) as stager:
        both = [source(mosquitto, stager, shared, client=name) for name in ("one", "two")]
        for second in range(20):
            sender.send("flowwatch/v1/a/count/x", reading(second))
        until(lambda: sum(inputs.figures.readings for inputs in both) == 20)
        assert all(inputs.figures.readings for inputs in both)
        until(lambda: not any(inputs.figures.waiting for inputs in both))
        for inputs in both:
            inputs.close()
    assert set(times(folder).values()) == {1}
    assert len(times(folder)) == 20


def test_where_there_is_no_room_the_broker_keeps_the_rest(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    held = Held(folder)
    stager = Stager(folder, Bounds(rows=1), inbox=held)
    inputs = source(mosquitto, stager, in_flight=3)
    for second in range(20):
        sender.send("flowwatch/v1/a/count/x", reading(second))
    assert held.asked.acquire(timeout=WAIT_S)
    until(lambda: inputs.figures.waiting == 3)
    assert inputs.figures.messages == 3
    held.may.release(100)
    until(lambda: inputs.figures.readings == 20 and inputs.figures.waiting == 0)
    inputs.close()
    stager.close()
    assert set(times(folder).values()) == {1}
    assert len(times(folder)) == 20


def test_what_the_disk_refused_is_offered_again_and_not_acknowledged_before(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    class Refuses(Held):
        left = 2

        def commit(self) -> Path | None:
            if self.left:
                self.left -= 1
                self._clear()
                raise log.DiskRefused("disk", "full", "room")
            return Inbox.commit(self)

    with Stager(folder, inbox=Refuses(folder)) as stager:
        inputs = source(mosquitto, stager)
        sender.send("flowwatch/v1/a/count/x", reading(0))
        until(lambda: inputs.figures.disk_errors == 2 and inputs.figures.waiting == 0)
        assert inputs.figures.trouble == ""
        inputs.close()
    assert list(times(folder).values()) == [1]


def test_a_fire_is_latched_before_it_is_written_and_overtakes_what_waits(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(site: str, record: dict[str, Any]) -> None:
        assert not any(row[1] == Kind.ACTION for row in rows(folder, "p00"))
        heard.append((site, record))

    with Stager(folder, Bounds(files=0)) as stager:  # no room for any reading
        inputs = source(mosquitto, stager, listeners=Listeners(fire=hear, knows_site=lambda site: site == "a"))
        sender.send("flowwatch/v1/a/count/x", reading(0))
        sender.send("flowwatch/v1/nowhere/fire", b"on")
        sender.send("flowwatch/v1/a/fire", b"off")
        sender.send("flowwatch/v1/a/fire", b'{"state": "on"}')
        until(lambda: stager.staged_rows == 1)
        assert (inputs.figures.fires, inputs.figures.readings) == (1, 0)
        inputs.close()
    (row,) = [row for row in drained(folder) if row[1] == Kind.ACTION]
    assert [(site, record) for site, record in heard] == [("a", json.loads(row[10]))]
    assert (heard[0][1]["type"], heard[0][1]["state"]) == ("fire", "on")


def test_a_signal_that_finds_no_room_keeps_no_fire_waiting(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    """The one of an unknown site can only be refused, and there is no room for that; it came last and stands first."""
    heard: list[str] = []
    with Stager(folder, Bounds(files=0)) as stager:
        inputs = source(
            mosquitto, stager, listeners=Listeners(fire=lambda site, _: heard.append(site), knows_site=lambda site: site == "a")
        )
        sender.send("flowwatch/v1/nowhere/fire", b"on")
        until(lambda: inputs.figures.messages == 1)
        sender.send("flowwatch/v1/a/fire", b"on")
        until(lambda: stager.staged_rows == 1)
        inputs.close()
    assert heard == ["a"]


def test_a_fire_is_written_even_where_it_cannot_be_latched_at_once(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    def fails(site: str, record: dict[str, Any]) -> None:
        raise OSError("no disk")

    plc = MqttInput(broker="main", topic="plc/alarm", format=Format.FIRE, site="a")
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager, plc, listeners=Listeners(fire=fails))
        sender.send("plc/alarm", b"1")
        until(lambda: stager.staged_rows == 1)
        assert "could not be latched" in inputs.figures.trouble
        inputs.close()
    assert [row[1] for row in drained(folder)] == [Kind.ACTION]


def test_the_last_will_of_a_gate_is_a_report_and_that_of_a_counter_a_note(folder: Path, mosquitto: Mosquitto) -> None:
    with Everything(folder) as stager:
        inputs = source(mosquitto, stager, STATUS)
        for topic in ("flowwatch/v1/a/gate/gate-3/status", "flowwatch/v1/a/count/x/status"):
            device = Sender(mosquitto.port, topic.replace("/", "-"), will=(topic, b"lost"))
            device.send(topic, b"online", retain=True)
            device.vanish()
            until(lambda topic=topic: inputs.figures.links.get(topic) is False and inputs.figures.waiting == 0)  # type: ignore[misc]
            device.close()
        inputs.close()
    found = drained(folder)
    reports = [json.loads(row[10].removeprefix(b"report ")) for row in found if row[1] == Kind.ACTION]
    assert [(report["site"], report["device"], report["link"]) for report in reports] == [
        ("a", "gate/gate-3", link) for link in ("up", "lost")
    ]
    assert [row[10] for row in found if row[1] == Kind.REFUSED] == [b"flowwatch/v1/a/count/x/status: lost"]


def test_whoever_knows_more_of_a_device_is_told_instead_and_only_of_changes(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    told: list[tuple[str, str, bool]] = []
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager, STATUS, listeners=Listeners(link=lambda *what: told.append(what)))
        for body in (b"up", b"lost", b'{"state": "offline"}', b"online", b"what?"):
            sender.send("flowwatch/v1/a/barrier/b/status", body)
        until(lambda: inputs.figures.messages == 5 and inputs.figures.waiting == 0)
        assert inputs.figures.refused == {Reason.UNREADABLE: 1}
        inputs.close()
    assert told == [("a", "barrier/b", True), ("a", "barrier/b", False), ("a", "barrier/b", True)]


def test_topics_of_devices_that_nobody_knows_fill_no_memory(
    folder: Path, mosquitto: Mosquitto, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowwatch.inputs.mqtt.MOST_TOPICS", 10)
    with Stager(folder) as stager:
        inputs = source(mosquitto, stager, STATUS, listeners=Listeners(link=lambda *_: None))
        for number in range(50):
            sender.send(f"flowwatch/v1/a/barrier/b{number}/status", b"online")
        until(lambda: inputs.figures.messages == 50 and inputs.figures.waiting == 0)
        assert len(inputs.figures.links) <= 11
        inputs.close()


def test_a_reader_of_a_device_family_is_called_with_the_topic_and_may_fail(folder: Path, mosquitto: Mosquitto, sender: Sender) -> None:
    seen: list[Message] = []

    def read(arrived: Message) -> Batch:
        seen.append(arrived)
        raise RecursionError

    family = MqttInput(broker="main", topic="+/onvif-ej/#", format=Format.ONVIF)
    formats: dict[str, Reader] = {"onvif": read}
    with Stager(folder) as stager:
        with pytest.raises(ValueError, match="no reader for the format onvif"):
            MqttSource(Broker(host="h", client="c"), [family], stager)
        inputs = source(mosquitto, stager, family, formats=formats)
        sender.send("cam/onvif-ej/x", b"<xml/>")
        until(lambda: inputs.figures.messages == 1 and inputs.figures.waiting == 0)
        inputs.close()
    assert [(arrived.topic, arrived.body) for arrived in seen] == [("cam/onvif-ej/x", b"<xml/>")]
    assert [row[10] for row in drained(folder)] == [b"<xml/>"]


def test_an_unreachable_broker_is_told_and_tried_again(folder: Path, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    with Stager(folder) as stager:
        inputs = MqttSource(Broker(host="127.0.0.1", port=mosquitto.port, client="fw"), [COUNTS], stager, reconnect_s=(0.05, 0.2))
        inputs.start()
        until(lambda: "cannot be reached" in inputs.figures.trouble)
        mosquitto.start()
        until(lambda: inputs.figures.connected)
        assert inputs.figures.trouble == ""
        inputs.close()


@LEFT_OPEN
@pytest.mark.usefixtures("swept")
def test_a_broker_is_believed_by_its_certificate_and_knows_us_by_a_password(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "secure"
    place.mkdir()
    authority = Authority(place)
    shown = authority.shows("127.0.0.1")
    (place / "password").write_text("s3cret\n", encoding="utf-8")
    (place / "password").chmod(0o600)
    more = f"certfile {shown.certificate}\nkeyfile {shown.key}\n{users(place, us='s3cret')}"
    with Mosquitto(place, more, anonymous=False) as broker, Stager(folder) as stager:
        described = Broker(
            host="127.0.0.1", port=broker.port, client="c", username="us", password_file="password", tls=ClientTls(ca=authority.file.name)
        )
        inputs = MqttSource(described, [COUNTS], stager, folder=place, reconnect_s=(0.05, 0.2))
        inputs.start()
        until(lambda: inputs.figures.connected)
        inputs.close()
        strangers = {
            "Not authorized": replace(described, password_file="wrong"),
            "cannot be read": replace(described, password_file="missing"),
            "cannot be reached": replace(described, tls=ClientTls()),
        }
        (place / "wrong").write_text("s4cret\n", encoding="utf-8")
        (place / "wrong").chmod(0o600)
        for said, wrong in strangers.items():
            refused = MqttSource(wrong, [COUNTS], stager, folder=place, reconnect_s=(0.05, 0.2))
            refused.start()
            until(lambda refused=refused, said=said: said in refused.figures.trouble)  # type: ignore[misc]
            assert not refused.figures.connected
            refused.close()
