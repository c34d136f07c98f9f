"""Typed plans to their part of the compiled record: stages, conditions multiplied out, bars in thousandths of a person, days as numbers.

A rule (of a stage, a degraded rule or a case) is a list of *leaves*, each one comparison, and a list of *clauses*, each a list of leaf
numbers: it holds when all leaves of any clause hold. Leaves that say the same are one leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from flowwatch.core.gates import Setting
from flowwatch.documents.bars import Place, bar, milli
from flowwatch.documents.clauses import multiplied_out
from flowwatch.documents.compiled_site import in_order, or_, text_of, validity
from flowwatch.documents.conditions import FORECASTS, OCCUPANCIES, Condition, Direction, Measure, When, leaves
from flowwatch.documents.days import holidays_of, number, ranges
from flowwatch.documents.plan import AUTOMATIC, OFFICER, Approval, Case, Confirm, Degraded, Plan, Stage, Unanswered
from flowwatch.documents.site import Site
from flowwatch.documents.words import (
    ANY_COUNTER,
    OTHERS,
    WHOLE_SITE,
    duration_us,
    time_of_day_s,
    window_s,
)

_NEEDS: Final = {"holiday": ("holiday",), "workday": ("holiday", "makeup"), "weekend": ("makeup",)}
"""Kind of day -> the tables of a country's holidays that tell it."""
_OWN_CLEAR: Final = (Measure.BAND_WIDTH, Measure.NET_FLOW)
"""Measures that are judged by themselves on the way down too; people inside are judged by the band's upper edge."""


def plan_record(plan: Plan, site: Site, skeleton: dict[str, Any], clock: ZoneInfo) -> dict[str, Any]:
    """`plan`'s part of the record; `skeleton` is the site's, `clock` its time zone."""
    return {
        "plan": plan.plan,
        "title": text_of(plan.title),
        "basis": None if isinstance(plan.basis, UnsetType) else text_of(plan.basis),
        "zone": or_(plan.zone, None),
        "case": None if isinstance(plan.case, UnsetType) else _case(plan.case, site, time_of_day_s(plan.business_day)),
        **validity(plan.valid, clock),
        **_days(plan),
        "stages": [_stage(stage, plan, site, skeleton) for stage in plan.stages],
        "degraded": [_degraded(rule, plan, site) for rule in plan.degraded],
    }


def settings(skeleton: dict[str, Any], stage: Stage) -> dict[str, str]:
    """The canonical setting of every gate of the compiled site in `stage`; a gate that the stage leaves out is left out."""
    asked = {gate["gate"]: stage.gates.get(gate["gate"], stage.gates.get(OTHERS)) for gate in skeleton["gates"]}
    return {gate: str(Setting.parse(setting)) for gate, setting in asked.items() if setting is not None}


def place_of(condition: Condition, site: Site) -> Place:
    """The sizes of what `condition` looks at. The whole site is as large as the zones that lie in no other, without waiting areas."""
    if isinstance(condition.gate, str):
        return Place(width_m=_exact(site.gates[condition.gate].width_m))
    if isinstance(condition.link, str):
        return Place(width_m=_exact(site.links[condition.link].width_m))
    outer = [zone for zone in site.zones.values() if zone.inside is UNSET and zone.outside is UNSET]
    zones = outer if condition.zone == WHOLE_SITE else [site.zones[or_(condition.zone, "")]]
    return Place(Fraction(sum(zone.capacity for zone in zones)), sum((_exact(zone.area_m2) for zone in zones), Fraction(0)))


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def _stage(stage: Stage, plan: Plan, site: Site, skeleton: dict[str, Any]) -> dict[str, Any]:
    confirm = or_(stage.confirm, Confirm())
    return {
        "stage": stage.stage,
        "title": text_of(stage.title),
        "level": None if isinstance(stage.level, UnsetType) else stage.level.value,
        "dwell_us": duration_us(stage.dwell) if isinstance(stage.dwell, str) else 0,
        **rule_record(stage.when, site, time_of_day_s(or_(stage.business_day, plan.business_day))),
        "gates": settings(skeleton, stage),
        "links": {name: stage.links[name].value for name in in_order(stage.links)},
        "barriers": {name: stage.barriers[name].value for name in in_order(stage.barriers)},
        "signs": {name: text_of(stage.signs[name]) for name in in_order(stage.signs)},
        "tasks": [{"task": t.task, "role": t.role, "within_us": duration_us(t.within), "text": text_of(t.text)} for t in stage.tasks],
        "confirm": {
            "rise": _approval(or_(confirm.rise, Approval(by=AUTOMATIC))),
            "fall": _approval(or_(confirm.fall, Approval(by=OFFICER))),
        },
        "alert": None
        if isinstance(stage.alert, UnsetType)
        else {"headline": text_of(stage.alert.headline), "instruction": text_of(stage.alert.instruction)},
    }


def _approval(approval: Approval) -> dict[str, Any]:
    automatic = approval.by == AUTOMATIC
    return {
        "by": None if automatic else approval.by,
        "within_us": duration_us(approval.within) if isinstance(approval.within, str) else None,
        "otherwise": or_(approval.otherwise, Unanswered.APPLY if automatic else Unanswered.KEEP).value,
    }


def _case(case: Case, site: Site, business_day_s: int) -> dict[str, Any]:
    return {
        "effect": case.effect.value,
        "declared_only": case.during is UNSET,
        **rule_record(case.during, site, business_day_s),
    }


def _degraded(rule: Degraded, plan: Plan, site: Site) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "level": None if isinstance(rule.level, UnsetType) else rule.level.value,
        "stage": or_(rule.stage, None),
        "headline": None if isinstance(rule.headline, UnsetType) else text_of(rule.headline),
        **rule_record(rule.when, site, time_of_day_s(plan.business_day)),
    }


def rule_record(when: When | UnsetType, site: Site, business_day_s: int) -> dict[str, Any]:
    """The leaves and clauses of a condition; both empty where there is none."""
    if isinstance(when, UnsetType):
        return {"leaves": [], "clauses": []}
    made: list[dict[str, Any]] = []

    def numbered(condition: Condition) -> int:
        leaf = _leaf(condition, site, business_day_s)
        if leaf not in made:
            made.append(leaf)
        return made.index(leaf)

    clauses = multiplied_out(when, numbered)
    return {"leaves": made, "clauses": [list(clause) for clause in clauses]}


def _leaf(condition: Condition, site: Site, business_day_s: int) -> dict[str, Any]:
    if isinstance(condition.time, str):
        since, until = window_s(condition.time)
        return {"kind": "time", "from_s": since, "until_s": until}
    if not isinstance(condition.day, UnsetType):
        return {"kind": "day", "days": list(dict.fromkeys(condition.day)), "business_day_s": business_day_s}
    assert isinstance(condition.hold, str)
    hold = {"hold_us": duration_us(condition.hold)}
    if isinstance(condition.counter, str):
        assert not isinstance(condition.health, UnsetType)
        counter = None if condition.counter == ANY_COUNTER else condition.counter
        return {"kind": "health", "counter": counter, "health": condition.health.value} | hold
    if isinstance(condition.site, str):
        return {"kind": "neighbour", "site": condition.site, "plan": or_(condition.plan, None), "stage": condition.stage} | hold
    assert not isinstance(condition.measure, UnsetType)
    bars = _bars(condition, condition.measure, site) | hold
    if condition.measure in FORECASTS:
        within = {"within_us": duration_us(or_(condition.within, ""))}
        return {"kind": "forecast", "zone": condition.zone, "measure": condition.measure.value} | within | bars
    if not isinstance(condition.zone, str):
        place = {"gate": or_(condition.gate, None), "link": or_(condition.link, None)}
        direction = {"direction": or_(condition.direction, Direction.BOTH).value}
        return {"kind": "passers", **place, "measure": condition.measure.value} | direction | bars
    return {"kind": "people", "zone": condition.zone, "measure": condition.measure.value} | _sources(condition, condition.measure) | bars


def _sources(condition: Condition, measure: Measure) -> dict[str, str]:
    """The figures that a condition on people compares, on the way up and on the way down."""
    source = measure if measure in OCCUPANCIES or measure in _OWN_CLEAR else Measure.OCCUPANCY
    if isinstance(condition.clear_measure, UnsetType):
        return {"source": source.value, "clear_source": (source if measure in _OWN_CLEAR else Measure.UPPER).value}
    return {"source": source.value, "clear_source": condition.clear_measure.value}


def _bars(condition: Condition, measure: Measure, site: Site) -> dict[str, Any]:
    assert isinstance(condition.enter, str)
    assert isinstance(condition.clear, str)
    place = place_of(condition, site)
    return {
        "enter_m": milli(measure, bar(measure, condition.enter), place),
        "clear_m": milli(measure, bar(measure, condition.clear, clear=True), place),
        "enter": condition.enter,
        "clear": condition.clear,
    }


def _days(plan: Plan) -> dict[str, Any]:
    """The tables of days that the plan's conditions use."""
    words = sorted({word for when in _conditions(plan) for _, c in leaves(when) if not isinstance(c.day, UnsetType) for word in c.day})
    tables: dict[str, Any] = {
        word: ranges(d for span in plan.events[word] for d in range(_day(span.from_), _day(span.until) + 1))
        for word in words
        if word in plan.events
    }
    needs = sorted({table for word in words for table in _NEEDS.get(word, ())})
    if needs:
        known = holidays_of(or_(plan.calendar, ""))
        tables |= {table: getattr(known, table) for table in needs}
    return {"days": tables, "days_until": known.until if needs else None}


def _conditions(plan: Plan) -> Iterable[When]:
    groups = [stage.when for stage in plan.stages] + [rule.when for rule in plan.degraded]
    if isinstance(plan.case, Case):
        groups.append(plan.case.during)
    return (group for group in groups if isinstance(group, When))


def _day(text: str) -> int:
    return number(date.fromisoformat(text))
