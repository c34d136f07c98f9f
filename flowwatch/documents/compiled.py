"""Typed documents to the compiled record: what the log carries and the engine runs on.

Everything is resolved here: defaults, names in one order, durations and moments in microseconds, UTC offsets and public holidays as tables,
every gate's setting in every stage. So the record does not depend on the order of a file's keys, and the engine needs neither YAML nor a
time-zone database. The shape is described in docs/documents.md; `compiled_site.py` and `compiled_plan.py` make its two halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flowwatch.documents.compiled_plan import plan_record
from flowwatch.documents.compiled_site import in_order, offsets, site_record, skeleton
from flowwatch.documents.plan import Plan
from flowwatch.documents.site import Site
from flowwatch.documents.words import time_zone

__all__ = ["FORMAT", "in_order", "offsets", "record", "skeleton"]

FORMAT: Final = 2


def record(site: Site, plans: Sequence[Plan]) -> dict[str, Any]:
    """The compiled record of `site` with its main plan and the zone plans and cases that go with it (none: no plan), all without faults."""
    clock, ways = time_zone(site.time_zone), skeleton(site)
    companions = {plan.plan: plan for plan in plans[1:]}
    ordered = [*plans[:1], *(companions[name] for name in in_order(companions))]
    return {"format": FORMAT, **site_record(site), "plans": [plan_record(plan, site, ways, clock) for plan in ordered]}
