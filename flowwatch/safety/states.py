"""The situations that a site's plans can bring about together, and the shortest way to each.

A *state* of a plan is its active stage; a case has besides: not in force (`off`), and ended but not yet calm. A *situation* is one state of
each plan. Every combination is possible: plans rise by their own conditions, operators set any stage of any plan and declare any case at
any time, and no plan's state stands in the way of another's. So the shortest way to a situation is the shortest ways of its plans one after
the other, and its length is the sum of theirs:

    a plan that is no case      calm 0, stage k 1 (a rise passes over stages in between)
    a case                      off 0, in force and calm 1, in force at stage k 2, ended at stage k 3

States of a plan that ask the same of every gate and link make the same tables; they are taken as one, a *kind*. If the kinds still make more
situations than `BUDGET`, those are visited in which at most r plans are away from calm, with the largest r that stays within it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.readings import Bools, Ints
from flowwatch.core.settings import Setting
from flowwatch.safety.report import Happening

BUDGET: Final = 500_000
"""Situations of different kinds that are visited at most: with 50 gates and 20 zones 2 to 3 s on one core (benchmarks/safety.py)."""
EXPLAINED: Final = 5
"""Of one invariant at one gate or zone, so many ways that have nothing in common are told."""

Asks = Mapping[str, Setting]
Keys = npt.NDArray[np.uint64]
Small = npt.NDArray[np.int16]
_STEP: Final = 0x9E3779B97F4A7C15
"""2**64 / golden ratio, odd: multiples of it spread over 64 bits (Knuth, The Art of Computer Programming 3, 6.4)."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of a plan: its stage's rank (None: a case that is off), whether it is in force, and the steps from calm to it."""

    rank: int | None
    in_force: bool
    steps: tuple[tuple[Happening, int | None], ...]


def states(plan: Mapping[str, Any]) -> list[State]:
    """Every state of a compiled plan, the calm one first."""
    ranks = range(len(plan["stages"]))
    rise = [() if rank == 0 else ((Happening.RISES, rank),) for rank in ranks]
    if plan["case"] is None:
        return [State(rank, True, rise[rank]) for rank in ranks]
    begins, ends = ((Happening.BEGINS, None),), ((Happening.ENDS, None),)
    return [
        State(None, False, ()),
        *(State(rank, True, begins + rise[rank]) for rank in ranks),
        *(State(rank, False, begins + rise[rank] + ends) for rank in ranks if rank),
    ]


@dataclass(frozen=True, slots=True)
class Column:
    """One plan's states and the kinds that they make; kind 0 is calm."""

    plan: Mapping[str, Any]
    states: tuple[State, ...]
    kind: tuple[int, ...]
    """State -> kind."""
    asks: tuple[Asks, ...]
    """Kind -> what it asks of gates."""
    links: tuple[Mapping[str, str], ...]
    """Kind -> which way it leads people on links."""
    replaces: tuple[bool, ...]
    """Kind -> whether a calm main plan then asks nothing."""
    best: tuple[int, ...]
    """Kind -> its state that is reached soonest."""

    @property
    def kinds(self) -> int:
        """How many kinds there are."""
        return len(self.asks)

    def cost(self, kind: int) -> int:
        """Events from calm to the kind."""
        return len(self.states[self.best[kind]].steps)


def column(plan: Mapping[str, Any], *, marks_calm: bool) -> Column:
    """The kinds of a compiled plan. `marks_calm`: being calm makes a difference by itself (to a main plan that a case may replace)."""
    tables = [{gate: Setting.parse(text) for gate, text in stage["gates"].items()} for stage in plan["stages"]]
    replacing = plan["case"] is not None and plan["case"]["effect"] == "replace"
    all_states = states(plan)
    seen: dict[Any, int] = {}
    kind, best = [], []
    asks: list[Asks] = []
    links: list[Mapping[str, str]] = []
    replaces = []
    for i, state in enumerate(all_states):
        table = {} if state.rank is None else tables[state.rank]
        words = {} if state.rank is None else plan["stages"][state.rank]["links"]
        replace = replacing and state.in_force
        key = (frozenset(table.items()), frozenset(words.items()), replace, marks_calm and state.rank == 0)
        if key not in seen:
            seen[key] = len(asks)
            asks.append(table)
            links.append(words)
            replaces.append(replace)
            best.append(i)
        k = seen[key]
        if len(state.steps) < len(all_states[best[k]].steps):
            best[k] = i
        kind.append(k)
    return Column(plan, tuple(all_states), tuple(kind), tuple(asks), tuple(links), tuple(replaces), tuple(best))


@dataclass(frozen=True, slots=True)
class Space:
    """The situations that are visited: N rows, a kind of each of P plans; row 0 is all calm."""

    columns: tuple[Column, ...]
    rows: Small
    """(N, P)."""
    cost: Ints
    """(N,) events from all calm."""
    keys: Keys
    """(N,) a number for each row, none twice; a change in one column changes it by that column's weight."""
    order: Ints
    """(N,) the rows sorted by key."""
    weights: Keys
    deepest: int | None
    """None if all situations are there, else how many plans are away from calm at most."""

    def where(self, away: Mapping[int, int]) -> int:
        """The row in which each plan of `away` (column -> kind) is so and all others are calm."""
        key = np.zeros(1, np.uint64)
        for plan, kind in away.items():
            key = key + np.uint64(kind) * self.weights[plan : plan + 1]
        return int(self.find(key)[0])

    def find(self, keys: Keys) -> Ints:
        """The rows with these keys, all of which are there."""
        return self.order[np.searchsorted(self.keys[self.order], keys)]

    def exchanged(self, rows: Ints, plan: int, one: int, two: int) -> Ints:
        """For each of `rows`, in which the plan is of kind `one`: the row in which it is of kind `two` and all else the same."""
        change = np.array([two - one], np.int64).view(np.uint64) * self.weights[plan : plan + 1]  # modulo 2**64, as the keys are
        return self.find(self.keys[rows] + change)

    def soonest(self, mask: Bools) -> Iterator[int]:
        """Rows of the mask, soonest first, that have nothing in common: no later one contains what made an earlier one differ from calm.

        A row that is soonest has no plan away from calm that it could do without, so what it contains is what it takes.
        """
        rows = np.flatnonzero(mask)
        for _ in range(EXPLAINED):
            if not len(rows):
                return
            row = int(rows[np.argmin(self.cost[rows])])
            yield row
            away = np.flatnonzero(self.rows[row])
            rows = rows[(self.rows[np.ix_(rows, away)] != self.rows[row, away]).any(axis=1)]


def space(plans: list[Mapping[str, Any]], budget: int = BUDGET) -> Space:
    """The situations of a site's compiled plans, the main plan first."""
    replaced = any(plan["case"] is not None and plan["case"]["effect"] == "replace" for plan in plans)
    columns = tuple(column(plan, marks_calm=replaced and i == 0) for i, plan in enumerate(plans))
    shape = [c.kinds for c in columns]
    deepest = None
    if prod(shape) <= budget:
        rows = np.ascontiguousarray(np.indices(shape, np.int16).reshape(len(shape), -1).T)
    else:
        able = [depth for depth in range(2, len(shape)) if _within(shape, depth) <= budget]
        deepest = max([1, *able])
        rows = np.concatenate(list(_levels(shape, deepest)))
        deepest = deepest if len(rows) < prod(shape) else None
    costs = [np.array([c.cost(kind) for kind in range(c.kinds)], np.int64) for c in columns]
    cost = sum((costs[p][rows[:, p]] for p in range(len(shape))), np.zeros(len(rows), np.int64))
    keys, weights = _keys(rows, shape)
    return Space(columns, rows, cost, keys, np.argsort(keys, kind="stable"), weights, deepest)


def counted(columns: tuple[Column, ...], deepest: int | None) -> tuple[int, int, int]:
    """(all situations, those of different kinds, of all those that `deepest` lets be visited)."""
    total = prod(len(c.states) for c in columns)
    calm = [c.kind.count(0) for c in columns]
    ways = [1]
    for c, still in zip(columns, calm, strict=True):  # ways[d]: with d plans away from calm
        away = len(c.states) - still
        ways = [a * still + b * away for a, b in zip([*ways, 0], [0, *ways], strict=True)]
    return total, prod(c.kinds for c in columns), total if deepest is None else sum(ways[: deepest + 1])


def _within(shape: list[int], depth: int) -> int:
    """Rows with at most `depth` plans away from calm."""
    ways = [1]
    for kinds in shape:
        ways = [a + b * (kinds - 1) for a, b in zip([*ways, 0], [0, *ways], strict=True)]
    return sum(ways[: depth + 1])


def _levels(shape: list[int], deepest: int) -> Iterator[Small]:
    """The rows with no plan away from calm, with one, with two, ... with `deepest`."""
    yield np.zeros((1, len(shape)), np.int16)
    able = [p for p, kinds in enumerate(shape) if kinds > 1]
    for depth in range(1, deepest + 1):
        for chosen in itertools.combinations(able, depth):
            inner = np.indices([shape[p] - 1 for p in chosen]).reshape(depth, -1).T + 1
            made = np.zeros((len(inner), len(shape)), np.int16)
            made[:, chosen] = inner
            yield made


def _keys(rows: Small, shape: list[int]) -> tuple[Keys, Keys]:
    """A number for each row, and the weights of the columns: by place value where that fits, else by chance, and then tried."""
    weights = np.ones(len(shape), np.uint64)
    if prod(shape) < 2**62:
        weights[1:] = np.cumprod(np.array(shape[:-1], np.uint64))
        return rows.astype(np.uint64) @ weights, weights
    factor = _STEP
    while True:
        weights = np.array([pow(factor, p + 1, 2**64) for p in range(len(shape))], np.uint64)
        keys = (rows.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
        if len(np.unique(keys)) == len(keys):
            return keys, weights
        factor += 2
