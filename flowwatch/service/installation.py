"""One installation at work: what the deployment file names, connected. Rows in over HTTP, MQTT and polled addresses; commands out to devices.

Everything meets in three places and nowhere else: what comes in goes through one stager into the log's inbox, what is decided comes from the
journal, and what must outlive this process by itself is in the service's database. They end in the order in which nothing is lost: no more
requests and messages, then no more commands and reports, then what was taken is made durable.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import UnsetType

from flowwatch.actuators.dispatcher import Dispatcher
from flowwatch.actuators.ledger import Delivery, Ledger
from flowwatch.actuators.status import DeviceStatus
from flowwatch.actuators.wires import Actuator, Broker
from flowwatch.documents import deployment as declared
from flowwatch.documents.compiled_site import or_
from flowwatch.documents.deployment import AlertmanagerFeed, Deployment, MqttFeed, Via
from flowwatch.documents.secrets import secret
from flowwatch.documents.wires import web_address
from flowwatch.evidence import Evidence
from flowwatch.feed.alertmanager import Alertmanagers, Receiver
from flowwatch.feed.cap_names import CapNames, names_in
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.feed.webhooks.courier import Setting as CourierSetting
from flowwatch.feed.webhooks.guard import Guard
from flowwatch.feed.webhooks.outbox import Outbox
from flowwatch.feed.webhooks.subscriptions import Subscriptions
from flowwatch.feed.zone_states import ZoneStates
from flowwatch.handling.desk import Desk
from flowwatch.handling.settings import Settings as DeskSettings
from flowwatch.inputs.formats import family_readers
from flowwatch.inputs.mqtt import Listeners, MqttSource
from flowwatch.inputs.poll import PollSource
from flowwatch.inputs.stager import EVERY_S, Stager
from flowwatch.instance import next_generation, sole_instance
from flowwatch.journal import Journal
from flowwatch.journal.database import Database, JournalError
from flowwatch.journal.export import iso
from flowwatch.log.errors import LogError
from flowwatch.log.routing import Routing
from flowwatch.log.settings import Clock, load
from flowwatch.log.time import Onward, clock_of, log_time, unhurried
from flowwatch.service.app import Service, Setting, build, now_us
from flowwatch.service.auth.identity import Areas
from flowwatch.service.metrics import Watched
from flowwatch.service.parts import Wires
from flowwatch.service.server import limits_of
from flowwatch.service.tables import open_store
from flowwatch.tls import Tls
from flowwatch.workspace import Workspace

LOG: Final = logging.getLogger(__name__)
REPORTED_S: Final = 30.0
"""How long a report may take to be durable before it is offered again."""


WATCH_S: Final = 1.0
"""How often it is looked whether a source has trouble."""


class NoRoomError(Exception):
    """The log takes nothing now; come again."""


@contextmanager
def installation(workspace: Workspace, deployment: Deployment | None = None, folder: Path = Path()) -> Iterator[Service]:
    """The service of a folder with everything that `deployment` (a file in `folder`) names, started; stopped at the end.

    Raises `AlreadyRunning`, `LogError`, `JournalError`, `SecretError`, `TlsFileError`, and ValueError for devices that contradict one another.
    """
    said = deployment or Deployment(deployment="here")
    limits, bounds = limits_of(said.limits)
    with ExitStack() as owned:
        owned.enter_context(sole_instance(workspace, service=True))
        told, clock = load(workspace.log).clock is Clock.TOLD, clock_of(workspace.log)
        stager = owned.enter_context(Stager(workspace.log, bounds, every_s=0.0 if told else EVERY_S))
        store = open_store(workspace.service)
        owned.callback(store.close)
        dispatcher, wires = None, Wires()
        if said.actuators:
            ledger = Ledger.open(workspace.service)
            owned.callback(ledger.close)
            dispatcher = _dispatcher(workspace, said, folder, ledger, stager, clock)
            wires = _wires(dispatcher, ledger)
            dispatcher.start()
            owned.callback(dispatcher.stop)
        lasting = unhurried(clock) if told else Onward(not_before_us=_last_tick(workspace))
        desk = _desk(workspace, said, lasting)
        desk.start()
        owned.callback(desk.stop)
        courier = _courier(workspace, said, store, desk, clock if told else None)
        courier.start()
        owned.callback(courier.stop)
        watched = Watched(dispatcher, certificates=_certificates(said, folder))
        setting = Setting(
            Areas(said.areas),
            limits,
            wires,
            log_us=clock,
            desk=desk,
            courier=courier,
            cap=said.feeds.cap,
            public_url=or_(said.public_url, None),
            watched=watched,
        )
        service = build(workspace, store, stager, setting)
        owned.callback(service.close)
        for feed in _feeds(workspace, said, folder, desk, service, clock):
            feed.start()
            owned.callback(feed.stop)
        desk.end_troubles_but(_fed(said, courier))
        sources = watched.sources
        sources.update(_sources(workspace, said, folder, stager, wires))
        for source in sources.values():
            source.start()
            owned.callback(source.close)
        if sources:
            owned.enter_context(_watched(list(sources.values())))
        yield service


def _document_of(workspace: Workspace) -> Callable[[str, str | None], Mapping[str, Any] | None]:
    """What reads a site's compiled documents from the log: those of a version, or the newest."""

    def document_of(site: str, version: str | None) -> Mapping[str, Any] | None:
        with Evidence(workspace.log) as evidence:
            return evidence.document(site, version)

    return document_of


def _last_tick(workspace: Workspace) -> int:
    """Before which no clock of the service begins: the log's ticks do not go back where the wall clock is set back. 0 where it cannot be read."""
    try:
        return max(log_time(workspace.log), 0)
    except LogError as error:
        LOG.error("the log's last tick cannot be read: %s", error)  # noqa: TRY400 - the sentence says it
        return 0


def _desk(workspace: Workspace, said: Deployment, clock: Callable[[], int]) -> Desk:
    return Desk(
        workspace.journal,
        workspace.handling,
        DeskSettings.of(said.alarms),
        _document_of(workspace),
        clock,
        kept=workspace.handling_kept,
        naming=_cap_names(workspace, said),
    )


def _cap_names(workspace: Workspace, said: Deployment) -> CapNames:
    """What gives CAP messages their identifiers, none of which is in the book already."""
    names = CapNames(said.feeds.cap.code)
    try:
        with Journal.open(workspace.handling, create=False) as book:
            for name in names_in(book):
                names.used(name)
    except JournalError as error:
        LOG.info("no identifiers of CAP messages are known: %s", error)
    return names


def _courier(workspace: Workspace, said: Deployment, store: Database, desk: Desk, told: Callable[[], int] | None) -> Courier:
    links = or_(said.public_url, None)
    setting = CourierSetting(
        workspace.handling,
        workspace.journal,
        Areas(said.areas).lies_in,
        Guard.of(said.feeds.webhooks.allow),
        links or f"urn:flowwatch:{said.deployment}",
        links,
        desk.trouble,
        log_us=told,
    )
    return Courier(Outbox.open(store), Subscriptions(store, now_us, told), setting, now_us)


def _feeds(
    workspace: Workspace, said: Deployment, folder: Path, desk: Desk, service: Service, now: Callable[[], int]
) -> Iterator[ZoneStates | Alertmanagers]:
    """Who is told of what stands, whether they ask or not: the broker of zone states, and Alertmanagers."""
    if isinstance(said.feeds.mqtt, MqttFeed):
        name = said.feeds.mqtt.broker
        broker = _broker(name, said.brokers[name], folder, "feed")
        yield ZoneStates(broker, workspace.journal, service.parts.picture, _document_of(workspace), now, desk.trouble)
    if said.feeds.alertmanager:
        receivers = [_receiver(one, folder) for one in said.feeds.alertmanager]
        links = or_(said.public_url, None)
        yield Alertmanagers(receivers, desk, now, deployment=said.deployment, public_url=links, trouble=desk.trouble)


def _fed(said: Deployment, courier: Courier) -> Callable[[str], bool]:
    """Whether the key of a feed's trouble is of one that there is."""
    there = {f"webhook/{one.id}" for one in courier.subscriptions.all()}
    if isinstance(said.feeds.mqtt, MqttFeed):
        there.add(f"mqtt/{said.feeds.mqtt.broker}")
    there |= {f"alertmanager/{Receiver(one.url).name}" for one in said.feeds.alertmanager}
    return there.__contains__


def _receiver(said: AlertmanagerFeed, folder: Path) -> Receiver:
    token = partial(secret, said.token_file, said.token_env, folder)
    return Receiver(said.url, token, Tls.of(said.tls, folder))


def _dispatcher(
    workspace: Workspace, said: Deployment, folder: Path, ledger: Ledger, stager: Stager, clock: Callable[[], int]
) -> Dispatcher:
    def report(site: str, payload: bytes, at_us: int) -> None:
        taken = stager.offer_report(site, payload, at_us)
        if taken is None:
            raise NoRoomError("the log takes no reports now")
        taken.result(REPORTED_S)

    used = {actuator.broker for actuator in said.actuators.values()}
    return Dispatcher(
        workspace.journal,
        ledger,
        # not below the clock, so that a folder that was restored or made anew is not taken for one that was fenced
        next_generation(workspace.serve_generation, at_least=int(time.time())),
        _document_of(workspace),
        report,
        actuators=[_actuator(name, way, folder) for name, way in said.actuators.items()],
        brokers=[_broker(name, broker, folder, "out") for name, broker in said.brokers.items() if name in used],
        log_us=clock,
    )


def _actuator(name: str, way: declared.Actuator, folder: Path) -> Actuator:
    site, _, device = name.partition("/")
    if way.via is Via.MQTT:
        return Actuator(site, device or None, broker=or_(way.broker, None))
    token = partial(secret, way.token_file, way.token_env, folder)
    token()  # one that cannot be had is told at the start
    return Actuator(site, device or None, url=or_(way.url, None), token=token, tls=Tls.of(way.tls, folder))


def _broker(name: str, said: declared.Broker, folder: Path, part: str) -> Broker:
    user, password = or_(said.username, None), partial(secret, said.password_file, said.password_env, folder)
    password()  # one that cannot be had is told at the start
    client = f"{said.client}-{part}"
    tls = None if isinstance(said.tls, UnsetType) else Tls.of(said.tls, folder)
    return Broker(name, said.host, said.port_number, client, user, password, tls)


def _certificates(said: Deployment, folder: Path) -> dict[str, Path]:
    """The certificates that the file names, by what they are for: those that end one day, and everything with them."""
    found = {} if isinstance(said.tls, UnsetType) else {"api": folder / said.tls.certificate}
    clients = {f"broker/{name}": broker.tls for name, broker in said.brokers.items()}
    clients |= {f"alertmanager/{number}": one.tls for number, one in enumerate(said.feeds.alertmanager, 1)}
    clients |= {f"actuator/{name}": way.tls for name, way in said.actuators.items()}
    clients |= {f"poll/{number}": one.tls for number, one in enumerate(said.inputs.poll, 1)}
    for name, tls in clients.items():
        if (file := Tls.of(tls, folder).certificate) is not None:
            found[name] = file
    return found


def _sources(
    workspace: Workspace, said: Deployment, folder: Path, stager: Stager, wires: Wires
) -> Iterator[tuple[str, MqttSource | PollSource]]:
    """What brings rows in, by name. Each has readers of its own, because each has threads of its own."""

    known: set[str] = set()

    def knows(site: str) -> bool:
        if site not in known:
            known.update(Routing(workspace.log, load(workspace.log)).sites)
        return site in known

    listeners = Listeners(fire=wires.on_fire, knows_site=knows)
    for name, broker in said.brokers.items():
        mine = [part for part in said.inputs.mqtt if part.broker == name]
        if mine:
            yield f"mqtt/{name}", MqttSource(broker, mine, stager, formats=family_readers(said), folder=folder, listeners=listeners)
    for number, part in enumerate(said.inputs.poll, 1):
        # by place and host: an address may hold a key
        yield f"poll/{number}/{web_address(part.url).hostname}", PollSource(part, stager, formats=family_readers(said), folder=folder)


@contextmanager
def _watched(sources: Sequence[MqttSource | PollSource]) -> Iterator[None]:
    """Say in the service's log what is wrong with a source, and when it is no more."""
    ended = threading.Event()

    def watch() -> None:
        told = dict.fromkeys(range(len(sources)), "")
        while not ended.wait(WATCH_S):
            for i, source in enumerate(sources):
                trouble = source.figures.trouble
                if trouble != told[i]:
                    told[i] = trouble
                    what = source.broker.host if isinstance(source, MqttSource) else source.source.url
                    LOG.warning("input: %s", trouble or f"{what}: well again")

    thread = threading.Thread(target=watch, name="flowwatch-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# -- the dispatcher as the API shows it ------------------------------------------------------------------------------------------------


def _wires(dispatcher: Dispatcher, ledger: Ledger) -> Wires:
    def on_fire(site: str, record: dict[str, Any]) -> None:
        dispatcher.fire(site, str(record["action"]))

    def devices(site: str) -> dict[str, dict[str, Any]]:
        return {status.device: _status(status) for status in dispatcher.status(site)}

    def deliveries(site: str, limit: int) -> list[dict[str, Any]]:
        return [_delivery(row) for row in ledger.latest(site, limit=limit)]

    return Wires(
        connected=True, on_fire=on_fire, devices=devices, deliveries=deliveries, reports_waiting=lambda: dispatcher.reports_waiting
    )


def _status(status: DeviceStatus) -> dict[str, Any]:
    wanted, flight, wait = status.wanted, status.flight, status.wait
    return {
        "driven": status.driven,
        "link": status.link,
        "heard_at": None if status.heard_us is None else iso(status.heard_us),
        "reported": {"setting": status.setting, "revision": status.revision},
        "wanted": None if wanted is None else {"setting": wanted.setting, "revision": wanted.revision, "command": wanted.command},
        "sent": None if flight is None else {"revision": flight.revision, "attempt": flight.attempt, "at": iso(flight.sent_us)},
        "waits": None if wait is None else {"because": wait.because.value, "says": wait.says},
        "fault": status.fault,
        "fenced": status.fenced,
        "passed": None if status.passed is None else {"in": status.passed[0], "out": status.passed[1]},
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    times = {"at": row.at_us, "expires_at": row.expires_us, "answered_at": row.answered_us}
    told = {name: None if us is None else iso(us) for name, us in times.items()}
    kept = ("id", "device", "command", "revision", "attempt", "generation", "setting", "outcome", "why", "note")
    return {name: getattr(row, name) for name in kept} | told
