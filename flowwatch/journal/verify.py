"""Whether a journal is what was written: every chain is walked from its beginning to its end, every link computed again, all that is wrong named.

What is attested: the body, kind, time and place of every entry; and, through the digest that each entry of a site carries, the site's estimates up
to its last entry. The digest is a chain of its own over the bodies of the site's estimates,

    digest(n) = sha256(digest(n-1) || body(n)),   digest(0) = GENESIS,   written in hex,

so the estimates written between two entries are found by walking on until their digest is met. Not attested here: the end of a chain, and a chain
made anew from some place on, for which somebody must have kept a head elsewhere (`flowwatch.proof.heads`); estimates after a site's last entry; and
those before the first entry of a chain that does not begin here (`roots`), whose first digest is not known.

`threads.py` says what happened to a chain, `digests.py` what happened to estimates.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import groupby

from sqlalchemy import Connection, select

from flowwatch.core.entries import GENESIS, Estimate
from flowwatch.journal.digests import Attested
from flowwatch.journal.findings import Break, Fault
from flowwatch.journal.queries import BEGINNING, ESTIMATE, PAGE, roots
from flowwatch.journal.tables import entries, estimates
from flowwatch.journal.threads import Link, Walk

_ROWS = select(entries.c.chain, entries.c.seq, entries.c.kind, entries.c.at_us, entries.c.body, entries.c.hash, entries.c.site)


def breaks(connection: Connection) -> Iterator[Break]:
    """Every break of every chain. Entries and estimates are both read once, side by side in the order of their sites."""
    begun = roots(connection)
    rows = connection.execute(_ROWS.order_by(entries.c.chain, entries.c.seq)).yield_per(PAGE)
    sites = _Sites(connection, begun)
    for chain, found in groupby(rows, key=lambda row: str(row.chain)):
        yield from sites.skipped(chain)
        walk = Walk(chain, begun.get(chain, BEGINNING))
        attested = sites.attested(chain, None if chain in begun else GENESIS)
        for row in walk.links(Link(row.seq, row.kind, row.at_us, row.body, row.hash, row.site) for row in found):
            if attested is not None and (said := _digest(row.body)) is not None:
                attested.attest(row.seq, row.at, said)
        yield from walk.breaks()
        if attested is not None:
            yield from attested.end()
    yield from sites.skipped(None)


def _digest(body: bytes) -> bytes | None:
    """The digest of estimates that an entry carries; None for one that carries none."""
    at = body.find(b'"estimates":"')
    if at < 0:
        return None
    try:
        return bytes.fromhex(json.loads(body)["estimates"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class _Sites:
    """The estimates of each site, for sites asked for in ascending order."""

    def __init__(self, connection: Connection, begun: Collection[str]) -> None:
        self._begun = begun
        rows = connection.execute(ESTIMATE.order_by(estimates.c.site, estimates.c.at_us)).yield_per(PAGE)
        self._sites = groupby(rows, key=lambda row: str(row.site))
        self._ahead = next(self._sites, None)
        self._given = False

    def attested(self, site: str, start: bytes | None) -> Attested | None:
        """The estimates of `site`; None where entries of that chain attest none (a partition's)."""
        if site.startswith("@"):
            return None
        found: Iterator[Estimate] = iter(())
        if self._ahead is not None and self._ahead[0] == site:
            found = (Estimate(row.site, row.at_us, row.body) for row in self._ahead[1])
            self._given = True
        return Attested(site, found, start)

    def skipped(self, before: str | None) -> Iterator[Break]:
        """Step on to the site `before`, or the next; a site that has estimates and no entry, and should have one, is told."""
        while self._ahead is not None and (before is None or self._ahead[0] < before):
            if not self._given and self._ahead[0] not in self._begun and not self._ahead[0].startswith("@"):
                rows = list(self._ahead[1])
                what = "there are estimates of a site that has no entry: its chain is missing, or they were put in"
                yield Break(self._ahead[0], 0, what, Fault.ESTIMATES, since_us=rows[0].at_us, until_us=rows[-1].at_us)
            self._ahead, self._given = next(self._sites, None), False
