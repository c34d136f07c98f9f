"""A handover as people read it: lines in Chinese or in English, numbered as a shift's book is.

Texts of incidents are those that people were told; the rest is told with the titles that the site's document gives to its things.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from flowwatch.handling import words
from flowwatch.handling.handover import Handover, Held, Open, PutOff
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import Handling
from flowwatch.titles import Clock, Names
from flowwatch.vocabulary import LEVELS, level, role, setting_of
from flowwatch.words import SECOND_US, Language, Text, duration, sentence, word

Kind = Literal["title", "line", "urgent"]
Line = tuple[Kind, str]
"""(how it is drawn, the text); "urgent": something is overdue, or cannot be read."""

_NUMERALS: Final = "一二三四五六七八九"
_CLOCK_STATES: Final[Mapping[str, Text]] = {
    "running": {"zh": "", "en": ""},
    "warned": {"zh": "，即将超时", "en": ", almost overdue"},
    "overdue": {"zh": "，已超时", "en": ", overdue"},
}
_PUT_OFF: Final[Mapping[str, Text]] = {
    "shelve": {"zh": "搁置", "en": "shelved"},
    "defer": {"zh": "挂账", "en": "put off"},
    "maintain": {"zh": "检修", "en": "under maintenance"},
}


def page(found: Handover, document: Mapping[str, Any] | None, lang: Language) -> Iterator[Line]:
    """The lines of a handover."""
    return _Page(found, document, lang).lines()


class _Page:
    def __init__(self, found: Handover, document: Mapping[str, Any] | None, lang: Language) -> None:
        self.found, self.lang = found, lang
        self.names, self.clock = Names(document, lang), Clock(document)
        self._sections = 0

    def lines(self) -> Iterator[Line]:
        """All of them."""
        found = self.found
        yield from self._head()
        yield from self._section("未办结事件", "Open incidents", len(found.incidents))
        for incident in found.incidents:
            yield from self._incident(incident)
        drills = [one for one in found.held if one.of == "drill"]
        others = [one for one in found.held if one.of != "drill"]
        yield from self._section("人工干预", "Overrides in force", len(others))
        yield from (("line", self._held(one)) for one in others)
        yield from self._section("演练", "Drills", len(drills))
        yield from (("line", self._held(one)) for one in drills)
        yield from self._section("搁置、挂账与设备检修", "Shelved, put off, under maintenance", len(found.put_off))
        yield from (("line", self._put_off(one)) for one in found.put_off)
        yield from self._section("本班情况", "The shift", None)
        yield from (("line", text) for text in self._shift())
        yield from (("urgent", text) for text in self._unreadable())
        if found.undelivered:
            yield from self._section("未送达的推送", "Feeds that cannot be delivered", len(found.undelivered))
            yield from (("urgent", f"{one.incident.name}  {self._text(one)}") for one in found.undelivered)

    def _say(self, zh: str, en: str) -> str:
        return self.names.say(zh, en)

    def _time(self, us: int) -> str:
        """A time of day, to the minute; with its date where that is another one than the handover's."""
        return self.clock.time(us, self.found.at_us)[:-3]

    def _head(self) -> Iterator[Line]:
        found, site = self.found, self.names.site
        called = site if site in ("", found.site) else self._say(f"{site}（{found.site}）", f"{site} ({found.site})")
        yield "title", self._say(f"交接班：{called or found.site}", f"Handover: {called or found.site}")
        at = self.clock.moment(found.at_us)[:-3]
        yield "line", self._say(f"{at}（{self.clock.zone}）", f"{at} ({self.clock.zone})")
        since, before = self._time(found.since_us), found.before
        if before is None:
            yield "line", self._say(f"此前没有交接班记录，以下自 {since} 起统计", f"No handover was written before; counted since {since}")
        else:
            why = self._say(f"：{before.reason}", f": {before.reason}") if before.reason else ""
            yield (
                "line",
                self._say(
                    f"上次交接 {since}，{before.by}交班，{before.to}接班{why}", f"Last handover {since}, {before.by} to {before.to}{why}"
                ),
            )
        for stage in found.stages:
            title, warned = self.names.stage(stage.stage, stage.plan), level(stage.level, self.lang)
            whose = self.names.of_plan(stage.plan)
            yield "line", self._say(f"{whose}管控阶段：“{title}”，{warned}", f'Stage{whose}: "{title}", {warned}')

    def _section(self, zh: str, en: str, count: int | None) -> Iterator[Line]:
        self._sections += 1
        many = "" if not count else self._say(f"（{count}）", f" ({count})")
        yield "line", ""
        yield "title", self._say(f"{_NUMERALS[self._sections - 1]}、{zh}{many}", f"{self._sections}. {en}{many}")
        if count == 0:
            yield "line", self._say("无", "None")

    def _incident(self, one: Open) -> Iterator[Line]:
        incident = one.incident
        levels = [word(LEVELS, incident.priority, self.lang)] if incident.priority is not None else []
        if RANKS[incident.worst] > RANKS[incident.priority]:
            worst = word(LEVELS, incident.worst or "", self.lang)
            levels.append(self._say(f"最高{worst}", f"was {worst}"))
        given = "".join(f"{one}{self._say('，', ', ')}" for one in levels)
        far = word(words.HANDLINGS, incident.handling.value, self.lang)
        if incident.unit:
            far += self._say(f"（{incident.unit}）", f" ({incident.unit})")
        facts = [given + self._say(f"{self._time(incident.since_us)} 起", f"since {self._time(incident.since_us)}"), far]
        if incident.by is not None:
            facts.append(self._say(f"签收人 {incident.by}", f"acknowledged by {incident.by}"))
            if incident.handling is Handling.ACKNOWLEDGED:
                del facts[1]
        facts.append(self._say(f"{role(one.duty, 'zh')}负责", f"{role(one.duty, 'en')} answers for it"))
        if not incident.active and incident.ended_us is not None:
            facts.append(self._say(f"{self._time(incident.ended_us)} 已解除", f"ended {self._time(incident.ended_us)}"))
        due, urgent = one.next_clock, False
        if due is not None:
            state = "overdue" if due.due_us <= self.found.at_us else due.state  # where no desk runs, nobody has said so
            urgent = state == "overdue"
            what, how = word(words.CLOCKS, due.name, self.lang), word(_CLOCK_STATES, state, self.lang)
            facts.append(self._say(f"{what}时限 {self._time(due.due_us)}{how}", f"{due.name} by {self._time(due.due_us)}{how}"))
        yield "line", f"{incident.name}  {self._text(one)}"
        yield "urgent" if urgent else "line", "    " + self._say("，", "; ").join(facts)

    def _text(self, one: Open) -> str:
        text = one.incident.alert.text
        return text.zh if self.lang == "zh" else text.en

    def _held(self, one: Held) -> str:
        until, stage = self._time(one.until_us), self.names.stage(one.value)
        match one.of:
            case "gate":
                gate, asked = self.names.gate(one.name or ""), setting_of(one.value or "", self.lang)
                what = self._say(f"{gate}保持“{asked}”", f"{gate} is held at {asked}")
            case "case":
                what = self._say(
                    f"专项预案“{self.names.plan(one.name or '')}”启用", f'case "{self.names.plan(one.name or "")}" is in force'
                )
            case "drill":
                what = self._say(f"【演练】“{stage}”阶段", f'[DRILL] stage "{stage}"')
            case _:
                title, whose = self.names.stage(one.value, one.name), self.names.of_plan(one.name)
                what = self._say(f"{whose}管控阶段保持“{title}”", f'the stage{whose} is held at "{title}"')
        said = self._say(f"{what}，至 {until}，{one.by}：{one.reason}", f"{what}, until {until}, by {one.by}: {one.reason}")
        return sentence(said, self.lang)

    def _put_off(self, one: PutOff) -> str:
        subject, act = self.names.subject(one.what, one.subject), word(_PUT_OFF, one.act, self.lang)
        what = word(words.KINDS, one.what, self.lang)
        until = "" if one.until_us is None else self._say(f"至 {self._time(one.until_us)}", f" until {self._time(one.until_us)}")
        return self._say(
            f"{one.incident}  {subject}：{what}，{act}{until}，{one.by}：{one.reason}",
            f"{one.incident}  {subject}: {what}; {act}{until}, by {one.by}: {one.reason}",
        )

    def _shift(self) -> Iterator[str]:
        shift = self.found.shift
        load, steps = shift.load, shift.steps
        levels = [(word(LEVELS, name, self.lang), number) for name, number in load.by_priority.items() if number]
        zh, en = "、".join(f"{name}{number} 条" for name, number in levels), ", ".join(f"{name}: {number}" for name, number in levels)
        late = sum(load.escalations.values())
        yield self._say(
            f"预警 {load.shown} 条{f'，其中{zh}' if zh else ''}；超时督办 {late} 次",
            f"Alerts: {load.shown}{f', of which {en}' if en else ''}; overdue and escalated: {late}",
        )
        if load.acknowledge_p50_s is not None and load.acknowledge_p90_s is not None:
            half, most = (duration(round(value) * SECOND_US, self.lang) for value in (load.acknowledge_p50_s, load.acknowledge_p90_s))
            yield self._say(
                f"签收用时：半数在 {half}内，九成在 {most}内；未签收 {load.unanswered} 条",
                f"Acknowledged: half within {half}, nine in ten within {most}; {load.unanswered} not",
            )
        names = ("acknowledge", "dispatch", "return", "verify", "close", "shelve", "defer")
        done = [f"{word(words.ACTS, name, self.lang)} {steps[name]}" for name in names if steps.get(name)]
        yield self._say("处理：", "Done: ") + (self._say("，", ", ").join(done) or self._say("无", "nothing"))
        if shift.ended:
            yield self._say(f"自行解除、系统自动办结：{shift.ended} 起", f"Over by themselves and closed without anybody: {shift.ended}")

    def _unreadable(self) -> Iterator[str]:
        count = self.found.shift.unreadable
        if count:
            records, are = ("records", "are") if count > 1 else ("record", "is")
            yield self._say(
                f"另有 {count} 条记录无法读取，以上未计入；请用 flowwatch audit verify 核查",
                f"{count} {records} could not be read and {are} left out here; `flowwatch audit verify` says which",
            )
