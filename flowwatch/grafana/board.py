"""What a dashboard is made of, before it is one of Grafana's: rows of panels with their queries, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LEVELS: Final = {"I": "#b00020", "II": "#fb8500", "III": "#ffe066", "IV": "#3b82f6", "none": "#8a8f98"}
"""The official colours, darkened or lightened so far that they can be told apart by everybody; never without the numeral beside them."""
GREY, GOOD, BAD, WARN = "#8a8f98", "#6f8ea8", "#b00020", "#fb8500"
"""Good is slate: not green, which too many cannot tell from red, and not the blue of level IV."""


@dataclass(frozen=True, slots=True)
class Both:
    """A text in both languages."""

    en: str
    zh: str


def same(text: str) -> Both:
    """A text that both languages have alike: names, numerals, patterns of labels."""
    return Both(text, text)


class Shape(StrEnum):
    """How a panel shows its figures."""

    TIME = "time"
    """Lines over time."""
    STAT = "stat"
    """One large figure for each series, as it is now."""
    NAME = "name"
    """The names of the series, as they are now."""
    STATES = "states"
    """What was when, as bands over time."""
    BARS = "bars"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. `legend`: how a series is called, with {{label}}."""

    expr: str
    legend: Both = Both("", "")


@dataclass(frozen=True, slots=True)
class Value:
    """What a value is called and coloured."""

    value: str
    text: Both
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit`: Grafana's name; `steps`: (from, colour), the first from anywhere; `stacked`: lines on each other; `least`: where the axis begins."""

    title: Both
    meaning: Both
    shape: Shape
    unit: str
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    values: tuple[Value, ...] = ()
    steps: tuple[tuple[float | None, str], ...] = ((None, GOOD),)
    decimals: int | None = None
    columns: tuple[tuple[str, Both], ...] = ()
    """A table's: name of a field -> heading, in their order."""
    units: tuple[tuple[str, str], ...] = ()
    """A table's: name of a field -> its unit."""
    valued: str = ""
    """A table's: the field to which `values` apply."""
    stacked: bool = False
    least: float | None = None
    band: bool = False
    """Whether the room between lower and upper edge is filled, and bars are dashed."""
    words: tuple[tuple[str, Both], ...] = ()
    """Code that a series goes by -> what it is called."""
    colours: tuple[tuple[str, str], ...] = ()
    """Code that a series goes by -> its colour; else each has one of Grafana's."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels that belong together."""

    title: Both
    panels: tuple[Panel, ...]


class Choice(StrEnum):
    """What can be chosen at the top, besides data source, job and instance."""

    AREA = "area"
    SITES = "sites"
    """Several sites."""
    SITE = "site"
    """One."""
    ZONE = "zone"
    GATE = "gate"


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. `transitions`: whether changes of stage are marked in its graphs."""

    name: str
    title: Both
    meaning: Both
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...]
    transitions: bool = True
    span: str = "now-3h"
