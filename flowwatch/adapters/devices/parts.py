"""The parts of a multipart body, cut at its boundary: in one pass, whatever its size, without decoding anything.

Cameras that send pictures with an event wrap both into multipart/form-data or multipart/mixed. The boundary is the content type's, or
where nobody passed that on, the body's first line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_BOUNDARY: Final = re.compile(
    r'multipart/[^;]*;(?:[^"]|"[^"]*")*?boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE | re.ASCII
)
_FIRST_LINE: Final = re.compile(rb"\s*--([^\r\n]{1,200}?)[ \t]*\r?\n(?=[A-Za-z-]+:)", re.ASCII)
_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_LONGEST_HEADERS: Final = 8192
_MOST: Final = 256
"""Parts of one body that are looked at."""


def boundary(body: bytes, content_type: str) -> bytes | None:
    """The boundary of a multipart body, None for a body that is none."""
    said = _BOUNDARY.match(content_type[:1000].strip())
    if said is not None:
        return (said[1] or said[2]).encode(errors="replace")
    first = _FIRST_LINE.match(body[:1000])
    return first[1] if first is not None else None


def parts(body: bytes, mark: bytes) -> Iterator[tuple[str, bytes]]:
    """Each part as its headers (lower case) and its content."""
    line = b"--" + mark
    start = body.find(line)
    for _ in range(_MOST):
        if start < 0:
            return
        begin = start + len(line)
        start = body.find(line, begin)
        headers = _HEADERS_END.search(body, begin, begin + _LONGEST_HEADERS)
        end = len(body) if start < 0 else start
        if headers is not None and headers.end() <= end:
            yield body[begin : headers.start()].decode("latin-1").lower(), body[headers.end() : end].strip(b"\r\n")
