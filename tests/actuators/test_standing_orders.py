"""What the journal asks of devices, and when a fire is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowwatch.actuators.standing_orders import Fire, StandingOrders
from flowwatch.core.entries import EntryKind
from flowwatch.journal.follower import Follower
from tests.actuators.lab import SITE, Story, place
from tests.safety.made import gate, link

PLACE = place("a", "b")


class Told(Story):
    """A journal, and the orders folded from it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "journal.db")
        self.follower = Follower.open(folder / "journal.db")
        self.orders = StandingOrders()

    def folded(self) -> StandingOrders:
        """All that was told so far."""
        for entry in self.follower.new():
            self.orders.fold(entry)
        return self.orders

    def wanted(self, *latches: Fire, site: Any = PLACE) -> dict[str, Any]:
        return self.folded().wanted(site, latches)


@pytest.fixture
def told(tmp_path: Path) -> Any:
    made = Told(tmp_path)
    yield made
    made.follower.close()
    made.close()


def test_the_last_command_counts_and_its_revision_is_doubled_on_the_wire(told: Told) -> None:
    told.command(a="in", b="out")
    told.command(a="both")
    wanted = told.wanted()
    assert {d: (w.setting, w.revision, w.command) for d, w in wanted.items()} == {
        "gate/a": ("both", 4, "yu-3"),
        "gate/b": ("out", 2, "yu-2"),
    }


def test_a_release_is_of_one_revision(told: Told) -> None:
    told.command(a="in", delivery="confirm")
    told.tell(told.action("R1", "release", gate="a", revision=1))
    assert told.wanted()["gate/a"].released
    told.command(a="out", delivery="confirm")
    assert not told.wanted()["gate/a"].released
    told.tell(told.action("R2", "release", accepted=False, gate="a", revision=2))
    assert not told.wanted()["gate/a"].released
    told.tell(told.action("R3", "release", device="gate/a", revision=2))
    assert told.wanted()["gate/a"].released
    told.tell(told.action("D1", "deliver", to="advise"), told.action("D2", "deliver", to="plan"))
    assert not told.wanted()["gate/a"].released, "what was released before the site was put on advise needs another release"


def test_a_site_on_advise_stays_so_until_its_documents_speak_again(told: Told) -> None:
    told.command(a="in")
    told.tell(told.action("D1", "deliver", to="advise"))
    assert told.wanted()["gate/a"].advised
    told.tell(told.action("D2", "deliver", to="plan"))
    assert not told.wanted()["gate/a"].advised


def test_other_devices_follow_the_sites_delivery_and_end_when_nobody_asks(told: Told) -> None:
    site = PLACE | {"barriers": [{"barrier": "x"}], "signs": [{"sign": "n"}], "links": [link("l", "mall", "mall")], "delivery": "confirm"}
    body = {"site": SITE, "plan": "p", "stage": "busy", "reason": "stage", "of": None}
    for revision, barrier, way, text in ((1, "raise", "one_way", {"zh": "走", "en": "go"}), (2, None, None, None)):
        told.tell(
            (EntryKind.DEVICE, {**body, "device": "barrier", "name": "x", "state": barrier, "revision": revision}),
            (EntryKind.DEVICE, {**body, "device": "link", "name": "l", "state": way, "revision": revision}),
            (EntryKind.DEVICE, {**body, "device": "sign", "name": "n", "state": text, "revision": revision}),
        )
        wanted = told.wanted(site=site)
        assert wanted["barrier/x"].setting == (barrier or "lower")
        assert wanted["link/l"].setting == (way or "both")
        assert (wanted["sign/n"].setting, wanted["sign/n"].text) == (None, text)
        assert {w.delivery for w in wanted.values()} == {"confirm"}


def test_what_the_documents_do_not_know_any_more_is_told_nothing(told: Told) -> None:
    told.command(a="in", z="in")
    assert set(told.wanted()) == {"gate/a"}


def test_a_fire_turns_every_gate_outward_with_a_revision_between_the_decisions(told: Told) -> None:
    site = place("a", "b") | {
        "gates": [gate("a"), gate("b", entrance_only=True, on_lost="closed"), gate("c")],
        "links": [link("l", "mall", "mall")],
    }
    told.command(a="in")
    wanted = told.wanted(Fire("F1", 5), site=site)
    assert {d: (w.setting, w.revision, w.fire) for d, w in wanted.items()} == {
        "gate/a": ("out", 3, True),
        "gate/b": ("closed", 1, True),
        "gate/c": ("out", 1, True),
        "link/l": ("both", 1, True),
    }


def test_a_latch_is_over_when_people_ended_the_fire_that_it_names(told: Told) -> None:
    latch = Fire("F1", 100)
    assert told.wanted(latch)["gate/a"].fire
    told.tell(told.action("F0", "fire", state="on"), told.action("E0", "fire", state="off"), at=50)
    assert told.wanted(latch)["gate/a"].fire
    told.tell(told.action("E1", "fire", accepted=False, state="off"), at=120)
    told.tell(told.action("F1", "fire", state="on"), at=130)
    assert told.wanted(latch)["gate/a"].fire
    told.tell(told.action("E2", "fire", state="off"), at=140)
    assert told.folded().sites[SITE].latch_over(latch)
    assert not told.wanted(latch)


def test_a_latch_whose_record_never_came_is_over_with_a_fire_that_was_reported_after_it(told: Told) -> None:
    latch = Fire("LOST", 100)
    told.tell(told.action("F1", "fire", state="on"), told.action("E1", "fire", state="off"), at=90)
    assert not told.folded().sites[SITE].latch_over(latch)
    told.tell(told.action("F2", "fire", state="on"), at=110)
    assert not told.folded().sites[SITE].latch_over(latch)
    told.tell(told.action("E2", "fire", state="off"), at=120)
    assert told.folded().sites[SITE].latch_over(latch)


def test_a_latch_whose_record_comes_late_burns_again(told: Told) -> None:
    latch = Fire("F1", 100)
    told.tell(told.action("F2", "fire", state="on"), told.action("E2", "fire", state="off"), told.action("F1", "fire", state="on"), at=110)
    assert not told.folded().sites[SITE].latch_over(latch)
    assert told.wanted()["gate/a"].fire


def test_a_gate_that_people_set_may_be_as_they_said_or_as_was_ordered_since(told: Told) -> None:
    told.command(a="in", b="in")
    told.tell(told.action("T1", "turned", gate="a", mode="in"))
    assert told.folded().by_hand("yu") == {"gate/a": ["in"]}
    told.command(a="out")
    told.command(a="in")
    assert told.folded().by_hand("yu") == {"gate/a": ["in", "out"]}
    told.tell(told.action("T2", "turned", gate="a", mode="out"))
    assert told.folded().by_hand("yu") == {"gate/a": ["out", "in"]}, "somebody may still carry out what was ordered last"
    told.folded().driven("yu", ["gate/a"])
    assert told.folded().by_hand("yu") == {}
    assert told.folded().by_hand("elsewhere") == {}


def test_what_was_kept_is_what_was_folded(told: Told) -> None:
    told.command(a="in", b="out", delivery="confirm")
    told.tell(told.action("R1", "release", gate="a", revision=1), told.action("F1", "fire", state="on"))
    told.tell((EntryKind.DOCUMENT, {"site": SITE, "version": "abc", "previous": None}))
    again = StandingOrders.from_bytes(told.folded().to_bytes())
    assert again.sites == told.orders.sites
    assert again.sites[SITE].version == "abc"
    with pytest.raises(ValueError):
        StandingOrders.from_bytes(b"{")
