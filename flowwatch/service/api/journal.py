"""The journal by pages, one entry, and why it is there."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import get
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from flowwatch import explain
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.journal.opened import Opened
from flowwatch.journal.pages import Mark, Sought, StaleMarkError
from flowwatch.journal.tables import site_of
from flowwatch.picture import plain_page
from flowwatch.service.auth.identity import Identity, Role, Scope
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts, micros
from flowwatch.service.problems import Problem, unknown
from flowwatch.service.threads import slow, threaded

MOST: Final = 1_000
Order = Literal["oldest", "newest"]
Cursor = Annotated[str | None, QueryParameter(max_length=400, description="`next` of the page before")]


class Page(Struct, frozen=True):
    """Entries, and where to go on. `more`: whether there is more now; `next` goes on later, too, where the order is `oldest`."""

    entries: list[dict[str, Any]]
    next: str | None
    more: bool


@get("/v1/journal", summary="The journal")
@threaded
def journal(  # noqa: PLR0913, PLR0917 - a query has a parameter for each thing that can be asked
    identity: GivenIdentity,
    parts: GivenParts,
    site: Annotated[str | None, QueryParameter(max_length=64)] = None,
    kind: FromQuery[EntryKind | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    after: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 100,
    order: FromQuery[Order] = "oldest",
) -> Page:
    """Entries in the order in which they were written, with since <= at < until.

    Go on with `after=` the `next` of the page before and the same other parameters: no entry is skipped and none comes twice, while the
    journal grows.
    """
    return paged(parts.picture, chains(site, identity, parts), kind, since, until, after, limit, order)


@get("/v1/journal/{id:str}", summary="One entry")
@threaded
def entry(id: InPath, identity: GivenIdentity, parts: GivenParts) -> dict[str, Any]:  # noqa: A002 - the name of the parameter in the path
    """An entry, an incident's first, or that of an operator's record."""
    return next(plain_page(_found(id, identity, parts)[1][:1]))


@get("/v1/journal/{id:str}/explanation", summary="Why")
@slow
def explanation(id: InPath, identity: GivenIdentity, parts: GivenParts, lang: FromQuery[Literal["zh", "en"]] = "en") -> dict[str, Any]:  # noqa: A002
    """From a command, stage, incident or record back to the readings, step by step; `text` is for people, in Chinese or English."""
    return explain.explanation(_found(id, identity, parts)[0], parts.sites.log, id, lang)


def paged(
    opened: Opened,
    of: list[str] | None,
    kind: EntryKind | None,
    since: datetime | None,
    until: datetime | None,
    after: str | None,
    limit: int,
    order: Order,
) -> Page:
    """A page of a journal's chains (None: all), behind the cursor `after`. Raises `Problem`."""
    mark = None if after is None else _mark(after, order)
    sought = Sought(of, kind, None if since is None else micros(since, "since"), None if until is None else micros(until, "until"))
    try:
        found, last = opened.page(sought, mark, limit + 1, newest=order == "newest")
        more = len(found) > limit
        if more:
            found, last = opened.page(sought, mark, limit, newest=order == "newest")
    except StaleMarkError as error:
        raise Problem("bad-cursor", "the journal was made anew since that page was read; begin again without a cursor") from error
    return Page(list(plain_page(found)), None if last is None else _cursor(last, order), more)


def chains(site: str | None, identity: Identity, parts: Parts) -> list[str] | None:
    """The chains that are asked for and may be read; None for all. Raises `Problem` for a site that is not seen."""
    seen = parts.sites.seen_by(identity)
    if site is not None:
        if site not in seen:
            raise unknown("unknown-site", "site", site, seen)
        return [site]
    return None if identity.sees_everything() and identity.is_any(Role.VIEWER, Scope.READ) else seen


def _found(id_: str, identity: Identity, parts: Parts) -> tuple[Journal, list[Entry]]:
    """The journal, and the entries that the id names; what may not be read is not found."""
    opened = parts.picture.journal
    nothing = Problem("not-found", f'no entry "{id_:.80}" that you may read; expected one as yuyuan-17, or an incident as yuyuan-i3')
    if opened is None:
        raise nothing
    try:
        found = explain.find(opened, id_)
    except UnknownIdError as error:
        chain = id_.rpartition("-")[0]
        raise (Problem("not-found", str(error)) if chain in parts.sites.seen_by(identity) else nothing) from None
    if not parts.sees(identity, site_of(found[0].chain)):
        raise nothing
    return opened, found


def _cursor(mark: Mark, order: Order) -> str:
    packed = msgspec.json.encode([order[0], mark.row, mark.chain, mark.seq])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _mark(cursor: str, order: Order) -> Mark:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        begun, row, chain, seq = msgspec.json.decode(packed, type=tuple[str, int, str, int])
    except (ValueError, UnicodeEncodeError) as error:
        raise Problem("bad-cursor", "expected `next` as the page before gave it") from error
    if begun != order[0] or not 0 < row < 2**62 or not 0 < seq < 2**62:
        raise Problem("bad-cursor", "the cursor is of another query, expected the same parameters as for the page before")
    return Mark(row, chain, seq)
