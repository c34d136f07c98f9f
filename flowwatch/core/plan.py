"""Stages: which one each plan is in, by conditions with two edges, a hold and a dwell.

The rules of this file, for each tick and each ladder (a plan at a site) by itself:

- A leaf comes on when its figure has been above `enter` at every tick for `hold`; the figure may be provisional, and while occupancy is
  unknown it is what is surely inside.
- A leaf goes off only when its figure is not above `enter`, its clear figure is below `clear`, its stage has stood for its dwell, the figure is
  known, and its evidence is fresh: every counter that feeds it was heard in time, or somebody recounted the target within the last 60 s.
  Between the bars it never moves; silence never moves it. A leaf on the clock or on a counter's health goes off when its time is over or the
  counter is heard, and not before the evidence of all leaves that it stands in one clause with is fresh.
- A stage is asked for while any of its clauses holds, and a clause while all of its leaves are on. There is no "not": more leaves on never
  mean a calmer stage. The highest stage that is asked for is where the plan wants to be; `consent.py` says whether somebody must agree.
- A case that is not in force asks for nothing while it is calm, and neither does a calm main plan that a case in force replaces. Once above
  calm a ladder goes on until it is calm again: no beginning and no end of a case lowers anything.

All leaves of all sites are evaluated together as arrays. Stages are ranks, 0 the calmest. This module knows no gates and no operators.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from flowwatch.core.clocks import clock
from flowwatch.core.consent import DECLINED, GRANTED, Question, step
from flowwatch.core.flows import Flows
from flowwatch.core.network import FOREVER, Network, carry
from flowwatch.core.occupancy import Figures
from flowwatch.core.readings import NEVER, SECOND, Bools, Ints
from flowwatch.core.terms import SOURCES, SURE, Role, Terms

RECOUNT_FRESH_US: Final = 60 * SECOND
"""A manual count is evidence as long as a counter's reading is (the floor of the freshness rule)."""

Script = Mapping[tuple[str, str], tuple[int, bool]]
"""(site, quantity's name) -> (milli-units, fresh): figures that a plan's test writes instead of counters."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One ladder moved from one rank to another, because of leaf `term` (None when documents, an answer or the clock moved it)."""

    ladder: int
    old: int
    new: int
    term: int | None
    value: int
    held: int
    how: str = ""
    """"" by itself, "confirmed" or "unanswered"."""
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Quantities:
    """The figures of a tick that leaves look at (`terms.py`), with whether each is known and its evidence fresh."""

    value: Ints
    known: Bools
    fresh: Bools


class Plans:
    """The state of all plans of a partition."""

    def __init__(self) -> None:
        self.rank = np.zeros(0, np.int64)
        """(L,) where each ladder stands."""
        self.asked = np.zeros(0, np.int64)
        """(L,) what its conditions ask for."""
        self.risen = np.zeros((0, 1), np.int64)
        """(L, stages) when each stage last rose, NEVER while it is not reached."""
        self.on: Bools = np.zeros(0, np.bool_)
        self.above_since = np.zeros(0, np.int64)
        self.blocked: Bools = np.zeros(0, np.bool_)
        """(K,) leaves that would go off but for stale evidence, and those whose stale evidence keeps another."""
        self.rules: Bools = np.zeros(0, np.bool_)
        """(R,) which rules hold."""
        self.questions: dict[str, Question] = {}
        """Ladder -> what a person is asked about it."""
        self.flows = Flows()
        self.shelf: dict[str, tuple[tuple[str, ...], int, list[int]]] = {}
        """Ladder -> (stages, rank, when each rose) of plans that were taken away above calm: should they come back, they are no calmer."""
        self.in_force: frozenset[int] = frozenset()
        """The ladders that may rise, at the last tick."""
        self._ladders: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._stages: tuple[tuple[str, ...], ...] = ()
        self._clock_on: Bools = np.zeros(0, np.bool_)
        self._clock_until = np.zeros(0, np.int64)

    # -- documents --------------------------------------------------------------------------------------------------------------------

    def rebuild(self, network: Network, terms: Terms) -> None:
        """Carry stages and timers over to the plans now in force.

        A ladder whose present stage has gone from its plan takes the stage of equal rank, or the highest: never a calmer one than it was in. A
        stage that none of the carried leaves upholds is upheld by all of its leaves, so that it falls only below their clear bars.
        """
        self._put_away()
        n, most = len(terms.ladders), max([1, *(len(s) for s in terms.stages)])
        rank, risen = np.zeros(n, np.int64), np.full((n, most), NEVER, np.int64)
        for ix, ladder in enumerate(terms.ladders):
            if ladder not in self.shelf:
                continue
            before, stood, rose = self.shelf.pop(ladder)
            after, was = terms.stages[ix], before[stood]
            for r, name in enumerate(after):
                if name in before:
                    risen[ix, r] = rose[before.index(name)]
            rank[ix] = after.index(was) if was in after else min(stood, len(after) - 1)
            reached = risen[ix, 1 : rank[ix] + 1]
            reached[reached == NEVER] = rose[stood]
            risen[ix, rank[ix] + 1 :] = NEVER
        self.rank, self.risen, self.asked = rank, risen, rank.copy()
        self.in_force = terms.plain
        old, new = carry(self._names, terms.names)
        on, since = np.zeros(len(terms.names), np.bool_), np.full(len(terms.names), NEVER, np.int64)
        on[new], since[new] = self.on[old], self.above_since[old]
        upheld = np.zeros(n, np.bool_)
        if len(terms.rule_names):
            holds = _rules(terms, on) & (terms.rule_rank >= rank[terms.rule_ladder])
            upheld[terms.rule_ladder[holds]] = True
        standing = (terms.leaf_rank == rank[terms.leaf_ladder]) & (terms.leaf_rank > 0)
        self.on, self.above_since = on | (standing & ~upheld[terms.leaf_ladder]), since
        self._ladders, self._names, self._stages = terms.ladders, terms.names, terms.stages
        self.questions = {
            name: q for name, q in self.questions.items() if name in terms.ladders and q.to in terms.stages[terms.ladders.index(name)]
        }
        self.blocked, self.rules = np.zeros(len(terms.names), np.bool_), np.zeros(len(terms.rule_names), np.bool_)
        self._clock_until = np.zeros(0, np.int64)
        self.flows.rebuild(len(network.counters), terms.watched)

    def _put_away(self) -> None:
        """Every ladder that stands above calm goes to the shelf, from which the plans in force take theirs back."""
        for ix, name in enumerate(self._ladders):
            if self.rank[ix] > 0:
                self.shelf[name] = (self._stages[ix], int(self.rank[ix]), self.risen[ix, : len(self._stages[ix])].tolist())

    # -- a tick -----------------------------------------------------------------------------------------------------------------------

    def quantities(
        self, network: Network, terms: Terms, figures: Figures, recounted_at: Ints, last_at: Ints, silent: Bools, tick: int
    ) -> Quantities:
        """The vector of figures that the leaves look at."""
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
        place = {p.name: 4 * terms.targets + i for i, p in enumerate(terms.passers)}
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
                where = [place[f"{site}/{name}"]]
            value[where], known[where], fresh[where] = milli, True, heard
        for target in edges:
            lower, upper, width = (b * terms.targets + target for b in (1, 2, 3))
            value[width], known[width], fresh[width] = value[upper] - value[lower], True, fresh[upper]
        return Quantities(value, known, fresh)

    def decide(self, terms: Terms, quantities: Quantities, declared: Collection[int], tick: int) -> list[Decision]:
        """Evaluate everything at `tick`; returns the ladders that moved. `declared`: cases that an operator holds in force."""
        if not len(terms.ladders):
            return []
        value = quantities.value[terms.value]
        above = value > terms.enter
        self.above_since = np.where(above, np.where(self.above_since == NEVER, tick, self.above_since), NEVER)
        rises = above & (tick - self.above_since >= terms.hold) & ~self.on
        on = self.on | rises
        own = (quantities.known & quantities.fresh)[terms.clear_value]
        sure = own.copy()
        if len(terms.switches):
            sure[terms.switches] = np.logical_and.reduceat(sure[terms.switch_leaf], terms.switch_first)
        if on.any():
            below = on & (quantities.value[terms.clear_value] < terms.clear)
            rested = tick - self.risen[terms.leaf_ladder, terms.leaf_rank] >= terms.dwell
            due = below & ~above & rested
            on &= ~(due & sure)
            self.blocked = due & ~sure
            if self.blocked[terms.switches].any():
                kept = np.repeat(self.blocked[terms.switches], np.diff([*terms.switch_first, len(terms.switch_leaf)]))
                self.blocked[terms.switch_leaf[kept]] |= ~own[terms.switch_leaf[kept]]
        else:
            self.blocked = on
        dropped = self.on & ~on
        held = tick - self.above_since
        self.on = on
        self._ask(terms, declared)
        moved = []
        for ix in np.flatnonzero(self.asked != self.rank).tolist():
            decision = self._step(terms, ix, sure, tick)
            if decision is not None:
                moved.append(self._because(terms, decision, rises, dropped, quantities.value, held, tick))
        over = [n for n in self.questions if self.asked[terms.ladder_index[n]] == self.rank[terms.ladder_index[n]]]
        for name in over:
            del self.questions[name]
        return moved

    def _ask(self, terms: Terms, declared: Collection[int]) -> None:
        """What the conditions ask of each ladder, (L,): `asked` and `rules`."""
        asked = np.zeros(len(terms.ladders), np.int64)
        if len(terms.rule_names):
            self.rules = _rules(terms, self.on)
            asked[terms.ruled] = np.maximum.reduceat(np.where(self.rules, terms.rule_rank, 0), terms.ruled_first)
        self.in_force = self._cases(terms, declared)
        if len(self.in_force) < len(terms.ladders):
            calm = self.rank == 0
            idle = np.ones(len(terms.ladders), np.bool_)
            idle[list(self.in_force)] = False
            asked[calm & idle] = 0
        self.asked = asked

    def _cases(self, terms: Terms, declared: Collection[int]) -> frozenset[int]:
        """The ladders that may rise: plans that are no case, cases in force; not a main plan that a case in force replaces."""
        if len(terms.plain) == len(terms.ladders):
            return terms.plain
        of_rule = {int(terms.rule_ladder[r]) for r in np.flatnonzero(self.rules & (terms.rule_role == Role.CASE)).tolist()}
        cases = of_rule | set(declared)
        free = terms.plain | cases
        for ix in cases:
            case = terms.plans[ix]["case"]
            if case is not None and case["effect"] == "replace":
                free -= {int(terms.main[terms.ladder_site[ix]])}
        return free

    def _step(self, terms: Terms, ix: int, sure: Bools, tick: int) -> Decision | None:
        name, old = terms.ladders[ix], int(self.rank[ix])
        mine = bool(sure[terms.leaf_first[ix] : terms.leaf_first[ix + 1]].all())
        taken = step(terms.plans[ix]["stages"], old, int(self.asked[ix]), self.questions.get(name), tick, sure=mine)
        if taken.question is None:
            self.questions.pop(name, None)
        else:
            self.questions[name] = taken.question
        return None if taken.rank == old else Decision(ix, old, taken.rank, None, 0, 0, taken.how, taken.action)

    def _because(self, terms: Terms, decision: Decision, rises: Bools, dropped: Bools, quantities: Ints, held: Ints, tick: int) -> Decision:
        """Move the ladder, and name the leaf that did it."""
        ix, old, rank = decision.ladder, decision.old, decision.new
        start, stop = int(terms.leaf_first[ix]), int(terms.leaf_first[ix + 1])
        ranks = terms.leaf_rank[start:stop]
        if rank > old:
            self.risen[ix, old + 1 : rank + 1] = tick
            candidates = np.flatnonzero(rises[start:stop] & (ranks == rank))
            if not len(candidates):
                candidates = np.flatnonzero(self.on[start:stop] & (ranks == rank))
        else:
            self.risen[ix, rank + 1 :] = NEVER
            candidates = np.flatnonzero(dropped[start:stop] & (ranks == old))
        self.rank[ix] = rank
        if not len(candidates):
            return decision
        term = start + int(candidates[0])
        which = terms.value if rank > old else terms.clear_value
        return replace(decision, term=term, value=int(quantities[which[term]]), held=int(held[term]) if rank > old else 0)

    def answer(self, ladder: str, *, yes: bool, by: str, action: str) -> bool:
        """A person answers the question about `ladder`; whether there is one."""
        question = self.questions.get(ladder)
        if question is None:
            return False
        self.questions[ladder] = replace(question, state=GRANTED if yes else DECLINED, said_by=by, action=action)
        return True

    # -- state ------------------------------------------------------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "rank": self.rank,
            "asked": self.asked,
            "risen": self.risen,
            "on": self.on,
            "above_since": self.above_since,
            "blocked": self.blocked,
            "rules": self.rules,
            "questions": [
                [name, q.to, q.rises, q.since, q.due, q.by, q.otherwise, q.state, q.said_by, q.action]
                for name, q in sorted(self.questions.items())
            ],
            "flows": self.flows.to_state(),
            "shelf": [[name, list(stages), rank, rose] for name, (stages, rank, rose) in sorted(self.shelf.items())],
            "in_force": sorted(self.in_force),
            "ladders": list(self._ladders),
            "names": list(self._names),
            "stages": [list(s) for s in self._stages],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Plans:
        """What `to_state` wrote. What the calendar says is not in it: it follows from the time."""
        made = cls()
        made.rank, made.risen, made.on, made.asked = state["rank"], state["risen"], state["on"], state["asked"]
        made.above_since = state["above_since"]
        made.questions = {name: Question(*rest) for name, *rest in state["questions"]}
        made.shelf = {name: (tuple(stages), rank, rose) for name, stages, rank, rose in state["shelf"]}
        made.in_force = frozenset(state["in_force"])
        made.flows = Flows.from_state(state["flows"])
        made._ladders, made._names = tuple(state["ladders"]), tuple(state["names"])
        made._stages = tuple(tuple(s) for s in state["stages"])
        made.blocked, made.rules = state["blocked"], state["rules"]
        return made


def _rules(terms: Terms, on: Bools) -> Bools:
    """(R,) which rules hold when the leaves `on` (K,) are on; there is at least one rule."""
    clauses = np.logical_and.reduceat(on[terms.member], terms.clause_first)
    return np.asarray(np.logical_or.reduceat(clauses, terms.rule_first))


def _recounted(network: Network, recounted_at: Ints, tick: int) -> Bools:
    """(T,) targets that somebody counted by hand within the last minute; a site is when all its outer zones are."""
    recent = recounted_at >= tick - RECOUNT_FRESH_US
    if not recent.any():
        return np.zeros(network.targets, np.bool_)
    oldest = np.full(len(network.sites), FOREVER, np.int64)
    np.minimum.at(oldest, network.zone_site[network.root], recounted_at[network.root])
    return np.concatenate([recent, oldest >= tick - RECOUNT_FRESH_US])
