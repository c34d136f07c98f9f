"""What can be read of a chain's entries: each with what it says. What cannot is named in the log, once, and passed over, so that one damaged
record hides nothing but itself. `flowwatch audit verify` says what was done to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling.kinds import RANKS
from flowwatch.handling.records import Alert, Step, read

LOG: Final = logging.getLogger(__name__)
LATEST_US: Final = 253_402_214_400 * 1_000_000
"""The last moment that every calendar has: the end of 9999, less a day for time zones."""
Told = TypeVar("Told", Alert, Step, Alert | Step)
CANNOT_READ: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading bytes that somebody else may have written can raise."""

STATES: Final = ("raised", "updated", "cleared")
Level = Literal["I", "II", "III", "IV"] | None
Moment = Annotated[int, Meta(ge=0, le=LATEST_US)]


class _Words(Struct):
    zh: str
    en: str


Said = _Words | None


class _Transition(Struct):
    site: str
    plan: str
    reason: str
    before: str | None = msgspec.field(name="from")
    to: str | None


class _Command(Struct):
    site: str
    gate: str
    mode: str
    reason: str
    stage: str | None = None
    plan: str | None = None
    setting: str | None = None
    delivery: str | None = None
    drill: bool = False


class _Device(Struct):
    site: str
    device: str
    name: str
    reason: str
    state: str | Said
    stage: str | None = None
    plan: str | None = None
    drill: bool = False


class _Task(Struct):
    site: str
    task: str
    role: str | None
    state: str
    text: Said
    due_us: Moment | None


class _Incident(Struct):
    site: str
    incident: str
    what: str
    subject: str
    state: Literal["raised", "updated", "cleared"]
    since_us: Moment
    level: Level
    reason: str | None = None
    headline: Said = None
    detail: dict[str, Any] | None = None


class _Record(Struct):
    by: str
    reason: str
    answer: str | None = None


class _Action(Struct):
    site: str
    type: str
    accepted: bool
    refused: str | None
    record: _Record


class _Refusals(Struct):
    partition: str
    minute_us: Moment
    refs: str


class _Document(Struct):
    site: str
    version: str


SHAPES: Final[Mapping[EntryKind, type[Struct]]] = {
    EntryKind.TRANSITION: _Transition,
    EntryKind.COMMAND: _Command,
    EntryKind.DEVICE: _Device,
    EntryKind.TASK: _Task,
    EntryKind.INCIDENT: _Incident,
    EntryKind.ACTION: _Action,
    EntryKind.DOCUMENT: _Document,
    EntryKind.REFUSALS: _Refusals,
}
"""What those who read the journal count upon in a body of each kind."""


def readable(entries: Iterable[Entry], passed: set[str] | None = None) -> Iterator[tuple[Entry, Alert | Step]]:
    """The alerts and steps among entries of the book, each with its entry; the ids of those that cannot be read go into `passed`."""
    for entry in entries:
        if entry.kind in (EntryKind.ALERT, EntryKind.HANDLING):
            said = readable_one(entry, passed)
            if said is not None:
                yield entry, said


def readable_one(entry: Entry, passed: set[str] | None = None) -> Alert | Step | None:
    """The alert or step of an entry of the book; None of one that cannot be read."""
    try:
        return sensible(read(entry))
    except CANNOT_READ as error:
        _pass(entry, error, passed)
        return None


def bodies(entries: Iterable[Entry], passed: set[str] | None = None) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Entries of the journal, each with its body, of the shape that its kind has; the ids of those that have none go into `passed`."""
    for entry in entries:
        try:
            body = msgspec.json.decode(entry.body, type=dict[str, Any])
            msgspec.convert(body, SHAPES.get(entry.kind, dict[str, Any]))
        except CANNOT_READ as error:
            _pass(entry, error, passed)
        else:
            yield entry, body


def sensible(said: Told) -> Told:
    """What is said, if no word of it is one that nobody here knows. Raises ValueError. What is not sensible cannot be read again."""
    if isinstance(said, Alert):
        sensible = 0 <= said.since_us <= LATEST_US and 0 <= (said.told_us or 0) <= LATEST_US
        if said.level not in RANKS or said.priority not in RANKS:
            raise ValueError(f'found level "{said.level}" and priority "{said.priority}", expected I to IV')
        if said.state not in STATES:
            raise ValueError(f'found the state "{said.state}", expected one of {", ".join(STATES)}')
        bytes.fromhex(said.entry_hash or "")
    else:
        sensible = 0 <= (said.until_us or 0) <= LATEST_US and 0 <= (said.due_us or 0) <= LATEST_US
    if not sensible:
        raise ValueError("found a time that no calendar has, expected microseconds since 1970")
    return said


def _pass(entry: Entry, error: Exception, passed: set[str] | None) -> None:
    if passed is not None:
        passed.add(entry.id)
    _tell(entry.id, str(error))


@lru_cache(1_000)
def _tell(id_: str, why: str) -> None:
    """Once for each: figures are counted again every minute."""
    LOG.error("%s: a record that cannot be read (%s); passed over", id_, why)
