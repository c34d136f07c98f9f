"""Zone states at a real broker: the newest, for as long as it says something of now, whatever is killed; and nothing of zones that are gone."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from flowwatch.actuators.wires import Broker
from flowwatch.core.entries import EntryKind, Estimate, canonical
from flowwatch.documents.secrets import SecretError
from flowwatch.feed import description
from flowwatch.feed.zone_messages import STATUS_TOPIC, read_topic, topic
from flowwatch.feed.zone_states import LIVES_S, Pace, ZoneStates
from flowwatch.handling.book import Book
from flowwatch.handling.records import Said
from flowwatch.journal import Journal
from flowwatch.picture import Picture
from tests.feed.live import Written
from tests.safety.made import plan, site, stage, zone
from tests.servers import WAIT_S, Mosquitto, users

SECOND = 1_000_000
DOCS = Path(__file__).parents[2] / "docs"
MARK = "flowwatch/mark"
MALL = topic("yu", "mall")
BRISK = Pace(pause_s=(0.05, 0.2), grace_s=0.0)


def now_us() -> int:
    return time.time_ns() // 1000


class Listener:
    """Somebody who listens to everything."""

    def __init__(self, port: int, name: str = "listener") -> None:
        self._heard = threading.Condition()
        self.all: list[MQTTMessage] = []
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("flowwatch/#", qos=1)
        self._client.on_subscribe = lambda client, *_: client.publish(MARK, b"", 1)
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._heard:
            self.all.append(message)
            self._heard.notify_all()

    def last(self, name: str) -> Any:
        """The newest body on a topic; None where nothing, or an empty one, came."""
        found = [one for one in self.all if one.topic == name]
        return json.loads(found[-1].payload) if found and found[-1].payload else None

    def until(self, true: Callable[[], bool]) -> None:
        with self._heard:
            assert self._heard.wait_for(true, WAIT_S), [(m.topic, m.payload[:200]) for m in self.all]

    def people(self, count: float | None, name: str = MALL) -> None:
        """Wait until a zone has so many people."""
        self.until(lambda: (self.last(name) or {"people": "none"})["people"] == count)

    def shows(self, key: str, *, value: bool) -> None:
        """Wait until the mall's state says so."""
        self.until(lambda: self.last(MALL)[key] is value)

    def everything_retained(self) -> None:
        """Wait until all that was retained has come: before what the listener said itself after it had subscribed."""
        self.until(lambda: any(one.topic == MARK for one in self.all))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def expiry(message: MQTTMessage) -> int:
    """How many seconds the broker keeps it from now on."""
    found: int = getattr(message.properties, "MessageExpiryInterval", 0)
    return found


@dataclass
class Town:
    """A journal that a test writes, a broker, feeds and listeners."""

    root: Path
    broker: Mosquitto
    owned: ExitStack
    document: dict[str, Any] | None = field(
        default_factory=lambda: site(
            site="yu", zones=[zone(), zone("yard", outside="mall"), zone("bridge", capacity=400, area_m2=800.0, inside="mall")]
        )
    )
    written: Written = field(init=False)
    troubles: list[tuple[str, bool]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    trouble: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        journal = self.owned.enter_context(Journal.open(self.root / "journal.db"))
        book = Book.open(self.root / "handling.db")
        self.owned.callback(book.close)
        self.written = Written(journal, book)

    def minute(
        self, people: float | None, at: int | None = None, *, zones: Mapping[str, float | None] | None = None, name: str = "yu"
    ) -> int:
        """A minute with so many people in the mall, closed now."""
        moment = at or now_us()
        figures = {z: self._figures(n) for z, n in (zones or {"mall": people, "site": people}).items()}
        body = {"minute_us": moment, "site": name, "stage": "calm", "zones": figures}
        self.written.journal.append([], [Estimate(name, moment, canonical(body))])
        return moment

    @staticmethod
    def _figures(people: float | None) -> dict[str, Any]:
        known = people is not None
        milli = round((people or 0) * 1000)
        return {
            "inside_m": milli, "known": known, "lower_m": milli - 1000, "upper_m": milli + 2000 if known else None, "raw_m": 0,
            "in": 7, "out": 3, "silent": [] if known else ["c1"],
        }  # fmt: skip

    def moves(self, to: str, plan: str = "main", name: str = "yu") -> str:
        """The plan's stage changes."""
        return self.written.decide(name, EntryKind.TRANSITION, now_us(), plan=plan, to=to, **{"from": None}).id

    def incident(self, what: str, state: str, name: str = "yu-i1") -> None:
        body = dict.fromkeys(("level", "reason", "headline", "instruction", "detail")) | {"what": what, "subject": what, "state": state}
        self.written.decide("yu", EntryKind.INCIDENT, now_us(), incident=name, since_us=now_us(), **body)

    def feed(self, pace: Pace = BRISK, clock: Callable[[], int] = now_us, *, broker: Broker | None = None) -> ZoneStates:
        """A service's feed, started."""
        picture = Picture(self.root / "journal.db")
        self.owned.callback(picture.close)
        made = ZoneStates(
            broker or Broker("main", "127.0.0.1", self.broker.port, "fw-feed"),
            self.root / "journal.db",
            picture,
            lambda name, _version: self.document,
            clock,
            self._trouble,
            pace,
        )
        made.start()
        self.owned.callback(made.stop)
        return made

    def listener(self, name: str = "listener") -> Listener:
        made = Listener(self.broker.port, name)
        self.owned.callback(made.close)
        return made

    def told(self, *, on: bool) -> None:
        """Wait until it was told that the broker cannot be reached, or can."""
        with self.trouble:
            assert self.trouble.wait_for(lambda: ("mqtt/main", on) in self.troubles, WAIT_S), self.troubles

    def _trouble(self, key: str, text: Said, *, on: bool) -> None:
        with self.trouble:
            self.troubles.append((key, on))
            self.said.append(text)
            self.trouble.notify_all()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as owned:
        broker = owned.enter_context(Mosquitto(tmp_path))
        yield Town(tmp_path, broker, owned)


def test_whoever_comes_later_hears_how_every_zone_is_and_for_how_long_that_holds(town: Town) -> None:
    at = town.minute(0, zones={"mall": 1500, "bridge": None, "site": 1500})
    entry = town.moves("busy")
    town.feed()
    town.listener().people(1500)
    late = town.listener("late")
    late.people(1500)
    late.until(lambda: late.last(topic("yu", "bridge")) is not None and late.last(topic("yu", "site")) is not None)
    message = next(one for one in late.all if one.topic == MALL)
    assert message.retain
    assert message.qos == 1
    assert 200 <= expiry(message) <= LIVES_S
    body = late.last(MALL)
    assert (body["lower"], body["upper"], body["capacity"], body["capacity_share"], body["people_per_m2"]) == (1499, 1502, 3000, 0.5, 0.125)
    assert (body["known"], body["in"], body["out"], body["silent"], body["title"]["zh"]) == (True, 7, 3, [], "商城")
    assert body["stages"][0]["entry"] == entry
    assert datetime.fromisoformat(body["at"]).timestamp() == pytest.approx(at / SECOND, abs=1e-3)
    bridge = late.last(topic("yu", "bridge"))
    assert (bridge["known"], bridge["people"], bridge["upper"], bridge["capacity_share"], bridge["silent"]) == (
        False,
        None,
        None,
        None,
        ["c1"],
    )
    assert late.last(topic("yu", "site"))["capacity"] == 3000  # outer zones, without the waiting area outside


def test_a_new_minute_a_stage_a_drill_an_override_and_a_fire_show_at_once(town: Town) -> None:
    town.document = site(plan("main", [stage("busy", level="III")]))
    town.minute(10)
    town.feed()
    heard = town.listener()
    heard.people(10)
    town.minute(20)
    heard.people(20)
    entry = town.moves("busy")
    heard.until(lambda: [s["entry"] for s in heard.last(MALL)["stages"]] == [entry])
    assert (heard.last(MALL)["stages"][0]["stage"], heard.last(MALL)["stages"][0]["level"]) == ("busy", "III")
    for what, key in (("drill_active", "drill"), ("override_active", "override"), ("fire", "fire")):
        town.incident(what, "raised")
        heard.shows(key, value=True)
        town.incident(what, "cleared")
        heard.shows(key, value=False)
    assert heard.last(MALL)["people"] == 20


def test_a_zone_that_the_site_has_no_more_is_removed_also_by_a_service_that_came_later(town: Town) -> None:
    town.minute(0, zones={"mall": 1, "yard": 2, "lane": 3})
    town.minute(9, name="bund")
    first = town.feed()
    heard = town.listener()
    heard.people(3, topic("yu", "lane"))
    town.minute(0, zones={"mall": 4, "lane": 3})
    heard.people(4)
    heard.until(lambda: heard.last(topic("yu", "yard")) is None)
    first.stop()
    town.minute(0, zones={"mall": 5})
    town.feed()
    heard.people(5)
    heard.until(lambda: heard.last(topic("yu", "lane")) is None)
    late = town.listener("late")
    late.people(5)
    late.people(9, topic("bund", "mall"))
    late.people(9, topic("bund", "site"))
    late.everything_retained()
    zones = {one.topic for one in late.all if read_topic(one.topic)}
    assert zones == {MALL, topic("bund", "mall"), topic("bund", "site")}


def test_a_damaged_minute_of_one_site_takes_nothing_from_the_others(town: Town) -> None:
    bodies = (b'{"zones"', b"[]", b"{}", b'{"zones": {"mall": {"known": 1}}}', b'{"zones": ' + b"[" * 100_000)
    town.written.journal.append([], [Estimate(f"a{number}", now_us(), body) for number, body in enumerate(bodies)])
    town.minute(10)
    town.feed()
    heard = town.listener()
    heard.people(10)
    town.written.journal.append([], [Estimate("a0", now_us(), b"null")])
    town.minute(20)
    heard.people(20)
    town.minute(30, name="a0")
    heard.until(lambda: (heard.last(topic("a0", "mall")) or {}).get("people") == 30)
    assert ("mqtt/main", True) not in town.troubles


def test_a_state_of_a_site_that_is_not_ours_is_left_alone(town: Town) -> None:
    other = Client(CallbackAPIVersion.VERSION2, "other", protocol=MQTTProtocolVersion.MQTTv5)
    other.connect("127.0.0.1", town.broker.port)
    other.loop_start()
    other.publish(topic("elsewhere", "mall"), b'{"people": 1}', 1, retain=True).wait_for_publish(WAIT_S)
    other.publish(topic("yu", "gone"), b'{"people": 1}', 1, retain=True).wait_for_publish(WAIT_S)
    other.disconnect()
    other.loop_stop()
    town.minute(5)
    heard = town.listener()
    heard.people(1, topic("yu", "gone"))
    town.feed()
    heard.until(lambda: heard.last(topic("yu", "gone")) is None)
    assert heard.last(topic("elsewhere", "mall")) == {"people": 1}


def test_a_minute_that_is_too_old_is_not_told(town: Town) -> None:
    town.minute(10, now_us() - (LIVES_S + 1) * SECOND)
    town.feed()
    heard = town.listener()
    heard.until(lambda: heard.last(STATUS_TOPIC) == {"v": 1, "state": "up"})
    town.minute(11)
    heard.people(11)
    assert [json.loads(one.payload)["people"] for one in heard.all if one.topic == MALL] == [11]


def test_the_broker_lets_go_of_what_a_dead_service_left_behind(town: Town) -> None:
    heard = town.listener()
    feed = town.feed(Pace(lives_s=2.0))
    pause, until = threading.Event(), time.monotonic() + WAIT_S
    while heard.last(MALL) is None:  # one that comes too late is not told
        town.minute(10)
        assert time.monotonic() < until
        pause.wait(0.2)
    feed.abandon()
    heard.until(lambda: heard.last(STATUS_TOPIC) == {"v": 1, "state": "lost"})
    until = time.monotonic() + WAIT_S
    while True:  # what is retained can only be asked for
        late = Listener(town.broker.port, "late")
        late.everything_retained()
        gone = late.last(MALL) is None
        late.close()
        if gone:
            break
        assert time.monotonic() < until
        pause.wait(0.2)


def test_a_service_that_stops_says_so(town: Town) -> None:
    feed = town.feed()
    heard = town.listener()
    heard.until(lambda: heard.last(STATUS_TOPIC) == {"v": 1, "state": "up"})
    feed.stop()
    heard.until(lambda: heard.last(STATUS_TOPIC) == {"v": 1, "state": "lost"})


def test_a_broker_that_was_away_gets_the_newest_and_everybody_hears_that_it_was(tmp_path: Path) -> None:
    with ExitStack() as owned:
        town = Town(tmp_path, owned.enter_context(Mosquitto(tmp_path, keeps=False)), owned)
        town.minute(0, zones={"mall": 1, "bridge": 50})
        feed = town.feed()
        town.listener("before").people(1)
        town.broker.stop(signal.SIGKILL)
        town.told(on=True)
        for people in range(2, 60):
            town.minute(0, zones={"mall": people, "bridge": 50})
        looked = threading.Event()
        for _ in range(WAIT_S * 20):
            if feed.waiting == 2:
                break
            looked.wait(0.05)
        assert feed.waiting == 2  # topics, not messages
        town.troubles.clear()
        town.broker.start()
        heard = town.listener("after")
        heard.people(59)
        heard.people(50, topic("yu", "bridge"))
        assert {json.loads(one.payload)["people"] for one in heard.all if one.topic == MALL} <= {59}
        town.told(on=False)


def test_a_broker_that_forgot_everything_is_told_everything_though_nothing_changed(tmp_path: Path) -> None:
    with ExitStack() as owned:
        town = Town(tmp_path, owned.enter_context(Mosquitto(tmp_path, keeps=False)), owned)
        town.minute(0, zones={"mall": 1, "bridge": 50})
        town.feed()
        town.listener("before").people(1)
        town.broker.stop(signal.SIGKILL)
        town.broker.start()
        heard = town.listener("after")
        heard.people(1)
        heard.people(50, topic("yu", "bridge"))


def test_a_broker_that_is_not_there_at_the_start_is_waited_for(town: Town) -> None:
    town.broker.kill()
    town.minute(3)
    town.feed()
    town.told(on=True)
    town.broker.start()
    town.listener().people(3)


def test_a_broker_that_refuses_us_is_told(tmp_path: Path) -> None:
    with ExitStack() as owned:
        town = Town(tmp_path, owned.enter_context(Mosquitto(tmp_path, anonymous=False)), owned)
        feed = town.feed()
        town.told(on=True)
        assert not feed.connected


def test_a_changed_password_needs_no_restart(tmp_path: Path) -> None:
    with ExitStack() as owned:
        town, words = Town(tmp_path, owned.enter_context(Mosquitto(tmp_path, users(tmp_path, us="new"))), owned), ["old"]
        town.minute(3)
        town.feed(broker=Broker("main", "127.0.0.1", town.broker.port, "fw-feed", "us", lambda: words[-1]))
        town.told(on=True)
        words.append("new")
        town.listener().people(3)


def test_a_password_that_cannot_be_read_is_told(town: Town) -> None:
    def gone() -> str:
        raise SecretError("secrets/broker: cannot be read")

    town.feed(broker=Broker("main", "127.0.0.1", town.broker.port, "fw-feed", "us", gone))
    town.told(on=True)
    assert town.said[0].en == 'zone states do not reach the broker "main": secrets/broker: cannot be read'


def test_a_journal_that_comes_later_or_is_made_anew_is_read(town: Town) -> None:
    kept = town.root / "journal.db"
    town.minute(3)
    town.feed()
    heard = town.listener()
    heard.people(3)
    town.written.journal.close()
    for file in town.root.glob("journal.db*"):
        file.unlink()
    journal = town.owned.enter_context(Journal.open(kept))
    town.written.journal = journal
    town.minute(4)
    heard.people(4)


def test_where_the_documents_are_not_known_the_figures_are_told_alone(town: Town) -> None:
    town.document = None
    town.minute(3)
    town.feed()
    heard = town.listener()
    heard.people(3)
    assert (heard.last(MALL)["capacity"], heard.last(MALL)["people_per_m2"], heard.last(MALL)["title"]) == (None, None, None)


def test_age_goes_by_the_time_of_the_log(town: Town) -> None:
    """A rehearsal lives in another year, and its minutes are as old as its log says."""
    then = 1_790_834_400 * SECOND
    town.minute(3, then)
    town.feed(clock=lambda: then + 100 * SECOND)
    heard = town.listener()
    heard.people(3)
    (message,) = [one for one in heard.all if one.topic == MALL]
    assert 101 <= expiry(message) <= 200, "it counts down at the broker"


@pytest.mark.parametrize("name", sorted(description.MESSAGES))
def test_the_schema_files_are_current(name: str) -> None:
    kept = (description.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    assert kept == description.DESCRIBED.schema(name), "run `python -m flowwatch.feed.description`"


def test_the_asyncapi_document_is_current_and_its_references_lead_somewhere() -> None:
    text = description.ASYNCAPI.read_text(encoding="utf-8")
    assert text == description.asyncapi(), "run `python -m flowwatch.feed.description`"
    document = yaml.safe_load(text)
    for ref in re.findall(r"\$ref: ['\"]?#/([^'\"\s]+)", text):
        found = document
        for part in ref.split("/"):
            found = found[part]


@pytest.mark.parametrize(("name", "example"), [(n, e) for n, found in description.EXAMPLES.items() for e in found])
def test_every_example_is_a_message(name: str, example: dict[str, Any]) -> None:
    read = msgspec.convert(example, description.MESSAGES[name])
    assert msgspec.to_builtins(read, str_keys=True) | {} == msgspec.json.decode(msgspec.json.encode(example)) | {}


def test_the_example_of_the_page_is_that_of_the_schema() -> None:
    page = (DOCS / "feed.md").read_text(encoding="utf-8")
    section = page[page.index("## MQTT") :]
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    assert description.EXAMPLES["zone-state"][0] in blocks
    assert f"{LIVES_S // 60} minutes" in section
