"""What is told by the minute: each site's estimates, each partition's refusals. Bodies only; when they are due is the engine's."""

from __future__ import annotations

import base64
import functools
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from flowwatch.core.network import Network
from flowwatch.core.occupancy import Figures, Occupancy
from flowwatch.core.readings import SECOND, Bytes, Ints, Reason


def phases(sites: Sequence[str]) -> Ints:
    """(S,) the second of the minute (microseconds) at which each site reports: spread by name, so that minutes cost the same all along."""
    return np.array([zlib.crc32(site.encode()) % 60 * SECOND for site in sites], np.int64).reshape(len(sites))


def minute_bodies(
    network: Network, occupancy: Occupancy, figures: Figures, due: Ints, stages: Sequence[str | None], tick: int
) -> Iterator[tuple[str, bytes]]:
    """The minute of each site in `due` as (site, canonical JSON); `stages` (len(due),) their active stages."""
    n = len(network.zones)
    turn = np.full(len(network.sites), -1, np.int64)
    turn[due] = np.arange(len(due))
    silent: dict[int, list[str]] = {}
    if occupancy.silent.any():
        mute = np.flatnonzero(occupancy.silent[network.feed_counter] & (turn[network.counter_site[network.feed_counter]] >= 0))
        for c, target in zip(network.feed_counter[mute].tolist(), network.feed_target[mute].tolist(), strict=True):
            silent.setdefault(target, []).append(network.counters[c].split("/", 1)[1])
    zones = occupancy.zones
    where = np.flatnonzero(turn[network.zone_site] >= 0)
    sums = {s: (0, -int(occupancy.within[s]), -int(occupancy.within[s])) for s in due.tolist()}
    parts: dict[int, list[tuple[str, str]]] = {s: [] for s in due.tolist()}
    columns = (zones.raw[where].tolist(), zones.people_in[where].tolist(), zones.people_out[where].tolist())
    for z, raw, people_in, people_out in zip(where.tolist(), *columns, strict=True):
        s = int(network.zone_site[z])
        name = network.target_name(z)
        parts[s].append((name, _zone(name, figures, z, raw, people_in, people_out, silent.get(z))))
        if network.is_root[z]:
            sums[s] = (sums[s][0] + raw, sums[s][1] + people_in, sums[s][2] + people_out)
    for s in due.tolist():
        parts[s].append(("site", _zone("site", figures, n + s, *sums[s], silent.get(n + s))))
    for s, stage in zip(due.tolist(), stages, strict=True):
        inner = ",".join(text for _, text in sorted(parts[s]))
        site = network.sites[s]
        yield site, f'{{"minute_us":{tick},"site":{_quoted(site)},"stage":{_quoted(stage)},"zones":{{{inner}}}}}'.encode()


@functools.lru_cache(maxsize=65_536)
def _quoted(text: str | None) -> str:
    """A name in JSON; the same few are written every minute."""
    return json.dumps(text, ensure_ascii=False)


def _zone(name: str, figures: Figures, target: int, raw: int, people_in: int, people_out: int, silent: list[str] | None) -> str:
    known = bool(figures.known[target])
    mute = ",".join(map(_quoted, sorted(silent))) if silent else ""
    return (
        f'{_quoted(name)}:{{"in":{people_in},"inside_m":{figures.inside[target]},"known":{"true" if known else "false"},'
        f'"lower_m":{figures.lower[target]},"out":{people_out},"raw_m":{raw},"silent":[{mute}],'
        f'"upper_m":{figures.upper[target] if known else "null"}}}'
    )


def refusals_body(partition: str, minute: int, refs: Sequence[tuple[Ints, Bytes]]) -> dict[str, Any]:
    """One minute's refusals of a partition: counts by reason, and where the refused rows stand in the log, packed."""
    offsets, reasons = (np.concatenate(column) for column in zip(*refs, strict=True))
    codes, counts = np.unique(reasons, return_counts=True)
    packed = offsets.astype("<i8").tobytes() + reasons.tobytes()
    return {
        "partition": partition,
        "minute_us": minute,
        "counts": {Reason(int(code)).name.lower(): int(count) for code, count in zip(codes, counts, strict=True)},
        "refs": base64.b64encode(packed).decode(),
    }
