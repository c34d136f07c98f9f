"""What time it is, for a log whose time is told: a rehearsal or demonstration, never a live place."""

from __future__ import annotations

from datetime import datetime

from litestar import post
from litestar.params import JSONBody
from msgspec import Struct

from flowwatch.log.settings import Clock
from flowwatch.service.given import GivenIdentity, GivenParts
from flowwatch.service.parts import micros
from flowwatch.service.problems import Problem
from flowwatch.service.readings import durable


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """It is so late now; an earlier time than the last one changes nothing."""

    at: datetime


@post("/v1/time", status_code=202, summary="Say what time it is, in a rehearsal")
async def time(data: JSONBody[Told], identity: GivenIdentity, parts: GivenParts) -> Told:
    """Everything that happened up to then must have been sent before. Any other log than a rehearsal's has a clock and refuses (409)."""
    if parts.sites.clock is not Clock.TOLD:
        raise Problem(
            "conflict", "this log has a clock of its own; only that of a rehearsal (`flowwatch log create --clock told`) is told the time"
        )
    if not identity.sees_everything():
        raise Problem("not-allowed", "the time is that of all sites; expected a token for everywhere")
    await durable(parts.records.offer_tick(micros(data.at, "at")))
    return data
