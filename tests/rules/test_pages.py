"""The pages in docs/plans: every number of a plan and its site stands on its page, as the file has it, with where it comes from."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from flowwatch.documents import alternatives, find, load, shipped
from flowwatch.safety import analyse
from tests.rules.facts import STANDINGS, of_page, of_plan, of_site, rows

ROOT: Final = shipped()
PAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "plans"
SHELF: Final = {plans[0].parent.name: (site, plans) for site, plans in find(ROOT) + alternatives(ROOT) if plans}
SITES: Final = {plans[0].parent.name: site for site, plans in find(ROOT) if plans}


@pytest.mark.parametrize(
    "file", [file for _, plans in SHELF.values() for file in plans], ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_every_number_of_a_plan_is_on_its_page_and_no_other(file: Path) -> None:
    page = PAGES / f"{file.parent.name}.md"
    stated = Counter(fact for fact, _, _ in of_page(page, f"### rules/{file.parent.name}/{file.name}"))
    written = Counter(of_plan(file))
    assert (written - stated, stated - written) == (Counter(), Counter())


@pytest.mark.parametrize("folder", SITES)
def test_every_size_of_a_site_is_on_the_page_of_its_plan_and_no_other(folder: str) -> None:
    site = SITES[folder]
    stated = Counter((what, key, value) for (_, what, key, value), _, _ in of_page(PAGES / f"{folder}.md", f"### config/sites/{site.name}"))
    written = Counter((what, key, value) for _, what, key, value in of_site(site))
    assert (written - stated, stated - written) == (Counter(), Counter())
    assert {gate["lane_per_min"] for gate in load(*SHELF[folder]).site["gates"]} == {25}


@pytest.mark.parametrize("folder", SHELF)
def test_every_row_has_a_standing_and_what_is_not_assumed_has_a_source(folder: str) -> None:
    page = PAGES / f"{folder}.md"
    headings = re.findall(r"^### (?:rules|config)/\S+$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for heading in headings:
        for fact, standing, where_from in of_page(page, heading):
            assert standing in STANDINGS, fact
            assert where_from or standing == "assumed", fact


@pytest.mark.parametrize("folder", SHELF)
def test_capacity_in_and_out_is_what_the_analysis_says(folder: str) -> None:
    stated = [
        (plan.strip("`"), stage.strip("`"), float(into.replace(",", "")), float(out.replace(",", "")))
        for plan, stage, into, out in rows(PAGES / f"{folder}.md", "## Capacity in and out")
    ]
    found = analyse(load(*SHELF[folder]).site).capacities
    assert stated == [(c.plan, c.stage, round(c.ingress_per_min, 1), round(c.egress_per_min, 1)) for c in found]


def test_every_plan_has_a_page_and_the_index_names_each() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert {page.stem for page in PAGES.glob("*.md")} == {*SHELF, "README"}
    assert set(re.findall(r"\]\(([a-z0-9-]+)\.md\)", index)) == set(SHELF)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
