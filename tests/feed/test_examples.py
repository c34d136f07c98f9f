"""The reference clients: the one in a terminal goes on after its own restart, the page in a browser after a cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowwatch.handling.records import Act, Handling
from tests.feed.live import WAIT_S, Live, live, until
from tests.service.place import PASSWORD

EXAMPLES = Path(__file__).parents[2] / "examples"
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@contextmanager
def following(there: Live, *more: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The client in a process."""
    token = there.token()["authorization"].removeprefix("Bearer ")
    command = [sys.executable, EXAMPLES / "follow.py", f"http://127.0.0.1:{there.port}", *more]
    environment = os.environ | {"FLOWWATCH_TOKEN": token, "TZ": "Asia/Shanghai"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_the_client_in_a_terminal_prints_alerts_and_steps_in_both_languages(there: Live) -> None:
    with following(there, "--lang", "zh") as zh, following(there, "--lang", "en") as en:
        assert line(zh) == "当前未办结预警 2 起"
        assert line(en) == "2 incidents are open"
        there.written.alert("yuyuan", "yuyuan-i2")
        there.written.step("yuyuan", "yuyuan-i2")
        there.written.alert("yuyuan", "yuyuan-i2", state="cleared")
        assert [line(zh) for _ in range(3)] == [
            "10-01 14:00:00 [II] yuyuan-i2 太满",
            "10-01 14:00:00   · yuyuan-i2 签收 wang",
            "10-01 14:00:00 [II 解除] yuyuan-i2 太满",
        ]
        assert line(en) == "10-01 14:00:00 [II] yuyuan-i2 Too full"
        assert line(en) == "10-01 14:00:00   · yuyuan-i2 acknowledge wang"
        there.written.step("yuyuan", "", Act.HANDOVER, Handling.NEW)
        assert line(zh) == "10-01 14:00:00   · 交接班 wang"


def test_the_client_in_a_terminal_goes_on_after_a_cut_and_after_its_own_restart(there: Live, tmp_path: Path) -> None:
    keep = tmp_path / "place"
    alerts = [there.written.alert("yuyuan", f"yuyuan-i{number}") for number in range(2, 4)]
    got = []
    keep.write_text("j0-h0\n")
    for _ in range(3):
        with following(there, "--json", "--kinds", "alert", "--keep", keep) as process:
            got += [json.loads(line(process)) for _ in range(2)]
            there.cut()
            alerts.append(there.written.alert("yuyuan", f"yuyuan-i{len(alerts) + 2}"))
            got.append(json.loads(line(process)))
            last = got[-1]["place"]
            until(lambda last=last: keep.read_text().strip() == last)  # type: ignore[misc]
        alerts += [there.written.alert("yuyuan", f"yuyuan-i{len(alerts) + 2 + number}") for number in range(2)]
    assert [event["data"]["id"] for event in got] == [alert.id for alert in alerts[: len(got)]]


def test_the_client_in_a_terminal_says_why_it_is_refused(there: Live) -> None:
    with following(there, "--site", "yuyan") as process:
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1
        assert 'did you mean \\"yuyuan\\"' in said


class Front:
    """The page and the service as one origin, as a proxy makes it; remembers with which places a browser came."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.stop = app.stop
        self.places: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/feed.html":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]})
            await send({"type": "http.response.body", "body": (EXAMPLES / "feed.html").read_bytes()})
            return
        if scope["path"] == "/v1/feed":
            self.places.append(dict(scope["headers"]).get(b"last-event-id", b"").decode())
        await self._app(scope, receive, send)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page is read by a real browser")
def test_a_browser_shows_the_page_and_comes_again_by_itself(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    fronts: list[Front] = []

    def front(app: Any) -> Front:
        fronts.append(Front(app))
        return fronts[0]

    with ExitStack() as owned:
        there = owned.enter_context(live(tmp_path, front))
        driver = owned.enter_context(playwright.sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        owned.callback(browser.close)
        context = browser.new_context(base_url=f"http://127.0.0.1:{there.port}")
        there.written.alert("yuyuan", "yuyuan-i2")
        answer = context.request.post("/v1/session", data={"name": "viewer", "password": PASSWORD})
        assert answer.status == 201
        page = context.new_page()
        page.goto("/feed.html")
        page.wait_for_selector("#stale", state="hidden")
        lines = page.locator("#alerts li")
        playwright.expect(lines).to_have_text(["II yuyuan-i2 太满 / Too full"], timeout=WAIT_S * 1000)
        for number in range(3, 6):
            there.written.alert("yuyuan", f"yuyuan-i{number}", priority="I")
            playwright.expect(lines).to_have_count(number - 1, timeout=WAIT_S * 1000)
            there.cut()
            there.written.alert("yuyuan", "yuyuan-i2", state="cleared")
        last = there.written.alert("yuyuan", "yuyuan-i6", priority="I")
        playwright.expect(lines).to_have_count(5, timeout=WAIT_S * 1000)
        assert lines.all_inner_texts() == [f"I yuyuan-i{number} 太满 / Too full" for number in (6, 5, 4, 3)] + [
            "II yuyuan-i2 太满 / Too full"
        ]
        assert lines.last.get_attribute("class") == "II cleared"
        until(lambda: len(fronts[0].places) >= 4)
        assert fronts[0].places[0] == ""
        assert all(place.startswith("j") for place in fronts[0].places[1:])
        assert last.id == "yuyuan-8"
