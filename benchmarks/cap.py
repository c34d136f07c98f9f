"""CAP messages of a large record of handling: how long the first look takes, what it keeps in memory, and how long each question takes after it.

    python -m benchmarks.cap [--alerts 100_000]

So many alerts of ten sites, four to an incident, each a CAP message, and a step of handling after each; 315 s from one to the next, so that
100,000 of them are a year.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.measure import machine, say, table
from flowwatch.feed.cap import Speaker
from flowwatch.feed.cap_names import CapNames, names_in
from flowwatch.feed.caps import Caps
from flowwatch.handling.book import Book, Page
from flowwatch.handling.records import Act, Alert, Said, Shown, Step
from flowwatch.journal import Journal

START: Final = 1_790_834_580_000_000
BETWEEN_US: Final = 315_000_000
STATES: Final = ("raised", "updated", "updated", "cleared")
TEXT: Final = Said(
    "豫园商城在场人数可能超过 3,000 人，暂停进入，只出不进" * 2,
    "Yuyuan mall: there may be more than 3,000 people inside; entry is paused" * 2,
)
AT_ONCE: Final = 5_000
ROUNDS: Final = 20


def fill(path: Path, alerts: int) -> None:
    """Write the record."""
    book, names, pages = Book.open(path), CapNames("31010100000001"), list[Page]()
    for i in range(alerts):
        site, at = f"site-{i // 4 % 10}", START + i * BETWEEN_US
        incident = f"{site}-i{i // 4}"
        alert = Alert(
            site=site,
            incident=incident,
            state=STATES[i % 4],
            what="stage",
            subject="exit_only",
            level="I",
            priority="I",
            since_us=at,
            text=TEXT,
            instruction=TEXT,
            shown=Shown.RAISED,
            cap=names.next(at, "Asia/Shanghai"),
        )
        pages += [(site, at, alert), (site, at, Step(site=site, incident=incident, act=Act.ACKNOWLEDGE, by="wang"))]
        if len(pages) >= AT_ONCE or i == alerts - 1:
            book.write(pages)
            pages = []
    book.close()


def ms(work: Callable[[], object], rounds: int = ROUNDS) -> str:
    """Milliseconds of one call, the best of some."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return f"{best * 1000:,.1f}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--alerts", type=int, default=100_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handling.db"
        say(f"writing {chosen.alerts:,} alerts")
        fill(path, chosen.alerts)
        with Journal.open(path, create=False) as book:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            caps = Caps(lambda: book, lambda _: None, Speaker("flowwatch@localhost"))
            first = ms(lambda: caps.messages.find(""), 1)
            kept = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            (last,) = caps.messages.newest(["site-3"], None, 1)
            rows = [
                ("the first look after a start", first),
                ("whether anything came", ms(lambda: caps.messages.find(""))),
                ("one file", ms(lambda: caps.file(last))),
                ("a page of 50", ms(lambda: caps.page(["site-3"], "site-3", None, 50))),
                ("a page of somebody who sees nothing of it", ms(lambda: caps.messages.newest(["nowhere"], None, 50))),
                ("all identifiers, as the desk reads them at its start", ms(lambda: list(names_in(book)), 1)),
            ]
    print(f"{chosen.alerts:,} messages in {2 * chosen.alerts:,} records; kept in memory: {kept:.0f} MB. {machine()}\n")
    print(table(("", "ms"), rows))


if __name__ == "__main__":
    main()
