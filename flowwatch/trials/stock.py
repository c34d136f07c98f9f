"""What a test can speak of: the names in a compiled site with its plans, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowwatch.core.network import compile_network
from flowwatch.core.terms import compile_terms
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Node
from flowwatch.documents.words import WHOLE_SITE
from flowwatch.trials.figures import instead

EDGES: Final = ("occupancy", "occupancy_lower", "occupancy_upper")
"""The figures that every zone and the whole site have."""
_THINGS: Final = ("zone", "gate", "link", "counter", "barrier", "sign")
_SOMEWHERE: Final = Node(1, 1)


@dataclass(frozen=True, slots=True)
class Stock:
    """The names of one compiled site."""

    record: Mapping[str, Any]
    site_file: str
    plan_folder: str
    """With site_file: where people look names up."""
    plans: Mapping[str, Mapping[str, Any]]
    """The compiled plans by name, the main plan first."""
    counters: Mapping[str, Mapping[str, Any]]
    figures: tuple[str, ...]
    """What a test can script: "mall.occupancy", "gate-1.flow_in", "bund.full" (0 or 1: whether the other site is at that stage)."""

    @classmethod
    def of(cls, record: Mapping[str, Any], site_file: str = "the site file", plan_folder: str = "the plans") -> Stock:
        """The names of a compiled site."""
        network = compile_network([("", record)], [f"{record['site']}/{c['counter']}" for c in record["counters"]])
        terms = compile_terms(network)
        others = [name.split("/", 1)[1] for name in (*(passers.name for passers in terms.passers), *dict.fromkeys(terms.neighbour_names))]
        zones = [*(zone["zone"] for zone in record["zones"]), WHOLE_SITE]
        figures = (*(f"{zone}.{edge}" for zone in zones for edge in EDGES), *others)
        plans = {plan["plan"]: plan for plan in record["plans"]}
        return cls(record, site_file, plan_folder, plans, {c["counter"]: c for c in record["counters"]}, figures)

    @property
    def main(self) -> str | None:
        """The main plan's name, where the site has a plan."""
        return next(iter(self.plans), None)

    @property
    def cases(self) -> list[str]:
        """The plans that are cases."""
        return [name for name, plan in self.plans.items() if plan["case"] is not None]

    def stages(self, plan: str | None) -> list[str]:
        """The stages of a plan, calm to closed."""
        return [] if plan is None else [stage["stage"] for stage in self.plans[plan]["stages"]]

    def all_stages(self) -> list[str]:
        """The stages of all plans."""
        return list(dict.fromkeys(stage for plan in self.plans for stage in self.stages(plan)))

    def names(self) -> Names:
        """The same for the walk, which tells names that there are not."""
        leading = [name for name, plan in self.plans.items() if name == self.main or (plan["case"] or {}).get("effect") == "replace"]
        tasks = [t["task"] for plan in self.plans.values() for stage in plan["stages"] for t in stage["tasks"]]
        found: dict[str, Iterable[str]] = {thing: [part[thing] for part in self.record[f"{thing}s"]] for thing in _THINGS}
        found |= {"figure": self.figures, "plan": self.plans, "case": self.cases, "task": tasks}
        found["stage"] = [stage for plan in leading for stage in self.stages(plan)]
        defined = {kind: dict.fromkeys(names, _SOMEWHERE) for kind, names in found.items()}
        files = {kind: self.site_file if kind in _THINGS else self.plan_folder for kind in defined}
        return Names(defined, files, {"figure": lambda name: instead(self.record, self.figures, name)})
