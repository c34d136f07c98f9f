"""What every answer has: problems, headers, names of requests; and the pages of the documentation."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from flowwatch.service.auth.identity import Scope
from flowwatch.service.problems import TYPES, Problem, of_status
from tests.service.conftest import Run
from tests.service.place import Place


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()
    assert answer.status_code == found["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert found["type"].removeprefix("urn:flowwatch:problem:") in TYPES
    assert found["title"]
    assert found["detail"]
    assert found["instance"] == f"urn:flowwatch:request:{answer.headers['x-request-id']}"
    return found


def test_every_error_is_a_problem(place: Place, run: Run) -> None:
    async def work() -> None:
        client, token = place.client, place.token(Scope.READ)
        assert problem(await client.get("/v1/site", headers=token), 404)["did_you_mean"] == "/v1/sites"
        found = await client.delete("/v1/sites", headers=token)
        problem(found, 405)
        assert "GET" in found.headers["allow"]
        problem(await client.get("/v1/sites/yuyuann", headers=token), 404)
        problem(await client.get("/v1/journal?limit=0", headers=token), 422)
        problem(await client.get("/v1/sites"), 401)
        problem(await client.get("/v1/users", headers=token), 403)
        large = {"name": "x", "password": "y" * 1_100_000}
        assert problem(await client.post("/v1/session", json=large), 413)
        problem(await client.post("/v1/session", json=["x"]), 422)
        problem(await client.post("/v1/session", content=b"{", headers={"content-type": "application/json"}), 400)
        answer = await client.get("/v1/readings", headers=token)
        problem(answer, 405)
        assert answer.headers["allow"] == "POST"

    run(work())


def test_a_fault_of_the_service_tells_nothing_but_its_name(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    async def work() -> None:
        token = place.token(Scope.READ, Scope.READINGS_WRITE)
        monkeypatch.setattr(type(place.parts.picture), "site", fault)
        for answer in (
            await place.client.get("/v1/sites/yuyuan", headers=token),
            await place.client.get("/v1/sites", headers=token),
        ):
            assert "secret detail" not in problem(answer, 500)["detail"]
        monkeypatch.setattr(type(place.service.app._readings), "answer", fault)
        answer = await place.client.post("/v1/readings", content=b"{}", headers=token)
        assert "secret detail" not in problem(answer, 500)["detail"]

    run(work())


def test_every_answer_has_the_headers(place: Place, run: Run) -> None:
    async def work() -> None:
        for path in ("/health", "/docs", "/docs/docs.js", "/openapi.json", "/nowhere", "/v1/sites"):
            answer = await place.client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert re.fullmatch("[0-9a-f]{16,}", answer.headers["x-request-id"])
            assert "server" not in answer.headers

    run(work())


def test_the_documentation_brings_its_own_assets_and_nothing_inline(place: Place, run: Run) -> None:
    async def work() -> None:
        page = await place.client.get("/docs")
        assert "unsafe" not in page.headers["content-security-policy"]
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert assets
        for asset in assets:
            assert asset.startswith("/")
            assert (await place.client.get(asset)).status_code == 200
        assert not re.search(r"<script>|<style|style=|\son\w+=", page.text)
        script = (await place.client.get("/docs/docs.js")).text
        assert "innerHTML" not in script
        assert "://" not in script
        for name in ("secrets", "..%2fapp.py", "docs.html"):
            assert (await place.client.get(f"/docs/{name}")).status_code == 404

    run(work())


def test_options_tell_the_methods_and_nothing_else(place: Place, run: Run) -> None:
    async def work() -> None:
        answer = await place.client.options("/v1/sites")
        assert answer.status_code in (200, 204)
        assert answer.content == b""
        assert "access-control-allow-origin" not in answer.headers

    run(work())


def test_statuses_have_their_problem() -> None:
    assert of_status(404, "").kind == "not-found"
    assert of_status(418, "").kind == "bad-request"
    assert of_status(502, "x").kind == "internal"
    assert Problem("busy", "x").status == 503
