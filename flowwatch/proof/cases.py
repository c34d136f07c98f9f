"""The incidents of a day with what people did about each: its condition by the journal, its handling by the book.

How urgent one was, and in which words it is told, is what people were told at its worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.entries import Entry
from flowwatch.handling.kinds import RANKS, priority
from flowwatch.handling.records import FLOWWATCH, SHOWN, Act, Alert, Step

WAY: Final = (Act.ACKNOWLEDGE, Act.DISPATCH, Act.ARRIVE, Act.HANDLE, Act.FEEDBACK, Act.VERIFY, Act.CLOSE)
"""签收 → 派警 → 到场 → 处置 → 反馈 → 核查 → 办结."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of handling that was taken: when, by whom, to whom, and why."""

    at_us: int
    by: str
    to: str | None
    reason: str


@dataclass(slots=True)
class Case:
    """One incident: its condition by the journal, its handling by the book. How urgent it was is the worst that people were told."""

    name: str
    what: str
    subject: str
    since_us: int
    body: Body | None = None
    """The journal's first entry about it at its worst level; None for what the service raised itself."""
    text: Mapping[str, str] | None = None
    """As it was told when it was most urgent, where it was told."""
    priority: str | None = None
    """The most urgent that it was to people; what nobody was told of, by its kind and level."""
    level: str | None = None
    """The worst that it had, by the plan."""
    ended_us: int | None = None
    drill: bool = False
    told_us: int | None = None
    sounded: bool = False
    steps: dict[Act, Taken] = field(default_factory=dict)
    """The last of each step on the way, since it was opened last."""
    others: list[tuple[Act, Taken]] = field(default_factory=list)
    """Everything else that people did, in order: what they did before it was opened again, too."""
    overdue: dict[str, int] = field(default_factory=dict)
    """Clock -> when it ran out."""


def cases(incidents: Iterable[tuple[int, Body]], records: Iterable[tuple[Entry, Alert | Step]], since: int, until: int) -> list[Case]:
    """The incidents that were open in the day or handled in it, the oldest first.

    `incidents`: the journal's (when, body) up to the end of the day; `records`: the site's chain of the book up to then.
    """
    found: dict[str, Case] = {}
    for at, body in incidents:
        case = found.get(body["incident"])
        if case is None:
            case = found[body["incident"]] = Case(body["incident"], body["what"], body["subject"], body["since_us"], body)
            case.drill = body["what"] == "drill_active" or bool((body.get("detail") or {}).get("drill"))
        if RANKS[body["level"]] > RANKS[case.level]:
            case.level, case.body = body["level"], body
        usual = priority(body["what"], body["subject"], body.get("reason"), body["level"], {})
        if RANKS[usual] > RANKS[case.priority]:
            case.priority = usual
        case.ended_us = at if body["state"] == "cleared" else None
    touched, told = set[str](), set[str]()
    for entry, said in records:
        if said.incident and entry.at >= since:
            touched.add(said.incident)
        if isinstance(said, Alert):
            _told(found, said, entry, first=said.incident not in told)
            told.add(said.incident)
        elif said.incident in found:
            _stepped(found[said.incident], said, entry.at)
    chosen = [case for case in found.values() if case.name in touched or case.ended_us is None or case.ended_us >= since]
    return sorted((case for case in chosen if case.since_us < until), key=lambda case: (case.since_us, case.name))


def _told(found: dict[str, Case], alert: Alert, entry: Entry, *, first: bool) -> None:
    case = found.get(alert.incident)
    if case is None:
        case = found[alert.incident] = Case(alert.incident, alert.what, alert.subject, alert.since_us)
    if case.body is None:
        case.ended_us = entry.at if alert.state == "cleared" else None
    if case.told_us is None:
        case.told_us = entry.at
    worse = first or RANKS[alert.priority] > RANKS[case.priority]
    if worse:
        case.priority = alert.priority
    if alert.state != "cleared" and (worse or case.text is None):
        case.text = {"zh": alert.text.zh, "en": alert.text.en}
    case.sounded = case.sounded or alert.shown in SHOWN
    case.drill = case.drill or alert.drill
    if RANKS[alert.level] > RANKS[case.level]:
        case.level = alert.level


def _stepped(case: Case, step: Step, at: int) -> None:
    taken = Taken(at, step.by, step.to, step.reason)
    if step.act in WAY:
        if (before := case.steps.pop(step.act, None)) is not None:  # sent anew, after it was returned
            case.others.append((step.act, before))
        case.steps[step.act] = taken
    elif step.act is Act.REOPEN:
        case.others += [*case.steps.items(), (step.act, taken)]
        case.steps.clear()
    elif step.act is Act.ESCALATE and step.clock is not None:
        case.overdue[step.clock] = step.due_us if step.due_us is not None else at
    elif step.by != FLOWWATCH:
        case.others.append((step.act, taken))
    case.others.sort(key=lambda one: one[1].at_us)
