"""Hikvision cameras: people counting events of ISAPI, in XML, alone or beside pictures in a multipart body.

One camera may send two kinds of count, and often sends both: `realTime`, running totals at every passage, and `timeRange` (also
`signalTrigger`), the people of an interval. Adding them up would count everybody twice. Each is a reading of its own kind, and which of them
counts is said in one place, by `counts` of the counter in the site file; the engine refuses the other as `wrong_kind`, and so it is counted
and kept.

A camera that was cut off sends again what it had not got rid of, marked `isDataRetransmission`. The mark changes nothing: the interval and the
time say which message it is. The time is that of the count (RealTime, the end of TimeRange); the envelope's `dateTime`, which was seen two
days off, stands in only where that is missing. Three XML namespaces are in use, often in one device, so none is asked for.

A device is its MAC address (its IP address where it does not say one), followed by "/channel" if that is not 1, and by "/channel/region" if the
region is not 1.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.clock import instant
from flowwatch.adapters.devices.message import Devices, Message, Refused, named, speaking
from flowwatch.adapters.devices.parts import boundary, parts
from flowwatch.adapters.devices.sheet import Found, Sheet, gather
from flowwatch.adapters.devices.values import whole
from flowwatch.core.readings import Kind, Reason

NAME: Final = "hikvision"
LONGEST_XML: Final = 1 << 18
"""Bytes of an event; those known have under 1,000. What is longer is refused unread."""
LONGEST_BODY: Final = 1 << 27
"""Bytes of a multipart body: pictures are passed over, and cost no more than the search for their end."""
_ROOT: Final = "EventNotificationAlert"
_PADDING: Final = b"\x00 \t\r\n"
_UTF_16: Final = {b"\xff\xfe", b"\xfe\xff"}
"""Byte order marks of texts in which a null byte is half a character."""
_KINDS: Final = {"realtime": Kind.CUMULATIVE, "timerange": Kind.DELTA, "signaltrigger": Kind.DELTA}


def looks_like(message: Message) -> bool:
    """Whether this is an event of ISAPI."""
    return _ROOT.encode() in message.body[:4096]


def read(message: Message, devices: Devices) -> Batch:
    """The counts of an event, or of all events in a multipart body; its pictures are passed over."""
    mark = boundary(message.body, message.content_type)
    if mark is None:
        return gather(NAME, message, lambda sheet: sheet.take(message.body, lambda raw: _event(raw, message, devices)), LONGEST_XML)

    def fill(sheet: Sheet) -> None:
        for headers, content in parts(message.body, mark):
            if "xml" in headers or content[:1] == b"<":
                sheet.take(content, lambda raw: _event(raw, message, devices))
        if not sheet.rows:
            raise Refused(Reason.UNREADABLE, "no XML in a multipart body")

    return gather(NAME, message, fill, LONGEST_BODY)


def _event(raw: bytes, message: Message, devices: Devices) -> Found:
    event = _children(_root(raw))
    counting = _children(event.get("peopleCounting"))
    name = _name(event, counting)
    with speaking(name):
        if (_text(event, "eventType") or "").lower() != "peoplecounting":
            raise Refused(Reason.MISSING_COUNT, "an event that is no people counting")
        device = devices.find(name)
        method = (_text(counting, "statisticalMethods") or "").lower()
        if method not in _KINDS:
            raise Refused(Reason.UNREADABLE, "no statisticalMethods that is known, expected realTime or timeRange")
        kind, span = _KINDS[method], _children(counting.get("TimeRange"))
        said = _text(_children(counting.get("RealTime")), "time") if kind is Kind.CUMULATIVE else _text(span, "endTime")
        at = instant(said or _text(event, "dateTime"), message.received, device.zone)
        start = _text(span, "startTime")
        begin = "" if start is None else str(instant(start, message.received, device.zone))
        ingress, egress = (whole(_text(counting, way), way) for way in ("enter", "exit"))
        return Found(device, kind, at, ingress, egress, within=f"{method} from {begin}")


def _root(raw: bytes) -> Element:
    if len(raw) > LONGEST_XML:
        raise Refused(Reason.UNREADABLE, f"{len(raw):,} bytes of XML, expected {LONGEST_XML:,} at most")
    try:
        root: Element = fromstring(raw if raw[:2] in _UTF_16 else raw.strip(_PADDING), forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        raise Refused(Reason.UNREADABLE, "no XML, or XML with a document type or entities") from error
    if _local(root) != _ROOT:
        raise Refused(Reason.UNREADABLE, f"no {_ROOT}")
    return root


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(element: Element | None) -> dict[str, Element]:
    """The children by name without namespace; the first of several."""
    return {} if element is None else {_local(child): child for child in reversed(element)}


def _text(children: dict[str, Element], name: str) -> str | None:
    text = (children[name].text or "").strip() if name in children else ""
    return text or None


def _name(event: dict[str, Element], counting: dict[str, Element]) -> str:
    owner = _text(event, "macAddress") or _text(event, "ipAddress") or "?"
    places = [_text(event, "channelID") or "1", _text(counting, "regionsID") or "1"]
    while places and places[-1] == "1":
        places.pop()
    return named(owner, *places)
