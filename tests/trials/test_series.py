"""The notation of series: every text means one series or is refused with a place, and every series can be written."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowwatch.trials import series
from flowwatch.trials.series import MOST_STEPS, Run, Series, SeriesError, Value, parse, shown

_NUMBERS = st.integers(-9_999_999, 9_999_999)
_STEPS = st.integers(-999_999, 999_999)
_PAIRED = st.builds(lambda a, b, c, d, n: Run((a, b), (c, d), n), _NUMBERS, _NUMBERS, _STEPS, _STEPS, st.integers(0, 40))
_PLAIN = st.builds(lambda a, c, n: Run((a, None), (c, None), n), _NUMBERS, _STEPS, st.integers(0, 40))
_MISSING = st.builds(lambda n: Run(None, more=n), st.integers(0, 40))
RUNS = st.one_of(_PLAIN, _PAIRED, _MISSING)
SERIES = st.builds(lambda runs, stale: Series(tuple(runs), stale), st.lists(RUNS, min_size=1, max_size=6), st.booleans())


@given(SERIES)
@example(Series((Run((0, None), (0, None), 3),)))
@example(Series((Run((0, 0), (-1000, 1000), 3),)))
@example(Series((Run((1000, 0), (0, -1000), 3),)))
def test_what_is_written_reads_back_as_the_same_series(made: Series) -> None:
    text = str(made)
    again = parse(text)
    assert (again.values(), again.stale) == (made.values(), made.stale), text
    assert str(again) == text


@given(SERIES, st.text(" \t\n\u3000", min_size=1, max_size=3))
def test_how_much_space_stands_between_steps_means_nothing(made: Series, space: str) -> None:
    assert parse(space + space.join(str(made).split()) + space).values() == made.values()


@given(st.text("0123456789.+-/x_ stale×*,é", max_size=30))
def test_every_other_text_is_refused_with_a_place_in_it(text: str) -> None:
    refused: SeriesError | None = None
    try:
        assert parse(str(parse(text))).values() == parse(text).values()
    except SeriesError as error:
        refused = error
    if refused is not None:
        assert 1 <= refused.column <= max(len(text), 1), text
        assert "expected" in str(refused)


@given(st.integers(0, 5000), st.integers(0, 100), st.integers(1, 50))
def test_steps_are_counted_as_the_head_of_the_module_says(a: int, b: int, n: int) -> None:
    def steps(text: str) -> list[float]:
        return [value[0] / 1000 for value in parse(text).values() if value is not None]

    assert steps(f"{a}") == [a]
    assert steps(f"{a}x{n}") == [a] * n
    assert steps(f"{a}+{b}x{n}") == [a + k * b for k in range(n + 1)]
    assert steps(f"{a}-{b}x{n}") == [a - k * b for k in range(n + 1)]
    assert parse(f"_x{n}").values() == [None] * n


@pytest.mark.parametrize(
    ("text", "values", "stale"),
    [
        ("12/3", [(12_000, 3_000)], False),
        ("12/3+1x2", [(12_000, 3_000), (13_000, 3_000), (14_000, 3_000)], False),
        ("12/3-1/1x1", [(12_000, 3_000), (11_000, 2_000)], False),
        ("-5.25 _ stale", [(-5_250, None), None], True),
        ("-5-5x1", [(-5_000, None), (-10_000, None)], False),
    ],
)
def test_pairs_fractions_and_negative_numbers(text: str, values: list[Value | None], stale: bool) -> None:
    assert (parse(text).values(), parse(text).stale) == (values, stale)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", 1, "found no step"),
        ("stale", 1, "found no step before stale"),
        ("1 stale 2", 9, 'found "2" after "stale"'),
        ("10x3 2950+20*5", 6, 'did you mean "2950+20x5"?'),
        ("10×3", 1, 'did you mean "10x3"?'),
        ("1,200", 1, 'did you mean "1200"?'),
        ("5 Stale", 3, 'did you mean "stale"?'),
        ("5 2950+20", 3, "expected how many steps more, as in 2950+20x5"),
        ("7x0", 3, "expected x1 or more"),
        ("_+1x3", 1, "what is missing does not grow"),
        ("3+1/1x2", 3, "after one number"),
        ("1.2345", 1, "expected steps such as"),
        (f"1x{MOST_STEPS} 2", 10, "more than 100000 steps"),
    ],
)
def test_a_fault_says_where_and_what_was_probably_meant(text: str, column: int, told: str) -> None:
    with pytest.raises(SeriesError) as error:
        parse(text)
    assert (error.value.column, told in str(error.value)) == (column, True), str(error.value)


def test_values_are_shown_as_they_are_written() -> None:
    assert [shown(v) for v in ((0, None), (-1, None), (1_500, 20))] == ["0", "-0.001", "1.5/0.02"]


def test_the_examples_in_the_docstrings_print_what_they_say() -> None:
    assert doctest.testmod(series).failed == 0
