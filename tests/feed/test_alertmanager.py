"""A real Alertmanager receives what is open, groups it, and resolves it; whatever is killed on either side."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowwatch.documents.secrets import SecretError
from flowwatch.feed.alertmanager import Alertmanagers, Pace, Receiver
from flowwatch.handling.desk import Desk
from flowwatch.handling.records import Act, Said
from tests.handling.tale import START, Room, Tale
from tests.servers import WAIT_S, Alertmanager

URL = "https://flowwatch.example.cn"
CONFIG = Path(__file__).parents[2] / "config" / "alertmanager" / "alertmanager.yaml"
BRISK = Pace(every_s=0.5, look_s=0.02, pause_s=(0.05, 0.2), answer_s=20.0, grace_s=0.0)
ROUTES = """
route: {{receiver: pager, group_by: [site], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: pager, webhook_configs: [{{url: "http://127.0.0.1:{port}/", send_resolved: true}}]}}]
"""


class Pager:
    """What an Alertmanager calls, and what any HTTP server is that answers as it is told."""

    def __init__(self, status: int = 200, says: bytes = b"") -> None:
        self.status, self.says = status, says
        self.heard = threading.Condition()
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with pager.heard:
                    pager.bodies.append(body)
                    pager.headers.append({name.lower(): value for name, value in self.headers.items()})
                    pager.heard.notify_all()
                self.send_response(pager.status)
                self.send_header("content-length", str(len(pager.says)))
                self.end_headers()
                self.wfile.write(pager.says)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def until(self, true: Callable[[list[Any]], bool]) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: true(self.bodies), WAIT_S), self.bodies[-3:]

    def statuses(self, incident: str) -> list[str]:
        """What it was told of an incident, repetitions aside."""
        said = [a["status"] for body in self.bodies for a in body["alerts"] if a["labels"]["incident"] == incident]
        return [status for n, status in enumerate(said) if n == 0 or said[n - 1] != status]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class House:
    """A desk, what the engine says, and feeds."""

    root: Path
    owned: ExitStack
    tale: Tale = field(default_factory=Tale)
    room: Room = field(init=False)
    desk: Desk = field(init=False)
    troubles: list[tuple[str, bool, str]] = field(default_factory=list)
    trouble: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.room = Room(self.root)
        self.tale.write(self.room.journal)
        self.opens()

    def opens(self) -> None:
        self.desk = self.room.desk()
        self.owned.callback(self.desk.stop)

    def says(self, incident: str, state: str, at: float, **more: Any) -> None:
        """The engine says something, and the desk tells it."""
        self.tale.says(incident, state, at, **more)
        self.room.clock.at(at)
        self.tale.write(self.room.journal)

    def feed(self, *urls: str, pace: Pace = BRISK, public_url: str | None = URL, **more: Any) -> Alertmanagers:
        """A service's feed, started."""
        receivers = [Receiver(url, **more) for url in urls]
        made = Alertmanagers(
            receivers, self.desk, self.room.clock, deployment="yuyuan", public_url=public_url, trouble=self._trouble, pace=pace
        )  # fmt: skip
        made.start()
        self.owned.callback(made.stop)
        return made

    def _trouble(self, key: str, text: Said, *, on: bool) -> None:
        with self.trouble:
            self.troubles.append((key, on, text.en))
            self.trouble.notify_all()

    def told(self, key: str, *, on: bool, holding: str = "") -> None:
        """Wait until it was told that somebody cannot be reached, or can."""
        with self.trouble:
            assert self.trouble.wait_for(lambda: any(k == key and o is on and holding in t for k, o, t in self.troubles), WAIT_S), (
                self.troubles
            )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as owned:
        yield House(tmp_path, owned)


@pytest.fixture
def pager() -> Iterator[Pager]:
    made = Pager()
    yield made
    made.close()


@pytest.fixture
def there(tmp_path: Path, pager: Pager) -> Iterator[Alertmanager]:
    place = tmp_path / "alertmanager"
    place.mkdir()
    with Alertmanager(place, ROUTES.format(port=pager.port)) as made:
        ready(made)
        yield made


def ready(server: Alertmanager) -> None:
    until(lambda: _asked(server.url + "/-/ready").is_success)


def _asked(url: str) -> httpx.Response:
    try:
        return httpx.get(url, timeout=WAIT_S, trust_env=False)
    except httpx.TransportError:
        return httpx.Response(503)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so in another process, by asking often."""
    pause = threading.Event()
    for _ in range(WAIT_S * 20):
        if true():
            return
        pause.wait(0.05)
    raise AssertionError("it never came to be so")


def active(server: Alertmanager) -> dict[str, dict[str, Any]]:
    """What fires there, by incident."""
    return {alert["labels"]["incident"]: alert for alert in _asked(server.url + "/api/v2/alerts").json()}


def has(server: Alertmanager, *incidents: str) -> None:
    until(lambda: set(active(server)) == {f"yuyuan-{one}" for one in incidents})


def test_an_incident_fires_with_all_that_who_is_called_must_know_and_resolves_when_it_ends(
    house: House, there: Alertmanager, pager: Pager
) -> None:
    people = {"zone": "mall", "inside_m": 3_000_400, "lower_m": 2_922_000, "upper_m": 3_100_000, "known": True}
    house.tale.known["yuyuan-i1"] = {"what": "fire", "subject": "fire", "since_us": START, "detail": {"people": people}}
    house.says("i1", "raised", 1, instruction={"zh": "请有序离开", "en": "Please leave"})
    house.feed(there.url)
    has(there, "i1")
    found = active(there)["yuyuan-i1"]
    labels = {"alertname": "fire", "deployment": "yuyuan", "site": "yuyuan", "incident": "yuyuan-i1", "subject": "fire"}
    assert found["labels"] == labels | {"severity": "critical", "drill": "false"}
    notes = found["annotations"]
    assert notes["summary"] == house.desk.incidents("yuyuan")[0].alert.text.zh
    assert (notes["instruction"], notes["instruction_en"]) == ("请有序离开", "Please leave")
    assert notes["description"] == "待签收。在场约 3,000 人（2,922 至 3,100 人）。"
    assert notes["description_en"] == "Not acknowledged. About 3,000 people (2,922 to 3,100)."
    assert (notes["runbook_url"], notes["entry"], notes["priority"]) == (f"{URL}/runbooks/fire", "yuyuan-1", "I")
    assert found["generatorURL"] == f"{URL}/v1/incidents/yuyuan-i1"
    assert datetime.fromisoformat(found["startsAt"]) == datetime.fromtimestamp(START / 1e6, UTC)
    ahead = datetime.fromisoformat(found["endsAt"]) - datetime.now(UTC)
    assert 200 < ahead.total_seconds() <= 300
    pager.until(bool)
    house.says("i1", "cleared", 60)
    has(there)
    pager.until(lambda _: pager.statuses("yuyuan-i1") == ["firing", "resolved"])


def test_an_update_is_the_same_alert_and_a_worse_level_is_another(house: House, there: Alertmanager, pager: Pager) -> None:
    plan = {"what": "stage", "level": "III"}
    house.says("i1", "raised", 1, subject="busy", reason="busy", **plan)
    house.feed(there.url)
    has(there, "i1")
    pager.until(lambda _: "firing" in pager.statuses("yuyuan-i1"))
    first = active(there)["yuyuan-i1"]
    assert "subject" not in first["labels"]
    house.tale.known["yuyuan-i1"]["subject"] = "exit_only"
    house.says("i1", "updated", 5, reason="exit_only", **plan)
    until(lambda: active(there)["yuyuan-i1"]["annotations"]["stage"] == "exit_only")
    assert active(there)["yuyuan-i1"]["fingerprint"] == first["fingerprint"]
    house.desk.act("yuyuan", "yuyuan-i1", Act.ACKNOWLEDGE, "wang").result(WAIT_S)
    until(lambda: active(there)["yuyuan-i1"]["annotations"]["handling"] == "acknowledged")
    assert active(there)["yuyuan-i1"]["fingerprint"] == first["fingerprint"]
    house.says("i1", "updated", 9, reason="exit_only", what="stage", level="I")
    until(lambda: [a["labels"]["severity"] for a in _asked(there.url + "/api/v2/alerts").json()] == ["critical"])
    pager.until(
        lambda bodies: (
            {(a["labels"]["severity"], a["status"]) for body in bodies for a in body["alerts"]}
            >= {("warning", "firing"), ("warning", "resolved"), ("critical", "firing")}
        )
    )


def test_several_of_a_site_come_as_one_group(house: House, there: Alertmanager, pager: Pager) -> None:
    house.says("i1", "raised", 1, what="gate_lost", subject="gate/g")
    house.says("i2", "raised", 2, what="recount_needed", subject="mall")
    house.feed(there.url)
    pager.until(lambda bodies: any({a["labels"]["incident"] for a in b["alerts"]} == {"yuyuan-i1", "yuyuan-i2"} for b in bodies))
    groups = _asked(there.url + "/api/v2/alerts/groups").json()
    assert [(group["labels"], len(group["alerts"])) for group in groups] == [({"site": "yuyuan"}, 2)]


def test_what_nobody_need_answer_and_what_something_stands_for_is_not_sent(house: House, there: Alertmanager) -> None:
    house.says("i1", "raised", 1, what="override_active", subject="stage")
    house.says("i2", "raised", 2, what="gate_lost", subject="gate/g")
    house.says("i3", "raised", 3, what="gate_unanswered", subject="gate/g")
    house.says("i4", "raised", 4, what="stage", subject="busy", level="II", drill=True)
    house.feed(there.url)
    has(there, "i2", "i4")
    assert {name: one["labels"]["drill"] for name, one in active(there).items()} == {"yuyuan-i2": "false", "yuyuan-i4": "true"}
    house.desk.act("yuyuan", "yuyuan-i2", Act.SHELVE, "wang", reason="works", until_us=START + 3600 * 10**6).result(WAIT_S)
    has(there, "i4")
    house.desk.act("yuyuan", "yuyuan-i2", Act.UNSHELVE, "wang").result(WAIT_S)
    until(lambda: "yuyuan-i2" in active(there))


def test_an_alertmanager_that_was_killed_knows_everything_again(house: House, there: Alertmanager) -> None:
    house.says("i1", "raised", 1)
    house.says("i2", "raised", 2, what="fire", subject="fire")
    house.feed(there.url)
    has(there, "i1", "i2")
    there.stop(signal.SIGKILL)
    house.told(f"alertmanager/127.0.0.1:{there.port}", on=True)
    house.says("i1", "cleared", 3)
    house.troubles.clear()
    there.start()
    house.told(f"alertmanager/127.0.0.1:{there.port}", on=False)
    has(there, "i2")


def test_what_a_dead_service_left_firing_is_resolved_without_it(house: House, there: Alertmanager, pager: Pager) -> None:
    house.says("i1", "raised", 1)
    feed = house.feed(there.url, pace=Pace(every_s=0.2, lives_s=2.0))
    has(there, "i1")
    pager.until(lambda _: "firing" in pager.statuses("yuyuan-i1"))
    feed.stop()
    has(there)
    pager.until(lambda _: pager.statuses("yuyuan-i1")[-1] == "resolved")


@pytest.mark.parametrize("closed", [True, False])
def test_a_new_service_resolves_what_ended_while_none_was_there(house: House, there: Alertmanager, pager: Pager, closed: bool) -> None:
    house.says("i1", "raised", 1, what="gate_lost" if closed else "gate_contradicted", subject="gate/g")
    house.says("i2", "raised", 2, what="recount_needed", subject="mall")
    feed = house.feed(there.url)
    has(there, "i1", "i2")
    pager.until(lambda _: "firing" in pager.statuses("yuyuan-i1"))
    feed.stop()
    house.says("i1", "cleared", 30)
    until(lambda: not next(i for i in house.desk.lately("yuyuan") if i.name == "yuyuan-i1").active)
    assert next(i for i in house.desk.lately("yuyuan") if i.name == "yuyuan-i1").open is not closed
    house.desk.stop()
    assert "yuyuan-i1" in active(there)
    house.opens()
    house.feed(there.url)
    has(there, "i2")
    pager.until(lambda _: pager.statuses("yuyuan-i1") == ["firing", "resolved"])


def test_an_alertmanager_that_hangs_keeps_no_other_waiting(house: House, there: Alertmanager) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        house.says("i1", "raised", 1)
        house.feed(f"http://127.0.0.1:{deaf.getsockname()[1]}", there.url, pace=Pace(every_s=0.2, look_s=0.02, answer_s=0.5, grace_s=0.0))
        has(there, "i1")
        house.told(f"alertmanager/127.0.0.1:{deaf.getsockname()[1]}", on=True, holding="no answer within 0.5 s")
        house.says("i1", "cleared", 2)
        has(there)


@pytest.mark.parametrize(("status", "says"), [(400, b'"bad labels"'), (302, b""), (503, b"x" * 100_000)])
def test_one_that_refuses_is_told_with_what_it_says_and_tried_again(house: House, status: int, says: bytes) -> None:
    refusing = Pager(status, says)
    house.says("i1", "raised", 1)
    house.feed(f"http://127.0.0.1:{refusing.port}/am/")
    house.told(f"alertmanager/127.0.0.1:{refusing.port}/am", on=True, holding=f"HTTP {status} {says[:30].decode()}".strip())
    refusing.until(lambda bodies: len(bodies) > 3)
    refusing.status, refusing.says = 200, b""
    house.told(f"alertmanager/127.0.0.1:{refusing.port}/am", on=False)
    refusing.close()


def test_the_token_is_read_each_time_and_one_that_cannot_be_had_is_told(house: House, pager: Pager) -> None:
    tokens = iter(["one", "two"])

    def token() -> str:
        found = next(tokens, None)
        if found is None:
            raise SecretError("secrets/am: cannot be read")
        return found

    house.feed(f"http://127.0.0.1:{pager.port}", token=token)
    house.told(f"alertmanager/127.0.0.1:{pager.port}", on=True, holding="secrets/am")
    assert [headers["authorization"] for headers in pager.headers] == ["Bearer one", "Bearer two"]


def test_nothing_is_told_too_and_without_an_address_there_are_no_links(house: House, pager: Pager) -> None:
    house.feed(f"http://127.0.0.1:{pager.port}", public_url=None)
    pager.until(lambda bodies: bodies[-1:] == [[]])
    house.says("i1", "raised", 1)
    pager.until(lambda bodies: bool(bodies[-1]))
    (alert,) = pager.bodies[-1]
    assert "generatorURL" not in alert
    assert "runbook_url" not in alert["annotations"]


def test_more_than_one_request_holds_all_go(house: House, there: Alertmanager) -> None:
    sites = [Tale(f"site-{n}") for n in range(300)]
    for tale in sites:
        tale.says("i1", "raised", 1, what="fire", subject="fire")
        tale.write(house.room.journal)
    house.feed(there.url)
    until(lambda: len(active(there)) == 300)


def ran(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT_S).stdout


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed (Debian: prometheus-alertmanager): it checks the example"
)
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"severity": "critical", "drill": "false"}, "on-call"),
        ({"severity": "error", "drill": "false"}, "on-call"),
        ({"severity": "warning", "drill": "false"}, "duty-room"),
        ({"severity": "info", "drill": "false"}, "record"),
        ({"severity": "critical", "drill": "true"}, "exercise"),
    ],
)
def test_the_example_is_without_fault_and_routes_by_severity(labels: dict[str, str], receiver: str) -> None:
    assert "SUCCESS" in ran(["amtool", "check-config", str(CONFIG)])
    assert (
        ran(["amtool", "config", "routes", "test", f"--config.file={CONFIG}", *(f"{k}={v}" for k, v in labels.items())]).strip() == receiver
    )
