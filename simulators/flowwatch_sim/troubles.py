"""What goes wrong with a counter for a while, and the log of what it did.

A fault is told in the truth log by what it changed, once for each message or each reading that is another one because of it: where a counter is
stuck and nobody passes, nothing went wrong. So whoever tests an engine knows what it should have seen.

    misses, twice   people are not counted, or twice, by chance
    drift           ever more people are not counted, from none to `share` of them at the end; a camera sees ever fewer
    swapped         in is out
    outage          nothing is sent; what a turnstile sees meanwhile is lost unless it sends totals
    zeros           zeros are sent instead
    stuck           what was sent last is sent again
    reset           a total begins anew at 0
    late            each message by chance, `by` seconds on the average
    backlog         all messages wait until the fault is over, and come at once
    disorder        some messages come after the one that follows them
    duplicates      some messages come twice
    clock           the clock is `by` seconds ahead
    skew            the clock gains `by` seconds an hour
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TURNSTILES_ONLY: Final = frozenset({"misses", "twice", "swapped"})
"""Faults that a counter of people in view cannot have."""
TOTALS_ONLY: Final = frozenset({"reset"})
"""Faults that only a counter of totals can have."""
AHEAD_ONLY: Final = frozenset({"late"})
"""Faults whose seconds cannot be negative."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong with one counter (its index) from `since` until `until`, in seconds."""

    counter: int
    what: str
    since: float
    until: float
    share: float = 0.2
    by: int = 300

    def holds(self, at: float) -> bool:
        """Whether it is so at `at`."""
        return self.since <= at < self.until

    def progress(self, at: float) -> float:
        """How much of its time is over, from 0 to 1."""
        return (at - self.since) / (self.until - self.since)


@dataclass(slots=True)
class Truth:
    """What happened really at the counters of a site, for whoever checks an engine."""

    passed: dict[str, list[int]] = field(default_factory=dict)
    """Turnstile -> people who passed it, [in, out] as it is mounted."""
    counted: dict[str, list[int]] = field(default_factory=dict)
    """Turnstile -> people that it counted, [in, out], whether or not that was sent."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """{"at_s", "counter", "what", ...}: one for each message or reading that a fault made another one.

    "people": how many a reading is off by; "arrives_s": when a message arrives that would have been there at once; "ahead_s": of a clock.
    """

    def tell(self, at: float, counter: str, what: str, **more: float) -> None:
        """Write down what a fault did to the reading of `at`."""
        self.faults.append({"at_s": at, "counter": counter, "what": what, **more})


def holding(troubles: Sequence[Trouble], what: str, at: float) -> list[Trouble]:
    """Those of one kind that hold at `at`."""
    return [t for t in troubles if t.what == what and t.holds(at)] if troubles else []
