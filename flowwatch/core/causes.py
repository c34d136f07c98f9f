"""What every journal entry carries beside what it says: why. Enough to find the way back to the readings in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.network import Network
from flowwatch.core.occupancy import Figures
from flowwatch.core.plan import Decision
from flowwatch.core.readings import SECOND
from flowwatch.core.terms import Terms
from flowwatch.core.totals import Totals

READINGS_NAMED: Final = 8
"""The most readings that a cause names."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where causes are looked up: the documents in force, their terms, what is remembered of counters, and the partition's name."""

    network: Network
    terms: Terms
    totals: Totals
    partition: str

    def cause(
        self,
        s: int,
        tick: int,
        *,
        decision: Decision | None = None,
        target: int | None = None,
        counter: int | None = None,
        figures: Figures | None = None,
        action: str | None = None,
    ) -> dict[str, Any]:
        """The cause of something at site `s` at `tick`: document, condition, figure, and the last readings that fed it.

        Given a `decision`, its term and target; else a `target` alone, or a `counter` (code). `figures` are the tick's, `action` an operator's.
        """
        network, term, estimate = self.network, None, None
        if decision is not None and decision.term is not None:
            k = decision.term
            leaf, rises = self.terms.leaves[k], decision.new > decision.old
            where = int(self.terms.target[k])
            target = where if where >= 0 else target
            term = {
                "zone": leaf.get("zone"),
                "measure": leaf.get("measure" if rises else "clear_source") or leaf.get("measure") or leaf["kind"],
                "value_m": decision.value,
                "bar_m": int(self.terms.enter[k] if rises else self.terms.clear[k]),
                "edge": "enter" if rises else "clear",
                "held_s": decision.held // SECOND,
                "leaf": dict(leaf),
            }
        if target is not None and figures is not None:
            known = bool(figures.known[target])
            estimate = {
                "zone": network.target_name(target),
                "inside_m": int(figures.inside[target]),
                "lower_m": int(figures.lower[target]),
                "upper_m": int(figures.upper[target]) if known else None,
                "known": known,
            }
        feeding = [counter] if counter is not None else []
        if decision is not None and decision.term is not None:
            feeding = list(self.terms.rests_on[decision.term])
        if target is not None:
            feeding = network.feed_counter[network.feed_target == target].tolist()
        last_at, last_offset = self.totals.counted_at, self.totals.last_offset
        heard = sorted((c for c in feeding if last_offset[c] >= 0), key=lambda c: (-int(last_at[c]), c))[:READINGS_NAMED]
        return {
            "tick_us": tick,
            "document": network.versions[s],
            "term": term,
            "estimate": estimate,
            "readings": [{"counter": network.counters[c], "at_us": int(last_at[c]), "offset": int(last_offset[c])} for c in heard],
            "partition": self.partition,
            "action": action,
        }
