"""What proof reads of a file of chains: heads at a moment, what stands at a place, a day's estimates. Each takes an open transaction."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, literal_column, select

from flowwatch.core.entries import GENESIS
from flowwatch.core.entries import digest as digest_of
from flowwatch.journal.queries import BEGINNING, PAGE, chains, roots
from flowwatch.journal.tables import entries, estimates
from flowwatch.journal.threads import Link, Walk
from flowwatch.proof.heads import ChainHead, DayOfMinutes, FileHead


def head_at(connection: Connection, since: int, until: int, *, minutes: bool = True) -> FileHead:
    """Where every chain was at `until`: behind its last entry of before; and what came since `since`, with `minutes` estimates, too."""
    e = entries.c
    begun = roots(connection)
    of_day = select(e.chain, func.count()).where(e.at_us >= since, e.at_us < until).group_by(e.chain)
    counts = {chain: int(count) for chain, count in connection.execute(of_day)}
    found = {}
    for chain in sorted({*chains(connection), *begun}):
        # "+": the most is found in the index of (chain, at) alone; by the key, every entry since would be read.
        last = connection.scalar(select(func.max(literal_column("+entries.seq"))).where(e.chain == chain, e.at_us < until))
        seq, hash_ = begun.get(chain, BEGINNING)
        if last is not None:
            seq, hash_ = int(last), connection.scalars(select(e.hash).where(e.chain == chain, e.seq == last)).one()
        if seq:
            begins = begun.get(chain, BEGINNING)[0]
            found[chain] = ChainHead(begins=begins, seq=seq, hash=hash_.hex(), entries=counts.get(chain, 0))
    return FileHead(chains=found, estimates=minutes_of(connection, since, until) if minutes else {})


def newest(connection: Connection) -> int:
    """When the newest entry was written (microseconds), 0 where there is none."""
    e = entries.c
    return max((connection.scalar(select(func.max(e.at_us)).where(e.chain == chain)) or 0 for chain in chains(connection)), default=0)


def minutes_of(connection: Connection, since: int, until: int, last: Mapping[str, int] | None = None) -> dict[str, DayOfMinutes]:
    """Of every site: the estimates with since <= at < until; with `last`, only of those sites and up to that moment."""
    t = estimates.c
    found: dict[str, tuple[int, int, bytes]] = {}
    rows = connection.execute(select(t.at_us, t.site, t.body).where(t.at_us >= since, t.at_us < until).order_by(t.at_us, t.site))
    for at, site, body in rows.yield_per(PAGE):
        if last is None or at <= last.get(site, -1):
            count, _, digest = found.get(site, (0, 0, GENESIS))
            found[site] = count + 1, at, digest_of(digest, body)
    return {site: DayOfMinutes(count=n, last_us=at, digest=digest.hex()) for site, (n, at, digest) in sorted(found.items())}


def unpassed(connection: Connection, signed: FileHead, since: int, until: int) -> dict[str, str]:
    """Chain -> how it does not pass through what was signed any more; estimates of the day since <= at < until, too."""
    begun = roots(connection)
    faults: dict[str, str] = {}
    for chain, head in signed.chains.items():
        begins = begun.get(chain, BEGINNING)
        if begins[0] > head.begins:
            lost = f"entries {head.begins + 1} to {begins[0]} are not there any more"
            faults[chain] = f"begins behind entry {begins[0]}, and began behind {head.begins} when the head was signed: {lost}"
        if begins[0] < head.seq and (told := _at(connection, chain, head)) is not None:
            faults[chain] = told
    there = minutes_of(connection, since, until, {site: day.last_us for site, day in signed.estimates.items()})
    for site, day in signed.estimates.items():
        if (found := there.get(site)) != day:
            count = 0 if found is None else found.count
            what = f"its estimates of the day are not those that were signed: {count} of them, {day.count} were signed"
            what += "" if count != day.count else ", and at least one was changed"
            faults[site] = f"{faults[site]}; {what}" if site in faults else what
    return faults


def _at(connection: Connection, chain: str, head: ChainHead) -> str | None:
    e = entries.c
    stored = connection.scalar(select(e.hash).where(e.chain == chain, e.seq == head.seq))
    if stored is not None and stored.hex() == head.hash:
        return None
    moved = connection.scalar(select(e.seq).where(e.chain == chain, e.hash == bytes.fromhex(head.hash)))
    if moved is not None:
        return f"the entry that was signed as {head.seq} is numbered {moved} now: something before it was taken out or put in"
    last = connection.scalar(select(func.max(e.seq)).where(e.chain == chain))
    if last is None:
        return f"the chain is gone; entry {head.seq} was signed"
    if stored is None:
        return (
            f"ends at entry {last}, and entry {head.seq} was signed: its end is missing"
            if last < head.seq
            else f"entry {head.seq} is missing"
        )
    return f"entry {head.seq} is another than was signed ({head.hash[:12]}): the chain was made anew, at {head.seq} or before"


def unlinked(connection: Connection, chain: str, after: ChainHead | None, until: int) -> bool:
    """Whether anything in a chain does not follow, from the signed place `after` (None: its beginning) to the entry `until`."""
    begins = roots(connection).get(chain, BEGINNING) if after is None else (after.seq, bytes.fromhex(after.hash))
    e = entries.c
    chosen = select(e.seq, e.kind, e.at_us, e.body, e.hash, e.site).where(e.chain == chain, e.seq > begins[0], e.seq <= until)
    walk = Walk(chain, begins)
    for _ in walk.links(Link(*row) for row in connection.execute(chosen.order_by(e.seq)).yield_per(PAGE)):
        pass
    return bool(walk.breaks())
