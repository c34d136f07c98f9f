"""Readings over HTTP: what is taken, what is refused and how that is told, and that 202 means durable."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.log import DiskRefused
from flowwatch.service.app import Limits
from flowwatch.service.auth.identity import Scope
from flowwatch.service.bodies import Bodies, Disconnected
from flowwatch.service.problems import Problem
from flowwatch.service.readings import as_lines
from tests.service.conftest import Run
from tests.service.place import Place, make

NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}


def reading(number: int = 0, counter: str = "yuyuan/turnstile-1", **more: Any) -> dict[str, Any]:
    return {"counter": counter, "at": f"2026-10-01T14:00:{number % 60:02d}.{number // 60:03d}+08:00", "in": 1, "out": 0} | more


def lines(*readings: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in readings)


async def post(place: Place, body: Any, headers: dict[str, str], **more: str) -> httpx.Response:
    return await place.client.post("/v1/readings", content=body, headers=headers | more)


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Place]:
    """A service that takes bodies of 10,000 bytes, and 100 readings at once."""
    with ExitStack() as owned:
        yield make(tmp_path, owned, limits=Limits(body=10_000, bodies_together=20_000, readings_per_s=10, readings_at_once=100))


def test_lines_a_list_and_one_are_the_same_readings(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE)
        two = [reading(1), reading(2)]
        for body, headers, taken in (
            (lines(*two), NDJSON, 2),
            (lines(*two) + b"\r\n", {}, 2),
            (json.dumps(two, indent=2).encode(), JSON, 2),
            (json.dumps(reading(3), indent=2).encode(), JSON, 1),
            (b"[]", JSON, 0),
            (b"", NDJSON, 0),
        ):
            assert told(await post(place, body, token | headers)) == (202, {"accepted": taken, "refused": {}, "examples": []})

    run(work())
    assert len(place.live.rows()) == 7


def test_what_is_no_reading_is_kept_and_counted_and_stops_nothing(place: Place, run: Run) -> None:
    async def work() -> Any:
        body = lines(
            reading(1), reading(2, "yuyuan/turnstile-7"), reading(3, "nowhere/x"), {"counter": "yuyuan/turnstile-1", "at": reading(4)["at"]}
        )
        return told(await post(place, body + b"\n{torn\n" + lines(reading(5)), place.token(Scope.READINGS_WRITE) | NDJSON))

    status, answer = run(work())
    assert status == 202
    assert answer["accepted"] == 2
    assert answer["refused"] == {"missing_count": 1, "unknown_counter": 1, "unknown_site": 1, "unreadable": 1}
    assert answer["examples"][0] == {"reason": "unknown_counter", "counter": "yuyuan/turnstile-7", "did_you_mean": "yuyuan/turnstile-2"}
    kinds = [row["kind"] for row in place.live.rows()]
    assert (kinds.count("delta"), kinds.count("refused")) == (2, 4)


def test_accepted_readings_are_in_the_log_when_the_answer_comes(place: Place, run: Run) -> None:
    """The service is dropped right after each answer: what a power cut leaves is what it staged."""

    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE)
        for number in range(5):
            answer = await post(place, lines(reading(number)), token | NDJSON)
            assert answer.status_code == 202
            assert len(list((place.workspace.log / "inbox").glob("*.staged"))) == number + 1

    run(work())
    assert len(place.live.rows()) == 5


def test_many_single_readings_at_once_are_each_answered_and_none_is_lost_or_doubled(place: Place, run: Run) -> None:
    async def work() -> list[tuple[int, Any]]:
        token = place.token(Scope.READINGS_WRITE)
        mixed = [lines(reading(n)) for n in range(100)] + [lines(reading(7))] + [b"{torn"] + [lines(reading(200, "yuyuan/none"))]
        return [told(answer) for answer in await asyncio.gather(*(post(place, body, token | NDJSON) for body in mixed))]

    answers = run(work())
    assert [status for status, _ in answers] == [202] * 103
    assert [body["accepted"] for _, body in answers] == [1] * 101 + [0, 0]
    rows = [row for row in place.live.rows() if row["kind"] == "delta"]
    assert len(rows) == 101
    assert {row["ordinal"] for row in rows} == {0}, "a reading that is sent twice is one reading"


def test_a_request_with_a_key_is_taken_once_and_answered_alike(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE) | NDJSON
        key = {"idempotency-key": "a-1"}
        first = await post(place, lines(reading(1), reading(2)), token | key)
        again = await post(place, lines(reading(1), reading(2)), token | key)
        assert told(first) == told(again)
        other = await post(place, lines(reading(3)), token | key)
        assert (other.status_code, other.json()["type"]) == (422, "urn:flowwatch:problem:key-reused")
        another = await post(place, lines(reading(3)), place.token(Scope.READINGS_WRITE) | NDJSON | key)
        assert another.status_code == 202, "a key belongs to one identity"
        place.now.advance(86_400)
        assert (await post(place, lines(reading(4)), token | key)).status_code == 202, "keys are kept for a day"
        assert (await post(place, lines(reading(5)), token | {"idempotency-key": ""})).status_code == 400

    run(work())
    assert len(place.live.rows()) == 4


def test_a_key_whose_request_is_under_way_waits(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE) | NDJSON | {"idempotency-key": "a-1"}
        answers = await asyncio.gather(*(post(place, lines(reading(1)), token) for _ in range(4)))
        assert sorted({answer.status_code for answer in answers}) == [202, 409]
        assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 409} == {"1"}

    run(work())
    assert len(place.live.rows()) == 1


def test_a_service_that_died_before_it_noted_the_key_counts_nobody_twice(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE) | NDJSON | {"idempotency-key": "a-1"}
        body = lines(reading(1), reading(2))
        kept, place.parts_idempotency.keep = place.parts_idempotency.keep, died
        with pytest.raises(RuntimeError):
            await place.service.app._readings.answer(*direct(place, token, body))
        place.parts_idempotency.keep = kept
        assert (await post(place, body, token)).status_code == 202

    run(work())
    rows = place.live.rows()
    assert len(rows) == 4
    identities = {(row["counter"], row["at"], row["ordinal"]) for row in rows}
    assert len(identities) == 2, "the engine counts an identity once"


def died(*_: Any) -> None:
    raise RuntimeError("the process ends here")


def direct(place: Place, headers: dict[str, str], body: bytes) -> Any:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    return place.parts.authenticator.identify(sent), dict(sent), receive


def test_without_room_nothing_is_taken_and_the_sender_comes_again(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE) | NDJSON
        place.stager.room = False
        for body in (lines(reading(1)), lines(reading(1), reading(2))):
            answer = await post(place, body, token)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["type"] == "urn:flowwatch:problem:busy"
        place.stager.room = True
        assert (await post(place, lines(reading(1)), token)).status_code == 202

    run(work())
    assert len(place.live.rows()) == 1


def test_a_disk_that_refuses_is_a_503_and_nothing_is_kept(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        failed: Future[None] = Future()
        failed.set_exception(DiskRefused("inbox", "no space left on device", "free space on the disk"))
        return failed

    async def work() -> None:
        token = place.token(Scope.READINGS_WRITE) | NDJSON
        monkeypatch.setattr(place.stager, "_stage", full)
        for body in (lines(reading(1)), lines(reading(1), reading(2))):
            answer = await post(place, body, token)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["type"] == "urn:flowwatch:problem:unavailable"
        answer = await place.client.post("/v1/sites/yuyuan/actions/fire", json={"state": "on"}, headers=place.token(Scope.FIRE_WRITE))
        assert answer.status_code == 503
        assert len(place.fires) == 1, "the latch stands all the same"

    run(work())
    assert place.live.rows() == []


def test_an_identity_that_sends_too_much_waits_and_others_do_not(small: Place, run: Run) -> None:
    async def work() -> None:
        one, other = small.token(Scope.READINGS_WRITE) | NDJSON, small.token(Scope.READINGS_WRITE) | NDJSON
        assert (await post(small, lines(*(reading(n) for n in range(90))), one)).status_code == 202
        answer = await post(small, lines(*(reading(n) for n in range(30))), one)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        assert (await post(small, lines(reading(1)), other)).status_code == 202
        small.now.advance(3)  # what was refused has cost one reading, too
        assert (await post(small, lines(*(reading(n) for n in range(30))), one)).status_code == 202

    run(work())


def test_a_token_sends_readings_of_its_own_sites_only(place: Place, run: Run) -> None:
    async def work() -> None:
        by_site = place.token(Scope.READINGS_WRITE, sites=("yuyuan",)) | NDJSON
        by_area = place.token(Scope.READINGS_WRITE, areas=("huangpu/yuyuan",)) | NDJSON
        for token in (by_site, by_area):
            assert (await post(place, lines(reading(1)), token)).status_code == 202
            for body in (lines(reading(1, "bund/turnstile-1")), lines(reading(2), reading(1, "bund/turnstile-1"))):
                answer = await post(place, body, token)
                assert answer.status_code == 403
                assert "bund" in answer.json()["detail"]
        assert (await post(place, lines(reading(1)), place.token(Scope.READ) | NDJSON)).status_code == 403
        assert (await post(place, lines(reading(1)), await place.signed_in("operator") | NDJSON)).status_code == 403
        assert (await post(place, lines(reading(1)), NDJSON)).status_code == 401

    run(work())
    assert len(place.live.rows()) == 2


def test_gzip_is_read_and_a_bomb_is_not_unpacked(small: Place, run: Run) -> None:
    async def work() -> None:
        token = small.token(Scope.READINGS_WRITE) | NDJSON | {"content-encoding": "gzip"}
        assert told(await post(small, gzip.compress(lines(reading(1), reading(2))), token))[1]["accepted"] == 2
        two = gzip.compress(lines(reading(3)) + b"\n") + gzip.compress(lines(reading(4)))
        assert told(await post(small, two, token))[1]["accepted"] == 2
        bomb = gzip.compress(bytes(1_000_000))
        assert len(bomb) < 10_000
        tracemalloc.start()
        answer = await post(small, bomb, token)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert answer.status_code == 413
        assert peak < 500_000
        for body in (b"no gzip", gzip.compress(b"x" * 100)[:-9], b""):
            assert (await post(small, body, token)).status_code == 400
        assert (await post(small, b"x", token | {"content-encoding": "br"})).status_code == 415

    run(work())


def test_a_body_that_is_too_large_is_cut_off_early(small: Place, run: Run) -> None:
    async def work() -> None:
        token = small.token(Scope.READINGS_WRITE) | NDJSON
        sent = 0

        async def endless() -> Any:
            nonlocal sent
            for _ in range(100_000):
                sent += 1_000
                yield bytes(1_000)

        answer = await small.client.post("/v1/readings", content=endless(), headers=token)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert sent < 12_000
        answer = await post(small, bytes(10_001), token)
        assert answer.status_code == 413

    run(work())


def test_bodies_together_are_bounded_and_who_leaves_gives_back_room(run: Run) -> None:
    async def work() -> None:
        bodies = Bodies(1_000, 1_500)
        gone = asyncio.Event()

        async def slow() -> Any:
            if gone.is_set():
                await asyncio.Event().wait()
            gone.set()
            return {"type": "http.request", "body": bytes(900), "more_body": True}

        async def fast() -> Any:
            return {"type": "http.request", "body": bytes(800), "more_body": True}

        waiting = asyncio.ensure_future(bodies.read({}, slow))
        await gone.wait()
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many large bodies"):
            await bodies.read({}, fast)
        waiting.cancel()
        await asyncio.wait([waiting])

        async def left() -> Any:
            return {"type": "http.disconnect"}

        with pytest.raises(Disconnected):
            await bodies.read({}, left)
        with pytest.raises(Problem, match="larger than 1000 bytes"):
            await bodies.read({}, fast)

    run(work())


@pytest.mark.parametrize("body", [b"{", b"[1,", b"nul", b"\xff\xfe", b"[" * 100_000, b'{"a":1}{"b":2}', b'["a\nb"]', b""])
def test_json_that_is_none_is_refused_as_a_whole(place: Place, run: Run, body: bytes) -> None:
    async def work() -> int:
        return (await post(place, body, place.token(Scope.READINGS_WRITE) | JSON)).status_code

    assert run(work()) == 400


def test_a_body_of_another_kind_is_refused(place: Place, run: Run) -> None:
    async def work() -> int:
        return (await post(place, b"a=b", place.token(Scope.READINGS_WRITE), **{"content-type": "text/csv"})).status_code

    assert run(work()) == 415


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b'{"counter":', b'"yuyuan/turnstile-1"', b"}", b"\n", b"[", b"1e999"])).map(b"".join)
)
def test_no_body_does_more_than_be_read_or_refused(body: bytes) -> None:
    assert as_lines(b"application/x-ndjson", body) == body
    with suppress(Problem):
        for item in as_lines(b"application/json", body).split(b"\n"):
            assert not item or msgspec.json.decode(item, type=msgspec.Raw)
