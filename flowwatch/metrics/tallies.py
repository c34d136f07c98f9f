"""What has happened since this process began: entries of the journal and of the book, counted as they come.

A counter that begins anew with its process is what Prometheus expects; counting a year's journal at every start is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.gates import Mode
from flowwatch.core.incidents import What
from flowwatch.evidence import Document
from flowwatch.feed.tail import Tail
from flowwatch.handling.load import PRIORITIES, sounds
from flowwatch.handling.readable import bodies, readable
from flowwatch.handling.records import Alert
from flowwatch.journal.database import JournalError
from flowwatch.metrics.board import Board
from flowwatch.metrics.names import NONE

DECIDED: Final = (EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.INCIDENT)
TOLD: Final = (EntryKind.ALERT, EntryKind.HANDLING)


class Tallies:
    """Counts what comes. For one thread at a time; `close` gives the files back."""

    def __init__(self, journal: Path, book: Path) -> None:
        self._journal, self._book = Tail(journal, DECIDED), Tail(book, TOLD)
        self._transitions: Counter[tuple[str, str, str]] = Counter()
        self._commands: Counter[tuple[str, str]] = Counter()
        self._incidents: Counter[tuple[str, str]] = Counter()
        self._alarms: Counter[tuple[str, str]] = Counter()
        self._priorities: dict[tuple[str, str], str] = {}
        for tail in (self._journal, self._book):
            with suppress(JournalError):  # it is looked at again
                tail.look()

    def close(self) -> None:
        """Give the files back."""
        self._journal.leave()
        self._book.leave()

    def fill(self, board: Board, documents: Mapping[str, Document]) -> None:
        """Count what has come since the last time, and put it up. Raises `JournalError`."""
        for tail, count in ((self._journal, lambda new: self._decided(new, documents)), (self._book, self._told)):
            tail.look()
            if tail.follower is not None and tail.follower.grew():
                count(tail.follower.new())
        self._begin(documents)
        for (site, plan, direction), count_ in self._transitions.items():
            board.put("plan_transitions_total", count_, site=site, plan=plan, direction=direction)
        for (site, mode), count_ in self._commands.items():
            board.put("gate_commands_total", count_, site=site, mode=mode)
        for (site, what), count_ in self._incidents.items():
            board.put("incidents_total", count_, site=site, what=what)
        for (site, priority), count_ in self._alarms.items():
            board.put("alarms_total", count_, site=site, priority=priority)

    def _begin(self, documents: Mapping[str, Document]) -> None:
        """Nothing has happened yet of what can: a counter that first appears with its first event shows no rise by it."""
        for site, document in documents.items():
            for plan in document["plans"]:
                for direction in ("up", "down"):
                    self._transitions[site, plan["plan"], direction] += 0
            for mode in Mode:
                self._commands[site, mode.value] += 0
            for what in What:
                self._incidents[site, what.value] += 0
            for priority in (*PRIORITIES, NONE):
                self._alarms[site, priority] += 0

    def _decided(self, new: Iterable[Entry], documents: Mapping[str, Document]) -> None:
        for entry, body in bodies(new):
            if entry.kind is EntryKind.COMMAND:
                self._commands[body["site"], body["mode"]] += 1
            elif entry.kind is EntryKind.INCIDENT:
                self._incidents[body["site"], body["what"]] += body["state"] == "raised"
            elif body["from"] is not None and body["to"] is not None:
                stages = _stages(documents.get(body["site"]), body["plan"])
                if body["from"] in stages and body["to"] in stages:
                    up = stages.index(body["to"]) > stages.index(body["from"])
                    self._transitions[body["site"], body["plan"], "up" if up else "down"] += 1

    def _told(self, new: Iterable[Entry]) -> None:
        for _, said in readable(new):
            name = (said.site, said.incident)
            if isinstance(said, Alert):
                self._priorities[name] = said.priority or NONE
            if sounds(said):
                self._alarms[said.site, self._priorities.get(name, NONE)] += 1
            if isinstance(said, Alert) and said.state == "cleared":
                self._priorities.pop(name, None)


def _stages(document: Document | None, plan: str) -> list[str]:
    found = (plan_ for plan_ in (document or {"plans": []})["plans"] if plan_["plan"] == plan)
    return [stage["stage"] for plan_ in found for stage in plan_["stages"]]
