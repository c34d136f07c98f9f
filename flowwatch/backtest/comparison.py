"""How two outcomes differ: figures side by side with their difference A - B, and the same in sentences.

The sentences name what a planner would act on: when stages come, how long before things get worse, what gates do, whom that concerns, how
much is asked and told. A difference of nothing is not told, and where nothing differs at all, that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowwatch.backtest.bench import LEVELS, SITE, Result
from flowwatch.core.readings import MINUTE
from flowwatch.titles import Clock, Language, Names
from flowwatch.vocabulary import level
from flowwatch.words import SECOND_US, duration

LETTERS: Final = "AB"
Outcome = Mapping[str, Any]


def figures(outcome: Outcome) -> dict[str, int | float]:
    """The numbers of an outcome that can be set against another's, by name."""
    asked = outcome["confirmations_asked"]
    found: dict[str, int | float] = {
        "transitions": outcome["transitions"],
        "commands": outcome["commands"],
        "confirmations_asked": asked["rise"] + asked["fall"],
        **{f"alerts.{level}": outcome["alerts"][level] for level in LEVELS},
        "above_calm_min": above_calm(outcome),
        "shut_min": outcome["shut_min"],
        "came_in": outcome["came_in"],
        "came_in_while_shut": outcome["came_in_while_shut"],
    }
    if SITE in outcome["peaks"]:
        found["peak.inside_m"] = outcome["peaks"][SITE]["inside_m"]
    for gate, told in outcome["gates"].items():
        found[f"gates.{gate}.shut_min"] = told["shut_min"]
        found[f"gates.{gate}.came_in_while_shut"] = told["came_in_while_shut"]
    for stage, minutes in outcome["stage_min"].get(outcome["plan"], {}).items():
        found[f"stages.{stage}.min"] = minutes
    for lead in outcome["leads"]:
        if lead["lead_us"] is not None:
            found[f"leads.{lead['stage']}.min"] = round(lead["lead_us"] / MINUTE, 3)
    return found


def above_calm(outcome: Outcome) -> float:
    """Minutes for which the main plan stood above its calmest stage."""
    calm = {lead["stage"] for lead in outcome["leads"]}
    return float(round(sum(m for stage, m in outcome["stage_min"].get(outcome["plan"], {}).items() if stage in calm), 3))


def comparison(result: Result) -> dict[str, Any]:
    """Of the first two outcomes: every figure that both have, as [A, B, A - B], and the sentences in both languages."""
    one, two = (figures(outcome) for outcome in result.outcomes[:2])
    both = {name: [one[name], two[name], round(one[name] - two[name], 3)] for name in one if name in two}
    return {"figures": both, "sentences": {language: sentences(result, language) for language in ("zh", "en")}}


def sentences(result: Result, language: Language) -> list[str]:
    """What differs between the first two outcomes, or how the only one went, told by importance."""
    names = [Names(contender.record, language) for contender in result.contenders]
    clock = Clock(result.contenders[0].record)
    if len(result.outcomes) < 2:
        return []
    told = list(_Telling(result.outcomes[0], result.outcomes[1], names, clock).all())
    same = names[0].say("在这份记录上，两套方案的决定完全相同。", "On this archive the two plans decide the same.")
    return told or [same]


def open_loop(language: Language) -> str:
    """What a backtest cannot say."""
    if language == "zh":
        return "开环回测：人员流动按记录原样回放。方案若真关闭了通道口，人流会改走别处；那时会怎样，要由仿真器回答。"
    return (
        "Open loop: people move as they were recorded. Had a plan shut a gate, they would have gone elsewhere; "
        "what happens then is the simulator's to say."
    )


class _Telling:
    """The differences of A and B in one language."""

    def __init__(self, one: Outcome, two: Outcome, names: list[Names], clock: Clock) -> None:
        self.both = (one, two)
        self.names, self.clock = names, clock
        self.say = names[0].say

    def all(self) -> Iterator[str]:
        yield from self._stages()
        yield from self._leads()
        yield from self._shut()
        yield from self._counts()
        yield from self._peak()

    def _stages(self) -> Iterator[str]:
        first = [{lead["stage"]: lead["first_risen_us"] for lead in outcome["leads"]} for outcome in self.both]
        for stage in dict.fromkeys([*first[0], *first[1]]):
            at = [found.get(stage) for found in first]
            title = self._title(stage, first)
            if not all(stage in found for found in first):
                has, when = ("A", at[0]) if stage in first[0] else ("B", at[1])
                moment = None if when is None else self.clock.moment(when)
                yield self.say(
                    f"只有 {has} 有“{title}”阶段，" + ("从未进入。" if moment is None else f"首次进入在 {moment}。"),
                    f'Only {has} has a stage "{title}", '
                    + ("which is never reached." if moment is None else f"first reached at {moment}."),
                )
            elif at[0] is None or at[1] is None:
                if at[0] is not at[1]:
                    yield self._reached_by_one(title, at)
            elif at[0] != at[1]:
                yield self._earlier(title, at[0], at[1])

    def _reached_by_one(self, title: str, at: list[int | None]) -> str:
        has, lacks, when = ("A", "B", at[0]) if at[0] is not None else ("B", "A", at[1])
        moment = self.clock.moment(when or 0)
        return self.say(
            f"“{title}”：{has} 于 {moment} 进入，{lacks} 从未进入。",
            f'"{title}" is reached at {moment} under {has} and never under {lacks}.',
        )

    def _earlier(self, title: str, one: int, two: int) -> str:
        sooner = "A" if one < two else "B"
        moments = (self.clock.moment(one), self.clock.time(two, one))
        times = self.say("A {}，B {}", "{} (A), {} (B)").format(*moments)
        span = self._span(abs(one - two))
        return self.say(f"“{title}”：{sooner} 早 {span}进入：{times}。", f'"{title}" comes {span} earlier under {sooner}: {times}.')

    def _leads(self) -> Iterator[str]:
        found = [{lead["stage"]: lead for lead in outcome["leads"]} for outcome in self.both]
        for stage in found[0]:
            lead = [leads[stage]["lead_us"] if stage in leads else None for leads in found]
            if lead[0] is None or lead[1] is None or lead[0] == lead[1]:
                continue
            title = self._title(stage, found)
            spans = [self._ahead(us) for us in lead if us is not None]
            yield self.say(
                f"“{title}”生效比下一条线被越过：A {spans[0]}，B {spans[1]}。",
                f'"{title}" is in force, against the moment that what comes next is crossed, {spans[0]} under A and {spans[1]} under B.',
            )

    def _shut(self) -> Iterator[str]:
        people = [outcome["came_in_while_shut"] for outcome in self.both]
        if people[0] != people[1]:
            yield self.say(
                f"在方案本应禁止进入的通道口，实际记录到进入：A {people[0]:,} 人，B {people[1]:,} 人（相差 {people[0] - people[1]:+,} 人）。",
                f"At gates that were to let nobody enter, {people[0]:,} people came in under A and {people[1]:,} under B "
                f"({people[0] - people[1]:+,}).",
            )
        minutes = [outcome["shut_min"] for outcome in self.both]
        if minutes[0] != minutes[1]:
            yield self.say(
                f"通道口禁入合计：A {minutes[0]:,.1f} 口·分钟，B {minutes[1]:,.1f} 口·分钟。",
                f"Gates let nobody enter for {minutes[0]:,.1f} gate-minutes under A and {minutes[1]:,.1f} under B.",
            )

    def _counts(self) -> Iterator[str]:
        above = [above_calm(outcome) for outcome in self.both]
        if above[0] != above[1]:
            yield self.say(
                f"高于平时阶段的时间：A {above[0]:,.1f} 分钟，B {above[1]:,.1f} 分钟。",
                f"The site is above its calm stage for {above[0]:,.1f} min under A and {above[1]:,.1f} min under B.",
            )
        kinds = (
            ("transitions", "阶段变更", "次", "changes of stage"),
            ("commands", "通道口指令", "条", "gate commands"),
            ("confirmations_asked", "请示确认", "次", "questions to persons"),
        )
        one, two = (figures(outcome) for outcome in self.both)
        different = [kind for kind in kinds if one[kind[0]] != two[kind[0]]]
        if different:
            zh = "；".join(f"{word} A {one[key]:,} {unit}、B {two[key]:,} {unit}" for key, word, unit, _ in different)
            en = "; ".join(f"{word}: {one[key]:,} under A, {two[key]:,} under B" for key, _, _, word in different)
            yield self.say(f"{zh}。", f"{self.names[0].sentence(en)}.")
        alerts = [{level: outcome["alerts"][level] for level in LEVELS} for outcome in self.both]
        if alerts[0] != alerts[1]:
            words = [
                self.names[0].listed(
                    [f"{level(code, self.names[0].language)}{self.say(f' {n} 次', f' {n:,} times')}" for code, n in of.items() if n]
                )
                for of in alerts
            ]
            none = self.say("无", "none")
            yield self.say(
                f"发布预警：A {words[0] or none}；B {words[1] or none}。", f"Alerts: A {words[0] or none}; B {words[1] or none}."
            )

    def _peak(self) -> Iterator[str]:
        peaks = [outcome["peaks"].get(SITE, {}).get("inside_m") for outcome in self.both]
        if None not in peaks and peaks[0] != peaks[1]:
            told = [f"{round(peak / 1000):,}" for peak in peaks]
            yield self.say(
                f"估计的在场峰值不同（A {told[0]}，B {told[1]}）：两套文件描述的景区不同。",
                f"The estimated peaks differ (A {told[0]}, B {told[1]}): the documents describe different sites.",
            )

    def _title(self, stage: str, found: list[Any]) -> str:
        names = self.names[0] if stage in found[0] else self.names[1]
        return names.stage(stage)

    def _span(self, us: int) -> str:
        return span(us, self.names[0].language)

    def _ahead(self, us: int) -> str:
        while_ = self._span(abs(us))
        return self.say(f"早 {while_}", f"{while_} ahead") if us >= 0 else self.say(f"晚 {while_}", f"{while_} late")


def span(us: int, language: Language) -> str:
    """A while in words, to the second below an hour and to the minute above.

    >>> span(90_000_000, "en"), span(3_720_000_000, "en")
    ('1 min 30 s', '1 h 2 min')
    """
    seconds = round(us / SECOND_US)
    return duration((seconds if seconds < 3600 else 60 * round(seconds / 60)) * SECOND_US, language)
