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

from flowwatch import texts
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.incidents import What
from flowwatch.counting import Counted, Step, body_of
from flowwatch.evidence import Evidence
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.journal.export import with_times
from flowwatch.journal.tables import site_of
from flowwatch.texts import Clock, Language, Names

INCIDENT: Final = re.compile(r"(?P<site>.+)-i\d+")


def explain(journal: Journal, log: Path | str, id_: str, lang: Language) -> str:
    """Why `id_` (an entry, an incident or an operator's record) is in the journal, in words. Raises `UnknownIdError`, `LogError`."""
    told = explanation(journal, log, id_, lang)
    return "\n".join(step["text"] for step in told["steps"])


def explanation(journal: Journal, log: Path | str, id_: str, lang: Language) -> dict[str, Any]:
    """The same as data: id, kind, site, document, time_zone, and steps of {what, id, facts, text}; times as text in UTC."""
    entries = find(journal, id_)
    with Evidence(log) as evidence:
        note = _Note(journal, evidence, entries[0], lang)
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
        episode = list(_with(journal.entries(match["site"], EntryKind.INCIDENT), "incident", id_))
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
    """The note on one id, in one language."""

    def __init__(self, journal: Journal, evidence: Evidence, entry: Entry, lang: Language) -> None:
        self.journal, self.evidence = journal, evidence
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
            EntryKind.INCIDENT: self._incident,
            EntryKind.ACTION: self._action,
            EntryKind.DOCUMENT: self._documents,
            EntryKind.REFUSALS: self._refusals,
            EntryKind.ENGINE: self._engine,
        }[first.kind]
        return tell(first) + [step for entry in entries[1:] for step in self._incident(entry)[:2]]

    def basis(self) -> Step:
        """The last line: the documents in force, and whose time this is."""
        zone = self.say(f"以上为 {self.clock.zone} 时间。", f"Times are {self.clock.zone}.")
        if self.in_force is None:
            return Step("basis", None, {}, zone)
        since = self.clock.moment(self.in_force.at)
        text = self.say(
            f"当时生效的方案版本：{self.version}（{since} 起）。", f"Documents in force: version {self.version}, since {since}. "
        )
        if not self.kept and self.document is not None:
            text += self.say("该版本已不在日志中，名称取自现行版本。", "The log does not have them any more; titles are those of today. ")
        elif not self.kept:
            text += self.say("该版本已不在日志中，名称以编号代替。", "The log does not have them any more; things go by their names. ")
        return Step("basis", self.in_force.id, {"version": self.version, "kept": self.kept}, text + zone)

    # ---- what each kind of entry says

    def _command(self, entry: Entry) -> list[Step]:
        body, say, names = body_of(entry), self.say, self.names
        gate, mode, stage = names.gate(body["gate"]), names.word(texts.MODES, body["mode"]), names.stage(body["stage"])
        enter = say("可以进" if body["may_enter"] else "不可以进", "people may enter" if body["may_enter"] else "nobody may enter")
        leave = say("可以出" if body["may_leave"] else "不可以出", "people may leave" if body["may_leave"] else "nobody may leave")
        asked = {
            "start": say(f"系统开始运行，阶段“{stage}”要求如此。", f'At the start stage "{stage}" asks for it.'),
            "stage": say(f"阶段“{stage}”要求如此。", f'Stage "{stage}" asks for it.'),
            "override": say("由人工干预决定。", "An operator's override asks for it."),
            "override_ended": say(f"人工干预结束，按阶段“{stage}”恢复。", f'An override ended; stage "{stage}" asks for it.'),
            "document": say(f"方案文件更新后，阶段“{stage}”要求如此。", f'The documents changed; stage "{stage}" asks for it.'),
        }.get(body["reason"], body["reason"])
        at, revision = self.clock.moment(entry.at), body["revision"]
        text = say(
            f"{at}　{gate}改为“{mode}”：{enter}，{leave}（记录 {entry.id}，该口第 {revision} 号指令）。{asked}",
            f"{at}  {gate} was set to {mode}: {enter}, {leave} (entry {entry.id}, revision {revision}). {asked}",
        )
        steps = [_step(entry, text)]
        if body["of"] is not None:
            return steps + self._transition(self.journal.get(body["of"]))
        return steps + (self._ordered(body["action"], entry) if body["action"] is not None else [])

    def _transition(self, entry: Entry) -> list[Step]:
        body, say, names, cause = body_of(entry), self.say, self.names, body_of(entry)["cause"]
        before, after, planned = (names.stage(body[key]) for key in ("from", "to", "planned"))
        crossed = texts.crossing(cause["estimate"], cause["term"], names)
        why = {
            "start": say("系统开始运行", "flowwatch began to watch this site"),
            "rise": crossed,
            "fall": crossed,
            "override": say("因人工干预", "an operator stepped in"),
            "override_ended": say("人工干预结束", "an override ended"),
            "document": say("方案文件更新", "the documents changed"),
        }.get(body["reason"], body["reason"])
        verb = {"rise": say("升为", "rose"), "fall": say("降为", "fell")}.get(body["reason"], say("转为", "went"))
        moved = (
            say(f"管控阶段由“{before}”{verb}“{after}”", f'the stage {verb} from "{before}" to "{after}"')
            if body["from"] is not None
            else say(f"管控阶段从“{after}”开始", f'the stage is "{after}" to begin with')
        )
        text = say(
            f"{why}，{'因此' if cause['term'] else ''}{moved}（记录 {entry.id}）。",
            f"{why}{', so' if cause['term'] else ':'} {moved} (entry {entry.id}).",
        )
        if planned != after:
            text += say(
                f"按方案应为“{planned}”，人工干预期间不执行。", f' The plan itself asks for "{planned}", which the override holds back.'
            )
        steps = [_step(entry, self._dated(entry, text, say("原因：", "Why: ")))]
        if cause["action"] is not None:
            steps += self._ordered(cause["action"], entry)
        else:
            steps += self.counted.steps(cause, self.asked.at)
        return steps + (self._followed(entry) if entry.id == self.asked.id else [])

    def _incident(self, entry: Entry) -> list[Step]:
        body, say, names, cause = body_of(entry), self.say, self.names, body_of(entry)["cause"]
        state = names.word(texts.STATES, body["state"])
        level = say(*(f"{names.word(texts.LEVELS, body['level'])}{sign}" for sign in ("预警：", ": "))) if body["level"] else ""
        at, told = self.clock.moment(entry.at), texts.incident(body, names)
        text = say(
            f"{at}　{level}{told}（事件 {body['incident']} {state}，记录 {entry.id}）。",
            f"{at}  {_capital(level + told)} (incident {body['incident']} {state}, entry {entry.id}).",
        )
        if body["instruction"] is not None and body["state"] != "cleared":
            asked = {language: text.rstrip("。.") for language, text in body["instruction"].items()}
            text += say(f"处置要求：{asked['zh']}。", f" To do: {asked['en']}.")
        if body["state"] != "raised":
            began, lasted = self.clock.time(body["since_us"], entry.at), texts.lasting(entry.at - body["since_us"], names)
            text += say(f"始于 {began}，历时 {lasted}。", f" It began at {began}, {lasted} before.")
        steps = [_step(entry, text)]
        same_tick = self.journal.entries(entry.chain, EntryKind.TRANSITION, entry.at, entry.at + 1)
        moved = next(same_tick, None) if body["what"] == What.STAGE else None
        if moved is not None:
            return steps + self._transition(moved)
        if cause["action"] is not None:
            return steps + self._ordered(cause["action"], entry)
        if cause["estimate"] is not None or cause["term"] is not None:
            crossed = texts.crossing(cause["estimate"], cause["term"], names)
            because = say(f"原因：{crossed}。", f"Why: {crossed}.")
            steps.append(Step("estimate", None, with_times({"estimate": cause["estimate"], "term": cause["term"]}), because))
        return steps + self.counted.steps(cause, self.asked.at)

    def _action(self, entry: Entry) -> list[Step]:
        body, say = body_of(entry), self.say
        record = body["record"]
        kind, asked = self.names.word(texts.ACTIONS, record["type"]), texts.order(record, self.names, self.clock, entry.at)
        why_not = "" if body["accepted"] else texts.why_not(body["refused"], self.names)
        done = say("已执行。", "Done.") if body["accepted"] else say(f"未执行：{why_not}。", f"Not done: {why_not}.")
        by, reason = record["by"], record["reason"]
        text = say(
            f"{by}{kind}：{asked}。理由：{reason}。{done}（记录 {entry.id}）",
            f"{by} ({kind}): {asked}. Reason given: {reason}. {done} (entry {entry.id})",
        )
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

    def _dated(self, entry: Entry, text: str, label: str) -> str:
        """`text` with its time; under `label` unless it is what was asked for."""
        if entry.id == self.asked.id:
            return self.clock.moment(entry.at) + self.say("　", "  ") + _capital(text)
        return f"{label}{self.clock.time(entry.at, self.asked.at)} {text}"

    def _ordered(self, action: str, entry: Entry) -> list[Step]:
        """The operator's record behind `entry`."""
        about = next(_with(self.journal.entries(entry.chain, EntryKind.ACTION), "action", action), None)
        return self._action(about) if about is not None else []

    def _followed(self, entry: Entry) -> list[Step]:
        """What the same tick brought after `entry`."""
        names, told, ids = self.names, [], []
        for other in self.journal.entries(entry.chain, since=entry.at, until=entry.at + 1, after_id=entry.id):
            body = body_of(other)
            match other.kind:
                case EntryKind.COMMAND:
                    gate, mode = names.gate(body["gate"]), names.word(texts.MODES, body["mode"])
                    text = self.say(f"{gate}改为“{mode}”", f"{gate} set to {mode}")
                case EntryKind.TRANSITION:
                    stage = names.stage(body["to"])
                    text = self.say(f"管控阶段转为“{stage}”", f'stage "{stage}"')
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
