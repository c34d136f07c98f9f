"""The glossary's words for places and roles are the only ones: in the tables that texts are made of, and in every Chinese text that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from flowwatch.vocabulary import PLACEHOLDERS, ROLES, THINGS

ROOT: Final = Path(__file__).parents[1]
OTHERS: Final = {
    "带班": "值班长",
    "值班领导": "值班长",
    "值班指挥员": "值班指挥长",
    "操作员": "值班员",
    "接警员": "值班员",
    "点位": "景区",
    "站点": "景区",
}
"""What the same is called elsewhere, and what it is called here."""
WHERE: Final = ("flowwatch", "simulators", "docs", "config", "rules", "examples", "README.zh-CN.md")
KINDS: Final = {".py", ".md", ".yml", ".yaml", ".json", ".svg", ".html"}


def glossary() -> dict[str, str]:
    """English -> Chinese, by the rows of the page's tables."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| .+ \|$", page, re.MULTILINE)
    return {english: chinese for english, chinese in rows if english != "English"}


def texts() -> Iterator[Path]:
    for name in WHERE:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in KINDS)


@pytest.mark.parametrize(("role", "english"), [(r, r.replace("_", " ")) for r in ("operator", "supervisor", "officer_in_charge")])
def test_a_role_has_the_glossarys_name(role: str, english: str) -> None:
    assert ROLES[role] == {"zh": glossary()[english], "en": f"the {english}"}


@pytest.mark.parametrize("thing", ["zone", "link", "gate", "counter", "barrier"])
def test_a_thing_has_the_glossarys_name(thing: str) -> None:
    assert THINGS[thing]["zh"] == glossary()[thing]


def test_a_site_has_one_name() -> None:
    assert PLACEHOLDERS["site"]["zh"] == glossary()["site"] == "景区"


def test_what_a_word_is_replaced_by_is_one_of_the_glossarys() -> None:
    assert set(OTHERS.values()) <= set(glossary().values())


def test_no_text_has_another_word_for_them() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {other}, expected {word}"
        for file in texts()
        for other, word in OTHERS.items()
        if other in file.read_text(encoding="utf-8")
    ]
    assert not found
