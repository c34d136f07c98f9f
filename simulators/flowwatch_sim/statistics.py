"""What may be said of two plans after so many simulated days, and what may not.

Two plans are run on the same days (common random numbers), and the differences day by day are what is judged: their mean with Student's
interval. Nobody is told that one plan is better while 0 lies in it. A high quantile is told by a bound that holds whatever the distribution: the
least of the days in order that lies above it with the asked confidence (Wilks 1941); 95 % of days with 95 % confidence needs 59.

Besides, the three p-values that the generator is checked with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import atan, cos, erfc, exp, gamma, isfinite, lgamma, log, pi, sin, sqrt
from statistics import fmean, stdev
from typing import Final

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
RUNS: Final = 59
"""The fewest runs of which the worst lies above the 95 % quantile with 95 % confidence: 1 - 0.95^59 = 0.951."""


class Verdict(StrEnum):
    """What a comparison says of the second of two plans."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "no difference shown"


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of paired differences, second minus first, with its interval."""

    mean: float
    low: float
    high: float
    runs: int

    def verdict(self, *, less_is_better: bool = True) -> Verdict:
        """Better or worse only if the interval does not contain 0."""
        if self.low <= 0 <= self.high:
            return Verdict.OPEN
        return Verdict.BETTER if (self.high < 0) is less_is_better else Verdict.WORSE


def paired(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """The mean difference of two plans over the same days, with Student's interval. Raises ValueError for fewer than 2 pairs.

    >>> found = paired([5.0, 7.0, 9.0], [4.0, 5.0, 6.0])
    >>> found.mean, round(found.low, 2), round(found.high, 2), str(found.verdict())
    (-2.0, -4.48, 0.48, 'no difference shown')
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"found {len(first)} and {len(second)} runs, expected the same number of both, at least 2")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    mean, n = fmean(differences), len(differences)
    half = student_quantile((1 + confidence) / 2, n - 1) * stdev(differences) / sqrt(n)
    return Difference(mean, mean - half, mean + half, n)


def upper_bound(values: Sequence[float], share: float = 0.95, confidence: float = CONFIDENCE) -> float:
    """A number that at least `share` of all days stay at or below, with `confidence`: the r-th of the n values in order, with the least r for which

        P(Binomial(n, share) < r) >= confidence.

    Raises ValueError where even the greatest is not enough, with the number of runs that would be.
    """
    n, below = len(values), 0.0
    for r in range(1, n + 1):
        ways = lgamma(n + 1) - lgamma(r) - lgamma(n - r + 2)
        below += exp(ways + (r - 1) * log(share) + (n - r + 1) * log(1 - share))
        if below >= confidence:
            return sorted(values)[r - 1]
    raise ValueError(
        f"found {n} runs, expected at least {runs_for(share, confidence)} for {share:.0%} of days with {confidence:.0%} confidence"
    )


def runs_for(share: float = 0.95, confidence: float = CONFIDENCE) -> int:
    """The fewest runs that `upper_bound` can be given.

    >>> runs_for()
    59
    """
    n = 1
    while 1 - share**n < confidence:
        n += 1
    return n


def student_cdf(t: float, freedom: int) -> float:
    """Student's distribution, by its finite series (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = atan(t / sqrt(freedom))
    term = cos(angle) if freedom % 2 else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if freedom % 2 else 2, freedom, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    within = 2 / pi * (angle + sin(angle) * total) if freedom % 2 else sin(angle) * total
    return (1 + within) / 2


def student_quantile(share: float, freedom: int) -> float:
    """The number that Student's distribution stays below with the chance `share`.

    >>> round(student_quantile(0.975, 58), 4)
    2.0017
    """
    return _solve(lambda t: student_cdf(t, freedom), share)


def chi_square_p(x: float, freedom: int) -> float:
    """The chance that chi-square with so many degrees of freedom exceeds `x`.

    >>> round(chi_square_p(18.307, 10), 4)
    0.05
    """
    a, rest = (0.5, erfc(sqrt(x / 2))) if freedom % 2 else (1.0, exp(-x / 2))
    while a < freedom / 2:
        rest += (x / 2) ** a * exp(-x / 2) / gamma(a + 1)
        a += 1
    return rest


def kolmogorov_p(distance: float, n: int) -> float:
    """The chance that n numbers lie farther from their distribution than the Kolmogorov-Smirnov `distance` (Stephens 1970).

    >>> round(kolmogorov_p(0.1340, 100), 2)
    0.05
    """
    x = distance * (sqrt(n) + 0.12 + 0.11 / sqrt(n))
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * exp(-2 * k * k * x * x) for k in range(1, 101)))) if x > 0.2 else 1.0


def distance(values: npt.ArrayLike) -> float:
    """The Kolmogorov-Smirnov distance of values from the uniform distribution on (0, 1)."""
    found = np.sort(np.asarray(values, np.float64))
    shares = np.arange(len(found) + 1) / len(found)
    return float(max((shares[1:] - found).max(), (found - shares[:-1]).max()))


def _solve(rising: Callable[[float], float], value: float) -> float:
    low, high = -1e9, 1e9
    while isfinite(middle := (low + high) / 2) and low < middle < high:
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return high
