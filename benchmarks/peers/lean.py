"""The peer to respect: a Bytewax dataflow with one `stateful_map` call a reading, and nothing that the job does not strictly need.

    blocks of lines ──flat_map_batch: decode──▶ (site, reading) ──stateful_map──▶ change or None ──▶ changes

A site's state is (second, inside at its end so far, closed). When a reading of a later second comes, the second before is over and is
judged. So no reading may be late, none is checked, the last second of all is never judged, and a site that falls silent is never looked
at again. Tuned: lines decoded by the block into structs of this workload's fields alone, the site cut from the name by position, time
taken as text (its first 19 characters are the second), state in a tuple.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow

from benchmarks.peers.reference import Change
from benchmarks.peers.source import Kept, Memory, run
from benchmarks.workload import Lines

State = tuple[str, int, bool]
_SITE = len("site-00000")
_SECOND = len("2026-10-01T09:00:00")


class Line(msgspec.Struct, frozen=True, gc=False, rename={"ingress": "in", "egress": "out"}):
    """A line of this workload."""

    counter: str
    at: str
    ingress: int
    egress: int


def changes(lines: Lines, batch: int) -> list[Change]:
    """Every change but those of the last second, as they come; `batch` lines to a block."""
    decode = msgspec.json.Decoder(Line).decode_lines
    begin, enter, clear = lines.shape.begin, lines.shape.enter, lines.shape.clear

    def readings(blocks: list[bytes]) -> Iterable[tuple[str, Line]]:
        return [(line.counter[:_SITE], line) for line in chain.from_iterable(map(decode, blocks))]

    def follow(state: State | None, line: Line) -> tuple[State, tuple[str, bool] | None]:
        second, inside, closed = state or (line.at[:_SECOND], begin, False)
        moved = line.ingress - line.egress
        if line.at.startswith(second):
            return (second, inside + moved, closed), None
        changed = (inside < clear) if closed else (inside > enter)
        return (line.at[:_SECOND], inside + moved, closed ^ changed), (second, not closed) if changed else None

    def told(items: list[tuple[str, tuple[str, bool] | None]]) -> Iterator[tuple[str, str, bool]]:
        return ((site, *change) for site, change in items if change is not None)

    def build(flow: Dataflow, kept: list[Any]) -> None:
        blocks = op.input("blocks", flow, Memory([block] for block in lines.blocks(batch)))
        keyed = op.flat_map_batch("decode", blocks, readings)
        followed = op.stateful_map("follow", keyed, follow)
        op.output("kept", op.flat_map_batch("told", followed, told), Kept(kept))

    return [(site, int(datetime.fromisoformat(f"{second}+08:00").timestamp()), closed) for site, second, closed in run(build)]
