"""What an operator writes: override, recount, confirm, drill, fire, release, deliver, turned; and approve, which acceptance writes for two.

`flowwatch operate` makes them today, the service will make the same ones. The engine reads them from the log with its own eyes
(`core.actions`), because a record in a log may come from anywhere; here they are typed, named and written in one canonical form.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from flowwatch.core.entries import canonical
from flowwatch.core.gates import Setting
from flowwatch.documents.words import Document, Name

Micros = Annotated[int, Meta(ge=0, le=2**53, description="microseconds since 1970-01-01T00:00Z")]
Sentence = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,500}$")]
Id = Annotated[
    str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", description="time-ordered and unique; a record with a name that came before is refused")
]
GateSetting = Annotated[
    str, Meta(min_length=1, max_length=500, description='a gate\'s setting, as in a plan: "out", "metered 40/min", "wave in 50s out 110s"')
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
    """Somebody holds a stage, one gate or a case elsewhere than the plan would, until a time.

    Either `stage` (with `plan`, if it is not the main plan's), or `gate` and `mode`, or `case`.
    """

    stage: Name | UnsetType = UNSET
    plan: Annotated[Name, Meta(description="whose stage; the main plan's where it is left out")] | UnsetType = UNSET
    gate: Name | UnsetType = UNSET
    mode: GateSetting | UnsetType = UNSET
    case: Annotated[Name, Meta(description="the case to declare")] | UnsetType = UNSET
    until_us: Micros

    def __post_init__(self) -> None:
        """Refuse what is none or several of the three, half of one, no setting of a gate, and an end that lies before the beginning."""
        if [self.stage is UNSET, self.gate is UNSET, self.case is UNSET].count(False) != 1:
            raise ValueError("found several or none of `stage`, `gate` and `case`, expected one of them")
        if (self.gate is UNSET) != (self.mode is UNSET):
            raise ValueError("found one of `gate` and `mode`, expected them together")
        if self.plan is not UNSET and self.stage is UNSET:
            raise ValueError("found `plan` without `stage`, expected them together")
        if self.mode is not UNSET:
            try:
                Setting.parse(self.mode)
            except ValueError as error:
                raise ValueError(f"`mode`: {error}") from error
        _ends_after(self.at_us, self.until_us)


class Recount(_Record, frozen=True, kw_only=True, tag="recount"):
    """Somebody counted the people in a zone: an anchor for the estimate."""

    zone: Name
    count: Annotated[int, Meta(ge=0, le=1_000_000)]
    counted_at_us: Micros


class Confirm(_Record, frozen=True, kw_only=True, tag="confirm"):
    """Somebody has seen an incident and stands by it; where the incident proposes something, somebody says yes or no to it."""

    incident: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}-i[1-9][0-9]{0,17}$", description='"<site>-i<n>"')]
    answer: Literal["yes", "no"] = "yes"


class Drill(_Record, frozen=True, kw_only=True, tag="drill"):
    """Somebody exercises a stage of the main plan until a time; only gates that are marked for drills move."""

    stage: Name
    until_us: Micros

    def __post_init__(self) -> None:
        """Refuse an end that lies before the beginning."""
        _ends_after(self.at_us, self.until_us)


class Fire(_Record, frozen=True, kw_only=True, tag="fire"):
    """Somebody says that there is a fire, so that every gate opens outward, or that it is over."""

    state: Literal["on", "off"]


class Release(_Record, frozen=True, kw_only=True, tag="release"):
    """Somebody lets a command that waits for a person go out: of the gate, or of another device (barrier/x, sign/x, link/x)."""

    gate: Name | UnsetType = UNSET
    device: Annotated[str, Meta(pattern="^(gate|barrier|sign|link)/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")] | UnsetType = UNSET
    revision: Annotated[int, Meta(ge=1, le=2**53, description="which command to it, as the journal numbers them")]

    def __post_init__(self) -> None:
        """Refuse what names none or both."""
        if (self.gate is UNSET) == (self.device is UNSET):
            raise ValueError("found both or none of `gate` and `device`, expected one of them")


class Deliver(_Record, frozen=True, kw_only=True, tag="deliver"):
    """Somebody puts the whole site back on advise, so that nothing goes out by itself, or has commands delivered as the documents say again."""

    to: Literal["advise", "plan"]


class Turned(_Record, frozen=True, kw_only=True, tag="turned"):
    """Somebody set a gate on the spot, and says how it is now."""

    gate: Name
    mode: GateSetting

    def __post_init__(self) -> None:
        """Refuse what is no setting of a gate."""
        try:
            Setting.parse(self.mode)
        except ValueError as error:
            raise ValueError(f"`mode`: {error}") from error


class Signed(Document, frozen=True, kw_only=True):
    """One of the two signatures under a version of documents, with all that it takes to check it again."""

    by: Sentence
    key: Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{43}=$", description="the public key that the signature was checked with, base64")]
    at: Annotated[str, Meta(min_length=20, max_length=40, description="when it was signed, as it was signed")]
    signature: Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{86}==$", description="Ed25519, base64")]


class Approve(_Record, frozen=True, kw_only=True, tag="approve"):
    """One person wrote a version of the site's documents and another agreed; it stands in the log right behind them."""

    version: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="the SHA-256 of the compiled documents")]
    author: Signed
    approver: Signed


Action = Override | Recount | Confirm | Drill | Fire | Release | Deliver | Turned | Approve
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


def _ends_after(at_us: int, until_us: int) -> None:
    if until_us <= at_us:
        raise ValueError("found an end `until_us` that is not after `at_us`, expected a later time")
