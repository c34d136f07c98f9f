"""A command room on simulated time: the desk's own rules (`flowwatch.handling`) without its thread, and people who answer after a while.

What the desk does in its loop is done here entry by entry: an incident's entry of the journal is told, clocks and floods have their say when they
are due, people take steps. The book is a list. So a whole day is told in a second, and the same every time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents.alarms import Alarms
from flowwatch.handling import clocks, showing, steps
from flowwatch.handling.incident import Incident
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.load import sounds
from flowwatch.handling.records import Act, Alert, Handling, Shown, Step, body, kind_of
from flowwatch.handling.settings import Settings
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.telling import alert_of
from flowwatch.handling.ward import Ward

SECOND: Final = 1_000_000
OPERATOR, SUPERVISOR, PATROL = "wang", "chen", "patrol-3"
LOOKS_S: Final = {"I": 15.0, "II": 30.0, "III": 45.0, "IV": 60.0}
"""How long the operator looks at an alert before acknowledging it, on the average, by its priority: one at a time, the most urgent first. ASSUMED."""
SENT: Final = (
    "gate_lost",
    "gate_unanswered",
    "gate_wrong_mode",
    "gate_contradicted",
    "counter_silent",
    "gates_lost",
    "counters_silent",
    "fire",
)
"""Kinds for which somebody is sent; all others are handled from the desk. ASSUMED."""
DESK_S: Final = 90.0
"""How long that takes. ASSUMED."""
DISPATCH_S, ARRIVE_S, HANDLE_S, FEEDBACK_S, VERIFY_S, CLOSE_S = 40.0, 300.0, 420.0, 60.0, 60.0, 30.0
"""From one step to the next, on the average (arrival of police: 5 min in the city). The others ASSUMED."""
ASIDE: Final = (Act.SHELVE, Act.MAINTAIN, Act.DEFER)
ASIDE_US: Final = 1_800 * SECOND
"""For how long a careless operator puts something aside."""
AGAIN_S: Final = 120.0
"""How soon somebody looks again whether what still holds can be closed."""
NEXT: Final[Mapping[Act, tuple[Act, float]]] = {
    Act.DISPATCH: (Act.ARRIVE, ARRIVE_S),
    Act.ARRIVE: (Act.HANDLE, HANDLE_S),
    Act.HANDLE: (Act.FEEDBACK, FEEDBACK_S),
    Act.FEEDBACK: (Act.VERIFY, VERIFY_S),
    Act.VERIFY: (Act.CLOSE, CLOSE_S),
    Act.CLOSE: (Act.CLOSE, AGAIN_S),
}


class _Meant(NamedTuple):
    """A step that somebody means to take: when (microseconds), in which order, of which incident and which of its cycles."""

    at: int
    number: int
    incident: str
    act: Act
    cycle: int


class CommandRoom:
    """One site's desk, its operator and its supervisor. `book`: everything that was told and done, in order."""

    def __init__(self, site: Mapping[str, Any], seed: int, alarms: Alarms | None = None, careless: float = 0.0) -> None:
        """`careless`: how often, 0..1, the operator puts aside what is shown (as far as that can be done) instead of acknowledging it."""
        self.site, self.settings = str(site["site"]), Settings.of(alarms or Alarms())
        self.ward, self.book = Ward(site=self.site), list[Entry]()
        self._document, self._luck, self._careless = site, np.random.default_rng(seed), careless
        self._meant: list[_Meant] = []
        self._number = self._free_at = 0
        self._waiting: dict[str, int] = {}
        """Incident -> since when it waits for the operator's look."""

    def live(self, journal: Iterable[Entry], until_us: int) -> Sequence[Entry]:
        """Tell a day's journal, and go on until `until_us`; the book."""
        for entry in journal:
            if entry.kind is EntryKind.INCIDENT:
                self._advance(entry.at)
                alert = alert_of(entry, self._document, self.settings.priorities, None)
                self._write(entry.at, showing.tell(self.ward, alert, entry.at, self.settings.rules))
        self._advance(until_us)
        return self.book

    # -- the desk ---------------------------------------------------------------------------------------------------------------------

    def _write(self, at: int, said: Iterable[Alert | Step]) -> None:
        for one in said:
            entry = Entry(self.site, self.ward.seq + 1, kind_of(one), at, body(one), b"")
            self.ward.take(entry)
            self.book.append(entry)
            seen = sounds(one)
            if isinstance(one, Alert):
                seen = seen or (one.shown is Shown.RETURNED and one.parent is None)
            if seen:
                self._waiting.setdefault(one.incident, at)

    def _due_at(self) -> int | None:
        allowed = self.settings.allowed
        dues = [due for i in self.ward.incidents.values() if (due := clocks.next_due(i, allowed)) is not None]
        timed = showing.next_timed(self.ward)
        return min([*dues, *([] if timed is None else [timed])], default=None)

    def _mind_clocks(self, now: int) -> None:
        for incident in list(self.ward.incidents.values()):
            self._write(now, clocks.due(incident, self.settings.allowed, self.settings.duties, now))
            self._write(now, showing.closing(self.ward, incident.name))
        self._write(now, showing.timed(self.ward, now, self.settings.rules))

    def _advance(self, until: int) -> None:
        """Let clocks and people do what they do up to a moment."""
        now = 0
        while True:
            due, act = self._due_at(), self._next_act()
            next_at = max(now, min((at for at in (due, act) if at is not None), default=until + 1))
            if next_at > until:
                return
            now = next_at
            if act is not None and act <= now:
                self._act(now)
            else:
                before = len(self.book)
                self._mind_clocks(now)
                if len(self.book) == before:
                    now += SECOND  # nothing came of it: the desk, too, looks again later

    # -- people -----------------------------------------------------------------------------------------------------------------------

    def _next_act(self) -> int | None:
        """When somebody does something next: takes a look that is due, or a step that was meant."""
        looks = [max(self._free_at, min(self._waiting.values()))] if self._waiting else []
        return min([*looks, *([self._meant[0].at] if self._meant else [])], default=None)

    def _act(self, now: int) -> None:
        if self._meant and self._meant[0].at <= now:
            meant = heapq.heappop(self._meant)
            incident = self.ward.find(meant.incident)
            if incident is not None and incident.cycle == meant.cycle:
                self._step(incident, meant.act, now)
            return
        present = {name: since for name, since in self._waiting.items() if since <= now}
        incidents = [i for name in present if (i := self.ward.incidents.get(name)) is not None and i.handling is Handling.NEW]
        for name in present.keys() - {i.name for i in incidents}:
            del self._waiting[name]  # closed or acknowledged meanwhile
        if not incidents:
            return
        first = min(incidents, key=lambda i: (-RANKS[i.priority], present[i.name], i.name))
        del self._waiting[first.name]
        takes = self._takes(LOOKS_S[first.priority or "IV"])
        self._free_at = now + takes
        aside = self._careless > 0 and float(self._luck.random()) < self._careless
        self._mean(first, ASIDE[int(self._luck.integers(len(ASIDE)))] if aside else Act.ACKNOWLEDGE, now + takes)

    def _step(self, incident: Incident, act: Act, now: int) -> None:
        by = SUPERVISOR if steps.needs_supervisor(act, incident) else OPERATOR
        to, until = PATROL if act is Act.DISPATCH else None, now + ASIDE_US if act in ASIDE else None
        try:
            handling = steps.check(incident, act, now, reason="seen", to=to, until_us=until)
        except NotPossibleError:
            if act is Act.CLOSE and incident.open:
                self._mean(incident, act, now + self._takes(AGAIN_S))
            if act in ASIDE:
                self._mean(incident, Act.ACKNOWLEDGE, now)  # what is red is never shelved
            return
        step = Step(
            site=self.site, incident=incident.name, act=act, by=by, reason="seen", cycle=incident.cycle, handling=handling, to=to, until_us=until
        )  # fmt: skip
        self._write(now, [step])
        self._write(now, showing.closing(self.ward, incident.name))
        if act is Act.ACKNOWLEDGE and incident.active:
            sent = incident.what in SENT
            self._mean(incident, Act.DISPATCH if sent else Act.HANDLE, now + self._takes(DISPATCH_S if sent else DESK_S))
        elif act in NEXT and act is not Act.CLOSE:
            following, after = NEXT[act]
            self._mean(incident, following, now + self._takes(after))

    def _mean(self, incident: Incident, act: Act, at: int) -> None:
        self._number += 1
        heapq.heappush(self._meant, _Meant(at, self._number, incident.name, act, incident.cycle))

    def _takes(self, mean_s: float) -> int:
        """A time of about `mean_s` seconds, half to twice as long as a rule."""
        return round(mean_s * float(self._luck.lognormal(-0.06, 0.35)) * SECOND)
