"""RFC 3339 texts become microseconds since the epoch, a whole column at a time.

Decides what counts as a point in time: a date, a time and an offset, as RFC 3339 section 5.6 writes them ("T" and "Z" in either case, a
blank for "T", any number of decimals, cut to microseconds; a leap second :60 is the first moment of the next minute). A time without an
offset says nothing about when and is refused. Knows nothing of counters.

Devices report in step, so neighbours in a column are mostly equal: the texts are laid out as one matrix of bytes, each run of equal rows
is read once, and all distinct rows are read together by arithmetic on digits. A column that is not of one layout is read text by text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np

from flowwatch.core.readings import ABSENT, Bytes, Ints

SHAPE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_ZERO, _NINE, _DOT, _NEWLINE = b"09.\n"
_PUNCTUATION: Final = ((4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":"))
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_BEFORE_MONTH: Final = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])


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
    n = len(texts)
    if not n:
        return np.zeros(0, np.int64)
    flat = np.frombuffer("\n".join([*texts, ""]).encode(errors="replace"), np.uint8)
    width, rest = divmod(len(flat), n)
    if rest or width < 21:
        return _one_by_one(texts)
    rows = flat.reshape(n, width)
    changed = flat[width:] != flat[:-width]
    if np.count_nonzero(changed) >= n:
        times = arithmetic(rows)
        return _one_by_one(texts) if times is None else times
    heads = np.concatenate([[0], np.unique(np.flatnonzero(changed) // width) + 1])
    read = arithmetic(rows[heads]) if len(heads) > 64 else np.array([microseconds(texts[i]) for i in heads.tolist()], np.int64)
    return _one_by_one(texts) if read is None else np.repeat(read, np.diff(heads, append=n))


def _one_by_one(texts: Sequence[str]) -> Ints:
    known = {text: microseconds(text) for text in set(texts)}
    return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))


def arithmetic(rows: Bytes) -> Ints | None:
    """The times of a matrix of texts (n, width), each ended by a newline; None unless all are valid and of the first one's layout."""
    cells = np.ascontiguousarray(rows.T)
    zulu = bool(cells[-2, 0] in b"Zz")
    zone = -2 if zulu else -7
    decimals = cells[19:zone]
    if len(decimals) == 1 or not (cells[-1] == _NEWLINE).all():
        return None
    ok = np.ones(len(rows), np.bool_)
    for place, allowed in (*_PUNCTUATION, *(((-2, b"Zz"),) if zulu else ((-4, b":"), (-7, b"+-")))):
        ok &= np.logical_or.reduce([cells[place] == one for one in allowed])
    digits = cells - np.uint8(_ZERO)
    for place in (*_DIGITS, *(() if zulu else (-6, -5, -3, -2)), *range(20, len(cells) + zone)):
        ok &= digits[place] <= 9
    if len(decimals):
        ok &= decimals[0] == _DOT
    if not ok.all():
        return None
    wide = digits.astype(np.int64)

    def two(place: int) -> Ints:
        number: Ints = wide[place] * 10 + wide[place + 1]
        return number

    year, month, day = two(0) * 100 + two(2), two(5), two(8)
    hour, minute, second = two(11), two(14), two(17)
    ahead_h, ahead_min = (two(-6), two(-3)) if not zulu else (np.zeros_like(year), np.zeros_like(year))
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    known = np.minimum(month, 12)
    fits = (year > 0) & (month > 0) & (month < 13) & (day > 0) & (day <= _MONTH_DAYS[known] + (leap & (month == 2)))
    fits &= (hour < 24) & (minute < 60) & (second < 61) & (ahead_h < 24) & (ahead_min < 60)
    if not fits.all():
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 + _BEFORE_MONTH[known] + (leap & (month > 2)) + day - _EPOCH_DAY
    ahead = (ahead_h * 60 + ahead_min) * np.where(cells[-7] == ord("-"), -1, 1)
    times: Ints = (((days * 24 + hour) * 60 + minute - ahead) * 60 + second) * 1_000_000
    for place, weight in zip(range(20, min(26, len(cells) + zone)), (100_000, 10_000, 1_000, 100, 10, 1), strict=False):
        times += wide[place] * weight
    return times
