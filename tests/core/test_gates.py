"""The egress invariants, a table of cases a rule: nobody's way out is ever taken."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.gates import Setting, egress_per_min, fire_table, ingress_per_min, violations
from flowwatch.core.readings import OUTSIDE
from tests.core.stories import random_site
from tests.core.world import Document, gate, link, site, zone


def test_a_gate_that_leads_both_ways_counts_half_its_lanes_outward() -> None:
    place = site(gates=[gate("a", lanes=3), gate("b", lanes=2, lane_per_min=30), gate("c"), gate("d", entrance_only=True)])
    assert egress_per_min(place, {"a": "both", "b": "out", "c": "in", "d": "closed"}) == 37.5 + 60


def test_a_wave_counts_for_the_time_that_it_leads_out_and_a_metered_gate_for_what_it_lets_in() -> None:
    place = site(gates=[gate("a"), gate("b"), gate("c"), gate("d", lanes=1)])
    table = {"a": "wave in 50s hold 10s out 60s", "b": "metered 40/min", "c": "metered 70/min both", "d": "metered 40/min"}
    assert egress_per_min(place, table) == 50 + 0 + 50 + 0
    assert ingress_per_min(place, table) == 41.667 + 40 + 50 + 25


def test_a_gate_between_two_zones_is_no_egress_capacity() -> None:
    place = site(zones=[zone(), zone("hall")], gates=[gate("a"), gate("b", **{"from": "mall", "to": "hall"})])
    assert egress_per_min(place, {"a": "out", "b": "out"}) == 100


NESTED: Document = {"zones": [zone(), zone("bridge", inside="mall"), zone("step", inside="bridge")]}
CASES: list[tuple[str, Document, dict[str, str], list[str]]] = [
    ("one gate out", site(gates=[gate("a")]), {"a": "out"}, []),
    ("one gate in", site(gates=[gate("a")], egress_min_per_min=0), {"a": "in"}, ['zone "mall" would have no way out']),
    ("nested zones leave by the outer", site(gates=[gate("a")], **NESTED), {"a": "both"}, []),
    (
        "nobody leaves a nested zone of a shut one",
        site(gates=[gate("a")], egress_min_per_min=0, **NESTED),
        {"a": "in"},
        ['zone "mall" would have no way out', 'zone "bridge" would have no way out', 'zone "step" would have no way out'],
    ),
    ("the outer leaves by a gate of the nested", site(gates=[gate("a", to="step")], **NESTED), {"a": "out"}, []),
    ("a link is a way", site(zones=[zone(), zone("hall")], links=[link("l", "mall", "hall")], gates=[gate("a")]), {"a": "out"}, []),
    (
        "a link is a way backwards",
        site(zones=[zone(), zone("hall")], links=[link("l", "hall", "mall")], gates=[gate("a")]),
        {"a": "out"},
        [],
    ),
    ("a zone without passage", site(zones=[zone(), zone("hall")], gates=[gate("a")]), {"a": "out"}, ['zone "hall" would have no way out']),
    (
        "an inner gate towards the way out",
        site(zones=[zone(), zone("hall")], gates=[gate("a"), gate("b", **{"from": "mall", "to": "hall"})]),
        {"a": "out", "b": "out"},
        [],
    ),
    (
        "an inner gate away from the way out",
        site(zones=[zone(), zone("hall")], gates=[gate("a"), gate("b", **{"from": "mall", "to": "hall"})]),
        {"a": "out", "b": "in"},
        ['zone "hall" would have no way out'],
    ),
    (
        "an inner gate that leads in is the way out of where it comes from",
        site(zones=[zone(), zone("hall")], gates=[gate("a", to="hall"), gate("b", **{"from": "mall", "to": "hall"})]),
        {"a": "out", "b": "in"},
        [],
    ),
    (
        "too little capacity",
        site(gates=[gate("a"), gate("b")], egress_min_per_min=120),
        {"a": "both", "b": "both"},
        ["egress capacity would be 100 persons/min, expected at least egress_min_per_min 120"],
    ),
    (
        "an emergency gate lets people leave",
        site(gates=[gate("a"), gate("b", emergency=True)]),
        {"a": "out", "b": "in"},
        ['emergency gate "b" would be "in", expected a mode that lets people leave'],
    ),
    (
        "an ordinary gate is never closed",
        site(gates=[gate("a"), gate("b")]),
        {"a": "out", "b": "closed"},
        ['gate "b" would be closed to people leaving, expected "out" (only an entrance_only gate may be "closed")'],
    ),
    ("an entrance may be closed", site(gates=[gate("a"), gate("b", entrance_only=True)]), {"a": "out", "b": "closed"}, []),
    ("an entrance may lead in", site(gates=[gate("a"), gate("b", entrance_only=True)]), {"a": "out", "b": "in"}, []),
    (
        "an entrance is no way out",
        site(gates=[gate("a"), gate("b", entrance_only=True)]),
        {"a": "out", "b": "both"},
        ['gate "b" is entrance_only and cannot be "both", expected "in" or "closed"'],
    ),
    ("an entrance may be metered", site(gates=[gate("a"), gate("b", entrance_only=True)]), {"a": "out", "b": "metered 40/min"}, []),
    (
        "an entrance may come in waves",
        site(gates=[gate("a"), gate("b", entrance_only=True)]),
        {"a": "out", "b": "wave in 50s hold 70s"},
        [],
    ),
    (
        "an entrance is no way out in any phase",
        site(gates=[gate("a"), gate("b", entrance_only=True)]),
        {"a": "out", "b": "wave in 50s out 70s"},
        ['gate "b" is entrance_only and cannot be "wave in 50s out 70s", expected "in" or "closed"'],
    ),
    ("a wave is a way out in its phase", site(gates=[gate("a")], egress_min_per_min=25), {"a": "wave in 60s hold 30s out 30s"}, []),
    (
        "a wave without that phase is none",
        site(gates=[gate("a"), gate("b", emergency=True)]),
        {"a": "both", "b": "wave in 60s hold 30s"},
        ['emergency gate "b" would be "wave in 60s hold 30s", expected a mode that lets people leave'],
    ),
    (
        "a gate that is metered inward only is none",
        site(gates=[gate("a")], egress_min_per_min=0),
        {"a": "metered 40/min"},
        ['zone "mall" would have no way out'],
    ),
    (
        "a wave that only holds is closed",
        site(gates=[gate("a"), gate("b")]),
        {"a": "out", "b": "wave hold 60s hold 30s"},
        ['gate "b" would be closed to people leaving, expected "out" (only an entrance_only gate may be "closed")'],
    ),
    ("a waiting area outside needs no way out", site(zones=[zone(), zone("queue", outside="a")], gates=[gate("a")]), {"a": "out"}, []),
]


@pytest.mark.parametrize(("place", "table", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_table_of_gates_breaks_what_the_rules_say(place: Document, table: dict[str, str], said: list[str]) -> None:
    assert violations(place, table) == said


def test_capacity_out_never_falls_under_the_calmer_stage() -> None:
    place = site(gates=[gate("a"), gate("b")])
    assert violations(place, {"a": "both", "b": "out"}, 150.0) == []
    assert violations(place, {"a": "both", "b": "both"}, 150.0) == [
        "egress capacity would be 100 persons/min, expected at least the calmer stage's 150"
    ]


def _gets_out(place: Document, table: dict[str, str], start: str) -> bool:
    """Walk forwards from `start`, as a person would."""
    here, seen = [start], {start}
    while here:
        now = here.pop()
        ways = [(g["to"], g["from"]) for g in place["gates"] if Setting.parse(table[g["gate"]]).may_leave]
        ways += [(g["from"], g["to"]) for g in place["gates"] if Setting.parse(table[g["gate"]]).may_enter]
        ways += [pair for k in place["links"] for pair in ((k["from"], k["to"]), (k["to"], k["from"]))]
        ways += [pair for z in place["zones"] if z["inside"] for pair in ((z["zone"], z["inside"]), (z["inside"], z["zone"]))]
        there = {goal for origin, goal in ways if origin == now} - seen
        here += there
        seen |= there
    return "outside" in seen


@given(st.integers(0, 2**32))
def test_a_zone_has_a_way_out_if_a_walk_from_it_leads_outside(seed: int) -> None:
    dice = random.Random(seed)
    place = random_site(dice)
    place["links"] = [k for k in place["links"] if dice.random() < 0.5]
    for table in itertools.islice(_tables(dice, place), 12):
        said = [text for text in violations(place, table) if text.startswith("zone ")]
        shut = [z["zone"] for z in place["zones"] if not _gets_out(place, table, z["zone"])]
        assert said == [f'zone "{name}" would have no way out' for name in shut]


SOME = ["in", "in", "out", "both", "closed", "metered 9/min both", "metered 9/min", "wave in 9s out 1s"]


def _tables(dice: random.Random, place: Document) -> Any:
    while True:
        yield {
            g["gate"]: dice.choice(["in", "in", "out", "both", "closed", "metered 9/min both", "metered 9/min", "wave in 9s out 1s"])
            for g in place["gates"]
        }


@given(st.integers(0, 2**32))
def test_opening_a_gate_of_the_outside_to_people_leaving_breaks_nothing_that_held(seed: int) -> None:
    dice = random.Random(seed)
    place = random_site(dice)
    table = next(_tables(dice, place))
    for name in [g["gate"] for g in place["gates"] if not g["entrance_only"] and OUTSIDE in (g["from"], g["to"])]:
        opened = table | {name: "out"}
        assert egress_per_min(place, opened) >= egress_per_min(place, table)
        assert len(violations(place, opened)) <= len(violations(place, table))


@given(st.integers(0, 2**32))
def test_under_a_fire_signal_every_zone_has_a_way_out_and_nobody_comes_in(seed: int) -> None:
    place = random_site(random.Random(seed))
    table = fire_table(place)
    assert violations(place, table, egress_per_min(place, table)) == []
    assert ingress_per_min(place, table) == 0


def test_a_fire_signal_opens_inner_gates_both_ways_and_closes_entrances() -> None:
    place = site(
        zones=[zone(), zone("hall")], gates=[gate("a"), gate("b", **{"from": "mall", "to": "hall"}), gate("c", entrance_only=True)]
    )
    assert fire_table(place) == {"a": "out", "b": "both", "c": "closed"}
