"""One incident as people handle it: the axes condition, handling, shelving, suppression; whose it is, and its clocks.

The state follows from the records of the book alone (`after_alert`, `after_step`): whoever reads the same records has the same incident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import SHOWN, Act, Alert, Handling, Shown, Step

FOREVER_US: Final = 2**62
"""The end of a shelving that lasts as long as the condition."""


class Clock(Struct, frozen=True):
    """When a step is due, and how it stands: "running", "warned" (80 %), "overdue", "met" (the step was taken), "stopped" (nobody need)."""

    name: str
    begun_us: int
    due_us: int
    state: str


class Incident(Struct, frozen=True, kw_only=True):
    """One incident. `begun_us`: since when its clocks run in this cycle; `duty`: who answers for it now, as an index of `alarms.duties`."""

    site: str
    name: str
    what: str
    subject: str
    level: str | None
    priority: str | None
    active: bool
    since_us: int
    told_us: int
    alert: Alert
    alert_id: str
    shown: Shown
    begun_us: int
    worst: str | None = None
    """The most urgent that it was since anybody was last asked to acknowledge it."""
    ended_us: int | None = None
    handling: Handling = Handling.NEW
    cycle: int = 1
    escalated: int = 0
    by: str | None = None
    unit: str | None = None
    parent: str | None = None
    shelved_until: int | None = None
    deferred_until: int | None = None
    maintained: bool = False
    warned: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    last_step_us: int | None = None
    sounded: bool = False
    """Whether people heard of it: it sounded, or came back as something that had."""

    @property
    def open(self) -> bool:
        """Whether people still have it before them."""
        return self.handling is not Handling.CLOSED

    def order(self) -> tuple[int, int, str]:
        """The most urgent first, then the oldest: the order in which people are shown what is open."""
        return -RANKS[self.priority], self.since_us, self.name

    @property
    def urgency(self) -> str | None:
        """How urgent it is for people: as it was at its worst until somebody acknowledges it, then as it is."""
        return self.worst if self.handling is Handling.NEW else self.priority

    @property
    def key(self) -> tuple[str, str]:
        """What it is about, whatever number it has this time."""
        return self.what, self.subject

    @property
    def drill(self) -> bool:
        """Whether it is only a drill."""
        return self.alert.drill

    @property
    def shelved(self) -> bool:
        """Whether a person shelved it."""
        return self.shelved_until is not None

    @property
    def waits(self) -> bool:
        """Whether nobody need answer it now, so that its clocks stand: something stands for it, or a person put it off."""
        return self.parent is not None or self.shelved or self.deferred_until is not None or self.maintained

    @property
    def latched(self) -> bool:
        """Whether it stays after its end until somebody acknowledges it: orange and red do."""
        return RANKS[self.worst] >= RANKS["II"] and not self.drill

    @property
    def finished(self) -> bool:
        """Whether it can be closed without anybody: it ended, nobody was sent, and it was seen or need not be."""
        if self.active or not self.open or self.deferred_until is not None:
            return False
        return self.handling is Handling.ACKNOWLEDGED or (self.handling is Handling.NEW and not self.latched)


def begun(alert: Alert, alert_id: str, at_us: int) -> Incident:
    """The incident of a first alert, told at `at_us`."""
    return Incident(
        site=alert.site,
        name=alert.incident,
        what=alert.what,
        subject=alert.subject,
        level=alert.level,
        priority=alert.priority,
        worst=alert.priority,
        active=alert.state != "cleared",
        since_us=alert.since_us,
        told_us=at_us,
        alert=alert,
        alert_id=alert_id,
        shown=alert.shown,
        begun_us=_told(alert, at_us),
        sounded=alert.shown in (*SHOWN, Shown.RETURNED),
        parent=alert.parent,
        maintained=alert.shown is Shown.MAINTENANCE,
        shelved_until=FOREVER_US if alert.shown is Shown.SHELVED else None,
    )


def _told(alert: Alert, at_us: int) -> int:
    """When clocks of something that happened then begin: never before people could hear of it."""
    return max(at_us, alert.told_us or 0)


def after_alert(incident: Incident, alert: Alert, alert_id: str, at_us: int) -> Incident:
    """After one more alert about it. What became worse, or is raised again, is opened again by a step of its own."""
    ended = alert.state == "cleared"
    made = replace(incident, alert=alert, alert_id=alert_id, active=not ended, ended_us=at_us if ended else None, level=alert.level)
    if ended:
        return replace(made, level=incident.level, shelved_until=None if incident.shelved_until == FOREVER_US else incident.shelved_until)
    made = replace(made, sounded=made.sounded or alert.shown in SHOWN)
    made = replace(made, priority=alert.priority, worst=max(incident.worst, alert.priority, key=lambda p: RANKS[p]))
    return made if alert.shown is Shown.SAME else replace(made, shown=alert.shown)


def after_step(incident: Incident, step: Step, at_us: int) -> Incident:
    """After a step."""
    made = replace(incident, handling=step.handling, last_step_us=at_us)
    if step.act is Act.REOPEN:
        return replace(made, **_opened(incident, step, at_us))
    changes = _CHANGES.get(step.act)
    return made if changes is None else replace(made, **changes(made, step, at_us))


def _opened(before: Incident, step: Step, at_us: int) -> dict[str, Any]:
    """The fields of an incident that is opened again, because it became worse.

    Where nobody had acknowledged it, it stays as urgent as it was at its worst; and its clocks go on where they were, unless it is worse than ever:
    else what goes up and down would never run out.
    """
    changed = {**_ANEW, "cycle": step.cycle}
    waiting = before.handling is Handling.NEW and not before.waits
    if before.handling is Handling.NEW:
        changed["worst"] = max(before.worst, before.priority, key=lambda p: RANKS[p])
    else:
        changed["worst"] = before.priority
    if waiting and step.detail is not None and step.detail.get("goes_on"):
        for name in ("warned", "overdue", "escalated"):
            del changed[name]
        return changed
    return {**changed, "begun_us": _told(before.alert, at_us)}


_AGAIN: Final[dict[str, Any]] = {"warned": (), "overdue": ()}
"""What a clock that begins anew forgets."""
_ANEW: Final[Mapping[str, Any]] = (
    _AGAIN
    | dict.fromkeys(("by", "unit", "parent", "shelved_until", "deferred_until"))
    | {
        "escalated": 0,
        "maintained": False,
        "shown": Shown.WORSE,
    }
)
"""What an incident that is opened again forgets."""


def _again(made: Incident, at_us: int) -> dict[str, Any]:
    """Clocks begin anew."""
    return {**_AGAIN, "begun_us": _told(made.alert, at_us)}


_CHANGES: Final[Mapping[Act, Callable[[Incident, Step, int], dict[str, Any]]]] = {
    Act.ACKNOWLEDGE: lambda _, step, __: {"by": step.by},
    Act.DISPATCH: lambda made, step, _: {"unit": step.to, "by": made.by or step.by},
    Act.RETURN: lambda *_: {"unit": None},
    Act.DEFER: lambda _, step, __: {"deferred_until": step.until_us},
    Act.RESUME: lambda made, _, at_us: {**_again(made, at_us), "deferred_until": None},
    Act.SHELVE: lambda _, step, __: {"shelved_until": FOREVER_US if step.until_us is None else step.until_us},
    Act.UNSHELVE: lambda made, _, at_us: {**_again(made, at_us), "shelved_until": None},
    Act.MAINTAIN: lambda *_: {"maintained": True},
    # what is open is shown again by a step of its own, beside all others about the device
    Act.RESTORE: lambda made, *_: {"maintained": made.open},
    Act.WARN: lambda made, step, _: {"warned": (*made.warned, step.clock or "")},
    Act.ESCALATE: lambda made, step, _: {"overdue": (*made.overdue, step.clock or ""), "escalated": made.escalated + 1},
    Act.SUPPRESS: lambda _, step, __: {"parent": step.to},
    Act.UNSUPPRESS: lambda made, step, at_us: {
        **_again(made, at_us),
        "parent": None,
        "maintained": False,
        "sounded": made.sounded or bool((step.detail or {}).get("sounds")),
    },
}
"""The fields that a step changes besides the handling: of (the incident, the step, when)."""
