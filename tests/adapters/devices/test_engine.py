"""What the engine makes of devices' readings: each counts once, in whatever order and however often it is sent, and in one kind only."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.message import Device
from flowwatch.core.intake import Intake
from flowwatch.core.network import compile_network
from flowwatch.core.readings import NEVER, SECOND, Kind, Reason
from tests.adapters.devices.reading import RECEIVED, event, read
from tests.core.world import Row, block, counter, site

CAMERA = {"44:19:b6:00:00:01": Device("yu/camera")}


@dataclass
class Seen:
    """What was counted of one counter, and what was refused."""

    ingress: int = 0
    egress: int = 0
    inside: int | None = None
    reasons: list[Reason] = field(default_factory=list)


def seen(counts: str, ticks: Sequence[Sequence[Batch]]) -> Seen:
    """What an engine counts whose only counter has this kind, if these batches come before its ticks, one second apart."""
    network = compile_network([("v1", site(counters=[counter("camera", counts, lateness_us=3600 * SECOND)]))], ["yu/camera"])
    intake, told, offset, before = Intake(), Seen(), 0, NEVER
    intake.totals.grow(1)
    for i, batches in enumerate(ticks):
        now = RECEIVED + i * SECOND
        for batch in batches:
            r = batch.readings
            rows = [
                Row(Kind(k), at, 0, a, b, h, s, o, now)
                for k, at, a, b, h, s, o in zip(
                    *(column.tolist() for column in (r.kind, r.at, r.ingress, r.egress, r.headcount, r.seq, r.ordinal)), strict=True
                )
            ]
            fresh = intake.accept(network, block(rows, offset), np.arange(offset, offset + len(rows)), before)
            offset += len(rows)
            moved = intake.count(network, intake.due(network, fresh, now), now)
            told.ingress += int(moved.ingress[0])
            told.egress += int(moved.egress[0])
            if moved.headcounts is not None and len(moved.headcounts):
                told.inside = int(moved.headcounts.headcount[-1])
        before = now
    told.reasons = [Reason(code) for code in intake.refusals()[1].tolist()]
    return told


def interval(minute: int, enter: int, again: str = "false") -> Batch:
    span = {"start": f"2026-10-01T08:{minute:02}:00+08:00", "end": f"2026-10-01T08:{minute + 1:02}:00+08:00"}
    return read("hikvision", event(method="timeRange", time=None, **span, enter=enter, exit=1, again=again), CAMERA)


def running(second: int, enter: int, again: str = "false") -> Batch:
    return read("hikvision", event(time=f"2026-10-01T09:00:{second:02}+08:00", enter=enter, exit=0, again=again), CAMERA)


def test_intervals_that_are_sent_again_count_once() -> None:
    first, second = interval(10, 30), interval(11, 12)
    told = seen("delta", [[first], [second], [interval(10, 30, "true"), interval(11, 12, "true")], [second]])
    assert (told.ingress, told.egress) == (42, 2)
    assert told.reasons == [Reason.DUPLICATE] * 3


def test_totals_that_are_sent_again_count_once() -> None:
    told = seen("cumulative", [[running(1, 100)], [running(5, 140)], [running(1, 100, "true"), running(5, 140, "true")], [running(9, 150)]])
    assert (told.ingress, told.reasons) == (50, [Reason.DUPLICATE, Reason.DUPLICATE])


@pytest.mark.parametrize("seed", range(5))
def test_a_back_fill_in_any_order_with_repeats_counts_each_interval_once(seed: int) -> None:
    dice = random.Random(seed)
    minutes = list(range(10, 40))
    sent = [*minutes, *dice.choices(minutes, k=20)]
    dice.shuffle(sent)
    told = seen("delta", [[interval(minute, minute, dice.choice(["true", "false"]))] for minute in sent])
    assert told.ingress == sum(minutes)
    assert told.reasons == [Reason.DUPLICATE] * 20


@pytest.mark.parametrize(("counts", "people"), [("delta", 30), ("cumulative", 40)])
def test_of_a_camera_that_sends_both_kinds_only_the_declared_one_counts(counts: str, people: int) -> None:
    told = seen(counts, [[running(1, 100), interval(10, 30)], [running(5, 140)]])
    assert told.ingress == people
    assert set(told.reasons) == {Reason.WRONG_KIND}


def test_totals_within_one_second_all_count_and_the_last_person_of_them_too() -> None:
    told = seen("cumulative", [[running(1, 100)], [running(5, 101), running(5, 102)], [running(5, 103)]])
    assert (told.ingress, told.reasons) == (3, [])


def test_a_row_of_the_feed_that_has_not_changed_counts_once_and_a_changed_one_stands() -> None:
    def row(people: int, time: str = "2026-10-01 08:59") -> Batch:
        body = f'{{"rows":[{{"CODE":"7","NUM":{people},"MAX_NUM":3000,"TIME":"{time}"}}]}}'
        return read("shanghai", body.encode(), {"shanghai/7": Device("yu/camera")})

    told = seen("absolute", [[row(61)], [row(61)], [row(61)], [row(64)]])
    assert (told.inside, told.reasons) == (64, [Reason.DUPLICATE] * 2)
    assert seen("absolute", [[row(61, "2022-02-28 10:46")]]).inside == 61, "before the first tick nothing is too late"
    assert seen("absolute", [[row(61)], [row(9, "2022-02-28 10:46")]]).reasons == [Reason.TOO_LATE]
    assert seen("absolute", [[row(61)], [row(9, "2026-10-01 09:06")]]).reasons == [Reason.FAR_FUTURE]
