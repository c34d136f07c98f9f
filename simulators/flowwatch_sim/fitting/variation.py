"""How much counts vary beside their template: in short counts by groups, from one quarter of an hour to the next by the unrest of the rate.

Within a quarter of an hour the rate is taken to hold still, as in `demand`. There the variance of short counts is 1 + `groups` times their mean.
Sums of quarters vary by that and by the square of the unrest besides; they are compared within their hour only, so that neither the shape of
the day nor a day with more people than another is taken for unrest. Both are moments, pooled over everything measured; their standard errors
are those of a jackknife over pieces of four hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from flowwatch.core.readings import Bools
from flowwatch_sim.demand import UNREST_S
from flowwatch_sim.people import Floats

PIECE_H: Final = 4
"""Hours that a jackknife leaves out at a time."""


class Estimate(NamedTuple):
    """A figure and its standard error (NaN where one day or piece cannot tell it)."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Variation:
    """What could be told; None where counts are too long for it."""

    ratio: Estimate | None
    """Variance by mean of counts of one slot, within quarters of an hour."""
    unrest: Estimate | None
    """Coefficient of variation of the rate from one quarter of an hour to the next."""


def variation(people: Floats, expected: Floats, measured: Bools, slot_s: int) -> Variation:
    """Of counts (N, S): N days (of one counter or several) in S slots, whose template is `expected` up to a factor."""
    per_hour = 3600 // slot_s
    within = int(UNREST_S // slot_s)
    ratio = unrest = None
    if within >= 2:
        windows = [_windows(a, per_hour, within) for a in (people, expected, measured)]
        ratio = _jackknife(_short(*windows), _ratio)
    block = max(within, 1)
    if ratio is not None or within == 1 or slot_s == 2 * UNREST_S:
        blocks = [_windows(a, per_hour, block) for a in (people, expected, measured)]
        complete: Bools = np.asarray(blocks[2].all(axis=3))
        sums = [np.where(complete, a.sum(axis=3), 0.0) for a in blocks[:2]]
        excess = 1.0 if ratio is None else ratio.value
        turns = max(1.0, block * slot_s / UNREST_S)
        unrest = _root(_jackknife(_long(sums[0], sums[1], complete, excess, turns), _square))
    return Variation(ratio, unrest)


def _windows(a: npt.NDArray[Any], per_hour: int, size: int) -> npt.NDArray[Any]:
    """(N, hours, windows in an hour, size)."""
    hours = a.reshape(len(a), -1, per_hour)
    many = per_hour // size
    return hours[:, :, : many * size].reshape(len(a), hours.shape[1], many, size)


def _short(people: Floats, expected: Floats, measured: Bools) -> Floats:
    """(pieces, 2) sums of variances and of means of the windows."""
    level, good = _level(expected, measured.all(axis=3))
    z = np.divide(people, level, out=np.zeros(people.shape), where=level > 0)
    variance, mean = np.where(good, z.var(axis=3, ddof=1), 0.0), np.where(good, z.mean(axis=3), 0.0)
    return _pieces(variance.sum(axis=2), mean.sum(axis=2))


def _long(people: Floats, expected: Floats, complete: Bools, excess: float, turns: float) -> Floats:
    """(pieces, 2) sums of what unrest adds to the variance of quarters within hours, and of squares of their means."""
    level, good = _level(expected, complete.all(axis=2))
    z = np.divide(people, level, out=np.zeros(people.shape), where=level > 0)
    many = z.shape[2]
    if many < 2:
        return np.zeros((0, 2))
    variance, mean = z.var(axis=2, ddof=1), z.mean(axis=2)
    added = np.where(good, variance - excess * mean, 0.0) * turns
    return _pieces(added, np.where(good, mean**2 - variance / many, 0.0))


def _level(expected: Floats, complete: Any) -> tuple[Floats, Bools]:
    """What is expected in the last axis's parts, as multiples of their mean; and where all of it is measured and people are expected."""
    mean = expected.mean(axis=-1, keepdims=True)
    level = np.divide(expected, mean, out=np.zeros(expected.shape), where=mean > 0)
    return level, complete & (mean[..., 0] > 0) & (level > 0.05).all(axis=-1)


def _pieces(above: Floats, below: Floats) -> Floats:
    """(N, hours) each as sums over pieces of `PIECE_H` hours: (pieces, 2), without empty ones."""
    starts = np.arange(0, above.shape[1], PIECE_H)
    sums = np.stack([np.add.reduceat(a, starts, axis=1).ravel() for a in (above, below)], axis=1)
    return np.asarray(sums[np.abs(sums).sum(axis=1) > 0])


def _ratio(sums: Floats) -> float:
    return float(sums[0] / sums[1]) if sums[1] > 0 else 1.0


def _square(sums: Floats) -> float:
    return float(sums[0] / sums[1]) if sums[1] > 0 else 0.0


def _root(square: Estimate | None) -> Estimate | None:
    """The root of a square that may have come out below 0, which is then 0 give or take the root of the square's own error."""
    if square is None:
        return None
    value = sqrt(max(0.0, square.value))
    return Estimate(value, square.error / (2 * value) if value > sqrt(abs(square.error)) / 2 else sqrt(abs(square.error)))


def _jackknife(pieces: Floats, of: Callable[[Floats], float]) -> Estimate | None:
    """The figure of all pieces together, with the error that leaving out one after the other shows."""
    n = len(pieces)
    if n == 0:
        return None
    whole = pieces.sum(axis=0)
    if n == 1:
        return Estimate(of(whole), float("nan"))
    without = np.array([of(whole - piece) for piece in pieces])
    return Estimate(of(whole), sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum())))
