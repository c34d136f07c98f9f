"""Commands over TLS, through a broker and straight to gates: to those whose certificate is the authority's and the name's, and to nobody else."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowwatch.actuators import http
from flowwatch.actuators.wires import Actuator, Broker
from flowwatch.documents.deployment import Actuator as Declared
from flowwatch.documents.deployment import ClientTls, Via
from flowwatch.service.installation import _actuator
from flowwatch.tls import UNWELCOME, Tls
from flowwatch_sim.gatehouse.diary import Diary
from flowwatch_sim.gatehouse.house import Fitting, House, Manner
from tests.actuators.lab import SITE, Lab
from tests.encrypted import ENCRYPTED, HERE, STRANGERS, Overheard, Parties, Shown, impostor, overheard
from tests.servers import Mosquitto, free_port

pytestmark = [pytest.mark.slow, *ENCRYPTED]
Opened = Callable[..., Lab]


@pytest.fixture
def owned() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


@pytest.fixture
def log(owned: ExitStack) -> Overheard:
    """What both wires say in the service's log."""
    return owned.enter_context(overheard("flowwatch.actuators"))


@pytest.fixture
def port() -> int:
    """Where the broker listens over TLS."""
    return free_port()


def described(tls: Tls, port: int) -> Broker:
    """A broker as it is described to the dispatcher."""
    return Broker("main", HERE, port, "fw-out", "us", lambda: "s3cret", tls)


@pytest.fixture
def opened(tmp_path: Path, owned: ExitStack, port: int) -> Opened:
    """Makes a laboratory whose broker has one more listener, over TLS; its gates come in the clear."""

    def make(shown: Shown, asks: Path | None = None) -> Lab:
        made = Lab(tmp_path, owned.enter_context(Mosquitto(tmp_path, shown.listener(port, asks), keeps=False)))
        owned.callback(made.end)
        return made

    return make


def obeys(lab: Lab) -> None:
    """Wait until the gates are there, and one turns as it is told."""
    lab.post.settled(a="out", b="out")
    lab.story.command(a="in")
    lab.post.settled(a="in")


def test_gates_obey_through_a_broker_of_the_authority(opened: Opened, parties: Parties, port: int) -> None:
    lab = opened(parties.right)
    lab.house(a="out", b="out")
    lab.dispatcher(broker=described(parties.ours.believed(), port))
    obeys(lab)


def test_a_broker_that_asks_for_our_certificate_knows_us_by_it(opened: Opened, parties: Parties, port: int) -> None:
    lab = opened(parties.right, parties.ours.file)
    lab.house(a="out", b="out")
    lab.dispatcher(broker=described(parties.ours.believed(parties.ours.shows("flowwatch")), port))
    obeys(lab)
    assert "u'flowwatch'" in (lab.folder / "mosquitto.log").read_text(encoding="utf-8")


def test_a_broker_that_asks_for_our_certificate_in_vain_is_told(opened: Opened, parties: Parties, port: int, log: Overheard) -> None:
    dispatcher = opened(parties.right, parties.ours.file).dispatcher(broker=described(parties.ours.believed(), port))
    log.until("mqtt:main", UNWELCOME)
    assert dispatcher.brokers == {"main": False}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_broker_that_is_not_to_be_believed_is_told_of_and_not_logged_in_to(
    stranger: str, opened: Opened, parties: Parties, port: int, log: Overheard
) -> None:
    lab = opened(parties.wrong(stranger))
    dispatcher = lab.dispatcher(broker=described(parties.ours.believed(), port))
    log.until("mqtt:main", f"{HERE}:{port}: cannot be reached", *parties.says(stranger))
    assert dispatcher.brokers == {"main": False}
    assert "New client connected" not in (lab.folder / "mosquitto.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strange_broker_hears_neither_the_password_nor_a_command(stranger: str, lab: Lab, parties: Parties) -> None:
    lab.story.command(a="in")
    with impostor(parties.wrong(stranger).server()) as found:
        lab.dispatcher(broker=described(parties.ours.believed(), found.port))
        found.visited()
    assert set(found.heard) == {b""}


def test_a_broker_that_does_not_speak_tls_is_not_spoken_to_in_the_clear(lab: Lab, parties: Parties, log: Overheard) -> None:
    lab.story.command(a="in")
    with impostor(None) as found:
        lab.dispatcher(broker=described(parties.ours.believed(), found.port))
        found.visited()
        log.until("mqtt:main", "no TLS connection came about", "expected a server that speaks TLS")
    assert {said[:2] for said in found.heard} == {b"\x16\x03"}
    assert not any(b"s3cret" in said or b"MQTT" in said for said in found.heard)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates that say nothing are told of at once, and asked again soon."""
    monkeypatch.setattr(http, "SILENT_S", 0.0)
    monkeypatch.setattr(http, "ASK_EVERY_S", 0.1)


@pytest.fixture
def gates(lab: Lab, owned: ExitStack) -> Callable[[ssl.SSLContext], int]:
    """Starts gates behind an HTTP server over TLS; its port."""

    def start(tls: ssl.SSLContext) -> int:
        fittings = [Fitting("gate/a", "out", "out"), Fitting("gate/b", "out", "out")]
        house = House(SITE, fittings, lab.folder / "m", Manner(), Diary(lab.folder / "diary.jsonl"), http=(HERE, 0, "s3cret"))
        assert house.http is not None
        server = house.http._server
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # whoever does not believe us hangs up
        house.start()
        owned.callback(house.stop)
        return house.http.port

    return start


def way(tls: Tls, port: int) -> Actuator:
    """All gates of the site, as they are described to the dispatcher."""
    return Actuator(SITE, url=f"https://{HERE}:{port}/{{kind}}/{{id}}", token=lambda: "s3cret", tls=tls)


def test_gates_over_https_of_the_authority_obey(lab: Lab, parties: Parties, gates: Callable[[ssl.SSLContext], int]) -> None:
    lab.dispatcher(ways=[way(parties.ours.believed(), gates(parties.right.server()))])
    obeys(lab)


def test_without_a_file_gates_are_believed_that_the_system_believes(
    lab: Lab, parties: Parties, gates: Callable[[ssl.SSLContext], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(parties.ours.file))
    lab.dispatcher(ways=[way(Tls(), gates(parties.right.server()))])
    obeys(lab)


def test_gates_that_ask_for_our_certificate_see_it(lab: Lab, parties: Parties, gates: Callable[[ssl.SSLContext], int]) -> None:
    ours = parties.ours
    lab.dispatcher(ways=[way(ours.believed(ours.shows("flowwatch")), gates(parties.right.server(ours.file)))])
    obeys(lab)


@pytest.mark.usefixtures("brisk")
def test_gates_that_ask_for_our_certificate_in_vain_are_told(
    lab: Lab, parties: Parties, gates: Callable[[ssl.SSLContext], int], log: Overheard
) -> None:
    port = gates(parties.right.server(parties.ours.file))
    lab.dispatcher(ways=[way(parties.ours.believed(), port)])
    log.until(f"{SITE}/gate/a: {HERE}:{port}: tells no state", "certificate")


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_gate_that_is_not_to_be_believed_is_told_of_and_hears_neither_the_token_nor_a_command(
    stranger: str, lab: Lab, parties: Parties, log: Overheard
) -> None:
    lab.story.command(a="in")
    with impostor(parties.wrong(stranger).server()) as found:
        lab.dispatcher(ways=[way(parties.ours.believed(), found.port)])
        log.until(f"{SITE}/gate/a: {HERE}:{found.port}: tells no state", *parties.says(stranger))
        found.visited()
    assert set(found.heard) == {b""}


@pytest.mark.usefixtures("brisk")
def test_a_gate_that_does_not_speak_tls_is_not_spoken_to_in_the_clear(lab: Lab, parties: Parties, log: Overheard) -> None:
    lab.story.command(a="in")
    with impostor(None) as found:
        lab.dispatcher(ways=[way(parties.ours.believed(), found.port)])
        log.until(f"{SITE}/gate/a: {HERE}:{found.port}: tells no state", "no TLS connection came about")
        found.visited()
    assert {said[:2] for said in found.heard} == {b"\x16\x03"}
    assert not any(b"s3cret" in said or b"HTTP" in said for said in found.heard)


@pytest.mark.usefixtures("brisk")
def test_an_authority_that_cannot_be_read_is_told_by_its_file(lab: Lab, log: Overheard, tmp_path: Path) -> None:
    lab.dispatcher(ways=[way(Tls(tmp_path / "gone.pem"), free_port())])
    log.until(f"{SITE}/gate/a", f"{tmp_path / 'gone.pem'}: cannot be read")


def test_all_three_files_of_the_deployment_file_reach_the_wire(tmp_path: Path) -> None:
    said = Declared(via=Via.HTTP, url="https://gate.example/", tls=ClientTls(ca="ca.pem", certificate="us.pem", key="us.key"))
    assert _actuator("yu/gate/a", said, tmp_path).tls == Tls(tmp_path / "ca.pem", tmp_path / "us.pem", tmp_path / "us.key")
