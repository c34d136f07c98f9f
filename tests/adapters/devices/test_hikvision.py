"""Hikvision's events: kinds of count, what is sent again, names, times, and bodies with pictures."""

from __future__ import annotations

from typing import Any

import pytest

from flowwatch.adapters.devices.message import Device
from flowwatch.core.readings import Kind, Reason
from tests.adapters.devices.reading import DOCUMENTED, RECEIVED, event, read, readings, reasons, refusals, sequences, us

CAMERA = {"4419B6000001": Device("yuyuan/camera-1")}
SPAN: dict[str, Any] = {"method": "timeRange", "time": None, "start": "2026-10-01T08:55:00+08:00", "end": "2026-10-01T09:00:00+08:00"}


def test_totals_and_counts_of_an_interval_are_two_kinds_of_reading() -> None:
    for changes, kind, at in ((dict[str, object](), Kind.CUMULATIVE, "09:00:02"), (SPAN, Kind.DELTA, "09:00:00")):
        batch = read("hikvision", event(**changes), CAMERA)
        assert readings(batch) == [("yuyuan/camera-1", kind, us(f"2026-10-01T{at}+08:00"), 167, 54, None)]


def test_an_interval_that_an_alarm_input_ended_counts_like_any_interval() -> None:
    assert readings(read("hikvision", event(**SPAN | {"method": "signalTrigger"}), CAMERA))[0][1] is Kind.DELTA


@pytest.mark.parametrize("kind", [{}, SPAN])
def test_what_is_sent_again_is_known_by_its_identity(kind: dict[str, object]) -> None:
    first, again = (read("hikvision", event(**kind, again=mark), CAMERA, RECEIVED + late) for mark, late in (("false", 0), ("true", 10**9)))
    assert sequences(first) == sequences(again)


def test_other_intervals_methods_and_cameras_are_other_readings() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"start": "2026-10-01T08:50:00+08:00"},
        {"end": "2026-10-01T09:05:00+08:00"},
        {"method": "signalTrigger"},
        {"channel": 2},
    ]
    devices = CAMERA | {"4419B6000001/2": Device("yuyuan/camera-2")}
    seen = {sequences(read("hikvision", event(**SPAN | change), devices))[0] for change in changes}
    assert len(seen) == len(changes)


def test_of_two_totals_within_a_second_the_larger_is_the_newer() -> None:
    made = [sequences(read("hikvision", event(enter=enter), CAMERA))[0] for enter in (167, 168, 171)]
    later = sequences(read("hikvision", event(time="2026-10-01T09:00:03+08:00", enter=0, exit=0), CAMERA))[0]
    assert made == sorted(set(made))
    assert made[-1] < later


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "44:19:b6:00:00:01"),
        ({"mac": "44-19-B6-00-00-01"}, "44:19:b6:00:00:01"),
        ({"channel": 3}, "44:19:b6:00:00:01/3"),
        ({"region": 1}, "44:19:b6:00:00:01"),
        ({"region": 2}, "44:19:b6:00:00:01/1/2"),
        ({"channel": 3, "region": 2}, "44:19:b6:00:00:01/3/2"),
        ({"channel": None}, "44:19:b6:00:00:01"),
        ({"mac": None}, "192.168.1.64"),
        ({"mac": "a\nb: c"}, "a b: c"),
    ],
)
def test_a_camera_s_name_is_its_address_with_channel_and_region_where_they_are_not_the_first(changes: dict[str, object], name: str) -> None:
    assert refusals(read("hikvision", event(**changes))) == [
        (Reason.UNKNOWN_COUNTER, name, "no counter for this device in the deployment file")
    ]
    assert len(read("hikvision", event(**changes), {name: Device("s/c")})) == 1


@pytest.mark.parametrize("namespace", ["", "urn:psialliance-org", "http://www.hikvision.com/ver20/XMLSchema"])
def test_no_namespace_is_asked_for(namespace: str) -> None:
    assert len(read("hikvision", event(namespace=namespace), CAMERA)) == 1


@pytest.mark.parametrize(
    "written", ["2026-09-30T20:00:02-5:00", "2026-09-30T20:00:02-05:00", "2026-10-01T01:00:02Z", "20261001T090002+0800"]
)
def test_offsets_are_read_as_cameras_write_them(written: str) -> None:
    assert readings(read("hikvision", event(time=written), CAMERA))[0][2] == us("2026-10-01T09:00:02+08:00")


def test_swapped_is_the_other_way_round() -> None:
    assert readings(read("hikvision", event(), {"44:19:b6:00:00:01": Device("s/c", swap=True)}))[0][3:5] == (54, 167)


def test_one_direction_is_enough_and_none_is_missing() -> None:
    assert readings(read("hikvision", event(exit=None), CAMERA))[0][3:5] == (167, None)
    assert reasons(read("hikvision", event(enter=None, exit=None), CAMERA)) == [Reason.MISSING_COUNT]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "videoloss"}, Reason.MISSING_COUNT),
        ({"method": None}, Reason.UNREADABLE),
        ({"method": "weekly"}, Reason.UNREADABLE),
        ({"enter": "many"}, Reason.UNREADABLE),
        ({"enter": "9" * 5000}, Reason.UNREADABLE),
        ({"enter": 10**15 + 1}, Reason.UNREADABLE),
        ({"time": "yesterday"}, Reason.UNREADABLE),
        ({"time": "2026-02-30T09:00:00+08:00"}, Reason.UNREADABLE),
        ({"time": "0001-01-01T00:00:00+14:00"}, Reason.UNREADABLE),
        ({"time": "2026-10-01T09:00:02"}, Reason.UNREADABLE),
    ],
)
def test_what_is_no_count_is_refused(changes: dict[str, object], reason: Reason) -> None:
    ((found, device, _why),) = refusals(read("hikvision", event(**changes), CAMERA))
    assert (found, device) == (reason, "44:19:b6:00:00:01")


def test_negative_counts_are_left_to_the_engine_which_has_a_reason_for_them() -> None:
    assert readings(read("hikvision", event(enter=-3), CAMERA))[0][3] == -3


def test_a_picture_beside_an_event_is_passed_over() -> None:
    body = (DOCUMENTED / "hikvision_pictures.txt").read_bytes()
    row = ("yuyuan/camera-1", Kind.DELTA, us("2026-10-01T09:00:00+08:00"), 41, 12, None)
    for content_type in ("", "multipart/form-data; boundary=MIME_boundary", 'multipart/mixed; charset="x"; boundary="MIME_boundary"'):
        batch = read("hikvision", body, CAMERA, content_type=content_type)
        assert (readings(batch), reasons(batch)) == ([row], [])
        assert batch.readings.raw(0).endswith(b"</EventNotificationAlert>")


def test_all_events_of_a_body_are_read_and_a_bad_one_harms_no_other() -> None:
    parts = [event(), b"<broken", event(enter=168)]
    body = b"".join(b"--b\r\nContent-Type: application/xml\r\n\r\n" + part + b"\r\n" for part in parts) + b"--b--"
    batch = read("hikvision", body, CAMERA)
    assert [row[3] for row in readings(batch)] == [167, 168]
    assert [(r.place, r.reason) for r in batch.refused] == [(1, Reason.UNREADABLE)]


def test_a_body_of_pictures_alone_is_refused() -> None:
    body = b"--b\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\r\n--b--\r\n"
    assert reasons(read("hikvision", body, CAMERA)) == [Reason.UNREADABLE]
