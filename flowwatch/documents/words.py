"""The words and numbers of both documents: what a name, a duration, a date look like, and what they mean in the engine's units.

Each is an annotated type that says everything the readers of a document need: the pattern and description go to the JSON Schema, `what` is
how an error names the thing that was expected, `read` turns the text into the engine's value and raises `ValueError` on what a pattern
cannot tell (30 February). Names are checked against each other by `defines` and `refers`: a type that *defines* the names of gates and one
that *refers* to them need no code of their own.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, Struct, UnsetType, field

from flowwatch.core.gates import Mode
from flowwatch.core.readings import OUTSIDE, SECOND

WHOLE_SITE: Final = "site"
"""As a condition's zone: the whole site."""
OTHERS: Final = "others"
"""In a stage's gates: every gate that is not named."""
FIRST_YEAR, LAST_YEAR = 2000, 2050
"""The years that documents can speak of; the compiled table of UTC offsets covers them."""
LONGEST_S: Final = 30 * 86400

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Level(StrEnum):
    """The four national warning levels, mildest first: IV blue, III yellow, II orange, I red."""

    IV = "IV"
    III = "III"
    II = "II"
    I = "I"  # noqa: E741 - the level's name


def duration_us(text: str) -> int:
    """Microseconds in a duration.

    >>> duration_us("10m")
    600000000
    """
    seconds = int(text[:-1]) * _UNITS[text[-1]]
    if seconds > LONGEST_S:
        raise ValueError
    return seconds * SECOND


def period_us(text: str) -> int:
    """Microseconds in a duration that is not 0."""
    period = duration_us(text)
    if period == 0:
        raise ValueError
    return period


def duration_near(text: str) -> str | None:
    """The duration that was probably meant.

    >>> duration_near("10 min")
    '10m'
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*([a-zA-Z秒分小]?)[^\d]*", text)
    if not found:
        return None
    unit = {"秒": "s", "分": "m", "小": "h"}.get(found[2], found[2].lower() or "s")
    return found[1] + unit if unit in _UNITS else None


def time_of_day_s(text: str) -> int:
    """Seconds after midnight of a time of day.

    >>> time_of_day_s("05:00")
    18000
    """
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60 + at.second


def moment(text: str) -> datetime:
    """A date, or a date with a time, as it is read off a clock at the site (naive)."""
    at = datetime.fromisoformat(text)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError
    return at


def moment_us(text: str, zone: ZoneInfo) -> int:
    """A moment on the clocks of `zone` as microseconds UTC. The first one, where a clock shows it twice."""
    return (moment(text).replace(tzinfo=zone).astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def time_zone(text: str) -> ZoneInfo:
    """The time zone named `text`; raises ValueError for an unknown one."""
    try:
        return ZoneInfo(text)
    except (KeyError, OSError) as error:
        raise ValueError from error


def time_zone_near(text: str) -> str | None:
    """The time zone in whose name the city of `text` stands.

    >>> time_zone_near("Shanghai")
    'Asia/Shanghai'
    """
    city = text.rsplit("/", 1)[-1].strip().replace(" ", "_").casefold()
    return next((z for z in sorted(zoneinfo.available_timezones()) if z.rsplit("/", 1)[-1].casefold() == city), None)


_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_WHAT_NAME: Final = "a name of at most 64 letters, digits and - _ . : that begins with a letter or digit"

Name = Annotated[str, Meta(pattern=_NAME, extra={"what": _WHAT_NAME})]


def _defines(kind: str, *reserved: str) -> Meta:
    return Meta(pattern=_NAME, extra={"what": _WHAT_NAME, "defines": kind, "reserved": reserved})


def _refers(kind: str, *also: str, hints: dict[str, str] | None = None) -> Meta:
    return Meta(pattern=_NAME, extra={"what": f"the name of a {kind}", "refers": kind, "also": also, "hints": hints or {}})


SiteName = Annotated[str, _defines("site")]
ZoneName = Annotated[str, _defines("zone", OUTSIDE, WHOLE_SITE)]
GateName = Annotated[str, _defines("gate", OTHERS)]
LinkName = Annotated[str, _defines("link")]
CounterName = Annotated[str, _defines("counter")]
StageName = Annotated[str, _defines("stage")]

SiteRef = Annotated[str, _refers("site")]
ZoneRef = Annotated[str, _refers("zone")]
ZoneOrOutside = Annotated[str, _refers("zone", OUTSIDE)]
ZoneOrSite = Annotated[str, _refers("zone", WHOLE_SITE)]
GateRef = Annotated[str, _refers("gate")]
GateOrOthers = Annotated[
    str,
    _refers("gate", OTHERS, hints={mode.value: f'gates are named, not counted: write "gate-2: {mode.value}"' for mode in Mode}),
]
LinkRef = Annotated[str, _refers("link")]

Prose = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,500}$",
        extra={"what": "a text of one line, at most 500 characters", "prose": True},
    ),
]
Duration = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,6}[smh]$",
        extra={"what": "a duration such as 30s, 10m or 2h, at most 720h", "read": duration_us, "near": duration_near},
    ),
]
Period = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,6}[smh]$",
        extra={"what": "a duration such as 30s, 10m or 2h, from 1s to 720h", "read": period_us, "near": duration_near},
    ),
]
TimeOfDay = Annotated[
    str, Meta(pattern=r"^[0-9]{2}:[0-9]{2}$", extra={"what": "a time of day such as 05:00, up to 23:59", "read": time_of_day_s})
]
Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$",
        extra={"what": f"a date such as 2026-10-01, or 2026-10-01 08:30, in {FIRST_YEAR} to {LAST_YEAR}", "read": moment},
    ),
]
TimeZone = Annotated[
    str,
    Meta(
        pattern=r"^(UTC|[A-Z][A-Za-z0-9_+-]{0,30}(/[A-Za-z0-9_+-]{1,30}){1,2})$",
        extra={"what": "a time zone such as Asia/Shanghai", "read": time_zone, "near": time_zone_near},
    ),
]


def note(text: str) -> Meta:
    """What a key means, for the JSON Schema and so for editors."""
    return Meta(description=text)


People = Annotated[int, Meta(ge=1, le=10_000_000, extra={"of": "persons"})]
SomePeople = Annotated[int, Meta(ge=0, le=10_000_000, extra={"of": "persons"})]
Modulus = Annotated[int, Meta(ge=2, le=10**12, extra={"of": "persons"})]
Lanes = Annotated[int, Meta(ge=1, le=200, extra={"of": "lanes"})]
LaneFlow = Annotated[int, Meta(ge=1, le=120, extra={"of": "persons a minute"})]
Rate = Annotated[int, Meta(ge=1, le=1_000_000, extra={"of": "persons a minute"})]
Metres = Annotated[float, Meta(gt=0, le=1000, extra={"of": "metres"})]
SquareMetres = Annotated[float, Meta(gt=0, le=100_000_000, extra={"of": "square metres"})]
PerMinute = Annotated[int, Meta(ge=0, le=1_000_000, extra={"of": "persons a minute"})]
Share = Annotated[float, Meta(gt=0, le=1, extra={"what": "a share above 0 and up to 1, such as 0.05 for 5 %"})]
SmallShare = Annotated[float, Meta(ge=0, le=1, extra={"what": "a share from 0 to 1, such as 0.005 for 0.5 %"})]


class Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of documents have in common: keys that are not in the language are refused, and nothing changes once read."""


class Text(Document, frozen=True, kw_only=True):
    """The same words in Chinese and in English."""

    zh: Annotated[Prose, note("in Chinese")]
    en: Annotated[Prose, note("in English")]


class Validity(Document, frozen=True, kw_only=True):
    """From when until when something holds, on the clocks of the site; an end that is left out is open."""

    from_: Annotated[Moment, note("the first moment at which it holds")] | UnsetType = field(name="from", default=UNSET)
    until: Annotated[Moment, note("the first moment at which it no longer holds")] | UnsetType = UNSET
