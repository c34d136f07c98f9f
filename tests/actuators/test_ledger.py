"""What was sent is known after a crash, and no attempt's number is used twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowwatch.actuators.ledger import Answer, Delivery, Ledger
from flowwatch.actuators.standing_orders import Fire
from flowwatch.journal.follower import Place


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger.open(tmp_path / "service.db")
    yield made
    made.close()


def sent(revision: int, attempt: int, at: int = 100, **changes: Any) -> Delivery:
    return replace(Delivery(0, "yu", "gate/a", f"yu-{revision}", revision, attempt, 1, "in", at, expires_us=at + 60), **changes)


def test_the_last_attempt_of_each_revision_comes_back(ledger: Ledger) -> None:
    ledger.write([sent(2, 1), sent(2, 2, 110), sent(4, 1, 120), sent(4, 0, 120, note="held: transit"), sent(6, 1, device="gate/b")])
    ledger.answered([Answer("yu", "gate/a", 2, 2, "refused", "local", 115)])
    assert [(f.revision, f.attempt, f.outcome) for f in ledger.flights("yu", "gate/a", 0)] == [(2, 2, "refused"), (4, 1, None)]
    assert [f.revision for f in ledger.flights("yu", "gate/a", 115)] == [4]
    assert (ledger.attempts("yu", "gate/a", 2), ledger.attempts("yu", "gate/a", 8)) == (2, 0)


def test_the_newest_come_first_a_page_at_a_time(ledger: Ledger) -> None:
    ledger.write([sent(r, 1) for r in range(1, 8)])
    page = ledger.latest("yu", limit=3)
    assert [r.revision for r in page] == [7, 6, 5]
    assert [r.revision for r in ledger.latest("yu", "gate/a", before_id=page[-1].id, limit=3)] == [4, 3, 2]
    assert ledger.latest("elsewhere") == []


def test_what_is_old_is_forgotten(ledger: Ledger) -> None:
    ledger.write([sent(2, 1, 100), sent(4, 1, 200)])
    ledger.forget(150)
    assert [r.revision for r in ledger.latest()] == [4]


def test_a_latch_stays_over_restarts_until_it_is_ended(tmp_path: Path) -> None:
    first = Ledger.open(tmp_path / "service.db")
    assert first.latch("yu", "F1", 5)
    assert not first.latch("yu", "F1", 9)
    first.close()
    again = Ledger.open(tmp_path / "service.db")
    assert again.latched() == {"yu": [Fire("F1", 5)]}
    again.unlatch("yu", "F1", 10)
    assert again.latched() == {}
    assert not again.latch("yu", "F1", 11), "a fire that was ended is not begun again by its own record"
    again.close()


def test_the_place_in_the_journal_is_kept(ledger: Ledger) -> None:
    assert ledger.kept("j") is None
    ledger.keep("j", Place(3, b"x"), b"{}")
    ledger.keep("j", Place(4, b"y"), b"{}")
    assert ledger.kept("j") == (Place(4, b"y"), b"{}")
