"""`report DAY`: a folder for each site."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
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


@pytest.mark.parametrize(
    ("arguments", "told"), [(["1st of May"], "is no day"), (["2026-10-01", "--site", "yuyuna"], 'did you mean "yuyuan"')]
)
def test_what_cannot_be_reported_is_said(invoke: Invoke, tmp_path: Path, arguments: list[str], told: str) -> None:
    journal, _ = afternoon(tmp_path)
    journal.close()
    assert told in invoke("report", *arguments, "--data", tmp_path, code=2).stderr
