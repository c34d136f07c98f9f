"""A site's handover, gathered from the journal's picture and the book of handling: for the API and for the command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowwatch.handling.handover import Handover, Open, StageNow, handover
from flowwatch.handling.load import LEAD_US
from flowwatch.journal import Journal
from flowwatch.picture import Standing


def gathered(
    site: str,
    at_us: int,
    *,
    standing: Standing,
    book: Journal | None,
    document: Mapping[str, Any] | None,
    incidents: Iterable[Open],
    undelivered: Iterable[Open] = (),
) -> Handover:
    """The handover of the site at that moment. `standing`: what the journal says; `document`: the compiled site, for the levels of stages."""
    entries = [] if book is None else book.entries(site, since=at_us - LEAD_US, until=at_us + 1)
    return handover(
        site,
        at_us,
        incidents=incidents,
        entries=entries,
        actions=standing.actions.values(),
        stages=_stages(standing, document),
        undelivered=undelivered,
    )


def _stages(standing: Standing, document: Mapping[str, Any] | None) -> list[StageNow]:
    """The stage of every plan in force, the main plan's first."""
    plans = [] if document is None else list(document["plans"])
    levels = {(plan["plan"], stage["stage"]): stage["level"] for plan in plans for stage in plan["stages"]}
    order = {plan["plan"]: i for i, plan in enumerate(plans)}
    found = sorted(standing.stages.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    return [StageNow(plan, str(body["to"]), levels.get((plan, body["to"]))) for plan, body in found]
