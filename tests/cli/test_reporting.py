"""`report DAY`: a folder for each site."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.handling.book import Book
from tests.cli.conftest import Invoke, objects
from tests.handling.made import alert, pages
from tests.journal.story import afternoon
from tests.proof.test_ledger import local_day


def test_the_command_writes_a_folder_for_each_site(invoke: Invoke, tmp_path: Path) -> None:
    journal, _ = afternoon(tmp_path)
    journal.close()
    out = tmp_path / "out"
    said = invoke("report", local_day().isoformat(), "--data", tmp_path, "--out", out, "--lang", "zh").stdout
    assert "no book of handling here" in said
    assert f"yuyuan-{local_day()}" in {p.name for p in out.iterdir()}
    assert "客流运行日报" in (out / f"yuyuan-{local_day()}" / "ledger.html").read_text(encoding="utf-8")


def test_a_day_to_come_is_refused_and_one_that_is_not_over_says_so(invoke: Invoke, tmp_path: Path) -> None:
    journal, _ = afternoon(tmp_path)
    journal.close()
    tomorrow, out = local_day() + timedelta(days=1), tmp_path / "out"
    said = invoke("report", tomorrow.isoformat(), "--data", tmp_path, "--out", out, code=Exit.USAGE).stderr
    assert "has not begun at" in said
    assert "expected that day or an earlier one" in said
    assert not out.exists()
    invoke("report", local_day().isoformat(), "--data", tmp_path, "--out", out)
    assert "the day is not over" in (out / f"yuyuan-{local_day()}" / "ledger.html").read_text(encoding="utf-8")


def test_a_damaged_record_of_either_file_is_told_on_the_page(told: Path, invoke: Invoke, tmp_path: Path) -> None:
    book = Book.open(told / "handling.db")
    book.write(pages([(n, alert(f"yuyuan-i9{n}")) for n in range(3)]))
    book.close()
    for name, kind in (("journal", "incident"), ("handling", "alert")):
        with closing(sqlite3.connect(told / f"{name}.db")) as connection, connection:
            ((seq,),) = connection.execute("SELECT max(seq) FROM entries WHERE chain = 'yuyuan' AND kind = ?", (kind,))
            connection.execute("UPDATE entries SET body = x'00' WHERE chain = 'yuyuan' AND seq = ?", (seq,))
    invoke("report", local_day().isoformat(), "--data", told, "--out", tmp_path / "out", "--site", "yuyuan")
    html = (tmp_path / "out" / f"yuyuan-{local_day()}" / "ledger.html").read_text(encoding="utf-8")
    assert "2 records could not be read" in html
    assert "yuyuan-i91" in html
    (found,) = objects(invoke("alarms", "report", "--data", told, "--json", "--since", "24h"))
    assert found["shown"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"), [(["1st of May"], "is no day"), (["2026-10-01", "--site", "yuyuna"], 'did you mean "yuyuan"')]
)
def test_what_cannot_be_reported_is_said(invoke: Invoke, tmp_path: Path, arguments: list[str], told: str) -> None:
    journal, _ = afternoon(tmp_path)
    journal.close()
    assert told in invoke("report", *arguments, "--data", tmp_path, code=2).stderr
