"""An alert from an entry of the journal: its priority, its texts in both languages, and what a reader of it must know besides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from flowwatch import texts
from flowwatch.core.entries import Entry
from flowwatch.core.incidents import What
from flowwatch.handling import kinds
from flowwatch.handling.readable import CANNOT_READ
from flowwatch.handling.records import Alert, Said, Shown
from flowwatch.titles import Language, Names

LOG: Final = logging.getLogger(__name__)
T = TypeVar("T")
Record = Mapping[str, Any]
DocumentOf = Callable[[str, str | None], Record | None]
"""(site, version; None: the newest) -> the compiled record; None where there is none."""
UNREADABLE: Final = "unreadable"
"""The kind of an incident whose entry does not say it."""
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


class Naming(Protocol):
    """Gives identifiers to CAP messages."""

    def next(self, at_us: int, time_zone: str) -> str:
        """The next one, of a message that is sent at that moment."""
        ...


def alert_of(entry: Entry, document: Record | None, chosen: Mapping[str, str], naming: Naming | None) -> Alert:
    """The alert that tells of an incident's entry, not yet judged (`showing` decides whether it sounds).

    A document that is not known, or a text that cannot be made, leaves the codes; nothing is left untold.
    """
    body: dict[str, Any] = msgspec.json.decode(entry.body)
    what, subject = str(body["what"]), str(body["subject"])
    cause = body.get("cause") or {}
    people, leaf = cause.get("estimate"), (cause.get("term") or {}).get("leaf") or {}
    detail = dict(body.get("detail") or {}) | ({"people": people} if people else {})
    silent = _guarded(lambda: _silent(subject, document), None) if what == What.DEGRADED else None
    detail |= {kinds.COUNTERS: silent} if silent else {}
    cap = None
    if naming is not None and kinds.is_public(body):
        cap = _guarded(lambda: naming.next(entry.at, str((document or {}).get("time_zone") or "UTC")), None)
    return Alert(
        site=str(body["site"]),
        incident=str(body["incident"]),
        entry=entry.id,
        entry_hash=entry.hash.hex(),
        state=str(body["state"]),
        what=what,
        subject=subject,
        reason=body.get("reason"),
        level=body.get("level"),
        priority=kinds.priority(what, subject, body.get("reason"), body.get("level"), chosen),
        since_us=int(body["since_us"]),
        text=Said(*(_sentence(body, document, language) for language in LANGUAGES)),
        instruction=_said(body.get("instruction")),
        detail=detail or None,
        drill=bool(body.get("drill")) or what == What.DRILL_ACTIVE,
        certainty="likely" if leaf.get("kind") == "forecast" else "observed",
        shown=Shown.NOTICE,
        cap=cap,
    )


def least_of(entry: Entry) -> Alert:
    """The alert of an entry of which no more can be made: whatever of it can be read, and where to look. It says so rather than nothing."""
    try:
        found = msgspec.json.decode(entry.body)
    except CANNOT_READ:
        found = None
    body: dict[str, Any] = found if isinstance(found, dict) else {}
    level = body.get("level")
    return Alert(
        site=entry.chain,
        incident=str(body.get("incident") or f"{entry.chain}-e{entry.seq}"),
        entry=entry.id,
        entry_hash=entry.hash.hex(),
        state=body["state"] if body.get("state") in ("raised", "updated", "cleared") else "raised",
        what=str(body.get("what") or UNREADABLE),
        subject=str(body.get("subject") or entry.id),
        level=level if level in kinds.RANKS else None,
        priority=max((level if level in kinds.RANKS else None, "II"), key=lambda p: kinds.RANKS[p]),
        since_us=entry.at,
        text=Said(
            f"事件记录无法完整读取，请查看决策记录 {entry.id}", f"an incident that cannot be read whole; please look at entry {entry.id}"
        ),
        shown=Shown.NOTICE,
    )


def _guarded(make: Callable[[], T], otherwise: None) -> T | None:
    """What only adorns an alert, or `otherwise`: it never keeps the alert from being told."""
    try:
        return make()
    except Exception:
        LOG.exception("an alert is told with less than it could say")
        return otherwise


def _silent(rule: str, document: Record | None) -> list[str]:
    """The counters whose silence a rule for missing data looks at; none of a rule that looks at anything else, too."""
    for number, plan in enumerate((document or {}).get("plans", ())):
        for degraded in plan["degraded"]:
            if rule == (f"{plan['plan']}.{degraded['rule']}" if number else degraded["rule"]):
                leaves = degraded["leaves"]
                if any(leaf["kind"] != "health" or leaf["health"] != "silent" for leaf in leaves):
                    return []
                return sorted({kinds.EVERY if leaf["counter"] is None else str(leaf["counter"]) for leaf in leaves})
    return []


def _said(text: Mapping[str, str] | None) -> Said | None:
    return None if not text else Said(str(text["zh"]), str(text["en"]))


def _sentence(body: Mapping[str, Any], document: Record | None, language: Language) -> str:
    try:
        return texts.incident(body, Names(document, language))
    except Exception:
        LOG.exception("the sentence of an incident cannot be made; its codes are told")
        return f"{body['what']}: {body['subject']}"
