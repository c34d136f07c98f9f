"""`adapters list` and `adapters try`: what is shown of a device's message, and what is said of a wrong call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowwatch.adapters.devices.families import FAMILIES
from tests.adapters.devices.reading import DOCUMENTED, event
from tests.cli.conftest import Invoke

TOPIC = "park/cam-1/onvif-ej/RuleEngine/CountAggregation/Counter/&1/Inbound"


@pytest.fixture
def message(tmp_path: Path) -> Path:
    file = tmp_path / "message.xml"
    file.write_bytes(event())
    return file


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list_names_every_family_and_what_it_was_held_against(invoke: Invoke) -> None:
    told = objects(invoke("adapters", "list", "--json").stdout)
    assert {one["format"]: one["checked"] for one in told} == {name: family.checked.value for name, family in FAMILIES.items()}
    for lang, word in (("en", "needs:"), ("zh", "另需")):
        text = invoke("adapters", "list", "--lang", lang).stdout
        assert text.count(word) == len(FAMILIES)


def test_try_shows_the_reading_of_a_known_device(invoke: Invoke, message: Path) -> None:
    text = invoke("adapters", "try", message, "--device", "4419B6000001=yuyuan/camera-1,swap").stdout
    assert text.splitlines() == [
        "hikvision, by its looks: Hikvision ISAPI people counting (XML)",
        "counter          kind        at                    in  out  inside  device",
        "yuyuan/camera-1  cumulative  2026-10-01T01:00:02Z  54  167  -       44:19:b6:00:00:01",
    ]


def test_try_shows_an_unknown_device_with_the_line_that_makes_it_known(invoke: Invoke, message: Path) -> None:
    text = invoke("adapters", "try", message, "--format", "hikvision", code=1).stdout
    assert text.splitlines() == [
        "counter  kind        at                    in   out  inside  device",
        "-        cumulative  2026-10-01T01:00:02Z  167  54   -       44:19:b6:00:00:01",
        "for the deployment file, under devices:",
        '  - {device: "44:19:b6:00:00:01", counter: SITE/COUNTER}',
    ]


def test_the_line_has_what_the_device_needs(invoke: Invoke) -> None:
    counter = invoke("adapters", "try", DOCUMENTED / "onvif_counter.json", "--topic", TOPIC, "--json", code=1).stdout
    assert objects(counter)[-1] == {"deployment": '- {device: "park/cam-1/Inbound", counter: SITE/COUNTER, direction: in}'}
    live = b'{"serial":"00408CAC512B","name":"x","timestamp":"20261001090000","in":12,"out":318}'
    for zone in ((), ("--zone", "Asia/Shanghai")):
        told = objects(invoke("adapters", "try", "-", *zone, "--json", data=live, code=1).stdout)
        assert told[-1] == {"deployment": '- {device: "00:40:8c:ac:51:2b", counter: SITE/COUNTER, zone: Asia/Shanghai}'}
        assert len(told) == 3
    assert told[1] == {
        "device": "00:40:8c:ac:51:2b",
        "counter": None,
        "kind": "cumulative",
        "at": "2026-10-01T01:00:00Z",
        "in": 12,
        "out": 318,
        "inside": None,
    }


def test_a_refusal_is_told_with_its_reason_in_both_languages(invoke: Invoke) -> None:
    for lang, text in (("en", "refused, missing_count: "), ("zh", "拒收 missing_count：")):
        said = invoke("adapters", "try", DOCUMENTED / "xovis_status.json", "--lang", lang, code=1).stdout
        assert text + "a package without records and crossings" in said


def test_a_device_entry_says_direction_and_zone(invoke: Invoke) -> None:
    entry = "park/cam-1/Inbound=yuyuan/gate-3-in,in,zone=Asia/Shanghai"
    told = objects(invoke("adapters", "try", DOCUMENTED / "onvif_counter.json", "--topic", TOPIC, "--device", entry, "--json").stdout)
    assert told[1]["counter"] == "yuyuan/gate-3-in"
    assert (told[1]["in"], told[1]["out"]) == (1284, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "hikvison"], 'no format "hikvison"; did you mean "hikvision"?'),
        (["--format", "zzz"], 'no format "zzz"; expected one of hikvision, axis,'),
        (["--device", "a"], '--device "a": expected NAME=SITE/COUNTER'),
        (["--device", "a=b"], '--device "a=b": expected NAME=SITE/COUNTER'),
        (["--device", "a=s/b,up"], '--device "a=s/b,up": expected NAME=SITE/COUNTER'),
        (["--device", "a=s/b", "--zone", "Shanghai"], 'no time zone "Shanghai", expected one such as Asia/Shanghai'),
        (["--device", "a=s/b", "--device", "c=s/b"], '"a" and "c" are both s/b, expected a counter for each of them'),
    ],
)
def test_a_wrong_call_is_told_in_a_line(invoke: Invoke, message: Path, arguments: list[str], said: str) -> None:
    assert said in invoke("adapters", "try", message, *arguments, code=2).stderr


def test_what_looks_like_nothing_needs_its_format_and_a_missing_file_is_told(invoke: Invoke, tmp_path: Path) -> None:
    assert "looks like none of the formats" in invoke("adapters", "try", "-", data=b"hello", code=2).stderr
    assert "no such file" in invoke("adapters", "try", tmp_path / "none.xml", code=2).stderr
