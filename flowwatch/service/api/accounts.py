"""People and machines: for admins, each within the areas that they administer.

An admin sees, changes and makes only identities all of whose rights lie within those areas; what lies outside is not found.
"""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from flowwatch.journal.export import iso
from flowwatch.service.access import ACCOUNTS
from flowwatch.service.api.session import NewPassword, Right, set_password
from flowwatch.service.auth.identity import Grant, Identity, Role, Scope
from flowwatch.service.auth.passwords import WeakPasswordError
from flowwatch.service.auth.tokens import MOST_DAYS, USUAL_DAYS, Token, TokenError
from flowwatch.service.auth.users import User, UserError
from flowwatch.service.given import GivenIdentity, GivenParts, InPath
from flowwatch.service.parts import Parts
from flowwatch.service.problems import Problem, unknown
from flowwatch.service.threads import threaded

Area = Annotated[str, Meta(max_length=1100, description='a path such as huangpu/yuyuan; "" is everywhere')]


class GrantBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A role in an area."""

    role: Role
    area: Area = ""


Grants = Annotated[list[GrantBody], Meta(min_length=1, max_length=100)]


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    """A person to come."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: NewPassword
    grants: Grants


class NewGrants(Struct, frozen=True, forbid_unknown_fields=True):
    """All rights of a person, in the place of those before."""

    grants: Grants


class SetPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """A new password."""

    password: NewPassword


class UserTold(Struct, frozen=True):
    """A person."""

    name: str
    grants: list[Right]
    created_at: str


class NewToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token to come. `sites`: the only sites that it may speak of."""

    label: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=10)]
    areas: Annotated[list[Area], Meta(min_length=1, max_length=100)]
    sites: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=1000)] | None = None
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = USUAL_DAYS


class TokenTold(Struct, frozen=True, omit_defaults=True):
    """A token; `token`, the secret itself, is told once, in the answer to its making."""

    id: str
    label: str
    scopes: list[str]
    areas: list[str]
    sites: list[str] | None
    created_by: str
    created_at: str
    expires_at: str
    revoked_at: str | None
    token: str | None = None


@get("/v1/users", summary="People")
@threaded
def users(identity: GivenIdentity, parts: GivenParts) -> list[UserTold]:
    """Everybody whose rights lie within the areas that you administer."""
    return [_user_told(user) for user in _people(identity, parts)]


@post("/v1/users", status_code=201, summary="A new person")
@threaded
def add_user(data: JSONBody[NewUser], identity: GivenIdentity, parts: GivenParts) -> UserTold:
    """Make a person with a first password and rights within the areas that you administer."""
    given = _grants(data.grants)
    _need_power(identity, given)
    try:
        user = parts.users.add(data.name, data.password, given)
    except WeakPasswordError as error:
        raise Problem("invalid", str(error), field="password") from error
    except UserError as error:
        raise Problem("conflict" if "already" in str(error) else "invalid", str(error)) from error
    ACCOUNTS.info("%s made user:%s with %s", identity.who, user.name, _shown(given))
    return _user_told(user)


@get("/v1/users/{user:str}", summary="One person")
@threaded
def user(user: InPath, identity: GivenIdentity, parts: GivenParts) -> UserTold:
    """A person and their rights."""
    return _user_told(_need_user(user, identity, parts))


@put("/v1/users/{user:str}/grants", summary="A person's rights")
@threaded
def set_grants(user: InPath, data: JSONBody[NewGrants], identity: GivenIdentity, parts: GivenParts) -> UserTold:
    """Give rights in the place of those before. The last admin of everywhere stays one."""
    found, given = _need_user(user, identity, parts), _grants(data.grants)
    _need_power(identity, given)
    if Grant(Role.ADMIN) not in given:
        _keep_one_admin(found, parts)
    try:
        parts.users.grant(user, given)
    except UserError as error:
        raise Problem("invalid", str(error)) from error
    parts.authenticator.forget()
    ACCOUNTS.info("%s gave user:%s %s", identity.who, user, _shown(given))
    return _user_told(_found(parts, user))


@put("/v1/users/{user:str}/password", status_code=204, summary="A new password for somebody")
@threaded
def reset_password(user: InPath, data: JSONBody[SetPassword], identity: GivenIdentity, parts: GivenParts) -> None:
    """Set a password; every session of the person ends."""
    _need_user(user, identity, parts)
    set_password(parts, identity, user, data.password)


@delete("/v1/users/{user:str}", status_code=204, summary="Take a person away")
@threaded
def remove_user(user: InPath, identity: GivenIdentity, parts: GivenParts) -> None:
    """Remove a person with all rights and sessions. The last admin of everywhere stays."""
    _keep_one_admin(_need_user(user, identity, parts), parts)
    parts.users.remove(user)
    parts.authenticator.forget()
    ACCOUNTS.info("%s removed user:%s", identity.who, user)


@get("/v1/tokens", summary="Tokens")
@threaded
def tokens(identity: GivenIdentity, parts: GivenParts) -> list[TokenTold]:
    """Every token that ever was, within the areas that you administer; the secrets are not kept."""
    return [_token_told(token) for token in parts.authenticator.tokens.all() if identity.administers(token.areas)]


@post("/v1/tokens", status_code=201, summary="A new token")
@threaded
def add_token(data: JSONBody[NewToken], identity: GivenIdentity, parts: GivenParts) -> TokenTold:
    """Make a token for a machine. Its text is in this answer and nowhere else."""
    if not identity.administers(data.areas):
        raise Problem("not-allowed", "expected areas within those that you administer")
    try:
        text, token = parts.authenticator.tokens.add(data.label, data.scopes, data.areas, data.sites, days=data.days, by=identity.name)
    except TokenError as error:
        raise Problem("invalid", str(error)) from error
    ACCOUNTS.info("%s made token:%s with %s", identity.who, token.id, ", ".join(sorted(token.scopes)))
    return _token_told(token, text)


@delete("/v1/tokens/{token:str}", status_code=204, summary="Revoke a token")
@threaded
def revoke(token: InPath, identity: GivenIdentity, parts: GivenParts) -> None:
    """End a token for good, at once."""
    own = [found for found in parts.authenticator.tokens.all() if identity.administers(found.areas)]
    if token not in {found.id for found in own}:
        raise unknown("unknown-name", "token", token, [found.id for found in own])
    parts.authenticator.tokens.revoke(token)
    parts.authenticator.forget()
    ACCOUNTS.info("%s revoked token:%s", identity.who, token)


def _people(identity: Identity, parts: Parts) -> list[User]:
    return [user for user in parts.users.all() if identity.administers(grant.area for grant in user.grants)]


def _need_user(name: str, identity: Identity, parts: Parts) -> User:
    people = {user.name: user for user in _people(identity, parts)}
    if name not in people:
        raise unknown("unknown-name", "user", name, people)
    return people[name]


def _found(parts: Parts, name: str) -> User:
    found = parts.users.find(name)
    if found is None:
        raise unknown("unknown-name", "user", name, ())
    return found


def _grants(bodies: list[GrantBody]) -> tuple[Grant, ...]:
    return tuple(Grant(body.role, body.area) for body in bodies)


def _need_power(identity: Identity, given: tuple[Grant, ...]) -> None:
    if not identity.administers(grant.area for grant in given):
        raise Problem("not-allowed", "expected rights within the areas that you administer")


def _keep_one_admin(user: User, parts: Parts) -> None:
    admins = [other.name for other in parts.users.all() if Grant(Role.ADMIN) in other.grants]
    if admins == [user.name]:
        raise Problem("conflict", f'"{user.name}" is the only admin of everywhere; make another one first')


def _shown(given: tuple[Grant, ...]) -> str:
    return ", ".join(f"{grant.role} in {grant.area or 'everywhere'}" for grant in given)


def _user_told(user: User) -> UserTold:
    return UserTold(user.name, [Right(grant.role.value, grant.area) for grant in user.grants], iso(user.created_us))


def _token_told(token: Token, text: str | None = None) -> TokenTold:
    return TokenTold(
        id=token.id,
        label=token.label,
        scopes=sorted(token.scopes),
        areas=list(token.areas),
        sites=None if token.sites is None else list(token.sites),
        created_by=token.created_by,
        created_at=iso(token.created_us),
        expires_at=iso(token.expires_us),
        revoked_at=None if token.revoked_us is None else iso(token.revoked_us),
        token=text,
    )
