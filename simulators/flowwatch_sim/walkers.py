"""People of a fluid on their ways: who waits to set off on a leg, who is on it, and who comes off it when.

A link that is crowded is waited for before it, and walked at the speed that belongs to the flow that sets off on it, at the least that of the densest
flow (the hydraulic rule of IMO MSC.1/Circ.1533; `Corridor` shows where that comes from). A zone is crossed at the speed that belongs to its density.
Who sets off comes off after that time, in a ring of steps; a time between two steps is shared out between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from flowwatch_sim.capacity import Floats, Ints
from flowwatch_sim.layout import GATE, LINK, Layout
from flowwatch_sim.links import FULL_SHARE, SLOWEST
from flowwatch_sim.routes import Routes, one_hot
from flowwatch_sim.walking import FINE
from flowwatch_sim.world import LINK_M, Habits

LOOK_S: Final = 15.0
"""How often people look up how fast they can walk in the crowd around them."""
TINY: Final = 1e-300
"""Divides nobody without a fault."""


class Walkers:
    """The walkers of R replicates on T legs between J junctions (`routes.py`); in steps of `step_s` seconds, at `pace` s/m when alone."""

    def __init__(self, layout: Layout, habits: Habits, replicates: int, step_s: float, pace: float) -> None:
        self.layout, self.habits, self.replicates, self.step_s = layout, habits, replicates, step_s
        self.waits, self.on = np.zeros((replicates, 0)), np.zeros((replicates, 0))
        """(R, T) who have not set off yet for want of room, and who are on their way."""
        self.crossed: Floats = np.zeros((replicates, 2 * (len(layout.links) + len(layout.gates))))
        """(R, 2 (links + gates)) all who have passed each link and inner gate, by way."""
        self.room: Floats = FULL_SHARE * habits.diagram.jam * np.array(layout.area)
        """(zones,) how many people fit in."""
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
        longest = max([*(self._zone_s / SLOWEST), *(self._link_s / self._flow_shares.min()), *self._gate_s])
        self._slots = int(longest / step_s) + 3
        self._ring = np.zeros((self._slots, replicates, 0))
        self._since, self._looked_at = np.zeros((replicates, 2 * len(layout.links))), 0

    def fit(self, routes: Routes, table: Floats, pattern: Ints) -> Floats:
        """Take up the legs of `routes`: (patterns, T) the share that each leg has of its junction, and (R,) which pattern each replicate has.

        Gives (R, J) those who waited for a leg that no longer leads anywhere: they are back at its junction.
        """
        legs, zones, links, junctions = routes.legs, len(self.layout.zones), len(self.layout.links), len(routes.junctions)
        crossing, time = {LINK: 0, GATE: links}, {LINK: zones, GATE: zones + links}
        crossings = [2 * (leg.passage + crossing[leg.kind]) + leg.way if leg.kind in crossing else -1 for leg in legs]
        self._crossings = one_hot(crossings, self.crossed.shape[1])
        self._junctions, self._ends = junctions, _apart([leg.end for leg in legs])
        self._zone = one_hot([leg.zone for leg in legs], zones)
        self._time: Ints = np.array([leg.passage + time[leg.kind] if leg.kind in time else leg.zone for leg in legs], np.int64)
        self._link = one_hot([2 * leg.passage + leg.way if leg.kind == LINK else -1 for leg in legs], 2 * links)
        narrow = [i for i, leg in enumerate(legs) if leg.kind in crossing]
        passages = [(legs[i].kind, legs[i].passage, legs[i].way) for i in narrow]
        self._passages = sorted(set(passages))
        self._narrow: Ints = np.array(narrow, np.int64)
        self._passage_of: Ints = np.array([self._passages.index(passage) for passage in passages], np.int64)
        claims = [[a == b or (a[0] == b[0] == LINK and a[1] == b[1]) for b in self._passages] for a in self._passages]
        self._claimed = one_hot(self._passage_of.tolist(), len(self._passages)) @ np.array(claims, np.float64).reshape(
            2 * (len(self._passages),)
        )
        """Leg -> the passages that those who set off on it take room from: a link's both ways share its width."""
        starts = [leg.start for leg in legs]
        self._starts: Ints = np.array(starts, np.int64)
        self._share = table[pattern] if len(table) > 1 else table[0]
        self.waits, self.on, self._ring = (_wider(array, len(legs)) for array in (self.waits, self.on, self._ring))
        self.looks_at = 0
        lost = self.waits * (table[pattern] == 0)
        self.waits -= lost
        return np.asarray(lost @ one_hot(starts, junctions))

    def where(self) -> Floats:
        """(R, zones) how many of them are in each zone."""
        return np.asarray((self.waits + self.on) @ self._zone)

    def come_off(self, step: int) -> Floats:
        """(R, J) who come to each junction in a step."""
        slot = self._ring[step % self._slots]
        self.on -= slot
        self.crossed += slot @ self._crossings
        off = np.zeros((self.replicates, self._junctions))
        for legs, ends in self._ends:
            off[:, ends] += slot[:, legs]
        slot[:] = 0.0
        return off

    def set_off(self, at: Floats, passes: Floats, inside: Floats, step: int) -> None:
        """(R, J) people set off from junctions, as many as links and inner gates pass; the others wait.

        `passes`: (R, gates, 2) persons that gates may pass in the step; `inside`: (R, zones) people in them.
        """
        if not len(self._time):
            return
        go = at[:, self._starts] * self._share
        if len(self._narrow):
            go += self.waits
            want = go[:, self._narrow]
            may = np.minimum(1.0, self._most(passes, inside) / np.maximum(want @ self._claimed, TINY))
            passed = want * may[:, self._passage_of]
            self.waits[:, self._narrow] = want - passed
            go[:, self._narrow] = passed
        if self.layout.links:
            self._since += go @ self._link
        self.on += go
        late = go * self._late
        go -= late
        ring, size = self._ring.reshape(-1), go.size
        place = self._ahead + step % self._slots * size
        for coming in (go, late):
            place -= len(ring) * (place >= len(ring))
            ring[place] += coming
            place += size

    def look(self, inside: Floats, step: int) -> None:
        """Look up how long each leg takes from now on, with (R, zones) people `inside`."""
        if not len(self._time):
            return
        steps = self._walk_s(inside, step)[:, self._time] / self.step_s
        np.clip(steps, 1.0, self._slots - 2, out=steps)
        whole = steps.astype(np.int64)
        self._late = steps - whole
        """(R, T) the share that comes off a step later."""
        self._ahead = whole * steps.size + np.arange(steps.size).reshape(steps.shape)
        """(R, T) how many places farther in the ring people come off."""
        self.looks_at = step + max(1, int(LOOK_S / self.step_s))

    def _walk_s(self, inside: Floats, step: int) -> Floats:
        """(R, zones + links + gates) how long it takes to cross half a zone, to walk a link, to pass a lane."""
        links = len(self.layout.links)
        dense = np.minimum(inside * self._per_area, len(self._shares) - 1).astype(np.int64)
        flow = self._since.reshape(self.replicates, links, 2) / max(step - self._looked_at, 1)
        both = (flow + self.habits.opposing * flow[:, :, ::-1]).max(axis=2) / self._width_s
        self._since[:], self._looked_at = 0.0, step
        links_s = self._link_s / np.interp(both, self._flows, self._flow_shares)
        gates_s = np.broadcast_to(self._gate_s, (self.replicates, len(self._gate_s)))
        return np.concatenate([self._zone_s / self._shares[dense], links_s, gates_s], axis=1)

    def _most(self, passes: Floats, inside: Floats) -> Floats:
        """(R, passages) persons who may set off in a step on each way of each inner gate, and on both ways of each link."""
        most = np.empty((self.replicates, len(self._passages)))
        for i, (kind, index, way) in enumerate(self._passages):
            if kind == LINK:
                most[:, i] = self._width_s[index] * self._link_flow
            else:
                target = self.layout.ends[index][1 - way]
                most[:, i] = np.minimum(passes[:, index, way], np.maximum(self.room[target] - inside[:, target], 0.0))
        return most


def _wider(array: Floats, columns: int) -> Floats:
    """`array` with empty columns behind its own."""
    return np.concatenate([array, np.zeros((*array.shape[:-1], columns - array.shape[-1]))], axis=-1)


def _apart(ends: Sequence[int]) -> list[tuple[Ints, Ints]]:
    """[(legs, the junctions at their ends)]: all legs, in as few parts as have no junction twice, so that each can be added in one go."""
    parts: list[dict[int, int]] = []
    for leg, end in enumerate(ends):
        part = next((part for part in parts if end not in part), None)
        if part is None:
            parts.append(part := {})
        part[end] = leg
    return [(np.array([*part.values()], np.int64), np.array([*part], np.int64)) for part in parts]
