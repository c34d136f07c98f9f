"""One stage of a plan in words: when it comes and goes, who agrees, what the gates and everything else do, what people are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowwatch.planning import settings
from flowwatch.planning.conditions import comes, ways_down, ways_up
from flowwatch.planning.titles import Titles
from flowwatch.planning.words import BARRIERS, LINKS, duration, level, role, sentence, template, word


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
        *_measures(stage, record, titles),
        *_tasks(stage, titles),
        *_alert(stage, titles),
    ]


def agreed(terms: Mapping[str, Any], titles: Titles, *, rise: bool) -> str:
    """Who must say yes before a stage is entered (`rise`) or left, and what happens without an answer."""
    lang = titles.lang
    if terms["by"] is None:
        return titles.say("自动执行，无须确认。", "By itself; nobody is asked.")
    who = role(terms["by"], lang)
    asked = titles.say(f"须经{who}确认", f"{sentence(who)} must agree")
    if terms["within_us"] is None:
        return asked + titles.say("，确认前不执行。", "; until then nothing changes.")
    within = duration(terms["within_us"], lang)
    if terms["otherwise"] == "apply":
        fresh = "" if rise else titles.say("（数据须新鲜）", ", on fresh counts only")
        return asked + titles.say(f"；{within}内无人答复即自动执行{fresh}。", f"; without an answer within {within} it is done{fresh}.")
    return asked + titles.say(
        f"；{within}内无人答复则维持现状并提示。", f"; without an answer within {within} all stays as it is, and is reported."
    )


def _comes(plan: Mapping[str, Any], rank: int, titles: Titles) -> Iterator[Line]:
    stage = plan["stages"][rank]
    if rank == 0:
        case = titles.say("预案启用期间，", "while the case is in force and ") if plan["case"] is not None else titles.say("", "when ")
        yield Line(0, titles.say(f"启动：{case}其他阶段都不成立时。", f"Comes: {case}no other stage is due."))
        return
    common, ways = ways_up(stage, titles)
    if not stage["clauses"]:
        yield Line(0, titles.say("启动：没有自身条件。", "Comes: it has no condition of its own."))
    elif len(ways) < 2 or (len(ways) == 2 and not common and all(len(clause) == 1 for clause in stage["clauses"])):
        yield Line(0, titles.say(f"启动：当{comes(stage, titles)}。", f"Comes: when {comes(stage, titles)}."))
    else:
        must = titles.say(f"当{common}，且", f"when {common}, and at the same time ") if common else titles.say("当", "when ")
        yield Line(0, titles.say(f"启动：{must}符合以下任何一条：", f"Comes: {must}any one of these holds:"))
        yield from (Line(1, sentence(way) + titles.say("。", ".")) for way in ways)
    for rule in plan["degraded"]:
        if rule["stage"] == stage["stage"]:
            told = comes(rule, titles)
            yield Line(1, titles.say(f"此外，数据降级规则“{rule['rule']}”：当{told}。", f'Also by the rule "{rule["rule"]}": when {told}.'))
    yield Line(1, titles.say("启动确认：", "Agreement to enter: ") + agreed(stage["confirm"]["rise"], titles, rise=True))


def _goes(plan: Mapping[str, Any], rank: int, titles: Titles) -> Iterator[Line]:
    stage = plan["stages"][rank]
    parts = [stage, *(rule for rule in plan["degraded"] if rule["stage"] == stage["stage"])]
    ends = ways_down(parts, titles)
    dwell = (
        titles.say(f"启动至少 {duration(stage['dwell_us'], 'zh')}后", f"after at least {duration(stage['dwell_us'], 'en')}")
        if stage["dwell_us"]
        else ""
    )
    fresh = titles.say("且数据新鲜", "on fresh counts only")
    if len(ends) == 1:
        after = f"{dwell}，" if dwell else ""
        yield Line(0, titles.say(f"解除：{after}当{ends[0]}{fresh}。", f"Goes: when {ends[0]}, {f'{dwell} and ' if dwell else ''}{fresh}."))
    elif ends:
        one = any(len(clause) > 1 for part in parts for clause in part["clauses"])
        rule = titles.say(
            "；以“且”相连的，一项结束即结束" if one else "", "; of those joined by “and”, one that ends is enough" if one else ""
        )
        yield Line(
            0,
            titles.say(
                f"解除：{dwell}上述条件都已结束时{rule}。各项结束的条件（数据须新鲜）：",
                f"Goes: {f'{dwell}, ' if dwell else ''}when none of these holds any more{rule}. Each ends, {fresh}:",
            ),
        )
        yield from (Line(1, titles.say(f"{end}。", f"When {end}.")) for end in ends)
    elif dwell:
        yield Line(0, titles.say(f"解除：{dwell}。", f"Goes: {dwell}."))
    yield Line(1, titles.say("解除确认：", "Agreement to leave: ") + agreed(stage["confirm"]["fall"], titles, rise=False))


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


def measures(stage: Mapping[str, Any], record: Mapping[str, Any], titles: Titles) -> list[str]:
    """What a stage asks of links, barriers and signs, a sentence each."""
    told = []
    ends = {link["link"]: (titles.zone(link["from"]), titles.zone(link["to"])) for link in record["links"]}
    for link, way in stage["links"].items():
        name, (a, b) = titles.of("link", link), ends.get(link, ("?", "?"))
        if way == "one_way_back":
            a, b = b, a
        if way == "both" or a == b:
            told.append(titles.say(f"{name}：{word(LINKS, way, 'zh')}", f"{name}: {word(LINKS, way, 'en')}"))
        else:
            told.append(titles.say(f"{name}：单向通行，由{a}到{b}", f"{name}: one way, from {a} to {b}"))
    for barrier, state in stage["barriers"].items():
        told.append(f"{titles.of('barrier', barrier)}{titles.say('：', ': ')}{word(BARRIERS, state, titles.lang)}")
    kinds = {sign["sign"]: sign["kind"] for sign in record["signs"]}
    for sign, text in stage["signs"].items():
        name = titles.of("sign", sign)
        spoken = kinds.get(sign) == "broadcast"
        verb = titles.say("播报" if spoken else "显示", "says" if spoken else "shows")
        told.append(titles.say(f"{name}{verb}“{text['zh']}”", f'{name} {verb} "{text["en"]}"'))
    return told


def _measures(stage: Mapping[str, Any], record: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    found = measures(stage, record, titles)
    if found:
        yield Line(0, titles.say("通道、升降柱和信息发布：", "Links, barriers and signs:"))
        yield from (Line(1, text + titles.say("。", ".")) for text in found)


def task(found: Mapping[str, Any], titles: Titles) -> str:
    """A task: who, by when, what."""
    who, within = role(found["role"], titles.lang), duration(found["within_us"], titles.lang)
    return titles.say(f"{who}，{within}内：{titles.text(found, 'text')}", f"{sentence(who)}, within {within}: {titles.text(found, 'text')}")


def _tasks(stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    if stage["tasks"]:
        yield Line(0, titles.say("任务：", "Tasks:"))
        yield from (Line(1, task(found, titles)) for found in stage["tasks"])


def _alert(stage: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    if stage["alert"] is None:
        return
    headline, instruction = (template(titles.text(stage["alert"], key), titles.lang) for key in ("headline", "instruction"))
    yield Line(0, titles.say(f"预警：{headline}", f"Alert: {headline}"))
    yield Line(1, titles.say(f"提示：{instruction}", f"Instruction: {instruction}"))
