"""What is known of every device: what it said last, what was sent to it, and what of it is news.

Takes what the wires bring and gives what the log is to hear: one report for every change of what a device says, for every new outcome of the
newest attempt, and for a link that is lost or back; none for repeats. Knows no wire, no clock and no file; times are microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from flowwatch.actuators.protocol import Ack, Outcome, State, canonical_setting
from flowwatch.actuators.reconcile import SECOND, Flight, Known, Reported, open_flights
from flowwatch.core.entries import canonical

STALE_US: Final = 75 * SECOND
"""A device that has not spoken for so long is lost: twice the time in which it should, and half of it again."""
REVISIONS_KEPT: Final = 16
"""Revisions of a device whose attempts are remembered here; the ledger knows all."""
_TOLD: Final = {Outcome.ACCEPTED: "moving", Outcome.DONE: "done", Outcome.REFUSED: "refused"}
"""Outcomes as the log hears them; every other is "failed"."""


@dataclass(slots=True)
class Device:
    """One device. `news` is the last report, without its time."""

    site: str
    name: str
    known: Known
    passed: tuple[int, int] | None = None
    """People in and out that it counted, since the service began to hear it."""
    fault: str | None = None
    fenced: bool = False
    """It obeys a later generation of the service than this one."""
    news: dict[str, Any] = field(default_factory=dict)
    answer: tuple[int, str, str | None] | None = None

    def sent(self, flight: Flight) -> None:
        """An attempt goes out."""
        mine = {f.revision: f for f in self._needed()}
        mine[flight.revision] = flight.after(mine.get(flight.revision))
        attempts = {**self.known.attempts, flight.revision: flight.attempt}
        latest = dict(sorted(attempts.items())[-REVISIONS_KEPT:])
        self.known = replace(self.known, flights=tuple(mine.values()), attempts=latest)

    def remember(self, flights: list[Flight], attempts: dict[int, int]) -> None:
        """What an earlier life of the service sent."""
        self.known = replace(self.known, flights=tuple(flights), attempts={**attempts, **self.known.attempts})

    def says(self, state: State, at_us: int, *, live: bool) -> bytes | None:
        """The device speaks, or the broker in its place; the report, if that is news.

        What the broker had kept of a device that is up is taken as its last word, not as its presence.
        """
        if state.link == "lost":
            return self.lost(at_us)
        before = self.known.reported
        back = before is None or not (before.up and before.live)
        since = at_us if live and back else before.up_since_us if before is not None else 0
        setting = canonical_setting(self.name, state.setting)
        seen = Reported(
            setting,
            state.revision,
            state.attempt,
            state.generation,
            True,
            live,
            at_us,
            since,
            state.on_lost,
            state.command,
        )
        self.known = replace(self.known, reported=seen)
        self.known = replace(self.known, flights=tuple(self._needed()))
        if not live:
            return None
        self.fault = state.fault
        if state.passed is not None:
            came, went = self.passed or (0, 0)
            self.passed = (came + state.passed.came_in, went + state.passed.went_out)
        return self._report(at_us, outcome=None, why=state.fault)

    def lost(self, at_us: int) -> bytes | None:
        """Nobody hears it any more; the report, if that is news."""
        seen = self.known.reported
        if seen is not None:
            self.known = replace(self.known, reported=replace(seen, up=False, live=False))
        return self._report(at_us, outcome=None, why=None)

    def connected(self, *, up: bool) -> None:
        """What leads to it is connected, or is not: then what it said last is no sign of presence any more, and no news either."""
        seen = self.known.reported
        if seen is not None and not up:
            seen = replace(seen, live=False)
        self.known = replace(self.known, connected=up, reported=seen)

    def overdue(self, at_us: int) -> bool:
        """Whether it has been silent for too long."""
        seen = self.known.reported
        return seen is not None and seen.up and at_us - seen.heard_us > STALE_US

    def answers(self, ack: Ack, at_us: int) -> bytes | None:
        """What became of an attempt; the report, if it is the newest revision's and news.

        The report's revision stays that which the device obeyed last: one that begins to turn, or refuses, has not obeyed.
        """
        self.fenced = ack.outcome is Outcome.FENCED
        flights = [replace(f, outcome=ack.outcome.value) if f.revision == ack.revision else f for f in self.known.flights]
        self.known = replace(self.known, flights=tuple(flights))
        newest = max(self.known.attempts, default=0)
        answer = (ack.revision, _TOLD.get(ack.outcome, "failed"), ack.why)
        if ack.revision != newest or answer == self.answer:
            return None
        self.answer = answer
        why = (
            ack.why
            if ack.outcome in _TOLD or ack.outcome is Outcome.FAILED
            else f"{ack.outcome}: {ack.why}"
            if ack.why
            else ack.outcome.value
        )
        return self._report(at_us, outcome=answer[1], why=why and why[:500], command=ack.command, about=ack.revision)

    def _needed(self) -> list[Flight]:
        """The attempts that may still be obeyed, and the last of the revision that stands, for the pauses between its repetitions."""
        seen, still = self.known.reported, open_flights(self.known)
        return [f for f in self.known.flights if f in still or (seen is not None and f.revision >= seen.revision)]

    def _report(
        self, at_us: int, *, outcome: str | None, why: str | None, command: str | None = None, about: int | None = None
    ) -> bytes | None:
        """How it says that it is, and what it answered to the command of revision `about`: an answer is not yet a state."""
        seen = self.known.reported
        body = {
            "site": self.site,
            "device": self.name,
            "link": "up" if seen is not None and seen.up else "lost",
            "setting": seen.setting if seen is not None else None,
            "revision": seen.revision if seen is not None else 0,
            "command": command or (seen.command if seen is not None else None),
            "outcome": outcome,
            "about": about,
            "why": why,
        }
        if outcome is None:
            if body == self.news:
                return None
            self.news = body
        return canonical(body | {"at_us": at_us})


class Fleet:
    """All devices of all sites."""

    def __init__(self) -> None:
        self.devices: dict[tuple[str, str], Device] = {}

    def add(self, site: str, name: str) -> Device:
        """The device, known from now on; one that the deployment has an actuator for."""
        return self.devices.setdefault((site, name), Device(site, name, Known()))

    def get(self, site: str, name: str) -> Device | None:
        """The device, if it has an actuator."""
        return self.devices.get((site, name))

    def of(self, site: str) -> dict[str, Device]:
        """A site's devices by name."""
        return {name: device for (of, name), device in self.devices.items() if of == site}
