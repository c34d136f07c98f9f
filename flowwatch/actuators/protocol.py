"""What flowwatch and a controller say to each other: command, acknowledgement, state, and whether the service lives.

Messages are JSON objects with `v` 1. A reader passes over fields that it does not know, so that later versions may add some; it refuses whatever
is missing, of another type or out of bounds, and then the whole message. `docs/gate-protocol.md` tells the same for those who build a
controller, and the schemas beside it are made from these types.

A device is named "<kind>/<id>": "gate/gate-3", "barrier/fangbang-road", "link/bridge", "sign/north". Revisions only rise: twice the count of the
engine's commands to the device, and one more while a fire latches the site, so that a fire overtakes what was decided before it and gives
way to what is decided after.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from flowwatch.core.settings import Setting

VERSION: Final = 1
MOST_BYTES: Final = 16_384
"""No message is larger: a wave of many phases with a sign's texts takes 2 KiB."""
ROOT: Final = "flowwatch/v1"
STATUS_TOPIC: Final = f"{ROOT}/service/status"
KINDS: Final = ("gate", "barrier", "link", "sign")
LINK_WAYS: Final = ("one_way", "one_way_back", "both")
BARRIER_WAYS: Final = ("raise", "lower")
ATTEMPT_LIVES_S: Final = 60
"""How long one attempt to command a device may be obeyed; then the next attempt says the same anew."""
STATE_EVERY_S: Final = 30
"""How often a controller says how it is, also when nothing changes."""
LOST_AFTER_S: Final = 30
"""How long a controller without its connection, or without the service, waits until it falls to `on_lost`."""
KEEPALIVE_S: Final = 15
"""MQTT keep-alive: the broker tells of a dead client after one and a half of it, before its controller falls to `on_lost`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with an offset")]
DeviceName = Annotated[
    str,
    Meta(pattern=r"^(gate|barrier|link|sign)/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description='"<kind>/<id>", as the site file names it'),
]
SiteName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
CommandId = Annotated[str, Meta(min_length=1, max_length=128, description="the journal entry that asks for it, or of a fire its record")]
Whole = Annotated[int, Meta(ge=0, le=2**53)]
Why = Annotated[str, Meta(max_length=500)]
SettingText = Annotated[
    str,
    Meta(
        max_length=500,
        description='a gate: "in", "out", "both", "closed", "metered 40/min", "metered 40/min both", "wave in 50s hold 10s out 110s"; '
        'a barrier: "raise", "lower"; a link: "one_way", "one_way_back", "both"; a sign: null',
    ),
]
LostSetting = Annotated[str, Meta(pattern="^(in|out|both|closed)$")]


class ProtocolError(ValueError):
    """The bytes are no such message; the text says what was found and what was expected."""


class Outcome(StrEnum):
    """What became of one attempt at a controller."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    STALE = "stale"
    FENCED = "fenced"
    EXPIRED = "expired"
    FAILED = "failed"


class Words(Struct, frozen=True):
    """A text in both languages."""

    zh: Annotated[str, Meta(max_length=1000)]
    en: Annotated[str, Meta(max_length=1000)]


class Phase(Struct, frozen=True, array_like=True):
    """One phase of a wave."""

    way: Literal["in", "out", "both", "hold"]
    seconds: Annotated[int, Meta(ge=1)]


class Command(Struct, frozen=True, kw_only=True):
    """Be so. A command is absolute: it never says "the other way round" or "one more"."""

    v: Literal[1] = 1
    command: CommandId
    site: SiteName
    device: DeviceName
    setting: Annotated[SettingText | None, Meta(description="how the device is to be")]
    may_enter: Annotated[bool | None, Meta(description="gates: whether people may go in, in some phase at least")] = None
    may_leave: Annotated[bool | None, Meta(description="gates: whether people may go out, in some phase at least")] = None
    per_min: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="metered gates: people let in a minute, at most")] = None
    phases: Annotated[tuple[Phase, ...] | None, Meta(description="waves: way and seconds of each phase, in turn and for ever")] = None
    text: Annotated[Words | None, Meta(description="signs: what to show; null shows nothing")] = None
    revision: Annotated[Whole, Meta(description="obey only what is greater than the last obeyed")]
    attempt: Annotated[int, Meta(ge=1, le=2**53, description="counts the sendings of one revision; each is tried once")]
    generation: Annotated[Whole, Meta(description="of the service; obey none lower than the highest seen")]
    not_before: Annotated[Moment | None, Meta(description="do not start before")] = None
    expires: Annotated[Moment, Meta(description="do not start after")]
    on_lost: Annotated[LostSetting | None, Meta(description="gates: how to be without a connection")] = None
    drill: Annotated[bool, Meta(description="an exercise")] = False
    fire: Annotated[bool, Meta(description="a fire is reported: obey before all else")] = False
    reason: Annotated[str, Meta(max_length=64)] = ""
    sent: Moment

    def __post_init__(self) -> None:
        """Refuse a setting that such a device cannot have."""
        check_setting(self.device, self.setting)


class Ack(Struct, frozen=True, kw_only=True):
    """What became of an attempt."""

    v: Literal[1] = 1
    command: CommandId
    device: DeviceName
    revision: Whole
    attempt: Annotated[int, Meta(ge=1, le=2**53)]
    outcome: Outcome
    why: Why | None = None
    at: Moment


class Passed(Struct, frozen=True, rename={"came_in": "in", "went_out": "out"}):
    """People who passed since the last message of state that said so."""

    came_in: Annotated[int, Meta(ge=0, le=1_000_000)]
    went_out: Annotated[int, Meta(ge=0, le=1_000_000)]


class State(Struct, frozen=True, kw_only=True):
    """How a device is, or, as its last will, that nobody knows any more."""

    v: Literal[1] = 1
    device: DeviceName
    link: Annotated[Literal["up", "lost"], Meta(description="lost: the last will, published by the broker")]
    setting: Annotated[SettingText | None, Meta(description="how it is now; null while it is not known")] = None
    revision: Annotated[Whole, Meta(description="the last that was obeyed; 0 if none was")] = 0
    attempt: Annotated[Whole, Meta(description="the highest attempt seen of that revision")] = 0
    generation: Annotated[Whole, Meta(description="the highest seen of the service")] = 0
    command: CommandId | None = None
    by: Annotated[
        Literal["command", "lost", "local"], Meta(description="why it is so: commanded, fallen to on_lost, or turned at the device itself")
    ] = "command"
    on_lost: Annotated[LostSetting | None, Meta(description="gates: how it will be without a connection")] = None
    fault: Why | None = None
    passed: Passed | None = None
    at: Moment | None = None

    def __post_init__(self) -> None:
        """Refuse a setting that such a device cannot have."""
        check_setting(self.device, self.setting)


class Status(Struct, frozen=True, kw_only=True):
    """Whether the service lives; its last will says "lost"."""

    v: Literal[1] = 1
    generation: Whole
    state: Literal["up", "lost"]


M = TypeVar("M", Command, Ack, State, Status)
_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {cls: msgspec.json.Decoder(cls) for cls in (Command, Ack, State, Status)}
_ENCODER: Final = msgspec.json.Encoder()
_CMD: Final = re.compile(rf"{ROOT}/([^/]+)/((?:{'|'.join(KINDS)})/[^/]+)/(cmd|cmd/ack|state)")


def read(cls: type[M], data: bytes) -> M:
    """The message of type `cls` in `data`; raises `ProtocolError` whatever the bytes are."""
    if len(data) > MOST_BYTES:
        raise ProtocolError(f"found {len(data)} bytes, expected at most {MOST_BYTES}")
    try:
        found: M = _DECODERS[cls].decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise ProtocolError(f"no {cls.__name__.lower()}: {error}"[:500]) from error
    return found


def write(message: Command | Ack | State | Status) -> bytes:
    """The bytes of `message`."""
    return _ENCODER.encode(message)


def check_setting(device: str, setting: str | None) -> None:
    """Raise ValueError for a `setting` that `device` ("<kind>/<id>") cannot have; None is one that is not known, or a sign's."""
    kind = device.partition("/")[0]
    if setting is None:
        return
    if kind == "gate":
        Setting.parse(setting)
    elif kind == "barrier" and setting not in BARRIER_WAYS:
        raise ValueError(f'found "{setting}", expected "raise" or "lower"')
    elif kind == "link" and setting not in LINK_WAYS:
        raise ValueError(f'found "{setting}", expected one of {", ".join(LINK_WAYS)}')
    elif kind == "sign":
        raise ValueError("found a setting for a sign, expected a text")


def canonical_setting(device: str, setting: str | None) -> str | None:
    """`setting` in its one spelling."""
    return str(Setting.parse(setting)) if setting is not None and device.startswith("gate/") else setting


def topic(site: str, device: str, leaf: Literal["cmd", "cmd/ack", "state"]) -> str:
    """Where messages about `device` ("gate/gate-3") of `site` go.

    >>> topic("yuyuan", "gate/gate-3", "cmd/ack")
    'flowwatch/v1/yuyuan/gate/gate-3/cmd/ack'
    """
    return f"{ROOT}/{site}/{device}/{leaf}"


def read_topic(name: str) -> tuple[str, str, str] | None:
    """(site, device, leaf) of a device's topic; None for any other."""
    found = _CMD.fullmatch(name)
    return (found[1], found[2], found[3]) if found else None


def moment(us: int) -> datetime:
    """Microseconds since 1970 as a moment."""
    return _EPOCH + timedelta(microseconds=us)
