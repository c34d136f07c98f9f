"""The day's ledger as tables for a spreadsheet: one CSV file a subject, UTF-8 with the mark by which Excel knows it, times as ISO 8601."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flowwatch.proof.cases import WAY
from flowwatch.proof.ledger import Ledger, Peak
from flowwatch.proof.phrases import Phrases
from flowwatch.words import Language

Row = Sequence[object]


def sheets(ledger: Ledger, lang: Language) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every table."""
    for name, head, rows in _Sheets(ledger, lang).all():
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(head)
        writer.writerows([[_safe(cell) for cell in row] for row in rows])
        yield name, b"\xef\xbb\xbf" + text.getvalue().encode()


def _safe(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: people's words may begin with = + - or @."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


class _Sheets:
    def __init__(self, ledger: Ledger, lang: Language) -> None:
        self._ledger, self._p = ledger, Phrases(ledger, lang)
        self._zone = ZoneInfo(ledger.document["time_zone"]) if ledger.document else UTC

    def all(self) -> Iterator[tuple[str, list[str], list[Row]]]:
        yield "day", ["site", "day", "from", "until", "as_of", "over", "unreadable"], [self._day()]
        yield "readings", ["what", "reason", "readings"], list(self._readings())
        yield "peaks", ["zone", "title", "at", "people", "lower", "upper", "known"], [self._peak(peak) for peak in self._ledger.peaks]
        yield "hours", ["from", "in", "out", "most_inside", "lower", "upper"], list(self._hours())
        yield "stages", ["plan", "stage", "title", "level", "from", "until", "minutes", "reason", "entry"], list(self._stages())
        yield "commands", self._command_head(), list(self._commands())
        yield "incidents", self._incident_head(), list(self._incidents())
        yield "actions", ["at", "type", "what", "by", "reason", "accepted", "refused", "entry"], list(self._actions())
        yield "chains", ["file", "chain", "entries", "hash"], [(e.file, e.chain, e.seq, e.hash) for e in self._ledger.ends]

    def _at(self, at: int | None) -> str:
        return "" if at is None else datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(self._zone).isoformat(timespec="seconds")

    def _day(self) -> Row:
        found = self._ledger
        unread = " ".join(f"{file}/{id_}" for file, id_ in found.unreadable)
        return found.site, found.day, self._at(found.since_us), self._at(found.until_us), self._at(found.as_of_us), found.over, unread

    def _readings(self) -> Iterator[Row]:
        found = self._ledger.readings
        if found is not None:
            yield "received", "", found.total
            yield "counted", "", found.accepted
            for reason, count in found.refused.items():
                yield "refused", reason.name.lower(), count

    def _peak(self, peak: Peak) -> Row:
        return peak.zone, self._p.zone(peak.zone), self._at(peak.at_us), *_people(peak), peak.known

    def _hours(self) -> Iterator[Row]:
        for hour in self._ledger.hours:
            figures = ("", "", "") if hour.peak is None else _people(hour.peak)
            yield self._at(hour.since_us), hour.people_in, hour.people_out, *figures

    def _stages(self) -> Iterator[Row]:
        for plan, found in self._ledger.stages.items():
            for s in found:
                minutes = round((s.until_us - s.since_us) / 60_000_000, 1)
                stands = not self._ledger.over and s.until_us == self._ledger.as_of_us
                told = (
                    plan,
                    s.stage,
                    self._p.names.stage(s.stage, plan),
                    self._ledger.level(s) or "",
                    self._at(s.since_us),
                    "" if stands else self._at(s.until_us),
                )
                yield *told, minutes, s.reason or "", s.entry or ""

    def _command_head(self) -> list[str]:
        return [
            "at",
            "device",
            "title",
            "commanded",
            "reason",
            "stage",
            "delivery",
            "drill",
            "attempts",
            "answer",
            "answer_s",
            "why",
            "observed",
            "entry",
        ]

    def _commands(self) -> Iterator[Row]:
        for order in self._ledger.orders:
            title, asked = self._p.order(order)
            last, body = order.last, order.body
            answered = "" if last is None or last.answered_us is None else round((last.answered_us - last.at_us) / 1e6, 3)
            sent = (0, "", "", "") if last is None else (last.attempt, last.outcome or "", answered, last.why or "")
            told = (self._at(order.at_us), order.device, title, asked, body["reason"], body.get("stage") or "", body.get("delivery") or "")
            seen = " ".join(f"{what}@{self._at(at)}" for what, at in order.effects)
            yield *told, bool(body.get("drill")), *sent, seen, order.entry

    def _incident_head(self) -> list[str]:
        ways = [name for act in WAY for name in (act.value, f"{act.value}_by")]
        about = ["incident", "priority", "level", "what", "subject", "text", "drill", "since", "ended", "told"]
        return [*about, *ways, "dispatched_to", "overdue", "also"]

    def _incidents(self) -> Iterator[Row]:
        for case in self._ledger.cases:
            ways = list[object]()
            for act in WAY:
                taken = case.steps.get(act)
                ways += ["", ""] if taken is None else [self._at(taken.at_us), taken.by]
            unit = next((t.to or "" for act, t in case.steps.items() if act.value == "dispatch"), "")
            also = "; ".join(f"{act.value} {self._at(t.at_us)} {t.by}" for act, t in case.others)
            about = (case.name, case.priority or "", case.level or "", case.what, case.subject, self._p.case(case), case.drill)
            times = (self._at(case.since_us), self._at(case.ended_us), self._at(case.told_us))
            yield *about, *times, *ways, unit, " ".join(case.overdue), also

    def _actions(self) -> Iterator[Row]:
        for deed in self._ledger.deeds:
            record = deed.body["record"] or {}
            told = (self._at(deed.at_us), deed.body["type"], self._p.deed(deed.body), record.get("by", ""), record.get("reason") or "")
            yield *told, bool(deed.body["accepted"]), deed.body["refused"] or "", deed.entry


def _people(peak: Peak) -> tuple[object, object, object]:
    upper = "" if peak.upper_m is None else round(peak.upper_m / 1000)
    return round((peak.inside_m if peak.known else peak.lower_m) / 1000), round(peak.lower_m / 1000), upper
