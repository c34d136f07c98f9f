"""Logging in and out, and one's own password."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from flowwatch.service.access import ACCOUNTS
from flowwatch.service.auth.authenticate import COOKIE, SECURE_COOKIE, not_signed_in
from flowwatch.service.auth.identity import Identity
from flowwatch.service.auth.passwords import LONGEST, SHORTEST, WeakPasswordError
from flowwatch.service.auth.secrets import csrf_of
from flowwatch.service.auth.sessions import LONGEST_S
from flowwatch.service.gatekeeper import address
from flowwatch.service.given import GivenIdentity, GivenParts
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem, wait
from flowwatch.service.threads import threaded

Password = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
NewPassword = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]
Asking = Request[Any, Any, Any]


class LogIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Who somebody says to be."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Password


class Right(Struct, frozen=True, forbid_unknown_fields=True):
    """A role in an area; "" is everywhere."""

    role: str
    area: str = ""


class Me(Struct, frozen=True, omit_defaults=True):
    """Who is signed in. `csrf` goes into X-CSRF-Token of every request that changes something."""

    name: str
    grants: list[Right]
    csrf: str | None = None


class NewOwnPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """A password in the place of another."""

    old: Password
    new: NewPassword


@post("/v1/session", status_code=201, summary="Log in")
@threaded
def log_in(data: JSONBody[LogIn], request: Asking, parts: GivenParts) -> Response[Me]:
    """Give name and password; the answer sets the session's cookie and holds the CSRF text. Failed log-ins slow down."""
    where = address(request.scope)
    _need_patience(parts, data.name, where)
    kept = parts.users.matches(data.name, data.password)
    cookie = None if kept is None else parts.authenticator.sessions.begin(data.name, kept)
    if cookie is None:
        ACCOUNTS.warning("log-in failed from %s", where)
        raise Problem("log-in-failed", "no such name with that password", headers={"www-authenticate": 'Bearer realm="flowwatch"'})
    parts.slowdown.succeeded(data.name, where)
    ACCOUNTS.info("user:%s logged in from %s", data.name, where)
    grants = [Right(grant.role.value, grant.area) for grant in parts.users.grants_of(data.name)]
    return Response(Me(data.name, grants, csrf_of(cookie)), headers={"set-cookie": _set_cookie(request, cookie, LONGEST_S)})


@get("/v1/session", summary="Who is signed in", sync_to_thread=False)
def who(identity: GivenIdentity) -> Me:
    """The person of this session and their rights."""
    return Me(identity.name, [Right(grant.role.value, grant.area) for grant in identity.grants])


@delete("/v1/session", status_code=204, summary="Log out")
@threaded
def log_out(request: Asking, identity: GivenIdentity, parts: GivenParts) -> Response[None]:
    """End this session."""
    parts.authenticator.sessions.end(_session(identity))
    parts.authenticator.forget()
    return Response(None, status_code=204, headers={"set-cookie": _set_cookie(request, "", 0)})


@put("/v1/session/password", status_code=204, summary="Change one's own password")
@threaded
def change_password(data: JSONBody[NewOwnPassword], request: Asking, identity: GivenIdentity, parts: GivenParts) -> None:
    """Give the old password and a new one. Every session of the person ends, this one too."""
    _session(identity)
    where = address(request.scope)
    _need_patience(parts, identity.name, where)
    if parts.users.matches(identity.name, data.old) is None:
        raise Problem("log-in-failed", "the old password is not that", headers={"www-authenticate": 'Bearer realm="flowwatch"'})
    parts.slowdown.succeeded(identity.name, where)
    set_password(parts, identity, identity.name, data.new)


def set_password(parts: Parts, by: Identity, name: str, password: str) -> None:
    """Give somebody a new password. Raises `Problem` for a weak one, `UserError`."""
    try:
        parts.users.set_password(name, password)
    except WeakPasswordError as error:
        raise Problem("invalid", str(error), field="password") from error
    parts.authenticator.forget()
    ACCOUNTS.info("%s set the password of user:%s", by.who, name)


def _need_patience(parts: Parts, name: str, where: str) -> None:
    seconds = parts.slowdown.tries(name, where)
    if seconds > 0:
        raise wait("too-many-requests", "too many failed log-ins; wait before the next", seconds)


def _session(identity: Identity) -> bytes:
    if identity.session is None:
        raise not_signed_in("the request", "has no session")
    return identity.session


def _set_cookie(request: Asking, value: str, seconds: int) -> str:
    secure = request.scope.get("scheme") == "https"
    name = SECURE_COOKIE if secure else COOKIE
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
