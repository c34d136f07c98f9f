"""A plan's conditions as people say them: one leaf on its way up, one on its way down, and clauses joined by "and" and "or".

A leaf is a compiled comparison, a clause is leaves that must all hold, and a stage is due while any of its clauses does. What all clauses
have in common is said once, before the rest; a clause that another one makes needless is left out. What flowwatch cannot judge yet says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.planning.titles import Titles
from flowwatch.planning.words import HEALTH, days, duration, hours, number, time_of_day, whole, word

Leaf = Mapping[str, Any]

_EDGES: Final = {
    "occupancy": ("在场人数", "the number of people {in_zone}"),
    "occupancy_upper": ("人数区间上限", "the upper edge of the band {in_zone}"),
    "occupancy_lower": ("人数区间下限", "the lower edge of the band {in_zone}"),
    "band_width": ("人数区间宽度", "the width of the band {in_zone}"),
    "net_flow": ("净流入", "the net flow into {zone}"),
}
"""What a fall looks at, by the leaf's clear source."""

_FIGURES: Final = {
    ("queue", "occupancy"): ("排队人数", "the queue {in_zone}"),
    ("queue", "occupancy_upper"): ("排队人数（按区间上限）", "the queue {in_zone} (upper edge of the band)"),
    ("density", "occupancy"): ("人群密度", "the density {in_zone}"),
    ("density", "occupancy_upper"): ("人群密度（按人数区间上限）", "the density {in_zone} (by the upper edge of the band)"),
    ("capacity_share", "occupancy_upper"): ("在场人数（按区间上限）", "the number of people {in_zone} (upper edge of the band)"),
}
"""The same where the measure has a word of its own."""

_RISES: Final[Mapping[str, tuple[str, str]]] = {
    "occupancy": ("{zone}在场人数超过 {n} 人", "more than {n} people are {in_zone}"),
    "occupancy_upper": ("{zone}人数区间上限超过 {n} 人", "there may be more than {n} people {in_zone} (upper edge of the band)"),
    "occupancy_lower": ("{zone}人数区间下限超过 {n} 人", "there are surely more than {n} people {in_zone} (lower edge of the band)"),
    "band_width": ("{zone}人数区间宽于 {n} 人", "the band {in_zone} is wider than {n} people"),
    "capacity_share": ("{zone}在场人数超过承载量的 {text}（{n} 人）", "{zone} is above {text} of its capacity ({n} people)"),
    "density": ("{zone}人群密度超过每平方米 {text} 人（{n} 人）", "the density {in_zone} is above {text} persons/m² ({n} people)"),
    "level_of_service": (
        "{zone}服务水平达到 {text} 级（超过 {n} 人）",
        "the level of service {in_zone} is {text} or worse (more than {n} people)",
    ),
    "queue": ("{zone}排队人数超过 {n} 人", "more than {n} people wait {in_zone}"),
    "net_flow": ("{zone}净流入超过每分钟 {n} 人", "the net flow into {zone} is above {n} persons/min"),
}

_WAYS: Final = {"in": ("进入", " inward"), "out": ("离开", " outward"), "both": ("双向", " in both directions together")}
_NOT_YET: Final = ("（目前尚不判断）", " (not judged yet)")


@dataclass(frozen=True, slots=True)
class Condition:
    """Leaves in disjunctive normal form, tidied: `common` must hold, and if there are `ways` then all leaves of one of them."""

    common: tuple[int, ...]
    ways: tuple[tuple[int, ...], ...]


def tidied(clauses: Sequence[Sequence[int]]) -> Condition:
    """Clauses without those that another one makes needless, with what all have in common taken out.

    >>> tidied([[0, 1], [0, 2]])
    Condition(common=(0,), ways=((1,), (2,)))
    >>> tidied([[0], [0, 2]])
    Condition(common=(0,), ways=())
    """
    unlike = list(dict.fromkeys(tuple(sorted(set(clause))) for clause in clauses))
    kept = [clause for clause in unlike if not any(set(other) < set(clause) for other in unlike)]
    if not kept:
        return Condition((), ())
    common = set(kept[0]).intersection(*kept)
    ways = tuple(rest for clause in kept if (rest := tuple(i for i in clause if i not in common)))
    return Condition(tuple(sorted(common)), ways)


def rises(leaf: Leaf, titles: Titles) -> str:
    """When a leaf comes on: a clause of a sentence that follows "when"."""
    lang = titles.lang
    match leaf["kind"]:
        case "time":
            span = hours(leaf["from_s"], leaf["until_s"], lang)
            return titles.say(f"时间在 {span} 之间", f"the time is within {span}")
        case "day":
            begins = leaf["business_day_s"]
            at = titles.say(f"（以 {time_of_day(begins)} 为一天之始）", f" (the day begins at {time_of_day(begins)})") if begins else ""
            return titles.say(f"日期为{days(leaf['days'], lang)}", f"it is {days(leaf['days'], lang)}") + at
        case "health":
            who = titles.say("任一计数器", "any counter") if leaf["counter"] is None else titles.of("counter", leaf["counter"])
            state = word(HEALTH, leaf["health"], lang)
            told = titles.say(f"{who}{state}", f"{who} is {state}") + held(leaf, titles)
            return told + ("" if leaf["health"] == "silent" else titles.say(*_NOT_YET))
        case "forecast":
            within, n = duration(leaf["within_us"], lang), number(leaf["enter_m"])
            percentile = leaf["measure"].rpartition("_p")[2]
            told = titles.say(
                f"预测 {within}内{titles.zone(leaf['zone'])}在场人数（P{percentile}）超过 {n} 人",
                f"the forecast for {titles.zone(leaf['zone'])} within {within} ({percentile}th percentile) is above {n} people",
            )
            return told + held(leaf, titles) + titles.say(*_NOT_YET)
        case "passers":
            return _passing(leaf, titles) + held(leaf, titles)
    zh, en = _RISES[leaf["measure"]] if leaf["measure"] in _RISES else _RISES["occupancy"]
    told = titles.say(zh, en).format(
        zone=titles.zone(leaf["zone"]), in_zone=titles.in_zone(leaf["zone"]), n=_people(leaf, "enter"), text=leaf["enter"]
    )
    return told + held(leaf, titles)


def bar(leaf: Leaf, edge: str, titles: Titles) -> str:
    """A leaf's `enter` or `clear` bar with its unit, as it was written and in people: "1,500 people", "80% (2,400 people)"."""
    text, n = str(leaf[edge]), _people(leaf, edge)
    people, rate = titles.say(f"{n} 人", f"{n} people"), titles.say(f"每分钟 {n} 人", f"{n} persons/min")
    match leaf["measure"]:
        case "capacity_share":
            return titles.say(f"承载量的 {text}（{people}）", f"{text} of the capacity ({people})")
        case "density":
            return titles.say(f"每平方米 {text} 人（{people}）", f"{text} persons/m² ({people})")
        case "level_of_service":
            return titles.say(f"服务水平 {text} 级的起点（{people}）", f"where level of service {text} begins ({people})")
        case "specific_flow":
            return titles.say(f"每米每分钟 {text} 人（{rate}）", f"{text} persons/m/min ({rate})")
        case "flow_rate" | "opposing_flow" | "net_flow":
            return rate
    return people


def figure(leaf: Leaf, titles: Titles, *, clear: bool = False) -> str:
    """What a leaf looks at, for the way up or down: "the upper edge of the band in Yuyuan mall"."""
    match leaf["kind"]:
        case "passers":
            return _stream(leaf, titles)
        case "forecast":
            return titles.say(f"{titles.zone(leaf['zone'])}预测人数", f"the forecast for {titles.zone(leaf['zone'])}")
    source = leaf["clear_source"] if clear else leaf["source"]
    zh, en = _FIGURES.get((leaf["measure"], source)) or _EDGES[source]
    return titles.say(titles.zone(leaf["zone"]) + zh, en.format(zone=titles.zone(leaf["zone"]), in_zone=titles.in_zone(leaf["zone"])))


def falls(leaf: Leaf, titles: Titles) -> str:
    """When a leaf goes off, its dwell and freshness apart: a clause of a sentence that follows "when"."""
    lang = titles.lang
    match leaf["kind"]:
        case "time":
            span = hours(leaf["from_s"], leaf["until_s"], lang)
            return titles.say(f"时间不在 {span} 之间", f"the time is outside {span}")
        case "day":
            return titles.say(f"日期不是{days(leaf['days'], lang)}", f"it is not {days(leaf['days'], lang)}")
        case "health":
            who = titles.say("任何计数器都不再", "no counter is") if leaf["counter"] is None else titles.of("counter", leaf["counter"])
            state = word(HEALTH, leaf["health"], lang)
            if leaf["counter"] is None:
                return f"{who} {state}" if lang == "en" else f"{who}{state}"
            return titles.say(f"{who}不再{state}", f"{who} is no longer {state}")
    return f"{figure(leaf, titles, clear=True)}{titles.say('低于', ' is below ')}{_near(bar(leaf, 'clear', titles), titles)}"


def held(leaf: Leaf, titles: Titles) -> str:
    """How long a leaf must have been above its bar; nothing where it counts at once."""
    if not leaf.get("hold_us"):
        return ""
    lasting = duration(leaf["hold_us"], titles.lang)
    return titles.say(f"并持续 {lasting}", f" for {lasting}")


def ways_up(part: Mapping[str, Any], titles: Titles) -> tuple[str, list[str]]:
    """How a stage, case or degraded rule comes about: what must hold in any case ("" if nothing), and the ways of which one is enough."""
    found = tidied(part["clauses"])

    def joined(indices: Sequence[int]) -> str:
        return titles.say("，且", ", and ").join(rises(part["leaves"][i], titles) for i in indices)

    return joined(found.common), [joined(way) for way in found.ways]


def comes(part: Mapping[str, Any], titles: Titles) -> str:
    """The same in one run of words that follows "when"."""
    common, ways = ways_up(part, titles)
    if len(ways) > 1 and all("，" not in way and ", and " not in way for way in ways):
        one_of = titles.say("，或".join(ways), f"{'either ' if common and len(ways) == 2 else ''}{', or '.join(ways)}")
    else:
        one_of = titles.say("；或".join(ways), "; or ".join(ways))
    if not common or not ways:
        return common or one_of
    return titles.say(f"{common}，且符合以下之一：{one_of}", f"{common}, and at the same time {one_of}")


def ways_down(parts: Iterable[Mapping[str, Any]], titles: Titles) -> list[str]:
    """When each leaf of some conditions goes off, each said once, in the order of the plan."""
    used = [part["leaves"][i] for part in parts for i in dict.fromkeys(i for clause in part["clauses"] for i in clause)]
    return list(dict.fromkeys(falls(leaf, titles) for leaf in used))


def _near(text: str, titles: Titles) -> str:
    """Chinese: a space before a number that follows characters."""
    return f" {text}" if titles.lang == "zh" and text[:1].isdigit() else text


def _people(leaf: Leaf, edge: str) -> str:
    """A bar in people, whole ones where it was scaled from a share or a density."""
    milli = leaf[f"{edge}_m"]
    return whole(milli) if leaf["measure"] in ("capacity_share", "density", "level_of_service") else number(milli)


def _place(leaf: Leaf, titles: Titles) -> str:
    return titles.gate(leaf["gate"]) if leaf["gate"] is not None else titles.of("link", leaf["link"])


def _stream(leaf: Leaf, titles: Titles) -> str:
    zh, en = _WAYS[leaf["direction"]]
    place = _place(leaf, titles)
    match leaf["measure"]:
        case "opposing_flow":
            return titles.say(f"{place}逆向客流", f"the weaker of the two streams through {place}")
        case "specific_flow":
            return titles.say(f"{place}{zh}单位宽度流量", f"the flow per metre through {place}{en}")
    return titles.say(f"{place}{zh}流量", f"the flow through {place}{en}")


def _passing(leaf: Leaf, titles: Titles) -> str:
    return f"{_stream(leaf, titles)}{titles.say('超过', ' is above ')}{_near(bar(leaf, 'enter', titles), titles)}"
