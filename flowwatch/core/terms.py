"""The conditions of all plans in force, compiled to arrays: what is compared with which bar, and which conditions make which stage due.

A *ladder* is one plan at one site: its stages from calm to closed, in the arrays of all ladders of the partition (sites by name, each site's
plans in the order of its record). A *leaf* is one comparison. A *clause* is leaves that must all hold, a *rule* is clauses of which one must
hold: a rule makes a stage due, or a degraded mode, or tells that a case is in force.

Every leaf looks at one *quantity*, a number in milli-units; the vector of quantities is made of blocks:

    inside (T) | lower (T) | upper (T) | band width (T) | passers and net flow (P) | what holds or not (B)

Targets T are zones, then sites (`network.py`). What holds or not (clocks, silent counters, the stage of another site) is 0 or 1000. What
flowwatch cannot evaluate yet (forecasts, counter health beyond `silent`) is a quantity that stays 0, so that its leaf never holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final

import numpy as np

from flowwatch.core.network import Network
from flowwatch.core.readings import Bools, Ints

SOURCES: Final = ("occupancy", "occupancy_lower", "occupancy_upper", "band_width")
"""The blocks of quantities that every target has."""
HALF: Final = 500
"""The bar of quantities that are 0 or 1000."""
SURE: Final = 1000


class Role(IntEnum):
    """What a rule is for."""

    STAGE = 0
    DEGRADED = 1
    CASE = 2


@dataclass(frozen=True, slots=True)
class Passers:
    """A rate through a gate or link, or into a zone or site: whose counters add up to it, and which of their directions (+1, -1, 0).

    `weaker`: the smaller of that and of the same the other way round.
    """

    name: str
    counters: tuple[int, ...]
    of_in: tuple[int, ...]
    of_out: tuple[int, ...]
    weaker: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """All passers as arrays: each one's counters, one after the other, those of passers i from first[i] on."""

    first: Ints
    at: Ints
    """Where each counter stands among the watched."""
    of_in: Ints
    of_out: Ints
    weaker: Bools
    """(P,) whether it is the smaller of the two directions."""


@dataclass(frozen=True, slots=True)
class Terms:
    """L ladders, K leaves, C clauses, R rules; all sorted by ladder."""

    ladders: tuple[str, ...]
    """(L,) the site's name for its main plan, "site/plan" for the others: a main plan under another name is still the site's plan."""
    ladder_index: Mapping[str, int]
    ladder_site: Ints
    plain: Bools
    """(L,) which ladders are no case."""
    replaces: Bools
    """(L,) which are cases that replace the main plan."""
    main: Ints
    """(S,) each site's first ladder, -1 where it has none."""
    of_site: tuple[tuple[int, ...], ...]
    """(S,) the ladders of each site, the main plan first."""
    plans: tuple[Mapping[str, Any], ...]
    """(L,) the compiled plans."""
    stages: tuple[tuple[str, ...], ...]
    """(L,) the names of each ladder's stages, calm to closed."""
    names: tuple[str, ...]
    """(K,) what a leaf's state is carried over by when documents change."""
    leaves: tuple[Mapping[str, Any], ...]
    leaf_ladder: Ints
    leaf_first: Ints
    """(L + 1,) where each ladder's leaves begin."""
    leaf_rank: Ints
    """(K,) the stage whose dwell keeps the leaf, 0 for none."""
    value: Ints
    clear_value: Ints
    target: Ints
    """(K,) the target of a leaf on people, else -1."""
    enter: Ints
    clear: Ints
    hold: Ints
    dwell: Ints
    member: Ints
    """The leaves of all clauses, one after the other; those of clause i from clause_first[i] on."""
    clause_first: Ints
    rule_first: Ints
    """(R,) each rule's first clause."""
    rule_ladder: Ints
    rule_rank: Ints
    """(R,) the stage that the rule makes due, 0 for none."""
    rule_role: Ints
    rule_names: tuple[str, ...]
    ruled: Ints
    """The ladders that have rules at all; the rules of ruled[i] stand from ruled_first[i] on."""
    ruled_first: Ints
    passers: tuple[Passers, ...]
    rates: Rates
    watched: Ints
    """The counters (codes) of all passers, ascending."""
    clocks: tuple[int, ...]
    """The leaves that the calendar decides."""
    clock_quantity: Ints
    """Where their quantities stand."""
    switches: Ints
    """The leaves without a figure of their own: clocks, health, other sites' stages, and what is not evaluated yet."""
    switch_first: Ints
    """Where in switch_leaf the leaves begin that each of them stands in a clause with."""
    switch_leaf: Ints
    health_quantity: Ints
    """The quantities of the leaves on silent counters; those of leaf i look at health_counter[health_first[i]:...]."""
    health_first: Ints
    health_counter: Ints
    neighbour_quantity: Ints
    """The quantities of the leaves on what stage another site is at."""
    neighbour_names: tuple[str, ...]
    """What a plan's test calls them: "road/bund.full" at the site "road"."""
    neighbour_ladder: Ints
    """Its ladder and the rank that it must have reached; -1 where no document in force has such a plan with such a stage."""
    neighbour_rank: Ints
    targets: int
    quantities: int
    rests_on: tuple[tuple[int, ...], ...]
    """(K,) the counters (codes) that a leaf on passers rests on."""


@dataclass(slots=True)
class _Rows:
    """The columns while they are collected."""

    names: list[str]
    leaves: list[Mapping[str, Any]]
    numbers: list[tuple[int, ...]]
    member: list[int]
    clause_first: list[int]
    rules: list[tuple[int, int, int, int]]
    rule_names: list[str]


def compile_terms(network: Network) -> Terms:
    """The terms of the plans that the documents in force carry."""
    ladders: list[str] = []
    plans: list[Mapping[str, Any]] = []
    of_site: list[tuple[int, ...]] = []
    sites: list[int] = []
    rows = _Rows([], [], [], [], [], [], [])
    for s, document in enumerate(network.documents):
        mine: list[int] = []
        for plan in document["plans"]:
            ladder = len(ladders)
            ladders.append(f"{network.sites[s]}/{plan['plan']}" if mine else network.sites[s])
            plans.append(plan)
            sites.append(s)
            mine.append(ladder)
            for name, role, rank, dwell, part in _rules(plan):
                _add(rows, network, s, ladder, (f"{ladders[ladder]}/{role.name.lower()}/{name}", role, rank, dwell, part))
                rows.rule_names.append(name)
        of_site.append(tuple(mine))
    quantities = _Quantities(network)
    places = [quantities.of(leaf, int(numbers[1])) for leaf, numbers in zip(rows.leaves, rows.numbers, strict=True)]
    table = np.array(rows.numbers, np.int64).reshape(-1, 8)
    rules = np.array(rows.rules, np.int64).reshape(-1, 4)
    ruled, ruled_first = np.unique(rules[:, 0], return_index=True)
    total, value, clear_value, switch = quantities.settled(places)
    passers = tuple(quantities.passers)
    watched = np.array(sorted({c for p in passers for c in p.counters}), np.int64)
    clocks = tuple(k for k, leaf in enumerate(rows.leaves) if leaf["kind"] in ("time", "day"))
    silence = [k for k, leaf in enumerate(rows.leaves) if leaf["kind"] == "health" and leaf["health"] == "silent"]
    health = [(k, _health_counters(network, int(table[k, 1]), rows.leaves[k])) for k in silence]
    beside = [(k, *_neighbour(network, of_site, plans, leaf)) for k, leaf in enumerate(rows.leaves) if leaf["kind"] == "neighbour"]
    together = _together(rows, switch)
    rests = [passers[p[1]].counters if p[0] == "passers" else () for p in places]
    return Terms(
        ladders=tuple(ladders),
        ladder_index={name: ladder for ladder, name in enumerate(ladders)},
        ladder_site=np.array(sites, np.int64),
        plain=np.array([plan["case"] is None for plan in plans], np.bool_),
        replaces=np.array([plan["case"] is not None and plan["case"]["effect"] == "replace" for plan in plans], np.bool_),
        main=np.array([mine[0] if mine else -1 for mine in of_site], np.int64),
        of_site=tuple(of_site),
        plans=tuple(plans),
        stages=tuple(tuple(stage["stage"] for stage in plan["stages"]) for plan in plans),
        names=tuple(rows.names),
        leaves=tuple(rows.leaves),
        leaf_ladder=np.ascontiguousarray(table[:, 0]),
        leaf_first=np.searchsorted(table[:, 0], np.arange(len(ladders) + 1)),
        leaf_rank=np.ascontiguousarray(table[:, 2]),
        value=value,
        clear_value=clear_value,
        target=np.ascontiguousarray(table[:, 7]),
        enter=np.ascontiguousarray(table[:, 3]),
        clear=np.ascontiguousarray(table[:, 4]),
        hold=np.ascontiguousarray(table[:, 5]),
        dwell=np.ascontiguousarray(table[:, 6]),
        member=np.array(rows.member, np.int64),
        clause_first=np.array(rows.clause_first, np.int64),
        rule_first=np.ascontiguousarray(rules[:, 3]),
        rule_ladder=np.ascontiguousarray(rules[:, 0]),
        rule_rank=np.ascontiguousarray(rules[:, 1]),
        rule_role=np.ascontiguousarray(rules[:, 2]),
        rule_names=tuple(rows.rule_names),
        ruled=ruled,
        ruled_first=ruled_first,
        passers=passers,
        rates=_rates(passers, watched),
        watched=watched,
        clocks=clocks,
        clock_quantity=np.array([switch[k] for k in clocks], np.int64),
        switches=np.array(sorted(switch), np.int64),
        switch_first=np.cumsum([0, *(len(together[k]) for k in sorted(switch))])[:-1],
        switch_leaf=np.array([k for s in sorted(switch) for k in together[s]], np.int64),
        health_quantity=np.array([switch[k] for k, _ in health], np.int64),
        health_first=np.cumsum([0, *(len(counters) for _, counters in health)])[:-1],
        health_counter=np.array([c for _, counters in health for c in counters], np.int64),
        neighbour_quantity=np.array([switch[k] for k, _, _ in beside], np.int64),
        neighbour_names=tuple(f"{network.sites[int(table[k, 1])]}/{neighbour_name(rows.leaves[k])}" for k, _, _ in beside),
        neighbour_ladder=np.array([ladder for _, ladder, _ in beside], np.int64),
        neighbour_rank=np.array([rank for _, _, rank in beside], np.int64),
        targets=network.targets,
        quantities=total,
        rests_on=tuple(rests),
    )


def _together(rows: _Rows, switch: Mapping[int, int]) -> dict[int, list[int]]:
    """Each leaf of `switch` with the leaves that it stands in a clause with, itself included."""
    found: dict[int, set[int]] = {k: {k} for k in switch}
    for start, stop in pairwise([*rows.clause_first, len(rows.member)]):
        clause = rows.member[start:stop]
        for k in clause:
            if k in found:
                found[k].update(clause)
    return {k: sorted(leaves) for k, leaves in found.items()}


def _rates(passers: tuple[Passers, ...], watched: Ints) -> Rates:
    counters = np.array([c for p in passers for c in p.counters], np.int64)
    return Rates(
        first=np.cumsum([0, *(len(p.counters) for p in passers)])[:-1],
        at=np.searchsorted(watched, counters),
        of_in=np.array([w for p in passers for w in p.of_in], np.int64),
        of_out=np.array([w for p in passers for w in p.of_out], np.int64),
        weaker=np.array([p.weaker for p in passers], np.bool_),
    )


def _rules(plan: Mapping[str, Any]) -> Iterator[tuple[str, Role, int, int, Mapping[str, Any]]]:
    """(name, role, rank, dwell, the part with leaves and clauses) of each rule of a plan that has any clause."""
    for rank, stage in enumerate(plan["stages"]):
        if stage["clauses"]:
            yield stage["stage"], Role.STAGE, rank, stage["dwell_us"], stage
    names = [stage["stage"] for stage in plan["stages"]]
    for rule in plan["degraded"]:
        rank = names.index(rule["stage"]) if rule["stage"] is not None else 0
        yield rule["rule"], Role.DEGRADED, rank, plan["stages"][rank]["dwell_us"], rule
    if plan["case"] is not None and plan["case"]["clauses"]:
        yield plan["plan"], Role.CASE, 0, 0, plan["case"]


def _add(rows: _Rows, network: Network, s: int, ladder: int, rule: tuple[str, Role, int, int, Mapping[str, Any]]) -> None:
    name, role, rank, dwell, part = rule
    base, seen = len(rows.leaves), dict[str, int]()
    for leaf in part["leaves"]:
        zone = leaf.get("zone")
        target = network.target(s, zone) if leaf["kind"] == "people" and leaf["source"] != "net_flow" else -1
        bars = (leaf["enter_m"], leaf["clear_m"]) if "enter_m" in leaf else (HALF, HALF)
        rows.numbers.append((ladder, s, rank, *bars, leaf.get("hold_us", 0), dwell if rank else 0, target))
        rows.leaves.append(leaf)
        what = f"{leaf['kind']}/{_about(leaf)}"
        seen[what] = seen.get(what, 0) + 1
        rows.names.append(f"{name}/{what}/{seen[what]}")
    rows.rules.append((ladder, rank, int(role), len(rows.clause_first)))
    for clause in part["clauses"]:
        if not clause:
            raise ValueError("a clause of nothing")
        rows.clause_first.append(len(rows.member))
        rows.member += [base + _within(i, len(part["leaves"])) for i in clause]


def _about(leaf: Mapping[str, Any]) -> str:
    """What a leaf looks at, in words that stay when its bars change: by them its state is carried over to a new document."""
    if leaf["kind"] == "neighbour":
        return neighbour_name(leaf)
    place = leaf.get("zone") or leaf.get("gate") or leaf.get("link") or leaf.get("counter") or ""
    return f"{leaf.get('measure') or leaf.get('health') or ''}/{leaf.get('direction') or ''}/{place}"


def _within(i: int, n: int) -> int:
    if not 0 <= i < n:
        raise IndexError("a clause names a leaf that there is not")
    return i


def _health_counters(network: Network, s: int, leaf: Mapping[str, Any]) -> tuple[int, ...]:
    """The codes of the counters that a leaf on health looks at."""
    mine = np.flatnonzero(network.known & (network.counter_site == s)).tolist()
    if leaf["counter"] is None and mine:
        return tuple(mine)
    name = f"{network.sites[s]}/{leaf['counter']}"
    found = tuple(c for c in mine if network.counters[c] == name)
    if not found:
        raise ValueError(f"no counter {name}")
    return found


def neighbour_name(leaf: Mapping[str, Any]) -> str:
    """What a plan's test calls the stage of another site: "bund.full", or "bund/stairs.narrow" of a plan that is not its main one."""
    return f"{leaf['site']}{'' if leaf['plan'] is None else '/' + leaf['plan']}.{leaf['stage']}"


def _neighbour(
    network: Network, of_site: Sequence[tuple[int, ...]], plans: Sequence[Mapping[str, Any]], leaf: Mapping[str, Any]
) -> tuple[int, int]:
    """(ladder, rank) of the plan and stage that a leaf names at another site; (-1, -1) where there is none."""
    for ladder in of_site[network.site_index[leaf["site"]]] if leaf["site"] in network.site_index else ():
        if leaf["plan"] in (None, plans[ladder]["plan"]):
            ranks = [rank for rank, stage in enumerate(plans[ladder]["stages"]) if stage["stage"] == leaf["stage"]]
            return (ladder, ranks[0]) if ranks else (-1, -1)
    return -1, -1


class _Quantities:
    """Gives out the places of quantities while leaves are read."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.passers: list[Passers] = []
        self._passer_index: dict[tuple[Any, ...], int] = {}

    def of(self, leaf: Mapping[str, Any], s: int) -> tuple[Any, ...]:
        """Where the value and the clear value of a leaf stand, in words that `settled` turns to numbers."""
        match leaf["kind"]:
            case "people" if leaf["source"] == "net_flow":
                return ("passers", self._passers(("zone", s, leaf["zone"]), self._net, s, leaf))
            case "people":
                return ("people", SOURCES.index(leaf["source"]), SOURCES.index(leaf["clear_source"]), self._network.target(s, leaf["zone"]))
            case "passers":
                place = ("gate", leaf["gate"]) if leaf["gate"] is not None else ("link", leaf["link"])
                weaker = leaf["measure"] == "opposing_flow"
                return ("passers", self._passers((*place, s, leaf["direction"], weaker), self._through, s, leaf))
            case "forecast" | "health" | "time" | "day" | "neighbour":
                return ("switch",)
        raise ValueError(f"a leaf of kind {leaf['kind']!r}")

    def _passers(self, key: tuple[Any, ...], make: Any, s: int, leaf: Mapping[str, Any]) -> int:
        if key not in self._passer_index:
            self._passer_index[key] = len(self.passers)
            self.passers.append(make(s, leaf))
        return self._passer_index[key]

    def _through(self, s: int, leaf: Mapping[str, Any]) -> Passers:
        """The counters at a gate or on a link; one that is mounted the other way round counts in for out."""
        site, document = self._network.sites[s], self._network.documents[s]
        there = [c for c in document["counters"] if (c["gate"], c["link"]) == (leaf["gate"], leaf["link"])]
        if not there:
            raise ValueError("a flow that nobody counts")
        codes = {name: i for i, name in enumerate(self._network.counters)}
        wants_in, wants_out = int(leaf["direction"] in ("in", "both")), int(leaf["direction"] in ("out", "both"))
        of_in = tuple(wants_out if c["swapped"] else wants_in for c in there)
        of_out = tuple(wants_in if c["swapped"] else wants_out for c in there)
        weaker = leaf["measure"] == "opposing_flow"
        if weaker:
            of_in, of_out = tuple(0 if c["swapped"] else 1 for c in there), tuple(1 if c["swapped"] else 0 for c in there)
        place = leaf["gate"] or leaf["link"]
        name = f"{site}/{place}.{'opposing_flow' if weaker else 'flow_' + leaf['direction']}"
        return Passers(name, tuple(codes[f"{site}/{c['counter']}"] for c in there), of_in, of_out, weaker)

    def _net(self, s: int, leaf: Mapping[str, Any]) -> Passers:
        """In minus out over the passages that a zone's people come and go by; for a site, those of its outer zones."""
        network, n = self._network, len(self._network.counters)
        target = network.target(s, leaf["zone"])
        zones = {target} if target < len(network.zones) else {z for z in network.root.tolist() if network.zone_site[z] == s}
        counters: dict[int, int] = {}
        for c, z, enters in zip(network.edge_counter.tolist(), network.edge_zone.tolist(), network.edge_in.tolist(), strict=True):
            if z in zones:
                counters[c] = counters.get(c, 0) + (1 if enters < n else -1)
        kept = {c: sign for c, sign in counters.items() if sign}
        if not kept:
            raise ValueError("a net flow that nobody counts")
        signs = tuple(kept.values())
        return Passers(f"{network.sites[s]}/{leaf['zone']}.net_flow", tuple(kept), signs, tuple(-x for x in signs))

    def settled(self, places: list[tuple[Any, ...]]) -> tuple[int, Ints, Ints, dict[int, int]]:
        """(quantities in all, value (K,), clear value (K,), leaf -> quantity of the switches)."""
        targets = self._network.targets
        first_passers = len(SOURCES) * targets
        next_switch = first_passers + len(self.passers)
        value, clear_value, switch = [], [], dict[int, int]()
        for k, place in enumerate(places):
            if place[0] == "people":
                _, source, clear_source, target = place
                value.append(source * targets + target)
                clear_value.append(clear_source * targets + target)
                continue
            if place[0] == "switch":
                switch[k] = next_switch
                next_switch += 1
            at = switch[k] if place[0] == "switch" else first_passers + place[1]
            value.append(at)
            clear_value.append(at)
        return next_switch, np.array(value, np.int64), np.array(clear_value, np.int64), switch
