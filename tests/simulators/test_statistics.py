"""What may be said after so many days."""

from __future__ import annotations

import doctest
import importlib

import pytest

from flowwatch_sim.statistics import Verdict, chi_square_p, paired, student_cdf, student_quantile, upper_bound


@pytest.mark.parametrize("module", ["statistics", "walking", "demand", "verification.case"])
def test_examples_print_what_they_say(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"flowwatch_sim.{module}")).failed == 0


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (29, 2.0452), (58, 2.0017)])
def test_students_quantiles_are_those_of_the_tables(freedom: int, t: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(t, abs=1e-4)
    assert student_cdf(-t, freedom) == pytest.approx(0.025, abs=1e-5)


@pytest.mark.parametrize(("freedom", "x"), [(1, 3.841), (2, 5.991), (3, 7.815), (12, 21.026), (13, 22.362)])
def test_chi_square_is_that_of_the_tables(freedom: int, x: float) -> None:
    assert chi_square_p(x, freedom) == pytest.approx(0.05, abs=1e-4)


def test_a_difference_is_better_or_worse_only_beyond_its_interval() -> None:
    assert paired([1.0, 2.0, 3.0], [1.1, 1.8, 3.2]).verdict() is Verdict.OPEN
    less = paired([10.0, 20.0, 30.0], [9.0, 18.9, 29.1])
    assert (less.verdict(), less.verdict(less_is_better=False)) == (Verdict.BETTER, Verdict.WORSE)


def test_too_few_runs_are_refused_with_how_many_it_takes() -> None:
    with pytest.raises(ValueError, match="found 58 runs, expected at least 59"):
        upper_bound([1.0] * 58)
    with pytest.raises(ValueError, match="at least 2"):
        paired([1.0], [2.0])


def test_the_bound_of_many_runs_is_not_their_worst() -> None:
    assert upper_bound([float(i) for i in range(59)]) == 58.0
    assert 950 < upper_bound([float(i) for i in range(1000)]) < 970
    assert 4750 < upper_bound([float(i) for i in range(5000)]) < 4790
