"""A drafted site file: it can be loaded as it is, and says what is guessed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flowwatch.adapters.draft import CounterNames, draft_site
from flowwatch.adapters.ingest import Source
from flowwatch.adapters.lines import opened
from flowwatch.adapters.mapping import RULES, Import
from flowwatch.documents import Source as DocumentSource
from flowwatch.documents import compile_sources, read_document

TEXT = """\
import: square
title: {zh: "广场: 东", en: "Square: east"}
time: {from: "{t}", format: seconds}
counter: "{c}"
counts: delta
in: in
every: 1m
lateness: 30s
"""


def drafted(folder: Path, table: str, text: str = TEXT, site: str | None = None) -> dict[str, Any]:
    return compile_sources(DocumentSource("draft.yaml", draft(folder, table, text, site).encode()), []).site


def draft(folder: Path, table: str, text: str = TEXT, site: str | None = None) -> str:
    file = folder / "table.csv"
    file.write_text(table, encoding="utf-8")
    document = read_document(DocumentSource("square.yaml", text.encode()), Import, RULES)
    return draft_site(document, [Source(partial(opened, file), document, site)], site)


def test_every_counter_has_a_gate_with_lanes_for_its_peak(tmp_path: Path) -> None:
    site = drafted(tmp_path, "t,c,in\n0,gate-10,30\n20,gate-10,60\n70,gate-10,40\n0,gate-2,1\n")
    assert [counter["counter"] for counter in site["counters"]] == ["gate-2", "gate-10"]
    assert {gate["gate"]: gate["lanes"] for gate in site["gates"]} == {"gate-2": 1, "gate-10": 4}
    assert [(c["counts"], c["every_us"], c["lateness_us"]) for c in site["counters"]] == [("delta", 60_000_000, 30_000_000)] * 2
    assert site["title"] == {"zh": "广场: 东", "en": "Square: east"}


def test_it_is_named_as_asked_and_says_that_it_guesses(tmp_path: Path) -> None:
    text = draft(tmp_path, "t,c,in\n0,a,1\n", site="other")
    assert "site: other\n" in text
    assert "guesses" in text.splitlines()[0]


def test_counters_of_people_in_view_look_at_zones_of_their_own(tmp_path: Path) -> None:
    text = TEXT.replace("delta", "absolute").replace("in: in", "inside: in")
    site = drafted(tmp_path, "t,c,in\n0,hall,1\n0,stairs,2\n", text)
    assert [(counter["counter"], counter["zone"]) for counter in site["counters"]] == [("hall", "hall"), ("stairs", "stairs")]


def test_more_counters_than_a_site_has_gates_share_them(tmp_path: Path) -> None:
    table = "t,c,in\n" + "".join(f"0,c{i},25\n" for i in range(2500))
    site = drafted(tmp_path, table)
    assert len(site["counters"]) == 2500
    assert len(site["gates"]) == 834
    assert {gate["lanes"] for gate in site["gates"]} == {3, 1}


def test_texts_that_are_no_names_are_told_as_what_to_add_to_the_import(tmp_path: Path) -> None:
    table = "t,c,in\n0,东门,1\n0,a,1\n0,west gate,1\n"
    with pytest.raises(CounterNames) as caught:
        draft(tmp_path, table)
    given = "\n".join(str(caught.value).splitlines()[1:])
    assert "东门" in given
    assert {counter["counter"] for counter in drafted(tmp_path, table, TEXT + given + "\n")["counters"]} == {"a", "counter-1", "counter-2"}


def test_an_archive_without_a_counter_gives_no_site(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no counter"):
        draft(tmp_path, "t,c,in\n")
