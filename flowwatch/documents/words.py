"""The words and numbers of both documents: what a name, a duration, a date look like, and what they mean in the engine's units.

Each is an annotated type that says everything the readers of a document need: the pattern and description go to the JSON Schema, `what` is
how an error names the thing that was expected, `read` turns the text into the engine's value and raises `ValueError` on what a pattern
cannot tell (30 February). Names are checked against each other by `defines` and `refers`: a type that *defines* the names of gates and one
that *refers* to them need no code of their own.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final
from zoneinfo import ZoneInfo

from msgspec import UNSET, Meta, Struct, UnsetType, field

from flowwatch.core.gates import Setting
from flowwatch.core.readings import OUTSIDE, SECOND
from flowwatch.documents.amounts import ascii_of, per_minute
from flowwatch.documents.faults import near

WHOLE_SITE: Final = "site"
"""As a condition's zone: the whole site."""
OTHERS: Final = "others"
"""In a stage's gates: every gate that is not named."""
ANY_COUNTER: Final = "any"
"""As a condition's counter: every counter of the site."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CALENDAR_DAYS: Final = ("workday", "weekend", "holiday")
"""Kinds of day that a calendar of public holidays must tell."""
SIMPLE_MODES: Final = ("in", "out", "both", "closed")
"""The gate settings that are one word."""
FIRST_YEAR, LAST_YEAR = 2000, 2050
"""The years that documents can speak of; the compiled tables of UTC offsets and public holidays cover them."""
LONGEST_S: Final = 30 * 86400

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_PHASE: Final = re.compile(r"\b(in|out|both|hold)[\s:]*([0-9][0-9.]*(?:\s*(?!in\b|out\b|both\b|hold)[a-z秒分小]+)?)")
"""A phase of a wave as people might write it, and its length."""
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
    found = re.fullmatch(r"[\s:]*(\d{1,6})\s*([a-zA-Z秒分小]?)[^\d]*", text)
    if not found or re.search(r"\d\s*(ms|mo|周|天)", text):
        return None
    unit = {"秒": "s", "分": "m", "小": "h"}.get(found[2], found[2].lower() or "s")
    return found[1] + unit if unit in _UNITS else None


def window_s(text: str) -> tuple[int, int]:
    """From and until, in seconds after midnight, of a time of day that lasts; until is not after from if it passes midnight.

    >>> window_s("22:00-05:00")
    (79200, 18000)
    """
    since, until = (0 if part == "24:00" else time_of_day_s(part) for part in text.split("-"))
    if since == until:
        raise ValueError
    return since, until


def window_near(text: str) -> str | None:
    """The time of day that was probably meant.

    >>> window_near("8:00 – 18:30")
    '08:00-18:30'
    """
    found = re.fullmatch(r"\s*(\d{1,2})[:：](\d{2})\s*(?:[-–—~～至到]|to)\s*(\d{1,2})[:：](\d{2})\s*", text)
    return f"{int(found[1]):02}:{found[2]}-{int(found[3]):02}:{found[4]}" if found else None


def setting_near(text: str) -> str | None:
    """The gate setting that was probably meant.

    >>> setting_near("metered 40"), setting_near("metered 7200/h both"), setting_near("wave: in 50, out 2 min")
    ('metered 40/min', 'metered 120/min both', 'wave in 50s out 2m')
    """
    plain = ascii_of(text).casefold()
    word = re.match(r"[a-z]+", plain.strip())
    meant = near(word[0], (*SIMPLE_MODES, "metered", "wave")) if word else None
    if meant == "metered":
        rate = per_minute(plain.removeprefix(word[0]) if word else plain)
        return f"metered {int(rate)}/min{' both' if 'both' in plain else ''}" if rate is not None and rate >= 1 else None
    if meant == "wave":
        phases = [(phase, duration_near(length)) for phase, length in _PHASE.findall(plain)]
        return " ".join(["wave", *(f"{phase} {length}" for phase, length in phases)]) if all(length for _, length in phases) else None
    return meant


def time_of_day_s(text: str) -> int:
    """Seconds after midnight of a time of day.

    >>> time_of_day_s("05:00")
    18000
    """
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60 + at.second


def day(text: str) -> date:
    """A date of the years that documents can speak of."""
    at = date.fromisoformat(text)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError
    return at


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


def country(code: str) -> str:
    """`code`, if it is a country whose holidays are known; raises ValueError."""
    from holidays import list_supported_countries  # noqa: PLC0415

    if code not in list_supported_countries(include_aliases=False):
        raise ValueError(code)
    return code


def country_near(text: str) -> str | None:
    """The code of the country that was probably meant.

    >>> country_near("cn"), country_near("China")
    ('CN', 'CN')
    """
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    names = COUNTRIES.get(text.strip().casefold().replace(" ", "_"))
    return names[1] if names else text.strip().upper()


NUMBER_OR_TEXT: Final = "number-or-text"
"""In a type's JSON Schema: editors shall take a number too (`schema.py` says so; msgspec only knows that it is a text)."""
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_WHAT_NAME: Final = "a name of at most 64 letters, digits and - _ . : that begins with a letter or digit"

Name = Annotated[str, Meta(pattern=_NAME, extra={"what": _WHAT_NAME})]


def _defines(kind: str, *reserved: str) -> Meta:
    return Meta(pattern=_NAME, extra={"what": _WHAT_NAME, "defines": kind, "reserved": reserved})


def _refers(kind: str, *also: str, hints: dict[str, str] | None = None, what: str = "") -> Meta:
    return Meta(pattern=_NAME, extra={"what": what or f"the name of a {kind}", "refers": kind, "also": also, "hints": hints or {}})


SiteName = Annotated[str, _defines("site")]
ZoneName = Annotated[str, _defines("zone", OUTSIDE, WHOLE_SITE)]
GateName = Annotated[str, _defines("gate", OTHERS)]
LinkName = Annotated[str, _defines("link")]
CounterName = Annotated[str, _defines("counter", ANY_COUNTER)]
BarrierName = Annotated[str, _defines("barrier")]
SignName = Annotated[str, _defines("sign")]
StageName = Annotated[str, _defines("stage")]
EventName = Annotated[str, _defines("event", *WEEKDAYS, *CALENDAR_DAYS)]
TaskName = Annotated[str, _defines("task")]
RuleName = Annotated[str, _defines("rule")]
BrokerName = Annotated[str, _defines("broker")]

SiteRef = Annotated[str, _refers("site")]
ZoneRef = Annotated[str, _refers("zone")]
ZoneOrOutside = Annotated[str, _refers("zone", OUTSIDE)]
ZoneOrSite = Annotated[str, _refers("zone", WHOLE_SITE)]
GateRef = Annotated[str, _refers("gate")]
GateOrOthers = Annotated[
    str,
    _refers("gate", OTHERS, hints={mode: f'gates are named, not counted: write "gate-2: {mode}"' for mode in SIMPLE_MODES}),
]
LinkRef = Annotated[str, _refers("link")]
CounterOrAny = Annotated[str, _refers("counter", ANY_COUNTER)]
BarrierRef = Annotated[str, _refers("barrier")]
SignRef = Annotated[str, _refers("sign")]
BrokerRef = Annotated[str, _refers("broker")]
StageRef = Annotated[str, _refers("stage")]
DayWord = Annotated[
    str, _refers("event", *WEEKDAYS, *CALENDAR_DAYS, what="a kind of day: mon to sun, workday, weekend, holiday, or the name of an event")
]

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
Day = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        extra={"what": f"a date such as 2026-10-01, in {FIRST_YEAR} to {LAST_YEAR}", "read": day},
    ),
]
Window = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$",
        extra={"what": "a time of day such as 17:00-23:00 or 22:00-05:00", "read": window_s, "near": window_near},
    ),
]
Bar = Annotated[
    str,
    Meta(
        extra_json_schema={"pattern": r"^(-?[0-9]+(\.[0-9]+)?%?|[B-F])$", "format": NUMBER_OR_TEXT},
        extra={"what": "a bar such as 1500, 3.5, 80% or E, as the measure has it"},
    ),
]
GateSetting = Annotated[
    str,
    Meta(
        pattern=r"^(in|out|both|closed|metered [1-9][0-9]{0,5}/min( both)?|wave( (in|out|both|hold) [1-9][0-9]{0,4}[smh]){2,20})$",
        extra={
            "what": "one of in, out, both, closed, metered 40/min, metered 40/min both, wave in 50s hold 10s out 110s",
            "read": Setting.parse,
            "near": setting_near,
        },
    ),
]
Country = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{2}$",
        extra={"what": "the code of a country whose public holidays are known, such as CN", "read": country, "near": country_near},
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

    withheld: ClassVar[Mapping[str, str]] = {}
    """Keys that people will look for and that must not be: what is expected instead, and why."""


class Text(Document, frozen=True, kw_only=True):
    """The same words in Chinese and in English."""

    zh: Annotated[Prose, note("in Chinese")]
    en: Annotated[Prose, note("in English")]


class Validity(Document, frozen=True, kw_only=True):
    """From when until when something holds, on the clocks of the site; an end that is left out is open."""

    from_: Annotated[Moment, note("the first moment at which it holds")] | UnsetType = field(name="from", default=UNSET)
    until: Annotated[Moment, note("the first moment at which it no longer holds")] | UnsetType = UNSET
