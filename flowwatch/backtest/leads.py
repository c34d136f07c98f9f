"""How long before things get worse a stage stands: the lead time of each stage of the main plan.

Definition. For a stage above the calmest let x be the first moment at which the figures meet the condition of the *next* stage, holds and
confirmations left aside; of the last stage, at which the people inside the site are more than the capacity of its outer zones together. Let r
be the moment since which the stage, or a higher one, had been in force without a break at x. The lead time is x - r. Where the stage was not
in force at x, r is when it next rose, and the lead time is negative: people were there before the stage was. Without an x there is none, and
neither without an r.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.engine import Engine
from flowwatch.core.readings import NEVER, Bools
from flowwatch.core.terms import Role, Terms

CAPACITY: Final = "capacity"
"""Stands where the last stage has no next one."""


@dataclass(slots=True)
class Lead:
    """One stage: when it first rose, when what comes next was crossed, and since when the stage stood then (microseconds)."""

    stage: str
    level: str | None
    next: str
    first_risen: int | None = None
    crossed: int | None = None
    risen: int | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON-able data."""
        lead = None if self.crossed is None or self.risen is None else self.crossed - self.risen
        what = {"stage": self.stage, "level": self.level, "next": self.next, "first_risen_us": self.first_risen}
        return what | {"risen_us": self.risen, "crossed_us": self.crossed, "lead_us": lead}


class Leads:
    """Watches the main plan's conditions and stages, from tick to tick."""

    def __init__(self) -> None:
        self._found: dict[str, Lead] = {}
        self._order: list[str] = []
        self._since: dict[str, int] = {}
        """Since when each stage, or a higher one, has been in force."""
        self._rules: dict[str, int] = {}
        self._capacity = 0
        self._terms: Terms | None = None

    def follow(self, engine: Engine, document: Mapping[str, Any]) -> None:
        """Documents came into force."""
        self._terms = terms = engine.terms
        outer = [zone for zone in document["zones"] if zone["inside"] is None and zone["outside"] is None]
        self._capacity = 1000 * sum(zone["capacity"] for zone in outer)
        stages = document["plans"][0]["stages"] if document["plans"] else []
        self._order = [stage["stage"] for stage in stages]
        mine = (terms.rule_ladder == int(terms.main[0])) & (terms.rule_role == Role.STAGE) if stages else np.zeros(0, np.bool_)
        self._rules = {self._order[int(terms.rule_rank[r])]: r for r in np.flatnonzero(mine).tolist()}
        for rank, stage in enumerate(stages[1:], 1):
            after = self._order[rank + 1] if rank + 1 < len(stages) else CAPACITY
            lead = self._found.setdefault(stage["stage"], Lead(stage["stage"], stage["level"], after))
            lead.next = after

    def moved(self, stage: str | None, tick: int, *, counts: bool) -> None:
        """The main plan's stage in force became `stage`; `counts`: within the window that is looked at."""
        rank = self._order.index(stage) if stage in self._order else 0
        for r, name in enumerate(self._order[1:], 1):
            if r > rank:
                self._since.pop(name, None)
            elif name not in self._since:
                self._since[name] = tick
                lead = self._found[name]
                if counts and lead.first_risen is None:
                    lead.first_risen = tick
                if lead.crossed is not None and lead.risen is None:
                    lead.risen = tick

    def look(self, above: Bools, inside: int, tick: int) -> None:
        """`above` (K,): which leaves are above their enter bars; `inside`: people in the site, milli-persons."""
        wanted = [lead for lead in self._found.values() if lead.crossed is None]
        if not wanted or self._terms is None:
            return
        full = self._capacity > 0 and inside > self._capacity
        if not full and not above.any():
            return
        met = self._met(above)
        for lead in wanted:
            rule = self._rules.get(lead.next)
            if full if lead.next == CAPACITY else rule is not None and bool(met[rule]):
                lead.crossed = tick
                lead.risen = self._since.get(lead.stage)

    def _met(self, above: Bools) -> Bools:
        """(R,) whether some clause of each rule has all of its leaves above."""
        terms = self._terms
        assert terms is not None
        if not len(terms.rule_names):
            return np.zeros(0, np.bool_)
        clauses = np.logical_and.reduceat(above[terms.member], terms.clause_first)
        return np.logical_or.reduceat(clauses, terms.rule_first)

    def plain(self) -> list[dict[str, Any]]:
        """Each stage above the calmest, calm to closed."""
        return [self._found[name].plain() for name in self._order[1:]]


def above(engine: Engine) -> Bools:
    """(K,) the leaves that are above their enter bars at the last tick."""
    return np.asarray(engine.plans.above_since != NEVER)
