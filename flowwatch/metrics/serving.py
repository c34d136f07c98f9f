"""What the service knows besides what is on the disk: what people have before them, what comes in and what goes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509

from flowwatch.actuators.answered import BOUNDS_S
from flowwatch.actuators.dispatcher import Dispatcher
from flowwatch.core.entries import EntryKind
from flowwatch.core.readings import SECOND
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.feed.webhooks.outbox import State
from flowwatch.handling.desk import Desk
from flowwatch.handling.incident import Incident
from flowwatch.handling.kinds import priority
from flowwatch.handling.records import Handling
from flowwatch.inputs.mqtt import MqttSource
from flowwatch.inputs.poll import PollSource
from flowwatch.inputs.stager import Stager
from flowwatch.metrics.board import Board
from flowwatch.metrics.names import NONE
from flowwatch.metrics.part import Part
from flowwatch.picture import Picture


class Streams(Protocol):
    """The feed, as far as it is counted."""

    dropped: int

    @property
    def listening(self) -> int:
        """How many listen now."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The parts of one service that are watched; what it does not have is None or empty."""

    sites: Callable[[], Sequence[str]]
    picture: Picture
    now_us: Callable[[], int]
    """The log's time."""
    desk: Desk | None = None
    streams: Streams | None = None
    stager: Stager | None = None
    sources: Mapping[str, MqttSource | PollSource] = field(default_factory=dict)
    """What each brings in by -> the source."""
    dispatcher: Dispatcher | None = None
    courier: Courier | None = None
    certificates: Mapping[str, Path] = field(default_factory=dict)
    """What each is for -> its file."""

    def parts(self) -> dict[str, Part]:
        """Each part by its name."""
        return {
            "incidents": self._incidents,
            "inputs": self._inputs,
            "feeds": self._feeds,
            "devices": self._devices,
            "certificates": self._certificates,
        }

    # ---- what people have before them

    def _incidents(self, board: Board) -> None:
        desk = self.desk
        if desk is None:
            return
        for site in sorted({*self.sites(), *desk.sites()}):
            known = {incident.name: incident for incident in desk.lately(site)}
            told = [incident for incident in known.values() if incident.open]
            untold = [body for name, body in self.picture.site(site).incidents.items() if name not in known]
            new = [priority(b["what"], b["subject"], b["reason"], b["level"], desk.settings.priorities) for b in untold]
            active = Counter((incident.urgency or NONE, incident.handling.value) for incident in told)
            active.update((urgency or NONE, Handling.NEW.value) for urgency in new)
            for (urgency, handling), count in sorted(active.items()):
                board.put("incidents_active", count, site=site, priority=urgency, handling=handling)
            board.put("incidents_overdue", sum(self._is_overdue(desk, incident) for incident in told), site=site)
            waiting = sum(incident.handling is Handling.NEW and incident.priority is not None for incident in told)
            board.put("incidents_unacknowledged", waiting + sum(one is not None for one in new), site=site)
        board.put("desk_up", float(desk.well))
        board.put("desk_lag_entries", self._lag(desk))

    def _lag(self, desk: Desk) -> int:
        journal = self.picture.journal
        return 0 if journal is None else journal.count_behind(desk.told.row, EntryKind.INCIDENT)

    @staticmethod
    def _is_overdue(desk: Desk, incident: Incident) -> bool:
        return any(clock.state == "overdue" for clock in desk.clocks(incident))

    # ---- what comes in

    def _inputs(self, board: Board) -> None:
        if self.stager is not None:
            board.put("staged_rows_total", self.stager.staged_rows)
            board.put("staging_refusals_total", self.stager.no_room)
        for name, source in self.sources.items():
            board.put("input_up", float(not source.figures.trouble), input=name)

    # ---- what goes out

    def _feeds(self, board: Board) -> None:
        if self.streams is not None:
            board.put("feed_clients", self.streams.listening)
            board.put("feed_dropped_total", self.streams.dropped)
        if self.courier is not None:
            outbox = self.courier.outbox
            board.put("webhooks_up", float(self.courier.well))
            counts: Counter[str] = Counter()
            for states in outbox.counts().values():
                counts.update(states)
            for state in State:
                board.put("webhook_outbox_messages", counts[state.value], state=state.value)
            now, since = self.now_us(), outbox.waiting_since()
            board.put("webhook_oldest_waiting_seconds", 0 if since is None else max(0, now - since) / SECOND)

    def _devices(self, board: Board) -> None:
        dispatcher = self.dispatcher
        if dispatcher is None:
            return
        board.put("dispatcher_up", float(dispatcher.well))
        for broker, up in dispatcher.brokers.items():
            board.put("broker_up", float(up), broker=broker)
        for (site, outcome), count in sorted(dict(dispatcher.answered.outcomes).items()):
            board.put("gate_deliveries_total", count, site=site, outcome=outcome)
        took = dispatcher.answered.took
        board.spread("gate_delivery_seconds", BOUNDS_S, took.cumulative(), took.total_s)
        under_way = Counter(dict.fromkeys(self.sites(), 0))
        for device in dispatcher.status():
            under_way[device.site] += device.flight is not None and device.flight.outcome is None
            kind, _, name = device.device.partition("/")
            if device.driven and kind == "gate":
                board.put("gate_up", float(device.link == "up"), site=device.site, gate=name)
                if device.wanted is not None:
                    obeys = device.link == "up" and device.setting == device.wanted.setting
                    board.put("gate_obeys", float(obeys), site=device.site, gate=name)
        for site, count in sorted(under_way.items()):
            board.put("gate_unacknowledged", count, site=site)

    def _certificates(self, board: Board) -> None:
        for name, file in self.certificates.items():
            found = x509.load_pem_x509_certificates(file.read_bytes())
            board.put("certificate_expiry_timestamp_seconds", min(c.not_valid_after_utc.timestamp() for c in found), certificate=name)
