"""Days: the public holidays of a country and the dated events of a plan, as ranges of day numbers (days since 1970-01-01, both inclusive).

The dates come from the PyPI library `holidays`, which is asked while documents are compiled and never later: the record carries them, so the
engine and a replay need no library. *Holiday* is a day off of a public holiday, together with the weekend that adjoins it: what China's State
Council announces as one holiday ("October 1 to 8") is one holiday here too. *Makeup* is a Saturday or Sunday on which people work instead.

Where a country moves its working days by yearly decree, nobody knows them beyond the last decree; elsewhere the rules are known for good, and
the table ends with the years that documents can speak of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from flowwatch.documents.words import FIRST_YEAR, LAST_YEAR

EPOCH: Final = date(1970, 1, 1)
Range = tuple[int, int]
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Holidays:
    """What is known of a country: ranges of day numbers, and the last day of which anything is known."""

    holiday: tuple[Range, ...]
    makeup: tuple[Range, ...]
    until: int


def number(day: date) -> int:
    """The number of a day.

    >>> number(date(2026, 10, 1))
    20727
    """
    return (day - EPOCH).days


def ranges(days: Iterable[int]) -> tuple[Range, ...]:
    """Day numbers as ranges, in order.

    >>> ranges([5, 1, 2, 6])
    ((1, 2), (5, 6))
    """
    found: list[Range] = []
    for day in sorted(set(days)):
        if found and found[-1][1] == day - 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)


@lru_cache(maxsize=16)
def holidays_of(country: str) -> Holidays:
    """The public holidays of a country by its code (`CN`), for all years that are known."""
    # Imported here: only documents with a calendar need it, and it reads a module for each country.
    from holidays import country_holidays  # noqa: PLC0415

    known: Any = country_holidays(country)
    last = LAST_YEAR
    if known.has_substituted_holidays:
        last = min(last, max((int(year) for year in getattr(known, "special_public_holidays", {})), default=FIRST_YEAR))
    public: Any = country_holidays(country, years=range(FIRST_YEAR, last + 1))
    worked = {day for day in public.weekend_workdays if day.weekday() >= _SATURDAY}
    days = [date(FIRST_YEAR, 1, 1) + timedelta(i) for i in range((date(last + 1, 1, 1) - date(FIRST_YEAR, 1, 1)).days)]
    off = ranges(number(day) for day in days if day in public or (day.weekday() >= _SATURDAY and day not in worked))
    named = {number(day) for day in days if day in public}
    return Holidays(
        holiday=tuple(span for span in off if any(day in named for day in range(span[0], span[1] + 1))),
        makeup=ranges(number(day) for day in worked if day.year <= last),
        until=number(date(last, 12, 31)),
    )
