"""Typed documents to the compiled record: what the log carries and the engine runs on.

Everything is resolved here: defaults, names in one order, durations and moments in microseconds, UTC offsets as a table, every gate's mode
in every stage. So the record does not depend on the order of a file's keys, and the engine needs neither YAML nor a time-zone database.
The shape is described in docs/documents.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from flowwatch.core.gates import Mode
from flowwatch.core.readings import OUTSIDE, SECOND
from flowwatch.documents.plan import Condition, Plan, Stage
from flowwatch.documents.site import Counter, Gate, Link, Site
from flowwatch.documents.words import FIRST_YEAR, LAST_YEAR, OTHERS, Text, Validity, duration_us, moment_us, time_of_day_s, time_zone

FORMAT: Final = 1
LANE_MOST_PER_MIN: Final = 60
"""Passers a minute that a lane can pass at the very most (20-60 on paper, 18-28 in use)."""
WALKWAY_MOST_PER_M_MIN: Final = 82 * 1.5
"""Passers a metre and minute on a link: where walkway level of service F begins, and half as many again for a short surge."""
DEFAULT_ERROR: Final = 0.005
DEFAULT_COVERAGE: Final = 1.0
DEFAULT_CAMERA_ERROR: Final = 0.15
MILLI: Final = 1000

T = TypeVar("T")


def record(site: Site, plan: Plan | None) -> dict[str, Any]:
    """The compiled record of `site` with `plan`, both without faults."""
    clock = time_zone(site.time_zone)
    ways = skeleton(site)
    return {
        "format": FORMAT,
        "site": site.site,
        "group": _or(site.group, site.site),
        "title": _text(site.title),
        "time_zone": site.time_zone,
        "offsets": [[since, offset] for since, offset in offsets(site.time_zone)],
        "egress_min_per_min": site.egress_min_per_min,
        "known_empty": None
        if isinstance(site.known_empty, UnsetType)
        else {"at_s": time_of_day_s(site.known_empty.at), "when_below": site.known_empty.when_below},
        "zones": [_zone(zone, site) for zone in sorted(ways["zones"], key=lambda zone: len(_around(site, zone["zone"])))],
        "gates": [_sized(gate, site.gates[gate["gate"]]) for gate in ways["gates"]],
        "links": [_sized(link, site.links[link["link"]]) for link in ways["links"]],
        "counters": [_counter(name, site.counters[name], site, clock) for name in in_order(site.counters)],
        "plan": None
        if plan is None
        else {
            "plan": plan.plan,
            "title": _text(plan.title),
            **_validity(plan.valid, clock),
            "stages": [_stage(stage, ways) for stage in plan.stages],
        },
    }


def skeleton(site: Site) -> dict[str, Any]:
    """The part of the record that decides who can get out: zones, gates and links without their titles and sizes."""
    return {
        "egress_min_per_min": site.egress_min_per_min,
        "zones": [{"zone": name, "inside": _or(site.zones[name].inside, None)} for name in in_order(site.zones)],
        "gates": [_gate(name, site.gates[name]) for name in in_order(site.gates)],
        "links": [{"link": name, "from": site.links[name].from_, "to": site.links[name].to} for name in in_order(site.links)],
    }


def modes(site: dict[str, Any], stage: Stage) -> dict[str, str]:
    """The mode of every gate of the compiled `site` in `stage`; a gate that the stage leaves out is left out."""
    asked = {gate["gate"]: stage.gates.get(gate["gate"], stage.gates.get(OTHERS)) for gate in site["gates"]}
    return {gate: mode.value for gate, mode in asked.items() if mode is not None}


def zones_with_counters(site: Site) -> set[str]:
    """The zones whose people some counter tells: one that looks at the zone, or that counts who enters or leaves it."""
    found = {counter.zone for counter in site.counters.values() if isinstance(counter.zone, str)}
    passages: list[Gate | Link] = [site.gates[c.gate] for c in site.counters.values() if isinstance(c.gate, str)]
    passages += [site.links[c.link] for c in site.counters.values() if isinstance(c.link, str)]
    for passage in passages:
        found |= _around(site, passage.from_) ^ _around(site, passage.to)
    return found


def _around(site: Site, zone: str) -> set[str]:
    """A zone with all that it lies in; nothing for the world outside."""
    around: set[str] = set()
    while zone in site.zones and zone not in around:
        around.add(zone)
        zone = _or(site.zones[zone].inside, OUTSIDE)
    return around


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


def _or(value: T | UnsetType, default: T) -> T:
    return default if isinstance(value, UnsetType) else value


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def _ppm(share: float) -> int:
    return round(share * 1_000_000)


def _validity(valid: Validity | UnsetType, clock: ZoneInfo) -> dict[str, int | None]:
    ends = (valid.from_, valid.until) if isinstance(valid, Validity) else (None, None)
    since, until = (moment_us(end, clock) if isinstance(end, str) else None for end in ends)
    return {"valid_from_us": since, "valid_to_us": until}


def _zone(zone: dict[str, Any], site: Site) -> dict[str, Any]:
    source = site.zones[zone["zone"]]
    return zone | {"title": _text(source.title), "area_m2": float(source.area_m2), "capacity": source.capacity}


def _sized(passage: dict[str, Any], source: Gate | Link) -> dict[str, Any]:
    return passage | {"title": _text(source.title), "width_m": float(source.width_m)}


def _gate(name: str, gate: Gate) -> dict[str, Any]:
    return {
        "gate": name,
        "from": gate.from_,
        "to": gate.to,
        "lanes": gate.lanes,
        "lane_per_min": gate.lane_per_min,
        "on_lost": _or(gate.on_lost, Mode.CLOSED if gate.entrance_only else Mode.OUT).value,
        "emergency": gate.emergency,
        "entrance_only": gate.entrance_only,
    }


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
        "gate": _or(counter.gate, None),
        "link": _or(counter.link, None),
        "zone": _or(counter.zone, None),
        "counts": counter.counts.value,
        "every_us": duration_us(counter.every),
        "lateness_us": duration_us(counter.lateness),
        "error_ppm": _ppm(_or(counter.error, DEFAULT_ERROR)),
        "max_per_min": _most_per_min(counter, site),
        "modulus": _or(counter.modulus, None),
        "counts_down": _or(counter.counts_down, default=False),
        "swapped": _or(counter.swapped, default=False),
        "coverage_ppm": _ppm(_or(counter.coverage, DEFAULT_COVERAGE)),
        "camera_error_ppm": _ppm(_or(counter.camera_error, DEFAULT_CAMERA_ERROR)),
        **_validity(counter.valid, clock),
    }


def _term(condition: Condition) -> dict[str, Any]:
    return {
        "zone": condition.zone,
        "measure": condition.measure.value,
        "enter_m": condition.enter * MILLI,
        "clear_m": condition.clear * MILLI,
        "clear_measure": condition.clear_measure.value,
        "hold_us": duration_us(condition.hold),
    }


def _stage(stage: Stage, site: dict[str, Any]) -> dict[str, Any]:
    return {
        "stage": stage.stage,
        "title": _text(stage.title),
        "level": stage.level.value if not isinstance(stage.level, UnsetType) else None,
        "dwell_us": duration_us(stage.dwell) if isinstance(stage.dwell, str) else 0,
        "any": [] if isinstance(stage.when, UnsetType) else [_term(condition) for condition in stage.when.any],
        "gates": modes(site, stage),
        "alert": None
        if isinstance(stage.alert, UnsetType)
        else {"headline": _text(stage.alert.headline), "instruction": _text(stage.alert.instruction)},
    }
