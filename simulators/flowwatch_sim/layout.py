"""A compiled site as a simulator walks it: places, passages, and the ways between places."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from flowwatch.core.gates import is_outer
from flowwatch.core.readings import OUTSIDE

FREE: Final = "free"
LINK: Final = "link"
GATE: Final = "gate"
Hop = tuple[str, int, int, int]
"""(kind, index of the link or gate, way: 0 from `from` to `to` and 1 back, the place that it leads to)."""
STREET: Final = -1
"""The place outside."""


@dataclass(frozen=True)
class Layout:
    """Zones, gates and links by index, in the order of the record."""

    site: Mapping[str, Any]
    zones: tuple[str, ...]
    area: tuple[float, ...]
    held: tuple[tuple[int, ...], ...]
    """Zone -> itself and the zones that it lies in: whoever is in it is in all of them."""
    waiting: Mapping[int, int]
    """The zones where people queue -> the gate outside of which they lie."""
    gates: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]
    """Gate -> (from, to)."""
    lanes: tuple[int, ...]
    rate: tuple[float, ...]
    """Gate -> persons/min that one lane passes."""
    width: tuple[float, ...]
    """Gate -> metres of all of its lanes."""
    entrance_only: tuple[bool, ...]
    outer: tuple[bool, ...]
    links: tuple[str, ...]
    link_ends: tuple[tuple[int, int], ...]
    link_width: tuple[float, ...]

    @cached_property
    def moves(self) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
        """From place to place: the zones that somebody leaves who goes there, and those that they enter. The street is the last of both."""
        held = (*map(set, self.held), set())
        return [[(tuple(a - b), tuple(b - a)) for b in held] for a in held]

    def street(self, gate: int) -> int:
        """The way (0 or 1) through an outer gate that leads in from the street."""
        return 0 if self.ends[gate][0] == STREET else 1

    def inner(self, gate: int) -> int:
        """The zone behind an outer gate."""
        return max(self.ends[gate])

    def breadth(self, hop: Hop) -> float:
        """How wide a hop is, in metres; 1 where nothing joins two zones. Of several shortest ways people take the wider sooner."""
        kind, index, _, _ = hop
        return self.width[index] if kind == GATE else self.link_width[index] if kind == LINK else 1.0

    def onward(self, goal: int, led: Mapping[int, int], shut: Collection[tuple[int, int]] = ()) -> dict[int, tuple[int, list[Hop]]]:
        """Zone -> (hops to `goal`, the hops that a shortest way there can begin with), for every zone that has a way.

        `led`: link -> the only way that people are led; `shut`: (gate, way) of the inner gates that lead nobody.
        """
        back: dict[int, list[tuple[int, Hop]]] = {}
        for here in range(len(self.zones)):
            for hop in self._hops(here, led, shut):
                back.setdefault(hop[3], []).append((here, hop))
        found: dict[int, tuple[int, list[Hop]]] = {goal: (0, [])}
        ahead = deque([goal])
        while ahead:
            there = ahead.popleft()
            steps = found[there][0] + 1
            for here, hop in back.get(there, ()):
                if here not in found:
                    found[here] = (steps, [])
                    ahead.append(here)
                if found[here][0] == steps:
                    found[here][1].append(hop)
        return found

    def _hops(self, here: int, led: Mapping[int, int], shut: Collection[tuple[int, int]]) -> list[Hop]:
        hops: list[Hop] = []
        for i, ends in enumerate(self.link_ends):
            hops += [(LINK, i, way, ends[1 - way]) for way in (0, 1) if ends[way] == here and led.get(i, way) == way]
        for i, ends in enumerate(self.ends):
            if not self.outer[i]:
                hops += [(GATE, i, way, ends[1 - way]) for way in (0, 1) if ends[way] == here and (i, way) not in shut]
        joined = {frozenset(ends) for ends in self.link_ends}
        for zone, held in enumerate(self.held):
            for a, b in ((zone, held[1]), (held[1], zone)) if len(held) > 1 else ():
                if a == here and frozenset((a, b)) not in joined:
                    hops.append((FREE, 0, 0, b))
        return hops


def layout(site: Mapping[str, Any]) -> Layout:
    """The layout of a compiled site."""
    zones = tuple(z["zone"] for z in site["zones"])
    index = {name: i for i, name in enumerate(zones)} | {OUTSIDE: STREET}
    parents = {i: index[z["inside"]] for i, z in enumerate(site["zones"]) if z["inside"] is not None}

    def held(zone: int) -> tuple[int, ...]:
        return (zone, *held(parents[zone])) if zone in parents else (zone,)

    gates, links = site["gates"], site["links"]
    return Layout(
        site=site,
        zones=zones,
        area=tuple(float(z["area_m2"]) for z in site["zones"]),
        held=tuple(held(i) for i in range(len(zones))),
        waiting={i: [g["gate"] for g in gates].index(z["outside"]) for i, z in enumerate(site["zones"]) if z.get("outside")},
        gates=tuple(g["gate"] for g in gates),
        ends=tuple((index[g["from"]], index[g["to"]]) for g in gates),
        lanes=tuple(int(g["lanes"]) for g in gates),
        rate=tuple(float(g["lane_per_min"]) for g in gates),
        width=tuple(float(g["width_m"]) for g in gates),
        entrance_only=tuple(bool(g["entrance_only"]) for g in gates),
        outer=tuple(is_outer(g) for g in gates),
        links=tuple(k["link"] for k in links),
        link_ends=tuple((index[k["from"]], index[k["to"]]) for k in links),
        link_width=tuple(float(k["width_m"]) for k in links),
    )
