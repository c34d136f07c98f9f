"""A workspace in which a journal decided, and people were told: two sites, a partition, three days; made up, and sound."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowwatch.core.chains import Chains
from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.handling.book import Book, Page
from flowwatch.handling.records import FLOWWATCH, SERVICE, Act, Alert, Handling, Said, Shown, Step
from flowwatch.journal import Journal
from flowwatch.workspace import Workspace

DAY = 86_400_000_000
MIDNIGHT = 1_790_784_000_000_000 + 8 * 3_600_000_000
"""2026-10-01 00:00 UTC."""
MINUTE = 60_000_000
SITES = ("bund", "yuyuan")


@dataclass
class Place:
    """Where it lies, and how long its chains are."""

    workspace: Workspace
    journal: dict[str, int]
    handling: dict[str, int]


def entry_body(kind: EntryKind, n: int, at: int, of: int) -> dict[str, Any]:
    """`of`: how many entries there are before, so that no two say the same and every exchange is a change."""
    if kind is EntryKind.INCIDENT:
        state = ("raised", "updated", "cleared")[n % 3]
        return {"incident": f"i{n // 3}", "state": state, "what": "counter_silent", "subject": f"t-{n % 5}", "level": None, "since_us": at}
    return {"n": of, "said": kind.value}


def decided(path: Path, rng: random.Random, days: int, a_day: int) -> list[Entry]:
    """The journal: entries at random minutes, each site with an estimate a minute of the first hour of each day. The incidents' entries."""
    chains, entries, estimates = Chains(), list[Entry](), []
    kinds = [EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.INCIDENT, EntryKind.INCIDENT, EntryKind.TASK]
    count = dict.fromkeys(SITES, 0)
    for day in range(days):
        start = MIDNIGHT + day * DAY
        chosen = {site: sorted(rng.choices(range(60), k=a_day)) for site in SITES}
        entries.append(
            chains.entry(
                "@p00", EntryKind.REFUSALS, start, {"partition": "p00", "minute_us": start, "counts": {"late": day + 1}, "refs": ""}
            )
        )
        for minute in range(60):
            at = start + minute * MINUTE
            for site in SITES:
                zone = {
                    "in": 1,
                    "inside_m": rng.randrange(10**6),
                    "known": True,
                    "lower_m": 0,
                    "out": 0,
                    "raw_m": 0,
                    "silent": [],
                    "upper_m": 10**6,
                }
                estimates.append(
                    chains.estimate(site, at, canonical({"minute_us": at, "site": site, "stage": "calm", "zones": {"site": zone}}))
                )
                for _ in range(chosen[site].count(minute)):
                    kind = rng.choice(kinds)
                    body = {"site": site} | entry_body(kind, count[site], at, len(entries))
                    count[site] += kind is EntryKind.INCIDENT
                    entries.append(chains.entry(site, kind, at, body))
    with Journal.open(path) as journal:
        journal.append(entries, estimates)
    return [entry for entry in entries if entry.kind is EntryKind.INCIDENT]


def alert_of(entry: Entry) -> Alert:
    """What people are told of an entry."""
    n = entry.body.decode().partition('"incident":"')[2].partition('"')[0]
    state = entry.body.decode().partition('"state":"')[2].partition('"')[0]
    said = Said(zh="数据中断", en="a counter is silent")
    return Alert(
        site=entry.chain,
        incident=n,
        entry=entry.id,
        entry_hash=entry.hash.hex(),
        state=state,
        what="counter_silent",
        subject="t",
        since_us=entry.at,
        text=said,
        shown=Shown.RAISED,
    )


def told(path: Path, incidents: list[Entry], rng: random.Random) -> None:
    """The book: each incident's entry told, some answered, some faults of the service itself."""
    book = Book.open(path)
    pages: list[Page] = []
    for entry in incidents:
        alert = alert_of(entry)
        pages.append((entry.chain, entry.at, alert))
        if rng.random() < 0.5:
            step = Step(site=entry.chain, incident=alert.incident, act=Act.ACKNOWLEDGE, by="wang", handling=Handling.ACKNOWLEDGED)
            pages.append((entry.chain, entry.at + 30_000_000, step))
        if rng.random() < 0.2:
            step = Step(site=SERVICE, incident="@service-h1", act=Act.NOTE, by=FLOWWATCH, reason="tried again")
            pages.append((SERVICE, entry.at + 1, step))
    book.write(pages)
    book.close()


def place(folder: Path, seed: int = 0, *, days: int = 1, a_day: int = 40) -> Place:
    """The workspace in `folder`."""
    rng = random.Random(seed)
    workspace = Workspace(folder)
    told(workspace.handling, decided(workspace.journal, rng, days, a_day), rng)
    lengths = []
    for path in (workspace.journal, workspace.handling):
        with Journal.open(path) as opened:
            lengths.append({chain: seq for chain, (seq, _) in opened.heads().items()})
    return Place(workspace, *lengths)
