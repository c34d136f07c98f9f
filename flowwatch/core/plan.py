"""Stages: which one a site's plan is in, by conditions with two edges, a hold and a dwell.

The rules of this file, for each tick and each site by itself:

- A *term* compares one figure of one target with its bars. It comes on when the figure has been above `enter` at every tick for `hold`; the
  figure may be provisional, and while occupancy is unknown it is what is surely inside.
- A term goes off only when its figure is not above `enter`, its clear figure (the band's upper edge unless the plan says otherwise) is below
  `clear`, its stage has stood for its dwell, the target is known, and its evidence is fresh: every counter that feeds it was heard in time,
  or somebody recounted the target within the last 60 s. Between the bars it never moves; silence never moves it; time alone never moves it.
- A stage's condition holds while any of its terms is on. The planned stage is the highest whose condition holds: it rises at once, over
  several stages if need be (each passed stage counts as risen then), and falls to the highest that still holds.

All terms of all sites are evaluated together as arrays. Stages are ranks, 0 the calmest. This module knows no gates and no operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.network import FOREVER, Network, carry
from flowwatch.core.occupancy import Figures
from flowwatch.core.readings import NEVER, SECOND, Bools, Ints

MEASURES: Final = ("occupancy", "occupancy_lower", "occupancy_upper")
RECOUNT_FRESH_US: Final = 60 * SECOND
"""A manual count is evidence as long as a counter's reading is (the floor of the freshness rule)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The conditions of all plans in force, (K,), sorted by site; `first` (P,) starts each site with a plan, listed in `planned`."""

    names: tuple[str, ...]
    site: Ints
    rank: Ints
    target: Ints
    measure: Ints
    clear_measure: Ints
    enter: Ints
    clear: Ints
    hold: Ints
    dwell: Ints
    planned: Ints
    first: Ints
    stages: tuple[tuple[str, ...], ...]
    """(S,) the names of each site's stages, calm to closed; empty where a site has no plan."""


def compile_terms(network: Network) -> Terms:
    """The terms of the plans that the documents in force carry."""
    rows: list[tuple[int, ...]] = []
    names: list[str] = []
    stages: list[tuple[str, ...]] = []
    for s, document in enumerate(network.documents):
        plan = document["plan"]
        stages.append(tuple(stage["stage"] for stage in plan["stages"]) if plan else ())
        for rank, stage in enumerate(plan["stages"] if plan else ()):
            for term in stage["any"]:
                target = network.target(s, term["zone"])
                measure, clear = MEASURES.index(term["measure"]), MEASURES.index(term["clear_measure"])
                rows.append((s, rank, target, measure, clear, term["enter_m"], term["clear_m"], term["hold_us"], stage["dwell_us"]))
                names.append(f"{network.sites[s]}/{stage['stage']}/{term['measure']}/{term['zone']}")
    table = np.array(rows, np.int64).reshape(-1, 9)
    sites, ranks, targets, measures, clears, enter, clear_bar, hold, dwell = (np.ascontiguousarray(table[:, i]) for i in range(9))
    planned, first = np.unique(sites, return_index=True)
    return Terms(tuple(names), sites, ranks, targets, measures, clears, enter, clear_bar, hold, dwell, planned, first, tuple(stages))


@dataclass(frozen=True, slots=True)
class Decision:
    """One site's planned stage moved from one rank to another, because of `term` (None when documents moved it)."""

    site: int
    old: int
    new: int
    term: int | None
    value: int
    held: int


class Plan:
    """The state of all plans of a partition."""

    def __init__(self) -> None:
        self.rank = np.zeros(0, np.int64)
        self.risen = np.zeros((0, 1), np.int64)
        """(S, stages) when each stage last rose, NEVER while it is not reached."""
        self.on: Bools = np.zeros(0, np.bool_)
        self.above_since = np.zeros(0, np.int64)
        self.blocked: Bools = np.zeros(0, np.bool_)
        """(K,) terms that would go off but for stale evidence."""
        self._sites: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._stages: tuple[tuple[str, ...], ...] = ()

    def rebuild(self, network: Network, terms: Terms) -> list[int]:
        """Carry stages and timers over to the plans now in force; returns the sites whose present stage has gone from their plan.

        Such a site takes the stage of equal rank, or the highest: never a calmer one than it was in. A stage that none of the carried terms
        upholds is upheld by all of its terms, so that it falls only below their clear bars.
        """
        n, most = len(network.sites), max([1, self.risen.shape[1], *(len(s) for s in terms.stages)])
        rank, risen = np.zeros(n, np.int64), np.full((n, most), NEVER, np.int64)
        moved = []
        stages = list(terms.stages)
        old, new = carry(self._sites, network.sites)
        for o, s in zip(old.tolist(), new.tolist(), strict=True):
            before, after = self._stages[o], terms.stages[s]
            for r, name in enumerate(after):
                if name in before:
                    risen[s, r] = self.risen[o, before.index(name)]
            if not after:  # without a plan the last one's stage is remembered, should it come back
                stages[s], rank[s], risen[s, : self.risen.shape[1]] = before, self.rank[o], self.risen[o]
            if not before or not after:
                continue
            was = before[self.rank[o]]
            rank[s] = after.index(was) if was in after else min(int(self.rank[o]), len(after) - 1)
            reached = risen[s, 1 : rank[s] + 1]
            reached[reached == NEVER] = self.risen[o, self.rank[o]]
            if was not in after:
                moved.append(s)
        self.rank, self.risen = rank, risen
        old, new = carry(self._names, terms.names)
        on, since = np.zeros(len(terms.names), np.bool_), np.full(len(terms.names), NEVER, np.int64)
        on[new], since[new] = self.on[old], self.above_since[old]
        standing = (terms.rank == rank[terms.site]) & (terms.rank > 0)
        upheld = np.bincount(terms.site[standing & on], minlength=n) > 0
        self.on, self.above_since = on | (standing & ~upheld[terms.site]), since
        self.blocked = np.zeros(len(terms.names), np.bool_)
        self._sites, self._names, self._stages = network.sites, terms.names, tuple(stages)
        return moved

    def decide(self, network: Network, terms: Terms, figures: Figures, recounted_at: Ints, tick: int) -> list[Decision]:
        """Evaluate every term at `tick`; returns the sites whose planned stage moved."""
        if not len(terms.names):
            return []
        measures = np.stack([figures.inside, figures.lower, figures.upper])
        value = measures[terms.measure, terms.target]
        above = value > terms.enter
        self.above_since = np.where(above, np.where(self.above_since == NEVER, tick, self.above_since), NEVER)
        rises = above & (tick - self.above_since >= terms.hold) & ~self.on
        on = self.on | rises
        if on.any():
            below = on & (measures[terms.clear_measure, terms.target] < terms.clear)
            rested = tick - self.risen[terms.site, terms.rank] >= terms.dwell
            fresh = figures.fresh | _recounted(network, recounted_at, tick)
            sure = (figures.known & fresh)[terms.target]
            due = below & ~above & rested
            on &= ~(due & sure)
            self.blocked = due & ~sure
        else:
            self.blocked = on
        dropped = self.on & ~on
        held = tick - self.above_since
        self.on = on
        planned = np.maximum.reduceat(np.where(on, terms.rank, 0), terms.first)
        return [
            self._move(terms, int(terms.planned[i]), int(planned[i]), rises, dropped, measures, held, tick)
            for i in np.flatnonzero(planned != self.rank[terms.planned]).tolist()
        ]

    def _move(self, terms: Terms, site: int, rank: int, rises: Bools, dropped: Bools, measures: Ints, held: Ints, tick: int) -> Decision:
        old = int(self.rank[site])
        mine = terms.site == site
        if rank > old:
            self.risen[site, old + 1 : rank + 1] = tick
            candidates = np.flatnonzero(mine & rises & (terms.rank == rank))
        else:
            self.risen[site, rank + 1 :] = NEVER
            candidates = np.flatnonzero(mine & dropped & (terms.rank == old))
        self.rank[site] = rank
        if not len(candidates):
            return Decision(site, old, rank, None, 0, 0)
        term = int(candidates[0])
        measure = terms.measure if rank > old else terms.clear_measure
        return Decision(site, old, rank, term, int(measures[measure[term], terms.target[term]]), int(held[term]) if rank > old else 0)

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "rank": self.rank,
            "risen": self.risen,
            "on": self.on,
            "above_since": self.above_since,
            "blocked": self.blocked,
            "sites": list(self._sites),
            "names": list(self._names),
            "stages": [list(s) for s in self._stages],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Plan:
        """What `to_state` wrote."""
        made = cls()
        made.rank, made.risen, made.on = state["rank"], state["risen"], state["on"]
        made.above_since, made.blocked = state["above_since"], state["blocked"]
        made._sites, made._names = tuple(state["sites"]), tuple(state["names"])
        made._stages = tuple(tuple(s) for s in state["stages"])
        return made


def _recounted(network: Network, recounted_at: Ints, tick: int) -> Bools:
    """(T,) targets that somebody counted by hand within the last minute; a site is when all its outer zones are."""
    recent = recounted_at >= tick - RECOUNT_FRESH_US
    if not recent.any():
        return np.zeros(network.targets, np.bool_)
    oldest = np.full(len(network.sites), FOREVER, np.int64)
    np.minimum.at(oldest, network.zone_site[network.root], recounted_at[network.root])
    return np.concatenate([recent, oldest >= tick - RECOUNT_FRESH_US])
