"""A controller on MQTT 5: one connection each, so that the broker can say of each alone that it is lost.

Beside the protocol's topics it listens to two of its own, for tests: `flowwatch-gate/<site>/<device>/faults` with a text such as
"delay=2s,lie" (empty: none) and `…/passed` with {"in": 3, "out": 5}.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from flowwatch.actuators import protocol
from flowwatch.actuators.mqtt import without_delay
from flowwatch.actuators.protocol import KEEPALIVE_S, STATUS_TOPIC, Ack, Passed, State
from flowwatch_sim.gatehouse.controller import Controller, Voice
from flowwatch_sim.gatehouse.faults import Faults

CONTROL = "flowwatch-gate"


class MqttLine:
    """The connection of one controller, which is given to `attach` before `start`."""

    def __init__(self, site: str, device: str, host: str, port: int, username: str | None = None, password: str | None = None) -> None:
        self._site, self._device, self._address = site, device, (host, port)
        self._stopping = threading.Event()
        self._drop_s = 0.0
        self._controller: Controller | None = None
        name = f"{site}-{device.replace('/', '-')}"
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
        if username is not None:
            client.username_pw_set(username, password)
        client.reconnect_delay_set(1, 5)
        client.will_set(self._topic("state"), protocol.write(State(device=device, link="lost")), qos=1, retain=True)
        client.on_connect, client.on_disconnect, client.on_message = self._connected, self._disconnected, self._heard
        client.on_socket_open = without_delay
        self._client = client
        self.voice = Voice(self._say_state, self._say_ack)

    def attach(self, controller: Controller) -> None:
        """Whose line this is."""
        self._controller = controller

    def start(self) -> None:
        """Connect, and keep on trying."""
        host, port = self._address
        self._client.connect_async(host, port, keepalive=KEEPALIVE_S, clean_start=True)
        self._client.loop_start()

    def stop(self) -> None:
        """Go as a device goes that loses its power: the broker publishes the will."""
        self._stopping.set()
        self._cut()
        self._client.loop_stop()

    def drop(self, seconds: float) -> None:
        """Lose the connection for a while."""
        self._drop_s = seconds
        self._cut()

    def _cut(self) -> None:
        line = self._client.socket()
        if isinstance(line, socket.socket):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _topic(self, leaf: Any) -> str:
        return protocol.topic(self._site, self._device, leaf)

    def _say_state(self, state: State) -> None:
        if self._client.is_connected():
            self._client.publish(self._topic("state"), protocol.write(state), qos=1, retain=True)

    def _say_ack(self, ack: Ack) -> None:
        if self._client.is_connected():
            self._client.publish(self._topic("cmd/ack"), protocol.write(ack), qos=1)

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure or self._controller is None:
            return
        own = [f"{CONTROL}/{self._site}/{self._device}/{leaf}" for leaf in ("faults", "passed")]
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in (self._topic("cmd"), STATUS_TOPIC, *own)])
        self._controller.connected(up=True)

    def _disconnected(self, _client: paho.Client, _data: Any, _flags: Any, _reason: ReasonCode, _properties: Any) -> None:
        if self._controller is not None:
            self._controller.connected(up=False)
        seconds, self._drop_s = self._drop_s, 0.0
        if seconds:
            self._stopping.wait(seconds)

    def _heard(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        controller, data = self._controller, bytes(message.payload)
        if controller is None:
            return
        if message.topic == STATUS_TOPIC:
            controller.service(data)
        elif message.topic == self._topic("cmd"):
            if not message.retain:
                controller.hear(data)
        elif message.topic.endswith("/passed"):
            with contextlib.suppress(msgspec.MsgspecError):
                controller.set_passed(msgspec.json.decode(data, type=Passed))
        else:
            with contextlib.suppress(ValueError):
                faults = Faults.parse(data.decode(errors="replace"))
                controller.set_faults(faults)
                if faults.drop_s:
                    threading.Thread(target=self.drop, args=(faults.drop_s,), daemon=True).start()
