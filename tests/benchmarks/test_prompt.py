"""The benchmark from the reading to the wire counts what it says: the last gate's command, and every probe that had none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import prompt
from benchmarks.prompt import Load, Probe, Result, Used, matched
from benchmarks.workload import GATES, Shape
from tests.servers import BINARY

Heard = list[tuple[float, str, str, str, int]]


def commands(site: str, when: float, setting: str, revision: int) -> Heard:
    """Those of all gates, a tenth of a second apart."""
    return [(when + g / 10, site, f"gate/gate-{g}", setting, revision) for g in range(GATES)]


def test_a_probe_waits_for_the_last_of_its_commands() -> None:
    heard = commands("a", 1.5, "out", 4) + commands("b", 2.0, "out", 4) + commands("a", 5.0, "both", 6)
    waits, lost = matched([Probe("a", True, 1.0), Probe("b", True, 1.0), Probe("a", False, 4.5)], heard)
    assert sorted(waits) == pytest.approx([0.8, 0.8, 1.3])
    assert lost == 0


def test_a_site_that_misses_a_command_has_lost_its_probes() -> None:
    heard = commands("a", 1.5, "out", 4)[:-1] + commands("b", 2.0, "out", 4)
    waits, lost = matched([Probe("a", True, 1.0), Probe("b", True, 1.0)], heard)
    assert (len(waits), lost) == (1, 1)


def test_a_lost_probe_misses_the_aim() -> None:
    assert " met |" in prompt.told(Result([1.0], 0, Load(5_000, 1.0), {"service": Used(0.2, 170, 171, 171)}), 1_000_000)
    assert "**missed**" in prompt.told(Result([1.0], 1), 1_000_000)
    assert "**missed**" in prompt.told(Result(), 1_000_000)


def test_every_site_of_the_workload_goes_out_by_itself() -> None:
    record = prompt.automatic(Shape().document(0))
    assert {record["delivery"], *(gate["delivery"] for gate in record["gates"])} == {"automatic"}


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="mosquitto is not installed: the benchmark measures to its wire")
def test_a_short_run_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "WARM_S", 1.0)
    monkeypatch.setattr(prompt, "REST_S", 8.0)  # on a machine that stands still for a while, two changes of a site must not become none
    result = prompt.trial(tmp_path, Shape(sites=10, counters=10, rate=100), 9.0, 2, 5, 1_000_000)
    assert result.lost == result.load.refused == 0
    assert len(result.waits) > 3
    assert result.load.readings >= 500
    assert set(result.used) == {"service", "engine", "broker", "sender"}
