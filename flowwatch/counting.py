"""How a figure came about: which counters feed it, what the last minute and the last count by hand said, and the last readings counted.

Read from the journal, the log and the site's document; nothing is computed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.readings import OUTSIDE, Kind
from flowwatch.evidence import Document, Evidence, LogRow
from flowwatch.journal import Journal
from flowwatch.journal.export import with_times
from flowwatch.titles import Clock, Names
from flowwatch.words import whole


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain: what it is, the entry that says so, the facts for programs, and their sentence."""

    what: str
    id: str | None
    facts: dict[str, Any]
    text: str


class Counted:
    """Tells how a site's figures came about, with the names and the clock of its `document` (None: no longer known)."""

    def __init__(self, journal: Journal, evidence: Evidence, site: str, document: Document | None, names: Names, clock: Clock) -> None:
        self._journal, self._evidence, self._site, self._document = journal, evidence, site, document
        self._names, self._clock, self._say = names, clock, names.say

    def steps(self, cause: Mapping[str, Any], near: int) -> list[Step]:
        """How the figure of a cause came about, and the last readings that fed it; days are left out of times on the day of `near`."""
        steps = self._counting(cause, near) if cause["estimate"] is not None else self._passing(cause)
        if not cause["readings"]:
            return steps
        partition = cause["partition"]
        refs = sorted(cause["readings"], key=lambda ref: int(ref["offset"]))
        found = zip(refs, self._evidence.rows(partition, [ref["offset"] for ref in refs]), strict=True)
        read = sorted(((ref, row) for ref, row in found), key=lambda pair: (-int(pair[0]["at_us"]), str(pair[0]["counter"])))
        lines = [f"  {self._reading(ref, row, cause['partition'], near)}" for ref, row in read]
        facts = {"readings": [_reading_facts(partition, ref, row) for ref, row in read]}
        head = self._say("最后计入的读数：", "The last readings counted:")
        return [*steps, Step("readings", None, facts, "\n".join([head, *lines]))]

    def _reading(self, ref: Mapping[str, Any], row: LogRow | None, partition: str, near: int) -> str:
        say = self._say
        counter = self._names.title("counter", str(ref["counter"]).partition("/")[2])
        if row is None:
            first = self._evidence.first(partition)
            told = say(
                f"原始记录已按保留期限删除（现存自第 {first:,} 行起）", f"the row is past its retention (kept from row {first:,} on)"
            )
        elif row.kind is Kind.ABSOLUTE:
            told = say(f"画面内 {row.headcount:,} 人", f"{row.headcount:,} in view")
        else:
            into, out = row.ingress or 0, row.egress or 0
            if row.kind is Kind.CUMULATIVE:
                told = say(f"累计进 {into:,} 人、出 {out:,} 人", f"{into:,} in and {out:,} out in all")
            else:
                told = say(f"进 {into:,} 人、出 {out:,} 人", f"{into:,} in, {out:,} out")
        return f"{self._clock.time(ref['at_us'], near)}  {counter}  {told}  [{partition}:{ref['offset']}]"

    def _counting(self, cause: Mapping[str, Any], near: int) -> list[Step]:
        """What feeds the zone, the last minute's figures before the decision, and the last count by hand."""
        zone, tick, say, names = cause["estimate"]["zone"], cause["tick_us"], self._say, self._names
        parts, facts = [], {"zone": zone}
        if self._document is not None:
            flows, cameras = feeds(self._document, zone)
            facts |= {"flows": flows, "headcounts": cameras}
            if flows:
                parts.append(say(f"由 {len(flows)} 个计数器的进出人数相减得出", f"in minus out at {len(flows)} counters"))
            if cameras:
                seen = "a camera sees" if len(cameras) == 1 else f"{len(cameras)} cameras see"
                parts.append(say(f"以 {len(cameras)} 路摄像头的画面人数修正", f"pulled back by what {seen}"))
        minute = self._journal.estimate_before(self._site, tick)
        figures = json.loads(minute.body)["zones"].get(zone) if minute is not None else None
        if minute is not None and figures is not None:
            facts |= {"minute_us": minute.at} | figures
            at, raw, into, out = self._clock.time(minute.at, near), whole(figures["raw_m"]), figures["in"], figures["out"]
            parts.append(
                say(
                    f"{at} 的分钟记录：进 {into:,} 人、出 {out:,} 人，仅按进出计数为 {raw} 人",
                    f"the minute to {at}: {into:,} in, {out:,} out, {raw} by counting alone",
                )
            )
            if figures["silent"]:
                silent = names.listed([names.counter(c) for c in figures["silent"]])
                parts.append(say(f"{silent}当时没有数据，区间因此放宽", f"no data from {silent}, which widens the band"))
        anchor = self._anchor(zone, tick)
        if anchor is not None:
            record = body_of(anchor)["record"]
            at, count = self._clock.time(record["counted_at_us"], near), f"{record['count']:,}"
            facts["anchor"] = anchor.id
            parts.append(
                say(
                    f"最近一次人工清点：{at} 为 {count} 人（记录 {anchor.id}）",
                    f"last counted by hand at {at}: {count} (entry {anchor.id})",
                )
            )
        if not parts:
            return []
        text = say(f"人数来源：{'；'.join(parts)}。", f"How it was counted: {'; '.join(parts)}.")
        return [Step("counting", None, with_times(facts), text)]

    def _passing(self, cause: Mapping[str, Any]) -> list[Step]:
        """What feeds a flow: the counters that were heard, and over which time their people were added up."""
        leaf = (cause["term"] or {}).get("leaf") or {}
        if leaf.get("kind") != "passers" and leaf.get("source") != "net_flow":
            return []
        counters = list(dict.fromkeys(str(ref["counter"]).partition("/")[2] for ref in cause["readings"]))
        heard = self._names.listed([self._names.counter(counter) for counter in counters])
        text = self._say(
            f"流量来源：{heard or '无计数器'}最近一分钟（上报更慢的，最近一个上报周期）计入的人数。",
            f"How it was counted: the people of the last minute, or of a longer reporting period, at {heard or 'no counter'}.",
        )
        return [Step("counting", None, {"leaf": leaf, "counters": counters}, text)]

    def _anchor(self, zone: str, tick: int) -> Entry | None:
        """The last accepted recount of the zone up to `tick`."""
        for entry in self._journal.entries(self._site, EntryKind.ACTION, until=tick + 1, newest=True):
            body = body_of(entry)
            if body["type"] == "recount" and body["accepted"] and body["record"]["zone"] == zone:
                return entry
        return None


def feeds(document: Mapping[str, Any], zone: str) -> tuple[list[str], list[str]]:
    """The counters whose passages change how many are in `zone` ("site": in all), and those that see people in it."""
    parents = {z["zone"]: z["inside"] for z in document["zones"]}

    def within(place: str | None) -> bool:
        if zone == "site":
            return place != OUTSIDE
        while place is not None and place != zone:
            place = parents.get(place)
        return place == zone

    ends = {("gate", g["gate"]): (g["from"], g["to"]) for g in document["gates"]}
    ends |= {("link", k["link"]): (k["from"], k["to"]) for k in document["links"]}
    flows, cameras = [], []
    for counter in document["counters"]:
        passage = ends.get(("gate", counter["gate"])) or ends.get(("link", counter["link"]))
        if passage is not None and within(passage[0]) != within(passage[1]):
            flows.append(counter["counter"])
        elif counter["zone"] is not None and counter["zone"] == zone:
            cameras.append(counter["counter"])
    return flows, cameras


def _reading_facts(partition: str, ref: Mapping[str, Any], row: LogRow | None) -> dict[str, Any]:
    told = {"counter": ref["counter"], "at_us": ref["at_us"], "partition": partition, "offset": ref["offset"], "kept": row is not None}
    if row is not None:
        counts = {"in": row.ingress, "out": row.egress, "headcount": row.headcount}
        told |= {"kind": row.kind.name.lower()} | {key: count for key, count in counts.items() if count is not None}
    facts: dict[str, Any] = with_times(told)
    return facts


def body_of(entry: Entry) -> dict[str, Any]:
    """The entry's body, decoded."""
    return dict(json.loads(entry.body))
