"""The timeline of an incident: what is about it, in the order of time, told in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.incidents import What
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


@pytest.mark.parametrize(
    "harm",
    [
        {"headline": {"zh": "甲"}},
        {"headline": {}},
        {"reason": 5},
        {"detail": {"x": 1}, "what": "override_active", "reason": "{"},
        {"detail": {"question": 5}, "what": "confirmation_needed"},
        {"detail": {"by": None, "until_us": "x"}, "what": "drill_active"},
        {"record": None},
        {"record": {}},
        {"record": {"by": 5, "reason": 1}},
        {"record": {"by": "li", "reason": "x", "answer": []}},
        {"record": {"by": "li"}},
    ],
)
def test_a_damaged_entry_hides_nothing_but_itself(harm: dict[str, Any]) -> None:
    if "record" in harm:
        bad = decided(20, EntryKind.ACTION, site="yuyuan", type="confirm", accepted=True, refused=None, **harm)
    else:
        bad = decided(20, EntryKind.INCIDENT, **BODY | harm)
    found = timeline([decided(0, EntryKind.INCIDENT, **BODY), bad], entries((30, alert())), None)
    assert [one.by for one in found if one.entry is not bad] == ["engine", "flowwatch"]
    if "detail" in harm:
        assert len(found) == 3, "what can be read of it is told"


@pytest.mark.parametrize("what", ["stage", *What])
def test_whatever_an_incidents_details_are_its_timeline_is_told(what: str) -> None:
    for detail in ({}, {"x": 1}, {"setting": 5}, {"by": None, "people": "x", "until_us": "x", "since_us": "y"}):
        bad = decided(0, EntryKind.INCIDENT, **BODY | {"what": str(what), "detail": detail, "reason": "{"})
        assert len(timeline([bad], [], None)) == 1
