"""What docs/adapters.md shows is true: each message on the page becomes the reading that stands behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from flowwatch.adapters.devices.families import FAMILIES, Checked
from flowwatch.adapters.devices.message import Device
from flowwatch.adapters.ndjson import Codec
from tests.adapters.devices.reading import read, readings

PAGE: Final = (Path(__file__).parents[3] / "docs" / "adapters.md").read_text(encoding="utf-8")
SECTIONS: Final = dict(re.findall(r"^## [^\n]*\(`(\w+)`\)\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE))
DEVICES: Final = {
    "hikvision": {"44:19:b6:00:00:01": Device("yuyuan/camera-1")},
    "axis": {"00408CAC512B": Device("yuyuan/camera-3", zone="Asia/Shanghai")},
    "fiware": {"urn:ngsi-ld:CrowdFlowObserved:gate-1": Device("yuyuan/gate-1")},
    "shanghai": {"shanghai/7": Device("yuyuan/garden")},
    "onvif": {"park/cam-1/Inbound": Device("yuyuan/gate-3-in", direction="in")},
    "xovis": {"80:1f:12:00:00:0a/Line 0": Device("yuyuan/gate-4")},
}
TOPIC: Final = "park/cam-1/onvif-ej/RuleEngine/CountAggregation/Counter/&1/Inbound"


def test_every_family_has_its_section_and_says_when_it_was_written_from_documentation_alone() -> None:
    assert set(SECTIONS) == set(FAMILIES)
    for name, family in FAMILIES.items():
        assert ("Written from documentation." in SECTIONS[name]) is (family.checked is Checked.DOCUMENTS)


def test_each_message_shown_becomes_the_reading_shown() -> None:
    for name, section in SECTIONS.items():
        (shown,) = re.findall(r"```(?:json|xml)\n(.*?)```", section, re.DOTALL)
        (line,) = re.findall(r"`(\{\"counter\".*\})`", section)
        made = read(name, shown.encode(), DEVICES[name], topic=TOPIC if name == "onvif" else "")
        assert readings(made) == readings(Codec().batch(line.encode()))
        assert not made.refused
