"""Nested conditions, multiplied out, hold exactly when the tree of them holds."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.documents.clauses import count, depth, multiplied_out
from flowwatch.documents.conditions import Condition, When, leaves, parts

LEAVES = 5
LEAF = st.integers(0, LEAVES - 1).map(lambda i: Condition(counter=f"c{i}"))
PARTS = st.recursive(
    LEAF,
    lambda inner: st.builds(
        lambda key, group: Condition(any=group) if key == "any" else Condition(all=group),
        st.sampled_from(["any", "all"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
TREES = st.builds(
    lambda key, group: When(any=group) if key == "any" else When(all=group),
    st.sampled_from(["any", "all"]),
    st.lists(PARTS, min_size=1, max_size=3),
)


def number(condition: Condition) -> int:
    return int(str(condition.counter)[1:])


def holds(group: When | Condition, truth: tuple[bool, ...]) -> bool:
    """What the tree says when its leaves are as in `truth`."""
    key, inner = parts(group)
    if not key:
        assert isinstance(group, Condition)
        return truth[number(group)]
    return (any if key == "any" else all)(holds(part, truth) for part in inner)


@given(TREES)
def test_clauses_hold_exactly_when_the_tree_holds(tree: When) -> None:
    clauses = multiplied_out(tree, number)
    for truth in product([False, True], repeat=LEAVES):
        assert holds(tree, truth) == any(all(truth[leaf] for leaf in clause) for clause in clauses)


@given(TREES)
def test_no_clause_is_empty_or_twice_there_and_each_names_a_leaf_once(tree: When) -> None:
    clauses = multiplied_out(tree, number)
    assert len(set(clauses)) == len(clauses)
    assert all(clause and len(set(clause)) == len(clause) for clause in clauses)


@given(TREES)
def test_the_count_foretells_the_clauses_of_a_tree_whose_leaves_all_differ(tree: When) -> None:
    numbers = {id(condition): i for i, (_, condition) in enumerate(leaves(tree))}
    if len(numbers) == sum(1 for _ in leaves(tree)):
        assert count(tree) == len(multiplied_out(tree, lambda condition: numbers[id(condition)]))
    assert count(tree) >= len(multiplied_out(tree, number))


@given(TREES)
def test_a_path_leads_to_its_leaf_and_is_no_longer_than_the_tree_is_deep(tree: When) -> None:
    for path, leaf in leaves(tree):
        at: object = tree
        for step in path:
            at = at[step] if isinstance(step, int) else getattr(at, step)  # type: ignore[index]
        assert at is leaf
        assert len(path) <= 2 * depth(tree)


def test_counting_a_condition_that_explodes_does_not_multiply_it_out() -> None:
    ten = Condition(any=[Condition(counter=f"c{i}") for i in range(10)])
    assert count(When(all=[ten] * 50)) == 10**50
