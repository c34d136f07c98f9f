"""What changed in a condition: bars, holds and times of leaves that stayed, and ways to fulfil it that came or went.

A leaf stays the same one while it looks at the same figure of the same place, whatever its bars. Clauses are compared as sets of leaves: one
more way to fulfil a condition makes the plan tighter, one more thing that must hold besides makes it looser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flowwatch.conditions import bar, figure, health, neighbour, rises, tidied
from flowwatch.planning.changes import Teller, Trend, Weight, toward
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import days
from flowwatch.words import duration, hours, number, spaced, time_of_day

Leaf = Mapping[str, Any]
Part = Mapping[str, Any]
Side = tuple[Part, dict[int, int]]
"""A part of one record, and what its leaves are called in the comparison: the same leaf has the same number on both sides."""
Way = tuple[Side, frozenset[int]]
"""A clause of a side, by those numbers."""

_SAME: Final = {
    "people": ("zone", "measure"),
    "passers": ("gate", "link", "measure", "direction"),
    "forecast": ("zone", "measure"),
    "health": ("counter", "health"),
    "neighbour": ("site", "plan", "stage"),
    "time": (),
    "day": (),
}
"""What makes two leaves of a kind the same one."""
_DAY_S: Final = 86400


def conditions(teller: Teller, old: Part, new: Part, weight: Weight = Weight.CONDITIONS) -> None:
    """Tell what changed between the leaves and clauses of two parts of records."""
    before, after = _used(old), _used(new)
    pairs = _matched([old["leaves"][i] for i in before], [new["leaves"][i] for i in after])
    ids_old = {before[a]: name for name, (a, _) in enumerate(pairs) if a is not None}
    ids_new = {after[b]: name for name, (_, b) in enumerate(pairs) if b is not None}
    for a, b in pairs:
        if a is not None and b is not None:
            _leaf(teller, old["leaves"][before[a]], new["leaves"][after[b]], f"leaves.{after[b]}", weight)
    _clauses(teller, (old, ids_old), (new, ids_new), weight)


def _used(part: Part) -> list[int]:
    return list(dict.fromkeys(i for clause in part["clauses"] for i in clause))


def _matched(old: Sequence[Leaf], new: Sequence[Leaf]) -> list[tuple[int | None, int | None]]:
    """Which leaf became which: equal ones first, then the same figure in the order of the plan."""
    free_old, free_new = dict(enumerate(old)), dict(enumerate(new))
    pairs: list[tuple[int | None, int | None]] = []
    rules: tuple[Callable[[Leaf], Any], ...] = (lambda leaf: leaf, _figure)
    for same in rules:
        for a, leaf in list(free_old.items()):
            b = next((b for b, other in free_new.items() if same(leaf) == same(other)), None)
            if b is not None:
                pairs.append((a, b))
                del free_old[a], free_new[b]
    return pairs + [(a, None) for a in free_old] + [(None, b) for b in free_new]


def _figure(leaf: Leaf) -> tuple[Any, ...]:
    return (leaf["kind"], *(leaf[key] for key in _SAME[leaf["kind"]]))


# -- a leaf that stayed -----------------------------------------------------------------------------------------------------------------


def _leaf(teller: Teller, old: Leaf, new: Leaf, path: str, weight: Weight) -> None:
    for edge, zh, en in (("enter", "启动阈值", "the enter bar on"), ("clear", "解除阈值", "the clear bar on")):
        if edge in new and (old[f"{edge}_m"], old[edge]) != (new[f"{edge}_m"], new[edge]):
            _bar(teller, (old, new), edge, (zh, en), (f"{path}.{edge}_m", weight))
    if old.get("hold_us", 0) != new.get("hold_us", 0):
        _hold(teller, old, new, f"{path}.hold_us", weight)
    if old.get("clear_source") != new.get("clear_source"):
        teller.tell(
            weight,
            f"{path}.clear_source",
            lambda a, b: b.say(
                f"解除时改看{figure(new, b, clear=True)}（原为{figure(old, a, clear=True)}）。",
                f"on the way down, {figure(new, b, clear=True)} counts instead of {figure(old, a, clear=True)}.",
            ),
            _edge(old, new),
            (old.get("clear_source"), new.get("clear_source")),
        )
    if old.get("within_us") != new.get("within_us"):
        ahead = (old["within_us"], new["within_us"])
        teller.lasting(weight, f"{path}.within_us", ("预测提前量", "the forecast's reach is"), ahead, None)
    if new["kind"] == "time" and old != new:
        _time(teller, old, new, path, weight)
    if new["kind"] == "day" and old != new:
        _day(teller, old, new, path, weight)


def _bar(teller: Teller, leaves: tuple[Leaf, Leaf], edge: str, name: tuple[str, str], at: tuple[str, Weight]) -> None:
    old, new = leaves
    was, now = old[f"{edge}_m"], new[f"{edge}_m"]
    scaled = old[edge] == new[edge]

    def sentence(a: Titles, b: Titles) -> str:
        looks, before, after = figure(new, b, clear=edge == "clear"), bar(old, edge, a), bar(new, edge, b)
        if was == now:
            return b.say(
                f"{looks}的{name[0]}改写为{after}（原写作{before}），数值不变。",
                f"{name[1]} {looks} is written as {after} (was {before}); its value stays.",
            )
        by = number(abs(now - was))
        why = b.say(
            "；写法未变，是承载量、面积或宽度改变所致" if scaled else "", "; the text stays, the place's size changed" if scaled else ""
        )
        unit = b.say("人" if new["kind"] != "passers" else "人/分", "people" if new["kind"] != "passers" else "persons/min")
        up_zh, up_en = ("提高", "raised") if now > was else ("降低", "lowered")
        return b.say(
            f"{looks}的{name[0]}由{spaced(before)}{up_zh}到{spaced(after)}（{up_zh} {by} {unit}{why}）。",
            f"{name[1]} {looks} is {up_en} from {before} to {after} (by {by} {unit}{why}).",
        )

    teller.tell(at[1], at[0], sentence, toward(was, now, Trend.LOOSER), (was, now))


def _hold(teller: Teller, old: Leaf, new: Leaf, path: str, weight: Weight) -> None:
    was, now = old.get("hold_us", 0), new.get("hold_us", 0)

    def sentence(_a: Titles, b: Titles) -> str:
        before, after = duration(was, b.language), duration(now, b.language)
        change = b.say(f"的时间由 {before}{'延长' if now > was else '缩短'}到 {after}。", f"for {after} instead of {before}.")
        if new["kind"] == "health":
            return b.say(f"{health(new, b)}须持续", f"{health(new, b)}: this must hold ") + change
        if new["kind"] == "neighbour":
            return b.say(f"{neighbour(new, b)}须持续", f"{neighbour(new, b)}: this must hold ") + change
        return b.say(f"{figure(new, b)}须超过启动阈值", f"{figure(new, b)} must be above its bar ") + change

    teller.tell(weight, path, sentence, toward(was, now, Trend.LOOSER), (was, now))


def _edge(old: Leaf, new: Leaf) -> Trend | None:
    order = ("occupancy_lower", "occupancy", "occupancy_upper")
    if old.get("clear_source") not in order or new.get("clear_source") not in order:
        return None
    return toward(order.index(old["clear_source"]), order.index(new["clear_source"]), Trend.TIGHTER)


def _time(teller: Teller, old: Leaf, new: Leaf, path: str, weight: Weight) -> None:
    def minutes(leaf: Leaf) -> set[int]:
        since, until = leaf["from_s"], leaf["until_s"]
        return {second % _DAY_S for second in range(since, until if until > since else until + _DAY_S, 60)}

    teller.tell(
        weight,
        path,
        lambda _a, b: b.say(
            f"时段由 {hours(old['from_s'], old['until_s'], 'zh')} 改为 {hours(new['from_s'], new['until_s'], 'zh')}。",
            f"the hours change from {hours(old['from_s'], old['until_s'], 'en')} to {hours(new['from_s'], new['until_s'], 'en')}.",
        ),
        _wider(minutes(old), minutes(new)),
        ([old["from_s"], old["until_s"]], [new["from_s"], new["until_s"]]),
    )


def _day(teller: Teller, old: Leaf, new: Leaf, path: str, weight: Weight) -> None:
    if old["days"] != new["days"]:
        teller.tell(
            weight,
            f"{path}.days",
            lambda _a, b: b.say(
                f"适用日期由{days(old['days'], 'zh')}改为{days(new['days'], 'zh')}。",
                f"the days change from {days(old['days'], 'en')} to {days(new['days'], 'en')}.",
            ),
            _wider(set(old["days"]), set(new["days"])),
            (old["days"], new["days"]),
        )
    if old["business_day_s"] != new["business_day_s"]:
        before, after = time_of_day(old["business_day_s"]), time_of_day(new["business_day_s"])
        teller.tell(
            weight,
            f"{path}.business_day_s",
            lambda _a, b: b.say(f"一天之始由 {before} 改为 {after}。", f"the day begins at {after} instead of {before}."),
            None,
            (old["business_day_s"], new["business_day_s"]),
        )


def _wider(old: set[Any], new: set[Any]) -> Trend | None:
    return Trend.TIGHTER if old < new else Trend.LOOSER if new < old else None


# -- ways that came or went -------------------------------------------------------------------------------------------------------------


def _clauses(teller: Teller, old: Side, new: Side, weight: Weight) -> None:
    before, after = _sets(*old), _sets(*new)
    gone, came = [c for c in before if c not in after], [c for c in after if c not in before]
    for clause in list(gone):
        grown = next((other for other in came if clause < other or other < clause), None)
        if grown is None:
            continue
        gone.remove(clause)
        came.remove(grown)
        _grown(teller, (old, clause), (new, grown), weight)
    for clause in gone:
        _gone(teller, (old, clause), weight)
    for clause in came:
        _came(teller, (new, clause), weight)


def _gone(teller: Teller, way: Way, weight: Weight) -> None:
    teller.tell(
        weight,
        "clauses",
        lambda a, b: b.say(f"取消启动条件：{_said(*way, a)}。", f"no longer begins when {_said(*way, a)}."),
        Trend.LOOSER,
        (_leaves(*way), None),
    )


def _came(teller: Teller, way: Way, weight: Weight) -> None:
    teller.tell(
        weight,
        "clauses",
        lambda _a, b: b.say(f"新增启动条件：{_said(*way, b)}。", f"now also begins when {_said(*way, b)}."),
        Trend.TIGHTER,
        (None, _leaves(*way)),
    )


def _grown(teller: Teller, old: Way, new: Way, weight: Weight) -> None:
    """A way that needs more than before, or less."""
    (part_old, was), (part_new, now) = old, new

    def sentence(a: Titles, b: Titles) -> str:
        if was < now:
            before, more = _said(part_old, was, a), _said(part_new, now - was, b)
            return b.say(
                f"仅“{before}”不再足够，还须同时符合：{more}。", f"{b.quoted(before)} is no longer enough; it must also hold that {more}."
            )
        after, less = _said(part_new, now, b), _said(part_old, was - now, a)
        return b.say(f"“{after}”即可，不再要求：{less}。", f"{b.quoted(after)} is enough now; it need not hold any more that {less}.")

    teller.tell(weight, "clauses", sentence, Trend.LOOSER if was < now else Trend.TIGHTER, (_leaves(*old), _leaves(*new)))


def _sets(part: Part, ids: dict[int, int]) -> list[frozenset[int]]:
    found = tidied(part["clauses"])
    clauses = found.ways or (((),) if found.common else ())
    return [frozenset(ids[i] for i in (*found.common, *way)) for way in clauses]


def _leaves(side: Side, clause: frozenset[int]) -> list[Leaf]:
    part, ids = side
    return [part["leaves"][i] for i, name in ids.items() if name in clause]


def _said(side: Side, clause: frozenset[int], titles: Titles) -> str:
    part, ids = side
    return titles.say("，且", ", and ").join(rises(part["leaves"][i], titles) for i, name in ids.items() if name in clause)
