"""`handover`: what a shift hands over, from the journal and the book, for people in both languages and for programs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.handling.book import Book
from flowwatch.handling.records import Act, Alert, Handling, Said, Shown, Step
from tests.cli.conftest import Invoke, objects
from tests.handling.made import alert, handed_over, pages, step


@pytest.fixture
def shift(told: Path) -> Path:
    """Before the story's afternoon: one red that is being handled, one lost gate, one camera that was shelved, one that is closed."""
    red = alert(
        "yuyuan-i91",
        what="stage",
        subject="exit_only",
        level="I",
        text=Said("豫园商城人数可能超过 3,000 人", "there may be more than 3,000 inside"),
    )
    said: list[tuple[float, Alert | Step]] = [
        (-7_200, handed_over("zhao", "wang", "夜班")),
        (-600, red),
        (-580, step(Act.ACKNOWLEDGE, "yuyuan-i91", handling=Handling.ACKNOWLEDGED)),
        (-560, step(Act.DISPATCH, "yuyuan-i91", handling=Handling.DISPATCHED, to="巡逻3组")),
        (-300, alert("yuyuan-i92")),
        (-200, alert("yuyuan-i93", what="counter_silent", subject="turnstile-1", level="IV")),
        (-190, step(Act.SHELVE, "yuyuan-i93", reason="更换模块", until_us=2**52)),
        (-150, alert("yuyuan-i94")),
        (-149, step(Act.CLOSE, "yuyuan-i94", handling=Handling.CLOSED)),
        (-100, alert("@service-h1", what="feed_undelivered", subject="webhook", level=None, shown=Shown.NOTICE)),
    ]
    book = Book.open(told / "handling.db")
    book.write(pages(said))
    book.close()
    return told


def test_people_read_it_in_chinese(shift: Path, invoke: Invoke) -> None:
    lines = invoke("handover", "--data", shift, "--lang", "zh").stdout.splitlines()
    assert lines[0] == "交接班：豫园（yuyuan）"
    assert "上次交接 12:00，zhao交班，wang接班：夜班" in lines
    assert "一、未办结事件（3）" in lines
    assert lines[lines.index("一、未办结事件（3）") + 1] == "yuyuan-i91  豫园商城人数可能超过 3,000 人"
    assert any("已派警（巡逻3组），签收人 wang" in text for text in lines)
    assert "yuyuan-i94" not in "\n".join(lines)


def test_people_read_it_in_english(shift: Path, invoke: Invoke) -> None:
    text = invoke("handover", "--data", shift, "--site", "yuyuan").stdout
    assert text.startswith("Handover: Yuyuan (yuyuan)\n")
    assert "1. Open incidents (3)" in text
    assert "yuyuan-i93  Turnstile 1 (turnstile-1): silent counter; shelved until" in text
    assert "6. Feeds that cannot be delivered (1)" in text


def test_clocks_and_duties_are_the_deployments(shift: Path, tmp_path: Path, invoke: Invoke) -> None:
    deployment = tmp_path / "site.yaml"
    deployment.write_text("deployment: here\nalarms: {duties: [officer_in_charge]}\n", encoding="utf-8")
    (found,) = objects(invoke("handover", "--data", shift, "--json", "--deployment", deployment))
    assert {incident["duty"] for incident in found["incidents"]} == {"officer_in_charge"}


def test_programs_read_the_same_with_the_digest(shift: Path, invoke: Invoke) -> None:
    (found,) = objects(invoke("handover", "--data", shift, "--json"))
    assert [incident["incident"] for incident in found["incidents"]] == ["yuyuan-i91", "yuyuan-i92", "yuyuan-i93"]
    assert found["before"] == {"by": "zhao", "to": "wang", "at": "2026-10-01T04:00:00.000000Z", "reason": "夜班"}
    assert [incident["incident"] for incident in found["undelivered"]] == ["@service-h1"]
    assert len(found["digest"]) == 64
    assert found["stages"][0]["plan"] == "yuyuan"


def test_a_damaged_record_hides_nothing_else_and_is_told(shift: Path, invoke: Invoke) -> None:
    with closing(sqlite3.connect(shift / "handling.db")) as connection, connection:
        ((seq,),) = connection.execute("SELECT max(seq) FROM entries WHERE chain = 'yuyuan' AND kind = 'alert'")
        connection.execute("UPDATE entries SET body = x'00' WHERE chain = 'yuyuan' AND seq = ?", (seq,))
    lines = invoke("handover", "--data", shift, "--lang", "zh").stdout.splitlines()
    assert "一、未办结事件（3）" in lines
    assert "另有 1 条记录无法读取，以上未计入；请用 flowwatch audit verify 核查" in lines
    (found,) = objects(invoke("handover", "--data", shift, "--json"))
    assert found["shift"]["unreadable"] == 1


def test_slips_are_told(shift: Path, invoke: Invoke) -> None:
    assert 'did you mean "yuyuan"?' in invoke("handover", "--data", shift, "--site", "yuyuann", code=Exit.USAGE).output
    (shift / "handling.db").unlink()
    assert "no book of handling here yet" in invoke("handover", "--data", shift, code=Exit.USAGE).output
