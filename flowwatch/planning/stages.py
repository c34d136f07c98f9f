"""One stage of a plan in words: when it comes and goes, who agrees, what the gates and everything else do, what people are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowwatch.conditions import comes, one_is_enough, ways_down, ways_up
from flowwatch.devices import device
from flowwatch.planning import settings
from flowwatch.planning.titles import Titles
from flowwatch.texts import instruction
from flowwatch.vocabulary import level, template
from flowwatch.words import closed, duration


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation. `depth` below 0 is a heading (-1 of a plan, -2 of a part), 0 and more a point in points."""

    depth: int
    text: str


def stage_lines(record: Mapping[str, Any], plan: Mapping[str, Any], rank: int, titles: Titles) -> list[Line]:
    """Stage `rank` (0 the calmest) of a plan: its heading and all that holds in it."""
    stage = plan["stages"][rank]
    heading = titles.say(
        f"第 {rank + 1} 阶段 {titles.text(stage)}：{level(stage['level'], 'zh')}",
        f"Stage {rank + 1}, {titles.text(stage)}: {level(stage['level'], 'en')}",
    )
    return [
        Line(-2, heading),
        *_comes(plan, rank, titles),
        *(_goes(plan, rank, titles) if rank else ()),
        *_gates(record, stage, titles),
        *_measures(stage, titles),
        *_tasks(stage, titles),
        *_alert(stage, titles),
    ]


def agreed(terms: Mapping[str, Any], titles: Titles, *, rise: bool) -> str:
    """Who must say yes before a stage begins (`rise`) or ends, and what happens without an answer; without a full stop."""
    if terms["by"] is None:
        return titles.say("无须确认，自动执行", "not needed")
    who = titles.role(terms["by"])
    asked = titles.say(f"须经{who}确认", f"{who} must agree")
    if terms["within_us"] is None:
        return asked + titles.say("，确认前不执行", "; until then nothing changes")
    within = duration(terms["within_us"], titles.language)
    if terms["otherwise"] == "apply":
        fresh = "" if rise else titles.say("（数据须足够新）", ", on fresh counts only")
        return asked + titles.say(f"；{within}内无人答复即自动执行{fresh}", f"; without an answer within {within} it goes ahead{fresh}")
    return asked + titles.say(
        f"；{within}内无人答复则不执行并提示", f"; without an answer within {within} nothing changes, and that is reported"
    )


def _comes(plan: Mapping[str, Any], rank: int, titles: Titles) -> Iterator[Line]:
    stage = plan["stages"][rank]
    if rank == 0:
        case = titles.say("预案启用期间，", "while the case is in force and ") if plan["case"] is not None else titles.say("", "when ")
        yield Line(0, titles.say(f"启动条件：{case}其他阶段均不成立。", f"Begins: {case}no other stage is due."))
        return
    common, ways = ways_up(stage, titles)
    if not stage["clauses"]:
        yield Line(0, titles.say("启动条件：没有自身条件。", "Begins: it has no condition of its own."))
    elif len(ways) < 2 or (len(ways) == 2 and not common and all(len(clause) == 1 for clause in stage["clauses"])):
        yield Line(0, titles.say(f"启动条件：{comes(stage, titles)}。", f"Begins: when {comes(stage, titles)}."))
    else:
        must = titles.say(
            f"启动条件：{common}，且符合以下任何一条：" if common else "启动条件（符合任何一条即可）：",
            f"Begins: when {f'{common}, and at the same time ' if common else ''}any one of these holds:",
        )
        yield Line(0, must)
        yield from (Line(1, titles.sentence(way) + titles.say("。", ".")) for way in ways)
    for rule in plan["degraded"]:
        if rule["stage"] == stage["stage"]:
            told = comes(rule, titles)
            yield Line(1, titles.say(f"另按数据降级规则“{rule['rule']}”启动：{told}。", f'Also by the rule "{rule["rule"]}": when {told}.'))
    asked = agreed(stage["confirm"]["rise"], titles, rise=True)
    yield Line(1, titles.say(f"启动确认：{asked}。", f"Approval to begin: {asked}."))


def _goes(plan: Mapping[str, Any], rank: int, titles: Titles) -> Iterator[Line]:
    stage = plan["stages"][rank]
    parts = [stage, *(rule for rule in plan["degraded"] if rule["stage"] == stage["stage"])]
    ends = ways_down(parts, titles)
    least = duration(stage["dwell_us"], titles.language) if stage["dwell_us"] else ""
    kept, after = (f"本阶段已保持至少 {least}", f"after at least {least}") if least else ("", "")
    if len(ends) == 1:
        zh, en = "，".join(filter(None, ("数据足够新", kept and f"且{kept}"))), ", ".join(filter(None, (after, "on fresh counts only")))
        yield Line(0, titles.say(f"解除条件：{ends[0]}，{zh}。", f"Ends: when {ends[0]}, {en}."))
    elif ends:
        enough = one_is_enough(parts, titles)
        rule = titles.say(f"（{enough}）", f" ({enough})") if enough else ""
        yield Line(
            0,
            titles.say(
                f"解除条件：上述条件均已解除{rule}{f'，且{kept}' if kept else ''}。各项的解除条件（数据须足够新）：",
                f"Ends: when none of these holds any more{rule}{f', {after}' if after else ''}. Each ends, on fresh counts only:",
            ),
        )
        yield from (Line(1, titles.say(f"{end}。", f"When {end}.")) for end in ends)
    elif least:
        yield Line(0, titles.say(f"解除条件：{kept}。", f"Ends: {after}."))
    asked = agreed(stage["confirm"]["fall"], titles, rise=False)
    yield Line(1, titles.say(f"解除确认：{asked}。", f"Approval to end: {asked}."))


def _gates(record: Mapping[str, Any], stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    yield Line(0, titles.say("通道口：", "Gates:"))
    yield from (Line(1, text) for text in settings.sentences(stage["gates"], titles))
    found = settings.way_out(record, stage["gates"])
    if found is None:
        return
    per_min, minutes = found
    most = settings.capacity(record)
    cleared = (
        titles.say("无法清空", "the site cannot be cleared")
        if minutes is None
        else titles.say(
            f"满员（{most:,} 人）时清空至少需 {minutes:,} 分钟",
            f"a full site ({most:,} people) is empty after {minutes:,} min at the earliest",
        )
    )
    yield Line(1, titles.say(f"疏散能力每分钟 {per_min:,} 人；{cleared}。", f"Capacity out: {per_min:,} persons/min; {cleared}."))


def measures(stage: Mapping[str, Any], titles: Titles) -> list[str]:
    """What a stage asks of links, barriers and signs, a sentence each, without full stops."""
    asked = [(kind, name, state) for kind in ("link", "barrier", "sign") for name, state in stage[f"{kind}s"].items()]
    return [device(kind, name, state, titles) for kind, name, state in asked]


def _measures(stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    found = measures(stage, titles)
    if found:
        yield Line(0, titles.say("通道、路障和信息发布：", "Links, barriers and signs:"))
        yield from (Line(1, closed(text, titles.language)) for text in found)


def task(found: Mapping[str, Any], titles: Titles) -> str:
    """A task: who, by when, what."""
    who, within, text = titles.role(found["role"]), duration(found["within_us"], titles.language), titles.text(found, "text")
    return titles.say(f"{who}（{within}内）：{text}", f"{titles.sentence(who)}, within {within}: {text}")


def _tasks(stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    if stage["tasks"]:
        yield Line(0, titles.say("任务：", "Tasks:"))
        yield from (Line(1, closed(task(found, titles), titles.language)) for found in stage["tasks"])


def _alert(stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    if stage["alert"] is None:
        return
    headline, told = (template(titles.text(stage["alert"], key), titles.language) for key in ("headline", "instruction"))
    yield Line(0, titles.say("预警：", "Alert: ") + closed(headline, titles.language))
    yield Line(1, instruction(told, titles))
