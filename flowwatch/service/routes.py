"""What each route needs of who asks: the only place where it stands. A route that is not named here keeps the service from starting.

A person needs a role, a machine a scope; None means that no person, or no machine, may. `where` says of which areas: PUBLIC asks for nobody,
SELF for somebody, SITE for the role in the area of the site in the path, SEEN for the role anywhere: the handler gives only what lies in the
areas where it is held (and says "not found" of the rest). WHOLE asks for the role, and that nothing lies outside the areas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from flowwatch.service.auth.identity import Role, Scope
from flowwatch.service.problems import Problem


class Where(Enum):
    """Of which areas something is needed."""

    PUBLIC = auto()
    SELF = auto()
    SEEN = auto()
    SITE = auto()
    WHOLE = auto()


@dataclass(frozen=True, slots=True)
class Need:
    """What one route needs."""

    where: Where
    role: Role | None = None
    scope: Scope | None = None


PUBLIC: Final = Need(Where.PUBLIC)
SELF: Final = Need(Where.SELF)
SEE: Final = Need(Where.SEEN, Role.VIEWER, Scope.READ)
SEE_SITE: Final = Need(Where.SITE, Role.VIEWER, Scope.READ)
OPERATE: Final = Need(Where.SITE, Role.OPERATOR)
SUPERVISE: Final = Need(Where.SITE, Role.SUPERVISOR)
ADMINISTER: Final = Need(Where.SEEN, Role.ADMIN)

NEEDS: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/health"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/docs/{asset}"): PUBLIC,
    ("GET", "/runbooks"): PUBLIC,
    ("GET", "/runbooks/{kind}"): PUBLIC,
    ("GET", "/metrics"): Need(Where.WHOLE, Role.ADMIN, Scope.METRICS_READ),
    ("POST", "/v1/session"): PUBLIC,
    ("GET", "/v1/session"): SELF,
    ("DELETE", "/v1/session"): SELF,
    ("PUT", "/v1/session/password"): SELF,
    ("POST", "/v1/readings"): Need(Where.SEEN, None, Scope.READINGS_WRITE),
    ("POST", "/v1/time"): Need(Where.SEEN, None, Scope.TIME_WRITE),
    ("GET", "/v1/sites"): SEE,
    ("GET", "/v1/incidents"): SEE,
    ("GET", "/v1/feed"): SEE,
    ("GET", "/v1/journal"): SEE,
    ("GET", "/v1/journal/{id}"): SEE,
    ("GET", "/v1/journal/{id}/explanation"): SEE,
    ("GET", "/v1/incidents/{id}"): SEE,
    ("GET", "/v1/incidents/{id}/timeline"): SEE,
    ("GET", "/v1/alerts"): SEE,
    ("GET", "/v1/alarms/load"): SEE,
    ("GET", "/v1/feeds/cap/{identifier}"): SEE,
    ("GET", "/v1/feeds/atom"): SEE,
    ("GET", "/v1/sites/{site}"): SEE_SITE,
    ("GET", "/v1/sites/{site}/zones"): SEE_SITE,
    ("GET", "/v1/sites/{site}/gates"): SEE_SITE,
    ("GET", "/v1/sites/{site}/plans"): SEE_SITE,
    ("GET", "/v1/sites/{site}/incidents"): SEE_SITE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/acknowledge"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/dispatch"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/arrive"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/handle"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/feedback"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/verify"): SUPERVISE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/close"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/return"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/defer"): SUPERVISE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/resume"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/shelve"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/unshelve"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/restore"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/maintain"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/note"): OPERATE,
    ("POST", "/v1/sites/{site}/incidents/{incident}/supervise"): SUPERVISE,
    ("GET", "/v1/sites/{site}/handover"): SEE_SITE,
    ("POST", "/v1/sites/{site}/handover"): OPERATE,
    ("GET", "/v1/sites/{site}/documents"): SEE_SITE,
    ("GET", "/v1/sites/{site}/documents/{version}"): SEE_SITE,
    ("GET", "/v1/sites/{site}/deliveries"): SEE_SITE,
    ("GET", "/v1/sites/{site}/roster"): SEE_SITE,
    ("POST", "/v1/sites/{site}/roster"): SUPERVISE,
    ("DELETE", "/v1/sites/{site}/roster/{shift}"): SUPERVISE,
    ("POST", "/v1/sites/{site}/actions/override"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/recount"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/confirm"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/drill"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/fire"): Need(Where.SITE, Role.OPERATOR, Scope.FIRE_WRITE),
    ("POST", "/v1/sites/{site}/actions/release"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/deliver"): OPERATE,
    ("POST", "/v1/sites/{site}/actions/turned"): OPERATE,
    ("GET", "/v1/users"): ADMINISTER,
    ("POST", "/v1/users"): ADMINISTER,
    ("GET", "/v1/users/{user}"): ADMINISTER,
    ("PUT", "/v1/users/{user}/grants"): ADMINISTER,
    ("PUT", "/v1/users/{user}/password"): ADMINISTER,
    ("DELETE", "/v1/users/{user}"): ADMINISTER,
    ("GET", "/v1/tokens"): ADMINISTER,
    ("POST", "/v1/tokens"): ADMINISTER,
    ("DELETE", "/v1/tokens/{token}"): ADMINISTER,
    ("GET", "/v1/webhooks"): ADMINISTER,
    ("POST", "/v1/webhooks"): ADMINISTER,
    ("GET", "/v1/webhooks/{webhook}"): ADMINISTER,
    ("PUT", "/v1/webhooks/{webhook}"): ADMINISTER,
    ("DELETE", "/v1/webhooks/{webhook}"): ADMINISTER,
    ("POST", "/v1/webhooks/{webhook}/secret"): ADMINISTER,
    ("POST", "/v1/webhooks/{webhook}/test"): ADMINISTER,
    ("GET", "/v1/webhooks/{webhook}/deliveries"): ADMINISTER,
    ("POST", "/v1/webhooks/{webhook}/replay"): ADMINISTER,
}
"""(method, path) -> what it needs."""

STRICTER: Final[Mapping[tuple[str, str, str], Need]] = {
    ("fire", "state", "off"): Need(Where.SITE, Role.SUPERVISOR),
    ("deliver", "to", "plan"): Need(Where.SITE, Role.SUPERVISOR),
}
"""(action, field, what it says) -> what such a record needs: what is safe at once takes an operator, taking it back a supervisor."""


class UndeclaredError(Exception):
    """A route is not named in `NEEDS`, or `NEEDS` names one that there is not."""


def check(routes: Iterable[tuple[str, str]]) -> None:
    """Raise `UndeclaredError` unless exactly these routes (method, path) are declared."""
    there = set(routes)
    missing, extra = sorted(there - NEEDS.keys()), sorted(NEEDS.keys() - there)
    if missing or extra:
        told = "; ".join([*(f"{m} {p}: declares no need" for m, p in missing), *(f"{m} {p}: declared and not there" for m, p in extra)])
        raise UndeclaredError(f"{told}; expected every route in flowwatch/service/routes.py")


def stricter(action: str, fields: Mapping[str, Any]) -> Need | None:
    """What a record needs besides its route's need."""
    found = (need for (of, field, value), need in STRICTER.items() if of == action and fields.get(field) == value)
    return next(found, None)


def not_allowed(need: Need) -> Problem:
    """The refusal of who lacks it."""
    wanted = [*([f"the role {need.role}"] if need.role else []), *([f"a token with the scope {need.scope}"] if need.scope else [])]
    return Problem("not-allowed", f"expected {' or '.join(wanted) or 'another identity'} there", role=need.role, scope=need.scope)
