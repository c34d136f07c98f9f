"""Machines' tokens: opaque, shown once when they are made, kept as a hash; narrowed to scopes, areas and sites; every one ends some day."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from flowwatch.core.readings import DAY
from flowwatch.documents.actions import new_id
from flowwatch.documents.faults import did_you_mean, near
from flowwatch.journal.database import Database
from flowwatch.service.auth.identity import AREA, EVERYWHERE, Scope
from flowwatch.service.auth.secrets import hash_of, new_token
from flowwatch.service.tables import tokens

USUAL_DAYS: Final = 365
MOST_DAYS: Final = 1_830


class TokenError(ValueError):
    """A token that cannot be made, or that there is not."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; never the token itself. Times in microseconds."""

    id: str
    label: str
    scopes: frozenset[Scope]
    areas: tuple[str, ...]
    sites: tuple[str, ...] | None
    created_by: str
    created_us: int
    expires_us: int
    revoked_us: int | None

    def holds(self, now_us: int) -> bool:
        """Whether it is good now."""
        return self.revoked_us is None and now_us < self.expires_us


class Tokens:
    """All tokens of one service. `now_us` is the clock."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us

    def add(
        self,
        label: str,
        scopes: Sequence[Scope],
        areas: Sequence[str] = (EVERYWHERE,),
        sites: Sequence[str] | None = None,
        *,
        days: int = USUAL_DAYS,
        by: str,
    ) -> tuple[str, Token]:
        """A new token, good for so many days: its text, which is not kept, and what is known of it. Raises `TokenError`."""
        if not 1 <= len(label) <= 100 or not label.isprintable():
            raise TokenError("found no label of 1 to 100 printable characters, expected one that says which machine this is for")
        if not scopes or not areas or not 1 <= days <= MOST_DAYS:
            raise TokenError(f"expected a scope and an area at least, and 1 to {MOST_DAYS} days")
        for area in areas:
            if not AREA.fullmatch(area):
                raise TokenError(f'"{area:.80}" is no area; expected a path such as huangpu/yuyuan, or nothing for everywhere')
        text, now = new_token(), self._now_us()
        held = None if sites is None else tuple(dict.fromkeys(sites))
        given = tuple(dict.fromkeys(areas))
        token = Token(new_id(now), label, frozenset(scopes), given, held, by, now, now + days * DAY, None)
        row = {
            "id": token.id,
            "hash": hash_of(text),
            "label": label,
            "scopes": json.dumps(sorted(token.scopes)),
            "areas": json.dumps(given),
            "sites": None if held is None else json.dumps(held),
            "created_by": by,
            "created_us": now,
            "expires_us": token.expires_us,
        }
        self._database.write(lambda connection: connection.execute(insert(tokens).values(row)))
        return text, token

    def all(self) -> list[Token]:
        """Every token that ever was, the oldest first."""
        with self._database.reading() as connection:
            return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.id))]

    def need(self, id_: str) -> Token:
        """The token of that id. Raises `TokenError` with the near miss."""
        every = self.all()
        for token in every:
            if token.id == id_:
                return token
        raise TokenError(f'no token "{id_:.80}"{did_you_mean(near(id_, [token.id for token in every]))}')

    def holding(self, token_hash: bytes) -> Token | None:
        """The token with this hash if it is good now."""
        with self._database.reading() as connection:
            row = connection.execute(select(tokens).where(tokens.c.hash == token_hash)).first()
        token = None if row is None else _token(row)
        return token if token is not None and token.holds(self._now_us()) else None

    def revoke(self, id_: str) -> None:
        """End it for good. Raises `TokenError`."""
        self.need(id_)
        ended = update(tokens).where(tokens.c.id == id_, tokens.c.revoked_us.is_(None)).values(revoked_us=self._now_us())
        self._database.write(lambda connection: connection.execute(ended))


def _token(row: Row[Any]) -> Token:
    sites = None if row.sites is None else tuple(json.loads(row.sites))
    scopes = frozenset(Scope(scope) for scope in json.loads(row.scopes))
    return Token(
        row.id, row.label, scopes, tuple(json.loads(row.areas)), sites, row.created_by, row.created_us, row.expires_us, row.revoked_us
    )
