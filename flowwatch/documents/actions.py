"""What an operator writes: override, recount and confirm, as records for the log.

`flowwatch operate` makes them today, the service will make the same ones. The engine reads them from the log with its own eyes
(`core.actions`), because a record in a log may come from anywhere; here they are typed, named and written in one canonical form.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from flowwatch.core.entries import canonical
from flowwatch.core.gates import Mode
from flowwatch.documents.words import Document, Name

Micros = Annotated[int, Meta(ge=0, le=2**53, description="microseconds since 1970-01-01T00:00Z")]
Sentence = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,500}$")]
Id = Annotated[
    str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", description="time-ordered and unique; a record with a name that came before is refused")
]

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class ActionError(ValueError):
    """The bytes or fields are no operator's record; the message says what was found and what was expected."""


class _Record(Document, frozen=True, kw_only=True, tag_field="type"):
    """What every operator's record says: which site, who, why, and when it was written."""

    action: Id
    site: Name
    by: Annotated[Sentence, Meta(description="the person who answers for it")]
    reason: Annotated[Sentence, Meta(description="why, for the record")]
    at_us: Micros


class Override(_Record, frozen=True, kw_only=True, tag="override"):
    """Somebody holds a stage, or one gate, elsewhere than the plan would, until a time. Either `stage`, or `gate` and `mode`."""

    stage: Name | UnsetType = UNSET
    gate: Name | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    until_us: Micros

    def __post_init__(self) -> None:
        """Refuse what is neither one nor the other, and an end that lies before the beginning."""
        if (self.stage is UNSET) == (self.gate is UNSET):
            raise ValueError("found both or neither of `stage` and `gate`, expected one of them")
        if (self.gate is UNSET) != (self.mode is UNSET):
            raise ValueError("found one of `gate` and `mode`, expected them together")
        if self.until_us <= self.at_us:
            raise ValueError("found an end `until_us` that is not after `at_us`, expected a later time")


class Recount(_Record, frozen=True, kw_only=True, tag="recount"):
    """Somebody counted the people in a zone: an anchor for the estimate."""

    zone: Name
    count: Annotated[int, Meta(ge=0, le=1_000_000)]
    counted_at_us: Micros


class Confirm(_Record, frozen=True, kw_only=True, tag="confirm"):
    """Somebody has seen an incident and stands by it."""

    incident: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}-i[1-9][0-9]{0,17}$", description='"<site>-i<n>"')]


Action = Override | Recount | Confirm
_DECODER: Final[msgspec.json.Decoder[Action]] = msgspec.json.Decoder(Action)


def parse(payload: bytes) -> Action:
    """The record in `payload`; raises `ActionError`."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ActionError(str(error)) from error


def payload(action: Action) -> bytes:
    """The one form in which `action` is logged; raises `ActionError` for fields that no record may have."""
    made = canonical(msgspec.to_builtins(action))
    parse(made)
    return made


def new_id(at_us: int) -> str:
    """A new record's name: 48 bits of the time in milliseconds, then 80 random bits (a ULID), so that names sort as records were written.

    >>> new_id(1_790_000_000_000_000)[:10]
    '01M3250V00'
    """
    number = (at_us // 1000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
