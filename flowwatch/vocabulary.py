"""What codes are called, in Chinese and in English: roles, levels, days, modes and settings of gates, deliveries, health, placeholders.

Everything that tells of plans and of decisions (`planning`, `texts`, `conditions`, `sayings`) takes its words from here, so that one thing is
called the same everywhere (docs/glossary.md). A code that has no word here is shown as it is rather than hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from flowwatch.core.gates import Setting
from flowwatch.words import SECOND_US, Language, Text, duration, listed, say, word

ROLES: Final[Mapping[str, Text]] = {
    "officer_in_charge": {"zh": "值班指挥长", "en": "the officer in charge"},
    "operator": {"zh": "值班员", "en": "the operator"},
    "supervisor": {"zh": "值班长", "en": "the supervisor"},
    "duty_officer": {"zh": "值班民警", "en": "the duty officer"},
    "duty_manager": {"zh": "值班经理", "en": "the duty manager"},
    "police": {"zh": "民警", "en": "the police"},
    "patrol": {"zh": "巡逻警力", "en": "the patrol"},
    "traffic": {"zh": "交警", "en": "traffic police"},
    "armed_police": {"zh": "武警", "en": "the armed police"},
    "gate_staff": {"zh": "通道口值守人员", "en": "the gate staff"},
    "site_staff": {"zh": "景区工作人员", "en": "the site's staff"},
    "ticket_office": {"zh": "售票处", "en": "the ticket office"},
    "boatmen": {"zh": "船工", "en": "the boatmen"},
    "steward": {"zh": "现场引导员", "en": "the stewards"},
    "volunteers": {"zh": "志愿者", "en": "the volunteers"},
    "broadcast": {"zh": "广播员", "en": "the announcer"},
    "medical": {"zh": "医疗救护", "en": "the medics"},
    "metro_liaison": {"zh": "轨交联络员", "en": "the metro liaison"},
    "medical_liaison": {"zh": "医疗急救联络员", "en": "the medical liaison"},
}
"""The duties that plans name most; a plan may name others."""

LEVELS: Final[Mapping[str, Text]] = {
    "IV": {"zh": "Ⅳ级（蓝色）", "en": "level IV (blue)"},
    "III": {"zh": "Ⅲ级（黄色）", "en": "level III (yellow)"},
    "II": {"zh": "Ⅱ级（橙色）", "en": "level II (orange)"},
    "I": {"zh": "Ⅰ级（红色）", "en": "level I (red)"},
}

MODES: Final[dict[str, Text]] = {
    "in": {"zh": "只进", "en": "in only"},
    "out": {"zh": "只出", "en": "out only"},
    "both": {"zh": "双向", "en": "both ways"},
    "closed": {"zh": "关闭", "en": "closed"},
    "metered": {"zh": "限流", "en": "metered"},
    "wave": {"zh": "分批放行", "en": "waves"},
}
"""The first word of a gate's setting."""

SHORT_MODES: Final[Mapping[str, Text]] = MODES | {
    "in": {"zh": "只进", "en": "in"},
    "out": {"zh": "只出", "en": "out"},
    "wave": {"zh": "分批", "en": "in waves"},
}
"""The same where there is little room: on a diagram, in a small frame."""

PHASES: Final[Mapping[str, Text]] = {
    "in": {"zh": "进", "en": "in"},
    "out": {"zh": "出", "en": "out"},
    "both": {"zh": "进出", "en": "both ways"},
    "hold": {"zh": "停", "en": "hold"},
}
"""The parts of a wave."""

THINGS: Final[Mapping[str, Text]] = {
    "zone": {"zh": "区域", "en": "zone"},
    "gate": {"zh": "通道口", "en": "gate"},
    "link": {"zh": "通道", "en": "link"},
    "counter": {"zh": "计数器", "en": "counter"},
    "barrier": {"zh": "路障", "en": "barrier"},
    "sign": {"zh": "诱导屏", "en": "sign"},
    "broadcast": {"zh": "广播", "en": "broadcast"},
}
"""What a site has; a broadcast is a sign that is said aloud."""

DEVICE_STATES: Final[Mapping[str, Text]] = {
    "raise": {"zh": "升起", "en": "raised"},
    "lower": {"zh": "降下", "en": "lowered"},
    "one_way": {"zh": "单向通行", "en": "one way"},
    "one_way_back": {"zh": "反向单向通行", "en": "one way, reversed"},
    "both": {"zh": "双向通行", "en": "both ways"},
}
"""What is asked of a barrier or a link."""

DELIVERIES: Final[Mapping[str, Text]] = {
    "advise": {"zh": "仅作建议，由现场人员执行", "en": "advice, for people to carry out"},
    "confirm": {"zh": "待人员确认后执行", "en": "carried out when somebody confirms it"},
    "automatic": {"zh": "自动执行", "en": "carried out automatically"},
}
"""How a command reaches its gate."""

HEALTH: Final[Mapping[str, Text]] = {
    "silent": {"zh": "数据中断", "en": "silent"},
    "stuck": {"zh": "读数不变", "en": "stuck"},
    "implausible": {"zh": "读数失真", "en": "implausible"},
    "drifting": {"zh": "误差累积", "en": "drifting"},
}

_DAYS: Final[Mapping[str, Text]] = {
    "mon": {"zh": "周一", "en": "a Monday"},
    "tue": {"zh": "周二", "en": "a Tuesday"},
    "wed": {"zh": "周三", "en": "a Wednesday"},
    "thu": {"zh": "周四", "en": "a Thursday"},
    "fri": {"zh": "周五", "en": "a Friday"},
    "sat": {"zh": "周六", "en": "a Saturday"},
    "sun": {"zh": "周日", "en": "a Sunday"},
    "workday": {"zh": "工作日（含调休上班日）", "en": "a workday"},
    "weekend": {"zh": "周末", "en": "a weekend day"},
    "holiday": {"zh": "法定节假日", "en": "a public holiday"},
}
"""Kinds of day; the dated events of a plan go by their names."""

PLACEHOLDERS: Final[Mapping[str, Text]] = {
    "site": {"zh": "景区", "en": "site"},
    "zone": {"zh": "区域", "en": "zone"},
    "inside": {"zh": "在场人数", "en": "people inside"},
    "lower": {"zh": "区间下限", "en": "lower edge"},
    "upper": {"zh": "区间上限", "en": "upper edge"},
    "capacity": {"zh": "承载量", "en": "capacity"},
    "share": {"zh": "占承载量的百分比", "en": "share of capacity"},
    "stage": {"zh": "阶段", "en": "stage"},
    "bar": {"zh": "阈值", "en": "bar"},
    "gates_in": {"zh": "可进通道口", "en": "gates in"},
    "gates_out": {"zh": "可出通道口", "en": "gates out"},
    "minutes_to_clear": {"zh": "清空所需分钟数", "en": "minutes to clear"},
}


def role(name: str, lang: Language) -> str:
    """Who is asked or sent; a role that has no word here is called as the plan calls it.

    >>> role("officer_in_charge", "en"), role("ferry_crew", "en"), role("ferry_crew", "zh")
    ('the officer in charge', 'the ferry crew', '岗位“ferry_crew”')
    """
    return ROLES[name][lang] if name in ROLES else say(lang, f"岗位“{name}”", f"the {name.replace('_', ' ')}")


def level(code: str | None, lang: Language) -> str:
    """A warning level with its colour; a stage without one warns nobody."""
    return say(lang, "无预警级别", "no warning level") if code is None else word(LEVELS, code, lang)


def setting(asked: Setting, lang: Language) -> str:
    """A gate's setting in words.

    >>> setting(Setting.parse("metered 40/min"), "en"), setting(Setting.parse("wave in 50s out 110s"), "zh")
    ('metered entry, at most 40/min, nobody leaves', '分批放行：进 50 秒、出 1 分钟 50 秒')
    """
    if asked.per_min is not None:
        way = say(lang, "离开不限", "people may leave") if asked.leave else say(lang, "只进不出", "nobody leaves")
        return say(lang, f"限流进入，每分钟最多 {asked.per_min} 人，{way}", f"metered entry, at most {asked.per_min}/min, {way}")
    if asked.phases:
        return MODES["wave"][lang] + say(lang, "：", ": ") + phases(asked, lang)
    return MODES[asked.mode.value][lang]


def setting_of(text: str, lang: Language) -> str:
    """The same of a setting's text; a text that is no setting is shown as it is.

    >>> setting_of("out", "en"), setting_of("somehow", "zh")
    ('out only', 'somehow')
    """
    try:
        return setting(Setting.parse(text), lang)
    except ValueError:
        return text


def phases(asked: Setting, lang: Language) -> str:
    """A wave's phases in their order."""
    return say(lang, "、", ", ").join(f"{PHASES[name][lang]} {duration(s * SECOND_US, lang)}" for name, s in asked.phases)


def days(names: Sequence[str], lang: Language) -> str:
    """Kinds of day, of which the day is one; a name that is no kind of day is a dated event of the plan.

    >>> days(["holiday", "sat", "lantern"], "en")
    'a public holiday, a Saturday or one of the days of "lantern"'
    """
    told = [_DAYS[d][lang] if d in _DAYS else say(lang, f"“{d}”活动日", f'one of the days of "{d}"') for d in names]
    return listed(told, lang, say(lang, "或", "or"))


def template(text: str, lang: Language) -> str:
    """A text of the plan with its placeholders in words, in brackets.

    >>> template("{inside} people {{now}}", "en")
    '[people inside] people {now}'
    """

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        name = match[1]
        return f"[{PLACEHOLDERS[name][lang]}]" if name in PLACEHOLDERS else match[0]

    return re.sub(r"\{\{|\}\}|\{([a-z_]+)\}", filled, text)
