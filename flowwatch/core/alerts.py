"""What people are told when a stage comes: the plan's own texts, with the moment's numbers in their places.

A text names a place in braces, `{inside}`; the documents package lets only the names of `PLACES` through. A place whose number is not known
at that moment reads "?" rather than holding the text back. Braces are written twice to stand for themselves.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from typing import Any, Final

from flowwatch.core.gates import Setting, egress_per_min
from flowwatch.core.readings import OUTSIDE

PLACES: Final = (
    "site",
    "zone",
    "inside",
    "lower",
    "upper",
    "capacity",
    "share",
    "stage",
    "bar",
    "gates_in",
    "gates_out",
    "minutes_to_clear",
)
UNKNOWN: Final = "?"
LANGUAGES: Final = ("zh", "en")
_JOINED: Final = {"zh": "、", "en": ", "}
_FORMATTER: Final = string.Formatter()


def places(text: str) -> list[str]:
    """The names in braces in `text`; raises ValueError for braces that are not closed."""
    return [name for _, name, _, _ in _FORMATTER.parse(text) if name is not None]


def fill(text: Mapping[str, str], values: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """`text` in each language with its places filled from `values` (language -> name -> what stands there)."""
    return {language: _fill(text[language], values[language]) for language in LANGUAGES}


def _fill(text: str, values: Mapping[str, str]) -> str:
    try:
        parts = [(literal, name) for literal, name, _, _ in _FORMATTER.parse(text)]
    except ValueError:
        return text
    return "".join(literal + (values.get(name, UNKNOWN) if name is not None else "") for literal, name in parts)


def values(
    document: Mapping[str, Any], stage: Mapping[str, Any], table: Mapping[str, str], estimate: Mapping[str, Any] | None, bar: str | None
) -> dict[str, dict[str, str]]:
    """What stands in the places, by language: `estimate` is a cause's (None: nobody knows), `table` the gates' settings."""
    zones = {z["zone"]: z for z in document["zones"]}
    zone = estimate["zone"] if estimate is not None else None
    titled = document if zone in (None, "site") else zones[zone]
    outer = [z for z in document["zones"] if z["inside"] is None and z["outside"] is None]
    capacity = zones[zone]["capacity"] if zone in zones else sum(z["capacity"] for z in outer)
    gates = [g for g in document["gates"] if OUTSIDE in (g["from"], g["to"]) and g["gate"] in table]
    out = egress_per_min(document, table) if len(table) == len(document["gates"]) else 0
    numbers = {"capacity": f"{capacity:,}", "bar": bar or UNKNOWN}
    if estimate is not None:
        inside = estimate["inside_m"] / 1000
        numbers |= {"inside": f"{round(inside):,}", "lower": f"{round(estimate['lower_m'] / 1000):,}", "share": f"{inside / capacity:.0%}"}
        if estimate["upper_m"] is not None:
            numbers["upper"] = f"{round(estimate['upper_m'] / 1000):,}"
        if out:
            numbers["minutes_to_clear"] = str(math.ceil(inside / out))
    made = {}
    for language in LANGUAGES:
        leads = {
            "gates_in": [g["title"][language] for g in gates if Setting.parse(table[g["gate"]]).may_enter],
            "gates_out": [g["title"][language] for g in gates if Setting.parse(table[g["gate"]]).may_leave],
        }
        made[language] = (
            numbers
            | {"site": document["title"][language], "zone": titled["title"][language], "stage": stage["title"][language]}
            | {name: _JOINED[language].join(titles) for name, titles in leads.items()}
        )
    return made
