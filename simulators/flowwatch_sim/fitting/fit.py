"""A demand fitted to days of counts: one stream for the site, or one for each entrance.

Each counter has its own hours for each kind of day, fitted to what was measured of it, so that a counter that was dead for a day takes nothing
from the site's people. One stream for the site has the sum of them as its hours and their people as weights of its entrances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from flowwatch_sim.demand import GROUP_EXCESS, UNREST_S
from flowwatch_sim.fitting.archive import NoDemandError
from flowwatch_sim.fitting.days import Days
from flowwatch_sim.fitting.staying import stay_s
from flowwatch_sim.fitting.template import spread, weights
from flowwatch_sim.fitting.variation import Estimate, variation
from flowwatch_sim.people import Floats
from flowwatch_sim.scenario import DayKind

MOST_STREAMS: Final = 50
"""As many as a scenario takes."""
SITE_STREAM: Final = "visitors"
MOST_GROUPS: Final = 10.0
"""The largest parameter of groups that a scenario takes."""
MOST_UNREST: Final = 10.0
"""The largest unrest that a scenario takes."""


@dataclass(frozen=True)
class Kind:
    """A stream on one kind of day. `hours` (H,): persons an hour at the middle of each hour; NaN where nobody measured."""

    days: int
    people: Estimate
    """A day's; the error is that of the mean of so many days."""
    hours: Floats


@dataclass(frozen=True)
class Fitted:
    """One stream. `entrances`: gate -> people of a day of the commonest kind; `ratio`, `unrest`: as in `variation`, None where not told."""

    name: str
    kinds: Mapping[DayKind | None, Kind]
    entrances: Mapping[str, float]
    ratio: Estimate | None
    unrest: Estimate | None
    turns_s: float
    """How long the rate stays above or below: a quarter of an hour, or one slot where people come in pulses."""


@dataclass(frozen=True)
class Fit:
    """Everything that `days` tell."""

    days: Days
    streams: tuple[Fitted, ...]
    stay: Estimate | str
    """Seconds, or why it cannot be told (`staying`)."""
    templates: Mapping[DayKind | None, Floats]

    def offered(self, kind: DayKind | None) -> Floats:
        """(counters, S) people whom the fit expects at each counter on one kind of day; 0 at one that is at no gate."""
        return self.templates[kind]

    @property
    def usual(self) -> DayKind | None:
        """The kind of day that a stream's own people and hours are: workday, or else the commonest."""
        kinds = self.days.kinds
        return DayKind.WORKDAY if DayKind.WORKDAY in kinds else max(sorted(set(kinds), key=str), key=kinds.count)


def fit(days: Days, gates: Mapping[str, str], *, each: bool = False, enclosed: bool = False) -> Fit:
    """The demand of `days`; `gates`: counter -> the gate at which it counts; `each`: a stream for each of them.

    `enclosed`: these are all the ways in and out, so that the stay can be told.

    Raises `NoDemandError` where nobody comes in, and where there are more streams than a scenario takes.
    """
    mine = [c for c, counter in enumerate(days.counters) if counter in gates]
    hours = {kind: _hours(days, mine, kind) for kind in dict.fromkeys(days.kinds)}
    parts: dict[str, list[int]] = {}
    for i, c in enumerate(mine):
        parts.setdefault(gates[days.counters[c]] if each else SITE_STREAM, []).append(i)
    streams = [_stream(name, days, hours, mine, chosen, gates) for name, chosen in parts.items()]
    streams = [stream for stream in streams if any(kind.people.value >= 1 for kind in stream.kinds.values())]
    if not streams:
        raise NoDemandError("found nobody who comes in, expected people in at some gate")
    if len(streams) > MOST_STREAMS:
        raise NoDemandError(f"found {len(streams)} entrances, expected at most {MOST_STREAMS} for a stream each: fit one for the site")
    templates = {}
    for kind, found in hours.items():
        templates[kind] = np.zeros((len(days.counters), days.into.shape[2]))
        templates[kind][mine] = [spread(w, days.into.shape[2], days.slot_s) for w in found]
    return Fit(days, tuple(streams), stay_s(days, mine, enclosed=enclosed), templates)


def _hours(days: Days, mine: Sequence[int], kind: DayKind | None) -> Floats:
    """(counters, H) persons an hour on one kind of day."""
    picked = [d for d, found in enumerate(days.kinds) if found is kind]
    people, exposed = days.into[:, picked].sum(axis=1).astype(float), days.measured[:, picked].sum(axis=1).astype(float)
    return np.stack([weights(people[c], exposed[c], days.slot_s) for c in mine]) if mine else np.zeros((0, days.hours))


def _stream(
    name: str, days: Days, hours: Mapping[DayKind | None, Floats], mine: Sequence[int], chosen: Sequence[int], gates: Mapping[str, str]
) -> Fitted:
    slots, columns = days.into.shape[2], [mine[i] for i in chosen]
    templates = {kind: np.stack([spread(found[i], slots, days.slot_s) for i in chosen]) for kind, found in hours.items()}
    people, measured = days.into[columns].astype(float), days.measured[columns]
    offered = np.stack([templates[kind] for kind in days.kinds], axis=1)
    expected = offered * measured
    factor = people.sum(axis=(0, 2)) / np.maximum(expected.sum(axis=(0, 2)), 1e-9)
    kinds = {}
    for kind, template in templates.items():
        of_kind = np.array([found is kind for found in days.kinds])
        n, whole = int(of_kind.sum()), float(template.sum())
        error = whole * float(factor[of_kind].std(ddof=1)) / sqrt(n) if n > 1 else float("nan")
        known = ~np.isnan(hours[kind][list(chosen)])
        summed = np.where(known.any(axis=0), np.nansum(hours[kind][list(chosen)], axis=0), np.nan)
        kinds[kind] = Kind(n, Estimate(whole, error), summed)
    entrances: dict[str, float] = {}
    for k, c in enumerate(columns):
        gate = gates[days.counters[c]]
        entrances[gate] = entrances.get(gate, 0.0) + float(offered[k].sum()) / len(days.dates)
    flat = (people.reshape(-1, slots), offered.reshape(-1, slots), measured.reshape(-1, slots))
    together = variation(people.sum(axis=0), expected.sum(axis=0), np.asarray(measured.any(axis=0)), days.slot_s)
    single = variation(*flat, days.slot_s)
    if len(entrances) == 1 and single.ratio is not None and single.ratio.value > 1 + MOST_GROUPS:
        return Fitted(name, kinds, entrances, single.ratio, _pulses(single.ratio, expected), float(days.slot_s))
    return Fitted(name, kinds, entrances, single.ratio, together.unrest, UNREST_S)


def _pulses(ratio: Estimate, expected: Floats) -> Estimate:
    """The coefficient of variation from one slot to the next that makes counts vary so much, with groups of the usual size besides.

    What varies with the rate adds to the variance by the square of what is expected, so the mean square of that by its mean is the scale.
    """
    scale = float((expected**2).sum() / expected.sum())
    value = sqrt((ratio.value - 1 - GROUP_EXCESS) / scale)
    return Estimate(min(value, MOST_UNREST), ratio.error / (2 * value * scale))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a day shows against the other days of its kind."""

    day: str
    people: float
    """As many times as was expected."""
    hourly: float
    """Absolute errors of hourly totals together, as a share of all people."""
    size: float
    """People of the day who are compared."""


def kept_back(days: Days, gates: Mapping[str, str]) -> list[Kept]:
    """Each day that is not the only one of its kind, against the mean of the others, counter by counter, where both were measured."""
    mine = [c for c, counter in enumerate(days.counters) if counter in gates]
    cells = (len(mine), len(days.dates), days.hours, -1)
    people, exposed = (a[mine].reshape(cells).sum(axis=3).astype(float) for a in (days.into, days.measured))
    told = []
    for d, kind in enumerate(days.kinds):
        others = [i for i, found in enumerate(days.kinds) if found is kind and i != d]
        offered = exposed[:, others].sum(axis=1)
        if not others or not (offered * exposed[:, d]).any():
            continue
        rate = np.divide(people[:, others].sum(axis=1), offered, out=np.zeros(offered.shape), where=offered > 0)
        known = offered > 0
        expected, found = (rate * exposed[:, d]).sum(axis=0), (people[:, d] * known).sum(axis=0)
        if expected.sum() and found.sum():
            ratio, off = float(found.sum() / expected.sum()), float(np.abs(found - expected).sum() / found.sum())
            told.append(Kept(days.dates[d].isoformat(), ratio, off, float(found.sum())))
    return told
