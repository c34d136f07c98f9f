"""What plans say of other sites: a condition may name the stage that a plan of another site of the same group is at.

One site's documents cannot tell whether that is right, so this is looked at when all sites are known. Sites may not look at each other in a
circle: each would wait for the other to become calm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowwatch.documents.faults import Path, did_you_mean, listed, near, quoted

Record = Mapping[str, Any]
"""A compiled site with its plans."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A condition on another site that cannot mean anything: the site and plan that it stands in, where, and what is wrong."""

    site: str
    plan: str
    path: Path
    text: str


def strays(record: Record, others: Mapping[str, Record | None]) -> Iterator[Stray]:
    """What is wrong with the conditions of `record` on other sites.

    `others` has all sites by name, itself or not; None for one whose documents have faults of their own, of which nothing is said.
    """
    known = dict(others) | {record["site"]: record}
    for plan in record["plans"]:
        for path, leaf in _conditions(plan):
            text = _wrong(record, leaf, known)
            if text is not None:
                yield Stray(record["site"], plan["plan"], path, text)


def _wrong(record: Record, leaf: Record, known: Mapping[str, Record | None]) -> str | None:
    site, own = leaf["site"], record["site"]
    if site == own:
        return f"found {quoted(site)}, the site of this plan, expected another site of its group"
    if site not in known:
        rest = [name for name in known if name != own]
        return f"found {quoted(site)}, but there is no such site, expected {listed(rest)}{did_you_mean(near(site, rest))}"
    other = known[site]
    if other is None:
        return None
    if other["group"] != record["group"]:
        return f"found {quoted(site)} of group {quoted(other['group'])}, expected a site of this site's group {quoted(record['group'])}"
    plans = {plan["plan"]: plan for plan in other["plans"]}
    if not plans:
        return f"found {quoted(site)}, which has no plan, expected a site with one"
    name = leaf["plan"] or next(iter(plans))
    if name not in plans:
        return f"found plan {quoted(name)}, but {quoted(site)} has no such plan, expected {listed(list(plans))}{did_you_mean(near(name, plans))}"
    stages = [stage["stage"] for stage in plans[name]["stages"][1:]]
    if leaf["stage"] not in stages:
        meant = did_you_mean(near(leaf["stage"], stages))
        return f"found {quoted(leaf['stage'])}, expected a stage above calm of {quoted(name)} at {quoted(site)}: {listed(stages)}{meant}"
    circle = _way(site, own, known)
    return None if circle is None else f"found sites that look at each other in a circle ({' → '.join([own, *circle])}), expected none"


def _way(start: str, end: str, known: Mapping[str, Record | None]) -> list[str] | None:
    """The shortest way from one site to another along what their plans look at."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        for site in looks_at(known[way[-1]]):
            if site == end:
                return [*way, end]
            if site in known and site not in seen:
                seen.add(site)
                ways.append([*way, site])
    return None


def looks_at(record: Record | None) -> Sequence[str]:
    """The sites whose stages the plans of `record` go by."""
    return [] if record is None else list(dict.fromkeys(leaf["site"] for plan in record["plans"] for _, leaf in _conditions(plan)))


def _conditions(plan: Record) -> Iterator[tuple[Path, Record]]:
    """The conditions on other sites, with where they stand."""
    parts: list[tuple[Path, Record]] = [(("stages", i, "when"), stage) for i, stage in enumerate(plan["stages"])]
    parts += [(("degraded", i, "when"), rule) for i, rule in enumerate(plan["degraded"])]
    parts += [(("case", "during"), plan["case"])] if plan["case"] is not None else []
    for path, part in parts:
        yield from ((path, leaf) for leaf in part["leaves"] if leaf["kind"] == "neighbour")
