"""The way out in every situation: the egress invariants, what a rise costs, links that are walked one way, a fire.

The invariants are those of `core/gates.py`, here for all tables at once. Every finding comes with the shortest way to its situation; of one
invariant at one gate or zone those ways are told that have nothing in common (`states.Space.soonest`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from flowwatch.core.gates import Setting, egress_per_min, fire_table, violations
from flowwatch.safety.describing import called
from flowwatch.safety.place import Place
from flowwatch.safety.report import Code, Finding
from flowwatch.safety.sentences import finding, listed, number
from flowwatch.safety.states import Column


def invariants(place: Place) -> Iterator[Finding]:
    """What the tables of some situations break."""
    for g, gate in enumerate(place.site["gates"]):
        broken = [wrong(gate, setting) if setting else set() for setting in place.tables.settings[g].values]
        for code in (Code.ENTRANCE_LETS_OUT, Code.GATE_SHUT, Code.EMERGENCY_SHUT):
            bad = np.array([code in codes for codes in broken], np.bool_)
            for row in place.space.soonest(bad[place.tables.numbers[g]]) if bad.any() else ():
                yield about(place, code, row, gate=gate["gate"], setting=str(place.tables.setting(g, row)))
    for code, stuck in ((Code.NO_WAY_OUT, place.stuck), (Code.ONE_WAY_WITHOUT_RETURN, place.led_astray)):
        for zone, mask in stuck.items():
            for row in place.space.soonest(mask):
                yield about(place, code, row, zone=called(zone, place.site))
    least = place.site["egress_min_per_min"]
    for row in place.space.soonest(place.tables.capacity < 1000 * least):
        found = number(int(place.tables.capacity[row]) / 1000)
        yield about(place, Code.EGRESS_BELOW_MINIMUM, row, found=found, least=number(least))
    for g, mask in place.tables.mixed.items():
        for row in place.space.soonest(mask):
            asked = ", ".join(f"{plan}: {text}" for plan, text in _asked(place, g, row))
            gate = place.site["gates"][g]["gate"]
            yield about(place, Code.WAVES_DO_NOT_MIX, row, gate=gate, asked=asked, setting=str(place.tables.setting(g, row)))


def wrong(gate: Mapping[str, Any], setting: Setting) -> set[Code]:
    """What a setting breaks at its gate, whatever the other gates do."""
    found = set()
    if gate["entrance_only"] and setting.may_leave:
        found.add(Code.ENTRANCE_LETS_OUT)
    if not gate["entrance_only"] and not setting.may_enter and not setting.may_leave:
        found.add(Code.GATE_SHUT)
    if gate["emergency"] and not setting.may_leave:
        found.add(Code.EMERGENCY_SHUT)
    return found


def about(place: Place, code: Code, row: int, **facts: Any) -> Finding:
    """A finding about one situation, with the shortest way to it, laid at the plan that was last to leave calm."""
    plan, stage, path = place.blamed(row, "links" if code is Code.ONE_WAY_WITHOUT_RETURN else "gates")
    return finding(code, plan, stage, path, events=place.events(row), **facts)


def _asked(place: Place, gate: int, row: int) -> Iterator[tuple[str, Setting]]:
    name = place.site["gates"][gate]["gate"]
    kinds = place.space.rows[row].tolist()
    replaced = any(column.replaces[kind] for column, kind in zip(place.space.columns, kinds, strict=True))
    for p, (column, kind) in enumerate(zip(place.space.columns, kinds, strict=True)):
        asks = column.asks[kind]
        if name in asks and not (p == 0 and kind == 0 and replaced):
            yield column.plan["plan"], asks[name]


def rises(place: Place) -> Iterator[Finding]:
    """Rises of one plan by one stage, all else equal, that cost capacity out: of each the soonest. And what a case costs that begins.

    That a plan's own rise costs capacity is a fault. Where it does only beside other plans (they have already opened what this stage would
    open, and what it shuts remains) it is a warning: asking more of a gate never lessens what leaves by it, so the stage still has what it has
    by itself.
    """
    capacity = place.tables.capacity
    for p, column in enumerate(place.space.columns):
        for low, high in _steps_up(column):
            a, b = column.kind[low], column.kind[high]
            if a == b:
                continue
            if b:  # from whichever of the two is farther from calm: the other one is then visited too
                rows = np.flatnonzero(place.space.rows[:, p] == b)
                below = place.space.exchanged(rows, p, b, a)
            else:
                below = np.flatnonzero(place.space.rows[:, p] == a)
                rows = place.space.exchanged(below, p, a, b)
            fell = capacity[rows] < capacity[below]
            if not fell.any():
                continue
            rows, below = rows[fell], below[fell]
            i = int(np.argmin(place.space.cost[below]))
            before, found = (number(int(capacity[row[i]]) / 1000) for row in (below, rows))
            yield _fall(place, p, (low, high), int(below[i]), before, found)


def _steps_up(column: Column) -> Iterator[tuple[int, int]]:
    """(state, the next higher one) while in force; and a case that comes into force."""
    states = column.states
    for i, low in enumerate(states):
        for k, high in enumerate(states):
            begins = low.rank is None and high.rank == 0
            if high.in_force and ((low.in_force and low.rank is not None and high.rank == low.rank + 1) or begins):
                yield i, k


def _fall(place: Place, plan: int, step: tuple[int, int], below: int, before: str, found: str) -> Finding:
    column = place.space.columns[plan]
    low, high = (column.states[s] for s in step)
    others = [e for p in range(len(place.space.columns)) if p != plan for e in place.steps(p, int(place.space.rows[below, p]))]
    mine = place.way(plan, low)
    name, rank = column.plan["plan"], high.rank or 0
    stage, path = column.plan["stages"][rank]["stage"], ("stages", rank, "gates")
    if low.rank is None:
        begins = place.steps(plan, column.kind[step[1]])
        return finding(Code.CASE_LOWERS_EGRESS, name, stage, path, events=(*others, *begins), before=before, found=found)
    events = (*others, *mine, place.rise(plan, rank))
    below_name = column.plan["stages"][low.rank]["stage"]
    code = Code.EGRESS_FALLS_TOGETHER if others else Code.EGRESS_FALLS
    return finding(code, name, stage, path, events=events, low=below_name, before=before, found=found)


def fire(site: Mapping[str, Any]) -> Iterator[Finding]:
    """A fire signal opens every gate outward; even that can be too little."""
    table = fire_table(site)
    said = {text for text in violations(site, table) if text.startswith(("zone ", "egress "))}
    for zone in site["zones"]:
        text = f'zone "{zone["zone"]}" would have no way out'
        if text in said:
            yield finding(
                Code.FIRE_UNSAFE, None, None, ("zones", zone["zone"]), reason=(f"区域“{called(zone['zone'], site)[0]}”没有出路", text)
            )
    out, least = (number(value) for value in (egress_per_min(site, table), site["egress_min_per_min"]))
    for text in said:
        if text.startswith("egress "):
            reason = (f"疏散能力只有{out}人/分钟，低于egress_min_per_min规定的{least}人/分钟", text)
            yield finding(Code.FIRE_UNSAFE, None, None, ("egress_min_per_min",), reason=reason)


def named(site: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[Finding]:
    """Stages of a plan that must name every gate of the site, and do not."""
    if plan["zone"] is not None or (plan["case"] is not None and plan["case"]["effect"] != "replace"):
        return
    for rank, stage in enumerate(plan["stages"]):
        missing = [g["gate"] for g in site["gates"] if g["gate"] not in stage["gates"]]
        if missing:
            yield finding(Code.GATE_WITHOUT_SETTING, plan["plan"], stage["stage"], ("stages", rank, "gates"), gates=listed(missing))
