"""What stands in the record of handling: alerts, which people were told, and steps, which were taken. One type each.

Two kinds of entry (`EntryKind.ALERT`, `EntryKind.HANDLING`) in one chain a site, in the order in which they happened. An alert tells of one entry
of the journal (or of a fault of the service itself, in the chain `SERVICE`); a step is a person's, or the clock's in the name of `FLOWWATCH`. Times
are microseconds UTC; texts are in Chinese and English, as they were told.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from flowwatch.core.entries import Entry, EntryKind, canonical

SERVICE: Final = "@service"
"""The chain of what belongs to no site: the service's own faults."""
FLOWWATCH: Final = "flowwatch"
"""Who takes the steps that nobody takes by hand. No user can be called so."""


class Shown(StrEnum):
    """Why an alert is shown to people as a new one, or is not."""

    RAISED = "raised"
    """Shown: it is new."""
    WORSE = "worse"
    """Shown: its level rose, which opens it again."""
    NOTICE = "notice"
    """Not: nobody need answer it."""
    SAME = "same"
    """Not: a change that is no worse."""
    ENDED = "ended"
    """Not: its condition ended."""
    RETURNED = "returned"
    """Not: it came again soon after it had ended; the old one goes on. With a `parent`, that old one, it flickers, and waits until it has stayed."""
    PARENT = "parent"
    """Not: another open incident stands for it (`parent`)."""
    GROUP = "group"
    """Not: it is one of several of its kind at the site, and a group stands for them (`parent`)."""
    FLOOD = "flood"
    """Not: more come than a person can read; the flood stands for them (`parent`)."""
    SHELVED = "shelved"
    """Not: a person shelved it."""
    MAINTENANCE = "maintenance"
    """Not: its device is under maintenance."""


SHOWN: Final = (Shown.RAISED, Shown.WORSE)
"""Those that sound: the alarms of EEMUA 191."""


class Act(StrEnum):
    """A step of handling. The first seven are the way from 签收 to 办结."""

    ACKNOWLEDGE = "acknowledge"
    DISPATCH = "dispatch"
    ARRIVE = "arrive"
    HANDLE = "handle"
    FEEDBACK = "feedback"
    VERIFY = "verify"
    CLOSE = "close"
    RETURN = "return"
    """退单: the wrong unit; it goes back to who dispatches."""
    DEFER = "defer"
    """挂账: a supervisor puts it off, with a reason and a new date."""
    RESUME = "resume"
    """What was put off goes on: its date came, or a person said so."""
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    MAINTAIN = "maintain"
    """检修: a device goes into maintenance; its alerts are not shown until a time."""
    RESTORE = "restore"
    """检修完毕: the device is in use again, before its time."""
    NOTE = "note"
    SUPERVISE = "supervise"
    """督办: a supervisor presses, by hand."""
    WARN = "warn"
    """A clock stands at 80 %."""
    ESCALATE = "escalate"
    """A clock has run out: the next duty answers for it (督办)."""
    REOPEN = "reopen"
    """It became worse: whoever acknowledged it acknowledged something milder."""
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    FLOOD = "flood"
    """More alerts come than a person can read (incident: the flood's own)."""
    FLOOD_OVER = "flood_over"
    GROUP = "group"
    GROUP_OVER = "group_over"
    HANDOVER = "handover"
    """交接班: a shift took over; the incident is empty."""


class Handling(StrEnum):
    """How far people are with an incident."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    ON_SCENE = "on_scene"
    HANDLED = "handled"
    FED_BACK = "fed_back"
    VERIFIED = "verified"
    CLOSED = "closed"


class Said(Struct, frozen=True):
    """The same words in both languages."""

    zh: str
    en: str


class Alert(Struct, frozen=True, kw_only=True):
    """One message about an incident, as it was told.

    `entry` and `entry_hash`: the journal's entry (its id, its hash in hex) that it tells of; both None for the service's own. `level`: as the journal
    has it; `priority`: how urgent it is for people, None where nobody need answer. `certainty`: "observed", or "likely" for what is forecast.
    `cap`: its identifier where it is also a CAP message. `told_us`: when people were told, of what happened while nobody could be; None where that
    was at once.
    """

    site: str
    incident: str
    entry: str | None = None
    entry_hash: str | None = None
    state: str
    what: str
    subject: str
    reason: str | None = None
    level: str | None = None
    priority: str | None = None
    since_us: int
    text: Said
    instruction: Said | None = None
    detail: dict[str, Any] | None = None
    drill: bool = False
    certainty: str = "observed"
    shown: Shown
    parent: str | None = None
    cap: str | None = None
    told_us: int | None = None


class Step(Struct, frozen=True, kw_only=True):
    """One step of handling: who, as what, why; and what the incident's handling is after it.

    `incident`: empty of a handover, which is the site's. `cycle` counts how often the incident was opened (1, and one more each time that it became
    worse). `to`: the unit or person that it was given to, the duty that it escalated to, the parent or flood that stands for it. `until_us`: when a
    shelving, deferment or maintenance ends. `clock`: which clock warned or ran out, `due_us` when it does.
    """

    site: str
    incident: str = ""
    act: Act
    by: str
    role: str | None = None
    reason: str = ""
    cycle: int = 1
    handling: Handling = Handling.NEW
    to: str | None = None
    until_us: int | None = None
    clock: str | None = None
    due_us: int | None = None
    detail: dict[str, Any] | None = None


_ALERT: Final = msgspec.json.Decoder(Alert)
_STEP: Final = msgspec.json.Decoder(Step)


def read(entry: Entry) -> Alert | Step:
    """What an entry of the record says. Raises `msgspec.MsgspecError` for what is neither."""
    return _ALERT.decode(entry.body) if entry.kind is EntryKind.ALERT else _STEP.decode(entry.body)


def body(said: Alert | Step) -> bytes:
    """The canonical bytes of what is said; fields without a value are left out."""
    plain = msgspec.to_builtins(said)
    return canonical({name: value for name, value in plain.items() if value is not None and value != ""})


def kind_of(said: Alert | Step) -> EntryKind:
    """The kind of entry that it becomes."""
    return EntryKind.ALERT if isinstance(said, Alert) else EntryKind.HANDLING
