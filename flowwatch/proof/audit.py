"""The whole proof of a workspace: both files of chains, the ties between them, and the heads that somebody kept. Decides nothing itself."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from flowwatch.approval.keys import PrivateKey
from flowwatch.core.entries import EntryKind
from flowwatch.evidence import Evidence
from flowwatch.journal import Break, Conflict, Journal, verify
from flowwatch.journal.database import Database
from flowwatch.journal.queries import Head as Place
from flowwatch.journal.queries import frozen, roots
from flowwatch.journal.queries import heads as heads_of
from flowwatch.log.disk import replace_file
from flowwatch.log.errors import LogError
from flowwatch.proof import files, heads, ties
from flowwatch.proof.heads import BrokenError, ChainHead, FileHead, Head, HeadError, Kept
from flowwatch.workspace import Workspace

FILES: Final = ("journal", "handling")


@dataclass(slots=True)
class Books:
    """What was found in one file of chains."""

    path: Path
    there: bool
    heads: dict[str, Place] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    begun: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfHead:
    """What one head says against the files: `chain` in `file`, both None for a fault of the head itself. `passed`: up to which day it was sound."""

    head: str
    day: str
    what: str
    file: str | None = None
    chain: str | None = None
    passed: str | None = None

    def __str__(self) -> str:
        since = f" (what was signed on {self.passed} still stands)" if self.passed else ""
        where = f'{self.file}, chain "{self.chain}": ' if self.chain else ""
        return f"head of {self.day}: {where}{self.what}{since}"


@dataclass(slots=True)
class Audit:
    """All that was found."""

    files: dict[str, Books]
    ties: list[ties.Untied]
    heads: list[Kept]
    against_heads: list[OfHead]
    keys: list[str]
    """Public keys by which the heads are signed."""

    @property
    def findings(self) -> list[str]:
        """Every fault as a sentence."""
        told = list[str]()
        for name, books in self.files.items():
            told += [f"{name}: {fault}" for fault in [*books.breaks, *books.conflicts]]
            if name == "handling" and books.begun:
                told += [
                    f'handling: chain "{chain}" begins behind entry {place[0]}: its beginning is missing'
                    for chain, place in books.begun.items()
                ]
        return [*told, *(f"ties: {tie}" for tie in self.ties), *map(str, self.against_heads)]


def examine(
    workspace: Workspace, kept: Sequence[Kept] = (), key: str | None = None, *, late_us: int = ties.LATE_US, links: bool = True
) -> Audit:
    """Examine the journal, the book of handling and their ties, and hold `kept` heads against them; `key`: whose heads count.

    `links`: also compute every chain again, which reads all of both files. Raises `JournalError`.
    """
    with ExitStack() as stack:
        opened = {name: _open(stack, path) for name, path in zip(FILES, (workspace.journal, workspace.handling), strict=True)}
        found = {}
        for name, path in zip(FILES, (workspace.journal, workspace.handling), strict=True):
            connection = opened[name]
            books = found[name] = Books(path, connection is not None)
            if connection is not None:
                books.heads, books.conflicts, books.begun = heads_of(connection), frozen(connection), roots(connection)
                books.breaks = list(verify.breaks(connection)) if links else []
        untied = _ties(workspace, late_us) if opened["journal"] is not None and opened["handling"] is not None else []
        in_order = sorted(kept, key=lambda one: (one.head.until_us, one.name))
        against = list(_against(in_order, opened, key))
    return Audit(found, untied, in_order, against, sorted({one.head.key for one in in_order}))


def _open(stack: ExitStack, path: Path) -> Connection | None:
    if not path.is_file():
        return None
    Journal.open(path, create=False).close()
    database = Database(path, create=False)
    stack.callback(database.close)
    return stack.enter_context(database.reading())


def _ties(workspace: Workspace, late_us: int) -> list[ties.Untied]:
    """The ties of all sites. The book is read first, so that whatever it tells of stands in the journal, which is read behind it."""
    found: list[ties.Untied] = []
    with Journal.open(workspace.handling, create=False) as book, Journal.open(workspace.journal, create=False) as journal:
        told = {chain: list(book.entries(chain, EntryKind.ALERT)) for chain in book.heads()}
        newest = _newest(workspace)
        for chain in sorted({*told, *journal.heads()}):
            if not chain.startswith("@"):
                found += ties.untied(chain, journal.entries(chain, EntryKind.INCIDENT), told.get(chain, ()), newest, late_us)
    return found


def _newest(workspace: Workspace) -> int:
    """When the newest entry of the journal was written, whatever it says."""
    database = Database(workspace.journal, create=False)
    try:
        with database.reading() as connection:
            return files.newest(connection)
    finally:
        database.close()


def _against(kept: Sequence[Kept], opened: dict[str, Connection | None], key: str | None) -> Iterator[OfHead]:
    wrong = heads.unchained(list(kept))
    passed: dict[tuple[str, str], str] = {}
    for one in kept:
        if (what := heads.unsigned(one, key)) is not None:
            yield OfHead(one.name, one.head.day, what)
            continue
        if one.name in wrong:
            yield OfHead(one.name, one.head.day, wrong[one.name])
        for file, signed in one.head.files.items():
            connection = opened.get(file)
            if connection is None:
                yield OfHead(one.name, one.head.day, f"the file {file} is not there, and {heads.named(signed.chains)} in it were signed")
                continue
            faults = files.unpassed(connection, signed, one.head.since_us, one.head.until_us)
            for chain, what in faults.items():
                yield OfHead(one.name, one.head.day, what, file, chain, passed.get((file, chain)))
            passed |= {(file, chain): one.head.day for chain in signed.chains if chain not in faults}


# ---- making a head


def folder(workspace: Workspace) -> Path:
    """Where heads are kept beside the files; what only lies there proves nothing against who can write there."""
    return workspace.state / "heads"


def zone_of(workspace: Workspace, sites: Collection[str] = ()) -> ZoneInfo:
    """The time zone that these sites, or all, share by their documents; UTC where they do not, or none is known."""
    try:
        with Evidence(workspace.log) as evidence:
            zones = {document["time_zone"] for site, document in evidence.documents().items() if not sites or site in sites}
    except (LogError, OSError):
        zones = set()
    return ZoneInfo(zones.pop()) if len(zones) == 1 else ZoneInfo("UTC")


def yesterday(zone: ZoneInfo, now_us: int) -> date:
    """The last day that is over."""
    return datetime.fromtimestamp(now_us / 1_000_000, UTC).astimezone(zone).date() - timedelta(days=1)


def make(
    workspace: Workspace,
    day: date,
    key: PrivateKey,
    *,
    installation: str | None = None,
    previous: Kept | None = None,
    now: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Head:
    """The signed head of a day that is over.

    Raises `HeadError` where the day is not over, or a chain does not follow from what `previous` signed: nobody signs over a broken place.
    """
    zone = zone_of(workspace)
    since, until = heads.day_of(day, zone)
    at = now()
    if at < until:
        raise HeadError(f"{day} is not over in {zone.key}; expected {yesterday(zone, at)} or an earlier day")
    if previous is not None and previous.head.until_us > since:
        raise HeadError(f"{previous.name}: is the head of {previous.head.day}, expected one of a day before {day}")
    found: dict[str, FileHead] = {}
    with ExitStack() as stack:
        for name, path in zip(FILES, (workspace.journal, workspace.handling), strict=True):
            connection = _open(stack, path)
            before = None if previous is None else previous.head.files.get(name)
            if connection is None:
                if before is not None:
                    raise BrokenError(f"{path}: is not there, and was when the head before was signed")
                continue
            found[name] = files.head_at(connection, since, until)
            _refuse_broken(connection, path, found[name], previous, before)
    made = Head(
        form=heads.FORM,
        installation=installation or platform.node() or "flowwatch",
        day=day.isoformat(),
        zone=zone.key,
        since_us=since,
        until_us=until,
        signed_us=at,
        previous=None if previous is None else previous.hash,
        files=found,
        key="",
    )
    return heads.sign(made, key)


def _refuse_broken(connection: Connection, path: Path, now: FileHead, previous: Kept | None, before: FileHead | None) -> None:
    if previous is not None and before is not None:
        for chain, what in files.unpassed(connection, before, previous.head.since_us, previous.head.until_us).items():
            raise BrokenError(
                f'{path}: chain "{chain}": {what} in the head of {previous.head.day}; `flowwatch audit verify` tells all, nothing is signed'
            )
    signed: dict[str, ChainHead] = {} if before is None else before.chains
    for chain, head in now.chains.items():
        if files.unlinked(connection, chain, signed.get(chain), head.seq):
            raise BrokenError(f'{path}: chain "{chain}" does not verify; `flowwatch audit verify` names the places, nothing is signed')


def keep(workspace: Workspace, head: Head, out: Path | None) -> Path:
    """Write a head into the workspace, and a copy to `out`; where it was kept. Raises `OSError`."""
    place = folder(workspace)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{head.day}.json"
    for target in [path] if out is None else [path, out]:
        replace_file(target, [heads.written(head)])
    return path


def kept_in(place: Path) -> list[Kept]:
    """The heads in a folder, in the order of their days. Raises `HeadError`."""
    return [heads.read(path) for path in sorted(place.glob("*.json"))] if place.is_dir() else []


def plain(audit: Audit) -> dict[str, Any]:
    """All that was found, as values for JSON."""

    def broken(fault: Break) -> dict[str, Any]:
        keys = ("chain", "seq", "last", "also", "since_us", "until_us", "what")
        told = {key: getattr(fault, key) for key in keys if getattr(fault, key) is not None}
        return {"fault": fault.fault.value} | told

    return {
        "sound": not audit.findings,
        "files": {
            name: {
                "there": books.there,
                "chains": {chain: {"entries": seq, "hash": hash_.hex()} for chain, (seq, hash_) in books.heads.items()},
                "breaks": [broken(fault) for fault in books.breaks],
                "frozen": [{"chain": c.chain, "seq": c.seq} for c in books.conflicts],
                "begins": {chain: seq for chain, (seq, _) in books.begun.items()},
            }
            for name, books in audit.files.items()
        },
        "ties": [{"fault": t.fault.value, "entry": t.entry, "last": t.last, "told": t.told, "what": t.what} for t in audit.ties],
        "heads": [{"day": one.head.day, "file": one.name, "key": one.head.key} for one in audit.heads],
        "against_heads": [
            {"head": f.head, "day": f.day, "file": f.file, "chain": f.chain, "passed": f.passed, "what": f.what}
            for f in audit.against_heads
        ],
    }
