"""Decoding alone: the bytes become typed objects, and nothing is done with them. What no JSON pipeline on one core can pass.

The type is that of flowwatch's own codec. A line at a time, or a block of lines by one call: the faster is the peer, and it is the block
by far. Beside it the same with the time read as a `datetime`, which any use of a reading needs sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from benchmarks.workload import Lines
from flowwatch.adapters.ndjson import Reading


class Timed(msgspec.Struct, frozen=True, gc=False, rename={"ingress": "in", "egress": "out"}):
    """A reading of this workload with its time read."""

    counter: str
    at: datetime
    ingress: int
    egress: int


def _by_line(lines: Lines, batch: int) -> None:
    decode = msgspec.json.Decoder(Reading).decode
    for block in lines.blocks(batch):
        for line in block.splitlines():
            decode(line)


def _by_block(type_: type[Any]) -> Callable[[Lines, int], None]:
    def run(lines: Lines, batch: int) -> None:
        decode = msgspec.json.Decoder(type_).decode_lines
        for block in lines.blocks(batch):
            decode(block)

    return run


WAYS: Final[dict[str, Callable[[Lines, int], None]]] = {
    "line by line": _by_line,
    "block by block": _by_block(Reading),
    "block by block, times read": _by_block(Timed),
}
"""Each takes the lines and how many to a block."""
