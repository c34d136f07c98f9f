"""The one place that decides whether a table of gate settings leaves people a way out.

The egress invariants hold for a whole table of a site's settings, desired or reported:

1. from every zone a directed way outside exists: through links (both ways, or as they are led), through gates that let people leave, a wave's
   in some phase, and between a zone and the one that it lies in, by the links that join them, or everywhere where no link does;
2. egress capacity, where a `both` gate counts half its lanes outward and a wave the time that it leads out, is not below the site's
   `egress_min_per_min`, nor below that of the calmer stage (`floor`);
3. a gate marked `emergency` lets people leave;
4. a gate that is no way out by construction (`entrance_only`) never lets people leave, and only such a gate may be shut both ways.

A waiting area outside a gate is no part of the site and needs no way out. Numbers come from the site document (lanes, persons/min a lane);
they are added up in whole thousandths of a person, so that no order of adding can make one table seem to pass less than another. This module
knows no plan and no time. A table is gate id -> setting text (`settings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.readings import OUTSIDE
from flowwatch.core.settings import HOLD, Mode, Setting, combine

__all__ = [
    "HOLD",
    "NO_WAY",
    "Mode",
    "Setting",
    "combine",
    "egress_per_min",
    "fire_table",
    "ingress_per_min",
    "is_outer",
    "lanes_per_min",
    "violations",
    "zones_without_exit",
]

NO_WAY: Final = "no_way"
"""What a link counts as while it is turned: it may already lead one way, or still the other."""


def lanes_per_min(gate: Mapping[str, Any]) -> float:
    """Persons/min that all lanes of the compiled `gate` pass together."""
    return float(gate["lanes"] * gate["lane_per_min"])


def is_outer(gate: Mapping[str, Any]) -> bool:
    """Whether the compiled `gate` stands between the site and the world outside."""
    return OUTSIDE in (gate["from"], gate["to"])


def egress_per_min(site: Mapping[str, Any], table: Mapping[str, str]) -> float:
    """Capacity out of the compiled `site`, persons/min, when its gates are set as in `table`; inner gates do not count."""
    return sum(round(1000 * Setting.parse(table[g["gate"]]).egress_per_min(lanes_per_min(g))) for g in site["gates"] if is_outer(g)) / 1000


def ingress_per_min(site: Mapping[str, Any], table: Mapping[str, str]) -> float:
    """Capacity into the compiled `site`, persons/min, when its gates are set as in `table`; inner gates do not count."""
    return sum(round(1000 * Setting.parse(table[g["gate"]]).ingress_per_min(lanes_per_min(g))) for g in site["gates"] if is_outer(g)) / 1000


def fire_table(site: Mapping[str, Any]) -> dict[str, str]:
    """Every gate's setting under a fire signal: outer gates lead out, inner gates both ways, and nobody enters where nobody can leave."""
    return {g["gate"]: (Mode.CLOSED if g["entrance_only"] else Mode.OUT if is_outer(g) else Mode.BOTH).value for g in site["gates"]}


def zones_without_exit(site: Mapping[str, Any], table: Mapping[str, str], led: Mapping[str, str]) -> list[str]:
    """The zones from which no directed way leads outside; `led` as in `violations`, or `NO_WAY` for a link that is being turned.

    Walks backwards from outside over every passage that leads there; what is not reached has no way out.
    """
    towards: dict[str, set[str]] = {}
    for link in site["links"]:
        way = led.get(link["link"])
        if way not in {"one_way_back", NO_WAY}:
            towards.setdefault(link["to"], set()).add(link["from"])
        if way not in {"one_way", NO_WAY}:
            towards.setdefault(link["from"], set()).add(link["to"])
    joined = {frozenset((link["from"], link["to"])) for link in site["links"]}
    for zone in site["zones"]:
        if zone["inside"] is not None and frozenset((zone["zone"], zone["inside"])) not in joined:
            towards.setdefault(zone["inside"], set()).add(zone["zone"])
            towards.setdefault(zone["zone"], set()).add(zone["inside"])
    for gate in site["gates"]:
        setting = Setting.parse(table[gate["gate"]])
        if setting.may_leave:
            towards.setdefault(gate["from"], set()).add(gate["to"])
        if setting.may_enter:
            towards.setdefault(gate["to"], set()).add(gate["from"])
    reached, front = {OUTSIDE}, [OUTSIDE]
    while front:
        for zone in towards.get(front.pop(), ()):
            if zone not in reached:
                reached.add(zone)
                front.append(zone)
    return [z["zone"] for z in site["zones"] if z["zone"] not in reached and not z.get("outside")]


def violations(
    site: Mapping[str, Any], table: Mapping[str, str], floor: float | None = None, led: Mapping[str, str] | None = None
) -> list[str]:
    """What `table` (every gate of the compiled `site`) would break, a sentence each; empty when people keep their way out.

    `floor` is the egress capacity (persons/min) of the calmer stage, which a higher stage may not fall under. `led` says which links lead one
    way ("one_way": from `from` to `to`, or "one_way_back"); all others lead both ways.
    """
    found = []
    for gate in site["gates"]:
        setting, name = Setting.parse(table[gate["gate"]]), gate["gate"]
        if gate["entrance_only"] and setting.may_leave:
            found.append(f'gate "{name}" is entrance_only and cannot be "{setting}", expected "in" or "closed"')
        if not gate["entrance_only"] and not setting.may_enter and not setting.may_leave:
            found.append(f'gate "{name}" would be closed to people leaving, expected "out" (only an entrance_only gate may be "closed")')
        if gate["emergency"] and not setting.may_leave:
            found.append(f'emergency gate "{name}" would be "{setting}", expected a mode that lets people leave')
    found += [f'zone "{zone}" would have no way out' for zone in zones_without_exit(site, table, led or {})]
    capacity = egress_per_min(site, table)
    if capacity < site["egress_min_per_min"]:
        found.append(
            f"egress capacity would be {capacity:g} persons/min, expected at least egress_min_per_min {site['egress_min_per_min']:g}"
        )
    if floor is not None and capacity < floor:
        found.append(f"egress capacity would be {capacity:g} persons/min, expected at least the calmer stage's {floor:g}")
    return found
