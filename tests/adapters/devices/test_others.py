"""Axis, FIWARE, ONVIF and Xovis: what is read, what is not, and what each device needs in the deployment file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flowwatch.adapters.devices.families import guess
from flowwatch.adapters.devices.message import Device, Message
from flowwatch.core.readings import Kind, Reason
from tests.adapters.devices.reading import DOCUMENTED, RECEIVED, read, readings, reasons, refusals, sequences, us

COUNTER = "park/cam-1/onvif-ej/RuleEngine/CountAggregation/Counter/&1/Inbound"
OCCUPANCY = "park/cam-1/onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&1/Bridge"
SENSOR = "80:1f:12:00:00:0a"


def documented(name: str) -> bytes:
    return (DOCUMENTED / name).read_bytes()


def live_sum(timestamp: str = "20261001090000", numbers: Mapping[str, object] | None = None) -> bytes:
    return json.dumps({"serial": "00408CAC512B", "name": "x", "timestamp": timestamp, "in": 12, "out": 318} | dict(numbers or {})).encode()


def in_zone(zone: str | None) -> dict[str, Device]:
    return {"00:40:8c:ac:51:2b": Device("s/c", zone=zone)}


# -- local time ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "shown", "at"),
    [
        ("Asia/Shanghai", "20261001090000", "2026-10-01T09:00:00+08:00"),
        ("Europe/Stockholm", "20260701120000", "2026-07-01T12:00:00+02:00"),
        ("Europe/Stockholm", "20261201120000", "2026-12-01T12:00:00+01:00"),
        ("Asia/Kathmandu", "20261001090000", "2026-10-01T09:00:00+05:45"),
    ],
)
def test_local_time_is_read_by_the_device_s_zone(zone: str, shown: str, at: str) -> None:
    assert readings(read("axis", live_sum(shown), in_zone(zone)))[0][2] == us(at)


@pytest.mark.parametrize(("received", "offset"), [("2026-10-25T02:30:04+02:00", "+02:00"), ("2026-10-25T02:30:04+01:00", "+01:00")])
def test_of_an_hour_that_comes_twice_it_is_the_one_nearer_to_the_receipt(received: str, offset: str) -> None:
    batch = read("axis", live_sum("20261025023000"), in_zone("Europe/Stockholm"), us(received))
    assert readings(batch)[0][2] == us(f"2026-10-25T02:30:00{offset}")


def test_a_time_that_the_clocks_skip_is_read_as_if_they_had_not_been_set() -> None:
    assert readings(read("axis", live_sum("20260329023000"), in_zone("Europe/Stockholm")))[0][2] == us("2026-03-29T02:30:00+01:00")


def test_local_time_without_a_zone_is_refused() -> None:
    ((reason, device, why),) = refusals(read("axis", live_sum(), in_zone(None)))
    assert (reason, device) == (Reason.UNREADABLE, "00:40:8c:ac:51:2b")
    assert "needs its zone" in why


def test_the_rows_of_an_export_go_twice_through_the_hour_that_comes_twice() -> None:
    hours = [
        "01:00,2026-10-25 02:00",
        "02:00,2026-10-25 02:30",
        "02:30,2026-10-25 02:00",
        "02:00,2026-10-25 02:30",
        "02:30,2026-10-25 03:00",
    ]
    body = "start,end,in,out\r\n" + "".join(f"2026-10-25 {hour},1,0\r\n" for hour in hours)
    batch = read("axis", body.encode(), {"cams/7": Device("s/c", zone="Europe/Stockholm")}, topic="cams/7")
    ends = ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00", "03:00:00+01:00"]
    assert [row[2] for row in readings(batch)] == [us(f"2026-10-25T{end}") for end in ends]
    assert len(set(sequences(batch))) == 5


# -- Axis ---------------------------------------------------------------------------------------------------------------------------------


def test_bad_rows_of_an_export_are_refused_by_themselves() -> None:
    body = b"\xef\xbb\xbfend, start ,out,in,note\n2026-10-01 09:01:00,x,1,2,\n2026-10-01 09:02:00,x,,,\nsoon,x,1,2,\n2026-10-01 09:03:00,x,1\n\n"
    batch = read("axis", body, {"10.0.0.9": Device("s/c", zone="Asia/Shanghai")}, url="http://10.0.0.9:81/e")
    assert readings(batch) == [("s/c", Kind.DELTA, us("2026-10-01T09:01:00+08:00"), 2, 1, None)]
    assert reasons(batch) == [Reason.MISSING_COUNT, Reason.UNREADABLE, Reason.UNREADABLE]


def test_counts_may_be_strings() -> None:
    assert readings(read("axis", live_sum(numbers={"in": "12", "out": None}), in_zone("UTC")))[0][3:5] == (12, None)


@pytest.mark.parametrize("people", [True, [1], {"a": 1}, 1.5, "x", 10**16])
def test_what_is_no_whole_number_is_refused(people: object) -> None:
    assert reasons(read("axis", live_sum(numbers={"in": people}), in_zone("UTC"))) == [Reason.UNREADABLE]


# -- FIWARE -------------------------------------------------------------------------------------------------------------------------------


def entity(**changes: Any) -> dict[str, Any]:
    body = {
        "id": "urn:x:1",
        "type": "CrowdFlowObserved",
        "dateObservedFrom": "2026-10-01T01:00:00Z",
        "dateObservedTo": "2026-10-01T01:05:00Z",
        "peopleCountTowards": 30,
        "peopleCountAway": 20,
        "peopleCount": 50,
        "occupancy": 0.8,
        "direction": "inbound",
    }
    return {key: value for key, value in (body | changes).items() if value is not None}


def test_occupancy_is_no_headcount() -> None:
    batch = read("fiware", json.dumps(entity()).encode(), {"urn:x:1": Device("s/c")})
    assert readings(batch) == [("s/c", Kind.DELTA, us("2026-10-01T01:05:00+00:00"), 30, 20, None)]
    only = entity(peopleCount=None, peopleCountTowards=None, peopleCountAway=None)
    assert reasons(read("fiware", json.dumps(only).encode(), {"urn:x:1": Device("s/c")})) == [Reason.MISSING_COUNT]


def test_people_without_a_way_need_the_deployment_s_word_and_not_the_entity_s() -> None:
    body = json.dumps(entity(peopleCountTowards=None, peopleCountAway=None)).encode()
    assert reasons(read("fiware", body, {"urn:x:1": Device("s/c")})) == [Reason.NO_DIRECTION]
    assert readings(read("fiware", body, {"urn:x:1": Device("s/c", direction="out")}))[0][3:5] == (None, 50)
    assert readings(read("fiware", body, {"urn:x:1": Device("s/c", direction="out", swap=True)}))[0][3:5] == (50, None)


def test_an_entity_may_be_normalized_and_come_in_a_notification() -> None:
    kept = ("id", "type")
    full = {key: value if key in kept else {"type": "Property", "value": value} for key, value in entity().items()}
    full["dateObservedTo"] = {"type": "Property", "value": {"@type": "DateTime", "@value": "2026-10-01T01:05:00Z"}}
    other = entity(type="AirQualityObserved")
    plain = read("fiware", json.dumps(entity()).encode(), {"urn:x:1": Device("s/c")})
    for body in (full, [full], {"id": "n1", "subscriptionId": "s1", "data": [full]} | {"id": None}):
        if isinstance(body, dict) and body.get("id", "") is None:
            del body["id"]
        batch = read("fiware", json.dumps(body).encode(), {"urn:x:1": Device("s/c")})
        assert (readings(batch), sequences(batch)) == (readings(plain), sequences(plain))
    assert reasons(read("fiware", json.dumps([other]).encode(), {"urn:x:1": Device("s/c")})) == [Reason.MISSING_COUNT]


def test_an_interval_without_an_offset_needs_a_zone() -> None:
    spanned = entity(dateObservedFrom=None, dateObservedTo=None, dateObserved="2026-10-01T09:00:00/2026-10-01T09:05:00")
    body = json.dumps(spanned).encode()
    assert reasons(read("fiware", body, {"urn:x:1": Device("s/c")})) == [Reason.UNREADABLE]
    at = readings(read("fiware", body, {"urn:x:1": Device("s/c", zone="Asia/Shanghai")}))[0][2]
    assert at == us("2026-10-01T09:05:00+08:00")


# -- ONVIF: fixtures written from documentation -------------------------------------------------------------------------------------------


def test_a_rule_counts_one_way_which_the_deployment_says() -> None:
    body = documented("onvif_counter.json")
    at = us("2026-10-01T01:00:03.120+00:00")
    inbound = read("onvif", body, {"park/cam-1/Inbound": Device("s/in", direction="in")}, topic=COUNTER)
    assert readings(inbound) == [("s/in", Kind.CUMULATIVE, at, 1284, None, None)]
    assert refusals(read("onvif", body, {"park/cam-1/Inbound": Device("s/in")}, topic=COUNTER))[0][:2] == (
        Reason.NO_DIRECTION,
        "park/cam-1/Inbound",
    )


def test_items_by_name_and_items_in_a_list_are_the_same() -> None:
    devices = {"park/cam-1/Outbound": Device("s/out", direction="out")}
    batch = read("onvif", documented("onvif_counter_simple_items.json"), devices, topic=COUNTER)
    assert readings(batch) == [("s/out", Kind.CUMULATIVE, us("2026-10-01T01:00:03+00:00"), None, 977, None)]


def test_people_in_a_field_are_a_headcount() -> None:
    batch = read("onvif", documented("onvif_occupancy.json"), {"park/cam-1/Bridge": Device("s/c")}, topic=OCCUPANCY)
    assert readings(batch) == [("s/c", Kind.ABSOLUTE, us("2026-10-01T01:00:05+00:00"), None, None, 61)]


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("", documented("onvif_counter.json"), Reason.UNREADABLE),
        (COUNTER, b"", Reason.UNREADABLE),
        (COUNTER, b"{}", Reason.UNKNOWN_COUNTER),
        (COUNTER, b'{"Source":{"Rule":"Inbound"},"Data":{}}', Reason.UNKNOWN_COUNTER),
        ("cam/onvif-ej/RuleEngine/LineDetector/Crossed/&1/L", documented("onvif_counter.json"), Reason.MISSING_COUNT),
        ("cam/onvif-ej/", documented("onvif_counter.json"), Reason.MISSING_COUNT),
    ],
)
def test_other_events_and_other_topics_are_refused(topic: str, body: bytes, reason: Reason) -> None:
    assert reasons(read("onvif", body, topic=topic)) == [reason]


def test_a_rule_without_its_name_in_the_message_has_that_of_the_topic() -> None:
    body = b'{"UtcTime":"2026-10-01T01:00:03","Data":{"Count":5}}'
    assert len(read("onvif", body, {"park/cam-1/Inbound": Device("s/in", direction="in")}, topic=COUNTER)) == 1
    gone = b'{"UtcTime":"2026-10-01T01:00:03Z","Data":{}}'
    assert reasons(read("onvif", gone, {"park/cam-1/Inbound": Device("s/in", direction="in")}, topic=COUNTER)) == [Reason.MISSING_COUNT]


# -- Xovis: fixtures written from documentation -------------------------------------------------------------------------------------------


def test_records_are_counts_of_their_interval_and_a_zone_s_balance_is_a_headcount() -> None:
    devices = {f"{SENSOR}/Zone 0": Device("s/zone"), f"{SENSOR.upper()}/Line 0": Device("s/line")}
    batch = read("xovis", documented("xovis_logics.json"), devices)
    nine = us("2026-10-01T09:00:00+08:00")
    assert readings(batch) == [
        ("s/zone", Kind.ABSOLUTE, nine, None, None, 17),
        ("s/line", Kind.DELTA, nine, 31, 4, None),
        ("s/line", Kind.DELTA, nine + 60_000_000, 29, 6, None),
    ]
    assert len(set(sequences(batch))) == 3
    assert sequences(read("xovis", documented("xovis_logics.json"), devices, RECEIVED + 10**8)) == sequences(batch)


def test_each_person_over_a_line_counts_and_the_group_they_make_does_not() -> None:
    batch = read("xovis", documented("xovis_live.json"), {f"{SENSOR}/Line 0/live": Device("s/line")})
    assert [row[3:5] for row in readings(batch)] == [(1, None), (None, 1)]
    assert reasons(batch) == []


def test_single_crossings_and_records_of_one_line_are_two_devices() -> None:
    both = {f"{SENSOR}/Line 0": Device("s/line"), f"{SENSOR}/Line 0/live": Device("s/other")}
    assert {row[0] for row in readings(read("xovis", documented("xovis_live.json"), both))} == {"s/other"}


def test_a_crossing_of_an_object_that_is_not_described_is_refused() -> None:
    document = json.loads(documented("xovis_live.json"))
    for frame in document["live_data"]["frames"]:
        del frame["tracked_objects"]
    batch = read("xovis", json.dumps(document).encode(), {f"{SENSOR}/Line 0/live": Device("s/line")})
    assert (len(batch), reasons(batch)) == (0, [Reason.UNREADABLE] * 3)


def test_a_balance_that_is_not_of_a_zone_is_no_headcount() -> None:
    document = json.loads(documented("xovis_logics.json"))
    del document["logics_data"]["logics"][0]["info"]
    batch = read("xovis", json.dumps(document).encode(), {f"{SENSOR}/Zone 0": Device("s/z"), f"{SENSOR}/Line 0": Device("s/l")})
    assert [row[1] for row in readings(batch)] == [Kind.DELTA, Kind.DELTA]
    assert refusals(batch)[0][:2] == (Reason.MISSING_COUNT, f"{SENSOR}/Zone 0")


def test_a_list_of_packages_is_read_package_by_package() -> None:
    body = b"[" + b",".join([documented("xovis_status.json"), b"7", documented("xovis_logics.json")]) + b"]"
    batch = read("xovis", body, {f"{SENSOR}/Zone 0": Device("s/z"), f"{SENSOR}/Line 0": Device("s/l")})
    assert (len(batch), reasons(batch)) == (3, [Reason.MISSING_COUNT, Reason.UNREADABLE])


def test_a_written_message_is_recognised_like_one_that_was_sent() -> None:
    for file in DOCUMENTED.iterdir():
        if file.suffix != ".md":
            family = guess(Message(file.read_bytes(), 0))
            assert family is not None
            assert family.name == file.name.split("_")[0]
