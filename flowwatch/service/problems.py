"""Every error of the service as a problem document (RFC 9457): one shape for programs, one sentence for people.

    {"type": "urn:flowwatch:problem:unknown-site", "title": "Unknown site", "status": 404,
     "detail": "no site \"yuyan\"; did you mean \"yuyuan\"?", "instance": "urn:flowwatch:request:…", "did_you_mean": "yuyuan"}

`type` never changes its meaning; `detail` is for people and may. What a fault of the service itself was stands in its own log, under the
request's name, and never in an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Final

import msgspec

MEDIA_TYPE: Final = "application/problem+json"
TYPES: Final = {
    "bad-request": (400, "The request cannot be read"),
    "bad-cursor": (400, "The cursor cannot be used"),
    "not-signed-in": (401, "Nobody is signed in"),
    "log-in-failed": (401, "The log-in failed"),
    "not-allowed": (403, "This identity may not do that"),
    "forged": (403, "The request did not come from a page of this service"),
    "not-found": (404, "Not found"),
    "unknown-site": (404, "Unknown site"),
    "unknown-name": (404, "Unknown name"),
    "wrong-method": (405, "The resource has no such method"),
    "conflict": (409, "It contradicts what is there"),
    "key-in-use": (409, "A request with this key is under way"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body is of a kind that is not read here"),
    "invalid": (422, "The fields do not say anything that can be done"),
    "key-reused": (422, "Another request had this key"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "A fault of the service"),
    "not-supported": (501, "Not supported"),
    "busy": (503, "The service has as much to do as it can"),
    "unavailable": (503, "What the request needs cannot be reached"),
}
"""Every `type` (after its prefix) with its status and title."""
PREFIX: Final = "urn:flowwatch:problem:"


class Problem(Exception):  # noqa: N818 - it is called a problem
    """An error that the one who asked is told. `kind`: one of `TYPES`; `more`: further members; `headers`: of the answer, in lower case."""

    def __init__(self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status, self.title = TYPES[kind]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def body(self, request: str) -> bytes:
        """The document; `request` is the request's name."""
        members = {"type": PREFIX + self.kind, "title": self.title, "status": self.status, "detail": self.detail}
        return msgspec.json.encode(members | {"instance": f"urn:flowwatch:request:{request}"} | self.more)


def unknown(kind: str, what: str, name: str, known: Iterable[str]) -> Problem:
    """The problem of a name that is not there, with the nearest that is."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    detail = f'no {what} "{name:.80}"'
    if near:
        return Problem(kind, f'{detail}; did you mean "{near[0]}"?', did_you_mean=near[0])
    if names:
        return Problem(kind, f"{detail}; there is {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}")
    return Problem(kind, detail)


def wait(kind: str, detail: str, seconds: float) -> Problem:
    """A problem that passes: with `Retry-After`, whole seconds, 1 at least."""
    return Problem(kind, detail, headers={"retry-after": str(max(1, -int(-seconds // 1)))})


def of_status(status: int, detail: str) -> Problem:
    """The problem that a plain HTTP error is."""
    named = {status: kind for kind, (status, _) in reversed(TYPES.items())}
    kind = named.get(status, "internal" if status >= 500 else "bad-request")
    return Problem(kind, detail or HTTPStatus(status).phrase)
