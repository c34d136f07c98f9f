"""A process that appends until it is killed, and tells over its standard output what was committed: one line of partition ends a commit.

Every reading carries the number of its counter's readings before it as its sequence number, so that a gap or a repetition shows.
"""

from __future__ import annotations

import random
import sys

import numpy as np

from flowwatch import log
from flowwatch.core.readings import Kind
from tests.log.making import SECOND, document, readings


def main(path: str, seed: int) -> None:
    """Append to the log at `path`, going on where the last process left it."""
    draw = random.Random(seed)
    with log.Writer.open(path, segment_bytes=60_000) as writer:
        counts = {}
        for site in ("a", "b", "c"):
            if site not in writer.documents:
                writer.append_document(document(site, ["x"]), 1)
                writer.commit()
            counts[site] = _count(path, writer.routing[site].partition, f"{site}/x")
        second = max(writer.last_tick_us, 0) // SECOND
        print("open", flush=True)
        while True:
            for site in draw.sample(["a", "b", "c"], draw.randint(1, 3)):
                n = draw.choice([1, 3, 50, 700])
                writer.append(readings([f"{site}/x"] * n, counts[site]))
                counts[site] += n
            if draw.random() < 0.7:
                second += 1
                writer.tick(second * SECOND)
            writer.commit()
            print(*(f"{name}={end}" for name, end in writer.ends.items()), flush=True)


def _count(path: str, partition: str, counter: str) -> int:
    with log.Reader(path, partition) as reader:
        code = reader.names().index(counter)
        return sum(int(np.count_nonzero((block.kind == Kind.DELTA) & (block.counter == code))) for block in reader.walk(0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
