"""`audit verify`, `audit head`: from a key to a head that was kept elsewhere, and what they say of files that somebody changed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from tests.cli.conftest import Invoke
from tests.proof.told import Place, place


@pytest.fixture
def here(tmp_path: Path) -> Place:
    (tmp_path / "data").mkdir()
    return place(tmp_path / "data", days=2, a_day=10)


@pytest.fixture
def key(invoke: Invoke, tmp_path: Path) -> Path:
    file = tmp_path / "keeper.pem"
    invoke("plan", "key", "keeper", "--out", file)
    return file


def by_hand(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_sound_files_are_told_in_figures(invoke: Invoke, here: Place) -> None:
    lines = invoke("audit", "verify", "--data", here.workspace.root).stdout.splitlines()
    assert lines[0] == f"journal: 3 chains, {sum(here.journal.values())} entries, 0 breaks, 0 frozen"
    assert lines[1] == f"handling: 3 chains, {sum(here.handling.values())} entries, 0 breaks, 0 frozen"
    assert lines[2] == "ties between both: 0 broken"
    assert lines[3].startswith("heads: none; without one that was kept elsewhere, a missing end or a chain made anew is not seen")


def test_every_place_is_told_and_the_exit_code_says_so(invoke: Invoke, here: Place) -> None:
    by_hand(here.workspace.handling, "DELETE FROM entries WHERE chain = 'bund' AND seq IN (2, 6)")
    lines = invoke("audit", "verify", "--data", here.workspace.root, code=Exit.FINDINGS).stdout.splitlines()
    assert 'handling: chain "bund", entry 2: missing, the next is 3' in lines
    assert 'handling: chain "bund", entry 6: missing, the next is 7' in lines
    told = json.loads(invoke("audit", "verify", "--data", here.workspace.root, "--json", code=Exit.FINDINGS).stdout)
    assert told["sound"] is False
    assert [(b["fault"], b["chain"], b["seq"]) for b in told["files"]["handling"]["breaks"]] == [
        ("missing", "bund", 2),
        ("missing", "bund", 6),
    ]


def test_many_places_are_bounded_and_counted(invoke: Invoke, here: Place) -> None:
    by_hand(here.workspace.journal, "UPDATE entries SET site = 'another' WHERE chain IN ('bund', 'yuyuan')")
    by_hand(here.workspace.journal, "UPDATE entries SET hash = zeroblob(32)")
    lines = invoke("journal", "verify", "--data", here.workspace.root, code=Exit.FINDINGS).stdout.splitlines()
    assert len(lines) == 42
    assert lines[40].startswith("and ")
    assert lines[40].endswith(" more; --json has all")


def test_heads_of_two_days_are_a_chain_and_a_missing_end_is_found(invoke: Invoke, here: Place, key: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = here.workspace.root
    first = invoke("audit", "head", "--data", root, "--key", key, "--day", "2026-10-01", "--name", "plaza", "--out", elsewhere).stdout
    assert first.splitlines()[0].startswith(f"{root}/state/heads/2026-10-01.json: 2026-10-01 (UTC), journal: 3 chains")
    assert first.splitlines()[1].endswith(", the first head")
    second = invoke("audit", "head", "--data", root, "--key", key, "--day", "2026-10-02", "--name", "plaza", "--out", elsewhere).stdout
    assert second.splitlines()[1].endswith(", follows from the head of 2026-10-01")
    verify = ["audit", "verify", "--data", root, "--heads", elsewhere, "--key", key]
    assert invoke(*verify).stdout.splitlines()[-1] == "heads: 2, 2026-10-01 to 2026-10-02, 0 findings"
    by_hand(here.workspace.journal, f"DELETE FROM entries WHERE chain = 'yuyuan' AND seq = {here.journal['yuyuan']}")
    told = invoke(*verify, code=Exit.FINDINGS).stdout
    last = here.journal["yuyuan"]
    what = f"ends at entry {last - 1}, and entry {last} was signed: its end is missing (what was signed on 2026-10-01 still stands)"
    assert f'head of 2026-10-02: journal, chain "yuyuan": {what}' in told.splitlines()


def test_a_day_is_signed_once_and_copied_as_often_as_one_likes(invoke: Invoke, here: Place, key: Path, tmp_path: Path) -> None:
    head = ["audit", "head", "--data", here.workspace.root, "--key", key, "--day", "2026-10-01", "--out"]
    invoke(*head, tmp_path / "a.json")
    assert "signed before" in invoke(*head, tmp_path / "b.json").stdout
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_broken_chain_is_not_signed_over(invoke: Invoke, here: Place, key: Path) -> None:
    by_hand(here.workspace.journal, "UPDATE entries SET at_us = at_us + 1 WHERE chain = 'yuyuan' AND seq = 3")
    told = invoke("audit", "head", "--data", here.workspace.root, "--key", key, "--day", "2026-10-01", code=Exit.FINDINGS).stderr
    assert 'chain "yuyuan" does not verify; `flowwatch audit verify` names the places, nothing is signed' in told
    assert not (here.workspace.state / "heads").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--day", "yesterday"], '"yesterday" is no day; expected one such as 2026-10-01'),
        (["--day", "2999-01-01"], "2999-01-01 is not over in UTC"),
    ],
)
def test_a_day_that_cannot_be_signed_is_said(invoke: Invoke, here: Place, key: Path, arguments: list[str], told: str) -> None:
    assert told in invoke("audit", "head", "--data", here.workspace.root, "--key", key, *arguments, code=Exit.USAGE).stderr


def test_what_is_no_public_key_is_said(invoke: Invoke, here: Place) -> None:
    told = invoke("audit", "verify", "--data", here.workspace.root, "--key", "abc", code=Exit.USAGE).stderr
    assert 'found "abc", expected a public key, 44 characters' in told
