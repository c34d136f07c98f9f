"""Conditions that the calendar decides: times of day and kinds of day, on the clocks of the site.

A clock leaf is either on or off, and it is known when it changes next, so that nothing is computed between changes. A *business day* begins
at the place's own hour: at 02:00 of a lantern night it is still the evening before. The documents bring their public holidays and dated
events along as day numbers (days since 1970-01-01) and their UTC offsets as a table; this module knows no time-zone database and no country.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.network import FOREVER, utc_offset
from flowwatch.core.readings import DAY, SECOND

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday."""


def clock(document: Mapping[str, Any], plan: Mapping[str, Any], leaf: Mapping[str, Any], at: int) -> tuple[bool, int]:
    """Whether the clock `leaf` of `plan` holds at time `at` (microseconds), and until when that answer stands at least."""
    if leaf["kind"] == "time":
        return _in_window(document, int(leaf["from_s"]) * SECOND, int(leaf["until_s"]) * SECOND, at)
    local = at + utc_offset(document, at) - int(leaf["business_day_s"]) * SECOND
    return any(is_kind(kind, local // DAY, plan["days"]) for kind in leaf["days"]), min(at + DAY - local % DAY, _next_shift(document, at))


def _in_window(document: Mapping[str, Any], since: int, until: int, at: int) -> tuple[bool, int]:
    now = (at + utc_offset(document, at)) % DAY
    on = since <= now < until if since < until else now >= since or now < until
    edge = min((edge - now - 1) % DAY + 1 for edge in (since, until))
    return on, min(at + edge, _next_shift(document, at))


def _next_shift(document: Mapping[str, Any], at: int) -> int:
    """When the site's clocks are next put forward or back."""
    return min((since for since, _ in document["offsets"] if since > at), default=FOREVER)


def is_kind(kind: str, day: int, days: Mapping[str, Any]) -> bool:
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
