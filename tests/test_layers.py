"""What may import what: each package sees those below it, as docs/walk.md has them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import flowwatch

ROOT = Path(flowwatch.__file__).parent
LAYERS = ("core", "documents", "log", "journal", "handling", "feed", "metrics", "service", "cli")
"""From the lowest to the highest; a package of a layer imports none of a higher one."""


def imported(path: Path) -> set[str]:
    """The packages of flowwatch that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flowwatch."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "flowwatch":
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("flowwatch."))
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_no_package_imports_one_above_it(layer: str) -> None:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    assert {str(path.relative_to(ROOT)): sorted(found) for path in files if (found := imported(path) & above)} == {}
