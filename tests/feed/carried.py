"""A book, a journal, and a courier on them, in a folder; also as a process of its own, which a test kills."""

from __future__ import annotations

import ipaddress
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flowwatch.feed.trouble import Trouble
from flowwatch.feed.webhooks import courier as carrying
from flowwatch.feed.webhooks.courier import Courier, Setting
from flowwatch.feed.webhooks.guard import Guard, Resolve, addresses
from flowwatch.feed.webhooks.outbox import Outbox
from flowwatch.feed.webhooks.subscriptions import Subscription, Subscriptions
from flowwatch.handling.book import Book
from flowwatch.handling.records import Act, Alert, Said, Shown, Step
from flowwatch.journal import Journal
from flowwatch.service.auth.identity import Areas
from flowwatch.service.tables import open_store

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
FASTER = 200.0
"""The ladder's first four steps then take 5 to 300 ms."""


def now_us() -> int:
    return time.time_ns() // 1000


def alert(n: int, site: str = "yuyuan", priority: str = "III", state: str = "raised") -> Alert:
    text = Said("与通道口 3 失去联系", "gate 3 cannot be reached")
    return Alert(
        site=site,
        incident=f"{site}-i{n}",
        entry=f"{site}-{n}",
        entry_hash="00" * 32,
        state=state,
        what="gate_lost",
        subject="gate/gate-3",
        priority=priority,
        since_us=now_us(),
        text=text,
        shown=Shown.RAISED,
    )


def step(n: int, site: str = "yuyuan") -> Step:
    return Step(site=site, incident=f"{site}-i{n}", act=Act.ACKNOWLEDGE, by="wang")


def until(ready: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for what has no event to await."""
    end, pause = time.monotonic() + timeout_s, threading.Event()
    while not ready():
        assert time.monotonic() < end
        pause.wait(0.01)


def write(root: Path, *said: Alert | Step, at_us: int | None = None) -> None:
    book = Book.open(root / "handling.db")
    book.write([(one.site, now_us() if at_us is None else at_us, one) for one in said])
    book.close()


def no_trouble(key: str, text: Said, *, on: bool) -> None:
    del key, text, on


def made(
    root: Path,
    *,
    trouble: Trouble = no_trouble,
    resolve: Resolve = addresses,
    faster: float = FASTER,
    allow: bool = True,
    areas: dict[str, str] | None = None,
    log_us: Callable[[], int] | None = None,
) -> Courier:
    store = open_store(root / "service.db")
    guard = Guard(LOOPBACK if allow else [], resolve)
    setting = Setting(
        root / "handling.db",
        root / "journal.db",
        Areas(areas or {}).lies_in,
        guard,
        "urn:flowwatch:test",
        "https://flowwatch.test",
        trouble,
        faster,
        log_us,
    )
    courier = Courier(Outbox.open(store), Subscriptions(store, now_us, log_us), setting, now_us)
    courier.store = store  # type: ignore[attr-defined]
    return courier


@contextmanager
def carried(root: Path, **more: object) -> Iterator[Courier]:
    Journal.open(root / "journal.db").close()
    write(root)
    courier = made(root, **more)  # type: ignore[arg-type]
    courier.start()
    try:
        yield courier
    finally:
        courier.stop()
        until(lambda: not courier.alive)  # it stops without waiting long, and nothing may be closed under it
        courier.store.close()  # type: ignore[attr-defined]


def subscribe(
    courier: Courier,
    url: str,
    *,
    kinds: Sequence[str] = ("alert", "handling"),
    areas: Sequence[str] = ("",),
    priority: str | None = None,
    sites: Sequence[str] | None = None,
) -> Subscription:
    return courier.subscriptions.add(url, "command room", areas=areas, sites=sites, kinds=kinds, priority=priority, by="wang")


def main() -> None:
    """A courier until it is killed."""
    carrying.TIMEOUT_S = 1.0  # type: ignore[misc]
    courier = made(Path(sys.argv[1]), faster=1e5)
    courier.start()
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
