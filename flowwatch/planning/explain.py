"""A whole compiled plan in plain Chinese or English: what it rests on, when each stage comes and goes, who agrees, what everything does then.

Everything is read from the compiled record, so it is what the engine will do and not what a comment says. An explanation is an outline: lines
with a depth. `explain` renders it as Markdown that reads well as plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from flowwatch.conditions import comes
from flowwatch.planning import settings
from flowwatch.planning.stages import Line, stage_lines
from flowwatch.planning.titles import Titles
from flowwatch.titles import Clock
from flowwatch.vocabulary import DELIVERIES, level, template
from flowwatch.words import Language, closed, count, day, day_spans, plain, say, sentence


def explain(record: Mapping[str, Any], lang: Language) -> str:
    """The whole plan of a compiled site, as Markdown."""
    told: list[str] = []
    for line in outline(record, lang):
        if line.depth < 0:
            told += ["", f"{'#' * -line.depth} {line.text}", ""]
        else:
            told.append(f"{'  ' * line.depth}- {line.text}")
    return "\n".join(told).strip("\n") + "\n"


def outline(record: Mapping[str, Any], lang: Language) -> list[Line]:
    """The explanation of a compiled site, line by line."""
    titles = Titles(record, lang)
    if not record["plans"]:
        return [
            Line(-1, titles.site),
            Line(0, titles.say("该景区没有管控方案：只计数，不作决定。", "The site has no plan: people are counted, nothing is decided.")),
        ]
    told: list[Line] = []
    for i, plan in enumerate(record["plans"]):
        told += _plan(record, plan, titles, main=i == 0)
    return told


# -- a plan -----------------------------------------------------------------------------------------------------------------------------


def _plan(record: Mapping[str, Any], plan: Mapping[str, Any], titles: Titles, *, main: bool) -> Iterator[Line]:
    kind = _kind(plan, titles)
    yield Line(-1, titles.text(plan) + (f" — {kind}" if kind and titles.language == "en" else f"（{kind}）" if kind else ""))
    if plan["basis"] is not None:
        yield Line(0, titles.say(f"依据：{titles.text(plan, 'basis')}", f"Basis: {titles.text(plan, 'basis')}"))
    yield Line(0, _valid(record, plan, titles))
    if main:
        yield from _site(record, titles)
    yield from _case(plan, titles)
    yield from _dates(plan, titles)
    ladder = " → ".join(titles.text(stage) for stage in plan["stages"])
    n = len(plan["stages"])
    yield Line(
        0,
        titles.say(
            f"共 {n} 个阶段，由平时到最严：{ladder}。条件成立的最高一级生效；数值在两个阈值之间时维持原状，数据中断不会使阶段下调。",
            f"{sentence(count(n))} stage{'s' if n > 1 else ''}, calm to strictest: {ladder}. The highest whose condition holds is in force; "
            "between its two bars a condition stays as it is, and silent counters never lower a stage.",
        ),
    )
    if main and len(record["plans"]) > 1:
        others = [titles.text(p) + titles.say(f"（{_kind(p, titles)}）", f" ({_kind(p, titles)})") for p in record["plans"][1:]]
        listed = titles.say("；", "; ").join(others)
        yield Line(
            0,
            titles.say(
                f"另有：{listed}。各方案对同一通道口要求不一致时，进入从严、离开从宽。",
                f"Beside it: {listed}. Where they ask different things of a gate, the one that lets fewest in and most out counts.",
            ),
        )
    for rank in range(n):
        yield from stage_lines(record, plan, rank, titles)
    yield from _degraded(plan, titles)


def _kind(plan: Mapping[str, Any], titles: Titles) -> str:
    zone = None if plan["zone"] is None else titles.zone(plan["zone"])
    if plan["case"] is not None:
        return titles.say("专项预案" if zone is None else f"专项预案，{zone}", "a case" if zone is None else f"a case for {zone}")
    return "" if zone is None else titles.say(f"分区方案：{zone}", f"zone plan for {zone}")


def _valid(record: Mapping[str, Any], plan: Mapping[str, Any], titles: Titles) -> str:
    since, until = (None if plan[key] is None else moment(record, plan[key], titles.language) for key in ("valid_from_us", "valid_to_us"))
    if since is None and until is None:
        return titles.say("有效期：长期有效。", "Valid: always.")
    if until is None:
        return titles.say(f"有效期：自 {since}起。", f"Valid: from {since} on.")
    if since is None:
        return titles.say(f"有效期：至 {until}（不含）。", f"Valid: until {until}, that moment excluded.")
    return titles.say(f"有效期：自 {since}起，至 {until}（不含）。", f"Valid: from {since} until {until}, that moment excluded.")


def moment(record: Mapping[str, Any], at_us: int, lang: Language) -> str:
    """A moment on the site's clocks; only the date where it is midnight."""
    on, _, time = Clock(record).moment(at_us).partition(" ")
    shown = day((date.fromisoformat(on) - date(1970, 1, 1)).days, lang)
    time = time.removesuffix(":00")
    return shown if time == "00:00" else say(lang, f"{shown} {time} ", f"{shown}, {time}")


def _site(record: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    n, most = len(record["gates"]), settings.capacity(record)
    floor = plain(record["egress_min_per_min"])
    yield Line(
        0,
        titles.say(
            f"适用于{titles.site}：{n} 个通道口，瞬时承载量 {most:,} 人；任何阶段疏散能力不得低于每分钟 {floor} 人。",
            f"For {titles.site}: {count(n)} gate{'s' if n != 1 else ''}, room for {most:,} people at one moment; "
            f"in every stage at least {floor} persons/min can leave.",
        ),
    )
    delivery = titles.word(DELIVERIES, record["delivery"])
    others = sorted({gate["delivery"] for gate in record["gates"]} - {record["delivery"]})
    told = titles.say(f"指令下发方式：{delivery}。", f"Commands: {delivery}.")
    for other in others:
        row = titles.in_row(gate["gate"] for gate in record["gates"] if gate["delivery"] == other)
        how = titles.word(DELIVERIES, other)
        told += titles.say(f"{row}：{how}。", f" {titles.sentence(row)}: {how}.")
    yield Line(0, told)


def _case(plan: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    case = plan["case"]
    if case is None:
        return
    if case["declared_only"] or not case["clauses"]:
        yield Line(0, titles.say("启用条件：仅由值班人员宣布启用。", "In force: only when an operator declares it."))
    else:
        when = comes(case, titles)
        yield Line(0, titles.say(f"启用条件：{when}；或由值班人员宣布启用。", f"In force: when {when}; or when an operator declares it."))
    yield Line(
        0,
        titles.say(
            "启用期间，主方案处于平时阶段时不对通道口提出要求，以本预案为准。",
            "While it is in force and the main plan is calm, the main plan asks nothing of the gates.",
        )
        if case["effect"] == "replace"
        else titles.say(
            "启用期间，与主方案同时生效，从严执行。", "While it is in force both it and the main plan apply, and the stricter counts."
        ),
    )


def _dates(plan: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    for event, spans in plan["days"].items():
        if event not in ("holiday", "makeup"):
            told = day_spans(spans, titles.language)
            yield Line(0, titles.say(f"“{event}”活动日：{told}。", f'The days of "{event}": {told}.'))
    if plan["days_until"] is not None:
        until = day(plan["days_until"], titles.language)
        yield Line(
            0,
            titles.say(
                f"法定节假日和调休上班日已知至 {until}；此后按星期计算。",
                f"Public holidays and worked weekends are known until {until}; after that only the days of the week count.",
            ),
        )


def _degraded(plan: Mapping[str, Any], titles: Titles) -> Iterator[Line]:
    if not plan["degraded"]:
        return
    yield Line(-2, titles.say("数据不足时（降级运行）", "When data fail"))
    for rule in plan["degraded"]:
        asks = []
        if rule["stage"] is not None:
            stage = titles.stage(rule["stage"], plan["plan"])
            asks.append(titles.say(f"阶段不低于“{stage}”", f'the stage is at least "{stage}"'))
        if rule["level"] is not None:
            told = level(rule["level"], titles.language)
            asks.append(titles.say(f"按{told}预警", f"the warning is {told}"))
        when, then = comes(rule, titles), titles.say("，", " and ").join(asks)
        headline = template(titles.text(rule, "headline"), titles.language)
        told = titles.say(f"规则“{rule['rule']}”：{when}时，{then}。", f'Rule "{rule["rule"]}": when {when}, {then}.')
        said = closed(titles.say("提示：", " It says: ") + headline, titles.language) if headline else ""
        yield Line(0, told + said)
