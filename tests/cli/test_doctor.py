"""`doctor`: each thing that can be wrong with a folder is found, named in both languages, and comes with what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from flowwatch import checkpoints
from flowwatch.cli.exits import Exit
from flowwatch.cli.findings import SAYINGS, Grade
from flowwatch.cli.health import Patient, examine, open_incidents
from flowwatch.core.engine import Engine
from flowwatch.core.readings import Reason
from flowwatch.core.state import pack
from flowwatch.documents import shipped
from flowwatch.log import Inbox, Reader, Writer, blocks, create
from flowwatch.workspace import Workspace
from tests.cli.conftest import Invoke, objects
from tests.journal.story import SECOND, site
from tests.service.place import Live, Now, document

Find = Callable[..., dict[str, str]]


@pytest.fixture
def find() -> Find:
    """What the doctor finds in a folder at a time: key -> what it says, in English; every finding is checked for its Chinese too."""

    def examined(folder: Path, now_us: int = 0, documents: Path | None = None) -> dict[str, str]:
        found = {}
        for finding in examine(Patient(Workspace(folder), documents, now_us, lambda _: None)):
            assert "{" not in finding.what("zh") + finding.do("zh")
            found[finding.key] = finding.what("en")
        return found

    return examined


@pytest.mark.parametrize("key", SAYINGS)
def test_every_saying_names_the_same_values_in_both_languages(key: str) -> None:
    def named(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    saying = SAYINGS[key]
    assert named(saying.what["zh"]) == named(saying.what["en"])
    assert named(saying.do["zh"]) == named(saying.do["en"])
    assert bool(saying.do["zh"]) == bool(saying.do["en"])
    if saying.grade is Grade.TROUBLE:
        assert saying.do["en"], "trouble without a way out of it"


def test_a_folder_that_is_not_there(find: Find, tmp_path: Path) -> None:
    assert "no_folder" in find(tmp_path / "nowhere")


def test_a_folder_without_a_log(find: Find, tmp_path: Path) -> None:
    assert {"disk", "no_log"} <= set(find(tmp_path))


def test_a_sound_folder_has_only_the_incident_that_is_open(invoke: Invoke, told: Path) -> None:
    findings = objects(invoke("doctor", "--data", told, "--json", code=Exit.FINDINGS))
    assert [f["finding"] for f in findings if f["grade"] == "trouble"] == ["incident"]
    assert "turnstile-2" in next(f["what"] for f in findings if f["finding"] == "incident")


def test_words_for_people_come_in_both_languages(invoke: Invoke, told: Path) -> None:
    assert "日志完整" in invoke("doctor", "--data", told, "--lang", "zh", code=Exit.FINDINGS).stdout
    assert "the log is whole" in invoke("doctor", "--data", told, "--lang", "en", code=Exit.FINDINGS).stdout


def test_damage_in_the_log_is_named_with_its_file_and_the_other_checks_go_on(find: Find, told: Path) -> None:
    segment = min((told / "log" / "p00").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[-9] ^= 1
    segment.write_bytes(data)
    found = find(told)
    assert segment.name in found["log_damaged"]
    assert "journal" in found


def test_a_write_cut_short_is_told_as_harmless(find: Find, told: Path) -> None:
    segment = max((told / "log" / "p00").glob("*.seg"))
    with segment.open("ab") as file:
        file.write(b"\xf1WF\x01 half a frame")
    assert segment.name in find(told)["log_torn"]


def test_a_damaged_checkpoint_is_told_as_harmless(find: Find, told: Path) -> None:
    (told / "log" / "p00" / f"{260:020d}.ckpt").write_bytes(b"FWSTATE1 and then nothing")
    assert f"{260:020d}.ckpt" in find(told)["checkpoint_damaged"]


def test_a_log_whose_beginning_is_gone_without_a_checkpoint(find: Find, told: Path) -> None:
    min((told / "log" / "p00").glob("*.seg")).unlink()
    assert "no checkpoint is whole there" in find(told)["no_beginning"]


def test_a_journal_that_was_tampered_with(find: Find, told: Path) -> None:
    with sqlite3.connect(told / "journal.db") as database:
        database.execute("DELETE FROM entries WHERE chain = 'yuyuan' AND seq = 12")
    database.close()
    assert '"yuyuan", entry 12: missing' in find(told)["journal_unsound"]


def test_a_journal_that_is_gone_while_a_checkpoint_says_it_was_written(find: Find, told: Path) -> None:
    engine = Engine("p00")
    with Reader(told / "log", "p00") as reader:
        for chunk in reader.read(0):
            engine.feed(blocks(chunk))
    checkpoints.save(told / "log" / "p00", 260, pack(engine.to_state()))
    assert "journal" in find(told)
    (told / "journal.db").unlink()
    assert "journal_gone" in find(told)


def test_what_waits_in_the_inbox_and_what_could_not_enter(find: Find, told: Path) -> None:
    inbox = Inbox(told / "log")
    inbox.append_refused(b"?", Reason.UNREADABLE, 0)
    staged = inbox.commit()
    assert staged is not None
    assert find(told)["inbox_waiting"] == "files waiting to enter the log: 1"
    staged.rename(staged.with_name(staged.name + ".bad"))
    assert staged.name in find(told)["inbox_bad"]


def test_documents_that_changed_and_documents_with_faults(find: Find, told: Path, tmp_path: Path) -> None:
    root = tmp_path / "places"
    for part in ("config/sites", "rules"):
        shutil.copytree(shipped() / part, root / part)
    assert "the files are version" in find(told, documents=root)["documents_changed"]
    plan = root / "rules" / "yuyuan" / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    assert "plan.yaml" in find(told, documents=root)["documents_faulty"]


@pytest.mark.parametrize(("later_s", "key"), [(2, "ticks"), (3600, "ticks"), (-60, "clock_back")])
def test_the_clock_against_the_last_tick(find: Find, tmp_path: Path, later_s: int, key: str) -> None:
    at = 1_800_000_000 * SECOND
    create(tmp_path / "log", clock="wall", partitions=1)
    with Writer.open(tmp_path / "log") as writer:
        writer.append_document(site(), at)
        writer.tick(at)
    found = find(tmp_path, now_us=at + later_s * SECOND)
    assert key in found
    assert "not_running" in found


def test_ticks_that_stopped_while_flowwatch_runs(find: Find, tmp_path: Path) -> None:
    at = 1_800_000_000 * SECOND
    create(tmp_path / "log", clock="wall", partitions=1)
    with Writer.open(tmp_path / "log") as writer:
        writer.append_document(site(), at)
        writer.tick(at)
    lock = Workspace(tmp_path).run_lock
    lock.parent.mkdir()
    with lock.open("w") as file:
        file.write(str(os.getpid()))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        found = find(tmp_path, now_us=at + 3600 * SECOND)
    assert found["ticks_missing"] == "flowwatch runs, but the last tick was 3600 s ago"
    assert str(os.getpid()) in found["running"]


def test_the_doctor_changes_nothing(find: Find, told: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(told.rglob("*")) if path.is_file()}

    before = contents()
    find(told)
    assert contents() == before


def test_an_incident_of_a_partition_without_a_checkpoint_is_found_beside_one_that_has_some(tmp_path: Path) -> None:
    create(tmp_path / "log", clock="wall", partitions=16)
    with Writer.open(tmp_path / "log") as writer:
        live = Live(tmp_path, now := Now(), writer)
        for name in ("yuyuan", "nanjing"):
            writer.append_document(document(name), now())
        writer.commit()
        live.drain(40)
    partition, engine = next((name, one) for name, one in live.engines.items() if "nanjing" in one.documents)
    assert "yuyuan" not in engine.documents
    checkpoints.save(tmp_path / "log" / partition, live.read[partition], pack(engine.to_state()))
    assert {site for site, _, _ in open_incidents(Patient(Workspace(tmp_path), None, 0, lambda _: None))} == {"yuyuan", "nanjing"}
