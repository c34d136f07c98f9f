"""The figures of the whole installation, for Prometheus to fetch."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import HeaderParameter

from flowwatch.service.given import GivenMetrics
from flowwatch.service.threads import scraped

Accept = Annotated[str, HeaderParameter(name="Accept", max_length=2_000, description="text or OpenMetrics, as Prometheus asks for it")]
Packed = Annotated[str, HeaderParameter(name="Accept-Encoding", max_length=2_000, description="gzip, if it may be packed")]


@get("/metrics", summary="Figures for Prometheus", media_type="text/plain")
@scraped
def metrics(metrics: GivenMetrics, accept: Accept = "", packed: Packed = "") -> Response[bytes]:
    """Everything that `docs/metrics.md` names, of all sites; a body may be a second old."""
    body = metrics.bodies.body(accept, packed="gzip" in packed)
    headers = {"vary": "accept, accept-encoding"} | ({"content-encoding": "gzip"} if body.packed else {})
    # the framework adds the charset of a text by itself
    kind = body.kind.removesuffix("; charset=utf-8") if body.kind.startswith("text/") else body.kind
    return Response(body.data, media_type=kind, headers=headers)
