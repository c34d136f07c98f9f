"""Notes on a compiled record: what is without fault and yet worth knowing before it comes into force.

A condition may name what flowwatch does not evaluate yet; it then never holds, and whoever relies on it must know. A calendar ends with the
last year that a government has decreed. A role that has no Chinese word is told in Chinese as the plan writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from flowwatch.documents.days import EPOCH
from flowwatch.vocabulary import ROLES


def notes(record: Mapping[str, Any]) -> list[str]:
    """Notes on `record`, one sentence each, in the order of its plans."""
    return [note for plan in record["plans"] for note in _of_plan(plan)]


def _of_plan(plan: Mapping[str, Any]) -> Iterator[str]:
    for where, part in _rules(plan):
        for leaf in part["leaves"]:
            if leaf["kind"] == "forecast":
                yield f'{where}: {leaf["measure"]} of "{leaf["zone"]}" never holds yet: flowwatch makes no forecast'
            elif leaf["kind"] == "health" and leaf["health"] != "silent":
                counter = "any counter" if leaf["counter"] is None else f'"{leaf["counter"]}"'
                yield f"{where}: {leaf['health']} of {counter} never holds yet: flowwatch only sees silent counters"
    for name in dict.fromkeys(_roles(plan)):
        if name not in ROLES:
            yield f'plan "{plan["plan"]}": the role "{name}" has no Chinese word and stands as it is in Chinese texts (roles: rules/README.md)'
    if plan["days_until"] is not None:
        until = EPOCH + timedelta(days=plan["days_until"])
        yield f'plan "{plan["plan"]}": its calendar knows public holidays up to {until.isoformat()}'


def _rules(plan: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for stage in plan["stages"]:
        yield f'plan "{plan["plan"]}", stage "{stage["stage"]}"', stage
    for rule in plan["degraded"]:
        yield f'plan "{plan["plan"]}", degraded rule "{rule["rule"]}"', rule


def _roles(plan: Mapping[str, Any]) -> Iterator[str]:
    """Whoever a plan gives tasks or asks."""
    for stage in plan["stages"]:
        yield from (task["role"] for task in stage["tasks"])
        yield from (by for by in (stage["confirm"][way]["by"] for way in ("rise", "fall")) if by is not None)
