"""What is drawn, and what may be said of so many days: the generator of visitors, and the statistics of comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from flowwatch_sim import demand
from flowwatch_sim.demand import GROUP_EXCESS, UNREST, Stream
from flowwatch_sim.people import Floats
from flowwatch_sim.statistics import RUNS, Verdict, chi_square_p, distance, kolmogorov_p, paired, runs_for, student_quantile, upper_bound
from flowwatch_sim.verification.case import SEED, Case, about, at_least, at_most, case

DAYS: Final = 200
TEMPLATE: Final = np.array([1.9, 3.5, 5.2, 7.1, 8.8, 9.5, 9.9, 9.6, 9.0, 7.4, 6.4, 5.2, 3.7])
"""Percent of a day's passers in the hours from 8 to 20 h of streets in Melbourne."""


def bounds() -> Case:
    """Fifty-nine days for nineteen of twenty, with 95 % confidence."""
    normals = np.random.default_rng(SEED).normal(size=(4000, RUNS))
    covered = float(np.mean([upper_bound(days) >= 1.6448536 for days in normals.tolist()]))
    try:
        upper_bound([0.0] * (RUNS - 1))
        refused = 0
    except ValueError:
        refused = 1
    return case(
        "V31a",
        "upper bound of the 95 % quantile with 95 % confidence; 4,000 times of 59 normal numbers",
        "order statistics (Wilks 1941): 1 - 0.95^59 = 0.951; IMO asks for 50 runs",
        "exact; ± 0.01",
        about("runs it needs", 59, runs_for()),
        about("58 runs are refused", 1, refused),
        about("share of bounds that hold", 1 - 0.95**RUNS, covered, within=0.01),
    )


def differences() -> Case:
    """A plan is called better only if the interval of paired differences does not contain 0."""
    random = np.random.default_rng(SEED)
    days = random.normal(100.0, 10.0, RUNS).tolist()
    alike = paired(days, days)
    pairs = [paired([0.0] * 10, sample) for sample in random.normal(0.0, 1.0, (4000, 10)).tolist()]
    called = float(np.mean([found.verdict() is not Verdict.OPEN for found in pairs]))
    better = paired(days, [day - 1.0 + shift for day, shift in zip(days, random.normal(0.0, 1.0, RUNS).tolist(), strict=True)])
    return case(
        "V31b",
        "paired differences of plans on the same 59 days: a plan and itself; 1 less; no difference, 4,000 times of 10 days",
        "Student's interval, 95 %; t(0.975, 58) = 2.0017, t(0.975, 9) = 2.2622",
        "exact; ± 0.01; ± 0.0001",
        about("itself: difference", 0, alike.mean),
        about("itself: no difference shown", 1, alike.verdict() is Verdict.OPEN),
        about("1 less: better", 1, better.verdict() is Verdict.BETTER),
        about("no difference, yet called one", 0.05, called, within=0.01),
        about("t of 58", 2.0017, student_quantile(0.975, 58), within=1e-4),
        about("t of 9", 2.2622, student_quantile(0.975, 9), within=1e-4),
    )


def arrivals() -> Case:
    """Arrivals follow the template as a Poisson process does."""
    rate = np.repeat(TEMPLATE / TEMPLATE.sum() * 10_000 / 60, 60)
    days = [demand.arrivals(_stream(rate), SEED + i) for i in range(DAYS)]
    hours = np.sum([np.histogram(day, np.arange(14) * 3600.0)[0] for day in days], axis=0)
    expected = TEMPLATE / TEMPLATE.sum() * 10_000 * DAYS
    gaps = [1 - np.exp(-np.diff(_rescaled(day, rate), prepend=0.0)) for day in days]
    p = [kolmogorov_p(distance(day), len(day)) for day in gaps]
    return case(
        "V32a",
        f"arrivals of 10,000 a day over the template of a street, one by one, without unrest, {DAYS} days",
        "time-rescaling theorem (Brown et al. 2002), Kolmogorov-Smirnov; chi-square of 13 hourly totals",
        "p > 0.01",
        at_least("p of all gaps of all days", 0.01, kolmogorov_p(distance(np.concatenate(gaps)), sum(map(len, gaps)))),
        at_least("p that the days' own p are even", 0.01, kolmogorov_p(distance(p), DAYS)),
        at_least("p of hourly totals", 0.01, chi_square_p(float(((hours - expected) ** 2 / expected).sum()), 13)),
    )


def bursts() -> Case:
    """Counts vary as those of streets do."""
    figures = []
    for per_min in (10.0, 30.0):
        for what, shift in (("", 0.0), (", askew", 450.0)):
            figures.append(about(f"{per_min:g}/min{what}", 2.2, variance_by_mean(per_min, shift), within=0.2))
    sizes = demand.people([_stream(np.full(600, 100.0), GROUP_EXCESS)], SEED)
    mean = len(sizes) / len(np.unique(sizes.luck))
    return case(
        "V32b",
        "variance by mean of one-minute counts within quarters of an hour, 60 days of 12 h; quarters that are those of the unrest, and between them",
        f"94 sensors in Melbourne (median 2.2); groups with parameter {GROUP_EXCESS:g}: 1 + {GROUP_EXCESS:g}, mean 1.72; unrest {UNREST:g}",
        "± 0.2; ± 0.02",
        *figures,
        about("mean group", 1.717, mean, within=0.02),
        at_most("a plain Poisson process, for comparison", 1.05, variance_by_mean(30.0, 0.0, excess=0.0, unrest=0.0)),
    )


def variance_by_mean(per_min: float, shift: float, *, excess: float = GROUP_EXCESS, unrest: float = UNREST) -> float:
    """The mean variance, of 60 days, over the mean of one-minute counts within 15 min that begin `shift` s after those of the unrest."""
    variances, means = [], []
    for i in range(60):
        came = demand.arrivals(_stream(np.full(720, per_min), excess, unrest), SEED + i)
        counts = np.histogram(came, shift + np.arange(47 * 15 + 1) * 60.0)[0].reshape(47, 15)
        variances.append(counts.var(axis=1, ddof=1).mean())
        means.append(counts.mean())
    return float(np.mean(variances) / np.mean(means))


def _stream(per_min: Floats, excess: float = 0.0, unrest: float = 0.0) -> Stream:
    return Stream("day", per_min, 60.0, {0: 1.0}, {0: 0}, 3600.0, group_excess=excess, unrest=unrest)


def _rescaled(came: Floats, per_min: Floats) -> Floats:
    """Moments on the clock on which one person is expected every second."""
    return np.asarray(np.interp(came, np.arange(len(per_min) + 1) * 60.0, np.concatenate([[0.0], np.cumsum(per_min)])))


SLOW: Final[tuple[Callable[[], Case], ...]] = (arrivals, bursts)
CASES: Final = (bounds, differences, arrivals, bursts)
