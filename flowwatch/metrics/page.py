"""The table of metrics as a page: `python -m flowwatch.metrics.page` writes `docs/metrics.md` anew; a test keeps it current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flowwatch.metrics.names import TABLE, Group, Kind, Metric

FILE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
TITLES: Final = {
    Group.ZONES: "Sites and zones",
    Group.PLANS: "Plans",
    Group.GATES: "Gates",
    Group.INCIDENTS: "Incidents",
    Group.ALARMS: "Alarms",
    Group.COUNTERS: "Counters",
    Group.READINGS: "Readings",
    Group.ENGINE: "Engine",
    Group.LOG: "Log and disk",
    Group.JOURNAL: "Journal and book of handling",
    Group.SERVICE: "Service",
}
HEAD: Final = """# Metrics

What `GET /metrics` of the service tells, generated from `flowwatch/metrics/names.py`. How to fetch it, and what to be called for:
[prometheus.md](prometheus.md); how it looks: [grafana.md](grafana.md).

- **Where figures come from.** People, stages and gates' modes are the journal's; counters, readings and the engine's own times are what each
  engine's process says of itself once a second; handling is the book's; the rest is the service's. Nothing is measured twice.
- **Counters begin anew** with the process that counts: the engine's with the engine, the others with the service; `rate()` and `increase()`
  know that.
- **What is not known is absent**, never 0: a zone that nothing has anchored has a lower edge and no estimate. A part that cannot be read shows
  nothing, and `flowwatch_metrics_failed` says which.
- **Zone `site`** is the whole of a site, site `@service` is the service itself; what has no level or priority has `none`.
- Text and OpenMetrics, as the scraper accepts; a body may be a second old. `process_*` and `python_*` are those of the service's process.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for group in Group for line in _table(group))])


def _table(group: Group) -> Iterator[str]:
    yield f"## {TITLES[group]}\n"
    yield "| name | type | labels | meaning | 含义 |"
    yield "|---|---|---|---|---|"
    for metric in TABLE:
        if metric.group is group:
            labels = " ".join(f"`{label}`" for label in metric.labels)
            yield f"| `{metric.sample}` | {_kind(metric)} | {labels} | {metric.en} | {metric.zh} |"
    yield ""


def _kind(metric: Metric) -> str:
    return metric.kind.value + (f", {metric.unit.replace('_', ' ')}" if metric.unit and metric.kind is not Kind.INFO else "")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
