"""Numbers, texts and the pieces of JSON documents, taken as they come or refused; whatever devices write, nothing is guessed.

A document is opened level by level. A piece that is passed on keeps its bytes, so that a row which is refused is kept as it was sent, and only
what is looked at is decoded.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from flowwatch.adapters.devices.message import Refused
from flowwatch.adapters.ndjson import MOST
from flowwatch.core.readings import Reason

LONGEST_LIST: Final = 20_000
"""Elements of a list, or members of an object, that are looked at."""
_WHOLE: Final = re.compile(r"([+-]?\d{1,16})(?:\.0{0,9})?", re.ASCII)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: Final[msgspec.json.Decoder[object]] = msgspec.json.Decoder(object)
_BLANKS: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_TEXT: Final = 4096
_FAULTS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)

Members = dict[str, bytes]


def whole(text: str | None, what: str) -> int | None:
    """The whole number that `text` is, "12" or "12.0"; None for no text. Raises `Refused` for anything else, and for one out of range."""
    if text is None or not text.strip():
        return None
    match = _WHOLE.fullmatch(text.strip())
    number = int(match[1]) if match else 0
    if match is None or abs(number) > MOST:
        raise Refused(Reason.UNREADABLE, f"{what} is no whole number that people can be counted with")
    return number


def opened(raw: bytes) -> Members | list[bytes]:
    """The members of an object or the elements of a list, each as its bytes. Raises `Refused` for anything else."""
    raw = raw.removeprefix(_BOM).lstrip(_BLANKS)
    try:
        found = _LIST.decode(raw) if raw[:1] == b"[" else _OBJECT.decode(raw)
    except _FAULTS as error:
        raise Refused(Reason.UNREADABLE, "no JSON object") from error
    if len(found) > LONGEST_LIST:
        raise Refused(Reason.UNREADABLE, f"{len(found):,} elements, expected {LONGEST_LIST:,} at most")
    if isinstance(found, dict):
        return {name: bytes(value) for name, value in found.items()}
    return [bytes(element) for element in found]


def members(raw: bytes | None, what: str = "the message") -> Members:
    """The members of an object. Raises `Refused` where there is none."""
    found = {} if raw is None else opened(raw)
    if raw is None or isinstance(found, list):
        raise Refused(Reason.UNREADABLE, f"{what} is no JSON object")
    return found


def elements(raw: bytes | None, what: str) -> list[bytes]:
    """The elements of a list. Raises `Refused` where there is none."""
    found = {} if raw is None else opened(raw)
    if isinstance(found, dict):
        raise Refused(Reason.UNREADABLE, f"{what} is no JSON list")
    return found


def text(raw: bytes | None) -> str | None:
    """A string or a number as text; None for no such member, null, and what is neither. Raises `Refused` for what is no JSON at all."""
    if raw is None or len(raw) > _LONGEST_TEXT or raw[:1] in {b"{", b"["}:
        return None
    try:
        value = _ANY.decode(raw)
    except _FAULTS as error:
        raise Refused(Reason.UNREADABLE, "no JSON") from error
    if isinstance(value, str):
        return value
    return None if value is None or isinstance(value, bool) else raw.decode(errors="replace").strip()


def count(raw: bytes | None, what: str) -> int | None:
    """A count, written as a number or as a string; None where it is not given. Raises `Refused` where it is no whole number."""
    value = text(raw)
    if value is None and raw is not None and raw.strip(_BLANKS) != b"null":
        raise Refused(Reason.UNREADABLE, f"{what} is no whole number")
    return whole(value, what)
