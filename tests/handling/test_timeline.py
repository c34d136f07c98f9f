"""The timeline of an incident: what is about it, in the order of time, told in both languages."""

from __future__ import annotations

from pathlib import Path

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.handling.book import Book
from flowwatch.handling.records import FLOWWATCH, Act, Handling, Said, Shown
from flowwatch.handling.timeline import timeline
from tests.handling.made import SECOND, START, alert, entries, step

BODY = {
    "incident": "yuyuan-i1",
    "site": "yuyuan",
    "state": "raised",
    "what": "gate_lost",
    "subject": "gate-2",
    "level": None,
    "reason": None,
    "since_us": START,
    "headline": None,
    "instruction": None,
    "detail": None,
}


def decided(seconds: int, kind: EntryKind, **fields: object) -> Entry:
    return Entry("yuyuan", 9, kind, START + seconds * SECOND, canonical(fields), b"")


def test_what_only_names_an_incident_is_not_about_it(tmp_path: Path) -> None:
    book = Book.open(tmp_path / "handling.db")
    book.write(
        [
            ("yuyuan", START, alert("yuyuan-i1")),
            ("yuyuan", START, alert("yuyuan-i11")),
            ("yuyuan", START, alert("yuyuan-i2", shown=Shown.PARENT, parent="yuyuan-i1")),
            ("yuyuan", START, step(Act.SUPPRESS, "yuyuan-i3", FLOWWATCH, to="yuyuan-i1")),
            ("yuyuan", START, step(Act.ACKNOWLEDGE, "yuyuan-i1", handling=Handling.ACKNOWLEDGED)),
        ]
    )
    assert [entry.id for entry in book.journal.about("yuyuan-i1")] == ["yuyuan-1", "yuyuan-5"]
    book.close()


def test_moments_come_by_time_and_the_journals_word_before_what_was_told_of_it() -> None:
    record = {"by": "li", "reason": "seen on the camera", "incident": "yuyuan-i1", "answer": "no"}
    journal = [
        decided(0, EntryKind.INCIDENT, **BODY),
        decided(20, EntryKind.ACTION, site="yuyuan", type="confirm", accepted=True, refused=None, record=record),
        decided(30, EntryKind.INCIDENT, **BODY | {"state": "cleared"}),
    ]
    book = entries(
        (0, alert()),
        (10, step(Act.DISPATCH, to="patrol-3", role="operator", reason="go and see", handling=Handling.DISPATCHED)),
        (30, alert(state="cleared", shown=Shown.ENDED, text=Said("与2号口恢复联系", "gate-2 can be reached again"))),
    )
    found = timeline(journal, book, None)
    assert [(one.what, one.by, one.role, one.reason) for one in found] == [
        ("raised", "engine", None, None),
        ("raised", "flowwatch", None, None),
        ("dispatch", "wang", "operator", "go and see"),
        ("confirm", "li", None, "seen on the camera"),
        ("cleared", "engine", None, None),
        ("ended", "flowwatch", None, None),
    ]
    assert found[1].text == Said("提示：与2号口失去联系", "shown: gate-2 cannot be reached")
    assert found[3].text == Said("li确认：不同意", "confirmation by li: no")
    assert found[5].text.en == "ended: gate-2 can be reached again"
