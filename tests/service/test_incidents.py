"""Incidents over HTTP: how far people are with each, the steps that they take, all that was written of one, and the handover of a shift."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from flowwatch.handling.records import Act, Said
from flowwatch.handling.steps import WAYS
from flowwatch.service.api.acts import HANDLERS
from flowwatch.service.auth.identity import Grant, Role, Scope
from tests.servers import WAIT_S
from tests.service.conftest import Run
from tests.service.place import PASSWORD, Place

UNKNOWN = "yuyuan-i1"
"""The incident that a site has from its first tick: nobody has counted it yet."""
WAY = ("acknowledge", "dispatch", "arrive", "handle", "feedback", "verify")
BODIES: dict[str, dict[str, Any]] = {"dispatch": {"to": "巡逻3组"}, "feedback": {"reason": "counted: 1,490"}}


@pytest.fixture
def told(place: Place) -> Place:
    """The place, with all that its journal says told by the desk."""
    assert place.desk.caught_up(WAIT_S)
    return place


async def act(place: Place, act_: str, body: dict[str, Any], headers: dict[str, str], incident: str = UNKNOWN) -> Any:
    site = incident.rpartition("-")[0]
    return await place.client.post(f"/v1/sites/{site}/incidents/{incident}/{act_}", json=body, headers=headers)


async def get(place: Place, path: str, headers: dict[str, str]) -> Any:
    answer = await place.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_until_told(place: Place, name: str, *, active: bool) -> None:
    """Wait for the desk to follow the journal so far."""
    end = time.monotonic() + WAIT_S
    while (found := place.desk.find(name)) is None or found.active is not active:
        assert time.monotonic() < end, name
        time.sleep(0.01)


def test_what_is_open_says_how_far_people_are_with_it(told: Place, run: Run) -> None:
    async def work() -> None:
        viewer = await told.signed_in("viewer")
        (found,) = (await get(told, "/v1/sites/yuyuan/incidents", viewer))["incidents"]
        assert (found["incident"], found["what"], found["state"]) == (UNKNOWN, "occupancy_unknown", "raised")
        assert "尚未校准" in found["text"]["zh"]
        assert "not known yet" in found["text"]["en"]
        assert (await told.client.get(found["runbook"])).status_code == 200
        handling = found["handling"]
        assert (handling["handling"], handling["priority"], handling["active"], handling["duty"]) == ("new", "IV", True, "operator")
        assert [clock["clock"] for clock in handling["clocks"]] == ["acknowledge", "dispatch", "arrive", "handle"]
        assert {"act": "verify", "role": "supervisor"} not in handling["steps"]
        assert {"act": "defer", "role": "supervisor"} in handling["steps"]
        assert {"act": "acknowledge", "role": "operator"} in handling["steps"]
        assert await get(told, f"/v1/incidents/{UNKNOWN}", viewer) == found
        everywhere = await get(told, "/v1/incidents", told.token(Scope.READ))
        assert {one["site"] for one in everywhere["incidents"]} == {"yuyuan", "bund"}

    run(work())


def test_an_incident_goes_its_whole_way_each_step_by_who_may(told: Place, run: Run) -> None:
    async def work() -> None:
        operator, supervisor = await told.signed_in("operator"), await told.signed_in("supervisor")
        for name in WAY:
            if name == "verify":
                assert (await act(told, name, {}, operator)).status_code == 403
            answer = await act(told, name, BODIES.get(name, {}), supervisor if name == "verify" else operator)
            assert answer.status_code == 200, answer.text
            step = answer.json()
            assert (step["kind"], step["body"]["act"], step["body"]["incident"]) == ("handling", name, UNKNOWN)
            (kept,) = [e for e in (await get(told, "/v1/alerts?site=yuyuan&kind=handling", operator))["entries"] if e["id"] == step["id"]]
            assert kept == step, "it is answered when it stands in the book"
        answer = await act(told, "close", {}, supervisor)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:flowwatch:problem:conflict")
        assert "still holds" in answer.json()["detail"]
        await told.client.post("/v1/sites/yuyuan/actions/recount", json={"zone": "mall", "count": 7}, headers=operator)
        told.live.drain(2)
        wait_until_told(told, UNKNOWN, active=False)
        assert (await act(told, "close", {}, operator)).status_code == 403, "what was verified takes a supervisor"
        assert (await act(told, "close", {}, supervisor)).status_code == 200
        assert await get(told, "/v1/sites/yuyuan/incidents", operator) == {"incidents": []}
        closed = await get(told, f"/v1/incidents/{UNKNOWN}", operator)
        assert (closed["state"], closed["handling"]["handling"], closed["handling"]["unit"]) == ("cleared", "closed", "巡逻3组")
        assert (await act(told, "note", {"reason": "seen later"}, operator)).status_code == 200

    run(work())


def test_the_timeline_has_the_journal_the_alerts_and_the_steps_with_who_and_why(told: Place, run: Run) -> None:
    async def work() -> None:
        operator = await told.signed_in("operator")
        told.now.advance(1)
        await act(told, "acknowledge", {"reason": "on it"}, operator)
        told.now.advance(1)
        await act(told, "dispatch", {"to": "巡逻3组"}, operator)
        await told.client.post("/v1/sites/yuyuan/actions/confirm", json={"incident": UNKNOWN}, headers=operator)
        told.live.drain(2)
        found = await get(told, f"/v1/incidents/{UNKNOWN}/timeline", operator)
        moments = found["moments"]
        said = [(one["kind"], one["what"], one["by"], one["reason"]) for one in moments]
        assert said[:4] == [
            ("incident", "raised", "engine", None),
            ("alert", "raised", "flowwatch", None),
            ("handling", "acknowledge", "operator", "on it"),
            ("handling", "dispatch", "operator", None),
        ]
        assert ("action", "confirm", "operator", "seen") in said
        assert moments[3]["text"] == {"zh": "operator派警：巡逻3组", "en": "operator sent 巡逻3组"}
        assert moments[2]["role"] == "operator"
        assert [one["at"] for one in moments] == sorted(one["at"] for one in moments)
        assert moments[1]["body"]["entry"] == moments[0]["id"]

    run(work())


def test_slips_are_told_and_nothing_is_written(told: Place, run: Run) -> None:
    async def work() -> None:
        supervisor = await told.signed_in("supervisor")
        before = await get(told, "/v1/alerts", supervisor)
        slips = [
            ("dispatch", {}, 400),
            ("dispatch", {"to": "a\nb"}, 400),
            ("feedback", {}, 400),
            ("acknowledge", {"why": "x"}, 400),
            ("defer", {"reason": "x", "until": "2026-10-01T22:00:00"}, 422),
            ("defer", {"reason": "x", "until": "2026-10-01T06:00:00Z"}, 409),
            ("shelve", {"reason": "x", "until": "2027-10-01T06:00:00Z"}, 409),
            ("arrive", {}, 409),
            ("unshelve", {}, 409),
            ("verify", {}, 409),
        ]
        for name, body, status in slips:
            answer = await act(told, name, body, supervisor)
            assert answer.status_code in (status, 422 if status == 400 else status), (name, answer.text)
        answer = await act(told, "note", {"reason": "x"}, supervisor, "yuyuan-i11")
        assert (answer.status_code, answer.json()["did_you_mean"]) == (404, UNKNOWN)
        answer = await told.client.post("/v1/sites/yuyuan/incidents/bund-i1/note", json={"reason": "x"}, headers=supervisor)
        assert answer.status_code == 404
        assert (await told.client.get("/v1/incidents/yuyuan-i99", headers=supervisor)).status_code == 404
        assert (await told.client.get("/v1/incidents/yuyuan-2", headers=supervisor)).status_code == 404
        assert (await told.client.get("/v1/incidents/bund-i1/timeline", headers=supervisor)).status_code == 404
        assert await get(told, "/v1/alerts", supervisor) == before

    run(work())


def test_what_was_put_off_is_seen_and_goes_on(told: Place, run: Run) -> None:
    async def work() -> None:
        supervisor = await told.signed_in("supervisor")
        until = {"reason": "counted at noon", "until": "2026-10-01T15:00:00+08:00"}
        for put, state, back in (("shelve", "shelved_until_at", "unshelve"), ("defer", "deferred_until_at", "resume")):
            assert (await act(told, put, until, supervisor)).status_code == 200
            handling = (await get(told, f"/v1/incidents/{UNKNOWN}", supervisor))["handling"]
            assert handling[state] == "2026-10-01T07:00:00.000000Z"
            assert {clock["state"] for clock in handling["clocks"]} == {"stopped"}
            assert (await act(told, back, {}, supervisor)).status_code == 200
            assert (await get(told, f"/v1/incidents/{UNKNOWN}", supervisor))["handling"][state] is None
        assert (await act(told, "shelve", {"reason": "as long as it lasts"}, supervisor)).status_code == 200
        handling = (await get(told, f"/v1/incidents/{UNKNOWN}", supervisor))["handling"]
        assert (handling["shelved"], handling["shelved_until_at"]) == (True, None)

    run(work())


def test_what_the_service_raises_itself_is_for_who_sees_and_operates_everything(told: Place, run: Run) -> None:
    told.parts.users.add("duty", PASSWORD, [Grant(Role.OPERATOR)])
    told.desk.trouble("webhook", Said("推送“指挥中心”未送达", 'webhook "command room" cannot be delivered'), on=True)

    async def work() -> None:
        operator, duty = await told.signed_in("operator"), await told.signed_in("duty")
        wait_until_told(told, "@service-h1", active=True)
        mine = [one["incident"] for one in (await get(told, "/v1/incidents", operator))["incidents"]]
        assert "@service-h1" not in mine
        assert (await told.client.get("/v1/incidents/@service-h1", headers=operator)).status_code == 404
        assert (await act(told, "acknowledge", {}, operator, "@service-h1")).status_code == 404
        assert "@service" not in {e["id"].rpartition("-")[0] for e in (await get(told, "/v1/alerts", operator))["entries"]}
        everything = {one["incident"]: one for one in (await get(told, "/v1/incidents", duty))["incidents"]}
        assert everything["@service-h1"]["text"]["zh"] == "推送“指挥中心”未送达"
        assert (await act(told, "acknowledge", {}, duty, "@service-h1")).status_code == 200
        assert (await get(told, "/v1/incidents/@service-h1/timeline", duty))["moments"][-1]["by"] == "duty"
        assert (await told.client.get("/v1/sites/@service/gates", headers=duty)).status_code == 404
        assert (await get(told, "/v1/sites/yuyuan/handover", duty))["undelivered"][0]["incident"] == "@service-h1"
        assert (await get(told, "/v1/sites/yuyuan/handover", operator))["undelivered"] == []

    run(work())


def test_a_shift_hands_over_what_it_read(told: Place, run: Run) -> None:
    async def work() -> None:
        operator = await told.signed_in("operator")
        drill = {"stage": "exit_only", "until": "2026-10-01T18:00:00+08:00", "reason": "monthly"}
        assert (await told.client.post("/v1/sites/yuyuan/actions/drill", json=drill, headers=operator)).status_code == 202
        told.live.drain(2)
        wait_until_told(told, "yuyuan-i2", active=True)
        path = "/v1/sites/yuyuan/handover"
        page = await get(told, path, operator)
        assert (page["before"], page["incidents"][0]["incident"]) == (None, UNKNOWN)
        assert [(one["of"], one["value"], one["reason"]) for one in page["held"]] == [("drill", "exit_only", "monthly")]
        assert page["shift"]["alerts"] == 1
        body = {"to": "li", "reason": "end of the night", "digest": page["digest"]}
        await act(told, "acknowledge", {}, operator)
        answer = await told.client.post(path, json=body, headers=operator)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:flowwatch:problem:conflict")
        body["digest"] = answer.json()["digest"]
        answer = await told.client.post(path, json=body, headers=operator)
        assert answer.status_code == 200, answer.text
        step = answer.json()["body"]
        assert (step["act"], step["by"], step["to"], step["reason"]) == ("handover", "operator", "li", "end of the night")
        assert step["detail"]["digest"] == body["digest"]
        assert UNKNOWN in step["detail"]["incidents"]
        told.now.advance(60)
        page = await get(told, path, operator)
        assert (page["before"]["by"], page["before"]["to"], page["shift"]["alerts"]) == ("operator", "li", 0)

    run(work())


def test_alerts_come_by_pages_and_the_load_counts_them(told: Place, run: Run) -> None:
    async def work() -> None:
        viewer, reader = await told.signed_in("viewer"), told.token(Scope.READ)
        told.now.advance(10)
        whole = await get(told, "/v1/alerts", reader)
        assert {entry["kind"] for entry in whole["entries"]} == {"alert"}
        first = await get(told, "/v1/alerts?limit=1", reader)
        second = await get(told, f"/v1/alerts?limit=1&after={first['next']}", reader)
        assert (first["more"], [*first["entries"], *second["entries"]]) == (True, whole["entries"])
        assert {entry["body"]["site"] for entry in (await get(told, "/v1/alerts", viewer))["entries"]} == {"yuyuan"}
        assert (await told.client.get("/v1/alerts?kind=command", headers=viewer)).status_code == 422
        assert (await told.client.get("/v1/alerts?site=bund", headers=viewer)).status_code == 404
        assert (await told.client.get("/v1/alerts?after=x", headers=viewer)).status_code == 400
        load = await get(told, "/v1/alarms/load", viewer)
        assert (load["shown"], load["by_priority"]["IV"], load["broken"]) == (1, 1, [])
        assert (await get(told, "/v1/alarms/load?operators=2", reader))["per_operator_hour"] == 1 / 24
        told.desk.settings = replace(told.desk.settings, operators=4)
        load = await get(told, "/v1/alarms/load", viewer)
        assert (load["operators"], load["per_operator_hour"]) == (4, load["per_hour"] / 4), "as the deployment file says"
        for slip in ("since=2026-10-02T00:00:00Z", "since=2020-01-01T00:00:00Z", "operators=0"):
            assert (await told.client.get(f"/v1/alarms/load?{slip}", headers=viewer)).status_code in (400, 422), slip

    run(work())


def test_without_a_desk_everything_is_read_and_nothing_taken(told: Place, run: Run) -> None:
    told.desk.stop()

    async def work() -> None:
        operator = await told.signed_in("operator")
        assert (await act(told, "acknowledge", {}, operator)).status_code == 503
        assert (await told.client.post("/v1/sites/yuyuan/handover", json={"to": "li"}, headers=operator)).status_code == 503
        assert len((await get(told, "/v1/alerts", operator))["entries"]) == 1

    run(work())


def test_every_step_that_a_person_can_take_has_a_route() -> None:
    assert HANDLERS.keys() == WAYS.keys()
    assert Act.ESCALATE not in HANDLERS
