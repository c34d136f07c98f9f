"""The tables that people read of a backtest: a title, a head, rows of texts. How they are drawn is the terminal's matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.backtest.bench import LEVELS, SITE, Result
from flowwatch.backtest.comparison import LETTERS, figures, span
from flowwatch.backtest.leads import CAPACITY
from flowwatch.titles import Clock, Language, Names
from flowwatch.vocabulary import MODES, level

NOTHING: Final = "-"
MOST_GATES: Final = 40
"""A site with more gates is a city; nobody reads that many rows."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table; `numbers`: the columns that are set to the right."""

    title: str
    head: Sequence[str]
    rows: list[list[str]]
    numbers: frozenset[int] = frozenset()


def heading(result: Result, language: Language) -> list[str]:
    """What was tried on what: lines above the tables."""
    names, archive = Names(result.contenders[0].record, language), result.archive
    clock, say = Clock(result.contenders[0].record), names.say
    if archive["first_us"] is None:
        lines = [say("所选时间内没有时刻标记，无可回测。", "There is no tick in the chosen time: nothing to try plans on.")]
    else:
        since, until = clock.moment(archive["first_us"]), clock.moment(archive["last_us"])
        lines = [
            say(f"{names.zone(SITE)}：{since} 至 {until}（{clock.zone}）", f"{names.zone(SITE)}: {since} to {until} ({clock.zone})")
            + say("，", ", ")
            + say(
                f"读数 {archive['readings']:,} 条，有效时长 {archive['observed_min']:,.0f} 分钟",
                f"{archive['readings']:,} readings, {archive['observed_min']:,.0f} min observed",
            )
        ]
    for letter, contender, outcome in zip(LETTERS, result.contenders, result.outcomes, strict=False):
        title = (outcome["title"] or {}).get(language) or say("无方案", "no plan")
        version = "" if contender.version is None else f", {contender.version}"
        lines.append(say(f"{letter}：{contender.name}（{title}{version}）", f"{letter}: {contender.name} ({title}{version})"))
        for key, zh, en in (
            (
                "only_in_archive",
                "记录中有、景区文件中没有的计数器，其读数不计入",
                "counters of the archive that its site file lacks, whose readings do not count",
            ),
            (
                "only_in_site_file",
                "景区文件中有、记录中没有的计数器，始终无数据",
                "counters of its site file that the archive lacks, which stay silent",
            ),
        ):
            found = outcome["counters"][key]
            if found:
                lines.append(f"   {say(zh, en)}: {_some([name.partition('/')[2] for name in found])}")
    answers = {"yes": ("一律同意", "yes at once"), "no": ("一律不同意", "no"), "none": ("无人答复", "nobody answers")}
    lines.append(say("需要确认时：", "When somebody is asked to confirm: ") + say(*answers[result.how["answer"]]))
    return lines


def sheets(result: Result, language: Language) -> Iterator[Sheet]:
    """All tables, in the order of reading."""
    names = Names(result.contenders[0].record, language)
    letters = list(LETTERS[: len(result.outcomes)])
    yield _figures(result, names, letters)
    yield _stages(result, names, letters)
    if any(outcome["leads"] for outcome in result.outcomes):
        yield _leads(result, names, letters)
    yield _gates(result, names, letters)


def _figures(result: Result, names: Names, letters: list[str]) -> Sheet:
    say = names.say
    words = {
        "transitions": say("阶段变更（次）", "changes of stage"),
        "commands": say("通道口指令（条）", "gate commands"),
        "confirmations_asked": say("请示确认（次）", "confirmations asked"),
        **{f"alerts.{code}": say(f"{level(code, 'zh')}预警（次）", f"alerts, {level(code, 'en')}") for code in LEVELS},
        "above_calm_min": say("高于平时阶段（分钟）", "above the calm stage (min)"),
        "shut_min": say("通道口禁入合计（口·分钟）", "gates letting nobody enter (gate-min)"),
        "came_in_while_shut": say("禁入期间记录到的进入（人）", "came in where nobody was to enter (people)"),
        "came_in": say("记录到的进入（人）", "came in at gates (people)"),
    }
    found = [figures(outcome) for outcome in result.outcomes]
    rows = [[word, *_side_by_side([of[key] for of in found])] for key, word in words.items()]
    rows.append([say("全场峰值（区间）", "most people inside (band)"), *(_peak(outcome) for outcome in result.outcomes)])
    head = [say("指标", "figure"), *letters]
    if len(letters) == 2:
        head.append("A − B")
        peaks = [of.get("peak.inside_m") for of in found]
        rows[-1].append(NOTHING if None in peaks else _signed(round((peaks[0] or 0) / 1000) - round((peaks[1] or 0) / 1000)))
    return Sheet(say("两套方案对照", "The plans compared") if len(letters) == 2 else say("结果", "Outcome"), head, rows, _right(head))


def _stages(result: Result, names: Names, letters: list[str]) -> Sheet:
    """Each plan's own stages, since two plans need not share any."""
    say, clock = names.say, Clock(result.contenders[0].record)
    rows = []
    for letter, contender, outcome in zip(letters, result.contenders, result.outcomes, strict=True):
        called = Names(contender.record, names.language)
        for plan in contender.record["plans"]:
            spent, share = outcome["stage_min"].get(plan["plan"], {}), outcome["stage_share"].get(plan["plan"], {})
            moves = outcome["stages"].get(plan["plan"], [])
            for stage in plan["stages"]:
                name = stage["stage"]
                first = next((at for at, to in moves if to == name), None)
                rows.append(
                    [
                        letter,
                        called.plan(plan["plan"]) if called.several else "",
                        called.stage(name, plan["plan"]),
                        stage["level"] or NOTHING,
                        NOTHING if first is None else clock.moment(first),
                        str(sum(to == name for _, to in moves)),
                        f"{spent.get(name, 0.0):,.1f}",
                        f"{100 * share.get(name, 0.0):.1f} %",
                    ]
                )
    head = ["", say("方案", "plan"), say("阶段", "stage"), say("级别", "level")]
    head += [say("首次", "first"), say("次数", "times"), say("分钟", "min"), say("占比", "share")]
    if not any(row[1] for row in rows):
        head, rows = [head[0], *head[2:]], [[row[0], *row[2:]] for row in rows]
    last = len(head) - 1
    return Sheet(say("各阶段", "Stages"), head, rows, frozenset({last - 2, last - 1, last}))


def _leads(result: Result, names: Names, letters: list[str]) -> Sheet:
    say, rows = names.say, []
    for letter, contender, outcome in zip(letters, result.contenders, result.outcomes, strict=True):
        called, clock = Names(contender.record, names.language), Clock(contender.record)
        for lead in outcome["leads"]:
            after = say("景区承载量", "the site's capacity") if lead["next"] == CAPACITY else called.stage(lead["next"], outcome["plan"])
            moments = [NOTHING if lead[key] is None else clock.moment(lead[key]) for key in ("risen_us", "crossed_us")]
            us = lead["lead_us"]
            told = NOTHING if us is None else ("-" if us < 0 else "") + span(abs(us), names.language)
            rows.append([letter, called.stage(lead["stage"], outcome["plan"]), moments[0], after, moments[1], told])
    head = ["", say("阶段", "stage"), say("生效时间", "in force since"), say("下一条线", "what comes next")]
    head += [say("越线时间", "crossed at"), say("提前量", "lead")]
    return Sheet(
        say("提前量：从阶段生效到下一条线被越过", "Lead times: from a stage in force to the next bar crossed"), head, rows, frozenset({5})
    )


def _gates(result: Result, names: Names, letters: list[str]) -> Sheet:
    say = names.say
    gates = dict.fromkeys(gate for outcome in result.outcomes for gate in outcome["gates"])
    rows = []
    for gate in _most_told(result, list(gates)):
        there = [outcome["gates"].get(gate) for outcome in result.outcomes]
        row = [names.title("gate", gate)]
        row += [NOTHING if told is None else _modes(told["mode_min"], names) for told in there]
        row += [NOTHING if told is None else f"{told['came_in_while_shut']:,}" for told in there]
        row.append(f"{max(told['came_in'] for told in there if told is not None):,}")
        rows.append(row)
    modes, shut = say("各状态分钟", "min in each mode"), say("禁入期间进入", "in while shut")
    head = [say("通道口", "gate"), *(f"{modes} {x}" for x in letters), *(f"{shut} {x}" for x in letters), say("进入合计", "in, all")]
    title = say("通道口", "Gates")
    if len(rows) < len(gates):
        title += say(
            f"（禁入最多的 {len(rows)} 个，共 {len(gates)} 个；全部见 --format json）",
            f" ({len(rows)} of {len(gates)}; --format json has all)",
        )
    return Sheet(title, head, rows, frozenset(range(1 + len(letters), len(head))))


def _most_told(result: Result, gates: list[str]) -> list[str]:
    """The gates that are shown, in their order: where there are too many, those that let nobody enter for longest."""
    if len(gates) <= MOST_GATES:
        return gates
    none = {"shut_min": 0.0, "came_in_while_shut": 0}
    there = {gate: [outcome["gates"].get(gate, none) for outcome in result.outcomes] for gate in gates}
    first = sorted(gates, key=lambda g: (-max(t["shut_min"] for t in there[g]), -max(t["came_in_while_shut"] for t in there[g])))
    shown = set(first[:MOST_GATES])
    return [gate for gate in gates if gate in shown]


def _modes(minutes: dict[str, float], names: Names) -> str:
    by_length = sorted(minutes.items(), key=lambda pair: -pair[1])
    return names.say("、", ", ").join(f"{names.word(MODES, mode)} {spent:,.1f}" for mode, spent in by_length) or NOTHING


def _side_by_side(values: list[int | float]) -> list[str]:
    told = [_number(value) for value in values]
    return [*told, _signed(values[0] - values[1])] if len(values) == 2 else told


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _signed(value: float) -> str:
    if isinstance(value, int):
        return f"{value:+,}" if value else "0"
    return f"{value:+,.1f}" if round(value, 1) else "0"


def _peak(outcome: dict[str, Any]) -> str:
    peak = outcome["peaks"].get(SITE)
    if peak is None:
        return NOTHING
    inside = f"{round(peak['inside_m'] / 1000):,}"
    if not peak["known"]:
        return f">= {inside}"
    return f"{inside} ({round(peak['lower_m'] / 1000):,}–{round(peak['upper_m'] / 1000):,})"


def _some(words: list[str]) -> str:
    return ", ".join(words[:6]) + (f" (+{len(words) - 6})" if len(words) > 6 else "")


def _right(head: Sequence[str]) -> frozenset[int]:
    return frozenset(range(1, len(head)))
