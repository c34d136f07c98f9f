"""Sites compiled to index arrays: what the engine looks up, and nothing that changes between documents.

Counters stand at their *code*, the number that a partition's log gave them for ever, so that nothing about a counter moves when documents
change. Zones, gates and sites stand in the order of the documents, sites sorted by name. A *target* is what a condition can look at: the
zones first, then one target for each site as a whole (the sum of its zones that lie in no other zone).

People move over *edges*: a counter on a gate or link counts people from one end to the other; for each zone that such a passage enters or
leaves (nested zones included: the bridge lies inside the mall, so a step from mall to bridge leaves no mall) there is one edge. The arrays
`edge_in` and `edge_out` index the concatenation [ingress by counter | egress by counter].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.readings import ABSENT, DAY, MINUTE, OUTSIDE, SECOND, Bools, Bytes, Floats, Ints, Kind

KINDS: Final = {"delta": Kind.DELTA, "cumulative": Kind.CUMULATIVE, "absolute": Kind.ABSOLUTE}
STALE_FLOOR_US: Final = 60 * SECOND
"""A counter is silent after three of its periods, but not before 60 s (architecture.md, rule "rise early, fall late")."""
STATIC_LIMIT_PER_M2: Final = 7.1
"""Fruin's static limit, persons/m2 (domain.md): nobody can see more people than that on a floor."""
FOREVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class Network:
    """Everything that the documents in force say, as arrays; C counters (codes), Z zones, S sites, T = Z + S targets, E edges."""

    documents: tuple[Mapping[str, Any], ...]
    """(S,) the compiled sites, sorted by name."""
    versions: tuple[str, ...]
    sites: tuple[str, ...]
    zones: tuple[str, ...]
    """(Z,) "site/zone"."""
    zone_site: Ints
    root: Ints
    """The zones that lie in no other zone, by site; a site is their sum. A waiting area outside a gate is none of them."""
    waiting: Bools
    """(Z,) which zones are waiting areas outside a gate."""
    root_first: Ints
    """(S,) where each site's zones begin in `root`; every site has at least one."""
    counters: tuple[str, ...]
    """(C,) "site/counter", at the counter's code."""
    known: Bools
    """(C,) whether a document in force declares the counter."""
    kind: Bytes
    every: Ints
    lateness: Ints
    stale_after: Ints
    error_ppm: Ints
    max_per_min: Ints
    modulus: Ints
    """(C,) where a cumulative counter wraps, or ABSENT."""
    counts_down: Bools
    valid_from: Ints
    valid_to: Ints
    counter_site: Ints
    """(C,) site index, -1 where unknown."""
    headcount_zone: Ints
    """(C,) the zone a camera counts, or -1."""
    coverage: Floats
    camera_error: Floats
    headcount_max: Ints
    edge_counter: Ints
    edge_zone: Ints
    edge_in: Ints
    edge_out: Ints
    fed: Ints
    """The zones that have edges; the edges stand sorted by zone, those of fed[i] from edge_first[i] on."""
    edge_first: Ints
    edge_ppm: Ints
    """(E,) declared error of the edge's counter, parts per million."""
    inner_counter: Ints
    """Counters between two outer zones of one site, whose people neither enter nor leave the site; with inner_site."""
    inner_site: Ints
    zone_ppm: Ints | None
    """(Z,) the error that all counters of a zone share, or None where some zone's counters differ."""
    flowless: Bools
    """(Z,) zones that no passage counter feeds: known by headcounts only."""
    always_fair: Ints
    """(C,) people that a message may count however soon it follows the last: two periods at the counter's full rate."""
    dated: bool
    """Whether any counter has validity times."""
    shortest_lateness: int
    longest_lateness: int
    site_index: Mapping[str, int]
    zone_index: Mapping[str, int]
    is_root: Bools
    feed_counter: Ints
    """(F,) with feed_target: which counters a target's figure rests on."""
    feed_target: Ints

    @property
    def targets(self) -> int:
        """How many targets there are: zones, then sites."""
        return len(self.zones) + len(self.sites)

    def by_zone(self, of_edge: Ints) -> Ints:
        """(Z,) the sum over each zone's edges of `of_edge` (E,)."""
        if not len(self.fed):
            return np.zeros(len(self.zones), np.int64)
        sums = np.add.reduceat(of_edge, self.edge_first)
        if len(self.fed) == len(self.zones):
            return sums
        everywhere = np.zeros(len(self.zones), np.int64)
        everywhere[self.fed] = sums
        return everywhere

    def in_service(self, tick: int) -> Bools:
        """(C,) which counters should be speaking at `tick`."""
        return self.known & (self.valid_from <= tick) & (tick < self.valid_to) if self.dated else self.known

    def feeding(self, serving: Bools) -> Bools:
        """(T,) which targets any of the counters `serving` (C,) tells of."""
        fed = np.zeros(self.targets, np.bool_)
        fed[self.feed_target[serving[self.feed_counter]] if self.dated else self.feed_target] = True
        return fed

    def target(self, site: int, zone: str) -> int:
        """The target index of a zone's name within a site, or of the whole site for "site"."""
        if zone == "site":
            return len(self.zones) + site
        return self.zone_index[f"{self.sites[site]}/{zone}"]

    def target_name(self, target: int) -> str:
        """The name within its site of a target: a zone's, or "site"."""
        return self.zones[target].split("/", 1)[1] if target < len(self.zones) else "site"


def utc_offset(document: Mapping[str, Any], at: int) -> int:
    """The site's offset from UTC in microseconds at time `at`, from the document's own table."""
    seconds = document["offsets"][0][1]
    for since, offset in document["offsets"]:
        if since > at:
            break
        seconds = offset
    return int(seconds) * SECOND


def first_instant(document: Mapping[str, Any], local: int) -> int:
    """When the site's clocks first show `local` (microseconds, as if UTC): the earlier of two when they go back, the jump when they skip it."""
    around = {utc_offset(document, local - DAY), utc_offset(document, local + DAY)}
    shown = [local - offset for offset in around if utc_offset(document, local - offset) == offset]
    return min(shown, default=local - utc_offset(document, local - DAY))


def next_empty(network: Network, after: int) -> Ints:
    """(S,) each site's next declared known-empty moment after `after` (microseconds), FOREVER where it declares none."""
    moments, after = np.full(len(network.sites), FOREVER, np.int64), max(after, 0)
    for s, document in enumerate(network.documents):
        if document["known_empty"] is not None:
            today = (after + utc_offset(document, after)) // DAY
            at = document["known_empty"]["at_s"] * SECOND
            moments[s] = min(m for day in (-1, 0, 1, 2) if (m := first_instant(document, (today + day) * DAY + at)) > after)
    return moments


def _ancestry(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Each zone with all that it lies in, itself included; nobody is in "outside"."""
    held: dict[str, frozenset[str]] = {OUTSIDE: frozenset()}
    for zone in document["zones"]:
        parent = zone["inside"]
        held[zone["zone"]] = frozenset({zone["zone"]}) | (held[parent] if parent is not None else frozenset())
    return held


def compile_network(documents: Sequence[tuple[str, Mapping[str, Any]]], counters: Sequence[str]) -> Network:
    """The arrays for compiled `documents` ((version, site) pairs) of one partition, whose log has given codes to `counters` in order."""
    ordered = sorted(documents, key=lambda pair: str(pair[1]["site"]))
    sites = tuple(str(d["site"]) for _, d in ordered)
    code = {name: i for i, name in enumerate(counters)}
    n = len(counters)
    zones: list[str] = []
    zone_site: list[int] = []
    root: list[int] = []
    columns = {name: np.zeros(n, np.int64) for name in ("every", "lateness", "error_ppm", "max_per_min", "headcount_max")}
    known, counts_down = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    kind = np.zeros(n, np.uint8)
    modulus, valid_from = np.full(n, ABSENT), np.full(n, -FOREVER)
    valid_to, counter_site, headcount_zone = np.full(n, FOREVER), np.full(n, -1), np.full(n, -1)
    coverage, camera_error = np.ones(n), np.zeros(n)
    edges: list[tuple[int, int, int, int]] = []
    inner: list[tuple[int, int]] = []
    feeds: set[tuple[int, int]] = set()
    for s, (_, document) in enumerate(ordered):
        if all(zone["inside"] is not None or zone["outside"] is not None for zone in document["zones"]):
            raise ValueError(f"{sites[s]}: no zone of the site that lies in no other zone")
        index: dict[str, int] = {}
        areas: dict[str, float] = {}
        for zone in document["zones"]:
            index[zone["zone"]], areas[zone["zone"]] = len(zones), zone["area_m2"]
            if zone["inside"] is None and zone["outside"] is None:
                root.append(len(zones))
            zones.append(f"{sites[s]}/{zone['zone']}")
            zone_site.append(s)
        ancestry = _ancestry(document)
        passages = {("gate", g["gate"]): g for g in document["gates"]} | {("link", k["link"]): k for k in document["links"]}
        for counter in document["counters"]:
            c = code[f"{sites[s]}/{counter['counter']}"]
            known[c], counter_site[c], kind[c] = True, s, KINDS[counter["counts"]]
            columns["every"][c], columns["lateness"][c] = counter["every_us"], counter["lateness_us"]
            columns["error_ppm"][c], columns["max_per_min"][c] = counter["error_ppm"], counter["max_per_min"]
            counts_down[c] = counter["counts_down"]
            modulus[c] = ABSENT if counter["modulus"] is None else counter["modulus"]
            valid_from[c] = -FOREVER if counter["valid_from_us"] is None else counter["valid_from_us"]
            valid_to[c] = FOREVER if counter["valid_to_us"] is None else counter["valid_to_us"]
            if counter["zone"] is not None:
                z = index[counter["zone"]]
                headcount_zone[c] = z
                coverage[c], camera_error[c] = counter["coverage_ppm"] / 1e6, counter["camera_error_ppm"] / 1e6
                columns["headcount_max"][c] = math.ceil(STATIC_LIMIT_PER_M2 * areas[counter["zone"]] * coverage[c])
                feeds.add((c, z))
                continue
            where = ("gate", counter["gate"]) if counter["gate"] is not None else ("link", counter["link"])
            ends = (passages[where]["from"], passages[where]["to"])
            origin, goal = (ancestry[e] for e in (reversed(ends) if counter["swapped"] else ends))
            if origin and goal and not (origin & goal):
                inner.append((c, s))
            for zone in sorted(origin ^ goal):
                ingress_enters = zone in goal
                edges.append((c, index[zone], c if ingress_enters else n + c, n + c if ingress_enters else c))
                feeds.add((c, index[zone]))
    roots = np.array(root, np.int64)
    site_of = np.array(zone_site, np.int64)
    outer = set(root)
    feeds |= {(c, len(zones) + zone_site[z]) for c, z in feeds if z in outer}
    edge = np.array(sorted(edges, key=lambda e: e[1]), np.int64).reshape(-1, 4)
    fed_zones, edge_first = np.unique(edge[:, 1], return_index=True)
    feed = np.array(sorted(feeds), np.int64).reshape(-1, 2)
    edge_ppm = columns["error_ppm"][edge[:, 0]]
    return Network(
        documents=tuple(d for _, d in ordered),
        versions=tuple(v for v, _ in ordered),
        sites=sites,
        zones=tuple(zones),
        zone_site=site_of,
        root=roots,
        waiting=np.array([zone["outside"] is not None for _, d in ordered for zone in d["zones"]], np.bool_),
        root_first=np.searchsorted(site_of[roots], np.arange(len(sites))),
        counters=tuple(counters),
        known=known,
        kind=kind,
        every=columns["every"],
        lateness=columns["lateness"],
        stale_after=np.maximum(3 * columns["every"], STALE_FLOOR_US),
        error_ppm=columns["error_ppm"],
        max_per_min=columns["max_per_min"],
        modulus=modulus,
        counts_down=counts_down,
        valid_from=valid_from,
        valid_to=valid_to,
        counter_site=counter_site,
        headcount_zone=headcount_zone,
        coverage=coverage,
        camera_error=camera_error,
        headcount_max=columns["headcount_max"],
        edge_counter=np.ascontiguousarray(edge[:, 0]),
        edge_zone=np.ascontiguousarray(edge[:, 1]),
        edge_in=np.ascontiguousarray(edge[:, 2]),
        edge_out=np.ascontiguousarray(edge[:, 3]),
        fed=fed_zones,
        edge_first=edge_first,
        edge_ppm=edge_ppm,
        inner_counter=np.array([c for c, _ in inner], np.int64),
        inner_site=np.array([s for _, s in inner], np.int64),
        zone_ppm=_shared(edge_ppm, edge[:, 1], len(zones)),
        flowless=~np.isin(np.arange(len(zones)), fed_zones),
        always_fair=columns["max_per_min"] * 2 * columns["every"] // MINUTE,
        dated=bool((valid_from > -FOREVER).any() or (valid_to < FOREVER).any()),
        shortest_lateness=int(columns["lateness"][known].min(initial=FOREVER)),
        longest_lateness=int(columns["lateness"].max(initial=0)),
        site_index={name: s for s, name in enumerate(sites)},
        zone_index={name: z for z, name in enumerate(zones)},
        is_root=np.isin(np.arange(len(zones)), roots),
        feed_counter=np.ascontiguousarray(feed[:, 0]),
        feed_target=np.ascontiguousarray(feed[:, 1]),
    )


def _shared(values: Ints, zone: Ints, zones: int) -> Ints | None:
    """(Z,) the one value that all edges of each zone have (0 for a zone without); None where they differ."""
    shared = np.zeros(zones, np.int64)
    shared[zone] = values
    return shared if (shared[zone] == values).all() else None


def carry(old_names: Sequence[str], new_names: Sequence[str]) -> tuple[Ints, Ints]:
    """Where the state of things with equal names goes when documents change: (indices in old, indices in new), both (k,)."""
    place = {name: i for i, name in enumerate(old_names)}
    pairs = [(place[name], i) for i, name in enumerate(new_names) if name in place]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
