"""Whatever bytes arrive: nothing is raised, each message leaves a trace, and none takes long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices.families import FAMILIES, guess
from flowwatch.adapters.devices.message import Device, Devices, Message
from flowwatch.adapters.devices.sheet import LONGEST, MOST_ROWS, told
from flowwatch.core.readings import Reason
from tests.adapters.devices.reading import DOCUMENTED, RECEIVED, event, read, reasons

CAMERA = "44:19:b6:00:00:01"
TOPIC = "park/cam-1/onvif-ej/RuleEngine/CountAggregation/Counter/&1/Inbound"
KNOWN = Devices.of(
    {
        CAMERA: Device("s/a"),
        "00:40:8c:ac:51:2b": Device("s/b", zone="Europe/Stockholm"),
        "urn:x:1": Device("s/c"),
        "shanghai/7": Device("s/d"),
        "park/cam-1/Inbound": Device("s/e", direction="in"),
        "80:1f:12:00:00:0a/Zone 0": Device("s/f"),
        "80:1f:12:00:00:0a/Line 0": Device("s/g"),
        "80:1f:12:00:00:0a/Line 0/live": Device("s/h"),
        "10.0.0.9": Device("s/i", zone="Europe/Stockholm"),
    }
)
FEED = {"total": "1", "rows": [{"CODE": "7", "NAME": "豫园", "TIME": "2026-10-01 09:00", "NUM": 61, "MAX_NUM": 3000, "SSD": "舒适"}]}
FLOW = {
    "id": "urn:x:1",
    "type": "CrowdFlowObserved",
    "dateObservedTo": "2026-10-01T01:05:00Z",
    "peopleCountTowards": 3,
    "peopleCountAway": 2,
}
SEEDS: list[tuple[str, bytes]] = [
    ("hikvision", event()),
    ("hikvision", (DOCUMENTED / "hikvision_pictures.txt").read_bytes()),
    ("axis", b'{"serial":"00408CAC512B","name":"Exit","timestamp":"20261001030000","in":12,"out":318}'),
    ("axis", b"start,end,in,out\n2026-10-01 03:00:00,2026-10-01 03:01:00,4,5\n"),
    ("fiware", json.dumps(FLOW).encode()),
    ("shanghai", json.dumps(FEED, ensure_ascii=False).encode()),
    ("onvif", (DOCUMENTED / "onvif_counter.json").read_bytes()),
    ("onvif", (DOCUMENTED / "onvif_counter_simple_items.json").read_bytes()),
    ("xovis", (DOCUMENTED / "xovis_logics.json").read_bytes()),
    ("xovis", (DOCUMENTED / "xovis_live.json").read_bytes()),
]


def taken(family: str, body: bytes, devices: Devices = KNOWN) -> Batch:
    """The batch of `body`, of which the promises to every message hold."""
    message = Message(body, RECEIVED, topic=TOPIC if family == "onvif" else "", url="http://10.0.0.9/x" if family == "axis" else "")
    batch = FAMILIES[family].read(message, devices)
    assert len(batch) + len(batch.refused) >= 1
    assert (batch.readings.received == RECEIVED).all()
    assert [r.place for r in batch.refused] == sorted(r.place for r in batch.refused)
    for i in range(len(batch)):
        assert told(batch.readings.raw(i)).raw in body
    for refusal in batch.refused:
        part = told(refusal.raw)
        assert part.family == family
        assert part.raw in body
        assert refusal.received == RECEIVED
    return batch


@pytest.mark.parametrize(("family", "body"), SEEDS)
def test_the_seeds_of_these_tests_are_readings(family: str, body: bytes) -> None:
    known = taken(family, body)
    assert len(known) or known.refused[0].reason is Reason.UNKNOWN_COUNTER
    assert len(taken(family, body, Devices())) == 0


@pytest.mark.parametrize(("family", "body"), SEEDS)
def test_a_message_that_breaks_off_anywhere_is_refused_or_read_as_far_as_it_is_whole(family: str, body: bytes) -> None:
    for stop in range(len(body)):
        taken(family, body[:stop])


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.data())
def test_nothing_is_raised_for_damaged_messages(seed: tuple[str, bytes], data: st.DataObject) -> None:
    family, body = seed
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        stop = data.draw(st.integers(start, min(len(body), start + 12)))
        put = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from(SCRAPS)))
        body = body[:start] + put + body[stop:]
    taken(family, body)


SCRAPS = [
    b"9" * 400,
    b"-1",
    b"1e999",
    b"null",
    b"true",
    b"[",
    b"{",
    b'"\\ud800"',
    b"\x00",
    b"\xff\xfe",
    b"NaN",
    b"<a>",
    b"&amp;",
    b"&x;",
    b"<!--",
    b"\r\n\r\n",
    b"--MIME_boundary",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:60Z",
    b"99991231235959",
]


@settings(max_examples=200)
@given(
    st.sampled_from(list(FAMILIES)),
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode(errors="replace"))),
)
def test_nothing_is_raised_for_any_bytes(family: str, body: bytes) -> None:
    taken(family, body)


NAMES = st.sampled_from(
    [
        *(
            "serial",
            "timestamp",
            "in",
            "out",
            "id",
            "type",
            "data",
            "dateObserved",
            "peopleCount",
            "value",
            "rows",
            "CODE",
            "NUM",
            "TIME",
            "spot",
        ),
        *(
            "UtcTime",
            "Source",
            "Data",
            "Rule",
            "Count",
            "SimpleItem",
            "Name",
            "Value",
            "logics_data",
            "live_data",
            "sensor_info",
            "serial_number",
        ),
        *("logics", "records", "counts", "from", "to", "frames", "events", "tracked_objects", "attributes", "track_id", "geometry_name"),
    ]
)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6), st.sampled_from(["7", "fw", "2026-10-01"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.sampled_from(list(FAMILIES)), JSON)
def test_nothing_is_raised_for_json_of_any_shape(family: str, value: object) -> None:
    taken(family, json.dumps(value).encode())


BOMBS = {
    "billion laughs": b'<!DOCTYPE a [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]><EventNotificationAlert>&j;</EventNotificationAlert>",
    "a file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><EventNotificationAlert><macAddress>&x;</macAddress></EventNotificationAlert>',
    "an address": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><EventNotificationAlert/>',
    "a document type": b"<!DOCTYPE a><EventNotificationAlert/>",
    "a parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><EventNotificationAlert/>',
    "an encoding of several bytes": b'<?xml version="1.0" encoding="GB2312"?><EventNotificationAlert/>',
    "an encoding that is none": b'<?xml version="1.0" encoding="x-none"?><EventNotificationAlert/>',
    "an encoding that is another": '<?xml version="1.0" encoding="UTF-8"?><EventNotificationAlert>豫园商城</EventNotificationAlert>'.encode(
        "gb18030"
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_xml_that_would_do_harm_is_no_event(bomb: str) -> None:
    assert reasons(taken("hikvision", BOMBS[bomb])) == [Reason.UNREADABLE]


def test_xml_in_other_encodings_that_xml_knows_is_read() -> None:
    text = event().decode()
    for encoding in ("utf-16", "iso-8859-1"):
        body = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)
        assert len(taken("hikvision", body)) == 1


MIB = 1 << 20
LARGE = {
    "noise": b"\xa7" * (12 * MIB),
    "brackets": b"[" * MIB,
    "objects": b'{"logics_data":' * (MIB // 15),
    "zeros": b"[" + b"0," * (MIB // 2 - 8) + b"0]",
    "a long number": b'{"serial":"1","timestamp":"2","in":' + b"9" * (MIB - 64) + b',"out":1}',
    "a long list": b"[" + b"0," * (6 * MIB) + b"0]",
    "tags": b"<a>" * (LONGEST // 12),
    "a large event": event(mac="x" * (11 * MIB)),
    "an event of tags": b"<EventNotificationAlert>" + b"<a/>" * 60_000 + b"</EventNotificationAlert>",
    "rows": b"start,end,in,out\n" + b",\n" * (MIB // 2 - 16),
    "one row": b"start,end,in,out\n" + b'"' + b"a" * (MIB - 64),
    "parts": b"--b\r\nA: b\r\n" + b"--b\r\n" * (2 * MIB),
    "places": b'{"rows":[' + b'{"CODE":"7"},' * 19_000 + b"0]}",
    "records": b'{"logics_data":{"sensor_info":{"serial_number":"1"},"logics":['
    + b",".join([b'{"name":"a","records":[' + b"0," * 18_000 + b"0]}"] * 25)
    + b"]}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("large", LARGE)
def test_a_large_body_is_refused_soon_and_leaves_no_flood_of_refusals(family: str, large: str) -> None:
    begun = time.thread_time()
    message = Message(LARGE[large], RECEIVED, topic=TOPIC, url="http://10.0.0.9/x")
    batch = FAMILIES[family].read(message, KNOWN)
    guess(message)
    assert time.thread_time() - begun < 5, "some hundred times what it takes"
    assert 1 <= len(batch) + len(batch.refused) <= MOST_ROWS + 1


@pytest.mark.slow
def test_an_event_beside_pictures_of_many_megabytes_is_read() -> None:
    picture = bytes(range(256)) * (20 * MIB // 256)
    body = b"--b\r\nContent-Type: application/xml\r\n\r\n" + event() + b"\r\n"
    body += (b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n") * 2 + b"--b--\r\n"
    begun = time.thread_time()
    assert len(read("hikvision", body, {CAMERA: Device("s/a")})) == 1
    assert time.thread_time() - begun < 5


@pytest.mark.slow
def test_real_messages_damaged_at_random_are_refused_or_read(data_dir: Path) -> None:
    files = [*sorted((data_dir / "device_messages").iterdir()), data_dir / "shanghai_scenic" / "by_name_sample.jsonl"]
    for file in files:
        body = file.read_bytes()
        family = guess(Message(body, 0))
        assert family is not None
        for stop in range(len(body)):
            taken(family.name, body[:stop])
            taken(family.name, body[:stop] + bytes([body[stop] ^ (1 << stop % 8)]) + body[stop + 1 :])


def test_a_message_with_exactly_as_many_rows_as_have_room_and_a_fault_behind_them_is_closed() -> None:
    records = b"0," * (MOST_ROWS // 2 - 1) + b"0"
    logic = b'{"name":"a","records":[' + records + b"]}"
    head = b'{"sensor_info":{"serial_number":"1"},"logics":[' + logic + b"," + logic + b"]}"
    batch = taken("xovis", b'{"logics_data":' + head + b',"live_data":7}')
    assert len(batch.refused) == MOST_ROWS + 1
    assert told(batch.refused[-1].raw).why.startswith("more than 20,000 rows")
