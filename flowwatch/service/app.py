"""The service put together: `build` makes the ASGI application out of a working folder, whoever stages rows, and a dispatcher's wires."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from flowwatch.documents.deployment import CapFeed
from flowwatch.documents.faults import near
from flowwatch.feed.cap import Speaker
from flowwatch.feed.caps import Caps
from flowwatch.feed.webhooks.courier import Courier
from flowwatch.handling.desk import Desk
from flowwatch.journal.database import Database, JournalError
from flowwatch.journal.opened import Opened
from flowwatch.log.errors import LogError
from flowwatch.picture import Picture
from flowwatch.service import openapi, stream
from flowwatch.service.access import FAULTS
from flowwatch.service.api import (
    accounts,
    actions,
    acts,
    alarms,
    cap,
    handovers,
    incidents,
    journal,
    metrics,
    pages,
    roster,
    runbooks,
    session,
    sites,
    webhooks,
)
from flowwatch.service.api import time as time_
from flowwatch.service.auth.authenticate import Authenticator
from flowwatch.service.auth.identity import Areas, Identity
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.auth.rates import Rates
from flowwatch.service.auth.roster import Roster
from flowwatch.service.auth.slowdown import Slowdown
from flowwatch.service.auth.users import Users
from flowwatch.service.bodies import Bodies
from flowwatch.service.edge import REQUEST, Edge
from flowwatch.service.gatekeeper import WHO, Gatekeeper
from flowwatch.service.idempotency import Idempotency
from flowwatch.service.metrics import Metrics, Watched
from flowwatch.service.parts import Parts, Wires
from flowwatch.service.problems import MEDIA_TYPE, Problem, of_status, wait
from flowwatch.service.readings import PATH, Readings
from flowwatch.service.records import Records
from flowwatch.service.routes import check
from flowwatch.service.sites import Sites
from flowwatch.service.staging import Stager
from flowwatch.service.stream import Feed
from flowwatch.workspace import Workspace

SMALL_BODY: Final = 1_000_000
"""The largest body of every route but the readings', bytes."""
HANDLERS: Final[list[Any]] = [
    session.log_in,
    session.who,
    session.log_out,
    session.change_password,
    accounts.users,
    accounts.add_user,
    accounts.user,
    accounts.set_grants,
    accounts.reset_password,
    accounts.remove_user,
    accounts.tokens,
    accounts.add_token,
    accounts.revoke,
    roster.roster,
    roster.add_shift,
    roster.strike,
    sites.sites,
    sites.site,
    sites.zones,
    sites.gates,
    sites.plans,
    sites.documents,
    sites.document,
    sites.deliveries,
    time_.time,
    journal.journal,
    journal.entry,
    journal.explanation,
    incidents.incidents,
    incidents.incident,
    incidents.timeline,
    incidents.site_incidents,
    *acts.HANDLERS.values(),
    handovers.handover,
    handovers.hand_over,
    alarms.alerts,
    alarms.alarm_load,
    cap.message,
    cap.atom,
    *actions.HANDLERS.values(),
    *webhooks.HANDLERS,
    metrics.metrics,
    pages.health,
    pages.openapi,
    pages.docs,
    pages.asset,
    runbooks.runbooks,
    runbooks.runbook,
]


def now_us() -> int:
    """The wall clock, microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one identity may do, and how large things may be. Bodies in bytes; rates a second, with the most that may come at once."""

    body: int = 16 << 20
    bodies_together: int = 256 << 20
    requests_per_s: float = 10_000.0
    requests_at_once: float = 20_000.0
    readings_per_s: float = 1_000_000.0
    readings_at_once: float = 2_000_000.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What the service is built with besides its folder. The clocks are for tests."""

    areas: Areas = field(default_factory=Areas)
    limits: Limits = field(default_factory=Limits)
    wires: Wires = field(default_factory=Wires)
    passwords: Passwords = field(default_factory=Passwords)
    now_us: Callable[[], int] = now_us
    log_us: Callable[[], int] | None = None
    """The log's time where that is not the wall clock's: what records say that it is."""
    now_s: Callable[[], float] = time.monotonic
    desk: Desk | None = None
    """Who tells people of incidents and takes their steps, started and stopped by whoever builds the service."""
    cap: CapFeed = field(default_factory=CapFeed)
    public_url: str | None = None
    """How people reach the service; None: nobody said."""
    courier: Courier | None = None
    """Who carries webhooks; without one there are none."""
    watched: Watched = field(default_factory=Watched)
    """What of the installation the metrics tell of, besides the service's own parts."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service: `app` is what a server runs, `parts` what the handlers work with."""

    app: Edge
    parts: Parts
    feed: Feed
    metrics: Metrics

    def close(self) -> None:
        """Give the journal back."""
        self.feed.close()
        self.metrics.close()
        self.app.close()
        self.parts.picture.close()
        self.parts.book.close()


def build(workspace: Workspace, store: Database, stager: Stager, setting: Setting | None = None, handlers: Iterable[Any] = ()) -> Service:
    """The service on a folder. `handlers`: further routes, which must be declared, too.

    Raises `LogError` where there is no log, `UndeclaredError` for a route that nobody declared.
    """
    chosen = setting or Setting()
    limits, clock, steady = chosen.limits, chosen.now_us, chosen.now_s
    picture = Picture(workspace.journal)
    places = Sites(workspace.log, chosen.areas, steady, picture.newest_documents)
    users = Users(store, chosen.passwords, clock)
    authenticator = Authenticator(store, users, clock, steady)
    records = Records(places, picture, stager, chosen.wires.on_fire, chosen.log_us or clock)
    book = Opened(workspace.handling)
    caps = Caps(
        lambda: book.journal,
        lambda site: places.document(site) if places.has(site) else None,
        Speaker(chosen.cap.sender, chosen.public_url),
    )
    parts = Parts(
        places,
        picture,
        records,
        users,
        authenticator,
        Slowdown(store, clock),
        Roster(store, clock),
        clock,
        book,
        caps,
        chosen.wires,
        chosen.desk,
        chosen.courier,
    )
    gatekeeper = Gatekeeper(authenticator, places, Rates(limits.requests_per_s, limits.requests_at_once, steady))
    bodies = Bodies(limits.body, limits.bodies_together)
    readings = Readings(places, stager, bodies, Idempotency(store, clock), Rates(limits.readings_per_s, limits.readings_at_once, steady))
    feed = Feed(parts, gatekeeper, workspace.journal, workspace.handling)
    told = Metrics(workspace, parts, feed, stager, chosen.watched)
    app = _framework(parts, told, gatekeeper, [*HANDLERS, *handlers])
    return Service(Edge(app, gatekeeper, readings, feed), parts, feed, told)


def _framework(parts: Parts, told: Metrics, gatekeeper: Gatekeeper, handlers: list[Any]) -> Litestar:
    described = openapi.document(tuple(HANDLERS))

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        scope: Any = connection.scope
        if scope["method"] != "OPTIONS":
            await gatekeeper.admit(scope, scope["path_template"], connection.path_params)
            _check_kind(scope["method"], connection.headers)

    app = Litestar(
        deepcopy(handlers),  # the framework writes into the handlers that it is given
        guards=[guard],
        dependencies=_dependencies(parts, told, described),
        exception_handlers={
            Problem: _told,
            HTTPException: _told_http,
            JournalError: _told_storage,
            LogError: _told_storage,
            500: _told_fault,
        },
        openapi_config=None,
        logging_config=None,
        request_max_body_size=SMALL_BODY,
    )
    check([*declared_routes(app), ("POST", PATH), ("GET", stream.PATH)])
    return app


def declared_routes(app: Litestar) -> list[tuple[str, str]]:
    """(method, path) of every route of the framework; what it makes by itself (OPTIONS) says nothing but which methods there are."""
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    return [(method, route.path_format) for route in routes for method in route.methods if method not in ("OPTIONS", "HEAD")]


def _dependencies(parts: Parts, told: Metrics, described: bytes) -> dict[str, Any]:
    def given() -> Parts:
        return parts

    def given_metrics() -> Metrics:
        return told

    def given_document() -> bytes:
        return described

    return {
        "parts": Provide(given, sync_to_thread=False),
        "identity": Provide(_identity, sync_to_thread=False),
        "document": Provide(given_document, sync_to_thread=False),
        "metrics": Provide(given_metrics, sync_to_thread=False),
    }


def _identity(request: Request[Any, Any, Any]) -> Identity:
    found = request.scope.get(WHO)
    assert isinstance(found, Identity)  # the gatekeeper put it there
    return found


def _check_kind(method: str, headers: Mapping[str, str]) -> None:
    """Raise `Problem` for a body that is no plain JSON: a page of another site can make a browser send the other kinds."""
    if method in ("GET", "HEAD", "DELETE"):
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem("unsupported-media-type", f'the body is "{kind:.80}", expected application/json')
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "compressed bodies are read at /v1/readings only")


def _told(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    name = str(request.scope.get(REQUEST, ""))
    return Response(problem.body(name), status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)


def _told_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """An error of the framework: a path or method that is not there, a body that is too large or says nothing."""
    if isinstance(error, ValidationException):
        return _told(request, _invalid(error))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    problem = of_status(error.status_code, error.detail)
    if error.status_code == 404:
        problem = _nowhere(request)
    problem.headers |= headers
    if error.status_code == 413:
        problem.headers["connection"] = "close"
    return _told(request, problem)


def _nowhere(request: Request[Any, Any, Any]) -> Problem:
    path = str(request.scope["path"])
    plain = [path_ for path_ in {route.path for route in request.app.routes} if "{" not in path_]
    meant = near(path, plain)
    detail = f'there is no "{path:.200}"'
    return Problem("not-found", f'{detail}; did you mean "{meant}"?', did_you_mean=meant) if meant else Problem("not-found", detail)


def _invalid(error: ValidationException) -> Problem:
    """What was wrong with the fields: each with its place, so far as the framework tells."""
    faults = [fault for fault in error.extra if isinstance(fault, dict)] if isinstance(error.extra, list) else []
    found = [{name: str(fault[name])[:300] for name in ("key", "message") if name in fault} for fault in faults]
    told = "; ".join(" ".join(filter(None, (fault.get("key"), fault.get("message")))) for fault in found[:5])
    return Problem("invalid", told or "the fields do not say what this route expects; see /docs", errors=found)


def _told_storage(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    FAULTS.error("request %s: %s", request.scope.get(REQUEST), error)
    return _told(request, wait("unavailable", "the log or the journal cannot be read or written now; the service's own log says why", 5))


def _told_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    FAULTS.error("request %s", request.scope.get(REQUEST), exc_info=error)
    return _told(request, Problem("internal", "a fault of the service; its own log says more under this request's name"))
