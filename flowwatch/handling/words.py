"""What the book of handling is called, in Chinese and in English: handling, steps, clocks, why something was not shown; and a step as a sentence.

The words are those of the police: 签收 → 派警 → 到场 → 处置 → 反馈 → 核查 → 办结. A code without a word is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowwatch.handling.records import FLOWWATCH, Said, Shown, Step
from flowwatch.vocabulary import role
from flowwatch.words import Language, Text, say, word

KINDS: Final[Mapping[str, Text]] = {
    "stage": {"zh": "管控阶段", "en": "stage"},
    "counter_silent": {"zh": "计数器数据中断", "en": "silent counter"},
    "negative_occupancy": {"zh": "推算人数为负", "en": "negative figure"},
    "occupancy_unknown": {"zh": "在场人数未知", "en": "figure not known"},
    "recount_needed": {"zh": "需人工清点", "en": "recount needed"},
    "override_active": {"zh": "人工干预中", "en": "override in force"},
    "invariant_broken": {"zh": "人工干预被撤销", "en": "override lifted"},
    "confirmation_needed": {"zh": "等待确认", "en": "confirmation needed"},
    "drill_active": {"zh": "演练", "en": "drill"},
    "fire": {"zh": "火警", "en": "fire"},
    "degraded": {"zh": "降级运行", "en": "degraded"},
    "plan_not_valid": {"zh": "方案不在有效期", "en": "plan outside its dates"},
    "case_active": {"zh": "专项预案启用", "en": "case in force"},
    "gate_unanswered": {"zh": "指令没有应答", "en": "command unanswered"},
    "gate_wrong_mode": {"zh": "状态与指令不符", "en": "wrong mode"},
    "gate_lost": {"zh": "失去联系", "en": "device lost"},
    "gate_contradicted": {"zh": "人流与状态相反", "en": "people pass against the mode"},
    "release_needed": {"zh": "指令待下发", "en": "release needed"},
    "advise_only": {"zh": "改为仅建议", "en": "on advise"},
    "counters_silent": {"zh": "多个计数器数据中断", "en": "several silent counters"},
    "gates_lost": {"zh": "多个设备失去联系", "en": "several devices lost"},
    "flood": {"zh": "预警密集", "en": "alert flood"},
    "feed_undelivered": {"zh": "推送未送达", "en": "feed undelivered"},
}
"""What an incident is about, in a table."""

HANDLINGS: Final[Mapping[str, Text]] = {
    "new": {"zh": "待签收", "en": "not acknowledged"},
    "acknowledged": {"zh": "已签收", "en": "acknowledged"},
    "dispatched": {"zh": "已派警", "en": "dispatched"},
    "on_scene": {"zh": "已到场", "en": "on the scene"},
    "handled": {"zh": "已处置", "en": "handled"},
    "fed_back": {"zh": "已反馈", "en": "reported back"},
    "verified": {"zh": "已核查", "en": "verified"},
    "closed": {"zh": "已办结", "en": "closed"},
}

ACTS: Final[Mapping[str, Text]] = {
    "acknowledge": {"zh": "签收", "en": "acknowledged"},
    "dispatch": {"zh": "派警", "en": "dispatched"},
    "arrive": {"zh": "到场", "en": "on the scene"},
    "handle": {"zh": "处置", "en": "handled"},
    "feedback": {"zh": "反馈", "en": "reported back"},
    "verify": {"zh": "核查", "en": "verified"},
    "close": {"zh": "办结", "en": "closed"},
    "return": {"zh": "退单", "en": "returned"},
    "defer": {"zh": "挂账", "en": "deferred"},
    "resume": {"zh": "恢复办理", "en": "resumed"},
    "shelve": {"zh": "搁置", "en": "shelved"},
    "unshelve": {"zh": "取消搁置", "en": "unshelved"},
    "maintain": {"zh": "转入检修", "en": "under maintenance"},
    "restore": {"zh": "检修完毕", "en": "in use again"},
    "note": {"zh": "备注", "en": "note"},
    "supervise": {"zh": "督办", "en": "pressed"},
    "warn": {"zh": "临近超时", "en": "almost overdue"},
    "escalate": {"zh": "超时升级", "en": "escalated"},
    "reopen": {"zh": "重新打开", "en": "reopened"},
    "suppress": {"zh": "并入", "en": "suppressed"},
    "unsuppress": {"zh": "恢复提示", "en": "shown again"},
    "flood": {"zh": "预警密集", "en": "flood"},
    "flood_over": {"zh": "密集时段结束", "en": "flood over"},
    "group": {"zh": "归并", "en": "grouped"},
    "group_over": {"zh": "归并结束", "en": "group over"},
    "handover": {"zh": "交接班", "en": "handover"},
}
"""A step, in a table."""

CLOCKS: Final[Mapping[str, Text]] = {
    "acknowledge": {"zh": "签收", "en": "acknowledging"},
    "dispatch": {"zh": "派警", "en": "dispatching"},
    "arrive": {"zh": "到场", "en": "arriving"},
    "handle": {"zh": "处置", "en": "handling"},
}

HIDDEN: Final[Mapping[str, Text]] = {
    "parent": {"zh": "上级事件已涵盖", "en": "another incident stands for it"},
    "group": {"zh": "同类归并", "en": "one group stands for several"},
    "flood": {"zh": "密集时段汇总", "en": "gathered in a flood"},
    "shelved": {"zh": "人工搁置", "en": "shelved by hand"},
    "maintenance": {"zh": "设备检修", "en": "its device is under maintenance"},
}
"""Why an alert was not shown by itself."""

_SHOWN: Final[Mapping[str, Text]] = {
    "raised": {"zh": "提示", "en": "shown"},
    "worse": {"zh": "情况加重，再次提示", "en": "shown again, worse"},
    "notice": {"zh": "通知", "en": "notice"},
    "same": {"zh": "更新", "en": "updated"},
    "ended": {"zh": "解除", "en": "ended"},
    "returned": {"zh": "再次发生，并入原事件", "en": "came back"},
}

_SENTENCES: Final[Mapping[str, Text]] = {
    "acknowledge": {"zh": "{by}签收", "en": "{by} acknowledged it"},
    "dispatch": {"zh": "{by}派警：{to}", "en": "{by} sent {to}"},
    "arrive": {"zh": "{by}报告：警力已到场", "en": "{by} says that they are on the scene"},
    "handle": {"zh": "{by}报告：已处置", "en": "{by} says that it is handled"},
    "feedback": {"zh": "{by}反馈处置结果", "en": "{by} reported back"},
    "verify": {"zh": "{by}核查属实", "en": "{by} verified it"},
    "close": {"zh": "{by}办结", "en": "{by} closed it"},
    "return": {"zh": "{by}退单，请重新派警", "en": "{by} returned it; another unit must be sent"},
    "defer": {"zh": "{by}批准挂账", "en": "{by} put it off"},
    "resume": {"zh": "{by}恢复办理", "en": "{by} took it up again"},
    "shelve": {"zh": "{by}搁置", "en": "{by} shelved it"},
    "unshelve": {"zh": "{by}取消搁置", "en": "{by} took it off the shelf"},
    "maintain": {
        "zh": "{by}将设备转入检修，期间不再提示",
        "en": "{by} put the device under maintenance; its alerts are not shown meanwhile",
    },
    "restore": {"zh": "{by}报告：设备检修完毕，恢复提示", "en": "{by} says that the device is in use again; its alerts are shown"},
    "note": {"zh": "{by}备注", "en": "{by} noted"},
    "supervise": {"zh": "{by}督办", "en": "{by} presses for it"},
    "warn": {"zh": "{clock}时限已过八成", "en": "four fifths of the time for {clock} are gone"},
    "escalate": {"zh": "{clock}超时，升级督办，转由{duty}负责", "en": "the time for {clock} has run out; {duty} answers for it now"},
    "reopen": {"zh": "情况加重，重新打开，须重新签收", "en": "it became worse and is open again: somebody must acknowledge it anew"},
    "suppress": {"zh": "并入{to}，不再单独提示", "en": "{to} stands for it; it is not shown by itself"},
    "unsuppress": {"zh": "恢复单独提示", "en": "it is shown by itself again"},
    "flood": {"zh": "预警过于密集，较轻的汇总提示", "en": "more alerts come than can be read; the milder ones are gathered"},
    "flood_over": {"zh": "密集时段结束，恢复逐条提示", "en": "the flood is over; alerts are shown one by one again"},
    "group": {"zh": "同类事件较多，归并提示", "en": "several of a kind are shown as one"},
    "group_over": {"zh": "归并结束，恢复逐条提示", "en": "the group is over; each is shown by itself again"},
    "handover": {"zh": "{by}交班，{to}接班", "en": "{by} handed over to {to}"},
}


def shown(why: Shown) -> Said:
    """What became of an alert: that it was shown, or why it was not."""
    if why.value in HIDDEN:
        reason = HIDDEN[why.value]
        return Said(f"未单独提示（{reason['zh']}）", f"not shown by itself ({reason['en']})")
    return Said(_SHOWN[why.value]["zh"], _SHOWN[why.value]["en"])


def person(name: str, lang: Language) -> str:
    """Who took a step.

    >>> person("wang", "zh"), person("flowwatch", "zh"), person("flowwatch", "en")
    ('wang', '系统', 'flowwatch')
    """
    return say(lang, "系统", "flowwatch") if name == FLOWWATCH else name


def sentence(step: Step) -> Said:
    """A step in one sentence, without its time and its reason."""
    return Said(*(_filled(step, lang) for lang in ("zh", "en")))


def _filled(step: Step, lang: Language) -> str:
    by = person(step.by, lang)
    to = step.to or say(lang, "有关单位", "somebody")
    clock = "" if step.clock is None else word(CLOCKS, step.clock, lang)
    duty = say(lang, "上级岗位", "the next duty") if step.to is None else role(step.to, lang)
    text = _SENTENCES[step.act.value][lang].format(by=by, to=to, clock=clock, duty=duty)
    return text[:1].upper() + text[1:] if lang == "en" and step.by == FLOWWATCH and not text.startswith(by) else text
