"""What changed in one stage: its level and dwell, its conditions, who agrees, what the gates and everything else do, what is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.gates import Setting, lanes_per_min
from flowwatch.planning import settings
from flowwatch.planning.changed_conditions import conditions
from flowwatch.planning.changes import LANGUAGES, Teller, Trend, Weight, toward
from flowwatch.planning.stages import agreed
from flowwatch.planning.titles import Titles
from flowwatch.vocabulary import level, setting_of
from flowwatch.words import duration, quoted

Part = Mapping[str, Any]

_SEVERITY: Final = (None, "IV", "III", "II", "I")
_NAMES: Final = {"headline": ("预警标题", "the alert's headline"), "instruction": ("预警提示", "the alert's instruction")}


def stage(teller: Teller, old: Part, new: Part) -> None:
    """Tell everything that changed between two versions of a stage, its name apart."""
    if old["level"] != new["level"]:
        teller.tell(
            Weight.STAGES,
            "level",
            lambda _a, b: b.say(
                f"预警级别由{level(old['level'], 'zh')}改为{level(new['level'], 'zh')}。",
                f"warning level changes from {level(old['level'], 'en')} to {level(new['level'], 'en')}.",
            ),
            toward(severity(old["level"]), severity(new["level"]), Trend.TIGHTER),
            (old["level"], new["level"]),
        )
    teller.words(Weight.WORDS, "title", ("名称", "the title"), old["title"], new["title"])
    dwells = (old["dwell_us"], new["dwell_us"])
    teller.lasting(Weight.DWELL, "dwell_us", ("最短保持", "the dwell is"), dwells, Trend.TIGHTER)
    conditions(teller, old, new)
    _gates(teller, old["gates"], new["gates"])
    for way in ("rise", "fall"):
        _agreement(teller, old["confirm"][way], new["confirm"][way], way)
    _devices(teller, old, new)
    _tasks(teller, old["tasks"], new["tasks"])
    for key, name in _NAMES.items():
        teller.words(Weight.WORDS, f"alert.{key}", name, (old["alert"] or {}).get(key), (new["alert"] or {}).get(key))


def severity(code: str | None) -> int:
    """How grave a level is: 0 for none, 4 for level I."""
    return _SEVERITY.index(code)


# -- gates ------------------------------------------------------------------------------------------------------------------------------


def _gates(teller: Teller, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    kept = {gate["gate"] for gate in teller.new["gates"]}
    turned: dict[tuple[str | None, str | None], list[str]] = {}
    for gate in dict.fromkeys((*old, *new)):
        if old.get(gate) != new.get(gate) and (gate in new or gate in kept):
            turned.setdefault((old.get(gate), new.get(gate)), []).append(gate)
    for values, gates in turned.items():
        _turn(teller, values, tuple(gates))
    _way_out(teller, old, new)


def _turn(teller: Teller, values: tuple[str | None, str | None], gates: tuple[str, ...]) -> None:
    trends = {_gate_trend(teller, gate, *values) for gate in gates}
    trend = trends.pop() if len(trends) == 1 else None
    teller.tell(Weight.GATES, f"gates.{','.join(gates)}", lambda a, b: _turned(a, b, *values, gates), trend, values)


def _turned(a: Titles, b: Titles, was: str | None, now: str | None, gates: tuple[str, ...]) -> str:
    row = b.in_row(gates)
    if now is None:
        return b.say(f"对{row}不再作要求。", f"nothing is asked of {row} any more.")
    after = b.quoted(setting_of(now, b.language))
    if was is None:
        return b.say(f"新增对{row}的要求：{after}。", f"{row}: {after}; nothing was asked before.")
    before = a.quoted(setting_of(was, a.language))
    return b.say(f"{row}由{before}改为{after}。", f"{row}: {after} instead of {before}.")


def _gate_trend(teller: Teller, name: str, was: str | None, now: str | None) -> Trend | None:
    """Tighter where no more people are let in and no fewer out, looser where it is the other way round."""
    gate = next((g for g in (*teller.new["gates"], *teller.old["gates"]) if g["gate"] == name), None)
    if was is None or now is None or gate is None:
        return None
    before, after, lanes = Setting.parse(was), Setting.parse(now), lanes_per_min(gate)
    less_in = before.ingress_per_min(lanes) - after.ingress_per_min(lanes)
    more_out = after.egress_per_min(lanes) - before.egress_per_min(lanes)
    if less_in >= 0 and more_out >= 0 and less_in + more_out > 0:
        return Trend.TIGHTER
    return Trend.LOOSER if less_in <= 0 and more_out <= 0 and less_in + more_out < 0 else None


def _way_out(teller: Teller, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    before, after = settings.way_out(teller.old, old), settings.way_out(teller.new, new)
    if before is None or after is None or before == after:
        return
    (was, cleared_before), (now, cleared_after) = before, after

    def minutes(value: int | None, titles: Titles) -> str:
        return titles.say("无法清空", "never") if value is None else titles.say(f"{value:,} 分钟", f"{value:,} min")

    def sentence(a: Titles, b: Titles) -> str:
        full = b.say(
            f"满员清空时间由 {minutes(cleared_before, a)}变为 {minutes(cleared_after, b)}",
            f"a full site is empty after {minutes(cleared_after, b)} instead of {minutes(cleared_before, a)}",
        )
        if was == now:
            return b.say(f"{full}。", f"{full}.")
        up = now > was
        told = b.say(
            f"疏散能力由每分钟 {was:,} 人{'提高' if up else '降低'}到 {now:,} 人（相差 {abs(now - was):,} 人）",
            f"capacity out {'rises' if up else 'falls'} from {was:,} to {now:,} persons/min (by {abs(now - was):,})",
        )
        return told + (b.say("。", ".") if cleared_before == cleared_after else b.say(f"，{full}。", f"; {full}."))

    grave = now < was or (cleared_after or math.inf) > (cleared_before or math.inf)
    found = toward(was, now, Trend.TIGHTER) or (Trend.LOOSER if grave else Trend.TIGHTER)
    teller.tell(Weight.WAY_OUT if grave else Weight.GATES, "capacity_out", sentence, found, (was, now))


# -- people -----------------------------------------------------------------------------------------------------------------------------


def _agreement(teller: Teller, old: Part, new: Part, way: str) -> None:
    if old == new:
        return
    rise = way == "rise"
    wait = [
        0 if t["by"] is None else t["within_us"] if t["otherwise"] == "apply" and t["within_us"] is not None else math.inf
        for t in (old, new)
    ]
    teller.tell(
        Weight.AGREEMENT,
        f"confirm.{way}",
        lambda a, b: b.say(
            f"{'启动' if rise else '解除'}确认由“{agreed(old, a, rise=rise)}”改为“{agreed(new, b, rise=rise)}”。",
            f"approval to {'begin' if rise else 'end'}: {agreed(new, b, rise=rise)} (was: {agreed(old, a, rise=rise)}).",
        ),
        toward(wait[0], wait[1], Trend.LOOSER if rise else Trend.TIGHTER),
        (dict(old), dict(new)),
    )


def _tasks(teller: Teller, old: list[Part], new: list[Part]) -> None:
    before, after = {t["task"]: t for t in old}, {t["task"]: t for t in new}
    for name in dict.fromkeys((*before, *after)):
        if name not in before:
            _task(teller, after[name], ("新增", "added"), Trend.TIGHTER)
        elif name not in after:
            _task(teller, before[name], ("取消", "removed"), Trend.LOOSER)
        else:
            _same_task(teller, before[name], after[name])
    if list(before) != list(after) and before.keys() == after.keys():
        values = list(before), list(after)
        teller.tell(Weight.TASKS, "tasks", lambda _a, b: b.say("任务的顺序改变。", "the order of the tasks changes."), None, values)


def _task(teller: Teller, found: Part, what: tuple[str, str], trend: Trend) -> None:
    values = (None, dict(found)) if trend is Trend.TIGHTER else (dict(found), None)

    def sentence(_a: Titles, b: Titles) -> str:
        text, who, within = b.quoted(b.text(found, "text")), b.role(found["role"]), duration(found["within_us"], b.language)
        return b.say(f"{what[0]}任务{text}（{who}，{within}内）。", f"task {text} {what[1]} ({who}, within {within}).")

    teller.tell(Weight.TASKS, f"tasks.{found['task']}", sentence, trend, values)


def _same_task(teller: Teller, was: Part, now: Part) -> None:
    path, zh, en = f"tasks.{now['task']}", f"任务{quoted(now['text']['zh'], 'zh')}的", f"the task {quoted(now['text']['en'], 'en')}"
    within = (was["within_us"], now["within_us"])
    teller.lasting(Weight.TASKS, f"{path}.within_us", (f"{zh}时限", f"{en}: its deadline is"), within, Trend.LOOSER)
    if was["role"] != now["role"]:
        teller.tell(
            Weight.TASKS,
            f"{path}.role",
            lambda _a, b: b.say(
                f"{zh}执行人由{b.role(was['role'])}改为{b.role(now['role'])}。",
                f"{en} is for {b.role(now['role'])} instead of {b.role(was['role'])}.",
            ),
            None,
            (was["role"], now["role"]),
        )
    teller.words(Weight.TASKS, f"{path}.text", ("任务内容", "a task's text"), was["text"], now["text"])


def _devices(teller: Teller, old: Part, new: Part) -> None:
    for kind in ("link", "barrier"):
        before, after = old[f"{kind}s"], new[f"{kind}s"]
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                _device(teller, (kind, name), (before.get(name), after.get(name)))
    for name in dict.fromkeys((*old["signs"], *new["signs"])):
        zh, en = (teller.titles(lang, gone=name not in new["signs"]).called("sign", name) for lang in LANGUAGES)
        called = (f"{zh}的内容", f"{en}: its text")
        teller.words(Weight.DEVICES, f"signs.{name}", called, old["signs"].get(name), new["signs"].get(name))


def _device(teller: Teller, thing: tuple[str, str], values: tuple[str | None, str | None]) -> None:
    teller.tell(Weight.DEVICES, f"{thing[0]}s.{thing[1]}", lambda a, b: _moved(a, b, thing, values), None, values)


def _moved(a: Titles, b: Titles, thing: tuple[str, str], values: tuple[str | None, str | None]) -> str:
    was, now = values
    before = "" if was is None else b.say(f"（原为“{a.asked_of(thing[1], was)}”）", f" (was: {a.asked_of(thing[1], was)})")
    if now is None:
        return b.say(f"对{a.called(*thing)}不再作要求{before}。", f"nothing is asked of {a.called(*thing)} any more{before}.")
    told = b.asked_of(thing[1], now)
    return b.say(f"{b.called(*thing)}改为“{told}”{before}。", f"{b.called(*thing)}: {told}{before}.")
