"""Bodies that are meant to hurt: slow ones, packed ones, endless lists; each is refused in time and memory that have a bound."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from flowwatch.service import bodies
from flowwatch.service.bodies import MEMBERS, Bodies, in_time
from flowwatch.service.problems import Problem
from flowwatch.service.readings import COMMAS, as_lines

JSON = b"application/json"


def _receive(*parts: bytes) -> Any:
    waiting = [{"type": "http.request", "body": part, "more_body": i + 1 < len(parts)} for i, part in enumerate(parts)]

    async def receive() -> Any:
        return waiting.pop(0)

    return receive


def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)

    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Problem, match="did not come within"):
        asyncio.run(Bodies(1000, 10_000).read({}, in_time(never)))


def test_the_time_is_that_of_the_whole_body_and_not_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.2)

    async def drop_by_drop() -> Any:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(Problem, match="did not come within"):
        asyncio.run(Bodies(1000, 10_000).read({}, in_time(drop_by_drop)))


def test_after_the_body_whoever_waits_for_the_end_of_the_connection_waits_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = _receive(b"all", b"")

    async def receive() -> Any:
        try:
            return await parts()
        except IndexError:
            await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}

    async def work() -> Any:
        bounded: Any = in_time(receive)
        assert (await bounded())["more_body"]
        assert not (await bounded())["more_body"]
        monkeypatch.setattr(bodies, "BODY_S", -1.0)  # the body's time is over
        assert (await bounded())["type"] == "http.disconnect"

    asyncio.run(work())


@pytest.mark.parametrize(("members", "read"), [(MEMBERS, True), (MEMBERS + 1, False)])
def test_a_body_of_many_gzip_files_is_read_up_to_a_bound(members: int, read: bool) -> None:
    packed = gzip.compress(b"{}\n") * members
    work = Bodies(10_000, 100_000).read({b"content-encoding": b"gzip"}, _receive(packed))
    if read:
        assert asyncio.run(work) == b"{}\n" * members
    else:
        with pytest.raises(Problem, match="more than"):
            asyncio.run(work)


def test_a_list_without_end_is_refused_before_it_is_taken_apart() -> None:
    with pytest.raises(Problem, match="send NDJSON"):
        as_lines(JSON, b"[" + b"1," * (COMMAS + 1) + b"1]")
