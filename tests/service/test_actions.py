"""What people say over HTTP becomes a record, and the journal's word comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_args

import pytest

from flowwatch.documents import actions
from flowwatch.service.auth.identity import Scope
from flowwatch.service.records import TYPES, wait_of
from tests.service.conftest import Run
from tests.service.place import Place

UNTIL = "2026-10-01T22:30:00+08:00"


async def say(place: Place, kind: str, body: Any, headers: dict[str, str], **more: str) -> Any:
    return await place.client.post(f"/v1/sites/yuyuan/actions/{kind}", json=body, headers=headers | more)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("override", {"gate": "gate-2", "mode": "out", "until": UNTIL, "reason": "crush at the bridge"}),
        ("override", {"stage": "exit_only", "until": UNTIL, "reason": "crush at the bridge"}),
        ("override", {"stage": "exit_only", "plan": "yuyuan", "until": UNTIL, "reason": "crush"}),
        ("recount", {"zone": "mall", "count": 1490}),
        ("confirm", {"incident": "yuyuan-i1"}),
        ("drill", {"stage": "exit_only", "until": UNTIL}),
        ("fire", {"state": "on"}),
    ],
)
def test_a_record_is_durable_and_the_engine_takes_it(place: Place, run: Run, kind: str, body: dict[str, Any]) -> None:
    async def work() -> None:
        operator = await place.signed_in("operator")
        answer = await say(place, kind, body, operator)
        assert answer.status_code == 202, answer.text
        name = answer.json()["action"]
        assert answer.headers["location"] == f"/v1/journal/{name}"
        assert answer.json()["record"]["by"] == "operator"
        place.live.drain(2)
        entry = (await place.client.get(answer.headers["location"], headers=operator)).json()
        assert (entry["body"]["action"], entry["body"]["type"]) == (name, kind)
        assert entry["body"]["accepted"], entry["body"]["refused"]

    run(work())


def test_prefer_wait_brings_the_journals_word(place: Place, run: Run) -> None:
    async def work() -> None:
        operator = await place.signed_in("operator")
        body = {"gate": "gate-2", "mode": "out", "until": UNTIL, "reason": "crush"}
        asked = asyncio.ensure_future(say(place, "override", body, operator, prefer="wait=20"))
        while not list((place.workspace.log / "inbox").glob("*.staged")):
            await asyncio.sleep(0.01)
        place.live.drain(2)
        answer = await asked
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=20")
        assert answer.json()["outcome"]["accepted"] is True
        answer = await say(place, "override", body, operator, prefer="wait=0")
        assert (answer.status_code, answer.json()["outcome"]) == (202, None)

    run(work())


def test_slips_are_told_with_the_near_miss_and_write_nothing(place: Place, run: Run) -> None:
    async def work() -> None:
        operator = await place.signed_in("operator")
        until = {"until": UNTIL, "reason": "test"}
        slips: list[tuple[str, dict[str, Any], str]] = [
            ("override", {"gate": "gate_2", "mode": "out"} | until, "gate-2"),
            ("override", {"gate": "gate-2", "mode": "metered 40"} | until, "metered 40/min"),
            ("override", {"stage": "exit-only"} | until, "exit_only"),
            ("override", {"stage": "exit_only", "plan": "yuyuann"} | until, "yuyuan"),
            ("recount", {"zone": "mal", "count": 1}, "mall"),
            ("drill", {"stage": "exit_onl", "until": UNTIL}, "exit_only"),
            ("release", {"gate": "gate-9", "revision": 1}, "gate-2"),
        ]
        for kind, body, meant in slips:
            answer = await say(place, kind, body, operator)
            assert answer.status_code == 422, answer.text
            assert answer.json()["did_you_mean"] in (meant, "gate-1")
        senseless: list[tuple[str, dict[str, Any]]] = [
            ("override", {"gate": "gate-2"} | until),
            ("override", {"case": "x"} | until),
            ("override", until),
            ("override", {"gate": "gate-2", "mode": "out", "until": UNTIL}),
            ("override", {"gate": "gate-2", "mode": "out", "until": "2026-10-01T22:30:00", "reason": "x"}),
            ("recount", {"zone": "mall", "count": -1}),
            ("recount", {"zone": "mall", "count": 1, "reason": "a\nb"}),
            ("confirm", {"incident": "bund-i1"}),
            ("confirm", {"incident": "yuyuan-i1", "answer": "no"}),
            ("fire", {"state": "maybe"}),
            ("fire", {"state": "on", "by": "somebody else"}),
            ("release", {"revision": 1}),
        ]
        for kind, body in senseless:
            assert (await say(place, kind, body, operator)).status_code == 422, (kind, body)
        torn = operator | {"content-type": "application/json"}
        answer = await place.client.post("/v1/sites/yuyuan/actions/override", content=b"{", headers=torn)
        assert answer.status_code == 400

    run(work())
    assert not list((place.workspace.log / "inbox").glob("*.staged"))


def test_a_fire_is_heard_before_it_is_written_even_where_nothing_can_be_written(place: Place, run: Run) -> None:
    async def work() -> None:
        token, supervisor = place.token(Scope.FIRE_WRITE), await place.signed_in("supervisor")
        assert (await say(place, "fire", {"state": "on", "reason": "smoke"}, token)).status_code == 202
        assert [(site, record["state"], record["by"]) for site, record in place.fires] == [("yuyuan", "on", place.fires[0][1]["by"])]
        assert place.fires[0][1]["by"].startswith("token:"), "no person's name looks like a machine's"
        place.stager.room = False
        assert (await say(place, "fire", {"state": "on"}, token)).status_code == 503
        assert len(place.fires) == 2
        place.stager.room = True
        assert (await say(place, "fire", {"state": "off"}, supervisor)).status_code == 202
        assert len(place.fires) == 2, "the end of a fire is the journal's to say"

    run(work())


def test_every_type_of_record_that_the_documents_know_is_known_here() -> None:
    assert {kind.__struct_config__.tag for kind in get_args(actions.Action)} == TYPES


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("wait=5", 5.0), ("respond-async, wait=2;x=1", 2.0), ("wait=99999", 30.0), ("wait=-1", None), ("", None), (None, None)],
)
def test_prefer_is_read_as_the_standard_says(prefer: str | None, seconds: float | None) -> None:
    assert wait_of(prefer) == seconds


def test_records_of_an_archive_are_not_written_here(place: Place, run: Run) -> None:
    settings = place.workspace.log / "settings.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"clock": "event"}))
    place.parts.records._live = False

    async def work() -> int:
        return int((await say(place, "fire", {"state": "on"}, await place.signed_in("operator"))).status_code)

    assert run(work()) == 409
