"""Ladders in plain Python, written from the rules in words: what the module heads of `plan.py` and `consent.py` promise, one leaf at a time.

A condition is a tree: ("any" | "all", parts) with compiled leaves at its ends. `conditions` multiplies a tree out for the engine; the model
walks it as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Leaf = dict[str, Any]
Tree = Leaf | tuple[str, list[Any]]
Reading = Callable[[Leaf], tuple[int, bool]]
"""Leaf -> (its figure in milli-units, whether it is known and fresh)."""


def leaves_of(tree: Tree) -> list[Leaf]:
    """The leaves of a tree, from left to right."""
    return [leaf for part in tree[1] for leaf in leaves_of(part)] if isinstance(tree, tuple) else [tree]


def conditions(tree: Tree) -> dict[str, Any]:
    """The tree as any of alls, as a stage of a compiled plan has it."""
    number = itertools.count()

    def clauses(part: Tree) -> list[list[int]]:
        if not isinstance(part, tuple):
            return [[next(number)]]
        parts = [clauses(p) for p in part[1]]
        if part[0] == "any":
            return [clause for p in parts for clause in p]
        return [sorted(set(itertools.chain(*choice))) for choice in itertools.product(*parts)]

    return {"leaves": leaves_of(tree), "clauses": clauses(tree)}


@dataclass
class Watched:
    """One leaf as it is watched."""

    leaf: Leaf
    on: bool = False
    above_since: int | None = None

    def look(self, at: int, figure: int, *, sure: bool, rested: bool) -> None:
        enter, clear = self.leaf.get("enter_m", 500), self.leaf.get("clear_m", 500)
        if figure > enter:
            self.above_since = at if self.above_since is None else self.above_since
            self.on |= at - self.above_since >= self.leaf.get("hold_us", 0)
        else:
            self.above_since = None
            self.on &= not (figure < clear and sure and rested)


@dataclass
class Question:
    to: int
    rises: bool
    since: int
    due: int | None
    otherwise: str
    by: str
    state: str = "open"
    waited: dict[int, int] = field(default_factory=dict)


@dataclass
class Ladder:
    """One plan: `stages` from its compiled record, and the tree of each stage above calm."""

    stages: Sequence[Mapping[str, Any]]
    trees: Mapping[int, Tree]
    rank: int = 0
    risen: dict[int, int] = field(default_factory=dict)
    question: Question | None = None

    def __post_init__(self) -> None:
        self.watched = {id(leaf): (rank, Watched(leaf)) for rank, tree in self.trees.items() for leaf in leaves_of(tree)}

    def tick(self, at: int, read: Reading, *, may_rise: bool) -> None:
        for rank, watched in self.watched.values():
            figure, _ = read(watched.leaf)
            sure = all(read(leaf)[1] for leaf in self._evidence(rank, watched.leaf))
            rested = rank not in self.risen or at - self.risen[rank] >= self.stages[rank]["dwell_us"]
            watched.look(at, figure, sure=sure, rested=rested)
        wanted = max((rank for rank, tree in self.trees.items() if self.holds(tree)), default=0)
        if self.rank == 0 and not may_rise:
            wanted = 0
        self._move(at, wanted, sure=all(read(w.leaf)[1] for _, w in self.watched.values()))

    def _evidence(self, rank: int, leaf: Leaf) -> list[Leaf]:
        """Whose figures must be fresh before `leaf` goes off: its own; for one without a figure, those of all that it stands in one clause with."""
        if leaf["kind"] in ("people", "passers"):
            return [leaf]
        made = conditions(self.trees[rank])
        place = next(i for i, other in enumerate(made["leaves"]) if other is leaf)
        return [made["leaves"][i] for clause in made["clauses"] if place in clause for i in clause]

    def holds(self, tree: Tree) -> bool:
        if isinstance(tree, tuple):
            return (any if tree[0] == "any" else all)(self.holds(part) for part in tree[1])
        return self.watched[id(tree)][1].on

    def answer(self, *, yes: bool) -> None:
        assert self.question is not None
        self.question.state = "granted" if yes else "declined"

    def _terms(self, rank: int, direction: str) -> Mapping[str, Any]:
        terms: Mapping[str, Any] = self.stages[rank]["confirm"][direction]
        return terms

    def _move(self, at: int, wanted: int, *, sure: bool) -> None:
        asked, self.question = self.question, None
        if wanted > self.rank:
            if asked is not None and asked.rises and asked.state == "granted":
                self._stand(at, min(asked.to, wanted))
                asked = None
            self._stand(at, max([self.rank, *(r for r in range(self.rank + 1, wanted + 1) if self._terms(r, "rise")["by"] is None)]))
            if self.rank < wanted:
                self._ask_up(at, wanted, asked if asked is not None and asked.rises else None)
        elif wanted < self.rank:
            if asked is not None and not asked.rises and asked.state == "granted":
                self._stand(at, self.rank - 1)
                while self.rank > max(asked.to, wanted) and self._terms(self.rank, "fall")["by"] in (None, asked.by):
                    self._stand(at, self.rank - 1)
                asked = None
            while self.rank > wanted and self._terms(self.rank, "fall")["by"] is None:
                self._stand(at, self.rank - 1)
            if self.rank > wanted:
                self._ask_down(at, wanted, asked if asked is not None and not asked.rises else None, sure=sure)

    def _stand(self, at: int, rank: int) -> None:
        self.risen |= dict.fromkeys(range(self.rank + 1, rank + 1), at)
        self.risen = {r: when for r, when in self.risen.items() if r <= rank}
        self.rank = rank

    def _ask_up(self, at: int, wanted: int, before: Question | None) -> None:
        terms = self._terms(wanted, "rise")
        if before is None or before.to != wanted:
            known = before.waited if before is not None and before.state != "declined" else {}
            waited = {rank: known.get(rank, at) for rank in range(self.rank + 1, wanted + 1)}
            due = None if terms["within_us"] is None else waited[wanted] + terms["within_us"]
            before = Question(wanted, True, waited[wanted], due, terms["otherwise"], terms["by"], "open", waited)
        self.question = before
        if before.state == "open" and before.due is not None and at >= before.due:
            if before.otherwise == "apply":
                self._stand(at, wanted)
                self.question = None
                return
            before.state = "unanswered"
        for rank in range(wanted - 1, self.rank, -1):
            way = self._terms(rank, "rise")
            over = way["within_us"] is not None and at - before.waited[rank] >= way["within_us"]
            if before.state != "declined" and way["otherwise"] == "apply" and over:
                self._stand(at, rank)
                break

    def _ask_down(self, at: int, wanted: int, before: Question | None, *, sure: bool) -> None:
        def ask() -> Question:
            terms = self._terms(self.rank, "fall")
            due = None if terms["within_us"] is None else at + terms["within_us"]
            return Question(wanted, False, at, due, terms["otherwise"], terms["by"])

        self.question = before = ask() if before is None or before.to != wanted else before
        if before.state != "open" or before.due is None or at < before.due:
            return
        if before.otherwise == "keep":
            before.state = "unanswered"
        elif sure:
            self._stand(at, self.rank - 1)
            while self.rank > wanted:
                way = self._terms(self.rank, "fall")
                over = way["within_us"] is not None and at - before.since >= way["within_us"]
                if way["by"] is not None and not (way["otherwise"] == "apply" and over):
                    break
                self._stand(at, self.rank - 1)
            self.question = ask() if self.rank > wanted else None
