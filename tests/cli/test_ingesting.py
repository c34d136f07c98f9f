"""`ingest`: counts from files and standard input enter the log, whoever holds it, and the report adds up."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from flowwatch.cli.entrance import LiveSink
from flowwatch.cli.exits import Exit
from flowwatch.core.readings import Reason
from flowwatch.log import LogLocked, Writer
from flowwatch.workspace import Workspace
from tests.cli.conftest import Invoke, objects


def reading(counter: str, minute: int, into: int) -> str:
    return json.dumps({"counter": f"yuyuan/{counter}", "at": f"2026-10-01T09:{minute:02}:00+08:00", "in": into, "out": 1}) + "\n"


GOOD = "".join(reading("turnstile-1", minute, 10) for minute in range(5))
MIXED = GOOD + reading("turnstile-x", 5, 1) + "no reading\n"


@pytest.fixture(params=["wall", "event"])
def fresh(request: pytest.FixtureRequest, invoke: Invoke, tmp_path: Path) -> Path:
    """A folder with an empty log, of either clock."""
    invoke("log", "create", "--data", tmp_path / "data", "--clock", request.param)
    return tmp_path / "data"


def kinds(invoke: Invoke, folder: Path) -> list[str]:
    return [row["kind"] for row in objects(invoke("log", "cat", "--data", folder, "--no-ticks"))]


def test_standard_input_and_files_packed_or_not_give_the_same_rows(invoke: Invoke, fresh: Path, tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    plain.write_text(GOOD, encoding="utf-8")
    packed.write_bytes(gzip.compress(GOOD.replace("09:0", "09:1").encode()))
    (report,) = objects(invoke("ingest", "--data", fresh, "--json", plain, packed, "-", data=GOOD.replace("09:0", "09:2").encode()))
    assert (report["rows"], report["readings"], report["refused"]) == (15, 15, {})
    assert [kind for kind in kinds(invoke, fresh) if kind != "document"] == ["delta"] * 15


def test_the_report_counts_refusals_by_reason_and_names_unknown_counters(invoke: Invoke, fresh: Path) -> None:
    result = invoke("ingest", "--data", fresh, data=MIXED.encode())
    assert "7 rows: 5 readings, from 2026-10-01T01:00:00Z to 2026-10-01T01:0" in result.stdout
    assert "refused: 1 unknown_counter" in result.stdout
    assert "refused: 1 unreadable" in result.stdout
    assert "yuyuan/turnstile-x" in result.stdout
    assert sorted(kind for kind in kinds(invoke, fresh) if kind != "document") == ["delta"] * 5 + ["refused"] * 2


def test_not_one_reading_is_worth_an_exit_code(invoke: Invoke, fresh: Path) -> None:
    invoke("ingest", "--data", fresh, data=b"no reading\n", code=Exit.FINDINGS)


def test_an_archive_gets_its_ticks_and_a_live_log_gets_none(invoke: Invoke, fresh: Path) -> None:
    (report,) = objects(invoke("ingest", "--data", fresh, "--json", "--lateness", "1m", data=GOOD.encode()))
    (info,) = objects(invoke("log", "info", "--data", fresh, "--json"))
    assert report["ticks"] == (0 if info["clock"] == "wall" else 4 * 60 + 1)


def test_a_table_enters_through_a_mapping_by_name_or_by_file(invoke: Invoke, tmp_path: Path) -> None:
    invoke("log", "create", "--data", tmp_path / "data", "--clock", "event")
    mapping = tmp_path / "doors.yaml"
    mapping.write_text(
        """import: doors
title: {zh: 门, en: doors}
site: yuyuan
time: {from: "{when}", zone: Asia/Shanghai, format: "%Y-%m-%d %H:%M"}
counter: "turnstile-{door}"
counts: delta
in: into
out: out
lateness: 1m
""",
        encoding="utf-8",
    )
    table = tmp_path / "doors.csv"
    table.write_text("when,door,into,out\n2026-10-01 09:00,1,5,0\n2026-10-01 09:01,2,7,1\n2026-10-01 09:02,x,7,1\n", encoding="utf-8")
    (report,) = objects(invoke("ingest", "--data", tmp_path / "data", "--json", "--mapping", mapping, table))
    assert (report["readings"], report["refused"]) == (2, {"unknown_counter": 1})
    drafted = invoke("ingest", "--mapping", mapping, "--draft", table).stdout
    site_file = tmp_path / "drafted" / "config" / "sites" / "yuyuan.yaml"
    site_file.parent.mkdir(parents=True)
    site_file.write_text(drafted, encoding="utf-8")
    assert "3 counters" in invoke("check", "--documents", tmp_path / "drafted").stdout
    near = invoke("ingest", "--data", tmp_path / "data", "--mapping", "shenzen", table, code=Exit.USAGE)
    assert 'did you mean "shenzhen"?' in near.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nowhere.ndjson",), "nowhere.ndjson"), (("--site", "yuyuan", "-"), "--mapping"), (("--lateness", "soon", "-"), "no while")],
)
def test_a_slip_is_told_before_anything_is_read(invoke: Invoke, fresh: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in invoke("ingest", "--data", fresh, *arguments, data=b"", code=Exit.USAGE).stderr
    assert "delta" not in kinds(invoke, fresh)


def test_rows_go_through_the_inbox_while_another_process_holds_a_live_log(invoke: Invoke, tmp_path: Path) -> None:
    invoke("log", "create", "--data", tmp_path)
    invoke("ingest", "--data", tmp_path, data=GOOD.encode())
    with Writer.open(tmp_path / "log") as holder:
        result = invoke("ingest", "--data", tmp_path, data=GOOD.replace("09:0", "09:1").encode())
        assert "inbox" in result.stdout
        holder.drain()
    assert kinds(invoke, tmp_path).count("delta") == 10


def test_an_archives_log_that_another_process_holds_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    invoke("log", "create", "--data", tmp_path, "--clock", "event")
    invoke("ingest", "--data", tmp_path, data=GOOD.encode())
    with Writer.open(tmp_path / "log"):
        invoke("ingest", "--data", tmp_path, data=GOOD.encode(), code=Exit.LOCKED)


def test_a_stream_leaves_the_lock_to_whoever_starts_to_run(invoke: Invoke, tmp_path: Path) -> None:
    invoke("log", "create", "--data", tmp_path)
    workspace = Workspace(tmp_path)
    with LiveSink(workspace) as sink:
        sink.append_refused(b"?", Reason.UNREADABLE, 1)
        sink.commit()
        with pytest.raises(LogLocked):
            Writer.open(workspace.log)
        workspace.state.mkdir()
        workspace.run_lock.write_text(str(os.getpid()), encoding="ascii")
        sink.append_refused(b"?", Reason.UNREADABLE, 2)
        sink.commit()
        with Writer.open(workspace.log) as runner:
            sink.append_refused(b"?", Reason.UNREADABLE, 3)
            sink.commit()
            assert runner.drain().rows == 1
    assert kinds(invoke, tmp_path) == ["refused"] * 3
