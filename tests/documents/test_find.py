"""Which documents belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.documents import DocumentErrors, alternatives, find, load, shipped
from tests.documents.written import HERE, PLAN_TEXT, PLAN_TEXTS, SITE_TEXT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file, text in (("config/sites/a.yaml", SITE_TEXT), ("rules/evening/plan.yaml", PLAN_TEXT)):
        put(tmp_path / file, text)
    return tmp_path


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_plan_belongs_to_the_site_that_it_names_whatever_the_files_are_called(root: Path) -> None:
    put(root / "config/sites/b.yaml", SITE_TEXT.replace("site: hall", "site: other"))
    assert find(root) == [(root / "config/sites/a.yaml", [root / "rules/evening/plan.yaml"]), (root / "config/sites/b.yaml", [])]


def test_a_site_that_two_files_describe_is_a_fault(root: Path) -> None:
    put(root / "config/sites/b.yaml", SITE_TEXT)
    with pytest.raises(
        DocumentErrors, match=r'b\.yaml:2:7: site: found the site "hall" again \(first in .*a\.yaml\), expected one file for a site'
    ):
        find(root)


def test_two_plans_for_one_site_are_a_fault_where_no_folder_is_called_like_the_site(root: Path) -> None:
    put(root / "rules/night/plan.yaml", PLAN_TEXT)
    with pytest.raises(
        DocumentErrors,
        match=r'night/plan\.yaml:3:7: site: found a plan for "hall" again \(first in .*\), expected one of them in a folder rules/hall,',
    ):
        find(root)


def test_the_folder_called_like_the_site_is_in_force_and_the_others_are_alternatives(root: Path) -> None:
    for folder in ("hall", "night"):
        put(root / f"rules/{folder}/plan.yaml", PLAN_TEXT)
    put(root / "rules/night/steps.plan.yaml", PLAN_TEXTS[3])
    site = root / "config/sites/a.yaml"
    assert find(root) == [(site, [root / "rules/hall/plan.yaml"])]
    assert alternatives(root) == [
        (site, [root / "rules/evening/plan.yaml"]),
        (site, [root / "rules/night/plan.yaml", root / "rules/night/steps.plan.yaml"]),
    ]


def test_zone_plans_and_cases_go_with_the_plan_beside_them(root: Path) -> None:
    for name in ("steps", "gala"):
        put(root / f"rules/evening/{name}.plan.yaml", (HERE / "good" / f"{name}.plan.yaml").read_text(encoding="utf-8"))
    put(root / "rules/evening/plan.test.yaml", "tests: []\n")
    folder = root / "rules/evening"
    ((site, plans),) = find(root)
    assert plans == [folder / "plan.yaml", folder / "gala.plan.yaml", folder / "steps.plan.yaml"]
    assert [plan["plan"] for plan in load(site, plans).site["plans"]] == ["evening", "gala", "steps"]
    assert alternatives(root) == []


def test_a_case_without_a_main_plan_is_a_fault(root: Path) -> None:
    put(root / "rules/night/gala.plan.yaml", PLAN_TEXTS[2])
    with pytest.raises(DocumentErrors, match=r"gala\.plan\.yaml:1:1: document: found a zone plan or case without a main plan"):
        find(root)


def test_a_case_for_another_site_than_its_folders_main_plan_is_a_fault(root: Path) -> None:
    put(root / "config/sites/b.yaml", SITE_TEXT.replace("site: hall", "site: other"))
    put(root / "rules/evening/gala.plan.yaml", PLAN_TEXTS[2].replace("site: hall", "site: other"))
    with pytest.raises(DocumentErrors, match=r'gala\.plan\.yaml:3:7: site: found "other", but there is no such site in .*a\.yaml'):
        load(*find(root)[0])


def test_a_plan_for_a_site_that_nobody_described_is_a_fault_with_the_near_miss(root: Path) -> None:
    put(root / "rules/night/plan.yaml", PLAN_TEXT.replace("site: hall", "site: halle"))
    with pytest.raises(
        DocumentErrors, match=r'found "halle", but no file in config/sites has that site, expected hall; did you mean "hall"'
    ):
        find(root)


def test_a_plan_in_the_sites_own_folder_is_found_also_when_it_names_another_site(root: Path) -> None:
    (root / "rules/evening/plan.yaml").rename(root / "plan.yaml")
    put(root / "rules/hall/plan.yaml", PLAN_TEXT.replace("site: hall", "site: hal"))
    ((site, plans),) = find(root)
    with pytest.raises(DocumentErrors, match=r'there is no such site in .*a\.yaml, expected hall; did you mean "hall"'):
        load(site, plans)


def test_a_plan_that_is_no_yaml_is_found_by_its_folder_and_its_fault_told_by_load(root: Path) -> None:
    (root / "rules/evening/plan.yaml").unlink()
    put(root / "rules/hall/plan.yaml", "plan: [")
    ((site, plans),) = find(root)
    with pytest.raises(DocumentErrors, match=r"plan\.yaml:2:1: document: found text that is no YAML"):
        load(site, plans)


def test_a_site_that_is_no_yaml_is_found_by_its_name(root: Path) -> None:
    put(root / "config/sites/hall.yaml", "site: [")
    (root / "config/sites/a.yaml").unlink()
    assert find(root) == [(root / "config/sites/hall.yaml", [root / "rules/evening/plan.yaml"])]


def test_a_folder_without_documents_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DocumentErrors, match=r"found no site file, expected config/sites/<site>\.yaml in this folder"):
        find(tmp_path)


def test_flowwatch_ships_yuyuan_with_its_plan() -> None:
    root = shipped()
    plans = dict(find(root))[root / "config/sites/yuyuan.yaml"]
    assert plans[0] == root / "rules/yuyuan/plan.yaml"
