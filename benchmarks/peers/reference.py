"""The right answer, by the plainest loop there is: what every contender must say of the same bytes.

People who came in and went out are summed by site and second; after each second in which a site reported, its figure is compared with the
bars: above `enter` it closes, below `clear` it opens again. A *change* is (site, second since the epoch, closed).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from benchmarks.workload import Lines, Shape

Change = tuple[str, int, bool]


def changes(lines: Lines) -> list[Change]:
    """Every change of the workload, in the order of sites and seconds."""
    sums: dict[str, defaultdict[int, int]] = {}
    for block in lines.blocks(10_000):
        for line in block.splitlines():
            reading = json.loads(line)
            site = reading["counter"].partition("/")[0]
            second = int(datetime.fromisoformat(reading["at"]).timestamp())
            sums.setdefault(site, defaultdict(int))[second] += reading["in"] - reading["out"]
    return [change for site in sorted(sums) for change in _of_site(lines.shape, site, sums[site])]


def _of_site(shape: Shape, site: str, sums: dict[int, int]) -> Iterator[Change]:
    inside, closed = shape.begin, False
    for second in sorted(sums):
        inside += sums[second]
        if (inside < shape.clear) if closed else (inside > shape.enter):
            closed = not closed
            yield site, second, closed
