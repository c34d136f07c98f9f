"""What the parts of a backtest's picture share: colours, fonts, the time that is drawn, and how things are called and counted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

from flowwatch.backtest.bench import Result
from flowwatch.core.readings import DAY, MINUTE, SECOND
from flowwatch.titles import Clock, Language, Names

COLOURS: Final = {"IV": "#3b82f6", "III": "#ffe066", "II": "#fb8500", "I": "#b00020"}
"""Blue, yellow, orange and red that stay apart for every colour blindness (the console's, too)."""
CALM: Final = "#eef1f4"
UNRATED: Final = "#c9d1d9"
"""A stage without a level."""
INK: Final = "#1f2933"
SOFT: Final = "#7b8794"
OF_PLAN: Final = ("#1d4e89", "#b3541e")
"""A and B, where a thing is a plan's and no stage's."""
SMALL: Final = 8.5
"""Points."""
CJK: Final = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "SimHei",
    "Noto Sans CJK JP",
)
"""Families that have Chinese characters, in the order in which they are taken."""


class NoPlotsError(Exception):
    """matplotlib is not installed."""


class Paper:
    """What is drawn, in which language, and the pieces of matplotlib that draw it."""

    def __init__(self, result: Result, language: Language) -> None:
        """Raises `NoPlotsError`. Where no installed font has Chinese characters, `language` becomes English."""
        try:
            self.matplotlib: Any = import_module("matplotlib")
            self.figure: Any = import_module("matplotlib.figure")
            self.dates: Any = import_module("matplotlib.dates")
            self.ticker: Any = import_module("matplotlib.ticker")
            fonts: Any = import_module("matplotlib.font_manager")
        except ImportError as error:
            raise NoPlotsError("a picture needs matplotlib: `pip install flowwatch-crowd[plots]`") from error
        installed = {font.name for font in fonts.fontManager.ttflist}
        self.family = next((name for name in CJK if name in installed), None)
        self.language: Language = "en" if self.family is None else language
        self.result = result
        self.names = [Names(contender.record, self.language) for contender in result.contenders]
        self.say = self.names[0].say
        self.clock = Clock(result.contenders[0].record)
        self.zone = ZoneInfo(result.contenders[0].record["time_zone"])

    @property
    def settings(self) -> dict[str, Any]:
        """matplotlib's, for the time of drawing."""
        families = [self.family] if self.language == "zh" and self.family else []
        inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
        return {"font.family": [*families, "DejaVu Sans"], "font.size": 9, "axes.edgecolor": SOFT, "axes.unicode_minus": False, **inks}

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """What came of each plan."""
        return self.result.outcomes

    def span(self) -> tuple[int, int]:
        """From when to when the picture goes (microseconds)."""
        archive = self.result.archive
        if archive["first_us"] is None:
            return 0, MINUTE
        return archive["first_us"], max(archive["last_us"], archive["first_us"] + SECOND)

    def main_plan(self, i: int) -> str | None:
        """The name of the main plan of contender `i`."""
        plan = self.outcomes[i]["plan"]
        return None if plan is None else str(plan)

    def ranks(self, i: int, plan: str) -> Mapping[str, tuple[int, str | None]]:
        """Stage -> (how many-eth from calm, level) of a plan of contender `i`."""
        plans = [p for p in self.result.contenders[i].record["plans"] if p["plan"] == plan]
        return {stage["stage"]: (rank, stage["level"]) for p in plans for rank, stage in enumerate(p["stages"])}


def day(us: int) -> float:
    """A time as matplotlib counts it: days since 1970-01-01.

    >>> day(43_200_000_000)
    0.5
    """
    return us / DAY


def colour(level: str | None) -> str:
    """A warning level's colour."""
    return UNRATED if level is None else COLOURS[level]


def short(text: str, most: int) -> str:
    """`text`, cut at its end where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
