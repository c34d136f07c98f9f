"""`plan explain`, `plan diff` and `diagram`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from tests.cli.conftest import Invoke, objects
from tests.places import yuyuan


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """The shipped site Yuyuan with its main plan."""
    yuyuan(tmp_path)
    return tmp_path


@pytest.fixture
def draft(places: Path) -> Path:
    """A folder with another plan: the yellow stage comes 100 people earlier, the red one may go after 5 minutes."""
    folder = places / "rules" / "draft"
    folder.mkdir()
    text = (places / "rules" / "yuyuan" / "plan.yaml").read_text(encoding="utf-8")
    changed = text.replace("enter: 1500", "enter: 1400").replace("dwell: 15m", "dwell: 5m")
    assert changed != text
    (folder / "plan.yaml").write_text(changed, encoding="utf-8")
    return folder


def test_the_shipped_plan_is_told_in_both_languages(invoke: Invoke) -> None:
    en = invoke("plan", "explain", "--site", "yuyuan", "--lang", "en").stdout
    zh = invoke("plan", "explain", "--site", "yuyuan", "--lang", "zh").stdout
    assert en.startswith("# Yuyuan mall crowd plan\n")
    assert "lead in (3 of 8)" in en
    assert zh.startswith("# 豫园商城大客流管控方案\n")
    assert "号口只进（8 个中 3 个）" in zh


def test_a_draft_is_told_by_its_folder(invoke: Invoke, draft: Path) -> None:
    assert "more than 1,400 people" in invoke("plan", "explain", "--documents", draft.parent.parent, "--plan", draft, "--lang", "en").stdout
    assert "more than 1,500 people" in invoke("plan", "explain", "--documents", draft.parent.parent, "--lang", "en").stdout


def test_nothing_changed_is_exit_code_0(invoke: Invoke, places: Path) -> None:
    assert invoke("plan", "diff", places, places, "--lang", "en").stdout == "Nothing changed.\n"
    folder = places / "rules" / "yuyuan"
    assert invoke("plan", "diff", folder, folder / "plan.yaml", "--lang", "zh").stdout == "没有变化。\n"


def test_changes_are_sentences_and_exit_code_1(invoke: Invoke, places: Path, draft: Path) -> None:
    lines = invoke("plan", "diff", places / "rules" / "yuyuan", draft, "--lang", "en", code=Exit.FINDINGS).stdout.splitlines()
    assert len(lines) == 2
    assert "lowered from 1,500 people to 1,400 people (by 100 people). [tighter]" in lines[0]
    assert lines[1].endswith("the dwell is shortened from 15 min to 5 min (by 10 min). [looser]")
    assert lines == invoke("plan", "diff", places, draft, "--lang", "en", code=Exit.FINDINGS).stdout.splitlines()


def test_changes_for_programs_are_objects_with_both_languages(invoke: Invoke, places: Path, draft: Path) -> None:
    found = objects(invoke("plan", "diff", places, draft, "--format", "json", code=Exit.FINDINGS))
    assert [(change["about"], change["stage"], change["trend"]) for change in found] == [
        ("conditions", "three_in_five_out", "tighter"),
        ("dwell", "exit_only", "looser"),
    ]
    assert all(change["site"] == "yuyuan" and change["zh"] and change["en"] for change in found)
    assert json.dumps(found)


def test_the_diagram_goes_to_the_output_or_to_a_file(invoke: Invoke, tmp_path: Path) -> None:
    assert "stateDiagram-v2" in invoke("diagram", "--site", "yuyuan", "--format", "mermaid").stdout
    out = tmp_path / "plan.svg"
    assert invoke("diagram", "--site", "yuyuan", "--format", "svg", "--lang", "zh", "--out", out).stdout == ""
    text = out.read_text(encoding="utf-8")
    assert ET.fromstring(text).tag.endswith("svg")
    assert "三进五出" in text


def test_what_does_not_exist_is_told_with_the_near_miss(invoke: Invoke, places: Path, tmp_path: Path) -> None:
    assert (
        'found no site "yuyun", expected one of yuyuan; did you mean "yuyuan"?'
        in invoke("plan", "explain", "--documents", places, "--site", "yuyun", code=Exit.USAGE).stderr
    )
    assert 'did you mean "yuyuan"?' in invoke("diagram", "--documents", places, "--of", "yuyun", code=Exit.USAGE).stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "expected a folder with a plan.yaml" in invoke("plan", "diff", places, empty, code=Exit.USAGE).stderr
    assert "found no plan.yaml" in invoke("plan", "explain", "--plan", empty, code=Exit.USAGE).stderr


def test_a_plan_with_faults_is_not_told(invoke: Invoke, draft: Path) -> None:
    file = draft / "plan.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\nno_such_key: 1\n", encoding="utf-8")
    result = invoke("plan", "explain", "--documents", draft.parent.parent, "--plan", draft, code=Exit.DOCUMENTS)
    assert result.stdout == ""
    assert "no_such_key" in result.stderr


def test_several_sites_need_a_name(invoke: Invoke, places: Path) -> None:
    other = places / "config" / "sites" / "other.yaml"
    text = (places / "config" / "sites" / "yuyuan.yaml").read_text(encoding="utf-8")
    other.write_text(text.replace("site: yuyuan ", "site: other "), encoding="utf-8")
    assert "expected --site with one of other, yuyuan" in invoke("plan", "explain", "--documents", places, code=Exit.USAGE).stderr
    assert "nothing is decided" in invoke("plan", "explain", "--documents", places, "--site", "other", "--lang", "en").stdout
    assert "has no plan" in invoke("diagram", "--documents", places, "--site", "other", code=Exit.USAGE).stderr
