"""Episodes that a command room must know of: raised once, updated when they change, cleared once.

An incident is one episode of one thing (`What`) about one subject of one site. This module keeps which are open and gives them names; what
raises and clears them is the engine's, and their texts are the reader's (the plan's own for a stage).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class What(StrEnum):
    """What an incident is about; the subject is named beside each."""

    STAGE = "stage"
    """The site's plan is in a stage above the calmest (subject: the plan)."""
    COUNTER_SILENT = "counter_silent"
    """No reading within three periods, 60 s at least (subject: the counter)."""
    NEGATIVE_OCCUPANCY = "negative_occupancy"
    """More people left than came: the counters drift and need an anchor (subject: the zone)."""
    OCCUPANCY_UNKNOWN = "occupancy_unknown"
    """Nothing has anchored the zone yet (subject: the zone)."""
    RECOUNT_NEEDED = "recount_needed"
    """A stage would fall, but its evidence is stale: somebody must count (subject: the zone, or "site")."""
    OVERRIDE_ACTIVE = "override_active"
    """An operator holds a stage or a gate elsewhere than the plan asks (subject: "stage", or the gate)."""
    INVARIANT_BROKEN = "invariant_broken"
    """A gate override was lifted because with the present stage it would take people's way out (subject: the gate).

    Or what the plans ask together would, and the gates stay as they were (subject: "table").
    """
    CONFIRMATION_NEEDED = "confirmation_needed"
    """The plan wants a stage that somebody must agree to (subject: the plan)."""
    DRILL_ACTIVE = "drill_active"
    """A stage is being exercised (subject: "drill")."""
    FIRE = "fire"
    """A fire was reported: every gate leads out until a person ends it (subject: "fire")."""
    DEGRADED = "degraded"
    """A rule of the plan for missing or doubtful data holds (subject: the rule)."""
    PLAN_NOT_VALID = "plan_not_valid"
    """The plan decides outside its own dates (subject: the plan)."""
    CASE_ACTIVE = "case_active"
    """A case of the plan is in force (subject: the case's plan)."""
    GATE_UNANSWERED = "gate_unanswered"
    """A command was not answered in time, or refused (subject of this and the next five: the gate, or another device as "barrier/x")."""
    GATE_WRONG_MODE = "gate_wrong_mode"
    """A device says that it is set to something else than it was commanded."""
    GATE_LOST = "gate_lost"
    """A device cannot be reached; its controller falls to its `on_lost`."""
    GATE_CONTRADICTED = "gate_contradicted"
    """People pass a gate the way that its mode forbids."""
    RELEASE_NEEDED = "release_needed"
    """A command waits for a person to let it go out: the gate is on `confirm`."""
    ADVISE_ONLY = "advise_only"
    """A person put the site back on advise: nothing goes out by itself, but for a fire (subject: "site")."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How an incident is told: its level, a reason code, and where it has them the plan's own words and further facts."""

    level: str | None = None
    reason: str | None = None
    detail: dict[str, Any] | None = None
    headline: dict[str, str] | None = None
    instruction: dict[str, str] | None = None
    subject: str | None = None
    """The name to tell instead of the key's subject."""

    def ended(self, by: str) -> Telling:
        """The same, ended by something other than its own condition."""
        return replace(self, detail={**(self.detail or {}), "ended_by": by})


@dataclass(frozen=True, slots=True)
class Open:
    """An incident that has not been cleared: its name, when it was raised (microseconds), and how it was told last."""

    name: str
    since: int
    telling: Telling

    @property
    def reason(self) -> str | None:
        """Its reason code."""
        return self.telling.reason


Key = tuple[str, What, str]
"""(site, what, subject)."""


class Incidents:
    """The open incidents of a partition, and each site's count of incidents so far."""

    def __init__(self) -> None:
        self.open: dict[Key, Open] = {}
        self.count: dict[str, int] = {}
        self._of: dict[str, set[Key]] = {}

    def put(self, key: Key, tick: int, telling: Telling) -> str | None:
        """Raise the incident or change its level, reason or facts: "raised", "updated", or None when nothing changed."""
        present = self.open.get(key)
        if present is None:
            number = self.count[key[0]] = self.count.get(key[0], 0) + 1
            self.open[key] = Open(f"{key[0]}-i{number}", tick, telling)
            self._of.setdefault(key[0], set()).add(key)
            return "raised"
        old = present.telling
        if (old.level, old.reason, old.detail) == (telling.level, telling.reason, telling.detail):
            return None
        self.open[key] = Open(present.name, present.since, telling)
        return "updated"

    def clear(self, key: Key) -> Open | None:
        """End the incident; None when it was not open."""
        self._of.get(key[0], set()).discard(key)
        return self.open.pop(key, None)

    def named(self, site: str, name: str) -> Key | None:
        """The open incident of `site` with this name."""
        return next((key for key in self.of(site) if self.open[key].name == name), None)

    def of(self, site: str) -> list[Key]:
        """The keys of all open incidents of `site`, sorted."""
        return sorted(self._of.get(site, ()))

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "open": [[*key, o.name, o.since, *_plain(o.telling)] for key, o in sorted(self.open.items())],
            "count": dict(sorted(self.count.items())),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Incidents:
        """What `to_state` wrote."""
        made = cls()
        made.open = {(s, What(w), subject): Open(name, since, Telling(*rest)) for s, w, subject, name, since, *rest in state["open"]}
        for key in made.open:
            made._of.setdefault(key[0], set()).add(key)
        made.count = dict(state["count"])
        return made


def _plain(told: Telling) -> list[Any]:
    return [told.level, told.reason, told.detail, told.headline, told.instruction, told.subject]
