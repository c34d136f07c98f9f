"""What operators ordered, and why the engine did not do it: an operator's record as a sentence, and the engine's refusals in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.incidents import What
from flowwatch.core.readings import SECOND
from flowwatch.titles import Clock, Names
from flowwatch.vocabulary import setting_of
from flowwatch.words import spaced

_WHY_NOT: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), zh)
    for pattern, zh in (
        (r'no zone "(.+)"', "没有区域“{0}”"),
        (r'no stage "(.+)"', "没有阶段“{0}”"),
        (r'no gate "(.+)"', "没有通道口“{0}”"),
        (r'no plan "(.+)"', "没有方案“{0}”"),
        (r'no case "(.+)"', "没有专项预案“{0}”"),
        (r'no open incident "(.+)"', "没有尚未解除的事件“{0}”"),
        (r'incident "(.+)" proposes nothing that could be declined', "事件“{0}”没有提出可供否决的事项"),
        (r'incident "(.+)" proposes nothing any more', "事件“{0}”已没有待确认的事项"),
        (r"the site has no plan", "该景区没有管控方案"),
        (r"counted at a time more than an hour ago or in the future", "清点时间早于一小时之前，或在将来"),
        (r"its end is past, and no override of the stage is in force", "结束时间已过，而阶段当前没有人工干预可以结束"),
        (r'its end is past, and no override of gate "(.+)" is in force', "结束时间已过，而通道口“{0}”当前没有人工干预可以结束"),
        (r'its end is past, and no override of case "(.+)" is in force', "结束时间已过，而专项预案“{0}”当前没有启用可以结束"),
        (r"its end is past, and no drill is under way", "结束时间已过，而当前没有演练可以结束"),
        (r"a fire is reported: nobody drills now", "火警期间不得演练"),
        (r"no fire is reported", "当前没有火警可以解除"),
        (r'no (?:barrier|link|sign|device) "(.+)"', "没有设备“{0}”"),
        (r'commands to \S+ "(.+)" wait for nobody: its delivery is "(.+)"', "“{0}”的指令无需人工确认（下发方式：{1}）"),
        (r"the site was put back on advise", "全景区已改为仅建议"),
        (r"the site was not put back on advise", "景区并未改为仅建议"),
        (r'the command to \S+ "(.+)" is number (.+), not (.+)', "“{0}”的当前指令是第 {1} 号，而不是第 {2} 号"),
        (r'version "(.+)" is not in force', "方案版本 {0} 未在执行"),
        (r"no gate of the site is marked for drills", "该景区没有参加演练的通道口"),
        (r'the real stage "(.+)" is no calmer than "(.+)"', "实际阶段“{0}”不低于演练阶段“{1}”"),
        (r'gate "(.+)" is entrance_only and cannot be .*', "通道口“{0}”仅供进入，只能设为只进或关闭"),
        (r'gate "(.+)" would be closed to people leaving.*', "通道口“{0}”将无法出人，只有仅供进入的通道口才可以关闭"),
        (r'emergency gate "(.+)" would be .*', "应急通道口“{0}”必须始终可以出人"),
        (r'zone "(.+)" would have no way out', "区域“{0}”将没有出路"),
        (r"egress capacity would be (\S+) .* egress_min_per_min (\S+)", "疏散能力将只有每分钟 {0} 人，低于规定的 {1} 人"),
        (r"egress capacity would be (\S+) .* the calmer stage's (\S+)", "疏散能力将只有每分钟 {0} 人，低于下一级阶段的 {1} 人"),
    )
)
"""The engine's sentences on an operator's record that it refused, in Chinese."""


def order(record: Mapping[str, Any], names: Names, clock: Clock, near: int, about: Mapping[str, Any] | None = None) -> str:
    """What an operator's record asks for, told at the time `near`; `about` is the body of the incident that it answers, if it does."""
    say = names.say
    match record["type"]:
        case "override":
            return _override(record, names, clock, near)
        case "recount":
            zone, count, when = names.zone(record["zone"]), f"{record['count']:,}", clock.time(record["counted_at_us"], near)
            return say(f"{zone}清点为 {count} 人（{when}）", f"{count} people counted {names.at_zone(record['zone'])} ({when})")
        case "confirm":
            return _answer(record, names, about)
        case "drill":
            stage, until = names.stage(record["stage"]), clock.time(record["until_us"], near)
            exercise = say(f"演练“{stage}”阶段，至 {until}", f'exercise stage "{stage}" until {until}')
            return say("结束演练", "end the drill") if _ends(record) else exercise
        case "fire":
            return _fire(record, names)
        case "release" | "deliver" | "turned":
            return _delivery(record, names)
        case "approve":
            version, author, by = record["version"][:12], record["author"]["by"], record["approver"]["by"]
            return say(
                f"方案版本 {version} 由 {by} 批准（{author} 编制）", f"version {version} of the documents, by {author}, is approved by {by}"
            )
    return str(record["type"])


def _delivery(record: Mapping[str, Any], names: Names) -> str:
    if record["type"] == "turned":
        gate, asked = names.gate(record["gate"]), setting_of(record["mode"], names.language)
        return names.say(f"{gate}已在现场设为“{asked}”", f"{gate} was set to {asked} on the spot")
    if record["type"] == "deliver" and record["to"] == "advise":
        return names.say("全景区改为仅建议，指令不再自动下发", "put the whole site back on advise: nothing goes out by itself")
    if record["type"] == "deliver":
        return names.say("恢复按文件规定的方式下发指令", "deliver commands as the documents say again")
    kind, name = ("gate", record["gate"]) if record.get("gate") is not None else str(record["device"]).split("/", 1)
    device, number = names.called(kind, name), record["revision"]
    return names.say(f"确认下发{spaced(device)}的第 {number} 号指令", f"release command number {number} to {device}")


def _fire(record: Mapping[str, Any], names: Names) -> str:
    if record["state"] == "on":
        return names.say("报告火警，各通道口一律向外疏散", "a fire is reported; every gate is to lead out")
    return names.say("解除火警", "the fire is over")


def _override(record: Mapping[str, Any], names: Names, clock: Clock, near: int) -> str:
    say, until, ends = names.say, clock.time(record["until_us"], near), _ends(record)
    if record.get("case") is not None:
        case = names.plan(record["case"])
        if ends:
            return say(f"结束专项预案“{case}”的启用", f'end the declaration of case "{case}"')
        return say(f"启用专项预案“{case}”，至 {until}", f'declare case "{case}" until {until}')
    if record.get("stage") is not None:
        stage, whose = names.stage(record["stage"], record.get("plan")), names.of_plan(record.get("plan"))
        if ends:
            return say(f"结束对{whose}管控阶段的人工干预", f"end the override of the stage{whose}")
        return say(f"{whose}管控阶段保持“{stage}”，至 {until}", f'hold the stage{whose} at "{stage}" until {until}')
    gate, asked = names.gate(record["gate"]), setting_of(record["mode"], names.language)
    if ends:
        return say(f"结束对{spaced(gate)}的人工干预", f"end the override of {gate}")
    return say(f"{gate}保持“{asked}”，至 {until}", f'hold {gate} at "{asked}" until {until}')


def _answer(record: Mapping[str, Any], names: Names, about: Mapping[str, Any] | None) -> str:
    """A confirmation; where the incident proposes a stage, what was said to that."""
    say, incident = names.say, record["incident"]
    if about is None or about["what"] != What.CONFIRMATION_NEEDED:
        return say(f"事件 {incident}", f"incident {incident}")
    stage, rises = names.stage(about["detail"]["to"], about["subject"]), about["detail"]["direction"] == "rise"
    whose = names.of_plan(about["subject"])
    move = say("升为", "rise") if rises else say("降为", "fall")
    yes = record.get("answer") != "no"
    return say(
        f"{'同意' if yes else '不同意'}{whose}管控阶段{move}“{stage}”（事件 {incident}）",
        f'{"yes" if yes else "no"} to the {move} to "{stage}"{whose} (incident {incident})',
    )


def _ends(record: Mapping[str, Any]) -> bool:
    """Whether a record only ends what is in force: nobody holds anything for less than a second."""
    at = record.get("at_us")
    return isinstance(at, int) and bool(record["until_us"] - at < SECOND)


def why_not(refused: str, names: Names) -> str:
    """Why an operator's record was refused: the engine's sentences, or what they say in Chinese.

    >>> why_not('zone "bridge" would have no way out; no gate "g-9"', Names(None, "zh"))
    '区域“bridge”将没有出路；没有通道口“g-9”'
    """
    if names.language == "en":
        return refused
    told = []
    for sentence in refused.split("; "):
        found = next(((zh, match) for pattern, zh in _WHY_NOT if (match := pattern.fullmatch(sentence))), None)
        told.append(sentence if found is None else found[0].format(*found[1].groups()))
    return "；".join(told)
