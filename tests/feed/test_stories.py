"""What stands in the record of handling is the last alert and the last step of each incident, unless that step closed it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.feed.stories import OpenStories
from flowwatch.handling.book import Book
from flowwatch.handling.records import Act, Alert, Handling, Said, Shown, Step

Word = tuple[int, Handling | None]
"""(which incident, how far people are after a step; None for an alert)."""
WORDS = st.lists(st.tuples(st.integers(1, 4), st.none() | st.sampled_from(Handling)), max_size=30)


def write(book: Book, words: Sequence[Word]) -> None:
    for number, handling in words:
        said: Alert | Step = Alert(
            site="a", incident=f"a-i{number}", state="raised", what="stage", subject="a", since_us=1, text=Said("", ""), shown=Shown.RAISED
        )
        if handling is not None:
            said = Step(site="a", incident=f"a-i{number}", act=Act.NOTE, by="wang", handling=handling)
        book.write([("a", 1, said)])


@given(WORDS, WORDS)
def test_what_stands_is_what_the_record_says_however_it_is_read(before: list[Word], after: list[Word]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "handling.db"
        book, standing = Book.open(path), OpenStories(path)
        write(book, before)
        standing.site("a")
        write(book, after)
        words = [*before, *after]
        wanted = {}
        for number in {number for number, _ in words}:
            mine = [(f"a-{seq}", handling) for seq, (n, handling) in enumerate(words, 1) if n == number]
            alerts, steps = [name for name, handling in mine if handling is None], [one for one in mine if one[1] is not None]
            step, handling = steps[-1] if steps else (None, Handling.NEW)
            if handling is not Handling.CLOSED:
                wanted[f"a-i{number}"] = handling, alerts[-1] if alerts else None, step
        for there in (standing, OpenStories(path)):
            seq, found = there.site("a")
            assert seq == len(words)
            told = {n: (i["handling"], i["alert"] and i["alert"]["id"], i["step"] and i["step"]["id"]) for n, i in found.items()}
            assert told == wanted
            there.close()
        book.close()


def test_a_shift_that_took_over_is_no_incident(tmp_path: Path) -> None:
    book, standing = Book.open(tmp_path / "handling.db"), OpenStories(tmp_path / "handling.db")
    book.write([("a", 1, Step(site="a", incident="", act=Act.HANDOVER, by="wang"))])
    assert standing.site("a") == (1, {})
    standing.close()
    book.close()


def test_without_a_record_nothing_stands(tmp_path: Path) -> None:
    assert OpenStories(tmp_path / "handling.db").site("a") == (0, {})
