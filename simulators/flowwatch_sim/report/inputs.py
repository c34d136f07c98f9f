"""What went into simulated days, and how far their figures may be trusted: rows of a table, and sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from flowwatch import __version__
from flowwatch.documents.words import duration_us
from flowwatch.words import duration, plain
from flowwatch_sim.report.matter import SIGHTS, Matter
from flowwatch_sim.report.measured import number
from flowwatch_sim.scenario import Stream

DIAGRAMS: Final = {
    "weidmann": ("Weidmann 1993，自由步速 1.34 m/s", "Weidmann 1993, free speed 1.34 m/s"),
    "imo": ("IMO MSC.1/Circ.1533 表 1.1（规划规范值）", "IMO MSC.1/Circ.1533, table 1.1 (a planning code)"),
    "lab": (
        "单向实验室数据（伍珀塔尔、于利希），步速偏快",
        "laboratory runs in one direction (Wuppertal and Jülich), faster than a street",
    ),
}


def rows(matter: Matter) -> list[tuple[str, list[str]]]:
    """(what, lines) of everything that went in and is the same for all setups."""
    say, first = matter.say, matter.first
    said, crowd, operators = first.scenario, first.scenario.crowd, first.scenario.operators
    seeds, lang = matter.table.seeds, matter.language
    return [
        (say("模拟场景", "Scenario"), [f"{matter.title} ({said.scenario})" if lang == "en" else f"{matter.title}（{said.scenario}）"]),
        (say("景区", "Site"), [f"{matter.site} ({said.site})" if lang == "en" else f"{matter.site}（{said.site}）"]),
        (
            say("时间", "Time"),
            [
                say(
                    f"{said.starts} 开始，持续 {_long(said.lasts, matter)}；每 {_long(said.every, matter)}决策一次",
                    f"from {said.starts} for {_long(said.lasts, matter)}; decisions every {_long(said.every, matter)}",
                )
            ],
        ),
        (say("模拟日", "Simulated days"), [say(f"{len(seeds)} 个，种子 {spans(seeds)}", f"{len(seeds)}, seeds {spans(seeds)}")]),
        (say("客流", "Visitors"), [_stream(stream, matter) for stream in said.streams]),
        (
            say("步行", "Walking"),
            [
                say("速度—密度关系：", "Fundamental diagram: ") + say(*DIAGRAMS[crowd.walking.value]),
                say(
                    f"排队通过的单位宽度流量 {first.habits.diagram.specific_flow:g} 人/米/秒",
                    f"what a width passes while people queue at it: {first.habits.diagram.specific_flow:g} persons/m/s",
                ),
            ],
        ),
        (say("通道口", "Gates"), _gates(matter)),
        (
            say("入口禁入时", "At a shut entrance"),
            [
                say(
                    f"{crowd.balk:.0%} 立即离去，{crowd.reroute:.0%} 前往其他开放的入口（步行 {_long(crowd.between_gates, matter)}），其余等候",
                    f"{_share(crowd.balk)} turn away at once, {_share(crowd.reroute)} go to one that is open "
                    f"({_long(crowd.between_gates, matter)} on foot), the others wait",
                ),
                say(
                    f"单列换向前清空 {_long(crowd.clearing, matter)}",
                    f"a lane stands still for {_long(crowd.clearing, matter)} when it is turned round",
                ),
            ],
        ),
        (
            say("指挥与现场", "People in charge"),
            [
                say(
                    f"指令下达至通道口到位 {_long(operators.carry_out, matter)}；确认答复 {_long(operators.answer, matter)}"
                    + (f"，其中 {operators.decline:.0%} 不同意" if operators.decline else ""),
                    f"from a command to the turned gate {_long(operators.carry_out, matter)}; from a question to its answer "
                    f"{_long(operators.answer, matter)}" + (f", {_share(operators.decline)} of them no" if operators.decline else ""),
                )
            ],
        ),
        (say("计数器与设定事项", "Counters and what is set"), _counters(matter)),
        (say("软件版本", "Software"), [f"flowwatch {__version__}"]),
    ]


def spans(seeds: Sequence[int]) -> str:
    """Seeds, those in a row as from–to.

    >>> spans([1, 2, 3, 7, 9, 10])
    '1–3, 7, 9–10'
    """
    told: list[list[int]] = [[seed] for seed in seeds[:1]]
    for before, seed in pairwise(seeds):
        if seed == before + 1:
            told[-1][1:] = [seed]
        else:
            told.append([seed])
    return ", ".join("–".join(map(str, span)) for span in told)


def limits(matter: Matter) -> list[str]:
    """How far the figures may be trusted."""
    say = matter.say
    return [
        say(
            "本模型经数值校核（docs/verification.md）；在以至少一个有记录的高峰日完成标定之前，对本景区尚未验证。",
            "Verified numerically (docs/verification.md), not validated for this site until calibrated on at least one recorded peak day.",
        ),
        say(
            "区间只反映逐日的随机波动，不反映上述假设本身的误差；假设不同，结论可能不同。",
            "Intervals tell of the luck of days, not of errors in what went in: other assumptions may give other answers.",
        ),
        say(
            "人在区域和通道中按平均密度行走，不模拟推挤和区域内的局部聚集；区域内个别位置的密度可能高于所示。",
            "People walk at the mean density of a zone or link. Pushing, and crowding at one spot within a zone, are not simulated; single spots "
            "may be denser than shown.",
        ),
        say(
            "未能入场者按离去计算，不模拟其后在周边道路的聚集。",
            "Who is turned away is gone: what they do in the streets around is not simulated.",
        ),
        say(
            "管控方案由实际运行所用的同一引擎执行；方案的取舍由编制人和批准人决定。",
            "The plans were carried out by the very engine that runs them live. Which to choose is for their author and approver.",
        ),
    ]


def _stream(stream: Stream, matter: Matter) -> str:
    say = matter.say
    size = say(f"平均 {number(stream.people, 0)} 人", f"{number(stream.people, 0)} people on average")
    stay = say(f"平均停留 {_long(stream.stay, matter)}", f"staying {_long(stream.stay, matter)} on average")
    wait = say(f"场外平均愿等 {_long(stream.patience, matter)}", f"willing to wait {_long(stream.patience, matter)} on average")
    visits = [
        say(
            f"{visit.share:.0%} 游览{matter.names[0].zone(visit.zone)}（{_long(visit.stay, matter)}）",
            f"{_share(visit.share)} see {matter.names[0].zone(visit.zone)} ({_long(visit.stay, matter)})",
        )
        for visit in stream.visits
    ]
    told = say("，", ", ").join([size, stay, wait, *visits])
    if len(matter.first.scenario.streams) == 1:
        return told
    return say(f"{stream.stream}：{told}", f"{stream.stream}: {told}")


def _gates(matter: Matter) -> list[str]:
    """Lanes and their rates, gates that are alike together."""
    layout, say = matter.first.layout, matter.say
    of = Counter(zip(layout.lanes, layout.rate, strict=True))
    alike = [
        say(
            f"{n} 个通道口各 {lanes} 列，单列每分钟 {plain(rate)} 人",
            f"{n} {'gate' if n == 1 else 'gates'} of {lanes} {'lane' if lanes == 1 else 'lanes'}, {plain(rate)} persons a minute and lane",
        )
        for (lanes, rate), n in of.items()
    ]
    return [say("；", "; ").join(alike)]


def _counters(matter: Matter) -> list[str]:
    say, said = matter.say, matter.first.scenario
    sights = list(dict.fromkeys(of.sight for of in matter.table.days))
    told = [say(*SIGHTS[sight]) for sight in sights]
    if len(sights) > 1:
        told = [
            say(f"{letter}：{say(*SIGHTS[of.sight])}", f"{letter}: {say(*SIGHTS[of.sight])}")
            for letter, of in zip(matter.letters, matter.table.days, strict=True)
        ]
    faults, gates, acts = len(said.faults), len(said.gates), len(said.actions)
    if acts:
        told.append(say(f"指挥人员另有动作 {acts} 项", f"{acts} {'action' if acts == 1 else 'actions'} of people in charge besides"))
    if faults or gates:
        told.append(
            say(
                f"设定计数器故障 {faults} 项、通道口未按指令执行 {gates} 项",
                f"{faults} {'fault' if faults == 1 else 'faults'} of counters and {gates} of gates, as the scenario sets them",
            )
        )
    return [say("；", "; ").join(told)]


def _long(text: str, matter: Matter) -> str:
    return duration(duration_us(text), matter.language)


def _share(share: float) -> str:
    """English."""
    return f"{100 * share:.0f} %"
