"""Bars: what a text says in each measure's unit, and that scaling to people keeps their order."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.documents.bars import LEVELS, UNITS, Place, bar, family, meant, milli, near_bar
from flowwatch.documents.conditions import PASSERS, PEOPLE, Measure
from flowwatch.documents.words import setting_near

MEASURES = st.sampled_from(list(Measure))
SIZES = st.integers(1, 10**6).map(lambda n: Fraction(n, 10))
PLACES = st.builds(Place, st.integers(1, 10**6).map(Fraction), SIZES, SIZES)


def test_the_ladder_of_walkway_levels_is_fruins() -> None:
    assert {level: float(density) for level, density in LEVELS.items()} == {"B": 0.31, "C": 0.43, "D": 0.72, "E": 1.08, "F": 2.15}
    square_foot = Fraction("0.09290304")
    for level, feet in zip("BCDEF", (35, 25, 15, 10, 5), strict=True):
        assert abs(1 / (feet * square_foot) - LEVELS[level]) < Fraction("0.005")


def test_every_measure_has_a_unit_and_is_of_a_zone_or_of_passers() -> None:
    assert set(UNITS) == set(Measure) == {*PEOPLE, *PASSERS}


@pytest.mark.parametrize(
    ("measure", "text", "number"),
    [
        (Measure.OCCUPANCY, "1500", 1500),
        (Measure.CAPACITY_SHARE, "87.5%", Fraction(7, 8)),
        (Measure.DENSITY, "3.5", Fraction(7, 2)),
        (Measure.LEVEL_OF_SERVICE, "E", Fraction("1.08")),
        (Measure.SPECIFIC_FLOW, "0.5", Fraction(1, 2)),
    ],
)
def test_a_bar_is_read_as_its_measure_has_it(measure: Measure, text: str, number: Fraction) -> None:
    assert bar(measure, text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e3", "1,500", "1 500", "80%%", "٣", "nan", ".5", "5.", "0", "0%", "0.0", "G", "A"])
@pytest.mark.parametrize("measure", list(Measure))
def test_what_is_no_bar_is_refused_in_every_measure(measure: Measure, text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        bar(measure, text)


def test_only_a_net_flow_may_clear_at_or_below_zero() -> None:
    assert bar(Measure.NET_FLOW, "-5", clear=True) == -5
    for measure, text, clear in ((Measure.NET_FLOW, "-5", False), (Measure.FLOW_RATE, "0", True), (Measure.OCCUPANCY, "-5", True)):
        with pytest.raises(ValueError, match=text):
            bar(measure, text, clear=clear)


@given(MEASURES, st.text(max_size=12))
def test_a_near_miss_is_a_bar_and_not_what_was_written(measure: Measure, text: str) -> None:
    meant = near_bar(measure, text)
    if meant is not None:
        assert bar(measure, meant) > 0
        assert meant != text


@pytest.mark.parametrize(
    ("measure", "text", "end"),
    [
        (Measure.OCCUPANCY, "80%", "; for a share write measure: capacity_share"),
        (Measure.UPPER, "80％", "; for a share write measure: capacity_share"),
        (Measure.OCCUPANCY, "1.5万", '; did you mean "15000"?'),
        (Measure.OCCUPANCY, "1,500 persons", '; did you mean "1500"?'),
        (Measure.OCCUPANCY, "3.5", "; for a density write measure: density"),
        (Measure.OCCUPANCY, "400 to 500", ""),
        (Measure.CAPACITY_SHARE, "80", '; did you mean "80%"?'),
        (Measure.CAPACITY_SHARE, "0.8", '; did you mean "80%"?'),
        (Measure.CAPACITY_SHARE, "800", "; for persons write measure: occupancy"),
        (Measure.DENSITY, "1100", "; for persons write measure: occupancy"),
        (Measure.DENSITY, "0.5 m²/person", ""),
        (Measure.LEVEL_OF_SERVICE, "2.5", "; for a density write measure: density"),
        (Measure.FLOW_RATE, "7200/h", '; did you mean "120"?'),
        (Measure.FLOW_RATE, "2人/秒", '; did you mean "120"?'),
        (Measure.FLOW_RATE, "500/day", ""),
        (Measure.SPECIFIC_FLOW, "1.3/m/s", '; did you mean "78"?'),
        (Measure.FLOW_RATE, "80%", ""),
    ],
)
def test_a_near_miss_is_right_by_its_unit_or_says_nothing(measure: Measure, text: str, end: str) -> None:
    assert meant(measure, text) == end


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("metered 7200/h both", "metered 120/min both"),
        ("metered 2/s", "metered 120/min"),
        ("metered 1,200/min", "metered 1200/min"),
        ("metered 每小时600", "metered 10/min"),
        ("metered 40/day", None),
        ("metered 40-60/min", None),
        ("wave in 50 hold10s out 2 min", "wave in 50s hold 10s out 2m"),
        ("wave in 1.5m out 2m", None),
        ("wave in 500ms out 2m", None),
    ],
)
def test_a_setting_that_was_probably_meant_passes_as_many_people(text: str, meaning: str | None) -> None:
    assert setting_near(text) == meaning


@given(MEASURES, PLACES, st.fractions(0, 1000), st.fractions(0, 1000))
def test_scaling_keeps_the_order_of_bars(measure: Measure, place: Place, low: Fraction, high: Fraction) -> None:
    low, high = sorted((low, high))
    assert milli(measure, low, place) <= milli(measure, high, place)


@given(PLACES)
def test_a_level_is_the_density_where_it_begins(place: Place) -> None:
    for level, density in LEVELS.items():
        assert milli(Measure.LEVEL_OF_SERVICE, bar(Measure.LEVEL_OF_SERVICE, level), place) == milli(Measure.DENSITY, density, place)


def test_measures_that_are_bars_on_people_inside_are_one_family() -> None:
    assert {m for m in Measure if family(m) == "people"} == {
        Measure.OCCUPANCY,
        Measure.UPPER,
        Measure.LOWER,
        Measure.CAPACITY_SHARE,
        Measure.DENSITY,
        Measure.LEVEL_OF_SERVICE,
        Measure.QUEUE,
    }
