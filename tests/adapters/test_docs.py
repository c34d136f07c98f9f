"""What docs/readings.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path

from flowwatch.adapters.mapping import RULES, Import
from flowwatch.adapters.ndjson import Codec
from flowwatch.documents import Source, read_document

PAGE = (Path(__file__).parents[2] / "docs" / "readings.md").read_text(encoding="utf-8")


def shown(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_lines_shown_as_readings_are_readings() -> None:
    (block,) = shown("json")
    batch = Codec().batch(block.encode())
    assert (len(batch), list(batch.refused)) == (3, [])


def test_the_document_shown_as_an_import_is_sound() -> None:
    (text,) = shown("yaml")
    assert read_document(Source("readings.md", text.encode()), Import, RULES).import_ == "museum"


def test_every_key_of_an_import_document_is_on_the_page() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert set(Import.__struct_encode_fields__) <= named
