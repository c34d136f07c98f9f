"""Conditions that the calendar decides: times of day and kinds of day, on the clocks of the site.

A clock leaf is either on or off, and it is known when it changes next, so that nothing is computed between changes. A *business day* begins
at the place's own hour: at 02:00 of a lantern night it is still the evening before. The documents bring their public holidays and dated
events along as day numbers (days since 1970-01-01) and their UTC offsets as a table; this module knows no time-zone database and no country.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.network import FOREVER, first_instant, utc_offset
from flowwatch.core.readings import DAY, SECOND

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday."""


def clock(document: Mapping[str, Any], plan: Mapping[str, Any], leaf: Mapping[str, Any], at: int) -> tuple[bool, int]:
    """Whether the clock `leaf` of `plan` holds at time `at` (microseconds), and until when that answer stands at least."""
    if leaf["kind"] == "time":
        return _in_window(document, int(leaf["from_s"]) * SECOND, int(leaf["until_s"]) * SECOND, at)
    begins = int(leaf["business_day_s"]) * SECOND
    day = (at + utc_offset(document, at) - begins) // DAY
    until = min((m for d in (day, day + 1, day + 2) if (m := first_instant(document, d * DAY + begins)) > at), default=FOREVER)
    return any(_is(kind, day, plan["days"]) for kind in leaf["days"]), min(until, _next_shift(document, at))


def _in_window(document: Mapping[str, Any], since: int, until: int, at: int) -> tuple[bool, int]:
    local = at + utc_offset(document, at)
    today, now = local // DAY, local % DAY
    on = since <= now < until if since < until else now >= since or now < until
    edges = (first_instant(document, (today + d) * DAY + edge) for d in (-1, 0, 1, 2) for edge in (since, until))
    return on, min(min((m for m in edges if m > at), default=FOREVER), _next_shift(document, at))


def _next_shift(document: Mapping[str, Any], at: int) -> int:
    """When the site's clocks are next put forward or back."""
    return min((since for since, _ in document["offsets"] if since > at), default=FOREVER)


def _is(kind: str, day: int, days: Mapping[str, Any]) -> bool:
    """Whether business day number `day` is of a `kind`: a weekday's name, workday, weekend, holiday, or a dated event of the plan."""
    weekday = (day + _FIRST_WEEKDAY) % 7
    if kind in WEEKDAYS:
        return WEEKDAYS[weekday] == kind
    if kind == "workday":
        return _among(day, days.get("makeup", ())) or (weekday < 5 and not _among(day, days.get("holiday", ())))
    if kind == "weekend":
        return weekday >= 5 and not _among(day, days.get("makeup", ()))
    return _among(day, days.get(kind, ()))


def _among(day: int, spans: Any) -> bool:
    return any(first <= day <= last for first, last in spans)
