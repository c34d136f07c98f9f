"""Readings over TLS: from the broker whose certificate is that of the authority and of the name, and from no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowwatch.documents.deployment import Broker, ClientTls
from flowwatch.inputs.mqtt import MqttSource
from flowwatch.inputs.stager import Stager
from flowwatch.tls import UNWELCOME, TlsFileError
from tests.encrypted import ENCRYPTED, HERE, STRANGERS, Parties, Shown, impostor
from tests.inputs.test_mqtt import COUNTS, reading, times, until
from tests.servers import Mosquitto, Sender, free_port

pytestmark = ENCRYPTED
Source = Callable[..., MqttSource]


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


@pytest.fixture
def owned() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def port() -> int:
    """Where the broker listens over TLS."""
    return free_port()


@pytest.fixture
def started(folder: Path, tmp_path: Path, owned: ExitStack, parties: Parties, port: int) -> Source:
    """Begins the inputs of a broker that is described with these files of the deployment file's folder."""
    (tmp_path / "password").write_text("s3cret\n", encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    stager = owned.enter_context(Stager(folder))

    def start(tls: ClientTls | None = None, at: int = port) -> MqttSource:
        described = Broker(
            host=HERE, port=at, client="fw", username="us", password_file="password", tls=tls or ClientTls(ca=str(parties.ours.file))
        )
        made = MqttSource(described, [COUNTS], stager, folder=tmp_path, reconnect_s=(0.05, 0.2))
        made.start()
        owned.callback(made.close)
        return made

    return start


@pytest.fixture
def broker(tmp_path: Path, owned: ExitStack, port: int) -> Callable[..., Mosquitto]:
    """Starts a broker with one more listener, over TLS."""
    place = tmp_path / "broker"

    def start(shown: Shown, asks: Path | None = None) -> Mosquitto:
        place.mkdir()
        return owned.enter_context(Mosquitto(place, shown.listener(port, asks)))

    return start


def arrives(broker: Mosquitto, source: MqttSource) -> None:
    """Wait until a reading that somebody sends has come to `source`, and is durable."""
    until(lambda: source.figures.connected)
    device = Sender(broker.port)
    device.send("flowwatch/v1/a/count/x", reading(0))
    device.close()
    until(lambda: source.figures.readings == 1 and source.figures.waiting == 0)


def test_readings_come_from_a_broker_of_the_authority(
    folder: Path, parties: Parties, broker: Callable[..., Mosquitto], started: Source, owned: ExitStack
) -> None:
    arrives(broker(parties.right), started())
    owned.close()
    assert list(times(folder).values()) == [1]


def test_without_a_file_those_are_believed_that_the_system_believes(
    parties: Parties, broker: Callable[..., Mosquitto], started: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(parties.ours.file))
    arrives(broker(parties.right), started(ClientTls()))


def test_a_broker_that_asks_for_our_certificate_knows_us_by_it(
    tmp_path: Path, parties: Parties, broker: Callable[..., Mosquitto], started: Source
) -> None:
    ours = parties.ours.shows("flowwatch")
    files = (str(file.relative_to(tmp_path)) for file in (parties.ours.file, ours.certificate, ours.key))
    arrives(broker(parties.right, parties.ours.file), started(ClientTls(**dict(zip(("ca", "certificate", "key"), files, strict=True)))))
    assert "u'flowwatch'" in (tmp_path / "broker" / "mosquitto.log").read_text(encoding="utf-8")


def test_a_broker_that_asks_for_our_certificate_in_vain_is_told(
    parties: Parties, port: int, broker: Callable[..., Mosquitto], started: Source
) -> None:
    broker(parties.right, parties.ours.file)
    source = started()
    until(lambda: source.figures.trouble == f"{HERE}:{port}: {UNWELCOME}")
    assert not source.figures.connected


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_broker_that_is_not_to_be_believed_is_told_of_and_not_logged_in_to(
    stranger: str, tmp_path: Path, parties: Parties, port: int, broker: Callable[..., Mosquitto], started: Source
) -> None:
    broker(parties.wrong(stranger))
    source = started()
    parts = (f"{HERE}:{port}: cannot be reached: ", *parties.says(stranger))
    until(lambda: all(part in source.figures.trouble for part in parts))
    assert "New client connected" not in (tmp_path / "broker" / "mosquitto.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_does_not_hear_the_password(stranger: str, parties: Parties, started: Source) -> None:
    with impostor(parties.wrong(stranger).server()) as found:
        started(at=found.port)
        found.visited()
    assert set(found.heard) == {b""}


def test_who_does_not_speak_tls_is_not_spoken_to_in_the_clear(parties: Parties, started: Source) -> None:
    with impostor(None) as found:
        source = started(at=found.port)
        found.visited()
        until(lambda: "no TLS connection came about" in source.figures.trouble)
    assert {said[:2] for said in found.heard} == {b"\x16\x03"}
    assert not any(b"s3cret" in said or b"MQTT" in said for said in found.heard)


@pytest.mark.parametrize("key", ["ca", "certificate"])
def test_a_file_that_cannot_be_read_is_named_at_the_start(key: str, tmp_path: Path, started: Source) -> None:
    given = ClientTls(ca="gone.pem") if key == "ca" else ClientTls(certificate="gone.pem", key="gone.key")
    with pytest.raises(TlsFileError, match=rf"{tmp_path}/gone\.pem.*: cannot be read \(no such file or directory\), expected"):
        started(given)


def test_a_file_that_is_no_certificate_is_named_at_the_start(tmp_path: Path, started: Source) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate\n", encoding="utf-8")
    with pytest.raises(TlsFileError, match=rf"{tmp_path}/ca\.pem: cannot be used"):
        started(ClientTls(ca="ca.pem"))
