"""The roster: who has which duty at which site, and when. Plans give tasks to duties ("officer_in_charge"); this says who that is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select

from flowwatch.documents.actions import new_id
from flowwatch.journal.database import Database
from flowwatch.service.tables import shifts


@dataclass(frozen=True, slots=True)
class Shift:
    """One person's duty at one site, from <= now < until (microseconds)."""

    id: str
    site: str
    duty: str
    user: str
    from_us: int
    until_us: int
    written_by: str


class Roster:
    """All shifts of one service."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us

    def add(self, site: str, duty: str, user: str, from_us: int, until_us: int, by: str) -> Shift:
        """Write a shift down. Raises ValueError for one that ends before it begins."""
        if until_us <= from_us:
            raise ValueError("found an end that is not after the beginning, expected a later one")
        shift = Shift(new_id(self._now_us()), site, duty, user, from_us, until_us, by)
        row = {name: getattr(shift, name) for name in shifts.c.keys()}  # noqa: SIM118 - columns, not a mapping
        self._database.write(lambda connection: connection.execute(insert(shifts).values(row)))
        return shift

    def of(self, site: str, at_us: int | None = None) -> list[Shift]:
        """The site's shifts at that time; without a time, those that are not over. By their beginning."""
        chosen = select(shifts).where(shifts.c.site == site).order_by(shifts.c.from_us, shifts.c.id)
        if at_us is None:
            chosen = chosen.where(shifts.c.until_us > self._now_us())
        else:
            chosen = chosen.where(shifts.c.from_us <= at_us, shifts.c.until_us > at_us)
        with self._database.reading() as connection:
            return [_shift(row) for row in connection.execute(chosen)]

    def remove(self, site: str, id_: str) -> bool:
        """Strike a shift of the site; whether there was one."""
        gone = delete(shifts).where(shifts.c.site == site, shifts.c.id == id_)
        return self._database.write(lambda connection: connection.execute(gone).rowcount) > 0


def _shift(row: Row[Any]) -> Shift:
    return Shift(row.id, row.site, row.duty, row.user, row.from_us, row.until_us, row.written_by)
