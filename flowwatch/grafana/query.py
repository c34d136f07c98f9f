"""Expressions of dashboards, made from the table of metrics: a name or a label that is not there does not get into one."""

from __future__ import annotations

from typing import Final

from flowwatch.metrics.names import Kind, named, samples

WHERE: Final = 'job=~"$job",instance=~"$instance"'
"""What every query asks for first: the scrapes that were chosen."""
RATE: Final = "$__rate_interval"
FRESH_S: Final = 120
"""An estimate comes every minute. What is older than two says nothing of now (docs/feed.md, of zones at a broker)."""


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
    """By how much a counter rose in the last few scrapes. Points of a graph may share some of them: it shows when, not how many in all."""
    _is_counter(name)
    return f"increase({of(name, site=site, **labels)}[{RATE}])"


def quantile(share: float, name: str) -> str:
    """A quantile of a histogram, over all instances that were chosen."""
    metric = named(name)
    if metric.kind is not Kind.HISTOGRAM:
        raise ValueError(f"{metric.sample} is no histogram")
    bucket = next(sample for sample in samples(metric) if sample.endswith("_bucket"))
    return f"histogram_quantile({share:g}, sum by (le) (rate({bucket}{{{WHERE}}}[{RATE}])))"


def fresh(expression: str) -> str:
    """What `expression` says of sites that were estimated lately, and nothing of the others."""
    return f"({expression}) and on (site) (time() - {of('estimate_timestamp_seconds')} < {FRESH_S})"


def alarming(expression: str) -> str:
    """What is above 0 wherever it is, and 0 only where it is fresh: an old fire is still one, an old "nothing" says nothing."""
    return f"({expression}) > 0 or {fresh(expression)}"


def _is_counter(name: str) -> None:
    if named(name).kind is not Kind.COUNTER:
        raise ValueError(f"{name} is no counter")


def _matcher(label: str, value: str) -> str:
    if value.startswith("~"):
        return f'{label}=~"{value[1:]}"'
    return f'{label}!="{value[1:]}"' if value.startswith("!") else f'{label}="{value}"'
