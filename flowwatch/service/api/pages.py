"""What anybody may see: that the service answers, what its API is, and a page that shows it, with assets of its own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from litestar import Response, get

from flowwatch.service.edge import PAGE_POLICY
from flowwatch.service.given import GivenDocument, InPath
from flowwatch.service.problems import unknown

_STYLE: Final = "text/css"
_KINDS: Final = {"docs.css": _STYLE, "docs.js": "text/javascript", "runbooks.css": _STYLE}


@get("/health", sync_to_thread=False, include_in_schema=False)
def health() -> dict[str, str]:
    """That the service answers; nothing else, because anybody may ask."""
    return {"status": "ok"}


@get("/openapi.json", sync_to_thread=False, include_in_schema=False)
def openapi(document: GivenDocument) -> Response[bytes]:
    """The API as OpenAPI 3.1."""
    return Response(document, media_type="application/json")


@get("/docs", sync_to_thread=False, include_in_schema=False)
def docs() -> Response[bytes]:
    """The page."""
    return _page("docs.html", "text/html")


@get("/docs/{asset:str}", sync_to_thread=False, include_in_schema=False)
def asset(asset: InPath) -> Response[bytes]:
    """Its style and script, and the style of the run books."""
    if asset not in _KINDS:
        raise unknown("not-found", "page", asset, _KINDS)
    return _page(asset, _KINDS[asset])


def _page(name: str, kind: str) -> Response[bytes]:
    headers = {"content-security-policy": PAGE_POLICY.decode(), "cache-control": "no-cache"}
    return Response(_read(name), media_type=kind, headers=headers)


@cache
def _read(name: str) -> bytes:
    return files("flowwatch.service").joinpath("pages", name).read_bytes()
