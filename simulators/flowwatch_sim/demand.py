"""Who comes, when and where to: an inhomogeneous Poisson stream of groups, or batches off a train, over a template of the day.

Counts of real streets vary more than a Poisson process does: the variance of one-minute counts is about 2.2 times their mean (94 sensors in
Melbourne). Groups give 1 + 1.2 of it (their sizes are zero-truncated Poisson with mean 1.72), a slow unrest of the rate the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from flowwatch_sim.people import Floats, Ints, People
from flowwatch_sim.walking import free_speeds

GROUP_EXCESS: Final = 1.2
"""The parameter of the group sizes: mean 1.72, half of the groups are one person (fits Moussaid 2010 and Melbourne)."""
SERVICE_CV: Final = 0.4
"""Coefficient of variation of the time in a lane (assumed, between 0.3 and 0.6)."""
UNREST_S: Final = 900.0
"""How long the rate stays above or below its template before it turns."""


@dataclass(frozen=True, slots=True)
class Batches:
    """People come all at once, off a train or a coach, every so often."""

    every_s: float
    spread_s: float = 40.0
    """Standard deviation of the walk from the platform."""


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
    unrest: float = 0.15
    """Coefficient of variation of the slow changes of the rate."""
    patience_s: float = 1200.0
    batches: Batches | None = None
    home_s: float | None = None
    """When most set out for home (an event ends), and how many of them do."""
    home_share: float = 0.0


@dataclass(slots=True)
class _Drawn:
    came: list[Floats] = field(default_factory=list)
    stream: list[Ints] = field(default_factory=list)
    gate: list[Ints] = field(default_factory=list)
    stays: list[list[tuple[int, float]]] = field(default_factory=list)
    patience: list[Floats] = field(default_factory=list)


def people(streams: Sequence[Stream], seed: int) -> People:
    """Everybody of one day. Each stream has its own generator, so that a change of one leaves the others as they were."""
    drawn = _Drawn()
    for i, stream in enumerate(streams):
        _draw(stream, i, np.random.default_rng([seed, i]), drawn)
    came = np.concatenate([*drawn.came, np.zeros(0)])
    order = np.argsort(came, kind="stable")
    n = len(came)
    own = np.random.default_rng([seed, 1 << 20])
    lanes = own.gamma(1 / SERVICE_CV**2, SERVICE_CV**2, (2, n))
    return People(
        came=came[order],
        stream=np.concatenate([*drawn.stream, np.zeros(0, np.int64)])[order],
        gate=np.concatenate([*drawn.gate, np.zeros(0, np.int64)])[order],
        stays=[drawn.stays[i] for i in order.tolist()],
        speed=free_speeds(own.random(n)),
        patience=np.concatenate([*drawn.patience, np.zeros(0)])[order],
        into=lanes[0],
        out=lanes[1],
        luck=own.random((n, 3)),
    )


def group_sizes(excess: float, n: int, random: np.random.Generator) -> Ints:
    """Sizes of groups: Poisson with parameter `excess`, given that it is not 0; all 1 where `excess` is 0. By inversion."""
    if excess <= 0:
        return np.ones(n, np.int64)
    u = np.exp(-excess) + random.random(n) * -np.expm1(-excess)
    sizes, p, cumulated = np.zeros(n, np.int64), np.exp(-excess), np.exp(-excess)
    for size in range(1, 60):
        sizes[(sizes == 0) & (u > cumulated)] = -1
        p *= excess / size
        cumulated += p
        sizes[(sizes == -1) & (u <= cumulated)] = size
        sizes[sizes == -1] = 0
    sizes[sizes == 0] = 60
    return sizes


def mean_group(excess: float) -> float:
    """The mean of `group_sizes`.

    >>> round(mean_group(1.2), 2)
    1.72
    """
    return 1.0 if excess <= 0 else float(excess / -np.expm1(-excess))


def _draw(stream: Stream, number: int, random: np.random.Generator, drawn: _Drawn) -> None:
    times = _times(stream, random)
    sizes = group_sizes(stream.group_excess, len(times), random)
    gates, shares = np.array(list(stream.entrances), np.int64), np.array(list(stream.entrances.values()))
    gate = gates[np.searchsorted(np.cumsum(shares / shares.sum()), random.random(len(times)), side="right").clip(0, len(gates) - 1)]
    stay = random.gamma(stream.stay_shape, stream.stay_s / stream.stay_shape, len(times))
    visiting = random.random((len(times), len(stream.visits), 3))
    patience = random.exponential(stream.patience_s, len(times))
    leaves = random.random((len(times), 2))
    came = np.repeat(times, sizes)
    drawn.came.append(came + _gaps(sizes))
    drawn.stream.append(np.full(len(came), number, np.int64))
    drawn.gate.append(np.repeat(gate, sizes))
    drawn.patience.append(np.repeat(patience, sizes))
    for i, size in enumerate(sizes.tolist()):
        length = float(stay[i])
        if stream.home_s is not None and leaves[i, 0] < stream.home_share:
            length = max(60.0, stream.home_s + 900.0 * float(leaves[i, 1]) - float(times[i]))
        stays = _stays(stream, stream.first[int(gate[i])], length, visiting[i])
        drawn.stays += [stays] * size


def _gaps(sizes: Ints) -> Floats:
    """People of a group come one a second after the other."""
    ends = np.cumsum(sizes)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes), np.float64)


def _times(stream: Stream, random: np.random.Generator) -> Floats:
    """When groups come: thinned by nothing, each step has its own Poisson number, spread evenly within it."""
    steps = len(stream.rate)
    turns = int(np.ceil(steps * stream.step_s / UNREST_S)) + 1
    unrest = random.gamma(1 / stream.unrest**2, stream.unrest**2, turns) if stream.unrest > 0 else np.ones(turns)
    at = np.minimum((np.arange(steps) * stream.step_s / UNREST_S).astype(np.int64), turns - 1)
    mean = stream.rate * unrest[at] / mean_group(stream.group_excess)
    number = random.poisson(mean)
    times = np.repeat(np.arange(steps) * stream.step_s, number) + random.random(int(number.sum())) * stream.step_s
    if stream.batches is not None:
        every = stream.batches.every_s
        times = np.ceil(times / every) * every + np.abs(random.normal(0, stream.batches.spread_s, len(times)))
    return np.sort(times)


def _stays(stream: Stream, first: int, length: float, luck: Floats) -> list[tuple[int, float]]:
    """Where a group stays and how long: in the first zone, with its visits in between."""
    visits = [(float(u[1]), v.zone, float(-v.mean_s * np.log1p(-u[2]))) for v, u in zip(stream.visits, luck, strict=True) if u[0] < v.share]
    stays, so_far = [], 0.0
    for at, zone, seconds in sorted(visits):
        stays += [(first, (at - so_far) * length), (zone, seconds)]
        so_far = at
    return [*stays, (first, (1 - so_far) * length)]
