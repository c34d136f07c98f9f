"""What is sent to gates, and when: nobody's way out is taken while they turn, and in the end all are as wanted."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flowwatch.actuators.reconcile import SECOND, Because, Flight, Known, Reported, Wanted, may_be, reconcile
from flowwatch.actuators.transit import MayBe, Transit, lesser
from flowwatch.core.gates import Setting, fire_table, violations
from tests.actuators.town import Town, random_place, random_table, wanted_of
from tests.safety.made import gate, link, site, zone

SEEDS = st.integers(0, 2**48)
TEXTS = ("in", "out", "both", "closed", "metered 9/min", "metered 9/min both", "wave in 3s hold 1s out 7s both 2s")
NOW = 1_790_000_000 * SECOND


def place(*gates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return site(**{"zones": [zone()], "links": [], "egress_min_per_min": 50, "gates": list(gates), **changes})


def heard(setting: str | None, revision: int = 2, **changes: Any) -> Known:
    seen: dict[str, Any] = {"attempt": 1, "generation": 1, "up": True, "live": True, "heard_us": NOW, "on_lost": "out"} | changes
    return Known(reported=Reported(setting, revision, **seen))


def want(name: str, setting: str, revision: int = 4, **changes: Any) -> Wanted:
    return Wanted(name, setting, revision, "yu-1", **({"delivery": "automatic"} | changes))


def sent(plan: Any) -> list[str]:
    return [s.wanted.device for s in plan.sends]


# -- properties ---------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(SEEDS)
def test_nobody_loses_the_way_out_whatever_the_network_and_the_gates_do(seed: int) -> None:
    dice = random.Random(seed)
    somewhere = random_place(dice)
    start = random_table(somewhere, dice)
    assume(start is not None)
    assert start is not None
    town = Town.new(somewhere, dice, *start, heard=dice.random() < 0.8)
    revision = 0
    wanted: dict[str, Wanted] = {}
    for i in range(240):
        if i % 40 == 0 and (goal := random_table(somewhere, dice)):
            revision += 2
            if dice.random() < 0.2:
                goal = (fire_table(somewhere), dict.fromkeys(goal[1], "both"))
                wanted = wanted_of(somewhere, *goal, revision + 1, fire=True)
            else:
                wanted = wanted_of(somewhere, *goal, revision)
        town.step(wanted)
        assert not town.broken(), (seed, i, town.log[-12:], town.broken())
        assert not town.sound(), (seed, i, town.sound())
    for c in town.controllers.values():
        assert c.obeyed == sorted(set(c.obeyed)), (seed, c.device, c.obeyed)


@settings(max_examples=150)
@given(SEEDS)
def test_in_the_end_every_gate_is_as_wanted_also_from_disorder(seed: int) -> None:
    dice = random.Random(seed)
    somewhere = random_place(dice)
    goal, start = random_table(somewhere, dice), random_table(somewhere, dice)
    assume(goal is not None and start is not None)
    assert goal is not None
    assert start is not None
    if dice.random() < 0.3:
        start = ({g: dice.choice(["in", "out", "both"]) for g in start[0]}, {x: dice.choice(["one_way", "one_way_back"]) for x in start[1]})
    town = Town.new(somewhere, dice, *start, heard=dice.random() < 0.5)
    wanted = wanted_of(somewhere, *random_table(somewhere, dice) or goal, 2)
    for _ in range(dice.choice([0, 3, 60])):
        town.step(wanted)
    wanted = wanted_of(somewhere, *goal, 4)
    town.quiet()
    for _ in range(400):
        town.step(wanted)
        if town.table() == goal and all(c.revision == 4 for c in town.controllers.values()):
            return
    pytest.fail(f"seed {seed}: {town.table()}, wanted {goal}; {town.log[-12:]}; {town.step(wanted)}")


@given(
    st.lists(
        st.sampled_from(["in", "out", "both", "closed", "metered 9/min", "metered 9/min both", "wave in 3s hold 1s out 7s both 2s"]),
        min_size=1,
    )
)
def test_the_lesser_of_several_settings_is_no_more_than_any(texts: list[str]) -> None:
    least, all_ = Setting.parse(lesser(texts)), [Setting.parse(t) for t in texts]
    assert least.may_enter == all(s.may_enter for s in all_) or not least.may_leave
    assert not least.may_enter or all(s.may_enter for s in all_)
    assert least.may_leave == all(s.may_leave for s in all_)
    assert least.egress_share == pytest.approx(min(s.egress_share for s in all_))


@given(SEEDS)
def test_the_worst_table_is_no_better_than_any_that_the_gates_may_form(seed: int) -> None:
    dice = random.Random(seed)
    somewhere = random_place(dice)
    gates = {g["gate"]: MayBe(frozenset(dice.choices(["in", "out", "both", "metered 9/min both"], k=2))) for g in somewhere["gates"]}
    links = {x["link"]: MayBe(frozenset(dice.choices(["one_way", "one_way_back", "both"], k=2))) for x in somewhere["links"]}
    worst = Transit(somewhere, gates, links).worst()
    real = Transit(
        somewhere,
        {n: MayBe(frozenset({dice.choice(sorted(m.settings))})) for n, m in gates.items()},
        {n: MayBe(frozenset({dice.choice(sorted(m.settings))})) for n, m in links.items()},
    ).worst()
    assert real.shut_in <= worst.shut_in
    assert real.egress_per_min >= worst.egress_per_min - 0.002


# -- one by one ---------------------------------------------------------------------------------------------------------------------------


def test_two_gates_that_change_places_open_first_and_close_when_the_other_is_reported_open() -> None:
    two = place(gate("a"), gate("b"))
    wanted = {"gate/a": want("gate/a", "in"), "gate/b": want("gate/b", "out")}
    known = {"gate/a": heard("out"), "gate/b": heard("in")}
    plan = reconcile(two, wanted, known, NOW)
    assert sent(plan) == ["gate/b"]
    assert plan.waits["gate/a"].because is Because.TRANSIT
    assert "sure egress capacity would be 0" in plan.waits["gate/a"].says
    known["gate/b"] = heard("out", 4)
    assert sent(reconcile(two, wanted, known, NOW)) == ["gate/a"]


def test_a_loop_of_inner_gates_is_turned_round_without_shutting_anybody_in() -> None:
    zones = [zone("hub"), zone("x"), zone("y")]
    loop = place(
        gate("door", to="hub"),
        gate("a", **{"from": "hub", "to": "x"}),
        gate("b", **{"from": "x", "to": "y"}),
        gate("c", **{"from": "y", "to": "hub"}),
        zones=zones,
    )
    start = {"door": "out", "a": "in", "b": "in", "c": "in"}
    goal = {"door": "out", "a": "out", "b": "out", "c": "out"}
    town = Town.new(loop, random.Random(1), start, {}, heard=True)
    town.calm = True
    for _ in range(20):
        town.step(wanted_of(loop, goal, {}, 4))
        assert not town.broken()
    assert town.table() == (goal, {})
    turned = [line.split()[1] for line in town.log]
    assert turned.index("gate/a") < turned.index("gate/b") < turned.index("gate/c")


def test_what_gives_a_way_out_waits_for_nothing_also_to_a_gate_that_nobody_heard_of() -> None:
    two = place(gate("a"), gate("b"))
    wanted = {"gate/a": want("gate/a", "in"), "gate/b": want("gate/b", "out")}
    plan = reconcile(two, wanted, {"gate/a": Known(), "gate/b": Known()}, NOW)
    assert sent(plan) == ["gate/b"]
    assert "not known for sure: gate/b" in plan.waits["gate/a"].says


def test_nobody_enters_a_gate_that_nobody_heard_of_while_the_others_are_unknown_too() -> None:
    two = place(gate("a"), gate("b"), egress_min_per_min=0)
    plan = reconcile(two, {"gate/a": want("gate/a", "in")}, {"gate/a": Known(), "gate/b": Known()}, NOW)
    assert not plan.sends


def test_a_fire_goes_first_and_to_every_gate_whatever_its_delivery() -> None:
    three = place(gate("a"), gate("b"), gate("c"))
    wanted = {
        "gate/a": want("gate/a", "out", delivery="automatic"),
        "gate/b": want("gate/b", "out", 5, delivery="advise", fire=True),
        "gate/c": want("gate/c", "out", 5, delivery="confirm", fire=True, advised=True),
    }
    plan = reconcile(three, wanted, {d: heard("in") for d in wanted}, NOW)
    assert sent(plan) == ["gate/b", "gate/c", "gate/a"]


def test_a_fire_reaches_a_gate_that_is_ahead_of_the_journal_and_nothing_else_does() -> None:
    one = place(gate("a"))
    known = {"gate/a": heard("in", 100)}
    plan = reconcile(one, {"gate/a": want("gate/a", "out", 4)}, known, NOW)
    assert plan.waits["gate/a"].because is Because.AHEAD
    plan = reconcile(one, {"gate/a": want("gate/a", "out", 5, fire=True)}, known, NOW)
    assert [s.revision for s in plan.sends] == [101]
    assert not reconcile(one, {"gate/a": want("gate/a", "out", 5, fire=True)}, {"gate/a": heard("out", 101)}, NOW).sends


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"delivery": "advise"}, Because.ADVISE),
        ({"advised": True}, Because.ADVISE),
        ({"delivery": "confirm"}, Because.CONFIRM),
        ({"delivery": "confirm", "released": True}, None),
        ({"drill": True}, Because.DRILL),
    ],
)
def test_what_may_not_go_by_itself_does_not(changes: dict[str, Any], because: Because | None) -> None:
    plan = reconcile(place(gate("a")), {"gate/a": want("gate/a", "out", **changes)}, {"gate/a": heard("in")}, NOW)
    assert (plan.waits["gate/a"].because if plan.waits else None) is because
    assert bool(plan.sends) is (because is None)


def test_a_setting_that_no_such_gate_may_have_is_never_sent() -> None:
    emergency = place(gate("a", emergency=True), gate("b"))
    plan = reconcile(emergency, {"gate/a": want("gate/a", "in")}, {"gate/a": heard("out"), "gate/b": heard("out")}, NOW)
    assert plan.waits["gate/a"].because is Because.UNFIT


def test_what_was_sent_is_sent_again_after_longer_and_longer() -> None:
    one = place(gate("a"))
    flights: list[Flight] = []
    times = []
    known = Known(reported=heard("in").reported)
    for second in range(120):
        now = NOW + second * SECOND
        plan = reconcile(one, {"gate/a": want("gate/a", "out")}, {"gate/a": known}, now)
        for send in plan.sends:
            times.append(second)
            flight = Flight("out", 4, send.attempt, 1, now, now + 60 * SECOND)
            flights.append(flight.after(flights[-1] if flights else None))
            known = Known(reported=known.reported, flights=(flights[-1],), attempts={4: send.attempt})
    assert times == [0, 1, 3, 7, 15, 31, 61, 91]
    assert [f.attempt for f in flights] == list(range(1, 9))


def test_a_device_that_comes_back_is_told_at_once() -> None:
    flight = Flight("out", 4, 3, 1, NOW, NOW + 60 * SECOND)
    back = heard("in", up_since_us=NOW + SECOND)
    known = Known(reported=back.reported, flights=(flight,), attempts={4: 3})
    plan = reconcile(place(gate("a")), {"gate/a": want("gate/a", "out")}, {"gate/a": known}, NOW + SECOND)
    assert [s.attempt for s in plan.sends] == [4]


def test_a_gate_that_fell_to_on_lost_is_told_the_same_revision_again_when_it_is_safe() -> None:
    two = place(gate("a"), gate("b"))
    wanted = {"gate/a": want("gate/a", "in"), "gate/b": want("gate/b", "out")}
    plan = reconcile(two, wanted, {"gate/a": heard("out", 4, attempt=7), "gate/b": heard("out", 4)}, NOW)
    assert [(s.wanted.device, s.revision, s.attempt) for s in plan.sends] == [("gate/a", 4, 8)]


def test_a_lost_gate_counts_as_its_last_word_its_fall_and_all_that_was_sent_at_once() -> None:
    flight = Flight("both", 4, 1, 1, NOW, NOW + 60 * SECOND)
    lost = heard("in", up=False, live=False)
    assert may_be(Known(reported=lost.reported, flights=(flight,))) == MayBe(frozenset({"in", "out", "both"}))
    nobody_knows = heard("in", up=False, live=False, on_lost=None)
    assert may_be(nobody_knows).anything
    assert may_be(Known()).anything


def test_a_link_is_led_one_way_only_while_everybody_can_still_leave() -> None:
    joined = place(
        gate("a", to="mall"), gate("b", to="hall"), zones=[zone(), zone("hall")], links=[link("l", "mall", "hall")], egress_min_per_min=0
    )
    known = {"gate/a": heard("in"), "gate/b": heard("out"), "link/l": heard("both")}
    assert sent(reconcile(joined, {"link/l": want("link/l", "one_way")}, known, NOW)) == ["link/l"]
    assert not reconcile(joined, {"link/l": want("link/l", "one_way_back")}, known, NOW).sends
    assert violations(joined, {"a": "in", "b": "out"}, led={"l": "one_way_back"})


def test_a_gate_without_an_actuator_that_reports_nothing_is_no_way_out() -> None:
    two = place(gate("a"), gate("b"))
    wanted = {"gate/a": want("gate/a", "in"), "gate/b": want("gate/b", "out")}
    plan = reconcile(two, wanted, {"gate/a": heard("out")}, NOW)
    assert {d: w.because for d, w in plan.waits.items()} == {"gate/a": Because.TRANSIT, "gate/b": Because.UNDRIVEN}


def test_a_gate_without_an_actuator_is_what_people_say_that_it_is() -> None:
    two = place(gate("a"), gate("b"))
    wanted = {"gate/a": want("gate/a", "in"), "gate/b": want("gate/b", "out")}
    known = {"gate/a": heard("out")}
    assert sent(reconcile(two, wanted, known, NOW, {"gate/b": ["out"]})) == ["gate/a"]
    assert not reconcile(two, wanted, known, NOW, {"gate/b": ["in", "out"]}).sends
    assert sent(reconcile(two, wanted, known | {"gate/b": heard("in")}, NOW, {"gate/b": ["out"]})) == ["gate/b"]
