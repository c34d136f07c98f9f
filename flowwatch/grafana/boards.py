"""The six dashboards, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flowwatch.grafana.board import BAD, GOOD, GREY, LEVELS, WARN, Board, Both, Choice, Panel, Query, Row, Shape, Value, same
from flowwatch.grafana.query import FRESH_S, alarming, fresh, of, quantile, rate, rise
from flowwatch.handling.load import FLOOD, PER_HOUR
from flowwatch.handling.words import HANDLINGS, KINDS
from flowwatch.metrics.names import named
from flowwatch.texts import REASONS
from flowwatch.vocabulary import MODES
from flowwatch.words import Text

PEOPLE, SHARE, COUNT, SECONDS, BYTES, MOMENT = "locale", "percentunit", "locale", "s", "bytes", "s"
_YES_NO: Final = (Value("1", Both("yes", "是"), GOOD), Value("0", Both("no", "否"), BAD))
_UP: Final = (Value("1", Both("up", "正常"), GOOD), Value("0", Both("down", "中断"), BAD))
_MODE_COLOURS: Final = {"in": "#00897b", "out": "#8e44ad", "both": "#607d8b", "closed": "#4e342e", "metered": "#c2185b", "wave": "#5c6bc0"}
"""None of them is a level's."""
_OUTCOMES: Final = (
    ("accepted", Both("accepted", "已接受")),
    ("done", Both("done", "已执行")),
    ("refused", Both("refused", "被拒绝")),
    ("stale", Both("stale", "已过时")),
    ("fenced", Both("fenced", "已隔离")),
    ("expired", Both("expired", "已过期")),
    ("failed", Both("failed", "执行失败")),
)
_STATES: Final = (("waiting", Both("waiting", "等待")), ("delivered", Both("delivered", "已送达")), ("dead", Both("given up", "已放弃")))
_BOOKS: Final = (("journal", Both("journal", "决策记录")), ("handling", Both("book of handling", "处置记录")))
_JUDGED: Final = (("counted", Both("counted", "计入")), ("refused", Both("refused", "拒绝")))
_WAYS: Final = (("up", Both("stricter", "趋严")), ("down", Both("calmer", "趋缓")))
_FULL: Final = ((None, GOOD), (0.8, "#ffe066"), (1.0, BAD))
"""At 80 % a place is to be announced full (LB/T 034-2014)."""
_NONE_IS_RIGHT: Final = ((None, GOOD), (1, BAD))
_FRESH: Final = ((None, GOOD), (FRESH_S, GREY))


def _about(name: str) -> Both:
    """What a metric means, as the table of metrics says it."""
    metric = named(name)
    return Both(metric.en, metric.zh)


def _words(table: Mapping[str, Text]) -> tuple[tuple[str, Both], ...]:
    return tuple((code, Both(text["en"], text["zh"])) for code, text in table.items())


def _numbered(values: dict[str, str], by: str) -> str:
    """One number for each of several selectors: the first is 1."""
    return f"max by ({by}) ({' or '.join(f'{n} * {selector}' for n, selector in enumerate(values.values(), 1))})"


def _mode_numbers() -> str:
    return _numbered({mode: of("gate_mode_info", mode=mode) for mode in MODES}, "site, gate")


def _level_numbers(by: str) -> str:
    """Levels as numbers: none 1, IV 2, ... I 5."""
    return _numbered({level: of("plan_active_stage_info", level=level) for level in reversed(LEVELS)}, by)


_MODE_VALUES: Final = tuple(Value(str(n), text, _MODE_COLOURS[mode]) for n, (mode, text) in enumerate(_words(MODES), 1))
_NO_LEVEL: Final = (("none", Both("none", "无")),)
_LEVEL_VALUES: Final = tuple(
    Value(str(n), same(level) if level != "none" else Both("none", "无"), LEVELS[level]) for n, level in enumerate(reversed(LEVELS), 1)
)
_WHOLE: Final = {"zone": "site"}
BAND: Final = (Both("lower edge", "下限"), Both("estimate", "估计"), Both("upper edge", "上限"))


def _share(**labels: str) -> str:
    people = of("zone_occupancy_people", bound="upper", **labels)
    return f"{people} / ignoring(bound) ({of('zone_capacity_people', **labels)} > 0)"


def _open(by: str = "site", **labels: str) -> str:
    """Open incidents; 0 where a desk counts and there is none."""
    return f"sum by ({by}) ({of('incidents_active', **labels)}) or 0 * max by ({by}) ({of('incidents_unacknowledged')})"


def _age() -> str:
    return f"time() - {of('estimate_timestamp_seconds')}"


COMMAND: Final = Board(
    "command",
    Both("flowwatch 1 · Command", "flowwatch 1 · 指挥"),
    Both(
        "One site, now: how many people, which stage, what the gates do, what is open",
        "一个景区的此刻：多少人、哪个阶段、通道口如何、哪些事件未结",
    ),
    (
        Row(
            Both("Now", "此刻"),
            (
                Panel(
                    Both("People inside", "在场人数"),
                    Both(
                        "The band that holds nine cases in ten, and the estimate; no estimate until something has anchored it",
                        "九成区间与估计值；未校准前没有估计值",
                    ),
                    Shape.STAT,
                    PEOPLE,
                    tuple(
                        Query(fresh(of("zone_occupancy_people", bound=bound, **_WHOLE)), text)
                        for bound, text in zip(("lower", "estimate", "upper"), BAND, strict=True)
                    ),
                    width=8,
                    height=5,
                ),
                Panel(
                    Both("Share of capacity", "承载率"),
                    Both("The upper edge of the band against what the site may hold", "区间上限与瞬时承载量之比"),
                    Shape.STAT,
                    SHARE,
                    (Query(fresh(_share(**_WHOLE)), same("{{site}}")),),
                    width=4,
                    height=5,
                    steps=_FULL,
                    decimals=0,
                ),
                Panel(
                    Both("Stage and level", "阶段与级别"),
                    _about("plan_active_stage_info"),
                    Shape.STAT,
                    COUNT,
                    (Query(fresh(_level_numbers("site, plan, stage")), same("{{plan}}: {{stage}}")),),
                    width=8,
                    height=5,
                    values=_LEVEL_VALUES,
                ),
                Panel(
                    Both("Age of the figures", "数据时效"),
                    Both(
                        "Time since the newest estimate. From two minutes on nothing else of the site is shown, but for what is wrong",
                        "距最新估计的时间；超过 2 分钟，除异常外不再显示该景区的其他数据",
                    ),
                    Shape.STAT,
                    SECONDS,
                    (Query(_age(), same("{{site}}")),),
                    width=4,
                    height=5,
                    steps=_FRESH,
                    decimals=0,
                ),
            ),
        ),
        Row(
            Both("People", "人数"),
            (
                Panel(
                    Both("People and bars: $zone", "人数与阈值：$zone"),
                    Both(
                        "The band of the chosen zone, and the bars at which the plan's stages are entered",
                        "所选区域的人数区间，以及方案各阶段的启动阈值",
                    ),
                    Shape.TIME,
                    PEOPLE,
                    (
                        *(
                            Query(fresh(of("zone_occupancy_people", zone="~$zone", bound=bound)), text)
                            for bound, text in zip(("lower", "estimate", "upper"), BAND, strict=True)
                        ),
                        Query(of("plan_bar_people", zone="~$zone", edge="enter"), Both("bar: {{stage}}", "阈值：{{stage}}")),
                    ),
                    width=16,
                    height=10,
                    least=0,
                    band=True,
                ),
                Panel(
                    Both("How full the zones are", "各区域承载率"),
                    Both("The upper edge of the band against what each zone may hold", "各区域区间上限与瞬时承载量之比"),
                    Shape.BARS,
                    SHARE,
                    (Query(fresh(_share()), same("{{zone}}")),),
                    width=8,
                    height=10,
                    steps=_FULL,
                    decimals=0,
                ),
                Panel(
                    Both("Density", "人群密度"),
                    _about("zone_density_people_per_square_meter"),
                    Shape.TIME,
                    "suffix:/m²",
                    (Query(fresh(of("zone_density_people_per_square_meter")), same("{{zone}}")),),
                    decimals=2,
                    least=0,
                ),
                Panel(
                    Both("Modes of the gates", "通道口模式"),
                    _about("gate_mode_info"),
                    Shape.STATES,
                    COUNT,
                    (Query(fresh(_mode_numbers()), same("{{gate}}")),),
                    values=_MODE_VALUES,
                ),
            ),
        ),
        Row(
            Both("Open", "未结"),
            (
                Panel(
                    Both("Open incidents by priority", "未结事件（按紧急程度）"),
                    _about("incidents_active"),
                    Shape.BARS,
                    COUNT,
                    tuple(Query(alarming(_open(priority=priority)), same(priority)) for priority in LEVELS),
                    width=8,
                    height=6,
                    words=_NO_LEVEL,
                    colours=tuple(LEVELS.items()),
                ),
                Panel(
                    Both("Not acknowledged", "未签收"),
                    _about("incidents_unacknowledged"),
                    Shape.STAT,
                    COUNT,
                    (Query(alarming(of("incidents_unacknowledged")), same("{{site}}")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (1, WARN)),
                ),
                Panel(
                    Both("Overdue", "已超时"),
                    _about("incidents_overdue"),
                    Shape.STAT,
                    COUNT,
                    (Query(alarming(of("incidents_overdue")), same("{{site}}")),),
                    width=4,
                    height=6,
                    steps=_NONE_IS_RIGHT,
                ),
                Panel(
                    Both("Fire", "火警"),
                    _about("fire"),
                    Shape.STAT,
                    COUNT,
                    (Query(alarming(of("fire")), same("{{site}}")),),
                    width=4,
                    height=6,
                    values=(Value("0", Both("no fire", "无火警"), GREY), Value("1", Both("FIRE", "火警"), BAD)),
                ),
                Panel(
                    Both("Silent counters", "数据中断的计数器"),
                    Both("How many of the site's counters are silent", "本景区数据中断的计数器数"),
                    Shape.STAT,
                    COUNT,
                    (Query(alarming(f"sum by (site) ({of('counter_silent')})"), same("{{site}}")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (1, WARN)),
                ),
            ),
        ),
    ),
    (Choice.AREA, Choice.SITE, Choice.ZONE),
)

GATES: Final = Board(
    "gates",
    Both("flowwatch 2 · Gates and flow", "flowwatch 2 · 通道口与客流"),
    Both("Who comes and goes, what gates are told, and whether they obey", "进出客流、下达的指令与通道口执行情况"),
    (
        Row(
            Both("Flow", "客流"),
            (
                Panel(
                    Both("In, people a minute", "进入（人/分）"),
                    _about("gate_flow_people_total"),
                    Shape.TIME,
                    "suffix:/min",
                    (Query(f"60 * {rate('gate_flow_people_total', gate='~$gate', direction='in')}", same("{{site}} {{gate}}")),),
                    stacked=True,
                    least=0,
                ),
                Panel(
                    Both("Out, people a minute", "离开（人/分）"),
                    _about("gate_flow_people_total"),
                    Shape.TIME,
                    "suffix:/min",
                    (Query(f"60 * {rate('gate_flow_people_total', gate='~$gate', direction='out')}", same("{{site}} {{gate}}")),),
                    stacked=True,
                    least=0,
                ),
                Panel(
                    Both("In less out, people a minute", "净流入（人/分）"),
                    Both("Above 0 the site fills, below it empties", "大于 0 为净流入，小于 0 为净流出"),
                    Shape.TIME,
                    "suffix:/min",
                    (
                        Query(
                            f"60 * (sum by (site) ({rate('gate_flow_people_total', direction='in')})"
                            f" - sum by (site) ({rate('gate_flow_people_total', direction='out')}))",
                            same("{{site}}"),
                        ),
                    ),
                    width=24,
                ),
            ),
        ),
        Row(
            Both("Commands", "指令"),
            (
                Panel(
                    Both("Modes", "模式"),
                    _about("gate_mode_info"),
                    Shape.STATES,
                    COUNT,
                    (Query(_mode_numbers(), same("{{site}} {{gate}}")),),
                    width=24,
                    values=_MODE_VALUES,
                ),
                Panel(
                    Both("Commands by mode", "下达指令（按模式）"),
                    _about("gate_commands_total"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (mode) ({rise('gate_commands_total')})", same("{{mode}}")),),
                    least=0,
                    words=_words(MODES),
                ),
                Panel(
                    Both("Answers of gates", "通道口应答"),
                    _about("gate_deliveries_total"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (outcome) ({rise('gate_deliveries_total')})", same("{{outcome}}")),),
                    least=0,
                    words=_OUTCOMES,
                ),
                Panel(
                    Both("From sending to the answer", "从下发到应答"),
                    _about("gate_delivery_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (
                        Query(quantile(0.5, "gate_delivery_seconds"), Both("half of them", "半数以内")),
                        Query(quantile(0.99, "gate_delivery_seconds"), Both("99 of 100", "99% 以内")),
                    ),
                    least=0,
                ),
                Panel(
                    Both("Under way, not acknowledged", "已下发未确认"),
                    _about("gate_unacknowledged"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("gate_unacknowledged"), same("{{site}}")),),
                    least=0,
                ),
                Panel(
                    Both("Gates that are there", "通道口在线"),
                    _about("gate_up"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("gate_up", gate="~$gate"), same("{{site}} {{gate}}")),),
                    values=_UP,
                ),
                Panel(
                    Both("Gates that are as they were told", "通道口按指令执行"),
                    _about("gate_obeys"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("gate_obeys", gate="~$gate"), same("{{site}} {{gate}}")),),
                    values=_YES_NO,
                ),
            ),
        ),
    ),
    (Choice.AREA, Choice.SITES, Choice.GATE),
)

PLAN: Final = Board(
    "plan",
    Both("flowwatch 3 · Plan and incidents", "flowwatch 3 · 方案与事件"),
    Both(
        "Stages over time, what came up, how far people are with it, and how heavy the alarms are", "阶段变化、事件发生与处置进度、预警负荷"
    ),
    (
        Row(
            Both("Stages", "阶段"),
            (
                Panel(
                    Both("Levels of the plans", "方案级别"),
                    Both(
                        "The stages at which each plan stood, with their levels; I is the worst", "各方案先后所处的阶段及其级别，I 级最重"
                    ),
                    Shape.STATES,
                    COUNT,
                    (Query(_level_numbers("site, plan, stage"), same("{{site}} {{plan}}: {{stage}}")),),
                    width=16,
                    values=_LEVEL_VALUES,
                ),
                Panel(
                    Both("Changes of stage", "阶段变化"),
                    _about("plan_transitions_total"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (direction) ({rise('plan_transitions_total')})", same("{{direction}}")),),
                    width=8,
                    least=0,
                    words=_WAYS,
                ),
                Panel(
                    Both("Stage as a number", "阶段序号"),
                    _about("plan_stage"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("plan_stage"), same("{{site}} {{plan}}")),),
                    width=24,
                    height=6,
                    least=0,
                ),
            ),
        ),
        Row(
            Both("Incidents", "事件"),
            (
                Panel(
                    Both("Raised, by kind", "新发生（按类型）"),
                    _about("incidents_total"),
                    Shape.TIME,
                    COUNT,
                    (
                        Query(
                            f"sum by (what) ({rise('incidents_total')}) > 0 or sum by (what) ({of('incidents_total')}) * 0",
                            same("{{what}}"),
                        ),
                    ),
                    stacked=True,
                    least=0,
                    words=_words(KINDS),
                ),
                Panel(
                    Both("Open, by handling", "未结（按处置环节）"),
                    _about("incidents_active"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (handling) ({of('incidents_active', site='~$site|@service')})", same("{{handling}}")),),
                    stacked=True,
                    least=0,
                    words=_words(HANDLINGS),
                ),
                Panel(
                    Both("Open, by priority", "未结（按紧急程度）"),
                    _about("incidents_active"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (priority) ({of('incidents_active', site='~$site|@service')})", same("{{priority}}")),),
                    stacked=True,
                    least=0,
                    words=_NO_LEVEL,
                    colours=tuple(LEVELS.items()),
                ),
                Panel(
                    Both("Unanswered and overdue", "未签收与超时"),
                    Both(
                        "Open incidents that nobody has acknowledged, and those one of whose clocks has run out",
                        "尚未签收的事件与已超时限的事件",
                    ),
                    Shape.TIME,
                    COUNT,
                    (
                        Query(f"sum({of('incidents_unacknowledged')})", Both("not acknowledged", "未签收")),
                        Query(f"sum({of('incidents_overdue')})", Both("overdue", "已超时")),
                    ),
                    least=0,
                ),
            ),
        ),
        Row(
            Both("Alarm load, last 24 hours", "近 24 小时预警负荷"),
            (
                Panel(
                    Both("An operator and hour", "每人每小时"),
                    _about("alarms_per_operator_hour"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("alarms_per_operator_hour"), Both(f"EEMUA 191: {PER_HOUR} at most", f"EEMUA 191：不超过 {PER_HOUR}")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (PER_HOUR + 0.01, BAD)),
                    decimals=1,
                ),
                Panel(
                    Both("Worst ten minutes", "最密 10 分钟"),
                    _about("alarms_worst_window"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("alarms_worst_window"), Both(f"{FLOOD} at most", f"不超过 {FLOOD}")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (FLOOD + 0.01, BAD)),
                    decimals=0,
                ),
                Panel(
                    Both("Time in flood", "密集占比"),
                    _about("alarms_flood_ratio"),
                    Shape.STAT,
                    SHARE,
                    (Query(of("alarms_flood_ratio"), Both("ISA-18.2: 1 % at most", "ISA-18.2：不超过 1%")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (0.0101, BAD)),
                    decimals=1,
                ),
                Panel(
                    Both("Chattering", "反复跳变"),
                    _about("alarms_chattering"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("alarms_chattering"), Both("ISA-18.2: none", "ISA-18.2：应为零")),),
                    width=4,
                    height=6,
                    steps=_NONE_IS_RIGHT,
                ),
                Panel(
                    Both("Stale", "长期未签收"),
                    _about("alarms_stale"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("alarms_stale"), Both("ISA-18.2: fewer than 5", "ISA-18.2：少于 5")),),
                    width=4,
                    height=6,
                    steps=((None, GOOD), (5, BAD)),
                ),
                Panel(
                    Both("Reds hidden", "被遮蔽的红色预警"),
                    _about("alarms_red_hidden"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("alarms_red_hidden"), Both("none", "必须为零")),),
                    width=4,
                    height=6,
                    steps=_NONE_IS_RIGHT,
                ),
                Panel(
                    Both("Alerts that sounded, by priority", "有声预警（按紧急程度）"),
                    _about("alarms_total"),
                    Shape.TIME,
                    COUNT,
                    (Query(f"sum by (priority) ({rise('alarms_total', site='~$site|@service')})", same("{{priority}}")),),
                    stacked=True,
                    least=0,
                    words=_NO_LEVEL,
                    colours=tuple(LEVELS.items()),
                ),
                Panel(
                    Both("From the alert to its answer", "从预警到签收"),
                    _about("alarms_acknowledge_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (
                        Query(of("alarms_acknowledge_seconds", quantile="0.5"), Both("half of them", "半数以内")),
                        Query(of("alarms_acknowledge_seconds", quantile="0.9"), Both("nine of ten", "九成以内")),
                    ),
                    least=0,
                ),
            ),
        ),
    ),
    (Choice.AREA, Choice.SITES),
)

DATA: Final = Board(
    "data",
    Both("flowwatch 4 · Data quality", "flowwatch 4 · 数据质量"),
    Both(
        "What the figures rest on: which counters speak, how late, and what is refused",
        "人数的依据：哪些计数器在上报、迟到多少、哪些被拒绝",
    ),
    (
        Row(
            Both("Counters", "计数器"),
            (
                Panel(
                    Both("Silent, share of each site", "中断占比（按景区）"),
                    _about("counter_silent"),
                    Shape.TIME,
                    SHARE,
                    (Query(f"avg by (site) ({of('counter_silent')})", same("{{site}}")),),
                    least=0,
                ),
                Panel(
                    Both("Silent", "数据中断"),
                    _about("counter_silent"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("counter_silent"), same("{{site}} {{counter}}")),),
                    values=(Value("0", Both("speaks", "正常"), GOOD), Value("1", Both("silent", "中断"), BAD)),
                ),
                Panel(
                    Both("Since the last reading", "距最新读数"),
                    Both("Seconds since the newest reading that counted", "距最新有效读数的秒数"),
                    Shape.TIME,
                    SECONDS,
                    (Query(f"time() - {of('counter_last_reading_timestamp_seconds')}", same("{{site}} {{counter}}")),),
                    least=0,
                ),
                Panel(
                    Both("Readings a second", "每秒读数"),
                    _about("counter_readings_total"),
                    Shape.TIME,
                    "suffix:/s",
                    (Query(rate("counter_readings_total"), same("{{site}} {{counter}}")),),
                    least=0,
                ),
                Panel(
                    Both("Lateness", "迟到"),
                    _about("counter_lateness_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("counter_lateness_seconds"), same("{{site}} {{counter}}")),),
                ),
                Panel(
                    Both("Clocks", "设备时钟"),
                    _about("counter_skew_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("counter_skew_seconds"), same("{{site}} {{counter}}")),),
                ),
            ),
        ),
        Row(
            Both("Readings", "读数"),
            (
                Panel(
                    Both("Judged, a second", "每秒判定"),
                    _about("readings_total"),
                    Shape.TIME,
                    "suffix:/s",
                    (Query(f"sum by (outcome) ({rate('readings_total')})", same("{{outcome}}")),),
                    stacked=True,
                    least=0,
                    words=_JUDGED,
                ),
                Panel(
                    Both("Refused, by reason", "被拒绝（按原因）"),
                    _about("readings_refused_total"),
                    Shape.TIME,
                    "suffix:/s",
                    (Query(f"sum by (reason) ({rate('readings_refused_total')})", same("{{reason}}")),),
                    stacked=True,
                    least=0,
                    words=_words({reason.name.lower(): text for reason, text in REASONS.items()}),
                ),
                Panel(
                    Both("Share that is refused", "拒绝占比"),
                    Both("Of all that the engine judged", "占引擎判定总数的比例"),
                    Shape.TIME,
                    SHARE,
                    (
                        Query(
                            f"sum({rate('readings_total', outcome='refused')}) / (sum({rate('readings_total')}) > 0)",
                            Both("refused", "被拒绝"),
                        ),
                    ),
                    least=0,
                ),
                Panel(
                    Both("Ways in", "接入通道"),
                    _about("input_up"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("input_up"), same("{{input}}")),),
                    values=_UP,
                ),
            ),
        ),
        Row(
            Both("Zones", "区域"),
            (
                Panel(
                    Both("Zones whose figure is anchored", "人数已校准的区域"),
                    _about("zone_known"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("zone_known"), same("{{site}} {{zone}}")),),
                    values=(Value("1", Both("known", "已校准"), GOOD), Value("0", Both("at least", "仅知至少"), WARN)),
                ),
                Panel(
                    Both("Width of the band", "区间宽度"),
                    Both("Upper less lower edge: how far the figure may be off", "上限减下限：人数可能的误差"),
                    Shape.TIME,
                    PEOPLE,
                    (
                        Query(
                            f"{of('zone_occupancy_people', bound='upper')} - ignoring(bound) {of('zone_occupancy_people', bound='lower')}",
                            same("{{site}} {{zone}}"),
                        ),
                    ),
                    least=0,
                ),
            ),
        ),
    ),
    (Choice.AREA, Choice.SITES),
)

ITSELF: Final = Board(
    "itself",
    Both("flowwatch 5 · Flowwatch itself", "flowwatch 5 · 系统自身"),
    Both("Whether all parts run, how fast, and what room is left", "各部分是否运行、速度与余量"),
    (
        Row(
            Both("Up", "运行"),
            (
                Panel(
                    Both("Engine", "引擎"),
                    _about("engine_up"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("engine_up"), same("{{instance}}")),),
                    width=3,
                    height=5,
                    values=_UP,
                ),
                Panel(
                    Both("Desk", "值班台"),
                    _about("desk_up"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("desk_up"), same("{{instance}}")),),
                    width=3,
                    height=5,
                    values=_UP,
                ),
                Panel(
                    Both("Commands", "指令下发"),
                    _about("dispatcher_up"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("dispatcher_up"), same("{{instance}}")),),
                    width=3,
                    height=5,
                    values=_UP,
                ),
                Panel(
                    Both("Webhooks", "推送"),
                    _about("webhooks_up"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("webhooks_up"), same("{{instance}}")),),
                    width=3,
                    height=5,
                    values=_UP,
                ),
                Panel(
                    Both("Brokers", "消息代理"),
                    _about("broker_up"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("broker_up"), same("{{broker}}")),),
                    width=4,
                    height=5,
                    values=_UP,
                ),
                Panel(
                    Both("Frozen chains", "被冻结的链"),
                    _about("journal_frozen"),
                    Shape.STAT,
                    COUNT,
                    (Query(of("journal_frozen"), same("{{instance}}")),),
                    width=4,
                    height=5,
                    steps=_NONE_IS_RIGHT,
                ),
                Panel(
                    Both("Version", "版本"),
                    _about("build_info"),
                    Shape.NAME,
                    COUNT,
                    (Query(of("build_info"), Both("{{version}}, engine {{engine}}", "{{version}}，引擎 {{engine}}")),),
                    width=4,
                    height=5,
                ),
            ),
        ),
        Row(
            Both("Decisions", "决策"),
            (
                Panel(
                    Both("How long a tick takes", "每拍处理时间"),
                    _about("decide_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (
                        Query(quantile(0.5, "decide_seconds"), Both("half of them", "半数以内")),
                        Query(quantile(0.99, "decide_seconds"), Both("99 of 100", "99% 以内")),
                    ),
                    least=0,
                ),
                Panel(
                    Both("From a reading to the decision", "从读数到决策"),
                    _about("reading_to_decision_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (
                        Query(quantile(0.5, "reading_to_decision_seconds"), Both("half of them", "半数以内")),
                        Query(quantile(0.99, "reading_to_decision_seconds"), Both("99 of 100", "99% 以内")),
                    ),
                    least=0,
                ),
                Panel(
                    Both("Ticks a second", "每秒节拍"),
                    _about("ticks_total"),
                    Shape.TIME,
                    "suffix:/s",
                    (Query(rate("ticks_total"), same("{{partition}}")),),
                    least=0,
                ),
                Panel(
                    Both("Behind the log, seconds", "滞后（秒）"),
                    _about("log_lag_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("log_lag_seconds"), same("{{partition}}")),),
                    least=0,
                ),
                Panel(
                    Both("Behind the log, rows", "滞后（行）"),
                    _about("log_lag_rows"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("log_lag_rows"), same("{{partition}}")),),
                    least=0,
                ),
                Panel(
                    Both("Age of the newest checkpoint", "最新检查点时长"),
                    _about("snapshot_age_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("snapshot_age_seconds"), same("{{partition}}")),),
                    least=0,
                ),
                Panel(
                    Both("Since the last tick", "距最后一拍"),
                    Both("It stands still when nobody writes the log", "持续增大说明无人写入日志"),
                    Shape.TIME,
                    SECONDS,
                    (Query(f"time() - {of('log_tick_timestamp_seconds')}", same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Engine's start", "引擎启动时长"),
                    Both("How long each partition's engine has run", "各分区引擎已运行的时间"),
                    Shape.TIME,
                    SECONDS,
                    (Query(f"time() - {of('engine_start_timestamp_seconds')}", same("{{partition}}")),),
                    least=0,
                ),
                Panel(
                    Both("Since an engine's last words", "距引擎最近一次上报"),
                    Both(
                        "An engine says its figures once a second. Where this rises it has ended, and its other figures are old",
                        "引擎每秒写出一次指标。持续增大说明该引擎已停止，其余指标都是旧值",
                    ),
                    Shape.TIME,
                    SECONDS,
                    (Query(f"time() - {of('engine_figures_timestamp_seconds')}", same("{{partition}}")),),
                    least=0,
                ),
            ),
        ),
        Row(
            Both("Room", "容量"),
            (
                Panel(
                    Both("On the disk", "磁盘占用"),
                    Both("What log, inbox, journal and book of handling take", "日志、收件箱、决策记录与处置记录占用的空间"),
                    Shape.TIME,
                    BYTES,
                    (
                        Query(of("log_bytes"), Both("log", "日志")),
                        Query(of("inbox_bytes"), Both("inbox", "收件箱")),
                        Query(of("journal_bytes"), same("{{book}}")),
                    ),
                    least=0,
                    words=_BOOKS,
                ),
                Panel(
                    Both("Free", "剩余空间"),
                    _about("disk_free_bytes"),
                    Shape.TIME,
                    BYTES,
                    (Query(of("disk_free_bytes"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Waiting in the inbox", "收件箱等待"),
                    _about("inbox_files"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("inbox_files"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Entries", "条目数"),
                    _about("journal_entries"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("journal_entries"), same("{{book}}")),),
                    least=0,
                    words=_BOOKS,
                ),
                Panel(
                    Both("Processor", "处理器"),
                    Both("Cores that the service and each engine process use", "服务与各引擎进程占用的核数"),
                    Shape.TIME,
                    "suffix:×",
                    (
                        Query(
                            'rate(process_cpu_seconds_total{job=~"$job",instance=~"$instance"}[$__rate_interval])', Both("service", "服务")
                        ),
                        Query(rate("engine_cpu_seconds_total"), Both("engine {{worker}}", "引擎 {{worker}}")),
                    ),
                    least=0,
                    decimals=2,
                ),
                Panel(
                    Both("Memory", "内存"),
                    Both("Resident memory of the service and of each engine process", "服务与各引擎进程的常驻内存"),
                    Shape.TIME,
                    BYTES,
                    (
                        Query('process_resident_memory_bytes{job=~"$job",instance=~"$instance"}', Both("service", "服务")),
                        Query(of("engine_resident_memory_bytes"), Both("engine {{worker}}", "引擎 {{worker}}")),
                    ),
                    least=0,
                ),
            ),
        ),
        Row(
            Both("In and out", "收与发"),
            (
                Panel(
                    Both("Rows taken, a second", "每秒接收行数"),
                    _about("staged_rows_total"),
                    Shape.TIME,
                    "suffix:/s",
                    (Query(rate("staged_rows_total"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Told to come again", "请稍后重试"),
                    _about("staging_refusals_total"),
                    Shape.TIME,
                    COUNT,
                    (Query(rise("staging_refusals_total"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Listeners", "事件流客户端"),
                    _about("feed_clients"),
                    Shape.TIME,
                    COUNT,
                    (
                        Query(of("feed_clients"), Both("listen", "在线")),
                        Query(rise("feed_dropped_total"), Both("put to a snapshot", "改发快照")),
                    ),
                    least=0,
                ),
                Panel(
                    Both("Webhook messages", "推送消息"),
                    _about("webhook_outbox_messages"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("webhook_outbox_messages"), same("{{state}}")),),
                    least=0,
                    words=_STATES,
                ),
                Panel(
                    Both("Oldest webhook message", "等待最久的推送"),
                    _about("webhook_oldest_waiting_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("webhook_oldest_waiting_seconds"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("People not told yet", "尚未通知到人"),
                    _about("desk_lag_entries"),
                    Shape.TIME,
                    COUNT,
                    (Query(of("desk_lag_entries"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("Certificates", "证书"),
                    Both("Until they end", "距到期的时间"),
                    Shape.TIME,
                    SECONDS,
                    (Query(f"{of('certificate_expiry_timestamp_seconds')} - time()", same("{{certificate}}")),),
                ),
                Panel(
                    Both("These figures: how long they take", "生成指标的时间"),
                    _about("metrics_seconds"),
                    Shape.TIME,
                    SECONDS,
                    (Query(of("metrics_seconds"), same("{{instance}}")),),
                    least=0,
                ),
                Panel(
                    Both("These figures: what cannot be read", "读取失败的部分"),
                    _about("metrics_failed"),
                    Shape.STATES,
                    COUNT,
                    (Query(of("metrics_failed"), same("{{part}}")),),
                    values=(Value("0", Both("read", "正常"), GOOD), Value("1", Both("failed", "失败"), BAD)),
                ),
            ),
        ),
    ),
    (),
    transitions=False,
)

_OF_SITE: Final = "site"


def _in_its_area(expression: str) -> str:
    """The label `area` is the site's whole path, which ends with the site: without that it is the area, and nothing at the top."""
    return f'label_replace({expression}, "area", "$1", "area", "(?:(.*)/)?.+")'


DISTRICT: Final = Board(
    "district",
    Both("flowwatch 6 · District", "flowwatch 6 · 辖区"),
    Both("All sites of an area beside each other", "同一辖区的各景区并列"),
    (
        Row(
            Both("Sites", "景区"),
            (
                Panel(
                    Both("All sites", "各景区"),
                    Both(
                        "People by the upper edge, share of capacity, the worst level, what is open, and how old the figures are;"
                        " from two minutes on a site has no figures",
                        "区间上限人数、承载率、最重级别、未结事件与数据时效；超过 2 分钟的景区不显示人数与级别",
                    ),
                    Shape.TABLE,
                    COUNT,
                    (
                        Query(f"max by (site, area, title_en, title_zh) ({_in_its_area(of('site_info'))})"),
                        Query(fresh(f"max by (site) ({of('zone_occupancy_people', bound='upper', **_WHOLE)})")),
                        Query(fresh(f"max by (site) ({_share(**_WHOLE)})")),
                        Query(fresh(_level_numbers(_OF_SITE))),
                        Query(alarming(_open())),
                        Query(f"max by (site) ({_age()})"),
                    ),
                    width=24,
                    height=10,
                    columns=(
                        ("title_en", Both("site", "英文名")),
                        ("title_zh", Both("in Chinese", "景区")),
                        ("area", Both("area", "辖区")),
                        ("Value #B", Both("people at most", "人数上限")),
                        ("Value #C", Both("of capacity", "承载率")),
                        ("Value #D", Both("level", "级别")),
                        ("Value #E", Both("open", "未结事件")),
                        ("Value #F", Both("age", "数据时效")),
                    ),
                    units=(("Value #C", SHARE), ("Value #F", SECONDS)),
                    values=_LEVEL_VALUES,
                    valued="Value #D",
                ),
                Panel(
                    Both("How full", "承载率"),
                    Both("The upper edge of the band against what each site may hold", "各景区区间上限与瞬时承载量之比"),
                    Shape.TIME,
                    SHARE,
                    (Query(fresh(_share(**_WHOLE)), same("{{site}}")),),
                    least=0,
                ),
                Panel(
                    Both("Levels", "级别"),
                    Both("The worst level of each site's plans", "各景区方案的最重级别"),
                    Shape.STATES,
                    COUNT,
                    (Query(fresh(_level_numbers(_OF_SITE)), same("{{site}}")),),
                    values=_LEVEL_VALUES,
                ),
                Panel(
                    Both("People in the area", "辖区在场人数"),
                    Both(
                        "The sum over the chosen sites that are fresh, by the edges of their bands",
                        "所选景区（数据有效者）人数区间上下限之和",
                    ),
                    Shape.TIME,
                    PEOPLE,
                    (
                        Query(f"sum({fresh(of('zone_occupancy_people', bound='lower', **_WHOLE))})", BAND[0]),
                        Query(f"sum({fresh(of('zone_occupancy_people', bound='upper', **_WHOLE))})", BAND[2]),
                    ),
                    least=0,
                ),
                Panel(
                    Both("Open incidents", "未结事件"),
                    _about("incidents_active"),
                    Shape.TIME,
                    COUNT,
                    (Query(alarming(_open()), same("{{site}}")),),
                    stacked=True,
                    least=0,
                ),
            ),
        ),
    ),
    (Choice.AREA, Choice.SITES),
)

BOARDS: Final = (COMMAND, GATES, PLAN, DATA, ITSELF, DISTRICT)
