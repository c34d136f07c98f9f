"""What must hold of conditions beyond the types of their keys: which keys belong together, which measure a place has, what a bar may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

from msgspec import UNSET, inspect

from flowwatch.documents.bars import UNITS, bar, meant
from flowwatch.documents.clauses import count, depth
from flowwatch.documents.conditions import (
    DEEPEST_GROUP,
    FORECASTS,
    MOST_CLAUSES,
    OCCUPANCIES,
    PASSERS,
    PEOPLE,
    SHAPES,
    Condition,
    Group,
    Measure,
    When,
    leading,
    parts,
)
from flowwatch.documents.faults import listed, quoted
from flowwatch.documents.walk import Problem
from flowwatch.documents.wanted import type_of, wanted
from flowwatch.documents.words import WHOLE_SITE

_MEASURES: Final = {"zone": PEOPLE, "gate": PASSERS[:2], "link": PASSERS}
"""Leading key -> the measures of such a place."""
_A: Final = {"measure": "a measure", "enter": "a bar", "clear": "a bar"}
_TAKEN_BY: Final = {
    key: [lead for lead, shape in SHAPES.items() if key in (*shape.needed, *shape.allowed)]
    for key in ("measure", "direction", "within", "enter", "clear", "clear_measure", "health", "plan", "stage", "hold")
}
"""Key -> the leading keys that take it."""


def has_one_shape(condition: Condition) -> Iterator[Problem]:
    """The leading key says what a condition is; it has one."""
    given = leading(condition)
    if not given:
        yield (), f"found none of {', '.join(SHAPES)}, expected one of them"
    for key in given[1:]:
        yield (key,), f"found {key} beside {given[0]}, expected one of them"


def has_the_keys_of_its_shape(condition: Condition) -> Iterator[Problem]:
    """A key that is missing leaves a question open; one that means nothing here was meant for something else."""
    given = leading(condition)
    if len(given) != 1:
        return
    if (
        given == ["site"]
        and condition.stage is UNSET
        and any(getattr(condition, key) is not UNSET for key in ("measure", "enter", "clear"))
    ):
        found = next(key for key in ("measure", "enter", "clear") if getattr(condition, key) is not UNSET)
        yield ("site",), f"found site with {_A[found]}, expected a zone; for the people of the whole site write zone: {WHOLE_SITE}"
        return
    shape = SHAPES[given[0]]
    struct = type_of(Condition)
    assert isinstance(struct, inspect.StructType)
    types = {field.encode_name: field.type for field in struct.fields}
    for key in shape.needed:
        if getattr(condition, key) is UNSET:
            yield (key,), f'found no "{key}", expected {wanted(types[key])}'
    for key, leads in _TAKEN_BY.items():
        if getattr(condition, key) is not UNSET and given[0] not in leads:
            yield (key,), f"found {key} with {given[0]}, expected it only with {', '.join(leads)}"


def measures_what_its_place_has(condition: Condition) -> Iterator[Problem]:
    """People are counted in zones, passers at gates and on links, and only a link has flows that meet."""
    given = leading(condition)
    have = _MEASURES.get(given[0], ()) if len(given) == 1 else ()
    if have and isinstance(condition.measure, Measure) and condition.measure not in have:
        yield ("measure",), f"found {quoted(condition.measure)} of a {given[0]}, expected {listed(have)}"


def has_the_keys_of_its_measure(condition: Condition) -> Iterator[Problem]:
    """A forecast says how far ahead it looks; only people inside may be judged by another figure on the way down."""
    measure = condition.measure
    if not isinstance(measure, Measure):
        return
    if condition.zone is not UNSET and (condition.within is UNSET) == (measure in FORECASTS):
        if condition.within is UNSET:
            yield ("within",), 'found no "within", expected how far ahead the forecast looks, such as 15m'
        else:
            yield ("within",), f"found within with {measure}, expected it only with a forecast"
    if condition.clear_measure is not UNSET and measure not in OCCUPANCIES:
        yield ("clear_measure",), f"found clear_measure with {measure}, expected it only with {' or '.join(OCCUPANCIES)}"
    if condition.direction is not UNSET and measure is Measure.OPPOSING_FLOW:
        yield ("direction",), "found direction with opposing_flow, expected none: it is always the weaker one"


def bars_can_be_read(condition: Condition) -> Iterator[Problem]:
    """A bar is written as its measure has it: persons, a share of the capacity, a density, a level."""
    if not isinstance(condition.measure, Measure):
        return
    for key in ("enter", "clear"):
        text = getattr(condition, key)
        if isinstance(text, str) and _number(condition, key) is None:
            yield (key,), f"found {quoted(text)}, expected {UNITS[condition.measure].what}{meant(condition.measure, text)}"


def clears_below_it_enters(condition: Condition) -> Iterator[Problem]:
    """Without a gap between the bars a stage would come and go with every reading."""
    enter, clear = _number(condition, "enter"), _number(condition, "clear")
    if enter is not None and clear is not None and clear >= enter:
        yield ("clear",), f"found {condition.clear}, expected less than enter: {condition.enter}"


def _number(condition: Condition, key: str) -> Fraction | None:
    text = getattr(condition, key)
    if not isinstance(text, str) or not isinstance(condition.measure, Measure):
        return None
    try:
        return bar(condition.measure, text, clear=key == "clear")
    except ValueError:
        return None


def is_one_group(when: When) -> Iterator[Problem]:
    """Any of the conditions, or all of them."""
    if when.any is UNSET and when.all is UNSET:
        yield (), "found neither any nor all, expected one of them, with a list of conditions"
    if when.any is not UNSET and when.all is not UNSET:
        yield ("all",), "found all beside any, expected one of them"


def conditions_differ(group: Group) -> Iterator[Problem]:
    """Two bars for one figure side by side: one of them would mean nothing."""
    key, inner = parts(group)
    seen: dict[tuple[object, ...], int] = {}
    for i, c in enumerate(inner):
        if leading(c) and leading(c)[0] in _MEASURES:
            place = getattr(c, leading(c)[0])
            first = seen.setdefault((leading(c)[0], place, c.measure, c.direction, c.within), i)
            if first != i and isinstance(c.measure, Measure):
                yield (key, i), f"found {c.measure} of {quoted(place)} again (first in {key}[{first}]), expected it once"


def is_not_too_large(when: When) -> Iterator[Problem]:
    """What nobody can read nobody can check."""
    if depth(when) > DEEPEST_GROUP:
        yield (), f"found {depth(when)} groups within each other, expected at most {DEEPEST_GROUP}"
    elif count(when) > MOST_CLAUSES:
        yield (), f"found {count(when)} alternatives when it is multiplied out, expected at most {MOST_CLAUSES}"


OF_CONDITION: Final[tuple[Callable[[Condition], Iterator[Problem]], ...]] = (
    has_one_shape,
    has_the_keys_of_its_shape,
    measures_what_its_place_has,
    has_the_keys_of_its_measure,
    bars_can_be_read,
    clears_below_it_enters,
    conditions_differ,
)
OF_WHEN: Final[tuple[Callable[[When], Iterator[Problem]], ...]] = (is_one_group, conditions_differ, is_not_too_large)
