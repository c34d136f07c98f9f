"""Measured archives through the imports that ship, against plain readings of the same files."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from flowwatch.adapters.draft import draft_site
from flowwatch.adapters.ingest import Source
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import load_import
from flowwatch.core.readings import ABSENT, Kind, Reason
from flowwatch.documents import Source as DocumentSource
from flowwatch.documents import compile_sources
from flowwatch.documents.shelf import shipped
from tests.adapters.told import Row, rows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAPS = ("szt_card_data_2920000403601.csv.gz", "14_14.csv.gz")
MTA = ("turnstile_230603.csv.gz", "240106.csv.gz")


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def source(name: str, file: Path) -> Source:
    return Source(partial(opened, file), load_import(shipped() / "config" / "imports" / f"{name}.yaml"))


def imported(name: str, file: Path) -> list[Row]:
    given = source(name, file)
    with given.open() as stream:
        return rows(given.batches(stream))


def table(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a file, as text, by Python's own csv."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield {key.strip(): value for key, value in row.items()}


@pytest.mark.parametrize(("file", "buses"), [("14_14.csv.gz", 18_119), ("szt_card_data_2920000403601.csv.gz", 205)])
def test_every_tap_on_the_metro_counts_one_person_and_every_bus_is_refused(data_dir: Path, file: str, buses: int) -> None:
    got = imported("shenzhen", data_dir / "shenzhen_taps" / file)
    want: list[tuple[object, ...]] = []
    for row in table(data_dir / "shenzhen_taps" / file):
        at = us(datetime.fromisoformat(row["deal_date"]).replace(tzinfo=ZoneInfo("Asia/Shanghai")))
        way = {"地铁入站": (1, None), "地铁出站": (None, 1)}.get(row["deal_type"])
        want.append((Reason.NO_DIRECTION,) if way is None else (f"shenzhen/{row['equ_no']}", at, *way))
    assert [row[1:2] if row[0] == "refused" else (row[1], *row[3:6]) for row in got] == want
    assert sum(row[0] == "refused" for row in got) == buses


@pytest.mark.parametrize("file", MTA)
def test_every_row_of_a_week_of_turnstiles_is_a_running_total_with_its_value_and_time(data_dir: Path, file: str) -> None:
    want = pd.read_csv(data_dir / "mta_turnstiles" / file).rename(columns=lambda name: {"CA": "C/A"}.get(name.strip(), name.strip()))
    clocks = pd.to_datetime(want["DATE"] + " " + want["TIME"], format="%m/%d/%Y %H:%M:%S").dt.tz_localize("America/New_York")
    given = source("mta", data_dir / "mta_turnstiles" / file)
    with given.open() as stream:
        parts = [batch for batch in given.batches(stream) if batch is not None]
    assert [refusal for part in parts for refusal in part.refused] == []
    got = {
        name: np.concatenate([getattr(part.readings, name) for part in parts]) for name in ("kind", "at", "ingress", "egress", "headcount")
    }
    assert [name for part in parts for name in part.readings.names] == (
        "mta/" + want["C/A"] + "-" + want["UNIT"] + "-" + want["SCP"]
    ).tolist()
    assert (got["at"] == (clocks - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)).all()
    assert (got["ingress"] == want["ENTRIES"]).all()
    assert (got["egress"] == want["EXITS"]).all()
    assert (got["kind"] == Kind.CUMULATIVE).all()
    assert (got["headcount"] == ABSENT).all()


def test_the_door_of_calit2_has_the_sums_of_its_file_on_every_day(data_dir: Path) -> None:
    file = data_dir / "calit2" / "CalIt2.data"
    want: defaultdict[str, Counter[str]] = defaultdict(Counter)
    lines = [line.split(",") for line in file.read_text().splitlines() if line.strip()]
    for flow, day, _, people in lines:
        want[day][{"9": "in", "7": "out"}[flow]] += int(people)
    got: defaultdict[str, Counter[str]] = defaultdict(Counter)
    told = imported("calit2", file)
    for _, name, _, at, ingress, egress, *_ in told:
        assert name == "calit2/door"
        day = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo("America/Los_Angeles")).strftime("%m/%d/%y")  # type: ignore[arg-type]
        got[day]["in"] += ingress or 0  # type: ignore[operator]
        got[day]["out"] += egress or 0  # type: ignore[operator]
    assert got == want
    assert (len(told), len(got)) == (len(lines), 105)


def test_the_street_counters_of_sail_have_the_sums_of_their_two_columns(data_dir: Path) -> None:
    file = data_dir / "sail2025" / "sensordata.csv"
    want: defaultdict[str, list[int]] = defaultdict(list)
    times = []
    for row in table(file):
        times.append(us(datetime.fromisoformat(row["timestamp"])))
        for i, (column, value) in enumerate(list(row.items())[1:75]):
            want[column.rsplit("_", 1)[0] + (" in", " out")[i % 2]].append(int(value))
    got: defaultdict[str, list[int]] = defaultdict(list)
    stamps = []
    for what, name, _, at, ingress, egress, *_ in imported("sail", file):
        assert what == "reading"
        stamps.append(at)
        got[f"{str(name).removeprefix('sail/')} in"].append(ingress)  # type: ignore[arg-type]
        got[f"{str(name).removeprefix('sail/')} out"].append(egress)  # type: ignore[arg-type]
    assert got == want
    assert (len(times), len(want)) == (1_920, 74)
    assert stamps == [at for at in times for _ in range(37)]


def test_everybody_in_grand_central_is_counted_at_their_side_in_their_direction(data_dir: Path) -> None:
    file = data_dir / "grand_central" / "gate_events.csv.gz"
    begin = us(datetime.fromisoformat("2026-10-01T09:00:00+08:00"))
    want = [
        (f"grand-central/{row['gate']}", begin + round(float(row["t_s"]) * 10) * 100_000, row["dir"] == "in", row["dir"] == "out")
        for row in table(file)
    ]
    got = [(row[1], row[3], row[4] == 1, row[5] == 1) for row in imported("grand-central", file)]
    assert got == want
    assert len(got) == 12_074


@pytest.mark.parametrize(
    ("name", "files", "counters"),
    [
        ("sail", ["sail2025/sensordata.csv"], 37),
        ("grand-central", ["grand_central/gate_events.csv.gz"], 5),
        ("calit2", ["calit2/CalIt2.data"], 1),
        ("shenzhen", [f"shenzhen_taps/{file}" for file in TAPS], 3_299),
        ("mta", [f"mta_turnstiles/{file}" for file in MTA], 5_088),
    ],
)
def test_a_drafted_site_is_sound_and_has_every_counter_of_the_archive(data_dir: Path, name: str, files: list[str], counters: int) -> None:
    text = draft_site(load_import(shipped() / "config" / "imports" / f"{name}.yaml"), [source(name, data_dir / file) for file in files])
    site = compile_sources(DocumentSource("draft.yaml", text.encode()), []).site
    assert (site["site"], len(site["counters"])) == (name, counters)
    assert ABSENT not in {counter["every_us"] for counter in site["counters"]}
