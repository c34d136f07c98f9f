"""What the figures say is wrong: the thresholds of the alert rules (`config/prometheus`), on one look instead of over a time.

Pure: samples in, what is wrong out, with the figures that show it. Who tells people of it has the words. A sample that the table of names does
not have, that lacks a label or whose value is no number says nothing: a service of another version is judged by what is known of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Final

from prometheus_client.samples import Sample

from flowwatch.handling.load import FLOOD, PER_HOUR
from flowwatch.metrics.names import PREFIX, TABLE
from flowwatch.metrics.names import samples as names_of

LAG_S: Final = 5.0
"""A decision is due within a second of its tick."""
TICKLESS_S: Final = 15.0
"""Ten ticks of the usual length, and the age of a scrape."""
SNAPSHOT_S: Final = 600.0
"""Checkpoints are written every 30 s."""
TICK_S: Final = 1.0
"""The usual tick, where no figure says how long it is."""
AIM_S: Final = 0.05
"""The aim: the most that a decision may take beyond its tick."""
SLOW_S: Final = 0.2
"""Four times the aim. A reading may have waited for its tick besides."""
SLOW_FROM: Final = 1_000
"""Of fewer ticks the first few, at which documents are compiled, would be the one in a hundred."""
REFUSED_SHARE: Final = 0.05
"""Repeats after a break are a few per cent for a few minutes."""
REFUSED_FROM: Final = 200
"""A share of fewer readings says nothing."""
AHEAD_S: Final = 10.0
"""At 60 s ahead a counter's readings are refused."""
BEHIND_S: Final = 60.0
"""The usual lateness that a document grants."""
SILENT_SHARE: Final = 0.1
"""One counter in ten of a site."""
BLIND_SHARE: Final = 0.5
"""Most of what comes and goes is not seen."""
INBOX_FILES: Final = 1_000
"""The engine takes all that is there at every tick."""
FREE_BYTES: Final = 1 << 30
"""A few hours of a busy city's log."""
CERTIFICATE_S: Final = 30 * 86_400.0
"""A month: time to ask for another."""
DESK_ENTRIES: Final = 100
"""500 are told in some 50 ms."""
WAITING_S: Final = 600.0
"""The fast tries have failed, and the first long one."""

Value = float | str | list[str]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: its name, and the figures that show it."""

    name: str
    values: Mapping[str, Value]


_LABELS: Final = {name: {*metric.labels, *(["le"] if name.endswith("_bucket") else [])} for metric in TABLE for name in names_of(metric)}
"""The labels that a sample has, by its name."""


class Figures:
    """Samples by name, the prefix left out."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._of: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            if _says_something(sample):
                self._of[sample.name.removeprefix(PREFIX)].append(sample)

    def of(self, name: str, **labels: str) -> list[Sample]:
        """The samples of a name that have these labels, by their labels."""
        found = [one for one in self._of.get(name, ()) if labels.items() <= one.labels.items()]
        return sorted(found, key=lambda one: (sorted(one.labels.items()), one.value))

    def total(self, name: str, **labels: str) -> float:
        """Their sum."""
        return sum(one.value for one in self.of(name, **labels))

    def beyond(self, name: str, share: float, least: int) -> float:
        """The last edge of a histogram beyond which more than this share of it lies; 0 if there is none, or fewer than `least` in all."""
        edges = sorted((float(one.labels["le"]), one.value) for one in self.of(f"{name}_bucket"))
        if not edges or edges[-1][1] < least:
            return 0.0
        return max((edge for edge, count in edges[:-1] if count < (1 - share) * edges[-1][1]), default=0.0)


def _says_something(sample: Sample) -> bool:
    labels = _LABELS.get(sample.name)
    if labels is None or not labels <= sample.labels.keys() or not isfinite(sample.value):
        return False
    try:
        return "le" not in labels or not isnan(float(sample.labels["le"]))
    except ValueError:
        return False


Rule = Callable[[Figures, float], Iterator[Wrong]]


def judge(samples: Iterable[Sample], now_s: float) -> list[Wrong]:
    """Everything that is wrong by these samples at `now_s`, seconds since the epoch. Raises nothing, whatever they are."""
    figures = Figures(samples)
    return [wrong for rule in RULES for wrong in rule(figures, now_s)]


def _engine(figures: Figures, now_s: float) -> Iterator[Wrong]:
    if any(not one.value for one in figures.of("engine_up")):
        stands = any(now_s - one.value > TICKLESS_S for one in figures.of("log_tick_timestamp_seconds"))
        yield Wrong("engine_down", {"why": "stands" if stands else "behind"})
    elif figures.of("build_info") and not figures.of("engine_up"):  # a service tells what it is, and nothing of an engine
        yield Wrong("engine_down", {"why": "unknown"})
    lags = [one for one in figures.of("log_lag_seconds") if one.value > LAG_S]
    if lags:
        worst = max(lags, key=lambda one: one.value)
        partition = worst.labels["partition"]
        rows = figures.total("log_lag_rows", partition=partition)
        yield Wrong("lags", {"partition": partition, "seconds": worst.value, "rows": rows})
    old = [one for one in figures.of("snapshot_age_seconds") if one.value > SNAPSHOT_S]
    if old:
        worst = max(old, key=lambda one: one.value)
        yield Wrong("snapshot_old", {"partition": worst.labels["partition"], "seconds": worst.value})


def _speed(figures: Figures, now_s: float) -> Iterator[Wrong]:
    """More than one tick in a hundred is slow. Where deciding is, what waits for it is slow as well, and that is not told besides."""
    del now_s
    tick_s = max((one.value for one in figures.of("tick_interval_seconds")), default=TICK_S)
    for figure, waits in (("decide_seconds", 0.0), ("reading_to_decision_seconds", tick_s)):
        slow = figures.beyond(figure, 0.01, SLOW_FROM)
        if slow >= waits + SLOW_S:
            yield Wrong("slow", {"figure": figure, "seconds": slow, "aim": waits + AIM_S})
            return


def _refused(figures: Figures, now_s: float) -> Iterator[Wrong]:
    del now_s
    refused, every = figures.total("readings_total", outcome="refused"), figures.total("readings_total")
    if every >= REFUSED_FROM and refused / every > REFUSED_SHARE:
        reasons: dict[str, float] = defaultdict(float)
        for one in figures.of("readings_refused_total"):
            reasons[one.labels["reason"]] += one.value
        worst = sorted((reason for reason, count in reasons.items() if count), key=lambda reason: (-reasons[reason], reason))
        yield Wrong("refused", {"share": refused / every, "reasons": worst[:3]})


def _counters(figures: Figures, now_s: float) -> Iterator[Wrong]:
    skews = {_name(one): one.value for one in figures.of("counter_skew_seconds")}
    for name, chosen in (
        ("clock_ahead", {counter: -skew for counter, skew in skews.items() if skew < -AHEAD_S}),
        ("clock_behind", {counter: skew for counter, skew in skews.items() if skew > BEHIND_S}),
    ):
        if chosen:
            yield Wrong(name, {"counters": sorted(chosen), "seconds": max(chosen.values())})
    last = {_name(one): one.value for one in figures.of("counter_last_reading_timestamp_seconds")}
    every: dict[str, list[Sample]] = defaultdict(list)
    for one in figures.of("counter_silent"):
        every[one.labels["site"]].append(one)
    for site, counters in sorted(every.items()):
        silent = [_name(one) for one in counters if one.value]
        if len(silent) / len(counters) > SILENT_SHARE:
            heard = [last[name] for name in silent if name in last]
            names: Value = [name.removeprefix(f"{site}/") for name in silent]
            share = {"count": float(len(silent)), "of": float(len(counters))}
            since = {"longest": max(0.0, now_s - min(heard, default=now_s)), "unheard": float(len(silent) - len(heard))}
            blind = len(silent) / len(counters) > BLIND_SHARE
            yield Wrong("blind" if blind else "silent", {"site": site, "counters": names, **share, **since})


def _gates(figures: Figures, now_s: float) -> Iterator[Wrong]:
    del now_s
    lost = [_name(one, "gate") for one in figures.of("gate_up") if not one.value]
    if lost:
        yield Wrong("gates_lost", {"gates": lost})
    there = {_name(one, "gate") for one in figures.of("gate_up") if one.value}
    wrong = [name for one in figures.of("gate_obeys") if not one.value and (name := _name(one, "gate")) in there]
    if wrong:
        yield Wrong("gates_disobey", {"gates": wrong})
    yield from _by_site("commands_open", figures.of("gate_unacknowledged"))


def _people(figures: Figures, now_s: float) -> Iterator[Wrong]:
    """What people have before them and have not answered, and whether it is more than they can."""
    del now_s
    yield from _by_site("reds_new", figures.of("incidents_active", priority="I", handling="new"))
    yield from _by_site("overdue", figures.of("incidents_overdue"))
    hourly = max((one.value for one in figures.of("alarms_per_operator_hour")), default=0.0)
    window = max((one.value for one in figures.of("alarms_worst_window")), default=0.0)
    if hourly > PER_HOUR or window > FLOOD:
        yield Wrong("alarms_heavy", {"hourly": hourly, "window": window})
    hidden = figures.total("alarms_red_hidden")
    if hidden:
        yield Wrong("reds_hidden", {"count": hidden})


def _by_site(name: str, found: Iterable[Sample]) -> Iterator[Wrong]:
    """Something of which there should be none at any site."""
    some = [one for one in found if one.value > 0]
    if some:
        yield Wrong(name, {"count": sum(one.value for one in some), "sites": sorted({one.labels["site"] for one in some})})


def _service(figures: Figures, now_s: float) -> Iterator[Wrong]:
    for name in ("desk", "dispatcher", "webhooks"):
        if any(not one.value for one in figures.of(f"{name}_up")):
            yield Wrong(f"{name}_down", {})
    for name, label in (("broker", "broker"), ("input", "input")):
        down = [one.labels[label] for one in figures.of(f"{name}_up") if not one.value]
        if down:
            yield Wrong(f"{name}_down", {"names": down})
    untold = figures.total("desk_lag_entries")
    if untold > DESK_ENTRIES:
        yield Wrong("desk_lags", {"count": untold})
    waiting = max((one.value for one in figures.of("webhook_oldest_waiting_seconds")), default=0.0)
    if waiting > WAITING_S:
        yield Wrong("webhooks_wait", {"count": figures.total("webhook_outbox_messages", state="waiting"), "age": waiting})
    dead = figures.total("webhook_outbox_messages", state="dead")
    if dead > 0:
        yield Wrong("webhooks_dead", {"count": dead})
    ends = [one for one in figures.of("certificate_expiry_timestamp_seconds") if one.value - now_s < CERTIFICATE_S]
    for one in ends:
        yield Wrong("certificate_ends", {"certificate": one.labels["certificate"], "days": (one.value - now_s) / 86_400})


def _storage(figures: Figures, now_s: float) -> Iterator[Wrong]:
    del now_s
    frozen = figures.total("journal_frozen")
    if frozen:
        yield Wrong("frozen", {"count": frozen})
    for one in figures.of("disk_free_bytes"):
        if one.value < FREE_BYTES:
            yield Wrong("disk", {"bytes": one.value})
    files = figures.total("inbox_files")
    if files > INBOX_FILES:
        yield Wrong("inbox", {"count": files})
    failed = [one.labels["part"] for one in figures.of("metrics_failed") if one.value]
    if failed:
        yield Wrong("part_failed", {"parts": failed})


def _name(one: Sample, label: str = "counter") -> str:
    return f"{one.labels['site']}/{one.labels[label]}"


RULES: Final[tuple[Rule, ...]] = (_engine, _speed, _refused, _counters, _gates, _people, _service, _storage)
