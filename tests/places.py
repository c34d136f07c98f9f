"""A folder of documents with one site in it, for the tests that speak of one place and change it."""

from __future__ import annotations

import shutil
from pathlib import Path

from flowwatch.documents import shipped


def yuyuan(root: Path) -> Path:
    """Put the shipped site Yuyuan into `root`, with its main plan alone and the import mappings; gives `root`."""
    for part in ("config/sites/yuyuan.yaml", "rules/yuyuan/plan.yaml"):
        (root / part).parent.mkdir(parents=True)
        shutil.copy(shipped() / part, root / part)
    shutil.copytree(shipped() / "config" / "imports", root / "config" / "imports")
    return root
