"""Which bar was crossed, told with the figure: the estimate and the term of a cause as the clause of a sentence.

Numbers are those of the cause, in thousandths; the bar is told as the plan writes it (80 %, 3.5 per m², level E) together with the people that
this means at the place. Nothing is computed that the engine did not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.texts import people
from flowwatch.titles import Names, Text

_DAYS: Final[Mapping[str, Text]] = {
    "mon": {"zh": "周一", "en": "Monday"},
    "tue": {"zh": "周二", "en": "Tuesday"},
    "wed": {"zh": "周三", "en": "Wednesday"},
    "thu": {"zh": "周四", "en": "Thursday"},
    "fri": {"zh": "周五", "en": "Friday"},
    "sat": {"zh": "周六", "en": "Saturday"},
    "sun": {"zh": "周日", "en": "Sunday"},
    "workday": {"zh": "工作日", "en": "workday"},
    "weekend": {"zh": "周末", "en": "weekend"},
    "holiday": {"zh": "法定节假日", "en": "public holiday"},
}
"""Kinds of day; the dated events of a plan go by their names."""

_HEALTH: Final[Mapping[str, Text]] = {
    "silent": {"zh": "数据中断", "en": "silent"},
    "stuck": {"zh": "读数不变", "en": "stuck"},
    "implausible": {"zh": "读数失真", "en": "implausible"},
    "drifting": {"zh": "误差累积", "en": "drifting"},
}

_WAYS: Final[Mapping[str, Text]] = {
    "in": {"zh": "进入", "en": "inward"},
    "out": {"zh": "离开", "en": "outward"},
    "both": {"zh": "双向", "en": "both ways"},
}

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
    zone, inside, lower, upper = names.zone(found["zone"]), people(found["inside_m"]), people(found["lower_m"]), found["upper_m"]
    if not found["known"] or upper is None:
        return names.say(f"{zone}人数尚未校准，但至少有 {lower} 人在场", f"{zone} was not anchored yet, but held at least {lower} people")
    if found["inside_m"] < 0:
        return names.say(f"{zone}按计数推算为 {inside} 人", f"by the counters {zone} held {inside} people")
    band = names.say(f"（区间 {lower}–{people(upper)}）", f" (between {lower} and {people(upper)})")
    return names.say(f"{zone}在场约 {inside} 人{band}", f"about {inside} people were in {zone}{band}")


def _bar(bar: Mapping[str, Any], names: Names) -> str:
    leaf = bar.get("leaf") or {"kind": "people"}
    match leaf["kind"]:
        case "people" | "forecast":
            return _crossed(_measured(bar, leaf, names), bar_text(bar, leaf, names), bar, names)
        case "passers":
            return _crossed(_passing(bar, leaf, names), bar_text(bar, leaf, names), bar, names)
        case "health":
            return _health(bar, leaf, names)
        case "time":
            return _time(bar, leaf, names)
        case "day":
            return _day(bar, leaf, names)
    return str(leaf["kind"])


def _crossed(value: str, limit: str, bar: Mapping[str, Any], names: Names) -> str:
    """`value` beside the bar that it crossed, upward or downward."""
    if bar["edge"] == "enter":
        held = bar["held_s"]
        return names.say(
            f"{value}超过{spaced(limit)}的启动阈值" + (f"并已持续 {held} 秒" if held else ""),
            f"{value}over the enter bar of {limit}" + (f" for {held} s" if held else ""),
        )
    return names.say(f"{value}低于{spaced(limit)}的解除阈值", f"{value}below the clear bar of {limit}") + _SURE[names.language]


def _measured(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    """The figure that was compared, where it is not the one that the estimate tells."""
    value, say = people(bar["value_m"]), names.say
    compared = leaf.get("source" if bar["edge"] == "enter" else "clear_source", bar["measure"])
    match compared:
        case "occupancy_upper":
            return say(f"上限 {value} 人", f"the upper edge {value} ")
        case "occupancy_lower":
            return say(f"下限 {value} 人", f"the lower edge {value} ")
        case "band_width":
            return say(f"人数区间宽 {value} 人，", f"the band {value} wide, ")
        case "net_flow":
            zone = names.zone(leaf["zone"])
            return say(f"{zone}每分钟净流入 {value} 人，", f"{value} more people a minute came to {zone} than left, ")
    if leaf["kind"] == "forecast":
        return say(f"{place_text(leaf, names)}为 {value} 人，", f"{place_text(leaf, names)} {value}, ")
    return ""


def _passing(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    """How many people a minute passed a gate or a link."""
    value, place = people(bar["value_m"]), place_text(leaf, names)
    return names.say(f"{place}每分钟 {value} 人，", f"{place} {value} a minute, ")


_MEASURES: Final[Mapping[str, Text]] = {
    "occupancy_upper": {"zh": "{0}在场人数上限", "en": "the upper edge in {0}"},
    "occupancy_lower": {"zh": "{0}在场人数下限", "en": "the lower edge in {0}"},
    "band_width": {"zh": "{0}人数区间宽度", "en": "the width of the band in {0}"},
    "queue": {"zh": "{0}排队人数", "en": "people queuing in {0}"},
    "net_flow": {"zh": "{0}净流入", "en": "the net flow into {0}"},
    "density": {"zh": "{0}密度", "en": "the density in {0}"},
    "flow_rate": {"zh": "{0}{1}流量", "en": "the flow at {0} ({1})"},
    "specific_flow": {"zh": "{0}{1}流量", "en": "the flow at {0} ({1})"},
    "opposing_flow": {"zh": "{0}对向流量", "en": "the weaker of the two flows at {0}"},
}


def place_text(leaf: Mapping[str, Any], names: Names) -> str:
    """What a leaf on people or passers measures, and where."""
    table, measure = _MEASURES, str(leaf["measure"])
    if leaf["kind"] == "passers":
        place = names.gate(leaf["gate"]) if leaf["gate"] is not None else names.link(leaf["link"])
        return table[measure][names.language].format(place, names.word(_WAYS, leaf["direction"]))
    zone = names.zone(leaf["zone"])
    if leaf["kind"] == "forecast":
        minutes, upper = leaf["within_us"] // 60_000_000, measure.removeprefix("forecast_").upper()
        return names.say(f"预测 {minutes} 分钟内{zone}在场人数（{upper}）", f"the forecast for {zone} in {minutes} min ({upper})")
    return table[measure][names.language].format(zone) if measure in table else names.say(f"{zone}在场人数", f"people in {zone}")


def bar_text(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    """The bar (`bar_m`, `edge`) of a leaf as the plan writes it, with the people that it means."""
    limit, say = people(bar["bar_m"]), names.say
    written = leaf.get("enter" if bar["edge"] == "enter" else "clear")
    match leaf.get("measure"):
        case "capacity_share":
            return say(f"承载量 {written}（{limit} 人）", f"{written} of capacity ({limit} people)")
        case "density":
            return say(f"每平方米 {written} 人（{limit} 人）", f"{written} per m² ({limit} people)")
        case "level_of_service":
            return say(f"{written} 级服务水平（{limit} 人）", f"level of service {written} ({limit} people)")
        case "specific_flow":
            return say(f"每米每分钟 {written} 人（每分钟 {limit} 人）", f"{written} a minute and metre ({limit} a minute)")
        case "net_flow" | "flow_rate" | "opposing_flow":
            return say(f"每分钟 {limit} 人", f"{limit} a minute")
    return say(f"{limit} 人", limit)


def _health(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    say, held = names.say, bar["held_s"]
    if bar["edge"] == "enter":
        return health_text(leaf, names) + (say(f"已持续 {held} 秒", f" for {held} s") if held else "")
    state = names.word(_HEALTH, leaf["health"])
    which = say("各计数器", "every counter") if leaf["counter"] is None else names.counter(leaf["counter"])
    return say(f"{which}不再{state}", f"{which} was no longer {state}") + _SURE[names.language]


def health_text(leaf: Mapping[str, Any], names: Names) -> str:
    """Which counter is how, of a leaf on health."""
    which = names.say("至少一个计数器", "at least one counter") if leaf["counter"] is None else names.counter(leaf["counter"])
    return which + names.say("", " ") + names.word(_HEALTH, leaf["health"])


def _time(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    if bar["edge"] == "enter":
        return names.say(f"进入 {clock_text(leaf)} 时段", f"it was {clock_text(leaf)}")
    return names.say(f"{clock_text(leaf)} 时段已过", f"it was no longer {clock_text(leaf)}")


def clock_text(leaf: Mapping[str, Any]) -> str:
    """From when until when, of a leaf on the time of day.

    >>> clock_text({"from_s": 64800, "until_s": 1800})
    '18:00–00:30'
    """
    return "–".join(f"{s // 3600:02d}:{s // 60 % 60:02d}" for s in (leaf["from_s"], leaf["until_s"]))


def _day(bar: Mapping[str, Any], leaf: Mapping[str, Any], names: Names) -> str:
    if bar["edge"] == "enter":
        return names.say(f"当日为{spaced(day_text(leaf, names))}", f"the day was {day_text(leaf, names)}")
    return names.say(f"当日不再是{spaced(day_text(leaf, names))}", f"the day was no longer {day_text(leaf, names)}")


def day_text(leaf: Mapping[str, Any], names: Names) -> str:
    """Which days, of a leaf on the day; a dated event goes by its name."""
    days = [names.word(_DAYS, day) for day in leaf["days"]]
    return names.say("或".join([*days[:1], *map(spaced, days[1:])]), " or ".join(days))


def spaced(text: str) -> str:
    """`text` as it follows a Chinese character: a digit or Latin letter stands off, a Chinese one does not."""
    return f" {text}" if text[:1].isascii() else text
