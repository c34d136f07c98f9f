"""Where crowds of a fluid go: errands from zone to zone, and the legs of their ways, shared out as links are led and inner gates are shut.

An *errand* is a reason to go somewhere: to the place of one's stay, to a visit, back from it, home by a certain exit. All who are about the same
errand in the same zone are one *junction*; from there *legs* lead over the next links, gates or borders of the shortest ways (`Layout.onward`),
shared out by width. Each state of links and inner gates is a *pattern*, with its own next legs; junctions and legs are added as patterns need
them, and never taken away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from flowwatch_sim.capacity import Floats, Ints
from flowwatch_sim.layout import STREET, Hop, Layout

WALK: Final = "walk"
"""The leg across a zone to the exit itself."""
Led = tuple[tuple[int, int], ...]
"""((link, the only way that people are led), …), ascending."""
Shut = frozenset[tuple[int, int]]
"""{(inner gate, way that it does not lead)}."""


class Errand(NamedTuple):
    """Where people go (a zone), and what they come to there: a compartment, or the exit `gate`, walking across the zone (-1: none)."""

    zone: int
    compartment: int
    gate: int = -1


class Leg(NamedTuple):
    """From a junction over a hop to a junction; `zone` is where people are meanwhile."""

    start: int
    zone: int
    kind: str
    passage: int
    way: int
    end: int


@dataclass
class Routes:
    """The junctions and legs of a layout so far."""

    layout: Layout
    errands: Sequence[Errand]
    junctions: list[tuple[int, int]] = field(default_factory=list)
    """(errand, zone); zone `STREET` is the queue before its exit."""
    legs: list[Leg] = field(default_factory=list)
    _junction: dict[tuple[int, int], int] = field(default_factory=dict)
    _leg: dict[tuple[int, Hop], int] = field(default_factory=dict)
    _ways: dict[tuple[int, Led, Shut], Mapping[int, tuple[int, Sequence[Hop]]]] = field(default_factory=dict)

    def junction(self, errand: int, zone: int) -> int:
        """The number of a junction, which is there from now on."""
        key = (errand, zone)
        if key not in self._junction:
            self._junction[key] = len(self.junctions)
            self.junctions.append(key)
        return self._junction[key]

    def landing(self, junction: int) -> Errand | None:
        """The errand that is done at a junction, if it is."""
        number, zone = self.junctions[junction]
        errand = self.errands[number]
        return errand if zone == (errand.zone if errand.gate < 0 else STREET) else None

    def shares(self, led: Led, shut: Shut) -> Floats:
        """(legs,) which share of those at its junction each leg takes in a pattern. Where there is no way they stay where they are."""
        taken: dict[int, float] = {}
        at = 0
        while at < len(self.junctions):
            number, zone = self.junctions[at]
            errand = self.errands[number]
            if self.landing(at) is None:
                if zone == errand.zone:
                    taken[self._add(at, zone, (WALK, errand.gate, 0, STREET))] = 1.0
                elif way := self._to(errand.zone, led, shut).get(zone):
                    breadths = [self.layout.breadth(hop) for hop in way[1]]
                    for hop, breadth in zip(way[1], breadths, strict=True):
                        taken[self._add(at, zone, hop)] = breadth / sum(breadths)
            at += 1
        shares = np.zeros(len(self.legs))
        shares[list(taken)] = list(taken.values())
        return shares

    def distances(self, zones: Collection[int], gates: Sequence[int], led: Led, shut: Shut) -> Floats:
        """(all zones, gates) how many hops it is from each of `zones` to the zone before each outer gate; infinite where there is no way."""
        found = np.full((len(self.layout.zones), len(gates)), np.inf)
        for i, gate in enumerate(gates):
            ways = self._to(self.layout.inner(gate), led, shut)
            for zone in zones:
                if zone in ways:
                    found[zone, i] = ways[zone][0]
        return found

    def _to(self, goal: int, led: Led, shut: Shut) -> Mapping[int, tuple[int, Sequence[Hop]]]:
        key = (goal, led, shut)
        if key not in self._ways:
            self._ways[key] = self.layout.onward(goal, dict(led), shut)
        return self._ways[key]

    def _add(self, start: int, zone: int, hop: Hop) -> int:
        key = (start, hop)
        if key not in self._leg:
            kind, index, way, target = hop
            self._leg[key] = len(self.legs)
            self.legs.append(Leg(start, zone, kind, index, way, self.junction(self.junctions[start][0], target)))
        return self._leg[key]


def one_hot(at: Sequence[int], n: int) -> Floats:
    """(len(at), n) with a 1 in each row, at the column that `at` says; none where it is negative."""
    columns: Ints = np.array(at, np.int64).reshape(-1)
    made = np.zeros((len(columns), n))
    there = np.flatnonzero(columns >= 0)
    made[there, columns[there]] = 1.0
    return made
