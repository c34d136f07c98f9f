"""Failed log-ins slow down: the more failed running, by one account or from one address, the longer nobody may try again.

The first `FREE` failures cost nothing, each one after doubles the wait, from 1 s to `MOST_S`; after `FORGOTTEN_S` without one all is
forgotten. An account's wait is short, because whoever knows a name could keep its owner out; an address has no such owner. The counts are
durable: a restart forgives nothing. An attempt during a wait is not looked at and not counted. Every other one counts as failed from its beginning,
so that attempts side by side are no more than attempts one after another, and is taken back when it was good. A clock that was set back makes
nobody wait longer: a failure that would lie ahead counts as one of now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, select, update
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

    def tries(self, account: str, address: str) -> float:
        """Somebody tries: 0, and it counts as failed so far; or how many seconds nobody may try this account from this address."""
        now, keys = self._now_us(), _keys(account, address)

        def work(connection: Connection) -> float:
            connection.execute(update(failures).where(failures.c.last_us > now).values(last_us=now))
            rows = connection.execute(select(failures).where(failures.c.key.in_(keys))).all()
            waits: list[float] = [(row.last_us + pause_s(row.key, row.times) * SECOND - now) / SECOND for row in rows]
            if (longest := max([0.0, *waits])) > 0:
                return longest
            connection.execute(delete(failures).where(failures.c.last_us < now - FORGOTTEN_S * SECOND))
            for key in keys:
                row = insert(failures).values(key=key, times=1, last_us=now)
                counted = {"times": failures.c.times + 1, "last_us": now}
                connection.execute(row.on_conflict_do_update(index_elements=[failures.c.key], set_=counted))
            return 0.0

        return self._database.write(work)

    def succeeded(self, account: str, address: str) -> None:
        """It was good: forget the account's failures. The address keeps its others, of which one good log-in says nothing."""
        of_account, of_address = _keys(account, address)

        def work(connection: Connection) -> None:
            connection.execute(delete(failures).where(failures.c.key == of_account))
            connection.execute(update(failures).where(failures.c.key == of_address).values(times=failures.c.times - 1))
            connection.execute(delete(failures).where((failures.c.key == of_address) & (failures.c.times <= 0)))

        self._database.write(work)


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
