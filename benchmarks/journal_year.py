"""What a year of a busy site costs whoever asks: the journal and the book of handling, made up, and the questions of API, screen and ledger.

    python -m benchmarks.journal_year [--days 365] [--others 20] [--keep FOLDER] [--write]

Made up: one busy site with, each day, 60 changes of stage, 400 commands, 150 incident entries of 50 incidents and 20 operators' records, their
causes and texts as long as real ones; 20 other sites with a tenth of that each; an estimate a minute of every site, with three zones of the busy one.
Every incident entry is told, and every incident takes three steps. The chains link as the engine's do, so the whole verifies.

Each question is asked 20 times of a process that has the files open, at random places, in the order of the table; the first round is not counted
where the table says so. Files are in the page cache as far as memory reaches, as they are on a machine that runs.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import machine, report, say, table, verdict
from flowwatch.core.entries import GENESIS, EntryKind, canonical, digest, link
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Said, Shown, Step, body
from flowwatch.journal import Journal
from flowwatch.journal.pages import Sought
from flowwatch.picture import Picture
from flowwatch.proof import audit
from flowwatch.proof import day as days
from flowwatch.workspace import Workspace

BUSY: Final = "plaza"
DAY: Final = 86_400_000_000
MINUTE: Final = 60_000_000
FIRST: Final = date(2026, 1, 1)
START: Final = 1_767_225_600_000_000
"""2026-01-01 00:00 UTC, which is the sites' zone where no document says otherwise."""
A_DAY: Final = {"transition": 60, "command": 400, "incident": 150, "action": 20}
ASKED: Final = 20
AIM_MS: Final = 100.0
ONCE_MS: Final = 2_000.0
"""What is read once after a start, before anybody is answered."""
CAUSE: Final[dict[str, Any]] = {
    "action": None,
    "document": "7e63cf8e8c9b",
    "estimate": {"inside_m": 1_507_554, "known": True, "lower_m": 1_461_395, "upper_m": 1_553_713, "zone": "mall"},
    "partition": "p00",
    "readings": [{"at_us": START, "counter": f"plaza/turnstile-{n}", "offset": 11_664 + n} for n in range(6)],
    "term": None,
    "tick_us": START,
}
TEXT: Final = {"en": "The mall: more than 1,500 people inside; three gates lead in", "zh": "商城在场人数超过1500人，实行“三进五出”"}
ZONE: Final = '{"in":12,"inside_m":%d,"known":true,"lower_m":1000,"out":9,"raw_m":1500000,"silent":[],"upper_m":1600000}'


class Chain:
    """One chain as it grows."""

    def __init__(self, name: str) -> None:
        self.name, self.seq, self.hash, self.digest = name, 0, GENESIS, GENESIS

    def row(self, kind: str, at: int, data: bytes) -> tuple[Any, ...]:
        """The next row of the table."""
        self.seq, self.hash = self.seq + 1, link(self.hash, kind, at, data)
        return self.name, self.seq, kind, at, None if self.name.startswith("@") else self.name, data, self.hash


def make(root: Path, number: int, others: int) -> None:
    """Both files, of `number` days."""
    rng = random.Random(7)
    workspace = Workspace(root)
    for path in (workspace.journal, workspace.handling):
        Journal.open(path).close()
    with closing(sqlite3.connect(workspace.journal)) as journal, closing(sqlite3.connect(workspace.handling)) as book:
        for connection in (journal, book):
            connection.execute("PRAGMA synchronous = OFF")
        sites = {name: (Chain(name), Chain(name)) for name in [BUSY, *(f"site-{n:02d}" for n in range(others))]}
        for n in range(number):
            for name, (decided, told) in sites.items():
                share = 1.0 if name == BUSY else 0.1
                entries, records, minutes = _a_day(rng, START + n * DAY, share, decided, told)
                insert = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"
                journal.executemany(insert, entries)
                book.executemany(insert, records)
                journal.executemany("INSERT INTO estimates VALUES (?, ?, ?)", minutes)
            if n % 30 == 29:
                say(f"made {n + 1} days")
                journal.commit()
                book.commit()
        journal.commit()
        book.commit()


def _a_day(rng: random.Random, start: int, share: float, decided: Chain, told: Chain) -> tuple[list[Any], list[Any], list[Any]]:
    """Rows of a day of one site: the journal's, the book's, estimates."""
    name = decided.name
    kinds = [kind for kind, count in A_DAY.items() for _ in range(round(count * share))]
    rng.shuffle(kinds)
    due = sorted((rng.randrange(1_440), kind) for kind in kinds)
    entries, records, minutes = list[Any](), list[Any](), list[Any]()
    incidents = 0
    for minute in range(1_440):
        at = start + minute * MINUTE
        zones = {"site": ZONE % (at // MINUTE % 3_000_000)} | ({"mall": ZONE % 1, "bridge": ZONE % 2} if name == BUSY else {})
        inner = ",".join(f'"{zone}":{text}' for zone, text in sorted(zones.items()))
        data = f'{{"minute_us":{at},"site":"{name}","stage":"normal","zones":{{{inner}}}}}'.encode()
        decided.digest = digest(decided.digest, data)
        minutes.append((at, name, data))
        while due and due[0][0] == minute:
            kind = due.pop(0)[1]
            said = {"site": name, "estimates": decided.digest.hex()} | _said(kind, rng, name, start, incidents)
            entries.append(decided.row(kind, at, canonical(said)))
            if kind == "incident":
                incidents += 1
                records += _told(told, said, f"{name}-{decided.seq}", decided.hash.hex(), at)
    return entries, records, minutes


def _said(kind: str, rng: random.Random, site: str, start: int, incidents: int) -> dict[str, Any]:
    day = (start - START) // DAY
    match kind:
        case "transition":
            return {"plan": "main", "from": "normal", "to": "busy", "planned": "busy", "reason": "rise", "cause": CAUSE}
        case "command":
            told = {"gate": f"gate-{rng.randrange(12)}", "mode": "out", "setting": "out", "per_min": None, "phases": None, "revision": 7}
            return (
                told
                | {"may_enter": False, "may_leave": True, "stage": "busy", "reason": "stage", "of": f"{site}-1", "action": None}
                | {
                    "delivery": "automatic",
                    "drill": False,
                }
            )
        case "action":
            record = {
                "action": f"a{rng.randrange(10**9)}",
                "type": "recount",
                "by": "wang",
                "reason": "the round",
                "zone": "mall",
                "count": 5,
            }
            return {"action": record["action"], "type": "recount", "accepted": True, "refused": None, "record": record, "cause": CAUSE}
    state = ("raised", "updated", "cleared")[incidents % 3]
    about = {"incident": f"{site}-i{day * 50 + incidents // 3}", "what": "stage", "subject": "busy", "level": "III", "reason": "busy"}
    return about | {"state": state, "since_us": start, "headline": TEXT, "instruction": TEXT, "detail": None, "cause": CAUSE}


def _told(chain: Chain, said: dict[str, Any], entry: str, hash_: str, at: int) -> Iterator[tuple[Any, ...]]:
    keys = {key: said[key] for key in ("site", "incident", "state", "what", "subject", "level", "since_us")}
    text = Said(zh=TEXT["zh"], en=TEXT["en"])
    alert = Alert(entry=entry, entry_hash=hash_, text=text, instruction=text, priority="III", shown=Shown.RAISED, **keys)
    yield chain.row("alert", at, body(alert))
    act = {"raised": Act.ACKNOWLEDGE, "updated": Act.DISPATCH, "cleared": Act.CLOSE}[said["state"]]
    by = FLOWWATCH if act is Act.CLOSE else "wang"
    yield chain.row(
        "handling", at + 1, body(Step(site=chain.name, incident=said["incident"], act=act, by=by, handling=Handling.ACKNOWLEDGED))
    )


# ---- what is asked


def questions(workspace: Workspace, number: int) -> Iterator[tuple[str, Callable[[random.Random], object], float]]:
    """(what, how, at most so many ms)."""
    picture = Picture(workspace.journal)
    journal = Journal.open(workspace.journal, create=False)
    book = Journal.open(workspace.handling, create=False)
    everywhere, here = Sought(), Sought([BUSY])

    def moment(rng: random.Random) -> int:
        return START + rng.randrange(number) * DAY + 12 * 60 * MINUTE

    def page(
        of: Journal, kind: EntryKind | None, *, site: bool, days_: int | None = None, newest: bool = False
    ) -> Callable[[random.Random], object]:
        def ask(rng: random.Random) -> object:
            since = None if days_ is None else moment(rng)
            until = None if since is None else since + (days_ or 0) * DAY
            return of.page(Sought([BUSY] if site else None, kind, since, until), None, 101, newest=newest)

        return ask

    def middle(rng: random.Random) -> object:
        _, mark = journal.page(Sought([BUSY], None, moment(rng)), None, 1)
        return journal.page(here, mark, 101)

    def timeline(rng: random.Random) -> object:
        name = f"{BUSY}-i{rng.randrange(number) * 50 + rng.randrange(50)}"
        return list(journal.about(name)), list(book.about(name))

    def estimates(rng: random.Random) -> object:
        at = moment(rng)
        return list(journal.estimates(BUSY, at, at + DAY))

    def ledger(rng: random.Random) -> object:
        return days.ledger(workspace, BUSY, FIRST + timedelta(days=rng.randrange(number)))

    yield "all that stands at the site, first read after a start", lambda _: Picture(workspace.journal).site(BUSY), ONCE_MS
    picture.site(BUSY)
    yield "open incidents now", lambda _: picture.incidents(BUSY), AIM_MS
    yield "journal: the site's newest 100", page(journal, None, site=True, newest=True), AIM_MS
    yield "journal: the site's oldest 100", page(journal, None, site=True), AIM_MS
    yield "journal: 100 behind a mark in the middle", middle, AIM_MS
    yield "journal: 100 of the site and kind, newest", page(journal, EntryKind.INCIDENT, site=True, newest=True), AIM_MS
    yield "journal: 100 of the site in three days", page(journal, None, site=True, days_=3), AIM_MS
    yield "journal: 100 of the site and kind in three days", page(journal, EntryKind.INCIDENT, site=True, days_=3), AIM_MS
    yield "journal: the same, newest first", page(journal, EntryKind.INCIDENT, site=True, days_=3, newest=True), AIM_MS
    yield "journal: 100 of a kind of all sites in three days", page(journal, EntryKind.COMMAND, site=False, days_=3), AIM_MS
    yield "journal: 100 of a rare kind that is not there", page(journal, EntryKind.DOCUMENT, site=True), AIM_MS
    yield "journal: 100 of all sites since a moment", lambda rng: journal.page(Sought(since=moment(rng)), None, 101), AIM_MS
    yield "journal: the newest 100 of all sites", lambda _: journal.page(everywhere, None, 101, newest=True), AIM_MS
    yield "an incident's timeline, both files", timeline, AIM_MS
    yield "estimates of a day", estimates, AIM_MS
    yield "the newest estimate", lambda _: journal.estimate_before(BUSY, 2**62), AIM_MS
    yield "book: the site's newest 100", page(book, None, site=True, newest=True), AIM_MS
    yield "book: 100 alerts of the site in three days", page(book, EntryKind.ALERT, site=True, days_=3), AIM_MS
    yield "book: 100 of all sites in three days, newest first", page(book, None, site=False, days_=3, newest=True), AIM_MS
    yield "heads of all chains", lambda _: (journal.heads(), book.heads()), AIM_MS
    yield "the day's ledger, gathered (a document, no query)", ledger, ONCE_MS


def main() -> None:
    """Make the files and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--others", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="make the files here, or use those that are here")
    parser.add_argument("--verify", action="store_true", help="also verify all of it once")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=None) as folder:
        root = asked.keep or Path(folder)
        if not (root / "journal.db").exists():
            root.mkdir(parents=True, exist_ok=True)
            make(root, asked.days, asked.others)
        workspace = Workspace(root)
        rows = []
        for what, ask, aim in questions(workspace, asked.days):
            rng = random.Random(11)
            took = []
            for _ in range(ASKED if aim == AIM_MS else 3):
                begin = time.perf_counter()
                ask(rng)
                took.append(1000 * (time.perf_counter() - begin))
            rows.append([what, f"{statistics.median(took):,.1f}", f"{max(took):,.1f}", f"{aim:,.0f}", verdict(met=max(took) < aim)])
            say(" ".join(rows[-1]))
        sizes = " and ".join(f"{path.stat().st_size / 1e9:.2f} GB" for path in (workspace.journal, workspace.handling))
        with closing(sqlite3.connect(workspace.journal)) as connection:
            (entries,), (minutes,) = (connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("entries", "estimates"))
        told = f"{asked.days} days, {1 + asked.others} sites: {entries:,} entries, {minutes:,} estimates; journal and book {sizes}."
        text = f"{machine()}\n\n{told}\n\n{table(['question', 'median, ms', 'slowest, ms', 'at most', ''], rows)}"
        if asked.verify:
            begin = time.perf_counter()
            found = audit.examine(workspace)
            assert found.findings == [], found.findings[:3]
            text += f"\n\n`audit verify` of all of it: {time.perf_counter() - begin:,.0f} s, nothing found."
        report("journal year", text, write=asked.write)


if __name__ == "__main__":
    main()
