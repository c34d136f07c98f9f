"""How numbers, durations, dates and lists are written in Chinese and in English.

Numbers are grouped by thousands and stand apart from Chinese characters. What codes are called is in `vocabulary.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Literal

Language = Literal["zh", "en"]
Text = Mapping[Language, str]

SECOND_US: Final = 1_000_000

_COUNTS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ENDS: Final = re.compile(r"[。！？.!?…][”’\"']*$")
_EPOCH: Final = date(1970, 1, 1)
_ID: Final = re.compile(r"[a-z][a-z0-9]*[-_.0-9]")
"""How names in documents begin that are no words: turnstile-4, camera-embankment, g2."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def say(lang: Language, zh: str, en: str) -> str:
    """Whichever of the two is in the language."""
    return zh if lang == "zh" else en


def word(table: Mapping[str, Text], code: str, lang: Language) -> str:
    """A code's word in `table`, or the code itself."""
    return table[code][lang] if code in table else code


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
    """Words in a row; `last` stands before the last one ("and" if left out, in Chinese a comma); words that have commas are kept apart.

    >>> listed(["2", "3", "5"], "en"), listed(["2", "3"], "en", "or"), listed(["2", "3", "5"], "zh")
    ('2, 3 and 5', '2 or 3', '2、3、5')
    >>> listed(["Fuzhou Road", "the station, exit 1", "the bridge"], "en")
    'Fuzhou Road; the station, exit 1; and the bridge'
    """
    if len(words) < 2:
        return "".join(words)
    if lang == "zh":
        return "、".join(words) if last is None else "、".join(words[:-1]) + last + words[-1]
    if any(", " in one for one in words):
        return f"{'; '.join(words[:-1])}; {last or 'and'} {words[-1]}"
    return f"{', '.join(words[:-1])} {last or 'and'} {words[-1]}"


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


def sentence(text: str, lang: Language = "en") -> str:
    """The text as a sentence begins: in English with a capital, unless it begins with a name that is written as it is.

    >>> sentence("the patrol"), sentence("turnstile-4 is silent"), sentence("turnstile", "zh")
    ('The patrol', 'turnstile-4 is silent', 'turnstile')
    """
    return text if lang == "zh" or _ID.match(text) else text[:1].upper() + text[1:]


def closed(text: str, lang: Language) -> str:
    """The text with a full stop, unless it ends with a mark of its own, in quotes or not.

    >>> closed("It says “stop.”", "en"), closed("由此进入", "zh")
    ('It says “stop.”', '由此进入。')
    """
    return text if _ENDS.search(text) else text + say(lang, "。", ".")


def quoted(text: str, lang: Language) -> str:
    """The text in quotation marks; those inside become single ones.

    >>> quoted("“一案一策”", "zh"), quoted("Exit only", "en")
    ('“‘一案一策’”', '"Exit only"')
    """
    if lang == "zh":
        return f"“{text.replace('“', '‘').replace('”', '’')}”"
    return '"{}"'.format(text.replace('"', "'"))


def spaced(text: str) -> str:
    """`text` as it follows a Chinese character: a digit or Latin letter stands off, a Chinese one or a bracket does not.

    >>> spaced("1,500 人"), spaced("承载量")
    (' 1,500 人', '承载量')
    """
    return f" {text}" if text[:1] == "-" or (text[:1].isascii() and text[:1].isalnum()) else text
