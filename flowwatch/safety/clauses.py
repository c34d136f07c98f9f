"""What can be said about clauses before any number is known: which can never hold, and which hold whenever another does.

A clause is a list of leaves that must all hold. Everything here is conservative: "never" and "implies" are said only where they are sure.

- A leaf implies another on the same figure if its bar is no lower and its hold no shorter. The lower edge of a band, the figure and the upper
  edge are in this order, so a bar on the lower edge implies the same bar on the figure, and that one the same on the upper edge.
- One clause implies another if each leaf of the other is implied by a leaf of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from flowwatch.core.network import STATIC_LIMIT_PER_M2
from flowwatch.safety.days import WHOLE_DAY, Days, Window, both, common, window, within
from flowwatch.safety.describing import Both, leaf_text

Leaf = Mapping[str, Any]
EDGES: Final = {"occupancy_lower": 0, "occupancy": 1, "occupancy_upper": 2}
"""Figures on people inside, each never above the next."""
MEASURED: Final = ("people", "passers", "forecast")
"""The kinds of leaf that have bars."""


class Never(Enum):
    """Why a clause never holds."""

    PENDING = "pending"
    CLOCK = "clock"
    DAY = "day"
    BAR = "bar"


@dataclass(frozen=True, slots=True)
class Clause:
    """The leaves of one clause."""

    leaves: tuple[Leaf, ...]
    numbers: tuple[int, ...]


def clauses(part: Mapping[str, Any]) -> list[Clause]:
    """The clauses of a compiled stage, case or degraded rule."""
    return [Clause(tuple(part["leaves"][i] for i in numbers), tuple(numbers)) for numbers in part["clauses"]]


def pending(leaf: Leaf) -> bool:
    """Whether the engine does not evaluate the leaf yet (`core/terms.py`)."""
    return bool(leaf["kind"] == "forecast" or (leaf["kind"] == "health" and leaf["health"] != "silent"))


def figure_of(leaf: Leaf) -> tuple[str, ...] | None:
    """What a leaf's bar is on, so that bars on one figure can be compared; None for leaves without bars."""
    if leaf["kind"] == "people":
        return "people", leaf["zone"], "inside" if leaf["source"] in EDGES else leaf["source"]
    if leaf["kind"] == "passers":
        return "passers", leaf["gate"] or leaf["link"], "weaker" if leaf["measure"] == "opposing_flow" else leaf["direction"]
    if leaf["kind"] == "forecast":
        return "forecast", leaf["zone"], leaf["measure"], str(leaf["within_us"])
    return None


def surer(source: str, than: str) -> bool:
    """Whether a figure is never above another: what exceeds a bar on the first does on the second."""
    return source == than or (source in EDGES and than in EDGES and EDGES[source] <= EDGES[than])


class Reasoner:
    """What is sure about the clauses of one plan."""

    def __init__(self, site: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
        self._site = site
        self._days = Days(site, plan)
        outer = [z for z in site["zones"] if z["inside"] is None and not z.get("outside")]
        areas = {z["zone"]: z["area_m2"] for z in site["zones"]} | {"site": sum(z["area_m2"] for z in outer)}
        self.limit_m: Mapping[str, int] = {zone: int(area * STATIC_LIMIT_PER_M2 * 1000) for zone, area in areas.items()}
        """Zone -> thousandths of persons that its floor can hold at the very most."""

    def never(self, clause: Clause) -> tuple[Never, Both] | None:
        """Why the clause can never hold, in words too; None where it may."""
        for leaf in clause.leaves:
            if pending(leaf):
                zh, en = leaf_text(leaf, self._site)
                return Never.PENDING, (f"“{zh}”目前还不参与判断", f'"{en}" is not evaluated yet')
        if not self.hours(clause):
            return Never.CLOCK, ("各个时段没有共同的时刻", "its times of day never come together")
        by_start: dict[int, list[int]] = {}
        for leaf in clause.leaves:
            if leaf["kind"] == "day":
                by_start.setdefault(leaf["business_day_s"], []).append(self._days.of(leaf))
        if any(common(sets) == 0 for sets in by_start.values()):
            return Never.DAY, ("方案有效期内没有这样的日子", "no such day comes while the plan is valid")
        for leaf in clause.leaves:
            if self.above_limit(leaf) and leaf["source"] != "occupancy_upper":
                zh, en = leaf_text(leaf, self._site)
                most = f"{self.limit_m[leaf['zone']] // 1000:,}"
                return Never.BAR, (
                    f"“{zh}”超过该区域站得下的{most}人（每平方米7.1人）",
                    f'"{en}" is more than the {most} persons that the floor can hold (7.1/m2)',
                )
        return None

    def above_limit(self, leaf: Leaf) -> bool:
        """Whether a leaf's bar is on people inside and at or above what the floor can hold."""
        return leaf["kind"] == "people" and leaf["source"] in EDGES and leaf["enter_m"] >= self.limit_m[leaf["zone"]]

    def hours(self, clause: Clause) -> Window:
        """The time of day in which the clause can hold."""
        spans = WHOLE_DAY
        for leaf in clause.leaves:
            if leaf["kind"] == "time":
                spans = both(spans, window(leaf))
        return spans

    def leaf_implies(self, one: Leaf, two: Leaf) -> bool:
        """Whether `two` comes on whenever `one` does, and no later."""
        if one["kind"] != two["kind"]:
            return False
        if one["kind"] == "time":
            return within(window(one), window(two))
        if one["kind"] == "day":
            if one["business_day_s"] != two["business_day_s"]:
                return False
            mine = self._days.of(one)
            return mine & self._days.of(two) == mine
        if one["kind"] == "health":
            same = two["counter"] in (None, "any", one["counter"]) and one["health"] == two["health"]
            return same and two["hold_us"] <= one["hold_us"]
        if one["kind"] == "neighbour":
            same = (one["site"], one["plan"], one["stage"]) == (two["site"], two["plan"], two["stage"])
            return same and bool(two["hold_us"] <= one["hold_us"])
        if figure_of(one) != figure_of(two) or (one["kind"] == "people" and not surer(one["source"], two["source"])):
            return False
        return bool(two["enter_m"] <= one["enter_m"] and two["hold_us"] <= one["hold_us"])

    def implies(self, one: Sequence[Leaf], two: Sequence[Leaf]) -> bool:
        """Whether all leaves of `two` are implied by leaves of `one`."""
        return all(any(self.leaf_implies(mine, theirs) for mine in one) for theirs in two)

    def outlasts(self, two: Sequence[Leaf], one: Sequence[Leaf]) -> bool:
        """Whether each leaf of `two` is implied by a leaf of `one` that also goes off no later."""
        return all(any(self.leaf_implies(mine, theirs) and _clears_no_later(mine, theirs) for mine in one) for theirs in two)


def _clears_no_later(one: Leaf, two: Leaf) -> bool:
    """Whether `one`, which implies `two`, is off whenever `two` has gone off."""
    if one["kind"] not in MEASURED:
        return True
    same = one["kind"] != "people" or surer(one["clear_source"], two["clear_source"])
    return bool(same and two["clear_m"] <= one["clear_m"])
