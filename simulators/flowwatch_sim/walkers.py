"""People of a fluid on their ways: who waits to set off on a leg, who is on it, and who comes off it when.

A link that is crowded is waited for before it, and walked at the speed that belongs to the flow that sets off on it, at the least that of the densest
flow (the hydraulic rule of IMO MSC.1/Circ.1533; `Corridor` shows where that comes from). A zone is crossed at the speed that belongs to its density.
Who sets off comes off after that time (`Underway`); a time between two steps is shared out between them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, TypeVar

import numpy as np

from flowwatch_sim.capacity import Floats, Ints
from flowwatch_sim.layout import GATE, LINK, Layout
from flowwatch_sim.links import FULL_SHARE, SLOWEST
from flowwatch_sim.routes import Leg, Routes, one_hot
from flowwatch_sim.underway import Underway, moved
from flowwatch_sim.walking import FINE
from flowwatch_sim.world import LINK_M, Habits

LOOK_S: Final = 15.0
"""How often people look up how fast they can walk in the crowd around them."""
TINY: Final = 1e-300
"""Divides nobody without a fault."""
NARROW: Final = (LINK, GATE)
"""The kinds of legs that pass so many people and no more; they come before the others."""
_Key = TypeVar("_Key", bound=Hashable)


class Walkers:
    """The walkers of R replicates on T legs between J junctions (`routes.py`); in steps of `step_s` seconds, at `pace` s/m when alone.

    Arrays have a row for each leg, in which replicates lie side by side. Legs that take equally long follow each other, as do those over one link.
    """

    def __init__(self, layout: Layout, habits: Habits, replicates: int, step_s: float, pace: float) -> None:
        self.layout, self.habits, self.replicates, self.step_s = layout, habits, replicates, step_s
        self.room: Floats = FULL_SHARE * habits.diagram.jam * np.array(layout.area)[:, None]
        """(zones, 1) how many people fit in."""
        self.looks_at = 0
        """The step in which `look` is due."""
        self._zone_s = 0.5 * np.sqrt(np.array(layout.area)) * pace
        self._shares = np.maximum(np.array(habits.diagram.shares()), SLOWEST)
        self._per_area = FINE / np.array(layout.area)
        self._link_s = np.array([habits.lengths.get(link, LINK_M) for link in layout.links]) * pace
        self._width_s = np.array(layout.link_width) * step_s
        densest, flow = habits.diagram.densest_flow()
        self._link_flow = min(habits.diagram.specific_flow, flow)
        """Persons/m/s that set off on a link at the most."""
        densities = np.linspace(0.0, densest, 500)
        self._flows = np.maximum.accumulate(habits.diagram.flow(densities))
        self._flow_shares = habits.diagram.speed(densities) / habits.diagram.speed(0.0)
        self._gate_s = 60.0 / np.array(layout.rate)
        self._alone_s = np.concatenate([self._zone_s, self._link_s, self._gate_s])
        self._underway = Underway(replicates)
        self._rows: Ints = np.zeros(0, np.int64)
        """Leg -> its row."""
        self._waits: Floats = np.zeros((0, replicates))
        """(T, R) who have not set off yet for want of room."""
        self._passes: Floats = np.zeros((len(layout.gates), 2, replicates))
        self._since, self._looked_at = np.zeros((len(layout.links), 2, replicates)), 0
        """(links, 2, R) who had set off on each way of each link when it was last looked, and the step."""

    # -- legs -------------------------------------------------------------------------------------------------------------------------

    def fit(self, routes: Routes, table: Floats, pattern: Ints) -> Floats:
        """Take up the legs of `routes`: (patterns, T) the share that each leg has of its junction, and (R,) which pattern each replicate has.

        Gives (J, R) those who waited for a leg that no longer leads anywhere: they are back at its junction.
        """
        order = sorted(range(len(routes.legs)), key=lambda leg: self._rank(routes.legs[leg]))
        legs, junctions = [routes.legs[leg] for leg in order], len(routes.junctions)
        self._arrange(np.argsort(order))
        self._at, self._go = np.zeros((junctions, self.replicates)), np.zeros((len(legs), self.replicates))
        self._starts: Ints = np.array([leg.start for leg in legs], np.int64)
        self._into: Ints = np.full(junctions, len(legs))
        """Junction -> a leg that leads to it, T where none does."""
        first, *self._further = _apart([leg.end for leg in legs])
        self._into[first[1]] = first[0]
        self._zone = one_hot([leg.zone for leg in legs], len(self.layout.zones)).T
        shares = np.ascontiguousarray((table[pattern] if len(table) > 1 else table)[:, order].T)
        self._forks: Ints = np.flatnonzero((shares != 1.0).any(axis=1))
        self._share = shares[self._forks]
        """(forks, R or 1) the share of those at their junction that takes these legs; all take the others."""
        self._times, self._time_at = _runs(self._time(leg) for leg in legs)
        narrow = [leg for leg in legs if leg.kind in NARROW]
        self._narrow = slice(len(narrow))
        self._passages, self._passage_at = _runs((leg.kind, leg.passage, leg.way) for leg in narrow)
        self._places, self._place_at = _runs((leg.kind, leg.passage, leg.way if leg.kind == GATE else -1) for leg in narrow)
        """What people take room from: each way of an inner gate, and a link, whose ways share its width."""
        self._ends = [*self._place_at[1:].tolist(), len(narrow)]
        self._waited = list(range(len(self._places)))
        """The places that somebody may wait for."""
        self._gates = [(i, index, way) for i, (kind, index, way) in enumerate(self._places) if kind == GATE]
        wide = [self._width_s[index] * self._link_flow if kind == LINK else 0.0 for kind, index, _ in self._places]
        self._most = np.repeat(np.array(wide)[:, None], self.replicates if self._gates else 1, axis=1)
        """(places, R or 1) persons who may set off in a step."""
        self.looks_at = 0
        lost = self._waits * (shares == 0)
        self._waits -= lost
        return np.asarray(one_hot(self._starts.tolist(), junctions).T @ lost)

    def _rank(self, leg: Leg) -> tuple[bool, float, int, int]:
        """Where a leg stands among all."""
        time = self._time(leg)
        return leg.kind not in NARROW, float(self._alone_s[time]), time, leg.way

    def _time(self, leg: Leg) -> int:
        """Which of the times of `_walk_s` a leg takes."""
        zones, links = len(self.layout.zones), len(self.layout.links)
        return {LINK: zones + leg.passage, GATE: zones + links + leg.passage}.get(leg.kind, leg.zone)

    def _arrange(self, rows: Ints) -> None:
        if len(rows) > len(self._rows):
            now = np.empty_like(self._rows)
            now[self._rows] = rows[: len(self._rows)]
            self._waits = moved(self._waits, now, len(rows))
            self._underway.arrange(now, len(rows))
            self._rows = rows

    # -- what is known of them --------------------------------------------------------------------------------------------------------

    def where(self) -> Floats:
        """(zones, R) how many of them are in each zone."""
        return np.asarray(self._zone @ (self._underway.on + self._waits))

    def crossed(self) -> Floats:
        """(links + gates, 2, R) all who have passed each link and inner gate, by way."""
        return self._by_way(self._underway.came, len(self.layout.links) + len(self.layout.gates))

    def _by_way(self, people: Floats, number: int) -> Floats:
        """(number, 2, R) the sum of (T, R) `people` over each of the first passages, links and then gates, by way."""
        found = np.zeros((number, 2, self.replicates))
        if self._passages:
            sums = np.add.reduceat(people[self._narrow], self._passage_at, axis=0)
            for (kind, index, way), one in zip(self._passages, sums, strict=True):
                at = index + (len(self.layout.links) if kind == GATE else 0)
                if at < number:
                    found[at, way] = one
        return found

    # -- a step -----------------------------------------------------------------------------------------------------------------------

    def come_off(self) -> Floats:
        """(J, R) who come to each junction in a step; theirs to change until the next."""
        off = self._underway.come_off()
        np.take(off, self._into, axis=0, out=self._at, mode="clip")
        for legs, ends in self._further:
            self._at[ends] += off[legs]
        return self._at

    def pass_gates(self, passes: Floats) -> None:
        """From now on gates may pass (gates, 2, R) persons in a step."""
        self._passes = passes

    def set_off(self, at: Floats, inside: Floats) -> None:
        """(J, R) people set off from junctions, as many as links and inner gates pass, with (zones, R) people `inside`; the others wait."""
        if not len(self._rows):
            return
        go = np.take(at, self._starts, axis=0, out=self._go, mode="clip")
        go[self._forks] *= self._share
        if self._places:
            self._squeeze(go, inside)
        self._underway.set_off(go)

    def _squeeze(self, go: Floats, inside: Floats) -> None:
        """Of (T, R) people who want to go with those who wait, let as many go as there is room for."""
        for place in self._waited:
            legs = slice(int(self._place_at[place]), self._ends[place])
            go[legs] += self._waits[legs]
            self._waits[legs] = 0.0
        want, most = np.add.reduceat(go[self._narrow], self._place_at, axis=0), self._most
        for place, gate, way in self._gates:
            target = self.layout.ends[gate][1 - way]
            most[place] = np.minimum(self._passes[gate, way], np.maximum(self.room[target] - inside[target], 0.0))
        self._waited = np.flatnonzero((want > most).any(axis=1)).tolist()
        for place in self._waited:
            legs = slice(int(self._place_at[place]), self._ends[place])
            passed = go[legs] * np.minimum(1.0, most[place] / np.maximum(want[place], TINY))
            self._waits[legs] = go[legs] - passed
            go[legs] = passed

    def look(self, inside: Floats, step: int) -> None:
        """Look up how long each leg takes from now on, with (zones, R) people `inside`."""
        if len(self._rows):
            self._underway.take(np.maximum(self._walk_s(inside, step)[self._times] / self.step_s, 1.0), self._time_at)
            self.looks_at = step + max(1, int(LOOK_S / self.step_s))

    def _walk_s(self, inside: Floats, step: int) -> Floats:
        """(zones + links + gates, R) how long it takes to cross half a zone, to walk a link, to pass a lane."""
        dense = np.minimum(inside * self._per_area[:, None], len(self._shares) - 1).astype(np.int64)
        zones_s = self._zone_s[:, None] / self._shares[dense]
        went = self._by_way(self._underway.went, len(self.layout.links))
        flow = (went - self._since) / max(step - self._looked_at, 1)
        both = (flow + self.habits.opposing * flow[:, ::-1]).max(axis=1) / self._width_s[:, None]
        self._since, self._looked_at = went, step
        links_s = self._link_s[:, None] / np.interp(both, self._flows, self._flow_shares)
        gates_s = np.broadcast_to(self._gate_s[:, None], (len(self._gate_s), self.replicates))
        return np.concatenate([zones_s, links_s, gates_s])


def _runs(keys: Iterable[_Key]) -> tuple[list[_Key], Ints]:
    """The keys in a row, each where it stands first; equal ones follow each other.

    >>> _runs("aabbb")
    (['a', 'b'], array([0, 2]))
    """
    first: dict[_Key, int] = {}
    for at, key in enumerate(keys):
        first.setdefault(key, at)
    return list(first), np.array([*first.values()], np.int64)


def _apart(ends: Sequence[int]) -> list[tuple[Ints, Ints]]:
    """[(legs, the junctions at their ends)]: all legs, in as few parts as have no junction twice, so that each can be added in one go."""
    parts: list[dict[int, int]] = [{}]
    for leg, end in enumerate(ends):
        part = next((part for part in parts if end not in part), None)
        if part is None:
            parts.append(part := {})
        part[end] = leg
    return [(np.array([*part.values()], np.int64), np.array([*part], np.int64)) for part in parts]
