"""An operator's record, read: what somebody decided, who, why, and until when.

Records come through the log, so the engine reads them with the same distrust as readings: whatever is not exactly a record is refused with
a sentence, and a record whose name was seen before is not applied again. An order that says two things, or half of one, is none: nobody may
have to guess which part of it was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.entries import read_object
from flowwatch.core.gates import Setting

MOST_PEOPLE_COUNTED: Final = 1_000_000
"""No person counts more people than this by hand."""


class BadActionError(ValueError):
    """The bytes are no operator's record; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Recount:
    """Somebody counted the people in a zone: an anchor."""

    zone: str
    count: int
    counted_at: int


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody holds a stage (of `plan`; None: the main plan), one gate, or a case, until a time (microseconds); exactly one of the three."""

    stage: str | None
    plan: str | None
    gate: str | None
    setting: Setting | None
    case: str | None
    until: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """Somebody has seen an incident and stands by it; or, where it proposes something, says yes or no to that."""

    incident: str
    answer: bool


@dataclass(frozen=True, slots=True)
class Drill:
    """Somebody exercises a stage until a time (microseconds); a time that is past ends the drill."""

    stage: str
    until: int


@dataclass(frozen=True, slots=True)
class Fire:
    """Somebody says that there is a fire, or that it is over."""

    on: bool


@dataclass(frozen=True, slots=True)
class Release:
    """Somebody lets the command of this revision to a device ("gate/gate-3") go out."""

    device: str
    revision: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Somebody puts a whole site back on advise, or has its commands delivered as its documents say again."""

    advise: bool


@dataclass(frozen=True, slots=True)
class Turned:
    """Somebody set a gate on the spot, and says how it is now."""

    gate: str
    setting: Setting


@dataclass(frozen=True, slots=True)
class Approve:
    """Somebody wrote a version of the site's documents and another person agreed to it; `version` is their whole SHA-256 in hex.

    Who accepted the documents into the log has checked the two signatures; the record carries them on, so that anyone can check them again.
    """

    version: str
    author: str
    approver: str


What = Recount | Override | Confirm | Drill | Fire | Release | Deliver | Turned | Approve


@dataclass(frozen=True, slots=True)
class Action:
    """One record: `what` is the decision, `record` the record as it came."""

    name: str
    site: str
    kind: str
    what: What
    record: dict[str, Any]


def read_action(data: bytes) -> Action:
    """The record in `data`; raises `BadActionError`."""
    try:
        record = read_object(data)
    except ValueError as error:
        raise BadActionError(f"no record: {error}") from error
    kind = _text(record, "type")
    reader = _READERS.get(kind)
    if reader is None:
        raise BadActionError(f'"type" is {kind!r:.80}, expected one of {", ".join(sorted(_READERS))}')
    what = reader(record)
    _text(record, "by")
    _text(record, "reason")
    return Action(_text(record, "action"), _text(record, "site"), kind, what, record)


def _recount(record: dict[str, Any]) -> Recount:
    count = _whole(record, "count")
    if not 0 <= count <= MOST_PEOPLE_COUNTED:
        raise BadActionError(f'"count" is {count}, expected 0 to {MOST_PEOPLE_COUNTED}')
    return Recount(_text(record, "zone"), count, _whole(record, "counted_at_us"))


def _override(record: dict[str, Any]) -> Override:
    given = [key for key in ("stage", "gate", "case") if record.get(key) is not None]
    if len(given) != 1:
        raise BadActionError(f'found {" and ".join(given) or "none"} of "stage", "gate" and "case", expected one of them')
    for key, beside in (("plan", "stage"), ("mode", "gate")):
        if record.get(key) is not None and beside not in given:
            raise BadActionError(f'"{key}" goes with "{beside}", found {given[0]}')
    setting = None if record.get("gate") is None else _setting(record)
    stage, plan, gate, case = (None if record.get(key) is None else _text(record, key) for key in ("stage", "plan", "gate", "case"))
    return Override(stage, plan, gate, setting, case, _whole(record, "until_us"))


def _confirm(record: dict[str, Any]) -> Confirm:
    answer = "yes" if record.get("answer") is None else _text(record, "answer")
    return Confirm(_text(record, "incident"), _one_of("answer", answer, "yes", "no"))


def _drill(record: dict[str, Any]) -> Drill:
    return Drill(_text(record, "stage"), _whole(record, "until_us"))


def _fire(record: dict[str, Any]) -> Fire:
    return Fire(_one_of("state", _text(record, "state"), "on", "off"))


def _release(record: dict[str, Any]) -> Release:
    given = [key for key in ("gate", "device") if record.get(key) is not None]
    if len(given) != 1:
        raise BadActionError(f'found {" and ".join(given) or "none"} of "gate" and "device", expected one of them')
    name = _text(record, given[0])
    return Release(f"gate/{name}" if given == ["gate"] else name, _whole(record, "revision"))


def _deliver(record: dict[str, Any]) -> Deliver:
    return Deliver(_one_of("to", _text(record, "to"), "advise", "plan"))


def _turned(record: dict[str, Any]) -> Turned:
    return Turned(_text(record, "gate"), _setting(record))


def _approve(record: dict[str, Any]) -> Approve:
    version = _text(record, "version")
    if not re.fullmatch("[0-9a-f]{64}", version):
        raise BadActionError(f'"version" is {version!r:.80}, expected the 64 hex digits of a SHA-256')
    author, approver = (_signed(record, key) for key in ("author", "approver"))
    if author["by"] == approver["by"] or author["key"] == approver["key"]:
        raise BadActionError(f'"author" and "approver" are {author["by"]!r:.80} and {approver["by"]!r:.80} with their keys, expected two')
    return Approve(version, author["by"], approver["by"])


def _signed(record: dict[str, Any], key: str) -> dict[str, str]:
    value = record.get(key)
    if not isinstance(value, dict):
        raise BadActionError(f'"{key}" is {value!r:.80}, expected who signed, with key, time and signature')
    return {part: _text(value, part) for part in ("by", "key", "at", "signature")}


_READERS: Final[dict[str, Callable[[dict[str, Any]], What]]] = {
    "recount": _recount,
    "override": _override,
    "confirm": _confirm,
    "drill": _drill,
    "fire": _fire,
    "release": _release,
    "deliver": _deliver,
    "turned": _turned,
    "approve": _approve,
}


def _setting(record: dict[str, Any]) -> Setting:
    asked = _text(record, "mode")
    try:
        return Setting.parse(asked)
    except ValueError as error:
        raise BadActionError(f'"mode" is {asked!r:.80}: {error}') from error


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise BadActionError(f'"{key}" is {value!r:.80}, expected a text')
    return value


def _one_of(key: str, value: str, yes: str, no: str) -> bool:
    if value not in (yes, no):
        raise BadActionError(f'"{key}" is {value!r:.80}, expected "{yes}" or "{no}"')
    return value == yes


def _whole(record: dict[str, Any], key: str) -> int:
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**62:
        raise BadActionError(f'"{key}" is {value!r:.80}, expected a whole number')
    return value
