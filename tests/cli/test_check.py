"""`check`, and the shell's completion."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.documents import shipped
from tests.cli.conftest import Invoke, objects


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A copy of the shipped documents."""
    for part in ("config", "rules"):
        shutil.copytree(shipped() / part, tmp_path / part)
    return tmp_path


def test_the_shipped_documents_have_no_fault(invoke: Invoke) -> None:
    text = invoke("check").stdout
    assert "yuyuan: version" in text
    assert "mta: import mapping" in text


def test_every_fault_of_every_file_comes_at_once_with_its_place(invoke: Invoke, places: Path) -> None:
    for name in ("rules/yuyuan/plan.yaml", "config/sites/yuyuan.yaml", "config/imports/mta.yaml"):
        file = places / name
        file.write_text(file.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    faults = objects(invoke("check", "--documents", places, "--json", code=Exit.DOCUMENTS))
    assert {Path(fault["file"]).name for fault in faults} == {"plan.yaml", "yuyuan.yaml", "mta.yaml"}
    lines = invoke("check", "--documents", places, code=Exit.DOCUMENTS).stdout.splitlines()
    assert lines == [f"{f['file']}:{f['line']}:{f['column']}: {f['path']}: {f['text']}" for f in faults]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_begins_with_how_to_use_it(invoke: Invoke, shell: str) -> None:
    script = invoke("completion", shell).stdout
    assert script.splitlines()[0].startswith("# ")
    assert "_FLOWWATCH_COMPLETE" in script
