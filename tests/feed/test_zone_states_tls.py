"""Zone states over TLS: to the broker whose certificate is that of the authority and of the name, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowwatch.actuators.wires import Broker
from flowwatch.tls import UNWELCOME, Tls
from tests.encrypted import ENCRYPTED, HERE, STRANGERS, Parties, Shown, impostor
from tests.feed.test_zone_states import Town
from tests.servers import WAIT_S, Mosquitto, free_port

pytestmark = ENCRYPTED


class Encrypted:
    """A town whose broker has one more listener, over TLS."""

    def __init__(self, root: Path, owned: ExitStack) -> None:
        self._root, self._owned = root, owned
        self.parties = Parties(root)
        self.port = free_port()

    def town(self, shown: Shown, asks: Path | None = None) -> Town:
        """It shows `shown`, and `asks` for certificates of an authority."""
        broker = self._owned.enter_context(Mosquitto(self._root, shown.listener(self.port, asks)))
        return Town(self._root, broker, self._owned)

    def broker(self, tls: Tls, port: int | None = None) -> Broker:
        """As it is described to the feed."""
        return Broker("main", HERE, port or self.port, "fw-feed", "us", lambda: "s3cret", tls)

    def seen(self) -> str:
        """What the broker says of who came."""
        return (self._root / "mosquitto.log").read_text(encoding="utf-8")


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    with ExitStack() as owned:
        yield Encrypted(tmp_path, owned)


def fails(town: Town, *parts: str) -> None:
    """Wait until it is told that the broker cannot be reached, in these words."""
    with town.trouble:
        told = town.trouble.wait_for(lambda: any(all(part in one.en for part in parts) for one in town.said), WAIT_S)
    assert told, town.said


def test_zone_states_reach_a_broker_of_the_authority(encrypted: Encrypted) -> None:
    town = encrypted.town(encrypted.parties.right)
    town.minute(1500)
    town.feed(broker=encrypted.broker(encrypted.parties.ours.believed()))
    town.listener().people(1500)


def test_without_a_file_those_are_believed_that_the_system_believes(encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted.parties.ours.file))
    town = encrypted.town(encrypted.parties.right)
    town.minute(1500)
    town.feed(broker=encrypted.broker(Tls()))
    town.listener().people(1500)


def test_a_broker_that_asks_for_our_certificate_knows_us_by_it(encrypted: Encrypted) -> None:
    ours = encrypted.parties.ours
    town = encrypted.town(encrypted.parties.right, ours.file)
    town.minute(1500)
    town.feed(broker=encrypted.broker(ours.believed(ours.shows("flowwatch"))))
    town.listener().people(1500)
    assert "as fw-feed (p5, c1, k15, u'flowwatch')" in encrypted.seen()


def test_a_broker_that_asks_for_our_certificate_in_vain_is_told(encrypted: Encrypted) -> None:
    town = encrypted.town(encrypted.parties.right, encrypted.parties.ours.file)
    feed = town.feed(broker=encrypted.broker(encrypted.parties.ours.believed()))
    fails(town, 'the broker "main"', UNWELCOME)
    assert not feed.connected


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_broker_that_is_not_to_be_believed_is_told_of_and_not_logged_in_to(encrypted: Encrypted, stranger: str) -> None:
    town = encrypted.town(encrypted.parties.wrong(stranger))
    feed = town.feed(broker=encrypted.broker(encrypted.parties.ours.believed()))
    fails(town, 'the broker "main"', *encrypted.parties.says(stranger))
    assert not feed.connected
    assert "New client connected" not in encrypted.seen()


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_hears_neither_the_password_nor_a_state(encrypted: Encrypted, stranger: str) -> None:
    town = encrypted.town(encrypted.parties.right)
    town.minute(1500)
    with impostor(encrypted.parties.wrong(stranger).server()) as found:
        town.feed(broker=encrypted.broker(encrypted.parties.ours.believed(), found.port))
        found.visited()
    assert set(found.heard) == {b""}


def test_who_does_not_speak_tls_is_not_spoken_to_in_the_clear(encrypted: Encrypted) -> None:
    town = encrypted.town(encrypted.parties.right)
    town.minute(1500)
    with impostor(None) as found:
        town.feed(broker=encrypted.broker(encrypted.parties.ours.believed(), found.port))
        found.visited()
        fails(town, "no TLS connection came about", "expected a server that speaks TLS")
    assert {said[:2] for said in found.heard} == {b"\x16\x03"}
    assert not any(b"s3cret" in said or b"MQTT" in said for said in found.heard)


def test_an_authority_that_cannot_be_read_is_told_by_its_file(encrypted: Encrypted, tmp_path: Path) -> None:
    town = encrypted.town(encrypted.parties.right)
    town.feed(broker=encrypted.broker(Tls(tmp_path / "gone.pem")))
    fails(town, 'the broker "main"', f"{tmp_path / 'gone.pem'}: cannot be read", "expected certificates in PEM")
