"""People: their names, passwords and grants, in service.db. Who may change them is for the callers; that a name is known is told here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from sqlalchemy import Connection, delete, insert, select, update

from flowwatch.documents.faults import did_you_mean, near
from flowwatch.journal.database import Database
from flowwatch.service.auth.identity import AREA, EVERYWHERE, Grant, Role
from flowwatch.service.auth.passwords import Passwords
from flowwatch.service.tables import grants, sessions, users

RESERVED: Final = ("flowwatch", "engine")
"""Who decides and who takes the steps that nobody takes by hand."""
NAME: Final = re.compile(r"[^\W_][\w.@-]{0,63}")
"""Letters (of any script) and digits, then also . _ @ -; 64 characters at most."""


class UserError(ValueError):
    """A name that is none, is there already, or is not there; a grant that is none."""


@dataclass(frozen=True, slots=True)
class User:
    """One person."""

    name: str
    grants: tuple[Grant, ...]
    created_us: int


class Users:
    """All people of one service."""

    def __init__(self, database: Database, passwords: Passwords, now_us: Callable[[], int]) -> None:
        self._database = database
        self._passwords = passwords
        self._now_us = now_us

    def add(self, name: str, password: str, given: Sequence[Grant]) -> User:
        """A new person. Raises `UserError`, `WeakPasswordError`."""
        if not NAME.fullmatch(name) or normalize("NFKC", name) != name:
            raise UserError(f'"{name:.80}" is no name; expected letters and digits, then also . _ @ -, 64 characters at most')
        if name.casefold() in RESERVED:
            raise UserError(f'"{name}" stands in records for what no person did, expected another name')
        checked(given)
        kept, now = self._passwords.kept(name, password), self._now_us()

        def work(connection: Connection) -> None:
            like = [other for other in connection.scalars(select(users.c.name)) if other.casefold() == name.casefold()]
            if like:
                raise UserError(f'there is already a user "{like[0]}"')
            connection.execute(insert(users).values(name=name, password=kept, created_us=now, changed_us=now))
            _grant(connection, name, given)

        self._database.write(work)
        return User(name, tuple(given), now)

    def find(self, name: str) -> User | None:
        """The person of that name."""
        return next((user for user in self.all() if user.name == name), None)

    def need(self, name: str) -> User:
        """The person of that name. Raises `UserError` with the near miss."""
        everybody = self.all()
        for user in everybody:
            if user.name == name:
                return user
        raise UserError(f'no user "{name:.80}"{did_you_mean(near(name, [user.name for user in everybody]))}')

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(grants).order_by(grants.c.role, grants.c.area)).all()
            names = connection.execute(select(users.c.name, users.c.created_us).order_by(users.c.name)).all()
        of: dict[str, list[Grant]] = {}
        for row in rows:
            of.setdefault(row.user, []).append(Grant(Role(row.role), row.area))
        return [User(row.name, tuple(of.get(row.name, ())), row.created_us) for row in names]

    def grants_of(self, name: str) -> tuple[Grant, ...]:
        """What one person is, and where."""
        with self._database.reading() as connection:
            rows = connection.execute(select(grants).where(grants.c.user == name).order_by(grants.c.role, grants.c.area)).all()
        return tuple(Grant(Role(row.role), row.area) for row in rows)

    def grant(self, name: str, given: Sequence[Grant]) -> None:
        """Give these rights in the place of those before. Raises `UserError`."""
        checked(given)
        self.need(name)

        def work(connection: Connection) -> None:
            connection.execute(delete(grants).where(grants.c.user == name))
            _grant(connection, name, given)

        self._database.write(work)

    def remove(self, name: str) -> None:
        """Take the person away, with all rights and log-ins. Raises `UserError`."""
        self.need(name)

        def work(connection: Connection) -> None:
            for table, column in ((sessions, sessions.c.user), (grants, grants.c.user), (users, users.c.name)):
                connection.execute(delete(table).where(column == name))

        self._database.write(work)

    def matches(self, name: str, password: str) -> str | None:
        """What is kept of the person's password, if this is it, for `Sessions.begin`; as slow for a name that nobody has."""
        with self._database.reading() as connection:
            kept = connection.scalar(select(users.c.password).where(users.c.name == name))
        if not self._passwords.matches(kept, password) or kept is None:
            return None
        if not self._passwords.is_old(kept):
            return str(kept)
        anew = self._passwords.kept(name, password)
        same = (users.c.name == name) & (users.c.password == kept)
        self._database.write(lambda connection: connection.execute(update(users).where(same).values(password=anew)))
        return anew

    def set_password(self, name: str, password: str) -> None:
        """Give a new password; every log-in of the person ends. Raises `UserError`, `WeakPasswordError`."""
        self.need(name)
        self._keep(name, self._passwords.kept(name, password))
        self._database.write(lambda connection: connection.execute(delete(sessions).where(sessions.c.user == name)))

    def _keep(self, name: str, kept: str) -> None:
        changed = update(users).where(users.c.name == name).values(password=kept, changed_us=self._now_us())
        self._database.write(lambda connection: connection.execute(changed))


def checked(given: Iterable[Grant]) -> None:
    """Raise `UserError` for an area that is no path, and where nothing is given."""
    found = list(given)
    if not found:
        raise UserError("found no role, expected one at least")
    for grant in found:
        if not AREA.fullmatch(grant.area):
            raise UserError(f'"{grant.area:.80}" is no area; expected a path such as huangpu/yuyuan, or nothing for everywhere')


def everywhere(given: Iterable[Grant]) -> bool:
    """Whether one of the grants is an admin's without limits."""
    return Grant(Role.ADMIN, EVERYWHERE) in set(given)


def _grant(connection: Connection, name: str, given: Iterable[Grant]) -> None:
    rows = [{"user": name, "role": grant.role.value, "area": grant.area} for grant in dict.fromkeys(given)]
    connection.execute(insert(grants), rows)
