"""A fire: every gate leads out until a person says that it is over, whatever plans, operators, documents and restarts do meanwhile."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.engine import Engine
from flowwatch.core.gates import fire_table, violations
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    Row,
    act,
    bodies,
    case,
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
GATES = [
    gate("g0", drill=True),
    gate("g1"),
    gate("g2", entrance_only=True, on_lost="closed"),
    gate("inner", **{"from": "mall", "to": "hall"}),
]
STAGES = [stage("calm"), stage("busy", [term(100, 80)], SECOND, gates={"g0": "out", "g2": "closed"})]
FEST = plan("fest", [stage("fest-calm", gates={"g1": "metered 5/min both"})], case=case("tighten"))
PLACE = site(stages=STAGES, gates=GATES, zones=[zone(), zone("hall")], beside=[FEST])
FIRE = {"g0": "out", "g1": "out", "g2": "closed", "inner": "both"}


def _fire(at: int, name: str, state: str = "on") -> Row:
    return act(at, name, "fire", state=state)


def _table(engine: Engine) -> dict[str, str]:
    return {name: text for name, (text, _) in engine.standings["yu"].gates.items() if text}


def _burning(document: Document = PLACE, inside: int = 0) -> tuple[Engine, Any]:
    engine = Engine("p00")
    play([declare(document), recount(T0, inside), tick(T0)], engine=engine)
    return engine, play([_fire(T0 + SECOND, "f1"), tick(T0 + SECOND)], engine=engine, first=3).entries


def test_a_fire_turns_every_gate_at_once_and_is_told_under_the_highest_level() -> None:
    engine, entries = _burning()
    assert _table(engine) == FIRE == fire_table(PLACE)
    assert violations(PLACE, FIRE) == []
    assert [(b["gate"], b["setting"], b["reason"], b["action"], b["drill"]) for b in bodies(entries, "command")] == [
        ("g0", "out", "fire", "f1", False),
        ("g1", "out", "fire", "f1", False),
        ("g2", "closed", "fire", "f1", False),
        ("inner", "both", "fire", "f1", False),
    ]
    assert [(b["subject"], b["level"], b["reason"], b["state"]) for b in bodies(entries, "incident") if b["what"] == "fire"] == [
        ("fire", "I", "f1", "raised")
    ]


def test_the_end_of_a_fire_gives_the_gates_back_to_the_stage_that_is_real_then() -> None:
    engine, _ = _burning()
    entries = play(
        [recount(T0 + 5 * SECOND, 150), tick(T0 + 5 * SECOND), _fire(T0 + 9 * SECOND, "f2", "off"), tick(T0 + 9 * SECOND)], engine=engine
    ).entries
    assert [to for _, _, to, _ in stages_seen(entries)] == ["busy"]
    assert _table(engine) == {"g0": "out", "g1": "both", "g2": "closed", "inner": "both"}
    assert [(b["gate"], b["reason"]) for b in bodies(entries, "command")] == [(name, "fire_ended") for name in FIRE]
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "fire"] == ["cleared"]


def test_a_stage_that_rises_in_the_tick_of_a_fire_leaves_the_fire_to_speak() -> None:
    engine = Engine("p00")
    play([declare(PLACE), recount(T0, 0), tick(T0)], engine=engine)
    entries = play([recount(T0 + SECOND, 150), _fire(T0 + SECOND, "f1"), tick(T0 + SECOND)], engine=engine).entries
    assert {b["reason"] for b in bodies(entries, "command")} == {"fire"}
    assert [(to, why) for _, _, to, why in stages_seen(entries)] == [("busy", "rise")]


@pytest.mark.parametrize("order", [0, 1])
def test_a_fire_and_another_record_in_one_tick_are_a_fire_in_either_order(order: int) -> None:
    engine = Engine("p00")
    play([declare(PLACE), recount(T0, 0), tick(T0)], engine=engine)
    rows = [_fire(T0, "f1"), act(T0, "o1", "override", gate="g1", mode="metered 3/min both", until_us=T0 + MINUTE)]
    entries = play([*(rows if order else rows[::-1]), tick(T0 + SECOND)], engine=engine).entries
    assert _table(engine) == FIRE
    assert {(b["reason"], b["action"]) for b in bodies(entries, "command")} == {("fire", "f1")}


def test_a_fire_ends_a_drill_and_nobody_drills_in_a_fire() -> None:
    engine = Engine("p00")
    play(
        [declare(PLACE), recount(T0, 0), tick(T0), act(T0, "d", "drill", stage="busy", until_us=T0 + MINUTE), tick(T0 + SECOND)],
        engine=engine,
    )
    rows = [
        _fire(T0 + 2 * SECOND, "f1"),
        tick(T0 + 2 * SECOND),
        act(T0, "d2", "drill", stage="busy", until_us=T0 + MINUTE),
        tick(T0 + 3 * SECOND),
    ]
    entries = play([*rows, _fire(T0, "f2", "off"), tick(T0 + 4 * SECOND)], engine=engine).entries
    assert [b["refused"] for b in bodies(entries, "action")] == [None, "a fire is reported: nobody drills now", None]
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "drill_active"] == ["cleared"]
    assert _table(engine)["g0"] == "both"


def test_a_refused_end_of_a_fire_changes_nothing() -> None:
    """There is no fire, but a drill: it goes on, and is told until it ends."""
    engine = Engine("p00")
    play(
        [declare(PLACE), recount(T0, 0), tick(T0), act(T0, "d", "drill", stage="busy", until_us=T0 + 30 * SECOND), tick(T0 + SECOND)],
        engine=engine,
    )
    entries = play([_fire(T0, "f", "off"), *(tick(T0 + n * SECOND) for n in range(2, 40))], engine=engine).entries
    assert [b["refused"] for b in bodies(entries, "action")] == ["no fire is reported"]
    assert [((b["tick"] - T0) // SECOND, b["state"]) for b in bodies(entries, "incident") if b["what"] == "drill_active"] == [
        (30, "cleared")
    ]
    assert _table(engine)["g0"] == "both"


def test_a_second_report_of_a_fire_is_taken_and_one_end_ends_both() -> None:
    engine, _ = _burning()
    entries = play([_fire(T0, "f2"), tick(T0 + 2 * SECOND), _fire(T0, "f3", "off"), tick(T0 + 3 * SECOND)], engine=engine).entries
    assert all(b["accepted"] for b in bodies(entries, "action"))
    assert [b["state"] for b in bodies(entries, "incident") if b["what"] == "fire"] == ["updated", "cleared"]
    assert _table(engine) == {"g0": "both", "g1": "both", "g2": "in", "inner": "both"}


def test_a_fire_at_a_site_without_a_plan_turns_its_gates_too() -> None:
    engine, entries = _burning(site(gates=GATES, zones=[zone(), zone("hall")]))
    assert _table(engine) == FIRE
    assert [b["what"] for b in bodies(entries, "incident") if b["state"] == "raised"] == ["fire"]


def test_a_fire_outlives_documents_also_those_that_bring_gates_or_take_the_plan() -> None:
    engine, _ = _burning()
    grown = site(stages=STAGES, gates=[*GATES, gate("g9")], zones=[zone(), zone("hall")])
    for n, document in enumerate([grown, site(gates=GATES, zones=[zone(), zone("hall")]), PLACE], 2):
        play([declare(document), tick(T0 + n * SECOND)], engine=engine)
        assert _table(engine) == fire_table(document)
        assert engine.standings["yu"].fire == "f1"


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_until_a_person_ends_it_a_fire_holds_against_everything(seed: int) -> None:
    dice = random.Random(seed)
    engine, _ = _burning()
    offset, now, open_ = 5, T0 + SECOND, True
    for n in range(60):
        now += dice.choice([1, 5, 30, 200]) * SECOND
        until = now + dice.choice([-5, 3, 60, 900]) * SECOND
        rows: list[Row] = [delta(now, dice.randrange(30), dice.randrange(25), ordinal=n)]
        match dice.randrange(9):
            case 0 | 1:
                mode = dice.choice(["in", "both", "closed", "metered 9/min", "wave in 5s out 5s"])
                rows.append(act(now, f"a{n}", "override", gate=dice.choice(list(FIRE)), mode=mode, until_us=until))
            case 2:
                rows.append(act(now, f"a{n}", "override", stage=dice.choice(["calm", "busy"]), until_us=until))
            case 3:
                rows.append(act(now, f"a{n}", "override", case="fest", until_us=until))
            case 4:
                rows.append(act(now, f"a{n}", "drill", stage="busy", until_us=until))
            case 5:
                rows.append(recount(now, dice.randrange(300), dice.choice(["mall", "hall"])))
            case 6:
                rows.append(declare(PLACE | {"title": {"zh": f"{n}", "en": f"{n}"}}, now))
            case 7:
                rows.append(_fire(now, f"a{n}"))
            case _:
                rows.append(act(now, f"a{n}", "confirm", incident=f"yu-i{dice.randrange(1, 9)}"))
        entries = play([*rows, tick(now)], engine=engine, first=offset).entries
        offset += len(rows) + 1
        assert _table(engine) == FIRE
        assert bodies(entries, "command") == []
        open_ &= not [b for b in bodies(entries, "incident") if b["what"] == "fire" and b["state"] == "cleared"]
        if dice.random() < 0.3:
            engine = stored(engine)
    assert open_
    play([_fire(now, "over", "off"), tick(now + SECOND)], engine=engine)
    assert engine.standings["yu"].fire is None
