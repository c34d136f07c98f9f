"""Why something was decided: from a command, stage, incident or operator's record back to the readings, as a duty officer would note it.

    command <- stage <- bar and estimate <- readings <- how they were counted, or an operator's record in the place of bar and readings

Every step is read from the journal and the log; nothing is decided or computed again, so what is told is what the engine knew. What
retention has removed is named as removed; without the site's document things keep their names and times are in UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flowwatch import sayings, texts
from flowwatch.approval.proof import approval
from flowwatch.conditions import comes
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.incidents import What
from flowwatch.counting import Counted, Step, body_of
from flowwatch.crossings import crossing
from flowwatch.evidence import Evidence
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.journal.export import with_times
from flowwatch.journal.tables import site_of
from flowwatch.orders import order, why_not
from flowwatch.titles import Clock, Language, Names
from flowwatch.vocabulary import LEVELS
from flowwatch.words import SECOND_US, duration

INCIDENT: Final = re.compile(r"(?P<site>.+)-i\d+")
_BY_RECORD: Final = ("fire", "fire_ended", "drill")
"""Reasons of commands that stand for themselves, whatever the stage did at the same tick."""


def explain(journal: Journal, log: Path | str, id_: str, lang: Language) -> str:
    """Why `id_` (an entry, an incident or an operator's record) is in the journal, in words. Raises `UnknownIdError`, `LogError`."""
    told = explanation(journal, log, id_, lang)
    return "\n".join(step["text"] for step in told["steps"])


def explanation(journal: Journal, log: Path | str, id_: str, lang: Language) -> dict[str, Any]:
    """The same as data: id, kind, site, document, time_zone, and steps of {what, id, facts, text}; times as text in UTC."""
    entries = find(journal, id_)
    with Evidence(log) as evidence:
        note = _Note(journal, evidence, id_, entries[0], lang)
        steps = [*note.told(entries), note.basis()]
    return {
        "id": id_,
        "kind": entries[0].kind.value,
        "site": site_of(entries[0].chain),
        "document": note.version,
        "time_zone": note.clock.zone,
        "steps": [{"what": s.what, "id": s.id, "facts": s.facts, "text": s.text} for s in steps],
    }


def find(journal: Journal, id_: str) -> list[Entry]:
    """The entries that `id_` names: all of an incident in order, one entry, or that of an operator's record. Raises `UnknownIdError`."""
    if match := INCIDENT.fullmatch(id_):
        episode = [entry for entry in journal.about(id_) if entry.kind is EntryKind.INCIDENT]
        if episode:
            return episode
        last = next(journal.entries(match["site"], EntryKind.INCIDENT, newest=True), None)
        if last is not None:
            raise UnknownIdError(f'no incident "{id_}": the last of {match["site"]} is {body_of(last)["incident"]}')
    try:
        return [journal.get(id_)]
    except UnknownIdError:
        about = next(_with(journal.entries(kind=EntryKind.ACTION), "action", id_), None)
        if about is None:
            raise
        return [about]


def _with(entries: Iterator[Entry], key: str, value: str) -> Iterator[Entry]:
    """The entries whose body says `value` under `key`; bodies are canonical, so most are passed over unread."""
    sought = json.dumps(value, ensure_ascii=False).encode()
    return (entry for entry in entries if sought in entry.body and json.loads(entry.body)[key] == value)


class _Note:
    """The note on one id, in one language; `entry` is the first that the id names."""

    def __init__(self, journal: Journal, evidence: Evidence, id_: str, entry: Entry, lang: Language) -> None:
        self.journal, self.evidence, self.id = journal, evidence, id_
        self.site = site_of(entry.chain)
        self.asked = entry
        self.in_force = self._in_force(entry)
        self.version: str | None = body_of(self.in_force)["version"] if self.in_force else None
        self.document = evidence.document(self.site, self.version) if self.site and self.version else None
        self.kept = self.document is not None
        if self.site and not self.kept:
            self.document = evidence.document(self.site)
        self.names = Names(self.document, lang)
        self.clock = Clock(self.document)
        self.say = self.names.say
        self.counted = Counted(journal, evidence, entry.chain, self.document, self.names, self.clock)

    def told(self, entries: list[Entry]) -> list[Step]:
        """What is told of the entries that were asked for."""
        first = entries[0]
        tell = {
            EntryKind.COMMAND: self._command,
            EntryKind.TRANSITION: self._transition,
            EntryKind.DEVICE: self._device,
            EntryKind.TASK: self._task,
            EntryKind.INCIDENT: self._incident,
            EntryKind.ACTION: self._action,
            EntryKind.DOCUMENT: self._documents,
            EntryKind.REFUSALS: self._refusals,
            EntryKind.ENGINE: self._engine,
        }[first.kind]
        steps = tell(first) + [step for entry in entries[1:] for step in self._incident(entry)[:3]]
        if first.kind is EntryKind.INCIDENT and self.id == body_of(first)["incident"] and body_of(entries[-1])["state"] != "cleared":
            steps.append(Step("open", None, {}, self.say("该事件尚未解除。", "The incident is still open.")))
        return steps

    def basis(self) -> Step:
        """The last line: the documents in force, and whose time this is."""
        zone = self.say(f"以上为 {self.clock.zone} 时间。", f"Times are {self.clock.zone}.")
        if self.in_force is None:
            return Step("basis", None, {}, zone)
        since = self.clock.moment(self.in_force.at)
        approved = approval(self.journal, self.in_force, self.asked.at + 1)
        signed = {} if approved is None else {role: approved[role]["by"] for role in ("author", "approver")}
        by = ""
        if signed:
            author, approver = signed.values()
            by = self.say(f"，{author} 编制，{approver} 批准", f", written by {author}, approved by {approver}")
        text = self.say(
            f"当时生效的方案版本：{self.version}（{since} 起{by}）。", f"Documents in force: version {self.version}, since {since}{by}. "
        )
        if not self.kept and self.document is not None:
            text += self.say("该版本已不在日志中，名称取自现行版本。", "The log does not have them any more; titles are those of today. ")
        elif not self.kept:
            text += self.say("该版本已不在日志中，名称以编号代替。", "The log does not have them any more; things go by their names. ")
        return Step("basis", self.in_force.id, {"version": self.version, "kept": self.kept} | signed, text + zone)

    # ---- what each kind of entry says

    def _command(self, entry: Entry) -> list[Step]:
        body = body_of(entry)
        steps = [_step(entry, self._at(entry, sayings.command(body, entry.id, self.names)))]
        if body["of"] is not None and body["reason"] not in _BY_RECORD:
            return steps + self._transition(self.journal.get(body["of"]))
        return steps + (self._ordered(body["action"], entry) if body["action"] is not None else [])

    def _device(self, entry: Entry) -> list[Step]:
        body, say, names = body_of(entry), self.say, self.names
        told = sayings.device_order(body, names)
        why = sayings.reason_text(body["reason"], self.names.stage(body["stage"], body["plan"]), self.names) if body["stage"] else ""
        text = say(
            f"{told}（记录 {entry.id}，第 {body['revision']} 号指令）。{why}",
            f"{names.sentence(told)} (entry {entry.id}, revision {body['revision']}). {why}".rstrip(),
        )
        steps = [_step(entry, self._at(entry, text))]
        return steps + (self._transition(self.journal.get(body["of"])) if body["of"] is not None else [])

    def _task(self, entry: Entry) -> list[Step]:
        body, say, names = body_of(entry), self.say, self.names
        told = sayings.task(body, names, self.clock, entry.at, self._part(body["plan"], body["stage"], body["task"]))
        stage = self.names.stage(body["stage"], body["plan"])
        if body["state"] == "withdrawn":
            why = say(f"“{stage}”阶段已不再要求。", f'Stage "{stage}" no longer asks for it.')
        else:
            why = sayings.reason_text("stage", stage, self.names)
        text = say(f"{told}（记录 {entry.id}）。{why}", f"{names.sentence(told)} (entry {entry.id}). {why}")
        steps = [_step(entry, self._at(entry, text))]
        return steps + (self._transition(self.journal.get(body["of"])) if body["of"] is not None else [])

    def _transition(self, entry: Entry) -> list[Step]:
        cause = body_of(entry)["cause"]
        text = sayings.transition(body_of(entry), entry.id, self.names)
        steps = [_step(entry, self._dated(entry, text, self.say("原因：", "Why: ")))]
        if cause["action"] is not None:
            steps += self._ordered(cause["action"], entry)
        if cause["action"] is None or cause["term"] is not None:
            steps += self.counted.steps(cause, self.asked.at)
        return steps + (self._followed(entry) if entry.id == self.asked.id else [])

    def _incident(self, entry: Entry) -> list[Step]:
        body, say, names, cause = body_of(entry), self.say, self.names, body_of(entry)["cause"]
        state, asks = names.word(texts.STATES, body["state"]), body["what"] == What.CONFIRMATION_NEEDED
        warns = body["level"] and not (asks and body["detail"]["direction"] == "fall")
        signs = ("预警解除：", ", cleared: ") if body["state"] == "cleared" else ("预警：", ": ")
        level = names.word(LEVELS, body["level"]) + say(*signs) if warns else ""
        at, told = self.clock.moment(entry.at), texts.incident(body, names)
        text = say(
            f"{at}　{level}{told}（事件 {body['incident']} {state}，记录 {entry.id}）。",
            f"{at}  {names.sentence(level + told)} (incident {body['incident']} {state}, entry {entry.id}).",
        )
        if body["instruction"] is not None and body["state"] != "cleared":
            text += say("", " ") + texts.instruction(body["instruction"][names.language], names)
        if body["state"] != "raised":
            began, lasted = (
                self.clock.time(body["since_us"], entry.at),
                duration((entry.at - body["since_us"]) // SECOND_US * SECOND_US, names.language),
            )
            text += say(f"始于 {began}，历时 {lasted}。", f" It began at {began}, {lasted} before.")
        moved = self._moved(entry) if body["what"] == What.STAGE or asks else None
        if asks and body["state"] != "cleared":
            text += sayings.question(body["detail"], names, self.clock, entry.at)
        elif asks and moved is None and not body["detail"].get("ended_by"):
            text += say("阶段未转换，条件已不再成立。", " The stage did not change: the condition holds no more.")
        steps = [_step(entry, text)]
        if moved is not None:
            return steps + self._transition(moved)
        if cause["action"] is not None:
            return steps + self._ordered(cause["action"], entry)
        if cause["estimate"] is not None or cause["term"] is not None:
            crossed = crossing(cause["estimate"], cause["term"], names)
            because = say(f"原因：{crossed}。", f"Why: {crossed}.")
            steps.append(Step("estimate", None, with_times({"estimate": cause["estimate"], "term": cause["term"]}), because))
        elif body["state"] == "raised":
            steps += self._waited_for(body)
        return steps + self.counted.steps(cause, self.asked.at)

    def _moved(self, entry: Entry) -> Entry | None:
        """The change of stage that an incident about a stage came with, if it did."""
        body = body_of(entry)
        for other in self.journal.entries(entry.chain, EntryKind.TRANSITION, entry.at, entry.at + 1):
            moved = body_of(other)
            if body["what"] == What.STAGE and body["subject"] in (moved["from"], moved["to"], moved["planned"]):
                return other
            if body["what"] != What.STAGE and body["state"] == "cleared" and moved["plan"] == body["subject"]:
                return other
        return None

    def _waited_for(self, body: dict[str, Any]) -> list[Step]:
        """The condition of the stage that is proposed, or of the rule that holds, and what the last minute before said of its zones."""
        part: dict[str, Any] | None = None
        if body["what"] == What.CONFIRMATION_NEEDED and body["detail"]["direction"] == "rise":
            part = self._part(body["subject"], body["detail"]["to"])
        elif body["what"] == What.DEGRADED:
            part = self._rule(body["subject"])
        if part is None or not part["clauses"]:
            return []
        tick = body["cause"]["tick_us"]
        parts = [self.say(f"条件：{comes(part, self.names)}", f"The condition: {comes(part, self.names)}")]
        minute = self.journal.estimate_before(self.asked.chain, tick)
        figures = json.loads(minute.body)["zones"] if minute is not None else {}
        zones = [z for z in dict.fromkeys(leaf.get("zone") for leaf in part["leaves"]) if z in figures]
        if minute is not None and zones:
            at = self.clock.time(minute.at, self.asked.at)
            told = self.say("；", "; ").join(crossing({"zone": zone} | figures[zone], None, self.names) for zone in zones)
            parts.append(self.say(f"{at} 的分钟记录：{told}", f"the minute to {at}: {told}"))
        facts = {"clauses": part["clauses"], "leaves": part["leaves"]}
        return [Step("condition", None, facts, self.say("；", "; ").join(parts) + self.say("。", "."))]

    def _rule(self, subject: str) -> dict[str, Any] | None:
        """A rule for missing data, which an incident calls "rule" or "plan.rule"; None where the document does not have it."""
        plans = (self.document or {}).get("plans", ())
        rules = {(f"{p['plan']}." if i else "") + r["rule"]: r for i, p in enumerate(plans) for r in p["degraded"]}
        return rules.get(subject)

    def _part(self, plan: str, stage: str, task: str | None = None) -> dict[str, Any] | None:
        """A stage of the site's document, or one of its tasks; None where the document does not have it."""
        stages = next((p["stages"] for p in (self.document or {}).get("plans", ()) if p["plan"] == plan), ())
        found: dict[str, Any] | None = next((s for s in stages if s["stage"] == stage), None)
        if found is None or task is None:
            return found
        return next((t for t in found["tasks"] if t["task"] == task), None)

    def _action(self, entry: Entry) -> list[Step]:
        body, say = body_of(entry), self.say
        record = body["record"]
        kind = self.names.word(texts.ACTIONS, record["type"])
        asked = order(record, self.names, self.clock, entry.at, self._answered(entry))
        against = "" if body["accepted"] else why_not(body["refused"], self.names)
        done = say("已执行。", "Done.") if body["accepted"] else say(f"未执行：{against}。", f"Not done: {against}.")
        by, reason = record["by"], record["reason"]
        text = say(
            f"{by}{kind}：{asked}。理由：{reason}。{done}（记录 {entry.id}）",
            f"{by} ({kind}): {asked}. Reason given: {reason}. {done} (entry {entry.id})",
        )
        if record["type"] == "approve":  # two people's word, which acceptance wrote down for them: nobody gave a reason
            text = say(f"{asked}。{against and done}（记录 {entry.id}）", f"{asked}.{against and f' {done}'} (entry {entry.id})")
        text = self._dated(entry, text, say("操作：", "Order: "))
        return [_step(entry, text), *(self._followed(entry) if entry.id == self.asked.id else [])]

    def _documents(self, entry: Entry) -> list[Step]:
        body = body_of(entry)
        before = self.say(f"，取代 {body['previous']}", f" in the place of {body['previous']}") if body["previous"] else ""
        text = self.say(
            f"{self.clock.moment(entry.at)}　方案版本 {body['version']} 生效{before}（记录 {entry.id}）。",
            f"{self.clock.moment(entry.at)}  Version {body['version']} of the site's documents came into force{before} (entry {entry.id}).",
        )
        return [_step(entry, text), *self._followed(entry)]

    def _refusals(self, entry: Entry) -> list[Step]:
        body, names, say = body_of(entry), self.names, self.say
        words = {reason.name.lower(): text for reason, text in texts.REASONS.items()}
        counts = say("；", "; ").join(
            say(f"{names.word(words, reason)} {count:,} 条", f"{names.word(words, reason)}: {count:,}")
            for reason, count in body["counts"].items()
        )
        since, partition = self.clock.moment(body["minute_us"]), body["partition"]
        text = self.say(
            f"{since} 起的一分钟内，分区 {partition} 拒收：{counts}（记录 {entry.id}）。逐条查看：flowwatch refused",
            f"In the minute from {since} partition {partition} refused: {counts} (entry {entry.id}). `flowwatch refused` lists them.",
        )
        return [Step(entry.kind.value, entry.id, with_times({k: v for k, v in body.items() if k != "refs"}), text)]

    def _engine(self, entry: Entry) -> list[Step]:
        body = body_of(entry)
        at, partition, version = self.clock.moment(entry.at), body["partition"], body["engine"]
        text = self.say(
            f"{at} 起，分区 {partition} 由第 {version} 版引擎决定（记录 {entry.id}）。",
            f"From {at} on engine version {version} decides for partition {partition} (entry {entry.id}).",
        )
        return [_step(entry, text)]

    # ---- what stands behind it

    def _at(self, entry: Entry, text: str) -> str:
        return self.clock.moment(entry.at) + self.say("　", "  ") + text

    def _dated(self, entry: Entry, text: str, label: str) -> str:
        """`text` with its time; under `label` unless it is what was asked for."""
        if entry.id == self.asked.id:
            return self.clock.moment(entry.at) + self.say("　", "  ") + self.names.sentence(text)
        return f"{label}{self.clock.time(entry.at, self.asked.at)} {text}"

    def _ordered(self, action: str, entry: Entry) -> list[Step]:
        """The operator's record behind `entry`."""
        about = next(_with(self.journal.entries(entry.chain, EntryKind.ACTION), "action", action), None)
        return self._action(about) if about is not None else []

    def _answered(self, entry: Entry) -> dict[str, Any] | None:
        """What the incident that a confirmation names said last before it; None for any other record."""
        record = body_of(entry)["record"]
        if record["type"] != "confirm":
            return None
        said = self.journal.entries(entry.chain, EntryKind.INCIDENT, until=entry.at + 1, newest=True)
        about = next((e for e in _with(said, "incident", record["incident"]) if e.seq < entry.seq), None)
        return body_of(about) if about is not None else None

    def _followed(self, entry: Entry) -> list[Step]:
        """What the same tick brought after `entry`."""
        names, told, ids = self.names, [], []
        for other in self.journal.entries(entry.chain, since=entry.at, until=entry.at + 1, after_id=entry.id):
            body = body_of(other)
            match other.kind:
                case EntryKind.COMMAND:
                    text = sayings.gate_order(body, names)
                case EntryKind.TRANSITION:
                    text = sayings.stage_moved(body, names)
                case EntryKind.DEVICE:
                    text = sayings.device_order(body, names)
                case EntryKind.TASK:
                    text = sayings.task(body, names, self.clock, self.asked.at, self._part(body["plan"], body["stage"], body["task"]))
                case EntryKind.INCIDENT:
                    told_of, state = texts.incident(body, names), names.word(texts.STATES, body["state"])
                    text = self.say(f"{told_of}（{state}）", f"{told_of} ({state})")
                case _:
                    continue
            ids.append(other.id)
            told.append(f"  {text}  [{other.id}]")
        if not told:
            return []
        return [Step("followed", None, {"ids": ids}, "\n".join([self.say("随后：", "What followed:"), *told]))]

    def _in_force(self, entry: Entry) -> Entry | None:
        """The last document entry of the chain, up to `entry`."""
        if self.site is None:
            return None
        known = self.journal.entries(entry.chain, EntryKind.DOCUMENT, until=entry.at + 1, newest=True)
        return next((found for found in known if found.seq <= entry.seq), None)


def _step(entry: Entry, text: str) -> Step:
    return Step(entry.kind.value, entry.id, {"at": with_times({"at_us": entry.at})["at"]} | with_times(body_of(entry)), text)
