"""The laboratory from Python: the example in the documentation and the notebook run as they stand, on a shorter day."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import flowwatch_sim as sim
from flowwatch_sim.variants import BadBarsError
from tests.simulators.made import SCENARIO

ROOT = Path(__file__).parents[2]


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Twenty minutes at Yuyuan."""
    file = tmp_path / "short.yaml"
    file.write_text(SCENARIO.replace("lasts: 2h", "lasts: 20m").replace("people: 5200", "people: 2600"), encoding="utf-8")
    return file


def executed(program: str, short: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(program.replace('"national-day"', repr(str(short))).replace("days=20", "days=2"), names)
    return names


def test_the_example_in_the_documentation_runs_and_is_ten_lines(short: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: a plot needs flowwatch-crowd[plots]").use("Agg")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(import flowwatch_sim.*?)```", text, re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) <= 10
    names = executed(program, short)
    assert isinstance(names["lived"], sim.Lived)
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize("notebook", sorted((ROOT / "simulators" / "examples").glob("*.ipynb")), ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom_and_holds_no_output(notebook: Path, short: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: a plot needs flowwatch-crowd[plots]").use("Agg")
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    executed("\n".join("".join(cell["source"]) for cell in cells), short)


def test_days_come_as_tidy_frames(short: Path) -> None:
    now = sim.load(short, sensing="perfect")
    lived = sim.live(now, now.with_bars(three_in_five_out=20), days=2)
    assert list(lived.days.columns) == ["setup", "seed", "measure", "value"]
    assert not lived.days.duplicated(["setup", "seed", "measure"]).any()
    assert len(lived.curves) == 2 * 2 * 20
    assert set(lived.curves.setup) == {"in-force", "in-force 20"}
    row = lived.differences.set_index("measure").loc["turned_away"]
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["difference"] == pytest.approx(row["this"] - row["first"])


def test_what_is_shown_says_what_it_is(short: Path) -> None:
    now = sim.load(short, sensing="perfect")
    lived = sim.live(now.with_bars(three_in_five_out=20), days=1)
    assert repr(now) == "<short under in-force, perfect counters>"
    assert repr(lived) == "<1 days of short under in-force 20>"
    assert repr(lived.results[0]).startswith("<day of seed 1 under in-force 20, perfect counters: ")


def test_unsafe_bars_are_refused_where_they_are_given(short: Path) -> None:
    with pytest.raises(BadBarsError, match="is never active by itself"):
        sim.load(short).with_bars(exit_only=1400)


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(AttributeError, match="it has Lived, Result"):
        sim.lvie  # noqa: B018
    assert "national-day" in sim.scenarios()
    assert dir(sim) == sim.__all__


def test_the_package_itself_imports_nothing_heavy() -> None:
    program = "import sys, flowwatch_sim; print(sorted({'numpy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT / "simulators")
    assert told.stdout.strip() == "[]"
