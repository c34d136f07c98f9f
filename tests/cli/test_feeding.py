"""`feed cap`: alerts as files in a folder, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.workspace import Workspace
from tests.cli.conftest import Invoke
from tests.feed.test_atom import alerts
from tests.feed.told import SENDER, one, valid, write
from tests.service.place import START, document


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A log with one site."""
    folder = tmp_path / "data"
    log.create(folder / "log", clock="event", partitions=1)
    with log.Writer.open(folder / "log") as writer:
        writer.append_document(document("yuyuan"), START)
        writer.tick(START)
        writer.commit()
    return folder


def test_the_files_of_a_site_are_written_by_whom_the_deployment_file_names(data: Path, tmp_path: Path, invoke: Invoke) -> None:
    write(Workspace(data).handling, pages := alerts(4))
    deployment = tmp_path / "deployment.yaml"
    deployment.write_text(f"deployment: here\npublic_url: https://fw.example.cn\nfeeds: {{cap: {{sender: {SENDER}}}}}\n")
    out = tmp_path / "out"
    told = invoke("feed", "cap", out, "--data", data, "--deployment", deployment, "--site", "yuyuan")
    assert "2 alerts, 2 of them written" in told.output
    names = {f"{said.cap}.xml" for of, _, said in pages if of == "yuyuan"}
    assert {file.name for file in out.iterdir()} == names | {"atom.xml"}
    for name in names:
        root = valid((out / name).read_bytes())
        assert one(root, "sender") == SENDER
        assert one(root, "sent").endswith("+08:00")
    assert (
        "2 alerts, 0 of them written" in invoke("feed", "cap", out, "--data", data, "--deployment", deployment, "--site", "yuyuan").output
    )


def test_since_leaves_out_what_was_told_before(data: Path, tmp_path: Path, invoke: Invoke) -> None:
    write(Workspace(data).handling, alerts(4, ["yuyuan"]))
    told = invoke("feed", "cap", tmp_path / "out", "--data", data, "--since", "2026-10-01T14:03:15+08:00")
    assert "2 alerts, 2 of them written" in told.output


def test_what_is_not_there_is_said_with_what_to_do(data: Path, tmp_path: Path, invoke: Invoke) -> None:
    assert "no record of alerts here yet" in invoke("feed", "cap", tmp_path / "out", "--data", data, code=2).output
    write(Workspace(data).handling, alerts(1, ["yuyuan"]))
    assert 'no site "yuyann"; there is yuyuan' in invoke("feed", "cap", tmp_path / "out", "--data", data, "--site", "yuyann", code=2).output
