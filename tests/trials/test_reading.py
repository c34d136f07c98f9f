"""A test file is read whole: every fault at once, each with its place and what was probably meant."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.documents import DocumentErrors, Source, compile_sources
from flowwatch.trials import Stock, read
from tests.trials.made import PLAN, REGATTA, SITE, STAIRS, faults, pier, place, written

WHOLE = """
starts: 2026-10-01 18:00
every: 30s
series: {deck.occupancy: "100+20x10 _ stale", deck.occupancy_upper: 130, tower.occupancy_lower: 4.5, site.occupancy: 9, stairs.flow_in: 12}
readings: {beam-1: "12/3x4 _", beam-2: "500+12x9", camera: 7 8x2}
recounts: [{at: 0m, zone: deck, count: 100}]
actions:
  - {at: 1m, override: {stage: busy, until: 2m}}
  - {at: 1m, override: {stage: narrow, plan: stairs, until: 2m}}
  - {at: 1m, override: {gate: door-2, mode: out, until: 2m}, refused: true}
  - {at: 1m, confirm: yes, plan: stairs}
  - {at: 1m, drill: {stage: full, until: 2m}}
  - {at: 1m, fire: off}
  - {at: 1m, case: {case: regatta, until: 2m}}
expect:
  - {at: 2m, stage: busy, plans: {stairs: narrow, regatta: none}, gates: {door-1: metered 30/min, others: out}, alert: none, asks: "rise:full"}
  - {at: 2m, incidents: [degraded], tasks: [stewards], barriers: {quay: none}, links: {stairs: one_way}, signs: [board], nothing: false}
  - {from: 1m, until: 2m, never: {stage: full, asks: none}}
"""


def test_one_of_everything_has_no_fault() -> None:
    assert faults(written(WHOLE)) == []


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("deck.density", "write deck.occupancy: persons; 3.5 persons/m² of deck are 3,150"),
        ("site.capacity_share", "write site.occupancy: persons; 80% of the capacity of site are 320"),
        ("tower.level_of_service", "write tower.occupancy: persons; level E on tower begins at 108"),
        ("deck.queue", "write deck.occupancy: the persons who wait there"),
        ("deck.band_width", "write deck.occupancy_lower and deck.occupancy_upper, the edges of the band"),
        ("deck.forecast_p90", "write deck.occupancy; forecasts are not evaluated yet"),
        ("stairs.flow_rate", "write stairs.flow_in: persons a minute"),
        ("stairs.specific_flow", "write stairs.flow_in: persons a minute; 60 persons/m/min of stairs are 180"),
    ],
)
def test_a_measure_of_plans_is_no_figure_and_the_fault_converts_it(figure: str, expected: str) -> None:
    (told,) = faults(written(WHOLE).replace("site.occupancy", figure))
    assert told.endswith(f'found "{figure}", which is a measure of plans, expected a figure: {expected}')


def test_a_gate_that_no_condition_looks_at_has_no_figure() -> None:
    (told,) = faults(written(WHOLE).replace("site.occupancy", "door-1.flow_rate"))
    assert "no condition of the plans looks at who passes there" in told


def test_a_measure_is_converted_by_the_plans_own_bar() -> None:
    plan = PLAN.replace(
        "{zone: deck, measure: occupancy, enter: 200, clear: 150", "{zone: deck, measure: density, enter: 0.3, clear: 0.2", 1
    )
    other = compile_sources(Source("s.yaml", SITE.encode()), [Source("p.yaml", text.encode()) for text in (plan, STAIRS, REGATTA)])
    (told,) = faults(written(WHOLE).replace("site.occupancy", "deck.density"), other)
    assert told.endswith("write deck.occupancy: persons; 0.3 persons/m² of deck are 270")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("starts: 2026-10-01 18:00", "starts: 2026-13-01", "expected a date"),
        ("every: 30s", "every: 30 sec", 'did you mean "30s"?'),
        ("every: 30s", "evry: 30s", "expected one of name, starts, every"),
        ("deck.occupancy:", "dek.occupancy:", 'did you mean "deck.occupancy"?'),
        ("stairs.flow_in", "stairs.flow_out", 'did you mean "stairs.flow_in"?'),
        ("beam-1:", "beam-11:", 'no such counter in pier.yaml, expected one of beam-1, beam-2, camera, line; did you mean "beam-1"?'),
        ("zone: deck,", "zone: dock,", 'did you mean "deck"?'),
        ("gate: door-2", "gate: door2", 'did you mean "door-2"?'),
        ("{stage: busy, until", "{stage: bussy, until", 'did you mean "busy"?'),
        ("stage: narrow, plan", "stage: busy, plan", "no such stage, expected one of open, narrow"),
        ("plan: stairs, until", "plan: stair, until", 'did you mean "stairs"?'),
        ("drill: {stage: full", "drill: {stage: narrow", "expected one of calm, busy, full"),
        ("case: regatta, until", "case: stairs, until", "no such case in rules/pier, expected regatta"),
        ("stage: busy, plans", "stage: narrow, plans", "no such stage in rules/pier"),
        ("stairs: narrow,", "stairs: busy,", "expected one of open, narrow, none"),
        ("door-1: metered 30/min,", "door-1: metered 30,", 'did you mean "metered 30/min"?'),
        ("alert: none", "alert: V", "expected one of IV, III, II, I, none"),
        ("rise:full", "rise:ful", 'did you mean "full"?'),
        ("rise:full", "full", "expected rise:<stage>, fall:<stage>, or none"),
        ("[degraded]", "[degarded]", 'did you mean "degraded"?'),
        ("[stewards]", "[steward]", 'did you mean "stewards"?'),
        ("quay: none", "kay: none", "no such barrier in pier.yaml, expected quay"),
        ("[board]", "[bord]", 'did you mean "board"?'),
        ("confirm: yes", "confirm: maybe", "expected one of yes, no"),
        ("{at: 1m, fire: off}", "{at: 1m, fire: off, confirm: no}", "found fire beside confirm"),
        ("{at: 1m, fire: off}", "{at: 1m}", "found no action"),
        ("{at: 1m, fire: off}", "{at: 1m, fire: off, plan: stairs}", "found plan without confirm"),
        ("{at: 1m, fire: off}", "{at: 9m, fire: off}", "expected a time before the last expectation (120s)"),
        ("mode: out, until: 2m", "until: 2m", "found one of gate and mode"),
        ("gate: door-2, mode: out", "gate: door-2, stage: busy", "found both of stage and gate"),
        ("gate: door-2, mode: out", "gate: door-2, mode: out, plan: stairs", "found plan without stage"),
        ("from: 1m, until: 2m, never", "from: 2m, until: 2m, never", "expected a time after from: 2m"),
        ("from: 1m, until: 2m, never", "at: 1m, never", "found never beside at"),
        ("from: 1m, until: 2m, never", "until: 2m, never", "found no from beside until"),
        ("{stage: full, asks: none}", "{}", "found nothing in it"),
        ("never: {stage: full, asks: none}", "never: {stage: full}, stage: busy", "found stage beside never"),
        ("from: 1m, until: 2m, never: {stage: full, asks: none}", "stage: full", "found no time"),
        ("from: 1m, until: 2m, never: {stage: full, asks: none}", "at: 1m", "found no expectation"),
        ("at: 2m, stage: busy", "at: 300h, stage: busy", "expected at most 20000"),
    ],
)
def test_each_fault_is_the_only_one_that_is_told(right: str, wrong: str, told: str) -> None:
    assert WHOLE.count(right) == 1
    (fault,) = faults(written(WHOLE.replace(right, wrong)))
    assert told in fault


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ('series: {deck.occupancy: "10x3 2950+20*5"}', 36, 'at character 6: found "2950+20*5"'),
        ("series: {deck.occupancy: 10x3 4/2}", 35, "one number for a figure"),
        ("readings: {camera: 3 4/2}", 26, "the people in view"),
        ("readings: {beam-1: 3 4.5}", 26, "people are counted"),
        ("readings: {beam-2: 3 4-1x5}", 26, "people are counted"),
    ],
)
def test_a_fault_in_a_series_points_into_the_text(text: str, column: int, told: str) -> None:
    (fault,) = faults(written(text, "expect: [{at: 1m, stage: calm}]"))
    assert told in fault
    assert place(fault) == (3, column)


def test_a_series_over_several_lines_is_pointed_at_where_it_begins() -> None:
    (fault,) = faults(written("series:\n  deck.occupancy: >-\n    10x3\n    oops", "expect: [{at: 1m, stage: calm}]"))
    assert place(fault)[0] == 4
    assert 'at character 6: found "oops"' in fault


def test_faults_in_series_are_told_together_with_all_others() -> None:
    text = written("series: {deck.occupancy: 1y, dek.occupancy: 2z}\nevery: x\nexpect: [{at: 1m, stage: clam}]")
    assert len(faults(text)) == 5


def test_two_tests_have_two_names() -> None:
    text = written(WHOLE) + written(WHOLE).removeprefix("tests:\n")
    (fault,) = faults(text)
    assert 'found the test "a test" again (first in line 2)' in fault


@settings(deadline=None)  # files are compiled on a machine that others use too
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_mangled_file_gives_tests_or_faults_and_nothing_else(chance: random.Random, wounds: int) -> None:
    text = list(written(WHOLE))
    for _ in range(wounds):
        at = chance.randrange(len(text))
        text[at : at + chance.randrange(4)] = chance.choice(["", " ", ":", "{", "]", "x", "_", "\n", "-", "0", "~", "'"])
    data = "".join(text)
    told: list[object] = []
    try:
        told += read(Source("t.yaml", data.encode()), Stock.of(pier().site))
    except DocumentErrors as errors:
        told += errors.faults
    assert told, data


@pytest.mark.parametrize("text", ["", "[]", "tests:", "tests: []", "tests: {a: b}", "tests: [1]", "tests: [{}]", "- \xff", "\x00"])
def test_what_is_no_test_file_is_a_fault(text: str) -> None:
    assert faults(text)


def test_a_site_without_a_plan_has_nothing_to_test() -> None:
    bare = compile_sources(Source("pier.yaml", SITE.encode()))
    assert any("site without a plan" in fault for fault in faults(written("expect: [{at: 1m, alert: none}]"), bare))
