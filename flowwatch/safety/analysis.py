"""The whole analysis of one compiled record, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowwatch.safety import egress, failing, ladders, plausible, states, steps, tables
from flowwatch.safety.clauses import Reasoner
from flowwatch.safety.overrides import overrides
from flowwatch.safety.place import Place
from flowwatch.safety.report import Code, Coverage, Finding, Report, Severity
from flowwatch.safety.sentences import finding

_ORDER = list(Severity)


def analyse(record: Mapping[str, Any], budget: int = states.BUDGET) -> Report:
    """What can be said of a compiled site with its plans (format 2) before anything happens.

    `budget`: situations that are visited at most; a report of fewer than all says so. Raises ValueError for a setting that cannot be read.
    """
    plans = record["plans"]
    if not plans:
        return Report(
            record["site"], _sorted([finding(Code.NO_PLAN, None, None, ()), *egress.fire(record), *plausible.of_site(record)], [])
        )
    reasoners = tuple(Reasoner(record, plan) for plan in plans)
    found: list[Finding] = [f for plan in plans for f in egress.named(record, plan)]
    incomplete = bool(found)
    for plan, reasoner in zip(plans, reasoners, strict=True):
        found += ladders.ladder(record, plan, reasoner)
        found += steps.steps(record, plan)
        found += plausible.of_plan(record, plan, reasoner)
    found += egress.fire(record)
    found += plausible.of_site(record)
    if incomplete:
        columns = tuple(states.column(plan, marks_calm=True) for plan in plans)
        total, different, _ = states.counted(columns, None)
        return Report(record["site"], _sorted(found, plans), coverage=Coverage(total, different, 0, None))
    space = states.space(plans, budget)
    place = Place(record, space, tables.tables(record, space), reasoners)
    found += egress.invariants(place)
    found += egress.rises(place)
    failures, exits = failing.failures(place)
    found += exits
    total, different, visited = states.counted(space.columns, space.deepest)
    if space.deepest is not None:
        found.append(finding(Code.NOT_ALL_VISITED, None, None, (), depth=space.deepest, visited=f"{visited:,}", total=f"{total:,}"))
    return Report(
        record["site"],
        _sorted(found, plans),
        failing.capacity_of(record),
        float(record["egress_min_per_min"]),
        tuple(failing.capacities(place)),
        tuple(failures),
        tuple(overrides(place)),
        Coverage(total, different, visited, space.deepest),
    )


def _sorted(found: list[Finding], plans: list[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Faults first, then by plan and by place in it."""
    order = {plan["plan"]: i for i, plan in enumerate(plans)}
    return tuple(
        sorted(
            found,
            key=lambda f: (
                _ORDER.index(f.severity),
                order.get(f.plan or "", -1),
                [str(part).zfill(3) for part in f.path],
                len(f.events or ()),
            ),
        )
    )
