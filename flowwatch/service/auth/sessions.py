"""Log-ins of people: a cookie that says nothing, kept here as a hash with its person and its times.

A log-in ends `IDLE_S` after its last request, `LONGEST_S` after it began, with a new password, with its person, or when somebody logs out.
A disk that takes nothing ends none: when it was used is then remembered, and written when the disk takes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from flowwatch.core.readings import SECOND
from flowwatch.journal.database import Database, JournalError
from flowwatch.service.auth.secrets import hash_of, new_secret
from flowwatch.service.tables import sessions, users

LOG: Final = logging.getLogger(__name__)
IDLE_S: Final = 3_600
LONGEST_S: Final = 43_200
"""A shift of twelve hours."""
_SEEN_US: Final = 60 * SECOND
"""`seen_us` is written again only when it is older than this: one write a minute, not one a request."""


class Sessions:
    """All log-ins of one service. `now_us` is the clock."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us
        self._unwritten: dict[bytes, int] = {}
        """Log-in -> when it was last used, where that could not be written."""

    def begin(self, user: str, kept: str) -> str | None:
        """A new log-in of the person; the cookie. None where `kept` is not what is kept of their password any more: it was changed meanwhile."""
        cookie, now, unwritten = new_secret(), self._now_us(), self._unwritten.copy()

        def work(connection: Connection) -> bool:
            if connection.scalar(select(users.c.password).where(users.c.name == user)) != kept:
                return False
            for used, seen_us in unwritten.items():
                connection.execute(update(sessions).where(sessions.c.hash == used).values(seen_us=seen_us))
            over = or_(sessions.c.seen_us < now - IDLE_S * SECOND, sessions.c.created_us < now - LONGEST_S * SECOND)
            connection.execute(delete(sessions).where(over))
            connection.execute(insert(sessions).values(hash=hash_of(cookie), user=user, created_us=now, seen_us=now))
            return True

        return cookie if self._database.write(work) else None

    def user_of(self, cookie_hash: bytes, *, used: bool = True) -> str | None:
        """Whose log-in this is, None for one that there is not or that is over; notes that it was used, if it was."""
        now = self._now_us()
        with self._database.reading() as connection:
            row = connection.execute(select(sessions).where(sessions.c.hash == cookie_hash)).first()
        seen_us = 0 if row is None else max(row.seen_us, self._unwritten.get(cookie_hash, 0))
        if row is None or now >= seen_us + IDLE_S * SECOND or now >= row.created_us + LONGEST_S * SECOND:
            self._unwritten.pop(cookie_hash, None)
            return None
        if used and now - seen_us >= _SEEN_US:
            self._note(cookie_hash, now)
        return str(row.user)

    def _note(self, cookie_hash: bytes, now_us: int) -> None:
        seen = update(sessions).where(sessions.c.hash == cookie_hash).values(seen_us=now_us)
        try:
            self._database.write(lambda connection: connection.execute(seen))
        except JournalError as error:
            self._unwritten[cookie_hash] = now_us
            LOG.warning("when a session was used cannot be written; it is tried again in a minute: %s", error)
        else:
            self._unwritten.pop(cookie_hash, None)

    def end(self, cookie_hash: bytes) -> None:
        """Log out."""
        self._database.write(lambda connection: connection.execute(delete(sessions).where(sessions.c.hash == cookie_hash)))
