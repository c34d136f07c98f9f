"""What people say by hand, each a record in the log: overrides, recounts, answers, drills, fire, releases, and how a site delivers.

The answer is 202 with the record's name once the record is durable; with `Prefer: wait=5` it is 200 with the journal's word, if that comes
within so many seconds. Names are checked here, with the near miss; what holds is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Response, post
from litestar.params import HeaderParameter, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from flowwatch.core.gates import Setting
from flowwatch.documents.words import setting_near
from flowwatch.journal.export import with_times
from flowwatch.service.auth.identity import Identity
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts, micros
from flowwatch.service.problems import Problem
from flowwatch.service.records import unset_out, wait_of
from flowwatch.service.routes import not_allowed, stricter
from flowwatch.service.sites import need, need_stage

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, description="why; it stands in the record for ever")]
Prefer = Annotated[
    str | None, HeaderParameter(name="Prefer", max_length=200, description="wait=5: wait so many seconds for the journal's word")
]


class _Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record is given."""


class Override(_Body, frozen=True, kw_only=True):
    """Hold a stage (of `plan`, else the main plan's), one gate at `mode`, or a case, until a time; now or a past time ends one."""

    stage: Name | UnsetType = UNSET
    plan: Name | UnsetType = UNSET
    gate: Name | UnsetType = UNSET
    mode: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    case: Name | UnsetType = UNSET
    until: datetime
    reason: Reason


class Recount(_Body, frozen=True, kw_only=True):
    """People counted in a zone by hand; just now, if `counted_at` is not given."""

    zone: Name
    count: Annotated[int, Meta(ge=0, le=1_000_000)]
    counted_at: datetime | UnsetType = UNSET
    reason: Reason = "counted by hand"


class Confirm(_Body, frozen=True, kw_only=True):
    """An incident was seen; where it proposes something, yes or no to it. A no needs a reason."""

    incident: Annotated[str, Meta(min_length=1, max_length=90)]
    answer: Literal["yes", "no"] = "yes"
    reason: Reason | UnsetType = UNSET


class Drill(_Body, frozen=True, kw_only=True):
    """Exercise a stage of the main plan until a time; now or a past time ends the drill."""

    stage: Name
    until: datetime
    reason: Reason = "drill"


class Fire(_Body, frozen=True, kw_only=True):
    """There is a fire (on), or it is over (off)."""

    state: Literal["on", "off"]
    reason: Reason = "fire"


class Release(_Body, frozen=True, kw_only=True):
    """Let a command that waits for a person go out: of a gate, or of another device ("barrier/henan-road")."""

    gate: Name | UnsetType = UNSET
    device: Annotated[str, Meta(pattern=r"^(gate|barrier|sign|link)/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")] | UnsetType = UNSET
    revision: Annotated[int, Meta(ge=1, le=2**53)]
    reason: Reason = "released"


class Deliver(_Body, frozen=True, kw_only=True):
    """Put the whole site on advise, so that nothing is sent by itself; or have it deliver as its documents say again (plan)."""

    to: Literal["advise", "plan"]
    reason: Reason


class Turned(_Body, frozen=True, kw_only=True):
    """A gate was set on the spot by people: how it is now."""

    gate: Name
    mode: Annotated[str, Meta(min_length=1, max_length=500)]
    reason: Reason = "set on the spot"


class Written(Struct, frozen=True):
    """A record that is in the log. `outcome`: what the journal said of it within the time to wait."""

    action: str
    record: dict[str, Any]
    outcome: dict[str, Any] | None


@post("/v1/sites/{site:str}/actions/override", status_code=202, summary="Hold a stage, a gate or a case")
async def override(
    site: InPath, data: JSONBody[Override], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """Hold something elsewhere than the plan asks. One that would take people's way out is refused, by the journal's word."""
    document = parts.sites.document(site)
    fields = unset_out(data)
    given = fields.keys() - {"until", "reason"}
    if given not in ({"stage"}, {"stage", "plan"}, {"gate", "mode"}, {"case"}):
        raise Problem(
            "invalid", f"found {', '.join(sorted(given)) or 'nothing'} to hold, expected stage (and plan), or gate with mode, or case"
        )
    if "stage" in fields:
        need_stage(document, fields["stage"], fields.get("plan"))
    elif "gate" in fields:
        need(document, "gate", fields["gate"])
        fields["mode"] = _setting(fields["mode"])
    else:
        need(document, "case", fields["case"])
    return await _write(site, "override", fields, identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/recount", status_code=202, summary="Enter a count by hand")
async def recount(
    site: InPath, data: JSONBody[Recount], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """From then on the zone's estimate starts from this count."""
    need(parts.sites.document(site), "zone", data.zone)
    at = parts.records.now_us() if data.counted_at is UNSET else micros(data.counted_at, "counted_at")
    fields = {"zone": data.zone, "count": data.count, "counted_at_us": at, "reason": data.reason}
    return await _write(site, "recount", fields, identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/confirm", status_code=202, summary="Answer an incident")
async def confirm(
    site: InPath, data: JSONBody[Confirm], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """Say that an incident was seen, or answer what it proposes."""
    if data.incident.rpartition("-i")[0] != site or not data.incident.rpartition("-i")[2].isdecimal():
        raise Problem("invalid", f'"{data.incident:.80}" names no incident of the site, expected {site}-i<number>', field="incident")
    if data.answer == "no" and data.reason is UNSET:
        raise Problem("invalid", "a no stands in the record for ever, expected a reason", field="reason")
    fields = {"incident": data.incident, "answer": data.answer, "reason": "seen" if data.reason is UNSET else data.reason}
    return await _write(site, "confirm", fields, identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/drill", status_code=202, summary="Hold a drill")
async def drill(
    site: InPath, data: JSONBody[Drill], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """Exercise a stage: only gates that are marked for drills move, and a real stage above ends it."""
    need_stage(parts.sites.document(site), data.stage, None)
    return await _write(site, "drill", unset_out(data), identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/fire", status_code=202, summary="Report a fire, or its end")
async def fire(site: InPath, data: JSONBody[Fire], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None) -> Response[Written]:
    """On: every gate leads out at once and stays so until a person says off, which takes a supervisor."""
    return await _write(site, "fire", unset_out(data), identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/release", status_code=202, summary="Let a command go out")
async def release(
    site: InPath, data: JSONBody[Release], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """Let a command of a gate or device with delivery `confirm` go out."""
    fields = unset_out(data)
    if ("gate" in fields) == ("device" in fields):
        raise Problem("invalid", "found both or none of gate and device, expected one of them")
    of, _, name = fields.get("device", "").partition("/")
    need(parts.sites.document(site), of or "gate", name or fields.get("gate", ""))
    return await _write(site, "release", fields, identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/deliver", status_code=202, summary="How commands are delivered")
async def deliver(
    site: InPath, data: JSONBody[Deliver], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """Advise: nothing goes out by itself. Plan: as the documents say again, which takes a supervisor."""
    return await _write(site, "deliver", unset_out(data), identity, parts, prefer)


@post("/v1/sites/{site:str}/actions/turned", status_code=202, summary="Say that a gate was set on the spot")
async def turned(
    site: InPath, data: JSONBody[Turned], identity: GivenIdentity, parts: GivenParts, prefer: Prefer = None
) -> Response[Written]:
    """How a gate is that people turned: from then on it is told if anybody passes against that, and driven gates count on it."""
    need(parts.sites.document(site), "gate", data.gate)
    return await _write(site, "turned", unset_out(data) | {"mode": _setting(data.mode)}, identity, parts, prefer)


HANDLERS = {
    "override": override,
    "recount": recount,
    "confirm": confirm,
    "drill": drill,
    "fire": fire,
    "release": release,
    "deliver": deliver,
    "turned": turned,
}
"""Every record that people can write here, by its type."""


async def _write(
    site: str, kind: str, fields: Mapping[str, Any], identity: Identity, parts: Parts, prefer: str | None
) -> Response[Written]:
    wanted = stricter(kind, fields)
    if wanted is not None and not identity.may(wanted.role, wanted.scope, parts.areas.of(site)):
        raise not_allowed(wanted)
    rest = {name: value for name, value in fields.items() if name not in ("reason", "until")}
    if "until" in fields:
        rest["until_us"] = max(micros(fields["until"], "until"), parts.records.now_us() + 1_000_000)
    record = await parts.records.write(site, kind, identity.signature, fields["reason"], rest)
    seconds = wait_of(prefer)
    outcome = None if seconds is None else await parts.records.outcome(site, record["action"], seconds)
    headers = {} if seconds is None else {"preference-applied": f"wait={seconds:.0f}"}
    headers["location"] = f"/v1/journal/{record['action']}"
    told = Written(record["action"], with_times(record), outcome)
    return Response(told, status_code=202 if outcome is None else 200, headers=headers)


def _setting(text: str) -> str:
    """The canonical text of a gate's setting. Raises `Problem` with the near miss."""
    try:
        return str(Setting.parse(text))
    except ValueError as error:
        meant = setting_near(text)
        more: dict[str, Any] = {"did_you_mean": meant} if meant else {}
        hint = f'; did you mean "{meant}"?' if meant and "did you mean" not in str(error) else ""
        raise Problem("invalid", f"mode: {error}{hint}", field="mode", **more) from error
