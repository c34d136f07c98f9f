"""Who wrote the documents in force and who agreed: told in the journal, for those documents and no others."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from flowwatch.core.engine import Engine
from flowwatch.core.entries import canonical
from flowwatch.core.readings import SECOND, Reason
from tests.core.audit import check_journal
from tests.core.world import T0, Document, Row, act, bodies, declare, play, recount, refusals, site, stage, stored, term, tick

FIRST = site(stages=[stage("calm"), stage("busy", [term(100, 80)], SECOND)])
SECOND_ONE = FIRST | {"egress_min_per_min": 60}


def digest(document: Document) -> str:
    return hashlib.sha256(canonical(document)).hexdigest()


def signed(by: str) -> Document:
    return {"by": by, "key": f"key of {by}", "at": "2026-10-01T09:00:00Z", "signature": f"signature of {by}"}


def approve(name: str, document: Document, at: int = T0, **changes: Any) -> Row:
    return act(at, name, "approve", **{"version": digest(document), "author": signed("wang"), "approver": signed("li")} | changes)


def approvals(rows: list[Row]) -> list[tuple[str, bool, str | None]]:
    out = play(rows)
    check_journal(rows, out)
    return [(b["action"], b["accepted"], b["refused"]) for b in bodies(out.entries, "action") if b["type"] == "approve"]


def test_an_approval_of_the_documents_in_force_is_told_with_its_signatures() -> None:
    entries = play([declare(FIRST), approve("a1", FIRST), tick(T0)]).entries
    body = bodies(entries, "action")[0]
    assert (body["accepted"], body["record"]["author"], body["record"]["approver"]) == (True, signed("wang"), signed("li"))
    assert [e.kind for e in entries if e.chain == "yu"][:2] == ["document", "action"]


def test_an_approval_of_other_documents_is_refused_and_told() -> None:
    other = f'version "{digest(SECOND_ONE)[:12]}" is not in force'
    assert approvals([declare(FIRST), approve("a1", SECOND_ONE), tick(T0)]) == [("a1", False, other)]


def test_of_two_versions_in_one_tick_the_one_in_force_is_approved() -> None:
    rows = [declare(FIRST), approve("a1", FIRST), declare(SECOND_ONE), approve("a2", SECOND_ONE), tick(T0)]
    assert [(name, accepted) for name, accepted, _ in approvals(rows)] == [("a1", False), ("a2", True)]


@pytest.mark.parametrize("change", [{"author": signed("li")}, {"approver": {"by": "li"}}, {"version": digest(FIRST)[:12]}])
def test_a_record_that_is_no_approval_of_two_people_is_refused_as_bad(change: Document) -> None:
    engine = Engine("p00")
    out = play([declare(FIRST), tick(T0), approve("a1", FIRST, **change), tick(T0 + SECOND)], engine=engine)
    assert not bodies(out.entries, "action")
    assert refusals(engine) == [(2, Reason.BAD_ACTION)]


def test_an_approval_moves_nothing() -> None:
    rows = [declare(FIRST), recount(T0, 300), tick(T0), tick(T0 + 2 * SECOND)]
    without = play([*rows, tick(T0 + 3 * SECOND)])
    beside = play([*rows, approve("a1", FIRST, T0 + 2 * SECOND), tick(T0 + 3 * SECOND)])
    assert [e.body for e in without.entries] == [e.body for e in beside.entries if b'"approve"' not in e.body]
    assert without.estimates == beside.estimates


def test_an_approval_is_the_same_from_a_checkpoint() -> None:
    engine = Engine("p00")
    play([declare(FIRST), tick(T0)], engine=engine)
    rows = [approve("a1", FIRST, T0 + SECOND), tick(T0 + SECOND)]
    assert play(rows, engine=stored(engine), first=2).entries == play(rows, engine=engine, first=2).entries
