"""Expressions of dashboards, made from the table of metrics: a name or a label that is not there does not get into one."""

from __future__ import annotations

from typing import Final

from flowwatch.metrics.names import Kind, named, samples

WHERE: Final = 'job=~"$job",instance=~"$instance"'
"""What every query asks for first: the scrapes that were chosen."""
RATE: Final = "$__rate_interval"


def of(name: str, *, site: str | None = "~$site", **labels: str) -> str:
    """A selector. `labels`: values, "~" before one that is a pattern and "!" before one that is not to be; `site` None: of every site.

    >>> of("zone_known", zone="site")
    'flowwatch_zone_known{job=~"$job",instance=~"$instance",site=~"$site",zone="site"}'
    """
    metric = named(name)
    asked = dict(labels)
    if site is not None and "site" in metric.labels:
        asked = {"site": site} | asked
    strange = asked.keys() - set(metric.labels)
    if strange:
        raise ValueError(f"{metric.sample}: found the labels {sorted(strange)}, expected some of {sorted(metric.labels)}")
    return f"{metric.sample}{{{','.join([WHERE, *map(_matcher, asked, asked.values())])}}}"


def rate(name: str, site: str | None = "~$site", **labels: str) -> str:
    """How much a counter rises a second."""
    _is_counter(name)
    return f"rate({of(name, site=site, **labels)}[{RATE}])"


def rise(name: str, site: str | None = "~$site", **labels: str) -> str:
    """By how much a counter rises from one point of a graph to the next."""
    _is_counter(name)
    return f"increase({of(name, site=site, **labels)}[{RATE}])"


def quantile(share: float, name: str) -> str:
    """A quantile of a histogram, over all instances that were chosen."""
    metric = named(name)
    if metric.kind is not Kind.HISTOGRAM:
        raise ValueError(f"{metric.sample} is no histogram")
    bucket = next(sample for sample in samples(metric) if sample.endswith("_bucket"))
    return f"histogram_quantile({share:g}, sum by (le) (rate({bucket}{{{WHERE}}}[{RATE}])))"


def _is_counter(name: str) -> None:
    if named(name).kind is not Kind.COUNTER:
        raise ValueError(f"{name} is no counter")


def _matcher(label: str, value: str) -> str:
    if value.startswith("~"):
        return f'{label}=~"{value[1:]}"'
    return f'{label}!="{value[1:]}"' if value.startswith("!") else f'{label}="{value}"'
