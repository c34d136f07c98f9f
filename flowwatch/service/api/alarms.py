"""What people were told: the book of handling by pages, and how heavy its alarms were."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling.load import HOUR_US, LEAD_US, load, plain
from flowwatch.journal import Journal
from flowwatch.service.api.journal import MOST, Cursor, Order, Page, chains, paged
from flowwatch.service.given import GivenIdentity, GivenParts
from flowwatch.service.parts import micros
from flowwatch.service.problems import Problem
from flowwatch.service.threads import slow, threaded

SPAN_US: Final = 24 * HOUR_US
"""The span of a load that nobody bounded."""
MOST_US: Final = 366 * 24 * HOUR_US
OnlySite = Annotated[str | None, QueryParameter(max_length=64, description="only this site's; all that you see if left out")]

Operators = Annotated[
    int | None,
    QueryParameter(ge=1, le=1_000, description="among how many people the alerts were divided; as the deployment file says if left out"),
]


class OftenTold(Struct, frozen=True):
    """One thing that alerts were about, and how often; `share` of all alerts shown, 0..1."""

    site: str
    what: str
    subject: str
    count: int
    share: float


class LeftTold(Struct, frozen=True):
    """What nobody answered for more than 24 hours."""

    site: str
    incident: str
    what: str
    subject: str
    priority: str | None
    since_at: str


class BoundTold(Struct, frozen=True):
    """A figure beside the most that it may be."""

    name: str
    found: float
    most: float
    source: str
    broken: bool


class LoadTold(Struct, frozen=True, kw_only=True):
    """The alarm load of a span after EEMUA 191 and ISA-18.2; `broken`: the bounds that were not kept. Shares are 0..1, times in seconds."""

    since_at: str
    until_at: str
    operators: int
    shown: int
    per_hour: float
    per_operator_hour: float
    worst_10min: int
    worst_at: str | None
    flood_share: float
    chatter: list[OftenTold]
    stale: list[LeftTold]
    top: list[OftenTold]
    acknowledged: int
    unanswered: int
    acknowledge_p50_s: float | None
    acknowledge_p90_s: float | None
    by_priority: dict[str, int]
    bands: dict[str, float]
    escalations: dict[str, int]
    shelved: int
    suppressed: dict[str, int]
    reds_hidden: int
    bounds: list[BoundTold]
    broken: list[str]


@get("/v1/alerts", summary="Alerts and their handling")
@threaded
def alerts(  # noqa: PLR0913, PLR0917 - a query has a parameter for each thing that can be asked
    identity: GivenIdentity,
    parts: GivenParts,
    site: OnlySite = None,
    kind: Annotated[EntryKind | None, QueryParameter(description="alert or handling; both if left out")] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    after: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 100,
    order: FromQuery[Order] = "oldest",
) -> Page:
    """What people were told and what they did, in the order in which it was written, with since <= at < until.

    Go on with `after=` the `next` of the page before and the same other parameters: nothing is skipped and nothing comes twice, while the book
    grows.
    """
    if kind not in (None, EntryKind.ALERT, EntryKind.HANDLING):
        raise Problem("invalid", f'kind: found "{kind}", expected alert or handling', field="kind")
    return paged(parts.book, chains(site, identity, parts), kind, since, until, after, limit, order)


@get("/v1/alarms/load", summary="Alarm load")
@slow
def alarm_load(
    identity: GivenIdentity,
    parts: GivenParts,
    site: OnlySite = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    operators: Operators = None,
) -> LoadTold:
    """How many alerts people were shown, in floods or not, and how fast they answered; the last 24 hours, if no span is given."""
    now = parts.records.now_us()
    until_us = now if until is None else min(micros(until, "until"), now)
    since_us = until_us - SPAN_US if since is None else micros(since, "since")
    if not 0 < until_us - since_us <= MOST_US:
        raise Problem(
            "invalid", "found a span that ends before it begins, has not begun, or is longer than a year, expected another", field="since"
        )
    of = chains(site, identity, parts)
    opened = parts.book.journal
    if operators is None:
        operators = 1 if parts.desk is None else parts.desk.settings.operators
    found = load([] if opened is None else _entries(opened, of, since_us, until_us), since_us, until_us, operators=operators)
    return msgspec.convert(plain(found), LoadTold)


def _entries(book: Journal, of: list[str] | None, since_us: int, until_us: int) -> list[Entry]:
    """What `load` needs of these chains, None: of all."""
    chosen = sorted(book.heads()) if of is None else of
    return [entry for chain in chosen for entry in book.entries(chain, since=since_us - LEAD_US, until=until_us)]
