"""Texts of a table's cells become numbers and times, by the import document.

Cells repeat: of a block's thousands of rows a column has a few hundred different texts. So these functions get the distinct texts of a column
and give an array in their order; whoever has the rows takes from it. Blanks around a text mean nothing. What cannot be read becomes
`UNREADABLE`, what is empty `ABSENT`. Knows no rows, no files and no counters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd
from msgspec import UnsetType

from flowwatch.adapters.mapping import ISO, NUMBERS, Time
from flowwatch.adapters.ndjson import DECLARED_IDS, MOST
from flowwatch.adapters.times import microseconds
from flowwatch.core.readings import ABSENT, Ints
from flowwatch.documents.words import duration_us

UNREADABLE: Final = ABSENT + 1
"""Stands for a text that is no number or time; no count, sequence or time can be this number."""

_WHOLE: Final = re.compile(r"([+-]?\d{1,19})(?:\.0*)?", re.ASCII)
"""A whole number, as pandas writes it too when a column has gaps: "12.0"."""
_DECIMAL: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{0,18})?", re.ASCII)
_OFFSET: Final = r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"
_DATE_LENGTH: Final = 10


def counts(texts: Sequence[str]) -> Ints:
    """People, of any sign, as far from zero as a count may be."""
    return np.array([_whole(text, -MOST, MOST) for text in texts], np.int64)


def sequences(texts: Sequence[str]) -> Ints:
    """Device sequence numbers."""
    return np.array([_whole(text, 0, DECLARED_IDS - 1) for text in texts], np.int64)


def times(time: Time) -> Callable[[Sequence[str]], Ints]:
    """What reads the texts of `time.from` as microseconds since 1970-01-01T00:00Z."""
    shift = duration_us(time.shift)
    read = _numbers(time) if time.format in NUMBERS else _clocks(time)

    def shifted(texts: Sequence[str]) -> Ints:
        at = read([text.strip() for text in texts])
        return np.where(at == UNREADABLE, UNREADABLE, at + shift)

    return shifted


def _whole(text: str, least: int, most: int) -> int:
    text = text.strip()
    match = _WHOLE.fullmatch(text)
    if match is None:
        return UNREADABLE if text else ABSENT
    number = int(match[1])
    return number if least <= number <= most else UNREADABLE


def _numbers(time: Time) -> Callable[[Sequence[str]], Ints]:
    epoch = 0 if isinstance(time.epoch, UnsetType) else microseconds(time.epoch)
    unit = NUMBERS[time.format]

    def one(text: str) -> int:
        if not _DECIMAL.fullmatch(text):
            return UNREADABLE
        at = epoch + int((Decimal(text) * unit).to_integral_value())
        return at if abs(at) < 2**62 else UNREADABLE

    return lambda texts: np.array([one(text) for text in texts], np.int64)


def _clocks(time: Time) -> Callable[[Sequence[str]], Ints]:
    zone = None if isinstance(time.zone, UnsetType) else time.zone
    pattern = "ISO8601" if time.format == ISO else time.format

    def read(texts: Sequence[str]) -> Ints:
        column = pd.Series(list(texts), dtype=object)
        if time.format == ISO:
            told = column.str.slice(_DATE_LENGTH).str.contains(_OFFSET).to_numpy(bool)
        else:
            told = np.full(len(column), "%z" in time.format)
        at = np.full(len(column), UNREADABLE)
        if told.any():
            at[told] = _microseconds(_parsed(column[told], pattern, utc=True))
        if zone is not None and not told.all():
            local = _parsed(column[~told], pattern, utc=False)
            first = np.ones(len(local), np.bool_)
            at[~told] = _microseconds(local.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward"))
        return at

    return read


def _parsed(column: Any, pattern: str, *, utc: bool) -> Any:
    return pd.to_datetime(column, format=pattern, errors="coerce", utc=utc)


def _microseconds(column: Any) -> Ints:
    """Aware times as microseconds since the epoch."""
    moments = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return np.where(moments == ABSENT, UNREADABLE, moments)
