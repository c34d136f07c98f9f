"""`journal`, `explain` and `refused` on a small site's afternoon."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flowwatch.cli.exits import Exit
from flowwatch.handling.book import Book
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Said, Shown, Step
from tests.cli.conftest import Invoke, ids, objects
from tests.handling.made import alert, pages, step


def test_show_lists_the_newest_entries_in_the_order_of_time(invoke: Invoke, told: Path) -> None:
    every = objects(invoke("journal", "show", "--data", told, "--json", "--all"))
    last = objects(invoke("journal", "show", "--data", told, "--json", "--limit", 3))
    assert last == every[-3:]
    assert [entry["at"] for entry in every] == sorted(entry["at"] for entry in every)


def test_show_can_be_narrowed_to_a_site_a_kind_and_a_time(invoke: Invoke, told: Path) -> None:
    every = objects(invoke("journal", "show", "--data", told, "--json", "--all"))
    chosen = objects(
        invoke("journal", "show", "--data", told, "--json", "--site", "yuyuan", "--kind", "command", "--since", "2026-10-01T14:01:30+08:00")
    )
    assert [e["id"] for e in chosen] == [e["id"] for e in every if e["kind"] == "command" and e["at"] >= "2026-10-01T06:01:30"]
    assert chosen


def test_show_for_people_has_a_line_for_each_entry(invoke: Invoke, told: Path) -> None:
    lines = invoke("journal", "show", "--data", told).stdout.splitlines()
    assert lines[0].split() == ["id", "at", "kind", "what"]
    assert any("normal -> three_in_five_out (rise)" in line for line in lines)
    assert len(lines) == 1 + len(objects(invoke("journal", "show", "--data", told, "--json")))


def test_show_estimates_lists_minutes(invoke: Invoke, told: Path) -> None:
    minutes = objects(invoke("journal", "show", "--data", told, "--estimates"))
    assert {minute["site"] for minute in minutes} == {"yuyuan"}
    assert all("mall" in minute["body"]["zones"] for minute in minutes)


def test_the_canonical_export_is_the_same_on_stdout_and_in_a_file(invoke: Invoke, told: Path, tmp_path: Path) -> None:
    out = tmp_path / "journal.jsonl"
    printed = invoke("journal", "export", "--data", told, "--canonical").stdout_bytes
    invoke("journal", "export", "--data", told, "--canonical", "--output", out)
    assert out.read_bytes() == printed
    assert printed.count(b"\n") > 30


def test_the_parquet_export_has_every_entry(invoke: Invoke, told: Path, tmp_path: Path) -> None:
    invoke("journal", "export", "--data", told, "--parquet", tmp_path / "tables")
    entries = map(str, pq.read_table(tmp_path / "tables" / "entries.parquet").column("id").to_pylist())
    assert sorted(entries) == sorted(e["id"] for e in objects(invoke("journal", "show", "--data", told, "--json", "--all")))


def test_parquet_and_lines_exclude_each_other(invoke: Invoke, told: Path, tmp_path: Path) -> None:
    invoke("journal", "export", "--data", told, "--canonical", "--parquet", tmp_path, code=Exit.USAGE)


def test_verify_finds_a_changed_entry_and_names_it(invoke: Invoke, told: Path) -> None:
    invoke("journal", "verify", "--data", told)
    with sqlite3.connect(told / "journal.db") as database:
        database.execute("UPDATE entries SET body = CAST(replace(body, 'gate-1', 'gate-2') AS BLOB) WHERE chain = 'yuyuan' AND seq = 12")
    database.close()
    assert '"yuyuan", entry 12' in invoke("journal", "verify", "--data", told, code=Exit.FINDINGS).stdout


@pytest.mark.parametrize(("lang", "word"), [("zh", "三进五出"), ("en", "three in, five out")])
def test_explain_leads_from_a_command_back_to_the_readings_in_both_languages(invoke: Invoke, told: Path, lang: str, word: str) -> None:
    commands = ids(objects(invoke("journal", "show", "--data", told, "--json", "--all")), "command")
    text = invoke("explain", "--data", told, "--lang", lang, commands[2]).stdout
    assert word in text
    assert "turnstile-1" in text
    assert "[p00:" in text


def test_the_language_follows_the_environment(invoke: Invoke, told: Path) -> None:
    chinese = invoke("explain", "--data", told, "yuyuan-i3", env={"LANG": "zh_CN.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}).stdout
    assert chinese == invoke("explain", "--data", told, "yuyuan-i3", "--lang", "zh").stdout
    assert invoke("explain", "--data", told, "yuyuan-i3").stdout == invoke("explain", "--data", told, "yuyuan-i3", "--lang", "en").stdout


def test_explain_as_data_has_the_same_steps(invoke: Invoke, told: Path) -> None:
    (told_steps,) = objects(invoke("explain", "--data", told, "--json", "--lang", "en", "yuyuan-i3"))
    assert (
        "\n".join(step["text"] for step in told_steps["steps"]) + "\n"
        == invoke("explain", "--data", told, "--lang", "en", "yuyuan-i3").stdout
    )


def test_explaining_what_is_not_there_names_the_near_miss(invoke: Invoke, told: Path) -> None:
    assert 'did you mean "yuyuan-12"?' in invoke("explain", "--data", told, "yuyuen-12", code=Exit.USAGE).stderr


def test_refused_counts_by_reason_and_shows_what_came(invoke: Invoke, told: Path) -> None:
    text = invoke("refused", "--data", told).stdout
    assert "1        negative_count" in text
    rows = objects(invoke("refused", "--data", told, "--json", "--reason", "negative_count"))
    assert [(row["counter"], row["in"], row["out"]) for row in rows] == [("yuyuan/turnstile-1", 30, -3)]


def test_an_unknown_reason_names_the_near_miss(invoke: Invoke, told: Path) -> None:
    assert 'did you mean "negative_count"?' in invoke("refused", "--data", told, "--reason", "negativ_count", code=Exit.USAGE).stderr


def test_asking_before_there_is_a_journal_says_who_writes_one(invoke: Invoke, tmp_path: Path) -> None:
    invoke("log", "create", "--data", tmp_path)
    assert f"flowwatch run --data {tmp_path}" in invoke("explain", "--data", tmp_path, "yuyuan-1", code=Exit.USAGE).stderr


@pytest.fixture
def grouped(told: Path) -> Path:
    """The desk raised a group of its own, for one that it stands for from its beginning and one that had sounded; wang acknowledged it."""
    book = Book.open(told / "handling.db")
    text = Said("多个设备失联", "several devices are lost")
    said: list[tuple[float, Alert | Step]] = [
        (0, alert("yuyuan-i7", subject="gate-1")),
        (1, alert("yuyuan-h1", what="gates_lost", subject="gates", text=text)),
        (2, step(Act.SUPPRESS, "yuyuan-i7", FLOWWATCH, to="yuyuan-h1", reason="one group stands for several")),
        (3, alert("yuyuan-i8", subject="gate-2", shown=Shown.GROUP, parent="yuyuan-h1")),
        (4, alert("yuyuan-i9", subject="gate-3")),
        (60, step(Act.ACKNOWLEDGE, "yuyuan-h1", handling=Handling.ACKNOWLEDGED, reason="seen on the camera")),
    ]
    book.write(pages(said))
    book.close()
    return told


def test_explain_tells_all_of_an_incident_of_the_desks_own_in_both_languages(invoke: Invoke, grouped: Path) -> None:
    assert invoke("explain", "--data", grouped, "yuyuan-h1", "--lang", "en").stdout.splitlines() == [
        "2026-10-01 14:00:01  shown: several devices are lost",
        "2026-10-01 14:01:00  wang acknowledged it (seen on the camera)",
        "It stands for 2:",
        "  2026-10-01 14:00:00  yuyuan-i7  gate-2 cannot be reached",
        "  2026-10-01 14:00:03  yuyuan-i8  gate-2 cannot be reached",
        "Times are Asia/Shanghai.",
    ]
    chinese = invoke("explain", "--data", grouped, "yuyuan-h1", "--lang", "zh").stdout.splitlines()
    assert chinese[0] == "2026-10-01 14:00:01　提示：多个设备失联"
    assert chinese[1] == "2026-10-01 14:01:00　wang签收（seen on the camera）"
    assert chinese[2] == "归并的事件（2 起）："


def test_explain_passes_over_what_is_damaged_in_the_book(invoke: Invoke, grouped: Path) -> None:
    whole = invoke("explain", "--data", grouped, "yuyuan-h1", "--lang", "en").stdout
    with closing(sqlite3.connect(grouped / "handling.db")) as book, book:
        done = book.execute("UPDATE entries SET body = ? WHERE chain = 'yuyuan' AND seq = 5", (b'{"x":' + b"[" * 100_000,))
        assert done.rowcount == 1
    assert invoke("explain", "--data", grouped, "yuyuan-h1", "--lang", "en").stdout == whole


def test_explain_as_data_of_an_incident_of_the_desks_own(invoke: Invoke, grouped: Path) -> None:
    (found,) = objects(invoke("explain", "--data", grouped, "yuyuan-h1", "--json", "--lang", "en"))
    assert (found["id"], found["site"], found["stands_for"]) == ("yuyuan-h1", "yuyuan", ["yuyuan-i7", "yuyuan-i8"])
    assert [(one["what"], one["facts"]["by"]) for one in found["steps"]] == [("raised", FLOWWATCH), ("acknowledge", "wang")]


def test_an_incident_of_the_desks_own_that_is_not_there_is_told_with_those_that_are(invoke: Invoke, grouped: Path) -> None:
    assert "there is yuyuan-h1" in invoke("explain", "--data", grouped, "yuyuan-h9", code=Exit.USAGE).stderr
    (grouped / "handling.db").unlink()
    assert "no book of handling here yet" in invoke("explain", "--data", grouped, "yuyuan-h1", code=Exit.USAGE).stderr
