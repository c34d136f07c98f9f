"""The loop that makes decisions happen: it follows the journal, compares what is wanted with what is reported, and sends.

One thread does all of it, so that there is one order of things; wires and the HTTP service put what they have to say into its queue. An attempt is
in the ledger before it is on a wire, and a fire's latch before any device hears of it. If the disk fails, what gives people a way out is sent all
the same, and everything else waits.

A start finds its place again: what is wanted from the journal (behind the place that was kept), what was sent from the ledger, how devices are
from themselves. Nothing here writes the journal or the log; what devices say goes to `report`.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from flowwatch.actuators import protocol
from flowwatch.actuators.answered import Answered
from flowwatch.actuators.clock import now_us
from flowwatch.actuators.commands import command as message
from flowwatch.actuators.commands import delivery
from flowwatch.actuators.fleet import Device, Fleet
from flowwatch.actuators.http import HttpWire
from flowwatch.actuators.ledger import KEPT_US, Answer, Delivery, Ledger
from flowwatch.actuators.mqtt import MqttWire
from flowwatch.actuators.protocol import ATTEMPT_LIVES_S, Ack, ProtocolError, State
from flowwatch.actuators.reconcile import SECOND, Because, Flight, Plan, Wanted, reconcile
from flowwatch.actuators.reports import Report, Reports
from flowwatch.actuators.standing_orders import KINDS, Fire, Order, StandingOrders
from flowwatch.actuators.status import DeviceStatus, statuses
from flowwatch.actuators.wires import Actuator, Broker, Connected, Heard, Silent
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place
from flowwatch.log.time import wall

LOG: Final = logging.getLogger(__name__)
Record = Mapping[str, Any]
DocumentOf = Callable[[str, str | None], Record | None]
"""(site, version that the journal says is in force, if it says one) -> the compiled record; None where there is none."""

POLL_S: Final = 0.01
"""How often the journal is asked whether it grew."""
CHECK_US: Final = SECOND
KEEP_US: Final = SECOND
"""How often it is kept how far the journal was folded."""
GRACE_US: Final = 5 * SECOND
"""How long a broker may be away before its devices are reported lost: a restart of it is no news."""
CATCHING_UP_US: Final = 10 * SECOND
"""A command whose tick is older when it is first seen was decided while nobody could send it."""
REMEMBERED_US: Final = 86_400 * SECOND
"""How far back attempts of an earlier life may still matter: none lives longer than a minute, but its outcome may be unknown for as long as
its device is."""
FORGET_US: Final = 3_600 * SECOND
_QUIET: Final = (Because.ANSWER, Because.UNDRIVEN)
"""Reasons to wait that are not worth a note."""


@dataclass(frozen=True, slots=True)
class Woken:
    """Something other than a wire wants the loop to look at a site, or at nothing but whether it goes on."""

    site: str | None


class Dispatcher:
    """Drives the devices of one installation. `start`, then `fire` and `status` from any thread, then `stop`."""

    def __init__(
        self,
        journal: Path,
        ledger: Ledger,
        generation: int,
        document_of: DocumentOf,
        report: Report,
        *,
        actuators: Sequence[Actuator],
        brokers: Sequence[Broker] = (),
        log_us: Callable[[], int] | None = None,
    ) -> None:
        """`document_of`: the compiled documents of a version; `report`: takes what devices say; `log_us`: the log's time, if it is told."""
        self._log_us = log_us or now_us
        self._journal, self._ledger, self._generation, self._document_of = journal, ledger, generation, document_of
        self._reports = Reports(report)
        self._events: queue.SimpleQueue[Heard | Silent | Connected | Woken] = queue.SimpleQueue()
        self._http = HttpWire(generation, self._events.put)
        self._wires: dict[str, MqttWire | HttpWire] = {f"mqtt:{b.name}": MqttWire(b, generation, self._events.put) for b in brokers}
        self._wires[self._http.name] = self._http
        self._up: dict[str, bool] = dict.fromkeys(self._wires, False)
        self._down_since: dict[str, int] = {}
        self._ways: dict[tuple[str, str | None], Actuator] = {(a.site, a.device): a for a in actuators}
        self._wire_of: dict[tuple[str, str], str] = {}
        self._fleet = Fleet()
        self._orders = StandingOrders()
        self._records: dict[str, tuple[str | None, Record]] = {}
        self._failed_until: dict[str, int] = {}
        self._missing: dict[str, str] = {}
        """Site -> the version of which it was said that nobody has it."""
        self._follower: Follower | None = None
        self._dirty: set[str] = {a.site for a in actuators}
        self._due: dict[str, int] = {}
        self._answers: list[Answer] = []
        self.answered = Answered()
        self._noted: dict[tuple[str, str], tuple[int, Because]] = {}
        self._next = {"journal": 0, "check": 0, "keep": 0, "forget": 0}
        self._kept: Place | None = None
        self._fresh = True
        self._follows = True
        self._unread = True
        self._blind: set[str] = set()
        """Sites of which it could not be read what was sent to them before."""
        self._lock = threading.Lock()
        self._latches: dict[str, list[Fire]] = {}
        self._status: dict[str, tuple[DeviceStatus, ...]] = {}
        self._stopping = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="actuators", daemon=True)

    # ---- for other threads

    def start(self) -> None:
        """Begin. Raises `JournalError` if the ledger cannot be read; a journal that is not there yet is waited for."""
        with self._lock:
            self._latches = self._ledger.latched()
        self._reports.start()
        for wire in self._wires.values():
            wire.start()
        self._thread.start()

    def stop(self) -> None:
        """Say that the service goes, and end; devices fall to their `on_lost` if no other service comes in time."""
        self._end(abandoned=False)

    def abandon(self) -> None:
        """End without a word and without keeping anything, as a killed process does; for tests."""
        self._end(abandoned=True)

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    @property
    def well(self) -> bool:
        """Whether its loop runs and could follow the journal when it last tried."""
        return self.alive and self._follows

    def fire(self, site: str, record: str) -> None:
        """A fire is signalled at `site` by the operators' record `record`: latch it and open every gate, whatever the engine does.

        When this returns the latch is on the disk and its commands are about to go. If the disk fails the latch holds in memory, and the
        commands go all the same; then this raises `JournalError`.
        """
        now = self._latched_at(site)
        with self._lock:
            mine = self._latches.setdefault(site, [])
            if any(fire.record == record for fire in mine):
                return
            mine.append(Fire(record, now))
        try:
            self._ledger.latch(site, record, now)
        finally:
            self._events.put(Woken(site))

    def _latched_at(self, site: str) -> int:
        """When a fire that is signalled now is latched: behind every fire of the site that is over, whose end is not its own, whatever clocks say."""
        known = self._orders.sites.get(site)
        return max([now_us(), *(fire.at_us + 1 for fire in (() if known is None else known.over))])

    @property
    def reports_waiting(self) -> int:
        """Reports of devices that the log does not have yet."""
        return self._reports.waiting

    @property
    def brokers(self) -> dict[str, bool]:
        """Broker -> whether it answers."""
        return {name.removeprefix("mqtt:"): up for name, up in self._up.items() if name.startswith("mqtt:")}

    def latched(self) -> dict[str, tuple[str, ...]]:
        """Site -> the records of the fires that the service holds latched."""
        with self._lock:
            return {site: tuple(fire.record for fire in fires) for site, fires in self._latches.items() if fires}

    def status(self, site: str | None = None) -> tuple[DeviceStatus, ...]:
        """Every device, of one site or all."""
        return tuple(device for name, devices in sorted(dict(self._status).items()) if site in (None, name) for device in devices)

    # ---- the loop

    def _end(self, *, abandoned: bool) -> None:
        self._abandoned = abandoned
        self._stopping.set()
        self._events.put(Woken(None))
        self._thread.join(10.0)
        for wire in self._wires.values():
            if abandoned:
                wire.abandon()
            else:
                wire.stop()
        self._reports.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                LOG.exception("the loop of the actuators failed; it goes on")
                self._stopping.wait(1.0)
        try:
            if not self._abandoned:
                self._keep()
        except JournalError as error:
            LOG.warning("%s", error)
        if self._follower is not None:
            self._follower.close()

    def _turn(self) -> None:
        """Take what came, look into the journal, send what is due."""
        self._take_events()
        self._follows = self._apart("follow", self._follow)
        if not self._follows:
            self._drop_follower()
        now = now_us()
        if now >= self._next["check"]:
            self._next["check"] = now + CHECK_US
            self._apart("check", lambda: self._check(now))
        for site in sorted(self._dirty | {site for site, due in self._due.items() if due <= now}):
            self._dirty.discard(site)
            self._due.pop(site, None)
            try:
                self._settle(site)
            except Exception:
                LOG.exception("%s: its devices could not be looked after; again in a second", site)
                self._due[site] = now + SECOND
        self._spare(self._write_answers)

    def _apart(self, name: str, work: Callable[[], object]) -> bool:
        """Do something that must not keep devices from being told what is known already, a fire above all; whether it did not fail.

        What failed is left alone for a second.
        """
        if now_us() < self._failed_until.get(name, 0):
            return name != "follow" or self._follows
        try:
            work()
        except Exception:
            LOG.exception("the actuators: %s failed; again in a second", name)
            self._failed_until[name] = now_us() + SECOND
            return False
        return True

    def _drop_follower(self) -> None:
        """Let go of a journal that cannot be read; it is opened anew."""
        follower, self._follower = self._follower, None
        if follower is not None:
            with contextlib.suppress(Exception):
                follower.close()

    def _write_answers(self) -> None:
        """Behind the sending, so that what is only written down keeps nothing waiting that moves."""
        answers, self._answers = self._answers, []
        self._ledger.answered(answers)

    def _take_events(self) -> None:
        """Wait a moment for an event, and take all that there are."""
        try:
            event = self._events.get(timeout=POLL_S)
            while True:
                self._take(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _take(self, event: Heard | Silent | Connected | Woken) -> None:
        if isinstance(event, Woken):
            if event.site is not None:
                self._dirty.add(event.site)
            return
        if isinstance(event, Connected):
            self._take_connection(event)
            return
        device = self._fleet.get(event.site, event.device)
        if device is None:
            return
        report: bytes | None
        if isinstance(event, Silent):
            report = device.lost(event.at_us)
        else:
            try:
                report = self._take_message(device, event)
            except ProtocolError as error:
                LOG.warning("%s/%s: %s", event.site, event.device, error)
                return
        self._dirty.add(event.site)
        if report is not None:
            self._reports.put(event.site, report, event.at_us)

    def _take_message(self, device: Device, event: Heard) -> bytes | None:
        if event.what == "state":
            state = protocol.read(State, event.data)
            _same(device.name, state.device)
            return device.says(state, event.at_us, live=event.live)
        ack = protocol.read(Ack, event.data)
        _same(device.name, ack.device)
        self._answers.append(Answer(event.site, device.name, ack.revision, ack.attempt, ack.outcome.value, ack.why, event.at_us))
        self.answered.take(event.site, ack, event.at_us, device.known.flights)
        return device.answers(ack, event.at_us)

    def _take_connection(self, event: Connected) -> None:
        self._up[event.wire] = event.up
        if event.up:
            self._down_since.pop(event.wire, None)
        else:
            self._down_since.setdefault(event.wire, event.at_us)
        for key, wire in self._wire_of.items():
            if wire == event.wire:
                self._connect(self._fleet.devices[key], wire)

    def _connect(self, device: Device, wire: str) -> None:
        device.connected(up=self._up[wire])
        self._dirty.add(device.site)

    # ---- the journal

    def _follow(self) -> None:
        if self._follower is None and not self._find_place():
            return
        assert self._follower is not None
        if not self._follower.grew() and not self._unread:
            return
        self._unread = True
        now, fresh = now_us(), self._fresh
        self._fresh = False
        seen: list[tuple[str, Order]] = []
        for entry in self._follower.new():
            self._dirty.add(entry.chain)
            try:
                order = self._orders.fold(entry)
            except Exception:
                LOG.exception("%s: an entry that says nothing that can be understood; passed over", entry.id)
                continue
            if order is not None:
                seen.append((entry.chain, order))
        self._mind_latches(now)
        self._note_seen(seen, now, fresh=fresh)
        self._unread = False

    def _find_place(self) -> bool:
        """Open the journal where this service had come to; whether it is there."""
        if now_us() < self._next["journal"]:
            return False
        self._next["journal"] = now_us() + SECOND
        kept = self._ledger.kept(str(self._journal))
        try:
            follower = Follower.open(self._journal, kept[0] if kept else BEGINNING, KINDS)
        except JournalError as error:
            LOG.info("%s", error)
            return False
        orders = StandingOrders()
        if kept is not None and follower.fits():
            try:
                orders = StandingOrders.from_bytes(kept[1])
            except ValueError:
                follower.place = BEGINNING
        else:
            follower.place = BEGINNING
        self._follower, self._orders, self._fresh = follower, orders, kept is None
        self._dirty |= orders.sites.keys()
        return True

    def _note_seen(self, seen: Sequence[tuple[str, Order]], now: int, *, fresh: bool) -> None:
        """Note what was decided while nobody could send it, and what of it was overtaken meanwhile.

        Where a whole journal is read from its beginning that is said only of the last command to each device.
        """
        newest = {(site, order.device): order for site, order in seen}
        decided = self._log_us()
        notes = []
        for site, order in seen:
            if decided - order.at_us < CATCHING_UP_US or self._way(site, order.device) is None:
                continue
            last = newest[site, order.device] is order
            if last or not fresh:
                note = "catching_up" if last else "superseded"
                notes.append(self._note(site, order.device, order.command, 2 * order.revision, order.setting, now, note))
        self._spare(lambda: self._ledger.write(notes))

    def _mind_latches(self, now: int) -> None:
        """Latch the fires that the journal tells of, and end the latches of those that people have ended."""
        for name, site in self._orders.sites.items():
            for fire in site.burning:
                with self._lock:
                    known = any(mine.record == fire.record for mine in self._latches.get(name, ()))
                    if not known:
                        self._latches.setdefault(name, []).append(Fire(fire.record, now))
                if not known:
                    self._spare(partial(self._ledger.latch, name, fire.record, now))
            with self._lock:
                over = [latch for latch in self._latches.get(name, ()) if site.latch_over(latch)]
                if over:
                    self._latches[name] = [latch for latch in self._latches[name] if latch not in over]
                    self._dirty.add(name)
            for latch in over:
                self._spare(partial(self._ledger.unlatch, name, latch.record, now))

    # ---- now and then

    def _check(self, now: int) -> None:
        for (site, _), device in self._fleet.devices.items():
            wire = self._wire_of[site, device.name]
            away = self._down_since.get(wire)
            if device.overdue(now) or (away is not None and now - away > GRACE_US):
                report = device.lost(now)
                if report is not None:
                    self._dirty.add(site)
                    self._reports.put(site, report, now)
        self._spare(self._hear_latches)
        self._mind_latches(now)
        if now >= self._next["keep"]:
            self._next["keep"] = now + KEEP_US
            self._spare(self._keep)
        if now >= self._next["forget"]:
            self._next["forget"] = now + FORGET_US
            self._spare(lambda: self._ledger.forget(now - KEPT_US))

    def _hear_latches(self) -> None:
        """Fires that another process latched: a command on this machine, while no engine runs that would pass its record on."""
        for site, fires in self._ledger.latched().items():
            with self._lock:
                mine = self._latches.setdefault(site, [])
                new = [fire for fire in fires if all(fire.record != known.record for known in mine)]
                mine += new
            if new:
                self._dirty.add(site)

    @staticmethod
    def _spare(work: Callable[[], object]) -> None:
        """Do what can be done without: a disk that fails must not keep the loop from what moves."""
        try:
            work()
        except JournalError:
            LOG.exception("the ledger cannot be written")

    def _keep(self) -> None:
        if self._follower is not None and self._follower.place != self._kept:
            self._ledger.keep(str(self._journal), self._follower.place, self._orders.to_bytes())
            self._kept = self._follower.place

    # ---- one site

    def _settle(self, name: str) -> None:
        """Send a site's devices what is due to them now."""
        site = self._record(name)
        if site is None:
            return
        with self._lock:
            latches = list(self._latches.get(name, ()))
        wanted = self._orders.wanted(site, latches)
        devices = self._fleet.of(name)
        for device in devices.values():
            self._recall(device, wanted.get(device.name))
        plan = reconcile(site, wanted, {d.name: d.known for d in devices.values()}, now_us(), self._orders.by_hand(name))
        self._send(site, plan)
        self._note_held(name, plan, wanted)
        if plan.again_us is not None:
            self._due[name] = plan.again_us
        self._status[name] = tuple(statuses(site, wanted, devices, plan))

    def _record(self, name: str) -> Record | None:
        """The documents in force of a site that has actuators; None where there are none of either."""
        if not any(site == name for site, _ in self._ways):
            return None
        orders = self._orders.sites.get(name)
        version = orders.version if orders is not None else None
        kept = self._records.get(name)
        if kept is None or kept[0] != version:
            found = self._document_of(name, version)
            if found is None:
                if self._missing.get(name) != str(version):
                    LOG.warning("%s: no compiled documents of version %s; its devices are told nothing new", name, version)
                self._missing[name] = str(version)
                self._due[name] = now_us() + SECOND
                return None if kept is None else kept[1]
            self._records[name] = kept = (version, found)
            self._meet(name, found)
        return kept[1]

    def _meet(self, name: str, site: Record) -> None:
        """Every device of the site to which a way leads is known from now on."""
        met: dict[str, list[str]] = {}
        named = [(kind, one[kind]) for kind in ("gate", "barrier", "sign", "link") for one in site[f"{kind}s"]]
        for kind, id_ in named:
            key = (name, f"{kind}/{id_}")
            way = self._way(*key)
            if way is None or key in self._wire_of:
                continue
            device = self._fleet.add(*key)
            try:
                device.remember(self._ledger.flights(*key, now_us() - REMEMBERED_US), {})
            except JournalError:
                LOG.exception("%s: what was sent before cannot be read; only what opens is sent", name)
                self._blind.add(name)
            wire = self._http.name if way.url is not None else f"mqtt:{way.broker}"
            self._wire_of[key] = wire
            if way.url is not None:
                self._http.way(*key, way)
            self._connect(device, wire)
            met.setdefault(wire, []).append(device.name)
        for wire, devices in met.items():
            self._wires[wire].add(name, devices)
        self._orders.driven(name, [device for devices in met.values() for device in devices])

    def _way(self, site: str, device: str) -> Actuator | None:
        """The way to a device: its own, else the site's, which leads to no link, since most links are led by people."""
        return self._ways.get((site, device)) or (None if device.startswith("link/") else self._ways.get((site, None)))

    def _recall(self, device: Device, want: Wanted | None) -> None:
        """Read from the ledger how often a revision was sent that this life has not sent yet."""
        if want is None or want.revision in device.known.attempts:
            return
        try:
            attempts = self._ledger.attempts(device.site, device.name, want.revision)
        except JournalError:
            LOG.exception("%s/%s: attempts cannot be read; they are counted by the clock", device.site, device.name)
            attempts = now_us() // SECOND
        device.remember(list(device.known.flights), {want.revision: attempts})

    def _send(self, site: Record, plan: Plan) -> None:
        """Write the attempts down and make them. Where they cannot be written down, only those that take nobody's way out are made."""
        if not plan.sends:
            return
        name, now = site["site"], now_us()
        sends = [send for send in plan.sends if send.gives or name not in self._blind]
        commands = [(send, message(site, send, self._generation, wall())) for send in sends]
        try:
            self._ledger.write([delivery(command, now) for _, command in commands])
        except JournalError:
            LOG.exception("%s: attempts cannot be written down; only what opens is sent", name)
            self._due[name] = now + SECOND
            commands = [(send, command) for send, command in commands if send.gives]
        for _, command in commands:
            device = self._fleet.devices[name, command.device]
            expires_us = now + ATTEMPT_LIVES_S * SECOND
            device.sent(Flight(command.setting, command.revision, command.attempt, command.generation, now, expires_us))
            self._wires[self._wire_of[name, command.device]].send(command)
        self._dirty.add(name)

    def _note_held(self, name: str, plan: Plan, wanted: Mapping[str, Wanted]) -> None:
        notes = []
        for device, wait in plan.waits.items():
            want = wanted[device]
            if wait.because in _QUIET or self._noted.get((name, device)) == (want.revision, wait.because):
                continue
            self._noted[name, device] = (want.revision, wait.because)
            note = f"held: {wait.because}: {wait.says}"[:500]
            notes.append(self._note(name, device, want.command, want.revision, want.setting, now_us(), note))
        self._spare(lambda: self._ledger.write(notes))

    def _note(self, site: str, device: str, command: str, revision: int, setting: str | None, now: int, note: str) -> Delivery:
        return Delivery(0, site, device, command, revision, 0, self._generation, setting, now, note=note)


def _same(device: str, said: str) -> None:
    if device != said:
        raise ProtocolError(f'found the device "{said}" in what "{device}" says')
