"""Many requests of one reading each, taken together: decoded by one call and staged as one batch, though each is answered by itself.

Only what is beyond doubt goes together: one line a request, every line a reading of a counter that the log knows, no two of one counter at
one time. In a batch two such would be numbered as two readings, and from two requests they are one reading that was sent twice. Whatever
else a round holds is taken request by request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.ndjson import Codec
from flowwatch.service.sites import Sites
from flowwatch.service.staging import Stager

ROUND_S: Final = 0.002
"""How long the first request of a round waits for others; the stager waits longer than that anyway."""
MOST: Final = 1_000

Durable = Callable[[Any], Awaitable[None]]


class Singles:
    """Takes lines. One event loop uses it."""

    def __init__(self, sites: Sites, stager: Stager, durable: Durable) -> None:
        self._sites, self._stager, self._durable = sites, stager, durable
        self._codec = Codec()
        self._round: list[tuple[bytes, asyncio.Future[bool]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, line: bytes) -> bool:
        """Whether the line is durable now as a reading; if not, nothing was done with it. Raises `Problem` as `durable` does."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        self._round.append((line, done))
        if len(self._round) == 1:
            loop.call_later(ROUND_S, self._begin)
        elif len(self._round) >= MOST:
            self._begin()
        return await done

    def _begin(self) -> None:
        lines, self._round = self._round, []
        if lines:
            task = asyncio.get_running_loop().create_task(self._stage(lines))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _stage(self, lines: list[tuple[bytes, asyncio.Future[bool]]]) -> None:
        texts = [line for line, _ in lines]
        batch = self._codec.batch(b"\n".join(texts))
        plain = self._plain(batch, len(texts))
        try:
            if plain:
                if len(plain) < len(texts):
                    batch = self._codec.batch(b"\n".join([texts[i] for i in plain]))
                await self._durable(self._stager.offer(batch, sum(map(len, texts))))
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            for i in plain:
                _done(lines[i][1], error)
        taken = set(plain)
        for i, (_, done) in enumerate(lines):
            _done(done, i in taken)

    def _plain(self, batch: Batch, rows: int) -> list[int]:
        """The rows that go together; none where rows and lines are not the same."""
        names = batch.readings.names
        if batch.refused or len(names) != rows:
            return []
        first: dict[tuple[str, int], int] = {}
        for i, key in enumerate(zip(names, batch.readings.at.tolist(), strict=True)):
            first.setdefault(key, i)
        known = self._sites.counters()
        return [i for i in first.values() if names[i] in known]


def _done(future: asyncio.Future[bool], outcome: bool | Exception) -> None:  # noqa: FBT001 - what came of it
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
