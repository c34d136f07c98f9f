"""Alerts for other systems to fetch: CAP files, and the Atom feed that lists them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Annotated, Final

from litestar import Response, get
from litestar.params import HeaderParameter, QueryParameter

from flowwatch.feed import atom as index
from flowwatch.feed import cap
from flowwatch.feed.messages import Message
from flowwatch.journal.tables import site_of
from flowwatch.service.auth.identity import Identity
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem, unknown
from flowwatch.service.threads import threaded

Known = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", max_length=2_000, description="the ETag of an answer: 304 without a body if nothing changed"),
]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FRESH: Final = "private, no-cache"
"""It may be kept by the one who asked, and must be asked for again before it is used."""


@get("/v1/feeds/cap/{identifier:str}", summary="One alert as a CAP file", media_type=cap.MEDIA_TYPE)
@threaded
def message(identifier: InPath, identity: GivenIdentity, parts: GivenParts, known: Known = None) -> Response[bytes]:
    """An alert as the Common Alerting Protocol 1.2 has it, in Chinese and English."""
    found = _seen(identifier, identity, parts)
    if found is None:
        raise Problem("not-found", f'no CAP message "{identifier:.80}" that you may read; /v1/feeds/atom lists them')
    return _answer(parts.caps.file(found), cap.MEDIA_TYPE, found.at_us, known)


@get("/v1/feeds/atom", summary="Alerts as an Atom feed", media_type=index.MEDIA_TYPE)
@threaded
def atom(
    identity: GivenIdentity,
    parts: GivenParts,
    site: Annotated[str | None, QueryParameter(max_length=64)] = None,
    before: Annotated[str | None, QueryParameter(max_length=64, description="as the `next` link of the page before has it")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=index.MOST)] = index.ENTRIES,
    known: Known = None,
) -> Response[bytes]:
    """The newest CAP messages of the sites that you see, each with a link to its file; `rel="next"` leads to older ones."""
    seen = parts.sites.seen_by(identity)
    if site is not None and site not in seen:
        raise unknown("unknown-site", "site", site, seen)
    last = None if before is None else _seen(before, identity, parts)
    if before is not None and last is None:
        raise Problem("bad-cursor", "expected `before` as the link of the page before has it")
    chains = set(seen) if site is None else {site}
    body, newest_us = parts.caps.page(chains, site, last, limit)
    return _answer(body, index.MEDIA_TYPE, newest_us, known)


def _seen(identifier: str, identity: Identity, parts: Parts) -> Message | None:
    found = parts.caps.messages.find(identifier)
    return found if found is not None and parts.sees(identity, site_of(found.chain)) else None


def _answer(body: bytes, kind: str, at_us: int | None, known: str | None) -> Response[bytes]:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": _FRESH, "vary": "Authorization, Cookie"}
    if at_us is not None:
        headers["last-modified"] = format_datetime(_EPOCH + timedelta(seconds=at_us // 1_000_000), usegmt=True)
    if known is not None and _matches(known, tag):
        return Response(b"", status_code=304, headers=headers, media_type=kind)
    return Response(body, media_type=kind, headers=headers)


def _matches(known: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: weakly)."""
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in known.split(","))
