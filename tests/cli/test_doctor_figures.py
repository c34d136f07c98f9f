"""What the doctor says by the figures: in words that fit them, of a folder nothing twice, and whatever it is given."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.samples import Sample

from flowwatch.cli.findings import SLOW, WHY, Grade
from flowwatch.cli.health import Patient, examine, told
from flowwatch.decided import Note, Place
from flowwatch.figures import DECIDE_BOUNDS_S, LATENCY_BOUNDS_S
from flowwatch.log import Writer, create
from flowwatch.log.settings import inbox_folder
from flowwatch.metrics.judged import AIM_S, INBOX_FILES, SLOW_FROM, SLOW_S, TICK_S, judge
from flowwatch.metrics.names import TABLE, samples
from flowwatch.workspace import Workspace
from tests.journal.story import SECOND, site

NOW: Final = 1_790_834_400.0
DAY: Final = 86_400


def one(name: str, value: float, **labels: str) -> Sample:
    return Sample(f"flowwatch_{name}", labels, value)


def said(*given: Sample) -> list[tuple[str, str]]:
    """What is told of these samples, in Chinese and in English."""
    return [(finding.what("zh"), finding.what("en")) for finding in (told(wrong) for wrong in judge(given, NOW))]


def spread(name: str, bounds: tuple[float, ...], within: int, edge: float, every: int = 1_000) -> list[Sample]:
    """A histogram: so many at or below the edge, the others beyond all edges."""
    counts = [(str(bound), 0 if bound < edge else within) for bound in bounds]
    return [one(f"{name}_bucket", count, le=le) for le, count in [*counts, ("+Inf", every)]]


# ---- an engine of which nothing is known


def test_a_service_that_says_nothing_of_its_engine_is_not_called_fine() -> None:
    assert said(one("build_info", 1, version="1", engine="7")) == [
        (
            "引擎当前没有在决策：从未有过节拍，或日志无法读取",
            "the engine does not decide now: there never was a tick, or the log cannot be read",
        )
    ]


def test_a_service_whose_engine_is_up_is_fine() -> None:
    assert said(one("build_info", 1, version="1", engine="7"), one("engine_up", 1)) == []


def test_an_engine_that_is_behind_is_told_from_one_that_nobody_knows() -> None:
    assert said(one("build_info", 1, version="1", engine="7"), one("engine_up", 0)) == [
        ("引擎当前没有在决策：没有跟上节拍", "the engine does not decide now: it does not keep up with the ticks")
    ]


@pytest.mark.parametrize("words", [*WHY.values(), *SLOW.values()])
def test_every_part_of_a_sentence_is_in_both_languages(words: dict[str, str]) -> None:
    assert words["zh"]
    assert words["en"]


# ---- how long decisions take


def test_slow_ticks_are_told_with_the_edge_that_they_pass_and_the_aim() -> None:
    assert said(*spread("decide_seconds", DECIDE_BOUNDS_S, 980, 0.5)) == [
        (
            "超过 1% 的节拍，处理用时超过 5 秒（目标：0.05 秒以内）",
            "more than one tick in a hundred takes longer than 5 s to decide; the aim is 0.05 s",
        )
    ]


def test_readings_that_wait_too_long_are_told_where_deciding_is_quick() -> None:
    quick, waiting = spread("decide_seconds", DECIDE_BOUNDS_S, 1_000, 0.01), spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, 0, 1.0)
    ((zh, en),) = said(*quick, *waiting)
    assert "从收到读数到完成决策超过 300 秒（目标：1.05 秒以内）" in zh
    assert "longer than 300 s from its oldest reading to the decision; the aim is 1.05 s" in en


def test_readings_that_wait_for_their_tick_only_are_not_told() -> None:
    assert said(*spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, 990, TICK_S + SLOW_S)) == []
    assert len(said(*spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, 989, TICK_S + SLOW_S))) == 1


def test_where_deciding_is_slow_the_wait_for_it_is_not_told_besides() -> None:
    slow = [*spread("decide_seconds", DECIDE_BOUNDS_S, 0, 5.0), *spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, 0, 300.0)]
    assert ["to decide" in en for _, en in said(*slow)] == [True]


def test_longer_ticks_let_readings_wait_longer() -> None:
    waiting = spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, 1_000, 5.0)
    assert len(said(*waiting)) == 1
    assert said(*waiting, one("tick_interval_seconds", 5)) == []


def test_few_ticks_say_nothing_of_speed() -> None:
    assert said(*spread("decide_seconds", DECIDE_BOUNDS_S, 0, 5.0, every=SLOW_FROM - 1)) == []


def test_the_bars_of_speed_are_edges_of_the_histograms() -> None:
    assert {AIM_S, SLOW_S} <= set(DECIDE_BOUNDS_S)
    assert {TICK_S + AIM_S, TICK_S + SLOW_S} <= set(LATENCY_BOUNDS_S)


# ---- counters


def silent(name: str, value: int = 1, last_s: float | None = None) -> list[Sample]:
    heard = [] if last_s is None else [one("counter_last_reading_timestamp_seconds", NOW - last_s, site="yuyuan", counter=name)]
    return [one("counter_silent", value, site="yuyuan", counter=name), *heard]


def test_silent_counters_are_told_by_name_and_for_how_long() -> None:
    assert said(*silent("t-1", last_s=430), *silent("t-2", last_s=5_400), *silent("t-3", value=0, last_s=9_000)) == [
        (
            "yuyuan几近失去观测：3 台计数器中有 2 台数据中断，最长已 1 小时 30 分钟：t-1、t-2",
            "yuyuan is nearly blind: silent counters: 2 of 3, the longest for 1 h 30 min: t-1, t-2",
        )
    ]


def test_counters_that_were_never_heard_are_counted_apart() -> None:
    assert said(*silent("t-1", last_s=45), *silent("t-2")) == [
        (
            "yuyuan几近失去观测：2 台计数器中有 2 台数据中断，最长已 45 秒，其中 1 台从未有过有效读数：t-1、t-2",
            "yuyuan is nearly blind: silent counters: 2 of 2, the longest for 45 s, 1 never heard: t-1, t-2",
        )
    ]


def test_of_many_silent_counters_the_first_are_named_and_the_others_counted() -> None:
    ((zh, en),) = said(*[sample for i in range(8) for sample in silent(f"t-{i}", last_s=60)])
    assert zh.endswith("t-0、t-1、t-2、t-3、t-4，另有 3 个")
    assert en.endswith("t-0, t-1, t-2, t-3, t-4 and 3 more")


# ---- certificates, reasons


@pytest.mark.parametrize(
    ("left_s", "zh", "en"),
    [
        (29.9 * DAY, "还有 29 天到期", "ends in 29 days"),
        (1.5 * DAY, "还有 1 天到期", "ends in 1 day"),
        (3_600, "还有不到 1 天到期", "ends in less than a day"),
        (-3_600, "已于不到 1 天前到期", "ended less than a day ago"),
        (-3.3 * DAY, "已于 3 天前到期", "ended 3 days ago"),
    ],
)
def test_a_certificate_that_has_ended_is_told_from_one_that_will(left_s: float, zh: str, en: str) -> None:
    assert said(one("certificate_expiry_timestamp_seconds", NOW + left_s, certificate="api")) == [
        (f"api 的证书{zh}", f"the certificate of api {en}")
    ]


def test_a_reason_that_only_another_version_knows_is_told_as_it_is() -> None:
    refused = [
        one("readings_total", 500, partition="p", outcome="refused"),
        one("readings_refused_total", 500, partition="p", reason="odd"),
    ]
    assert said(*refused) == [("100% 的读数被拒绝，主要原因：odd", "100% of the readings are refused, mostly: odd")]


# ---- whatever is given


@pytest.mark.parametrize(
    "sample",
    [
        one("log_lag_seconds", 50),
        one("decide_seconds_bucket", 5_000),
        one("decide_seconds_bucket", 5_000, le="soon"),
        one("decide_seconds_bucket", 5_000, le="nan"),
        one("disk_free_bytes", float("nan")),
        one("certificate_expiry_timestamp_seconds", float("-inf"), certificate="api"),
        Sample("other_engine_up", {}, 0.0),
    ],
    ids=str,
)
def test_a_sample_that_cannot_be_understood_says_nothing(sample: Sample) -> None:
    assert said(sample) == []


def any_sample() -> st.SearchStrategy[Sample]:
    """Of any metric, with its labels or without some, and with any value."""
    names = [name for metric in TABLE for name in samples(metric)]
    labels = sorted({label for metric in TABLE for label in metric.labels} | {"le"})
    words = st.sampled_from(["p00", "refused", "waiting", "too_late", "odd", "0.2", "1.2", "+Inf", "nan", ""])
    whole, part = st.fixed_dictionaries(dict.fromkeys(labels, words)), st.dictionaries(st.sampled_from(labels), words)
    values = st.floats() | st.sampled_from([0.0, 1.0, 5e3])
    return st.tuples(st.sampled_from(names), whole | part, values).map(lambda made: Sample(*made))


@given(st.lists(any_sample(), max_size=40), st.integers(0, 2**32))
def test_whatever_the_samples_are_they_are_told_and_in_any_order_the_same(given_: list[Sample], seed: int) -> None:
    once = said(*given_)
    random.Random(seed).shuffle(given_)
    assert said(*given_) == once


# ---- of a folder nothing is told twice


@contextmanager
def running(root: Path, at: int) -> Iterator[Writer]:
    """A live log with one tick at `at`, held by somebody who runs and serves."""
    create(root / "log", clock="wall", partitions=1)
    workspace = Workspace(root)
    workspace.state.mkdir()
    with ExitStack() as owned:
        writer = owned.enter_context(Writer.open(root / "log"))
        writer.append_document(site(), at)
        writer.tick(at)
        writer.commit()
        for lock in (workspace.run_lock, workspace.serve_lock):
            file = owned.enter_context(lock.open("w"))
            file.write(str(os.getpid()))
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield writer


def decided(root: Path, tick: int) -> None:
    note = Note(Workspace(root), "p00")
    note.put(Place(2, tick))
    note.close()


def troubles(root: Path, now_us: int) -> set[str]:
    found = examine(Patient(Workspace(root), None, now_us, lambda _: None))
    return {finding.key for finding in found if finding.grade is Grade.TROUBLE}


@pytest.fixture
def at() -> int:
    """This moment: how old a tick is, the collector sees by the clock on the wall."""
    return time.time_ns() // 1000


def test_an_engine_that_runs_and_never_decided_is_told(tmp_path: Path, at: int) -> None:
    with running(tmp_path, at):
        assert troubles(tmp_path, at) == {"engine_down"}


def test_an_engine_that_keeps_up_is_not_told(tmp_path: Path, at: int) -> None:
    with running(tmp_path, at):
        decided(tmp_path, at)
        assert troubles(tmp_path, at) == set()


def test_of_an_engine_that_lags_only_the_lag_is_told(tmp_path: Path, at: int) -> None:
    with running(tmp_path, at):
        decided(tmp_path, at - 100 * SECOND)
        assert troubles(tmp_path, at) == {"lags"}


def test_where_ticks_are_missing_only_that_is_told(tmp_path: Path, at: int) -> None:
    with running(tmp_path, at - 60 * SECOND):
        assert troubles(tmp_path, at) == {"ticks_missing"}


def test_an_inbox_that_nobody_empties_is_told_while_flowwatch_runs(tmp_path: Path, at: int) -> None:
    with ExitStack() as held:
        held.enter_context(running(tmp_path, at))
        decided(tmp_path, at)
        name = "{:05d}.staged"
        for number in range(INBOX_FILES + 1):
            (inbox_folder(tmp_path / "log") / name.format(number)).touch()
        assert troubles(tmp_path, at) == {"inbox"}
