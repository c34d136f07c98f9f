"""A fault in a file never keeps a log that has good documents from being decided on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flowwatch.acceptance import accept_documents
from flowwatch.documents import DocumentErrors, shipped
from flowwatch.log import Reader, create, load
from flowwatch.workspace import Workspace
from tests.places import yuyuan


@pytest.fixture
def place(tmp_path: Path) -> tuple[Workspace, Path]:
    """A log, and a folder with the shipped documents in it."""
    workspace, root = Workspace(tmp_path / "work"), tmp_path / "root"
    workspace.root.mkdir()
    create(workspace.log, clock="event", partitions=2)
    yuyuan(root)
    return workspace, root


def versions(workspace: Workspace) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in load(workspace.log).folders:
        with Reader(workspace.log, name) as reader:
            found |= reader.documents()
    return found


def spoil(root: Path, how: str) -> None:
    site = root / "config" / "sites" / "yuyuan.yaml"
    match how:
        case "faults in a file of another name":
            site.write_text(site.read_text().replace("capacity: 3000", "capacity: many"))
            site.rename(site.with_name("places.yaml"))
        case "two files for one site":
            shutil.copy(site, site.with_name("again.yaml"))
        case "another group":
            site.write_text(site.read_text().replace("site: yuyuan  ", "group: elsewhere\nsite: yuyuan  ", 1))
        case "no site file":
            site.unlink()


SPOILT = ["faults in a file of another name", "two files for one site", "another group", "no site file"]


@pytest.mark.parametrize("how", SPOILT)
def test_a_site_that_the_log_knows_goes_on_with_its_good_document(place: tuple[Workspace, Path], how: str) -> None:
    workspace, root = place
    accept_documents(workspace, root, lambda _: None)
    good = versions(workspace)
    spoil(root, how)
    told: list[str] = []
    accept_documents(workspace, root, told.append)
    assert versions(workspace) == good
    assert any("stay" in line and "in force" in line for line in told), told


@pytest.mark.parametrize("how", [h for h in SPOILT if h != "another group"])
def test_a_log_without_documents_takes_none_with_faults(place: tuple[Workspace, Path], how: str) -> None:
    workspace, root = place
    spoil(root, how)
    with pytest.raises(DocumentErrors):
        accept_documents(workspace, root, lambda _: None)
    assert versions(workspace) == {}


HALF: str = """
plan: {name}
site: yuyuan
zone: bridge
title: {{zh: 桥, en: The bridge}}
stages:
  - {{stage: open, title: {{zh: 双向, en: Open}}}}
  - stage: one_way
    title: {{zh: 单向, en: One way}}
    level: III
    when: {{any: [{{zone: bridge, measure: occupancy, enter: 400, clear: 300, hold: 30s}}]}}
    dwell: 10m
    links: {{{link}: one_way}}
    alert: {{headline: {{zh: 单向, en: One way}}, instruction: {{zh: 请单向通行, en: Please walk one way}}}}
"""
"""A zone plan that leads people onto the bridge at one end; two of them leave nobody a way off it, and no file alone can tell."""


def lead_people_onto_the_bridge(root: Path) -> None:
    for name, link in (("west", "bridge-west"), ("east", "bridge-east")):
        (root / "rules" / "yuyuan" / f"{name}.plan.yaml").write_text(HALF.format(name=name, link=link), encoding="utf-8")


def test_plans_that_together_leave_a_zone_without_a_way_out_do_not_replace_good_ones(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    accept_documents(workspace, root, lambda _: None)
    good = versions(workspace)
    lead_people_onto_the_bridge(root)
    told: list[str] = []
    accept_documents(workspace, root, told.append)
    assert versions(workspace) == good
    assert any(".plan.yaml:13:5: stages[1].links: " in line and "one_way_without_return" in line for line in told), told
    assert told[-1].endswith("not accepted; the last good document stays in force")


def test_a_log_without_documents_takes_none_that_the_safety_analysis_refuses(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    lead_people_onto_the_bridge(root)
    with pytest.raises(DocumentErrors, match="one_way_without_return"):
        accept_documents(workspace, root, lambda _: None)
    assert versions(workspace) == {}


def test_each_half_of_such_plans_is_taken_alone(place: tuple[Workspace, Path]) -> None:
    workspace, root = place
    lead_people_onto_the_bridge(root)
    (root / "rules" / "yuyuan" / "east.plan.yaml").unlink()
    accept_documents(workspace, root, lambda _: None)
    assert list(versions(workspace)) == ["yuyuan"]


@pytest.fixture
def group(place: tuple[Workspace, Path]) -> tuple[Workspace, Path]:
    """The same with the Bund and Nanjing Road, which are one group and whose plans are in force."""
    workspace, root = place
    for name in ("bund", "nanjing-road"):
        shutil.copy(shipped() / "config" / "sites" / f"{name}.yaml", root / "config" / "sites")
        shutil.copytree(shipped() / "rules" / name, root / "rules" / name)
    accept_documents(workspace, root, lambda _: None)
    return workspace, root


def put(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def changed(workspace: Workspace, root: Path) -> tuple[set[str], list[str]]:
    """The sites whose documents changed in the log by what is on disk now, and what was told."""
    before, told = versions(workspace), list[str]()
    accept_documents(workspace, root, told.append)
    after = versions(workspace)
    return {site for site in after if after[site] != before.get(site)}, told


def test_a_plan_that_names_a_stage_which_its_neighbour_does_not_have_does_not_replace_a_good_one(group: tuple[Workspace, Path]) -> None:
    workspace, root = group
    assert set(versions(workspace)) == {"yuyuan", "bund", "nanjing-road"}
    put(root / "rules" / "nanjing-road" / "bund-hold.plan.yaml", "stage: remote_hold,", "stage: remote_holds,")
    sites, told = changed(workspace, root)
    assert sites == set()
    assert any(
        'found "remote_holds", expected a stage above calm of "bund"' in line and 'did you mean "remote_hold"?' in line for line in told
    )


def test_a_stage_that_a_neighbour_looks_at_does_not_go_without_it(group: tuple[Workspace, Path]) -> None:
    workspace, root = group
    put(root / "rules" / "bund" / "plan.yaml", "stage: remote_hold\n", "stage: held_far\n")
    sites, told = changed(workspace, root)
    assert sites == set()
    assert any("bund-hold.plan.yaml:" in line and 'found "remote_hold", expected a stage above calm of "bund"' in line for line in told), (
        told
    )
    assert next(line for line in told if line.startswith("bund: document ")).endswith("the last good document stays in force")


def test_a_stage_that_gets_another_name_at_both_sites_comes_into_force_at_both_in_one_commit(group: tuple[Workspace, Path]) -> None:
    workspace, root = group
    put(root / "rules" / "bund" / "plan.yaml", "stage: remote_hold\n", "stage: held_far\n")
    put(root / "rules" / "nanjing-road" / "bund-hold.plan.yaml", "stage: remote_hold,", "stage: held_far,")
    assert changed(workspace, root)[0] == {"bund", "nanjing-road"}


def test_documents_wait_for_those_of_their_group_and_for_no_others(group: tuple[Workspace, Path]) -> None:
    workspace, root = group
    put(root / "config" / "sites" / "nanjing-road.yaml", "capacity: ", "capacity: many")
    for name in ("bund", "yuyuan"):
        put(root / "config" / "sites" / f"{name}.yaml", "title: {zh: ", "title: {zh: 新")
    sites, told = changed(workspace, root)
    assert sites == {"yuyuan"}
    assert any(
        line.startswith("bund: document ") and "waits, because documents of its group huangpu-riverfront" in line for line in told
    ), told
