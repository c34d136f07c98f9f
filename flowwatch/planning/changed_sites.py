"""What changed in the facts of a site: its zones, gates, links, counters, barriers and signs, field by field.

A field that has no words here is told by its name, so that nothing that differs is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowwatch.planning.changes import Teller, Trend, Weight, toward
from flowwatch.planning.explain import moment
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import DELIVERIES, THINGS, setting_of
from flowwatch.words import duration, plain, time_of_day

Thing = Mapping[str, Any]

KINDS: Final = ("zone", "gate", "link", "counter", "barrier", "sign")
_FIELDS: Final = {
    "egress_min_per_min": ("每分钟疏散能力下限", "the least capacity out, persons/min"),
    "delivery": ("指令下发方式", "how commands are carried out"),
    "time_zone": ("时区", "time zone"),
    "offsets": ("时差表", "the table of UTC offsets"),
    "known_empty": ("确知无人的时刻", "when the site is known to be empty"),
    "group": ("分组", "group"),
    "site": ("名称代号", "name"),
    "format": ("记录格式", "format of the record"),
    "inside": ("所属区域", "the zone that it lies in"),
    "outside": ("所在的通道口外", "the gate that it waits at"),
    "area_m2": ("面积（平方米）", "area, m²"),
    "capacity": ("瞬时承载量（人）", "capacity, people"),
    "accepts_single_exit": ("仅一个出口的认可", "that a single exit is accepted"),
    "from": ("起点", "where it leads from"),
    "to": ("通往", "where it leads to"),
    "lanes": ("通道列数", "lanes"),
    "lane_per_min": ("单列每分钟通过人数", "persons/min of a lane"),
    "width_m": ("宽度（米）", "width, m"),
    "on_lost": ("失联时的状态", "what it does when the connection is lost"),
    "emergency": ("应急通道口", "emergency exit"),
    "entrance_only": ("仅供进入", "entrance only"),
    "drill": ("可用于演练", "may be moved in a drill"),
    "gate": ("所在通道口", "gate"),
    "link": ("所在通道", "link"),
    "zone": ("所在区域", "zone"),
    "counts": ("计数方式", "what it counts"),
    "every_us": ("上报间隔", "how often it reports"),
    "lateness_us": ("迟到时限", "lateness"),
    "error_ppm": ("计数误差（百万分率）", "error, parts per million"),
    "max_per_min": ("每分钟上限", "the most in a minute"),
    "coverage_ppm": ("覆盖率（百万分率）", "coverage, parts per million"),
    "camera_error_ppm": ("画面误差（百万分率）", "camera error, parts per million"),
    "swapped": ("反向安装", "mounted the other way round"),
    "counts_down": ("递减计数", "counts down"),
    "modulus": ("进位值", "modulus"),
    "valid_from_us": ("启用时间", "in service from"),
    "valid_to_us": ("停用时间", "in service until"),
    "kind": ("类型", "kind"),
}
_GRAVE: Final[Mapping[str, Trend | None]] = {
    "egress_min_per_min": Trend.TIGHTER,
    "emergency": Trend.TIGHTER,
    "entrance_only": None,
    "accepts_single_exit": None,
    "on_lost": None,
}
"""Fields that decide who can get out, and what more of them means."""
_MORE: Final[Mapping[str, Trend]] = {"capacity": Trend.LOOSER}


def site(teller: Teller) -> None:
    """Tell everything that changed in the site itself, its plans apart."""
    old, new = teller.old, teller.new
    lists = {f"{kind}s" for kind in KINDS}
    skipped = {"plans", "title", "area", *lists} | ({"offsets"} if old.get("time_zone") != new.get("time_zone") else set())
    _fields(teller, old, new, skipped)
    for key, name in (("title", ("景区名称", "the site's title")), ("area", ("所在地区", "the site's area"))):
        teller.words(Weight.WORDS, key, name, old.get(key), new.get(key))
    for kind in KINDS:
        before, after = ({thing[kind]: thing for thing in record.get(f"{kind}s", ())} for record in (old, new))
        for name in dict.fromkeys((*before, *after)):
            with teller.within(f"{kind}s.{name}", _called(kind, name, gone=name not in after), plan=None):
                _thing(teller, kind, before.get(name), after.get(name))


def _called(kind: str, name: str, *, gone: bool) -> Callable[[Titles, Titles], str]:
    def called(a: Titles, b: Titles) -> str:
        titles = a if gone else b
        match kind:
            case "zone":
                shown = titles.zone(name)
            case "gate":
                shown = titles.gate(name)
            case _:
                shown = titles.title(kind, name)
        what = titles.word(THINGS, kind)
        return titles.say(f"{what}“{shown}”：", f"{shown}: " if kind == "gate" else f"{what} {shown}: ")

    return called


def _thing(teller: Teller, kind: str, old: Thing | None, new: Thing | None) -> None:
    if old is None:
        teller.tell(Weight.SITE, "", lambda _a, b: b.say("新增。", "added."), None, (None, new))
    elif new is None:
        weight = Weight.WAY_OUT if kind == "gate" else Weight.SITE
        teller.tell(weight, "", lambda _a, b: b.say("取消。", "removed."), None, (old, None))
    else:
        _fields(teller, old, new, {kind, "title"})
        teller.words(Weight.WORDS, "title", ("名称", "the title"), old.get("title"), new.get("title"))


def _fields(teller: Teller, old: Thing, new: Thing, skipped: set[str]) -> None:
    for key in dict.fromkeys((*old, *new)):
        if key not in skipped and old.get(key) != new.get(key):
            _field(teller, key, old.get(key), new.get(key))


def _field(teller: Teller, key: str, old: Any, new: Any) -> None:
    zh, en = _FIELDS.get(key, (key, key))
    more = _GRAVE.get(key) or _MORE.get(key)
    plain_numbers = all(isinstance(value, int | float) for value in (old, new))
    found = toward(old, new, more) if more is not None and plain_numbers else None

    def sentence(a: Titles, b: Titles) -> str:
        if key == "offsets":
            return b.say(f"{zh}改变。", f"{en} changes.")
        before, after = shown(key, old, a, teller.old), shown(key, new, b, teller.new)
        return b.say(f"{zh}由 {before} 改为 {after}。", f"{en}: {after} instead of {before}.")

    teller.tell(Weight.WAY_OUT if key in _GRAVE else Weight.SITE, key, sentence, found, (old, new))


def shown(key: str, value: Any, titles: Titles, record: Thing) -> str:
    """A field's value as people read it."""
    if value is None:
        return titles.say("无", "none")
    if isinstance(value, bool):
        return titles.say("是", "yes") if value else titles.say("否", "no")
    if key in _SHOWN:
        return _SHOWN[key](value, titles)
    if key.startswith("valid_"):
        return moment(record, value, titles.language).strip()
    if key.endswith("_us"):
        return duration(value, titles.language)
    return plain(value) if isinstance(value, int | float) else str(value)


def _known_empty(value: Any, titles: Titles) -> str:
    below, at = value["when_below"], time_of_day(value["at_s"])
    return titles.say(f"{at}（少于 {below} 人时）", f"{at}, when fewer than {below} people")


_SHOWN: Final[Mapping[str, Callable[[Any, Titles], str]]] = {
    "delivery": lambda value, titles: titles.word(DELIVERIES, value),
    "on_lost": lambda value, titles: setting_of(value, titles.language),
    "known_empty": _known_empty,
    **dict.fromkeys(("from", "to", "inside", "zone"), lambda value, titles: titles.zone(value)),
    **dict.fromkeys(("outside", "gate"), lambda value, titles: titles.gate(value)),
}
"""Fields whose value has a word or a title."""
