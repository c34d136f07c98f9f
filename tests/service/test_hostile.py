"""The OpenAPI document, and requests made from it that are right, half right and wrong: none of them is a fault of the service."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowwatch.service.auth.identity import Scope
from flowwatch.service.routes import NEEDS, Where
from flowwatch.service.stream import PATH as FEED
from tests.service.conftest import Run
from tests.service.place import Place, make

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.generation import GenerationMode

EXAMPLES = 12


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as owned:
        yield make(tmp_path_factory.mktemp("hostile"), owned)


@pytest.fixture(scope="module")
def identities(there: Place) -> list[dict[str, str]]:
    """Everybody who may do something, and nobody."""

    async def work() -> list[dict[str, str]]:
        people = [await there.signed_in(name) for name in ("supervisor", "chief")]
        return [*people, there.token(*Scope), {}]

    return asyncio.run(work())


@pytest.fixture(scope="module")
def api(there: Place) -> dict[str, Any]:
    document: dict[str, Any] = asyncio.run(there.client.get("/openapi.json")).json()
    return document


def test_the_document_is_openapi_3_1_and_names_every_route(api: dict[str, Any]) -> None:
    assert api["openapi"].startswith("3.1")
    routes = {(method.upper(), path) for path, item in api["paths"].items() for method in item}
    pages = {route for route, need in NEEDS.items() if need.where is Where.PUBLIC and route[0] == "GET"}
    assert routes == NEEDS.keys() - pages
    for item in api["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert operation["x-needs"]
            for status, answer in operation["responses"].items():
                assert int(status) < 400 or list(answer["content"]) == ["application/problem+json"]


@pytest.mark.slow
def test_no_request_made_from_the_document_is_a_fault(
    there: Place, api: dict[str, Any], identities: list[dict[str, str]], run: Run
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(api)
        statuses: dict[int, int] = {}
        for found in schema.get_all_operations():
            operation: Any = found.ok() if isinstance(found, Ok) else None
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                seen = asked(there, operation.as_strategy(generation_mode=mode), identities, run)
                for status, count in seen.items():
                    statuses[status] = statuses.get(status, 0) + count
    assert not [status for status in statuses if status >= 500 and status not in (501, 503)], statuses
    assert {200, 401, 404, 422} <= statuses.keys(), statuses


def asked(there: Place, cases: Any, identities: list[dict[str, str]], run: Run) -> dict[int, int]:
    statuses: dict[int, int] = {}

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
    )
    @given(case=cases, who=st.sampled_from(identities), known=st.booleans())
    def ask(case: Any, who: dict[str, str], known: bool) -> None:
        if known and "site" in (case.path_parameters or {}):
            case.path_parameters["site"] = "yuyuan"
            if "incident" in case.path_parameters:
                case.path_parameters["incident"] = "yuyuan-i1"
        sent = case.as_transport_kwargs(base_url="http://flowwatch.test")
        headers = {str(name): str(value) for name, value in (sent.get("headers") or {}).items()} | who
        body = sent.get("data") if sent.get("json") is None else json.dumps(sent["json"])
        if sent.get("json") is not None:
            headers["Content-Type"] = "application/json"
        request = there.client.build_request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items() if printable(value)],
            content=body if isinstance(body, str | bytes) else None,
        )
        if (request.method, request.url.path) == ("GET", FEED):  # this answer does not end
            sent_headers = {name: value for name, value in headers.items() if printable(value)}
            status = run(there.begun(FEED, sent_headers, request.url.query))
            statuses[status] = statuses.get(status, 0) + 1
            assert status < 500 or status == 503, sent
            return
        answer = run(there.client.send(request))
        there.client.cookies.clear()
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500 or answer.status_code in (501, 503), (sent, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"

    ask()
    return statuses


def printable(value: str) -> bool:
    return all(" " <= sign <= "ÿ" for sign in value)
