"""The handover of a shift (交接班): what is open and who answers for it, what people hold elsewhere than the plan asks, and what the shift had.

Made from what stands already: the open incidents as the book of handling has them, the operators' records as the journal took them, the book's
own entries of the shift. It decides nothing and changes nothing; that a shift took over is a step of its own (`Act.HANDOVER`), which keeps the
list and the `digest` of what was handed over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import msgspec

from flowwatch.core.entries import Entry, canonical
from flowwatch.handling.clocks import Allowed, clocks, duty
from flowwatch.handling.incident import FOREVER_US, Clock, Incident
from flowwatch.handling.load import HOUR_US, LEAD_US, Load, load
from flowwatch.handling.readable import LATEST_US, readable
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Said, Step
from flowwatch.journal.export import iso

SHIFT_US: Final = 12 * HOUR_US
"""What counts as the shift where nobody ever handed over. ASSUMED: day and night."""
MOST_US: Final = LEAD_US
"""A handover that lies further back begins no shift."""


@dataclass(frozen=True, slots=True)
class Before:
    """The handover before this one: who gave the shift to whom, when (microseconds), and what they said."""

    by: str
    to: str
    at_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class StageNow:
    """A plan's stage."""

    plan: str
    stage: str
    level: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """What a person holds until a time (microseconds): an override's stage, gate or case, or the stage of a drill.

    `of`: "stage", "gate", "case" or "drill"; `name`: the plan, the gate, the case; `value`: the stage, the setting, None for a case.
    """

    of: str
    name: str | None
    value: str | None
    until_us: int
    by: str
    reason: str
    action: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """What a person put off: an incident shelved or deferred, or its device under maintenance, until a time (microseconds).

    `until_us` None: until somebody takes it back.
    """

    act: str
    incident: str
    what: str
    subject: str
    until_us: int | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shift:
    """What the shift had: alerts as `load` counts them, and steps that people took, by their name.

    `ended`: incidents that flowwatch closed, because they were over and nobody had to do anything. `unreadable`: records that could not be read, of
    all that the handover is made from.
    """

    load: Load
    steps: Mapping[str, int]
    ended: int
    unreadable: int = 0

    @property
    def closed(self) -> int:
        """How many people closed."""
        return self.steps.get(Act.CLOSE.value, 0)


@dataclass(frozen=True, slots=True)
class Open:
    """An incident with who answers for it now, and its clocks."""

    incident: Incident
    duty: str
    clocks: tuple[Clock, ...]

    @classmethod
    def of(cls, incident: Incident, allowed: Allowed, duties: Sequence[str]) -> Open:
        """The incident under a deployment's clocks and duties."""
        return cls(incident, duty(duties, incident.escalated), clocks(incident, allowed))

    @property
    def next_clock(self) -> Clock | None:
        """The clock that runs out next, or has: what people are pressed by."""
        running = [clock for clock in self.clocks if clock.state in ("running", "warned", "overdue")]
        return min(running, key=lambda clock: clock.due_us, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """All of it, at one moment of one site."""

    site: str
    at_us: int
    since_us: int
    before: Before | None
    stages: tuple[StageNow, ...]
    incidents: tuple[Open, ...]
    """Open, the most urgent first."""
    held: tuple[Held, ...]
    put_off: tuple[PutOff, ...]
    shift: Shift
    undelivered: tuple[Open, ...]
    """The service's own incidents: feeds that cannot be delivered."""

    @property
    def digest(self) -> str:
        """The SHA-256 of what the site hands over, in hex: all but the moment, the figures of the shift, how far clocks have run, and feeds."""
        told = plain(self)
        for name in ("at", "shift", "undelivered"):
            del told[name]
        for incident in told["incidents"]:
            for clock in incident["clocks"]:
                del clock["state"]
        return hashlib.sha256(canonical(told)).hexdigest()


def handover(
    site: str,
    at_us: int,
    *,
    incidents: Iterable[Open],
    entries: Iterable[Entry],
    actions: Iterable[Mapping[str, Any]],
    stages: Iterable[StageNow] = (),
    undelivered: Iterable[Open] = (),
) -> Handover:
    """The handover at that moment.

    `incidents`: the site's open ones; `entries`: the book's of the site since `LEAD_US` ago, in their order; `actions`: bodies of the journal's
    ACTION entries of the site, in their order, so far as they may still hold.
    """
    passed = set[str]()
    said = list(readable((entry for entry in entries if entry.at <= at_us), passed))
    standing = held(actions, at_us, passed)
    before = next(
        (
            Before(step.by, step.to or "", entry.at, step.reason)
            for entry, step in reversed(said)
            if isinstance(step, Step) and step.act is Act.HANDOVER and entry.at > at_us - MOST_US
        ),
        None,
    )
    since = min(before.at_us, at_us - 1) if before is not None else at_us - SHIFT_US
    shift = [step for entry, step in said if isinstance(step, Step) and entry.at > since]
    taken = Counter(step.act.value for step in shift if step.by != FLOWWATCH)
    ended = sum(step.act is Act.CLOSE and step.by == FLOWWATCH for step in shift)
    return Handover(
        site=site,
        at_us=at_us,
        since_us=since,
        before=before,
        stages=tuple(stages),
        incidents=tuple(incidents),
        held=tuple(standing),
        put_off=tuple(_put_off([one for _, one in said], at_us)),
        shift=Shift(load([entry for entry, _ in said], since, at_us), dict(sorted(taken.items())), ended, len(passed)),
        undelivered=tuple(undelivered),
    )


def held(actions: Iterable[Mapping[str, Any]], at_us: int, passed: set[str] | None = None) -> list[Held]:
    """The overrides and drills that were accepted and are not over, of these bodies of ACTION entries in their order; by their end.

    The newest record about a thing counts: one that ends now ends those before it. The ids of those that cannot be read go into `passed`.
    """
    newest: dict[tuple[str, str | None], Held] = {}
    for body in actions:
        if not body.get("accepted") or body.get("type") not in ("override", "drill"):
            continue
        try:
            record = msgspec.convert(body.get("record"), _Record)
        except msgspec.ValidationError:
            if passed is not None:
                passed.add(str(body.get("id")))
            continue
        one = record.held(drill=body["type"] == "drill")
        newest[one.of, one.name] = one
    return sorted((one for one in newest.values() if one.until_us > at_us), key=lambda one: (one.until_us, one.of, one.name or ""))


class _Record(msgspec.Struct):
    """An operator's record of an override or a drill, as it is read here."""

    until_us: Annotated[int, msgspec.Meta(ge=0, le=LATEST_US)]
    by: str
    reason: str
    action: str
    stage: str | None = None
    plan: str | None = None
    gate: str | None = None
    mode: str | None = None
    case: str | None = None

    def held(self, *, drill: bool) -> Held:
        """What it holds."""
        of = "drill" if drill else "stage" if self.stage is not None else "gate" if self.gate is not None else "case"
        name = {"drill": None, "stage": self.plan, "gate": self.gate, "case": self.case}[of]
        value = {"drill": self.stage, "stage": self.stage, "gate": self.mode, "case": None}[of]
        return Held(of, name, value, self.until_us, self.by, self.reason, self.action)


def _put_off(said: Sequence[Alert | Step], at_us: int) -> list[PutOff]:
    """What is shelved, deferred or under maintenance now, of one site's alerts and steps in their order; by its end.

    What is shelved until a time, and what is under maintenance, is so about the thing: it outlives the incident.
    """
    about: dict[str, Alert] = {}
    found: dict[tuple[Act, str], Step] = {}
    for one in said:
        if isinstance(one, Alert):
            about[one.incident] = one
            if one.state == "cleared":
                _drop(found, one.incident, Act.SHELVE, only_timeless=True)
        elif one.act in (Act.SHELVE, Act.DEFER, Act.MAINTAIN):
            found[one.act, one.incident] = one
        elif one.act is Act.UNSHELVE:
            _drop(found, one.incident, Act.SHELVE)
        elif one.act is Act.RESTORE:
            for other in [name for act, name in found if act is Act.MAINTAIN and _subject(about, name) == _subject(about, one.incident)]:
                _drop(found, other, Act.MAINTAIN)
        elif one.act is Act.RESUME:
            _drop(found, one.incident, Act.DEFER)
        elif one.act is Act.REOPEN:
            _drop(found, one.incident, Act.SHELVE, Act.DEFER, Act.MAINTAIN)
        elif one.act is Act.CLOSE:
            _drop(found, one.incident, Act.DEFER)
    standing = [
        PutOff(act.value, name, about[name].what, about[name].subject, step.until_us, step.by, step.reason)
        for (act, name), step in found.items()
        if name in about and (step.until_us is None or step.until_us > at_us)
    ]
    return sorted(standing, key=lambda one: (one.until_us or 2**62, one.act, one.incident))


def _subject(about: Mapping[str, Alert], incident: str) -> str:
    """What an incident is about; its own name where no alert of it can be read."""
    return about[incident].subject if incident in about else incident


def _drop(found: dict[tuple[Act, str], Step], incident: str, *acts: Act, only_timeless: bool = False) -> None:
    for act in acts:
        step = found.get((act, incident))
        if step is not None and not (only_timeless and step.until_us is not None):
            del found[act, incident]


# -- as JSON values ---------------------------------------------------------------------------------------------------------------------


def plain(found: Handover) -> dict[str, Any]:
    """It as JSON values, times as text."""
    before, shift = found.before, found.shift
    return {
        "site": found.site,
        "at": iso(found.at_us),
        "since_at": iso(found.since_us),
        "before": None if before is None else {"by": before.by, "to": before.to, "at": iso(before.at_us), "reason": before.reason},
        "stages": [asdict(stage) for stage in found.stages],
        "incidents": [plain_incident(incident) for incident in found.incidents],
        "held": [_timed(asdict(one)) for one in found.held],
        "put_off": [_timed(asdict(one)) for one in found.put_off],
        "undelivered": [plain_incident(incident) for incident in found.undelivered],
        "shift": {
            "alerts": shift.load.shown,
            "by_priority": dict(shift.load.by_priority),
            "acknowledge_p50_s": shift.load.acknowledge_p50_s,
            "acknowledge_p90_s": shift.load.acknowledge_p90_s,
            "unanswered": shift.load.unanswered,
            "escalations": sum(shift.load.escalations.values()),
            "steps": dict(shift.steps),
            "closed": shift.closed,
            "ended": shift.ended,
            "unreadable": shift.unreadable,
        },
    }


def plain_incident(of: Open) -> dict[str, Any]:
    """An incident and how far people are with it, as JSON values."""
    incident = of.incident
    shelved = incident.shelved_until
    return {
        "incident": incident.name,
        "what": incident.what,
        "subject": incident.subject,
        "level": incident.level,
        "priority": incident.priority,
        "worst": incident.worst,
        "active": incident.active,
        "drill": incident.drill,
        "text": _both(incident.alert.text),
        "since_at": iso(incident.since_us),
        "told_at": iso(incident.told_us),
        "ended_at": _at(incident.ended_us),
        "handling": incident.handling.value,
        "cycle": incident.cycle,
        "duty": of.duty,
        "by": incident.by,
        "unit": incident.unit,
        "shown": incident.shown.value,
        "parent": incident.parent,
        "shelved": incident.shelved,
        "shelved_until_at": None if shelved == FOREVER_US else _at(shelved),
        "deferred_until_at": _at(incident.deferred_until),
        "maintained": incident.maintained,
        "clocks": [{"clock": clock.name, "due_at": iso(clock.due_us), "state": clock.state} for clock in of.clocks],
    }


def _timed(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "until_us"} | {"until_at": _at(body["until_us"])}


def _at(us: int | None) -> str | None:
    return None if us is None else iso(us)


def _both(text: Said) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
