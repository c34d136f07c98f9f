"""Who comes, when and where to: an inhomogeneous Poisson stream of groups, or batches off a train, over a template of the day.

Counts of real streets vary more than a Poisson process does: within a quarter of an hour, the variance of one-minute counts is 2.2 times their
mean (median of 94 sensors in Melbourne). Groups give that: sizes S that are Poisson with parameter 1.2, given that they are not 0, have
E[S²]/E[S] = 1 + 1.2. A slow unrest of the rate sets one quarter of an hour apart from the next.

Every purpose of every stream draws from a generator of its own, and arrivals are those of one Poisson process of rate 1 on the clock of the
template. So what is changed of a stream changes nothing else: neither other streams, nor who else comes and how long they stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from flowwatch_sim.people import LUCK, Floats, Ints, People
from flowwatch_sim.walking import free_speeds

GROUP_EXCESS: Final = 1.2
"""The parameter of the group sizes: mean 1.72, half of the groups are one person (fits Moussaid 2010 and Melbourne)."""
SERVICE_CV: Final = 0.4
"""Coefficient of variation of the time in a lane (assumed, between 0.3 and 0.6)."""
UNREST_S: Final = 900.0
"""How long the rate stays above or below its template before it turns, unless a stream says otherwise."""
UNREST: Final = 0.1
"""Coefficient of variation of the rate from one `UNREST_S` to the next: the most that keeps one-minute counts at 2.2 ± 0.2 in quarters of an hour
that lie askew to its own, at 30 persons/min."""
LARGEST: Final = 40
"""Persons of the largest group."""
HOME_S: Final = 900.0
"""Seconds in which people set out for home when an event ends, evenly (assumed)."""
PURPOSES: Final = ("arrivals", "unrest", "batches", "sizes", "gates", "stays", "visits", "patience", "home", "walks", "lanes", "luck")


@dataclass(frozen=True, slots=True)
class Batches:
    """People come all at once, off a train or a coach, every so often."""

    every_s: float
    spread_s: float = 40.0
    """How long the walk from the platform takes: two thirds of the people less than this, one in twenty more than twice as long (assumed)."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A zone that some of the people see for a while, once, somewhere on their way."""

    zone: int
    share: float
    mean_s: float


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of visitor. `rate` has persons for each step of `step_s` seconds of the scenario."""

    name: str
    rate: Floats
    step_s: float
    entrances: Mapping[int, float]
    """Gate -> share of those who come there first."""
    first: Mapping[int, int]
    """Gate -> the zone that they stay in, if they see nothing else."""
    stay_s: float
    stay_shape: float = 2.0
    """Shape of the gamma distribution of stays."""
    visits: Sequence[Visit] = ()
    group_excess: float = GROUP_EXCESS
    unrest: float = UNREST
    """Coefficient of variation of the slow changes of the rate."""
    turns_s: float = UNREST_S
    """How long the rate stays above or below."""
    patience_s: float = 1200.0
    """Mean of how long they stay outside before they give up (exponential; assumed)."""
    batches: Batches | None = None
    home_s: float | None = None
    """When an event ends: who came before sets out for home then, within `HOME_S`, ..."""
    home_share: float = 0.0
    """... with this chance."""


def people(streams: Sequence[Stream], seed: int) -> People:
    """Everybody of one day, and of one site."""
    return together([_draw(stream, i, seed) for i, stream in enumerate(streams)])


def arrivals(stream: Stream, seed: int) -> Floats:
    """When the people of a stream come who is alone in its scenario, ascending: those of `people`, without the rest of what is drawn for them."""
    random = generators(seed, 0)
    times = group_times(stream, random)
    return np.sort(_one_by_one(times, group_sizes(stream.group_excess, len(times), random["sizes"])))


def together(parts: Sequence[People]) -> People:
    """People of several streams as one, sorted by arrival."""
    order = np.argsort(np.concatenate([np.zeros(0), *(part.came for part in parts)]), kind="stable")

    def floats(column: str) -> Floats:
        return np.asarray(np.concatenate([np.zeros(0), *(getattr(part, column) for part in parts)])[order], np.float64)

    def ints(column: str) -> Ints:
        return np.asarray(np.concatenate([np.zeros(0), *(getattr(part, column) for part in parts)])[order], np.int64)

    stays = [stay for part in parts for stay in part.stays]
    return People(
        came=floats("came"),
        stream=ints("stream"),
        gate=ints("gate"),
        stays=[stays[i] for i in order.tolist()],
        speed=floats("speed"),
        patience=floats("patience"),
        into=floats("into"),
        out=floats("out"),
        luck=ints("luck"),
    )


def group_sizes(excess: float, n: int, random: np.random.Generator) -> Ints:
    """Sizes of groups: Poisson with parameter `excess`, given that it is not 0; all 1 where `excess` is 0. By inversion."""
    if excess <= 0:
        return np.ones(n, np.int64)
    shares = np.cumprod(excess / np.arange(1, LARGEST + 1)) / np.expm1(excess)
    return np.searchsorted(np.cumsum(shares)[:-1], random.random(n), side="right") + 1


def mean_group(excess: float) -> float:
    """The mean of `group_sizes`.

    >>> round(mean_group(1.2), 2)
    1.72
    """
    return 1.0 if excess <= 0 else float(excess / -np.expm1(-excess))


def _draw(stream: Stream, number: int, seed: int) -> People:
    random = generators(seed, number)
    times = group_times(stream, random)
    return drawn(stream, number, random, times, group_sizes(stream.group_excess, len(times), random["sizes"]))


def drawn(stream: Stream, number: int, random: Mapping[str, np.random.Generator], times: Floats, sizes: Ints) -> People:
    """Groups of a stream that come at `times` (seconds, infinite where nobody knows yet), with everything but that drawn for them."""
    n = len(times)
    gate = chosen_gates(stream, n, random["gates"])
    length = random["stays"].gamma(stream.stay_shape, stream.stay_s / stream.stay_shape, n)
    if stream.home_s is not None:
        home = random["home"].random((n, 2))
        stays_on = (times < stream.home_s) & (home[:, 0] < stream.home_share)
        length = np.where(stays_on, stream.home_s + HOME_S * home[:, 1] - times, length)
    visiting = random["visits"].random((n, len(stream.visits), 3))
    firsts = [stream.first[g] for g in gate.tolist()]
    stays = [_stays(stream, first, seconds, luck) for first, seconds, luck in zip(firsts, length.tolist(), visiting, strict=True)]
    everybody = int(sizes.sum())
    lanes = random["lanes"].gamma(1 / SERVICE_CV**2, SERVICE_CV**2, (everybody, 2))
    return People(
        came=_one_by_one(times, sizes),
        stream=np.full(everybody, number, np.int64),
        gate=np.repeat(gate, sizes),
        stays=[stay for stay, size in zip(stays, sizes.tolist(), strict=True) for _ in range(size)],
        speed=np.repeat(free_speeds(random["walks"].random(n)), sizes),
        patience=np.repeat(random["patience"].exponential(stream.patience_s, n), sizes),
        into=lanes[:, 0],
        out=lanes[:, 1],
        luck=np.repeat(random["luck"].integers(1, LUCK, n), sizes),
    )


def generators(seed: int, number: int) -> dict[str, np.random.Generator]:
    """A generator for each of `PURPOSES` of a seed's stream by its number."""
    return {purpose: np.random.default_rng([seed, number, i]) for i, purpose in enumerate(PURPOSES)}


def chosen_gates(stream: Stream, n: int, random: np.random.Generator) -> Ints:
    """(n,) the entrance of each group."""
    gates, shares = np.array(list(stream.entrances), np.int64), np.array(list(stream.entrances.values()))
    return np.asarray(gates[np.searchsorted(np.cumsum(shares / shares.sum())[:-1], random.random(n), side="right")])


def gaps(sizes: Ints) -> Floats:
    """People of a group come one a second after the other."""
    ends = np.cumsum(sizes)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes), np.float64)


def _one_by_one(times: Floats, sizes: Ints) -> Floats:
    return np.asarray(np.repeat(times, sizes) + gaps(sizes))


def group_times(stream: Stream, random: Mapping[str, np.random.Generator]) -> Floats:
    """When groups come, ascending seconds: a Poisson process whose rate is the template times its unrest. `random`: by `PURPOSES`."""
    edges = np.arange(len(stream.rate) + 1) * stream.step_s
    turns = int(np.ceil(edges[-1] / stream.turns_s)) + 1
    unrest = random["unrest"].gamma(1 / stream.unrest**2, stream.unrest**2, turns) if stream.unrest > 0 else np.ones(turns)
    mean = stream.rate * unrest[(edges[:-1] / stream.turns_s).astype(np.int64)] / mean_group(stream.group_excess)
    expected = np.concatenate([[0.0], np.cumsum(mean)])
    total = float(expected[-1])
    unit = np.cumsum(random["arrivals"].exponential(size=int(total + 10 * sqrt(total) + 30)))
    times = np.asarray(np.interp(unit[unit < total], expected, edges))
    if stream.batches is not None:
        every = stream.batches.every_s
        times = np.sort(np.ceil(times / every) * every + np.abs(random["batches"].normal(0, stream.batches.spread_s, len(times))))
    return times


def _stays(stream: Stream, first: int, length: float, luck: Floats) -> list[tuple[int, float]]:
    """Where a group stays and how long: in the first zone, with its visits in between."""
    visits = [(float(u[1]), v.zone, float(-v.mean_s * np.log1p(-u[2]))) for v, u in zip(stream.visits, luck, strict=True) if u[0] < v.share]
    stays, so_far = [], 0.0
    for at, zone, seconds in sorted(visits):
        stays += [(first, (at - so_far) * length), (zone, seconds)]
        so_far = at
    return [*stays, (first, (1 - so_far) * length)]
