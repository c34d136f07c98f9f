"""What was fitted, in a few lines for whoever typed the command: each figure with how sure it is, and what remains assumed."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Final

from flowwatch.words import Language
from flowwatch_sim.fitting.fit import Fit, Fitted, Kept
from flowwatch_sim.fitting.writing import WHY_NO_STAY, groups_of, interval, kind_name, unrest_of

SHOWN: Final = 10
"""Streams of a summary."""


def summary(fit: Fit, kept: list[Kept], left_out: dict[str, int], lang: Language) -> list[str]:
    """The lines."""

    def say(zh: str, en: str) -> str:
        return zh if lang == "zh" else en

    days = fit.days
    many, every = len(days.counters), days.slot_s // 60
    lines = [
        say(
            f"{days.site}：{len(days.dates)} 天，{many} 个计数器，每 {every} 分钟一次计数，每天从 {days.begins:02d}:00 起 {days.hours} 小时",
            f"{days.site}: {len(days.dates)} days, {many} counters, a count every {every} min, days of {days.hours} h from {days.begins:02d}:00",
        )
    ]
    if left_out:
        told = ", ".join(f"{reason} {rows:,}" for reason, rows in left_out.items())
        lines.append(say(f"未采用的记录：{told}", f"rows left out: {told}"))
    if days.outage_hours:
        hours = f"{days.outage_hours:,.0f}"
        lines.append(say(f"连续为零、视为中断：{hours} 个计数器小时", f"zeros taken for outages: {hours} counter hours"))
    for fitted in fit.streams[:SHOWN]:
        lines.append(f"{fitted.name}")
        for kind, found in fitted.kinds.items():
            span = interval(found.people, found.days)
            sure = say("仅 1 天，误差未知", "one day, its error is unknown")
            if span is not None:
                sure = say(
                    f"{found.days} 天，95% 区间 {span[0]:,.0f}–{span[1]:,.0f}", f"{found.days} days, 95 % {span[0]:,.0f} to {span[1]:,.0f}"
                )
            people = f"{found.people.value:,.0f}"
            lines.append(say(f"  {kind_name(kind, lang)}：{people} 人（{sure}）", f"  {kind_name(kind, lang)}: {people} people ({sure})"))
        lines.append("  " + "".join(_varying(fit, fitted, lang)))
    if len(fit.streams) > SHOWN:
        lines.append(say(f"……另有 {len(fit.streams) - SHOWN} 股客流", f"... and {len(fit.streams) - SHOWN} streams more"))
    if isinstance(fit.stay, str):
        zh, en = WHY_NO_STAY[fit.stay]
        lines.append(say(f"停留时间：无法拟合（{zh}），仍为假设", f"stay: not fitted, since {en}; still assumed"))
    else:
        mean, error = (x / 60 for x in fit.stay)
        lines.append(
            say(
                f"停留时间：平均 {mean:.1f} 分钟（标准误 {error:.1f}）", f"stay: {mean:.1f} min on the average (standard error {error:.1f})"
            )
        )
    lines += _kept(kept, lang)
    return lines


def _varying(fit: Fit, fitted: Fitted, lang: Language) -> Iterator[str]:
    ratio, turns, groups, unrest = fitted.ratio, fitted.unrest, groups_of(fitted), unrest_of(fitted)

    def say(zh: str, en: str) -> str:
        return zh if lang == "zh" else en

    if ratio is None:
        yield say(f"同行规模参数 {groups:g}（假设：数据不足以拟合）", f"groups {groups:g} (assumed: the counts cannot tell)")
    else:
        yield say(
            f"同行规模参数 {groups:g}（{fit.days.slot_s // 60} 分钟计数的方差/均值 {ratio.value:.2f} ± {ratio.error:.2f}）",
            f"groups {groups:g} (variance/mean of {fit.days.slot_s // 60}-min counts {ratio.value:.2f} ± {ratio.error:.2f})",
        )
    yield say("，", ", ")
    if turns is None:
        yield say(f"波动系数 {unrest:g}（假设）", f"unrest {unrest:g} (assumed)")
    else:
        error = "" if isnan(turns.error) else f" ± {turns.error:.3f}"
        minutes = round(fitted.turns_s / 60)
        yield say(f"波动系数 {unrest:g}{error}（每 {minutes} 分钟一变）", f"unrest {unrest:g}{error} every {minutes} min")


def _kept(kept: list[Kept], lang: Language) -> list[str]:
    """How well days are foreseen by the others of their kind."""
    if not kept:
        return ["没有同类的另一天可作检验" if lang == "zh" else "no day has another of its kind to be tested by"]
    worst = max(kept, key=lambda k: abs(1 - 1 / k.people) * k.size)
    whole = sum(k.size for k in kept)
    off, hourly = sum(abs(1 - 1 / k.people) * k.size for k in kept) / whole, sum(k.hourly * k.size for k in kept) / whole
    days = len(kept)
    if lang == "zh":
        foreseen = f"逐日检验（各日以其余同类日预测，{days} 天）：全日人数误差 {off:.0%}，逐小时人数误差 {hourly:.0%}"
        return [f"{foreseen}；误差最大的是 {worst.day}，实际为预测的 {worst.people:.2f} 倍"]
    foreseen = f"each day foreseen by the others of its kind ({days} days): people off by {off:.0%}, hours by {hourly:.0%}"
    return [f"{foreseen}; worst {worst.day}, {worst.people:.2f} times as many as foreseen"]
