"""Made-up chains, and what child processes do with them. Bodies are a function of chain and number, as the engine's are of the log."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

from flowwatch.core.entries import GENESIS, Entry, EntryKind, Estimate, canonical, link
from flowwatch.core.entries import digest as digest_of
from flowwatch.journal import Journal, JournalError
from flowwatch.journal.export import canonical_lines

NOON = 1_790_827_200_000_000
MINUTE = 60_000_000
KINDS = list(EntryKind)


def chain(name: str, length: int, *, salt: str = "", after: tuple[int, bytes] = (0, GENESIS)) -> list[Entry]:
    """`length` entries one a second; another `salt` tells another story."""
    seq, head = after
    made = []
    for n in range(seq + 1, seq + length + 1):
        body = canonical({"n": n, "site": name, "salt": salt, "标题": "豫园商城"})
        kind, at = KINDS[n % len(KINDS)], NOON + n * 1_000_000
        head = link(head, kind, at, body)
        made.append(Entry(name, n, kind, at, body, head))
    return made


def attested(name: str, minutes: list[Estimate], every: int = 2) -> list[Entry]:
    """A chain whose entries carry the digest of the estimates so far, one entry after each `every` estimates."""
    digest, head = GENESIS, GENESIS
    made: list[Entry] = []
    for n, minute in enumerate(minutes, 1):
        digest = digest_of(digest, minute.body)
        if n % every == 0:
            body = canonical({"site": name, "estimates": digest.hex()})
            head = link(head, EntryKind.COMMAND, minute.at, body)
            made.append(Entry(name, len(made) + 1, EntryKind.COMMAND, minute.at, body, head))
    return made


def minutes(site: str, length: int, *, salt: int = 0) -> list[Estimate]:
    """`length` estimates of one zone."""
    made = []
    for n in range(length):
        inside = 1000 * (n + salt)
        figures = {"inside_m": inside, "lower_m": inside - 500, "upper_m": inside + 500 if n else None, "raw_m": inside, "known": n > 0}
        zone = figures | {"in": n, "out": 2 * n, "silent": ["t-1"] if n % 2 else []}
        at = NOON + n * MINUTE
        body = {"site": site, "minute_us": at, "stage": "normal", "zones": {"mall": zone, "site": zone}}
        made.append(Estimate(site, at, canonical(body)))
    return made


def exported(journal: Journal) -> bytes:
    """The canonical export."""
    return b"".join(canonical_lines(journal.walk()))


def append_in_steps(path: Path, names: Iterable[str], length: int, step: int, say: Connection) -> None:
    """Append whole chains from their beginning, `step` entries a time, saying after each append how far they are on the disk."""
    chains = [chain(name, length) for name in names]
    minute = {name: minutes(name, length) for name in names}
    with Journal.open(path) as journal:
        for start in range(0, length, step):
            entries = [e for c in chains for e in c[start : start + step]]
            estimates = [m for name in names for m in minute[name][start : start + step]]
            journal.append(entries, estimates)
            say.send(start + step)


def open_as_nobody(path: Path, say: Connection) -> None:
    """Try to append as a user who may only read, and say what came of it."""
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        with Journal.open(path) as journal:
            journal.append(chain("yuyuan", 1))
        say.send("no error")
    except JournalError as error:
        say.send(str(error))


def append_on_small_disk(path: Path, room: int, say: Connection) -> None:
    """Append until files may not grow any more, say the error; then with room again say what is there and whether it is sound."""
    entries = chain("yuyuan", 2_000)
    with Journal.open(path) as journal:
        journal.append(entries[:10])
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
        kept = 10
        try:
            for start in range(10, 2_000, 10):
                journal.append(entries[start : start + 10])
                kept = start + 10
        except JournalError as error:
            say.send(str(error))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        say.send((kept, journal.head("yuyuan")[0], journal.verify()))
        journal.append(entries)
        say.send((journal.head("yuyuan")[0], journal.verify()))
