"""What a CAP message is called: the 31 characters of the Chinese profile, `ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N`, none of them twice.

The first 14 are the installation's (`feeds.cap.code` of the deployment file: administrative division, department, unit, kind); then the second in
which the message was made, by the clock of the site; then one character, 0-9 and A-Z, that tells messages of one second apart. Two seconds that
a clock shows twice (when summer time ends), and sites in several time zones, are one second here: what must differ is the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents.words import time_zone
from flowwatch.journal import Journal

LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME: Final = re.compile(r"([0-9A-Z]{14})_(\d{14})_([0-9A-Z])", re.ASCII)
_SECOND_US: Final = 1_000_000


def is_name(text: str) -> bool:
    """Whether the text is an identifier of this profile.

    >>> is_name("31010100000001_20261001140300_0"), is_name("../../31010100000001_20261001140300_0")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None


class CapNames:
    """Gives identifiers, for one thread; about 100 bytes of memory for each second that has one, for ever, so that none comes twice."""

    def __init__(self, code: str) -> None:
        """`code`: the first 14 characters, 0-9 and A-Z. Raises ValueError for another."""
        if not is_name(f"{code}_{0:014d}_0"):
            raise ValueError(f'found the code "{code}", expected 14 characters 0-9 and A-Z')
        self._code = code
        self._taken: dict[int, int] = {}
        """The second as digits -> how many of its letters are gone."""

    def used(self, identifier: str) -> None:
        """That a message has this name already; what is no name of this installation is passed over."""
        found = _NAME.fullmatch(identifier)
        if found is not None and found[1] == self._code:
            second = int(found[2])
            self._taken[second] = max(self._taken.get(second, 0), LETTERS.index(found[3]) + 1)

    def next(self, at_us: int, zone: str) -> str:
        """The name of a message of that moment (microseconds UTC) at a site in the time zone `zone`. Raises ValueError for an unknown zone.

        Where a second has given all of its 36 names, the next one is taken.

        >>> names = CapNames("31010100000001")
        >>> names.next(1_790_834_580_000_000, "Asia/Shanghai"), names.next(1_790_834_580_999_999, "Asia/Shanghai")
        ('31010100000001_20261001140300_0', '31010100000001_20261001140300_1')
        """
        clock = time_zone(zone)
        at = at_us // _SECOND_US
        while (gone := self._taken.get(second := _shown(at, clock), 0)) == len(LETTERS):
            at += 1
        self._taken[second] = gone + 1
        return f"{self._code}_{second:014d}_{LETTERS[gone]}"


class _Cap(Struct, frozen=True):
    cap: str | None = None


_READ: Final = msgspec.json.Decoder(_Cap)


def name_in(entry: Entry) -> str | None:
    """The identifier that an entry of the book bears, None where it is no CAP message."""
    if entry.kind is not EntryKind.ALERT or b'"cap":"' not in entry.body:
        return None
    found = _READ.decode(entry.body).cap
    return found if found is not None and is_name(found) else None


def names_in(book: Journal) -> Iterator[str]:
    """The identifiers of all messages that the book of handling holds."""
    for entry in book.entries(kind=EntryKind.ALERT):
        name = name_in(entry)
        if name is not None:
            yield name


def _shown(at: int, clock: ZoneInfo) -> int:
    """The digits of the second `at` on the site's clock."""
    local = (datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(seconds=at)).astimezone(clock)
    return int(f"{local.year:04d}{local:%m%d%H%M%S}")
