"""The numbers of a plan or site file, and those that its page in docs/plans states, in one form: (where, what, key, value as text).

The files are read as plain YAML, every scalar as the text that stands there: a page says what the file says, letter by letter. A row of a page
may state several keys of one thing, "mall occupancy: clear, hold" with "1350, 30s".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

STANDINGS: Final = ("confirmed", "second-hand", "assumed")
Fact = tuple[str, str, str, str]
"""(stage, rule or "plan"; what; key; value)."""
_ROW: Final = re.compile(r"^\| (?!---)(.+) \|$", re.MULTILINE)
_COUNTED: Final = re.compile(r"metered|wave")


def of_plan(file: Path) -> Iterator[Fact]:
    """Every number, duration, date and rate in a plan file; not its texts, and not the gates that only lead in, out or both ways."""
    plan = yaml.load(file.read_bytes(), yaml.BaseLoader)
    yield from (("plan", "valid", key, value) for key, value in plan.get("valid", {}).items())
    if "business_day" in plan:
        yield "plan", "business_day", "", plan["business_day"]
    for event, spans in plan.get("events", {}).items():
        yield from (("plan", f"event {event}", key, span[key]) for span in spans for key in ("from", "until"))
    yield from _conditions("plan", plan.get("case", {}).get("during", {}))
    for stage in plan["stages"]:
        name = stage["stage"]
        yield from _conditions(name, stage.get("when", {}))
        if "dwell" in stage:
            yield name, "dwell", "", stage["dwell"]
        yield from ((name, f"gate {gate}", "", setting) for gate, setting in stage.get("gates", {}).items() if _COUNTED.match(setting))
        yield from ((name, f"task {task['task']}", "within", task["within"]) for task in stage.get("tasks", []))
        for way, approval in stage.get("confirm", {}).items():
            if "within" in approval:
                yield name, f"confirm {way}", "within", approval["within"]
    for rule in plan.get("degraded", []):
        yield from _conditions(rule["rule"], rule["when"])


def _conditions(where: str, group: dict[str, Any]) -> Iterator[Fact]:
    for inner in (*group.get("any", ()), *group.get("all", ())):
        yield from _conditions(where, inner)
    if "time" in group:
        yield where, "time", "", group["time"]
    place = next((group[key] for key in ("zone", "gate", "link", "counter") if key in group), None)
    if place is not None:
        what = " ".join([place, group.get("measure") or group["health"], *([group["direction"]] if "direction" in group else [])])
        yield from ((where, what, key, group[key]) for key in ("enter", "clear", "hold", "within") if key in group)


def of_site(file: Path) -> Iterator[Fact]:
    """The sizes in a site file: of zones, gates and links, and the site's own; not those of counters."""
    site = yaml.load(file.read_bytes(), yaml.BaseLoader)
    yield "site", "egress_min_per_min", "", site["egress_min_per_min"]
    yield from (("site", "known_empty", key, value) for key, value in site["known_empty"].items())
    keys = {"zone": ("area_m2", "capacity"), "gate": ("lanes", "width_m"), "link": ("width_m",)}
    for kind, sizes in keys.items():
        for name, thing in site.get(f"{kind}s", {}).items():
            yield from (("site", f"{kind} {name}", key, thing[key]) for key in sizes)


def of_page(page: Path, heading: str) -> Iterator[tuple[Fact, str, str]]:
    """(fact, its standing, where it comes from) of each row of the table below `heading`; raises ValueError for a row that cannot be read."""
    for where, what, value, standing, source in rows(page, heading):
        name, _, keys = what.strip("`").partition(": ")
        values = [value] if "," not in keys else value.split(", ")
        for key, one in zip(keys.split(", "), values, strict=True):
            yield (where.strip("`"), name, key, one.strip("`")), standing, source


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the rows below `heading`, without the table's head."""
    parts = page.read_text(encoding="utf-8").split(f"\n{heading}\n")
    if len(parts) != 2:
        raise ValueError(f"{page.name}: found {heading!r} {len(parts) - 1} times, expected it once")
    section = re.split(r"^#+ ", parts[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(section)][1:]
