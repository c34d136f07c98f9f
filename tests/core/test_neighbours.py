"""A plan may go by the stage that another site is at."""

from __future__ import annotations

from typing import Any

import pytest

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.audit import check_journal
from tests.core.world import (
    AUTOMATIC,
    T0,
    Document,
    Row,
    act,
    asked,
    bodies,
    case,
    declare,
    plan,
    play,
    recount,
    site,
    stage,
    stages_seen,
    stored,
    term,
    tick,
)

OUT = {"g0": "out", "g1": "out"}
BOTH = {"g0": "both", "g1": "both"}


def _s(seconds: int) -> int:
    return T0 + seconds * SECOND


def _beside(of: str = "bund", at: str = "full", hold: int = 0) -> Document:
    """A leaf on what stage the main plan of another site is at."""
    return {"kind": "neighbour", "site": of, "plan": None, "stage": at, "hold_us": hold}


def _bund(**confirm: Any) -> Document:
    stages = [stage("calm"), stage("busy", [term(50, 40)]), stage("full", [term(100, 80)], gates=OUT, **confirm)]
    return site("bund", group="river", stages=stages)


def _road(*leaves: Document, dwell: int = 0) -> Document:
    return site("road", group="river", stages=[stage("calm"), stage("led", leaves or [_beside()], dwell, gates=OUT)])


def _counted(seconds: int, people: int, of: str = "bund") -> list[Row]:
    return [recount(_s(seconds), people, site_name=of), tick(_s(seconds))]


def _told(*rows: Row, documents: tuple[Document, ...] = (_bund(), _road())) -> Any:
    all_rows = [*map(declare, documents), *(recount(T0, 0, site_name=d["site"]) for d in documents), tick(T0), *rows]
    out = play(all_rows)
    check_journal(all_rows, out)
    return out.entries


def test_a_site_rises_one_tick_after_its_neighbour_and_falls_after_it() -> None:
    entries = _told(*_counted(5, 150), tick(_s(6)), *_counted(20, 60), tick(_s(21)))
    assert stages_seen(entries, "road")[1:] == [(_s(6), "calm", "led", "rise"), (_s(21), "led", "calm", "fall")]


def test_a_stage_above_the_named_one_counts_too() -> None:
    entries = _told(*_counted(5, 150), tick(_s(6)), documents=(_bund(), _road(_beside(at="busy"))))
    assert [to for _, _, to, _ in stages_seen(entries, "road")] == ["calm", "led"]


def test_the_neighbour_must_have_stood_there_for_the_hold() -> None:
    rows = [*_counted(5, 150), tick(_s(6)), tick(_s(15)), tick(_s(16))]
    entries = _told(*rows, documents=(_bund(), _road(_beside(hold=10 * SECOND))))
    assert stages_seen(entries, "road")[1:] == [(_s(16), "calm", "led", "rise")]


def test_the_cause_names_the_condition() -> None:
    entries = _told(*_counted(5, 150), tick(_s(6)))
    cause = bodies(entries, "transition", "road")[1]["cause"]
    assert (cause["term"]["leaf"], cause["estimate"], cause["readings"]) == (_beside(), None, [])


def test_an_operators_override_of_the_neighbours_stage_counts() -> None:
    held = act(_s(5), "o5", "override", "bund", stage="full", until_us=_s(60))
    entries = _told(held, tick(_s(5)), tick(_s(59)), tick(_s(60)), tick(_s(61)))
    assert stages_seen(entries, "road")[1:] == [(_s(5), "calm", "led", "rise"), (_s(61), "led", "calm", "fall")]


def test_a_rise_that_waits_for_an_answer_does_not_count_yet() -> None:
    bund = _bund(confirm={"rise": asked(), "fall": AUTOMATIC})
    rows = [
        *_counted(5, 150),
        tick(_s(6)),
        act(_s(9), "a9", "confirm", "bund", incident="bund-i2", answer="yes"),
        tick(_s(9)),
        tick(_s(10)),
    ]
    assert stages_seen(_told(*rows, documents=(bund, _road())), "road")[1:] == [(_s(10), "calm", "led", "rise")]


@pytest.mark.parametrize("leaf", [_beside("bnud"), _beside(at="fuller"), _beside() | {"plan": "stairs"}])
def test_a_neighbour_that_there_is_not_raises_nothing(leaf: Document) -> None:
    entries = _told(*_counted(5, 150), tick(_s(6)), documents=(_bund(), _road(leaf)))
    assert [to for _, _, to, _ in stages_seen(entries, "road")] == ["calm"]


def test_a_neighbours_plan_that_goes_away_lowers_nothing() -> None:
    without = site("bund", group="river", stages=[stage("calm"), stage("busy", [term(50, 40)])])
    rows = [*_counted(5, 150), tick(_s(6)), declare(without, _s(9)), *_counted(9, 10), tick(_s(10)), tick(_s(999))]
    entries = _told(*rows)
    assert [to for _, _, to, _ in stages_seen(entries, "bund")][-1] == "calm"
    assert [to for _, _, to, _ in stages_seen(entries, "road")] == ["calm", "led"]


def test_a_case_comes_into_force_with_the_neighbours_stage_and_goes_with_it() -> None:
    calm = plan("held", [stage("led", gates=OUT)], case=case("tighten", [_beside()]))
    road = site("road", group="river", stages=[stage("calm")], beside=[calm])
    entries = _told(*_counted(5, 150), tick(_s(6)), *_counted(20, 60), tick(_s(21)), documents=(_bund(), road))
    orders = [(b["tick"], b["setting"], b["reason"]) for b in bodies(entries, "command", "road") if b["gate"] == "g0"]
    assert orders == [(T0, "both", "start"), (_s(6), "out", "case"), (_s(21), "both", "case_ended")]


def test_a_condition_that_goes_from_a_document_leaves_its_hold_to_no_other_plan_of_the_same_site() -> None:
    stairs = plan("stairs", [stage("calm"), stage("full", [term(60, 50)], gates=OUT)], zone="mall")
    bund = site("bund", group="river", stages=[stage("calm"), stage("full", [term(100, 80)], gates=OUT)], beside=[stairs])
    narrow, whole = _beside(hold=10 * SECOND) | {"plan": "stairs"}, _beside(hold=10 * SECOND)
    rows = [*_counted(5, 70), tick(_s(6)), *_counted(9, 150), tick(_s(10)), declare(_road(whole), _s(12))]
    rows += [tick(_s(seconds)) for seconds in range(12, 25)]
    first = [declare(bund), declare(_road(narrow, whole)), recount(T0, 0, site_name="bund"), recount(T0, 0, site_name="road"), tick(T0)]
    entries = play([*first, *rows]).entries
    assert stages_seen(entries, "road")[1:] == [(_s(20), "calm", "led", "rise")]


def test_an_engine_stored_between_the_two_goes_on_the_same() -> None:
    engine = Engine("p00")
    rows = [
        declare(_bund()),
        declare(_road()),
        recount(T0, 0, site_name="bund"),
        recount(T0, 0, site_name="road"),
        tick(T0),
        *_counted(5, 150),
    ]
    play(rows, engine=engine)
    entries = play([tick(_s(6))], engine=stored(engine), first=len(rows)).entries
    assert stages_seen(entries, "road") == [(_s(6), "calm", "led", "rise")]
