"""When clock conditions can hold at all: windows as sets of seconds of the day, days as sets of bits.

A set of days is one Python integer, bit d for the d-th day that is looked at: all business days from a plan's `valid_from_us` to its
`valid_to_us`; an open end is taken two weeks past the dated days that the plan knows, so that every weekday comes without and with them.
The kinds of day are those of `core/clocks.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flowwatch.core.clocks import WEEKDAYS
from flowwatch.core.network import utc_offset
from flowwatch.core.readings import DAY, SECOND

Window = tuple[tuple[int, int], ...]
"""Spans of seconds after midnight, first included, last not."""
WHOLE_DAY: Final[Window] = ((0, 86400),)
_SOME_MONDAY: Final = 17_532
"""2018-01-01, where nothing is dated: any week is as good as another."""
_FORTNIGHT: Final = 14
_THURSDAY: Final = 3
"""The weekday of day 0, 1970-01-01."""


def window(leaf: Mapping[str, Any]) -> Window:
    """The spans of a compiled `time` condition.

    >>> window({"from_s": 79200, "until_s": 3600})
    ((0, 3600), (79200, 86400))
    """
    since, until = leaf["from_s"], leaf["until_s"]
    if since < until:
        return ((since, until),)
    return tuple(span for span in ((0, until), (since, 86400)) if span[0] < span[1])


def both(one: Window, two: Window) -> Window:
    """The seconds in both."""
    cut = ((max(a, c), min(b, d)) for a, b in one for c, d in two)
    return tuple(span for span in cut if span[0] < span[1])


def seconds(spans: Window) -> int:
    """How many seconds there are in it."""
    return sum(b - a for a, b in spans)


def within(one: Window, two: Window) -> bool:
    """Whether every second of `one` is in `two`."""
    return seconds(both(one, two)) == seconds(one)


class Days:
    """The days of one compiled plan at one compiled site."""

    def __init__(self, site: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
        self._site, self._plan = site, plan
        self._tables: Mapping[str, list[list[int]]] = plan["days"]
        dated = [day for spans in self._tables.values() for span in spans for day in span]
        self._first: int = min([*dated, _SOME_MONDAY if not dated else dated[0]]) - _FORTNIGHT
        self._last: int = max([*dated, _SOME_MONDAY if not dated else dated[0]]) + _FORTNIGHT
        ends = [plan["valid_from_us"], plan["valid_to_us"]]
        known = [at // DAY for at in ends if at is not None]
        self._first, self._last = min([self._first, *(k - _FORTNIGHT for k in known)]), max([self._last, *(k + _FORTNIGHT for k in known)])
        self._known: dict[tuple[tuple[str, ...], int], int] = {}

    def of(self, leaf: Mapping[str, Any]) -> int:
        """The days on which a compiled `day` condition holds while the plan is valid, as bits."""
        key = (tuple(leaf["days"]), leaf["business_day_s"])
        if key not in self._known:
            days = range(self._first, self._last + 1)
            bits = 0
            for kind in leaf["days"]:
                bits |= sum(1 << (d - self._first) for d in days if self._is(kind, d))
            self._known[key] = bits & self._valid(int(leaf["business_day_s"]))
        return self._known[key]

    def _is(self, kind: str, day: int) -> bool:
        weekday = (day + _THURSDAY) % 7
        if kind in WEEKDAYS:
            return WEEKDAYS[weekday] == kind
        if kind == "workday":
            return self._among(day, "makeup") or (weekday < 5 and not self._among(day, "holiday"))
        if kind == "weekend":
            return weekday >= 5 and not self._among(day, "makeup")
        return self._among(day, kind)

    def _among(self, day: int, name: str) -> bool:
        return any(first <= day <= last for first, last in self._tables.get(name, ()))

    def _valid(self, begins_s: int) -> int:
        """The business days that begin at `begins_s` and have a moment in the plan's validity."""
        since: int | None = self._plan["valid_from_us"]
        until: int | None = self._plan["valid_to_us"]
        first = self._first if since is None else self._day(since, begins_s)
        last = self._last if until is None else self._day(until - 1, begins_s)
        return ((1 << max(0, last - first + 1)) - 1) << (first - self._first)

    def _day(self, at: int, begins_s: int) -> int:
        return int((at + utc_offset(self._site, at) - begins_s * SECOND) // DAY)


def common(sets: Iterable[int]) -> int:
    """The days in all of `sets` (at least one)."""
    found = -1
    for days in sets:
        found &= days
    return found
