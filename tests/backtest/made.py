"""Archives to try plans on: the hall of Grand Central with two plans for it, as a planner would lay them out, and logs of a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from flowwatch.adapters.draft import draft_site
from flowwatch.adapters.ingest import EventTime, Source, ingest, time_of
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import load_import
from flowwatch.backtest import Contender
from flowwatch.core.entries import canonical
from flowwatch.documents import load, shipped
from flowwatch.documents.actions import Recount, new_id, payload
from flowwatch.log import Writer, create
from flowwatch.log.writer import SEGMENT_BYTES
from flowwatch.workspace import Workspace
from tests.core.world import T0, counter, site, zone
from tests.log.making import readings

SECOND: Final = 1_000_000
HALL_BEGINS: Final = 1_790_816_400 * SECOND
"""2026-10-01T09:00+08:00, the epoch that the import document chose for the film."""

HALL: Final = """
plan: {name}
site: grand-central
title: {{zh: "{zh}", en: "{en}"}}
stages:
  - stage: normal
    title: {{zh: 正常, en: Normal}}
    gates: {{others: both}}
  - stage: busy
    title: {{zh: 限进, en: Fewer ways in}}
    level: III
    when: {{any: [{{zone: all, measure: occupancy, enter: {busy}, clear: {busy_clear}, clear_measure: occupancy, hold: 5s}}]}}
    dwell: 1m
    gates: {{N_top: out, others: both}}
    confirm: {{fall: {{by: automatic}}}}
    alert:
      headline: {{zh: 大厅人多, en: The hall is busy}}
      instruction: {{zh: 请走其他入口, en: Please use other entrances}}
  - stage: full
    title: {{zh: 只出不进, en: Exit only}}
    level: I
    when: {{any: [{{zone: all, measure: {measure}, enter: {full}, clear: {full_clear}, clear_measure: occupancy, hold: 5s}}]}}
    dwell: 2m
    gates: {{others: out}}
    confirm: {{rise: {{by: officer_in_charge, within: 60s, otherwise: apply}}, fall: {{by: automatic}}}}
    alert:
      headline: {{zh: 大厅客满, en: The hall is full}}
      instruction: {{zh: 请稍后再来, en: Please come back later}}
"""
FOLDERS: Final = {
    "grand-central": {"zh": "现行方案", "en": "The plan in force", "measure": "occupancy"}
    | {"busy": 110, "busy_clear": 95, "full": 150, "full_clear": 130},
    "early": {"zh": "提前方案", "en": "Earlier, on the upper edge", "measure": "occupancy_upper"}
    | {"busy": 90, "busy_clear": 75, "full": 170, "full_clear": 130},
}


def hall_documents(root: Path, archive: Path) -> None:
    """The drafted site of Grand Central's hall under `root`, with two folders of plans."""
    document = load_import(shipped() / "config" / "imports" / "grand-central.yaml")
    sites = root / "config" / "sites"
    sites.mkdir(parents=True)
    drafted = draft_site(document, [Source(partial(opened, archive), document)]).replace("UTC", "Asia/Shanghai").replace("1000}", "180}")
    (sites / "grand-central.yaml").write_text(drafted, encoding="utf-8")
    for folder, figures in FOLDERS.items():
        file = root / "rules" / folder / "plan.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(HALL.format(name="hall", **figures), encoding="utf-8")


def hall_log(root: Path, archive: Path) -> Workspace:
    """A working folder under `root` with the film's log, whose documents are those in force; somebody found it empty at its beginning."""
    document = load_import(shipped() / "config" / "imports" / "grand-central.yaml")
    loaded = load(root / "config" / "sites" / "grand-central.yaml", [root / "rules" / "grand-central" / "plan.yaml"])
    workspace = Workspace(root / "data")
    create(workspace.log, clock="event", tick_us=SECOND, partitions=1)
    with Writer.open(workspace.log) as writer:
        writer.append_document(loaded.payload, HALL_BEGINS - SECOND)
        writer.append_action("grand-central", recount("grand-central", "all", 0, HALL_BEGINS - SECOND), HALL_BEGINS - SECOND)
        writer.tick(HALL_BEGINS - SECOND)
        timing = time_of(writer, document)
        assert isinstance(timing, EventTime)
        ingest([Source(partial(opened, archive), document)], writer, timing)
    return workspace


def recount(site: str, zone: str, count: int, at: int) -> bytes:
    """Somebody counted."""
    return payload(Recount(action=new_id(at), site=site, by="Wang", reason="counted", at_us=at, zone=zone, count=count, counted_at_us=at))


# -- logs of a few rows -----------------------------------------------------------------------------------------------------------------------

MINUTE: Final = 60 * SECOND
Item = tuple[Any, ...]
"""("site", record), ("act", payload), ("count", counter, in, out) or ("tick",): what happens next in a log of one minute after the other."""


def small_log(root: Path, items: Iterable[Item], *, begin: int = T0, tick_us: int = MINUTE, segment_bytes: int = SEGMENT_BYTES) -> Path:
    """A log under `root` in which `items` happen; each tick is `tick_us` after the one before, readings are of the coming tick's time."""
    create(root / "log", clock="event", tick_us=tick_us, partitions=1)
    at, seq = begin, 0
    with Writer.open(root / "log", segment_bytes=segment_bytes) as writer:
        for what, *rest in items:
            match what:
                case "site":
                    writer.append_document(canonical(rest[0]), at)
                case "act":
                    writer.append_action(rest[0].record["site"], rest[0].payload, at)
                case "count":
                    name, came, left = rest
                    seq += 1
                    numbers = {"ingress": came, "egress": left, "at": at, "received": at}
                    writer.append(readings([name], seq, **{key: np.array([n], np.int64) for key, n in numbers.items()}))
                case "tick":
                    writer.tick(at)
                    writer.commit()
                    at += rest[0] if rest else tick_us
    return root / "log"


@dataclass(frozen=True)
class Order:
    """An operator's record on its way into a log."""

    record: dict[str, Any]

    @property
    def payload(self) -> bytes:
        return canonical(self.record)


def order(at: int, name: str, kind: str, site: str = "yu", **fields: Any) -> Order:
    """An operator's record."""
    return Order({"action": name, "type": kind, "site": site, "by": "Wang", "reason": "because", "at_us": at} | fields)


def square(stages: Sequence[Mapping[str, Any]], **changes: Any) -> dict[str, Any]:
    """A square for 25 people with two gates; the counter at the second is mounted the other way round."""
    counters = [counter("c0", every_us=MINUTE), counter("c1", gate="g1", swapped=True, every_us=MINUTE)]
    made: dict[str, Any] = {"zones": [zone(capacity=25)], "counters": counters, "egress_min_per_min": 0} | changes
    return site(stages=[dict(s) for s in stages], **made)


def tried(record: Mapping[str, Any], name: str = "tried") -> Contender:
    """A record as a contender, as if it had been loaded from a folder of plans."""
    return Contender(name, record, canonical(dict(record)), "0" * 12)
