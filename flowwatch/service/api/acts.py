"""What people do about an incident, a route each: 签收, 派警, 到场, 处置, 反馈, 核查, 办结, and what puts it off or presses for it.

The answer is 200 with the step as it stands in the book of handling, once it is durable there; 409 with the sentence where the incident is not
at that point. Who may is in `routes.py`; only closing depends on how far the incident is.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import post
from litestar.params import JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from flowwatch.core.entries import Entry
from flowwatch.handling.records import Act
from flowwatch.handling.steps import NotPossibleError, needs_supervisor
from flowwatch.picture import plain_page
from flowwatch.service.api.incidents import about, chain_of, desk_of, of_chain
from flowwatch.service.auth.identity import Identity, Role
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts, micros
from flowwatch.service.problems import Problem, unknown, wait
from flowwatch.service.routes import Need, Where, not_allowed

DURABLE_S: Final = 30.0
"""How long a step may take to be durable; a disk that takes longer is broken."""
LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]{1,500}$"
"""One line, as in operators' records."""
Reason = Annotated[str, Meta(pattern=LINE, description="why; it stands in the book for ever")]
Unit = Annotated[
    str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}$", description="the unit or person that is sent, as the command room calls it")
]


class _Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every step is given."""


class Plain(_Body, frozen=True, kw_only=True):
    """A step; its reason may be left out."""

    reason: Reason | UnsetType = UNSET


class Reasoned(_Body, frozen=True, kw_only=True):
    """A step that has to say why."""

    reason: Reason


class Sent(_Body, frozen=True, kw_only=True):
    """Who is sent."""

    to: Unit
    reason: Reason | UnsetType = UNSET


class Until(_Body, frozen=True, kw_only=True):
    """Something put off: until when, and why."""

    until: datetime
    reason: Reason


class Shelved(_Body, frozen=True, kw_only=True):
    """Something shelved: until when (as long as its condition holds, if left out), and why."""

    until: datetime | UnsetType = UNSET
    reason: Reason


class StepTold(Struct, frozen=True):
    """A step as it stands in the book."""

    id: str
    kind: str
    at: str
    hash: str
    body: dict[str, Any]


@post("/v1/sites/{site:str}/incidents/{incident:str}/acknowledge", status_code=200, summary="Acknowledge (签收)")
async def acknowledge(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """You have it: from now on you answer for it, and the clock for acknowledging stops."""
    return await _take(Act.ACKNOWLEDGE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/dispatch", status_code=200, summary="Send somebody (派警)")
async def dispatch(site: InPath, incident: InPath, data: JSONBody[Sent], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """A unit or person is on the way; acknowledges, too, what nobody has."""
    return await _take(Act.DISPATCH, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/arrive", status_code=200, summary="On the scene (到场)")
async def arrive(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """Who was sent is there."""
    return await _take(Act.ARRIVE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/handle", status_code=200, summary="Handled (处置)")
async def handle(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """What had to be done on the spot is done."""
    return await _take(Act.HANDLE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/feedback", status_code=200, summary="Report back (反馈)")
async def feedback(site: InPath, incident: InPath, data: JSONBody[Reasoned], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """What was found and done, in `reason`."""
    return await _take(Act.FEEDBACK, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/verify", status_code=200, summary="Verify (核查)")
async def verify(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """A supervisor finds that it was done."""
    return await _take(Act.VERIFY, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/close", status_code=200, summary="Close (办结)")
async def close(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """The end. What was verified takes a supervisor; what was only acknowledged, once its condition has ended, an operator."""
    return await _take(Act.CLOSE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/return", status_code=200, summary="Return (退单)")
async def return_(site: InPath, incident: InPath, data: JSONBody[Reasoned], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """The wrong unit: it goes back to who dispatches."""
    return await _take(Act.RETURN, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/defer", status_code=200, summary="Put off (挂账)")
async def defer(site: InPath, incident: InPath, data: JSONBody[Until], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """A supervisor puts it off until a time; its clocks stand still meanwhile."""
    return await _take(Act.DEFER, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/resume", status_code=200, summary="Take up again")
async def resume(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """What was put off goes on before its time."""
    return await _take(Act.RESUME, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/shelve", status_code=200, summary="Shelve (搁置)")
async def shelve(site: InPath, incident: InPath, data: JSONBody[Shelved], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """Do not show it until a time, or as long as its condition holds. Never what is red (I)."""
    return await _take(Act.SHELVE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/unshelve", status_code=200, summary="Take off the shelf")
async def unshelve(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """Show it again before its time."""
    return await _take(Act.UNSHELVE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/maintain", status_code=200, summary="Under maintenance")
async def maintain(site: InPath, incident: InPath, data: JSONBody[Until], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """The device or counter that it is about is worked on: its alerts are not shown until a time."""
    return await _take(Act.MAINTAIN, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/restore", status_code=200, summary="In use again")
async def restore(site: InPath, incident: InPath, data: JSONBody[Plain], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """The device is in use again before its time: its alerts are shown from now on, those too that hold already."""
    return await _take(Act.RESTORE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/note", status_code=200, summary="Add a note")
async def note(site: InPath, incident: InPath, data: JSONBody[Reasoned], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """A remark, at any time, after the end too."""
    return await _take(Act.NOTE, site, incident, data, identity, parts)


@post("/v1/sites/{site:str}/incidents/{incident:str}/supervise", status_code=200, summary="Press for it (督办)")
async def supervise(site: InPath, incident: InPath, data: JSONBody[Reasoned], identity: GivenIdentity, parts: GivenParts) -> StepTold:
    """A supervisor asks for speed, by hand; a clock does so by itself when it runs out."""
    return await _take(Act.SUPERVISE, site, incident, data, identity, parts)


HANDLERS: Final[dict[Act, Any]] = {
    Act.ACKNOWLEDGE: acknowledge,
    Act.DISPATCH: dispatch,
    Act.ARRIVE: arrive,
    Act.HANDLE: handle,
    Act.FEEDBACK: feedback,
    Act.VERIFY: verify,
    Act.CLOSE: close,
    Act.RETURN: return_,
    Act.DEFER: defer,
    Act.RESUME: resume,
    Act.SHELVE: shelve,
    Act.UNSHELVE: unshelve,
    Act.MAINTAIN: maintain,
    Act.RESTORE: restore,
    Act.NOTE: note,
    Act.SUPERVISE: supervise,
}
"""Every step that people can take here."""


async def _take(act: Act, site: str, name: str, data: _Body, identity: Identity, parts: Parts) -> StepTold:
    """Have the desk take the step, once it is durable. Raises `Problem`."""
    desk = desk_of(parts)
    incident = desk.find(name)
    if chain_of(name) != site or incident is None:
        raise await asyncio.to_thread(_not_there, site, name, parts)
    path = parts.areas.of(site)
    role = Role.SUPERVISOR if identity.may(Role.SUPERVISOR, None, path) else Role.OPERATOR
    if needs_supervisor(act, incident) and role is not Role.SUPERVISOR:
        raise not_allowed(Need(Where.SITE, Role.SUPERVISOR))
    given = {name_: value for name_, value in structs.asdict(data).items() if value is not UNSET}
    until = None if "until" not in given else micros(given["until"], "until")
    asked = desk.act(site, name, act, identity.signature, role.value, given.get("reason", ""), to=given.get("to"), until_us=until)
    return await kept(asked)


async def kept(asked: Future[Entry | None]) -> StepTold:
    """What the desk was asked for, once it is durable. Raises `Problem` where it cannot be done, or not be kept in time."""
    try:
        async with asyncio.timeout(DURABLE_S):
            entry = await asyncio.wrap_future(asked)
    except NotPossibleError as error:
        raise Problem("conflict", str(error)) from error
    except TimeoutError:
        raise wait("unavailable", f"the disk has not taken the step within {DURABLE_S:.0f} s; it may or may not be kept", 5) from None
    if entry is None:
        raise wait("unavailable", "the desk could not keep the step; the service's own log says why", 5)
    return msgspec.convert(next(plain_page([entry])), StepTold)


def _not_there(site: str, name: str, parts: Parts) -> Problem:
    """The problem of an incident that is not at the site, or was closed long ago."""
    known = [one.incident for one in of_chain(site, parts)]
    if chain_of(name) == site and about(parts.book.journal, name):
        return Problem("conflict", f"{name} was closed long ago, expected one that is open or was closed lately")
    if name in known:
        return wait("unavailable", f"{name} was decided a moment ago and not told yet; ask again", 1)
    return unknown("unknown-name", "incident", name, known)
