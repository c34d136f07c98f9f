"""What plans say of other sites means something, or is told."""

from __future__ import annotations

from typing import Any

import pytest

from flowwatch.documents.neighbours import strays
from tests.core.world import Document, case, plan, site, stage, term


def beside(of: str, at: str, in_plan: str | None = None) -> Document:
    return {"kind": "neighbour", "site": of, "plan": in_plan, "stage": at, "hold_us": 0}


def place(name: str, *leaves: Document, group: str = "river", **changes: Any) -> Document:
    stages = [stage("calm"), stage("busy", [term(50, 40)]), stage("full", [term(100, 80), *leaves])]
    return site(name, group=group, stages=stages, **changes)


def told(*records: Document) -> list[tuple[str, str, tuple[str | int, ...], str]]:
    known = {record["site"]: record for record in records}
    return [(s.site, s.plan, s.path, s.text) for record in records for s in strays(record, known)]


PIER = place("pier", beside=[plan("stairs", [stage("open"), stage("narrow", [term(9, 8)])])])


def test_stages_of_another_sites_plans_may_be_named() -> None:
    assert told(PIER, place("road", beside("pier", "busy"), beside("pier", "narrow", "stairs"))) == []


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        (beside("peir", "busy"), 'found "peir", but there is no such site, expected pier; did you mean "pier"?'),
        (beside("road", "busy"), 'found "road", the site of this plan, expected another site of its group'),
        (beside("pier", "busi"), 'found "busi", expected a stage above calm of "pier" at "pier": one of busy, full; did you mean "busy"?'),
        (beside("pier", "calm"), 'found "calm", expected a stage above calm of "pier" at "pier": one of busy, full'),
        (
            beside("pier", "narrow", "stair"),
            'found plan "stair", but "pier" has no such plan, expected one of pier, stairs; did you mean "stairs"?',
        ),
    ],
)
def test_what_names_nothing_is_told_with_the_near_miss(leaf: Document, text: str) -> None:
    assert told(PIER, place("road", leaf)) == [("road", "road", ("stages", 2, "when"), text)]


def test_a_site_of_another_group_is_decided_elsewhere() -> None:
    text = 'found "pier" of group "river", expected a site of this site\'s group "hill"'
    assert told(PIER, place("road", beside("pier", "busy"), group="hill")) == [("road", "road", ("stages", 2, "when"), text)]


def test_a_site_without_a_plan_has_no_stages() -> None:
    bare = site("pier", group="river")
    assert [text for *_, text in told(bare, place("road", beside("pier", "busy")))] == [
        'found "pier", which has no plan, expected a site with one'
    ]


def test_sites_that_look_at_each_other_in_a_circle_are_told_at_each_of_them() -> None:
    a, b, c = place("a", beside("b", "busy")), place("b", beside("c", "busy")), place("c", beside("a", "busy"))
    aside = place("d", beside("a", "busy"))
    circles = [(where, text.split("(")[1].split(")")[0]) for where, _, _, text in told(a, b, c, aside)]
    assert circles == [("a", "a → b → c → a"), ("b", "b → c → a → b"), ("c", "c → a → b → c")]


def test_the_condition_of_a_case_is_looked_at_too() -> None:
    held = plan("held", [stage("led")], case=case("tighten", [beside("pier", "fuller")]))
    (stray,) = told(PIER, place("road", beside=[held]))
    assert stray[1:3] == ("held", ("case", "during"))
