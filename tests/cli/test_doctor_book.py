"""What the doctor says of the service and of the book of handling: nobody serves, the book is gone, damaged or behind, and nobody has answered."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowwatch.cli.findings import Finding, Grade
from flowwatch.cli.health import Patient, examine
from flowwatch.core.entries import EntryKind
from flowwatch.handling.book import Book, Page
from flowwatch.handling.records import FLOWWATCH, Act, Handling, Said, Shown
from flowwatch.journal import Journal
from flowwatch.log import Writer, create
from flowwatch.workspace import Workspace
from tests.handling.made import START, alert, step
from tests.journal.story import SECOND, site


def examined(folder: Path, now_us: int = 0, *, quick: bool = False) -> dict[str, Finding]:
    found = list(examine(Patient(Workspace(folder), None, now_us, lambda _: None, quick=quick)))
    for finding in found:
        assert "{" not in finding.what("zh") + finding.do("zh") + finding.what("en") + finding.do("en")
    return {finding.key: finding for finding in found}


@contextmanager
def held(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        file.write(str(os.getpid()))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def alerts(folder: Path) -> list[Page]:
    """What people are to be told of the story's incidents."""
    with closing(Journal.open(folder / "journal.db", create=False)) as journal:
        pages: list[Page] = []
        for entry in journal.entries("yuyuan", EntryKind.INCIDENT):
            body = json.loads(entry.body)
            said = {name: body[name] for name in ("what", "subject", "state", "level", "since_us")}
            one = alert(body["incident"], **said, entry=entry.id, entry_hash=entry.hash.hex(), text=Said("事件", "an incident"))
            pages.append(("yuyuan", entry.at, one))
        return pages


def write(folder: Path, pages: list[Page]) -> None:
    book = Book.open(folder / "handling.db")
    book.write(pages)
    book.close()


def served(folder: Path) -> None:
    """A service has run here."""
    generation = Workspace(folder).serve_generation
    generation.parent.mkdir(exist_ok=True)
    generation.write_text("1")


# ---- who runs


@pytest.fixture
def live(tmp_path: Path) -> Path:
    create(tmp_path / "log", clock="wall", partitions=1)
    with Writer.open(tmp_path / "log") as writer:
        writer.append_document(site(), START)
        writer.tick(START)
    return tmp_path


def test_an_engine_without_a_service_is_trouble_and_says_what_stands_still(live: Path) -> None:
    with held(Workspace(live).run_lock):
        found = examined(live, START)["not_serving"]
    assert found.grade is Grade.TROUBLE
    assert found.what("en") == "the engine runs and the service does not: nobody is told, no command goes out, no clock of handling runs"
    assert "预警通知不到人" in found.what("zh")
    for lang in ("zh", "en"):
        assert f"flowwatch up --data {live}" in found.do(lang)


def test_where_both_run_both_are_named(live: Path) -> None:
    workspace = Workspace(live)
    with ExitStack() as locks:
        for lock in (workspace.run_lock, workspace.serve_lock):
            locks.enter_context(held(lock))
        found = examined(live, START)
    assert "not_serving" not in found
    assert found["serving"].what("en") == f"the service runs (process {os.getpid()})"


def test_where_nothing_runs_up_is_advised_which_starts_both(live: Path) -> None:
    found = examined(live, START)
    assert "not_serving" not in found
    assert found["not_running"].do("zh") == f"启动：flowwatch up --data {live}"
    assert found["not_running"].do("en") == f"`flowwatch up --data {live}` starts it"


# ---- the book


def test_a_book_that_tells_all_is_sound(told: Path) -> None:
    write(told, pages := alerts(told))
    found = examined(told)
    assert found["book"].what("en") == f"the book of handling is sound: {len(pages)} entries, and tells what the journal says"
    assert {key for key in found if key.startswith("book")} == {"book"}


def test_where_no_service_ever_was_a_missing_book_is_only_said(told: Path) -> None:
    assert examined(told)["no_book"].grade is Grade.NOTE


def test_a_book_that_was_deleted_is_missed(told: Path) -> None:
    served(told)
    found = examined(told)["book_gone"]
    assert found.grade is Grade.TROUBLE
    assert f"{told}/handling.db" in found.do("en")


def test_where_there_was_no_incident_no_book_is_missed(live: Path) -> None:
    served(live)
    assert not {"book_gone", "no_book"} & examined(live).keys()


def test_a_book_that_is_no_database_is_damaged(told: Path) -> None:
    (told / "handling.db").write_bytes(b"\x17 no book at all " * 500)
    found = examined(told)
    assert found["book_damaged"].grade is Grade.TROUBLE
    assert "rebuild" not in found["book_damaged"].what("en") + found["book_damaged"].do("en"), "nothing can make it again"
    assert "journal" in found


def test_a_book_with_a_damaged_page_is_damaged_or_unsound(told: Path) -> None:
    write(told, alerts(told))
    data = bytearray((told / "handling.db").read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    (told / "handling.db").write_bytes(data)
    assert {"book_damaged", "book_unsound", "unexaminable"} & examined(told).keys()


def by_hand(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "handling.db")) as connection, connection:
        connection.execute(statement)


def test_a_record_that_somebody_changed_is_found(told: Path) -> None:
    write(told, alerts(told))
    by_hand(told, "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'an incident', 'nothing') AS BLOB) WHERE seq = 1")
    found = examined(told)["book_unsound"]
    assert "entry 1" in found.what("en")
    assert f"flowwatch audit verify --data {told}" in found.do("zh")


def test_a_record_that_cannot_be_read_ends_no_examination(told: Path) -> None:
    write(told, alerts(told))
    by_hand(told, "UPDATE entries SET body = CAST('no JSON' AS BLOB) WHERE seq = 1")
    found = examined(told)
    assert {"book_unsound", "unexaminable"} & found.keys()
    assert "ticks" in found or "documents" in found


def test_an_alert_whose_journal_says_otherwise_is_found(told: Path) -> None:
    pages = alerts(told)
    (chain, at, first), *others = pages
    assert first.state == "raised"  # type: ignore[union-attr]
    write(told, [(chain, at, alert("yuyuan-i99", entry="yuyuan-99", since_us=at)), *others])
    assert "yuyuan-99" in examined(told)["book_unsound"].what("en")


@pytest.mark.parametrize("quick", [False, True])
def test_a_book_far_behind_is_told_with_how_much(told: Path, quick: bool) -> None:
    pages = alerts(told)
    write(told, pages[:1])
    found = examined(told, quick=quick)["book_behind"]
    assert found.values["count"] == len(pages) - 1
    assert "yuyuan" in found.what("zh")
    assert f"flowwatch up --data {told}" in found.do("en")


# ---- what nobody has answered


@pytest.mark.parametrize("quick", [False, True])
def test_reds_without_an_answer_and_steps_that_are_overdue_are_told_until_somebody_answers(told: Path, quick: bool) -> None:
    at = START + SECOND
    red, yellow = "yuyuan-h1", "yuyuan-h2"
    late = step(Act.ESCALATE, yellow, FLOWWATCH, clock="acknowledge", to="supervisor", due_us=at)
    write(told, [*alerts(told), ("yuyuan", at, alert(red, level="I")), ("yuyuan", at, alert(yellow)), ("yuyuan", at, late)])
    found = examined(told, quick=quick)
    assert found["reds_new"].what("en") == "reds that nobody has acknowledged: 1 (yuyuan-h1)"
    assert found["overdue"].what("zh") == "处置超时的事件：1 起（yuyuan-h2）"
    write(told, [("yuyuan", at, step(Act.ACKNOWLEDGE, name, handling=Handling.ACKNOWLEDGED)) for name in (red, yellow)])
    assert not {"reds_new", "overdue"} & examined(told, quick=quick).keys()


def test_in_a_hurry_nothing_is_read_from_end_to_end_and_it_says_so(told: Path) -> None:
    write(told, alerts(told))
    by_hand(told, "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'an incident', 'nothing') AS BLOB) WHERE seq = 1")
    found = examined(told, quick=True)
    assert not {"log", "journal", "book", "book_unsound"} & found.keys()
    assert (found["book_there"].what("zh"), found["journal_there"].grade) == (
        f"处置记录在，{len(alerts(told))} 条（未逐条核验）",
        Grade.FINE,
    )


def test_what_the_desk_itself_says_is_wrong_is_told_until_it_ends(told: Path) -> None:
    text = Said("推送“总台”未送达", "the feed cannot be delivered")
    raised = alert("@service-h1", what="feed_undelivered", subject="webhook-1", level="IV", text=text)
    write(told, [*alerts(told), ("@service", START, raised)])
    assert ("flowwatch: the feed cannot be delivered (@service-h1)", "本系统：推送“总台”未送达（@service-h1）") in told_of(told)
    write(told, [("@service", START + SECOND, replace(raised, state="cleared", shown=Shown.ENDED))])
    assert not any("@service" in english for english, _ in told_of(told))


def told_of(folder: Path) -> set[tuple[str, str]]:
    """The incidents that the doctor tells of, in English and in Chinese."""
    found = examine(Patient(Workspace(folder), None, 0, lambda _: None))
    return {(one.what("en"), one.what("zh")) for one in found if one.key == "incident"}


def test_a_drill_waits_for_nobody(told: Path) -> None:
    write(told, [*alerts(told), ("yuyuan", START, alert("yuyuan-h1", level="I", drill=True))])
    assert "reds_new" not in examined(told)
