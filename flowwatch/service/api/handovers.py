"""The handover of a shift (交接班): the page as it stands, and that somebody took over."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from flowwatch.handling.handover import Handover, plain
from flowwatch.handling.records import SERVICE
from flowwatch.service.api.acts import Reason, StepTold, kept
from flowwatch.service.api.incidents import answered, desk_of
from flowwatch.service.auth.identity import Identity
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.handovers import gathered
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem
from flowwatch.service.threads import slow


class HandoverTold(Struct, frozen=True, kw_only=True):
    """What a shift hands over. `before`: the handover before; `held`: overrides and drills; `put_off`: shelved, deferred, under maintenance.

    `digest`: the SHA-256 of what is handed over, as the step keeps it; `undelivered`: only for who sees everything.
    """

    site: str
    at: str
    since_at: str
    before: dict[str, str] | None
    stages: list[dict[str, str | None]]
    incidents: list[dict[str, Any]]
    held: list[dict[str, Any]]
    put_off: list[dict[str, Any]]
    undelivered: list[dict[str, Any]]
    shift: dict[str, Any]
    digest: str


class HandOver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes over; `digest`: of the page that was read, if it must not have changed since."""

    to: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$", description="the person or shift that takes over")]
    reason: Reason = "end of the shift"
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None


@get("/v1/sites/{site:str}/handover", summary="The handover as it stands")
@slow
def handover(site: InPath, identity: GivenIdentity, parts: GivenParts) -> HandoverTold:
    """What is open and who answers for it, what people hold or put off, and what the shift had since the last handover."""
    found = _made(site, identity, parts)
    return msgspec.convert(plain(found) | {"digest": found.digest}, HandoverTold)


@post("/v1/sites/{site:str}/handover", status_code=200, summary="Hand over (交接班)")
async def hand_over(site: InPath, data: JSONBody[HandOver], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """Write down, in your name, that a shift took over, with the list of what was open and the digest of the page."""
    desk = desk_of(parts)
    found = await slow(_made)(site, identity, parts)
    if data.digest is not None and data.digest != found.digest:
        raise Problem("conflict", "what is handed over has changed since it was read; read it again", digest=found.digest)
    detail = {
        "digest": found.digest,
        "incidents": [one.incident.name for one in found.incidents],
        "held": [one.action for one in found.held],
        "put_off": [one.incident for one in found.put_off],
    }
    return await kept(desk.handover(site, identity.signature, data.to, data.reason, detail))


def _made(site: str, identity: Identity, parts: Parts) -> Handover:
    desk, everything = parts.desk, parts.sees(identity, None)
    return gathered(
        site,
        parts.records.now_us(),
        standing=parts.picture.site(site),
        book=parts.book.journal,
        document=parts.sites.document(site),
        incidents=[] if desk is None else [answered(one, parts) for one in desk.incidents(site)],
        undelivered=[] if desk is None or not everything else [answered(one, parts) for one in desk.incidents(SERVICE)],
    )
