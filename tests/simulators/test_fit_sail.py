"""What was promised of a fitted demand (`verification.measured`), held against the streets of SAIL Amsterdam 2025."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest

from flowwatch.adapters.ingest import Source
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import load_import
from flowwatch_sim.fitting.archive import read_counts
from flowwatch_sim.fitting.days import Days, split
from flowwatch_sim.fitting.drawn import counts, stream_of
from flowwatch_sim.fitting.fit import Fit, fit
from flowwatch_sim.scenario import DayKind
from flowwatch_sim.verification import measured as promised

Floats = npt.NDArray[np.float64]
WITHIN = 5
"""Slots of three minutes in a quarter of an hour."""


@cache
def given_days(folder: Path) -> tuple[Days, Days]:
    """The four days as people who pass each counter its first way, and its second."""
    document = load_import(Path(__file__).parents[2] / "config" / "imports" / "sail.yaml")
    file = folder / "sail2025" / "sensordata.csv"
    found = read_counts([Source(lambda: opened(file), document)], document)
    one = split(found, ZoneInfo("Europe/Amsterdam"), (promised.HOURS[0], promised.HOURS[-1] + 1), "NL")
    assert [day.day for day in one.dates] == [20, 21, 22, 23]
    return one, replace(one, into=one.out, out=one.into)


@dataclass
class Held:
    """Data and simulated days side by side, over all directions and some days: (directions, days, S); what was not measured is 0 in both."""

    data: Floats
    drawn: Floats
    there: npt.NDArray[np.bool_]
    variance: tuple[Floats, Floats]
    """(directions, days) variances within quarters, added up, of the data and of simulated days on the average; ..."""
    mean: tuple[Floats, Floats]
    """... and means."""

    def hourly(self) -> tuple[Floats, Floats]:
        """(directions, days, hours) people."""
        shape = (*self.data.shape[:2], len(promised.HOURS), -1)
        return self.data.reshape(shape).sum(axis=3), self.drawn.reshape(shape).sum(axis=3)


def drawn_days(found: Fit, kind: DayKind | None) -> npt.NDArray[np.int64]:
    """(simulated days, counters, S)."""
    days = np.zeros((promised.SIMULATED_DAYS, len(found.days.counters), found.days.into.shape[2]), np.int64)
    for i, fitted in enumerate(found.streams):
        stream = stream_of(found, fitted, kind)
        for seed in range(promised.SIMULATED_DAYS):
            days[seed, found.days.counters.index(fitted.name)] = counts(stream, 1, i, seed, found.days.slot_s)[0]
    return days


def held(ways: Sequence[tuple[Days, Days]]) -> Held:
    """Each (fitted to, held against): both directions."""
    parts = []
    for fitted_to, against in ways:
        found = fit(fitted_to, {counter: counter for counter in fitted_to.counters}, each=True)
        simulated = {kind: drawn_days(found, kind) for kind in set(against.kinds)}
        there = against.measured
        drawn = np.stack([simulated[kind].mean(axis=0) for kind in against.kinds], axis=1)
        whole = windows(there.astype(float)).min(axis=3) > 0
        spread = [moments(simulated[kind]) for kind in against.kinds]
        of_data = (windows(against.into.astype(float)).var(axis=3, ddof=1), windows(against.into.astype(float)).mean(axis=3))
        of_drawn = [np.stack([one[i] for one in spread], axis=1) for i in (0, 1)]
        sums = [(a * whole).sum(axis=2) for a in (*of_data, *of_drawn)]
        parts.append(Held(against.into.astype(float), drawn * there, there, (sums[0], sums[2]), (sums[1], sums[3])))
    return Held(
        np.concatenate([p.data for p in parts]),
        np.concatenate([p.drawn for p in parts]),
        np.concatenate([p.there for p in parts]),
        (np.concatenate([p.variance[0] for p in parts]), np.concatenate([p.variance[1] for p in parts])),
        (np.concatenate([p.mean[0] for p in parts]), np.concatenate([p.mean[1] for p in parts])),
    )


def windows(a: npt.NDArray[np.float64]) -> Floats:
    return a.reshape(*a.shape[:2], -1, WITHIN)


def moments(days: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(counters, quarters) mean variance and mean of simulated days."""
    cut = windows(days.astype(float))
    return cut.var(axis=3, ddof=1).mean(axis=0), cut.mean(axis=3).mean(axis=0)


def off(found: Floats, expected: Floats) -> float:
    return float(np.abs(found - expected).sum() / expected.sum())


def bursts(both: Held) -> float:
    """Simulated variance by mean, pooled, over that of the data, less 1."""
    data, drawn = (both.variance[i].sum() / both.mean[i].sum() for i in (0, 1))
    return float(drawn / data - 1)


@pytest.mark.slow
def test_the_given_days_come_out_as_promised(data_dir: Path) -> None:
    both = held([(days, days) for days in given_days(data_dir)])
    data, drawn = both.hourly()
    weekend = np.arange(4) == 3
    hours = []
    for chosen in (~weekend, weekend):
        of_kind = data[:, chosen].sum(axis=(0, 1)), drawn[:, chosen].sum(axis=(0, 1))
        hours.append(np.abs(of_kind[1] / of_kind[0] - 1))
    each = sum(off(drawn[:, chosen].sum(axis=1), data[:, chosen].sum(axis=1)) * data[:, chosen].sum() for chosen in (~weekend, weekend))
    slots = both.there.sum(axis=(1, 2))
    busy = (slots > 0) & (both.data.sum(axis=(1, 2)) / np.maximum(slots, 1) >= promised.BUSY)
    ratio = [both.variance[i].sum(axis=1)[busy] / both.mean[i].sum(axis=1)[busy] for i in (0, 1)]
    near = float(np.mean(np.abs(ratio[1] / ratio[0] - 1) <= promised.BURSTS_EACH))
    print(
        f"hours: most off {np.max(hours):.3f}; by direction {each / data.sum():.3f}; bursts {bursts(both):+.3f}; {near:.3f} of {busy.sum()}"
    )
    assert np.max(hours) <= promised.HOURLY
    assert each / data.sum() <= promised.HOURLY_EACH
    assert abs(bursts(both)) <= promised.BURSTS
    assert near >= promised.BURSTS_SHARE


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_kept_workday_comes_out_as_promised(data_dir: Path, kept: int) -> None:
    both = held([(days.only([d for d in (0, 1, 2) if d != kept]), days.only([kept])) for days in given_days(data_dir)])
    data, drawn = (a[:, 0] for a in both.hourly())
    told = (drawn.sum() / data.sum() - 1, off(drawn.sum(axis=0), data.sum(axis=0)), off(drawn, data), bursts(both))
    print("people {:+.3f}; hours {:.3f}; by direction {:.3f}; bursts {:+.3f}".format(*told))
    assert abs(told[0]) <= promised.KEPT_DAY
    assert told[1] <= promised.KEPT_HOURLY
    assert told[2] <= promised.KEPT_HOURLY_EACH
    assert abs(told[3]) <= promised.KEPT_BURSTS


@pytest.mark.slow
def test_what_workdays_say_of_the_saturday_is_told(data_dir: Path) -> None:
    ways = [(days.only([0, 1, 2]), replace(days.only([3]), kinds=(DayKind.WORKDAY,))) for days in given_days(data_dir)]
    both = held(ways)
    data, drawn = (a[:, 0] for a in both.hourly())
    told = (drawn.sum() / data.sum() - 1, off(drawn.sum(axis=0), data.sum(axis=0)), off(drawn, data), bursts(both))
    print("people {:+.3f}; hours {:.3f}; by direction {:.3f}; bursts {:+.3f}".format(*told))
    assert drawn.sum() < data.sum()
