"""Where a day's ledger comes from: the files of a workspace, read for one site and one day.

The journal is read by its indexes, so a day costs the same after a year. Of what came before it, the changes of stage that still stand, the documents
and the incidents that were open are asked for. Readings are counted in the log, as far back as retention has left it. A day that is not over by the
log's time is told up to that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from flowwatch.actuators.ledger import Delivery
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.readings import MINUTE, Block, Kind, Reason
from flowwatch.evidence import Evidence
from flowwatch.handling.load import LEAD_US
from flowwatch.handling.readable import bodies
from flowwatch.journal import Journal, JournalError
from flowwatch.journal.database import Database
from flowwatch.log import Reader
from flowwatch.log.errors import LogError
from flowwatch.log.routing import Routing
from flowwatch.log.segments import Segment, offsets
from flowwatch.log.settings import load as settings_of
from flowwatch.log.time import now
from flowwatch.proof import audit, files, heads
from flowwatch.proof.ledger import ChainEnd, Ledger, Readings, gather
from flowwatch.refused import unpack
from flowwatch.workspace import Workspace

LOOKED_BACK: Final = 2_000
"""So many changes of stage before the day are read to find where each plan stood; a plan that moved less lately stood still."""
AT_ONCE: Final = 500
"""Commands asked for in one query."""


class DayError(ValueError):
    """A day that has not begun."""


def ledger(workspace: Workspace, site: str, day: date) -> Ledger:
    """The ledger of a day at a site, in the site's time zone. Raises `DayError` for one to come, `JournalError`, `LogError`."""
    document = _document(workspace, site)
    zone = ZoneInfo(document["time_zone"]) if document else ZoneInfo("UTC")
    since, until = heads.day_of(day, zone)
    now_us, passed = _now(workspace), set[str]()
    if now_us is not None and now_us <= since:
        at = datetime.fromtimestamp(now_us / 1_000_000, zone)
        raise DayError(
            f"{day} has not begun at {site}: the log is at {at:%Y-%m-%d %H:%M} ({zone.key}); expected that day or an earlier one"
        )
    with Journal.open(workspace.journal, create=False) as journal:
        today = list(journal.entries(site, since=since, until=until))
        before = list(_before(journal, site, since))
        estimates = list(journal.estimates(site, since, until))
        readings = _readings(workspace, journal, site, since, until, passed)
    head = audit.folder(workspace) / f"{day}.json"
    return gather(
        site=site,
        day=day.isoformat(),
        span=(since, until),
        document=document,
        before=before,
        entries=today,
        estimates=estimates,
        records=_records(workspace, site, since, until),
        deliveries=_deliveries(workspace.service, site, [entry.id for entry in today]),
        readings=readings,
        ends=list(_ends(workspace, site, since, until)),
        head=heads.read(head).hash if head.is_file() else None,
        as_of_us=now_us,
        unreadable=[("journal", id_) for id_ in passed],
    )


def _now(workspace: Workspace) -> int | None:
    """The log's time; None where there is no log."""
    try:
        return now(workspace.log)
    except (LogError, OSError):
        return None


def sites_of(workspace: Workspace) -> list[str]:
    """The sites that have decided anything."""
    with Journal.open(workspace.journal, create=False) as journal:
        return [chain for chain in journal.heads() if not chain.startswith("@")]


def _document(workspace: Workspace, site: str) -> dict[str, Any] | None:
    try:
        with Evidence(workspace.log) as evidence:
            return evidence.document(site)
    except (LogError, OSError):
        return None


def _before(journal: Journal, site: str, since: int) -> Iterator[Entry]:
    moves = list(journal.entries(site, EntryKind.TRANSITION, until=since, limit=LOOKED_BACK, newest=True))
    yield from reversed(moves)
    yield from journal.entries(site, EntryKind.DOCUMENT, until=since)
    for name in journal.open_before(site, since):
        yield from (entry for entry in journal.about(name) if entry.kind is EntryKind.INCIDENT and entry.at < since)


def _records(workspace: Workspace, site: str, since: int, until: int) -> list[Entry] | None:
    if not workspace.handling.is_file():
        return None
    with Journal.open(workspace.handling, create=False) as book:
        return list(book.entries(site, since=since - LEAD_US, until=until))


def _deliveries(service: Path, site: str, commands: list[str]) -> list[Delivery] | None:
    """The attempts at these commands, in their order; None where no service ever sent anything from here."""
    if not service.is_file():
        return None
    columns = ", ".join(Delivery.__slots__)
    found: list[Delivery] = []
    database = Database(service, create=False)
    try:
        with database.reading() as connection:
            if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").first() is None:
                return None
            for start in range(0, len(commands), AT_ONCE):
                asked = commands[start : start + AT_ONCE]
                marks = ", ".join("?" * len(asked))
                text = f"SELECT {columns} FROM deliveries WHERE site = ? AND command IN ({marks}) ORDER BY id"  # noqa: S608 - marks and our names
                found += [Delivery(*row) for row in connection.exec_driver_sql(text, (site, *asked))]
    finally:
        database.close()
    return found


def _ends(workspace: Workspace, site: str, since: int, until: int) -> Iterator[ChainEnd]:
    """The chains of the site, and those that belong to none, in both files."""
    for name, path in zip(audit.FILES, (workspace.journal, workspace.handling), strict=True):
        if not path.is_file():
            continue
        database = Database(path, create=False)
        try:
            with database.reading() as connection:
                found = files.head_at(connection, since, until, minutes=False)
        finally:
            database.close()
        for chain, head in found.chains.items():
            if chain == site or chain.startswith("@"):
                yield ChainEnd(name, chain, head.seq, head.hash)


# ---- readings


def _readings(workspace: Workspace, journal: Journal, site: str, since: int, until: int, passed: set[str]) -> Readings | None:
    """How many readings of the site the log took in in the day, and how many of them counted. None where there is no log."""
    try:
        places = Routing(workspace.log, settings_of(workspace.log)).sites
    except (LogError, OSError):
        return None
    if site not in places:
        return None
    partition = places[site].partition
    rejected = _rejected(journal, partition, since, until, passed)
    total, accepted, refused, whole = 0, 0, Counter[Reason](), True
    with closing(Reader(workspace.log, partition)) as reader:
        start, whole = _start(workspace.log / partition, since)
        ours: np.ndarray[Any, np.dtype[np.bool_]] = np.zeros(0, np.bool_)
        tick = -1
        for block in reader.walk(start):
            if block.counter.size and int(block.counter.max(initial=-1)) >= len(ours):
                ours = np.array([name.partition("/")[0] == site for name in reader.names()], np.bool_)
            at, tick = _ticks(block, tick)
            chosen = (block.kind < Kind.TICK) & (at >= since) & (at < until)
            chosen &= ours[np.clip(block.counter, 0, max(len(ours) - 1, 0))] if len(ours) else False
            rows = (np.flatnonzero(chosen) + block.first).tolist()
            total += len(rows)
            why = [rejected[row] for row in rows if row in rejected]
            refused.update(why)
            accepted += len(rows) - len(why)
            if tick >= until:
                break
    return Readings(total, accepted, dict(sorted(refused.items())), whole)


def _rejected(journal: Journal, partition: str, since: int, until: int, passed: set[str]) -> dict[int, Reason]:
    """Offset -> why the engine refused that row, of the minutes that touch the day; an entry stands in the minute after its own."""
    found: dict[int, Reason] = {}
    for entry, body in bodies(journal.entries(kind=EntryKind.REFUSALS, since=since), passed):
        if body["partition"] == partition and since - MINUTE < body["minute_us"] < until:
            try:
                places, reasons = unpack(entry.id, body["refs"])
                found |= {int(place): Reason(int(reason)) for place, reason in zip(places, reasons, strict=True)}
            except (JournalError, ValueError):
                passed.add(entry.id)
    return found


def _start(folder: Path, since: int) -> tuple[int, bool]:
    """The first row of the last segment that begins before the day, and whether the log reaches back so far."""
    firsts = offsets(folder, ".seg")
    chosen = 0
    for i, first in enumerate(firsts):
        with closing(Segment(folder, first)) as segment:
            if segment.start.tick >= since:
                break
        chosen = i
    return (firsts[chosen] if firsts else 0), bool(firsts) and (chosen > 0 or firsts[0] == 0)


def _ticks(block: Block, before: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    """Of each row of a block the last tick before it (microseconds), and the last of all; `before`: that of the blocks before."""
    told = np.where(block.kind == Kind.TICK, block.at, np.int64(-1))
    at = np.maximum(np.maximum.accumulate(told), before) if len(told) else told
    return at, int(at[-1]) if len(at) else before
