"""Nested conditions multiplied out: any of alls (disjunctive normal form), which is what the engine evaluates.

`any` puts the clauses of its parts one after the other, `all` joins each clause of one part with each of the others. A leaf stands in as
many clauses as need it; clauses name leaves by number.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

from flowwatch.documents.conditions import Condition, Group, parts

Clause = tuple[int, ...]


def count(group: Group) -> int:
    """How many clauses `group` has when multiplied out, without doing it."""
    key, inner = parts(group)
    if not key:
        return 1
    counts = [count(part) for part in inner]
    return sum(counts) if key == "any" else prod(counts)


def depth(group: Group) -> int:
    """How many groups stand within each other, this one included."""
    key, inner = parts(group)
    return 1 + max((depth(part) for part in inner), default=0) if key else 0


def multiplied_out(group: Group, number: Callable[[Condition], int]) -> list[Clause]:
    """The clauses of `group`, in the order of writing and each once; `number` gives a leaf's number."""
    return list(dict.fromkeys(_clauses(group, number)))


def _clauses(group: Group, number: Callable[[Condition], int]) -> list[Clause]:
    key, inner = parts(group)
    if isinstance(group, Condition) and not key:
        return [(number(group),)]
    of_parts = [_clauses(part, number) for part in inner]
    if key == "any":
        return [clause for clauses in of_parts for clause in clauses]
    return [tuple(sorted({leaf for clause in chosen for leaf in clause})) for chosen in product(*of_parts)]
