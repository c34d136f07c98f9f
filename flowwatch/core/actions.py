"""An operator's record, read: what somebody decided, who, why, and until when.

Records come through the log, so the engine reads them with the same distrust as readings: whatever is not exactly a record is refused with
a sentence, and a record whose name was seen before is not applied again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.entries import read_object
from flowwatch.core.gates import Mode

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
    """Somebody holds a stage, or one gate, elsewhere than the plan would, until a time (microseconds)."""

    stage: str | None
    gate: str | None
    mode: Mode | None
    until: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """Somebody has seen an incident and stands by it."""

    incident: str


@dataclass(frozen=True, slots=True)
class Action:
    """One record: `what` is the decision, `record` the record as it came."""

    name: str
    site: str
    kind: str
    what: Recount | Override | Confirm
    record: dict[str, Any]


def read_action(data: bytes) -> Action:
    """The record in `data`; raises `BadActionError`."""
    try:
        record = read_object(data)
    except ValueError as error:
        raise BadActionError(f"no record: {error}") from error
    kind = _text(record, "type")
    what: Recount | Override | Confirm
    if kind == "recount":
        count = _whole(record, "count")
        if not 0 <= count <= MOST_PEOPLE_COUNTED:
            raise BadActionError(f'"count" is {count}, expected 0 to {MOST_PEOPLE_COUNTED}')
        what = Recount(_text(record, "zone"), count, _whole(record, "counted_at_us"))
    elif kind == "override":
        stage, gate = record.get("stage"), record.get("gate")
        if (stage is None) == (gate is None):
            raise BadActionError('expected either "stage" or "gate"')
        asked = None if gate is None else _text(record, "mode")
        if asked is not None and asked not in set(Mode):
            raise BadActionError(f'"mode" is {asked!r:.80}, expected one of {", ".join(Mode)}')
        mode = None if asked is None else Mode(asked)
        what = Override(
            None if stage is None else _text(record, "stage"),
            None if gate is None else _text(record, "gate"),
            mode,
            _whole(record, "until_us"),
        )
    elif kind == "confirm":
        what = Confirm(_text(record, "incident"))
    else:
        raise BadActionError(f'"type" is {kind!r}, expected "override", "recount" or "confirm"')
    _text(record, "by")
    _text(record, "reason")
    return Action(_text(record, "action"), _text(record, "site"), kind, what, record)


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise BadActionError(f'"{key}" is {value!r:.80}, expected a text')
    return value


def _whole(record: dict[str, Any], key: str) -> int:
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**62:
        raise BadActionError(f'"{key}" is {value!r:.80}, expected a whole number')
    return value
