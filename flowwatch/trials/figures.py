"""What a test writes in the place of a plan's measure: the engine compares people and passers, so those are what a series gives.

A plan says `density` or `capacity_share` of a zone; its bar is compiled to persons, and a test that means it says `<zone>.occupancy`. The
fault says how many persons that are: those of the plan's own bar, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

from flowwatch.documents.bars import LEVELS
from flowwatch.documents.conditions import FORECASTS
from flowwatch.documents.faults import listed, quoted
from flowwatch.documents.words import WHOLE_SITE

_EXAMPLES: Final = {"density": ("3.5", Fraction("3.5")), "capacity_share": ("80%", Fraction("0.8")), "level_of_service": ("E", LEVELS["E"])}
"""Bars that are converted where the plans have none of their own: as written, and by the m² or by the person of capacity."""
_PER_METRE: Final = 60
"""The same of a specific flow, persons/m/min."""


def instead(record: Mapping[str, Any], figures: Iterable[str], name: str) -> str | None:
    """What is wrong with the figure `name`, and what to write instead; None where it is no measure of a place that there is."""
    place, _, measure = name.rpartition(".")
    zones = {zone["zone"]: zone for zone in record["zones"]}
    passages = {part[kind]: part for kind in ("gate", "link") for part in record[f"{kind}s"]}
    wanted = None
    if place in zones or place == WHOLE_SITE:
        wanted = _of_zone(record, zones, place, measure)
    elif place in passages and measure in ("flow_rate", "specific_flow"):
        there = [figure for figure in figures if figure.rpartition(".")[0] == place]
        if not there:
            return f"found {quoted(name)}, but no condition of the plans looks at who passes there, expected a figure that one looks at"
        metres = f"; {_PER_METRE} persons/m/min of {place} are {_whole(_PER_METRE * Fraction(str(passages[place]['width_m'])))}"
        wanted = f"write {listed(there)}: persons a minute{metres if measure == 'specific_flow' else ''}"
    return None if wanted is None else f"found {quoted(name)}, which is a measure of plans, expected a figure: {wanted}"


def _of_zone(record: Mapping[str, Any], zones: Mapping[str, Mapping[str, Any]], place: str, measure: str) -> str | None:
    if measure in _EXAMPLES:
        text, persons = _bar(record, zones, place, measure)
        what = {"density": f"{text} persons/m² of", "capacity_share": f"{text} of the capacity of", "level_of_service": f"level {text} on"}
        return (
            f"write {place}.occupancy: persons; {what[measure]} {place} {'begins at' if measure == 'level_of_service' else 'are'} {persons}"
        )
    if measure == "queue":
        return f"write {place}.occupancy: the persons who wait there"
    if measure == "band_width":
        return f"write {place}.occupancy_lower and {place}.occupancy_upper, the edges of the band"
    if measure in FORECASTS:
        return f"write {place}.occupancy; forecasts are not evaluated yet"
    return None


def _bar(record: Mapping[str, Any], zones: Mapping[str, Mapping[str, Any]], place: str, measure: str) -> tuple[str, str]:
    """A bar as it is written and in persons: the first that the plans have there, else an example."""
    leaves = (leaf for plan in record["plans"] for part in (*plan["stages"], *plan["degraded"]) for leaf in part["leaves"])
    own = next((leaf for leaf in leaves if leaf["kind"] == "people" and (leaf["zone"], leaf["measure"]) == (place, measure)), None)
    if own is not None:
        return own["enter"], _whole(Fraction(own["enter_m"], 1000))
    text, share = _EXAMPLES[measure]
    outer = [zone for zone in zones.values() if zone["inside"] is None and zone["outside"] is None]
    size = "capacity" if measure == "capacity_share" else "area_m2"
    return text, _whole(share * sum(Fraction(str(zone[size])) for zone in ([zones[place]] if place in zones else outer)))


def _whole(number: Fraction) -> str:
    return f"{round(number):,}"
