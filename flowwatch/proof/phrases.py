"""The words of the day's ledger, in Chinese as a duty room writes its 运行日报, and in English; and how times and spans are set in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.handling.records import FLOWWATCH, Act
from flowwatch.proof.cases import WAY, Case
from flowwatch.proof.ledger import SITE, Ledger, Order
from flowwatch.sayings import reason_text
from flowwatch.texts import drilled, incident
from flowwatch.titles import Clock, Names
from flowwatch.vocabulary import setting_of
from flowwatch.words import SECOND_US, Language, Text, duration

ACTS: Final[Mapping[Act, Text]] = {
    Act.ACKNOWLEDGE: {"zh": "签收", "en": "acknowledged"},
    Act.DISPATCH: {"zh": "派警", "en": "dispatched"},
    Act.ARRIVE: {"zh": "到场", "en": "on scene"},
    Act.HANDLE: {"zh": "处置", "en": "handled"},
    Act.FEEDBACK: {"zh": "反馈", "en": "fed back"},
    Act.VERIFY: {"zh": "核查", "en": "verified"},
    Act.CLOSE: {"zh": "办结", "en": "closed"},
    Act.RETURN: {"zh": "退单", "en": "returned"},
    Act.DEFER: {"zh": "挂账", "en": "deferred"},
    Act.RESUME: {"zh": "恢复办理", "en": "resumed"},
    Act.SHELVE: {"zh": "搁置提示", "en": "shelved"},
    Act.UNSHELVE: {"zh": "取消搁置", "en": "taken off the shelf"},
    Act.MAINTAIN: {"zh": "设备检修", "en": "under maintenance"},
    Act.RESTORE: {"zh": "检修完毕", "en": "in use again"},
    Act.NOTE: {"zh": "备注", "en": "noted"},
    Act.SUPERVISE: {"zh": "督办", "en": "pressed"},
    Act.REOPEN: {"zh": "升级重办", "en": "opened again"},
}
CLOCKS: Final[Mapping[str, Text]] = {
    "acknowledge": {"zh": "签收", "en": "acknowledging"},
    "dispatch": {"zh": "派警", "en": "dispatching"},
    "arrive": {"zh": "到场", "en": "arriving"},
    "handle": {"zh": "处置", "en": "handling"},
}
ANSWERS: Final[Mapping[str, Text]] = {
    "done": {"zh": "已到位", "en": "done"},
    "refused": {"zh": "设备拒绝", "en": "refused"},
    "failed": {"zh": "执行失败", "en": "failed"},
    "expired": {"zh": "指令过期", "en": "expired"},
    "superseded": {"zh": "被新指令取代", "en": "superseded"},
}
EFFECTS: Final[Mapping[str, Text]] = {
    "gate_unanswered": {"zh": "未应答", "en": "not answered"},
    "gate_wrong_mode": {"zh": "状态不符", "en": "set to something else"},
    "gate_lost": {"zh": "失联", "en": "lost"},
    "gate_contradicted": {"zh": "有人逆向通行", "en": "people pass against it"},
    "release_needed": {"zh": "待人员放行", "en": "waited for a person"},
}
DEEDS: Final[Mapping[str, Text]] = {
    "recount": {"zh": "人工清点", "en": "recount"},
    "confirm": {"zh": "答复请示", "en": "answer"},
    "override": {"zh": "人工干预", "en": "override"},
    "release": {"zh": "放行指令", "en": "release"},
    "drill": {"zh": "演练", "en": "drill"},
    "fire": {"zh": "火警", "en": "fire"},
    "mode": {"zh": "执行方式", "en": "mode"},
}
FILES: Final[Mapping[str, Text]] = {
    "journal": {"zh": "决策记录", "en": "journal"},
    "handling": {"zh": "处置台账", "en": "book of handling"},
}
NAMED: Final = 8
"""So many records that cannot be read are named."""
NOT_SAID: Final = ("action", "at_us", "by", "reason", "site", "type")
"""Of an operator's record: what stands in other columns."""
FIRST: Final = ("zone", "gate", "plan", "stage", "mode", "count", "incident", "answer")
"""What is said first of an operator's record."""
SAID_YES: Final[Mapping[str, Text]] = {
    "yes": {"zh": "同意", "en": "yes"},
    "no": {"zh": "不同意", "en": "no"},
    "on": {"zh": "报告", "en": "on"},
    "off": {"zh": "解除", "en": "off"},
}


class Short(Names):
    """Titles without the names behind them, for lists."""

    _named = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Commands that say the same to several devices at one moment, and fared alike."""

    orders: tuple[Order, ...]
    asked: str
    why: str
    drill: bool
    fine: bool
    """Every device answered that it is done, or nobody sends anything from here, and nothing odd was seen."""


class Phrases:
    """What is said of one ledger, in one language."""

    def __init__(self, ledger: Ledger, lang: Language) -> None:
        self.ledger = ledger
        self.names, self.clock = Names(ledger.document, lang), Clock(ledger.document)
        self._short = Short(ledger.document, lang)
        self.say = self.names.say
        self.lang: Language = lang

    def time(self, at: int | None) -> str:
        """The time of day, with the date if it is another day's; a dash for none."""
        if at is None:
            return "–"
        return self.clock.time(at, self.ledger.since_us)

    def hour(self, at: int) -> str:
        """Hours and minutes."""
        return self.clock.moment(at)[11:16]

    @property
    def unfinished(self) -> str:
        """That the day is not over, and how far it is told; empty of one that is."""
        if self.ledger.over:
            return ""
        at = self.hour(self.ledger.as_of_us)
        return self.say(f"截至 {at}，当日尚未结束", f"as of {at}; the day is not over")

    @property
    def unreadable(self) -> str:
        """How many records could not be read, and which; empty where all could."""
        found = self.ledger.unreadable
        if not found:
            return ""
        names = [f"{self.names.word(FILES, file)} {id_}" for file, id_ in found[:NAMED]]
        told, more = self.say("、", ", ").join(names), len(found) - len(names)
        told += self.say("等", f" and {more} more") if more > 0 else ""
        records = "1 record" if len(found) == 1 else f"{len(found)} records"
        return self.say(
            f"有 {len(found)} 条记录无法读取，未计入本日报（{told}）；请用 flowwatch audit verify 核查。",
            f"{records} could not be read and nothing here counts them ({told}); `flowwatch audit verify` says what is wrong.",
        )

    def span(self, us: int) -> str:
        """How long something lasted, to the second."""
        return duration(us // SECOND_US * SECOND_US, self.lang)

    def case(self, case: Case) -> str:
        """What an incident said when it was most urgent: as people were told, else as the journal has it."""
        if case.text is not None:
            told = case.text[self.lang]
        else:
            told = f"{case.what}: {case.subject}" if case.body is None else self._decided(case, case.body)
        mark = drilled({"drill": case.drill}, self.names)
        return told if told.startswith(mark) else mark + told

    def _decided(self, case: Case, body: Mapping[str, Any]) -> str:
        try:
            return incident({**body, "state": "raised"}, self.names)
        except (KeyError, TypeError, ValueError, AttributeError):  # its details are damaged
            return f"{case.what}: {case.subject}"

    def zone(self, name: str) -> str:
        """A zone; the whole site is called so, beside zones that may have its title."""
        return self.say("全场", "the whole site") if name == SITE else self.names.zone(name)

    def batches(self) -> list[Batch]:
        """The day's commands, those that belong together in one."""
        found: dict[tuple[object, ...], list[Order]] = {}
        for number, order in enumerate(self.ledger.orders):
            fine = not order.effects and (not self.ledger.delivered or (order.last is not None and order.last.outcome == "done"))
            drill = bool(order.body.get("drill"))
            key = (order.at_us, self.order(order)[1], self.why(order), drill, fine, None if fine else number)
            found.setdefault(key, []).append(order)
        return [Batch(tuple(orders), *self._same(orders[0], fine=bool(key[4]))) for key, orders in found.items()]

    def _same(self, order: Order, *, fine: bool) -> tuple[str, str, bool, bool]:
        return self.order(order)[1], self.why(order), bool(order.body.get("drill")), fine

    def devices(self, batch: Batch) -> str:
        """Whom a batch is for; all gates of a site in one word."""
        gates = [order.body["gate"] for order in batch.orders if "gate" in order.body]
        all_ = [gate["gate"] for gate in (self.ledger.document or {}).get("gates", ())]
        if len(gates) == len(batch.orders) > 2 and sorted(gates) == sorted(all_):
            return self.say(f"全部 {len(gates)} 个通道口", f"all {len(gates)} gates")
        told = [
            self._short.gate(o.body["gate"]) if "gate" in o.body else self._short.called(o.body["device"], o.body["name"])
            for o in batch.orders
        ]
        return self.say("、", ", ").join(told)

    def why(self, order: Order) -> str:
        """Why something was commanded, without a full stop."""
        body = order.body
        if not body.get("stage") and "gate" not in body:
            return self.say("相应阶段结束", "its stage is over")
        reason = "drill_ended" if body["reason"] == "drill" and not body.get("drill") else body["reason"]
        try:
            return reason_text(reason, self.names.stage(body.get("stage"), body.get("plan")), self.names).rstrip("。.")
        except (KeyError, ValueError):  # a damaged word with a brace in it
            return str(reason)

    def answers(self, batch: Batch) -> str:
        """How a batch was delivered, and what the devices said."""
        if len(batch.orders) == 1 or not batch.fine or not self.ledger.delivered:
            return self.answer(batch.orders[0])
        took = max((o.last.answered_us - o.last.at_us for o in batch.orders if o.last and o.last.answered_us is not None), default=0)
        most, n = max((o.last.attempt for o in batch.orders if o.last), default=1), len(batch.orders)
        told = self.say(f"{n} 台均已到位，最慢 {took / SECOND_US:.1f} 秒", f"all {n} done, the slowest in {took / SECOND_US:.1f} s")
        return told + (self.say(f"（最多 {most} 次）", f" (up to {most} attempts)") if most > 1 else "")

    def by(self, case: Case) -> list[str]:
        """Who did what with an incident: the way of its handling by person, then everything else in its order."""
        told, people = list[str](), dict[str, list[str]]()
        for act in WAY:
            if (taken := case.steps.get(act)) is not None:
                to = self.say(f"（{taken.to}）", f" ({taken.to})") if taken.to and act is Act.DISPATCH else ""
                people.setdefault(taken.by, []).append(ACTS[act][self.lang] + to)
        for name, acts in people.items():
            if name == FLOWWATCH:
                told.append(self.say("事件结束，自动办结", "closed by itself"))
            else:
                told.append(f"{name}{self.say('：', ': ')}{self.say('、', ', ').join(acts)}")
        for act, taken in case.others:
            why = self.say(f"（{taken.reason}）", f" ({taken.reason})") if taken.reason and taken.by != FLOWWATCH else ""
            who = "" if taken.by == FLOWWATCH else f" {taken.by}"
            who += self.say(f"（{taken.to}）", f" ({taken.to})") if taken.to and act is Act.DISPATCH else ""
            told.append(f"{self.hour(taken.at_us)} {ACTS[act][self.lang] if act in ACTS else act.value}{who}{why}")
        return told

    def order(self, order: Order) -> tuple[str, str]:
        """(device, what is asked of it)."""
        body = order.body
        if "gate" in body:
            return self.names.gate(body["gate"]), setting_of(body.get("setting") or body["mode"], self.lang)
        asked = body["state"]
        if asked is None:
            told = self.say("恢复原状", "nothing any more")
        elif isinstance(asked, Mapping):
            told = str(asked.get(self.lang) or "")
        else:
            told = self.names.asked_of(body["name"], asked)
        return self.names.called(body["device"], body["name"]), told

    def answer(self, order: Order) -> str:
        """How a command was delivered, and what the device said."""
        if not self.ledger.delivered:
            return "–"
        last = order.last
        if last is None:
            note = next((d.note for d in reversed(order.deliveries) if d.note), None)
            return note or self.say("未下发", "not sent")
        told = self.say("无应答", "no answer") if last.outcome is None else self.names.word(ANSWERS, last.outcome)
        if last.answered_us is not None:
            seconds = f"{max(last.answered_us - last.at_us, 0) / SECOND_US:.1f}"
            told += self.say(f"，{seconds} 秒", f", {seconds} s")
        if last.attempt > 1:
            told += self.say(f"（共 {last.attempt} 次）", f" (attempt {last.attempt})")
        return told + (f"; {last.why}" if last.why else "")

    def effect(self, order: Order) -> str:
        """What was seen of it until the next command."""
        if order.effects:
            return self.say("，", ", ").join(f"{self.time(at)} {self.names.word(EFFECTS, what)}" for what, at in order.effects)
        return self.say("无异常", "as commanded") if order.last is not None and order.last.outcome == "done" else "–"

    def deed(self, body: Mapping[str, Any]) -> str:
        """What an operator's record asked for, besides its type."""
        record = body["record"] or {}
        keys = [*(key for key in FIRST if key in record), *(key for key in sorted(record) if key not in (*FIRST, *NOT_SAID))]
        told = [self._known(key, record[key]) for key in keys if record[key] is not None]
        return self.say("，", ", ").join(told)

    def _known(self, key: str, value: Any) -> str:
        try:
            return self._fact(key, value)
        except (TypeError, ValueError):  # damaged
            return f"{key} {value}"

    def _fact(self, key: str, value: Any) -> str:
        if key.endswith("_us"):
            return self.say(f"至 {self.time(value)}", f"until {self.time(value)}") if key == "until_us" else self.time(value)
        if key == "zone":
            return self.zone(value)
        if key == "gate":
            return self.names.gate(value)
        if key == "stage":
            return self.say(f"“{self.names.stage(value)}”", f'"{self.names.stage(value)}"')
        if key == "count":
            return self.say(f"{value:,} 人", f"{value:,} people")
        if key == "plan":
            return self.names.plan(value)
        return setting_of(str(value), self.lang) if key == "mode" else self.names.word(SAID_YES, str(value))
