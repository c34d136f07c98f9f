"""The dashboards: as the code makes them, by the linter's rules, alike in both languages, with expressions that are PromQL."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from flowwatch.grafana import dashboards
from flowwatch.grafana.board import GOOD, GREY, LEVELS
from flowwatch.grafana.boards import BOARDS
from flowwatch.grafana.generate import LANGUAGES
from flowwatch.grafana.query import of, quantile, rate
from flowwatch.grafana.render import rendered
from flowwatch.words import Language
from tests.grafana import lint
from tests.servers import PROMTOOL

NAMES: Final = [board.name for board in BOARDS]
VALUES: Final = {"job": ".+", "instance": ".+", "site": ".+", "area": ".+", "zone": "site", "gate": ".+", "__rate_interval": "1m"}
languages = pytest.mark.parametrize("lang", LANGUAGES)
every = pytest.mark.parametrize("name", NAMES)


@every
@languages
def test_the_file_is_what_the_code_makes(name: str, lang: Language) -> None:
    board = next(board for board in BOARDS if board.name == name)
    assert dashboards.file_of(name, lang).read_text(encoding="utf-8") == rendered(board, lang)


@languages
def test_there_are_no_other_files(lang: Language) -> None:
    assert sorted(dashboards.read(lang)) == sorted(NAMES)


@every
@languages
@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_to_the_rule(name: str, lang: Language, rule: lint.Rule) -> None:
    assert list(rule(dashboards.read(lang)[name])) == []


Change = Callable[[dict[str, Any]], object]


def _first(dashboard: dict[str, Any]) -> dict[str, Any]:
    return next(dashboards.panels(dashboard))


def _expr(dashboard: dict[str, Any], expr: str) -> None:
    _first(dashboard)["targets"][0]["expr"] = expr


def _drop(name: str) -> Change:
    return lambda d: d["templating"].update(list=[one for one in d["templating"]["list"] if one["name"] != name])


BROKEN: Final[list[tuple[lint.Rule, Change]]] = [
    (lint.template_datasource, _drop("datasource")),
    (lint.template_job, _drop("job")),
    (lint.template_instance, lambda d: lint.variables(d)["instance"].update(multi=False)),
    (lint.template_on_time_change, lambda d: lint.variables(d)["site"].update(refresh=1)),
    (lint.template_labels, lambda d: lint.variables(d)["site"]["query"].update(query="label_values(flowwatch_site_info{}, gate)")),
    (lint.panel_datasource, lambda d: _first(d)["targets"][0].update(datasource={"type": "prometheus", "uid": "abc"})),
    (lint.panel_title_description, lambda d: _first(d).update(description="")),
    (lint.panel_units, lambda d: _first(d)["fieldConfig"]["defaults"].update(unit="")),
    (lint.panel_units, lambda d: _first(d)["fieldConfig"]["defaults"].update(unit="people")),
    (lint.target_promql, lambda d: d["annotations"]["list"][0].update(expr="flowwatch_plan_stages")),
    (lint.panel_no_targets, lambda d: _first(d).update(targets=[])),
    (lint.target_promql, lambda d: _expr(d, 'flowwatch_zone_known{job=~"$job",instance=~"$instance",gate="a"}')),
    (lint.target_promql, lambda d: _expr(d, "flowwatch_zone_known")),
    (lint.target_job_instance, lambda d: _expr(d, 'flowwatch_zone_known{instance=~"$instance"}')),
    (lint.target_rate_interval, lambda d: _expr(d, 'rate(flowwatch_ticks_total{job=~"$job",instance=~"$instance"}[5m])')),
    (lint.target_counter_agg, lambda d: _expr(d, 'flowwatch_ticks_total{job=~"$job",instance=~"$instance"}')),
    (lint.uneditable, lambda d: d.update(editable=True)),
    (lint.placed, lambda d: d["panels"][2]["gridPos"].update(d["panels"][1]["gridPos"])),
    (lint.placed, lambda d: d["panels"][2].update(id=1)),
    (lint.placed, lambda d: d["panels"][2]["gridPos"].update(w=30)),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN, ids=[rule.__name__ for rule, _ in BROKEN])
def test_what_breaks_a_rule_is_found(rule: lint.Rule, change: Change) -> None:
    dashboard = copy.deepcopy(dashboards.read("en")["command"])
    change(dashboard)
    assert list(rule(dashboard)) != []


def test_every_rule_was_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == set(lint.RULES)


@every
def test_both_languages_ask_the_same(name: str) -> None:
    en, zh = (dashboards.read(lang)[name] for lang in LANGUAGES)
    assert [target for panel in dashboards.panels(en) for target in _asked(panel)] == [
        target for panel in dashboards.panels(zh) for target in _asked(panel)
    ]
    assert en["uid"] != zh["uid"]


def _asked(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@every
def test_titles_and_meanings_are_in_their_language(name: str) -> None:
    for lang in LANGUAGES:
        dashboard = dashboards.read(lang)[name]
        for text in (dashboard["title"], *(text for p in dashboards.panels(dashboard) for text in (p["title"], p["description"]))):
            assert bool(re.search("[一-鿿]", text)) == (lang == "zh"), text


def test_no_two_dashboards_have_one_name() -> None:
    uids = [dashboard["uid"] for lang in LANGUAGES for dashboard in dashboards.read(lang).values()]
    assert len(set(uids)) == len(uids) == 12


def test_every_level_is_shown_by_its_numeral_and_not_by_colour_alone() -> None:
    for panel in dashboards.panels(dashboards.read("en")["plan"]):
        if panel["title"] == "Levels of the plans":
            (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert [one["text"] for one in mapping["options"].values()] == ["none", "IV", "III", "II", "I"]
            return
    pytest.fail("no panel of levels")


def test_good_and_unknown_look_like_no_level() -> None:
    assert not {GOOD, GREY} & {LEVELS[level] for level in ("I", "II", "III", "IV")}


def test_the_stage_of_a_site_is_coloured_by_its_level_and_says_which() -> None:
    (panel,) = (p for p in dashboards.panels(dashboards.read("en")["command"]) if p["title"] == "Stage and level")
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert {one["text"]: one["color"] for one in mapping["options"].values()} == LEVELS
    assert panel["options"]["textMode"] == "value_and_name"


@pytest.mark.parametrize(
    ("chosen", "path", "lies"),
    [
        (".*", "harbour/east/quay", True),
        (".*", "quay", True),
        ("harbour/east", "harbour/east/quay", True),
        ("harbour", "harbour/east/quay", True),
        ("(harbour/east|harbour/west)", "harbour/west/pier", True),
        ("harbour/east", "harbour/west/pier", False),
        ("harbour/east", "harbour/eastern/pier", False),
        ("harbour/east", "quay", False),
    ],
)
def test_an_area_chooses_the_sites_in_it(chosen: str, path: str, lies: bool) -> None:
    for dashboard in dashboards.read("en").values():
        if "site" in (found := lint.variables(dashboard)):
            asked = re.search(r'area=~"([^"]+)"', found["site"]["query"]["query"])
            assert asked is not None
            assert bool(re.fullmatch(asked[1].replace("$area", chosen), path)) == lies
            assert found["area"]["allValue"] == ".*", "a site at the top has an area's path that is its own name"
            assert "allValue" not in found["site"], "all sites are those of the chosen area"


@pytest.mark.parametrize(("path", "area"), [("harbour/east/quay", "harbour/east"), ("huangpu/yuyuan", "huangpu"), ("quay", None)])
def test_areas_to_choose_from_are_sites_paths_without_the_sites(path: str, area: str | None) -> None:
    pattern = lint.variables(dashboards.read("en")["district"])["area"]["regex"]
    found = re.search(pattern[1:-1].replace(r"\/", "/"), path)
    assert (found and found[1]) == area


def test_expressions_are_promql(tmp_path: Path) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool (Debian: prometheus) is not installed: this test runs it")
    found = list(dashboards.expressions("en", VALUES))
    assert len(found) > 90
    rules = [{"record": f"panel:{number}:x", "expr": one.expr} for number, one in enumerate(found)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_variable_without_a_value_is_found() -> None:
    with pytest.raises(KeyError, match="job"):
        list(dashboards.expressions("en", {}))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: of("zone_knwon"), "did you mean"),
        (lambda: of("zone_known", gate="a"), "found the labels"),
        (lambda: rate("zone_known"), "no counter"),
        (lambda: quantile(0.5, "zone_known"), "no histogram"),
    ],
)
def test_a_slip_in_a_query_does_not_get_into_a_dashboard(made: Callable[[], str], told: str) -> None:
    with pytest.raises((KeyError, ValueError), match=told):
        made()
