"""From a request's headers to who asks: a bearer token or a session's cookie, looked up at most once a second each.

A cookie is sent by a browser whatever page made it ask, so with one a request that changes anything must also bring the session's CSRF text
and must not say that another site made it. A token is sent by programs, which nobody can make send it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from flowwatch.journal.database import Database
from flowwatch.service.auth.identity import Identity
from flowwatch.service.auth.secrets import TOKEN_PREFIX, csrf_of, hash_of, same
from flowwatch.service.auth.sessions import Sessions
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.auth.users import Users
from flowwatch.service.problems import Problem

REMEMBERED_S: Final = 1.0
"""How long an identity is not looked up again: a token that another process revokes is good for no longer than this."""
_MOST_REMEMBERED: Final = 10_000

COOKIE: Final = "flowwatch_session"
SECURE_COOKIE: Final = "__Host-flowwatch_session"
"""With TLS: a browser takes a cookie of this name only with Secure, for this host alone and from nobody else."""
CSRF_HEADER: Final = b"x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Headers = Iterable[tuple[bytes, bytes]]


class Authenticator:
    """Says who asks."""

    def __init__(self, database: Database, users: Users, now_us: Callable[[], int], now_s: Callable[[], float]) -> None:
        self.sessions = Sessions(database, now_us)
        self.tokens = Tokens(database, now_us)
        self._users = users
        self._now_s = now_s
        self._known: dict[bytes, tuple[float, Identity]] = {}
        self._lock = threading.Lock()

    def remembered(self, headers: Headers) -> Identity | None:
        """Who asks, if that was looked up a moment ago; touches no disk."""
        secret = _secret(headers)
        found = None if secret is None else self._known.get(hash_of(secret[1]))
        return found[1] if found is not None and self._now_s() < found[0] else None

    def identify(self, headers: Headers, *, used: bool = True) -> Identity | None:
        """Who asks; None for nobody. Raises `Problem` for credentials that are not good. Reads the disk: call it in a thread.

        `used` false: a person does nothing by it, and a session that is idle stays so.
        """
        secret = _secret(headers)
        if secret is None:
            return None
        kind, text = secret
        hashed = hash_of(text)
        identity = self._token(hashed) if kind == "token" else self._person(hashed, used=used)
        if identity is None:
            raise not_signed_in("the token" if kind == "token" else "the session", "is not known, or is over")
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[hashed] = (self._now_s() + REMEMBERED_S, identity)
        return identity

    def forget(self) -> None:
        """Look everybody up again: rights changed, or somebody logged out."""
        with self._lock:
            self._known.clear()

    def _token(self, hashed: bytes) -> Identity | None:
        token = self.tokens.holding(hashed)
        if token is None:
            return None
        sites = None if token.sites is None else frozenset(token.sites)
        return Identity(f"token:{token.id}", token.label, scopes=token.scopes, areas=token.areas, sites=sites)

    def _person(self, hashed: bytes, *, used: bool) -> Identity | None:
        name = self.sessions.user_of(hashed, used=used)
        if name is None:
            return None
        return Identity(f"user:{name}", name, grants=self._users.grants_of(name), session=hashed)


def not_signed_in(what: str, how: str) -> Problem:
    """The answer to credentials that are missing or not good."""
    return Problem("not-signed-in", f"{what} {how}; sign in, or send a token", headers={"www-authenticate": 'Bearer realm="flowwatch"'})


def check_origin(method: str, headers: Headers, identity: Identity | None) -> None:
    """Raise `Problem` where a browser was made to ask by a page of another site; `identity` is who asks."""
    if method in _SAFE:
        return
    sent = dict(headers)
    if sent.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        raise Problem("forged", "a page of another site made the browser ask")
    origin = sent.get(b"origin")
    if origin is not None and origin.partition(b"://")[2] != sent.get(b"host"):
        raise Problem("forged", "the page that asks is of another origin")
    if identity is not None and identity.is_person:
        secret = _secret(headers)
        given = sent.get(CSRF_HEADER, b"").decode("latin-1")
        if secret is None or not same(given, csrf_of(secret[1])):
            raise Problem("forged", "a request with a session that changes anything brings X-CSRF-Token, as the log-in gave it")


def _secret(headers: Headers) -> tuple[str, str] | None:
    """The credentials: a token goes before a cookie, because somebody wrote it there on purpose. Raises `Problem` for another scheme."""
    cookie: str | None = None
    for name, value in headers:
        if name == b"authorization":
            scheme, _, text = value.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer" or not text.startswith(TOKEN_PREFIX):
                raise not_signed_in("the Authorization header", f'is no "Bearer {TOKEN_PREFIX}…"')
            return "token", text.strip()
        if name == b"cookie" and cookie is None:
            cookie = _cookie(value.decode("latin-1"))
    return None if cookie is None else ("session", cookie)


def _cookie(header: str) -> str | None:
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    return found.get(SECURE_COOKIE) or found.get(COOKIE)
