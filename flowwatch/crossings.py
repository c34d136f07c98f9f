"""Which bar was crossed, told with the figure: the estimate and the term of a cause as the clause of a sentence.

Numbers are those of the cause, in thousandths; the bar is told as the plan writes it (80 %, 3.5 per m², level E) together with the people that
this means at the place (`conditions.py`). Nothing is computed that the engine did not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch import conditions
from flowwatch.titles import Names
from flowwatch.vocabulary import HEALTH, days
from flowwatch.words import SECOND_US, Text, duration, hours, spaced, whole

_SURE: Final[Text] = {"zh": "，最短保持时间已满，数据也足够新", "en": ", with the dwell over and fresh evidence"}
"""What else had to be so before a stage may fall."""


def crossing(found: Mapping[str, Any] | None, bar: Mapping[str, Any] | None, names: Names) -> str:
    """How many people were where (a cause's estimate), and which bar that crossed (its term); either may be None."""
    parts = []
    if found is not None:
        parts.append(_figure(found, names))
    if bar is not None:
        parts.append(_bar(bar, names))
    return names.say("，", ", ").join(parts)


def _figure(found: Mapping[str, Any], names: Names) -> str:
    zone, inside, lower, upper = names.zone(found["zone"]), whole(found["inside_m"]), whole(found["lower_m"]), found["upper_m"]
    if not found["known"] or upper is None:
        if found["lower_m"] <= 0:
            return names.say(f"{zone}人数尚未校准", f"{zone} was not anchored yet")
        return names.say(f"{zone}人数尚未校准，但至少有 {lower} 人在场", f"{zone} was not anchored yet, but held at least {lower} people")
    if found["inside_m"] < 0:
        return names.say(f"{zone}按计数推算为 {inside} 人", f"by the counters {zone} held {inside} people")
    band = names.say(f"（区间 {lower}–{whole(upper)}）", f" (between {lower} and {whole(upper)})")
    return names.say(f"{zone}在场约 {inside} 人{band}", f"about {inside} people were {names.at_zone(found['zone'])}{band}")


def _bar(bar: Mapping[str, Any], names: Names) -> str:
    leaf = bar.get("leaf") or {"kind": "people"}
    match leaf["kind"]:
        case "people" | "forecast" | "passers":
            return _crossed(_measured(bar, leaf, names), bar, leaf, names)
        case "health":
            return _health(bar, leaf, names)
        case "time":
            return _time(bar, leaf, names)
        case "day":
            return _day(bar, leaf, names)
        case "neighbour":
            return _neighbour(bar, leaf, names)
    return str(leaf["kind"])


def _crossed(value: str, bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    """`value` beside the bar that it crossed, upward or downward."""
    edge = str(bar["edge"])
    limit = conditions.bar({"measure": None, edge: "", **leaf, f"{edge}_m": bar["bar_m"]}, edge, names)
    if edge == "enter":
        held = _held(bar, names)
        return names.say(
            f"{value}超过{spaced(limit)}的启动阈值" + (f"并已持续 {held}" if held else ""),
            f"{value}over the enter bar of {limit}" + (f" for {held}" if held else ""),
        )
    return names.say(f"{value}低于{spaced(limit)}的解除阈值", f"{value}below the clear bar of {limit}") + _SURE[names.language]


def _held(bar: Mapping[str, Any], names: Names) -> str:
    return duration(bar["held_s"] * SECOND_US, names.language) if bar["held_s"] else ""


def _measured(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    """The figure that was compared, where it is not the one that the estimate tells."""
    value, say = whole(bar["value_m"]), names.say
    if leaf["kind"] == "passers":
        return say(f"{conditions.stream(leaf, names)}为每分钟 {value} 人，", f"{conditions.stream(leaf, names)} at {value} persons/min, ")
    if leaf["kind"] == "forecast":
        return say(f"{conditions.figure(leaf, names)}为 {value} 人，", f"{conditions.figure(leaf, names)} at {value} people, ")
    match leaf.get("source" if bar["edge"] == "enter" else "clear_source", bar["measure"]):
        case "occupancy_upper":
            return say(f"上限 {value} 人", f"the upper edge {value} ")
        case "occupancy_lower":
            return say(f"下限 {value} 人", f"the lower edge {value} ")
        case "band_width":
            return say(f"人数区间宽 {value} 人，", f"the band {value} people wide, ")
        case "net_flow":
            zone = names.zone(leaf["zone"])
            return say(f"{zone}净流入为每分钟 {value} 人，", f"the net flow into {zone} at {value} persons/min, ")
    return ""


def _health(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    if bar["edge"] == "clear":
        return conditions.well(leaf, names, past=True) + _SURE[names.language]
    held = _held(bar, names)
    lasting = names.say(f"已持续 {held}", f" for {held}") if held else ""
    if leaf["counter"] is not None:
        return conditions.health(leaf, names, "had been" if held else "was") + lasting
    state = names.word(HEALTH, leaf["health"])
    return names.say(f"至少一个计数器{state}", f"at least one counter {'had been' if held else 'was'} {state}") + lasting


def _time(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    span = hours(leaf["from_s"], leaf["until_s"], names.language)
    if bar["edge"] == "enter":
        return names.say(f"进入 {span} 时段", f"the time came within {span}")
    return names.say(f"{span} 时段已过", f"the time of {span} was over")


def _day(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    told = days(leaf["days"], names.language)
    if bar["edge"] == "enter":
        return names.say(f"当日为{told}", f"it was {told}")
    return names.say(f"当日不再是{told}", f"it was no longer {told}")


def _neighbour(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    if bar["edge"] == "clear":
        return conditions.neighbour(leaf, names, "was", below=True)
    held = _held(bar, names)
    lasting = names.say(f"并持续 {held}", f" for {held}") if held else ""
    return conditions.neighbour(leaf, names, "had been" if held else "was") + lasting
