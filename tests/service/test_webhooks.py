"""Webhooks over the API: who may subscribe what, where they may go, what is told of them, and trying and sending again by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from flowwatch.feed.webhooks import subscriptions
from flowwatch.service.auth.identity import Grant, Role
from tests.feed.receiver import Receiver, receiving
from tests.service.conftest import Run
from tests.service.place import PASSWORD, Place

NEW = {"url": "http://127.0.0.1:9/hook", "label": "screen", "areas": ["huangpu/yuyuan"]}


def test_the_secret_is_told_once(place: Place, run: Run) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        made = (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).json()
        assert made["secret"].startswith("whsec_")
        assert (await place.client.get(f"/v1/webhooks/{made['id']}", headers=admin)).json()["secret"] is None
        again = (await place.client.post(f"/v1/webhooks/{made['id']}/secret", json={}, headers=admin)).json()
        assert again["secret"].startswith("whsec_")
        assert again["secret"] != made["secret"]

    run(ask())


def test_nobody_subscribes_beyond_their_own_areas_or_sees_what_lies_there(place: Place, run: Run) -> None:
    async def ask() -> None:
        place.parts.users.add("other", PASSWORD, [Grant(Role.ADMIN, "huangpu/waitan")])
        admin = await place.signed_in("admin")
        for areas in (["huangpu"], [""], ["huangpu/yuyuan", "huangpu/waitan"]):
            assert (await place.client.post("/v1/webhooks", json=NEW | {"areas": areas}, headers=admin)).status_code == 403
        made = (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).json()
        other = await place.signed_in("other")
        assert (await place.client.get("/v1/webhooks", headers=other)).json() == []
        assert (await place.client.get(f"/v1/webhooks/{made['id']}", headers=other)).status_code == 404

    run(ask())


@pytest.mark.parametrize("url", ["http://10.0.0.5/x", "https://169.254.169.254/latest", "ftp://a.example/", "https://u:p@a.example/"])
def test_an_address_inside_is_refused_at_once(place: Place, run: Run, url: str) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        answer = await place.client.post("/v1/webhooks", json=NEW | {"url": url}, headers=admin)
        assert answer.status_code == 422
        assert answer.json()["field"] == "url"
        made = (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).json()
        assert (await place.client.put(f"/v1/webhooks/{made['id']}", json={"url": url}, headers=admin)).status_code == 422

    run(ask())


def test_it_is_tried_shown_and_sent_again(place: Place, run: Run) -> None:
    async def begin(receiver: Receiver) -> tuple[dict[str, str], dict[str, str], str]:
        admin = await place.signed_in("admin")
        made = (await place.client.post("/v1/webhooks", json=NEW | {"url": receiver.url()}, headers=admin)).json()
        tried = await place.client.post(f"/v1/webhooks/{made['id']}/test", json={}, headers=admin)
        assert tried.status_code == 202
        return admin, made, tried.json()["id"]

    async def see(admin: dict[str, str], name: str) -> dict[str, object]:
        path, end = f"/v1/webhooks/{name}/deliveries", time.monotonic() + 60
        while True:
            assert time.monotonic() < end
            (row,) = (await place.client.get(path, headers=admin)).json()["deliveries"]
            if row["state"] == "delivered":
                return dict(row)

    async def replay(admin: dict[str, str], name: str, event: str) -> None:
        answer = await place.client.post(f"/v1/webhooks/{name}/replay", json={"ids": [event]}, headers=admin)
        assert answer.json() == {"replayed": 1, "unknown": []}

    with receiving(Receiver()) as receiver:
        place.courier.start()
        admin, made, event = run(begin(receiver))
        receiver.wait(lambda: event in receiver.taken)
        assert run(see(admin, made["id"]))["status"] == 204
        run(replay(admin, made["id"], event))
        receiver.wait(lambda: len(receiver.taken[event]) == 2)
        place.courier.stop()
    (first, body), (second, again) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"] == event
    assert body == again
    at = datetime.fromtimestamp(int(first["webhook-timestamp"]), UTC)
    assert Webhook(made["secret"]).sign(event, at, body.decode()) == first["webhook-signature"]


def test_one_that_was_stopped_is_taken_up_again(place: Place, run: Run) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        name = (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).json()["id"]
        stopped = (await place.client.put(f"/v1/webhooks/{name}", json={"enabled": False}, headers=admin)).json()
        assert stopped["disabled"] == "stopped by admin"
        assert (await place.client.put(f"/v1/webhooks/{name}", json={"enabled": True}, headers=admin)).json()["disabled"] is None
        assert (await place.client.delete(f"/v1/webhooks/{name}", headers=admin)).status_code == 204
        assert (await place.client.get("/v1/webhooks", headers=admin)).json() == []

    run(ask())


def test_a_replay_says_since_when_or_which(place: Place, run: Run) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        name = (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).json()["id"]
        for body in ({}, {"since": "2026-10-01T00:00:00Z", "ids": ["a"]}, {"since": "2026-10-01T00:00:00"}):
            assert (await place.client.post(f"/v1/webhooks/{name}/replay", json=body, headers=admin)).status_code == 422

    run(ask())


def test_it_may_begin_with_what_was_before_and_an_id_of_nothing_is_told(place: Place, run: Run) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        kinds = {"kinds": ["transition", "command"]}
        new = (await place.client.post("/v1/webhooks", json=NEW | kinds, headers=admin)).json()
        old = (await place.client.post("/v1/webhooks", json=NEW | kinds | {"since": "2026-10-01T00:00:00Z"}, headers=admin)).json()
        entries = (await place.client.get("/v1/journal?site=yuyuan", headers=admin)).json()["entries"]
        wanted = {f"journal_yuyuan_{e['id'].rpartition('-')[2]}" for e in entries if e["kind"] in kinds["kinds"]}
        told = (await place.client.get(f"/v1/webhooks/{old['id']}/deliveries", headers=admin)).json()["deliveries"]
        assert {row["id"] for row in told} == wanted
        assert (new["waiting"], old["waiting"]) == (0, len(wanted))
        path, one = f"/v1/webhooks/{new['id']}/replay", min(wanted)
        answer = await place.client.post(path, json={"ids": [one, "journal_bund_2", "x"]}, headers=admin)
        assert answer.json() == {"replayed": 1, "unknown": ["journal_bund_2", "x"]}

    run(ask())


def test_there_are_so_many_and_no_more(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        admin = await place.signed_in("admin")
        assert (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).status_code == 201
        assert (await place.client.post("/v1/webhooks", json=NEW, headers=admin)).status_code == 409

    monkeypatch.setattr(subscriptions, "MOST", 1)
    run(ask())
