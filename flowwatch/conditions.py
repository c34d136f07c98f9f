"""A plan's conditions as people say them: one leaf on its way up, one on its way down, and clauses joined by "and" and "or".

A leaf is a compiled comparison, a clause is leaves that must all hold, and a stage is due while any of its clauses does. What all clauses
have in common is said once, before the rest; a clause that another one makes needless is left out. What flowwatch cannot judge yet says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.titles import Names
from flowwatch.vocabulary import HEALTH, days
from flowwatch.words import duration, hours, number, spaced, time_of_day, whole

Leaf = Mapping[str, Any]

_EDGES: Final = {
    "occupancy": ("在场人数", "the number of people {at_zone}"),
    "occupancy_upper": ("人数区间上限", "the upper edge of the band {at_zone}"),
    "occupancy_lower": ("人数区间下限", "the lower edge of the band {at_zone}"),
    "band_width": ("人数区间宽度", "the width of the band {at_zone}"),
    "net_flow": ("净流入", "the net flow into {zone}"),
}
"""What a leaf on people looks at, by its source."""

_FIGURES: Final = {
    ("queue", "occupancy"): ("排队人数", "the queue {at_zone}"),
    ("queue", "occupancy_upper"): ("排队人数（按区间上限）", "the queue {at_zone} (upper edge of the band)"),
    ("density", "occupancy"): ("人群密度", "the density {at_zone}"),
    ("density", "occupancy_upper"): ("人群密度（按区间上限）", "the density {at_zone} (upper edge of the band)"),
    ("capacity_share", "occupancy_upper"): ("在场人数（按区间上限）", "the number of people {at_zone} (upper edge of the band)"),
}
"""The same where the measure has a word of its own."""

_RISES: Final[Mapping[str, tuple[str, str]]] = {
    "occupancy": ("{zone}在场人数超过 {n} 人", "there {are} more than {n} people {at_zone}"),
    "occupancy_upper": ("{zone}人数区间上限超过 {n} 人", "the upper edge of the band {at_zone} {is_} above {n} people"),
    "occupancy_lower": ("{zone}人数区间下限超过 {n} 人", "the lower edge of the band {at_zone} {is_} above {n} people"),
    "band_width": ("{zone}人数区间宽度超过 {n} 人", "the band {at_zone} {is_} wider than {n} people"),
    "capacity_share": ("{zone}在场人数超过承载量的 {text}（{n} 人）", "{zone} {is_} above {text} of its capacity ({n} people)"),
    "density": ("{zone}人群密度超过每平方米 {text} 人（{n} 人）", "the density {at_zone} {is_} above {text} persons/m² ({n} people)"),
    "level_of_service": (
        "{zone}服务水平达到 {text} 级（超过 {n} 人）",
        "the level of service {at_zone} {is_} {text} or worse (more than {n} people)",
    ),
    "queue": ("{zone}排队人数超过 {n} 人", "the queue {at_zone} {is_} above {n} people"),
    "net_flow": ("{zone}净流入超过每分钟 {n} 人", "the net flow into {zone} {is_} above {n} persons/min"),
}

_WAYS: Final = {"in": ("进入", "inward "), "out": ("离开", "outward "), "both": ("双向", "two-way ")}
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


def rises(leaf: Leaf, names: Names) -> str:
    """When a leaf comes on: a clause of a sentence that follows "when"."""
    lang, not_yet = names.language, names.say(*_NOT_YET)
    match leaf["kind"]:
        case "time":
            span = hours(leaf["from_s"], leaf["until_s"], lang)
            return names.say(f"时间在 {span} 之间", f"the time is within {span}")
        case "day":
            begins = time_of_day(leaf["business_day_s"]) if leaf["business_day_s"] else ""
            at = names.say(f"（营业日自 {begins} 起算）", f" (the day begins at {begins})") if begins else ""
            return names.say(f"当日为{days(leaf['days'], lang)}", f"it is {days(leaf['days'], lang)}") + at
        case "health":
            told = health(leaf, names, _is(leaf)) + held(leaf, names).removeprefix("并")
            return told + ("" if leaf["health"] == "silent" else not_yet)
        case "neighbour":
            return neighbour(leaf, names, _is(leaf)) + held(leaf, names)
        case "forecast" | "passers":
            limit = bar(leaf, "enter", names)
            told = figure(leaf, names) + names.say(f"超过{spaced(limit)}", f" {_is(leaf)} above {limit}") + held(leaf, names)
            return told + (not_yet if leaf["kind"] == "forecast" else "")
    zh, en = _RISES[leaf["measure"]] if leaf["measure"] in _RISES else _RISES["occupancy"]
    words = {"zone": names.zone(leaf["zone"]), "at_zone": names.at_zone(leaf["zone"]), "n": _people(leaf, "enter"), "text": leaf["enter"]}
    return names.say(zh, en).format(**words, is_=_is(leaf), are="have been" if leaf["hold_us"] else "are") + held(leaf, names)


def bar(leaf: Leaf, edge: str, names: Names) -> str:
    """A leaf's `enter` or `clear` bar with its unit, as it was written and in people: "1,500 people", "80% of the capacity (2,400 people)"."""
    text, n = str(leaf[edge]), _people(leaf, edge)
    people, rate = names.say(f"{n} 人", f"{n} people"), names.say(f"每分钟 {n} 人", f"{n} persons/min")
    match leaf["measure"]:
        case "capacity_share":
            return names.say(f"承载量的 {text}（{people}）", f"{text} of the capacity ({people})")
        case "density":
            return names.say(f"每平方米 {text} 人（{people}）", f"{text} persons/m² ({people})")
        case "level_of_service":
            return names.say(f"服务水平 {text} 级（{people}）", f"level of service {text} ({people})")
        case "specific_flow":
            return names.say(f"每米每分钟 {text} 人（{rate}）", f"{text} persons/m/min ({rate})")
        case "flow_rate" | "opposing_flow" | "net_flow":
            return rate
    return people


def figure(leaf: Leaf, names: Names, *, clear: bool = False) -> str:
    """What a leaf looks at, for the way up or down: "the upper edge of the band at Yuyuan mall"."""
    match leaf["kind"]:
        case "passers":
            return stream(leaf, names, per_metre=leaf["measure"] == "specific_flow")
        case "forecast":
            zone, within, nth = names.zone(leaf["zone"]), duration(leaf["within_us"], names.language), leaf["measure"].rpartition("_p")[2]
            return names.say(f"{zone} {within}内预测人数（P{nth}）", f"the forecast for {zone} within {within} ({nth}th percentile)")
    source = leaf["clear_source"] if clear else leaf["source"]
    zh, en = _FIGURES.get((leaf["measure"], source)) or _EDGES[source]
    return names.say(names.zone(leaf["zone"]) + zh, en.format(zone=names.zone(leaf["zone"]), at_zone=names.at_zone(leaf["zone"])))


def stream(leaf: Leaf, names: Names, *, per_metre: bool = False) -> str:
    """Who passes a gate or a link and which way, of a leaf on passers; all of them, or `per_metre` of its width."""
    place = names.gate(leaf["gate"]) if leaf["gate"] is not None else names.link(leaf["link"])
    zh, en = _WAYS[leaf["direction"]]
    if leaf["measure"] == "opposing_flow":
        return names.say(f"{place}逆向客流", f"the weaker of the two streams through {place}")
    if per_metre:
        return names.say(f"{place}{zh}单位宽度流量", f"the {en}flow per metre through {place}")
    return names.say(f"{place}{zh}流量", f"the {en}flow through {place}")


def health(leaf: Leaf, names: Names, verb: str = "is") -> str:
    """Which counter is how, of a leaf on health."""
    who = names.say("任一计数器", "any counter") if leaf["counter"] is None else names.counter(leaf["counter"])
    state = names.word(HEALTH, leaf["health"])
    return names.say(f"{who}{state}", f"{who} {verb} {state}")


def well(leaf: Leaf, names: Names, *, past: bool = False) -> str:
    """The opposite: which counter no longer is, or was, so."""
    is_, state = "was" if past else "is", names.word(HEALTH, leaf["health"])
    who = names.say("所有计数器均", "every counter") if leaf["counter"] is None else names.counter(leaf["counter"])
    if leaf["health"] == "silent":
        return names.say(f"{who}恢复上报", f"{who} {is_} heard again")
    return names.say(f"{who}不再{state}", f"{who} {is_} no longer {state}")


def neighbour(leaf: Leaf, names: Names, verb: str = "is", *, below: bool = False) -> str:
    """At what stage another site is, of a leaf on that, or `below` it. Its titles are not known here, so names stand as plans write them."""
    plan, stage = leaf["plan"], names.quoted(leaf["stage"])
    whose = names.say(f"景区“{leaf['site']}”", f"site {leaf['site']}") + (
        "" if plan is None else names.say(f"的方案“{plan}”", f" (plan {plan})")
    )
    if below:
        return names.say(f"{whose}已降至“{leaf['stage']}”以下", f"{whose} {verb} below stage {stage}")
    return names.say(f"{whose}处于“{leaf['stage']}”或更高阶段", f"{whose} {verb} at stage {stage} or above")


def falls(leaf: Leaf, names: Names) -> str:
    """When a leaf goes off, its dwell and freshness apart: a clause of a sentence that follows "when"."""
    lang = names.language
    match leaf["kind"]:
        case "time":
            span = hours(leaf["from_s"], leaf["until_s"], lang)
            return names.say(f"时间不在 {span} 之间", f"the time is outside {span}")
        case "day":
            return names.say(f"当日不是{days(leaf['days'], lang)}", f"it is not {days(leaf['days'], lang)}")
        case "health":
            return well(leaf, names)
        case "neighbour":
            return neighbour(leaf, names, below=True)
    limit = bar(leaf, "clear", names)
    if leaf["measure"] == "level_of_service":
        n = _people(leaf, "clear")
        limit = names.say(f"服务水平 {leaf['clear']} 级的起点（{n} 人）", f"the start of level of service {leaf['clear']} ({n} people)")
    return figure(leaf, names, clear=True) + names.say(f"低于{spaced(limit)}", f" is below {limit}")


def held(leaf: Leaf, names: Names) -> str:
    """How long a leaf must have been above its bar; nothing where it counts at once."""
    if not leaf.get("hold_us"):
        return ""
    lasting = duration(leaf["hold_us"], names.language)
    return names.say(f"并持续 {lasting}", f" for {lasting}")


def ways_up(part: Mapping[str, Any], names: Names) -> tuple[str, list[str]]:
    """How a stage, case or degraded rule comes about: what must hold in any case ("" if nothing), and the ways of which one is enough."""
    found = tidied(part["clauses"])

    def joined(indices: Sequence[int]) -> str:
        return names.say("，且", ", and ").join(rises(part["leaves"][i], names) for i in indices)

    return joined(found.common), [joined(way) for way in found.ways]


def comes(part: Mapping[str, Any], names: Names) -> str:
    """The same in one run of words that follows "when"."""
    common, ways = ways_up(part, names)
    if len(ways) > 1 and all("，" not in way and ", and " not in way for way in ways):
        one_of = names.say("，或".join(ways), f"{'either ' if common and len(ways) == 2 else ''}{', or '.join(ways)}")
    else:
        one_of = names.say("；或".join(ways), "; or ".join(ways))
    if not common or not ways:
        return common or one_of
    return names.say(f"{common}，且符合以下之一：{one_of}", f"{common}, and at the same time {one_of}")


def ways_down(parts: Iterable[Mapping[str, Any]], names: Names) -> list[str]:
    """When each leaf of some conditions goes off, each said once, in the order of the plan."""
    used = [part["leaves"][i] for part in parts for i in dict.fromkeys(i for clause in part["clauses"] for i in clause)]
    return list(dict.fromkeys(falls(leaf, names) for leaf in used))


def one_is_enough(parts: Iterable[Mapping[str, Any]], names: Names) -> str:
    """What must be said beside `ways_down` where leaves must hold together: that one of them which goes off is enough; "" where none must."""
    if not any(len(clause) > 1 for part in parts for clause in part["clauses"]):
        return ""
    return names.say("以“且”相连的，其中一项解除即可", 'of those joined by "and", one that ends is enough')


def _is(leaf: Leaf) -> str:
    """English: "has been" where a leaf must hold for a while."""
    return "has been" if leaf["hold_us"] else "is"


def _people(leaf: Leaf, edge: str) -> str:
    """A bar in people, whole ones where it was scaled from a share or a density."""
    milli = leaf[f"{edge}_m"]
    return whole(milli) if leaf["measure"] in ("capacity_share", "density", "level_of_service", "specific_flow") else number(milli)
