"""The end of a demonstration: the worst alert is the one to ask about, and the commands can be typed as they stand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.demo.summary import program, worst_alert


def incident(seq: int, what: str, state: str, level: str | None) -> Entry:
    body = canonical({"what": what, "state": state, "level": level})
    return Entry("yuyuan", seq, EntryKind.INCIDENT, seq, body, b"\0" * 32)


def test_the_worst_alert_is_the_first_of_the_highest_level_and_none_that_is_over() -> None:
    told: list[tuple[str, str, str | None]] = [
        ("counter_silent", "raised", None),
        ("stage", "raised", "III"),
        ("stage", "updated", "I"),
        ("stage", "updated", "III"),
        ("stage", "updated", "I"),
        ("stage", "cleared", "I"),
    ]
    entries = [incident(i + 1, *words) for i, words in enumerate(told)]
    worst = worst_alert(entries)
    assert worst is not None
    assert worst.seq == 3
    assert worst_alert(entries[:1]) is None


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the command in its .venv, and the shell standing in it."""
    made = tmp_path / ".venv" / "bin" / "flowwatch"
    made.parent.mkdir(parents=True)
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    return made


@pytest.mark.parametrize("called", [".venv/bin/flowwatch", "{here}/.venv/bin/flowwatch"])
def test_from_a_checkouts_environment_the_command_is_told_with_its_path(script: Path, called: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", [called.format(here=Path.cwd()), "demo"])
    assert program() == ".venv/bin/flowwatch"


def test_a_command_on_the_path_is_told_by_its_name(script: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", str(script.parent))
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    assert program() == "flowwatch"


def test_another_flowwatch_on_the_path_is_not_the_one_that_is_told(script: Path, tmp_path: Path, monkeypatch: Any) -> None:
    other = tmp_path / "elsewhere" / "flowwatch"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    assert program() == ".venv/bin/flowwatch"


def test_run_as_a_module_it_is_told_as_one(script: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/where/flowwatch/__main__.py", "demo"])
    assert program().endswith(" -m flowwatch")
