"""Incidents as people handle them: what is open, how far they are with each, what was said and done about one from its beginning.

The journal says whether a condition holds, the book of handling what people were told of it and did. An incident is open until it is closed
in the book, even where its condition has ended; and one that the journal tells of stands here at once, before the desk has told it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import get
from msgspec import Struct

from flowwatch import texts
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents.alarms import Alarms
from flowwatch.handling import runbooks
from flowwatch.handling import timeline as lines
from flowwatch.handling.desk import Desk
from flowwatch.handling.handover import Open, plain_incident
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import SERVICE, Said
from flowwatch.handling.settings import Settings
from flowwatch.handling.steps import needs_supervisor, possible
from flowwatch.handling.ward import Ward
from flowwatch.journal import Journal
from flowwatch.journal.export import iso, with_times
from flowwatch.journal.tables import site_of
from flowwatch.picture import Body, told
from flowwatch.service.auth.identity import Identity
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem, wait
from flowwatch.service.threads import threaded
from flowwatch.titles import Names

_KEYS: Final = ("id", "site", "incident", "state", "what", "subject", "level", "reason", "since_us", "headline", "instruction", "detail")
Both = dict[str, str]


class ClockTold(Struct, frozen=True):
    """A clock of an incident: "running", "warned" (four fifths are gone), "overdue", "met" or "stopped"."""

    clock: str
    due_at: str
    state: str


class StepPossible(Struct, frozen=True):
    """A step that could be taken now, and the least role that it takes."""

    act: str
    role: str


class HandlingTold(Struct, frozen=True, kw_only=True):
    """How far people are with an incident; `duty`: who answers for it now, `by`: who acknowledged it, `unit`: who was sent.

    `worst`: the most urgent that it was in this cycle; `active`: whether its condition holds; `shown`: why it was shown to people as a new one, or
    was not (`parent`: what stands for it).
    """

    handling: str
    priority: str | None
    worst: str | None
    active: bool
    cycle: int
    duty: str
    by: str | None
    unit: str | None
    shown: str
    parent: str | None
    drill: bool
    told_at: str
    ended_at: str | None
    shelved: bool
    shelved_until_at: str | None
    deferred_until_at: str | None
    maintained: bool
    clocks: list[ClockTold]
    steps: list[StepPossible]
    alert: str


class IncidentTold(Struct, frozen=True, kw_only=True):
    """An incident. `id`: the journal's entry that told of it last, None of the service's own; `text`: what it says, in Chinese and English.

    `runbook`: where this service shows what to do about its kind; `handling`: None for what the desk has not told yet.
    """

    id: str | None
    site: str
    incident: str
    state: str
    what: str
    subject: str
    level: str | None
    reason: str | None
    since_at: str
    headline: Both | None
    instruction: Both | None
    detail: dict[str, Any] | None
    text: Both
    runbook: str | None
    handling: HandlingTold | None


class Incidents(Struct, frozen=True):
    """Open incidents."""

    incidents: list[IncidentTold]


class MomentTold(Struct, frozen=True, kw_only=True):
    """One entry of the journal or the book. `by`: "engine", "flowwatch" or a person; `reason`: the one that was given."""

    id: str
    kind: str
    at: str
    what: str
    by: str
    role: str | None
    reason: str | None
    text: Both
    body: dict[str, Any]


class TimelineTold(Struct, frozen=True):
    """All of an incident, in the order of time."""

    incident: str
    moments: list[MomentTold]


@get("/v1/sites/{site:str}/incidents", summary="Open incidents of a site")
@threaded
def site_incidents(site: InPath, parts: GivenParts) -> Incidents:
    """What the command room must know of, and how far people are with it, the oldest first."""
    return Incidents(_oldest_first(of_chain(site, parts)))


@get("/v1/incidents", summary="Open incidents")
@threaded
def incidents(identity: GivenIdentity, parts: GivenParts) -> Incidents:
    """The open incidents of all sites that you see, the oldest first; the service's own, too, if you see everything."""
    chains = [*parts.sites.seen_by(identity), *([SERVICE] if parts.sees(identity, None) else [])]
    return Incidents(_oldest_first([one for chain in chains for one in of_chain(chain, parts)]))


@get("/v1/incidents/{id:str}", summary="One incident")
@threaded
def incident(id: InPath, identity: GivenIdentity, parts: GivenParts) -> IncidentTold:  # noqa: A002 - the name of the parameter in the path
    """An incident by its name (yuyuan-i7, or yuyuan-h2 of the service's own), open or not."""
    journal, book = records(id, identity, parts)
    found = None if parts.desk is None else parts.desk.find(id)
    if found is None and book:  # closed long ago, or there is no desk
        found = Ward.of(chain_of(id), book).find(id)
    if journal:
        body = msgspec.json.decode(journal[-1].body) | {"id": journal[-1].id, "at_us": journal[-1].at}
        return _of_journal(body, found, parts)
    if found is None:
        raise nowhere(id)
    return _of_book(found, parts)


@get("/v1/incidents/{id:str}/timeline", summary="All of an incident")
@threaded
def timeline(id: InPath, identity: GivenIdentity, parts: GivenParts) -> TimelineTold:  # noqa: A002
    """What the journal said of it, what people were told, who did what and why: every entry in the order of time."""
    journal, book = records(id, identity, parts)
    actions = [entry for entry in about(parts.picture.journal, id) if entry.kind is EntryKind.ACTION]
    found = lines.timeline([*journal, *actions], book, _document(chain_of(id), parts))
    return TimelineTold(id, [_moment(one) for one in found])


def chain_of(name: str) -> str:
    """The chain of an incident by its name: the site's, or the service's."""
    return name.rpartition("-")[0]


def nowhere(name: str) -> Problem:
    """The problem of an incident that is not there, or may not be seen."""
    return Problem("not-found", f'no incident "{name:.80}" that you may read; expected one as yuyuan-i3')


def desk_of(parts: Parts) -> Desk:
    """The desk. Raises `Problem` in a service that has none."""
    if parts.desk is None or not parts.desk.alive:
        raise wait("unavailable", "the desk that takes steps does not run; the service's own log says why", 5)
    return parts.desk


def records(name: str, identity: Identity, parts: Parts) -> tuple[list[Entry], list[Entry]]:
    """The journal's INCIDENT entries and the book's entries of an incident. Raises `Problem` where there is none that may be read."""
    chain = chain_of(name)
    if not chain or not parts.sees(identity, site_of(chain)) or (chain != SERVICE and not parts.sites.has(chain)):
        raise nowhere(name)
    journal = [entry for entry in about(parts.picture.journal, name) if entry.kind is EntryKind.INCIDENT]
    book = about(parts.book.journal, name)
    if not journal and not book:
        raise nowhere(name)
    return journal, book


def about(journal: Journal | None, name: str) -> list[Entry]:
    """The entries of a journal that are about the incident."""
    return [] if journal is None else list(journal.about(name))


def of_chain(chain: str, parts: Parts) -> list[IncidentTold]:
    """The open incidents of a site, or of the service: as the journal has them, then those that only the book has."""
    handled = {} if parts.desk is None else {one.name: one for one in parts.desk.incidents(chain)}
    standing = [] if chain == SERVICE else parts.picture.incidents(chain)
    found = [_of_journal(body, handled.pop(body["incident"], None), parts) for body in standing]
    return found + [_of_book(one, parts) for one in handled.values()]


def _oldest_first(found: list[IncidentTold]) -> list[IncidentTold]:
    return sorted(found, key=lambda one: (one.since_at, one.incident))


def _of_journal(body: Body, found: Incident | None, parts: Parts) -> IncidentTold:
    """An incident as the journal told of it last, with what people do about it."""
    fields = told(body, *_KEYS)
    if found is not None and found.alert.entry == body["id"]:
        text = found.alert.text
    else:
        document = _document(body["site"], parts)
        text = Said(*(texts.incident(body, Names(document, lang)) for lang in ("zh", "en")))
    return IncidentTold(
        **fields, text=_both(text), runbook=_runbook(body["what"]), handling=None if found is None else _handling(found, parts)
    )


def _of_book(found: Incident, parts: Parts) -> IncidentTold:
    """An incident of which the journal does not speak any more, or never did."""
    alert = found.alert
    return IncidentTold(
        id=alert.entry,
        site=found.site,
        incident=found.name,
        state=alert.state,
        what=found.what,
        subject=found.subject,
        level=found.level,
        reason=alert.reason,
        since_at=iso(found.since_us),
        headline=None,
        instruction=None if alert.instruction is None else _both(alert.instruction),
        detail=with_times(alert.detail),
        text=_both(alert.text),
        runbook=_runbook(found.what),
        handling=_handling(found, parts),
    )


def answered(found: Incident, parts: Parts) -> Open:
    """An incident with who answers for it, and its clocks, under the deployment's settings."""
    settings = Settings.of(Alarms()) if parts.desk is None else parts.desk.settings
    return Open.of(found, settings.allowed, settings.duties)


def _handling(found: Incident, parts: Parts) -> HandlingTold:
    told = {name: value for name, value in plain_incident(answered(found, parts)).items() if name in HandlingTold.__struct_fields__}
    steps = [StepPossible(act.value, "supervisor" if needs_supervisor(act, found) else "operator") for act in possible(found)]
    return HandlingTold(**told | {"alert": found.alert_id, "steps": steps, "clocks": msgspec.convert(told["clocks"], list[ClockTold])})


def _moment(one: lines.Moment) -> MomentTold:
    entry = one.entry
    return MomentTold(
        id=entry.id,
        kind=entry.kind.value,
        at=iso(entry.at),
        what=one.what,
        by=one.by,
        role=one.role,
        reason=one.reason,
        text=_both(one.text),
        body=with_times(msgspec.json.decode(entry.body)),
    )


def _document(chain: str, parts: Parts) -> Mapping[str, Any] | None:
    return parts.sites.document(chain) if parts.sites.has(chain) else None


def _runbook(what: str) -> str | None:
    return runbooks.address(what) if what in runbooks.kinds() else None


def _both(text: Said) -> Both:
    return {"zh": text.zh, "en": text.en}
