"""What the page about handling says in figures is what the desk does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flowwatch.handling.desk import KEEP_US, SECOND
from flowwatch.handling.ward import CLOSED_KEPT

DOCS: Final = Path(__file__).parents[2] / "docs"
WORDS: Final = {5: "five"}


def test_how_often_the_desk_keeps_what_it_knows() -> None:
    assert f"kept every {WORDS[KEEP_US // SECOND // 60]} minutes" in (DOCS / "handling.md").read_text(encoding="utf-8")


def test_for_how_long_a_closed_incident_takes_notes() -> None:
    row = f"any open; the last {CLOSED_KEPT} of a site that were closed"
    for page in ("handling.md", "api.md"):
        assert row in (DOCS / page).read_text(encoding="utf-8")
