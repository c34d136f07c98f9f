"""The Prometheus files: judged by promtool, and by the table of names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from flowwatch.handling import runbooks
from flowwatch.metrics.names import TABLE, samples
from tests.servers import PROMTOOL

FOLDER: Final = Path(__file__).parents[2] / "config" / "prometheus"
RULES: Final = FOLDER / "rules"
KNOWN: Final = {name: metric for metric in TABLE for name in samples(metric)}
OF_PROMETHEUS: Final = {"job", "instance", "le", "__name__"}
URL: Final = "{{ $externalLabels.flowwatch_url }}/runbooks/"
SHUT: Final = re.compile(
    r"^( *)# ?((?:  )*(?:scheme|tls_config|ca_file|server_name|alerting|alertmanagers|- static_configs)\b)", re.MULTILINE
)
"""What the example has as a comment, for those who need it."""


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if PROMTOOL is None:
        pytest.skip("promtool (Debian: prometheus) is not installed: this test runs it")
    return subprocess.run([PROMTOOL, *map(str, words)], capture_output=True, text=True, check=False)


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / file).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "tests" / file).read_text(encoding="utf-8"))["tests"]
    return found


ALERTS: Final = rules("alerts.yml")
RECORDED: Final = {rule["record"]: rule for rule in rules("recording.yml")}
each = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Every metric of flowwatch in an expression, with the labels that are asked of it."""
    for name, matchers in re.findall(r"(?<!:)\b(flowwatch_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    (tmp_path / "prometheus" / "metrics-token").write_text("fw_secret\n")
    checked = promtool("check", "config", tmp_path / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_the_example_has_as_a_comment_is_a_configuration_too(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    for name in ("metrics-token", "ca.pem"):
        (tmp_path / "prometheus" / name).write_text("any\n")
    file = tmp_path / "prometheus" / "prometheus.yml"
    opened, count = SHUT.subn(r"\1\2", file.read_text(encoding="utf-8"))
    assert count == 7
    file.write_text(opened, encoding="utf-8")
    read = yaml.safe_load(opened)
    assert read["scrape_configs"][0]["scheme"] == "https"
    assert read["scrape_configs"][0]["tls_config"].keys() == {"ca_file", "server_name"}
    assert read["alerting"]["alertmanagers"]
    checked = promtool("check", "config", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", ["recording.yml", "alerts.yml"])
def test_the_rules_are_rules(file: str) -> None:
    checked = promtool("check", "rules", "--lint-fatal", RULES / file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", ["recording.yml", "alerts.yml"])
def test_the_rules_do_what_their_tests_say(file: str) -> None:
    checked = promtool("test", "rules", FOLDER / "tests" / file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_rule_that_does_something_else_is_found(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    file = tmp_path / "prometheus" / "rules" / "alerts.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("flowwatch_engine_up == 0", "flowwatch_engine_up == 1"), encoding="utf-8")
    checked = promtool("test", "rules", tmp_path / "prometheus" / "tests" / "alerts.yml")
    assert checked.returncode == 1
    assert "FlowwatchEngineDown" in checked.stdout + checked.stderr


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED.values()], ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_that_is_asked_for_is_in_the_table_with_those_labels(rule: dict[str, Any]) -> None:
    found = list(selectors(rule["expr"]))
    assert found or re.search(r"\bup\{|flowwatch_\w+:", rule["expr"])
    for name, labels in found:
        assert name in KNOWN, name
        assert labels <= {*KNOWN[name].labels, *OF_PROMETHEUS}, name
    for name in re.findall(r"\w+:flowwatch_\w+:\w+", rule["expr"]):
        assert name in RECORDED
    grouped = {label for names in re.findall(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)", rule["expr"]) for label in re.findall(r"\w+", names)}
    assert grouped <= {label for name, _ in found for label in KNOWN[name].labels} | OF_PROMETHEUS


@each
def test_an_alert_says_what_in_both_languages_and_where_to_read_on(rule: dict[str, Any]) -> None:
    told = rule["annotations"]
    assert set(told) == {"summary", "summary_zh", "description", "description_zh", "runbook_url"}
    for name in ("summary", "description"):
        english, chinese = told[name], told[f"{name}_zh"]
        assert re.search("[一-鿿]", chinese)
        assert not re.search("[一-鿿]", english)
        assert not re.search("[一-鿿] ?[,;:?!()]|[,;:?!()] ?[一-鿿]", chinese)
        for also in (r"\$labels\.\w+", r"\$value", r"flowwatch [a-z]+ [a-z]+|--[a-z]+[ \w-]*|/v1/\S+"):
            assert len(re.findall(also, english)) == len(re.findall(also, chinese)), also
    assert told["description"].endswith(".")
    assert told["description_zh"].endswith("。")
    assert told["runbook_url"].startswith(URL)
    assert told["runbook_url"].removeprefix(URL) in runbooks.kinds()


@each
def test_an_alert_waits_and_is_critical_or_a_warning(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[smh]", rule["for"])


@each
def test_every_bar_and_every_wait_has_its_reason_beside_it(rule: dict[str, Any]) -> None:
    text = (RULES / "alerts.yml").read_text(encoding="utf-8")
    (mine,) = re.findall(rf"- alert: {rule['alert']}\n(.*?)\n +labels:", text, re.DOTALL)
    bar, wait = mine.rsplit("\n", 1)
    assert " for: " in wait
    assert " # " in wait
    assert " # " in bar or not re.search(r"[<>] *(?!0\b)\d", rule["expr"])


@each
def test_an_alert_has_a_test_in_which_it_fires_and_one_in_which_it_stays_quiet(rule: dict[str, Any]) -> None:
    mine = [part for test in cases("alerts.yml") for part in test["alert_rule_test"] if part["alertname"] == rule["alert"]]
    assert sorted(len(part["exp_alerts"]) for part in mine) == [0, 1]


def test_an_alert_leads_to_a_page_of_the_service_where_nobody_named_its_address(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    file = tmp_path / "prometheus" / "tests" / "alerts.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("https://flowwatch.example.cn/", "/").replace("https://flowwatch.example.cn", ""), encoding="utf-8")
    checked = promtool("test", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_recording_rule_has_a_test() -> None:
    asked = " ".join(part["expr"] for test in cases("recording.yml") for part in test["promql_expr_test"])
    assert set(re.findall(r"\w+:flowwatch_\w+:\w+", asked)) == set(RECORDED)


def test_every_page_about_flowwatch_itself_is_one_to_which_an_alert_leads() -> None:
    assert set(runbooks.OPERATIONS) <= {rule["annotations"]["runbook_url"].removeprefix(URL) for rule in ALERTS}


def test_the_page_names_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "prometheus.md").read_text(encoding="utf-8")
    told = {row[0]: (row[1], row[2]) for row in re.findall(r"\| `(Flowwatch\w+)` \| [^|]+ \| (\w+) \| \[(\w+)\]", page)}
    assert told == {rule["alert"]: (rule["labels"]["severity"], rule["annotations"]["runbook_url"].removeprefix(URL)) for rule in ALERTS}
    assert set(re.findall(r"^\| `(\w+:flowwatch_\w+:\w+)`", page, re.MULTILINE)) == set(RECORDED)
