"""Sites and what stands at them: zones with their people, gates with what is asked of them, plans, documents."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.params import QueryParameter
from msgspec import Struct

from flowwatch.journal.export import iso, with_times
from flowwatch.picture import Standing, people, told
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts
from flowwatch.service.problems import unknown
from flowwatch.service.threads import threaded

Text = dict[str, str]


class SiteTold(Struct, frozen=True):
    """A site: where it lies, and its main plan's stage, None where nothing was decided yet.

    `decided_at`: the tick up to which the engine has decided; one that does not move says that no engine runs.
    """

    site: str
    title: Text
    area: str
    stage: str | None
    level: str | None
    open_incidents: int
    decided_at: str | None


class SiteWhole(Struct, frozen=True):
    """A site with the names of all that it has."""

    site: str
    title: Text
    area: str
    time_zone: str
    group: str
    delivery: str
    stages: dict[str, str]
    zones: list[str]
    gates: list[str]
    links: list[str]
    barriers: list[str]
    signs: list[str]
    counters: list[str]
    plans: list[str]
    documents: str | None


class ZoneTold(Struct, frozen=True):
    """A zone and its newest minute: `people` is the engine's estimate with its band, in persons; None before the first minute."""

    zone: str
    title: Text
    area_m2: float
    capacity: int
    inside: str | None
    people: dict[str, Any] | None


class Zones(Struct, frozen=True):
    """All zones of a site. `at`: the tick that closed the minute."""

    site: str
    at: str | None
    stage: str | None
    zones: list[ZoneTold]


class GateTold(Struct, frozen=True):
    """A gate: what the journal asks of it last (`wanted`, None if nothing yet), and what the dispatcher knows of it."""

    gate: str
    title: Text
    delivery: str
    drill: bool
    wanted: dict[str, Any] | None
    device: dict[str, Any] | None


class Gates(Struct, frozen=True):
    """All gates and other devices of a site.

    `connected`: whether a dispatcher is; `reports_waiting`: reports of devices, of all sites, that the log does not have yet.
    """

    site: str
    connected: bool
    reports_waiting: int
    gates: list[GateTold]
    devices: list[dict[str, Any]]


class Plans(Struct, frozen=True):
    """The plans of a site, compiled. `documents`: their version; `in_force`: the engine's, which may lag by a tick."""

    site: str
    documents: str | None
    in_force: str | None
    stages: dict[str, str]
    plans: list[dict[str, Any]]


class VersionTold(Struct, frozen=True):
    """Documents that entered the log."""

    version: str
    at: str
    bytes: int
    in_force: bool


@get("/v1/sites", summary="Sites")
@threaded
def sites(identity: GivenIdentity, parts: GivenParts) -> list[SiteTold]:
    """The sites that you see, each with its stage."""
    return [_site_told(name, parts) for name in parts.sites.seen_by(identity)]


@get("/v1/sites/{site:str}", summary="One site")
@threaded
def site(site: InPath, parts: GivenParts) -> SiteWhole:
    """A site with the names of all that it has."""
    document, standing = parts.sites.document(site), parts.picture.site(site)
    names = {f"{of}s": [thing[of] for thing in document[f"{of}s"]] for of in ("zone", "gate", "link", "barrier", "sign", "counter", "plan")}
    return SiteWhole(
        site=site,
        title=document["title"],
        area=parts.areas.of(site),
        time_zone=document["time_zone"],
        group=document["group"],
        delivery=document["delivery"],
        stages=_stages(standing),
        documents=None if standing.document is None else standing.document["version"],
        **names,
    )


@get("/v1/sites/{site:str}/zones", summary="People in the zones")
@threaded
def zones(site: InPath, parts: GivenParts) -> Zones:
    """The newest minute of every zone."""
    at, stage, figures = people(parts.picture.minute(site))
    found = [
        ZoneTold(
            zone["zone"],
            zone["title"],
            float(zone["area_m2"]),
            int(zone["capacity"]),
            zone["inside"],
            with_times(figures.get(zone["zone"])),
        )
        for zone in parts.sites.document(site)["zones"]
    ]
    return Zones(site, at, stage, found)


@get("/v1/sites/{site:str}/gates", summary="Gates and devices")
@threaded
def gates(site: InPath, parts: GivenParts) -> Gates:
    """What is asked of every gate and device, and what is known of it."""
    standing, known = parts.picture.site(site), parts.wires.devices(site)
    keys = (
        "id",
        "at_us",
        "mode",
        "setting",
        "may_enter",
        "may_leave",
        "per_min",
        "phases",
        "revision",
        "stage",
        "drill",
        "reason",
        "action",
    )
    found = []
    for gate in parts.sites.document(site)["gates"]:
        name = gate["gate"]
        body = standing.gates.get(name)
        wanted = None if body is None else told(body, *keys)
        device = known.get(f"gate/{name}")
        found.append(GateTold(name, gate["title"], gate["delivery"], gate["drill"], wanted, None if device is None else dict(device)))
    others = [
        told(body, "id", "at_us", "device", "name", "state", "revision") | {"known": known.get(f"{kind}/{name}")}
        for (kind, name), body in sorted(standing.devices.items())
    ]
    return Gates(site, parts.wires.connected, parts.wires.reports_waiting(), found, others)


@get("/v1/sites/{site:str}/plans", summary="Plans")
@threaded
def plans(site: InPath, parts: GivenParts) -> Plans:
    """The site's plans as they are compiled, and the stage of each."""
    document, standing = parts.sites.document(site), parts.picture.site(site)
    newest = parts.sites.versions(site)
    in_force = None if standing.document is None else standing.document["version"]
    return Plans(site, newest[-1].version if newest else None, in_force, _stages(standing), list(document["plans"]))


@get("/v1/sites/{site:str}/documents", summary="Versions of documents")
@threaded
def documents(site: InPath, parts: GivenParts) -> list[VersionTold]:
    """The versions of the site's documents that the log still has, the oldest first."""
    standing = parts.picture.site(site)
    in_force = None if standing.document is None else standing.document["version"]
    return [VersionTold(v.version, iso(v.at), v.size, v.version == in_force) for v in parts.sites.versions(site)]


@get("/v1/sites/{site:str}/documents/{version:str}", summary="One version of documents")
@threaded
def document(site: InPath, version: InPath, parts: GivenParts) -> dict[str, Any]:
    """The compiled record of the site, as the engine reads it."""
    found = parts.sites.version(site, version)
    if found is None:
        raise unknown("unknown-name", "version", version, [v.version for v in parts.sites.versions(site)])
    return found


@get("/v1/sites/{site:str}/deliveries", summary="Deliveries of commands")
@threaded
def deliveries(site: InPath, parts: GivenParts, limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:
    """What was sent to the site's devices and what came of it, the newest first; nothing without a dispatcher."""
    return parts.wires.deliveries(site, limit)


def _site_told(name: str, parts: Parts) -> SiteTold:
    document, standing = parts.sites.document(name), parts.picture.site(name)
    main = document["plans"][0] if document["plans"] else None
    stage = None if main is None else _stages(standing).get(main["plan"])
    level = next((s["level"] for s in main["stages"] if s["stage"] == stage), None) if main is not None else None
    at = parts.sites.decided_us(name)
    return SiteTold(name, document["title"], parts.areas.of(name), stage, level, len(standing.incidents), None if at is None else iso(at))


def _stages(standing: Standing) -> dict[str, str]:
    return {plan: str(body["to"]) for plan, body in sorted(standing.stages.items())}
