"""Commands over MQTT 5: one connection to a broker, for all devices that are reached through it.

Commands go out with QoS 1, not retained, with their id as correlation data and with their own life as the message's. What the client still holds
of a broken connection it sends again when it is back; revisions and `expires` see to it that nothing old is obeyed. States are retained, so
that a start hears at once how devices were; only what comes live counts as presence. The service's own status is retained, too, with a will
that says "lost", and is said anew on every connection: controllers answer it with their state.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from flowwatch.actuators import protocol
from flowwatch.actuators.clock import now_us
from flowwatch.actuators.protocol import ATTEMPT_LIVES_S, KEEPALIVE_S, STATUS_TOPIC, Command, Status
from flowwatch.actuators.wires import Broker, Connected, Heard, Tell
from flowwatch.documents.secrets import SecretError
from flowwatch.tls import UNWELCOME

LOG: Final = logging.getLogger(__name__)
FIRST_PAUSE_S: Final = 1
LAST_PAUSE_S: Final = 15
"""Between attempts to connect; short, since controllers fall to `on_lost` after 30 s."""
AWAY_S: Final = 30.0
"""How long a connection stays away that another client of its name ended."""
MOST_UNANSWERED: Final = 10_000
"""Commands on their way to the broker at once: none waits behind another."""


class MqttWire:
    """One broker."""

    def __init__(self, broker: Broker, generation: int, tell: Tell) -> None:
        self.name = f"mqtt:{broker.name}"
        self._broker, self._generation, self._tell = broker, generation, tell
        self._topics: list[str] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._why = ""
        """Why it could not connect when it last tried."""
        self._welcome: bool | None = None
        """Whether the broker let us in; None while it has not answered."""
        self._client = self._made()

    def start(self) -> None:
        """Connect, and keep on trying."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S, clean_start=True)
        self._client.loop_start()

    def stop(self) -> None:
        """Say that the service goes, and end the thread."""
        self._stopping.set()
        if self._client.is_connected():
            lost = self._client.publish(STATUS_TOPIC, self._status("lost"), qos=1, retain=True)
            try:
                lost.wait_for_publish(2.0)
            except (RuntimeError, ValueError) as error:
                LOG.warning("%s: could not say that the service goes (%s)", self.name, error)
        self._client.disconnect()
        self._client.loop_stop()

    def abandon(self) -> None:
        """End as a killed process does, without a word; the broker publishes the will."""
        self._stopping.set()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._client.loop_stop()

    def add(self, site: str, devices: Sequence[str]) -> None:
        """Listen to devices from now on, and have them say how they are."""
        topics = [name for device in devices for name in (protocol.topic(site, device, "cmd/ack"), protocol.topic(site, device, "state"))]
        with self._lock:
            self._topics += topics
        if self._client.is_connected():
            self._subscribe(topics)

    def send(self, command: Command) -> None:
        """Hand `command` to the broker; returns at once."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = ATTEMPT_LIVES_S
        properties.CorrelationData = command.command.encode()
        properties.ResponseTopic = protocol.topic(command.site, command.device, "cmd/ack")
        properties.ContentType = "application/json"
        topic = protocol.topic(command.site, command.device, "cmd")
        self._client.publish(topic, protocol.write(command), qos=1, retain=False, properties=properties)

    def _made(self) -> paho.Client:
        client = client_of(self._broker)
        client.max_inflight_messages_set(MOST_UNANSWERED)
        client.reconnect_delay_set(FIRST_PAUSE_S, LAST_PAUSE_S)
        client.will_set(STATUS_TOPIC, self._status("lost"), qos=1, retain=True)
        client.on_connect, client.on_disconnect, client.on_message = self._connected, self._disconnected, self._heard
        client.on_pre_connect, client.on_connect_fail = self._before_connecting, self._failed
        return client

    def _before_connecting(self, client: paho.Client, _data: Any) -> None:
        """The password may have changed since the last connection; with the old one where it cannot be read."""
        if self._broker.username is not None:
            try:
                client.username_pw_set(self._broker.username, self._broker.password())
            except SecretError as error:
                LOG.warning("%s: %s", self.name, error)

    def _connected(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._welcome = not reason.is_failure
        if reason.is_failure:
            LOG.warning("%s: the broker refuses the connection: %s", self.name, reason)
            return
        with self._lock:
            topics = list(self._topics)
        self._why = ""
        self._tell(Connected(self.name, up=True, at_us=now_us()))
        self._subscribe(topics)

    def _failed(self, _client: paho.Client, _data: Any) -> None:
        """Tried in vain: said once for each reason, since it is tried again and again."""
        why = self._broker.why_not(sys.exception())
        if why != self._why:
            LOG.warning("%s: %s:%s: cannot be reached: %s", self.name, self._broker.host, self._broker.port, why)
        self._why = why

    def _subscribe(self, topics: list[str]) -> None:
        """The broker takes the subscriptions before the status, so the states that answer it are heard as they come."""
        for start in range(0, len(topics), 100):
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics[start : start + 100]])
        self._client.publish(STATUS_TOPIC, self._status("up"), qos=1, retain=True)

    def _disconnected(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._tell(Connected(self.name, up=False, at_us=now_us()))
        welcome, self._welcome = self._welcome, None
        if not self._stopping.is_set():
            LOG.warning("%s: connection lost: %s", self.name, UNWELCOME if welcome is None else reason)
            if reason == "Session taken over":
                self._stopping.wait(AWAY_S)

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        found = protocol.read_topic(message.topic)
        if found is None or found[2] == "cmd":
            return
        site, device, leaf = found
        what = "state" if leaf == "state" else "ack"
        self._tell(Heard(site, device, what, bytes(message.payload), live=not message.retain, at_us=now_us()))

    def _status(self, state: str) -> bytes:
        return protocol.write(Status(generation=self._generation, state="up" if state == "up" else "lost"))


def client_of(broker: Broker) -> paho.Client:
    """A client that reaches `broker` as it is described, not connected yet. Raises `SecretError` and `TlsFileError`."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=broker.client, protocol=paho.MQTTv5)
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password())
    if broker.tls is not None:
        client.tls_set_context(broker.tls.context())
    client.on_socket_open = without_delay
    return client


def without_delay(_client: paho.Client, _data: Any, line: Any) -> None:
    """Send small messages at once: waiting to gather several (Nagle) costs a command 40 ms."""
    if isinstance(line, socket.socket):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
