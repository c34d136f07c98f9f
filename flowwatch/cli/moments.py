"""Times as people type them: a moment with its offset, a time of day at the site, a while from now."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from flowwatch.cli.exits import CommandError, Exit

_WHILE: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_OF_DAY: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def moment(text: str, now_us: int, zone: tzinfo, *, back: bool = False) -> int:
    """The moment that `text` means, in microseconds UTC.

    "now"; "90m", "1h30m" (from now, or before now with `back`); "22:30" in `zone` (the next one, the last one with `back`);
    "2026-10-01T22:30", in `zone`, or with an offset of its own. Raises `CommandError` for anything else.

    >>> from datetime import UTC
    >>> moment("1h30m", 0, UTC) == 90 * 60 * 1_000_000
    True
    """
    now = datetime.fromtimestamp(now_us / 1_000_000, zone)
    if text == "now":
        return now_us
    if text and _WHILE.fullmatch(text):
        return now_us - span_us(text) if back else now_us + span_us(text)
    if of_day := _OF_DAY.fullmatch(text):
        hour, minute, second = (int(part or 0) for part in of_day.groups())
        at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        if back and at > now:
            at -= timedelta(days=1)
        elif not back and at <= now:
            at += timedelta(days=1)
        return _us(at)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(Exit.USAGE, f'"{text}" is no time; expected 22:30, 90m, 1h30m, now or 2026-10-01T22:30+08:00') from None
    return _us(at if at.tzinfo is not None else at.replace(tzinfo=zone))


def date_of(text: str) -> date:
    """The day that `text` means. Raises `CommandError` for anything else, and for one on which nothing was ever counted.

    >>> date_of("2026-10-01")
    datetime.date(2026, 10, 1)
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year < date.max.year:
        raise CommandError(Exit.USAGE, f'"{text}" is no day; expected one such as 2026-10-01')
    return found


def span_us(text: str) -> int:
    """A while in microseconds: "30s", "90m", "1h30m", "500ms". Raises `CommandError` for anything else, and for nothing at all.

    >>> span_us("90s"), span_us("500ms")
    (90000000, 500000)
    """
    if text.endswith("ms") and text[:-2].isdecimal():
        return int(text[:-2]) * 1000
    found = _WHILE.fullmatch(text) if text else None
    if found is None:
        raise CommandError(Exit.USAGE, f'"{text}" is no while; expected 30s, 90m, 1h30m or 500ms')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
