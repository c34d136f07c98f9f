"""The map of devices: names in one spelling, one counter a device, one device a counter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.adapters.devices.message import LONGEST_NAME, Device, Devices, Refused, named
from flowwatch.adapters.devices.sheet import told
from flowwatch.core.readings import Reason
from tests.adapters.devices.reading import read


@pytest.mark.parametrize("written", ["44:19:B6:00:00:01", "44-19-b6-00-00-01", "4419B6000001", " 4419b6000001 "])
def test_a_mac_address_has_one_spelling(written: str) -> None:
    assert named(written) == "44:19:b6:00:00:01"
    assert named(f"{written.strip()}/2") == "44:19:b6:00:00:01/2"


@pytest.mark.parametrize("other", ["44:19-b6:00:00:01", "4419B600000", "4419B60000012", "cam-4419B6000001", "urn:x:AB"])
def test_other_names_stay_as_they_are(other: str) -> None:
    assert named(other) == other


def test_two_devices_cannot_be_one_counter() -> None:
    with pytest.raises(ValueError, match='"a" and "b" are both s/c, expected a counter for each of them'):
        Devices.of({"a": Device("s/c"), "b": Device("s/c")})


def test_a_device_cannot_stand_there_twice() -> None:
    with pytest.raises(ValueError, match='device "4419B6000001" stands there twice'):
        Devices.of([("44:19:b6:00:00:01", Device("s/a")), ("4419B6000001", Device("s/b"))])


@pytest.mark.parametrize("zone", ["Asia/Shangai", "", "../etc/passwd", "Asia"])
def test_a_zone_that_is_none_is_told(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Devices.of({"a": Device("s/c", zone=zone)})


@given(st.text())
def test_a_name_is_one_short_line_that_can_be_written_and_named_again(said: str) -> None:
    name = named(said)
    assert len(name) <= LONGEST_NAME + 5
    assert name.encode().decode().isprintable() or not set("\r\n\0") & set(name)
    assert named(name) == name


@given(st.text(min_size=1), st.binary())
def test_a_refusal_can_be_taken_apart_again(rule: str, rest: bytes) -> None:
    topic = f"x/onvif-ej/RuleEngine/CountAggregation/Counter/&1/{rule.replace('/', '')}"
    (refusal,) = read("onvif", b'{"x":1}', topic=topic).refused
    part = told(refusal.raw + rest)
    assert (part.family, part.raw) == ("onvif", b'{"x":1}' + rest)
    assert part.device.startswith("x")


def test_what_is_unknown_is_refused_with_its_name() -> None:
    with pytest.raises(Refused) as refused:
        Devices.of({}).find("cam")
    assert (refused.value.reason, refused.value.device) == (Reason.UNKNOWN_COUNTER, "cam")
