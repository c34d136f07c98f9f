"""Writes down what a tick decides: entries with their causes, incidents as they are raised, change and are cleared.

One scribe serves one partition. It keeps the chains and the open incidents, and knows which documents are in force so that a cause can name
them; what is decided, and why, is told to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowwatch.core.causes import Evidence
from flowwatch.core.chains import Chains
from flowwatch.core.entries import Entry, EntryKind, Estimate
from flowwatch.core.incidents import Incidents, Key, Telling


@dataclass(slots=True)
class Output:
    """What ticks decided: journal entries, in order within each chain, and minute estimates."""

    entries: list[Entry] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)


class Scribe:
    """The journal's pen: `tick` is the moment that is being decided, `out` what it has been told so far."""

    def __init__(self) -> None:
        self.chains, self.incidents = Chains(), Incidents()
        self.evidence: Evidence
        """Where causes are looked up; set with the documents."""
        self.out, self.tick = Output(), 0

    def begin(self, tick: int) -> Output:
        """A new tick; returns what will be told of it."""
        self.out, self.tick = Output(), tick
        return self.out

    def entry(self, chain: str, kind: EntryKind, body: dict[str, Any], at: int | None = None) -> Entry:
        """Write an entry of this tick (or of `at`)."""
        entry = self.chains.entry(chain, kind, self.tick if at is None else at, body)
        self.out.entries.append(entry)
        return entry

    def cause(self, s: int, **more: Any) -> dict[str, Any]:
        """The cause of something at site `s` (see `Evidence.cause`)."""
        return self.evidence.cause(s, self.tick, **more)

    def mark(self, key: Key, *, condition: bool, cause: dict[str, Any], telling: Telling | None = None) -> None:
        """Raise, update or clear an incident, as its condition says."""
        if not condition:
            self.clear(key, cause)
            return
        telling = Telling() if telling is None else telling
        state = self.incidents.put(key, self.tick, telling)
        if state is not None:
            self._tell(key, state, cause, telling)

    def update(self, key: Key, cause: dict[str, Any], reason: str) -> None:
        """Tell an open incident once more, with the reason for this telling alone."""
        self._tell(key, "updated", cause, self.incidents.open[key].telling, reason)

    def clear(self, key: Key, cause: dict[str, Any], ended_by: str | None = None) -> None:
        """End an incident if it is open; `ended_by` says what ended it where it was not its own condition."""
        if key in self.incidents.open:
            telling = self.incidents.open[key].telling
            self._tell(key, "cleared", cause, telling.ended(ended_by) if ended_by else telling)
            self.incidents.clear(key)

    def _tell(self, key: Key, state: str, cause: dict[str, Any], telling: Telling, reason: str | None = None) -> None:
        site, what, subject = key
        incident = self.incidents.open[key]
        body = {
            "site": site,
            "incident": incident.name,
            "state": state,
            "what": what.value,
            "subject": subject if telling.subject is None else telling.subject,
            "level": incident.telling.level,
            "reason": telling.reason if reason is None else reason,
            "since_us": incident.since,
            "cause": cause,
            "headline": telling.headline,
            "instruction": telling.instruction,
            "detail": telling.detail,
        }
        self.entry(site, EntryKind.INCIDENT, body)

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {"chains": self.chains.to_state(), "incidents": self.incidents.to_state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scribe:
        """What `to_state` wrote."""
        made = cls()
        made.chains, made.incidents = Chains.from_state(state["chains"]), Incidents.from_state(state["incidents"])
        return made
