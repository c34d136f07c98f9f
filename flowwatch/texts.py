"""What people read of the journal, in Chinese and in English: a word for each of its codes, and the sentence of each incident.

The engine writes codes and numbers; here they become words, with the titles that the site's documents give to its things (`titles.py`). What
plans and the journal have in common is called in `vocabulary.py`; what was measured and crossed is told by `crossings.py`, what operators
ordered by `orders.py`. A plan's own texts (headline, instruction, signs, tasks) are passed on as they are. Nothing here decides anything, and
a code that this module does not know is shown as it is rather than hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.incidents import What
from flowwatch.core.readings import Reason
from flowwatch.titles import Names
from flowwatch.words import Text, closed

ACTIONS: Final[Mapping[str, Text]] = {
    "override": {"zh": "人工干预", "en": "override"},
    "recount": {"zh": "人工清点", "en": "recount"},
    "confirm": {"zh": "确认", "en": "confirmation"},
    "drill": {"zh": "演练指令", "en": "drill"},
    "fire": {"zh": "火警指令", "en": "fire"},
    "release": {"zh": "确认下发", "en": "release of a command"},
    "deliver": {"zh": "下发方式", "en": "delivery of commands"},
    "turned": {"zh": "现场设置", "en": "set on the spot"},
    "approve": {"zh": "方案批准", "en": "approval"},
}

STATES: Final[Mapping[str, Text]] = {
    "raised": {"zh": "发生", "en": "raised"},
    "updated": {"zh": "更新", "en": "updated"},
    "cleared": {"zh": "解除", "en": "cleared"},
}

REASONS: Final[Mapping[Reason, Text]] = {
    Reason.UNREADABLE: {"zh": "无法解析，不是读数", "en": "not readable as a reading"},
    Reason.NO_DIRECTION: {"zh": "来源没有说明是进还是出", "en": "the source does not say in or out"},
    Reason.UNKNOWN_SITE: {"zh": "没有这个景区", "en": "no such site"},
    Reason.UNKNOWN_COUNTER: {"zh": "景区里没有这个计数器", "en": "no such counter at the site"},
    Reason.WRONG_KIND: {"zh": "计数方式与声明不符", "en": "another kind of count than the counter declares"},
    Reason.MISSING_COUNT: {"zh": "缺少计数值", "en": "the count is missing"},
    Reason.NEGATIVE_COUNT: {"zh": "计数值为负", "en": "the count is negative"},
    Reason.FAR_FUTURE: {"zh": "事件时间远在接收时间之后", "en": "its time lies too far ahead of its receipt"},
    Reason.TOO_LATE: {"zh": "超过声明的迟到时限", "en": "later than the counter's declared lateness"},
    Reason.DUPLICATE: {"zh": "重复", "en": "a duplicate"},
    Reason.IMPOSSIBLE_RATE: {"zh": "人数超过该通道口可能通过的上限", "en": "more people than the lanes can pass in the time"},
    Reason.SUPERSEDED: {"zh": "早于已计入的累计值", "en": "older than a total already counted"},
    Reason.DECREASED: {"zh": "累计值变小，且无法解释", "en": "a total that fell, and nothing explains it"},
    Reason.NOT_IN_SERVICE: {"zh": "不在计数器的有效期内", "en": "outside the counter's time of service"},
    Reason.IMPOSSIBLE_HEADCOUNT: {"zh": "画面人数超过该区域可能容纳的上限", "en": "more people in view than the floor can hold"},
    Reason.BAD_ACTION: {"zh": "人工操作记录有误", "en": "an operator's record that cannot be read or applied"},
    Reason.BAD_DOCUMENT: {"zh": "方案文件记录有误", "en": "a document that cannot be read"},
    Reason.BAD_REPORT: {"zh": "设备回报有误，或景区没有这个设备", "en": "a device's report that cannot be read, or no such device"},
}

_INCIDENTS: Final[Mapping[str, tuple[Text, Text]]] = {
    "stage": (
        {"zh": "进入“{subject}”阶段", "en": 'stage "{subject}"'},
        {"zh": "“{subject}”阶段结束，恢复常态", "en": 'stage "{subject}" is over'},
    ),
    "counter_silent": (
        {"zh": "{subject}数据中断，人数区间随之放宽", "en": "{subject} is silent; the band widens"},
        {"zh": "{subject}恢复上报", "en": "{subject} is heard again"},
    ),
    "negative_occupancy": (
        {
            "zh": "{subject}推算人数为负，离开的多于进入的，请人工清点",
            "en": "{subject}: more people left than came; please count by hand",
        },
        {"zh": "{subject}推算人数恢复正常", "en": "{subject}: the figure is possible again"},
    ),
    "occupancy_unknown": (
        {
            "zh": "{subject}在场人数未知：尚未校准，请人工清点",
            "en": "{subject}: how many are inside is not known yet; please count by hand",
        },
        {"zh": "{subject}已校准", "en": "{subject}: anchored"},
    ),
    "recount_needed": (
        {
            "zh": "{subject}的数据不够新，阶段不能自动下调，请人工清点或人工干预",
            "en": "{subject}: the stage could fall, but its evidence is stale; please count by hand or override",
        },
        {"zh": "{subject}无需再清点", "en": "{subject}: no recount is needed any more"},
    ),
    "override_active": (
        {"zh": "人工干预中：{subject}暂不按方案执行", "en": "override in force: {subject} is not as the plan asks"},
        {"zh": "人工干预结束：{subject}恢复按方案执行", "en": "override over: {subject} follows the plan again"},
    ),
    "invariant_broken": (
        {
            "zh": "{subject}的人工干预已自动撤销：在当前阶段它会断了人们的出路",
            "en": "the override of {subject} was lifted: in the present stage it would take people's way out",
        },
        {"zh": "{subject}恢复按方案执行", "en": "{subject} follows the plan again"},
    ),
    "invariant_broken/table": (
        {
            "zh": "各方案的要求合在一起会断了人们的出路，通道口维持原状，请立即人工处置",
            "en": "what the plans ask together would take people's way out; the gates stay as they are, please act at once",
        },
        {"zh": "各方案的要求不再冲突，通道口恢复按方案执行", "en": "the plans agree again; the gates follow them"},
    ),
    "confirmation_needed": (
        {"zh": "“{subject}”要求转换阶段，等待确认", "en": '"{subject}" asks for another stage and waits for an answer'},
        {"zh": "“{subject}”的确认事项已了结", "en": 'the question of "{subject}" is settled'},
    ),
    "drill_active": (
        {
            "zh": "演练进行中：按“{reason}”阶段演练，只有参加演练的通道口动作",
            "en": 'a drill is under way: stage "{reason}"; only gates that are marked for drills move',
        },
        {"zh": "演练结束：“{reason}”阶段的演练已停止", "en": 'the drill of stage "{reason}" is over'},
    ),
    "drill_active/confirmed": (
        {"zh": "演练进行中：只有参加演练的通道口动作", "en": "a drill is under way; only gates that are marked for drills move"},
        {"zh": "演练结束", "en": "the drill is over"},
    ),
    "fire": (
        {
            "zh": "火警，各通道口一律向外疏散，不得进入，须由人员解除",
            "en": "fire; every gate leads out and nobody enters, until a person ends it",
        },
        {"zh": "火警解除，恢复按方案执行", "en": "the fire is over; the plan is followed again"},
    ),
    "degraded": (
        {
            "zh": "降级运行：规则“{subject}”的条件成立，数据不足，请加强现场观察",
            "en": 'degraded: rule "{subject}" holds, the data do not suffice; please watch on the spot',
        },
        {"zh": "规则“{subject}”的条件不再成立，降级运行结束", "en": 'rule "{subject}" holds no more; no longer degraded'},
    ),
    "plan_not_valid": (
        {
            "zh": "“{subject}”不在有效期内，仍暂按其执行，请尽快更新",
            "en": '"{subject}" is outside its dates and is followed for want of another; please renew it',
        },
        {"zh": "“{subject}”在有效期内", "en": '"{subject}" is within its dates'},
    ),
    "plan_not_valid/over": (
        {
            "zh": "“{subject}”已过有效期，仍暂按其执行，请尽快更新",
            "en": '"{subject}" is past its dates and is followed for want of another; please renew it',
        },
        {"zh": "“{subject}”恢复有效", "en": '"{subject}" is within its dates again'},
    ),
    "plan_not_valid/not yet": (
        {
            "zh": "“{subject}”未到有效期，仍暂按其执行，请核对",
            "en": '"{subject}" is not valid yet and is followed for want of another; please check it',
        },
        {"zh": "“{subject}”开始有效", "en": '"{subject}" is within its dates now'},
    ),
    "gate_unanswered": (
        {"zh": "{subject}对指令没有应答，请派人到现场确认", "en": "{subject} has not answered its command; please send somebody to see"},
        {"zh": "{subject}已应答", "en": "{subject} has answered"},
    ),
    "gate_unanswered/refused": (
        {"zh": "{subject}拒绝执行指令，请派人到现场处置", "en": "{subject} refuses its command; please send somebody"},
        {"zh": "{subject}已执行指令", "en": "{subject} has done as it was told"},
    ),
    "gate_unanswered/failed": (
        {"zh": "{subject}执行指令失败，请派人到现场处置", "en": "{subject} failed to do as it was told; please send somebody"},
        {"zh": "{subject}已执行指令", "en": "{subject} has done as it was told"},
    ),
    "gate_wrong_mode": (
        {"zh": "{subject}的实际状态与指令不符，请派人到现场处置", "en": "{subject} is not as it was commanded; please send somebody"},
        {"zh": "{subject}的状态与指令一致", "en": "{subject} is as it was commanded"},
    ),
    "gate_lost": (
        {"zh": "与{subject}失去联系，它将转入失联时的状态", "en": "{subject} cannot be reached; it falls to its mode for that"},
        {"zh": "与{subject}恢复联系", "en": "{subject} can be reached again"},
    ),
    "gate_contradicted/in": (
        {"zh": "{subject}应禁止进入，但仍有人进入，每分钟约 {per_min} 人", "en": "{subject} still lets {per_min}/min in"},
        {"zh": "{subject}已无人违规进入", "en": "{subject} lets nobody in any more"},
    ),
    "gate_contradicted/out": (
        {"zh": "{subject}应禁止离开，但仍有人离开，每分钟约 {per_min} 人", "en": "{subject} still lets {per_min}/min out"},
        {"zh": "{subject}已无人逆向离开", "en": "{subject} lets nobody out any more"},
    ),
    "release_needed": (
        {"zh": "{subject}的指令等待人工确认后下发", "en": "the command to {subject} waits for a person to release it"},
        {"zh": "{subject}没有等待确认的指令", "en": "no command to {subject} waits for a release"},
    ),
    "advise_only": (
        {
            "zh": "全景区已改为仅建议：指令不再自动下发，由人员执行（火警除外）",
            "en": "the whole site is on advise: nothing goes out by itself, people act (but for a fire)",
        },
        {"zh": "恢复按文件规定的方式下发指令", "en": "commands are delivered as the documents say again"},
    ),
    "case_active": (
        {"zh": "专项预案“{subject}”启用", "en": 'case "{subject}" is in force'},
        {"zh": "专项预案“{subject}”结束", "en": 'case "{subject}" is over'},
    ),
}
"""What an incident says while it is open, and when it is cleared; under its kind, or its kind and its subject or reason."""


def drilled(body: Mapping[str, Any], names: Names) -> str:
    """The mark that stands before everything that is only a drill; nothing before what is real."""
    return names.say("【演练】", "[DRILL] ") if body.get("drill") or body.get("what") == What.DRILL_ACTIVE else ""


def incident(body: Mapping[str, Any], names: Names) -> str:
    """The sentence of an incident entry's body."""
    cleared = body["state"] == "cleared"
    if body["headline"] and not cleared:
        return str(body["headline"][names.language])
    if body["what"] == What.CONFIRMATION_NEEDED and body.get("detail") and not cleared:
        return _question(body, body["detail"], names)
    what, subject, reason = body["what"], body["subject"], body.get("reason")
    texts = _INCIDENTS.get(f"{what}/{subject}") or _INCIDENTS.get(f"{what}/{reason}") or _INCIDENTS.get(what)
    if texts is None:
        return f"{what}: {subject}"
    facts = {**(body.get("detail") or {}), "subject": names.subject(what, subject), "reason": names.stage(reason)}
    return drilled(body, names) + texts[cleared][names.language].format(**facts)


def _question(body: Mapping[str, Any], detail: Mapping[str, Any], names: Names) -> str:
    """What is proposed to whom, and what was said to it so far."""
    stage, who, of_plan = names.stage(detail["to"], body["subject"]), names.role(detail["by"]), names.of_plan(body["subject"])
    if detail["direction"] == "rise":
        asked = names.say(f"客流已达到{of_plan}“{stage}”启动条件", f'the condition of stage "{stage}"{of_plan} holds')
    else:
        asked = names.say(f"客流已回落，{of_plan}管控阶段可降至“{stage}”", f'the stage{of_plan} may fall to "{stage}"')
    match detail["state"]:
        case "declined":
            said_by = detail["said_by"] or who
            return asked + names.say(f"，{said_by}决定暂不执行，条件仍然成立", f"; {said_by} declined it, and it still holds")
        case "unanswered":
            return asked + names.say(f"，{who}逾时未答复，仍待确认", f"; {who} has not answered in time, and it still waits")
    return asked + names.say(f"，等待{who}确认", f"; it waits for {who}")


def instruction(text: str, names: Names) -> str:
    """A plan's instruction to the people, under its name."""
    return names.say("公众提示：", "Instruction: ") + closed(text, names.language)
