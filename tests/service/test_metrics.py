"""`GET /metrics`: who may, in which form, and what it tells of a log that was decided."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from flowwatch.feed.webhooks.outbox import Due
from flowwatch.feed.webhooks.subscriptions import Subscription
from flowwatch.metrics.names import BY_SAMPLE, PREFIX
from flowwatch.service.auth.identity import Grant, Role, Scope
from flowwatch.service.metrics import Metrics, Watched
from tests.servers import PROMTOOL, WAIT_S
from tests.service.conftest import Run
from tests.service.place import PASSWORD, SECOND, Place

Told = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def fetched(place: Place, **headers: str) -> httpx.Response:
    return await place.client.get("/metrics", headers=place.token(Scope.METRICS_READ) | headers)


def told(text: str) -> Told:
    found: Told = {}
    for family in text_families(text):
        for sample in family.samples:
            key = sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def of(found: Told, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


async def now(place: Place) -> Told:
    """What a fresh body tells."""
    place.service.metrics.bodies._made.clear()
    return told((await fetched(place)).text)


def test_every_sample_stands_in_the_table_with_its_labels(place: Place, run: Run) -> None:
    async def work() -> None:
        for name, labels in await now(place):
            metric = BY_SAMPLE.get(PREFIX + name)
            if metric is not None:
                assert {label for label, _ in labels} == set(metric.labels)
            else:
                assert name.startswith(("process_", "python_"))

    run(work())


def test_the_alarm_load_is_divided_among_the_operators_of_the_deployment_file(place: Place) -> None:
    place.desk.settings = replace(place.desk.settings, operators=3)
    made = Metrics(place.workspace, place.service.parts, place.service.feed, None, Watched())
    assert made._load._operators == 3
    made.close()


def test_it_is_text_or_openmetrics_as_the_scraper_accepts(place: Place, run: Run) -> None:
    async def work() -> None:
        text = await fetched(place, accept="text/plain;version=0.0.4")
        assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        opened = await fetched(place, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert opened.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        names = {family.name for family in open_families(opened.text)}  # type: ignore[no-untyped-call]
        assert {"flowwatch_zone_capacity_people", "flowwatch_build", "flowwatch_incidents"} <= names
        assert {family.name for family in text_families(text.text)} >= {"flowwatch_zone_capacity_people"}

    run(work())


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=x", "application/json", "text/html, */*;q=0.1", ";;;=,", "é" * 500])
def test_whatever_else_somebody_accepts_gets_text(place: Place, run: Run, accept: str) -> None:
    async def work() -> None:
        headers = [*place.token(Scope.METRICS_READ).items(), ("accept", accept.encode())]
        answer = await place.client.get("/metrics", headers=headers)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")

    run(work())


def test_versions_that_somebody_makes_up_are_not_kept(place: Place, run: Run) -> None:
    async def work() -> None:
        for version in range(20):
            answer = await fetched(place, accept=f"application/openmetrics-text;version={version}.0.0;escaping=e{version}")
            assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert len(place.service.metrics.bodies._made) <= 4

    run(work())


def test_it_is_packed_for_who_can_unpack(place: Place, run: Run) -> None:
    async def work() -> None:
        async with place.client.stream("GET", "/metrics", headers=place.token(Scope.METRICS_READ) | {"accept-encoding": "gzip"}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert b"flowwatch_build_info" in gzip.decompress(raw)
        plain = await fetched(place, **{"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert len(plain.content) > len(raw)

    run(work())


def test_promtool_has_nothing_to_complain_of(place: Place, run: Run) -> None:
    async def work() -> None:
        if PROMTOOL is None:
            pytest.skip("promtool (prometheus) is not installed: this test runs it")
        body = (await fetched(place)).content
        checked = subprocess.run([PROMTOOL, "check", "metrics"], input=body, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

    run(work())


@pytest.mark.parametrize(
    ("scopes", "areas", "status"),
    [((Scope.METRICS_READ,), ("",), 200), ((Scope.METRICS_READ,), ("huangpu",), 403), ((Scope.READ, Scope.FIRE_WRITE), ("",), 403)],
)
def test_a_token_needs_the_scope_everywhere(place: Place, run: Run, scopes: tuple[Scope, ...], areas: tuple[str, ...], status: int) -> None:
    async def work() -> None:
        assert (await place.client.get("/metrics", headers=place.token(*scopes, areas=areas))).status_code == status

    run(work())


def test_a_token_for_some_sites_only_may_not(place: Place, run: Run) -> None:
    async def work() -> None:
        headers = place.token(Scope.METRICS_READ, sites=("yuyuan",))
        assert (await place.client.get("/metrics", headers=headers)).status_code == 403

    run(work())


def test_of_people_an_admin_of_everything_may(place: Place, run: Run) -> None:
    async def work() -> None:
        for name in ("viewer", "operator", "supervisor", "planner", "admin"):
            assert (await place.client.get("/metrics", headers=await place.signed_in(name))).status_code == 403
        assert (await place.client.get("/metrics", headers=await place.signed_in("chief"))).status_code == 200
        place.parts.users.add("watcher", PASSWORD, [Grant(Role.SUPERVISOR)])
        assert (await place.client.get("/metrics", headers=await place.signed_in("watcher"))).status_code == 403
        assert (await place.client.get("/metrics")).status_code == 401

    run(work())


def test_a_body_is_given_to_all_who_ask_within_a_second(place: Place, run: Run) -> None:
    async def work() -> None:
        assert place.service.metrics.bodies._fresh_s == 1
        place.service.metrics.bodies._fresh_s = 600  # however long this test takes
        first = (await fetched(place)).content
        place.live.drain(1)
        assert (await fetched(place)).content == first
        assert (await now(place)) != told(first.decode())

    run(work())


def test_stages_gates_and_incidents_are_those_of_the_journal(place: Place, run: Run) -> None:
    async def work() -> None:
        assert place.desk.caught_up(WAIT_S)
        found = await now(place)
        picture = place.parts.picture.site("yuyuan")
        assert of(found, "plan_stage", site="yuyuan", plan="yuyuan") == 0
        assert of(found, "plan_active_stage_info", site="yuyuan", plan="yuyuan", stage="normal", level="none") == 1
        for gate, body in picture.gates.items():
            assert of(found, "gate_mode_info", site="yuyuan", gate=gate, mode=body["mode"]) == 1
            assert of(found, "gate_command_revision", site="yuyuan", gate=gate) == body["revision"]
        assert of(found, "plan_bar_people", site="yuyuan", plan="yuyuan", stage="exit_only", zone="mall", edge="enter") == 3000
        active = sum(value for (name, labels), value in found.items() if name == "incidents_active" and ("site", "yuyuan") in labels)
        assert active == len(picture.incidents) > 0
        assert of(found, "site_info", site="yuyuan", area="huangpu/yuyuan/yuyuan", title_en="Yuyuan", title_zh="豫园") == 1

    run(work())


def test_a_fire_stands_while_it_is_reported(place: Place, run: Run) -> None:
    async def work() -> None:
        assert of(await now(place), "fire", site="yuyuan") == 0
        before = of(await now(place), "incidents_total", site="yuyuan", what="fire")
        answer = await place.client.post("/v1/sites/yuyuan/actions/fire", json={"state": "on"}, headers=await place.signed_in("operator"))
        assert answer.status_code == 202
        place.live.drain(2)
        found = await now(place)
        assert of(found, "fire", site="yuyuan") == 1
        assert of(found, "fire", site="bund") == 0
        assert before == 0
        assert of(found, "incidents_total", site="yuyuan", what="fire") == 1
        assert (of(found, "gate_commands_total", site="yuyuan", mode="out") or 0) > 0

    run(work())


def test_what_nothing_anchored_has_no_estimate(place: Place, run: Run) -> None:
    async def work() -> None:
        place.live.drain(90)
        found = await now(place)
        assert of(found, "zone_known", site="yuyuan", zone="mall") == 0
        assert of(found, "zone_occupancy_people", site="yuyuan", zone="mall", bound="lower") == 0
        assert of(found, "zone_occupancy_people", site="yuyuan", zone="mall", bound="estimate") is None
        assert of(found, "zone_occupancy_people", site="yuyuan", zone="mall", bound="upper") is None
        assert of(found, "zone_capacity_people", site="yuyuan", zone="site") == 3000

    run(work())


def test_people_are_those_of_the_newest_estimate(place: Place, run: Run) -> None:
    async def work() -> None:
        operator = await place.signed_in("operator")
        answer = await place.client.post("/v1/sites/yuyuan/actions/recount", json={"zone": "mall", "count": 1200}, headers=operator)
        assert answer.status_code == 202
        place.live.drain(90)
        found = await now(place)
        estimate = place.parts.picture.minute("yuyuan")
        assert estimate is not None
        assert of(found, "zone_occupancy_people", site="yuyuan", zone="mall", bound="estimate") == 1200
        assert of(found, "estimate_timestamp_seconds", site="yuyuan") == estimate.at / SECOND
        upper = of(found, "zone_occupancy_people", site="yuyuan", zone="mall", bound="upper")
        assert upper is not None
        assert of(found, "zone_density_people_per_square_meter", site="yuyuan", zone="mall") == pytest.approx(upper / 12_000)

    run(work())


def test_waiting_webhooks_are_counted(place: Place, run: Run) -> None:
    async def work() -> None:
        assert of(await now(place), "webhook_oldest_waiting_seconds") == 0
        one: Subscription = place.courier.subscriptions.add(
            "http://127.0.0.1:9/x", "t", areas=["huangpu/yuyuan"], sites=None, kinds=["alert"], priority=None, by="admin"
        )
        now_us = place.parts.records.now_us()
        for name, age_s in (("test_1", 90), ("test_2", 30)):
            place.courier.outbox.put([Due(one.id, name, b"{}", 0, now_us - age_s * SECOND)], [], now_us)
        found = await now(place)
        assert [of(found, "webhook_outbox_messages", state=state) for state in ("waiting", "delivered", "dead")] == [2, 0, 0]
        assert of(found, "webhook_oldest_waiting_seconds") == 90

    run(work())


def test_a_part_that_cannot_be_read_says_so_and_the_others_are_there(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        def broken(*_: Any) -> None:
            raise OSError("no such disk")

        monkeypatch.setattr(shutil, "disk_usage", broken)
        found = await now(place)
        assert of(found, "metrics_failed", part="log") == 1
        assert of(found, "metrics_failed", part="sites") == 0
        assert of(found, "log_rows", partition="p01") is None
        assert of(found, "plan_stage", site="yuyuan", plan="yuyuan") == 0

    run(work())
