"""The families of devices that can be read: the list that a deployment file's `format` chooses from.

`checked` says against what a family was held: messages that devices sent, an example of the format's owner, or fixtures written from documentation,
which is least. Whoever puts a device of the latter sorts into service sends its first messages through `flowwatch adapters try` and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flowwatch.adapters.batch import Batch
from flowwatch.adapters.devices import axis, fiware, hikvision, onvif, shanghai, xovis
from flowwatch.adapters.devices.message import Devices, Message
from flowwatch.words import Text


class Checked(StrEnum):
    """What a family was held against."""

    MESSAGES = "messages"
    """Devices sent them."""
    EXAMPLES = "examples"
    """Whoever owns the format published them."""
    DOCUMENTS = "documents"
    """Fixtures written from documentation."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of message: how it is read and recognised, and for people what it is, what is read, how a device is named and what it needs."""

    name: str
    read: Callable[[Message, Devices], Batch]
    looks_like: Callable[[Message], bool]
    title: Text
    reads: Text
    device: str
    needs: Text
    checked: Checked


_NOTHING: Final[Text] = {"zh": "无", "en": "nothing more"}

FAMILIES: Final = {
    family.name: family
    for family in (
        Family(
            hikvision.NAME,
            hikvision.read,
            hikvision.looks_like,
            {"zh": "海康威视 ISAPI 客流统计（XML）", "en": "Hikvision ISAPI people counting (XML)"},
            {"zh": "realTime 累计值，timeRange 时段值", "en": "realTime totals, timeRange counts of an interval"},
            "44:19:b6:00:00:01",
            _NOTHING,
            Checked.MESSAGES,
        ),
        Family(
            axis.NAME,
            axis.read,
            axis.looks_like,
            {"zh": "Axis People Counter（live-sum.json、CSV 导出）", "en": "Axis People Counter (live-sum.json, CSV export)"},
            {"zh": "当日累计值；导出文件为时段值", "en": "the day's totals; of an export the counts of an interval"},
            "00:40:8c:ac:51:2b",
            {"zh": "时区（zone）", "en": "its time zone (zone)"},
            Checked.EXAMPLES,
        ),
        Family(
            fiware.NAME,
            fiware.read,
            fiware.looks_like,
            {"zh": "FIWARE CrowdFlowObserved（JSON）", "en": "FIWARE CrowdFlowObserved (JSON)"},
            {"zh": "时段内相向、相背人数", "en": "people towards and away in an interval"},
            "urn:ngsi-ld:CrowdFlowObserved:gate-1",
            {"zh": "只报 peopleCount 时需方向（direction）", "en": "direction, if it has peopleCount alone"},
            Checked.EXAMPLES,
        ),
        Family(
            shanghai.NAME,
            shanghai.read,
            shanghai.looks_like,
            {"zh": "上海市景区实时客流（JSON）", "en": "the Shanghai feed of scenic spots (JSON)"},
            {"zh": "在园人数", "en": "people inside now"},
            "shanghai/7",
            _NOTHING,
            Checked.MESSAGES,
        ),
        Family(
            onvif.NAME,
            onvif.read,
            onvif.looks_like,
            {"zh": "ONVIF 计数规则（MQTT 上的 JSON）", "en": "ONVIF count aggregation (JSON over MQTT)"},
            {"zh": "自复位起的单向累计值；区域内人数", "en": "totals one way since a reset; people in a field now"},
            "entrance-cam/Inbound",
            {"zh": "Counter 规则需方向（direction）", "en": "direction, for the topic Counter"},
            Checked.DOCUMENTS,
        ),
        Family(
            xovis.NAME,
            xovis.read,
            xovis.looks_like,
            {"zh": "Xovis 数据推送 v5（JSON）", "en": "Xovis data push v5 (JSON)"},
            {"zh": "时段内进出人数、区域人数；逐人过线", "en": "in and out of an interval, people in a zone; single crossings"},
            "80:1f:12:d5:30:dc/Line 0",
            _NOTHING,
            Checked.DOCUMENTS,
        ),
    )
}
"""All families by name."""


def guess(message: Message) -> Family | None:
    """The family that `message` looks like; None where it looks like none, or like several."""
    found = [family for family in FAMILIES.values() if family.looks_like(message)]
    return found[0] if len(found) == 1 else None
