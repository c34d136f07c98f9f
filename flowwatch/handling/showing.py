"""Whether an alert is shown to people as a new one, and what stands for it where it is not.

Rules, the first that holds decides:

1. what ended, what changed and is no worse, and what nobody need answer does not sound;
2. what is red always does;
3. what is under maintenance, shelved, or stood for by another open incident does not;
4. what comes back soon after it had sounded and ended is the old one coming back, unless it is worse now; yellow or blue that comes back at once
   flickers, and is told once it has stayed;
5. several of one kind at one site sound once, as a group;
6. while more come than a person can read, yellow and blue are gathered; orange sounds. They leave room for what is orange and red.

Everything that does not sound stands in the record with its reason, and in the list of what is open. Pure functions of what the desk knows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias

from msgspec.structs import replace

from flowwatch.core.incidents import What
from flowwatch.handling import kinds
from flowwatch.handling.incident import Incident
from flowwatch.handling.kinds import RANKS, Own
from flowwatch.handling.load import WINDOW_US
from flowwatch.handling.records import FLOWWATCH, SHOWN, Act, Alert, Handling, Said, Shown, Step
from flowwatch.handling.ward import Ward, key

SETTLES_US: Final = 60 * 1_000_000
"""What comes back within this of its end flickers; once it has stayed for as long it is told, and so is what something stood for that ended: most of
it ends a little later. Chatter is three changes in so long (ISA-18.2)."""
NEVER_GATHERED: Final = (What.STAGE,)
"""A stage of the plan sounds in a flood, too: there are few, and they are what everything else is for."""
URGENT_SHARE: Final = 0.3
"""The part of a flood's bound that is kept for orange and red, which sound in a flood, too. ASSUMED."""

Standing: TypeAlias = Generator[Alert | Step, None, str | None]
"""Writes what begins, and gives the name of the incident that stands for an alert."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A deployment's choices: `returns_us` for coming back, alerts in ten minutes from and until which there is a flood."""

    returns_us: int
    flood_from: int
    flood_until: int

    @property
    def mild(self) -> int:
        """So many sound in ten minutes before yellow and blue are gathered, the flood's own alert among them."""
        return max(2, self.flood_from - round(self.flood_from * URGENT_SHARE))


def shown(ward: Ward, alert: Alert, at_us: int, rules: Rules) -> tuple[Shown, str | None]:
    """Why the alert (with its priority, not told yet) is shown or not, and the incident that stands for it; groups and floods aside."""
    present = ward.incidents.get(alert.incident)
    if alert.state == "cleared":
        return Shown.ENDED, None
    if alert.priority is None or alert.drill:
        return Shown.NOTICE, None
    if present is not None and alert.state != "raised" and RANKS[alert.priority] <= RANKS[present.priority]:
        return Shown.SAME, None
    fresh = Shown.RAISED if present is None else Shown.WORSE
    if alert.priority == "I":
        return fresh, None
    return _put_aside(ward, alert, at_us, rules, present) or (fresh, None)


def _put_aside(ward: Ward, alert: Alert, at_us: int, rules: Rules, present: Incident | None) -> tuple[Shown, str | None] | None:
    """Why an alert that is new or worse, and not red, does not sound by itself; None where it does."""
    if alert.what in kinds.DEVICES and ward.maintained.get(alert.subject, 0) > at_us:
        return Shown.MAINTENANCE, None
    if present is not None:
        return None
    shelf = ward.shelved.get(key(alert.what, alert.subject))
    if shelf is not None and shelf.until_us > at_us and RANKS[alert.priority] <= RANKS[shelf.priority]:
        return Shown.SHELVED, None
    parent = parent_of(ward, alert)
    if parent is not None:
        return Shown.PARENT, parent.name
    before = ward.ended.get(key(alert.what, alert.subject))
    if before is not None and before.sounded and RANKS[alert.priority] <= RANKS[before.priority]:
        ago = at_us - before.at_us
        if ago <= rules.returns_us:
            flickers = RANKS[alert.priority] < RANKS["II"] and ago <= SETTLES_US
            return Shown.RETURNED, before.incident if flickers else None
    return None


def parent_of(ward: Ward, alert: Alert) -> Incident | None:
    """The active incident that stands for the alert; where several do, the most urgent, then the oldest."""
    found = [i for i in ward.incidents.values() if i.active and kinds.stands_for(i.alert, alert)]
    return min(found, key=Incident.order, default=None)


def tell(ward: Ward, alert: Alert, at_us: int, rules: Rules) -> Iterator[Alert | Step]:
    """What is written for one alert: groups and floods that begin with it, the alert itself, and what follows from it.

    Each thing must be taken by `ward` before the next is asked for.
    """
    present = ward.incidents.get(alert.incident)
    why, parent = shown(ward, alert, at_us, rules)
    if why is Shown.RAISED and alert.priority != "I":
        group = yield from _grouped(ward, alert, at_us)
        if group is not None:
            why, parent = Shown.GROUP, group
        elif RANKS[alert.priority] < RANKS["II"] and alert.what not in NEVER_GATHERED:
            flood = yield from _flooded(ward, alert, at_us, rules)
            if flood is not None:
                why, parent = Shown.FLOOD, flood
    yield replace(alert, shown=why, parent=parent)
    if why is Shown.WORSE and present is not None:
        goes_on: dict[str, object] | None = {"goes_on": True} if RANKS[alert.priority] <= RANKS[present.worst] else None
        yield _step(present, Act.REOPEN, cycle=present.cycle + 1, handling=Handling.NEW, reason="it became worse", detail=goes_on)
    if alert.state == "cleared":
        yield from _after_end(ward, alert, at_us, rules)
    elif why in SHOWN or why is Shown.GROUP:
        yield from _stands_for(ward, alert)
    elif present is not None:
        for child in ward.children(alert.incident):
            if RANKS[child.priority] > RANKS[alert.priority]:
                yield from _freed(ward, child, at_us, rules, f"{alert.incident} became milder")


def plain(alert: Alert) -> Alert:
    """The alert as it is told where the rules above fail at it: it sounds, unless it is an end or needs no answer."""
    why = Shown.ENDED if alert.state == "cleared" else Shown.NOTICE if alert.priority is None or alert.drill else Shown.RAISED
    return replace(alert, shown=why, parent=None)


def _stands_for(ward: Ward, alert: Alert) -> Iterator[Step]:
    """What is open already and is stood for by the new one from now on."""
    for child in list(ward.incidents.values()):
        if child.active and child.parent is None and kinds.stands_for(alert, child.alert):
            yield _step(child, Act.SUPPRESS, to=alert.incident, reason=alert.what)


def _after_end(ward: Ward, alert: Alert, at_us: int, rules: Rules) -> Iterator[Alert | Step]:
    """What ends with an incident: it is closed if nobody need see it, its children stand for themselves, its group is over with its last."""
    yield from closing(ward, alert.incident)
    for child in ward.children(alert.incident):
        if RANKS[child.priority] >= RANKS["II"]:
            yield from _freed(ward, child, at_us, rules, f"{alert.incident} ended")
    group = kinds.GROUPS.get(alert.what)
    own = None if group is None else ward.own_open(group)
    if own is not None and not ward.children(own.name):
        yield _step(own, Act.GROUP_OVER, reason="none of them is left")
        yield from end(ward, own)
    yield from flood_over(ward, at_us, rules)


def closing(ward: Ward, name: str) -> Iterator[Step]:
    """Close an incident that ended and that nobody need see any more."""
    incident = ward.incidents.get(name)
    if incident is not None and incident.finished:
        yield _step(incident, Act.CLOSE, handling=Handling.CLOSED, reason="it ended")


def flood_over(ward: Ward, at_us: int, rules: Rules) -> Iterator[Alert | Step]:
    """End the flood once few came in ten minutes; those that it gathered and that are still open stand for themselves then."""
    flood = ward.own_open(Own.FLOOD)
    if flood is None:
        return
    waiting = ward.children(flood.name)
    if sum(at_us - WINDOW_US < at <= at_us for at in (*ward.sounded, *ward.gathered)) >= rules.flood_until:
        return
    yield _step(flood, Act.FLOOD_OVER, reason="few come")
    yield from end(ward, flood)
    for child in waiting:
        yield from _freed(ward, child, at_us, rules, f"{flood.name} ended")


def _grouped(ward: Ward, alert: Alert, at_us: int) -> Standing:
    """The group that stands for the alert, begun now if it is the one too many; None where it stands for itself."""
    what = kinds.GROUPS.get(alert.what)
    if what is None:
        return None
    group = ward.own_open(what)
    if group is not None:
        # one that comes much later may have another cause, and whoever acknowledged the group knew nothing of it
        joins = RANKS[alert.priority] <= RANKS[group.priority] and at_us - group.begun_us <= kinds.GROUP_US
        return group.name if joins else None
    flood = ward.own_open(Own.FLOOD)
    urgent = flood is not None and RANKS[kinds.USUAL[what]] >= RANKS["II"]  # what is gathered one by one may be orange together
    alike = [
        i
        for i in ward.incidents.values()
        if i.what == alert.what and i.active and i.priority != "I" and i.begun_us > at_us - kinds.GROUP_US and i.name != alert.incident
        if not i.waits or (urgent and flood is not None and i.parent == flood.name)
    ]
    if len(alike) + 1 < kinds.GROUP_FROM:
        return None
    name = own_name(ward)
    priority = max((kinds.USUAL[what], alert.priority, *(i.priority for i in alike)), key=lambda p: RANKS[p])
    yield own_alert(what, alert.site, priority, at_us, _group_text(what, len(alike) + 1), name=name)
    yield Step(site=alert.site, incident=name, act=Act.GROUP, by=FLOWWATCH, reason=what.value)
    for incident in alike:
        yield _step(incident, Act.SUPPRESS, to=name, reason=what.value)
    return name


def _flooded(ward: Ward, alert: Alert, at_us: int, rules: Rules) -> Standing:
    """The flood that gathers the alert, begun now if it is the one too many; None where it sounds."""
    flood = ward.own_open(Own.FLOOD)
    if flood is not None:
        return flood.name
    # one less, because the flood's own alert sounds in the place of the one that began it
    if sum(at_us - WINDOW_US < at <= at_us for at in ward.sounded) + 1 < rules.mild:
        return None
    name = own_name(ward)
    yield own_alert(Own.FLOOD, alert.site, kinds.USUAL[Own.FLOOD], at_us, _FLOOD, name=name)
    yield Step(site=alert.site, incident=name, act=Act.FLOOD, by=FLOWWATCH, reason="more than a person can read")
    return name


def timed(ward: Ward, now_us: int, rules: Rules) -> Iterator[Alert | Step]:
    """What the time alone brings: a maintenance that is over, a flood that has passed."""
    ward.forget(now_us)
    for incident in [i for i in ward.incidents.values() if i.maintained]:
        if ward.maintained.get(incident.subject, 0) <= now_us:
            yield _step(incident, Act.UNSUPPRESS, reason="the maintenance is over", detail={"sounds": incident.active})
            yield from closing(ward, incident.name)
    for incident in list(ward.incidents.values()):
        at = _settles_at(ward, incident)
        if at is not None and at <= now_us:
            yield from _freed(ward, incident, now_us, rules, "it stays")
    yield from flood_over(ward, now_us, rules)


def next_timed(ward: Ward) -> int | None:
    """When the time alone may bring something; None if it will not."""
    ends = [ward.maintained.get(i.subject, 0) for i in ward.incidents.values() if i.maintained]
    ends += [at for i in ward.incidents.values() if (at := _settles_at(ward, i)) is not None]
    if ward.own_open(Own.FLOOD) is not None:
        came = [*ward.sounded, *ward.gathered]
        ends += [at + WINDOW_US for at in came]
    return min(ends, default=None)


def end(ward: Ward, incident: Incident) -> Iterator[Alert | Step]:
    """End one of the desk's own incidents."""
    ended = replace(incident.alert, state="cleared", shown=Shown.ENDED, parent=None, text=_ENDED.get(incident.what, incident.alert.text))
    yield ended
    yield from closing(ward, incident.name)


def own_name(ward: Ward) -> str:
    """The name of the next incident that the desk raises itself at a site."""
    return next(name for n in count(ward.own + 1) if ward.find(name := f"{ward.site}-h{n}") is None)


def own_alert(what: Own, site: str, priority: str | None, at_us: int, text: Said, *, name: str, subject: str = "site") -> Alert:
    """The first alert of an incident of the desk's own."""
    return Alert(
        site=site, incident=name, state="raised", what=what.value, subject=subject, priority=priority, since_us=at_us, text=text,
        shown=Shown.RAISED,
    )  # fmt: skip


def _settles_at(ward: Ward, incident: Incident) -> int | None:
    """When it stands for itself, if it lasts so long: it came back at once, or what stood for it has just ended; None of anything else."""
    if incident.parent is None or not incident.active:
        return None
    parent = ward.find(incident.parent)
    if parent is not None and parent.active:
        return None
    return max(incident.told_us, (parent and parent.ended_us) or 0) + SETTLES_US


def _freed(ward: Ward, incident: Incident, at_us: int, rules: Rules, reason: str) -> Iterator[Alert | Step]:
    """What nothing stands for any more is judged like what is new, so that a dozen at once do not sound a dozen times.

    It sounds unless somebody has it in hand.
    """
    if incident.handling is Handling.NEW and incident.priority != "I":
        parent = parent_of(ward, incident.alert)
        name = parent.name if parent is not None else (yield from _grouped(ward, incident.alert, at_us))
        if name is None and RANKS[incident.priority] < RANKS["II"]:
            name = yield from _flooded(ward, incident.alert, at_us, rules)
        if name is not None:
            yield _step(incident, Act.SUPPRESS, to=name, reason=reason)
            return
    yield _step(incident, Act.UNSUPPRESS, reason=reason, detail={"sounds": incident.handling is Handling.NEW and incident.active})


def _step(
    incident: Incident, act: Act, *, handling: Handling | None = None, cycle: int | None = None, to: str | None = None, reason: str = "",
    detail: dict[str, object] | None = None,
) -> Step:  # fmt: skip
    return Step(
        site=incident.site,
        incident=incident.name,
        act=act,
        by=FLOWWATCH,
        reason=reason,
        cycle=incident.cycle if cycle is None else cycle,
        handling=incident.handling if handling is None else handling,
        to=to,
        detail=detail,
    )


def _group_text(what: Own, count: int) -> Said:
    if what is Own.COUNTERS_SILENT:
        return Said(
            f"多个计数器同时数据中断（{count} 个以上），疑为线路、供电或交换机故障，人数区间随之放宽",
            f"several counters are silent at once ({count} or more): a line, a switch or the power may have failed; the band widens",
        )
    return Said(
        f"多个通道口设备同时失去联系（{count} 个以上），疑为线路或供电故障，各设备将转入失联时的状态",
        f"several devices cannot be reached at once ({count} or more): a line or the power may have failed; each falls to its mode for that",
    )


_FLOOD: Final = Said(
    "预警密集：黄色、蓝色预警暂时合并，不再逐条提示；橙色、红色照常提示，全部预警可在列表中查看",
    "many alerts at once: yellow and blue ones are gathered and do not sound one by one; orange and red still do, and the list has all of them",
)
_ENDED: Final = {
    Own.FLOOD.value: Said("预警已趋平稳，恢复逐条提示", "few alerts come; each sounds again"),
    Own.COUNTERS_SILENT.value: Said("各计数器均已恢复上报", "all of the counters are heard again"),
    Own.GATES_LOST.value: Said("各通道口设备均已恢复联系", "all of the devices can be reached again"),
}
