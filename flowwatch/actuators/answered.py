"""What devices answered since this process began, and how long it took them: for whoever watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from flowwatch.actuators.protocol import Ack
from flowwatch.actuators.reconcile import Flight
from flowwatch.figures import Spread

BOUNDS_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Edges of the time from sending to an answer; an attempt lives for a minute at most."""


class Answered:
    """Written by the dispatcher's thread, read by any."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """(site, outcome) -> answers."""
        self.took = Spread.over(BOUNDS_S)

    def take(self, site: str, ack: Ack, at_us: int, flights: Iterable[Flight]) -> None:
        """A device answered; `flights` are what was sent to it."""
        self.outcomes[site, ack.outcome.value] += 1
        sent = next((f for f in flights if (f.revision, f.attempt) == (ack.revision, ack.attempt) and f.outcome is None), None)
        if sent is not None:
            self.took.add(BOUNDS_S, max(0.0, (at_us - sent.sent_us) / 1e6))
