"""What a bar says: the number in a text such as `1500`, `3.5`, `80%` or `E`, and the people that it stands for.

Every measure has a unit, and a unit has its way of writing. The engine compares whole numbers only, so bars are scaled while documents are
compiled, to thousandths of a person (or of a person a minute):

    persons            x 1000
    share of capacity  x capacity of the zone
    density            x area of the zone          persons/m2 x m2
    level of service   the density where the level begins, then as density
    persons/min        x 1000
    persons/m/min      x clear width of the gate or link

A level's letter stands for the lower end of its range of density. Walkway levels of service A < 0.31, B < 0.43, C < 0.72, D < 1.08,
E < 2.15 persons/m2, F above: Fruin, *Pedestrian Planning and Design* (1971), 35, 25, 15, 10 and 5 square feet a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from flowwatch.documents.amounts import amount, ascii_of, per_area, per_minute, written
from flowwatch.documents.conditions import FORECASTS, OCCUPANCIES, PASSERS, Measure
from flowwatch.documents.faults import did_you_mean

LEVELS: Final = {"B": Fraction("0.31"), "C": Fraction("0.43"), "D": Fraction("0.72"), "E": Fraction("1.08"), "F": Fraction("2.15")}
"""The density (persons/m2) at which each walkway level of service begins."""
MILLI: Final = 1000
_SHARES_UP_TO: Final = 150
"""A number without a percent sign above this is no share of a capacity, but persons."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A way of writing bars: its pattern, the largest number, and how a fault names it."""

    pattern: str
    most: int
    what: str
    below_zero: bool = False
    """Whether a clear bar may be 0 or less; every other bar is above 0."""


PERSONS: Final = Unit("[0-9]{1,15}", 10_000_000, "a whole number of persons from 1 up to 10,000,000")
PERCENT: Final = Unit(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)%", 1000, "a share of the capacity such as 80%, up to 1000%")
DENSITY: Final = Unit(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", 20, "a number of persons per square metre such as 3.5, above 0 up to 20")
LETTER: Final = Unit("[B-F]", 1, "a level of service: one of B, C, D, E, F")
PER_MINUTE: Final = Unit("[0-9]{1,15}", 1_000_000, "a whole number of persons a minute from 1 up to 1,000,000")
NET: Final = Unit("-?[0-9]{1,15}", 1_000_000, "a whole number of persons a minute up to 1,000,000", below_zero=True)
PER_METRE: Final = Unit(r"[0-9]{1,4}(?:\.[0-9]{1,6})?", 1000, "a number of persons a metre and minute such as 60, above 0 up to 1,000")

UNITS: Final = {
    **dict.fromkeys((*OCCUPANCIES, *FORECASTS, Measure.BAND_WIDTH, Measure.QUEUE), PERSONS),
    Measure.CAPACITY_SHARE: PERCENT,
    Measure.DENSITY: DENSITY,
    Measure.LEVEL_OF_SERVICE: LETTER,
    Measure.NET_FLOW: NET,
    Measure.FLOW_RATE: PER_MINUTE,
    Measure.SPECIFIC_FLOW: PER_METRE,
    Measure.OPPOSING_FLOW: PER_MINUTE,
}


def bar(measure: Measure, text: str, *, clear: bool = False) -> Fraction:
    """The number that `text` says as a bar of `measure`, in the measure's unit (shares: 0.8 for 80%; levels: their density).

    Raises ValueError where it says none. `clear`: it is the bar on the way down.

    >>> bar(Measure.CAPACITY_SHARE, "80%")
    Fraction(4, 5)
    """
    unit = UNITS[measure]
    found = re.fullmatch(unit.pattern, text)
    if not found:
        raise ValueError(text)
    if unit is LETTER:
        return LEVELS[text]
    number = Fraction(found[1] if unit is PERCENT else text)
    if abs(number) > unit.most or (number <= 0 and not (unit.below_zero and clear)):
        raise ValueError(text)
    return number / 100 if unit is PERCENT else number


def near_bar(measure: Measure, text: str) -> str | None:
    """The bar that was probably meant by `text`.

    >>> near_bar(Measure.CAPACITY_SHARE, "0.8")
    '80%'
    """
    found = _near(measure, text)
    try:
        bar(measure, found or "")
    except ValueError:
        return None
    return found if found != text else None


def _near(measure: Measure, text: str) -> str | None:
    unit = UNITS[measure]
    percent = "%" in ascii_of(text)
    if unit is LETTER:
        return text.strip().upper()
    if unit is PERCENT:
        number = amount(text)
        if number is None or (not percent and number > _SHARES_UP_TO):
            return None
        return f"{written(number if percent or number > 1 else 100 * number)}%"
    if percent or (unit is DENSITY and per_area(text)) or (unit is NET and "-" in text):
        return None
    number = per_minute(text) if unit in (PER_MINUTE, NET, PER_METRE) else amount(text)
    return None if number is None else written(number)


def meant(measure: Measure, text: str) -> str:
    """The end of a fault's sentence: the bar that was probably meant by `text`, or the measure that it is a bar of.

    >>> meant(Measure.OCCUPANCY, "80%")
    '; for a share write measure: capacity_share'
    """
    found = near_bar(measure, text)
    if found or measure not in (*OCCUPANCIES, Measure.CAPACITY_SHARE, Measure.DENSITY, Measure.LEVEL_OF_SERVICE):
        return did_you_mean(found)
    number = amount(text)
    if "%" in ascii_of(text):
        return "; for a share write measure: capacity_share"
    if number is None or not re.fullmatch(r"[0-9.]+", text):
        return ""
    if number.denominator == 1:
        return "; for persons write measure: occupancy" if number > DENSITY.most else ""
    return "; for a density write measure: density" if 1 < number <= DENSITY.most else ""


@dataclass(frozen=True, slots=True)
class Place:
    """The sizes of what a condition looks at; those that it has not are 0."""

    capacity: Fraction = Fraction(0)
    area_m2: Fraction = Fraction(0)
    width_m: Fraction = Fraction(0)


SCALES: Final[dict[Measure, Callable[[Place], Fraction]]] = {
    Measure.CAPACITY_SHARE: lambda place: place.capacity,
    Measure.DENSITY: lambda place: place.area_m2,
    Measure.LEVEL_OF_SERVICE: lambda place: place.area_m2,
    Measure.SPECIFIC_FLOW: lambda place: place.width_m,
}
"""What a bar is multiplied by; by 1 where the measure is not named."""


def milli(measure: Measure, number: Fraction, place: Place) -> int:
    """`number` (in the measure's unit) at `place`, in thousandths of a person or of a person a minute, rounded half to even.

    >>> milli(Measure.LEVEL_OF_SERVICE, LEVELS["E"], Place(area_m2=Fraction(420)))
    453600
    """
    return round(number * (SCALES[measure](place) if measure in SCALES else 1) * MILLI)


def family(measure: Measure) -> str:
    """Measures of one family are bars on one figure once they are scaled: shares and densities are people inside.

    >>> family(Measure.DENSITY)
    'people'
    """
    if measure in FORECASTS or measure in (Measure.BAND_WIDTH, Measure.NET_FLOW, Measure.OPPOSING_FLOW):
        return measure.value
    return "passers" if measure in PASSERS else "people"
