"""Who has which duty at a site."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import delete, get, post
from litestar.params import FromQuery, JSONBody
from msgspec import Meta, Struct

from flowwatch.journal.export import iso
from flowwatch.service.access import ACCOUNTS
from flowwatch.service.auth.identity import Identity, Role, Scope
from flowwatch.service.auth.roster import Shift
from flowwatch.service.auth.users import UserError
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts, micros
from flowwatch.service.problems import Problem, unknown
from flowwatch.service.threads import threaded


class NewShift(Struct, frozen=True, forbid_unknown_fields=True):
    """A shift to come; `duty` is a word of the site's plans, as in a task's `role`."""

    duty: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
    user: Annotated[str, Meta(min_length=1, max_length=64)]
    from_at: datetime
    until_at: datetime


class ShiftTold(Struct, frozen=True):
    """A shift."""

    id: str
    duty: str
    user: str
    from_at: str
    until_at: str
    written_by: str


@get("/v1/sites/{site:str}/roster", summary="Who has which duty")
@threaded
def roster(site: InPath, parts: GivenParts, at: FromQuery[datetime | None] = None) -> list[ShiftTold]:
    """The site's shifts at a time; without one, those that are not over."""
    return [_told(shift) for shift in parts.roster.of(site, None if at is None else micros(at, "at"))]


@post("/v1/sites/{site:str}/roster", status_code=201, summary="A new shift")
@threaded
def add_shift(site: InPath, data: JSONBody[NewShift], identity: GivenIdentity, parts: GivenParts) -> ShiftTold:
    """Give a person a duty of the site for a time; the person must see the site."""
    try:
        user = parts.users.need(data.user)
    except UserError:
        raise unknown("invalid", "user", data.user, _those_who_see(site, parts)) from None
    if user.name not in _those_who_see(site, parts):
        raise Problem("invalid", f'user "{user.name}" does not see site "{site}", expected a role in its area first', field="user")
    try:
        shift = parts.roster.add(
            site, data.duty, user.name, micros(data.from_at, "from_at"), micros(data.until_at, "until_at"), identity.name
        )
    except ValueError as error:
        raise Problem("invalid", str(error), field="until_at") from error
    ACCOUNTS.info("%s gave user:%s the duty %s at %s", identity.who, user.name, shift.duty, site)
    return _told(shift)


@delete("/v1/sites/{site:str}/roster/{shift:str}", status_code=204, summary="Strike a shift")
@threaded
def strike(site: InPath, shift: InPath, identity: GivenIdentity, parts: GivenParts) -> None:
    """Take a shift out of the roster."""
    if not parts.roster.remove(site, shift):
        raise unknown("unknown-name", "shift", shift, [found.id for found in parts.roster.of(site)])
    ACCOUNTS.info("%s struck shift %s at %s", identity.who, shift, site)


def _those_who_see(site: str, parts: Parts) -> list[str]:
    path = parts.areas.of(site)
    people = [(user.name, Identity(user.name, user.name, grants=user.grants, session=b"")) for user in parts.users.all()]
    return [name for name, identity in people if identity.may(Role.VIEWER, Scope.READ, path)]


def _told(shift: Shift) -> ShiftTold:
    return ShiftTold(shift.id, shift.duty, shift.user, iso(shift.from_us), iso(shift.until_us), shift.written_by)
