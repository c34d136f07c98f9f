"""Cases: plans for certain times or occasions, that come into force by the calendar or by an operator's word, and never leave people behind."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    act,
    asked,
    bodies,
    case,
    counter,
    declare,
    delta,
    gate,
    hours,
    plan,
    play,
    recount,
    site,
    stage,
    stored,
    term,
    tick,
)

MINUTE = 60 * SECOND
LOCAL = (T0 // SECOND + 28_800) % 86_400
BOTH = {"g0": "both", "g1": "both"}
MAIN = [stage("calm"), stage("busy", [term(100, 80)], SECOND, gates={"g0": "out", "g1": "both"})]


def _fest(effect: str = "replace", during: Any = (), *, gates: Document | None = None, stages: Any = None) -> Document:
    table = {"g0": "in", "g1": "out"} if gates is None else gates
    ladder = [stage("fest-calm", gates=table), stage("fest-full", [term(50, 40)], SECOND, gates={"g0": "out", "g1": "out"})]
    return plan("fest", ladder if stages is None else stages, case=case(effect, during))


def _declare(name: str, until: int, what: str = "fest", at: int = T0) -> Any:
    return act(at, name, "override", case=what, until_us=until)


def _seen(entries: Any) -> list[tuple[int, str, str | None, str]]:
    """(second, plan, stage, reason) of every transition."""
    return [((b["tick"] - T0) // SECOND, b["plan"], b["to"], b["reason"]) for b in bodies(entries, "transition")]


def _table(engine: Engine) -> dict[str, str]:
    return {gate_name: text for gate_name, (text, _) in engine.standings["yu"].gates.items()}


def test_a_case_that_replaces_takes_the_gates_from_a_calm_main_plan_and_gives_them_back() -> None:
    document = site(stages=MAIN, beside=[_fest(during=[hours(LOCAL + 60, LOCAL + 180)])])
    entries = play([declare(document), recount(T0, 0), *(tick(T0 + n * 10 * SECOND) for n in range(30))]).entries
    assert _seen(entries) == [
        (0, "yu", "calm", "start"),
        (60, "yu", None, "case"),
        (60, "fest", "fest-calm", "case"),
        (180, "yu", "calm", "case_ended"),
        (180, "fest", None, "case_ended"),
    ]
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "case_active"] == ["raised", "cleared"]
    commands = [((b["tick"] - T0) // SECOND, b["gate"], b["setting"], b["reason"], b["stage"]) for b in bodies(entries, "command")][2:]
    assert commands == [
        (60, "g0", "in", "case", "fest-calm"),
        (60, "g1", "out", "case", "fest-calm"),
        (180, "g0", "both", "case_ended", "calm"),
        (180, "g1", "both", "case_ended", "calm"),
    ]


def test_a_case_that_tightens_asks_beside_the_main_plan() -> None:
    engine = Engine("p00")
    document = site(stages=MAIN, beside=[_fest("tighten", gates={"g1": "metered 40/min both"})])
    play([declare(document), recount(T0, 0), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND)], engine=engine)
    assert _table(engine) == {"g0": "both", "g1": "metered 40/min both"}
    assert engine.standings["yu"].stages == {"yu": "calm", "fest": "fest-calm"}


def test_a_main_plan_above_calm_goes_on_beside_a_case_that_replaces_it() -> None:
    engine = Engine("p00")
    rows = [
        declare(
            site(
                stages=MAIN, beside=[_fest(gates={"g0": "in", "g1": "both"}, stages=[stage("fest-calm", gates={"g0": "in", "g1": "both"})])]
            )
        )
    ]
    rows += [recount(T0, 150), tick(T0), _declare("a", T0 + 60 * MINUTE), tick(T0 + SECOND)]
    play(rows, engine=engine)
    assert engine.standings["yu"].stages == {"yu": "busy", "fest": "fest-calm"}
    assert _table(engine) == {"g0": "out", "g1": "both"}
    entries = play([recount(T0 + 5 * SECOND, 10), tick(T0 + 5 * SECOND), tick(T0 + 6 * SECOND)], engine=engine).entries
    assert [(plan_, to) for _, plan_, to, _ in _seen(entries)][-1] == ("yu", None)
    assert _table(engine) == {"g0": "in", "g1": "both"}


@pytest.mark.parametrize("how", ["calendar", "declared"])
def test_a_case_above_calm_goes_on_until_it_is_calm_though_its_time_is_over(how: str) -> None:
    during = [hours(LOCAL, LOCAL + 60)] if how == "calendar" else []
    rows = [declare(site(stages=MAIN, beside=[_fest("tighten", during)])), recount(T0, 60)]
    rows += [_declare("a", T0 + MINUTE)] if how == "declared" else []
    rows += [tick(T0 + n * 10 * SECOND) for n in range(20)]
    engine = Engine("p00")
    play(rows, engine=engine)
    assert engine.standings["yu"].stages == {"yu": "calm", "fest": "fest-full"}
    play([recount(T0 + 5 * MINUTE, 10), tick(T0 + 5 * MINUTE), tick(T0 + 5 * MINUTE + SECOND)], engine=engine)
    assert engine.standings["yu"].stages == {"yu": "calm"}


def test_a_case_that_is_not_in_force_never_rises_however_many_people_come() -> None:
    engine = Engine("p00")
    entries = play(
        [declare(site(stages=MAIN, beside=[_fest("tighten")])), recount(T0, 500), *(tick(T0 + n * SECOND) for n in range(9))], engine=engine
    ).entries
    assert {b["plan"] for b in bodies(entries, "transition")} == {"yu"}
    assert engine.plans.rank.tolist() == [1, 0]


def test_a_case_that_comes_into_force_over_its_bar_rises_in_that_tick() -> None:
    rows = [declare(site(stages=MAIN, beside=[_fest("tighten")])), recount(T0, 60), tick(T0)]
    entries = play([*rows, _declare("a", T0 + MINUTE, at=T0 + SECOND), tick(T0 + SECOND)]).entries
    assert [(plan_, to) for _, plan_, to, _ in _seen(entries)] == [("yu", "calm"), ("fest", "fest-full")]


def test_a_declared_case_ends_at_its_time() -> None:
    rows = [declare(site(stages=MAIN, beside=[_fest("tighten")])), recount(T0, 0), tick(T0), _declare("a", T0 + 30 * SECOND, at=T0)]
    entries = play([*rows, *(tick(T0 + n * SECOND) for n in range(1, 40))]).entries
    assert _seen(entries)[1:] == [(1, "fest", "fest-calm", "case"), (30, "fest", None, "case_ended")]
    assert [b["tick"] for b in bodies(entries, "incident") if b["what"] == "case_active"] == [T0 + SECOND, T0 + 30 * SECOND]


def test_at_the_end_of_its_declaration_a_case_rises_no_more() -> None:
    rows = [
        declare(site(stages=MAIN, beside=[_fest("tighten")])),
        recount(T0, 0),
        tick(T0),
        _declare("a", T0 + 30 * SECOND),
        tick(T0 + SECOND),
    ]
    engine = Engine("p00")
    play([*rows, recount(T0 + 30 * SECOND, 60), tick(T0 + 30 * SECOND)], engine=engine)
    assert engine.standings["yu"].stages == {"yu": "calm"}


def test_a_declaration_whose_end_is_past_ends_the_one_in_force_and_none_is_refused() -> None:
    rows = [declare(site(stages=MAIN, beside=[_fest("tighten")])), recount(T0, 0), tick(T0), _declare("a", T0), tick(T0 + SECOND)]
    rows += [_declare("b", T0 + MINUTE), tick(T0 + 2 * SECOND), _declare("c", T0), tick(T0 + 3 * SECOND)]
    entries = play([*rows, _declare("d", T0 + MINUTE, "yu"), _declare("e", T0 + MINUTE, "moon"), tick(T0 + 4 * SECOND)]).entries
    assert [b["accepted"] for b in bodies(entries, "action") if b["type"] == "override"] == [False, True, True, False, False]
    assert _seen(entries)[1:] == [(2, "fest", "fest-calm", "case"), (3, "fest", None, "case")]


def test_a_question_of_the_main_plan_is_withdrawn_when_a_case_replaces_it_and_asked_again_after_it() -> None:
    main = [stage("calm"), stage("busy", [term(100, 80)], confirm={"rise": asked(), "fall": asked()}, gates={"g0": "out"})]
    quiet = _fest(stages=[stage("fest-calm", gates=BOTH)])
    rows = [declare(site(stages=main, beside=[quiet])), recount(T0, 150), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND)]
    rows += [_declare("b", T0), tick(T0 + 2 * SECOND)]
    told = [((b["tick"] - T0) // SECOND, b["state"]) for b in bodies(play(rows).entries, "incident") if b["what"] == "confirmation_needed"]
    assert told == [(0, "raised"), (1, "cleared"), (2, "raised")]


def test_two_cases_at_once_are_combined_by_least_in_and_most_out() -> None:
    one = plan("a", [stage("a-calm", gates={"g0": "in", "g1": "both"})], case=case("replace"))
    two = plan("b", [stage("b-calm", gates={"g0": "out"})], case=case("tighten"))
    engine = Engine("p00")
    rows = [
        declare(site(stages=MAIN, beside=[one, two])),
        recount(T0, 0),
        tick(T0),
        _declare("x", T0 + MINUTE, "a"),
        _declare("y", T0 + MINUTE, "b"),
    ]
    play([*rows, tick(T0 + SECOND)], engine=engine)
    assert _table(engine) == {"g0": "out", "g1": "both"}


# -- documents and restarts ------------------------------------------------------------------------------------------------------------


def test_a_case_that_the_documents_drop_is_over_and_comes_back_no_calmer() -> None:
    with_case, without = site(stages=MAIN, beside=[_fest("tighten")]), site(stages=MAIN)
    engine = Engine("p00")
    rows = [
        declare(with_case),
        recount(T0, 60),
        tick(T0),
        _declare("a", T0 + 60 * MINUTE),
        tick(T0 + SECOND),
        declare(without),
        tick(T0 + 2 * SECOND),
    ]
    entries = play(rows, engine=engine).entries
    assert engine.standings["yu"].stages == {"yu": "calm"}
    assert engine.standings["yu"].cases_held == {}
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "case_active"] == ["raised", "cleared"]
    play([declare(with_case), tick(T0 + 3 * SECOND)], engine=engine)
    assert engine.standings["yu"].stages == {"yu": "calm", "fest": "fest-full"}


def test_a_declared_case_stays_when_its_document_changes() -> None:
    one, two = (site(stages=MAIN, beside=[_fest("tighten", gates=g)]) for g in ({"g0": "in"}, {"g1": "in"}))
    engine = Engine("p00")
    rows = [declare(one), recount(T0, 0), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND), declare(two), tick(T0 + 2 * SECOND)]
    entries = play(rows, engine=engine).entries
    assert engine.standings["yu"].stages == {"yu": "calm", "fest": "fest-calm"}
    assert _table(engine) == {"g0": "both", "g1": "both"}
    assert len([b for b in bodies(entries, "incident") if b["what"] == "case_active"]) == 1


def test_a_case_that_becomes_the_main_plan_is_no_declared_case_any_more() -> None:
    other = plan("feast", [stage("feast-calm", gates={"g0": "out"})], case=case("tighten"))
    new = site(stages=MAIN, beside=[other])
    new["plans"][0]["plan"] = "fest"
    rows = [declare(site(stages=MAIN, beside=[_fest("tighten")])), recount(T0, 0), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND)]
    engine = Engine("p00")
    play([*rows, declare(new), tick(T0 + 2 * SECOND), tick(T0 + 3 * SECOND)], engine=engine)
    assert engine.standings["yu"].stages == {"fest": "calm"}


def test_a_case_that_becomes_the_main_plan_leaves_no_word_of_the_hold_that_it_had_beside_one() -> None:
    fest = _fest()
    old = site(stages=MAIN, beside=[fest])
    new = old | {"plans": [fest | {"case": None}]}
    held = act(T0, "h", "override", plan="fest", stage="fest-full", until_us=T0 + 60 * MINUTE)
    entries = play([declare(old), recount(T0, 0), held, tick(T0), declare(new), tick(T0 + SECOND)]).entries
    found = [(b["subject"], b["state"]) for b in bodies(entries, "incident") if b["what"] == "override_active"]
    assert ("stage:fest", "cleared") in found
    assert found[-1] != ("stage:fest", "raised")


def test_a_resting_main_plan_rests_also_in_the_tick_of_another_sites_new_document() -> None:
    """A case replaces the main plan at yu; a document of another site comes with an override that only the case allows."""
    gates = {"g0": "out", "g1": "out"}
    yu = site(stages=[stage("calm", gates={"g0": "in", "g1": "out"})], beside=[_fest(gates=gates)], egress_min_per_min=50)
    other, changed = (site("zz", stages=[stage("calm")], title={"zh": t, "en": t}) for t in ("one", "two"))
    rows = [declare(yu), declare(other), recount(T0, 0), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND)]
    held = act(T0 + 2 * SECOND, "b", "override", gate="g1", mode="in", until_us=T0 + MINUTE)
    plain = play([*rows, held, tick(T0 + 2 * SECOND)]).entries
    beside = play([*rows, declare(changed, T0 + 2 * SECOND), held, tick(T0 + 2 * SECOND)]).entries
    said = [[b["refused"] for b in bodies(entries, "action", "yu")][-1] for entries in (plain, beside)]
    assert said == [None, None]


def test_a_gate_override_is_judged_by_the_cases_in_force_also_in_the_tick_of_a_new_document() -> None:
    """The case asks that g0 leads out; with g1 held inward too little would lead out without it."""
    one, two = (site(stages=MAIN, beside=[_fest(gates={"g0": "out", "g1": "both"})], title={"zh": t, "en": t}) for t in ("one", "two"))
    rows = [declare(one), recount(T0, 0), tick(T0), _declare("a", T0 + MINUTE), tick(T0 + SECOND)]
    held = act(T0 + 2 * SECOND, "b", "override", gate="g1", mode="in", until_us=T0 + MINUTE)
    plain = play([*rows, held, tick(T0 + 2 * SECOND)]).entries
    changed = play([*rows, declare(two), held, tick(T0 + 2 * SECOND)]).entries
    assert [b["refused"] for b in bodies(changed, "action")] == [b["refused"] for b in bodies(plain, "action")]


@pytest.mark.slow
@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_cases_come_and_go_alike_whenever_the_engine_is_stored(seed: int) -> None:
    dice = random.Random(seed)
    fest = _fest(dice.choice(["replace", "tighten"]), dice.choice([[], [hours(LOCAL + 60, LOCAL + 240)]]), gates=BOTH)
    document = site(stages=MAIN, beside=[fest], counters=[counter("c0")], gates=[gate("g0"), gate("g1")])
    engines = [Engine("p00"), Engine("p00")]
    rows: list[Any] = [declare(document), recount(T0, 0)]
    offset, now = 0, T0
    for n in range(60):
        rows.append(delta(now, dice.randrange(20), dice.randrange(18), ordinal=n))
        if dice.random() < 0.15:
            rows.append(_declare(f"a{n}", now + dice.choice([-1, 5, 60]) * SECOND, at=now))
        if dice.random() < 0.05:
            document = document | {"title": {"zh": f"{n}", "en": f"{n}"}}
            rows.append(declare(document, now))
        rows.append(tick(now))
        made = [play(rows, engine=engine, first=offset) for engine in engines]
        assert made[0] == made[1]
        offset, rows, now = offset + len(rows), [], now + dice.choice([1, 5, 20]) * SECOND
        engines[1] = stored(engines[1])
