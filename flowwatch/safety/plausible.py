"""Numbers that can hardly be meant: nothing is impossible about them, but a slip of unit or of a digit looks like this.

All of it is warnings and notes; a place may be unusual. The limits, and why they are where they are:

- a bar on people more than 1.5 times the capacity: a careful plan's last bar is at the capacity, or a little above it. Bars that are written
  as densities are left alone, because their unit stands in the measure, and a small square may well have one far above its capacity;
- a bar on passers above what the passage lets through: its lanes in use at a gate, 82 persons/m/min on a link, where walkway level of
  service F begins (Fruin 1971); half of that in the weaker of two directions;
- a hold of more than 10 minutes: a crowd takes that long from full to crushed. A second bar on the same figure with a shorter hold shows
  that the longer one is meant (a lower bar for a longer time);
- a capacity of more than 4 persons/m2: people who stand that close no longer walk freely (Still, *Introduction to Crowd Science*, 2014);
- lanes that are narrower than a person (0.4 m) or as wide as a street (3 m): `width_m` is of all lanes together;
- bars nearer than 5 % of enter: the figure itself is hardly surer than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowwatch.core.gates import lanes_per_min
from flowwatch.core.readings import MINUTE
from flowwatch.safety.clauses import EDGES, Leaf, Reasoner, figure_of
from flowwatch.safety.describing import Both, called, figure, leaf_text
from flowwatch.safety.failing import capacity_of
from flowwatch.safety.report import Code, Finding, Path
from flowwatch.safety.sentences import finding, number

CAPACITY_TIMES: Final = 1.5
FLOOR_PER_M2: Final = 4
WALKWAY_PER_M_MIN: Final = 82
LONGEST_HOLD_US: Final = 10 * MINUTE
LANE_M: Final = (0.4, 3.0)
NARROW: Final = 0.05
_IN_PERSONS: Final = ("occupancy", "occupancy_upper", "occupancy_lower", "capacity_share", "queue")
"""Measures whose bars may be in the wrong unit."""


def of_site(site: Mapping[str, Any]) -> Iterator[Finding]:
    """Sizes of the site that can hardly be meant."""
    for zone in site["zones"]:
        most = FLOOR_PER_M2 * zone["area_m2"]
        if zone["capacity"] > most:
            facts: dict[str, Any] = {"zone": called(zone["zone"], site), "found": number(zone["capacity"]), "area": number(zone["area_m2"])}
            yield finding(
                Code.CAPACITY_ABOVE_FLOOR, None, None, ("zones", zone["zone"], "capacity"), most=number(most), per_m2=FLOOR_PER_M2, **facts
            )
    for gate in site["gates"]:
        a_lane = gate["width_m"] / gate["lanes"]
        if not LANE_M[0] <= a_lane <= LANE_M[1]:
            sizes: dict[str, Any] = {
                "gate": gate["gate"],
                "width": f"{gate['width_m']:g}",
                "lanes": gate["lanes"],
                "found": f"{a_lane:.2g}",
            }
            low, high = (f"{end:g}" for end in LANE_M)
            yield finding(Code.LANE_WIDTH, None, None, ("gates", gate["gate"], "width_m"), low=low, high=high, **sizes)


def of_plan(site: Mapping[str, Any], plan: Mapping[str, Any], reasoner: Reasoner) -> Iterator[Finding]:
    """Bars and holds of one compiled plan that can hardly be meant."""
    for rank, stage in enumerate(plan["stages"]):
        at = plan, stage["stage"], ("stages", rank, "when")
        yield from _bars(site, at, stage["leaves"], reasoner)
        for leaf in stage["leaves"]:
            if _waits_long(leaf, stage["leaves"]):
                yield _about(Code.HOLD_TOO_LONG, site, at, leaf, found=number(leaf["hold_us"] / MINUTE))
    for i, rule in enumerate(plan["degraded"]):
        yield from _bars(site, (plan, rule["rule"], ("degraded", i, "when")), rule["leaves"], reasoner)


_At = tuple[Mapping[str, Any], str, Path]
"""A plan, the name of a stage or rule in it, and where its conditions stand."""


def _about(code: Code, site: Mapping[str, Any], at: _At, leaf: Leaf, **facts: Any) -> Finding:
    plan, where, path = at
    stage = where if path[0] == "stages" else None
    return finding(code, plan["plan"], stage, path, where=where, leaf=leaf_text(leaf, site), **facts)


def _bars(site: Mapping[str, Any], at: _At, leaves: list[Leaf], reasoner: Reasoner) -> Iterator[Finding]:
    capacities = {zone["zone"]: zone["capacity"] for zone in site["zones"]} | {"site": capacity_of(site)}
    for leaf in leaves:
        if leaf["kind"] == "people" and leaf["source"] in EDGES:
            capacity = capacities[leaf["zone"]]
            times = leaf["enter_m"] / 1000 / capacity
            if leaf["measure"] in _IN_PERSONS and times > CAPACITY_TIMES and not reasoner.above_limit(leaf):
                facts = {"zone": called(leaf["zone"], site), "times": number(times), "capacity": number(capacity)}
                yield _about(Code.BAR_ABOVE_CAPACITY, site, at, leaf, **facts)
            if 0 < leaf["enter_m"] - leaf["clear_m"] < NARROW * leaf["enter_m"]:
                apart = number(100 * (leaf["enter_m"] - leaf["clear_m"]) / leaf["enter_m"])
                yield _about(Code.NARROW_BARS, site, at, leaf, clear=figure(leaf["clear"]), apart=apart)
        elif leaf["kind"] == "passers":
            most, what = _passes(site, leaf)
            if leaf["enter_m"] / 1000 > most:
                yield _about(Code.BAR_ABOVE_PASSAGE, site, at, leaf, most=number(most), what=what)


def _passes(site: Mapping[str, Any], leaf: Leaf) -> tuple[float, Both]:
    """Persons/min that a passage lets through, and what limits it."""
    if leaf["gate"] is not None:
        gate = next(gate for gate in site["gates"] if gate["gate"] == leaf["gate"])
        return lanes_per_min(gate), (f"{gate['lanes']}条通道", f"its {gate['lanes']} lanes")
    link = next(link for link in site["links"] if link["link"] == leaf["link"])
    most, wide = WALKWAY_PER_M_MIN * link["width_m"], f"{link['width_m']:g}"
    if leaf["measure"] == "opposing_flow":
        return most / 2, (f"{wide}米宽的通道较弱的一个方向", f"the weaker direction of {wide} m")
    return most, (f"{wide}米宽的通道", f"a width of {wide} m")


def _waits_long(leaf: Leaf, leaves: list[Leaf]) -> bool:
    if leaf["kind"] not in ("people", "passers") or leaf["hold_us"] <= LONGEST_HOLD_US:
        return False
    alike = (other for other in leaves if figure_of(other) == figure_of(leaf))
    return all(other["hold_us"] > LONGEST_HOLD_US for other in alike)
