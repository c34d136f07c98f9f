"""Typed site files to their part of the compiled record: zones, gates, links, counters, barriers, signs, UTC offsets.

Everything is resolved here: defaults, names in one order, durations and moments in microseconds. Besides, what the checks and the compiler
ask of a site: the part of the record that decides who can get out, and which zones any counter tells about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from flowwatch.core.readings import OUTSIDE, SECOND
from flowwatch.documents.plan import Template
from flowwatch.documents.site import Counter, Gate, Link, LostMode, Site, Zone
from flowwatch.documents.words import FIRST_YEAR, LAST_YEAR, Text, Validity, duration_us, moment_us, time_of_day_s, time_zone

LANE_MOST_PER_MIN: Final = 60
"""Passers a minute that a lane can pass at the very most (20-60 on paper, 18-28 in use)."""
WALKWAY_MOST_PER_M_MIN: Final = 82 * 1.5
"""Passers a metre and minute on a link: where walkway level of service F begins, and half as many again for a short surge."""
DEFAULT_ERROR: Final = 0.005
DEFAULT_COVERAGE: Final = 1.0
DEFAULT_CAMERA_ERROR: Final = 0.15

T = TypeVar("T")


def site_record(site: Site) -> dict[str, Any]:
    """`site`'s part of the record."""
    clock = time_zone(site.time_zone)
    ways = skeleton(site)
    return {
        "site": site.site,
        "group": or_(site.group, site.site),
        "title": text_of(site.title),
        "area": None if isinstance(site.area, UnsetType) else text_of(site.area),
        "time_zone": site.time_zone,
        "offsets": [[since, offset] for since, offset in offsets(site.time_zone)],
        "delivery": site.delivery.value,
        "egress_min_per_min": site.egress_min_per_min,
        "known_empty": None
        if isinstance(site.known_empty, UnsetType)
        else {"at_s": time_of_day_s(site.known_empty.at), "when_below": site.known_empty.when_below},
        "zones": [_zone(zone, site.zones[zone["zone"]]) for zone in sorted(ways["zones"], key=lambda z: len(around(site, z["zone"])))],
        "gates": [_gate(gate, site.gates[gate["gate"]], site) for gate in ways["gates"]],
        "links": [_sized(link, site.links[link["link"]]) for link in ways["links"]],
        "barriers": [{"barrier": name, "title": text_of(site.barriers[name].title)} for name in in_order(site.barriers)],
        "signs": [
            {"sign": name, "title": text_of(site.signs[name].title), "kind": site.signs[name].kind.value} for name in in_order(site.signs)
        ],
        "counters": [_counter(name, site.counters[name], site, clock) for name in in_order(site.counters)],
    }


def skeleton(site: Site) -> dict[str, Any]:
    """The part of the record that decides who can get out: zones, gates and links without their titles and sizes."""
    return {
        "egress_min_per_min": site.egress_min_per_min,
        "zones": [
            {"zone": name, "inside": or_(site.zones[name].inside, None), "outside": or_(site.zones[name].outside, None)}
            for name in in_order(site.zones)
        ],
        "gates": [_way(name, site.gates[name]) for name in in_order(site.gates)],
        "links": [{"link": name, "from": site.links[name].from_, "to": site.links[name].to} for name in in_order(site.links)],
    }


def counted_passages(site: Site) -> list[Gate | Link]:
    """The gates and links at which some counter counts passers."""
    passages: list[Gate | Link] = [site.gates[c.gate] for c in site.counters.values() if isinstance(c.gate, str)]
    return passages + [site.links[c.link] for c in site.counters.values() if isinstance(c.link, str)]


def zones_with_counters(site: Site) -> set[str]:
    """The zones whose people some counter tells: one that looks at the zone, or that counts who enters or leaves it."""
    found = {counter.zone for counter in site.counters.values() if isinstance(counter.zone, str)}
    return found | zones_with_passers(site)


def zones_with_passers(site: Site) -> set[str]:
    """The zones of which some counter counts who enters or leaves."""
    found: set[str] = set()
    for passage in counted_passages(site):
        found |= around(site, passage.from_) ^ around(site, passage.to)
    return found


def around(site: Site, zone: str) -> set[str]:
    """A zone with all that it lies in; nothing for the world outside."""
    found: set[str] = set()
    while zone in site.zones and zone not in found:
        found.add(zone)
        zone = or_(site.zones[zone].inside, OUTSIDE)
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """Names as people count: gate-2 before gate-10.

    >>> in_order(["gate-10", "gate-2", "door"])
    ['door', 'gate-2', 'gate-10']
    """
    return sorted(
        names, key=lambda name: ([(not p.isdigit(), p.zfill(64) if p.isdigit() else p) for p in re.findall("[0-9]+|[^0-9]+", name)], name)
    )


@lru_cache(maxsize=64)
def offsets(zone: str) -> tuple[tuple[int, int], ...]:
    """The UTC offsets of a time zone as (from, in microseconds UTC; offset in seconds), over all years that documents can speak of.

    `zoneinfo` tells the offset at a moment but not when it changes: days are compared, and a change is then halved down to its second.
    """
    clock = time_zone(zone)

    def offset(second: int) -> int:
        shift = datetime.fromtimestamp(second, clock).utcoffset()
        assert shift is not None
        return shift // timedelta(seconds=1)

    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
    table = [(start, offset(start))]
    for day in range(start, end, 86400):
        low, high = day, day + 86400
        if offset(low) == offset(high):
            continue
        before = offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        table.append((high, offset(high)))
    return tuple((second * SECOND, shift) for second, shift in table)


def or_(value: T | UnsetType, default: T) -> T:
    """`value`, or `default` where it is left out."""
    return default if isinstance(value, UnsetType) else value


def text_of(text: Text | Template) -> dict[str, str]:
    """A text of the record."""
    return {"zh": text.zh, "en": text.en}


def validity(valid: Validity | UnsetType, clock: ZoneInfo) -> dict[str, int | None]:
    """A validity of the record, in microseconds UTC; None for an open end."""
    ends = (valid.from_, valid.until) if isinstance(valid, Validity) else (None, None)
    since, until = (moment_us(end, clock) if isinstance(end, str) else None for end in ends)
    return {"valid_from_us": since, "valid_to_us": until}


def _ppm(share: float) -> int:
    return round(share * 1_000_000)


def _zone(zone: dict[str, Any], source: Zone) -> dict[str, Any]:
    single = source.accepts_single_exit
    return zone | {
        "title": text_of(source.title),
        "area_m2": float(source.area_m2),
        "capacity": source.capacity,
        "accepts_single_exit": None if isinstance(single, UnsetType) else {"reason": single.reason, "by": single.by},
    }


def _sized(passage: dict[str, Any], source: Gate | Link) -> dict[str, Any]:
    return passage | {"title": text_of(source.title), "width_m": float(source.width_m)}


def _way(name: str, gate: Gate) -> dict[str, Any]:
    return {
        "gate": name,
        "from": gate.from_,
        "to": gate.to,
        "lanes": gate.lanes,
        "lane_per_min": gate.lane_per_min,
        "on_lost": or_(gate.on_lost, LostMode.CLOSED if gate.entrance_only else LostMode.OUT).value,
        "emergency": gate.emergency,
        "entrance_only": gate.entrance_only,
    }


def _gate(gate: dict[str, Any], source: Gate, site: Site) -> dict[str, Any]:
    return _sized(gate, source) | {"delivery": or_(source.delivery, site.delivery).value, "drill": source.drill}


def _most_per_min(counter: Counter, site: Site) -> int:
    """Passers a minute that `counter` can count at most; 0 where it counts none."""
    if isinstance(counter.max_per_min, int):
        return counter.max_per_min
    if isinstance(counter.gate, str):
        return site.gates[counter.gate].lanes * LANE_MOST_PER_MIN
    if isinstance(counter.link, str):
        return round(site.links[counter.link].width_m * WALKWAY_MOST_PER_M_MIN)
    return 0


def _counter(name: str, counter: Counter, site: Site, clock: ZoneInfo) -> dict[str, Any]:
    return {
        "counter": name,
        "gate": or_(counter.gate, None),
        "link": or_(counter.link, None),
        "zone": or_(counter.zone, None),
        "counts": counter.counts.value,
        "every_us": duration_us(counter.every),
        "lateness_us": duration_us(counter.lateness),
        "error_ppm": _ppm(or_(counter.error, DEFAULT_ERROR)),
        "max_per_min": _most_per_min(counter, site),
        "modulus": or_(counter.modulus, None),
        "counts_down": or_(counter.counts_down, default=False),
        "swapped": or_(counter.swapped, default=False),
        "coverage_ppm": _ppm(or_(counter.coverage, DEFAULT_COVERAGE)),
        "camera_error_ppm": _ppm(or_(counter.camera_error, DEFAULT_CAMERA_ERROR)),
        **validity(counter.valid, clock),
    }
