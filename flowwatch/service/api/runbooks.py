"""Run books, for anybody: who is called at night reads first and logs in afterwards. They say nothing of any place."""

from __future__ import annotations

from typing import Any, Literal

from litestar import Request, Response, get
from litestar.params import FromQuery

from flowwatch.handling.runbooks import INDEX, NoRunbookError
from flowwatch.service.edge import PAGE_POLICY
from flowwatch.service.given import InPath
from flowwatch.service.leaf import leaf, preferred
from flowwatch.service.problems import unknown


@get("/runbooks", sync_to_thread=False, include_in_schema=False)
def runbooks(request: Request[Any, Any, Any], lang: FromQuery[Literal["zh", "en"] | None] = None) -> Response[bytes]:
    """All of them, and what they have in common."""
    return _page(request, INDEX, lang)


@get("/runbooks/{kind:str}", sync_to_thread=False, include_in_schema=False)
def runbook(request: Request[Any, Any, Any], kind: InPath, lang: FromQuery[Literal["zh", "en"] | None] = None) -> Response[bytes]:
    """What to do when an incident of that kind is shown."""
    return _page(request, kind, lang)


def _page(request: Request[Any, Any, Any], kind: str, lang: Literal["zh", "en"] | None) -> Response[bytes]:
    chosen = lang or preferred(request.headers.get("accept-language", ""))
    try:
        body = leaf(kind, chosen)
    except NoRunbookError as error:
        raise unknown("not-found", "run book", kind, error.kinds) from error
    headers = {
        "content-security-policy": PAGE_POLICY.decode(),
        "cache-control": "no-cache",
        "content-language": chosen,
        "vary": "Accept-Language",
    }
    return Response(body, media_type="text/html", headers=headers)
