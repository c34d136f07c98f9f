"""At the door of every route: who asks, whether they may, and not too often. Decides by `routes.NEEDS` and nothing else.

A site outside of who asks' areas is answered as one that does not exist, so that names of places tell nothing; a role that is missing where
the site is seen is told as such.
"""

from __future__ import annotations

from typing import Any, Final

from flowwatch.handling.records import SERVICE
from flowwatch.service.auth.authenticate import Authenticator, check_origin, not_signed_in
from flowwatch.service.auth.identity import EVERYWHERE, Identity, Role, Scope
from flowwatch.service.auth.rates import Rates
from flowwatch.service.problems import Problem, unknown, wait
from flowwatch.service.routes import NEEDS, Need, Where, not_allowed
from flowwatch.service.sites import Sites
from flowwatch.service.threads import at_the_door

LOOK_UP: Final = 0.05
"""What looking up an identity costs an address, of a request: many devices may stand behind one address, each with a token of its own."""
WHO: Final = "flowwatch.identity"
"""Where the identity stands in a request's scope."""


class Gatekeeper:
    """Lets requests in. `rates`: requests by identity, or by address for nobody."""

    def __init__(self, authenticator: Authenticator, sites: Sites, rates: Rates) -> None:
        self.authenticator = authenticator
        self._sites = sites
        self._rates = rates

    async def admit(self, scope: Any, path: str, params: dict[str, Any]) -> Identity | None:
        """Who asks for this declared path, once they may. Raises `Problem`."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        need = NEEDS[method, path]
        headers = scope["headers"]
        if need.where is Where.PUBLIC:
            check_origin(method, headers, None)
            self._not_too_often(f"address:{address(scope)}")
            return None
        identity = self.authenticator.remembered(headers)
        if identity is None:
            self._not_too_often(f"looked-up:{address(scope)}", LOOK_UP)
            try:
                identity = await at_the_door(self.authenticator.identify, headers)
            except Problem:
                self._not_too_often(f"address:{address(scope)}")
                raise
        if identity is None:
            self._not_too_often(f"address:{address(scope)}")
            raise not_signed_in("the request", "says nothing of who asks")
        scope[WHO] = identity
        if need.scope is not Scope.READINGS_WRITE:  # readings are counted by themselves, one by one
            self._not_too_often(identity.who)
        check_origin(method, headers, identity)
        await self._check(need, identity, params)
        return identity

    async def _check(self, need: Need, identity: Identity, params: dict[str, Any]) -> None:
        if need.where is Where.SELF:
            if not identity.is_person:
                raise Problem("not-allowed", "expected a person's session; a token has none")
        elif need.where is Where.SEEN:
            if not identity.is_any(need.role, need.scope):
                raise not_allowed(need)
        elif need.where is Where.WHOLE:
            if not identity.is_any(need.role, need.scope):
                raise not_allowed(need)
            if not (identity.sees_everything() and identity.may(need.role, need.scope, EVERYWHERE)):
                raise Problem("not-allowed", "this tells of all sites; expected an admin, or a token, of everywhere")
        else:
            if not identity.is_any(need.role, need.scope):
                raise not_allowed(need)
            await self._check_site(need, identity, params)

    async def _check_site(self, need: Need, identity: Identity, params: dict[str, Any]) -> None:
        site = str(params["site"])
        # what the service itself raises is handled by who has the role everywhere
        there = (site == SERVICE and "incident" in params) or await at_the_door(self._sites.has, site)
        path = self._sites.areas.of(site)
        if there and identity.may(need.role, need.scope, path):
            return
        if not there or not self.sees(identity, path):
            seen = [name for name in await at_the_door(self._sites.names) if self.sees(identity, self._sites.areas.of(name))]
            raise unknown("unknown-site", "site", site, seen)
        raise not_allowed(need)

    @staticmethod
    def sees(identity: Identity, path: str) -> bool:
        """Whether a site at this path may be spoken of at all."""
        return identity.may(Role.VIEWER, None, path) or any(identity.may(None, scope, path) for scope in Scope)

    def _not_too_often(self, key: str, cost: float = 1.0) -> None:
        seconds = self._rates.take(key, cost)
        if seconds:
            raise wait("too-many-requests", "more requests than this identity may send; wait and go on more slowly", seconds)


def address(scope: Any) -> str:
    """Where the request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
