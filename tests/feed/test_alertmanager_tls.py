"""A real Alertmanager over TLS: told if its certificate is that of the authority and of the name; whoever else answers is told nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowwatch.tls import Tls
from tests.encrypted import ENCRYPTED, HERE, STRANGERS, Parties, impostor
from tests.feed.test_alertmanager import ROUTES, House, Pager
from tests.servers import Alertmanager

pytestmark = ENCRYPTED
Started = Callable[[str], Alertmanager]


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


@pytest.fixture
def owned() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def house(tmp_path: Path, owned: ExitStack) -> House:
    """A desk with an open incident."""
    made = House(tmp_path, owned)
    made.says("i1", "raised", 1)
    return made


@pytest.fixture
def pager(owned: ExitStack) -> Pager:
    """Whom the Alertmanager calls."""
    made = Pager()
    owned.callback(made.close)
    return made


@pytest.fixture
def started(tmp_path: Path, owned: ExitStack, pager: Pager) -> Started:
    """Starts an Alertmanager over TLS, by its configuration of that."""

    def start(web: str) -> Alertmanager:
        place = tmp_path / "alertmanager"
        place.mkdir()
        return owned.enter_context(Alertmanager(place, ROUTES.format(port=pager.port), web=web))

    return start


def pages(pager: Pager) -> None:
    """Wait until the Alertmanager has called somebody."""
    pager.until(lambda _: pager.statuses("yuyuan-i1") == ["firing"])


def test_an_alertmanager_of_the_authority_is_told(house: House, parties: Parties, started: Started, pager: Pager) -> None:
    house.feed(started(parties.right.web()).url, tls=parties.ours.believed())
    pages(pager)


def test_without_a_file_those_are_believed_that_the_system_believes(
    house: House, parties: Parties, started: Started, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(parties.ours.file))
    house.feed(started(parties.right.web()).url)
    pages(pager)


def test_an_alertmanager_that_asks_for_our_certificate_sees_it(house: House, parties: Parties, started: Started, pager: Pager) -> None:
    ours = parties.ours
    house.feed(started(parties.right.web(ours.file)).url, tls=ours.believed(ours.shows("flowwatch")))
    pages(pager)


def test_an_alertmanager_that_asks_for_our_certificate_in_vain_is_told_of(house: House, parties: Parties, started: Started) -> None:
    there = started(parties.right.web(parties.ours.file))
    house.feed(there.url, tls=parties.ours.believed())
    house.told(f"alertmanager/{HERE}:{there.port}", on=True, holding="certificate")


@pytest.mark.parametrize("stranger", STRANGERS)
def test_an_alertmanager_that_is_not_to_be_believed_is_told_of(stranger: str, house: House, parties: Parties, started: Started) -> None:
    there = started(parties.wrong(stranger).web())
    house.feed(there.url, tls=parties.ours.believed())
    house.told(f"alertmanager/{HERE}:{there.port}", on=True, holding=", ".join(parties.says(stranger)))


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_hears_neither_the_token_nor_an_alert(stranger: str, house: House, parties: Parties) -> None:
    with impostor(parties.wrong(stranger).server()) as found:
        house.feed(f"https://{HERE}:{found.port}", tls=parties.ours.believed(), token=lambda: "s3cret")
        found.visited()
    assert set(found.heard) == {b""}


def test_who_does_not_speak_tls_is_not_spoken_to_in_the_clear(house: House, parties: Parties) -> None:
    with impostor(None) as found:
        house.feed(f"https://{HERE}:{found.port}", tls=parties.ours.believed(), token=lambda: "s3cret")
        found.visited()
        house.told(f"alertmanager/{HERE}:{found.port}", on=True, holding="expected a server that speaks TLS")
    assert {said[:2] for said in found.heard} == {b"\x16\x03"}
    assert not any(b"s3cret" in said or b"yuyuan" in said for said in found.heard)


def test_an_authority_that_cannot_be_read_is_told_by_its_file(house: House, tmp_path: Path) -> None:
    house.feed("https://alerts.example", tls=Tls(tmp_path / "gone.pem"))
    house.told("alertmanager/alerts.example", on=True, holding=f"{tmp_path / 'gone.pem'}: cannot be read")


def test_a_file_that_was_put_right_is_read_at_the_next_try(house: House, parties: Parties, started: Started, pager: Pager) -> None:
    there, late = started(parties.right.web()), parties.ours.file.with_name("late.pem")
    house.feed(there.url, tls=Tls(late))
    house.told(f"alertmanager/{HERE}:{there.port}", on=True, holding=f"{late}: cannot be read")
    late.write_bytes(parties.ours.file.read_bytes())
    pages(pager)
