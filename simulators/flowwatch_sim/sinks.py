"""Where a stream of readings goes: lines on an open file, or a log. One small interface; networks are further sinks (`posting`, `publishing`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Protocol

import numpy as np

from flowwatch.core.readings import ABSENT, Kind
from flowwatch.log import Inbox, Readings, Writer
from flowwatch_sim.stream import Batch
from flowwatch_sim.tally import Tally

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SinkError(Exception):
    """Nobody takes the readings, or nobody ever will; the message says why."""


class Sink(Protocol):
    """Takes batches."""

    def send(self, batch: Batch, start_us: int, late_s: float = 0.0) -> None:
        """Take readings whose times count from `start_us` (UTC), and which are `late_s` behind their schedule already. Raises `SinkError`."""

    def close(self) -> None:
        """Nothing more comes; returns when everything is where it should be. Raises `SinkError`."""

    def taken(self) -> Tally | None:
        """What the receiver answered; None where nobody answers."""


class Texts:
    """The reading format (docs/readings.md), one JSON object a line. `names` are the sites', `counters` those of each of them."""

    def __init__(self, names: Sequence[str], counters: Sequence[str]) -> None:
        self._heads = [[f'{{"counter":"{site}/{counter}","at":"' for counter in counters] for site in names]

    def lines(self, batch: Batch, start_us: int) -> list[str]:
        """A line for each reading, with its end."""
        heads, absolute, cumulative = self._heads, int(Kind.ABSOLUTE), int(Kind.CUMULATIVE)
        times = {at: (_EPOCH + timedelta(microseconds=start_us + at)).isoformat().replace("+00:00", "Z") for at in set(batch.at.tolist())}
        columns = (batch.site, batch.counter, batch.kind, batch.at, batch.ingress, batch.egress, batch.headcount)
        return [
            f'{heads[site][counter]}{times[at]}","inside":{headcount}}}\n'
            if kind == absolute
            else f'{heads[site][counter]}{times[at]}","in_total":{ingress},"out_total":{egress}}}\n'
            if kind == cumulative
            else f'{heads[site][counter]}{times[at]}","in":{ingress},"out":{egress}}}\n'
            for site, counter, kind, at, ingress, egress, headcount in zip(*(c.tolist() for c in columns), strict=True)
        ]


class Lines:
    """An open file of lines in the reading format."""

    def __init__(self, file: BinaryIO, names: Sequence[str], counters: Sequence[str]) -> None:
        self._file, self._texts = file, Texts(names, counters)

    def send(self, batch: Batch, start_us: int, late_s: float = 0.0) -> None:  # noqa: ARG002 - a file does not mind
        """Write the lines."""
        self._file.write("".join(self._texts.lines(batch, start_us)).encode())

    def close(self) -> None:
        """Let the last lines out."""
        self._file.flush()

    def taken(self) -> Tally | None:
        """Nobody answers."""
        return None


class Log:
    """A log, or its inbox while another process holds the lock."""

    def __init__(self, to: Writer | Inbox, names: Sequence[str], counters: Sequence[str]) -> None:
        self._to = to
        self._names = [[f"{site}/{counter}" for counter in counters] for site in names]

    def send(self, batch: Batch, start_us: int, late_s: float = 0.0) -> None:  # noqa: ARG002 - a log does not mind
        """Append the readings and make them durable."""
        n = len(batch)
        if not n:
            return
        names = [self._names[s][c] for s, c in zip(batch.site.tolist(), batch.counter.tolist(), strict=True)]
        self._to.append(
            Readings(
                names,
                batch.kind.astype(np.uint8),
                batch.at + start_us,
                batch.received + start_us,
                np.full(n, ABSENT, np.int64),
                np.zeros(n, np.int32),
                batch.ingress,
                batch.egress,
                batch.headcount,
                lambda i: names[i].encode(),
            )
        )
        self._to.commit()

    def close(self) -> None:
        """Everything is durable already."""

    def taken(self) -> Tally | None:
        """Nobody answers."""
        return None
