"""Readings over MQTT 5, as counters send them: a message for each reading on `flowwatch/v1/<site>/count/<counter>`, QoS 1.

So many messages may be on their way unacknowledged, and no more than the broker says that it takes at a time; `send` waits while they are. After a
break the connection is made again, and what was not acknowledged is sent again. The broker's acknowledgement says that the broker has a
message, not that flowwatch does: whatever it drops or loses afterwards (a queue that is full, a kill before it wrote its sessions) nobody here
hears of.

What came of messages is noted by the sender's thread; the client's only puts it down.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from flowwatch.actuators.mqtt import without_delay
from flowwatch_sim.sinks import SinkError, Texts
from flowwatch_sim.stream import Batch
from flowwatch_sim.tally import Tally

IN_FLIGHT: Final = 200
USERNAME: Final = "FLOWWATCH_MQTT_USERNAME"
PASSWORD: Final = "FLOWWATCH_MQTT_PASSWORD"  # noqa: S105 - the variable's name
PORT, TLS_PORT = 1883, 8883
KEEPALIVE_S: Final = 30
_LOOK_S: Final = 0.1
_NOBODY: Final = frozenset({"Bad user name or password", "Not authorized", "Banned", "Unsupported protocol version"})
"""Refusals that no second attempt changes."""


class Messages:
    """A broker at an address such as mqtt://127.0.0.1:1883."""

    def __init__(
        self,
        address: str,
        names: Sequence[str],
        counters: Sequence[str],
        environment: Mapping[str, str],
        *,
        in_flight: int = IN_FLIGHT,
        patience_s: float = 60.0,
    ) -> None:
        """`environment` has user and password, if the broker asks; `patience_s`: how long it may acknowledge nothing.

        Raises ValueError for no address.
        """
        url = urlsplit(address)
        if url.scheme not in ("mqtt", "mqtts") or not url.hostname or url.path or url.query or url.username:
            raise ValueError(f'found "{address}", expected an address such as mqtt://127.0.0.1:1883')
        self._host = url.hostname
        self._texts = Texts(names, counters)
        self._topics = [[f"flowwatch/v1/{site}/count/{counter}" for counter in counters] for site in names]
        self._bound, self._patience_s = in_flight, patience_s
        self._tally = Tally()
        self._refused, self._trouble, self._connections = "", "no connection yet", 0
        self._due: dict[int, float] = {}
        self._answers: deque[tuple[int, float, str]] = deque()
        self._answered = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, f"flowwatch-sim-{secrets.token_hex(6)}", protocol=MQTTProtocolVersion.MQTTv5)
        if USERNAME in environment:
            self._client.username_pw_set(environment[USERNAME], environment.get(PASSWORD))
        if url.scheme == "mqtts":
            self._client.tls_set()
        self._client.max_inflight_messages_set(0)  # bounded here, so that no message waits inside the client
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect, self._client.on_publish = self._connected, self._published
        self._client.on_disconnect, self._client.on_socket_open = self._lost, without_delay
        self._client.connect_async(self._host, url.port or (TLS_PORT if url.scheme == "mqtts" else PORT), KEEPALIVE_S, clean_start=True)
        self._client.loop_start()

    def send(self, batch: Batch, start_us: int, late_s: float = 0.0) -> None:
        """Publish the readings, in their order. Raises `SinkError`."""
        due = time.monotonic() - late_s
        places = zip(batch.site.tolist(), batch.counter.tolist(), strict=True)
        for line, (site, counter) in zip(self._texts.lines(batch, start_us), places, strict=True):
            self._wait(for_all=False)
            sent = self._client.publish(self._topics[site][counter], line[:-1].encode(), qos=1)
            if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
                raise SinkError(f"{self._host}: a message could not be sent: {sent.rc.name}")
            self._due[sent.mid] = due

    def close(self) -> None:
        """Wait until the broker has everything, and say good-bye. Raises `SinkError`."""
        self._wait(for_all=True)
        self._client.disconnect()
        self._client.loop_stop()

    def taken(self) -> Tally | None:
        """What the broker acknowledged."""
        return self._tally

    def _wait(self, *, for_all: bool) -> None:
        """Note what was acknowledged until there is room for one more message, or until all were."""
        self._note()
        heard = time.monotonic()
        while len(self._due) > (0 if for_all else self._bound - 1):
            if self._refused or time.monotonic() > heard + self._patience_s:
                self._client.loop_stop()
                raise SinkError(f"{self._host}: {self._refused or f'nothing was acknowledged for {self._patience_s:g} s'}{self._why()}")
            self._answered.wait(_LOOK_S)
            if self._note():
                heard = time.monotonic()

    def _why(self) -> str:
        return f": {self._trouble}" if self._trouble and not self._refused else ""

    def _note(self) -> int:
        self._answered.clear()
        noted = 0
        while self._answers:
            number, when, refused = self._answers.popleft()
            self._tally.answered(0 if refused else 1, Counter([refused] if refused else []), when - self._due.pop(number))
            noted += 1
        return noted

    # -- the client's thread ----------------------------------------------------------------------------------------------------------

    def _connected(self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, more: Properties | None) -> None:
        if reason.is_failure:
            self._trouble = f"the broker refuses us: {reason}"
            if str(reason) in _NOBODY:
                self._refused = self._trouble
            self._answered.set()
            return
        self._bound = min(self._bound, int(getattr(more, "ReceiveMaximum", self._bound)))
        self._trouble = ""
        self._connections += 1
        if self._connections > 1:
            self._tally.repeated()

    def _lost(self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Properties | None) -> None:
        self._trouble = f"the connection ended: {reason}"

    def _published(self, _client: Client, _data: Any, number: int, reason: ReasonCode, _more: Properties | None) -> None:
        self._answers.append((number, time.monotonic(), str(reason).lower() if reason.is_failure else ""))
        self._answered.set()
