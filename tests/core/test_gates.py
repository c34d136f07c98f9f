"""The egress invariants, a table of cases a rule: nobody's way out is ever taken."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.gates import Mode, combine, egress_per_min, violations
from flowwatch.core.readings import OUTSIDE
from tests.core.stories import random_site
from tests.core.world import Document, gate, link, site, zone

modes = st.sampled_from(list(Mode))


@pytest.mark.parametrize(
    ("mode", "enter", "leave"), [("in", True, False), ("out", False, True), ("both", True, True), ("closed", False, False)]
)
def test_a_mode_is_a_pair(mode: str, enter: bool, leave: bool) -> None:
    assert (Mode(mode).may_enter, Mode(mode).may_leave) == (enter, leave)


@given(st.lists(modes, min_size=1, max_size=5))
def test_combining_asks_least_ingress_and_most_egress_in_any_order(asked: list[Mode]) -> None:
    combined = combine(asked)
    assert combined.may_enter == all(m.may_enter for m in asked)
    assert combined.may_leave == any(m.may_leave for m in asked)
    assert combined is combine(asked[::-1]) is combine([combined, *asked])


def test_a_gate_that_leads_both_ways_counts_half_its_lanes_outward() -> None:
    place = site(gates=[gate("a", lanes=3), gate("b", lanes=2, lane_per_min=30), gate("c"), gate("d", entrance_only=True)])
    assert egress_per_min(place, {"a": "both", "b": "out", "c": "in", "d": "closed"}) == 37.5 + 60


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
        ways = [(g["to"], g["from"]) for g in place["gates"] if Mode(table[g["gate"]]).may_leave]
        ways += [(g["from"], g["to"]) for g in place["gates"] if Mode(table[g["gate"]]).may_enter]
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


def _tables(dice: random.Random, place: Document) -> Any:
    while True:
        yield {g["gate"]: dice.choice(["in", "in", "out", "both", "closed"]) for g in place["gates"]}


@given(st.integers(0, 2**32))
def test_opening_a_gate_of_the_outside_to_people_leaving_breaks_nothing_that_held(seed: int) -> None:
    dice = random.Random(seed)
    place = random_site(dice)
    table = next(_tables(dice, place))
    for name in [g["gate"] for g in place["gates"] if not g["entrance_only"] and OUTSIDE in (g["from"], g["to"])]:
        opened = table | {name: "out"}
        assert egress_per_min(place, opened) >= egress_per_min(place, table)
        assert len(violations(place, opened)) <= len(violations(place, table))
