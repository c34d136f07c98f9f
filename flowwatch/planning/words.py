"""The small words of a plan in Chinese and in English: numbers, durations, dates, lists, roles, levels, days.

Everything that reads a plan aloud (`explain`, `diff`, `diagram`) takes its words from here, so that one thing is called the same everywhere
(docs/glossary.md). Numbers are grouped by thousands and stand apart from Chinese characters, as in `flowwatch.texts`. A code that has no word
here is shown as it is rather than hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from flowwatch.texts import LEVELS
from flowwatch.titles import Language, Text

SECOND_US: Final = 1_000_000

ROLES: Final[Mapping[str, Text]] = {
    "officer_in_charge": {"zh": "值班指挥长", "en": "the officer in charge"},
    "duty_officer": {"zh": "值班民警", "en": "the duty officer"},
    "patrol": {"zh": "巡逻警力", "en": "the patrol"},
    "traffic": {"zh": "交警", "en": "traffic police"},
    "armed_police": {"zh": "武警", "en": "the armed police"},
    "gate_staff": {"zh": "通道口值守人员", "en": "the gate staff"},
    "site_staff": {"zh": "景区工作人员", "en": "the site's staff"},
    "volunteers": {"zh": "志愿者", "en": "the volunteers"},
    "broadcast": {"zh": "广播员", "en": "the announcer"},
    "medical": {"zh": "医疗救护", "en": "the medics"},
}
"""The duties that plans name most; a plan may name others."""

_DAYS: Final[Mapping[str, Text]] = {
    "mon": {"zh": "周一", "en": "a Monday"},
    "tue": {"zh": "周二", "en": "a Tuesday"},
    "wed": {"zh": "周三", "en": "a Wednesday"},
    "thu": {"zh": "周四", "en": "a Thursday"},
    "fri": {"zh": "周五", "en": "a Friday"},
    "sat": {"zh": "周六", "en": "a Saturday"},
    "sun": {"zh": "周日", "en": "a Sunday"},
    "workday": {"zh": "工作日（含调休上班日）", "en": "a workday"},
    "weekend": {"zh": "周末", "en": "a weekend day"},
    "holiday": {"zh": "法定节假日", "en": "a public holiday"},
}

LINKS: Final[Mapping[str, Text]] = {
    "one_way": {"zh": "单向通行", "en": "one way"},
    "one_way_back": {"zh": "反向单向通行", "en": "one way back"},
    "both": {"zh": "双向通行", "en": "both ways"},
}
BARRIERS: Final[Mapping[str, Text]] = {"raise": {"zh": "升起", "en": "raised"}, "lower": {"zh": "降下", "en": "lowered"}}
DELIVERIES: Final[Mapping[str, Text]] = {
    "advise": {"zh": "建议（系统提示，由人执行）", "en": "advise (the system says, people act)"},
    "confirm": {"zh": "确认后执行", "en": "confirm (carried out once somebody agrees)"},
    "automatic": {"zh": "自动执行", "en": "automatic"},
}
HEALTH: Final[Mapping[str, Text]] = {
    "silent": {"zh": "数据中断", "en": "silent"},
    "stuck": {"zh": "数值卡死", "en": "stuck"},
    "implausible": {"zh": "数值不可信", "en": "implausible"},
    "drifting": {"zh": "计数漂移", "en": "drifting"},
}
PLACEHOLDERS: Final[Mapping[str, Text]] = {
    "site": {"zh": "景区", "en": "site"},
    "zone": {"zh": "区域", "en": "zone"},
    "inside": {"zh": "在场人数", "en": "people inside"},
    "lower": {"zh": "区间下限", "en": "lower edge"},
    "upper": {"zh": "区间上限", "en": "upper edge"},
    "capacity": {"zh": "承载量", "en": "capacity"},
    "share": {"zh": "占承载量的百分比", "en": "share of capacity"},
    "stage": {"zh": "阶段", "en": "stage"},
    "bar": {"zh": "阈值", "en": "bar"},
    "gates_in": {"zh": "可进通道口", "en": "gates in"},
    "gates_out": {"zh": "可出通道口", "en": "gates out"},
    "minutes_to_clear": {"zh": "清空所需分钟数", "en": "minutes to clear"},
}

_COUNTS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EPOCH: Final = date(1970, 1, 1)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def say(lang: Language, zh: str, en: str) -> str:
    """Whichever of the two is in the language."""
    return zh if lang == "zh" else en


def word(table: Mapping[str, Text], code: str, lang: Language) -> str:
    """A code's word in `table`, or the code itself."""
    return table[code][lang] if code in table else code


def role(name: str, lang: Language) -> str:
    """Who is asked or sent.

    >>> role("officer_in_charge", "en"), role("ferry_crew", "en")
    ('the officer in charge', 'ferry crew')
    """
    return word(ROLES, name, lang).replace("_", " ")


def level(code: str | None, lang: Language) -> str:
    """A warning level with its colour; a stage without one warns nobody."""
    return say(lang, "无预警级别", "no warning level") if code is None else word(LEVELS, code, lang)


def number(milli: int) -> str:
    """1/1000 units, grouped, without needless zeros.

    >>> number(1_500_000), number(3_500), number(-40_000)
    ('1,500', '3.5', '-40')
    """
    whole, rest = divmod(abs(milli), 1000)
    shown = f"{whole:,}" + (f".{rest:03d}".rstrip("0") if rest else "")
    return f"-{shown}" if milli < 0 else shown


def plain(value: float) -> str:
    """A number as people write it.

    >>> plain(12000.0), plain(2.4)
    ('12,000', '2.4')
    """
    return number(round(value * 1000))


def whole(milli: int) -> str:
    """1/1000 units as whole ones, grouped.

    >>> whole(453_600)
    '454'
    """
    return f"{round(milli / 1000):,}"


def count(n: int) -> str:
    """A small number as an English word."""
    return _COUNTS[n] if 0 <= n < len(_COUNTS) else f"{n:,}"


def duration(us: int, lang: Language) -> str:
    """Microseconds in words.

    >>> duration(90_000_000, "en"), duration(600_000_000, "zh"), duration(0, "en")
    ('1 min 30 s', '10 分钟', '0 s')
    """
    seconds, fraction = divmod(us, SECOND_US)
    hours, rest = divmod(seconds, 3600)
    units = [(hours, "小时", "h"), (rest // 60, "分钟", "min"), (rest % 60, "秒", "s")]
    parts = [f"{n} {say(lang, zh, en)}" for n, zh, en in units if n]
    if fraction:
        parts.append(f"{number(fraction // 1000)} {say(lang, '毫秒', 'ms')}")
    return " ".join(parts) or say(lang, "0 秒", "0 s")


def listed(words: Sequence[str], lang: Language, last: str | None = None) -> str:
    """Words in a row; `last` stands before the last one ("and", 和 by commas alone, if left out).

    >>> listed(["2", "3", "5"], "en"), listed(["2", "3"], "en", "or"), listed(["2", "3", "5"], "zh")
    ('2, 3 and 5', '2 or 3', '2、3、5')
    """
    if lang == "zh":
        if last is None or len(words) < 2:
            return "、".join(words)
        return "、".join(words[:-1]) + last + words[-1]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last or 'and'} {words[-1]}"


def days(names: Sequence[str], lang: Language) -> str:
    """Kinds of day, of which the day is one; a name that is no kind of day is a dated event of the plan.

    >>> days(["holiday", "sat", "lantern"], "en")
    'a public holiday, a Saturday or one of the days of "lantern"'
    """
    told = [_DAYS[d][lang] if d in _DAYS else say(lang, f"“{d}”期间", f'one of the days of "{d}"') for d in names]
    return listed(told, lang, say(lang, "或", "or"))


def time_of_day(seconds: int) -> str:
    """Seconds after midnight.

    >>> time_of_day(84600)
    '23:30'
    """
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02d}:{rest // 60:02d}" + (f":{rest % 60:02d}" if rest % 60 else "")


def hours(since_s: int, until_s: int, lang: Language) -> str:
    """A span of the day, which may pass midnight.

    >>> hours(64800, 7200, "en"), hours(64800, 7200, "zh")
    ('18:00–02:00', '18:00 至次日 02:00')
    """
    since, until, next_day = time_of_day(since_s), time_of_day(until_s), until_s <= since_s
    return say(lang, f"{since} 至{'次日 ' if next_day else ' '}{until}", f"{since}–{until}")


def day(number_: int, lang: Language) -> str:
    """A day number (days since 1970-01-01) as a date.

    >>> day(17440, "en"), day(17440, "zh")
    ('1 Oct 2017', '2017 年 10 月 1 日')
    """
    at = _EPOCH + timedelta(days=number_)
    return say(lang, f"{at.year} 年 {at.month} 月 {at.day} 日", f"{at.day} {_MONTHS[at.month - 1]} {at.year}")


def day_spans(spans: Sequence[Sequence[int]], lang: Language) -> str:
    """Spans of days, first and last inclusive, in a row."""
    told = [
        day(a, lang) if a == b else say(lang, f"{day(a, lang)}至 {day(b, lang)}", f"{day(a, lang)} to {day(b, lang)}") for a, b in spans
    ]
    return listed(told, lang)


def template(text: str, lang: Language) -> str:
    """A text of the plan with its placeholders in words, in brackets.

    >>> template("{inside} people {{now}}", "en")
    '[people inside] people {now}'
    """

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        name = match[1]
        return f"[{PLACEHOLDERS[name][lang]}]" if name in PLACEHOLDERS else match[0]

    return re.sub(r"\{\{|\}\}|\{([a-z_]+)\}", filled, text)


def sentence(text: str) -> str:
    """The text with a capital at its beginning.

    >>> sentence("the patrol")
    'The patrol'
    """
    return text[:1].upper() + text[1:]
