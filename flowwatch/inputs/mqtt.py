"""Readings and signals from an MQTT 5 broker: nothing is acknowledged before it is durable.

One client a broker. Its session outlives the connection, so the broker keeps what comes while we are away. A message goes through its format's
reader to the stager; when its rows are durable it is acknowledged, in the order in which messages came. Killed anywhere between, we get it
again, as the same readings (`stager.py`), which count once. What may be on its way to us unacknowledged is bounded by the broker on our word, so
where the stager has no room the broker keeps the rest.

Retained messages come when the broker knows no session of ours. A retained reading says when it was taken, so it is the same reading as when it first
came. A retained fire signal is believed: the panel still says so.

What a signal becomes:

- a fire signal, the record `fire` with state on, and `on_fire` hears of it before anything is written. Off is counted and changes nothing: a
  person ends a fire.
- a gate, barrier, link or sign that is lost or there again (`.../gate/gate-3/status`), a report with `link`, on each change. `on_link` gets it
  instead, where somebody knows more of the device than that.
- anything else that is lost (a counter's sender), a refused record that says so. Whether a counter is silent is the engine's to say, from its
  readings.

Three threads meet here: the client's, which receives; ours, which reads and hands over; the stager's, which says that rows are durable.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UnsetType
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.message import Message
from flowwatch.core.entries import canonical
from flowwatch.core.readings import Reason
from flowwatch.documents.actions import Fire, new_id, payload
from flowwatch.documents.deployment import OWN_TOPICS, SIGNALS, Broker, Format, MqttInput
from flowwatch.documents.secrets import SecretError, secret
from flowwatch.documents.words import duration_us
from flowwatch.inputs.formats import Reader, Readers, Signal, fire_signal, link_signal, own_readers, refused
from flowwatch.inputs.stager import Receipt, Stager
from flowwatch.log.errors import LogError
from flowwatch.tls import UNWELCOME, Tls

RETRY_S: Final = 0.1
"""How soon what found no room is offered again."""
DISK_RETRY_S: Final = 1.0
"""How soon what the disk refused is offered again."""
MOST_TOPICS: Final = 100_000
"""Topics of which anything is remembered: whoever may send chooses their names."""
LARGEST: Final = 16 << 20
"""The broker sends no message larger than this."""
DEVICE: Final = re.compile(r"(?:^|/)(gate|barrier|sign|link)/([A-Za-z0-9][A-Za-z0-9_.:-]{0,63})(?=/|$)")
"""Where a topic names something that can be told something."""
_NAME: Final = re.compile("[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")

Hearing = Callable[[str, dict[str, Any]], None]
"""Told of a fire at once: (site, record)."""
Linking = Callable[[str, str, bool], None]
"""Told of a device that is there or lost: (site, device such as "gate/gate-3", whether it is there)."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who else hears of signals: of a fire, before it is written; of a device's link, instead. `knows_site`: whether there is such a site."""

    fire: Hearing | None = None
    link: Linking | None = None
    knows_site: Callable[[str], bool] = lambda _: True


@dataclass(slots=True)
class Figures:
    """What came of it so far, for people and metrics.

    `connected`: and subscribed; `connections`: how often that came about; `messages`: received, of them `again` after a break and `retained`
    ones; `readings`, `refused`: handed over; `fires`: signals that became records, `fires_over`: those that changed nothing; `dropped`:
    messages on no topic of ours, and those sent without asking for an acknowledgement that found no room; `waiting`: received and not
    acknowledged yet; `trouble`: what is wrong now, "" if nothing is; `links`: status topic -> whether it is there.
    """

    connected: bool = False
    connections: int = 0
    messages: int = 0
    readings: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    again: int = 0
    retained: int = 0
    fires: int = 0
    fires_over: int = 0
    dropped: int = 0
    waiting: int = 0
    disk_errors: int = 0
    trouble: str = ""
    links: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class _Message:
    """A message on its way.

    `life`: of which connection it is; `asks`: whether the broker waits for an acknowledgement; `unfit`: what it said could not be staged;
    `fire`: the record that it became (which is made once, however often it is offered); `tried`: whether it was offered and found no room.
    """

    life: int
    number: int
    asks: bool
    source: MqttInput
    arrived: Message
    durable: bool = False
    unfit: bool = False
    fire: tuple[str, bytes] | None = None
    tried: bool = False


class MqttSource:
    """The inputs of one broker. `start` connects and stays connected, `close` ends it; the session stays at the broker."""

    def __init__(
        self,
        broker: Broker,
        inputs: Sequence[MqttInput],
        stager: Stager,
        *,
        formats: Readers | None = None,
        folder: Path = Path(),
        listeners: Listeners | None = None,
        reconnect_s: tuple[float, float] = (1.0, 30.0),
    ) -> None:
        """`formats`: readers of device families beside flowwatch's own; `folder`: the deployment file's.

        Raises ValueError without a reader, and `TlsFileError`.
        """
        self.broker = broker
        self._inputs = sorted(inputs, key=lambda part: part.format not in SIGNALS)
        self._stager = stager
        self._readers: dict[str, Reader] = own_readers() | dict(formats or {})
        self._folder = folder
        self._listeners = listeners or Listeners()
        self._figures = Figures()
        self._sources: dict[str, MqttInput | None] = {}
        self._changed = threading.Condition()
        self._queue: deque[_Message] = deque()
        self._order: deque[_Message] = deque()
        self._life = 0
        self._closing = False
        self._not_before = 0.0
        self._disk_refuses = False
        self._no_secret = ""
        self._refused = False
        """Whether this connection's end was told already: the broker said why it does not let us in."""
        self._tls = Tls.of(broker.tls, folder)
        missing = sorted({part.format for part in self._inputs} - set(SIGNALS) - self._readers.keys())
        if missing:
            raise ValueError(f"no reader for the format {missing[0]}")
        self._client = self._new_client(reconnect_s)
        self._thread = threading.Thread(target=self._work, name="flowwatch-mqtt", daemon=True)

    def start(self) -> None:
        """Connect, now or as soon as the broker is there. Returns at once."""
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = duration_us(self.broker.session) // 1_000_000
        session.ReceiveMaximum = self.broker.in_flight
        session.MaximumPacketSize = LARGEST
        self._thread.start()
        self._client.connect_async(
            self.broker.host,
            self.broker.port_number,
            max(1, duration_us(self.broker.keepalive) // 1_000_000),
            clean_start=False,
            properties=session,
        )
        self._client.loop_start()

    def close(self) -> None:
        """End the connection. What is not durable yet comes again with the next one. Close this before the stager."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._client.disconnect()
        self._client.loop_stop()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def figures(self) -> Figures:
        """A copy of the figures."""
        with self._changed:
            now, waiting = self._figures, len(self._order)
            return Figures(
                **{name: getattr(now, name) for name in Figures.__slots__}
                | {"refused": now.refused.copy(), "links": dict(now.links), "waiting": waiting}
            )

    # -- the client's thread ----------------------------------------------------------------------------------------------------------

    def _new_client(self, reconnect_s: tuple[float, float]) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            f"{self.broker.client}-in",
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=True,
        )
        client.reconnect_delay_set(*reconnect_s)  # type: ignore[arg-type]
        if not isinstance(self.broker.tls, UnsetType):
            client.tls_set_context(self._tls.context())
        client.on_pre_connect = self._before_connecting
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_disconnect = self._lost
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        return client

    def _before_connecting(self, client: Client, _: Any) -> None:
        self._new_life()
        self._no_secret, self._refused = "", False
        if isinstance(self.broker.username, UnsetType):
            return
        try:
            client.username_pw_set(self.broker.username, secret(self.broker.password_file, self.broker.password_env, self._folder))
        except SecretError as error:
            self._no_secret = str(error)

    def _connected(self, client: Client, _: Any, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None) -> None:
        if reason.is_failure:
            self._refused = True
            self._trouble(self._no_secret or f"{self.broker.host}: the broker refuses us: {reason}")
            return
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe([(part.topic, options) for part in self._inputs])

    def _failed(self, _client: Client, _: Any) -> None:
        why = self._tls.why_not(sys.exception(), self.broker.host)
        self._trouble(f"{self.broker.host}:{self.broker.port_number}: cannot be reached: {why}")

    def _lost(self, _client: Client, _: Any, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None) -> None:
        was_connected = self._new_life()
        if not reason.is_failure or self._closing or self._refused:
            return
        if was_connected:
            self._trouble(f"{self.broker.host}: the connection ended: {reason}")
        else:
            self._trouble(f"{self.broker.host}:{self.broker.port_number}: {UNWELCOME}")

    def _subscribed(self, _client: Client, _: Any, _number: int, reasons: list[ReasonCode], _more: Properties | None) -> None:
        with self._changed:
            self._figures.connected, self._figures.trouble = True, ""
            self._figures.connections += 1
        for part, reason in zip(self._inputs, reasons, strict=False):
            if reason.is_failure:
                self._trouble(f"{self.broker.host}: no subscription to {part.topic}: {reason}")

    def _received(self, client: Client, _: Any, message: MQTTMessage) -> None:
        now = time.time_ns() // 1000
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        source = self._source_of(topic)
        with self._changed:
            self._figures.messages += 1
            self._figures.again += message.dup
            self._figures.retained += message.retain
            if source is None:
                self._figures.dropped += 1
                if message.qos:
                    client.ack(message.mid, message.qos)
                return
            if not message.qos and len(self._order) >= 2 * self.broker.in_flight:
                self._figures.dropped += 1  # sent without asking for an acknowledgement: nobody keeps it for us
                return
            arrived = Message(bytes(message.payload), now, topic=topic)
            kept = _Message(self._life, message.mid, message.qos > 0, source, arrived)
            self._order.append(kept)
            if source.format is Format.FIRE:
                self._queue.appendleft(kept)
            else:
                self._queue.append(kept)
            self._changed.notify_all()

    def _source_of(self, topic: str) -> MqttInput | None:
        """The input that a topic belongs to: signals first, then in the file's order."""
        if topic not in self._sources:
            if len(self._sources) > MOST_TOPICS:
                self._sources.clear()
            self._sources[topic] = next((part for part in self._inputs if topic_matches_sub(part.matched, topic)), None)
        return self._sources[topic]

    def _new_life(self) -> bool:
        """Forget the messages of the connection that ended: the broker sends them again, and their numbers may mean others now.

        Whether there was a connection.
        """
        with self._changed:
            was_connected = self._figures.connected
            self._life += 1
            self._figures.connected = False
            self._queue.clear()
            self._order.clear()
            return was_connected

    def _trouble(self, text: str) -> None:
        with self._changed:
            self._figures.trouble = text

    # -- our thread -------------------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._closing:
                    return
                urgent = self._queue[0].source.format is Format.FIRE and not self._queue[0].tried
                pause = self._not_before - time.monotonic()
                if pause > 0 and not urgent:
                    self._changed.wait(pause)
                    continue
                message = self._queue.popleft()
            try:
                taken = self._hand_over(message)
            except Exception as error:  # noqa: BLE001 - no message ends the thread that all others need
                self._trouble(f"{type(error).__name__} at a message on {message.arrived.topic}")
                message.unfit, taken = message.source.format is not Format.FIRE, False  # a fire is tried until it is heard
            if not taken:
                with self._changed:
                    if message.life == self._life:
                        self._again(message)
                    self._not_before = time.monotonic() + RETRY_S

    def _again(self, message: _Message) -> None:
        """Put back what found no room: a fire behind the other fires, so that none keeps another waiting, and before all else."""
        message.tried = True
        fires = sum(1 for _ in takewhile(lambda waiting: waiting.source.format is Format.FIRE, self._queue))
        self._queue.insert(fires, message)

    def _hand_over(self, message: _Message) -> bool:
        """Give what a message says to the stager; False where there is no room for it now."""
        match message.source.format:
            case _ if message.unfit:
                offered = self._offer(refused(message.arrived.body, Reason.UNREADABLE), len(message.arrived.body))
            case Format.FIRE:
                offered = self._fire(message)
            case Format.STATUS:
                offered = self._status(message)
            case _:
                offered = self._readings(message)
        if offered is None:
            return False
        for future in offered:
            future.add_done_callback(lambda future: self._settled(message, future))
        if not offered:
            self._acknowledge(message)
        return True

    def _readings(self, message: _Message) -> list[Future[Receipt]] | None:
        arrived = message.arrived
        try:
            batch = self._readers[message.source.format](arrived)
        except Exception:  # noqa: BLE001 - a reader that fails on some bytes is no reason to lose the next message
            batch = refused(arrived.body, Reason.UNREADABLE)
        site = _site_of(message)
        if site and any(not name.startswith(f"{site}/") for name in batch.readings.names):
            batch = refused(arrived.body, Reason.UNKNOWN_SITE)  # whoever may write to one site's topics may not speak for another
        return self._offer(batch, len(arrived.body))

    def _offer(self, batch: Batch, size: int) -> list[Future[Receipt]] | None:
        future = self._stager.offer(batch, size)
        if future is None:
            return None
        with self._changed:
            self._figures.readings += len(batch)
            self._figures.refused.update(refusal.reason for refusal in batch.refused)
        return [future]

    def _fire(self, message: _Message) -> list[Future[Receipt]] | None:
        arrived, site = message.arrived, self._site(message)
        said = fire_signal(arrived.body)
        if site is None or said is Signal.UNKNOWN:
            return self._offer(refused(arrived.body, Reason.UNREADABLE if site else Reason.UNKNOWN_SITE), len(arrived.body))
        if said is Signal.OFF:
            with self._changed:
                self._figures.fires_over += 1
            return []
        if message.fire is None:
            message.fire = self._record(site, arrived.topic)
        site, data = message.fire
        future = self._stager.offer_action(site, data, arrived.received)
        return None if future is None else [future]

    def _record(self, site: str, topic: str) -> tuple[str, bytes]:
        """The record of a fire, of which whoever latches it has heard."""
        now, by = time.time_ns() // 1000, f"MQTT {_CONTROLS.sub(' ', topic)[:300]}"
        record = Fire(action=new_id(now), site=site, by=by, reason="fire signal", at_us=now, state="on")
        with self._changed:
            self._figures.fires += 1
        if self._listeners.fire is not None:
            try:
                self._listeners.fire(site, msgspec.to_builtins(record))
            except Exception as error:  # noqa: BLE001 - the record must be written all the same
                self._trouble(f"a fire at {site} could not be latched at once: {type(error).__name__}: {error}")
        return site, payload(record)

    def _status(self, message: _Message) -> list[Future[Receipt]] | None:
        arrived, site = message.arrived, self._site(message)
        said = link_signal(arrived.body)
        if site is None or said is Signal.UNKNOWN:
            return self._offer(refused(arrived.body, Reason.UNREADABLE if site else Reason.UNKNOWN_SITE), len(arrived.body))
        there = said is Signal.ON
        with self._changed:
            known = self._figures.links.get(arrived.topic)
        found = DEVICE.search(arrived.topic)
        offered: list[Future[Receipt]] | None = []
        if there == known:
            pass
        elif found is None:
            offered = [] if there else self._offer(refused(f"{arrived.topic}: lost".encode(), Reason.UNREADABLE), len(arrived.topic))
        elif self._listeners.link is not None:
            self._listeners.link(site, f"{found[1]}/{found[2]}", there)
        else:
            offered = self._report(site, f"{found[1]}/{found[2]}", there=there)
        if offered is not None:
            with self._changed:
                if len(self._figures.links) > MOST_TOPICS:
                    self._figures.links.clear()
                self._figures.links[arrived.topic] = there
        return offered

    def _report(self, site: str, device: str, *, there: bool) -> list[Future[Receipt]] | None:
        now = time.time_ns() // 1000
        nothing = dict.fromkeys(("setting", "command", "outcome", "why"))
        report = {"site": site, "device": device, "at_us": now, "link": "up" if there else "lost", "revision": 0} | nothing
        future = self._stager.offer_report(site, canonical(report), now)
        return None if future is None else [future]

    def _site(self, message: _Message) -> str | None:
        """The site that a signal belongs to; None where there is no such site."""
        named = message.source.site
        site = _site_of(message) if isinstance(named, UnsetType) else named
        return site if _NAME.fullmatch(site) and self._listeners.knows_site(site) else None

    # -- durable ----------------------------------------------------------------------------------------------------------------------

    def _settled(self, message: _Message, future: Future[Receipt]) -> None:
        """In the stager's thread: the rows are durable, or were refused by the disk and must be offered again."""
        error = future.exception()
        if error is None:
            self._acknowledge(message)
            return
        with self._changed:
            self._figures.disk_errors += 1
            self._disk_refuses = True
            self._figures.trouble = str(error)
            message.unfit = (
                not isinstance(error, LogError) and message.source.format is not Format.FIRE
            )  # not the disk's fault: these very rows cannot be staged, and never will be
            if message.life == self._life:
                self._again(message)
                self._not_before = time.monotonic() + DISK_RETRY_S
                self._changed.notify_all()

    def _acknowledge(self, message: _Message) -> None:
        """Acknowledge what is durable, in the order in which it came."""
        with self._changed:
            message.durable = True
            if message.life != self._life:
                return
            if self._disk_refuses:
                self._disk_refuses, self._figures.trouble = False, ""
            while self._order and self._order[0].durable:
                first = self._order.popleft()
                if first.asks:
                    self._client.ack(first.number, 1)


def _site_of(message: _Message) -> str:
    """The site that a topic of flowwatch's own names; "" for other topics."""
    topic = message.arrived.topic
    return topic.removeprefix(OWN_TOPICS).split("/", 1)[0] if topic.startswith(OWN_TOPICS) else ""
