"""What people are told when a stage comes: the plan's words with the moment's numbers, in both languages, whatever is in the braces."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core import alerts
from flowwatch.core.gates import egress_per_min
from flowwatch.core.readings import SECOND
from tests.core.world import (
    T0,
    Document,
    bodies,
    case,
    counter,
    declare,
    delta,
    gate,
    hours,
    passers,
    plan,
    play,
    recount,
    site,
    stage,
    term,
    tick,
    zone,
)

ALL = " ".join(f"{name}={{{name}}}" for name in alerts.PLACES)
TEXT = {"headline": {"zh": f"人多 {ALL}", "en": f"crowded {ALL}"}, "instruction": {"zh": "{{慢走}}", "en": "{{walk}}"}}
ROUTES: Document = {
    "zones": [zone(capacity=3000), zone("hall", title={"zh": "大厅", "en": "Hall"}, capacity=500)],
    "gates": [
        gate("g0", title={"zh": "东门", "en": "East Gate"}),
        gate("g1", title={"zh": "西门", "en": "West Gate"}, to="hall"),
        gate("g2", title={"zh": "南门", "en": "South Gate"}),
        gate("inner", **{"from": "mall", "to": "hall"}),
    ],
    "title": {"zh": "豫园", "en": "Yuyuan"},
}


def _busy(leaf: Document, **changes: Any) -> Document:
    return stage(
        "busy", [leaf], SECOND, title={"zh": "拥挤", "en": "Busy"}, alert=TEXT, gates={"g0": "out", "g1": "metered 20/min both"}, **changes
    )


def _headline(document: Document, rows: list[Any], language: str = "en") -> dict[str, str]:
    """The places of the first stage incident's headline and what stood in them."""
    told = next(b for b in bodies(play([declare(document), *rows]).entries, "incident") if b["what"] == "stage")
    assert told["instruction"] == {"zh": "{慢走}", "en": "{walk}"}
    words = told["headline"][language].split(" ", 1)[1]
    names = [f" {name}=" for name in alerts.PLACES]
    found = {}
    for name, next_ in zip(names, [*names[1:], None], strict=True):
        begin = f" {words}".index(name) + len(name)
        found[name.strip(" =")] = f" {words}"[begin : f" {words}".index(next_) if next_ else None]
    return found


def test_every_place_is_filled_with_the_moments_numbers() -> None:
    document = site(stages=[stage("calm"), _busy(term(1000, 800))], **ROUTES)
    found = _headline(document, [recount(T0, 1500), recount(T0, 0, "hall"), tick(T0)])
    table = {"g0": "out", "g1": "metered 20/min both", "g2": "both", "inner": "both"}
    assert found == {
        "site": "Yuyuan",
        "zone": "mall",
        "inside": "1,500",
        "lower": found["lower"],
        "upper": found["upper"],
        "capacity": "3,000",
        "share": "50%",
        "stage": "Busy",
        "bar": "1000",
        "gates_in": "West Gate, South Gate",
        "gates_out": "East Gate, West Gate, South Gate",
        "minutes_to_clear": str(math.ceil(1500 / egress_per_min(document, table))),
    }
    assert int(found["lower"].replace(",", "")) < 1500 < int(found["upper"].replace(",", ""))


def test_titles_are_those_of_the_language_and_lists_are_joined_as_it_joins_them() -> None:
    document = site(stages=[stage("calm"), _busy(term(400, 300, zone="hall"))], **ROUTES)
    found = _headline(document, [recount(T0, 0), recount(T0, 450, "hall"), tick(T0)], "zh")
    assert (found["site"], found["zone"], found["stage"], found["gates_in"], found["share"]) == (
        "豫园",
        "大厅",
        "拥挤",
        "西门、南门",
        "90%",
    )


def test_the_whole_site_has_the_capacity_of_its_outer_zones() -> None:
    places = ROUTES | {"zones": [*ROUTES["zones"], zone("bridge", inside="mall", capacity=50), zone("queue", outside="g0", capacity=70)]}
    document = site(stages=[stage("calm"), _busy(term(1000, 800, zone="site"))], **places)
    found = _headline(document, [recount(T0, 1500), recount(T0, 250, "hall"), tick(T0)])
    assert (found["zone"], found["capacity"], found["share"], found["inside"]) == ("Yuyuan", "3,500", "50%", "1,750")


def test_what_is_not_known_is_a_question_mark() -> None:
    document = site(stages=[stage("calm"), _busy(term(10, 5))], **ROUTES)
    found = _headline(document, [tick(T0), delta(T0 + SECOND, 30), tick(T0 + SECOND)])
    assert (found["inside"], found["upper"]) == ("30", "?")
    timed = site(stages=[stage("calm"), _busy(hours(0, 0))], **ROUTES)
    found = _headline(timed, [tick(T0)])
    assert {name for name, word in found.items() if word == "?"} == {"inside", "lower", "upper", "share", "bar", "minutes_to_clear"}


def test_a_stage_that_passers_made_due_tells_the_bar_as_written() -> None:
    document = site(stages=[stage("calm"), _busy(passers(60, 30))], counters=[counter("c0")], **ROUTES)
    found = _headline(document, [tick(T0), delta(T0 + SECOND, 99), tick(T0 + SECOND)])
    assert (found["bar"], found["inside"], found["site"]) == ("60", "?", "Yuyuan")


def test_a_zone_plan_that_speaks_of_some_gates_tells_of_the_whole_sites_gates() -> None:
    hall = plan("hall-plan", [stage("h-calm"), _busy(term(400, 300, zone="hall")) | {"gates": {"g1": "out"}}], zone="hall")
    document = site(stages=[stage("calm")], beside=[hall], **ROUTES)
    found = _headline(document, [recount(T0, 0), recount(T0, 450, "hall"), tick(T0)])
    assert (found["gates_in"], found["gates_out"]) == ("East Gate, South Gate", "East Gate, West Gate, South Gate")
    assert found["minutes_to_clear"] != "?"


def test_a_case_fills_its_texts_too() -> None:
    calm = stage("fest-calm", gates=dict.fromkeys(["g0", "g1", "g2", "inner"], "both"))
    fest = plan("fest", [calm, _busy(term(400, 300)) | {"gates": calm["gates"]}], case=case("replace", [hours(0, 0)]))
    found = _headline(site(stages=[stage("calm")], beside=[fest], **ROUTES), [recount(T0, 450), recount(T0, 0, "hall"), tick(T0)])
    assert found["stage"] == "Busy"


# -- filling -------------------------------------------------------------------------------------------------------------------------

words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
numbers = {language: {name: f"<{name}>" for name in alerts.PLACES} for language in alerts.LANGUAGES}


@given(st.lists(st.tuples(words, st.sampled_from(["", *alerts.PLACES, "nobody"])), max_size=5))
def test_a_filled_text_is_the_text_with_each_place_filled_and_nothing_else(parts: list[tuple[str, str]]) -> None:
    written = "".join(w.replace("{", "{{").replace("}", "}}") + (f"{{{p}}}" if p else "") for w, p in parts)
    filled = "".join(w + ({**numbers["en"]}.get(p, alerts.UNKNOWN) if p else "") for w, p in parts)
    assert alerts.fill({"zh": written, "en": written}, numbers) == {"zh": filled, "en": filled}
    assert alerts.places(written) == [p for _, p in parts if p]


@given(words)
def test_whatever_stands_in_a_text_it_is_told(text: str) -> None:
    assert isinstance(alerts.fill({"zh": text, "en": text}, numbers)["en"], str)


@pytest.mark.parametrize("text", ["{", "}", "a {site", "{inside!r:>9}", "{}", "{site.title}", "{site[0]}"])
def test_broken_braces_hold_no_alert_back(text: str) -> None:
    document = site(
        stages=[stage("calm"), _busy(term(10, 5)) | {"alert": {"headline": {"zh": text, "en": text}, "instruction": TEXT["instruction"]}}],
        **ROUTES,
    )
    told = [b for b in bodies(play([declare(document), recount(T0, 30), tick(T0)]).entries, "incident") if b["what"] == "stage"]
    assert len(told) == 1


@given(words)
def test_what_a_title_holds_is_never_read_as_a_place(title: str) -> None:
    named = {language: dict.fromkeys(alerts.PLACES, "{inside}" + title) for language in alerts.LANGUAGES}
    assert alerts.fill({"zh": "{site}", "en": "{site}"}, named) == dict.fromkeys(alerts.LANGUAGES, "{inside}" + title)
