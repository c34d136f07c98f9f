"""The sentence to each code, in both languages, with its severity.

The English sentences name things as the files do; the Chinese ones too, since a finding is read beside the file. Numbers are written
before they come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.safety.report import Code, Event, Finding, Path, Severity

_F, _W, _N = Severity.FAULT, Severity.WARNING, Severity.NOTE

SENTENCES: Final[Mapping[Code, tuple[Severity, str, str]]] = {
    Code.NO_WAY_OUT: (_F, "区域“{zone}”没有任何出路", 'zone "{zone}" would have no way out'),
    Code.EGRESS_BELOW_MINIMUM: (
        _F,
        "疏散能力只有{found}人/分钟，低于egress_min_per_min规定的{least}人/分钟",
        "egress capacity would be {found} persons/min, expected at least egress_min_per_min {least}",
    ),
    Code.EGRESS_FALLS: (
        _F,
        "“{plan}”由“{low}”升至“{stage}”时，疏散能力从{before}降到{found}人/分钟；阶段上升时疏散能力不得下降",
        'egress capacity falls from {before} to {found} persons/min when "{plan}" rises from "{low}" to "{stage}"; a rise must not cost capacity',
    ),
    Code.EGRESS_FALLS_TOGETHER: (
        _W,
        "与其他方案同时生效时，“{plan}”由“{low}”升至“{stage}”会使疏散能力从{before}降到{found}人/分钟",
        'together with other plans, egress capacity falls from {before} to {found} persons/min when "{plan}" rises from "{low}" to "{stage}"',
    ),
    Code.EMERGENCY_SHUT: (
        _F,
        "应急通道口“{gate}”被设为“{setting}”，人员无法离开",
        'emergency gate "{gate}" would be "{setting}", expected a setting that lets people leave',
    ),
    Code.ENTRANCE_LETS_OUT: (
        _F,
        "通道口“{gate}”只能作入口（entrance_only），不能设为“{setting}”",
        'gate "{gate}" is entrance_only and cannot be "{setting}", expected a setting that lets nobody leave',
    ),
    Code.GATE_SHUT: (
        _F,
        "通道口“{gate}”被设为“{setting}”，既不能进也不能出；只有entrance_only的通道口才可以关闭",
        'gate "{gate}" would be "{setting}" and shut both ways; only an entrance_only gate may be shut',
    ),
    Code.GATE_WITHOUT_SETTING: (
        _F,
        "没有规定通道口{gates}的状态；在补全之前，无法检查出路",
        "found no setting for {gates}; until there is one, the ways out cannot be checked",
    ),
    Code.FIRE_UNSAFE: (_F, "火警时全部通道口向外打开，但仍然不够：{reason}", "even with every gate opened by a fire signal: {reason}"),
    Code.SINGLE_EXIT: (
        _F,
        "区域“{zone}”只有一条出路：通道口{gates}一旦无法通行，里面的人就出不来；请再开一个出口，或在景区文件中用accepts_single_exit写明理由和责任人",
        'zone "{zone}" has a single way out: if {gates} fails, nobody can leave it; open another, or accept it with accepts_single_exit and a reason',
    ),
    Code.SINGLE_EXIT_ACCEPTED: (
        _N,
        "区域“{zone}”只有一条出路（通道口{gates}），已由{by}接受，理由：{reason}",
        'zone "{zone}" has a single way out ({gates}), accepted by {by}: {reason}',
    ),
    Code.ONE_WAY_WITHOUT_RETURN: (
        _F,
        "通道按单向通行时，区域“{zone}”的人走不出去",
        'when links are walked one way as this stage asks, zone "{zone}" has no way out',
    ),
    Code.CASE_LOWERS_EGRESS: (
        _N,
        "专项预案“{plan}”启用时，疏散能力从{before}降到{found}人/分钟",
        'egress capacity falls from {before} to {found} persons/min when case "{plan}" comes into force',
    ),
    Code.WAVES_DO_NOT_MIX: (
        _W,
        "各方案对通道口“{gate}”的要求无法合并（{asked}），结果为“{setting}”，谁也进不来",
        'what is asked of gate "{gate}" cannot be combined ({asked}): it becomes "{setting}" and nobody may enter, though every plan lets people in',
    ),
    Code.NEVER_REACHED: (_F, "阶段“{stage}”永远不会启动：{reason}", 'stage "{stage}" can never be reached: {reason}'),
    Code.NOT_REACHABLE_YET: (
        _F,
        "阶段“{stage}”目前还不会启动：{reason}；请另加一个现在就能判断的条件",
        'stage "{stage}" cannot be reached yet: {reason}; give it a condition beside that is evaluated today',
    ),
    Code.NOT_EVALUATED_YET: (
        _N,
        "“{where}”的条件“{leaf}”目前还不参与判断，视为不成立",
        '"{where}": the condition "{leaf}" is not evaluated yet and never holds',
    ),
    Code.NEVER_ACTIVE: (
        _F,
        "阶段“{stage}”不会单独出现：它的条件一成立，更高的阶段“{higher}”也同时成立，并且不会更早解除",
        'stage "{stage}" is never active by itself: whenever its conditions hold, those of "{higher}" above it hold too, and last as long',
    ),
    Code.PASSED_THROUGH: (
        _F,
        "上升时总是直接越过阶段“{stage}”：它的条件一成立，更高的阶段“{higher}”也同时成立；它只在下降时出现",
        'stage "{stage}" is passed through on the way up: whenever its conditions hold, those of "{higher}" hold too; it comes only on the way down',
    ),
    Code.CLAUSE_NEVER_HOLDS: (
        _W,
        "“{where}”的条件“{clause}”永远不会成立：{reason}",
        '"{where}": the condition "{clause}" can never hold: {reason}',
    ),
    Code.BAR_ABOVE_LIMIT: (
        _W,
        "“{where}”的条件“{leaf}”高于该区域站得下的人数（{limit}人，每平方米7.1人），只有在人数区间很宽时才会成立",
        '"{where}": the bar of "{leaf}" is more than the floor can hold ({limit} persons at 7.1/m2); only a wide band would reach it',
    ),
    Code.CASE_NEVER_BEGINS: (
        _W,
        "专项预案“{plan}”不会自行启用：{reason}；只能由值班员宣布",
        'case "{plan}" never comes into force by itself: {reason}; only an operator can declare it',
    ),
    Code.RULE_NEVER_HOLDS: (_W, "降级规则“{rule}”永远不会成立：{reason}", 'degraded rule "{rule}" can never hold: {reason}'),
    Code.BARS_OUT_OF_ORDER: (
        _F,
        "阶段“{stage}”的条件“{high}”不高于下面阶段“{lower}”的条件“{low}”：两者会同时启动",
        'stage "{stage}": "{high}" comes no later than "{low}" of "{lower}" below it; the higher stage must enter above the lower',
    ),
    Code.BARS_OVERLAP: (
        _F,
        "阈值重叠：阶段“{stage}”的“{high}”到{clear}才解除，低于下面阶段“{lower}”的“{low}”",
        'the bars overlap: "{high}" of stage "{stage}" clears at {clear}, below where "{low}" of "{lower}" enters',
    ),
    Code.DWELL_TOO_SHORT: (
        _F,
        "阶段“{stage}”最短保持{found}秒，少于60秒：报警会反复跳动",
        'stage "{stage}" stays for {found} s at least, expected 60 s or more: it could come and go three times in a minute',
    ),
    Code.NO_GAP: (
        _F,
        "“{where}”的条件“{leaf}”：解除阈值{clear}不低于启动阈值，会来回跳动",
        '"{where}": "{leaf}" clears at {clear}, which is not below where it enters; it would come and go with every reading',
    ),
    Code.CLEARS_ON_LOWER_EDGE: (
        _W,
        "“{where}”的条件“{leaf}”按{source}启动，却按更低的{clear_source}解除，可能刚启动就解除",
        '"{where}": "{leaf}" enters on {source} but clears on {clear_source}, which is lower; it may clear as soon as it has entered',
    ),
    Code.WINDOW_SHORTER_THAN_DWELL: (
        _W,
        "阶段“{stage}”的时段“{leaf}”只有{found}分钟，短于最短保持{dwell}分钟：时段过后仍会保持",
        'stage "{stage}": the window "{leaf}" is {found} min, shorter than the dwell of {dwell} min; the stage outlasts it',
    ),
    Code.RULE_WITHOUT_HOLD: (
        _F,
        "降级规则“{rule}”没有持续时间，读数一跳动就会反复触发",
        'degraded rule "{rule}" holds at once (hold 0 s) and would come and go with single readings; give it a hold',
    ),
    Code.CAPACITY_ABOVE_FLOOR: (
        _W,
        "区域“{zone}”的承载量为{found}人，超过{area}平方米按每平方米{per_m2}人能容纳的{most}人；请核对面积和承载量",
        'zone "{zone}" has a capacity of {found}, more than the {most} persons of {area} m2 at {per_m2} persons/m2; check the area and the capacity',
    ),
    Code.LANE_WIDTH: (
        _W,
        "通道口“{gate}”{lanes}条通道共宽{width}米，每条{found}米，一般为{low}至{high}米；width_m应为全部通道的总净宽",
        'gate "{gate}": {width} m for {lanes} lanes makes {found} m a lane, expected {low} to {high} m; width_m is that of all lanes together',
    ),
    Code.BAR_ABOVE_CAPACITY: (
        _W,
        "“{where}”的条件“{leaf}”，阈值是{zone}承载量（{capacity}人）的{times}倍；单位是否写错？",
        '"{where}": the bar of "{leaf}" is {times} times the capacity of {zone} ({capacity} persons); was another unit meant?',
    ),
    Code.BAR_ABOVE_PASSAGE: (
        _W,
        "“{where}”的条件“{leaf}”，阈值高于{what}每分钟能通过的{most}人，可能永远达不到",
        '"{where}": the bar of "{leaf}" is more than {what} lets through ({most} persons/min); it may never be crossed',
    ),
    Code.HOLD_TOO_LONG: (
        _W,
        "“{where}”的条件“{leaf}”要持续{found}分钟才启动；人已超过阈值，等得太久",
        '"{where}": "{leaf}" waits {found} min before the stage rises, a long time for people over the bar',
    ),
    Code.NARROW_BARS: (
        _N,
        "“{where}”的条件“{leaf}”，解除阈值{clear}与启动阈值只差{apart}%，多来或少来一个旅游团就会变动",
        '"{where}": "{leaf}" clears at {clear}, only {apart} % below where it enters; a tour group more or less may change the stage',
    ),
    Code.TEXT_MISSING: (_F, "{what}缺少{language}文本", "{what}: the text in {language} is missing"),
    Code.TEXTS_THE_SAME: (_W, "{what}的中英文文本相同：“{text}”", '{what}: the same text in both languages, "{text}"'),
    Code.NOT_ENGLISH: (_W, "{what}的英文文本里有汉字：“{text}”", '{what}: Chinese characters in the English text, "{text}"'),
    Code.NOT_CHINESE: (_W, "{what}的中文文本里没有汉字：“{text}”", '{what}: no Chinese character in the Chinese text, "{text}"'),
    Code.COUNT_IN_NAME: (
        _F,
        "阶段“{stage}”名为“{text}”，通道口表却是{ways}",
        'stage "{stage}" is called "{text}", but its gates make {ways}',
    ),
    Code.RATE_ABOVE_LANES: (
        _W,
        "通道口“{gate}”限流{found}人/分钟，但其通道每分钟只能通过{passes}人，等于没有限流",
        'gate "{gate}" is metered at {found}/min, but its lanes pass {passes}/min: that limits nobody',
    ),
    Code.WAVE_NEVER_RELEASES: (
        _F,
        "通道口“{gate}”的分批放行“{setting}”没有放人进入的阶段",
        'gate "{gate}": the wave "{setting}" has no phase that lets people in',
    ),
    Code.WAVE_WITHOUT_CLEARING: (
        _W,
        "通道口“{gate}”的“{setting}”由进转出之间没有清场时间（hold）",
        'gate "{gate}": "{setting}" turns from in to out without a hold, so that people meet head-on',
    ),
    Code.TASK_WITHOUT_ROLE: (_F, "阶段“{stage}”的任务“{task}”没有指定由谁执行（role）", 'stage "{stage}": task "{task}" has no role'),
    Code.NO_PLAN: (_N, "这个景区没有方案，没有可检查的阶段", "the site has no plan, so there is nothing to analyse"),
    Code.NOT_ALL_VISITED: (
        _W,
        "组合太多，只检查了至多{depth}个方案同时不在常态的情形：{visited}种，共{total}种",
        "too many combinations: only those with at most {depth} plans away from calm were visited, {visited} of {total}",
    ),
}


def finding(
    code: Code, plan: str | None, stage: str | None, path: Path, *, events: tuple[Event, ...] | None = None, **facts: Any
) -> Finding:
    """A finding with its sentences; a fact may be one text or a pair (Chinese, English). `plan` and `stage` are facts too."""
    severity, zh, en = SENTENCES[code]
    known = {"plan": plan, "stage": stage} | facts
    texts = [
        form.format(**{key: value[i] if isinstance(value, tuple) else value for key, value in known.items()})
        for i, form in enumerate((zh, en))
    ]
    if events:
        way = ["；".join(e.zh for e in events), "; ".join(e.en for e in events)]
        texts = [f"{texts[0]}。最短路径：{way[0]}", f"{texts[1]}. Shortest way there: {way[1]}"]
    return Finding(code, severity, plan, stage, path, texts[0], texts[1], events)


def number(value: float) -> str:
    """A number for people.

    >>> number(1500.0), number(41.667)
    ('1,500', '41.7')
    """
    return f"{round(value, 1):,.1f}".removesuffix(".0")


def listed(names: list[str] | tuple[str, ...], most: int = 6) -> tuple[str, str]:
    """Names in quotes, the first few of them, in Chinese and in English.

    >>> listed(["a", "b"])
    ('“a”、“b”', '"a", "b"')
    """
    rest = ["…"] if len(names) > most else []
    return "、".join([*(f"“{name}”" for name in names[:most]), *rest]), ", ".join([*(f'"{name}"' for name in names[:most]), *rest])
