from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.picture import Standing
from tests.journal.story import afternoon, evening


@pytest.mark.parametrize("story", [afternoon, evening])
def test_what_stands_is_the_same_whether_the_chain_is_read_backwards_or_taken_entry_by_entry(tmp_path: Path, story: object) -> None:
    assert callable(story)
    journal, _ = story(tmp_path)
    with journal:
        taken = Standing()
        for entry in journal.entries("yuyuan"):
            taken.take(entry)
        read = Standing.of(journal, "yuyuan")
    assert taken.gates
    assert read == taken
    for field in ("stages", "gates", "devices", "incidents", "actions"):
        assert list(getattr(read, field)) == list(getattr(taken, field)), field


def test_a_site_of_which_nothing_was_decided_stands_as_it_begins(tmp_path: Path) -> None:
    journal, _ = afternoon(tmp_path)
    with journal:
        assert Standing.of(journal, "nowhere") == Standing()
