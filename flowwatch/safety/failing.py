"""Figures of every stage and every gate: what capacity out there is, and what a single gate that fails leaves of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from flowwatch.core.readings import Bools
from flowwatch.safety.describing import called
from flowwatch.safety.egress import about
from flowwatch.safety.place import Place
from flowwatch.safety.report import Capacity, Code, Failure, Finding
from flowwatch.safety.sentences import finding, listed


def capacities(place: Place) -> Iterator[Capacity]:
    """Each stage of each plan, with all others calm."""
    people = capacity_of(place.site)
    for p, column in enumerate(place.space.columns):
        for i, state in enumerate(column.states):
            if state.rank is None or not state.in_force:
                continue
            row = place.space.where({p: column.kind[i]})
            rows = np.flatnonzero(place.space.rows[:, p] == column.kind[i])
            lowest = rows[np.lexsort((place.space.cost[rows], place.tables.capacity[rows]))[0]]
            out = int(place.tables.capacity[row]) / 1000
            yield Capacity(
                column.plan["plan"],
                column.plan["stages"][state.rank]["stage"],
                out,
                place.tables.ingress_per_min(row),
                round(people / out, 1) if out else None,
                int(place.tables.capacity[lowest]) / 1000,
                place.events(int(lowest)),
            )


def capacity_of(site: Mapping[str, Any]) -> int:
    """The people that the site's outer zones may hold together."""
    return sum(z["capacity"] for z in site["zones"] if z["inside"] is None and not z.get("outside"))


def failures(place: Place) -> tuple[list[Failure], list[Finding]]:
    """Each gate that passes nobody: what capacity is left, and whom it cuts off; and the zones that only one gate keeps from that."""
    rows: list[Failure] = []
    by_zone: dict[str, list[tuple[int, Bools]]] = {}
    main = place.space.columns[0]
    for g, gate in enumerate(place.site["gates"]):
        left = place.tables.capacity - place.tables.leaving(g)
        stages = {
            stage["stage"]: int(left[place.space.where({0: main.kind[rank]})]) / 1000 for rank, stage in enumerate(main.plan["stages"])
        }
        cut = place.cut_off(g)
        for zone, mask in cut.items():
            by_zone.setdefault(zone, []).append((g, mask))
        soonest = next(place.space.soonest(np.logical_or.reduce([*cut.values()])), None) if cut else None
        events = None if soonest is None else place.events(soonest)
        rows.append(Failure(gate["gate"], stages, int(left.min()) / 1000, tuple(cut), events))
    return rows, [_single_exit(place, zone, cuts) for zone, cuts in by_zone.items()]


def _single_exit(place: Place, zone: str, cuts: list[tuple[int, Bools]]) -> Finding:
    row = next(place.space.soonest(np.logical_or.reduce([mask for _, mask in cuts])))
    gates = listed([place.site["gates"][g]["gate"] for g, mask in cuts if mask[row]])
    accepted = next(z for z in place.site["zones"] if z["zone"] == zone).get("accepts_single_exit")
    if accepted:
        return finding(Code.SINGLE_EXIT_ACCEPTED, None, None, ("zones", zone), zone=called(zone, place.site), gates=gates, **accepted)
    return about(place, Code.SINGLE_EXIT, row, zone=called(zone, place.site), gates=gates)
