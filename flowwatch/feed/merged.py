"""The journal and the record of handling as one order of events: each in the order of its rows, side by side in the order of time.

Of two that are next, the one with the earlier time comes first, the journal's where they are the same: an alert has the time of the entry that it
tells of. The record of handling is looked at first, so that whatever its entries tell of is in the journal when that is looked at.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from flowwatch.core.entries import Entry
from flowwatch.feed.places import Places
from flowwatch.journal.follower import Follower, Place

Next = tuple[Entry, Place]


def merged(journal: Follower | None, handling: Follower | None, begin: Places) -> Generator[tuple[Entry, Places], None, None]:
    """New entries, each with the places behind it; `begin`: the places before the first. When it is left, both stand behind the last given."""
    at = Places(begin.journal if journal is None else journal.place, begin.handling if handling is None else handling.place, begin.file)
    steps, decisions = _steps(handling), _steps(journal)
    try:
        step, decision = next(steps, None), next(decisions, None)
        while step is not None or decision is not None:
            if step is None or (decision is not None and decision[0].at <= step[0].at):
                assert decision is not None
                at = replace(at, journal=decision[1])
                yield decision[0], at
                decision = next(decisions, None)
            else:
                at = replace(at, handling=step[1])
                yield step[0], at
                step = next(steps, None)
    finally:
        if journal is not None:
            journal.place = at.journal
        if handling is not None:
            handling.place = at.handling


def _steps(follower: Follower | None) -> Iterator[Next]:
    if follower is not None:
        for entry in follower.new():
            yield entry, follower.place
