"""The same questions answered plainly: every situation one by one, with the core's own functions, and a walk over events one at a time."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

from flowwatch.core.gates import Setting, combine, egress_per_min, lanes_per_min, violations
from tests.safety.made import Record

One = tuple[int | None, bool]
"""A plan's stage (None: off) and whether it is in force."""
Situation = tuple[One, ...]


def start(site: Record) -> Situation:
    return tuple((0, True) if plan["case"] is None else (None, False) for plan in site["plans"])


def moves(site: Record, situation: Situation) -> list[Situation]:
    """Every situation that one event leads to."""
    found = []
    for p, (plan, (rank, on)) in enumerate(zip(site["plans"], situation, strict=True)):
        top, is_case = len(plan["stages"]), plan["case"] is not None
        nexts: list[One] = []
        if on:
            nexts += [(r, True) for r in range(top) if r != rank]
        if is_case and not on:
            nexts.append((rank or 0, True))
        if is_case and on:
            nexts.append((rank, False) if rank else (None, False))
        if is_case and not on and rank:
            nexts += [(r, False) if r else (None, False) for r in range(rank)]
        found += [(*situation[:p], one, *situation[p + 1 :]) for one in nexts]
    return found


def distances(site: Record) -> dict[Situation, int]:
    """Every situation with the fewest events that lead to it from all calm."""
    found = {start(site): 0}
    front = deque(found)
    while front:
        now = front.popleft()
        for after in moves(site, now):
            if after not in found:
                found[after] = found[now] + 1
                front.append(after)
    return found


def table(site: Record, situation: Situation) -> dict[str, str]:
    plans = site["plans"]
    replaced = any(on and p["case"] is not None and p["case"]["effect"] == "replace" for p, (_, on) in zip(plans, situation, strict=True))
    made: dict[str, list[str]] = {}
    for p, (plan, (rank, _)) in enumerate(zip(plans, situation, strict=True)):
        if rank is None or (p == 0 and rank == 0 and replaced):
            continue
        for gate, text in plan["stages"][rank]["gates"].items():
            made.setdefault(gate, []).append(text)
    lanes = {g["gate"]: lanes_per_min(g) for g in site["gates"]}
    return {gate: str(combine([Setting.parse(t) for t in texts], lanes[gate])) for gate, texts in made.items()}


KINDS = {
    "no_way_out": ("zone ", "would have no way out"),
    "egress_below_minimum": ("egress capacity", "egress_min_per_min"),
    "emergency_shut": ("emergency gate", ""),
    "entrance_lets_out": ("gate ", "entrance_only and cannot"),
    "gate_shut": ("gate ", "would be closed"),
}


def shortest(site: Record) -> dict[str, int]:
    """Code of each invariant that some situation breaks -> the fewest events to one."""
    found: dict[str, int] = {}
    for situation, far in distances(site).items():
        for text in violations(site, table(site, situation)):
            for code, (begins, holds) in KINDS.items():
                if text.startswith(begins) and holds in text:
                    found[code] = min(found.get(code, far), far)
    for low, far in distances(site).items():
        for p, (rank, on) in enumerate(low):
            if not on or rank is None or rank + 1 == len(site["plans"][p]["stages"]):
                continue
            high = (*low[:p], (rank + 1, True), *low[p + 1 :])
            if egress_per_min(site, table(site, high)) < egress_per_min(site, table(site, low)):
                found["egress_falls"] = min(found.get("egress_falls", far + 1), far + 1)
    return found


def stuck(site: Record, settings: dict[str, str]) -> set[str]:
    """Outermost zones without a way out."""
    nested = {z["zone"] for z in site["zones"] if z["inside"] is not None}
    said = [t for t in violations(site, settings) if t.startswith("zone ")]
    return {t.split('"')[1] for t in said} - nested


def cut_off(site: Record) -> dict[tuple[str, str], int]:
    """(gate, zone that loses its only way out when it fails) -> the fewest events to where that is so."""
    found: dict[tuple[str, str], int] = {}
    for situation, far in distances(site).items():
        settings = table(site, situation)
        for gate in site["gates"]:
            without = site | {"gates": [g for g in site["gates"] if g is not gate]}
            for zone in stuck(without, settings) - stuck(site, settings):
                key = (gate["gate"], zone)
                found[key] = min(found.get(key, far), far)
    return found


def lowest(site: Record) -> dict[tuple[str, str], float]:
    """(plan, stage) -> the lowest capacity of all situations with that stage in force."""
    found: dict[tuple[str, str], float] = {}
    for situation in itertools.chain(distances(site)):
        capacity = egress_per_min(site, table(site, situation))
        for plan, (rank, on) in zip(site["plans"], situation, strict=True):
            if on and rank is not None:
                key = (plan["plan"], plan["stages"][rank]["stage"])
                found[key] = min(found.get(key, capacity), capacity)
    return found


def refused(site: Record, gate: str, setting: str) -> list[str]:
    """The stages of the main plan in which the engine refuses to hold a gate by hand, all else calm."""
    calm: Any = start(site)
    found = []
    for rank, stage in enumerate(site["plans"][0]["stages"]):
        now = table(site, ((rank, True), *calm[1:]))
        floor = egress_per_min(site, table(site, ((rank - 1, True), *calm[1:]))) if rank else None
        if violations(site, now | {gate: setting}, floor):
            found.append(stage["stage"])
    return found
