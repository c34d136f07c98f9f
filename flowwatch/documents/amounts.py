"""Amounts as people write them where a document wants a plain number (1,500; 1.5万; 7200/h), only to say what was probably meant.

A near miss that is wrong by its unit is worse than none: who copies it has a plan that counts by the hour what it meters by the minute. So
there is no answer where the text holds two numbers, or a unit that is not known here.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Final

_NUMBER: Final = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?\s*(?:([kK千]|[wW万])(?![A-Za-z]))?")
_TIMES: Final = {"": 1, "k": 1000, "千": 1000, "w": 10_000, "万": 10_000}
_AREA: Final = re.compile(r"m2|m\^2|m²|㎡|平方米|平米|sqm|sq m")
_PER: Final = re.compile(r"(?:/|每|\bper\b|\ban?\b)\s*([A-Za-z]+|小时|时|分钟|分|秒)?")
_MINUTES: Final = {
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m", "分钟", "分"), Fraction(1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "时"), Fraction(60)),
    **dict.fromkeys(("s", "sec", "second", "seconds", "秒"), Fraction(1, 60)),
}
"""A unit of time in minutes."""


def ascii_of(text: str) -> str:
    """`text` with the full-width digits, letters and marks of Chinese input methods as plain ones.

    >>> ascii_of("８０％，１７：００")
    '80%,17:00'
    """
    return unicodedata.normalize("NFKC", text).translate(str.maketrans("、。“”‘’", ",.\"\"''"))


def amount(text: str) -> Fraction | None:
    """The one number in `text`.

    >>> amount("1,500 persons"), amount("1.5万人"), amount("40 to 60")
    (Fraction(1500, 1), Fraction(15000, 1), None)
    """
    bare = _AREA.sub("", ascii_of(text))
    found = _NUMBER.findall(bare)
    if len(found) != 1 or re.search(r"[0-9]", _NUMBER.sub("", bare)):
        return None
    whole, decimals, scale = found[0]
    return Fraction(whole.replace(",", "") + decimals) * _TIMES[scale.lower()]


def per_minute(text: str) -> Fraction | None:
    """The one number in `text`, by the minute; as it stands where no time is written.

    >>> per_minute("7200/h"), per_minute("2/s"), per_minute("每小时600人"), per_minute("60/day")
    (Fraction(120, 1), Fraction(120, 1), Fraction(10, 1), None)
    """
    number, units = amount(text), [unit.lower() for unit in _PER.findall(ascii_of(text))]
    time = units[-1] if units else "min"
    return number / _MINUTES[time] if number is not None and time in _MINUTES else None


def per_area(text: str) -> bool:
    """Whether `text` gives square metres a person, and not persons a square metre.

    >>> per_area("0.5 m²/person"), per_area("2 persons/m2")
    (True, False)
    """
    return re.search(rf"(?:{_AREA.pattern})\s*(?:/|每|per)", text) is not None


def written(number: Fraction) -> str:
    """A number as documents have it.

    >>> written(Fraction(120)), written(Fraction(7, 2))
    ('120', '3.5')
    """
    return str(number.numerator) if number.denominator == 1 else f"{float(number):g}"
