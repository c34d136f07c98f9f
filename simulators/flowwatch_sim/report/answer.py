"""The question of a report and its answer in three sentences for each plan, made of the verdicts: crowding and who pays for it, the queue
outside, the gates and the way home. Where 0 lies in an interval a sentence says that no difference is shown, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from flowwatch.words import sentence, spaced
from flowwatch_sim.report.matter import Matter
from flowwatch_sim.report.measured import UNITS, decimals, figure, kind, number
from flowwatch_sim.statistics import Difference, Verdict


@dataclass(frozen=True, slots=True)
class _Clause:
    """What one measure says of a plan; `verdict` None: it was not compared."""

    verdict: Verdict | None
    text: str


_SAID: Final = {
    "peak": ("{0}峰值低 {n} 人", "{0}峰值高 {n} 人", "the peak at {0} is {n} people lower", "the peak at {0} is {n} people higher"),
    "turned_away": ("未能入场的少 {n} 人", "未能入场的多 {n} 人", "{n} fewer people are turned away", "{n} more people are turned away"),
    "queue_most": (
        "场外排队最多时少 {n} 人",
        "场外排队最多时多 {n} 人",
        "the longest queue is {n} people shorter",
        "the longest queue is {n} people longer",
    ),
    "queue_time": (
        "所有人的场外等候时间合计少 {n} {u}",
        "所有人的场外等候时间合计多 {n} {u}",
        "all people together wait {n} {u} less",
        "all people together wait {n} {u} more",
    ),
    "switches": (
        "通道口每天少转换 {n} 次",
        "通道口每天多转换 {n} 次",
        "there are {n} fewer changes of gates a day",
        "there are {n} more changes of gates a day",
    ),
    "clear_t95": (
        "散场时 95% 的人离场快 {n} {u}",
        "散场时 95% 的人离场慢 {n} {u}",
        "after the end 95 % are out {n} {u} sooner",
        "after the end 95 % are out {n} {u} later",
    ),
}
"""Measure -> less and more in Chinese, less and more in English; {n} {u}: how much."""
_NAMED: Final = {
    "peak": ("{0}峰值", "the peak at {0}"),
    "turned_away": ("未能入场人数", "the number turned away"),
    "queue_most": ("场外最长排队", "the longest queue"),
    "queue_time": ("场外等候总时长", "the time that all together wait"),
    "switches": ("通道口转换次数", "the number of changes of gates"),
    "clear_t95": ("散场用时", "the time until 95 % are out"),
}


def question(matter: Matter) -> str:
    """What a planner wants to know."""
    site, day = matter.site, matter.names[0].quoted(matter.title)
    if not matter.several:
        return matter.say(
            f"在{day}这样的客流下，按{matter.names[0].quoted(matter.plan_title(0))}管控，{site}场内外会是什么情况？",
            f"On a day like {day}, what becomes of {site} and of those outside under the plan {matter.names[0].quoted(matter.plan_title(0))}?",
        )
    others = matter.names[0].listed([matter.called(i) for i in range(1, len(matter.setups))], matter.say("和", "and"))
    return matter.say(
        f"在{day}这样的客流下，{site}采用{_apart(others).rstrip()}，与{_apart(matter.called(0))}相比，场内外有哪些不同？",
        f"On a day like {day} at {site}, what does {others} change, inside and outside, compared with {matter.called(0)}?",
    )


def answer(matter: Matter) -> list[list[str]]:
    """Three sentences for each setup but the first; for a single setup three of its own."""
    if not matter.several:
        return [_alone(matter)]
    return [_of(matter, i) for i in range(1, len(matter.setups))]


def _of(matter: Matter, i: int) -> list[str]:
    say, name, base = matter.say, matter.called(i), matter.called(0)
    inside = _joined(matter, [_clause(matter, i, f"peak/{matter.main_zone}"), _clause(matter, i, "turned_away")])
    outside = _joined(matter, [_clause(matter, i, "queue_most"), _clause(matter, i, "queue_time")])
    control = _joined(matter, [_clause(matter, i, "switches"), _clause(matter, i, "clear_t95")])
    return [
        say(f"与{_apart(base)}相比，采用{_apart(name)}时{inside}。", f"Under {name}, compared with {base}, {inside}."),
        say(f"场外方面，{outside}。", f"Outside, {outside}."),
        say(f"管控执行方面，{control}。", f"As for control, {control}."),
    ]


def _clause(matter: Matter, i: int, measure: str) -> _Clause:
    row, head = matter.table.rows.get(measure), measure.partition("/")[0]
    zone = matter.names[0].zone(measure.partition("/")[2]) if "/" in measure else ""
    named = matter.say(*_NAMED[head]).replace("{0}", zone)
    difference = None if row is None else row.differences[i - 1]
    if row is None or difference is None:
        return _Clause(None, matter.say(f"{named}未作比较", f"{named} is not compared"))
    verdict = row.verdicts[i - 1]
    if difference.low == difference.high == 0:
        return _Clause(Verdict.OPEN, matter.say(f"{named}每天都相同", f"{named} is the same on every day"))
    much = _amount(matter, measure, difference)
    if verdict is Verdict.OPEN or verdict is None:
        told = matter.say(
            f"{named}未见差异（差值的 95% 区间为 {much.signed} {much.unit}）",
            f"no difference is shown in {named} (95 % interval {much.signed} {much.unit})",
        )
        return _Clause(Verdict.OPEN, told)
    less_zh, more_zh, less_en, more_en = _SAID[head]
    less = difference.mean < 0
    said = matter.say(less_zh if less else more_zh, less_en if less else more_en).replace("{n}", much.mean).replace("{u}", much.unit)
    return _Clause(verdict, said.replace("{0}", zone) + matter.say(f"（95% 区间 {much.bare}）", f" (95 % interval {much.bare})"))


@dataclass(frozen=True, slots=True)
class _Amount:
    """A difference in words: without its sign, and the ends of its interval without signs, the smaller first, or with them."""

    mean: str
    bare: str
    signed: str
    unit: str


def _amount(matter: Matter, measure: str, difference: Difference) -> _Amount:
    """As it is read: minutes that are less than one are seconds."""
    short = UNITS[kind(measure).unit] == UNITS["min"] and max(abs(difference.low), abs(difference.high)) < 1
    times = 60 if short else 1
    mean, low, high = (times * value for value in (difference.mean, difference.low, difference.high))
    places = decimals(measure, difference) if not short else 1 if not low <= 0 <= high and min(abs(low), abs(high)) < 0.5 else 0
    ends = [number(end, places) for end in sorted((abs(low), abs(high)))]
    to = matter.say(" 至 ", " to ")
    unit = matter.say(*UNITS[kind(measure).unit]).replace("person-min", "person-minutes")
    signed = to.join(number(end, places, signed=True) for end in (low, high))
    return _Amount(number(abs(mean), places), to.join(ends), signed, matter.say("秒", "s") if short else unit)


def lead(matter: Matter, i: int) -> str:
    """What a plan comes to in one line: crowding inside and the burden outside, each by its verdicts."""
    rows = matter.table.rows

    def verdicts(*measures: str) -> set[Verdict]:
        found = {rows[name].verdicts[i - 1] for name in measures if name in rows}
        return {verdict for verdict in found if verdict not in (None, Verdict.OPEN)}

    inside, outside = verdicts(f"peak/{matter.main_zone}"), verdicts("turned_away", "queue_time")
    told = matter.say(_INSIDE[frozenset(inside)][0], _INSIDE[frozenset(inside)][1])
    out = matter.say(_OUTSIDE[frozenset(outside)][0], _OUTSIDE[frozenset(outside)][1])
    against = {*inside, *outside} == {Verdict.BETTER, Verdict.WORSE}
    weigh = matter.say("，须权衡取舍", "; one has to be weighed against the other") if against else ""
    return matter.say(f"{_apart(matter.called(i)).strip()}：{told}，{out}{weigh}。", f"{matter.called(i)}: {told}, {out}{weigh}.")


_BETTER, _WORSE = frozenset({Verdict.BETTER}), frozenset({Verdict.WORSE})
_INSIDE: Final = {
    _BETTER: ("场内峰值降低", "fewer people inside at the peak"),
    _WORSE: ("场内峰值升高", "more people inside at the peak"),
    frozenset[Verdict](): ("场内峰值未见差异", "no difference shown inside"),
}
_OUTSIDE: Final = {
    _BETTER: ("场外负担减轻", "a lighter burden outside"),
    _WORSE: ("场外负担加重", "a heavier burden outside"),
    _BETTER | _WORSE: ("场外有得有失", "better and worse outside"),
    frozenset[Verdict](): ("场外未见差异", "none shown outside"),
}


def _joined(matter: Matter, clauses: Sequence[_Clause]) -> str:
    """Clauses in a row: "but" where one is better and the next one worse."""
    text = clauses[0].text
    for before, after in pairwise(clauses):
        against = {before.verdict, after.verdict} == {Verdict.BETTER, Verdict.WORSE}
        same = before.verdict is after.verdict
        link = matter.say("，但" if against else "，" if same else "；", ", but " if against else ", and " if same else "; ")
        text += link + after.text
    return text


def _apart(name: str) -> str:
    """A name as it stands between Chinese characters: a Latin letter or digit stands off."""
    return spaced(name) + (" " if name[-1:].isascii() and name[-1:].isalnum() else "")


def _alone(matter: Matter) -> list[str]:
    """What a single setup comes to: means, and the least and the most of its days."""
    say, zone = matter.say, matter.main_zone

    def told(measure: str) -> str:
        row = matter.table.rows[measure]
        span, unit = row.spans[0], matter.say(*UNITS[kind(measure).unit])
        gap = "" if unit == "%" and matter.language == "zh" else " "
        mean = f"{figure(measure, row.means[0])}{gap}{unit}"
        if span is None or len(matter.table.seeds) < 2:
            return mean
        ends = say(" 至 ", " to ").join(figure(measure, end) for end in span)
        return say(f"{mean}（各日 {ends}）", f"{mean} ({ends} over the days)")

    name = matter.names[0].zone(zone)
    bars = [bar.people for bar in matter.bars(0, zone) if f"minutes_over/{zone}/{bar.people:g}" in matter.table.rows]
    over = ""
    if bars:
        measure, bar = f"minutes_over/{zone}/{bars[0]:g}", number(bars[0], 0)
        over = say(f"，超过 {bar} 人的时间平均 {told(measure)}", f", and more than {bar} are inside for {told(measure)} a day")
    sentences = [
        say(f"{name}峰值平均 {told(f'peak/{zone}')}{over}。", f"the peak at {name} averages {told(f'peak/{zone}')}{over}."),
        say(
            f"场外排队最多时平均 {told('queue_most')}，未能入场的平均 {told('turned_away')}。",
            f"outside, the longest queue averages {told('queue_most')}, and {told('turned_away')} are turned away.",
        ),
        say(
            f"实际人数落在人数区间内的时间占{_apart(told('band')).rstrip()}，散场后 95% 的人离场用时平均{_apart(told('clear_t95')).rstrip()}。",
            f"the true figure lies inside the band {told('band')} of the time, and 95 % are out {told('clear_t95')} after the end.",
        ),
    ]
    return [sentence(text, matter.language) for text in sentences]
