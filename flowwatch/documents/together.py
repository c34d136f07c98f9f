"""What must hold of a plan at its site, and of the plans of one site beside each other.

These rules get the typed site and one plan, and say where in the plan the fault is. A plan's role decides what it must say: the main plan
and a case that replaces it set every gate of the site, all others only those that they care for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from msgspec import UNSET

from flowwatch.core.gates import egress_per_min, violations
from flowwatch.core.readings import OUTSIDE
from flowwatch.documents.bars import PERSONS as BY_PERSON
from flowwatch.documents.bars import UNITS, Unit, bar, family, milli
from flowwatch.documents.clauses import count, multiplied_out
from flowwatch.documents.compiled_plan import place_of, settings
from flowwatch.documents.compiled_site import counted_passages, skeleton, zones_with_counters, zones_with_passers
from flowwatch.documents.conditions import MOST_CLAUSES, Condition, Measure, When, leading, leaves
from flowwatch.documents.faults import Path, quoted
from flowwatch.documents.holes import Undecidable, decided
from flowwatch.documents.plan import Case, Effect, Plan, Stage
from flowwatch.documents.plan_rules import conditions
from flowwatch.documents.site import Site
from flowwatch.documents.walk import Problem
from flowwatch.documents.words import OTHERS, WHOLE_SITE


class Role(Enum):
    """What a plan file is in its folder."""

    MAIN = auto()
    COMPANION = auto()


def says_what_it_is(_: Site, plan: Plan, role: Role) -> Iterator[Problem]:
    """plan.yaml is the whole plan; what stands beside it is a zone plan or a case."""
    if role is Role.MAIN:
        for key in ("zone", "case"):
            if getattr(plan, key) is not UNSET:
                yield (key,), f"found {key} in a main plan, expected it only in a <name>.plan.yaml beside plan.yaml"
    elif plan.zone is UNSET and plan.case is UNSET:
        yield (), "found neither zone nor case, expected one of them in a plan beside plan.yaml"


def every_gate_has_a_setting(site: Site, plan: Plan, role: Role) -> Iterator[Problem]:
    """A stage of a plan that stands by itself says what every gate of the site does."""
    if _sets_every_gate(plan, role):
        for i, stage in enumerate(plan.stages):
            yield from decided(_gates_left_out(("stages", i, "gates"), site, stage))


def _sets_every_gate(plan: Plan, role: Role) -> bool:
    return role is Role.MAIN or (isinstance(plan.case, Case) and plan.case.effect is Effect.REPLACE)


def _gates_left_out(path: Path, site: Site, stage: Stage) -> Iterator[Problem]:
    left_out = [] if OTHERS in stage.gates else sorted(set(site.gates) - set(stage.gates))
    if left_out:
        yield path, f"found no mode for {', '.join(left_out)}, expected every gate of the site, or others: for those that are not named"


def every_figure_is_counted(site: Site, plan: Plan, _: Role) -> Iterator[Problem]:
    """A condition looks at a figure that some counter tells; without one it would be unknown for ever, and the stage never come."""
    for path, condition in conditions(plan):
        yield from decided(_uncounted(path, condition, site))


def _uncounted(path: Path, condition: Condition, site: Site) -> Iterator[Problem]:
    for key in ("gate", "link"):
        place = getattr(condition, key)
        if place is not UNSET and place not in {getattr(counter, key) for counter in site.counters.values()}:
            yield (*path, key), f"found {quoted(place)}, but no counter counts there, expected a {key} with a counter"
    zone = condition.zone
    if not isinstance(zone, str) or condition.measure is UNSET:
        return
    if condition.measure == Measure.QUEUE and (zone == WHOLE_SITE or site.zones[zone].outside is UNSET):
        yield (*path, "zone"), f"found {quoted(zone)}, which is no waiting area, expected a zone with outside: for its queue"
    elif condition.measure == Measure.NET_FLOW:
        counted = any(p.from_ == OUTSIDE for p in counted_passages(site)) if zone == WHOLE_SITE else zone in zones_with_passers(site)
        if not counted:
            yield (
                (*path, "zone"),
                f"found {quoted(zone)}, but no counter counts who enters or leaves it, expected a zone with such counters",
            )
    else:
        outer = {name for name, z in site.zones.items() if z.inside is UNSET and z.outside is UNSET}
        unseen = sorted((outer if zone == WHOLE_SITE else {zone}) - zones_with_counters(site))
        if unseen:
            told = f"found {quoted(zone)}, but no counter tells of people in {', '.join(unseen)}, expected a zone with counters"
            yield (*path, "zone"), told


def every_stage_leaves_a_way_out(site: Site, plan: Plan, role: Role) -> Iterator[Problem]:
    """The egress invariants hold in every stage, and a rise never costs capacity out.

    A plan that sets some gates only is combined with the main plan by most egress, so that only what it says of each gate can be wrong.
    """
    ways = skeleton(site)
    whole = _sets_every_gate(plan, role)
    floor: list[float] = []
    for i, stage in enumerate(plan.stages):
        path = ("stages", i, "gates")
        yield from decided(_ways_out(path, ways, stage, floor) if whole else _ways_out_of_some(path, ways, stage))


def _ways_out(path: Path, ways: dict[str, Any], stage: Stage, floor: list[float]) -> Iterator[Problem]:
    """One stage's; `floor` is the capacity of the stage below if that is known, and becomes this stage's."""
    below = floor.pop() if floor else None
    table = settings(ways, stage)
    if len(table) == len(ways["gates"]):
        floor.append(egress_per_min(ways, table))
        for text in violations(ways, table, below):
            yield path, text


def _ways_out_of_some(path: Path, ways: dict[str, Any], stage: Stage) -> Iterator[Problem]:
    table = settings(ways, stage)
    named = [gate for gate in ways["gates"] if gate["gate"] in table]
    for text in violations(ways | {"gates": named, "zones": [], "egress_min_per_min": 0}, table):
        yield path, text


@dataclass(frozen=True, slots=True)
class _Bar:
    """A leaf of a clause: where it stands, and its bars in thousandths."""

    path: Path
    condition: Condition
    measure: Measure
    enter_m: int
    clear_m: int

    def shown(self, key: str, thousandths: int) -> str:
        """A bar as written, with the people that it stands for where that is not the same."""
        text = str(getattr(self.condition, key))
        unit = _unit(self.measure)
        return text if unit is BY_PERSON or self.condition.zone is UNSET else f"{text} ({thousandths / 1000:g} persons)"


@dataclass(frozen=True, slots=True)
class _Alternative:
    """A clause whose bars are all on one figure, and what else must hold for it."""

    figure: tuple[object, ...]
    guards: frozenset[str]
    bars: tuple[_Bar, ...]


def bars_stand_in_order(site: Site, plan: Plan, _: Role) -> Iterator[Problem]:
    """Of stages that look at one figure the higher enters above the lower, and clears no lower than the lower enters.

    Else the bars overlap: the higher stage would come before the lower, or still stand when the lower has gone. Alternatives are compared
    where they look at one figure only, and where the lower one holds at least as often by its times, days and counters.
    """
    stages: list[list[_Alternative] | None] = []
    for i, stage in enumerate(plan.stages):
        try:
            found = list(_alternatives(("stages", i, "when"), stage, site))
        except Undecidable:
            stages.append(None)
            continue
        told: dict[Problem, None] = {}
        for higher in found:
            told |= dict.fromkeys(_overlaps(plan, stages, higher))
        yield from told
        stages.append(found)


def _alternatives(path: Path, stage: Stage, site: Site) -> Iterator[_Alternative]:
    if not isinstance(stage.when, When) or count(stage.when) > MOST_CLAUSES:
        return
    seen = list(leaves(stage.when, path))
    numbers = {id(condition): i for i, (_, condition) in enumerate(seen)}
    for clause in multiplied_out(stage.when, lambda condition: numbers[id(condition)]):
        measured = [(where, c) for where, c in (seen[i] for i in clause) if c.measure is not UNSET]
        figures = {_figure(c) for _, c in measured}
        if len(figures) == 1:
            guards = frozenset(repr((c.time, c.day, c.counter, c.health)) for c in (seen[i][1] for i in clause) if c.measure is UNSET)
            yield _Alternative(figures.pop(), guards, tuple(_bar(where, c, site) for where, c in measured))


def _figure(condition: Condition) -> tuple[object, ...]:
    kind = next(iter(leading(condition)), None)
    if kind not in ("zone", "gate", "link") or not isinstance(condition.measure, Measure):
        raise Undecidable
    return kind, getattr(condition, kind), family(condition.measure), condition.direction, condition.within


def _bar(path: Path, condition: Condition, site: Site) -> _Bar:
    measure, place = condition.measure, place_of(condition, site)
    if not (isinstance(measure, Measure) and isinstance(condition.enter, str) and isinstance(condition.clear, str)):
        raise Undecidable
    try:
        enter, clear = bar(measure, condition.enter), bar(measure, condition.clear, clear=True)
    except ValueError as error:
        raise Undecidable from error
    return _Bar(path, condition, measure, milli(measure, enter, place), milli(measure, clear, place))


def _overlaps(plan: Plan, below: Sequence[list[_Alternative] | None], higher: _Alternative) -> Iterator[Problem]:
    """An alternative against those of the nearest stage below that can be compared with it; nothing if that stage could not be read."""
    for i in range(len(below) - 1, 0, -1):
        readable = below[i]
        if readable is None:
            return
        lower = [a for a in readable if a.figure == higher.figure and a.guards <= higher.guards]
        if not lower:
            continue
        first = min((max(a.bars, key=lambda b: b.enter_m) for a in lower), key=lambda b: b.enter_m)
        name, shown = plan.stages[i].stage, first.shown("enter", first.enter_m)
        top, last = max(higher.bars, key=lambda b: b.enter_m), max(higher.bars, key=lambda b: b.clear_m)
        if top.enter_m <= first.enter_m:
            told = f"found {top.shown('enter', top.enter_m)}, expected more than {shown}, where the stage below ({name}) enters"
            yield (*top.path, "enter"), told
        elif last.clear_m < first.enter_m:
            told = f"found {last.shown('clear', last.clear_m)}, expected at least {shown}, where the stage below ({name}) enters"
            yield (*last.path, "clear"), f"{told}: the bars overlap"
        return


def _unit(measure: Measure) -> Unit:
    return UNITS[measure]


TogetherRule = Callable[[Site, Plan, Role], Iterator[Problem]]
TOGETHER: Final[tuple[TogetherRule, ...]] = (
    says_what_it_is,
    every_gate_has_a_setting,
    every_figure_is_counted,
    bars_stand_in_order,
    every_stage_leaves_a_way_out,
)
"""What must hold of a plan at its site; where points into the plan."""


def named_before(plans: Sequence[tuple[str, Plan]]) -> Iterator[Problem]:
    """Whether the last of `plans` (file, plan) has a name of its own among them; where points into it."""
    *others, (_, last) = plans
    first = next((file for file, plan in others if plan.plan == last.plan), None)
    if first is not None:
        yield ("plan",), f"found the plan {quoted(last.plan)} again (first in {first}), expected another name"
