"""One site in plain Python, written from the rules in words: what `flowwatch.core` must do, one counter, zone and condition at a time.

Passages only (deltas), no cameras, no overrides. The names follow docs and module heads, not the engine's arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60_000_000
Figure = tuple[int, int, int, bool]
"""Inside, lower and upper edge in milli-persons, and whether it is known."""


@dataclass
class Zone:
    inside: int = 0
    raw: int = 0
    least: int = 0
    known: bool = False
    spread: float = 0.0
    drift: int = 0
    people_in: int = 0
    people_out: int = 0
    recounted: int | None = None


@dataclass
class Counter:
    stale_after: int
    ppm: int
    steps: dict[str, int]
    """Zone -> +1 where ingress enters it, -1 where ingress leaves it."""
    last: int | None = None
    gap: int = 0
    rate: int = 0
    passed: int = 0
    silent: bool = False


@dataclass
class Term:
    rank: int
    dwell: int
    rule: dict[str, Any]
    on: bool = False
    since: int | None = None
    blocked: bool = False


@dataclass
class Model:
    document: dict[str, Any]
    born: int
    now: int | None = None
    rank: int = 0
    open: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        within: dict[str, set[str]] = {"outside": set()}
        for z in self.document["zones"]:
            within[z["zone"]] = {z["zone"]} | (within[z["inside"]] if z["inside"] else set())
        self.zones = {z["zone"]: Zone() for z in self.document["zones"]}
        self.roots = [z["zone"] for z in self.document["zones"] if z["inside"] is None]
        passages = {p.get("gate", p.get("link")): p for p in [*self.document["gates"], *self.document["links"]]}
        self.counters: list[Counter] = []
        for c in self.document["counters"]:
            passage = passages[c["gate"] or c["link"]]
            origin, goal = within[passage["from"]], within[passage["to"]]
            steps = dict.fromkeys(goal - origin, 1) | dict.fromkeys(origin - goal, -1)
            steps = {z: -sign for z, sign in steps.items()} if c["swapped"] else steps
            self.counters.append(Counter(max(3 * c["every_us"], MINUTE), c["error_ppm"], steps))
        stages = self.document["plans"][0]["stages"]
        self.terms = [Term(rank, s["dwell_us"], rule) for rank, s in enumerate(stages) for rule in s["leaves"]]
        self.risen: list[int | None] = [None] * len(stages)

    def tick(self, at: int, readings: list[tuple[int, int, int, int]], recounts: Mapping[str, int]) -> None:
        """`readings` are (counter, event time, in, out), `recounts` what was counted just now, by zone."""
        heard = {c for c, _, _, _ in readings}
        for c, when, entered, left in readings:
            counter = self.counters[c]
            counter.last = when if counter.last is None else max(counter.last, when)
            counter.passed += entered + left
            for name, sign in counter.steps.items():
                zone, (come, gone) = self.zones[name], (entered, left) if sign > 0 else (left, entered)
                zone.inside += 1000 * (come - gone)
                zone.raw += 1000 * (come - gone)
                zone.people_in, zone.people_out = zone.people_in + come, zone.people_out + gone
                zone.drift += (come + gone) * counter.ppm
        self._listen(at, heard)
        for name, count in recounts.items():
            self._recount(at, name, count)
        self._decide(at, self.figures())
        self._watch()
        self.now = at

    def _listen(self, at: int, heard: set[int]) -> None:
        for c, counter in enumerate(self.counters):
            if c in heard and counter.gap:
                for name in counter.steps:
                    self.zones[name].drift += counter.gap
                counter.gap = 0
            newest = max(self.born, self.born if counter.last is None else counter.last)
            silent = at - newest > counter.stale_after
            if silent:
                since = self.now if counter.silent and self.now is not None else newest
                counter.gap += counter.rate * (at - since) // 1_000_000
            counter.silent = silent
        minutes = 0 if self.now is None else at // MINUTE - self.now // MINUTE
        if minutes:
            for counter in self.counters:
                if counter.passed and not counter.silent:
                    counter.rate = (3 * counter.rate + counter.passed * 1_000_000 // (60 * minutes)) // 4
                counter.passed = 0

    def _recount(self, at: int, name: str, count: int) -> None:
        zone = self.zones[name]
        for counter in self.counters:
            if name in counter.steps:
                for other in counter.steps:
                    self.zones[other].drift += counter.gap
                counter.gap = 0
        zone.inside = zone.raw = count * 1000
        zone.known, zone.drift = True, 0
        zone.spread, zone.recounted = max(2.0, 0.02 * count) ** 2, at

    def figures(self) -> dict[str, Figure]:
        """What may be compared: every zone, and the whole site as "site"."""
        found: dict[str, Figure] = {}
        for name, zone in self.zones.items():
            zone.least = min(zone.least, zone.inside)
            drift = (zone.drift + sum(c.gap for c in self.counters if name in c.steps)) / 1e6
            half = round(1.645 * 1000 * math.sqrt(zone.spread + drift + drift * drift))
            surely = zone.inside if zone.known else zone.inside - zone.least
            upper = surely + half if zone.known else surely
            found[name] = (max(surely, 0), max(surely - half, 0), max(upper, 0), zone.known)
        sums = [sum(int(found[name][i]) for name in self.roots) for i in range(3)]
        found["site"] = (sums[0], sums[1], sums[2], all(found[name][3] for name in self.roots))
        return found

    def _fresh(self, at: int, name: str) -> bool:
        outer = set(self.roots) if name == "site" else {name}
        feeding = [c for c in self.counters if outer & set(c.steps)]
        recounted = [self.zones[z].recounted for z in outer]
        by_hand = all(r is not None and at - r <= MINUTE for r in recounted)
        return by_hand or (bool(feeding) and all(c.last is not None and at - c.last <= c.stale_after for c in feeding))

    def _decide(self, at: int, figures: dict[str, Figure]) -> None:
        place = {"occupancy": 0, "occupancy_lower": 1, "occupancy_upper": 2}
        for t in self.terms:
            figure = figures[t.rule["zone"]]
            above = figure[place[t.rule["measure"]]] > t.rule["enter_m"]
            t.since = (at if t.since is None else t.since) if above else None
            t.on |= t.since is not None and at - t.since >= t.rule["hold_us"]
            risen = self.risen[t.rank]
            rested = risen is None or at - risen >= t.dwell
            due = t.on and not above and figure[place[t.rule["clear_source"]]] < t.rule["clear_m"] and rested
            sure = figure[3] and self._fresh(at, t.rule["zone"])
            t.on, t.blocked = t.on and not (due and sure), due and not sure
        planned = max([0, *(t.rank for t in self.terms if t.on)])
        for rank in range(self.rank + 1, planned + 1):
            self.risen[rank] = at
        self.risen[planned + 1 :] = [None] * len(self.risen[planned + 1 :])
        self.rank = planned

    def _watch(self) -> None:
        watched = {*self.roots, *(t.rule["zone"] for t in self.terms)}
        now = {("stage", self.document["plans"][0]["stages"][self.rank]["stage"])} if self.rank else set()
        now |= {("counter_silent", f"c{i}") for i, c in enumerate(self.counters) if c.silent}
        now |= {("occupancy_unknown", n) for n, z in self.zones.items() if n in watched and not z.known}
        now |= {("recount_needed", t.rule["zone"]) for t in self.terms if t.blocked and t.rank == self.rank}
        for name, zone in self.zones.items():
            key = ("negative_occupancy", name)
            if zone.known and (zone.inside <= -1000 or (key in self.open and zone.inside < 0)):
                now.add(key)
        self.open = now
