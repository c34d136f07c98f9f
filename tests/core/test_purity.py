"""The core is numpy and the standard library, and says the same whatever the seed of Python's hashes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flowwatch.core

CORE = Path(flowwatch.core.__file__).parent
ROOT = Path(__file__).parents[2]
ALLOWED = {"numpy", "flowwatch"} | set(sys.stdlib_module_names)
FORBIDDEN = {"time", "random", "os", "socket", "threading", "secrets", "uuid", "datetime", "pathlib", "io"}
"""What would let the outside in: clocks, chance, files, the network."""
SCENARIO = """
import hashlib
from tests.core.stories import log, story
from tests.core.world import play
out = play(log(story(20170101, ("bund", "tian", "yu"), ticks=60)))
print(len(out.entries), len(out.estimates), hashlib.sha256(b"".join([e.hash for e in out.entries] + [e.body for e in out.estimates])).hexdigest())
"""


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.append(str(node.module))
    return found


@pytest.mark.parametrize("path", sorted(CORE.glob("*.py")), ids=lambda path: path.name)
def test_a_module_of_the_core_imports_numpy_the_standard_library_and_the_core_only(path: Path) -> None:
    for name in _imports(path):
        assert name.split(".")[0] in ALLOWED - FORBIDDEN
        assert not name.startswith("flowwatch") or name.startswith("flowwatch.core")


def _run(program: str, seed: str = "0") -> str:
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_importing_the_engine_loads_no_package_but_numpy() -> None:
    program = "import sys; import numpy; before = set(sys.modules); import flowwatch.core.engine; print(*sorted(set(sys.modules) - before))"
    loaded = {name.split(".")[0] for name in _run(program).split()}
    assert loaded <= ALLOWED


@pytest.mark.determinism
def test_two_seeds_of_pythons_hashes_give_one_journal() -> None:
    first, second = _run(SCENARIO, "1"), _run(SCENARIO, "4242")
    assert first == second
    assert int(first.split()[0]) > 100
