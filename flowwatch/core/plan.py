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

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flowwatch.core.consent import DECLINED, GRANTED, Question, step
from flowwatch.core.network import carry
from flowwatch.core.quantities import Quantities
from flowwatch.core.readings import NEVER, Bools, Ints
from flowwatch.core.terms import Role, Terms


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
        self.shelf: dict[str, tuple[tuple[str, ...], int, list[int]]] = {}
        """Ladder -> (stages, rank, when each rose) of plans that were taken away above calm: should they come back, they are no calmer."""
        self.free: Bools = np.zeros(0, np.bool_)
        """(L,) which ladders may rise: not a case out of force, nor a main plan that a case in force replaces."""
        self._ladders: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._stages: tuple[tuple[str, ...], ...] = ()

    # -- documents --------------------------------------------------------------------------------------------------------------------

    def rebuild(self, terms: Terms) -> None:
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
        free = terms.plain.copy()
        old, new = carry(self._ladders, terms.ladders)
        free[new] = self.free[old]
        self.free = free | (terms.plain & (np.arange(n) != terms.main[terms.ladder_site]))
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

    def _put_away(self) -> None:
        """Every ladder that stands above calm goes to the shelf, from which the plans in force take theirs back."""
        for ix, name in enumerate(self._ladders):
            if self.rank[ix] > 0:
                self.shelf[name] = (self._stages[ix], int(self.rank[ix]), self.risen[ix, : len(self._stages[ix])].tolist())

    # -- a tick -----------------------------------------------------------------------------------------------------------------------

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
        self.free = self._free(terms, declared)
        asked[(self.rank == 0) & ~self.free] = 0
        self.asked = asked

    def _free(self, terms: Terms, declared: Collection[int]) -> Bools:
        cases = np.zeros(len(terms.ladders), np.bool_)
        cases[terms.rule_ladder[self.rules & (terms.rule_role == Role.CASE)]] = True
        cases[list(declared)] = True
        free = terms.plain | cases
        free[terms.main[terms.ladder_site[cases & terms.replaces]]] = False
        return free

    @property
    def asking(self) -> Bools:
        """(L,) which plans ask something of gates by themselves: those that may rise, and those that have not fallen to calm."""
        return np.asarray(self.free | (self.rank > 0))

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
                [name, q.to, q.rises, q.since, q.due, q.by, q.otherwise, q.state, q.said_by, q.action, [list(w) for w in q.waited]]
                for name, q in sorted(self.questions.items())
            ],
            "shelf": [[name, list(stages), rank, rose] for name, (stages, rank, rose) in sorted(self.shelf.items())],
            "free": self.free,
            "ladders": list(self._ladders),
            "names": list(self._names),
            "stages": [list(s) for s in self._stages],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Plans:
        """What `to_state` wrote."""
        made = cls()
        made.rank, made.risen, made.on, made.asked = state["rank"], state["risen"], state["on"], state["asked"]
        made.above_since = state["above_since"]
        made.questions = {
            name: replace(Question(*rest), waited=tuple((stage, since) for stage, since in waited))
            for name, *rest, waited in state["questions"]
        }
        made.shelf = {name: (tuple(stages), rank, rose) for name, stages, rank, rose in state["shelf"]}
        made.free = state["free"]
        made._ladders, made._names = tuple(state["ladders"]), tuple(state["names"])
        made._stages = tuple(tuple(s) for s in state["stages"])
        made.blocked, made.rules = state["blocked"], state["rules"]
        return made


def _rules(terms: Terms, on: Bools) -> Bools:
    """(R,) which rules hold when the leaves `on` (K,) are on; there is at least one rule."""
    clauses = np.logical_and.reduceat(on[terms.member], terms.clause_first)
    return np.asarray(np.logical_or.reduceat(clauses, terms.rule_first))
