"""Conditions and events in words: "occupancy of mall above 1,500 for 30 s", 商城在场人数超过1,500人并持续30秒."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flowwatch.core.readings import SECOND
from flowwatch.safety.report import Event, Happening

Both = tuple[str, str]
"""(Chinese, English)"""

MEASURES: Final[Mapping[str, Both]] = {
    "occupancy": ("在场人数", "occupancy"),
    "occupancy_upper": ("人数区间上限", "upper edge of occupancy"),
    "occupancy_lower": ("人数区间下限", "lower edge of occupancy"),
    "band_width": ("人数区间宽度", "width of the band"),
    "capacity_share": ("占承载量的比例", "share of capacity"),
    "density": ("密度", "density"),
    "level_of_service": ("服务水平", "level of service"),
    "queue": ("排队人数", "queue"),
    "net_flow": ("净流入", "net flow"),
    "flow_rate": ("流量", "flow rate"),
    "specific_flow": ("单位宽度流量", "specific flow"),
    "opposing_flow": ("逆向客流", "opposing flow"),
}
_UNITS: Final[Mapping[str, Both]] = {
    "density": ("人/平方米", " persons/m2"),
    **dict.fromkeys(("net_flow", "flow_rate", "opposing_flow"), ("人/分钟", " persons/min")),
    "specific_flow": ("人/米·分钟", " persons/m/min"),
}
"""What stands after a bar; where nothing is said here it is persons."""
_DAYS: Final = {
    **dict(zip(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ("周一", "周二", "周三", "周四", "周五", "周六", "周日"), strict=True)),
    "workday": "工作日",
    "weekend": "周末",
    "holiday": "法定节假日",
}
_WAYS: Final[Mapping[str, Both]] = {"in": ("进入", " in"), "out": ("离开", " out"), "both": ("", "")}
_HEALTH: Final = {"silent": "数据中断", "stuck": "读数不变", "implausible": "读数失真", "drifting": "误差累积"}


def figure(text: Any) -> str:
    """A bar as people read it.

    >>> figure("1500"), figure("80%")
    ('1,500', '80%')
    """
    return f"{int(text):,}" if str(text).isdigit() else str(text)


def duration(us: int) -> Both:
    """A duration in whole units.

    >>> duration(90_000_000)
    ('90秒', '90 s')
    """
    seconds = us // SECOND
    if seconds and seconds % 60 == 0:
        return f"{seconds // 60}分钟", f"{seconds // 60} min"
    return f"{seconds}秒", f"{seconds} s"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def leaf_text(leaf: Mapping[str, Any], site: Mapping[str, Any]) -> Both:
    """A compiled condition in words; zones, gates and links by title in Chinese, by name in English."""
    kind = leaf["kind"]
    if kind == "time":
        window = f"{_clock(leaf['from_s'])}–{_clock(leaf['until_s'])}"
        return f"时间在{window}", f"the time is {window}"
    if kind == "day":
        return "、".join(_DAYS.get(d, f"“{d}”") for d in leaf["days"]), " or ".join(leaf["days"])
    holds = duration(leaf["hold_us"]) if leaf["hold_us"] else None
    tail = (f"并持续{holds[0]}", f" for {holds[1]}") if holds else ("", "")
    if kind == "health":
        name = leaf["counter"]
        who = ("任一计数器", "any counter") if name in (None, "any") else (f"计数器“{name}”", f"counter {name}")
        return f"{who[0]}{_HEALTH.get(leaf['health'], leaf['health'])}{tail[0]}", f"{who[1]} is {leaf['health']}{tail[1]}"
    if kind == "neighbour":
        plan = ("", "") if leaf["plan"] is None else (f"的“{leaf['plan']}”", f" ({leaf['plan']})")
        there = f"“{leaf['site']}”{plan[0]}达到“{leaf['stage']}”{tail[0]}"
        return there, f"{leaf['site']}{plan[1]} is at {leaf['stage']} or above{tail[1]}"
    zh, en = MEASURES.get(leaf["measure"], (f"预测（{leaf['measure']}）", leaf["measure"]))
    where = leaf.get("zone") or leaf.get("gate") or leaf.get("link")
    name_zh, name_en = _title(str(where), site), str(where)
    if kind == "passers":
        way = _WAYS[leaf["direction"]]
        zh, en = f"{way[0]}{zh}", f"{en}{way[1]}"
    bar = figure(leaf["enter"])
    if leaf["measure"] == "level_of_service":
        return f"{name_zh}服务水平达到{bar}级{tail[0]}", f"level of service of {name_en} at {bar} or worse{tail[1]}"
    unit = _UNITS.get(leaf["measure"], ("人", "") if bar[-1:].isdigit() else ("", ""))
    return f"{name_zh}{zh}超过{bar}{unit[0]}{tail[0]}", f"{en} of {name_en} above {bar}{unit[1]}{tail[1]}"


def called(zone: str, site: Mapping[str, Any]) -> Both:
    """A zone as a sentence about the people in it names it: in Chinese by title, with the name that it has in the file."""
    title = _title(zone, site)
    return title if title == zone else f"{title}（{zone}）", zone


def _title(name: str, site: Mapping[str, Any]) -> str:
    if name == "site":
        return str(site["title"]["zh"])
    for part, key in (("zones", "zone"), ("gates", "gate"), ("links", "link")):
        for thing in site[part]:
            if thing[key] == name:
                return str(thing["title"]["zh"]) or name
    return name


def clause_text(leaves: Sequence[Mapping[str, Any]], clause: Sequence[int], site: Mapping[str, Any]) -> Both:
    """A clause in words: its leaves, all of which must hold."""
    texts = [leaf_text(leaves[i], site) for i in clause]
    return "，且".join(t[0] for t in texts), " and ".join(t[1] for t in texts)


def event(happening: Happening, plan: Mapping[str, Any], rank: int | None, why: Both | None, *, main: bool) -> Event:
    """One step in words; `why` is what brings it about, None where only a person can."""
    name = plan["plan"]
    stage = None if rank is None else plan["stages"][rank]
    whose = ("", "") if main else (f"“{name}”", f"{name}: ")
    if stage is not None:
        title, word = stage["title"]["zh"] or stage["stage"], stage["stage"]
        if happening is Happening.SET or why is None:
            return Event(Happening.SET, name, word, f"值班员将“{name}”置于“{title}”", f"operator sets {name} to {word}")
        return Event(happening, name, word, f"{why[0]} → {whose[0]}“{title}”", f"{why[1]} -> {whose[1]}{word}")
    if happening is Happening.ENDS:
        return Event(happening, name, None, f"专项预案“{name}”结束，尚未回到常态", f"case {name} ends before it is calm again")
    if why is None:
        return Event(happening, name, None, f"值班员宣布启用“{name}”", f"operator declares {name}")
    return Event(happening, name, None, f"{why[0]} → “{name}”启用", f"{why[1]} -> {name} comes into force")
