"""The state of every zone at an MQTT broker: the newest minute, retained, so that whoever subscribes has it at once.

`flowwatch/v1/<site>/zone/<zone>/state`. A message lives five minutes at the broker: a state that nobody renews does not stay and look fresh. Whether
this feed is there stands, retained with a last will, at `flowwatch/v1/service/feed`. Nothing waits for the broker: while it is away only the newest
minute of each zone is kept, and all of them are sent when it is back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import paho.mqtt.client as paho
from msgspec import Meta, Struct
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from flowwatch.actuators.wires import Broker
from flowwatch.core.entries import Estimate
from flowwatch.handling.records import Said
from flowwatch.journal.database import JournalError
from flowwatch.journal.export import iso
from flowwatch.journal.minutes import Minutes

LOG: Final = logging.getLogger(__name__)
STATUS_TOPIC: Final = "flowwatch/v1/service/feed"
LIVES_S: Final = 300
"""How long a state stays at the broker: five minutes that were not renewed."""
TURN_S: Final = 0.25
AGAIN_S: Final = 1.0
GRACE_S: Final = 30.0
"""How long a broker may be away before people hear of it: a restart of it is no news."""
KEEPALIVE_S: Final = 15

DocumentOf = Callable[[str, str | None], Mapping[str, Any] | None]
Trouble = Callable[..., None]


class ZoneState(Struct, frozen=True, kw_only=True):
    """A zone's newest minute. `people` is None until somebody has counted it once; `lower` is then "at least"."""

    site: str
    zone: str
    at: Annotated[str, Meta(description="when the minute ended, UTC")]
    people: Annotated[int | None, Meta(description="persons inside, the engine's estimate")]
    lower: Annotated[int, Meta(description="the band's lower edge, persons")]
    upper: Annotated[int | None, Meta(description="the band's upper edge, persons")]
    known: bool
    capacity: Annotated[int | None, Meta(description="instantaneous capacity, persons; none of the whole site's is declared")]
    share: Annotated[float | None, Meta(description="people as a share of the capacity")]
    density_per_m2: Annotated[float | None, Meta(description="persons a square metre")]
    people_in: Annotated[int, Meta(description="persons who came in within the minute")]
    people_out: Annotated[int, Meta(description="persons who left within the minute")]
    silent: Annotated[list[str], Meta(description="counters of the zone that say nothing")]
    stage: Annotated[str | None, Meta(description="the stage of the site's main plan")]


def topic(site: str, zone: str) -> str:
    """Where a zone's state is published."""
    return f"flowwatch/v1/{site}/zone/{zone}/state"


def states(minute: Estimate, document: Mapping[str, Any] | None) -> Iterator[ZoneState]:
    """The state of every zone in a site's minute, the whole site as "site"; `document` is the site's compiled record."""
    body = msgspec.json.decode(minute.body)
    sizes = {zone["zone"]: zone for zone in (document or {}).get("zones", ())}
    for name, told in sorted(body["zones"].items()):
        size, known = sizes.get(name), bool(told["known"])
        people = round(told["inside_m"] / 1000) if known else None
        inside = told["inside_m"] / 1000
        yield ZoneState(
            site=minute.site,
            zone=name,
            at=iso(minute.at),
            people=people,
            lower=round(told["lower_m"] / 1000),
            upper=None if told["upper_m"] is None else round(told["upper_m"] / 1000),
            known=known,
            capacity=None if size is None else int(size["capacity"]),
            share=round(inside / size["capacity"], 4) if size is not None and known else None,
            density_per_m2=round(inside / size["area_m2"], 4) if size is not None and known else None,
            people_in=int(told["in"]),
            people_out=int(told["out"]),
            silent=list(told.get("silent") or ()),
            stage=body["stage"],
        )


class ZoneStates:
    """The thread that keeps the broker's states. `start`, then `stop`."""

    def __init__(self, journal: Path, broker: Broker, document_of: DocumentOf, trouble: Trouble) -> None:
        self._journal, self._broker, self._document_of, self._trouble = journal, broker, document_of, trouble
        self._newest: dict[str, bytes] = {}
        self._unsent: set[str] = set()
        self._lock = threading.Lock()
        self._up = threading.Event()
        self._stopping = threading.Event()
        self._told = False
        self._client = self._made()
        self._thread = threading.Thread(target=self._run, name="zone-states", daemon=True)

    def start(self) -> None:
        """Begin to connect, and to publish."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S, clean_start=True)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """Say that the feed goes, and end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        if self._client.is_connected():
            try:
                self._client.publish(STATUS_TOPIC, b'{"state":"lost"}', qos=1, retain=True).wait_for_publish(2.0)
            except (RuntimeError, ValueError) as error:
                LOG.warning("zone states: could not say that the feed goes (%s)", error)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._up.is_set()

    # ---- the broker

    def _made(self) -> paho.Client:
        broker = self._broker
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=broker.client, protocol=paho.MQTTv5)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            ca, certificate, key = (None if path is None else str(path) for path in (broker.ca, broker.certificate, broker.key))
            client.tls_set(ca_certs=ca, certfile=certificate, keyfile=key)
        client.reconnect_delay_set(1, 15)
        client.will_set(STATUS_TOPIC, b'{"state":"lost"}', qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        return client

    def _connected(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            LOG.warning("zone states: the broker refuses the connection: %s", reason)
            return
        client.publish(STATUS_TOPIC, b'{"state":"up"}', qos=1, retain=True)
        with self._lock:
            self._unsent = set(self._newest)
        self._up.set()

    def _disconnected(self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._up.clear()
        if not self._stopping.is_set():
            LOG.warning("zone states: connection lost: %s", reason)

    # ---- the journal

    def _run(self) -> None:
        minutes: Minutes | None = None
        away_s = 0.0
        while not self._stopping.wait(TURN_S):
            try:
                minutes = self._turn(minutes)
            except JournalError as error:
                LOG.warning("zone states: %s; again in a second", error)
                if minutes is not None:
                    minutes.close()
                minutes = None
                self._stopping.wait(AGAIN_S)
            away_s = 0.0 if self._up.is_set() else away_s + TURN_S
            self._tell(away=away_s >= GRACE_S)
        if minutes is not None:
            minutes.close()

    def _turn(self, minutes: Minutes | None) -> Minutes | None:
        if minutes is None:
            if not self._journal.exists():
                return None
            minutes = Minutes.open(self._journal)
        if minutes.grew():
            for minute in minutes.new():
                self._take(minute)
        if self._up.is_set():
            with self._lock:
                due = [(name, self._newest[name]) for name in sorted(self._unsent)]
                self._unsent.clear()
            for name, payload in due:
                self._publish(name, payload)
        return minutes

    def _take(self, minute: Estimate) -> None:
        try:
            made = {topic(s.site, s.zone): msgspec.json.encode(s) for s in states(minute, self._document_of(minute.site, None))}
        except Exception:
            LOG.exception("zone states: a minute of %s that cannot be told; passed over", minute.site)
            return
        with self._lock:
            self._newest |= made
            self._unsent |= made.keys()

    def _publish(self, name: str, payload: bytes) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = LIVES_S
        properties.ContentType = "application/json"
        self._client.publish(name, payload, qos=1, retain=True, properties=properties)

    def _tell(self, *, away: bool) -> None:
        if away == self._told:
            return
        self._told = away
        if away:
            text = Said("区域状态推送：与消息服务器失去联系", "zone states: the broker cannot be reached")
        else:
            text = Said("区域状态推送：与消息服务器恢复联系", "zone states: the broker can be reached again")
        self._trouble("mqtt", text, on=away)
