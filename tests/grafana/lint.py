"""The rules of grafana/dashboard-linter (its docs/rules), as far as they concern dashboards on Prometheus; each yields what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Final

from grafana_foundation_sdk.models import units

from flowwatch.grafana.dashboards import panels
from flowwatch.metrics.names import TABLE, Kind, samples

Dashboard = dict[str, Any]
Rule = Callable[[Dashboard], Iterator[str]]
KNOWN: Final = {name: metric for metric in TABLE for name in samples(metric)}
OF_PROMETHEUS: Final = {"job", "instance", "le"}
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
UNITS: Final = {unit for name, unit in vars(units).items() if not name.startswith("_") and isinstance(unit, str)}
"""Grafana's own."""


def variables(dashboard: Dashboard) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def targets(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    """Every expression with what it is of: of panels, and of marks in their graphs."""
    for panel in panels(dashboard):
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((mark["name"], mark["expr"]) for mark in dashboard["annotations"].get("list", ()))


def selectors(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every selector: the metric's name, and label -> operator and value."""
    for name, matchers in re.findall(r"\b((?:flowwatch|process)_\w+)\{([^}]*)\}", expression):
        yield name, {label: operator + value for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers)}


def template_datasource(dashboard: Dashboard) -> Iterator[str]:
    """template-datasource-rule."""
    found = variables(dashboard).get("datasource", {})
    if (found.get("type"), found.get("query")) != ("datasource", "prometheus"):
        yield "there is no variable for the data source"


def template_job(dashboard: Dashboard) -> Iterator[str]:
    """template-job-rule."""
    yield from _template(dashboard, "job")


def template_instance(dashboard: Dashboard) -> Iterator[str]:
    """template-instance-rule."""
    yield from _template(dashboard, "instance")


def _template(dashboard: Dashboard, name: str) -> Iterator[str]:
    found = variables(dashboard).get(name)
    if found is None:
        yield f"there is no variable {name}"
    elif (found["type"], found["datasource"], found["multi"], found["allValue"]) != ("query", SOURCE, True, ".+"):
        yield f"the variable {name} asks another source, or takes one value only, or has another value for all"


def template_on_time_change(dashboard: Dashboard) -> Iterator[str]:
    """template-on-time-change-reload-rule."""
    for name, one in variables(dashboard).items():
        if one["type"] == "query" and one["refresh"] != 2:
            yield f"the variable {name} is not asked again when the time changes"


def template_labels(dashboard: Dashboard) -> Iterator[str]:
    """template-label-promql-rule: the metrics that values of a variable are taken from, and their label, are there."""
    for name, one in variables(dashboard).items():
        if one["type"] != "query":
            continue
        query = one["query"]["query"]
        listed = re.fullmatch(r"label_values\(.*, (\w+)\)", query)
        label = listed[1] if listed else re.findall(r"max by \((\w+)\)", query)[0]
        for metric in re.findall(r"\bflowwatch_\w+", query):
            if metric not in KNOWN or label not in {*KNOWN[metric].labels, *OF_PROMETHEUS}:
                yield f"the variable {name} asks for {label} of {metric}"


def panel_datasource(dashboard: Dashboard) -> Iterator[str]:
    """panel-datasource-rule, target too."""
    for panel in panels(dashboard):
        if any(part["datasource"] != SOURCE for part in (panel, *panel["targets"])):
            yield f"{panel['title']}: another data source than the one that was chosen"


def panel_title_description(dashboard: Dashboard) -> Iterator[str]:
    """panel-title-description-rule."""
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"{panel.get('title') or panel['id']}: no title or no description"


def panel_units(dashboard: Dashboard) -> Iterator[str]:
    """panel-units-rule. The linter does not know units of one's own; Grafana does ("suffix:/min")."""
    for panel in panels(dashboard):
        unit = panel["fieldConfig"]["defaults"].get("unit", "")
        if unit not in UNITS and not unit.startswith("suffix:"):
            yield f"{panel['title']}: no unit, or one that Grafana does not have"


def panel_no_targets(dashboard: Dashboard) -> Iterator[str]:
    """panel-no-targets-rule."""
    for panel in panels(dashboard):
        if not panel["targets"]:
            yield f"{panel['title']}: asks nothing"


def target_promql(dashboard: Dashboard) -> Iterator[str]:
    """target-promql-rule, so far as the table of metrics can tell; the rest is promtool's."""
    for title, expression in targets(dashboard):
        found = list(selectors(expression))
        if len(found) != len(re.findall(r"\b(?:flowwatch|process)_\w+", expression)):
            yield f"{title}: a metric without matchers"
        for name, labels in found:
            if name.startswith("flowwatch_") and (name not in KNOWN or not labels.keys() <= {*KNOWN[name].labels, *OF_PROMETHEUS}):
                yield f"{title}: {name} with {sorted(labels)}"


def target_job_instance(dashboard: Dashboard) -> Iterator[str]:
    """target-job-rule, target-instance-rule."""
    for title, expression in targets(dashboard):
        for name, labels in selectors(expression):
            if (labels.get("job"), labels.get("instance")) != ("=~$job", "=~$instance"):
                yield f"{title}: {name} is not asked for the job and instance that were chosen"


def target_rate_interval(dashboard: Dashboard) -> Iterator[str]:
    """target-rate-interval-rule."""
    for title, expression in targets(dashboard):
        if any(window != "$__rate_interval" for window in re.findall(r"\[([^\]]+)\]", expression)):
            yield f"{title}: another window than $__rate_interval"


def target_counter_agg(dashboard: Dashboard) -> Iterator[str]:
    """target-counter-agg-rule: a counter is shown by its rise. (0 times a counter is 0, whatever it is.)"""
    for title, expression in targets(dashboard):
        risen = re.sub(r"(?:rate|increase)\([^()]*\)", "", expression)
        risen = re.sub(r"sum by \(\w+\) \([^()]*\) \* 0", "", risen)
        for name, _ in selectors(risen):
            rises = name in KNOWN and KNOWN[name].kind in (Kind.COUNTER, Kind.HISTOGRAM)
            if rises and not (name.endswith("_bucket") and "histogram_quantile" in expression):
                yield f"{title}: {name} without its rise"


def uneditable(dashboard: Dashboard) -> Iterator[str]:
    """uneditable-dashboard-rule: what is generated is changed where it is generated."""
    if dashboard["editable"]:
        yield "it can be changed in Grafana"


def placed(dashboard: Dashboard) -> Iterator[str]:
    """Not the linter's: every panel has its own number and place, within the width."""
    every = dashboard["panels"]
    if len({panel["id"] for panel in every}) < len(every):
        yield "two panels have one number"
    for panel in every:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            yield f"{panel['title']}: beyond the edge"
    for one, other in combinations([panel["gridPos"] for panel in every], 2):
        beside = one["x"] >= other["x"] + other["w"] or other["x"] >= one["x"] + one["w"]
        above = one["y"] >= other["y"] + other["h"] or other["y"] >= one["y"] + one["h"]
        if not (beside or above):
            yield "two panels lie on each other"


RULES: Final[tuple[Rule, ...]] = (
    *(template_datasource, template_job, template_instance, template_on_time_change, template_labels),
    *(panel_datasource, panel_title_description, panel_units, panel_no_targets),
    *(target_promql, target_job_instance, target_rate_interval, target_counter_agg, uneditable, placed),
)
