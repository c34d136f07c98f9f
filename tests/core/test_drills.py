"""Drills: a stage exercised on the gates that are marked for it, which never loosens anything and yields to what is real."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.gates import Setting, violations
from flowwatch.core.readings import SECOND
from tests.core.stories import lawful_tables
from tests.core.world import (
    T0,
    Document,
    Row,
    act,
    asked,
    bodies,
    case,
    counter,
    declare,
    delta,
    gate,
    plan,
    play,
    recount,
    site,
    stage,
    stages_seen,
    stored,
    term,
    tick,
    zone,
)

MINUTE = 60 * SECOND
GATES = [gate("g0", drill=True), gate("g1"), gate("g2", drill=True)]
STAGES = [
    stage("calm"),
    stage("busy", [term(100, 80)], SECOND, gates={"g0": "out", "g1": "metered 20/min both"}),
    stage("full", [term(200, 180)], SECOND, gates={"g0": "out", "g1": "out", "g2": "out"}),
]
PLACE = site(stages=STAGES, gates=GATES)


def _drill(at: int, name: str = "d1", stage_name: str = "full", until: int = T0 + 30 * SECOND) -> Row:
    return act(at, name, "drill", stage=stage_name, until_us=until)


def _begun(document: Document = PLACE, inside: int = 0, stage_name: str = "full") -> tuple[Engine, Any]:
    """An engine at whose site a drill was asked for after the first tick, and what it said from then on."""
    engine = Engine("p00")
    play([declare(document), recount(T0, inside), tick(T0)], engine=engine)
    return engine, play([_drill(T0 + SECOND, stage_name=stage_name), tick(T0 + SECOND)], engine=engine, first=3).entries


def _table(engine: Engine) -> dict[str, str]:
    return {name: text for name, (text, _) in engine.standings["yu"].gates.items()}


def _incidents(entries: Any, what: str = "drill_active") -> list[tuple[int, str]]:
    return [((b["tick"] - T0) // SECOND, b["state"]) for b in bodies(entries, "incident") if b["what"] == what]


def test_a_drill_moves_only_the_gates_that_are_marked_and_says_on_each_that_it_is_one() -> None:
    engine, entries = _begun()
    assert [(b["gate"], b["setting"], b["drill"], b["reason"], b["stage"], b["action"]) for b in bodies(entries, "command")] == [
        ("g0", "out", True, "drill", "calm", "d1"),
        ("g2", "out", True, "drill", "calm", "d1"),
    ]
    assert stages_seen(entries) == []
    assert _incidents(entries) == [(1, "raised")]
    assert engine.standings["yu"].stages == {"yu": "calm"}


def test_a_drill_ends_at_its_time_and_the_gates_go_back() -> None:
    engine, _ = _begun()
    entries = play([*(tick(T0 + n * SECOND) for n in range(2, 40))], engine=engine).entries
    assert [((b["tick"] - T0) // SECOND, b["gate"], b["setting"], b["drill"], b["reason"]) for b in bodies(entries, "command")] == [
        (30, "g0", "both", False, "drill_ended"),
        (30, "g2", "both", False, "drill_ended"),
    ]
    assert _incidents(entries) == [(30, "cleared")]


def test_a_drill_is_ended_by_a_record_whose_end_is_past_and_without_one_that_is_refused() -> None:
    engine, _ = _begun()
    rows = [_drill(T0 + 5 * SECOND, "d2", until=T0), tick(T0 + 5 * SECOND), _drill(T0 + 6 * SECOND, "d3", until=T0), tick(T0 + 6 * SECOND)]
    entries = play(rows, engine=engine).entries
    assert [b["accepted"] for b in bodies(entries, "action")] == [True, False]
    assert _table(engine) == dict.fromkeys(["g0", "g1", "g2"], "both")
    assert _incidents(entries) == [(5, "cleared")]


@pytest.mark.parametrize("how", ["by itself", "confirmed", "unanswered"])
def test_a_real_rise_ends_a_drill(how: str) -> None:
    rise = {"by itself": None, "confirmed": asked(), "unanswered": asked(within=5 * SECOND, otherwise="apply")}[how]
    confirm = {"rise": rise or STAGES[1]["confirm"]["rise"], "fall": STAGES[1]["confirm"]["fall"]}
    engine, _ = _begun(site(stages=[STAGES[0], STAGES[1] | {"confirm": confirm}, STAGES[2]], gates=GATES))
    rows = [recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND)]
    if how == "confirmed":
        rows += [act(T0 + 3 * SECOND, "yes", "confirm", incident="yu-i2", answer="yes")]
    entries = play([*rows, *(tick(T0 + n * SECOND) for n in range(3, 9))], engine=engine).entries
    at = {"by itself": 2, "confirmed": 3, "unanswered": 7}[how]
    assert _incidents(entries) == [(at, "cleared")]
    assert _table(engine) == {"g0": "out", "g1": "metered 20/min both", "g2": "both"}
    assert engine.standings["yu"].drill is None


def test_a_drill_of_a_stage_that_is_already_real_or_calmer_is_refused() -> None:
    for wanted in ("calm", "busy"):
        _, entries = _begun(inside=150, stage_name=wanted)
        assert [b["refused"] for b in bodies(entries, "action")] == [f'the real stage "busy" is no calmer than "{wanted}"']
        assert bodies(entries, "command") == []


@pytest.mark.parametrize(
    ("document", "wanted", "said"),
    [
        (site(gates=GATES), "full", "the site has no plan"),
        (PLACE, "panic", 'no stage "panic"'),
        (site(stages=STAGES, gates=[gate("g0"), gate("g1"), gate("g2")]), "full", "no gate of the site is marked for drills"),
    ],
)
def test_a_drill_that_cannot_be_is_refused_with_the_reason(document: Document, wanted: str, said: str) -> None:
    _, entries = _begun(document, stage_name=wanted)
    assert [b["refused"] for b in bodies(entries, "action")] == [said]


def test_a_drill_tightens_what_an_operator_holds_and_never_loosens_it() -> None:
    engine = Engine("p00")
    held = [
        act(T0, f"h{g}", "override", gate=g, mode=m, until_us=T0 + 60 * MINUTE) for g, m in (("g0", "metered 5/min both"), ("g2", "out"))
    ]
    mild = [STAGES[0], stage("busy", [term(100, 80)], gates={"g0": "metered 20/min both", "g2": "metered 9/min both"})]
    play([declare(site(stages=mild, gates=GATES)), recount(T0, 0), tick(T0), *held, tick(T0 + SECOND)], engine=engine)
    play([_drill(T0 + 2 * SECOND, stage_name="busy"), tick(T0 + 2 * SECOND)], engine=engine)
    assert _table(engine) == {"g0": "metered 5/min both", "g1": "both", "g2": "out"}


@pytest.mark.parametrize("first", ["case", "drill"])
def test_a_drill_while_a_case_replaces_the_main_plan_exercises_the_main_plans_stage(first: str) -> None:
    fest = plan("fest", [stage("fest-calm", gates={"g0": "both", "g1": "out", "g2": "both"})], case=case("replace"))
    engine = Engine("p00")
    play([declare(site(stages=STAGES, gates=GATES, beside=[fest])), recount(T0, 0), tick(T0)], engine=engine)
    both = [act(T0, "c", "override", case="fest", until_us=T0 + MINUTE), _drill(T0)]
    for n, row in enumerate(both if first == "case" else both[::-1], 1):
        play([row, tick(T0 + n * SECOND)], engine=engine)
    play([tick(T0 + 3 * SECOND)], engine=engine)
    assert _table(engine) == {"g0": "out", "g1": "out", "g2": "out"}


# -- documents -------------------------------------------------------------------------------------------------------------------------


def test_a_document_that_takes_the_mark_from_a_gate_takes_the_drill_from_it() -> None:
    engine, _ = _begun()
    play([declare(site(stages=STAGES, gates=[gate("g0"), gate("g1"), gate("g2", drill=True)])), tick(T0 + 2 * SECOND)], engine=engine)
    assert _table(engine) == {"g0": "both", "g1": "both", "g2": "out"}


def test_a_document_without_the_exercised_stage_ends_the_drill_and_another_keeps_it() -> None:
    engine, _ = _begun()
    play([declare(site(stages=STAGES, gates=GATES, egress_min_per_min=40)), tick(T0 + 2 * SECOND)], engine=engine)
    assert _table(engine) == {"g0": "out", "g1": "both", "g2": "out"}
    entries = play([declare(site(stages=STAGES[:2], gates=GATES)), tick(T0 + 3 * SECOND)], engine=engine).entries
    assert _table(engine) == dict.fromkeys(["g0", "g1", "g2"], "both")
    assert _incidents(entries) == [(3, "cleared")]


def test_a_document_without_a_plan_ends_the_drill() -> None:
    engine, _ = _begun()
    entries = play([declare(site(gates=GATES)), tick(T0 + 2 * SECOND)], engine=engine).entries
    assert _incidents(entries) == [(2, "cleared")]


# -- properties ------------------------------------------------------------------------------------------------------------------------


def _told(bodies_: list[Document]) -> list[Document]:
    """Transitions as they would be told without a drill: neither the names of records nor chains tell of it."""
    return [{k: b[k] for k in ("tick", "plan", "from", "to", "planned")} for b in bodies_]


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_beside_a_drill_everything_real_goes_on_and_each_gate_lets_in_no_more_and_out_no_less(seed: int) -> None:
    """Two engines with the same day, one with drills in it: the same stages, and gates that are only tighter, and only marked ones."""
    dice = random.Random(seed)
    gates = [gate("g0", drill=True), gate("g1", to="hall", drill=dice.random() < 0.5), gate("g2", lanes=6, drill=dice.random() < 0.5)]
    shape = site(zones=[zone(), zone("hall")], gates=gates, counters=[counter("c0"), counter("c1", gate="g1")])
    tables = lawful_tables(dice, shape, 4)
    stages = [stage(f"s{i}", [term(30 * i, 30 * i - 10)] if i else [], SECOND, gates=t) for i, t in enumerate(tables)]
    document = site(stages=stages, **{k: shape[k] for k in ("zones", "gates", "counters")})
    lanes = {g["gate"]: float(g["lanes"] * g["lane_per_min"]) for g in gates}
    real, drilled = Engine("p00"), Engine("p00")
    rows: list[Row] = [declare(document), recount(T0, 0), recount(T0, 0, "hall")]
    now, offset, told = T0, 0, ([], [])  # type: tuple[int, int, tuple[list[Document], list[Document]]]
    for n in range(70):
        drills = (
            [_drill(now, f"d{n}", f"s{dice.randrange(4)}", now + dice.choice([-1, 5, 40, 400]) * SECOND)] if dice.random() < 0.2 else []
        )
        rows += [delta(now, dice.randrange(9), dice.randrange(8), c, ordinal=n) for c in (0, 1)]
        if dice.random() < 0.1:
            held = dice.choice(["out", "both", "metered 9/min both", "in"])
            rows.append(act(now, f"o{n}", "override", gate=dice.choice(list(lanes)), mode=held, until_us=now + 20 * SECOND))
        for engine, more, transitions in ((real, [], told[0]), (drilled, drills, told[1])):
            transitions.extend(bodies(play([*rows, *more, tick(now)], engine=engine, first=offset).entries, "transition"))
        offset, rows, now = offset + len(rows) + 9, [], now + dice.choice([1, 1, 5, 20]) * SECOND
        before, after = _table(real), _table(drilled)
        assert violations(document, after) == []
        for g in gates:
            was, is_ = Setting.parse(before[g["gate"]]), Setting.parse(after[g["gate"]])
            assert was == is_ or (g["drill"] and drilled.standings["yu"].drill is not None)
            assert is_.ingress_per_min(lanes[g["gate"]]) <= was.ingress_per_min(lanes[g["gate"]])
            assert is_.egress_per_min(lanes[g["gate"]]) >= was.egress_per_min(lanes[g["gate"]])
        if dice.random() < 0.1:
            drilled = stored(drilled)
    assert _told(told[0]) == _told(told[1])
