"""When a test begins: at the moment that it names, or on a plain workday that no plan has anything to say about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flowwatch.documents.words import moment_us
from flowwatch.trials.language import Trial

PLAIN_DAY: Final = date(2026, 3, 4)
"""A Wednesday of no consequence, from which the search for a plain workday goes on and then back; the same whenever a test is run."""
PLAIN_TIME: Final = "09:00"
FARTHEST_DAYS: Final = 366 * 8
_EPOCH: Final = date(1970, 1, 1)


def start_us(trial: Trial, site: Mapping[str, Any]) -> int:
    """The start of a test at the compiled `site`, microseconds UTC."""
    zone = ZoneInfo(str(site["time_zone"]))
    if isinstance(trial.starts, str):
        return moment_us(trial.starts, zone)
    return next((at for at, day in _mornings(zone) if _is_plain(site, at, day)), _morning(PLAIN_DAY, zone))


def _mornings(zone: ZoneInfo) -> Iterator[tuple[int, date]]:
    for sign in (1, -1):
        for n in range(FARTHEST_DAYS):
            day = PLAIN_DAY + timedelta(days=sign * n)
            yield _morning(day, zone), day


def _morning(day: date, zone: ZoneInfo) -> int:
    return moment_us(f"{day} {PLAIN_TIME}", zone)


def _is_plain(site: Mapping[str, Any], at: int, day: date) -> bool:
    """Whether `day` is from Monday to Friday, no holiday and no event of any plan, and every plan is valid."""
    number = (day - _EPOCH).days
    for plan in site["plans"]:
        since, until = plan["valid_from_us"], plan["valid_to_us"]
        if (since is not None and at < since) or (until is not None and at >= until):
            return False
        if any(first <= number <= last for spans in plan["days"].values() for first, last in spans):
            return False
    return day.weekday() < 5
