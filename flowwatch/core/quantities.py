"""The figures of a tick that conditions look at, as one vector: people, band, passers, the clock, silent counters, the stages of other
sites (`terms.py` has its blocks).

Beside each figure stands whether it is known and whether its evidence is fresh: every counter that feeds it was heard in time, or somebody
counted the people by hand within the last minute. What is remembered from tick to tick is people passing (`flows.py`) and until when the
clock's answers stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from flowwatch.core.clocks import clock
from flowwatch.core.flows import Flows
from flowwatch.core.network import FOREVER, Network
from flowwatch.core.occupancy import Figures
from flowwatch.core.readings import NEVER, SECOND, Bools, Ints
from flowwatch.core.terms import SOURCES, SURE, Terms

RECOUNT_FRESH_US: Final = 60 * SECOND
"""A manual count is evidence as long as a counter's reading is (the floor of the freshness rule)."""

Script = Mapping[tuple[str, str], tuple[int, bool]]
"""(site, quantity's name) -> (milli-units, fresh): figures that a plan's test writes instead of counters."""


@dataclass(frozen=True, slots=True)
class Quantities:
    """The vector, (Q,): milli-persons and milli-persons a minute, 0 or 1000 where something holds or not."""

    value: Ints
    known: Bools
    fresh: Bools


class Measures:
    """Makes the vector, tick by tick."""

    def __init__(self) -> None:
        self.flows = Flows()
        self._clock_on: Bools = np.zeros(0, np.bool_)
        self._clock_until = np.zeros(0, np.int64)

    def rebuild(self, network: Network, terms: Terms) -> None:
        """Make room for what the documents in force look at."""
        self.flows.rebuild(len(network.counters), terms.watched)
        self._clock_until = np.zeros(0, np.int64)

    def at(
        self, network: Network, terms: Terms, figures: Figures, recounted_at: Ints, last_at: Ints, silent: Bools, stood: Ints, tick: int
    ) -> Quantities:
        """The vector of figures that the leaves look at. `stood`: (L,) the rank at which each plan stood before this tick."""
        t, n = terms.targets, terms.quantities
        value, known, fresh = np.zeros(n, np.int64), np.ones(n, np.bool_), np.ones(n, np.bool_)
        value[: 4 * t] = np.concatenate([figures.inside, figures.lower, figures.upper, figures.upper - figures.lower])
        known[: 4 * t] = np.tile(figures.known, 4)
        fresh[: 4 * t] = np.tile(figures.fresh | _recounted(network, recounted_at, tick), 4)
        if terms.passers:
            self._rate(network, terms, last_at, tick, (value, known, fresh))
        if terms.clocks:
            value[terms.clock_quantity] = np.where(self._clocks(network, terms, tick), SURE, 0)
        if len(terms.health_quantity):
            value[terms.health_quantity] = np.where(np.logical_or.reduceat(silent[terms.health_counter], terms.health_first), SURE, 0)
        if len(terms.neighbour_quantity):
            there = terms.neighbour_ladder >= 0
            value[terms.neighbour_quantity] = np.where(there & (stood[terms.neighbour_ladder] >= terms.neighbour_rank), SURE, 0)
            known[terms.neighbour_quantity] = there
        return Quantities(value, known, fresh)

    def _clocks(self, network: Network, terms: Terms, tick: int) -> Bools:
        """Whether each leaf that the calendar decides holds; computed only where the answer may have changed."""
        if len(self._clock_until) != len(terms.clocks):
            self._clock_on, self._clock_until = np.zeros(len(terms.clocks), np.bool_), np.full(len(terms.clocks), NEVER, np.int64)
        for i in np.flatnonzero(self._clock_until <= tick).tolist():
            k = terms.clocks[i]
            ladder = int(terms.leaf_ladder[k])
            document = network.documents[int(terms.ladder_site[ladder])]
            self._clock_on[i], self._clock_until[i] = clock(document, terms.plans[ladder], terms.leaves[k], tick)
        return self._clock_on

    def _rate(self, network: Network, terms: Terms, last_at: Ints, tick: int, into: tuple[Ints, Bools, Bools]) -> None:
        (value, known, fresh), rates = into, terms.rates
        there = slice(4 * terms.targets, 4 * terms.targets + len(terms.passers))
        people_in, people_out = (rate[rates.at] for rate in self.flows.rates(network, terms.watched, tick))
        one = np.add.reduceat(rates.of_in * people_in + rates.of_out * people_out, rates.first)
        other = np.add.reduceat(rates.of_out * people_in + rates.of_in * people_out, rates.first)
        value[there] = np.where(rates.weaker, np.minimum(one, other), one)
        known[there] = np.logical_and.reduceat(self.flows.known(network, terms.watched, tick)[rates.at], rates.first)
        heard = tick - last_at[terms.watched] <= network.stale_after[terms.watched]
        fresh[there] = np.logical_and.reduceat(heard[rates.at], rates.first)

    @staticmethod
    def scripted(network: Network, terms: Terms, quantities: Quantities, script: Script) -> Quantities:
        """`quantities` with the figures of `script` in their places; an occupancy stands for its edges too, unless they are given."""
        value, known, fresh = quantities.value.copy(), quantities.known.copy(), quantities.fresh.copy()
        place = {p.name: [4 * terms.targets + i] for i, p in enumerate(terms.passers)}
        for name, at in zip(terms.neighbour_names, terms.neighbour_quantity.tolist(), strict=True):
            place.setdefault(name, []).append(at)
        edges: dict[int, int] = {}
        for (site, name), (milli, heard) in script.items():
            zone, _, source = name.rpartition(".")
            if source in SOURCES:
                target, block = network.target(network.site_index[site], zone), SOURCES.index(source)
                where = [block * terms.targets + target]
                if source == "occupancy":
                    where += [b * terms.targets + target for b in (1, 2) if (site, f"{zone}.{SOURCES[b]}") not in script]
                edges[target] = 1
            else:
                where = place[f"{site}/{name}"]
            value[where], known[where], fresh[where] = milli, True, heard
        for target in edges:
            lower, upper, width = (b * terms.targets + target for b in (1, 2, 3))
            value[width], known[width], fresh[width] = value[upper] - value[lower], True, fresh[upper]
        return Quantities(value, known, fresh)


def _recounted(network: Network, recounted_at: Ints, tick: int) -> Bools:
    """(T,) targets that somebody counted by hand within the last minute; a site is when all its outer zones are."""
    recent = recounted_at >= tick - RECOUNT_FRESH_US
    if not recent.any():
        return np.zeros(network.targets, np.bool_)
    oldest = np.full(len(network.sites), FOREVER, np.int64)
    np.minimum.at(oldest, network.zone_site[network.root], recounted_at[network.root])
    return np.concatenate([recent, oldest >= tick - RECOUNT_FRESH_US])
