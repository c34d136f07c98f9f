"""Every route for every role, in its area, out of it, and for nobody: what is not allowed is not answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from litestar import get
from msgspec.structs import replace

from flowwatch.service.app import HANDLERS, Service, build
from flowwatch.service.auth.identity import IMPLIES, Role, Scope
from flowwatch.service.routes import NEEDS, STRICTER, Need, UndeclaredError, Where
from tests.feed.told import alert, write
from tests.servers import WAIT_S
from tests.service.conftest import Run
from tests.service.place import PASSWORD, START, Place, make

IN, OUT = "yuyuan", "bund"
REFUSED = {401, 403, 404}
INCIDENT = "/v1/sites/{site}/incidents/{incident}"
LEAST: dict[str, set[str]] = {
    "viewer": {
        *("GET /v1/sites", "GET /v1/incidents", "GET /v1/journal", "GET /v1/journal/{id}", "GET /v1/journal/{id}/explanation"),
        *("GET /v1/feeds/atom", "GET /v1/feeds/cap/{identifier}"),
        *("GET /v1/incidents/{id}", "GET /v1/incidents/{id}/timeline", "GET /v1/alerts", "GET /v1/alarms/load", "GET /v1/feed"),
        *(
            f"GET /v1/sites/{{site}}{rest}"
            for rest in ("", "/zones", "/gates", "/plans", "/incidents", "/deliveries", "/roster", "/handover")
        ),
        *(f"GET /v1/sites/{{site}}/documents{rest}" for rest in ("", "/{version}")),
    },
    "operator": {
        f"POST /v1/sites/{{site}}/actions/{kind}"
        for kind in ("override", "recount", "confirm", "drill", "fire", "release", "deliver", "turned")
    }
    | {f"POST {INCIDENT}/{act}" for act in ("acknowledge", "dispatch", "arrive", "handle", "feedback", "close", "return")}
    | {f"POST {INCIDENT}/{act}" for act in ("resume", "shelve", "unshelve", "maintain", "restore", "note")}
    | {"POST /v1/sites/{site}/handover"},
    "supervisor": {"POST /v1/sites/{site}/roster", "DELETE /v1/sites/{site}/roster/{shift}"}
    | {f"POST {INCIDENT}/{act}" for act in ("verify", "defer", "supervise")},
    "planner": set(),
    "admin": {
        *("GET /v1/users", "POST /v1/users", "GET /v1/users/{user}", "PUT /v1/users/{user}/grants", "PUT /v1/users/{user}/password"),
        *("DELETE /v1/users/{user}", "GET /v1/tokens", "POST /v1/tokens", "DELETE /v1/tokens/{token}"),
        *(f"{method} /v1/webhooks" for method in ("GET", "POST")),
        *(f"{method} /v1/webhooks/{{webhook}}" for method in ("GET", "PUT", "DELETE")),
        *("POST /v1/webhooks/{webhook}/secret", "POST /v1/webhooks/{webhook}/test", "POST /v1/webhooks/{webhook}/replay"),
        "GET /v1/webhooks/{webhook}/deliveries",
        "GET /metrics",
    },
}
"""The least role of every route that takes a role: whoever changes one changes it here, too, on purpose."""
BODIES: dict[str, Any] = {
    "POST /v1/users": {"name": "new", "password": PASSWORD, "grants": [{"role": "viewer", "area": "huangpu/yuyuan"}]},
    "PUT /v1/users/{user}/grants": {"grants": [{"role": "viewer", "area": "huangpu/yuyuan"}]},
    "PUT /v1/users/{user}/password": {"password": PASSWORD},
    "POST /v1/tokens": {"label": "t", "scopes": ["read"], "areas": ["huangpu/yuyuan"]},
    "POST /v1/webhooks": {"url": "http://127.0.0.1:9/hook", "label": "test", "areas": ["huangpu/yuyuan"]},
    "PUT /v1/webhooks/{webhook}": {"label": "other"},
    **{f"POST /v1/webhooks/{{webhook}}/{act}": {} for act in ("secret", "test")},
    "POST /v1/webhooks/{webhook}/replay": {"since": "2026-10-01T06:00:00Z"},
    "POST /v1/sites/{site}/roster": {
        "duty": "patrol",
        "user": "operator",
        "from_at": "2026-10-01T06:00:00Z",
        "until_at": "2026-10-01T18:00:00Z",
    },
    "POST /v1/sites/{site}/actions/override": {"gate": "gate-1", "mode": "out", "until": "2026-10-01T18:00:00Z", "reason": "test"},
    "POST /v1/sites/{site}/actions/recount": {"zone": "mall", "count": 7},
    "POST /v1/sites/{site}/actions/drill": {"stage": "exit_only", "until": "2026-10-01T18:00:00Z"},
    "POST /v1/sites/{site}/actions/fire": {"state": "on"},
    "POST /v1/sites/{site}/actions/release": {"gate": "gate-1", "revision": 1},
    "POST /v1/sites/{site}/actions/deliver": {"to": "advise", "reason": "test"},
    "POST /v1/sites/{site}/actions/turned": {"gate": "gate-1", "mode": "out"},
    "POST /v1/sites/{site}/handover": {"to": "li"},
    f"POST {INCIDENT}/dispatch": {"to": "patrol-3"},
    **{f"POST {INCIDENT}/{act}": {"reason": "test"} for act in ("feedback", "return", "shelve", "note", "supervise")},
    **{f"POST {INCIDENT}/{act}": {"reason": "test", "until": "2026-10-01T18:00:00Z"} for act in ("defer", "maintain")},
    **{f"POST {INCIDENT}/{act}": {} for act in ("acknowledge", "arrive", "handle", "verify", "close", "resume", "unshelve", "restore")},
}
TEMPLATES = sorted(NEEDS)
CAPS = {IN: "31010100000001_20261001140000_0", OUT: "31010100000001_20261001140000_1"}
ONE_OF_A_SITE = ("{id}", "{identifier}")
"""Names in paths of what belongs to a site that the path does not name: it is found, or not, by who asks."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as owned:
        root = tmp_path_factory.mktemp("walk")
        write(
            root / "handling.db",
            [(site, START, replace(alert(site=site, cap=cap), incident=f"{site}-h1", entry=None)) for site, cap in CAPS.items()],
        )
        there = make(root, owned)
        assert there.desk.caught_up(WAIT_S)
        yield there


def subscribed(place: Place) -> str:
    """A webhook of the area, made again where one was removed."""
    subscriptions = place.courier.subscriptions
    if not (found := subscriptions.all()):
        area = ["huangpu/yuyuan"]
        found = [subscriptions.add("http://127.0.0.1:9/x", "t", areas=area, sites=None, kinds=["alert"], priority=None, by="admin")]
    return found[0].id


def asked(method: str, template: str, site: str, place: Place) -> tuple[str, Any]:
    """A path that exists for whoever may, and a body that can be done."""
    version = place.parts.sites.versions(site)[0].version
    id_ = f"{site}-i1" if template.startswith("/v1/incidents/") else f"{site}-2"
    names = {
        "site": site,
        "incident": f"{site}-i1",
        "id": id_,
        "identifier": CAPS[site],
        "version": version,
        "shift": "none",
        "asset": "docs.js",
        "user": "victim",
        "token": "none",
        "webhook": subscribed(place),
    }
    if method == "POST" and template.endswith("/confirm"):
        return template.format(**names), {"incident": f"{site}-i1"}
    return template.format(**names), BODIES.get(f"{method} {template}")


async def status(place: Place, method: str, path: str, body: Any, headers: dict[str, str]) -> int:
    if method == "DELETE" and path == "/v1/users/victim":
        body = None
    if path == "/v1/feed":
        return await place.begun(path, headers)
    answer = await place.client.request(method, path, json=body, headers=headers)
    place.client.cookies.clear()
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    return answer.status_code


def permitted(need: Need, role: Role, site: str) -> bool:
    if need.where is Where.WHOLE or (need.where is Where.SITE and site == OUT):
        return False  # everybody here has a part only
    return need.role is not None and need.role in IMPLIES[role]


def test_the_least_roles_are_those_that_were_agreed() -> None:
    declared = {f"{method} {path}": need.role for (method, path), need in NEEDS.items() if need.role is not None}
    assert declared == {route: Role(role) for role, routes in LEAST.items() for route in routes}


def test_public_is_what_tells_nothing() -> None:
    public = {f"{method} {path}" for (method, path), need in NEEDS.items() if need.where is Where.PUBLIC}
    assert public == {
        *("GET /health", "GET /openapi.json", "GET /docs", "GET /docs/{asset}", "POST /v1/session"),
        *("GET /runbooks", "GET /runbooks/{kind}"),
    }


@pytest.mark.slow
def test_no_route_answers_who_may_not(walked: Place, run: Run) -> None:
    async def walk() -> None:
        users = walked.parts.users
        sessions = {role: await walked.signed_in(role) for role in Role}
        for (method, template), site in itertools.product(TEMPLATES, (IN, OUT)):
            need = NEEDS[method, template]
            if need.where in (Where.PUBLIC, Where.SELF):
                continue
            path, body = asked(method, template, site, walked)
            assert await status(walked, method, path, body, {}) == 401, (method, path)
            for role in Role:
                if users.find("victim") is None:
                    users.add("victim", PASSWORD, walked.parts.users.grants_of("viewer"))
                code = await status(walked, method, path, body, sessions[role])
                may = permitted(need, role, site)
                named = any(name in template for name in ONE_OF_A_SITE)
                if named:
                    may = site == IN
                if named or not may:
                    assert (code not in REFUSED) == may, (method, path, role, code)
                else:
                    nothing = {"DELETE /v1/tokens/{token}": 404, "DELETE /v1/sites/{site}/roster/{shift}": 404}
                    route = f"{method} {template}"
                    not_now = code == 409 and "{incident}" in template  # the desk was asked, and the incident is at another point
                    assert code < 300 or code == nothing.get(route) or not_now, (method, path, role, code)
            if users.find("new") is not None:
                users.remove("new")

    run(walk())


def _reaches(need: Need, site: str, *, named: bool) -> bool:
    """Whether who has it in one area only gets an answer."""
    return need.where is not Where.WHOLE and (site == IN or (need.where is Where.SEEN and not named))


@pytest.mark.slow
def test_no_route_answers_a_token_without_the_scope_or_out_of_its_area(walked: Place, run: Run) -> None:
    async def walk() -> None:
        for scope, area in itertools.product(Scope, ("huangpu/yuyuan", "")):
            headers = walked.token(scope, areas=(area,))
            for (method, template), site in itertools.product(TEMPLATES, (IN, OUT)):
                need = NEEDS[method, template]
                if need.where is Where.PUBLIC or template == "/v1/readings":
                    continue
                path, body = asked(method, template, site, walked)
                code = await status(walked, method, path, body, headers)
                named = any(name in template for name in ONE_OF_A_SITE)
                may = need.scope is scope and (area == "" or _reaches(need, site, named=named))
                assert (code not in REFUSED) == may, (scope, area, method, path, code)

    run(walk())


def test_nobody_has_a_session_without_one(place: Place, run: Run) -> None:
    async def walk() -> None:
        for method, template in TEMPLATES:
            if NEEDS[method, template].where is Where.SELF:
                body = {"old": PASSWORD, "new": PASSWORD} if method == "PUT" else None
                assert await status(place, method, template, body, {}) == 401
                assert await status(place, method, template, body, place.token(Scope.READ)) == 403

    run(walk())


def test_what_is_taken_back_takes_a_supervisor(place: Place, run: Run) -> None:
    async def walk() -> None:
        operator, supervisor = await place.signed_in("operator"), await place.signed_in("supervisor")
        fire = place.token(Scope.FIRE_WRITE)
        for kind, field, value in STRICTER:
            path, body = f"/v1/sites/yuyuan/actions/{kind}", {field: value, "reason": "over"}
            assert await status(place, "POST", path, body, operator) == 403
            assert await status(place, "POST", path, body, supervisor) in (202, 501)
            if kind == "fire":
                assert await status(place, "POST", path, body, fire) == 403

    run(walk())


def test_a_route_that_nobody_declared_keeps_the_service_from_starting(tmp_path: Path) -> None:
    @get("/v1/secret", sync_to_thread=False)
    def secret() -> str:
        return "told"

    with ExitStack() as owned:
        there = make(tmp_path, owned)
        with pytest.raises(UndeclaredError, match="GET /v1/secret: declares no need"):
            build(there.workspace, there.store, there.stager, handlers=[secret])


def test_every_handler_is_declared(place: Place) -> None:
    assert isinstance(place.service, Service)
    assert len(HANDLERS) + 2 == len(NEEDS)
