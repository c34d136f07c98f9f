"""How a site stands, by what its journal has told so far: stages, gates, devices, tasks, open incidents.

It is folded from journal entries alone, so that a plan's test sees what an operator sees.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.incidents import What
from flowwatch.trials.language import NONE

_GRAVEST: Final = ("IV", "III", "II", "I")
_ANNOUNCED: Final = (What.STAGE, What.DEGRADED, What.FIRE)
DECISIONS: Final = (EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.DEVICE, EntryKind.TASK, EntryKind.INCIDENT)
"""Entries that tell a decision."""


@dataclass(slots=True)
class Told:
    """The state of one site; `plans` are the names of its plans: the main plan, the cases that replace it, the others."""

    plans: tuple[str, ...]
    stages: dict[str, str] = field(default_factory=dict)
    """Plan -> stage, of the plans that are in force."""
    gates: dict[str, str] = field(default_factory=dict)
    """Gate -> the canonical text of its setting."""
    devices: dict[tuple[str, str], Any] = field(default_factory=dict)
    """("barrier", name) -> its state, while anything is asked of it."""
    tasks: dict[str, None] = field(default_factory=dict)
    incidents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The name of each open incident -> its last telling."""
    refused: dict[str, str] = field(default_factory=dict)
    """Record -> the sentence that refused it."""
    decided: list[tuple[int, str]] = field(default_factory=list)
    """(tick, what was decided in a few words)."""

    def take(self, entries: Iterable[Entry]) -> None:
        """Fold in what was told."""
        for entry in entries:
            body = json.loads(entry.body)
            if entry.kind in DECISIONS:
                self.decided.append((entry.at, _briefly(entry.kind, body)))
            match entry.kind:
                case EntryKind.TRANSITION:
                    _put(self.stages, body["plan"], body["to"])
                case EntryKind.COMMAND:
                    self.gates[body["gate"]] = body["setting"]
                case EntryKind.DEVICE:
                    _put(self.devices, (body["device"], body["name"]), body["state"])
                case EntryKind.TASK:
                    _put(self.tasks, body["task"], None, there=body["state"] == "given")
                case EntryKind.INCIDENT:
                    _put(self.incidents, body["incident"], body, there=body["state"] != "cleared")
                case EntryKind.ACTION if not body["accepted"]:
                    self.refused[body["action"]] = body["refused"]

    @property
    def stage(self) -> str:
        """The stage by which the site is called: its main plan's, or that of the case which replaces it."""
        return next((self.stages[plan] for plan in self.plans if plan in self.stages), NONE)

    @property
    def alert(self) -> str:
        """The gravest level that is announced."""
        levels = [body["level"] for body in self.incidents.values() if body["what"] in _ANNOUNCED and body["level"] is not None]
        return max(levels, key=_GRAVEST.index, default=NONE)

    @property
    def questions(self) -> dict[str, str]:
        """Plan -> the question about it that waits for an answer."""
        return {body["subject"]: body["reason"] for body in self.incidents.values() if body["what"] == What.CONFIRMATION_NEEDED}

    def question(self, plan: str) -> str | None:
        """The name of the incident that asks about `plan`."""
        asked = ((name, body) for name, body in self.incidents.items() if body["what"] == What.CONFIRMATION_NEEDED)
        return next((name for name, body in asked if body["subject"] == plan), None)

    @property
    def kinds(self) -> list[str]:
        """What kinds of incidents are open."""
        return list(dict.fromkeys(str(body["what"]) for body in self.incidents.values()))

    def device(self, kind: str, name: str) -> Any:
        """What a device was last told; "none" where nothing is asked of it."""
        return self.devices.get((kind, name), NONE)


def _put(table: dict[Any, Any], key: Any, value: Any, *, there: bool | None = None) -> None:
    if value is not None if there is None else there:
        table[key] = value
    else:
        table.pop(key, None)


def _briefly(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case EntryKind.TRANSITION:
            return f"{body['plan']}: {body['from']} -> {body['to']}"
        case EntryKind.COMMAND:
            return f"{body['gate']}: {body['setting']}"
        case EntryKind.DEVICE:
            return f"{body['name']}: {body['state'] if not isinstance(body['state'], dict) else 'text'}"
        case EntryKind.TASK:
            return f"task {body['task']} {body['state']}"
    return f"{body['what']} ({body['subject']}) {body['state']}"
