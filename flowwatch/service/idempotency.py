"""Requests with a key are answered once: the answer is kept, durably, and given again to whoever repeats the request within a day.

A key belongs to one identity. The answer is written before it is sent, and after what it says has become durable. A service that dies
between the two leaves a request that is done and not noted: repeated, it is staged again, and the engine refuses the second copy (readings
by their identity, records by their name).
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, delete, select

from flowwatch.core.readings import DAY
from flowwatch.journal.database import Database
from flowwatch.journal.tables import insert_new
from flowwatch.service.problems import Problem, wait
from flowwatch.service.tables import answers

KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
KEPT_US: Final = DAY
_SWEPT_EVERY: Final = 1_000


class Idempotency:
    """The answers that are kept. For several threads; `now_us` is the clock."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us
        self._under_way: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._insert = insert_new(database.engine.dialect, answers)
        self._written = 0

    @contextmanager
    def alone(self, who: str, key: str) -> Iterator[None]:
        """Nobody else may do this request meanwhile. Raises `Problem` for a key that is none, or whose request is under way."""
        if not KEY.fullmatch(key):
            raise Problem("bad-request", "Idempotency-Key: expected 1 to 200 visible ASCII characters")
        with self._lock:
            if (who, key) in self._under_way:
                raise wait("key-in-use", "a request with this Idempotency-Key is under way", 1)
            self._under_way.add((who, key))
        try:
            yield
        finally:
            with self._lock:
                self._under_way.discard((who, key))

    def answered(self, who: str, key: str, body: bytes) -> bytes | None:
        """What was answered to this request before. Raises `Problem` where the key was another request's."""
        with self._database.reading() as connection:
            row = connection.execute(select(answers).where(answers.c.who == who, answers.c.key == key)).first()
        if row is None or row.at_us <= self._now_us() - KEPT_US:
            return None
        if row.digest != hashlib.sha256(body).digest():
            raise Problem("key-reused", "another request had this Idempotency-Key within the last 24 hours; expected a new key")
        return bytes(row.answer)

    def keep(self, who: str, key: str, body: bytes, answer: bytes) -> None:
        """Keep an answer; durable when this returns."""
        now = self._now_us()
        self._written += 1
        sweep = self._written % _SWEPT_EVERY == 1

        def work(connection: Connection) -> None:
            if sweep:
                connection.execute(delete(answers).where(answers.c.at_us <= now - KEPT_US))
            connection.execute(delete(answers).where(answers.c.who == who, answers.c.key == key, answers.c.at_us <= now - KEPT_US))
            connection.exec_driver_sql(self._insert, (who, key, hashlib.sha256(body).digest(), answer, now))

        self._database.write(work)
