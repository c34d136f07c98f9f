"""One change between two compiled records, told in both languages, with what it weighs and whether it makes the plan stricter.

Changes are sorted by what they mean for people's safety: who can get out, then when stages come, then what happens in them, then words. Within
a kind, what loosens the plan comes first, and higher stages before lower ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

from flowwatch.planning.titles import Titles
from flowwatch.titles import Language
from flowwatch.vocabulary import template
from flowwatch.words import duration, quoted, say

Sentence = Callable[[Titles, Titles], str]
"""Called with the titles of the old and of the new record in one language."""


class Weight(IntEnum):
    """What a change is about, the gravest first; each number is a place in the order, and nothing else."""

    WAY_OUT = 0
    """Less capacity out, a site's floor, emergency exits."""
    STAGES = 1
    CONDITIONS = 2
    GATES = 3
    AGREEMENT = 4
    DWELL = 5
    DEGRADED = 6
    CASES = 7
    DEVICES = 8
    """Links, barriers, signs."""
    TASKS = 9
    SITE = 10
    CALENDAR = 11
    WORDS = 12


class Trend(StrEnum):
    """Whether a change makes the plan act earlier, longer or harder, or less so."""

    TIGHTER = "tighter"
    LOOSER = "looser"


LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
TRENDS: Final = {Trend.TIGHTER: {"zh": "收紧", "en": "tighter"}, Trend.LOOSER: {"zh": "放宽", "en": "looser"}}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `plan` and `stage` are names (None: of the site, of the whole plan); `rank` is the stage's place, calm is 0."""

    weight: Weight
    plan: str | None
    stage: str | None
    rank: int
    trend: Trend | None
    path: str
    """Where in the record: `plans.yuyuan.stages.exit_only.dwell_us`."""
    zh: str
    en: str
    old: Any = None
    new: Any = None

    def text(self, lang: Language) -> str:
        """The sentence in one language, with its trend in brackets."""
        mark = "" if self.trend is None else say(lang, f"【{TRENDS[self.trend]['zh']}】", f" [{TRENDS[self.trend]['en']}]")
        return say(lang, self.zh, self.en) + mark

    def plain(self) -> dict[str, Any]:
        """As a JSON-able object."""
        return {
            "about": self.weight.name.lower(),
            "plan": self.plan,
            "stage": self.stage,
            "trend": None if self.trend is None else self.trend.value,
            "path": self.path,
            "zh": self.zh,
            "en": self.en,
            "old": self.old,
            "new": self.new,
        }


def ordered(changes: Sequence[Change]) -> list[Change]:
    """Changes by weight, then what loosens before the rest, then higher stages first."""
    place = {Trend.LOOSER: 0, None: 1, Trend.TIGHTER: 2}
    return sorted(changes, key=lambda c: (c.weight, place[c.trend], -c.rank))


def toward(old: float, new: float, more: Trend) -> Trend | None:
    """The trend of a number of which `more` says what a larger one means.

    >>> str(toward(1500, 1200, Trend.LOOSER))
    'tighter'
    """
    if old == new:
        return None
    other = Trend.TIGHTER if more is Trend.LOOSER else Trend.LOOSER
    return more if new > old else other


@dataclass(slots=True)
class Teller:
    """Collects changes, each said in both languages with the titles of the old record and of the new one."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    found: list[Change] = field(default_factory=list)
    _titles: dict[Language, tuple[Titles, Titles]] = field(init=False)
    _plan: str | None = None
    _stage: str | None = None
    _rank: int = 0
    _path: str = ""
    _before: Sentence | None = None

    def __post_init__(self) -> None:
        self._titles = {lang: (Titles(self.old, lang), Titles(self.new, lang)) for lang in LANGUAGES}

    def titles(self, lang: Language, *, gone: bool) -> Titles:
        """The titles of the new record, or of the old one for what is `gone`."""
        return self._titles[lang][not gone]

    @contextmanager
    def within(self, path: str, before: Sentence, *, plan: str | None, stage: str | None = None, rank: int = 0) -> Iterator[None]:
        """What is told meanwhile is about this part of the record; `before` stands before each sentence."""
        kept = self._path, self._before, self._plan, self._stage, self._rank
        self._path, self._before, self._plan, self._stage, self._rank = path, before, plan, stage, rank
        yield
        self._path, self._before, self._plan, self._stage, self._rank = kept

    @contextmanager
    def part(self, path: str, before: Sentence) -> Iterator[None]:
        """What is told meanwhile is about the part at `path` of what is told about already; `before` stands before each sentence, too."""
        kept, first = (self._path, self._before), self._before
        self._path = f"{self._path}.{path}" if self._path else path
        self._before = before if first is None else lambda a, b: first(a, b) + before(a, b)
        yield
        self._path, self._before = kept

    def tell(
        self, weight: Weight, path: str, sentence: Sentence, trend: Trend | None = None, values: tuple[Any, Any] = (None, None)
    ) -> None:
        """Add a change of the part at `path`; `values` are what stood there and what stands there now."""
        zh, en = (
            titles[1].sentence((self._before(*titles) if self._before is not None else "") + sentence(*titles))
            for titles in (self._titles[lang] for lang in LANGUAGES)
        )
        whole = f"{self._path}.{path}" if self._path else path
        self.found.append(Change(weight, self._plan, self._stage, self._rank, trend, whole, zh, en, *values))

    def words(self, weight: Weight, path: str, name: tuple[str, str], old: Any, new: Any) -> None:
        """Tell a text (`zh` and `en`, or None) that changed; `name` is what it is called in both languages."""
        if old != new:
            self.tell(weight, path, lambda _a, b: b.say(name[0], name[1]) + _reworded(old, new, b.language), values=(old, new))

    def lasting(self, weight: Weight, path: str, name: tuple[str, str], values: tuple[int, int], more: Trend | None) -> None:
        """Tell a duration (microseconds) that changed; `more` says what a longer one means."""
        old, new = values
        if old == new:
            return

        def sentence(_a: Titles, b: Titles) -> str:
            before, after, by = (duration(value, b.language) for value in (old, new, abs(new - old)))
            zh = f"{name[0]}由 {before}{'延长' if new > old else '缩短'}到 {after}（相差 {by}）。"
            return b.say(zh, f"{name[1]} {'lengthened' if new > old else 'shortened'} from {before} to {after} (by {by}).")

        self.tell(weight, path, sentence, None if more is None else toward(old, new, more), values)


def _reworded(old: Any, new: Any, lang: Language) -> str:
    def shown(text: Any, language: Language) -> str:
        return quoted(template(text[language], language), lang)

    if old is None or new is None:
        found = shown(new or old, lang)
        return say(lang, f"{'取消' if new is None else '新增'}：{found}。", f" {'removed' if new is None else 'added'}: {found}.")
    if old[lang] != new[lang]:
        return say(lang, f"由{shown(old, lang)}改为{shown(new, lang)}。", f" changed from {shown(old, lang)} to {shown(new, lang)}.")
    other: Language = "en" if lang == "zh" else "zh"
    before, after = shown(old, other), shown(new, other)
    return say(lang, f"的英文由{before}改为{after}。", f", in Chinese: changed from {before} to {after}.")
