"""Gate modes, and the one place that decides whether a gate table leaves people a way out.

A mode is a pair: may people go in, may people go out. What several authorities ask of one gate is combined by least ingress and most
egress, so there are no ties and no order. The egress invariants hold for a whole table of a site's modes, desired or reported:

1. from every zone a directed way outside exists (through links, nested zones and gates that let people leave);
2. egress capacity, where a `both` gate counts half its lanes outward, is not below the site's `egress_min_per_min`, nor below that of
   the calmer stage (`floor`);
3. a gate marked `emergency` lets people leave;
4. a gate that is no way out by construction (`entrance_only`) is only ever `in` or `closed`, and only such a gate may be `closed`.

Numbers come from the site document (lanes, persons/min a lane); this module knows no plan and no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from flowwatch.core.readings import OUTSIDE


class Mode(StrEnum):
    """What a gate lets people do; the members' values are the words of the documents."""

    IN = "in"
    OUT = "out"
    BOTH = "both"
    CLOSED = "closed"

    @property
    def may_enter(self) -> bool:
        """Whether people may go in through the gate."""
        return self in (Mode.IN, Mode.BOTH)

    @property
    def may_leave(self) -> bool:
        """Whether people may go out through the gate."""
        return self in (Mode.OUT, Mode.BOTH)


_MODES: Final = {(mode.may_enter, mode.may_leave): mode for mode in Mode}


def combine(modes: Iterable[Mode]) -> Mode:
    """The mode that asks least ingress and most egress of all `modes` (at least one).

    >>> combine([Mode.IN, Mode.OUT]).value
    'out'
    """
    asked = list(modes)
    return _MODES[all(m.may_enter for m in asked), any(m.may_leave for m in asked)]


def _egress(gate: Mapping[str, Any], mode: Mode) -> float:
    share = {Mode.OUT: 1.0, Mode.BOTH: 0.5}.get(mode, 0.0)
    return share * float(gate["lanes"] * gate["lane_per_min"])


def egress_per_min(site: Mapping[str, Any], modes: Mapping[str, str]) -> float:
    """Capacity out of the compiled `site`, persons/min, when its gates stand as `modes` (gate id -> mode); inner gates do not count."""
    return sum(_egress(g, Mode(modes[g["gate"]])) for g in site["gates"] if OUTSIDE in (g["from"], g["to"]))


def _zones_without_exit(site: Mapping[str, Any], modes: Mapping[str, str]) -> list[str]:
    """Walk backwards from outside over every passage that leads there; what is not reached has no way out."""
    towards: dict[str, set[str]] = {}
    for link in site["links"]:
        towards.setdefault(link["to"], set()).add(link["from"])
        towards.setdefault(link["from"], set()).add(link["to"])
    for zone in site["zones"]:
        if zone["inside"] is not None:
            towards.setdefault(zone["inside"], set()).add(zone["zone"])
            towards.setdefault(zone["zone"], set()).add(zone["inside"])
    for gate in site["gates"]:
        mode = Mode(modes[gate["gate"]])
        if mode.may_leave:
            towards.setdefault(gate["from"], set()).add(gate["to"])
        if mode.may_enter:
            towards.setdefault(gate["to"], set()).add(gate["from"])
    reached, front = {OUTSIDE}, [OUTSIDE]
    while front:
        for zone in towards.get(front.pop(), ()):
            if zone not in reached:
                reached.add(zone)
                front.append(zone)
    return [z["zone"] for z in site["zones"] if z["zone"] not in reached]


def violations(site: Mapping[str, Any], modes: Mapping[str, str], floor: float | None = None) -> list[str]:
    """What the table `modes` (every gate of the compiled `site`) would break, a sentence each; empty when people keep their way out.

    `floor` is the egress capacity (persons/min) of the calmer stage, which a higher stage may not fall under.
    """
    found = []
    for gate in site["gates"]:
        mode, name = Mode(modes[gate["gate"]]), gate["gate"]
        if gate["entrance_only"] and mode not in (Mode.IN, Mode.CLOSED):
            found.append(f'gate "{name}" is entrance_only and cannot be "{mode}", expected "in" or "closed"')
        if not gate["entrance_only"] and mode is Mode.CLOSED:
            found.append(f'gate "{name}" would be closed to people leaving, expected "out" (only an entrance_only gate may be "closed")')
        if gate["emergency"] and not mode.may_leave:
            found.append(f'emergency gate "{name}" would be "{mode}", expected a mode that lets people leave')
    found += [f'zone "{zone}" would have no way out' for zone in _zones_without_exit(site, modes)]
    capacity = egress_per_min(site, modes)
    if capacity < site["egress_min_per_min"]:
        found.append(
            f"egress capacity would be {capacity:g} persons/min, expected at least egress_min_per_min {site['egress_min_per_min']:g}"
        )
    if floor is not None and capacity < floor:
        found.append(f"egress capacity would be {capacity:g} persons/min, expected at least the calmer stage's {floor:g}")
    return found
