"""The words of the journal: every code has them in both languages, and figures, bars, settings, devices, orders and refusals are sentences."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowwatch import conditions, crossings, orders, sayings, texts, titles, vocabulary, words
from flowwatch.conditions import comes
from flowwatch.core.gates import Mode, violations
from flowwatch.core.incidents import What
from flowwatch.core.readings import Reason
from flowwatch.crossings import crossing
from flowwatch.orders import order, why_not
from flowwatch.titles import Clock, Names
from tests.journal.story import SECOND, START, holiday, site

ZH, EN = Names(json.loads(site()), "zh"), Names(json.loads(site()), "en")


@pytest.mark.parametrize("module", [conditions, crossings, orders, sayings, texts, titles, vocabulary, words])
def test_the_examples_in_the_docstrings_print_what_they_say(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_the_clock_is_the_sites_with_its_changes_and_its_dates() -> None:
    summer = START + 86_400 * SECOND
    clock = Clock({"time_zone": "Europe/Amsterdam", "offsets": [[0, 3600], [summer, 7200]]})
    assert clock.moment(summer - SECOND) == "2026-10-02 06:59:59"
    assert clock.moment(summer) == "2026-10-02 08:00:00"
    assert clock.time(summer, summer + SECOND) == "08:00:00"
    assert clock.time(summer, summer + 86_400 * SECOND) == "2026-10-02 08:00:00"
    assert Clock(None).moment(START) == "2026-10-01 06:00:00"
    assert Clock(None).moment(2**62) == str(2**62)


def test_every_code_has_words_in_both_languages() -> None:
    tables: list[tuple[Any, dict[Any, Any]]] = [
        (Reason, dict(texts.REASONS)),
        (Mode, dict(vocabulary.MODES)),
        (Mode, dict(vocabulary.SHORT_MODES)),
        (What, {what: texts._INCIDENTS[f"{what}/in" if what is What.GATE_CONTRADICTED else what][0] for what in What}),
        (What, {what: texts._INCIDENTS[f"{what}/in" if what is What.GATE_CONTRADICTED else what][1] for what in What}),
        (texts._INCIDENTS, {key: said[0] for key, said in texts._INCIDENTS.items()}),
        (texts._INCIDENTS, {key: said[1] for key, said in texts._INCIDENTS.items()}),
        (sayings._WHY_COMMANDED, dict(sayings._WHY_COMMANDED)),
        (sayings._WHY_MOVED, dict(sayings._WHY_MOVED)),
    ]
    tables += [(table, table) for name, table in vars(vocabulary).items() if name.strip("_").isupper() and isinstance(table, dict)]
    assert len(tables) > 16
    for codes, table in tables:
        for code in codes:
            assert set(table[code]) == {"zh", "en"}, code
            assert all(table[code].values())
            assert not re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", table[code]["zh"])), code


def test_every_role_that_ships_has_words_in_both_languages() -> None:
    plans = [file.read_text(encoding="utf-8") for file in (Path(__file__).parents[1] / "rules").glob("*/*.yaml")]
    named = {role for plan in plans for role in re.findall(r"\b(?:role|by): *([a-z_]+)", plan)} - {"automatic"}
    assert "metro_liaison" in named
    assert named <= vocabulary.ROLES.keys()


def test_every_reason_against_an_override_is_told_in_chinese() -> None:
    document = json.loads(site())
    gates = document["gates"]
    found = violations(document, {"gate-1": "closed", "gate-2": "in"}, 1000.0)
    gates[0] |= {"emergency": True}
    gates[1] |= {"entrance_only": True}
    found += violations(document, {"gate-1": "in", "gate-2": "both"}, None)
    assert len({re.sub(r'"[^"]*"|\d+', "", sentence) for sentence in found}) == 6
    for sentence in found:
        told = why_not(sentence, Names(document, "zh"))
        assert not re.search(r"[A-Za-z]{2}", re.sub(r"“[^”]*”", "", told)), told
        assert why_not(sentence, Names(document, "en")) == sentence


@pytest.mark.parametrize(
    ("figure", "zh", "en"),
    [
        ((1512, 1472, 1552, True), "豫园商城在场约 1,512 人（区间 1,472–1,552）", "about 1,512 people were at Yuyuan mall"),
        ((40, 12, None, False), "豫园商城人数尚未校准，但至少有 12 人在场", "Yuyuan mall was not anchored yet, but held at least 12"),
        ((-12, -30, 6, True), "豫园商城按计数推算为 -12 人", "by the counters Yuyuan mall held -12 people"),
    ],
)
def test_a_figure_is_told_with_its_band_or_with_what_is_sure(figure: tuple[int, int, int | None, bool], zh: str, en: str) -> None:
    inside, lower, upper, known = figure
    told = {"zone": "mall", "inside_m": inside * 1000, "lower_m": lower * 1000, "known": known}
    told |= {"upper_m": None if upper is None else upper * 1000}
    assert crossing(told, None, Names(json.loads(site()), "zh")).startswith(zh)
    assert crossing(told, None, Names(json.loads(site()), "en")).startswith(en)


@pytest.mark.parametrize(
    ("term", "zh", "en"),
    [
        (("occupancy", "enter", 30), "超过 3,000 人的启动阈值并已持续 30 秒", "over the enter bar of 3,000 people for 30 s"),
        (
            ("occupancy_upper", "enter", 0),
            "上限 3,012 人超过 3,000 人的启动阈值",
            "the upper edge 3,012 over the enter bar of 3,000 people",
        ),
        (
            ("occupancy_lower", "enter", 0),
            "下限 3,012 人超过 3,000 人的启动阈值",
            "the lower edge 3,012 over the enter bar of 3,000 people",
        ),
        (
            ("occupancy", "clear", 0),
            "低于 3,000 人的解除阈值，最短保持时间已满，数据也足够新",
            "below the clear bar of 3,000 people, with the dwell",
        ),
    ],
)
def test_a_bar_is_told_with_its_edge_and_how_long_it_was_held(term: tuple[str, str, int], zh: str, en: str) -> None:
    measure, edge, held = term
    bar = {"zone": "mall", "measure": measure, "value_m": 3_012_000, "bar_m": 3_000_000, "edge": edge, "held_s": held}
    assert crossing(None, bar, Names(None, "zh")).startswith(zh)
    assert crossing(None, bar, Names(None, "en")).startswith(en)


def leaf(measure: str, enter: str, **changes: Any) -> dict[str, Any]:
    """A leaf on the people in the mall."""
    made = {"kind": "people", "zone": "mall", "measure": measure, "source": "occupancy", "clear_source": "occupancy_upper"}
    return made | {"enter": enter, "clear": enter, "enter_m": 2_400_000, "clear_m": 2_400_000, "hold_us": 60 * SECOND} | changes


def passing(measure: str, **changes: Any) -> dict[str, Any]:
    """A leaf on the people who pass gate 1."""
    made = {"kind": "passers", "gate": "gate-1", "link": None, "measure": measure, "direction": "in", "enter": "60", "clear": "50"}
    return made | {"enter_m": 240_000, "clear_m": 200_000, "hold_us": 0} | changes


LINK = {"gate": None, "link": "main-loop"}
NET = {"source": "net_flow", "clear_source": "net_flow", "enter_m": 40_000}
BAND = {"source": "band_width", "clear_source": "band_width"}
CROSSED: list[tuple[dict[str, Any], str, str, str]] = [
    (
        leaf("capacity_share", "80%"),
        "超过承载量的 80%（2,400 人）的启动阈值并已持续 1 分钟",
        "over the enter bar of 80% of the capacity (2,400 people) for 1 min",
        "豫园商城在场人数超过承载量的 80%（2,400 人）并持续 1 分钟",
    ),
    (
        leaf("density", "3.5"),
        "超过每平方米 3.5 人（2,400 人）的启动阈值",
        "over the enter bar of 3.5 persons/m² (2,400 people)",
        "豫园商城人群密度超过每平方米 3.5 人",
    ),
    (
        leaf("level_of_service", "E"),
        "超过服务水平 E 级（2,400 人）的启动阈值",
        "over the enter bar of level of service E (2,400 people)",
        "豫园商城服务水平达到 E 级",
    ),
    (
        leaf("band_width", "2400", **BAND),
        "人数区间宽 2,500 人，超过 2,400 人的启动阈值",
        "the band 2,500 people wide, over the enter bar of 2,400 people",
        "豫园商城人数区间宽度超过 2,400 人",
    ),
    (
        leaf("net_flow", "40", **NET),
        "豫园商城净流入为每分钟 2,500 人，超过每分钟 2,400 人",
        "the net flow into Yuyuan mall at 2,500 persons/min, over the enter bar of 2,400 persons/min",
        "净流入超过每分钟 40 人",
    ),
    (leaf("queue", "2400"), "超过 2,400 人的启动阈值", "over the enter bar of 2,400 people", "豫园商城排队人数超过 2,400 人"),
    (
        passing("flow_rate"),
        "1 号口（gate-1）进入流量为每分钟 2,500 人，超过每分钟 2,400 人",
        "the inward flow through Gate 1 (gate-1) at 2,500 persons/min, over the enter bar of 2,400 persons/min",
        "1 号口（gate-1）进入流量超过每分钟 240 人",
    ),
    (
        passing("specific_flow"),
        "1 号口（gate-1）进入流量为每分钟 2,500 人，超过每米每分钟 60 人（每分钟 2,400 人）",
        "the inward flow through Gate 1 (gate-1) at 2,500 persons/min, over the enter bar of 60 persons/m/min (2,400 persons/min)",
        "单位宽度流量超过每米每分钟 60 人",
    ),
    (
        passing("opposing_flow", **LINK),
        "主环路（main-loop）逆向客流为每分钟 2,500 人",
        "the weaker of the two streams through main loop (main-loop) at 2,500 persons/min",
        "主环路（main-loop）逆向客流超过",
    ),
    (
        {"kind": "health", "counter": None, "health": "silent", "hold_us": 0},
        "至少一个计数器数据中断已持续 1 分钟",
        "at least one counter had been silent for 1 min",
        "任一计数器数据中断",
    ),
    (
        {"kind": "health", "counter": "gone-4", "health": "silent", "hold_us": 20 * SECOND},
        "计数器“gone-4”数据中断已持续 1 分钟",
        "counter gone-4 had been silent for 1 min",
        "计数器“gone-4”数据中断持续 20 秒",
    ),
    (
        {"kind": "neighbour", "site": "bund", "plan": None, "stage": "remote_hold", "hold_us": 30 * SECOND},
        "景区“bund”处于“remote_hold”或更高阶段并持续 1 分钟",
        'site bund had been at stage "remote_hold" or above for 1 min',
        "景区“bund”处于“remote_hold”或更高阶段并持续 30 秒",
    ),
    (
        {"kind": "time", "from_s": 64_800, "until_s": 1800},
        "进入 18:00 至次日 00:30 时段",
        "the time came within 18:00–00:30",
        "时间在 18:00 至次日 00:30 之间",
    ),
    (
        {"kind": "day", "days": ["sat", "holiday", "lantern"], "business_day_s": 0},
        "当日为周六、法定节假日或“lantern”活动日",
        "it was a Saturday, a public holiday or one of the days",
        "当日为周六",
    ),
    (
        {
            "kind": "forecast",
            "zone": "mall",
            "measure": "forecast_p90",
            "within_us": 900 * SECOND,
            "enter": "9",
            "enter_m": 9000,
            "clear": "8",
            "clear_m": 8000,
            "hold_us": 0,
        },
        "豫园商城 15 分钟内预测人数（P90）为 2,500 人",
        "the forecast for Yuyuan mall within 15 min (90th percentile) at 2,500 people",
        "豫园商城 15 分钟内预测人数（P90）超过 9 人",
    ),
]


@pytest.mark.parametrize(("found", "zh", "en", "waited"), CROSSED, ids=lambda v: v.get("measure", v["kind"]) if isinstance(v, dict) else "")
def test_every_kind_of_condition_is_told_when_it_is_crossed_and_as_what_is_waited_for(found: Any, zh: str, en: str, waited: str) -> None:
    bar = {"zone": found.get("zone"), "measure": found.get("measure") or found["kind"], "value_m": 2_500_000, "bar_m": 2_400_000}
    bar |= {"edge": "enter", "held_s": 60, "leaf": found}
    assert crossing(None, bar, ZH).startswith(zh)
    assert crossing(None, bar, EN).startswith(en)
    for names in (ZH, EN):
        assert crossing(None, bar | {"edge": "clear"}, names)
        assert comes({"leaves": [found, found], "clauses": [[0, 1], [0]]}, names)
    assert waited in comes({"leaves": [found], "clauses": [[0]]}, ZH)


SETTINGS = [
    ("in", "只进", "in only"),
    ("closed", "关闭", "closed"),
    ("metered 40/min", "限流进入，每分钟最多 40 人，只进不出", "metered entry, at most 40/min, nobody leaves"),
    ("metered 40/min both", "限流进入，每分钟最多 40 人，离开不限", "metered entry, at most 40/min, people may leave"),
    ("wave in 50s hold 10s out 110s", "分批放行：进 50 秒、停 10 秒、出 1 分钟 50 秒", "waves: in 50 s, hold 10 s, out 1 min 50 s"),
    ("somehow", "somehow", "somehow"),
]


@pytest.mark.parametrize(("setting", "zh", "en"), SETTINGS)
def test_a_setting_is_told_in_words(setting: str, zh: str, en: str) -> None:
    assert (vocabulary.setting_of(setting, "zh"), vocabulary.setting_of(setting, "en")) == (zh, en)


DEVICES = [
    ("barrier", "henan-road", "raise", "河南路口（henan-road）：升起", "Henan Road (henan-road): raised"),
    ("barrier", "henan-road", None, "河南路口（henan-road）：方案不再要求", "Henan Road (henan-road): nothing is asked"),
    ("barrier", "gone", "lower", "路障“gone”：降下", "barrier gone: lowered"),
    ("link", "main-loop", "one_way_back", "单向通行，由九曲桥往豫园商城", "one way, from Zigzag Bridge to Yuyuan mall"),
    ("link", "gone", "one_way_back", "通道“gone”：反向单向通行", "link gone: one way, reversed"),
    ("sign", "sign-1", {"zh": "请慢行", "en": "walk slowly"}, "1 号屏（sign-1）显示：“请慢行”", 'Sign 1 (sign-1): "walk slowly"'),
    ("sign", "sign-1", None, "1 号屏（sign-1）停止显示", "Sign 1 (sign-1): nothing is shown any more"),
    ("sign", "gone", None, "诱导屏“gone”停止显示", "sign gone: nothing is shown any more"),
]


@pytest.mark.parametrize(("device", "name", "state", "zh", "en"), DEVICES)
def test_a_device_is_told_what_it_is_to_be(device: str, name: str, state: Any, zh: str, en: str) -> None:
    body = {"device": device, "name": name, "state": state}
    assert zh in sayings.device_order(body, ZH)
    assert en in sayings.device_order(body, EN)


def test_a_broadcast_is_said_and_not_shown() -> None:
    names = Names({"signs": [{"sign": "pa", "title": {"zh": "东门广播", "en": "East"}, "kind": "broadcast"}]}, "zh")
    assert (
        sayings.device_order({"device": "sign", "name": "pa", "state": {"zh": "请慢行", "en": ""}}, names) == "东门广播（pa）播报：“请慢行”"
    )
    assert sayings.device_order({"device": "sign", "name": "pa", "state": None}, names) == "东门广播（pa）停止播报"


def test_names_of_counters_are_never_capitalised_and_stand_in_quotes_in_chinese() -> None:
    body = {"what": "counter_silent", "subject": "turnstile-4", "state": "raised", "headline": None, "reason": None}
    assert texts.incident(body, ZH).startswith("计数器“turnstile-4”数据中断")
    assert EN.sentence(texts.incident(body, EN)).startswith("Counter turnstile-4 is silent")
    assert EN.sentence("turnstile-4 is silent") == "turnstile-4 is silent"
    assert texts.incident(body | {"subject": "turnstile-1"}, ZH).startswith("1 号闸机（turnstile-1）数据中断")


UNTIL = {"at_us": START, "until_us": START + 60 * SECOND}
ENDS = {"at_us": START, "until_us": START + 1}
ORDERS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"type": "override", "stage": "exit_only"} | UNTIL,
        "管控阶段保持“只出不进”，至 14:01:00",
        'hold the stage at "exit only" until 14:01:00',
    ),
    ({"type": "override", "stage": "exit_only"} | ENDS, "结束对管控阶段的人工干预", "end the override of the stage"),
    (
        {"type": "override", "stage": "waves", "plan": "lantern"} | UNTIL,
        "“元宵灯会预案”的管控阶段保持“分批上桥”，至 14:01:00",
        'hold the stage of "Lantern Festival" at "waves to the bridge" until 14:01:00',
    ),
    (
        {"type": "override", "gate": "gate-1", "mode": "metered 40/min"} | UNTIL,
        "1 号口（gate-1）保持“限流进入，每分钟最多 40 人，只进不出”，至 14:01:00",
        'hold Gate 1 (gate-1) at "metered entry, at most 40/min, nobody leaves" until 14:01:00',
    ),
    (
        {"type": "override", "gate": "gate-1", "mode": "in"} | ENDS,
        "结束对 1 号口（gate-1）的人工干预",
        "end the override of Gate 1 (gate-1)",
    ),
    (
        {"type": "override", "case": "lantern"} | UNTIL,
        "启用专项预案“元宵灯会预案”，至 14:01:00",
        'declare case "Lantern Festival" until 14:01:00',
    ),
    ({"type": "override", "case": "lantern"} | ENDS, "结束专项预案“元宵灯会预案”的启用", 'end the declaration of case "Lantern Festival"'),
    ({"type": "drill", "stage": "exit_only"} | UNTIL, "演练“只出不进”阶段，至 14:01:00", 'exercise stage "exit only" until 14:01:00'),
    ({"type": "drill", "stage": "exit_only"} | ENDS, "结束演练", "end the drill"),
    ({"type": "fire", "state": "on"}, "报告火警，各通道口一律向外疏散", "a fire is reported; every gate is to lead out"),
    ({"type": "fire", "state": "off"}, "解除火警", "the fire is over"),
    ({"type": "confirm", "incident": "yuyuan-i3"}, "事件 yuyuan-i3", "incident yuyuan-i3"),
]


@pytest.mark.parametrize(("record", "zh", "en"), ORDERS)
def test_an_order_is_told_as_a_sentence(record: dict[str, Any], zh: str, en: str) -> None:
    document = json.loads(holiday())
    assert order(record, Names(document, "zh"), Clock(document), START) == zh
    assert order(record, Names(document, "en"), Clock(document), START) == en


QUESTION = {"to": "exit_only", "direction": "rise", "by": "officer_in_charge", "due_us": START, "otherwise": "apply", "said_by": None}
ASKED = [
    (
        "open",
        START,
        "请值班指挥长于 14:00:00 前答复；逾时无人答复即自动执行。",
        "is asked to answer by 14:00:00; without an answer it is done.",
    ),
    ("open", None, "请值班指挥长答复；答复之前不执行。", "until there is an answer nothing is done."),
    ("unanswered", START, "值班指挥长至 14:00:00 未答复，不自动执行，仍待答复。", "did not answer by 14:00:00; nothing is done"),
    ("declined", START, "值班指挥长已答复不同意", "The officer in charge said no"),
]


@pytest.mark.parametrize(("state", "due", "zh", "en"), ASKED)
def test_a_question_is_told_with_who_is_asked_by_when_and_what_happens_otherwise(state: str, due: int | None, zh: str, en: str) -> None:
    detail = QUESTION | {"state": state, "due_us": due}
    clock = Clock(json.loads(site()))
    assert zh in sayings.question(detail, ZH, clock, START)
    assert en in sayings.question(detail, EN, clock, START)
    body = {
        "what": "confirmation_needed",
        "subject": "yuyuan",
        "state": "raised",
        "headline": None,
        "reason": "rise:exit_only",
        "detail": detail,
    }
    assert texts.incident(body, ZH).startswith("客流已达到“只出不进”启动条件，")
    assert 'the stage may fall to "exit only"' in texts.incident(body | {"detail": detail | {"direction": "fall"}}, EN)


MOVED = [
    ("confirmed", "升为", "rose"),
    ("unanswered", "升为", "rose"),
    ("rise", "升为", "rose"),
    ("override", "转为", "went"),
    ("case", "转为", "went"),
]


@pytest.mark.parametrize(("reason", "zh", "en"), MOVED)
def test_a_stage_rises_or_is_held_as_its_reason_says(reason: str, zh: str, en: str) -> None:
    cause = {"estimate": None, "term": None, "action": None}
    body = {"plan": "yuyuan", "from": "normal", "to": "exit_only", "planned": "exit_only", "reason": reason, "cause": cause}
    told = sayings.transition(body, "yuyuan-3", ZH)
    assert f"管控阶段由“正常”{zh}“只出不进”（记录 yuyuan-3）。" in told
    assert not told.startswith("，")
    assert f'the stage {en} from "normal" to "exit only" (entry yuyuan-3).' in sayings.transition(body, "yuyuan-3", EN)
    back = sayings.stage_moved(body | {"from": "exit_only", "to": "normal"}, ZH)
    assert ("降为" in back) == (reason in ("confirmed", "unanswered"))


REFUSALS = [
    'no plan "x"',
    'no case "x"',
    'incident "yuyuan-i3" proposes nothing that could be declined',
    'incident "yuyuan-i3" proposes nothing any more',
    'its end is past, and no override of case "x" is in force',
    "its end is past, and no drill is under way",
    "a fire is reported: nobody drills now",
    "no fire is reported",
    "no gate of the site is marked for drills",
    'the real stage "x" is no calmer than "y"',
]


@pytest.mark.parametrize("refused", REFUSALS)
def test_every_reason_against_an_order_is_told_in_chinese(refused: str) -> None:
    told = why_not(refused, ZH)
    assert not re.search(r"[A-Za-z]{2}", re.sub(r"“[^”]*”", "", told)), told
    assert why_not(refused, EN) == refused


def test_every_sentence_with_which_the_engine_refuses_an_order_is_known() -> None:
    """The sentences stand in the engine's files as returned texts; each must be told in Chinese."""
    root = Path(__file__).parents[1] / "flowwatch" / "core"
    source = (root / "operators.py").read_text(encoding="utf-8") + (root / "standing.py").read_text(encoding="utf-8")
    sentences = re.findall(r"""return f?(?:'([^'\n]+)'|"([^"\n]+)")(?:, None)?$""", source, re.MULTILINE)
    found = {re.sub(r"\{[^}]*\}", "x", one or other) for one, other in sentences}
    assert len(found) > 8
    for sentence in found:
        assert not re.search(r"[A-Za-z]{2}", re.sub(r"“[^”]*”", "", why_not(sentence, ZH))), sentence


def test_a_degraded_rule_and_a_plan_out_of_its_dates_are_told() -> None:
    body: dict[str, Any] = {"subject": "yuyuan", "state": "raised", "headline": None, "detail": {}}
    assert texts.incident(body | {"what": "plan_not_valid", "reason": "over"}, ZH) == "“豫园管控方案”已过有效期，仍暂按其执行，请尽快更新"
    assert "is not valid yet" in texts.incident(body | {"what": "plan_not_valid", "reason": "not yet"}, EN)
    assert "规则“blind”" in texts.incident(body | {"what": "degraded", "subject": "blind", "reason": None}, ZH)
    assert "维持原状" in texts.incident(body | {"what": "invariant_broken", "subject": "table", "reason": "..."}, ZH)


def test_a_stage_is_called_as_its_own_plan_calls_it() -> None:
    names = Names(json.loads(holiday()), "zh")
    assert (names.stage("waves"), names.stage("waves", "lantern"), names.stage("waves", "yuyuan")) == ("分批上桥", "分批上桥", "waves")
    assert names.subject("override_active", "stage:lantern") == "“元宵灯会预案”的管控阶段"
    assert (names.of_plan("lantern"), ZH.of_plan("yuyuan")) == ("“元宵灯会预案”的", "")
