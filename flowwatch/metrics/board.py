"""Samples on their way out: each under a name of the table, with exactly its labels, so that nothing is exposed that the table does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from flowwatch.metrics.names import BY_SAMPLE, PREFIX, TABLE, Kind, Metric


class Board:
    """What was put up, by metric."""

    def __init__(self) -> None:
        self._samples: dict[str, list[Sample]] = {}

    def put(self, name: str, value: float, **labels: str) -> None:
        """One sample of `name`, as Prometheus is asked for it, without the prefix. Raises KeyError or ValueError for what is not in the table."""
        metric = BY_SAMPLE[PREFIX + name]
        if labels.keys() != set(metric.labels):
            raise ValueError(f"{metric.sample}: found the labels {sorted(labels)}, expected {sorted(metric.labels)}")
        self._samples.setdefault(metric.sample, []).append(Sample(metric.sample, labels, value))

    def spread(self, name: str, edges: Sequence[float], cumulative: Sequence[int], total: float) -> None:
        """A histogram without labels: how many lie at or below each of `edges`, and last how many in all; their sum."""
        metric = BY_SAMPLE[PREFIX + name]
        if metric.kind is not Kind.HISTOGRAM or metric.labels or len(cumulative) != len(edges) + 1:
            raise ValueError(
                f"{metric.sample}: found {len(cumulative)} steps for {len(edges)} edges, expected a histogram with one step more"
            )
        made = self._samples.setdefault(metric.sample, [])
        for edge, count in zip([*edges, float("inf")], cumulative, strict=True):
            made.append(Sample(f"{metric.family}_bucket", {"le": floatToGoString(edge)}, count))  # type: ignore[no-untyped-call]
        made += [Sample(f"{metric.family}_count", {}, cumulative[-1]), Sample(f"{metric.family}_sum", {}, total)]

    def take(self, other: Board) -> None:
        """Put up what another board has, too."""
        for name, samples in other._samples.items():
            self._samples.setdefault(name, []).extend(samples)

    def samples(self) -> list[Sample]:
        """All of them, in the order of the table."""
        return [sample for metric in TABLE for sample in self._samples.get(metric.sample, ())]

    def families(self) -> Iterator[Family]:
        """The same as prometheus_client's families, those that have any sample."""
        for metric in TABLE:
            samples = self._samples.get(metric.sample)
            if samples:
                yield _family(metric, samples)


def _family(metric: Metric, samples: list[Sample]) -> Family:
    made = Family(metric.family, metric.en, metric.kind.value)
    made.samples = samples
    return made
