"""What a message holds becomes a batch: readings under their counters' names, and what is none with a line that says whose and why.

Every message gives at least one row. Bytes that are refused begin with a line "<family> <device>: <why>" and go on as they came, because the
log keeps them and not the way they came: of a message over MQTT the topic alone says which device sent it. The bytes of a reading, which the
log keeps where it knows no such counter, begin in the same way.

A reading is known again however often it is sent, in whatever order: by the device, the time or interval, and the kind of count. Of deltas and
headcounts this is a declared identity. Totals need an order too, and the engine takes the sequence for it: theirs is the event time, and
since many devices write times to the second and send more often, the people counted so far stand in the microseconds: of two totals of one second
the larger is the newer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from flowwatch.adapters.batch import Batch, Refusal
from flowwatch.adapters.devices.message import Known, Message, Refused
from flowwatch.adapters.ndjson import MOST, identity
from flowwatch.core.readings import ABSENT, SECOND, Ints, Kind, Reason
from flowwatch.log.readings import Readings

LONGEST: Final = 1 << 20
"""Bytes of a message in JSON or CSV; what is longer is refused unread. The largest known, a feed of 150 places, has 43,053."""
MOST_ROWS: Final = 20_000
"""Rows of a message; what is behind them is refused together. An export by the minute has them in two weeks, and longer ones are archives."""


@dataclass(frozen=True, slots=True)
class Found:
    """One count of a device; figures that it does not give are None. `within`: what tells it from others of that kind and time."""

    device: Known
    kind: Kind
    at: int
    ingress: int | None = None
    egress: int | None = None
    inside: int | None = None
    within: str = ""


class _Full(Exception):  # noqa: N818 - no error: the end of a message that has no end
    """The sheet has `MOST_ROWS`."""


Reader = Callable[[bytes], Found]


class Sheet:
    """Collects the rows of one message."""

    def __init__(self, family: str, message: Message) -> None:
        self._family = family
        self._message = message
        self._found: list[Found] = []
        self._raw: list[bytes] = []
        self._refused: list[Refusal] = []

    @property
    def rows(self) -> int:
        """Rows so far."""
        return len(self._found) + len(self._refused)

    def take(self, raw: bytes, reader: Reader) -> None:
        """Add what `reader` finds in `raw`; where it raises `Refused`, or finds no figure, that is a refusal."""
        try:
            found = reader(raw)
        except Refused as refused:
            self.refuse(raw, refused)
            return
        figures = [figure for figure in (found.ingress, found.egress, found.inside) if figure is not None]
        if not figures:
            self.refuse(raw, Refused(Reason.MISSING_COUNT, "no count", found.device.name))
        elif max(map(abs, figures)) > MOST:
            self.refuse(raw, Refused(Reason.UNREADABLE, "more people than can be counted", found.device.name))
        else:
            self._make_room()
            self._found.append(found)
            self._raw.append(raw)

    def refuse(self, raw: bytes, refused: Refused) -> None:
        """Add a refusal."""
        self._make_room()
        self._refused.append(Refusal(len(self._found), self._headed(raw, refused.device, refused.why), refused.reason))

    def close(self) -> None:
        """Refuse the message for what is behind the last row that had room."""
        why = f"more than {MOST_ROWS:,} rows; what follows the first {MOST_ROWS:,} of them is not read"
        self._refused.append(Refusal(len(self._found), self._headed(self._message.body, "", why), Reason.UNREADABLE))

    def _make_room(self) -> None:
        if self.rows >= MOST_ROWS:
            raise _Full

    def batch(self) -> Batch:
        """All rows, with the message's receipt time."""
        if not self._found and not self._refused:
            self.refuse(self._message.body, Refused(Reason.MISSING_COUNT, "no count"))
        found, received = self._found, self._message.received
        n = len(found)
        readings = Readings(
            names=[f.device.counter for f in found],
            kind=np.array([f.kind for f in found], np.uint8),
            at=_column([f.at for f in found]),
            received=np.full(n, received, np.int64),
            seq=_column([_sequence(self._family, f) for f in found]),
            ordinal=np.zeros(n, np.int32),
            ingress=_column([f.egress if f.device.swap else f.ingress for f in found]),
            egress=_column([f.ingress if f.device.swap else f.egress for f in found]),
            headcount=_column([f.inside for f in found]),
            raw=lambda i: self._headed(self._raw[i], found[i].device.name, "read as " + found[i].device.counter),
        )
        return Batch(readings, [refusal._replace(received=received) for refusal in self._refused])

    def _headed(self, raw: bytes, device: str, why: str) -> bytes:
        head = f"{self._family} {device}: {why}\n" if device else f"{self._family}: {why}\n"
        return head.encode(errors="replace") + raw


def gather(family: str, message: Message, fill: Callable[[Sheet], None], longest: int = LONGEST) -> Batch:
    """The batch of what `fill` puts on a sheet; where it raises `Refused`, the message is refused. So is one of more bytes than `longest`."""
    sheet = Sheet(family, message)
    try:
        try:
            _not_longer(message.body, longest)
            fill(sheet)
        except Refused as refused:
            sheet.refuse(message.body, refused)
    except _Full:
        sheet.close()
    return sheet.batch()


def _not_longer(body: bytes, longest: int) -> None:
    if len(body) > longest:
        raise Refused(Reason.UNREADABLE, f"{len(body):,} bytes, expected {longest:,} at most")


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal's first line apart from the bytes as they came; `device` is "" where nobody knows."""

    family: str
    device: str
    why: str
    raw: bytes


def told(refused: bytes) -> Told:
    """What the bytes of a device's refusal say."""
    head, _, raw = refused.partition(b"\n")
    owner, _, why = head.decode(errors="replace").rpartition(": ")
    family, _, device = owner.partition(" ")
    return Told(family, device, why, raw)


def _column(values: list[int | None] | list[int]) -> Ints:
    return np.array([ABSENT if value is None else value for value in values], np.int64)


def _sequence(family: str, found: Found) -> int:
    if found.kind is not Kind.CUMULATIVE:
        return identity(f"{family}|{found.device.name}|{found.kind.name}|{found.at}|{found.within}")
    people = (found.ingress or 0) + (found.egress or 0)
    return found.at if found.at % SECOND else found.at + min(max(people, 0), SECOND - 1)
