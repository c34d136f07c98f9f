"""RFC 3339 texts become microseconds since the epoch, a whole column at a time.

Decides what counts as a point in time: a date, a time and an offset, as RFC 3339 section 5.6 writes them ("T" and "Z" in either case, a
blank for "T", any number of decimals, cut to microseconds; a leap second :60 is the first moment of the next minute). A time without an
offset says nothing about when and is refused. Knows nothing of counters.

Neighbours in a column mostly differ in their seconds and decimals only. The texts are laid out as one matrix of bytes; the rest of a text is
read once for each run of rows that have it in common, seconds and decimals by arithmetic on all rows. A column that is not of one layout,
or has a text in it that is no time, is read text by text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from flowwatch.core.readings import ABSENT, Bytes, Ints

SHAPE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MINUTE: Final = 16
"""How many characters of a text say date, hour and minute."""
_DECIMALS: Final = 20
"""Where its decimals begin."""


@lru_cache(maxsize=4096)
def microseconds(text: str) -> int:
    """The time that `text` names, in microseconds since 1970-01-01T00:00Z, or `ABSENT` where it names none.

    >>> microseconds("2026-10-01T09:00:00+08:00")
    1790816400000000
    >>> microseconds("2026-10-01T09:00:00") == ABSENT
    True
    """
    match = SHAPE.fullmatch(text)
    if match is None:
        return ABSENT
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, _, sign, ahead_h, ahead_min = match.group(7, 8, 9, 10, 11)
    if hour > 23 or minute > 59 or second > 60 or int(ahead_h or 0) > 23 or int(ahead_min or 0) > 59:
        return ABSENT
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return ABSENT
    ahead = (int(ahead_h or 0) * 60 + int(ahead_min or 0)) * (-1 if sign == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute - ahead) * 60 + second
    return seconds * 1_000_000 + int((fraction or "")[:6].ljust(6, "0"))


def column(texts: Sequence[str]) -> Ints:
    """The times that `texts` name: microseconds (n,), `ABSENT` where a text names none; equal to `microseconds` of each."""
    times = _laid_out(texts) if texts else np.zeros(0, np.int64)
    if times is None:
        known = {text: microseconds(text) for text in set(texts)}
        times = np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))
    return times


def _laid_out(texts: Sequence[str]) -> Ints | None:
    """The times, or None where one text is no time, or is not laid out as the first is."""
    shape = SHAPE.fullmatch(texts[0])
    flat = np.frombuffer("\n".join([*texts, ""]).encode(errors="replace"), np.uint8)
    width, rest = divmod(len(flat), len(texts))
    if shape is None or rest or width != len(texts[0]) + 1:
        return None
    rows = flat.reshape(len(texts), width)
    zone, decimals = shape.start(8 if shape[8] else 9), len(shape[7] or "")
    points = [(_MINUTE, b":"), (width - 1, b"\n"), *([(_DECIMALS - 1, b".")] if decimals else [])]
    seconds, micros = _number(rows, _MINUTE + 1, 2), _number(rows, _DECIMALS, decimals)
    if any((rows[:, place] != point[0]).any() for place, point in points) or seconds is None or micros is None or seconds.max() > 60:
        return None
    differs = (_words(rows, 0)[1:] != _words(rows, 0)[:-1]) | (_words(rows, 8)[1:] != _words(rows, 8)[:-1])
    for place in range(zone, width - 1):
        differs |= rows[1:, place] != rows[:-1, place]
    heads = np.concatenate([[0], np.flatnonzero(differs) + 1])
    minutes = np.array([microseconds(f"{texts[i][:_MINUTE]}:00{texts[i][zone:]}") for i in heads.tolist()], np.int64)
    if (minutes == ABSENT).any():
        return None
    times: Ints = np.repeat(minutes, np.diff(heads, append=len(texts)))
    times += seconds * 1_000_000 + micros * 10 ** (6 - min(decimals, 6))
    return times


def _words(rows: Bytes, place: int) -> npt.NDArray[np.uint64]:
    """Eight bytes of each row (n,), from column `place` on."""
    words: npt.NDArray[np.uint64] = rows[:, place : place + 8].view("<u8")[:, 0]
    return words


def _number(rows: Bytes, place: int, digits: int) -> Ints | None:
    """The numbers (n,) that the first six of the `digits` columns from `place` on spell; None where one of all of them is no digit."""
    number = np.zeros(len(rows), np.int64)
    for i in range(digits):
        digit = rows[:, place + i] - np.uint8(ord("0"))
        if (digit > 9).any():
            return None
        if i < 6:
            number = number * 10 + digit
    return number
