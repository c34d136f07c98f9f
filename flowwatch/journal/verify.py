"""Whether a journal is what was written: every chain is walked from its beginning and every link computed again.

What is attested: the body and place of every entry; and, through the digest that each entry of a site carries, the site's estimates up to
its last entry. The digest is a chain of its own over the bodies of the site's estimates,

    digest(n) = sha256(digest(n-1) || body(n)),   digest(0) = GENESIS,   written in hex,

so the estimates written between two entries are found by walking on until their digest is met. Not attested: estimates after a site's last
entry, and those of a chain that does not begin here (`roots`), whose first digest is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row

from flowwatch.core.entries import GENESIS, EntryKind, link
from flowwatch.core.entries import digest as digest_of
from flowwatch.journal.findings import Break
from flowwatch.journal.queries import BEGINNING, ENTRY, ESTIMATE, PAGE, Head, roots
from flowwatch.journal.tables import entries, estimates

_KINDS = frozenset(map(str, EntryKind))


def breaks(connection: Connection) -> Iterator[Break]:
    """The first break of every chain that has one. Entries and estimates are both read once, side by side in the order of their sites."""
    begun = roots(connection)
    rows = connection.execute(ENTRY.order_by(entries.c.chain, entries.c.seq)).yield_per(PAGE)
    digests = _Digests(connection)
    for chain, links in groupby(rows, key=lambda row: str(row.chain)):
        attested = digests.of(chain) if chain not in begun else None
        if (found := _first_break(chain, begun.get(chain, BEGINNING), links, attested)) is not None:
            yield found


def _first_break(chain: str, start: Head, links: Iterable[Row[Any]], digests: Iterator[str] | None) -> Break | None:
    seq, previous = start
    digest = GENESIS.hex()
    for row in links:
        if row.seq != seq + 1:
            return Break(chain, seq + 1, f"missing, the next is {row.seq}")
        seq = row.seq
        if row.kind not in _KINDS:
            return Break(chain, seq, f'kind "{row.kind}", expected one of {", ".join(EntryKind)}')
        if link(previous, row.kind, row.at_us, row.body) != row.hash:
            return Break(chain, seq, "the hash of its predecessor, kind, time and body is not the stored one: one of them was changed")
        previous = row.hash
        said = json.loads(row.body).get("estimates", digest)
        while digests is not None and said != digest:
            following = next(digests, None)
            if following is None:
                return Break(chain, seq, "the site's estimates up to here do not give the digest it carries: one was changed or is missing")
            digest = following
    return None


class _Digests:
    """The running digests of each site's estimates, for sites asked for in ascending order."""

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(ESTIMATE.order_by(estimates.c.site, estimates.c.at_us)).yield_per(PAGE)
        self._sites = groupby(rows, key=lambda row: str(row.site))
        self._ahead = next(self._sites, None)

    def of(self, site: str) -> Iterator[str]:
        while self._ahead is not None and self._ahead[0] < site:
            self._ahead = next(self._sites, None)
        digest = GENESIS
        if self._ahead is not None and self._ahead[0] == site:
            for row in self._ahead[1]:
                digest = digest_of(digest, row.body)
                yield digest.hex()
