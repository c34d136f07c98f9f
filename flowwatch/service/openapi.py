"""The API as an OpenAPI 3.1 document: what the framework knows of the handlers, with what is said elsewhere put in.

That is: the readings' route and the feed's, which go past the framework; what each route needs of who asks (`routes.NEEDS`); and that every
error is a problem document.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import License
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

import flowwatch
from flowwatch.adapters.ndjson import Reading
from flowwatch.feed.frames import KINDS
from flowwatch.service import stream
from flowwatch.service.problems import MEDIA_TYPE, TYPES
from flowwatch.service.readings import PATH
from flowwatch.service.routes import NEEDS, Need, Where

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "description": "urn:flowwatch:problem:<kind>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "urn:flowwatch:request:<name>, as in X-Request-Id and in the service's log"},
        "did_you_mean": {"type": "string"},
    },
}
_TAKEN: Final = {
    "type": "object",
    "required": ["accepted", "refused", "examples"],
    "properties": {
        "accepted": {"type": "integer"},
        "refused": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "reason -> how many"},
        "examples": {"type": "array", "items": {"type": "object"}},
    },
}


@cache
def document(handlers: tuple[Any, ...]) -> bytes:
    """The document, encoded."""
    nothing = {name: Provide(_nothing(), sync_to_thread=False) for name in ("parts", "identity", "document", "metrics")}
    config = OpenAPIConfig(
        title="flowwatch",
        version=flowwatch.__version__,
        description="Crowd early warning for scenic areas: counts in, the plan's stage and the mode of every gate out.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        operation_id_creator=_operation,
    )
    app = Litestar(deepcopy(list(handlers)), openapi_config=config, dependencies=nothing, logging_config=None)
    api: dict[str, Any] = app.openapi_schema.to_schema()
    components = api.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= {"Problem": _PROBLEM, "Taken": _TAKEN} | _reading()
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "a machine's token, fw_…"},
        "session": {"type": "apiKey", "in": "cookie", "name": "flowwatch_session", "description": "a person's; see POST /v1/session"},
    }
    api["paths"][PATH] = {"post": _readings_route()}
    api["paths"][stream.PATH] = {"get": _feed_route()}
    for path, item in api["paths"].items():
        for method, operation in item.items():
            if (need := NEEDS.get((method.upper(), path))) is not None:
                _complete(operation, need)
    return msgspec.json.encode(api)


def _nothing() -> Callable[[], Any]:
    """Stands for what handlers are given when they run; here none runs."""
    return lambda: None


def _operation(_handler: HTTPRouteHandler, method: Method, parts: list[str | PathParameterDefinition]) -> str:
    """The name of a route: getSitesSiteGates."""
    words = [part if isinstance(part, str) else part.name for part in parts if part != "v1"]
    return method.lower() + "".join(word.capitalize() for word in words)


def _complete(operation: dict[str, Any], need: Need) -> None:
    operation["x-needs"] = told(need)
    operation["security"] = _security(need)
    answers = operation.setdefault("responses", {})
    for status in [s for s in answers if int(s) >= 400]:
        del answers[status]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    titles: dict[int, list[str]] = {}
    for code, title in TYPES.values():
        titles.setdefault(code, []).append(title)
    for code, found in titles.items():
        if code != 500:
            answers[str(code)] = {"description": "; ".join(found), "content": content}


def told(need: Need) -> str:
    """What a route needs, in words."""
    if need.where is Where.PUBLIC:
        return "anybody"
    if need.where is Where.SELF:
        return "a person's session"
    who = [*([f"the role {need.role}"] if need.role else []), *([f"a token with the scope {need.scope}"] if need.scope else [])]
    return f"{' or '.join(who)}{' in the area of the site' if need.where is Where.SITE else ''}"


def _security(need: Need) -> list[dict[str, list[str]]]:
    if need.where is Where.PUBLIC:
        return []
    session: list[dict[str, list[str]]] = [{"session": []}] if need.role is not None or need.where is Where.SELF else []
    return session + ([{"token": []}] if need.scope is not None else [])


def _reading() -> dict[str, Any]:
    _, found = msgspec.json.schema_components([Reading], ref_template="#/components/schemas/{name}")
    for field in found["Reading"]["properties"].values():
        field.pop("default", None)  # "not given" is a number inside and nothing outside
    return found


def _readings_route() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Reading"}
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"}}
    return {
        "operationId": "postReadings",
        "summary": "Bring readings",
        "description": "Lines of readings, a list of them, or one. Answered when they are durable; what is no reading is kept as refused and "
        "counted. A request that is repeated with its Idempotency-Key within 24 hours is answered as before and not taken twice.",
        "parameters": [header | {"description": "any text that no other request of yours has"}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [{"type": "array", "items": one}, one]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "202": {"description": "Taken, durably", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}}}
        },
    }


def _feed_route() -> dict[str, Any]:
    place = {"type": "string", "pattern": "^j\\d{1,18}(\\.[0-9a-f]{8})?-h\\d{1,18}(\\.[0-9a-f]{8})?$"}
    kinds = {"type": "array", "items": {"type": "string", "enum": list(KINDS)}}
    return {
        "operationId": "getFeed",
        "summary": "What happens, as it happens",
        "description": "Server-Sent Events: alerts, steps of handling, transitions, commands, devices, tasks, and every site's newest minute. "
        "With the id of an event, everything behind it and then what comes; without, a snapshot of what stands first. See docs/feed.md.",
        "parameters": [
            {
                "name": "since",
                "in": "query",
                "schema": place,
                "description": "the id of the last event that you have; j0-h0: from the beginning",
            },
            {"name": "site", "in": "query", "schema": {"type": "string", "maxLength": 64}, "description": "of this site only"},
            {
                "name": "kinds",
                "in": "query",
                "style": "form",
                "explode": False,
                "schema": kinds,
                "description": "these kinds of events only",
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "schema": place,
                "description": "as since, and before it; browsers send it by themselves",
            },
        ],
        "responses": {
            "200": {"description": "A stream that does not end by itself", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
        },
    }
