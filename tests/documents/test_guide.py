"""The planner's guide: each of its files compiles where it stands, and no key of the language is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flowwatch.core.gates import egress_per_min
from flowwatch.documents import Source, compile_sources, find, load
from flowwatch.documents.load import source
from flowwatch.documents.plan import Plan
from flowwatch.documents.site import Site
from flowwatch.documents.templates import PLACEHOLDERS
from flowwatch.safety import analyse, render
from flowwatch.trials import Stock, read, run
from flowwatch.vocabulary import ROLES
from tests.documents.test_language import structs

GUIDE = (Path(__file__).resolve().parents[2] / "rules" / "README.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_every_file_of_the_guide_compiles_with_those_before_it(tmp_path: Path) -> None:
    for name, text in FILES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        ((site, plans),) = find(tmp_path)
        load(site, plans)
    assert [plan["plan"] for plan in load(site, plans).site["plans"]] == ["willow-lake", "fireworks", "island", "storm"]


def test_the_guides_arithmetic_is_right() -> None:
    texts = dict(FILES)
    site = Source("s", texts["config/sites/willow-lake.yaml"].encode())
    record = compile_sources(site, [Source("p", texts["rules/willow-lake/plan.yaml"].encode())]).site
    stages = {stage["stage"]: stage for stage in record["plans"][0]["stages"]}
    assert (egress_per_min(record, stages["normal"]["gates"]), egress_per_min(record, stages["full"]["gates"])) == (200, 350)
    assert stages["crowded"]["leaves"][0]["clear_m"] == 1_875_000
    assert stages["busy"]["leaves"][0]["enter_m"] == 1_750_000


@pytest.mark.parametrize("cls", [Site, Plan])
def test_the_guide_explains_every_key(cls: type[Any]) -> None:
    keys = {part.encode_name for struct in structs(msgspec.inspect.type_info(cls)).values() for part in struct.fields}
    tables = GUIDE[GUIDE.index("## Every key") :]
    assert sorted(key for key in keys if f"`{key}`" not in tables) == []


def test_the_guide_names_every_placeholder() -> None:
    assert [name for name in PLACEHOLDERS if f"`{{{name}}}`" not in GUIDE] == []


@pytest.fixture
def willow_lake(tmp_path: Path) -> Path:
    """The guide's files, each as it stands last."""
    for name, text in FILES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_guides_tests_pass(willow_lake: Path) -> None:
    ((site, plans),) = find(willow_lake)
    loaded = load(site, plans)
    tests = read(source(willow_lake / "rules" / "willow-lake" / "plan.test.yaml"), Stock.of(loaded.site))
    assert len(tests) == 4
    assert {test.trial.name: run(test, loaded).failures for test in tests} == {test.trial.name: [] for test in tests}


def test_the_guide_shows_what_check_prints(willow_lake: Path) -> None:
    ((site, plans),) = find(willow_lake)
    report = analyse(load(site, plans).site)
    assert report.findings == ()
    (shown,) = re.findall(r"<!-- check -->\n```\n(.*?)```", GUIDE, re.DOTALL)
    assert render(report, "en").split("\n\n", 1)[1] == shown


def test_the_guide_lists_the_roles_that_have_a_word() -> None:
    assert [name for name, text in ROLES.items() if f"| `{name}` | {text['zh']} | {text['en']} |" not in GUIDE] == []
