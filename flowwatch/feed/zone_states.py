"""The state of every zone, kept at a broker: MQTT 5, retained, QoS 1, so that whoever connects hears at once how full each zone is.

One thread follows the journal and talks to the broker. It keeps the newest state of each zone and nothing older: while the broker is away or slow
nothing piles up, and what goes out then is what is so then. A message lives `LIVES_S` from the moment at which its minute was closed, so that
what a dead flowwatch or engine leaves behind does not look fresh for long: the broker drops it. Whether anybody tells at all stands, retained and
with a last will, at the feed's own status topic.

Each connection begins with every state told anew. What the broker holds of zones that the site does not have any more is removed.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from flowwatch.actuators.mqtt import client_of
from flowwatch.actuators.protocol import KEEPALIVE_S
from flowwatch.actuators.wires import Broker
from flowwatch.core.entries import EntryKind, Estimate
from flowwatch.documents.secrets import SecretError
from flowwatch.feed.tail import Tail
from flowwatch.feed.trouble import GRACE_S, Complaint, Trouble, no_trouble
from flowwatch.feed.zone_messages import STATUS_TOPIC, FeedStatus, read_topic, states, topic, write
from flowwatch.handling.records import Said
from flowwatch.journal.database import JournalError
from flowwatch.journal.minutes import Minutes
from flowwatch.log.errors import LogError
from flowwatch.picture import Picture
from flowwatch.tls import UNWELCOME, UNWELCOME_ZH, TlsFileError

LOG: Final = logging.getLogger(__name__)
Record = Mapping[str, Any]
LIVES_S: Final = 300
"""A state that is five minutes old says nothing of now: as long as Prometheus and Alertmanager take a figure for the present one."""
POLL_S: Final = 0.1
CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0
"""How long a broker may take to let us in."""
FIRST_PAUSE_S: Final = 1.0
LAST_PAUSE_S: Final = 30.0
MOST_UNANSWERED: Final = 200
"""Messages on their way to the broker at once."""
KINDS: Final = (EntryKind.TRANSITION, EntryKind.INCIDENT, EntryKind.DOCUMENT)
"""What besides a minute changes a state."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take; other values are for tests. `pause_s`: the first and the longest wait after a failure."""

    lives_s: float = LIVES_S
    pause_s: tuple[float, float] = (FIRST_PAUSE_S, LAST_PAUSE_S)
    grace_s: float = GRACE_S


class ZoneStates:
    """The feed of one installation to one broker. `start`, then `stop`."""

    def __init__(
        self,
        broker: Broker,
        journal: Path,
        picture: Picture,
        document_of: Callable[[str, str | None], Record | None],
        now_us: Callable[[], int],
        trouble: Trouble = no_trouble,
        pace: Pace | None = None,
    ) -> None:
        """`now_us`: the log's time, by which a minute is old."""
        self._broker, self._journal, self._picture = broker, journal, picture
        self._document_of, self._now_us = document_of, now_us
        self._pace = pace or Pace()
        self._complaint = Complaint(f"mqtt/{broker.name}", trouble, self._pace.grace_s)
        self._tail = Tail(journal, KINDS)
        self._minutes: Minutes | None = None
        self._newest: dict[str, tuple[Estimate, float]] = {}
        """Site -> its newest minute, and when on the monotonic clock it was closed."""
        self._documents: dict[str, tuple[str | None, Record | None]] = {}
        self._states: dict[str, tuple[bytes, float]] = {}
        """Topic -> the newest message, and since when it lives."""
        self._due: dict[str, None] = {}
        """Topics to be told, those without a state to be removed; in their order."""
        self._flying: dict[int, str] = {}
        """Message -> topic, until the broker has answered."""
        self._client: paho.Client | None = None
        self._in = False
        self._since = 0.0
        self._pause_s, self._again_at, self._looked_at = self._pace.pause_s[0], 0.0, -math.inf
        self._stopping = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="feed-mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect, and keep on trying."""
        self._thread.start()

    def stop(self) -> None:
        """Say that nobody tells any more, and end. What is retained dies of age."""
        self._stopping.set()
        self._thread.join(10.0)

    def abandon(self) -> None:
        """End as a killed process does, without a word; for tests."""
        self._abandoned = True
        self.stop()

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        return self._in

    @property
    def waiting(self) -> int:
        """Topics of which the broker does not have the newest state yet."""
        return len(self._due) + len(self._flying)

    # ---- the loop

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except (JournalError, LogError) as error:
                LOG.error("zone states: %s", error)  # noqa: TRY400 - the sentence says it
                self._forget_journal()
                self._stopping.wait(FIRST_PAUSE_S)
            except Exception:
                LOG.exception("zone states failed; they go on")
                self._forget_journal()
                self._lost("failed", "出错")
                self._stopping.wait(FIRST_PAUSE_S)
        self._end()

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= POLL_S:
            self._looked_at = now
            self._look()
        if self._client is None:
            if now >= self._again_at:
                self._connect()
            else:
                self._stopping.wait(min(POLL_S, self._again_at - now))
            return
        if self._in:
            self._send()
        elif now - self._since > ANSWER_S:
            self._lost("the broker does not answer", "服务器没有应答")
            return
        code = self._client.loop(POLL_S)
        if code != paho.MQTT_ERR_SUCCESS and self._client is not None:
            why = paho.error_string(code).rstrip(".")
            self._lost(*((why, why) if self._in else (UNWELCOME, UNWELCOME_ZH)))

    def _end(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._abandoned:
            sock = client.socket()
            if sock is not None:
                sock.close()
        elif client is not None:
            last = client.publish(STATUS_TOPIC, write(FeedStatus(state="lost")), qos=1, retain=True)
            until = time.monotonic() + 2.0
            while self._in and not last.is_published() and time.monotonic() < until and client.loop(POLL_S) == paho.MQTT_ERR_SUCCESS:
                pass
            client.disconnect()
            client.loop(0.0)
        self._in = False
        self._forget_journal()

    # ---- the broker

    def _connect(self) -> None:
        """Try once. Every connection has a client of its own, so that nothing that an earlier one still held comes after what is newer."""
        self._since = time.monotonic()
        try:
            client = client_of(self._broker)
        except (SecretError, TlsFileError) as error:
            self._lost(str(error), str(error))
            return
        client.connect_timeout = CONNECT_S
        client.will_set(STATUS_TOPIC, write(FeedStatus(state="lost")), qos=1, retain=True)
        client.max_inflight_messages_set(MOST_UNANSWERED + 1)
        client.on_connect, client.on_message, client.on_publish = self._connected, self._heard, self._published
        self._client = client
        try:
            client.connect(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            why = self._broker.why_not(error)
            self._lost(why, why)

    def _lost(self, why: str, why_zh: str) -> None:
        """There is no connection: try again later."""
        if self._in:
            LOG.warning("zone states: the connection to broker %s is lost: %s", self._broker.name, why)
        client, self._client, self._in = self._client, None, False
        if client is not None and (sock := client.socket()) is not None:
            sock.close()
        self._flying.clear()
        self._again_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._pace.pause_s[1])
        name = self._broker.name
        self._complaint.fails(
            Said(f"客流状态无法发送到 MQTT 服务器“{name}”：{why_zh}", f'zone states do not reach the broker "{name}": {why}')
        )

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._lost(str(reason), str(reason))
            return
        self._in, self._pause_s = True, self._pace.pause_s[0]
        self._flying[client.publish(STATUS_TOPIC, write(FeedStatus(state="up")), qos=1, retain=True).mid] = STATUS_TOPIC
        for site in self._newest:
            self._listen(site)
        self._due = dict.fromkeys([*self._states, *self._due])

    def _listen(self, site: str) -> None:
        """Have the broker say what it holds of the site's zones, so that what does not belong there can be removed."""
        if self._client is not None and self._in:
            self._client.subscribe([(topic(site, "+"), SubscribeOptions(qos=0))])

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload and message.topic not in self._states:
            self._due[message.topic] = None

    def _send(self) -> None:
        """Tell what is due, as far as the broker keeps up; of a topic that is on its way only when it has arrived."""
        assert self._client is not None
        flying, now = set(self._flying.values()), time.monotonic()
        for name in [name for name in self._due if name not in flying][: MOST_UNANSWERED - len(flying)]:
            del self._due[name]
            state = self._states.get(name)
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if state is not None:
                left = math.ceil(self._pace.lives_s - (now - state[1]))
                if left <= 0:
                    continue  # what the broker has of it died with it
                properties.MessageExpiryInterval = left
                properties.ContentType = "application/json"
            sent = self._client.publish(name, b"" if state is None else state[0], qos=1, retain=True, properties=properties)
            self._flying[sent.mid] = name

    def _published(self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        name = self._flying.pop(mid, None)
        if name is None:
            return
        broker = self._broker.name
        if reason.is_failure:
            text = Said(f"MQTT 服务器“{broker}”拒绝 {name}：{reason}", f'the broker "{broker}" refuses {name}: {reason}')
            self._complaint.fails(text)
        elif not self._complaint.well:
            self._complaint.goes(Said(f"客流状态恢复发送到 MQTT 服务器“{broker}”", f'zone states reach the broker "{broker}" again'))

    # ---- the journal

    def _look(self) -> None:
        """Take what the journal has new."""
        if self._tail.look():
            self._forget_minutes()  # it was made anew
        if self._tail.follower is None:
            return
        if self._minutes is None:
            self._minutes = Minutes.open(self._journal)
        changed: dict[str, None] = {}
        if self._tail.follower.grew():
            changed = {entry.chain: None for entry in self._tail.follower.new() if entry.chain in self._newest}
        if self._minutes.grew():
            for estimate in self._minutes.new():
                self._take(estimate)
                changed[estimate.site] = None
        for site in changed:
            try:
                self._tell(site)
            except JournalError:
                raise
            except Exception:  # what is damaged of one site takes nothing from the others
                LOG.exception("zone states: those of %s cannot be told until something is new there", site)

    def _take(self, estimate: Estimate) -> None:
        age_s = max(0, self._now_us() - estimate.at) / 1e6
        known = estimate.site in self._newest
        self._newest[estimate.site] = estimate, time.monotonic() - age_s
        if not known:
            self._listen(estimate.site)

    def _tell(self, site: str) -> None:
        """Find what is so of a site's zones now, and what of it is news."""
        estimate, born = self._newest[site]
        standing = self._picture.site(site)
        version = None if standing.document is None else standing.document["version"]
        if site not in self._documents or self._documents[site][0] != version:
            self._documents[site] = version, self._document_of(site, version)
        made = {topic(site, one.zone): write(one) for one in states(estimate, standing, self._documents[site][1])}
        for name in [name for name in self._states if (read_topic(name) or ("", ""))[0] == site and name not in made]:
            del self._states[name]
            self._due[name] = None
        for name, payload in made.items():
            if self._states.get(name, (b"",))[0] != payload:
                self._states[name] = payload, born
                self._due[name] = None

    def _forget_journal(self) -> None:
        self._tail.leave()
        self._forget_minutes()

    def _forget_minutes(self) -> None:
        minutes, self._minutes = self._minutes, None
        if minutes is not None:
            minutes.close()
