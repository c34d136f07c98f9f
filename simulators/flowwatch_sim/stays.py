"""How long a fluid of visitors stays where: compartments that people leave at constant rates, in the mean as `demand` draws stays.

A stay with a gamma distribution of shape k is k compartments in a row (Erlang; a shape between two whole numbers is rounded, and at least 1, or 2
where there are visits). Between two of them people go on their visits, each as often as its share says. Those who stay until an event ends have
a compartment of their own, and so have those who are in a zone when the scenario begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from flowwatch_sim.capacity import Floats, Ints
from flowwatch_sim.demand import Stream
from flowwatch_sim.layout import Layout

HOMEWARD_S: Final = 900.0
"""Within this time after an event's end all set out who stayed for it."""
LEAST_S: Final = 60.0
"""Who comes after that stays this long."""


@dataclass(frozen=True, slots=True)
class Stays:
    """M compartments; rates are shares of their people a second."""

    zone: Ints
    """(M,) where its people are."""
    move: Floats
    """(M, M) from compartment to compartment, on foot where they are in different zones."""
    home: Floats
    """(M,) homeward."""
    holds: tuple[tuple[int, float], ...]
    """(compartment, when its event ends, s)."""
    entry: tuple[tuple[tuple[tuple[int, float], ...], ...], ...]
    """Stream -> gate -> (compartment, share) of those who come in there; none for an inner gate."""
    residents: tuple[int, ...]
    """Zone -> the compartment of those who are there from the start, and stay until the site closes."""

    def rates(self, now: float, step_s: float) -> tuple[Floats, Floats]:
        """(M, M) and (M,) `move` and `home` at a time: those who stay for an event set out evenly after its end."""
        if not self.holds:
            return self.move, self.home
        home = self.home.copy()
        for compartment, ends in self.holds:
            left = ends + HOMEWARD_S - now
            home[compartment] = 0.0 if now < ends else 1 / max(left, step_s) if left > 0 else 1 / LEAST_S
        return self.move, home


@dataclass(slots=True)
class _Sketch:
    zone: list[int]
    moves: list[tuple[int, int, float]]
    home: dict[int, float]
    holds: list[tuple[int, float]]

    def add(self, zone: int) -> int:
        self.zone.append(zone)
        return len(self.zone) - 1


def stays(layout: Layout, streams: Sequence[Stream]) -> Stays:
    """The compartments of all streams at a layout. Who comes in where their stream has no first zone stays in the zone behind the gate."""
    sketch = _Sketch([], [], {}, [])
    entry = []
    for stream in streams:
        made: dict[int, tuple[tuple[int, float], ...]] = {}
        gates = []
        for gate, outer in enumerate(layout.outer):
            first = stream.first.get(gate, layout.inner(gate))
            if outer and first not in made:
                made[first] = _chain(sketch, stream, first)
            gates.append(made[first] if outer else ())
        entry.append(tuple(gates))
    residents = tuple(sketch.add(zone) for zone in range(len(layout.zones)))
    n = len(sketch.zone)
    move, home = np.zeros((n, n)), np.zeros(n)
    for a, b, rate in sketch.moves:
        move[a, b] += rate
    for a, rate in sketch.home.items():
        home[a] = rate
    return Stays(np.array(sketch.zone, np.int64), move, home, tuple(sketch.holds), tuple(entry), residents)


def _chain(sketch: _Sketch, stream: Stream, first: int) -> tuple[tuple[int, float], ...]:
    """The compartments of one stream with one first zone; gives where people begin."""
    phases = max(2 if stream.visits else 1, round(stream.stay_shape))
    rate = phases / stream.stay_s
    chain = [sketch.add(first) for _ in range(phases)]
    for a, b in pairwise(chain):
        _between(sketch, stream, (a, rate, b), phases - 1)
    sketch.home[chain[-1]] = rate
    if stream.home_s is None or stream.home_share <= 0:
        return ((chain[0], 1.0),)
    held = sketch.add(first)
    sketch.holds.append((held, stream.home_s))
    people = np.asarray(stream.rate, np.float64)
    came = (np.arange(len(people)) + 0.5) * stream.step_s
    mean_s = max(LEAST_S, stream.home_s + HOMEWARD_S / 2 - float((people * came).sum() / max(people.sum(), 1e-9)))
    for visit in stream.visits:
        there = sketch.add(visit.zone)
        sketch.moves += [(held, there, visit.share / mean_s), (there, held, 1 / visit.mean_s)]
    return ((chain[0], 1.0 - stream.home_share), (held, stream.home_share))


def _between(sketch: _Sketch, stream: Stream, step: tuple[int, float, int], times: int) -> None:
    """From a compartment (at a rate) to the next one, past each visit of the stream, which is made with the `times`-th part of its share.

    A stay that is broken at an even place falls into j and k - j of its k parts, each j as likely: so visits come as late as `demand` draws them.
    """
    start, rate, end = step
    there = [sketch.add(visit.zone) for visit in stream.visits]
    leaving = [(start, rate, 0)] + [(m, 1 / visit.mean_s, i + 1) for i, (m, visit) in enumerate(zip(there, stream.visits, strict=True))]
    for compartment, per_s, offered in leaving:
        left = per_s
        for m, visit in zip(there[offered:], stream.visits[offered:], strict=True):
            taken = left * visit.share / times
            sketch.moves.append((compartment, m, taken))
            left -= taken
        sketch.moves.append((compartment, end, left))
