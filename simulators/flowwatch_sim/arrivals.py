"""How many people come to each entrance in each step of many days, drawn from the same streams as `demand.people` draws persons from.

A day's rate is the stream's template, times a slow unrest (gamma), and the number of people of a step is a compound Poisson one: groups of
each size come independently. So the numbers vary from day to day as those of persons do; within a day a fluid has no other luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, expm1, factorial
from typing import Final

import numpy as np

from flowwatch_sim.demand import Stream, mean_group
from flowwatch_sim.people import Floats

LARGEST_GROUP: Final = 8
"""Groups of more are counted as this (one in 100,000 where the mean is 1.72)."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`rate`: (R, steps, streams, gates) persons/s who come to each entrance, constant within a step of `step_s` seconds; none after the last."""

    rate: Floats
    step_s: float

    @property
    def replicates(self) -> int:
        """How many days."""
        return len(self.rate)

    def at(self, now: float) -> Floats | None:
        """(R, streams, gates) persons/s at a time (s from the start); None when nobody comes any more."""
        step = int(now / self.step_s + 1e-9)
        return self.rate[:, step] if step < self.rate.shape[1] else None


def mean_arrivals(streams: Sequence[Stream], gates: int, replicates: int = 1) -> Arrivals:
    """The same day in every replicate: what the streams have in the mean. Their steps are equally long."""
    step_s, steps = _steps(streams)
    rate = np.zeros((1, steps, len(streams), gates))
    for s, stream in enumerate(streams):
        people = _batched(stream, np.asarray(stream.rate, np.float64)[None])
        _share(stream, people, rate[:, : people.shape[1], s])
    return Arrivals(np.broadcast_to(rate / step_s, (replicates, *rate.shape[1:])), step_s)


def drawn_arrivals(streams: Sequence[Stream], gates: int, replicates: int, seed: int) -> Arrivals:
    """One drawn day a replicate; each stream has its own generator, as in `demand.people`."""
    step_s, steps = _steps(streams)
    rate = np.zeros((replicates, steps, len(streams), gates))
    for s, stream in enumerate(streams):
        random = np.random.default_rng([seed, s])
        mean = np.asarray(stream.rate, np.float64) * _unrest(stream, replicates, random)
        for gate, share in _shares(stream).items():
            for size, chance in enumerate(group_chances(stream.group_excess), start=1):
                groups = random.poisson(mean * (share * chance / mean_group(stream.group_excess)))
                rate[:, : mean.shape[1], s, gate] += size * groups
        if stream.batches is not None:
            for gate in stream.entrances:
                rate[:, : mean.shape[1], s, gate] = _batched(stream, rate[:, : mean.shape[1], s, gate])
    rate /= step_s
    return Arrivals(rate, step_s)


def group_chances(excess: float) -> list[float]:
    """The chance of each size 1, 2 … of a group (`demand.group_sizes`); the last holds all larger ones.

    >>> [round(p, 3) for p in group_chances(1.2)[:3]]
    [0.517, 0.31, 0.124]
    """
    if excess <= 0:
        return [1.0]
    chances = [exp(-excess) * excess**n / factorial(n) / -expm1(-excess) for n in range(1, LARGEST_GROUP)]
    return [*chances, max(0.0, 1.0 - sum(chances))]


def _steps(streams: Sequence[Stream]) -> tuple[float, int]:
    if not streams:
        return 60.0, 0
    lengths = {float(stream.step_s) for stream in streams}
    if len(lengths) != 1:
        raise ValueError(f"found streams with steps of {sorted(lengths)} s, expected one length for all")
    return lengths.pop(), max(len(stream.rate) for stream in streams)


def _shares(stream: Stream) -> dict[int, float]:
    total = sum(stream.entrances.values())
    return {gate: share / total for gate, share in stream.entrances.items()}


def _share(stream: Stream, people: Floats, into: Floats) -> None:
    for gate, share in _shares(stream).items():
        into[:, :, gate] = people * share


def _unrest(stream: Stream, replicates: int, random: np.random.Generator) -> Floats:
    """(R, steps) by how much the rate is above or below its template."""
    steps = len(stream.rate)
    if stream.unrest <= 0:
        return np.ones((replicates, steps))
    turns = int(np.ceil(steps * stream.step_s / stream.turns_s)) + 1
    drawn = random.gamma(1 / stream.unrest**2, stream.unrest**2, (replicates, turns))
    return drawn[:, np.minimum((np.arange(steps) * stream.step_s / stream.turns_s).astype(np.int64), turns - 1)]


def _batched(stream: Stream, people: Floats) -> Floats:
    """(R, steps) `people` as they come off the platform, if they come in batches; who would come after the last step comes in it."""
    if stream.batches is None:
        return people
    steps, step = people.shape[1], stream.step_s
    ends = np.arange(1, steps + 1) * step
    spread = np.zeros((steps, steps))
    for i in range(steps):
        for trained in np.linspace(i * step, ends[i], 8, endpoint=False) + step / 16:
            arrived = np.ceil(trained / stream.batches.every_s) * stream.batches.every_s
            z = np.maximum(ends - arrived, 0.0) / (max(stream.batches.spread_s, 1e-9) * 2**0.5)
            by_then = np.array([erf(x) for x in z.tolist()])
            by_then[-1] = 1.0
            spread[i] += np.diff(by_then, prepend=0.0) / 8
    return people @ spread
