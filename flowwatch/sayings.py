"""What the orders and moves in the journal say, each as its own sentence: commands to gates, devices, tasks, changes of stage, open questions.

A sentence tells what its entry says and nothing that stands behind it; `explain.py` puts the sentences of a chain together. What is only a
drill is marked as one every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch import texts
from flowwatch.crossings import crossing
from flowwatch.devices import device
from flowwatch.titles import Clock, Names, Text
from flowwatch.vocabulary import DELIVERIES, setting_of

_WHY_COMMANDED: Final[Mapping[str, Text]] = {
    "start": {"zh": "系统开始运行，按“{stage}”阶段要求执行。", "en": 'At the start stage "{stage}" asks for it.'},
    "stage": {"zh": "按“{stage}”阶段要求执行。", "en": 'Stage "{stage}" asks for it.'},
    "override": {"zh": "按人工干预执行。", "en": "An operator's override asks for it."},
    "override_ended": {"zh": "人工干预结束，恢复按“{stage}”阶段要求执行。", "en": 'An override ended; stage "{stage}" asks for it.'},
    "document": {"zh": "方案文件更新，按“{stage}”阶段要求执行。", "en": 'The documents changed; stage "{stage}" asks for it.'},
    "fire": {"zh": "接到火警报告，各通道口一律向外疏散。", "en": "A fire was reported, and every gate leads out."},
    "fire_ended": {"zh": "火警解除，恢复按“{stage}”阶段要求执行。", "en": 'The fire is over; stage "{stage}" asks for it.'},
    "drill": {"zh": "按演练要求执行，实际阶段为“{stage}”。", "en": 'A drill asks for it; the real stage is "{stage}".'},
    "drill_ended": {"zh": "演练结束，恢复按“{stage}”阶段要求执行。", "en": 'The drill is over; stage "{stage}" asks for it.'},
    "case": {"zh": "专项预案启用，与“{stage}”阶段要求一并执行。", "en": 'A case is in force together with stage "{stage}".'},
    "case_ended": {"zh": "专项预案结束，恢复按“{stage}”阶段要求执行。", "en": 'A case is over; stage "{stage}" asks for it.'},
    "confirmed": {"zh": "经人员确认，按“{stage}”阶段要求执行。", "en": 'A person agreed; stage "{stage}" asks for it.'},
    "unanswered": {
        "zh": "逾时无人答复，按方案自动执行“{stage}”阶段要求。",
        "en": 'Nobody answered in time, so the plan goes ahead; stage "{stage}" asks for it.',
    },
}

_WHY_MOVED: Final[Mapping[str, Text]] = {
    "start": {"zh": "系统开始运行", "en": "the watch on this site began"},
    "override": {"zh": "因人工干预", "en": "an operator stepped in"},
    "override_ended": {"zh": "人工干预结束", "en": "an override ended"},
    "document": {"zh": "方案文件更新", "en": "the documents changed"},
    "fire": {"zh": "接到火警报告", "en": "a fire was reported"},
    "fire_ended": {"zh": "火警解除", "en": "the fire is over"},
    "drill": {"zh": "演练指令下达", "en": "a drill was ordered"},
    "drill_ended": {"zh": "演练结束", "en": "a drill ended"},
    "case": {"zh": "专项预案启用", "en": "a case came into force"},
    "case_ended": {"zh": "专项预案结束", "en": "a case ended"},
    "confirmed": {"zh": "经人员确认", "en": "a person agreed"},
    "unanswered": {"zh": "逾时无人答复，按方案自动执行", "en": "nobody answered in time, and the plan goes ahead"},
}
"""Why a stage changed where no figure alone did it."""


def gate_order(body: Mapping[str, Any], names: Names) -> str:
    """What a gate is told to be, in short."""
    gate, asked = names.gate(body["gate"]), setting_of(body.get("setting") or body["mode"], names.language)
    return texts.drilled(body, names) + names.say(f"{gate}改为“{asked}”", f"{gate} set to {asked}")


def command(body: Mapping[str, Any], entry: str, names: Names) -> str:
    """A command to a gate, with what people may do there, its place in the record and its reason; `entry` is its id."""
    say, gate, asked = names.say, names.gate(body["gate"]), setting_of(body.get("setting") or body["mode"], names.language)
    if body["mode"] == "wave":
        allows = say("：按时段轮流放行", "")
    elif body["mode"] == "metered":
        allows = ""
    else:
        enter = say("可以进入" if body["may_enter"] else "禁止进入", "people may enter" if body["may_enter"] else "nobody may enter")
        leave = say("可以离开" if body["may_leave"] else "不可离开", "people may leave" if body["may_leave"] else "nobody may leave")
        allows = say(f"：{enter}，{leave}", f": {enter}, {leave}")
    given = names.word(DELIVERIES, body["delivery"]) if body.get("delivery") else ""
    how = say(f"，{given}", f", {given}") if given else ""
    reason = "drill_ended" if body["reason"] == "drill" and not body.get("drill") else body["reason"]
    why = reason_text(reason, names.stage(body["stage"]), names)
    text = say(
        f"{gate}改为“{asked}”{allows}（记录 {entry}，该口第 {body['revision']} 号指令{how}）。{why}",
        f"{gate} was set to {asked}{allows} (entry {entry}, revision {body['revision']}{how}). {why}",
    )
    return texts.drilled(body, names) + text


def reason_text(reason: str, stage: str, names: Names) -> str:
    """The sentence that says why something was ordered while `stage` (its title) was active."""
    return names.word(_WHY_COMMANDED, reason).format(stage=stage)


def device_order(body: Mapping[str, Any], names: Names) -> str:
    """What a barrier, a link or a sign is told to be, in short."""
    return device(body["device"], body["name"], body["state"], names)


def task(body: Mapping[str, Any], names: Names, clock: Clock, near: int, planned: Mapping[str, Any] | None = None) -> str:
    """Work that somebody is given, or that is taken back; `planned` is the task as the plan has it, if that is still known."""
    say, text = names.say, body["text"] or (planned or {}).get("text")
    what = text[names.language] if text else body["task"]
    role = body["role"] or (planned or {}).get("role")
    who = names.role(role) if role else body["task"]
    if body["state"] == "withdrawn":
        return say(f"任务撤销（{who}）：{what}", f"task withdrawn ({who}): {what}")
    due = clock.time(body["due_us"], near)
    return say(f"任务下达（{who}）：{what}，{due} 前完成", f"task for {who}: {what}, by {due}")


def stage_moved(body: Mapping[str, Any], names: Names) -> str:
    """From which stage a plan went to which, in short."""
    say, whose = names.say, names.of_plan(body.get("plan"))
    before, after = (names.stage(body[key], body.get("plan")) for key in ("from", "to"))
    if body["to"] is None:
        return say(f"{whose}管控阶段“{before}”停止执行", f'stage "{before}"{whose} is no longer followed')
    if body["from"] is None:
        return say(f"{whose}管控阶段从“{after}”开始", f'the stage{whose} is "{after}" to begin with')
    rises = names.rises(body.get("plan"), body["from"], body["to"])
    if body["reason"] in ("rise", "fall"):
        rises = body["reason"] == "rise"
    elif body["reason"] not in ("confirmed", "unanswered"):
        rises = None
    verb = say("转为", "went") if rises is None else say("升为", "rose") if rises else say("降为", "fell")
    return say(f"{whose}管控阶段由“{before}”{verb}“{after}”", f'the stage{whose} {verb} from "{before}" to "{after}"')


def transition(body: Mapping[str, Any], entry: str, names: Names) -> str:
    """A change of stage with its reason, and what the plan itself asks for where somebody holds another; `entry` is its id."""
    say, cause, moved = names.say, body["cause"], stage_moved(body, names)
    crossed, reason = crossing(cause["estimate"], cause["term"], names), body["reason"]
    if reason in ("rise", "fall") and cause["action"] is not None:
        reason = "confirmed"
    if reason in ("rise", "fall"):
        why = crossed or say("条件成立", "its condition holds")
    else:
        how = names.word(_WHY_MOVED, reason)
        why = say(f"{crossed}，{how}", f"{crossed}; {how}") if crossed and cause["term"] is not None else how
    text = say(
        f"{why}，{'因此' if cause['term'] else ''}{moved}（记录 {entry}）。",
        f"{why}{', so' if cause['term'] else ':'} {moved} (entry {entry}).",
    )
    if body["to"] is not None and body["planned"] != body["to"]:
        planned = names.stage(body["planned"], body.get("plan"))
        text += say(
            f"按方案应为“{planned}”，人工干预期间不执行。", f' The plan itself asks for "{planned}", which the override holds back.'
        )
    return text


def question(detail: Mapping[str, Any], names: Names, clock: Clock, near: int) -> str:
    """Who is asked, by when, and what happens if nobody answers; what was answered so far."""
    say, who = names.say, names.role(detail["by"])
    person = names.sentence(who)
    due = "" if detail["due_us"] is None else clock.time(detail["due_us"], near)
    if detail["state"] == "declined":
        by = detail["said_by"] or person
        return say(f"{by}已答复不同意；条件成立期间仍可改为同意。", f" {by} said no; while the condition holds a yes is still possible.")
    if detail["state"] == "unanswered":
        return say(
            f"{who}至 {due} 未答复，不自动执行，仍待答复。", f" {person} did not answer by {due}; nothing is done, and it still waits."
        )
    if not due:
        return say(f"请{who}答复；答复之前不执行。", f" {person} is asked; until there is an answer nothing is done.")
    otherwise = {
        "apply": say("逾时无人答复即自动执行", "without an answer it is done"),
        "keep": say("逾时无人答复则不执行", "without an answer it is not done"),
    }.get(detail.get("otherwise", ""), "")
    after = say(f"；{otherwise}", f"; {otherwise}") if otherwise else ""
    return say(f"请{who}于 {due} 前答复{after}。", f" {person} is asked to answer by {due}{after}.")
