"""Failed log-ins slow down: the more failed running, by one account or from one address, the longer nobody may try again.

The first `FREE` failures cost nothing, each one after doubles the wait, from 1 s to `MOST_S`; after `FORGOTTEN_S` without one all is
forgotten. An account's wait is short, because whoever knows a name could keep its owner out; an address has no such owner. The counts are
durable: a restart forgives nothing. An attempt during a wait is not looked at and not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from flowwatch.core.readings import SECOND
from flowwatch.journal.database import Database
from flowwatch.service.tables import failures

FREE: Final = {"account": 5, "address": 20}
MOST_S: Final = {"account": 60, "address": 900}
FORGOTTEN_S: Final = 86_400


class Slowdown:
    """The waits. `now_us` is the clock."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us

    def wait_s(self, account: str, address: str) -> float:
        """How long nobody may try this account from this address, 0 if now."""
        now = self._now_us()
        keys = _keys(account, address)
        with self._database.reading() as connection:
            rows = connection.execute(select(failures).where(failures.c.key.in_(keys))).all()
        waits: list[float] = [(row.last_us + pause_s(row.key, row.times) * SECOND - now) / SECOND for row in rows]
        return max([0.0, *waits])

    def failed(self, account: str, address: str) -> None:
        """Count a failure."""
        now = self._now_us()

        def work(connection: Connection) -> None:
            connection.execute(delete(failures).where(failures.c.last_us < now - FORGOTTEN_S * SECOND))
            for key in _keys(account, address):
                row = insert(failures).values(key=key, times=1, last_us=now)
                counted = {"times": failures.c.times + 1, "last_us": now}
                connection.execute(row.on_conflict_do_update(index_elements=[failures.c.key], set_=counted))

        self._database.write(work)

    def succeeded(self, account: str) -> None:
        """Forget the account's failures. The address keeps its own: one good log-in says nothing of the others that were tried from there."""
        of_account = failures.c.key == f"account:{account}"
        with self._database.reading() as connection:
            counted = connection.execute(select(failures.c.key).where(of_account)).first()
        if counted is not None:
            self._database.write(lambda connection: connection.execute(delete(failures).where(of_account)))


def pause_s(key: str, times: int) -> int:
    """The seconds to wait after so many failures running.

    >>> [pause_s("account:li", times) for times in (5, 6, 7, 8, 99)]
    [0, 1, 2, 4, 60]
    """
    kind = key.partition(":")[0]
    over = times - FREE[kind]
    return 0 if over <= 0 else min(MOST_S[kind], 2 ** min(over - 1, 30))


def _keys(account: str, address: str) -> list[str]:
    return [f"account:{account}", f"address:{address}"]
