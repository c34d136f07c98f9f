"""Messages that devices sent, and what each of them says."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flowwatch.adapters.devices.families import FAMILIES, guess
from flowwatch.adapters.devices.message import Device, Message
from flowwatch.core.readings import Kind, Reason
from tests.adapters.devices.reading import read as read_family
from tests.adapters.devices.reading import readings, reasons, refusals, us

STOCKHOLM = "Europe/Stockholm"


def sample(data_dir: Path, name: str) -> bytes:
    return (data_dir / "device_messages" / name).read_bytes()


@pytest.mark.parametrize(
    ("file", "device", "row"),
    [
        (
            "hikvision_realTime_cumulative_2017.xml",
            "4c:bd:8f:c4:00:87",
            (Kind.CUMULATIVE, us("2017-09-03T13:57:35+08:00"), 167, 454, None),
        ),
        ("hikvision_realTime_2024_isapi_v2.xml", "3c:1b:f8:c1:3a:6d", (Kind.CUMULATIVE, us("2024-07-08T12:27:24+08:00"), 15, 14, None)),
        ("hikvision_timeRange_2020.xml", "44:47:cc:50:00:c1", (Kind.DELTA, us("2020-04-19T19:35:00+02:00"), 0, 0, None)),
        ("axis_people_counter_live-sum.json", "00408CAC512B", (Kind.CUMULATIVE, us("2017-05-03T11:27:56+02:00"), 12, 318, None)),
        (
            "fiware_CrowdFlowObserved_keyvalues.json",
            "urn:ngsi-ld:CrowdFlowObserved:Valladolid_1",
            (Kind.DELTA, us("2018-08-07T11:15:00+00:00"), 50, 50, None),
        ),
    ],
)
def test_a_device_s_message_is_one_reading(data_dir: Path, file: str, device: str, row: tuple[object, ...]) -> None:
    body = sample(data_dir, file)
    family = guess(Message(body, 0))
    assert family is not None
    assert file.startswith(family.name)
    batch = read_family(family.name, body, {device: Device("s/c", zone=STOCKHOLM)})
    assert (readings(batch), reasons(batch)) == ([("s/c", *row)], [])
    assert batch.readings.raw(0).endswith(b"\n" + body)


def test_an_export_is_a_reading_a_row_of_the_camera_it_was_polled_from(data_dir: Path) -> None:
    body = sample(data_dir, "axis_p8815_3d_export.csv")
    url = "http://10.0.0.9/local/people-counter/.api?export-csv"
    batch = read_family("axis", body, {"10.0.0.9": Device("s/c", zone=STOCKHOLM)}, url=url)
    ends = [us("2020-09-23T00:01:00+02:00"), us("2020-09-23T00:02:00+02:00")]
    assert readings(batch) == [("s/c", Kind.DELTA, end, 0, 0, None) for end in ends]
    assert (
        refusals(read_family("axis", body))
        == [(Reason.UNKNOWN_COUNTER, "", "an export does not say whose it is, and neither a URL nor a topic does")] * 2
    )


def test_every_sample_of_a_device_that_nobody_named_is_refused_with_its_name(data_dir: Path) -> None:
    for file in sorted((data_dir / "device_messages").iterdir()):
        if file.suffix == ".csv":
            continue
        body = file.read_bytes()
        family = guess(Message(body, 0))
        assert family is not None
        batch = read_family(family.name, body)
        assert len(batch) == 0
        ((reason, device, _why),) = refusals(batch)
        assert reason is Reason.UNKNOWN_COUNTER
        assert device.replace(":", "").lower() in body.decode().replace(":", "").lower()


def feed(data_dir: Path) -> bytes:
    return (data_dir / "shanghai_scenic" / "snapshot_2025-11-25.jsonl").read_bytes()


def test_the_feed_gives_the_people_in_every_spot_that_is_a_counter(data_dir: Path) -> None:
    body = feed(data_dir)
    rows = json.loads(body)["data"]["rows"]
    devices = {f"shanghai/{row['CODE']}": Device(f"city/spot-{row['CODE']}") for row in rows}
    batch = read_family("shanghai", body, devices)
    want = [
        (
            f"city/spot-{row['CODE']}",
            Kind.ABSOLUTE,
            us(datetime.strptime(row["TIME"], "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo("Asia/Shanghai")).isoformat()),
            None,
            None,
            row["NUM"],
        )
        for row in rows
        if "TIME" in row
    ]
    assert readings(batch) == want
    assert (len(want), sum(row["NUM"] for row in rows)) == (149, 4678)
    assert refusals(batch) == [(Reason.UNREADABLE, "shanghai/1872556247141269506", "no time")]


def test_spots_that_are_nobody_s_counter_are_left_out_unless_none_is(data_dir: Path) -> None:
    body = feed(data_dir)
    some = read_family("shanghai", body, {"shanghai/7": Device("yuyuan/garden")})
    assert readings(some) == [("yuyuan/garden", Kind.ABSOLUTE, us("2025-11-23T15:00:00+08:00"), None, None, 0)]
    assert reasons(some) == []
    assert reasons(read_family("shanghai", body)) == [Reason.UNKNOWN_COUNTER] * 150


def test_the_feed_is_read_however_it_is_wrapped(data_dir: Path) -> None:
    document = json.loads(feed(data_dir))
    devices = {"shanghai/7": Device("yuyuan/garden")}
    whole = readings(read_family("shanghai", feed(data_dir), devices))
    wrapped = [document["data"], document["data"]["rows"], next(r for r in document["data"]["rows"] if r["CODE"] == "7")]
    for form in wrapped:
        assert readings(read_family("shanghai", json.dumps(form).encode(), devices)) == whole
    one = (data_dir / "shanghai_scenic" / "by_name_sample.jsonl").read_bytes()
    row = ("s/c", Kind.ABSOLUTE, us("2025-11-20T19:35:00+08:00"), None, None, 0)
    assert readings(read_family("shanghai", one, {"shanghai/223": Device("s/c")})) == [row]


def test_each_sample_looks_like_one_family_only(data_dir: Path) -> None:
    files = [*sorted((data_dir / "device_messages").iterdir()), *sorted((data_dir / "shanghai_scenic").glob("*.jsonl"))]
    for file in files:
        message = Message(file.read_bytes(), 0)
        found = [family.name for family in FAMILIES.values() if family.looks_like(message)]
        assert found == [file.name.split("_")[0] if file.suffix != ".jsonl" else "shanghai"]
