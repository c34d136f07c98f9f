"""Documents enter a log only when two people signed them, with the proof right behind; what the log has already goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowwatch.acceptance import accept_documents
from flowwatch.approval.base64s import raw
from flowwatch.approval.keys import verify
from flowwatch.approval.signatures import Role, statement
from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND, Kind
from flowwatch.documents import DocumentErrors
from flowwatch.journal import Journal
from flowwatch.log import Reader, Writer, create, load
from flowwatch.workspace import Workspace
from tests.approval.people import BOTH, loaded, roster_text, sign_all, write_roster
from tests.places import yuyuan

T0 = 1_790_834_400 * SECOND


@pytest.fixture
def place(tmp_path: Path) -> tuple[Workspace, Path]:
    """A log, and the site Yuyuan with a roster that nobody signed."""
    workspace, root = Workspace(tmp_path / "work"), tmp_path / "root"
    workspace.root.mkdir()
    create(workspace.log, clock="event", partitions=1)
    write_roster(yuyuan(root))
    return workspace, root


def accept(place: tuple[Workspace, Path], approvers: Path | None = None) -> list[str]:
    """What is told when the documents are offered to the log."""
    told: list[str] = []
    accept_documents(place[0], place[1], told.append, approvers)
    return told


def rows(workspace: Workspace) -> Iterator[tuple[Kind, Any]]:
    """The documents and operators' records in the log, in order."""
    for name in load(workspace.log).folders:
        with Reader(workspace.log, name) as reader:
            for block in reader.walk(reader.start()):
                for i, payload in sorted(block.payload.items()):
                    if block.kind[i] in (Kind.DOCUMENT, Kind.ACTION):
                        yield Kind(int(block.kind[i])), payload


def actions(workspace: Workspace) -> list[dict[str, Any]]:
    return [json.loads(payload) for kind, payload in rows(workspace) if kind is Kind.ACTION]


def documents(workspace: Workspace) -> list[str]:
    return [hashlib.sha256(payload).hexdigest() for kind, payload in rows(workspace) if kind is Kind.DOCUMENT]


def change(root: Path) -> None:
    """Another version of the site."""
    file = root / "config" / "sites" / "yuyuan.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("egress_min_per_min: 240", "egress_min_per_min: 250"), encoding="utf-8")


def decide(workspace: Workspace, ticks: int = 1) -> list[dict[str, Any]]:
    """Let time pass in the log, run the engine over all of it into the journal; the bodies of the site's operators' records."""
    with Writer.open(workspace.log) as writer:
        for _ in range(ticks):
            writer.tick(max(T0, writer.last_tick_us + SECOND))
    engine = Engine("p00")
    with Journal.open(workspace.journal) as journal, Reader(workspace.log, "p00") as reader:
        for block in reader.walk(0):
            out = engine.feed(block)
            journal.append(out.entries, out.estimates)
        return [json.loads(e.body) for e in journal.entries("yuyuan") if e.kind == "action"]


def test_what_two_people_signed_enters_the_log_with_the_proof_behind_it(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    version = loaded(root).version
    assert accept(place) == [f"yuyuan: document {version} accepted, written by wang, approved by li"]
    assert [kind for kind, _ in rows(workspace)] == [Kind.DOCUMENT, Kind.ACTION]
    (body,) = decide(workspace)
    assert (body["type"], body["accepted"], body["record"]["by"]) == ("approve", True, "li")


def test_the_proof_can_be_checked_without_the_files_that_it_came_from(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    accept(place)
    (version,), (record,) = documents(workspace), actions(workspace)
    assert record["version"] == version
    for role in Role:
        given = record[role.value]
        assert verify(given["key"], given["signature"], statement("yuyuan", version, role, given["by"], given["at"]))
        assert len(raw(given["key"], 32)) == 32


def test_a_log_without_documents_takes_none_that_is_not_approved(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, BOTH[0])
    with pytest.raises(
        DocumentErrors, match="is not approved: signed by wang as author; expected the signature of an approver other than wang"
    ):
        accept(place)
    assert documents(workspace) == []


@pytest.mark.parametrize("who", [(), BOTH[:1], BOTH[1:], (("zhao", "author"), ("zhao", "approver"))])
def test_a_log_with_good_documents_goes_on_with_them(place: tuple[Workspace, Path], who: tuple[tuple[str, str], ...]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    accept(place)
    good = list(rows(workspace))
    change(root)
    sign_all(root, *who)
    told = accept(place)
    assert "is not approved: " in told[0]
    assert told[1].endswith("not accepted; the last good document stays in force")
    assert list(rows(workspace)) == good
    sign_all(root, *BOTH)
    assert accept(place)[0].endswith("accepted, written by wang, approved by li")
    assert [body["accepted"] for body in decide(workspace)] == [False, True], "the first version was in force before any tick"


def test_a_signature_that_is_forged_is_told_with_its_place(place: tuple[Workspace, Path]) -> None:
    _, root = place
    sign_all(root, *BOTH)
    accept(place)
    change(root)
    file = sign_all(root, *BOTH)
    text = file.read_text(encoding="utf-8").splitlines()
    text[7] = text[13].replace("- ", "  ")
    file.write_text("\n".join(text), encoding="utf-8")
    told = accept(place)
    assert "signatures[0].signature: found a signature that wang did not give" in told[0]
    assert told[1].endswith("the last good document stays in force")


def test_a_roster_with_faults_keeps_the_good_documents_and_takes_no_others(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    accept(place)
    change(root)
    write_roster(root, roster_text(keys={"li": "wang"}))
    assert accept(place)[-1] == "nothing accepted; the last good documents stay in force"
    assert len(documents(workspace)) == 1


def test_documents_that_nobody_needs_to_sign_are_taken_and_that_is_told_once(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    file = write_roster(root, roster_text(approval="off"))
    told = accept(place)
    assert told == [f"yuyuan: document {loaded(root).version} accepted", f"documents are taken unsigned: approval is off in {file}"]
    assert actions(workspace) == []
    assert accept(place) == []
    file.unlink()
    change(root)
    assert accept(place)[1] == f"documents are taken unsigned: there is no {file}"


def test_a_roster_that_is_named_decides(place: tuple[Workspace, Path], tmp_path: Path) -> None:
    _, root = place
    named = tmp_path / "approvers.yaml"
    named.write_text(roster_text(), encoding="utf-8")
    write_roster(root, roster_text(approval="off"))
    with pytest.raises(DocumentErrors, match="is not approved"):
        accept(place, named)


def test_nothing_is_written_twice(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    accept(place)
    for _ in range(2):
        assert accept(place) == []
    decide(workspace)
    assert accept(place) == []
    (checkpoint,) = [workspace.log / "p00" / f"{3:020d}.ckpt"]
    checkpoint.write_bytes(b"")
    assert accept(place) == [], "what lies before a checkpoint is looked for in the journal"
    assert len(actions(workspace)) == 1


def test_documents_from_before_two_people_were_asked_stay_and_are_told_until_both_sign(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    write_roster(root, roster_text(approval="off"))
    accept(place)
    decide(workspace)
    write_roster(root)
    (told,) = accept(place)
    assert "is in force and not approved: found no signature of this version" in told
    sign_all(root, *BOTH)
    assert accept(place) == [f"yuyuan: document {loaded(root).version} is in force, written by wang, approved by li"]
    assert accept(place) == []
    assert [body["accepted"] for body in decide(workspace)] == [True]
    assert accept(place) == []
    assert len(documents(workspace)) == 1


def test_a_journal_that_cannot_be_read_keeps_no_counts_out_of_the_log(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    accept(place)
    workspace.journal.write_bytes(b"no database at all, but longer than the header of one" * 40)
    assert accept(place) == []


def test_a_version_that_comes_back_is_approved_again(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    before = (root / "config" / "sites" / "yuyuan.yaml").read_text(encoding="utf-8")
    sign_all(root, *BOTH)
    accept(place)
    decide(workspace)
    change(root)
    sign_all(root, *BOTH)
    accept(place)
    decide(workspace)
    (root / "config" / "sites" / "yuyuan.yaml").write_text(before, encoding="utf-8")
    sign_all(root, *BOTH)
    accept(place)
    assert [body["accepted"] for body in decide(workspace)] == [True, True, True]
    assert accept(place) == []


def test_while_a_run_holds_the_log_both_wait_in_the_inbox_together(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    sign_all(root, *BOTH)
    with Writer.open(workspace.log) as writer:
        accept(place)
        assert list(rows(workspace)) == []
        assert writer.drain().rows == 2
    assert [kind for kind, _ in rows(workspace)] == [Kind.DOCUMENT, Kind.ACTION]


def test_a_site_without_a_plan_is_signed_like_any_other(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    (root / "rules" / "yuyuan" / "plan.yaml").unlink()
    with pytest.raises(DocumentErrors, match="is not approved"):
        accept(place)
    sign_all(root, *BOTH)
    accept(place)
    assert len(documents(workspace)) == len(actions(workspace)) == 1
