"""`check`, and the shell's completion."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.documents import shipped
from tests.cli.conftest import Invoke, objects


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A copy of the shipped documents."""
    for part in ("config", "rules"):
        shutil.copytree(shipped() / part, tmp_path / part)
    return tmp_path


def test_the_shipped_documents_have_no_fault(invoke: Invoke) -> None:
    text = invoke("check").stdout
    assert "yuyuan: version" in text
    assert "mta: import mapping" in text
    assert "yuyuan: deployment, " in text


def test_a_deployment_is_read_with_the_sites_wherever_it_lies(invoke: Invoke, places: Path) -> None:
    inside, outside = places / "config" / "deployments" / "yuyuan.yaml", places / "mine.yaml"
    outside.write_text(inside.read_text(encoding="utf-8").replace("line-east", "line-esat"), encoding="utf-8")
    fault = f'{outside}:41:44: devices[1].counter: found "yuyuan/line-esat", but there is no such counter in config/sites'
    assert fault in invoke("check", "--documents", places, "--deployment", outside, code=Exit.DOCUMENTS).stdout
    invoke("check", "--documents", places)


def test_every_fault_of_every_file_comes_at_once_with_its_place(invoke: Invoke, places: Path) -> None:
    for name in ("rules/yuyuan/plan.yaml", "config/sites/yuyuan.yaml", "config/imports/mta.yaml"):
        file = places / name
        file.write_text(file.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    faults = objects(invoke("check", "--documents", places, "--format", "json", code=Exit.DOCUMENTS))
    assert {Path(fault["file"]).name for fault in faults} == {"plan.yaml", "yuyuan.yaml", "mta.yaml"}
    lines = invoke("check", "--documents", places, code=Exit.DOCUMENTS).stdout.splitlines()
    assert lines == [f"{f['file']}:{f['line']}:{f['column']}: {f['path']}: {f['text']}" for f in faults]


def test_a_warning_has_its_place_as_a_fault_has_and_the_documents_are_used(invoke: Invoke, places: Path) -> None:
    file = places / "rules" / "yuyuan" / "plan.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("clear: 1350, hold: 30s", "clear: 1350, hold: 20m"), encoding="utf-8")
    en = [line for line in invoke("check", "--documents", places).stdout.splitlines() if "hold_too_long" in line]
    at = f"{file}:33:5: stages[1].when: "
    said = '"occupancy of mall above 1,500 for 20 min" waits 20 min before the stage rises, a long time for people over the bar'
    assert en == [f'{at}warning: "three_in_five_out": {said} (hold_too_long)']
    assert (
        f"{at}警告：“three_in_five_out”的条件“豫园商城在场人数超过1,500人并持续20分钟”"
        in invoke("check", "--documents", places, "--lang", "zh").stdout
    )


def test_a_site_without_a_plan_is_warned_of_too(invoke: Invoke, places: Path) -> None:
    site = places / "config" / "sites" / "yuyuan.yaml"
    shutil.rmtree(places / "rules")
    site.write_text(site.read_text(encoding="utf-8").replace("area_m2: 420\n", "area_m2: 42\n"), encoding="utf-8")
    assert f"{site}:31:15: zones.bridge.capacity: warning: " in invoke("check", "--documents", places).stdout


def test_the_way_to_a_fault_of_the_analysis_is_told_once(invoke: Invoke, places: Path) -> None:
    file = places / "rules" / "yuyuan" / "bridge.plan.yaml"
    text = file.read_text(encoding="utf-8")
    links = "    links: {bridge-west: one_way, bridge-east: one_way}\n    dwell: "
    file.write_text(re.sub(r"    links: .*\n", "", text).replace("    dwell: ", links, 1), encoding="utf-8")
    lines = invoke("check", "--documents", places, code=Exit.DOCUMENTS).stdout.splitlines()
    (line,) = (line for line in lines if "one_way_without_return" in line)
    assert line.count("Shortest way there: ") == 1
    assert line.startswith(f"{file}:")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_begins_with_how_to_use_it(invoke: Invoke, shell: str) -> None:
    script = invoke("completion", shell).stdout
    assert script.splitlines()[0].startswith("# ")
    assert "_FLOWWATCH_COMPLETE" in script
