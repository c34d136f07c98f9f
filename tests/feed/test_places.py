"""A place as text comes back as what it was, and is found only in the file that it is of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.feed.places import NOWHERE, Places, Told, find, told
from flowwatch.journal import Journal
from flowwatch.journal.follower import BEGINNING, Follower, Place
from tests.journal.made import chain

PLACE = st.builds(Place, st.integers(1, 10**15), st.binary(min_size=32, max_size=32)) | st.just(BEGINNING)


@given(PLACE, PLACE, st.integers(1, 2**63))
def test_the_text_of_a_place_says_the_place(journal: Place, handling: Place, file: int) -> None:
    text = str(Places(journal, handling, file))
    assert Told.read(text) == Told(told(journal, file), told(handling))
    assert str(Told.read(text)) == text


@pytest.mark.parametrize(
    "text", ["", "j1", "j1-h", "j-1-h0", "j1.xyz-h0", "j1.1f2e3d4c-h0 ", "j1.1f2e3d4c-h0\n", "j1.1F2E3D4C-h0", "j٣-h0"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected the id of an event"):
        Told.read(text)


def test_a_place_is_found_where_it_is_and_nowhere_else(tmp_path: Path) -> None:
    entries = [*chain("a", 2), *chain("b", 1)]
    with Journal.open(tmp_path / "one.db") as one, Journal.open(tmp_path / "other.db") as other:
        one.append(entries)
        other.append([entries[2]])
    follower, another = Follower.open(tmp_path / "one.db"), Follower.open(tmp_path / "other.db")
    rows = [follower.place for _ in follower.new()]
    assert [place.row for place in rows] == [1, 2, 3]
    for place in rows:
        for file in (0, 7):
            assert find(follower, told(place, file), file) == place
            assert find(another, told(place, file), file) is None
        assert find(follower, told(place, 7), 8) is None, "the same row of another file"
        assert find(follower, (place.row, b""), 7) is None, "a row without its check"
    assert find(follower, (9, b"\0\0\0\0")) is None
    assert find(follower, NOWHERE) == BEGINNING
    follower.close()
    another.close()
