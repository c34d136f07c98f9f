"""A fire waits behind nothing that anybody else asked for."""

from __future__ import annotations

import asyncio
import threading

from flowwatch.service import threads
from tests.service.conftest import Run
from tests.service.place import Place

MANY = 30


def test_a_fire_is_reported_while_every_other_thread_is_busy(place: Place, run: Run) -> None:
    over = threading.Event()

    async def ask() -> None:
        operator = await place.signed_in("operator")
        await asyncio.sleep(0)
        held = [asyncio.ensure_future(work(over.wait)(300)) for work in (threads.threaded, threads.slow) for _ in range(MANY)]
        held += [asyncio.ensure_future(asyncio.to_thread(over.wait, 300)) for _ in range(MANY)]
        await asyncio.sleep(0.05)
        try:
            async with asyncio.timeout(60):
                answer = await place.client.post("/v1/sites/yuyuan/actions/fire", json={"state": "on"}, headers=operator)
            assert answer.status_code == 202
        finally:
            over.set()
        await asyncio.gather(*held)

    run(ask())
    assert [site for site, _ in place.fires] == ["yuyuan"]
