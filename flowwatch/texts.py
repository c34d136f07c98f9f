"""What people read of the journal, in Chinese and in English: a word for each code, and a sentence for each thing that an entry can say.

The engine writes codes and numbers; here they become words, with the titles that the site's documents give to zones, gates, counters and
stages. A plan's own texts (headline, instruction) are passed on as they are. Nothing here decides anything, and a code that this module
does not know is shown as it is rather than hidden.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from flowwatch.core.entries import EntryKind
from flowwatch.core.incidents import What
from flowwatch.core.readings import OUTSIDE, SECOND, Reason

Language = Literal["zh", "en"]
Text = Mapping[Language, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MODES: Final[Mapping[str, Text]] = {
    "in": {"zh": "只进", "en": "in only"},
    "out": {"zh": "只出", "en": "out only"},
    "both": {"zh": "双向", "en": "both ways"},
    "closed": {"zh": "关闭", "en": "closed"},
}

LEVELS: Final[Mapping[str, Text]] = {
    "IV": {"zh": "Ⅳ级（蓝色）", "en": "level IV (blue)"},
    "III": {"zh": "Ⅲ级（黄色）", "en": "level III (yellow)"},
    "II": {"zh": "Ⅱ级（橙色）", "en": "level II (orange)"},
    "I": {"zh": "Ⅰ级（红色）", "en": "level I (red)"},
}

KINDS: Final[Mapping[str, Text]] = {
    EntryKind.TRANSITION: {"zh": "阶段转换", "en": "transition"},
    EntryKind.COMMAND: {"zh": "通道口指令", "en": "gate command"},
    EntryKind.INCIDENT: {"zh": "事件", "en": "incident"},
    EntryKind.ACTION: {"zh": "人工操作", "en": "operator's record"},
    EntryKind.DOCUMENT: {"zh": "方案版本", "en": "documents"},
    EntryKind.REFUSALS: {"zh": "拒收", "en": "refusals"},
    EntryKind.ENGINE: {"zh": "引擎", "en": "engine"},
}

WHATS: Final[Mapping[str, Text]] = {
    What.STAGE: {"zh": "管控阶段", "en": "stage"},
    What.COUNTER_SILENT: {"zh": "数据中断", "en": "silent counter"},
    What.NEGATIVE_OCCUPANCY: {"zh": "人数为负", "en": "negative occupancy"},
    What.OCCUPANCY_UNKNOWN: {"zh": "人数未知", "en": "occupancy unknown"},
    What.RECOUNT_NEEDED: {"zh": "需要清点", "en": "recount needed"},
    What.OVERRIDE_ACTIVE: {"zh": "人工干预", "en": "override"},
    What.INVARIANT_BROKEN: {"zh": "出路受阻", "en": "way out at risk"},
}

ACTIONS: Final[Mapping[str, Text]] = {
    "override": {"zh": "人工干预", "en": "override"},
    "recount": {"zh": "人工清点", "en": "recount"},
    "confirm": {"zh": "确认", "en": "confirmation"},
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
}

_INCIDENTS: Final[Mapping[str, tuple[Text, Text]]] = {
    "stage": (
        {"zh": "进入“{subject}”阶段", "en": 'stage "{subject}"'},
        {"zh": "“{subject}”阶段结束，恢复常态", "en": 'stage "{subject}" is over'},
    ),
    "counter_silent": (
        {"zh": "计数器“{subject}”数据中断，人数区间随之放宽", "en": "counter {subject} is silent; the band widens"},
        {"zh": "计数器“{subject}”恢复上报", "en": "counter {subject} is heard again"},
    ),
    "negative_occupancy": (
        {"zh": "{subject}推算人数为负：离开的多于进入的，请人工清点", "en": "{subject}: more people left than came; please count by hand"},
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
        {"zh": "人工干预中：{subject}与方案不同", "en": "override in force: {subject} is held elsewhere than the plan asks"},
        {"zh": "人工干预结束：{subject}恢复按方案执行", "en": "override over: {subject} follows the plan again"},
    ),
    "invariant_broken": (
        {
            "zh": "{subject}的人工干预已自动撤销：在当前阶段它会断了人们的出路",
            "en": "the override of {subject} was lifted: in the present stage it would take people's way out",
        },
        {"zh": "{subject}恢复按方案执行", "en": "{subject} follows the plan again"},
    ),
}
"""What an incident says while it is open, and when it is cleared."""


_WHY_NOT: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), zh)
    for pattern, zh in (
        (r'no zone "(.+)"', "没有区域“{0}”"),
        (r'no stage "(.+)"', "没有阶段“{0}”"),
        (r'no gate "(.+)"', "没有通道口“{0}”"),
        (r'no open incident "(.+)"', "没有尚未解除的事件“{0}”"),
        (r"the site has no plan", "该景区没有管控方案"),
        (r"counted at a time more than an hour ago or in the future", "清点时间早于一小时之前，或在将来"),
        (r"its end is past, and no override of the stage is in force", "结束时间已过，而阶段当前没有人工干预可以结束"),
        (r'its end is past, and no override of gate "(.+)" is in force', "结束时间已过，而通道口“{0}”当前没有人工干预可以结束"),
        (r'gate "(.+)" is entrance_only and cannot be .*', "通道口“{0}”仅供进入，只能设为只进或关闭"),
        (r'gate "(.+)" would be closed to people leaving.*', "通道口“{0}”将无法出人，只有仅供进入的通道口才可以关闭"),
        (r'emergency gate "(.+)" would be .*', "应急通道口“{0}”必须始终可以出人"),
        (r'zone "(.+)" would have no way out', "区域“{0}”将没有出路"),
        (r"egress capacity would be (\S+) .* egress_min_per_min (\S+)", "疏散能力将只有每分钟 {0} 人，低于规定的 {1} 人"),
        (r"egress capacity would be (\S+) .* the calmer stage's (\S+)", "疏散能力将只有每分钟 {0} 人，低于下一级阶段的 {1} 人"),
    )
)
"""The engine's sentences on an operator's record that it refused, in Chinese."""


class Names:
    """The titles that a compiled site gives to its things, in one language; a thing without a title keeps its name.

    `document` may be None where it is no longer known: then everything keeps its name.
    """

    def __init__(self, document: Mapping[str, Any] | None, language: Language) -> None:
        self.language = language
        found = document or {}
        self._site = self._title(found)
        self._zones = {z["zone"]: self._title(z) for z in found.get("zones", ())}
        self._gates = {g["gate"]: self._title(g) for g in found.get("gates", ())}
        self._counters = {c["counter"]: self._title(c) for c in found.get("counters", ())}
        plan = found.get("plan") or {}
        self._stages = {s["stage"]: self._title(s) for s in plan.get("stages", ())}

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is in this language."""
        return zh if self.language == "zh" else en

    def word(self, table: Mapping[str, Text], code: str) -> str:
        """A code's word in `table`, or the code itself."""
        return table[code][self.language] if code in table else code

    def zone(self, name: str) -> str:
        """A zone's title; "site" is the whole, "outside" the world beyond."""
        if name == "site":
            return self._site or self.say("全场", "the whole site")
        if name == OUTSIDE:
            return self.say("场外", "outside")
        return self._zones.get(name) or name

    def gate(self, name: str) -> str:
        """A gate's title with its name."""
        return self._with_name(self._gates.get(name), name)

    def counter(self, name: str) -> str:
        """A counter's title with its name."""
        return self._with_name(self._counters.get(name), name)

    def stage(self, name: str | None) -> str:
        """A stage's title; a site without a plan is in none."""
        if name is None:
            return self.say("无", "none")
        return self._stages.get(name) or name

    def subject(self, what: str, name: str) -> str:
        """What an incident is about."""
        match what:
            case "stage":
                return self.stage(name)
            case "override_active" if name == "stage":
                return self.say("管控阶段", "the stage")
            case "override_active" | "invariant_broken":
                return self.gate(name)
            case "counter_silent":
                return self.counter(name)
        return self.zone(name)

    def _with_name(self, title: str | None, name: str) -> str:
        return name if not title or title == name else self.say(f"{title}（{name}）", f"{title} ({name})")

    def _title(self, thing: Mapping[str, Any]) -> str:
        titles = thing.get("title") or {}
        return str(titles.get(self.language) or "")


class Clock:
    """The site's wall clock: `offsets` is its document's table of UTC offsets."""

    def __init__(self, document: Mapping[str, Any] | None) -> None:
        self.zone: str = document["time_zone"] if document else "UTC"
        self._offsets: list[tuple[int, int]] = [(since, offset) for since, offset in document["offsets"]] if document else [(0, 0)]

    def moment(self, at: int) -> str:
        """Date and time of day."""
        since = max(bisect_right(self._offsets, (at, 2**31)) - 1, 0)
        try:
            local = _EPOCH + timedelta(microseconds=at + self._offsets[since][1] * SECOND)
        except OverflowError:
            return str(at)
        return local.strftime("%Y-%m-%d %H:%M:%S")

    def time(self, at: int, near: int) -> str:
        """The time of day, with the date if it is another one than that of `near`."""
        day, _, time = self.moment(at).partition(" ")
        return time if day == self.moment(near).partition(" ")[0] else f"{day} {time}"


def people(milli: int) -> str:
    """1/1000 persons as whole persons.

    >>> people(1_512_400)
    '1,512'
    """
    return f"{round(milli / 1000):,}"


def incident(body: Mapping[str, Any], names: Names) -> str:
    """The sentence of an incident entry's body."""
    cleared = body["state"] == "cleared"
    if body["headline"] and not cleared:
        return str(body["headline"][names.language])
    texts = _INCIDENTS.get(body["what"])
    if texts is None:
        return f"{body['what']}: {body['subject']}"
    return texts[cleared][names.language].format(subject=names.subject(body["what"], body["subject"]))


def crossing(found: Mapping[str, Any] | None, bar: Mapping[str, Any] | None, names: Names) -> str:
    """How many people were where (a cause's estimate), and which bar that crossed (its term); either may be None."""
    parts = []
    if found is not None:
        zone, inside, lower, upper = names.zone(found["zone"]), people(found["inside_m"]), people(found["lower_m"]), found["upper_m"]
        if not found["known"] or upper is None:
            parts.append(
                names.say(f"{zone}人数尚未校准，但至少有 {lower} 人在场", f"{zone} was not anchored yet, but held at least {lower} people")
            )
        elif found["inside_m"] < 0:
            parts.append(names.say(f"{zone}按计数推算为 {inside} 人", f"by the counters {zone} held {inside} people"))
        else:
            band = names.say(f"（区间 {lower}–{people(upper)}）", f" (between {lower} and {people(upper)})")
            parts.append(names.say(f"{zone}在场约 {inside} 人{band}", f"about {inside} people were in {zone}{band}"))
    if bar is not None:
        parts.append(_bar(bar, names))
    return names.say("，", ", ").join(parts)


def _bar(bar: Mapping[str, Any], names: Names) -> str:
    value, limit, held = people(bar["value_m"]), people(bar["bar_m"]), bar["held_s"]
    edge_zh = {"occupancy_upper": f"上限 {value} 人", "occupancy_lower": f"下限 {value} 人"}.get(bar["measure"], "")
    edge_en = {"occupancy_upper": f"the upper edge {value} ", "occupancy_lower": f"the lower edge {value} "}.get(bar["measure"], "")
    if bar["edge"] == "enter":
        return names.say(
            f"{edge_zh}超过 {limit} 人的启动阈值" + (f"并已持续 {held} 秒" if held else ""),
            f"{edge_en}over the enter bar of {limit}" + (f" for {held} s" if held else ""),
        )
    return names.say(
        f"{edge_zh}低于 {limit} 人的解除阈值，最短保持时间已满，数据也足够新",
        f"{edge_en}below the clear bar of {limit}, with the dwell over and fresh evidence",
    )


def order(record: Mapping[str, Any], names: Names, clock: Clock, near: int) -> str:
    """What an operator's record asks for, told at the time `near`."""
    say = names.say
    match record["type"]:
        case "override":
            until = clock.time(record["until_us"], near)
            if record.get("stage") is not None:
                stage = names.stage(record["stage"])
                return say(f"管控阶段保持“{stage}”，至 {until}", f'hold the stage at "{stage}" until {until}')
            gate, mode = names.gate(record["gate"]), names.word(MODES, record["mode"])
            return say(f"{gate}保持“{mode}”，至 {until}", f"hold {gate} at {mode} until {until}")
        case "recount":
            zone, count, when = names.zone(record["zone"]), f"{record['count']:,}", clock.time(record["counted_at_us"], near)
            return say(f"{zone}清点为 {count} 人（{when}）", f"{count} people counted in {zone} at {when}")
        case "confirm":
            return say(f"事件 {record['incident']}", f"incident {record['incident']}")
    return str(record["type"])


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


def lasting(microseconds: int, names: Names) -> str:
    """A duration in words.

    >>> lasting(4_000_000_000, Names(None, "en"))
    '1 h 6 min 40 s'
    """
    hours, rest = divmod(microseconds // 1_000_000, 3600)
    parts = [(hours, names.say("小时", "h")), (rest // 60, names.say("分", "min")), (rest % 60, names.say("秒", "s"))]
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or names.say("0 秒", "0 s")
