"""The fitted demand as a scenario file, with what each figure comes from beside it, and what stays an assumption.

Where the site's documents are known the gates are theirs; otherwise a gate is called as its counter, as `flowwatch ingest --draft` calls them,
so that a scenario runs at a drafted site.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isnan, sqrt
from typing import Final

import numpy as np

from flowwatch.words import Language
from flowwatch_sim import scenario as language
from flowwatch_sim.demand import GROUP_EXCESS, UNREST_S
from flowwatch_sim.fitting.fit import MOST_GROUPS, Fit, Fitted, Kind
from flowwatch_sim.fitting.variation import Estimate
from flowwatch_sim.scenario import DayKind
from flowwatch_sim.statistics import CONFIDENCE, student_quantile

STAY: Final = "60m"
"""Where an archive says nothing of it (assumed)."""
UNREST: Final = 0.15
"""As a scenario has it where it says nothing."""
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "workday": ("工作日", "workday"),
    "weekend": ("周末", "weekend"),
    "holiday": ("节假日", "holiday"),
    "mon": ("周一", "Monday"),
    "tue": ("周二", "Tuesday"),
    "wed": ("周三", "Wednesday"),
    "thu": ("周四", "Thursday"),
    "fri": ("周五", "Friday"),
    "sat": ("周六", "Saturday"),
    "sun": ("周日", "Sunday"),
}
WHY_NO_STAY: Final[Mapping[str, tuple[str, str]]] = {
    "ways": ("未说明所有进出口均有计数（--enclosed）", "nobody said that every way in and out is counted (--enclosed)"),
    "one_way": ("计数只有一个方向", "people are counted one way only"),
    "holes": ("没有一天的数据足够完整", "no day was measured completely enough"),
    "unlike": ("进、出人数相差过大", "as many do not go out as come in"),
    "open": ("开始或结束时人流仍多，场内并未清空", "the place is not empty when its days begin or end"),
    "unsure": ("结果与零无明显差别", "what comes out may as well be 0"),
}


def groups_of(fitted: Fitted) -> float:
    """The parameter of groups: what short counts vary more than by chance, as far as a scenario takes it."""
    if fitted.ratio is None or fitted.turns_s != UNREST_S:
        return GROUP_EXCESS
    return round(min(max(fitted.ratio.value - 1, 0.0), MOST_GROUPS), 2)


def unrest_of(fitted: Fitted) -> float:
    """The coefficient of variation of the rate."""
    return UNREST if fitted.unrest is None else round(fitted.unrest.value, 3)


def said(fit: Fit, fitted: Fitted, kind: DayKind | None) -> language.Stream:
    """The stream of a scenario on one kind of day."""
    found = fitted.kinds[kind]
    return language.Stream(
        stream=fitted.name,
        people=max(1, round(found.people.value)),
        hours=_hours(fit, found),
        stay=STAY,
        groups=groups_of(fitted),
        unrest=unrest_of(fitted),
        turns=f"{round(fitted.turns_s)}s",
    )


def interval(estimate: Estimate, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a mean of n days; None of one day alone."""
    if n < 2 or isnan(estimate.error):
        return None
    half = student_quantile((1 + CONFIDENCE) / 2, n - 1) * estimate.error
    return max(0.0, estimate.value - half), estimate.value + half


def kind_name(kind: DayKind | None, lang: Language) -> str:
    """What a kind of day is called."""
    zh, en = ("日", "day") if kind is None else KINDS[kind.value]
    return zh if lang == "zh" else en


def scenario_file(fit: Fit, source: str, country: str | None, lang: Language) -> str:
    """The text of a scenario (YAML) with the fitted streams; `source`: what the archive is called."""
    days = fit.days
    last = max(day for day, kind in zip(days.dates, days.kinds, strict=True) if kind is fit.usual)
    head = [
        *_comments(fit, source, lang),
        f"scenario: {days.site[:57]}-fitted",
        f'title: {{zh: "{days.site}（拟合客流）", en: "{days.site}, fitted demand"}}',
        f"site: {days.site}",
        *([f"calendar: {country}"] if country is not None and len(set(days.kinds)) > 1 else []),
        f"starts: {last.isoformat()} {days.begins:02d}:00",
        f"lasts: {days.hours}h",
        "streams:",
    ]
    return "\n".join([*head, *(line for fitted in fit.streams for line in _stream(fit, fitted, lang)), ""])


def _say(lang: Language, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def _comments(fit: Fit, source: str, lang: Language) -> list[str]:
    days = fit.days
    every = f"{days.slot_s // 60}"
    first, last = min(days.dates), max(days.dates)
    lines = [
        _say(
            lang,
            f"由 flowwatch-sim fit 根据 {source} 拟合：{len(days.counters)} 个计数器，每 {every} 分钟一次计数，{first} 至 {last}。",
            f"Fitted by flowwatch-sim fit to {source}: {len(days.counters)} counters, a count every {every} min, {first} to {last}.",
        )
    ]
    for kind in dict.fromkeys(days.kinds):
        dates = [day for day, found in zip(days.dates, days.kinds, strict=True) if found is kind]
        lines.append(f"{kind_name(kind, lang)}{_say(lang, '：', ': ')}{_dates(dates)}")
        hidden = np.all([np.isnan(fitted.kinds[kind].hours) for fitted in fit.streams], axis=0)
        if hidden.any():
            told = ", ".join(f"{(days.begins + i) % 24:02d}:00" for i in np.flatnonzero(hidden).tolist())
            zh, en = (
                f"{kind_name(kind, lang)}未测得的小时（首尾按无人计）：{told}",
                f"hours of a {kind_name(kind, lang)} not measured: {told}",
            )
            lines.append(_say(lang, zh, f"{en} (nobody comes before the first and after the last that was)"))
    if days.left_out:
        lines.append(_say(lang, f"数据不足、未采用：{_dates(days.left_out)}", f"left out, too little measured: {_dates(days.left_out)}"))
    if days.outage_hours:
        lines.append(
            _say(
                lang,
                f"连续为零、视为中断而未采用：合计 {days.outage_hours:,.0f} 个计数器小时",
                f"left out, zeros taken for outages: {days.outage_hours:,.0f} counter hours",
            )
        )
    lines.append(
        _say(
            lang,
            "未拟合、仍属假设：停留时间的分布形态、耐心、参观路线、入口关闭时的去向，以及各日总人数之间的差别。",
            "Not fitted, assumptions still: the shape of stays, patience, visits, what people do at a shut gate, how days differ in size.",
        )
    )
    return [f"# {line}" for line in lines]


def _dates(days: list[date] | tuple[date, ...]) -> str:
    shown = [day.isoformat() for day in days]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "…", *shown[-2:], f"({len(shown)})"])


def _hours(fit: Fit, kind: Kind) -> dict[str, float]:
    """Hour -> percent of the day; hours that nobody measured are left out, and so lie between their neighbours."""
    whole = float(np.nansum(kind.hours)) or 1.0
    return {str(fit.days.begins + i): round(float(w) / whole * 100, 2) for i, w in enumerate(kind.hours) if not isnan(w)}


def _stream(fit: Fit, fitted: Fitted, lang: Language) -> list[str]:
    usual = fitted.kinds[fit.usual]
    lines = [
        f"  - stream: {fitted.name}",
        f"    people: {max(1, round(usual.people.value))}   # {_people(usual, fit.usual, lang)}",
        f"    hours: {_mapping(_hours(fit, usual))}",
    ]
    others = {kind: found for kind, found in fitted.kinds.items() if kind is not None and kind is not fit.usual}
    if others:
        lines.append("    days:")
    for kind, found in others.items():
        lines.append(f"      {kind}:   # {_people(found, kind, lang)}")
        lines += [f"        people: {max(1, round(found.people.value))}", f"        hours: {_mapping(_hours(fit, found))}"]
    whole = sum(fitted.entrances.values())
    shares = {gate: round(people / whole * 100, 3) for gate, people in fitted.entrances.items() if people > 0}
    ratio = 1.0 if fitted.ratio is None else fitted.ratio.value
    off = sqrt(ratio * sum(s / 100 * (1 - s / 100) for s in shares.values()) / max(1.0, whole * len(fit.days.dates))) * 100
    said_shares = _say(lang, f"各入口占比（%），随机误差合计约 ±{off:.2f} 个百分点", f"percent; by chance ± {off:.2f} in all")
    lines += [
        f"    entrances: {_mapping(shares)}{f'   # {said_shares}' if len(shares) > 1 else ''}",
        f"    groups: {groups_of(fitted):g}   # {_groups(fit, fitted, lang)}",
        f"    unrest: {unrest_of(fitted):g}   # {_unrest(fitted, lang)}",
        *([] if fitted.turns_s == UNREST_S else [f"    turns: {round(fitted.turns_s)}s"]),
        f"    {_stay(fit, lang)}",
    ]
    return lines


def _mapping(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}"


def _people(kind: Kind, which: DayKind | None, lang: Language) -> str:
    name, span = kind_name(which, lang), interval(kind.people, kind.days)
    if span is None:
        return _say(lang, f"仅 1 个{name}，无法估计误差", f"one {name}, so its error cannot be told")
    return _say(
        lang,
        f"{kind.days} 个{name}的均值，95% 区间 {span[0]:,.0f} 至 {span[1]:,.0f}",
        f"mean of {kind.days} {name}s, 95 % interval {span[0]:,.0f} to {span[1]:,.0f}",
    )


def _groups(fit: Fit, fitted: Fitted, lang: Language) -> str:
    if fitted.ratio is None:
        return _say(lang, "假设：数据不足以拟合", "ASSUMED: the counts cannot tell")
    value, minutes = fitted.ratio, fit.days.slot_s // 60
    told = _say(
        lang,
        f"{minutes} 分钟计数的方差为均值的 {value.value:.2f} 倍（标准误 {value.error:.2f}）",
        f"{minutes}-min counts vary {value.value:.2f} times their mean (standard error {value.error:.2f})",
    )
    if fitted.turns_s != UNREST_S:
        told += _say(
            lang,
            "；结伴同行不足以解释，改由下一行的波动表示，本值为假设",
            "; more than groups say, so the next line says it and this is ASSUMED",
        )
    elif value.value - 1 > MOST_GROUPS:
        told += _say(
            lang,
            f"；超出上限 {MOST_GROUPS:g}，或为成批到达：可用 --each 逐个入口拟合",
            f"; more than groups say ({MOST_GROUPS:g}), perhaps pulses: fit entrances one by one with --each",
        )
    elif value.value < 1:
        told += _say(lang, "；比随机到达更均匀，故取 0", "; less than chance has, so 0")
    return told


def _unrest(fitted: Fitted, lang: Language) -> str:
    if fitted.unrest is None:
        return _say(lang, "假设：数据不足以拟合", "ASSUMED: the counts cannot tell")
    error = "–" if isnan(fitted.unrest.error) else f"{fitted.unrest.error:.3f}"
    minutes = round(fitted.turns_s / 60)
    return _say(lang, f"每 {minutes} 分钟一变，标准误 {error}", f"from one {minutes} min to the next, standard error {error}")


def _stay(fit: Fit, lang: Language) -> str:
    if isinstance(fit.stay, str):
        zh, en = WHY_NO_STAY[fit.stay]
        return f"stay: {STAY}   # {_say(lang, f'假设：{zh}，无法拟合', f'ASSUMED: {en}')}"
    mean, error = fit.stay
    text = f"{round(mean / 60)}m" if mean >= 600 else f"{max(1, round(mean))}s"
    told = _say(
        lang, f"由进、出时刻之差得出，标准误 {error / 60:.1f} 分钟", f"mean time out less mean time in, standard error {error / 60:.1f} min"
    )
    return f"stay: {text}   # {told}"
