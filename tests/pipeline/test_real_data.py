"""Right, on measurements that nobody here made: whole archives on the real way, against plain reckonings of the same files.

The reckonings are pandas or plain loops and know nothing of flowwatch but its prose: what they need of the drafted site (how often a device
reports, how many people a gate lets through) they read from the site file as a person would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import yaml

from flowwatch.documents import shipped
from flowwatch.log import Writer
from tests.pipeline.archive import Decided, People, decide, import_of, recount, written_import

pytestmark = pytest.mark.slow

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE


def by_counter(counters: pd.Series[Any], enters: Any) -> dict[str, People]:
    """Rows that are one person each, summed by counter: (in, out)."""
    sums = pd.DataFrame({"counter": counters, "in": enters, "out": ~enters}).groupby("counter").sum()
    return {str(name): (int(people["in"]), int(people["out"])) for name, people in sums.iterrows()}


# -- Grand Central ----------------------------------------------------------------------------------------------------------------------------

FILM_BEGINS: Final = int(datetime(2026, 10, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()) * SECOND
"""The epoch that the import document chose."""
FRAME: Final = 800_000
"""Both files of Grand Central have a row, or none, every 0.8 s."""
DWELL: Final = SECOND
"""The shortest that a plan may say."""
STAGES: Final = ("calm", "busy", "full")
ENTER: Final = (110, 160)
CLEAR: Final = (95, 140)


def stages(zone: str) -> list[dict[str, Any]]:
    """The plan's stages over a zone, as a planner writes them."""
    made: list[dict[str, Any]] = [{"stage": "calm", "title": {"zh": "正常", "en": "calm"}, "gates": {"others": "both"}}]
    for name, enter, clear in zip(STAGES[1:], ENTER, CLEAR, strict=True):
        bars = {"zone": zone, "measure": "occupancy", "enter": enter, "clear": clear, "clear_measure": "occupancy", "hold": "0s"}
        made.append(made[0] | {"stage": name, "when": {"any": [bars]}, "dwell": "1s", "confirm": {"fall": {"by": "automatic"}}})
    return made


def changes(series: Sequence[tuple[int, int]], stale: frozenset[int] = frozenset()) -> list[tuple[int, str, str]]:
    """When a series of (time, people) changes the stage; at the times `stale` none falls."""
    rank, risen, found = 0, 0, []
    for at, people in series:
        due = sum(people > bar for bar in ENTER)
        held = sum(people >= bar for bar in CLEAR)
        new = max(due, min(rank, held))
        if new < rank and (at in stale or at - risen < DWELL):
            new = rank
        if new != rank:
            found.append((at, STAGES[rank], STAGES[new]))
            rank, risen = new, at if new > rank else risen
    return found


def test_the_passages_of_grand_central_change_the_stage_as_a_plain_loop_says(data_dir: Path, tmp_path: Path) -> None:
    """12,074 passages at four sides and in the middle of the hall, from a hall that a recount says is empty."""
    file = data_dir / "grand_central" / "gate_events.csv.gz"
    events = pd.read_csv(file)
    frame = (events["t_s"] / 0.8).round().astype(int)
    net = np.where(events["dir"] == "in", 1, -1)
    inside = pd.Series(net).groupby(frame).sum().reindex(range(3000), fill_value=0).cumsum()
    heard = [sorted(set(frames)) for _, frames in frame.groupby(events["gate"])]
    quiet = {k for side in heard for before, after in pairwise([*side, 10**9]) for k in range(before + 226, min(after, 3000))}  # 3 min
    series = [(FILM_BEGINS + k * FRAME, people) for k, people in enumerate(int(n) for n in inside)]
    expected = changes(series, frozenset(FILM_BEGINS + k * FRAME for k in quiet))

    def empty(writer: Writer, at: int) -> None:
        if at == FILM_BEGINS - FRAME:
            recount(writer, "grand-central", "all", 0, at, at)

    decided = decide(
        tmp_path,
        import_of("grand-central"),
        [file],
        tick_us=FRAME,
        begin_us=FILM_BEGINS - FRAME,
        stages=stages("all"),
        before_tick=empty,
    )
    assert (decided.report.readings, decided.accepted, decided.refused) == (len(events), len(events), Counter())
    assert decided.movements == by_counter(events["gate"], net > 0)
    assert len(expected) == 16
    assert decided.changes() == expected


def test_the_true_occupancy_of_grand_central_counted_by_hand_changes_the_stage_fourteen_times(data_dir: Path, tmp_path: Path) -> None:
    """What is truly inside, given as the zone's count at every frame."""
    truth = pd.read_csv(data_dir / "grand_central" / "true_occupancy.csv.gz")
    series = [(FILM_BEGINS + round(t * 10) * SECOND // 10, int(n)) for t, n in zip(truth["t_s"], truth["occupancy_interval"], strict=True)]
    counts = dict(series)
    expected = changes(series)

    def count(writer: Writer, at: int) -> None:
        if at in counts:
            recount(writer, "grand-central", "all", counts[at], at, at)

    passages = data_dir / "grand_central" / "gate_events.csv.gz"
    decided = decide(tmp_path, import_of("grand-central"), [passages], tick_us=FRAME, stages=stages("all"), before_tick=count)
    assert len(expected) == 14
    assert decided.changes() == expected


def test_a_camera_that_hardly_errs_sees_the_same_fourteen_changes_half_a_minute_late_at_most(data_dir: Path, tmp_path: Path) -> None:
    """The true occupancy as headcounts of the zone: the estimate trusts one frame only so far, and so follows behind the truth."""
    file = data_dir / "grand_central" / "true_occupancy.csv.gz"
    truth = pd.read_csv(file)
    expected = changes([(FILM_BEGINS + k * FRAME, int(n)) for k, n in enumerate(truth["occupancy_interval"])])
    hall = written_import(
        tmp_path,
        """
        import: hall
        title: {zh: 大厅, en: Hall}
        time: {from: "{t_s}", format: seconds, epoch: "2026-10-01T09:00:00+08:00"}
        counter: hall
        counts: absolute
        inside: occupancy_interval
        every: 1s
        lateness: 0s
        """,
    )
    decided = decide(
        tmp_path,
        hall,
        [file],
        tick_us=FRAME,
        stages=stages("hall"),
        mend=lambda site: site.replace("counts: absolute", "counts: absolute, camera_error: 0.001"),
    )
    assert (decided.accepted, decided.refused) == (len(truth), Counter())
    assert [change[1:] for change in decided.changes()] == [change[1:] for change in expected]
    lags = [seen[0] - true[0] for seen, true in zip(decided.changes(), expected, strict=True)]
    assert 0 <= min(lags) <= max(lags) < 30 * SECOND


# -- New York's turnstiles --------------------------------------------------------------------------------------------------------------------

EVERY_MIN: Final = 4 * 60
DAY_MIN: Final = 24 * 60


@dataclass
class Turnstile:
    """A subway turnstile's running totals, read one after the other as the prose at the head of the intake says."""

    per_min: int
    """The most people that its gate lets through in a minute."""
    base: People | None = None
    base_at: float = 0
    candidate: tuple[float, People] | None = None
    falls: list[int] = field(default_factory=lambda: [0, 0])
    backwards: list[bool] = field(default_factory=lambda: [False, False])
    moved: list[int] = field(default_factory=lambda: [0, 0])

    def read(self, at: float, total: People) -> str | None:
        """Take one reading at minute `at`; the reason if it is refused."""
        if self.base is None:
            self.base, self.base_at = total, at
            return None
        if at <= self.base_at:
            return "superseded"
        steps = self.steps(self.base, total, at - self.base_at, resets=True)
        why = "decreased" if min(steps) < 0 else "impossible_rate"
        if not self.possible(steps, at - self.base_at):
            origin_at, origin = self.candidate or (self.base_at, self.base)
            steps = self.steps(origin, total, at - origin_at, resets=False)
            if not self.possible(steps, at - origin_at) and self.turns(origin, total, at - origin_at):
                steps = self.steps(origin, total, at - origin_at, resets=False)
            if not self.possible(steps, at - origin_at):
                self.candidate = (at, total)
                return why
        for way in (0, 1):
            self.moved[way] += steps[way]
            self.falls[way] = 0 if steps[way] else self.falls[way]
        self.base, self.base_at, self.candidate = total, at, None
        return None

    def most(self, since: float) -> float:
        return self.per_min * (min(max(since, EVERY_MIN), DAY_MIN) + EVERY_MIN)

    def possible(self, steps: Sequence[int], since: float) -> bool:
        return min(steps) >= 0 and sum(steps) <= self.most(since)

    def steps(self, before: People, after: People, since: float, *, resets: bool) -> list[int]:
        """People each way between two totals; a total that fell by more than half to a possible value began again at nobody."""
        made = []
        for way in (0, 1):
            step = before[way] - after[way] if self.backwards[way] else after[way] - before[way]
            began_again = resets and not self.backwards[way] and after[way] * 2 < before[way] and after[way] <= self.most(since)
            made.append(after[way] if step < 0 and began_again else step)
        return made

    def turns(self, before: People, after: People, since: float) -> bool:
        """The fifth fall running that people could be turns a direction."""
        turned = False
        for way in (0, 1):
            step = after[way] - before[way]
            fall = step if self.backwards[way] else -step
            if fall:
                self.falls[way] = self.falls[way] + 1 if 0 < fall <= self.most(since) else 0
            if self.falls[way] >= 5:
                self.backwards[way], self.falls[way], turned = not self.backwards[way], 0, True
        return turned


@pytest.mark.parametrize(("week", "area"), [("turnstile_230603.csv.gz", "C/A"), ("240106.csv.gz", "CA")])
def test_every_row_of_a_week_of_turnstiles_is_accepted_or_refused_and_the_people_are_those_of_a_recount(
    data_dir: Path, tmp_path: Path, week: str, area: str
) -> None:
    file = data_dir / "mta_turnstiles" / week
    table = pd.read_csv(file).rename(columns=str.strip)
    decided = decide(tmp_path, import_of("mta"), [file], tick_us=4 * HOUR)
    site = yaml.load(decided.site_file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    told = pd.DataFrame({"device": table[area] + "-" + table["UNIT"] + "-" + table["SCP"], "in": table["ENTRIES"], "out": table["EXITS"]})
    when = pd.to_datetime(table["DATE"] + " " + table["TIME"], format="%m/%d/%Y %H:%M:%S")
    told["minute"] = (when - when.min()).dt.total_seconds() / 60
    turnstiles = {name: Turnstile(site["gates"][counter["gate"]]["lanes"] * 60) for name, counter in site["counters"].items()}
    refused: Counter[str] = Counter()
    told = told.sort_values("minute", kind="stable")
    for device, minute, come, gone in zip(*(told[column].tolist() for column in ("device", "minute", "in", "out")), strict=True):
        why = turnstiles[device].read(minute, (come, gone))
        refused.update([why] if why else [])
    assert sum(any(t.backwards) for t in turnstiles.values()) > 40
    assert decided.refused == refused
    assert decided.accepted + refused.total() == len(table) == decided.report.rows
    assert decided.movements == {name: tuple(t.moved) for name, t in turnstiles.items() if any(t.moved)}


# -- Shenzhen's taps --------------------------------------------------------------------------------------------------------------------------

NIGHT, MORNING = "szt_card_data_2920000403601.csv.gz", "14_14.csv.gz"
"""The two files, in the order of time; their columns stand in different orders."""
LATENESS: Final = 12 * HOUR


@dataclass(frozen=True)
class Taps:
    """Both files as pandas reads them, and what flowwatch makes of them as they stand."""

    table: pd.DataFrame
    decided: Decided


@pytest.fixture(scope="module")
def taps(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Taps:
    files = [data_dir / "shenzhen_taps" / name for name in (NIGHT, MORNING)]
    tables = [pd.read_csv(file, dtype=str) for file in files]
    assert list(tables[0].columns) != list(tables[1].columns)
    return Taps(pd.concat(tables, ignore_index=True), decided_taps(tmp_path_factory.mktemp("taps"), files))


def decided_taps(root: Path, files: Sequence[Path]) -> Decided:
    begin = int(datetime(2018, 8, 31, 19, 29, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * SECOND
    return decide(root, import_of("shenzhen"), files, tick_us=5 * MINUTE, begin_us=begin)


def test_every_tap_at_a_metro_gate_counts_and_every_tap_on_a_bus_is_refused_for_want_of_a_direction(taps: Taps) -> None:
    metro = taps.table[taps.table["deal_type"] != "巴士"]
    buses = len(taps.table) - len(metro)
    assert (taps.decided.report.rows, taps.decided.accepted) == (len(taps.table), len(metro))
    assert taps.decided.refused == {"no_direction": buses}
    assert buses == 18_119 + 205
    assert taps.decided.movements == by_counter(metro["equ_no"], metro["deal_type"] == "地铁入站")


def test_people_who_tap_at_one_device_in_the_same_second_are_not_lost(data_dir: Path, tmp_path: Path) -> None:
    """Thirteen rows repeat device, second and type of another; twelve are of buses, whose taps are taken as boardings here to count them."""
    file = data_dir / "shenzhen_taps" / MORNING
    table = pd.read_csv(file, dtype=str)
    shipped_text = (shipped() / "config" / "imports" / "shenzhen.yaml").read_text(encoding="utf-8")
    boarding = written_import(tmp_path, shipped_text.replace("in: [地铁入站]", "in: [地铁入站, 巴士]"))
    decided = decide(tmp_path, boarding, [file], tick_us=10 * MINUTE)
    assert int(table.duplicated(["equ_no", "deal_date", "deal_type"]).sum()) == 13
    assert (decided.accepted, decided.refused) == (len(table), Counter())
    assert decided.movements == by_counter(table["equ_no"], table["deal_type"] != "地铁出站")


@pytest.mark.determinism
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_of_taps_within_the_declared_lateness_people_and_estimates_are_the_same(
    taps: Taps, tmp_path: Path, seed: int
) -> None:
    """Both files as one, each row up to twelve hours behind its time."""
    at = pd.to_datetime(taps.table["deal_date"]).to_numpy("datetime64[us]").astype(np.int64)
    arrival = at + np.random.default_rng(seed).integers(0, LATENESS, len(at))
    file = tmp_path / "shuffled.csv"
    taps.table.iloc[np.argsort(arrival)].to_csv(file, index=False)
    decided = decided_taps(tmp_path, [file])
    assert decided.refused == taps.decided.refused
    assert decided.movements == taps.decided.movements
    assert decided.minutes == taps.decided.minutes


# -- the door of CalIt2 -----------------------------------------------------------------------------------------------------------------------

IRVINE: Final = ZoneInfo("America/Los_Angeles")
HALF_HOUR: Final = 30 * MINUTE


def midnight(day: date) -> int:
    """The first moment of a day at Irvine."""
    return int(datetime(day.year, day.month, day.day, tzinfo=IRVINE).timestamp()) * SECOND


def test_the_days_on_which_more_people_left_the_building_than_came_are_reported(data_dir: Path, tmp_path: Path) -> None:
    """Every midnight somebody finds the building empty; on 97 of 105 days people in less people out then falls below nobody."""
    file = data_dir / "calit2" / "CalIt2.data"
    table = pd.read_csv(file, header=None, names=["flow", "date", "time", "count"])
    table["day"] = pd.to_datetime(table["date"], format="%m/%d/%y").dt.date
    net = table["count"].where(table["flow"] == 9, -table["count"]).groupby([table["day"], table["time"]]).sum()
    inside = net.groupby("day").cumsum()
    local = [datetime.combine(day, datetime.strptime(time, "%H:%M:%S").time(), IRVINE) for day, time in inside.index]  # noqa: DTZ007 - local
    truth = {int(moment.timestamp()) * SECOND: people for moment, people in zip(local, inside.tolist(), strict=True)}
    days = sorted({day for day, _ in inside.index})
    midnights = {midnight(day) for day in days}

    def found_empty(writer: Writer, at: int) -> None:
        if at in midnights:
            recount(writer, "calit2", "all", 0, at - SECOND, at)

    decided = decide(tmp_path, import_of("calit2"), [file], tick_us=HALF_HOUR, begin_us=min(midnights) - HALF_HOUR, before_tick=found_empty)
    assert (decided.accepted, decided.refused) == (len(table), Counter())
    assert decided.movements == {"door": (table[table["flow"] == 9]["count"].sum(), table[table["flow"] == 7]["count"].sum())}
    minutes = {at: zones["all"] for at, zones in decided.minutes.items() if at in truth}
    assert {at: told["raw_m"] for at, told in minutes.items()} == {at: people * 1000 for at, people in truth.items()}
    assert {at: told["inside_m"] for at, told in minutes.items()} == {at: max(people, 0) * 1000 for at, people in truth.items()}
    below = {at for at, people in truth.items() if people < 0}
    assert below_nobody(decided) & set(truth) == below
    negative = {datetime.fromtimestamp(at // SECOND, IRVINE).date() for at in below}
    assert (len(negative), len(days)) == (97, 105)


def below_nobody(decided: Decided) -> set[int]:
    """The times of estimates at which an incident said that more people had left than come."""
    reported = [e for e in decided.entries if e["kind"] == "incident" and e["what"] == "negative_occupancy"]
    ends = [*(e["at"] for e in reported[1:]), max(decided.minutes) + 1]
    return {
        at
        for entry, end in zip(reported, ends, strict=True)
        if entry["state"] == "raised"
        for at in decided.minutes
        if entry["at"] <= at < end
    }


# -- the streets of Amsterdam -----------------------------------------------------------------------------------------------------------------


def columns_by_counter(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """A counter's columns end in the bearing of the direction that they count."""
    columns = pd.Series([c for c in table.columns if c[0].isupper()])
    for counter, pair in columns.groupby(columns.str.rsplit("_", n=1).str[0]):
        yield str(counter), list(pair)


def test_the_people_of_four_days_of_amsterdam_are_those_of_the_columns(data_dir: Path, tmp_path: Path) -> None:
    file = data_dir / "sail2025" / "sensordata.csv"
    table = pd.read_csv(file)
    decided = decide(tmp_path, import_of("sail"), [file], tick_us=3 * MINUTE)
    sums = {counter: tuple(int(n) for n in table[pair].sum()) for counter, pair in columns_by_counter(table)}
    assert len(sums) == 37
    assert (decided.accepted, decided.refused) == (37 * len(table), Counter())
    assert decided.movements == sums
