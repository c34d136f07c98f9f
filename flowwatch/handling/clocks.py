"""The clocks of handling: when each step is due, what is warned of at 80 %, and what escalates when it has run out.

All clocks of an incident run from the moment at which it was told (or told anew). A clock is met by its own step or any later one; one that waits,
because something stands for the incident or a person put it off, stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from flowwatch.handling.incident import Clock, Incident
from flowwatch.handling.records import FLOWWATCH, Act, Handling, Step

STEPS: Final = ("acknowledge", "dispatch", "arrive", "handle")
WARN_AT: Final = 0.8
"""The share of a clock at which it warns: the same as the share of a capacity at which a place must be announced full (LB/T 034-2014)."""
_MET: Final[Mapping[str, int]] = {"acknowledge": 1, "dispatch": 2, "arrive": 3, "handle": 4}
_ORDER: Final = list(Handling)

Allowed = Mapping[str, Mapping[str, int]]
"""Priority -> clock -> microseconds."""


def clocks(incident: Incident, allowed: Allowed) -> tuple[Clock, ...]:
    """The clocks of an incident; none of a notice or a drill, which nobody need answer."""
    times = allowed.get(incident.worst or "")
    if times is None or incident.drill:
        return ()
    return tuple(Clock(name, incident.begun_us, incident.begun_us + times[name], _state(incident, name)) for name in STEPS)


def _state(incident: Incident, name: str) -> str:
    if _ORDER.index(incident.handling) >= _MET[name]:
        return "met"
    if name in incident.overdue:
        return "overdue"
    if incident.waits or (not incident.active and (name != "acknowledge" or not incident.latched)):
        return "stopped"
    return "warned" if name in incident.warned else "running"


def duty(duties: Sequence[str], escalated: int) -> str:
    """Who answers for what escalated so often; the last one for all that comes after.

    >>> duty(["operator", "supervisor"], 0), duty(["operator", "supervisor"], 7)
    ('operator', 'supervisor')
    """
    return duties[min(escalated, len(duties) - 1)]


def warned_at(clock: Clock) -> int:
    """When a clock warns, microseconds."""
    return clock.begun_us + round((clock.due_us - clock.begun_us) * WARN_AT)


def next_due(incident: Incident, allowed: Allowed) -> int | None:
    """When a clock of it will have something to say; None if none will."""
    times = [
        warned_at(clock) if clock.state == "running" else clock.due_us
        for clock in clocks(incident, allowed)
        if clock.state in ("running", "warned")
    ]
    ends = [at for at in (incident.deferred_until, incident.shelved_until) if at is not None and incident.open]
    return min([*times, *ends], default=None)


def due(incident: Incident, allowed: Allowed, duties: Sequence[str], now_us: int) -> Iterator[Step]:
    """What the clocks of an open incident have to say by now: what was put off goes on first; then each clock warns and runs out once."""
    if not incident.open:
        return
    for until, act in ((incident.deferred_until, Act.RESUME), (incident.shelved_until, Act.UNSHELVE)):
        if until is not None and until <= now_us:
            yield _step(incident, act, reason="its time came")
            return
    escalated = incident.escalated
    for clock in clocks(incident, allowed):
        if clock.state not in ("running", "warned"):
            continue
        if now_us >= clock.due_us:
            escalated += 1
            yield _step(incident, Act.ESCALATE, reason=f"{clock.name}: the time is over", to=duty(duties, escalated), clock=clock)
        elif now_us >= warned_at(clock) and clock.state == "running":
            yield _step(incident, Act.WARN, reason=f"{clock.name}: a fifth of the time is left", to=duty(duties, escalated), clock=clock)


def _step(incident: Incident, act: Act, *, reason: str, to: str | None = None, clock: Clock | None = None) -> Step:
    return Step(
        site=incident.site,
        incident=incident.name,
        act=act,
        by=FLOWWATCH,
        reason=reason,
        cycle=incident.cycle,
        handling=incident.handling,
        to=to,
        clock=None if clock is None else clock.name,
        due_us=None if clock is None else clock.due_us,
    )
