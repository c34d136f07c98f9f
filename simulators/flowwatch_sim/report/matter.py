"""What a report is about: setups with their documents and days, what they are called, which bars and zones are told.

Setups go by letters, A first; beside its letter a setup has a label that says how it differs from the others: the bars of its main plan, else the
folder of its plans, else how its counters count. Cases that were never in force are not told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from flowwatch.titles import Names
from flowwatch.words import Language, plain, say
from flowwatch_sim.comparing import compare
from flowwatch_sim.measures import on_people
from flowwatch_sim.planned import Planned
from flowwatch_sim.runs import Result, Setup

LETTERS: Final = "ABCD"
"""More than four side by side is no page any more: `runs.write` has the tables."""
MOST_ZONES: Final = 8
"""Zones that are told of; the tables have all."""
UPPER: Final = {"occupancy_upper": ("（按区间上限）", " (upper edge)"), "occupancy_lower": ("（按区间下限）", " (lower edge)")}
SIGHTS: Final = {
    "perfect": ("计数准确", "exact counts"),
    "declared": ("误差如文件所载", "counts as good as declared"),
    "real": ("计数有误差", "counts with errors"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on people inside: how many, and whose it is."""

    people: float
    title: str
    level: str | None


class Matter:
    """Setups, their days, and the words for them in one language."""

    def __init__(self, setups: Sequence[Setup], results: Sequence[Result], language: Language) -> None:
        """Raises ValueError where results and setups do not go together, and `DocumentErrors`."""
        self.setups, self.table = list(setups), compare(results)
        self.language: Language = language
        if len(self.setups) > len(LETTERS):
            raise ValueError(f"found {len(self.setups)} setups, expected at most {len(LETTERS)}: a page has no room for more")
        found, expected = [(of.plan, of.sight) for of in self.table.days], [(s.name, s.sight) for s in self.setups]
        if len(found) != len(expected) or any(a[0] != b[0] or b[1] not in (None, a[1]) for a, b in zip(found, expected, strict=False)):
            raise ValueError(f"found days of {found}, expected those of {expected}")
        self.planned = [setup.planned() for setup in self.setups]
        if any(planned.beside for planned in self.planned):
            raise ValueError("found a scenario of several sites, expected one of a single site: a page tells of one")
        self.names = [Names(planned.loaded.site, language) for planned in self.planned]
        self.letters = LETTERS[: len(self.setups)]

    def told_in(self, language: Language) -> Matter:
        """The same matter in a language, for what must be told in another one than the page."""
        if language == self.language:
            return self
        other = copy(self)
        for kept in ("labels", "zones", "empty", "unmoved"):
            other.__dict__.pop(kept, None)
        other.language, other.names = language, [Names(planned.loaded.site, language) for planned in self.planned]
        return other

    # -- words ------------------------------------------------------------------------------------------------------------------------

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is in the report's language."""
        return say(self.language, zh, en)

    @property
    def first(self) -> Planned:
        """The setup that the others are held against."""
        return self.planned[0]

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.setups) > 1

    @property
    def title(self) -> str:
        """The scenario's."""
        text = self.first.scenario.title
        return self.say(text.zh, text.en)

    @property
    def site(self) -> str:
        """The site's title."""
        return self.names[0].site

    @cached_property
    def labels(self) -> list[str]:
        """How each setup differs from the others; "" where there is but one, and where nothing differs."""
        if not self.several:
            return [""]
        sights = [self.say(*SIGHTS[of.sight]) for of in self.table.days]
        folders = [setup.name for setup in self.setups]
        for choice in ([_bars_of(planned) for planned in self.planned], folders, sights):
            if all(choice) and len(set(choice)) == len(choice):
                return choice
        if len(set(sights)) == 1:
            return folders if len(set(folders)) > 1 else [""] * len(folders)
        return [f"{a}{self.say('，', ', ')}{b}" for a, b in zip(folders, sights, strict=True)]

    def called(self, i: int) -> str:
        """A setup's letter and label, as sentences and charts call it."""
        if not self.several:
            return self.plan_title(i)
        return f"{self.letters[i]}{self.say(f'（{self.labels[i]}）', f' ({self.labels[i]})') if self.labels[i] else ''}"

    def plan_title(self, i: int) -> str:
        """The title of a setup's main plan."""
        plans = self.planned[i].loaded.site["plans"]
        return self.names[i].plan(plans[0]["plan"]) if plans else self.say("无方案", "no plan")

    # -- what is told -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def zones(self) -> list[str]:
        """The zones that are told of: the whole ones first, then those with bars."""
        layout = self.first.layout
        whole = [z for i, z in enumerate(layout.zones) if len(layout.held[i]) == 1 and i not in layout.waiting]
        whole.sort(key=lambda zone: -layout.area[layout.zones.index(zone)])
        barred = [z for z in layout.zones if z not in whole and any(self.bars(i, z) for i in range(len(self.setups)))]
        told = [*whole, *barred]
        return [*told[:1], *(zone for zone in told[1:] if not self._never_in(zone))][:MOST_ZONES]

    @cached_property
    def empty(self) -> list[str]:
        """Zones with bars in which nobody ever was; nothing more is told of them."""
        return [
            zone for zone in self.first.layout.zones if self._never_in(zone) and any(self.bars(i, zone) for i in range(len(self.setups)))
        ]

    def _never_in(self, zone: str) -> bool:
        row = self.table.rows.get(f"peak/{zone}")
        return row is not None and all(span in (None, (0.0, 0.0)) for span in row.spans)

    @cached_property
    def unmoved(self) -> dict[str, tuple[str, str]]:
        """Plan beside the main one -> (its title, that of its stage), where it never left that stage under any setup."""
        found: dict[str, set[str]] = {}
        for of in self.table.days:
            for day in of.results:
                for name, minutes in day.measures.items():
                    if name.startswith("stage/") and minutes:
                        found.setdefault(name.split("/")[1], set()).add(name.split("/")[2])
        mains = {plan["plan"] for planned in self.planned for plan in planned.loaded.site["plans"][:1]}
        every = [{plan["plan"] for plan in self.in_force(i)} for i in range(len(self.setups))]
        still = {plan: next(iter(stages)) for plan, stages in found.items() if len(stages) == 1 and plan not in mains}
        named = self.names[0]
        return {
            plan: (named.plan(plan), named.stage(stage, plan)) for plan, stage in still.items() if all(plan in these for these in every)
        }

    @property
    def main_zone(self) -> str:
        """The largest zone: the one that is spoken of first."""
        return self.zones[0]

    def in_force(self, i: int) -> list[dict[str, Any]]:
        """The plans of a setup that were in force on any of its days."""
        ran = {name.split("/")[1] for day in self.table.days[i].results for name in day.measures if name.startswith("stage/")}
        return [plan for plan in self.planned[i].loaded.site["plans"] if plan["plan"] in ran or not plan["case"]]

    def bars(self, i: int, zone: str) -> list[Bar]:
        """The bars of a setup's plans on people in a zone, ascending; a bar that two conditions share is one."""
        found: dict[tuple[float, str], Bar] = {}
        for plan in self.in_force(i):
            for stage in plan["stages"]:
                for leaf in stage["leaves"]:
                    if on_people(leaf) and leaf["zone"] == zone:
                        title = self.names[i].stage(stage["stage"], plan["plan"]) + self.say(*UPPER.get(leaf["source"], ("", "")))
                        bar = Bar(leaf["enter_m"] / 1000, title, stage["level"])
                        found.setdefault((bar.people, bar.title), bar)
        return sorted(found.values(), key=lambda bar: bar.people)

    def all_bars(self, zone: str) -> list[float]:
        """The bars of all setups on people in a zone, ascending."""
        return sorted({bar.people for i in range(len(self.setups)) for bar in self.bars(i, zone)})

    def worst(self, i: int) -> Result:
        """The day of a setup with the highest peak in the largest zone."""
        return self.table.days[i].worst(f"peak/{self.main_zone}")


def _bars_of(planned: Planned) -> str:
    """The bars of a main plan on people inside, as planners call it: 1,500/3,000."""
    plans = planned.loaded.site["plans"]
    bars = [leaf["enter_m"] / 1000 for plan in plans[:1] for stage in plan["stages"] for leaf in stage["leaves"] if on_people(leaf)]
    return "/".join(plain(bar) for bar in bars) if len(bars) <= 4 else ""
