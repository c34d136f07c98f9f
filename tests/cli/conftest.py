"""What the tests of commands share: a runner, and a small site's afternoon in a working folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flowwatch.cli.main import main
from tests.journal.story import afternoon

Invoke = Callable[..., Result]


@pytest.fixture
def invoke() -> Invoke:
    """Run `flowwatch` with these arguments and `data` on its standard input; fails unless it ends with `code`."""

    def run(*arguments: str | Path | int, code: int = 0, env: dict[str, str] | None = None, data: bytes = b"") -> Result:
        chosen = {"LANG": "C.UTF-8", "COLUMNS": "120", **(env or {})}
        with standard_input(data):
            result = CliRunner().invoke(main, [str(a) for a in arguments], prog_name="flowwatch", env=chosen)
        assert result.exit_code == code, (result.exit_code, result.output)
        return result

    return run


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Let descriptor 0 give `data`."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        kept = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The afternoon, told once."""
    folder = tmp_path_factory.mktemp("story")
    afternoon(folder)[0].close()
    return folder


@pytest.fixture
def told(story: Path, tmp_path: Path) -> Path:
    """A working folder with a log and a journal: a stage that rose and fell, overrides, recounts and refusals."""
    return Path(shutil.copytree(story, tmp_path / "told"))


def objects(result: Result) -> list[dict[str, Any]]:
    """The JSON lines that a command printed."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def ids(entries: Sequence[dict[str, Any]], kind: str) -> list[str]:
    """The ids of the entries of that kind."""
    return [entry["id"] for entry in entries if entry["kind"] == kind]
