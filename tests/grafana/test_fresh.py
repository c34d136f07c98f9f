"""A site of which nothing new is known shows no figures: asked of promtool, with the dashboards' own expressions."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from flowwatch.grafana import dashboards
from flowwatch.grafana.query import FRESH_S
from tests.servers import PROMTOOL

VALUES: Final = {"job": ".+", "instance": ".+", "site": "quay", "area": ".+", "zone": "site", "gate": ".+", "__rate_interval": "1m"}
NOW_S: Final = 3_600
AGE: Final = {"Age of the figures", "People and bars: $zone D"}
"""What is shown all the same: how old the figures are, and the plan's bars."""
FIGURES: Final = {
    "zone_occupancy_people": ({"zone": "site", "bound": bound} for bound in ("lower", "estimate", "upper")),
    "zone_capacity_people": ({"zone": "site"},),
    "zone_density_people_per_square_meter": ({"zone": "site"},),
    "plan_active_stage_info": ({"plan": "main", "stage": "normal", "level": "none"},),
    "plan_stage": ({"plan": "main"},),
    "gate_mode_info": ({"gate": "a", "mode": "in"},),
}
CALM: Final = {"fire": {}, "incidents_unacknowledged": {}, "incidents_overdue": {}, "counter_silent": {"counter": "at-a"}}
FIGURES_MADE: Final = {name: list(labels) for name, labels in FIGURES.items()}
SERIES: Final = [(name, labels) for name, many in FIGURES_MADE.items() for labels in many]


def _series(name: str, labels: dict[str, str], value: float) -> dict[str, str]:
    told = ",".join(f'{label}="{one}"' for label, one in {"job": "flowwatch", "instance": "a", "site": "quay", **labels}.items())
    return {"series": f"flowwatch_{name}{{{told}}}", "values": f"{value:g}x{NOW_S // 15}"}


def site(age_s: float, calm: float = 0) -> list[dict[str, str]]:
    """A site whose newest estimate is so old; `calm`: the value of what is 0 while all is well."""
    return [
        *(_series(name, labels, 1) for name, labels in SERIES),
        *(_series(name, labels, calm) for name, labels in CALM.items()),
        _series("estimate_timestamp_seconds", {}, NOW_S - age_s),
    ]


def quiet(folder: Path, series: list[dict[str, str]], expression: str) -> bool:
    """Whether the expression has nothing to show."""
    if PROMTOOL is None:
        pytest.skip("promtool (Debian: prometheus) is not installed: this test runs it")
    asked: dict[str, Any] = {"expr": expression, "eval_time": f"{NOW_S}s", "exp_samples": []}
    file = folder / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [asked]}]}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "exp: nil" in done.stdout + done.stderr or "got:" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode == 0


EXPRESSIONS: Final = [
    one
    for one in dashboards.expressions("en", VALUES)
    if one.dashboard == "command" and one.panel not in AGE and f"{one.panel} {one.ref}" not in AGE
]
each = pytest.mark.parametrize("asked", EXPRESSIONS, ids=lambda one: f"{one.panel} {one.ref}")


@each
def test_a_stale_site_shows_no_figure_and_no_calm(asked: dashboards.Asked, tmp_path: Path) -> None:
    assert quiet(tmp_path, site(FRESH_S + 1), asked.expr)


@each
def test_a_fresh_site_shows_them_all(asked: dashboards.Asked, tmp_path: Path) -> None:
    assert not quiet(tmp_path, site(FRESH_S - 1), asked.expr)


@pytest.mark.parametrize("panel", ["Not acknowledged", "Overdue", "Fire", "Silent counters"])
def test_what_is_wrong_at_a_stale_site_is_shown(panel: str, tmp_path: Path) -> None:
    (asked,) = (one for one in EXPRESSIONS if one.panel == panel)
    assert not quiet(tmp_path, site(FRESH_S + 1, calm=1), asked.expr)
