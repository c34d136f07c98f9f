"""The deployment file: how one installation is connected. Where it listens, its brokers, what brings readings, what gates are told by.

These types are the language of `config/deployments/<name>.yaml`; docs/deployment.md explains every key. What exists at a site is the site
file's to say and what must happen the plan's; this file says over which wires. It holds no secret: it names the file or the variable of the
environment that does, and `secrets.py` reads it when it is needed.

A file that is named here (a certificate, a password) lies from the deployment file's own folder, unless its path is absolute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.documents.alarms import RULES as ALARM_RULES
from flowwatch.documents.alarms import Alarms
from flowwatch.documents.faults import Faults, TooManyFaultsError, quoted
from flowwatch.documents.load import read_document, source
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Node, read_tree
from flowwatch.documents.site import Site
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.wanted import type_of
from flowwatch.documents.wires import (
    ActuatorName,
    AreaPath,
    ClientName,
    CounterRef,
    DeviceAddress,
    DeviceIdentity,
    FilePath,
    Host,
    Listen,
    Port,
    Proxy,
    TopicFilter,
    UserName,
    Variable,
    WebAddress,
    is_local,
    listen_address,
    topic_filter,
)
from flowwatch.documents.words import BrokerName, BrokerRef, Document, Name, Period, SiteRef, TimeZone, duration_us, note

DEVICE_KINDS: Final = {"gate": "gates", "barrier": "barriers", "sign": "signs", "link": "links"}
"""What a site has that can be told something: the word in a device's name, and the key of the site file."""
OWN_TOPICS: Final = "flowwatch/v1/"
"""Topics of flowwatch's own begin like this, and the site comes next."""


class Format(StrEnum):
    """What the messages of an input are written in."""

    FLOWWATCH = "flowwatch"
    """flowwatch's own readings: one JSON object, or one a line."""
    FIRE = "fire"
    """A fire signal."""
    STATUS = "status"
    """Whether a device is there: its last will, and the message that takes it back."""
    AXIS = "axis"
    FIWARE = "fiware"
    HIKVISION = "hikvision"
    ONVIF = "onvif"
    SHANGHAI = "shanghai"
    XOVIS = "xovis"


SIGNALS: Final = (Format.FIRE, Format.STATUS)
"""Formats that are no readings."""


class Via(StrEnum):
    """The wire to a device."""

    MQTT = "mqtt"
    HTTP = "http"


_WHY: Final = "a secret never stands in this file, which is copied, printed and kept in version control"
_NO_PASSWORD: Final = dict.fromkeys(("password", "passwd", "pass"), f"password_file or password_env: {_WHY}")
_NO_TOKEN: Final = dict.fromkeys(("token", "api_key", "secret", "bearer"), f"token_file or token_env: {_WHY}")


class Direction(StrEnum):
    """Which way people went."""

    IN = "in"
    OUT = "out"


class ServerTls(Document, frozen=True, kw_only=True):
    """What the API shows to those who connect."""

    certificate: Annotated[FilePath, note("the certificate with its chain, PEM")]
    key: Annotated[FilePath, note("its private key, PEM, without a password; nobody else may read it")]


class ClientTls(Document, frozen=True, kw_only=True):
    """A connection that is encrypted, to a peer whose certificate is checked. All may be left out: `tls: {}`."""

    ca: Annotated[FilePath, note("whom to believe, PEM; those that the system believes, if left out")] | UnsetType = UNSET
    certificate: Annotated[FilePath, note("our own certificate, PEM, where the peer asks for one")] | UnsetType = UNSET
    key: Annotated[FilePath, note("its private key, PEM")] | UnsetType = UNSET


class Limits(Document, frozen=True, kw_only=True):
    """What is refused for being too much. Whoever is refused is told when to come again."""

    body_mb: Annotated[int, Meta(ge=1, le=1024, description="the most of one request, unpacked, MiB")] = 16
    requests_per_min: Annotated[int, Meta(ge=1, le=10**7, description="requests of one identity, readings aside")] = 6_000
    readings_per_s: (
        Annotated[int, Meta(ge=1, le=10**7, description="readings of one identity; as many as there is room for, if left out")] | UnsetType
    ) = UNSET
    waiting_rows: Annotated[int, Meta(ge=1_000, le=10**8, description="rows that may wait in memory to be made durable")] = 500_000
    waiting_mb: Annotated[int, Meta(ge=1, le=65_536, description="bytes that may wait in memory to be made durable, MiB")] = 128
    inbox_files: Annotated[int, Meta(ge=10, le=10**6, description="staged files that may wait for the engine")] = 20_000
    inbox_mb: Annotated[int, Meta(ge=1, le=10**6, description="staged bytes that may wait for the engine, MiB")] = 4_096


class Broker(Document, frozen=True, kw_only=True):
    """An MQTT 5 broker."""

    withheld: ClassVar[Mapping[str, str]] = _NO_PASSWORD

    host: Host
    port: Annotated[Port, note("8883 with tls and 1883 without, if left out")] | UnsetType = UNSET
    client: Annotated[
        ClientName,
        note("our name at the broker, one for every installation; the inputs append -in to it, the commands -out and the feed -feed"),
    ]
    username: Annotated[UserName, note("who we are at the broker")] | UnsetType = UNSET
    password_file: Annotated[FilePath, note("the file whose first line is the password")] | UnsetType = UNSET
    password_env: Annotated[Variable, note("the variable of the environment that holds the password")] | UnsetType = UNSET
    tls: Annotated[ClientTls, note("encrypt the connection; {} is enough")] | UnsetType = UNSET
    keepalive: Annotated[Period, note("after one and a half of this without a word the connection counts as lost")] = "30s"
    session: Annotated[Period, note("how long the broker keeps what comes while we are away")] = "24h"
    in_flight: Annotated[int, Meta(ge=1, le=65_535, description="messages that may be on their way to us unacknowledged")] = 500

    @property
    def port_number(self) -> int:
        """The port that is meant."""
        return self.port if isinstance(self.port, int) else 1883 if isinstance(self.tls, UnsetType) else 8883


class MqttInput(Document, frozen=True, kw_only=True):
    """A subscription, and what its messages are."""

    broker: Annotated[BrokerRef, note("one of brokers")]
    topic: Annotated[TopicFilter, note("what to subscribe to; $share/<name>/ before it divides the messages among installations")]
    format: Format
    site: (
        Annotated[SiteRef, note("fire, status: the site, where the topic does not name it as flowwatch/v1/<site>/... does")] | UnsetType
    ) = UNSET

    @property
    def matched(self) -> str:
        """The filter that topics are matched with."""
        return topic_filter(self.topic)


class PollInput(Document, frozen=True, kw_only=True):
    """An address that is asked for readings again and again, never before the last answer has been dealt with."""

    withheld: ClassVar[Mapping[str, str]] = _NO_PASSWORD | _NO_TOKEN

    url: WebAddress
    every: Annotated[Period, note("from one question to the next")]
    format: Format
    timeout: Annotated[Period, note("an answer that takes longer is given up")] = "10s"
    body_mb: Annotated[int, Meta(ge=1, le=1024, description="a larger answer is given up, MiB")] = 16
    username: Annotated[UserName, note("for sources that ask for a user and a password (Basic or Digest)")] | UnsetType = UNSET
    password_file: Annotated[FilePath, note("the file whose first line is the password")] | UnsetType = UNSET
    password_env: Annotated[Variable, note("the variable of the environment that holds the password")] | UnsetType = UNSET
    token_file: Annotated[FilePath, note("the file whose first line is the bearer token")] | UnsetType = UNSET
    token_env: Annotated[Variable, note("the variable of the environment that holds the bearer token")] | UnsetType = UNSET
    tls: Annotated[ClientTls, note("whom to believe, for an https address with a certificate of one's own")] | UnsetType = UNSET


class Inputs(Document, frozen=True, kw_only=True):
    """What brings readings and signals in, beside the API."""

    mqtt: Annotated[list[MqttInput], Meta(max_length=1_000)] = field(default_factory=list)
    poll: Annotated[list[PollInput], Meta(max_length=1_000)] = field(default_factory=list)


class Device(Document, frozen=True, kw_only=True):
    """Which counter a device is."""

    device: Annotated[DeviceIdentity, note("its identity, as `flowwatch adapters try` shows it")]
    counter: Annotated[CounterRef, note("the counter that its messages are readings of")]
    swap: Annotated[bool, note("its in is our out")] = False
    zone: Annotated[TimeZone, note("of its clock, for devices that send local time")] | UnsetType = UNSET
    direction: Annotated[Direction, note("which way its people went, for devices that send one number")] | UnsetType = UNSET


class Actuator(Document, frozen=True, kw_only=True):
    """The wire over which devices are told what to do. Without one a device is told nothing: people carry commands out."""

    withheld: ClassVar[Mapping[str, str]] = _NO_TOKEN

    via: Via
    broker: Annotated[BrokerRef, note("mqtt: one of brokers")] | UnsetType = UNSET
    url: Annotated[DeviceAddress, note("http: where commands are put; for a whole site with {kind} and {id} in it")] | UnsetType = UNSET
    token_file: Annotated[FilePath, note("http: the file whose first line is the bearer token")] | UnsetType = UNSET
    token_env: Annotated[Variable, note("http: the variable of the environment that holds the bearer token")] | UnsetType = UNSET
    tls: Annotated[ClientTls, note("http: whom to believe, for a certificate of one's own")] | UnsetType = UNSET

    def url_of(self, kind: str, name: str) -> str:
        """The address of the device `name` of a kind. Raises ValueError for a wire that has none."""
        if not isinstance(self.url, str):
            raise ValueError(f"no url for {kind}/{name}")  # noqa: TRY004 - it is the wire that is wrong
        return self.url.replace("{kind}", kind).replace("{id}", name)


class CapFeed(Document, frozen=True, kw_only=True):
    """Who speaks in CAP messages."""

    sender: Annotated[
        str, Meta(pattern=r"^[^\s,<&]{1,100}$", extra={"what": "who sends, such as flowwatch@example.cn: no spaces, commas, < or &"})
    ] = "flowwatch@localhost"
    code: Annotated[
        str,
        Meta(pattern=r"^[0-9A-Z]{14}$", extra={"what": "the first 14 characters of identifiers: division 6, department 3, unit 3, kind 2"}),
    ] = "00000000000000"


class MqttFeed(Document, frozen=True, kw_only=True):
    """The broker at which the state of every zone is kept."""

    broker: Annotated[BrokerRef, note("one of brokers")]


class AlertmanagerFeed(Document, frozen=True, kw_only=True):
    """An Alertmanager that is told of what is open."""

    withheld: ClassVar[Mapping[str, str]] = _NO_PASSWORD | _NO_TOKEN

    url: WebAddress
    token_file: Annotated[FilePath, note("the file whose first line is the bearer token")] | UnsetType = UNSET
    token_env: Annotated[Variable, note("the variable of the environment that holds the bearer token")] | UnsetType = UNSET
    tls: Annotated[ClientTls, note("whom to believe, for a certificate of one's own")] | UnsetType = UNSET


class WebhookFeed(Document, frozen=True, kw_only=True):
    """Where webhooks may go besides the open internet."""

    allow: Annotated[
        list[Proxy], Meta(max_length=100, description="private addresses or networks that receivers may have; none, if left out")
    ] = field(default_factory=list)


class Feeds(Document, frozen=True, kw_only=True):
    """Who is told what was decided, beside those who ask the API."""

    cap: CapFeed = field(default_factory=CapFeed)
    mqtt: MqttFeed | UnsetType = UNSET
    alertmanager: Annotated[list[AlertmanagerFeed], Meta(max_length=10)] = field(default_factory=list)
    webhooks: WebhookFeed = field(default_factory=WebhookFeed)


class Deployment(Document, frozen=True, kw_only=True):
    """How one installation is connected."""

    withheld: ClassVar[Mapping[str, str]] = _NO_PASSWORD | _NO_TOKEN

    deployment: Annotated[Name, note("the name of this installation")]
    listen: Annotated[Listen, note("where the HTTP API listens")] = "127.0.0.1:8470"
    tls: Annotated[ServerTls, note("encrypt the API; or leave that to a proxy before it")] | UnsetType = UNSET
    proxies: Annotated[list[Proxy], Meta(max_length=100, description="proxies that are believed when they say for whom they ask")] = field(
        default_factory=list
    )
    limits: Limits = field(default_factory=Limits)
    brokers: Annotated[dict[BrokerName, Broker], Meta(max_length=100)] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=Inputs)
    devices: Annotated[list[Device], Meta(max_length=100_000, description="which counter each device is")] = field(default_factory=list)
    actuators: Annotated[
        dict[ActuatorName, Actuator], Meta(max_length=100_000, description="site, or site/kind/id -> the wire; the nearer one counts")
    ] = field(default_factory=dict)
    public_url: (
        Annotated[WebAddress, note("how people reach the API: what links in alerts begin with; left out, they lead nowhere else")]
        | UnsetType
    ) = UNSET
    alarms: Alarms = field(default_factory=Alarms)
    feeds: Feeds = field(default_factory=Feeds)
    areas: Annotated[
        dict[SiteRef, AreaPath],
        Meta(max_length=10_000, description="site -> the area that it lies in, by which people's rights are narrowed"),
    ] = field(default_factory=dict)

    def actuator(self, site: str, kind: str, name: str) -> Actuator | None:
        """The wire to a device: its own, else the site's; None where people carry its commands out."""
        return self.actuators.get(f"{site}/{kind}/{name}") or self.actuators.get(site)


# -- rules ----------------------------------------------------------------------------------------------------------------------------


def one_place_for_a_secret(part: Broker | PollInput | Actuator | AlertmanagerFeed) -> Iterator[Problem]:
    """A secret is read from one place."""
    for word in ("password", "token"):
        if getattr(part, f"{word}_file", UNSET) is not UNSET and getattr(part, f"{word}_env", UNSET) is not UNSET:
            yield (f"{word}_env",), f"found {word}_env beside {word}_file, expected one of them"


def password_has_a_user(part: Broker | PollInput) -> Iterator[Problem]:
    """A password belongs to somebody."""
    given = next((key for key in ("password_file", "password_env") if getattr(part, key) is not UNSET), None)
    if given and part.username is UNSET:
        yield (given,), f"found {given} without username, expected them together"


def poll_makes_sense(part: PollInput) -> Iterator[Problem]:
    """Readings are polled for, with one proof of who asks, and over an encrypted connection only where the address says so."""
    if part.format in SIGNALS:
        yield ("format",), f'found "{part.format}", which no address is asked for, expected a format of readings'
    tokens = part.token_file is not UNSET or part.token_env is not UNSET
    if tokens and part.username is not UNSET:
        yield ("username",), "found username beside a token, expected one of them"
    if part.tls is not UNSET and not part.url.startswith("https:"):
        yield ("tls",), "found tls with an http address, expected an https address"
    if duration_us(part.timeout) > duration_us(part.every):
        yield ("timeout",), f'found "{part.timeout}", expected at most every: {part.every}'


def certificate_has_its_key(part: ClientTls) -> Iterator[Problem]:
    """A certificate and its key are shown together."""
    for one, other in (("certificate", "key"), ("key", "certificate")):
        if getattr(part, one) is not UNSET and getattr(part, other) is UNSET:
            yield (one,), f"found {one} without {other}, expected them together"


def signal_has_a_site(part: MqttInput) -> Iterator[Problem]:
    """A fire and a device's absence belong to a site: the input's, or the one in a topic of flowwatch's own."""
    own = part.matched.startswith(OWN_TOPICS)
    if part.format in SIGNALS and part.site is UNSET and not own:
        yield ("site",), f"found no site for {part.format} on a topic that names none, expected site, or a topic {OWN_TOPICS}<site>/..."
    if part.site is not UNSET and (own or part.format not in SIGNALS):
        told = "a topic that names the site" if own else f"format: {part.format}, whose messages name their counters"
        yield ("site",), f"found site beside {told}, expected none"
    if part.format is Format.FIRE and part.topic.startswith("$share/"):
        yield ("topic",), "found a shared subscription to a fire signal, expected a plain one: every installation must hear it"


def wire_is_whole(part: Actuator) -> Iterator[Problem]:
    """A wire has what it needs and nothing of the other kind."""
    needed, others = ("broker", ("url", "token_file", "token_env", "tls")) if part.via is Via.MQTT else ("url", ("broker",))
    if getattr(part, needed) is UNSET:
        yield (needed,), f"found no {needed} with via: {part.via}, expected one"
    for key in others:
        if getattr(part, key) is not UNSET:
            yield (key,), f"found {key} with via: {part.via}, expected none"
    if isinstance(part.url, str) and part.tls is not UNSET and not part.url.startswith("https:"):
        yield ("tls",), "found tls with an http address, expected an https address"


def clients_differ(doc: Deployment) -> Iterator[Problem]:
    """A broker lets one connection of a name live: the second one ends the first."""
    first: dict[tuple[str, int, str], str] = {}
    for name, broker in doc.brokers.items():
        other = first.setdefault((broker.host, broker.port_number, broker.client), name)
        if other != name:
            yield ("brokers", name, "client"), f"found the client of {quoted(other)} at the same host again, expected another name"


def subscribed_once(doc: Deployment) -> Iterator[Problem]:
    """Two subscriptions with one topic bring every message twice."""
    first: dict[tuple[str, str], int] = {}
    for i, part in enumerate(doc.inputs.mqtt):
        if first.setdefault((part.broker, part.topic), i) != i:
            yield ("inputs", "mqtt", i, "topic"), f"found the topic {quoted(part.topic)} again at this broker, expected it once"


def devices_differ(doc: Deployment) -> Iterator[Problem]:
    """One device is one counter, and the other way round."""
    devices: dict[str, int] = {}
    counters: dict[str, str] = {}
    for i, part in enumerate(doc.devices):
        if devices.setdefault(part.device, i) != i:
            yield ("devices", i, "device"), f"found the device {quoted(part.device)} again, expected it once"
        elif counters.setdefault(part.counter, part.device) != part.device:
            told = f"found the counter of {quoted(counters[part.counter])} again, expected a counter for each device"
            yield ("devices", i, "counter"), f"{told}: their readings could not be told apart"


def sites_have_addresses_for_devices(doc: Deployment) -> Iterator[Problem]:
    """The address of a whole site's devices has a place for each device's name, that of one device has none."""
    for name, part in doc.actuators.items():
        if isinstance(part.url, str):
            own = "{kind}" in part.url and "{id}" in part.url
            if "/" not in name and not own:
                yield ("actuators", name, "url"), "found one address for all devices of a site, expected {kind} and {id} in it"


RULES: Final[Rules] = {
    Broker: (one_place_for_a_secret, password_has_a_user),
    PollInput: (one_place_for_a_secret, password_has_a_user, poll_makes_sense),
    ClientTls: (certificate_has_its_key,),
    MqttInput: (signal_has_a_site,),
    Actuator: (one_place_for_a_secret, wire_is_whole),
    AlertmanagerFeed: (one_place_for_a_secret,),
    **ALARM_RULES,
    Deployment: (clients_differ, subscribed_once, devices_differ, sites_have_addresses_for_devices),
}


# -- reading --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteNames:
    """What a site file names, as far as a deployment may refer to it."""

    site: str
    counters: tuple[str, ...]
    devices: tuple[str, ...]
    """`gate/gate-3` and the like."""


def load_deployment(path: Path, site_files: Iterable[Path] | None = None) -> Deployment:
    """The deployment file at `path`; raises `DocumentErrors` with every fault of it.

    With `site_files` the sites, counters and devices that it names must be theirs. Faults of those are not told here, and where one cannot be
    read at all nothing is asked of it.
    """
    return read_document(source(path), Deployment, RULES, None if site_files is None else _names(site_files))


def site_names(path: Path) -> SiteNames | None:
    """The names in the site file at `path`; None where it cannot be read so far."""
    faults, names = Faults(""), Names()
    try:
        tree = read_tree(source(path).data, faults)
        if tree is not None:
            names.collect(tree, type_of(Site), faults)
    except TooManyFaultsError:
        return None
    (site, *_), of = (*names.defined.get("site", {}), ""), names.defined
    devices = tuple(f"{kind}/{name}" for kind in DEVICE_KINDS for name in of.get(kind, {}))
    return SiteNames(site, tuple(of.get("counter", {})), devices) if site else None


def _names(site_files: Iterable[Path]) -> Names:
    """The names of all site files as a deployment refers to them: none of any kind where one of the files cannot be read."""
    found = [site_names(path) for path in site_files]
    names, place = Names(), Node(1, 1)
    if None in found:
        return names
    sites = [one for one in found if one is not None]
    names.defined["site"] = {one.site: place for one in sites}
    names.defined["counter"] = {f"{one.site}/{counter}": place for one in sites for counter in one.counters}
    names.defined["site or device"] = {
        name: place for one in sites for name in (one.site, *(f"{one.site}/{device}" for device in one.devices))
    }
    names.file |= dict.fromkeys(names.defined, "config/sites")
    return names


# -- notes ----------------------------------------------------------------------------------------------------------------------------


def deployment_notes(doc: Deployment) -> list[str]:
    """What is without fault and yet worth knowing before the file is used: whatever crosses a network in the clear."""
    notes: list[str] = []
    host, _ = listen_address(doc.listen)
    if not is_local(host) and isinstance(doc.tls, UnsetType) and not doc.proxies:
        notes.append(f"listen {doc.listen} is open to the network without tls: passwords and tokens cross it in the clear")
    for name, broker in doc.brokers.items():
        if isinstance(broker.tls, UnsetType) and not is_local(broker.host):
            notes.append(f'broker "{name}" at {broker.host} without tls: whoever is on that network can read and write what gates are told')
        if isinstance(broker.username, UnsetType) and isinstance(broker.tls, UnsetType):
            notes.append(f'broker "{name}" knows us neither by a user nor by a certificate')
    for name, actuator in doc.actuators.items():
        url = None if isinstance(actuator.url, UnsetType) else urlsplit(actuator.url)
        if url is not None and url.scheme == "http" and not is_local(url.hostname or ""):
            notes.append(f'actuator "{name}" is told over http: whoever is on that network can tell it something else')
    for one in doc.feeds.alertmanager:
        url = urlsplit(one.url)
        if url.scheme == "http" and not is_local(url.hostname or ""):
            secret = "" if isinstance(one.token_file, UnsetType) and isinstance(one.token_env, UnsetType) else ", and the token"
            notes.append(f"Alertmanager {url.netloc} is told over http: whoever is on that network can read what is open{secret}")
    return notes
