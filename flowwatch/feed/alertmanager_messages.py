"""Alerts as Alertmanager's API (version 2) takes them: an incident becomes a set of labels, which is its name there, and annotations. Pure.

What is sent is the condition: an incident fires while it lasts and is urgent for somebody, unless people or another incident have put it aside
(`fires`). The labels of an incident stay the same until its priority or level changes; then the old set is resolved and a new one fires, because
routes go by labels and nothing else. So nothing that changes more often is a label: not the words, the figures, the handling, and not the name
of the stage, which is what a stage's incident has as its subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.incidents import What
from flowwatch.feed.events import incident_link
from flowwatch.handling import runbooks
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import Shown
from flowwatch.handling.words import HANDLINGS
from flowwatch.journal.export import iso

SEVERITIES: Final[Mapping[str, str]] = {"I": "critical", "II": "error", "III": "warning", "IV": "info"}
"""Priority -> the severity that routes go by."""
_PUT_ASIDE: Final = (Shown.NOTICE, Shown.PARENT, Shown.GROUP, Shown.FLOOD, Shown.SHELVED, Shown.MAINTENANCE)
MOST_CHARACTERS: Final = 4_000
"""Of one annotation; pagers cut sooner."""

Labels = tuple[tuple[str, str], ...]
"""What an alert is known by: (name, value), sorted."""


@dataclass(frozen=True, slots=True)
class Message:
    """One alert. `since_us`: when its incident began."""

    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    since_us: int
    link: str | None

    def plain(self, now_us: int, ends_us: int) -> dict[str, Any]:
        """As the API takes it. `now_us`: the wall clock, which Alertmanager goes by; one that began later than that (a rehearsal) begins now."""
        begins_us = min(self.since_us, now_us, ends_us - 1_000_000)
        times = {"startsAt": iso(begins_us), "endsAt": iso(ends_us)}
        link = {} if self.link is None else {"generatorURL": self.link}
        return {"labels": dict(self.labels), "annotations": dict(self.annotations), **times, **link}


def fires(incident: Incident) -> bool:
    """Whether an incident is sent as firing: it lasts, is urgent for somebody, and nobody and nothing stands for it or has put it off."""
    return incident.active and incident.open and incident.priority is not None and not incident.waits


def message(incident: Incident, deployment: str, public_url: str | None) -> Message:
    """The alert of an incident that has a priority."""
    alert, priority = incident.alert, incident.priority or "IV"
    labels = {
        "alertname": incident.what,
        "deployment": deployment,
        "site": incident.site,
        "incident": incident.name,
        "severity": SEVERITIES[priority],
        "drill": "true" if incident.drill else "false",
    }
    if incident.what != What.STAGE:
        labels["subject"] = incident.subject
    if incident.level is not None:
        labels["level"] = incident.level
    handling = HANDLINGS[incident.handling.value]
    notes = {
        "summary": alert.text.zh,
        "summary_en": alert.text.en,
        "description": _description(alert.detail, handling["zh"], english=False),
        "description_en": _description(alert.detail, handling["en"], english=True),
        "handling": incident.handling.value,
        "priority": priority,
        "runbook_url": runbooks.address(incident.what, public_url) if public_url else "",
    }
    if alert.entry is not None:
        notes["entry"] = alert.entry
    if incident.what == What.STAGE:
        notes["stage"] = alert.subject
    if alert.instruction is not None:
        notes |= {"instruction": alert.instruction.zh, "instruction_en": alert.instruction.en}
    shown = tuple((name, text[:MOST_CHARACTERS]) for name, text in notes.items() if text)
    return Message(tuple(sorted(labels.items())), shown, incident.since_us, incident_link(incident.name, public_url))


def _description(detail: Mapping[str, Any] | None, handling: str, *, english: bool) -> str:
    """How far people are with it, and how many are inside where the journal says that."""
    figure = (detail or {}).get("people") or {}
    said = [handling[:1].upper() + handling[1:] + "." if english else f"{handling}。"]
    low, high, about = (_persons(figure.get(name)) for name in ("lower_m", "upper_m", "inside_m"))
    if figure.get("known") and about is not None:
        said.append(f"About {about} people ({low} to {high})." if english else f"在场约 {about} 人（{low} 至 {high} 人）。")
    elif low is not None:
        said.append(f"At least {low} people." if english else f"在场人数未知，至少 {low} 人。")
    return (" " if english else "").join(said)


def _persons(milli: Any) -> str | None:
    return f"{max(round(milli / 1000), 0):,}" if isinstance(milli, int | float) else None


def firing(incidents: Iterable[Incident], deployment: str, public_url: str | None) -> dict[Labels, Message]:
    """What fires of these incidents, by its labels."""
    return {made.labels: made for one in incidents if fires(one) for made in [message(one, deployment, public_url)]}


def ended(incidents: Iterable[Incident], since_us: int, deployment: str, public_url: str | None) -> Iterator[Message]:
    """The alerts of incidents that ended after `since_us`: what an Alertmanager may still take for firing."""
    for one in incidents:
        aside = one.shown in _PUT_ASIDE and not one.drill
        if not one.active and not aside and one.priority is not None and (one.ended_us or 0) >= since_us:
            yield message(one, deployment, public_url)
