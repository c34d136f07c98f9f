"""`flowwatch-sim fit`: a known demand is found again in its counts, and what an archive cannot tell is not told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.adapters.ingest import Source as File
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import load_import
from flowwatch.documents import Source, shipped
from flowwatch_sim.cli.main import main
from flowwatch_sim.fitting.archive import Counts, NoDemandError, read_counts
from flowwatch_sim.fitting.days import split
from flowwatch_sim.fitting.drawn import counts, stream_of
from flowwatch_sim.fitting.fit import fit, kept_back
from flowwatch_sim.fitting.staying import stay_s
from flowwatch_sim.fitting.template import interpolation, spread, weights
from flowwatch_sim.fitting.variation import Estimate, variation
from flowwatch_sim.fitting.writing import WHY_NO_STAY, scenario_file
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.scenario import DayKind
from flowwatch_sim.verification.fitting import GATES, counted, found_in, known

SHANGHAI = ZoneInfo("Asia/Shanghai")
GATE = {"gate-1": "gate-1", "gate-2": "gate-2"}


def run(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


# -- found again ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 1000, 2000])
@pytest.mark.parametrize("slot_s", [60, 180, 300])
def test_a_known_demand_is_found_again_within_its_errors(seed: int, slot_s: int) -> None:
    (stream,) = found_in(counted(seed, slot_s)).streams
    for kind, people in ((DayKind.WORKDAY, 12_000), (DayKind.WEEKEND, 20_000)):
        found = stream.kinds[kind].people
        assert abs(found.value - people) < 5 * max(found.error, 0.005 * people)
    assert stream.ratio is not None
    assert stream.unrest is not None
    assert abs(stream.ratio.value - 2.2) < 4 * stream.ratio.error
    assert abs(stream.unrest.value - 0.15) < 4 * stream.unrest.error
    assert stream.entrances["north"] / sum(stream.entrances.values()) == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("unrest", [0.5, 1.5])
def test_pulses_that_no_groups_make_are_found_again_as_turns(unrest: float) -> None:
    days = counted(3, stream=lambda kind: known(kind, turns_s=180.0, unrest=unrest))
    streams = fit(days, {gate: gate for gate in GATES}, each=True).streams
    busy = max(streams, key=lambda stream: sum(stream.entrances.values()))
    assert busy.turns_s == 180.0
    assert busy.unrest is not None
    assert busy.unrest.value == pytest.approx(unrest, abs=max(0.05, 4 * busy.unrest.error))


def test_what_is_fitted_draws_days_like_those_it_was_fitted_to() -> None:
    days = counted(5)
    found = found_in(days)
    again = np.stack([counts(stream_of(found, found.streams[0], DayKind.WORKDAY), 2, 0, seed, days.slot_s) for seed in range(20)], axis=1)
    workdays = [i for i, kind in enumerate(days.kinds) if kind is DayKind.WORKDAY]
    was = days.into[:, workdays].reshape(2, len(workdays), days.hours, -1).sum(axis=3).mean(axis=1)
    now = again.reshape(2, 20, days.hours, -1).sum(axis=3).mean(axis=1)
    assert np.abs(now - was).sum() / was.sum() < 0.05


@pytest.mark.parametrize("length_s", [1800.0, 5400.0])
def test_a_stay_is_found_again_whatever_either_way_misses(length_s: float) -> None:
    random = np.random.default_rng(7)
    days = counted(9, weeks=1)
    late = np.zeros_like(days.into)
    wide = days.into.shape[2] + 160
    into, out = np.zeros((2, 7, wide), np.int64), np.zeros((2, 7, wide), np.int64)
    into[..., : late.shape[2]] = days.into
    for c, d in np.ndindex(2, 7):
        came = np.repeat(np.arange(wide), into[c, d]) * 180.0 + random.uniform(0, 180.0, into[c, d].sum())
        left = came + random.gamma(2.0, length_s / 2, len(came))
        out[c, d] = np.histogram(left[random.random(len(left)) > 0.05], np.arange(wide + 1) * 180.0)[0]
    enclosed = replace(days, into=into, out=out, measured=np.ones(into.shape, np.bool_), both_ways=True)
    found = stay_s(enclosed, [0, 1], enclosed=True)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(length_s, rel=0.03)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("one_way", lambda days: replace(days, both_ways=False)),
        ("unlike", lambda days: replace(days, both_ways=True, out=days.into // 2)),
        ("open", lambda days: replace(days, both_ways=True, into=days.into * 0 + 5, out=days.into * 0 + 5)),
        ("holes", lambda days: replace(days, both_ways=True, out=days.into, measured=days.measured & (np.arange(260) < 200))),
    ],
)
def test_a_stay_that_cannot_be_told_is_not_told(why: str, change: Callable[..., object]) -> None:
    days = change(counted(1, weeks=1))
    assert stay_s(days, [0, 1], enclosed=True) == why  # type: ignore[arg-type]
    assert stay_s(days, [0, 1], enclosed=False) == "ways"  # type: ignore[arg-type]
    assert set(WHY_NO_STAY) == {"ways", "one_way", "unlike", "open", "holes", "unsure"}


# -- properties -------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 400), min_size=2, max_size=14),
    st.sampled_from([60, 180, 300, 900, 1800, 3600]),
)
def test_weights_give_back_as_many_people_as_were_counted(hours: list[int], slot_s: int) -> None:
    per_hour = 3600 // slot_s
    people = np.repeat(np.array(hours, float), per_hour) / per_hour
    fitted = spread(weights(people, np.ones(len(people)), slot_s), len(people), slot_s)
    assert fitted.sum() == pytest.approx(people.sum(), rel=1e-6, abs=1e-6)
    assert (fitted >= 0).all()


@given(st.integers(1, 24), st.sampled_from([60, 180, 300, 600, 1800, 3600]))
def test_every_slot_lies_between_hours(hours: int, slot_s: int) -> None:
    shape = interpolation(hours * 3600 // slot_s, slot_s)
    assert shape.shape == (hours * 3600 // slot_s, hours)
    assert np.allclose(shape.sum(axis=1), 1.0)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.3, 3.0))
def test_a_day_with_more_people_than_another_is_no_unrest(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    expected = np.full((6, 160), 50.0)
    people = random.poisson(expected * np.array([1.0, factor, 1.0, factor, 1.0, factor])[:, None]).astype(float)
    found = variation(people, expected, np.ones(people.shape, np.bool_), 180)
    assert found.unrest is not None
    assert found.unrest.value < 0.12


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_day_foreseen_by_its_like_is_as_it_was_foreseen(seed: int) -> None:
    days = counted(1, weeks=1)
    same = replace(days, into=np.repeat(days.into[:, :1], 7, axis=1) + seed % 3)
    for kept in kept_back(same, {gate: gate for gate in GATES}):
        assert kept.people == pytest.approx(1.0)
        assert kept.hourly == pytest.approx(0.0, abs=1e-9)


# -- archives ---------------------------------------------------------------------------------------------------------------------------


def grid(people: np.ndarray[tuple[int, ...], np.dtype[np.int64]], first: datetime, slot_s: int = 180) -> Counts:
    counters = tuple(f"gate-{i + 1}" for i in range(len(people)))
    return Counts(
        "yuyuan",
        counters,
        slot_s,
        round(first.timestamp() * 1e6),
        people,
        np.zeros_like(people),
        np.ones(people.shape, np.bool_),
        both_ways=False,
        left_out={},
    )


def test_a_counter_that_was_dead_takes_nothing_from_the_people() -> None:
    random = np.random.default_rng(1)
    rate = np.tile(np.concatenate([np.zeros(160), np.full(240, 40.0), np.zeros(80)]), 4)
    people = random.poisson(np.stack([rate, rate]))
    dead = people.copy()
    dead[0, 2 * 480 + 200 : 2 * 480 + 400] = 0
    whole, holed = (
        split(grid(one, datetime(2026, 10, 12, tzinfo=SHANGHAI)), SHANGHAI, (0, 24), "CN", ["workday"]) for one in (people, dead)
    )
    assert (whole.outage_hours, holed.outage_hours) == (0.0, 14.0)  # to the end of the day, since nothing says when it was mended
    found = fit(holed, GATE).streams[0].kinds[DayKind.WORKDAY].people.value
    assert found == pytest.approx(fit(whole, GATE).streams[0].kinds[DayKind.WORKDAY].people.value, rel=0.02)
    assert holed.measured[0, 2].sum() == 200


def test_days_are_of_the_kind_of_the_calendar() -> None:
    people = np.ones((1, 480 * 12), np.int64)
    days = split(grid(people, datetime(2026, 9, 30, tzinfo=SHANGHAI)), SHANGHAI, (0, 24), "CN")
    kinds = dict(zip(days.dates, days.kinds, strict=True))
    assert kinds[date(2026, 9, 30)] is DayKind.WORKDAY
    assert kinds[date(2026, 10, 1)] is DayKind.HOLIDAY
    assert kinds[date(2026, 10, 10)] is DayKind.WORKDAY  # a Saturday on which people work
    assert kinds[date(2026, 10, 11)] is DayKind.WEEKEND


def lines(gate: str, counted_by: str, start: datetime, totals: list[int]) -> str:
    at = [start + timedelta(minutes=5 * i) for i in range(len(totals))]
    return "".join(f'{{"counter": "{gate}", "at": "{t.isoformat()}", "{counted_by}": {n}}}\n' for t, n in zip(at, totals, strict=True))


def read(file: Path, mapping: Path | None = None) -> Counts:
    document = None if mapping is None else load_import(mapping)
    return read_counts([File(lambda: opened(file), document)], document)


def test_running_totals_count_from_row_to_row_and_nothing_over_a_reset(tmp_path: Path) -> None:
    file = tmp_path / "totals.ndjson"
    file.write_text(lines("yuyuan/t-1", "in_total", datetime(2026, 10, 1, 9, tzinfo=SHANGHAI), [100, 110, 125, 3, 10]), encoding="utf-8")
    found = read(file)
    assert found.slot_s == 300
    assert found.into[0, found.measured[0]].tolist() == [10, 15, 7]
    assert found.left_out == {"negative_count": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found no row that can be read, expected counts of people who pass"),
        ("nonsense\n", "found no row that can be read (1 unreadable)"),
        ('{"counter": "a/b", "at": "2026-10-01T09:00:00+08:00", "inside": 4}\n', "found headcounts (counts: absolute)"),
        ('{"counter": "a/b", "at": "2026-10-01T09:00:00+08:00", "in_total": 4}\n', "expected two rows of a counter at least"),
        (
            '{"counter": "a/b", "at": "2026-10-01T09:00:00+08:00", "in": 4}\n{"counter": "a/b", "at": "2026-10-01T13:00:00+08:00", "in": 4}\n',
            "found a count every 4.0 h, expected one an hour at least",
        ),
        (
            '{"counter": "a/b", "at": "2026-10-01T09:00:00+08:00", "in": 4}\n{"counter": "c/b", "at": "2026-10-01T09:00:00+08:00", "in": 4}\n',
            "found counters of 2 sites, expected --site with one of a, c",
        ),
    ],
)
def test_an_archive_without_a_demand_says_what_it_lacks(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "archive.ndjson"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NoDemandError) as caught:
        read(file)
    assert told in str(caught.value)


# -- the command ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two weeks of Yuyuan's turnstiles 1 and 2, in flowwatch's own format, in and out, from 8 to 22 o'clock."""
    site = read_scenario(Source("s.yaml", SCENARIO.encode()), shipped()).loaded.site
    names = [c["counter"] for c in site["counters"] if c["gate"] is not None][:2]
    random = np.random.default_rng(3)
    rows = []
    for day in range(14):
        start = datetime(2026, 10, 12, 8, tzinfo=SHANGHAI) + timedelta(days=day)
        for name in names:
            people = random.poisson(np.interp(np.arange(168), [0, 60, 120, 168], [1, 30, 40, 1]) * (1.5 if start.weekday() >= 5 else 1))
            rows.append(lines(f"yuyuan/{name}", "in", start + timedelta(minutes=5), people.tolist()))
    file = tmp_path / "yuyuan.ndjson"
    file.write_text("".join(rows), encoding="utf-8")
    return file


SCENARIO = """
scenario: s
title: {zh: 场景, en: s}
site: yuyuan
starts: 2026-10-12 09:00
lasts: 1h
streams: [{stream: v, people: 10, stay: 10m}]
"""


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_is_written_runs_at_a_known_site_and_on_every_kind_of_day(archive: Path, tmp_path: Path, lang: str) -> None:
    out = tmp_path / "fitted.yaml"
    _, told = run("fit", archive, "--calendar", "CN", "--hours", "8-22", "--out", out, "--lang", lang, "--plot", tmp_path / "fit.png")
    assert ("工作日" if lang == "zh" else "workday: ") in told
    text = out.read_text(encoding="utf-8")
    for starts, most in (("2026-10-23", 1.0), ("2026-10-24", 1.5)):
        planned = read_scenario(Source("fitted.yaml", text.replace("starts: 2026-10-23", f"starts: {starts}").encode()), shipped())
        expected = 2 * np.interp(np.arange(168), [0, 60, 120, 168], [1, 30, 40, 1]).sum() * most
        assert planned.streams[0].rate.sum() == pytest.approx(expected, rel=0.03)
    assert planned.scenario.calendar == "CN"
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_what_is_written_can_be_lived_through(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "fitted.yaml"
    run("fit", archive, "--hours", "9-12", "--out", out)
    told, _ = run("run", out, "--runs", "1", "--processes", "1")
    assert "yuyuan-fitted at yuyuan" in told


def test_a_stream_for_each_entrance_and_days_that_are_kept_out(archive: Path) -> None:
    out, told = run("fit", archive, "--calendar", "CN", "--hours", "8-22", "--each", "--keep-out", "2026-10-12", "--lang", "en")
    assert out.count("- stream: ") == 2
    assert "mean of 9 workdays" in out
    assert "days are of one kind" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--calendar", "China"], 'did you mean "CN"?'),
        (["--kinds", "workdays"], 'did you mean "workday"?'),
        (["--hours", "22-9"], "expected an hour and a later one, up to 36, such as 9-23 or 18-26"),
        (["--time-zone", "Shanghai"], 'did you mean "Asia/Shanghai"?'),
        (["--keep-out", "2026-10-32"], 'found "2026-10-32", expected one of 2026-10-12'),
        (["--mapping", "sial"], 'did you mean "sail"?'),
        (["--site", "yuyaun"], 'did you mean "yuyuan"?'),
    ],
)
def test_what_cannot_be_meant_is_told(archive: Path, arguments: list[str], told: str) -> None:
    _, error = run("fit", archive, *arguments, code=2)
    assert told in error


def test_an_archive_of_other_counters_is_told_with_the_site_s(tmp_path: Path) -> None:
    file = tmp_path / "other.ndjson"
    file.write_text(lines("yuyuan/turnstyle-1", "in", datetime(2026, 10, 12, 9, tzinfo=SHANGHAI), [1, 2, 3]), encoding="utf-8")
    _, error = run("fit", file, code=2)
    assert 'such as "turnstyle-1"' in error
    assert 'did you mean "turnstile-1' in error


def test_a_scenario_is_the_same_text_each_time() -> None:
    first, second = (scenario_file(found_in(counted(4)), "counts", "CN", "en") for _ in range(2))
    assert first == second
    assert "groups: 1." in first


# -- real archives ----------------------------------------------------------------------------------------------------------------------


def test_a_door_counted_both_ways_tells_how_long_people_stay(data_dir: Path) -> None:
    out, told = run("fit", data_dir / "calit2" / "CalIt2.data", "--mapping", "calit2", "--calendar", "US", "--enclosed", "--lang", "en")
    assert "groups: 1.2   # ASSUMED: the counts cannot tell" in out
    assert "stay: 86" in told


def test_a_station_hall_is_never_empty_so_its_stay_is_not_told(data_dir: Path) -> None:
    file = data_dir / "grand_central" / "gate_events.csv.gz"
    out, _ = run("fit", file, "--mapping", "grand-central", "--time-zone", "Asia/Shanghai", "--enclosed", "--lang", "en")
    assert "stay: 60m   # ASSUMED: " in out
    assert "one day, so its error cannot be told" in out


def test_turnstiles_read_every_four_hours_cannot_tell_hours(data_dir: Path) -> None:
    _, told = run("fit", data_dir / "mta_turnstiles" / "240106.csv.gz", "--mapping", "mta", code=2)
    assert "found a count every 4.0 h, expected one an hour at least" in told
