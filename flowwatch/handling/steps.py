"""Which step may follow which: 签收 → 派警 → 到场 → 处置 → 反馈 → 核查 → 办结, and what leads aside from it.

A table and one function, so that the API can say what is possible before anybody tries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flowwatch.handling import kinds
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import Act, Handling


class NotPossibleError(ValueError):
    """The step cannot be taken; the sentence says why and what could be done instead."""


@dataclass(frozen=True, slots=True)
class Way:
    """One step: from where, to where (None: it stays), and what must be said with it."""

    from_: frozenset[Handling] = frozenset(Handling)
    to: Handling | None = None
    reason: bool = False
    unit: bool = False
    until: bool = False
    supervisor: bool = False
    """Whether it takes a supervisor; else an operator."""


_OPEN: Final = frozenset(Handling) - {Handling.CLOSED}
WAYS: Final[Mapping[Act, Way]] = {
    Act.ACKNOWLEDGE: Way(frozenset({Handling.NEW}), Handling.ACKNOWLEDGED),
    Act.DISPATCH: Way(frozenset({Handling.NEW, Handling.ACKNOWLEDGED}), Handling.DISPATCHED, unit=True),
    Act.ARRIVE: Way(frozenset({Handling.DISPATCHED}), Handling.ON_SCENE),
    Act.HANDLE: Way(frozenset({Handling.ACKNOWLEDGED, Handling.DISPATCHED, Handling.ON_SCENE}), Handling.HANDLED),
    Act.FEEDBACK: Way(frozenset({Handling.HANDLED}), Handling.FED_BACK, reason=True),
    Act.VERIFY: Way(frozenset({Handling.FED_BACK}), Handling.VERIFIED, supervisor=True),
    Act.CLOSE: Way(frozenset({Handling.ACKNOWLEDGED, Handling.VERIFIED}), Handling.CLOSED),
    Act.RETURN: Way(frozenset({Handling.DISPATCHED, Handling.ON_SCENE}), Handling.ACKNOWLEDGED, reason=True),
    Act.DEFER: Way(_OPEN, reason=True, until=True, supervisor=True),
    Act.RESUME: Way(_OPEN),
    Act.SHELVE: Way(_OPEN, reason=True),
    Act.UNSHELVE: Way(_OPEN),
    Act.MAINTAIN: Way(_OPEN, reason=True, until=True),
    Act.RESTORE: Way(),
    Act.SUPERVISE: Way(_OPEN, reason=True, supervisor=True),
    Act.NOTE: Way(reason=True),
}
"""Every step that a person can take. What is not here is the clock's."""

LONGEST_US: Final = 30 * 86_400 * 1_000_000
"""The furthest that something may be put off: then somebody must look at it again."""


def needs_supervisor(act: Act, incident: Incident) -> bool:
    """Whether it takes a supervisor: closing does where somebody was sent, because then it was verified."""
    return WAYS[act].supervisor or (act is Act.CLOSE and incident.handling is Handling.VERIFIED)


def possible(incident: Incident) -> list[Act]:
    """The steps that could be taken now, in the order of the table."""
    return [act for act in WAYS if _refusal(incident, act) is None]


def check(incident: Incident, act: Act, now_us: int, *, reason: str = "", to: str | None = None, until_us: int | None = None) -> Handling:
    """The handling after the step. Raises `NotPossibleError` with the sentence that refuses it."""
    if act not in WAYS:
        raise NotPossibleError(f'"{act}" is no step that a person takes, expected one of {", ".join(WAYS)}')
    way = WAYS[act]
    refused = _refusal(incident, act)
    if refused is not None:
        raise NotPossibleError(refused)
    if way.reason and not reason.strip():
        raise NotPossibleError(f"{act} stands in the record for ever, expected a reason")
    if way.unit and not (to or "").strip():
        raise NotPossibleError("dispatch needs `to`: the unit or person that is sent")
    if way.until and until_us is None:
        raise NotPossibleError(f"{act} needs `until`: when it is looked at again")
    if until_us is not None and not now_us < until_us <= now_us + LONGEST_US:
        raise NotPossibleError("`until` lies in the past or more than 30 days ahead, expected a time between")
    return incident.handling if way.to is None else way.to


def _refusal(incident: Incident, act: Act) -> str | None:
    way, name = WAYS[act], incident.name
    if incident.handling not in way.from_:
        expected = " or ".join(sorted(way.from_)) or "none"
        return f"{name} is {incident.handling}, and {act} follows {expected}"
    return next((sentence.format(name) for refused, sentence in _REFUSED.get(act, ()) if refused(incident)), None)


def _red_unanswered(incident: Incident) -> bool:
    """Whether it was red and has become milder, before anybody answered for the red."""
    return incident.worst == "I" and incident.handling is Handling.NEW


_REFUSED: Final[Mapping[Act, tuple[tuple[Callable[[Incident], bool], str], ...]]] = {
    Act.CLOSE: ((lambda i: i.active, "{} still holds: what holds is deferred or shelved, not closed"),),
    Act.SHELVE: (
        (lambda i: i.priority == "I", "{} is red, and what is red is never shelved"),
        (_red_unanswered, "{} was red, and nobody has acknowledged it: that comes first"),
    ),
    Act.MAINTAIN: (
        (
            lambda i: i.what not in kinds.DEVICES,
            "{} is about no device, and only devices are under maintenance; it can be shelved or deferred",
        ),
        (lambda i: i.priority == "I", "{} is red, and what is red is not put aside for maintenance; a supervisor can defer it"),
        (_red_unanswered, "{} was red, and nobody has acknowledged it: that comes first"),
    ),
    Act.RESTORE: ((lambda i: not i.maintained, "{} is about nothing that is under maintenance"),),
    Act.RESUME: ((lambda i: i.deferred_until is None, "{} is not deferred"),),
    Act.UNSHELVE: ((lambda i: not i.shelved, "{} is not shelved"),),
}
"""Of what an act is refused, and why, besides how far it is."""
