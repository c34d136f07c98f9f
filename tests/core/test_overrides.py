"""Operators between plan and gates: what they may hold, for how long, and what is refused them with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND
from tests.core.audit import check_journal
from tests.core.world import T0, Document, Row, act, bodies, declare, gate, play, recount, site, stage, stages_seen, stored, term, tick

STAGES = [
    stage("calm"),
    stage("busy", [term(100, 80)], SECOND, gates={"g0": "out", "g1": "both"}),
    stage("shut", [term(200, 150)], SECOND, gates={"g0": "out", "g1": "out"}),
]
"""Capacity out 100, 150 and 200 persons/min."""
PLACE = site(stages=STAGES, egress_min_per_min=90)
UNTIL = T0 + 60 * SECOND


def _hold(name: str, at: int = T0, until: int = UNTIL, **what: Any) -> Row:
    return act(at, name, "override", until_us=until, **what)


def _told(rows: list[Row], document: Document = PLACE, inside: int = 0) -> Any:
    """The entries of a day that begins with so many inside, checked."""
    all_rows = [declare(document), recount(T0, inside), tick(T0), *rows]
    out = play(all_rows)
    check_journal(all_rows, out)
    return out.entries


def _modes(entries: Any) -> dict[str, str]:
    return {b["gate"]: b["mode"] for b in bodies(entries, "command")}


@pytest.mark.parametrize(
    ("inside", "asked", "said"),
    [
        (0, {"gate": "g0", "mode": "in"}, "egress capacity would be 50 persons/min, expected at least egress_min_per_min 90"),
        (0, {"gate": "g0", "mode": "closed"}, 'gate "g0" would be closed to people leaving'),
        (300, {"gate": "g1", "mode": "in"}, "egress capacity would be 100 persons/min, expected at least the calmer stage's 150"),
        (0, {"gate": "g7", "mode": "out"}, 'no gate "g7"'),
        (0, {"stage": "panic"}, 'no stage "panic"'),
    ],
)
def test_an_override_that_cannot_be_is_refused_with_the_reason(inside: int, asked: Document, said: str) -> None:
    entries = _told([_hold("o1", **asked), tick(T0 + SECOND)], inside=inside)
    action = bodies(entries, "action")[-1]
    assert not action["accepted"]
    assert said in action["refused"]
    assert [b["tick"] for b in bodies(entries, "command")] == [T0, T0]


def test_an_override_that_would_take_the_only_way_out_is_refused() -> None:
    document = site(stages=[stage("calm")], gates=[gate("g0"), gate("g1", entrance_only=True)])
    action = bodies(_told([_hold("o1", gate="g0", mode="in"), tick(T0 + SECOND)], document), "action")[-1]
    assert 'zone "mall" would have no way out' in action["refused"]


def test_an_emergency_gate_is_never_closed_to_people_leaving() -> None:
    document = site(stages=[stage("calm")], gates=[gate("g0", emergency=True), gate("g1", lanes=9)])
    action = bodies(_told([_hold("o1", gate="g0", mode="in"), tick(T0 + SECOND)], document), "action")[-1]
    assert action["refused"] == 'emergency gate "g0" would be "in", expected a mode that lets people leave'


def test_a_second_override_is_judged_together_with_the_first() -> None:
    rows = [_hold("o1", gate="g0", mode="out"), _hold("o2", gate="g1", mode="in"), tick(T0 + SECOND)]
    assert [b["accepted"] for b in bodies(_told(rows), "action")] == [True, True, True]
    assert [b["accepted"] for b in bodies(_told(rows[::-1][1:] + rows[2:]), "action")] == [True, False, True]


def test_an_override_that_stands_only_on_another_is_lifted_when_that_one_ends() -> None:
    rows = [_hold("o1", gate="g0", mode="out", until=T0 + 9 * SECOND), _hold("o2", gate="g1", mode="in"), tick(T0 + SECOND)]
    entries = _told([*rows, tick(T0 + 8 * SECOND), tick(T0 + 9 * SECOND)])
    assert _modes(entries) == {"g0": "both", "g1": "both"}
    assert ("invariant_broken", "g1", "raised") in [(b["what"], b["subject"], b["state"]) for b in bodies(entries, "incident")]


def test_a_gate_follows_its_override_until_it_ends_and_then_the_plan_again() -> None:
    entries = _told([_hold("o1", gate="g1", mode="out"), *(tick(T0 + i * SECOND) for i in (1, 30, 59, 60, 61))])
    commands = [(b["tick"], b["gate"], b["mode"], b["reason"], b["action"], b["revision"]) for b in bodies(entries, "command")[2:]]
    assert commands == [(T0 + SECOND, "g1", "out", "override", "o1", 2), (UNTIL, "g1", "both", "override_ended", None, 3)]
    incidents = [(b["tick"], b["subject"], b["state"]) for b in bodies(entries, "incident") if b["what"] == "override_active"]
    assert incidents == [(T0 + SECOND, "g1", "raised"), (UNTIL, "g1", "cleared")]


def test_a_held_stage_moves_the_gates_while_the_plan_runs_on_beneath() -> None:
    rows = [_hold("o1", stage="calm"), tick(T0 + SECOND), recount(T0 + 2 * SECOND, 300), tick(T0 + 2 * SECOND), tick(UNTIL)]
    entries = _told(rows, inside=150)
    assert stages_seen(entries) == [
        (T0, None, "busy", "rise"),
        (T0 + SECOND, "busy", "calm", "override"),
        (UNTIL, "calm", "shut", "override_ended"),
    ]
    stage_incidents = [(b["tick"], b["state"], b["reason"]) for b in bodies(entries, "incident") if b["what"] == "stage"]
    assert stage_incidents == [(T0, "raised", "busy"), (T0 + 2 * SECOND, "updated", "shut")]
    held = [(b["tick"], b["subject"], b["state"]) for b in bodies(entries, "incident") if b["what"] == "override_active"]
    assert held == [(T0 + SECOND, "stage", "raised"), (T0 + 2 * SECOND, "stage", "updated"), (UNTIL, "stage", "cleared")]


def test_a_new_override_with_its_end_in_the_past_ends_the_one_in_force() -> None:
    rows = [_hold("o1", stage="shut"), tick(T0 + SECOND), _hold("o2", stage="shut", until=T0), tick(T0 + 2 * SECOND)]
    assert [(to, why) for _, _, to, why in stages_seen(_told(rows))] == [("calm", "start"), ("shut", "override"), ("calm", "override")]


def test_an_override_that_the_risen_stage_does_not_allow_is_lifted_under_an_incident() -> None:
    document = site(stages=[STAGES[0], STAGES[2]], egress_min_per_min=40)
    rows = [_hold("o1", gate="g0", mode="in"), tick(T0 + SECOND), recount(T0 + 2 * SECOND, 300), tick(T0 + 2 * SECOND)]
    assert _modes(_told(rows[:2], document)) == {"g0": "in", "g1": "both"}
    broken = site(stages=[STAGES[0], STAGES[2]], egress_min_per_min=40, gates=[gate("g0"), gate("g1", lanes=1)])
    entries = _told(rows, broken)
    assert bodies(entries, "action")[1]["refused"] is not None
    rows[0] = _hold("o1", gate="g1", mode="in")
    entries = _told(rows, broken)
    assert bodies(entries, "action")[1]["accepted"]
    assert _modes(entries) == {"g0": "out", "g1": "in"}


def test_overrides_outlive_a_restart() -> None:
    engine = Engine("p00")
    play([declare(PLACE), recount(T0, 0), tick(T0), _hold("o1", gate="g1", mode="out"), tick(T0 + SECOND)], engine=engine)
    again = stored(engine)
    assert play([tick(UNTIL)], engine=again, first=5) == play([tick(UNTIL)], engine=engine, first=5)


def test_the_same_record_twice_applies_once() -> None:
    rows = [
        _hold("o1", gate="g1", mode="out"),
        _hold("o1", gate="g1", mode="out"),
        tick(T0 + SECOND),
        _hold("o1", gate="g1", mode="both"),
        tick(T0 + 2 * SECOND),
    ]
    entries = _told([*rows, tick(T0 + 90 * SECOND)])
    assert len(bodies(entries, "action")) == 2
    refusals = [b["counts"] for e in (bodies(entries, "refusals"),) for b in e]
    assert refusals == [{"duplicate": 2}]


# -- documents beneath overrides -------------------------------------------------------------------------------------------------------


def test_an_override_of_a_gate_that_the_site_no_longer_has_is_over() -> None:
    small = site(stages=STAGES, gates=[gate("g0")], egress_min_per_min=40)
    entries = _told([_hold("o1", gate="g1", mode="out"), tick(T0 + SECOND), declare(small), tick(T0 + 2 * SECOND), tick(UNTIL)])
    states = [b["state"] for b in bodies(entries, "incident") if b["what"] == "override_active"]
    assert states == ["raised", "cleared"]


def test_an_incident_about_a_lifted_override_ends_with_its_gate() -> None:
    small = site(stages=STAGES, gates=[gate("g0")], egress_min_per_min=40)
    rows = [
        _hold("o1", gate="g0", mode="out", until=T0 + 9 * SECOND),
        _hold("o2", gate="g1", mode="in"),
        tick(T0 + SECOND),
        tick(T0 + 9 * SECOND),
    ]
    entries = _told([*rows, declare(small), tick(T0 + 10 * SECOND)])
    states = [b["state"] for b in bodies(entries, "incident") if b["what"] == "invariant_broken"]
    assert states == ["raised", "cleared"]


def test_without_a_plan_no_stage_and_no_override_stands() -> None:
    rows = [_hold("o1", gate="g1", mode="out"), tick(T0 + SECOND), declare(site()), tick(T0 + 2 * SECOND), tick(UNTIL)]
    states = [(b["what"], b["state"]) for b in bodies(_told(rows, inside=150), "incident")]
    assert states == [("stage", "raised"), ("override_active", "raised"), ("stage", "cleared"), ("override_active", "cleared")]


def test_a_gate_that_leaves_the_site_and_comes_back_goes_on_counting_its_commands() -> None:
    small = site(stages=STAGES, gates=[gate("g0")], egress_min_per_min=40)
    entries = _told([declare(small), tick(T0 + SECOND), declare(PLACE), tick(T0 + 2 * SECOND)])
    assert [b["revision"] for b in bodies(entries, "command") if b["gate"] == "g1"] == [1, 2]


def test_a_document_that_no_longer_allows_an_override_lifts_it() -> None:
    strict = site(stages=STAGES, egress_min_per_min=100)
    loose = site(stages=STAGES, egress_min_per_min=50)
    rows = [_hold("o1", gate="g0", mode="in"), tick(T0 + SECOND), declare(strict), tick(T0 + 2 * SECOND)]
    entries = _told(rows, loose)
    assert _modes(_told(rows[:2], loose))["g0"] == "in"
    assert _modes(entries)["g0"] == "both"
    assert [(b["what"], b["state"]) for b in bodies(entries, "incident")] == [
        ("override_active", "raised"),
        ("override_active", "cleared"),
        ("invariant_broken", "raised"),
    ]
