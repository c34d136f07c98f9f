"""Alerts and steps for tests, as entries of a book that nobody wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from flowwatch.core.entries import Entry
from flowwatch.handling.book import Page
from flowwatch.handling.records import Act, Alert, Handling, Said, Shown, Step, body, kind_of

SECOND = 1_000_000
START = 1_790_834_400 * SECOND
"""2026-10-01T14:00:00+08:00."""


def alert(
    incident: str = "yuyuan-i1",
    *,
    what: str = "gate_lost",
    subject: str = "gate-2",
    state: str = "raised",
    level: str | None = "III",
    shown: Shown = Shown.RAISED,
    since_us: int = START,
    **more: Any,
) -> Alert:
    """An alert about a lost gate, unless it is said otherwise."""
    site = incident.rpartition("-")[0]
    text = Said("与2号口失去联系", "gate-2 cannot be reached")
    told_of = {} if "-h" in incident else {"entry": f"{site}-9", "entry_hash": "00" * 32}
    said = {"priority": level, "text": text} | told_of | more
    return Alert(site=site, incident=incident, state=state, what=what, subject=subject, level=level, since_us=since_us, shown=shown, **said)


def handed_over(by: str, to: str, reason: str = "") -> Step:
    """A shift that took over at yuyuan."""
    return Step(site="yuyuan", act=Act.HANDOVER, by=by, to=to, reason=reason)


def step(act: Act, incident: str = "yuyuan-i1", by: str = "wang", handling: Handling = Handling.NEW, **more: Any) -> Step:
    """A step that wang takes."""
    return Step(site=incident.rpartition("-")[0], incident=incident, act=act, by=by, handling=handling, **more)


def pages(said: Iterable[tuple[float, Alert | Step]]) -> list[Page]:
    """What is said, each at so many seconds after `START`."""
    return [(one.site, START + int(seconds * SECOND), one) for seconds, one in said]


def entries(*said: tuple[float, Alert | Step]) -> list[Entry]:
    """The same as entries; their hashes say nothing."""
    seq: Counter[str] = Counter()
    found = []
    for chain, at, one in pages(said):
        seq[chain] += 1
        found.append(Entry(chain, seq[chain], kind_of(one), at, body(one), b""))
    return found
