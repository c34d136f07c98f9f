"""What the figures say is wrong: each rule speaks and is quiet, and its thresholds are those of the alert rules."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.samples import Sample

from flowwatch.cli.findings import SAYINGS
from flowwatch.cli.health import told
from flowwatch.handling.load import FLOOD, PER_HOUR
from flowwatch.metrics import judged
from flowwatch.metrics.judged import judge
from flowwatch.metrics.names import TABLE, Kind

NOW: Final = 1_790_834_400.0
Told = tuple[str, float, dict[str, str]]


def samples(*given: Told) -> list[Sample]:
    return [Sample(f"flowwatch_{name}", labels, value) for name, value, labels in given]


def names(*given: Told) -> list[str]:
    return [wrong.name for wrong in judge(samples(*given), NOW)]


def one(name: str, value: float, **labels: str) -> Told:
    return name, value, labels


def readings(counted: int, refused: int) -> list[Told]:
    return [
        one("readings_total", counted, partition="p00", outcome="counted"),
        one("readings_total", refused, partition="p00", outcome="refused"),
        one("readings_refused_total", refused, partition="p00", reason="too_late"),
    ]


def buckets(within: int, every: int) -> list[Told]:
    return [
        one("decide_seconds_bucket", within, le="0.2"),
        one("decide_seconds_bucket", every, le="0.5"),
        one("decide_seconds_bucket", every, le="+Inf"),
    ]


def silent(*values: int) -> list[Told]:
    return [one("counter_silent", value, site="yuyuan", counter=f"t-{i}") for i, value in enumerate(values)]


CASES: Final[list[tuple[str, list[Told], list[Told]]]] = [
    ("engine_down", [one("engine_up", 0)], [one("engine_up", 1)]),
    (
        "engine_down",
        [one("engine_up", 0), one("log_tick_timestamp_seconds", NOW - 16)],
        [one("engine_up", 1), one("log_tick_timestamp_seconds", NOW - 16)],
    ),
    ("lags", [one("log_lag_seconds", 6, partition="p03")], [one("log_lag_seconds", 5, partition="p03")]),
    ("snapshot_old", [one("snapshot_age_seconds", 601, partition="p03")], [one("snapshot_age_seconds", 30, partition="p03")]),
    ("slow", buckets(980, 1_000), buckets(990, 1_000)),
    ("slow", buckets(0, 1_000), buckets(0, 999)),
    ("refused", readings(900, 100), readings(970, 30)),
    ("refused", readings(100, 100), readings(100, 99)),
    ("clock_ahead", [one("counter_skew_seconds", -11, site="a", counter="b")], [one("counter_skew_seconds", -10, site="a", counter="b")]),
    ("clock_behind", [one("counter_skew_seconds", 61, site="a", counter="b")], [one("counter_skew_seconds", 60, site="a", counter="b")]),
    ("silent", silent(1, 1, 0, 0), silent(*[0] * 9, 1)),
    ("blind", silent(1, 1, 1, 0), silent(*[0] * 9, 1)),
    ("commands_open", [one("gate_unacknowledged", 2, site="a")], [one("gate_unacknowledged", 0, site="a")]),
    (
        "reds_new",
        [one("incidents_active", 1, site="a", priority="I", handling="new")],
        [
            one("incidents_active", 1, site="a", priority="I", handling="acknowledged"),
            one("incidents_active", 1, site="a", priority="II", handling="new"),
        ],
    ),
    ("overdue", [one("incidents_overdue", 1, site="a")], [one("incidents_overdue", 0, site="a")]),
    ("alarms_heavy", [one("alarms_per_operator_hour", 6.1)], [one("alarms_per_operator_hour", 6)]),
    ("alarms_heavy", [one("alarms_worst_window", 11)], [one("alarms_worst_window", 10)]),
    (
        "webhooks_dead",
        [one("webhook_outbox_messages", 1, state="dead")],
        [one("webhook_outbox_messages", 0, state="dead"), one("webhook_outbox_messages", 9, state="delivered")],
    ),
    ("gates_lost", [one("gate_up", 0, site="a", gate="b")], [one("gate_up", 1, site="a", gate="b")]),
    (
        "gates_disobey",
        [one("gate_up", 1, site="a", gate="b"), one("gate_obeys", 0, site="a", gate="b")],
        [one("gate_up", 1, site="a", gate="b"), one("gate_obeys", 1, site="a", gate="b")],
    ),
    ("desk_down", [one("desk_up", 0)], [one("desk_up", 1)]),
    ("dispatcher_down", [one("dispatcher_up", 0)], []),
    ("webhooks_down", [one("webhooks_up", 0)], [one("webhooks_up", 1)]),
    ("broker_down", [one("broker_up", 0, broker="main")], [one("broker_up", 1, broker="main")]),
    ("input_down", [one("input_up", 0, input="mqtt/main")], [one("input_up", 1, input="mqtt/main")]),
    ("desk_lags", [one("desk_lag_entries", 101)], [one("desk_lag_entries", 100)]),
    (
        "webhooks_wait",
        [one("webhook_oldest_waiting_seconds", 601), one("webhook_outbox_messages", 1, state="waiting")],
        [one("webhook_oldest_waiting_seconds", 600), one("webhook_outbox_messages", 9_999, state="waiting")],
    ),
    (
        "certificate_ends",
        [one("certificate_expiry_timestamp_seconds", NOW + 29 * 86_400, certificate="api")],
        [one("certificate_expiry_timestamp_seconds", NOW + 31 * 86_400, certificate="api")],
    ),
    ("reds_hidden", [one("alarms_red_hidden", 1)], [one("alarms_red_hidden", 0)]),
    ("frozen", [one("journal_frozen", 1)], [one("journal_frozen", 0)]),
    ("disk", [one("disk_free_bytes", 2.0**29)], [one("disk_free_bytes", 2.0**31)]),
    ("inbox", [one("inbox_files", 1_001)], [one("inbox_files", 1_000)]),
    ("part_failed", [one("metrics_failed", 1, part="log")], [one("metrics_failed", 0, part="log")]),
]


@pytest.mark.parametrize(("name", "wrong", "right"), CASES)
def test_a_rule_speaks_of_what_is_wrong_and_is_quiet_otherwise(name: str, wrong: list[Told], right: list[Told]) -> None:
    assert names(*wrong) == [name]
    assert names(*right) == []


@pytest.mark.parametrize(("name", "wrong", "right"), CASES)
def test_what_is_wrong_has_words_with_its_figures(name: str, wrong: list[Told], right: list[Told]) -> None:
    (found,) = judge(samples(*wrong), NOW)
    finding = told(found)
    for lang in ("zh", "en"):
        assert "{" not in finding.what(lang) + finding.do(lang)
        assert finding.do(lang)


def test_few_readings_say_nothing_of_a_share() -> None:
    assert names(*readings(100, 50)) == []


def test_the_worst_partition_is_named() -> None:
    lags = [
        one("log_lag_seconds", 6, partition="p00"),
        one("log_lag_seconds", 90, partition="p01"),
        one("log_lag_rows", 7, partition="p01"),
    ]
    (found,) = judge(samples(*lags), NOW)
    assert told(found).what("en") == "partition p01 decides 90 s late; rows that wait: 7"


def test_reasons_are_told_in_words_the_most_frequent_first() -> None:
    many = [*readings(500, 90), one("readings_refused_total", 200, partition="p00", reason="duplicate")]
    (found,) = judge(samples(*many), NOW)
    assert told(found).what("en").endswith("mostly: a duplicate, later than the counter's declared lateness")
    assert "重复、超过声明的迟到时限" in told(found).what("zh")


def test_of_many_counters_the_first_are_named_and_the_others_counted() -> None:
    many = [one("counter_skew_seconds", -20 - i, site="a", counter=f"t-{i}") for i in range(9)]
    (found,) = judge(samples(*many), NOW)
    assert told(found).what("en") == "clocks are ahead, by 28 s at most: a/t-0, a/t-1, a/t-2, a/t-3, a/t-4 and 4 more"
    assert told(found).what("zh").endswith("a/t-4，另有 4 个")


def any_sample() -> st.SearchStrategy[Sample]:
    def of(name: str, labels: tuple[str, ...], kind: Kind) -> st.SearchStrategy[Sample]:
        values = st.floats(-1e6, 1e12) | st.sampled_from([0.0, 1.0])
        words = {label: st.sampled_from(["I", "p00", "dead", "refused", "too_late", "0.5"]) for label in labels}
        bucket = {"le": st.sampled_from(["0.1", "1.0", "+Inf"])} if kind is Kind.HISTOGRAM else {}
        full = f"{name}_bucket" if kind is Kind.HISTOGRAM else name
        return st.builds(lambda value, **given: Sample(full, given, value), values, **words, **bucket)

    return st.one_of([of(metric.sample, metric.labels, metric.kind) for metric in TABLE])


@given(st.lists(any_sample(), max_size=30), st.integers(0, 2**32))
def test_any_samples_are_judged_and_their_order_does_not_matter(given: list[Sample], seed: int) -> None:
    once = judge(given, NOW)
    shuffled = list({(s.name, tuple(sorted(s.labels.items()))): s for s in given}.values())
    first = judge(shuffled, NOW)
    random.Random(seed).shuffle(shuffled)
    assert sorted(w.name for w in judge(shuffled, NOW)) == sorted(w.name for w in first)
    for wrong in once:
        assert told(wrong).what("zh")


def test_every_rule_was_seen() -> None:
    said = {name for name, _, _ in CASES}
    assert said - {"disk"} <= SAYINGS.keys()
    source = Path(judged.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'Wrong\("(\w+)"', source)) <= said


ALERTS: Final = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((Path(__file__).parents[2] / "config/prometheus/rules/alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}


@pytest.mark.parametrize(
    ("alert", "threshold"),
    [
        ("FlowwatchDecisionsLag", judged.LAG_S),
        ("FlowwatchSnapshotOld", judged.SNAPSHOT_S),
        ("FlowwatchDecisionsSlow", judged.SLOW_S),
        ("FlowwatchReadingsRefused", judged.REFUSED_SHARE),
        ("FlowwatchClockAhead", judged.AHEAD_S),
        ("FlowwatchClockBehind", judged.BEHIND_S),
        ("FlowwatchCountersSilent", judged.SILENT_SHARE),
        ("FlowwatchSiteBlind", judged.BLIND_SHARE),
        ("FlowwatchNoTicks", judged.TICKLESS_S),
        ("FlowwatchInboxGrows", judged.INBOX_FILES),
        ("FlowwatchDiskFull", judged.FREE_BYTES),
        ("FlowwatchDeskLags", judged.DESK_ENTRIES),
        ("FlowwatchReadingsWait", judged.SLOW_S),
        ("FlowwatchWebhooksWait", judged.WAITING_S),
    ],
)
def test_thresholds_are_those_of_the_alert_rules(alert: str, threshold: float) -> None:
    assert float(ALERTS[alert].split()[-1]) == threshold


def test_the_bars_of_the_alarm_load_are_those_of_the_alert_rule_and_of_the_report() -> None:
    expression = ALERTS["FlowwatchAlarmLoad"]
    assert f"alarms_per_operator_hour > {PER_HOUR} or" in expression
    assert expression.endswith(f"alarms_worst_window > {FLOOD}")


JUDGED: Final = {
    "FlowwatchMetricsFailed": "part_failed",
    "FlowwatchEngineDown": "engine_down",
    "FlowwatchEngineUnknown": "engine_down",
    "FlowwatchNoTicks": "engine_down",
    "FlowwatchDecisionsLag": "lags",
    "FlowwatchDecisionsSlow": "slow",
    "FlowwatchReadingsWait": "slow",
    "FlowwatchSnapshotOld": "snapshot_old",
    "FlowwatchCountersSilent": "silent",
    "FlowwatchSiteBlind": "blind",
    "FlowwatchReadingsRefused": "refused",
    "FlowwatchClockAhead": "clock_ahead",
    "FlowwatchClockBehind": "clock_behind",
    "FlowwatchInputDown": "input_down",
    "FlowwatchCommandsUnacknowledged": "commands_open",
    "FlowwatchGatesLost": "gates_lost",
    "FlowwatchGatesDisobey": "gates_disobey",
    "FlowwatchDispatcherDown": "dispatcher_down",
    "FlowwatchBrokerDown": "broker_down",
    "FlowwatchDeskDown": "desk_down",
    "FlowwatchDeskLags": "desk_lags",
    "FlowwatchWebhooksDown": "webhooks_down",
    "FlowwatchWebhooksGivenUp": "webhooks_dead",
    "FlowwatchWebhooksWait": "webhooks_wait",
    "FlowwatchAlarmLoad": "alarms_heavy",
    "FlowwatchRedHidden": "reds_hidden",
    "FlowwatchJournalFrozen": "frozen",
    "FlowwatchDiskFull": "disk",
    "FlowwatchInboxGrows": "inbox",
    "FlowwatchCertificateEnds": "certificate_ends",
    "FlowwatchCertificateEndsNow": "certificate_ends",
}
"""What says on one look what an alert says over a time."""
BY_TIME: Final = {"FlowwatchDown", "FlowwatchNotScraped", "FlowwatchDiskFillsUp", "FlowwatchJournalGrows"}
"""Whether it is scraped at all, and what only a series of figures shows."""


def test_whatever_the_alert_rules_tell_is_judged_on_one_look_too_unless_one_look_cannot_show_it() -> None:
    assert JUDGED.keys() | BY_TIME == ALERTS.keys()
    assert set(JUDGED.values()) <= {name for name, _, _ in CASES}


def test_ticks_that_stand_are_told_apart_from_an_engine_that_lags() -> None:
    tick = one("log_tick_timestamp_seconds", NOW - judged.TICKLESS_S - 1)
    (stands,), (behind,) = judge(samples(one("engine_up", 0), tick), NOW), judge(samples(one("engine_up", 0)), NOW)
    assert (stands.values["why"], behind.values["why"]) == ("stands", "behind")


def test_sites_with_something_unanswered_are_counted_together_and_named() -> None:
    many = [one("incidents_overdue", count, site=site) for site, count in (("bund", 2), ("hall", 0), ("yuyuan", 1))]
    (found,) = judge(samples(*many), NOW)
    assert told(found).what("en") == "incidents of which a step is overdue: 3 (bund, yuyuan)"
    assert told(found).what("zh") == "处置超时的事件：3 起（bund、yuyuan）"


def test_certificates_are_told_as_early_as_by_the_alert_rule() -> None:
    assert ALERTS["FlowwatchCertificateEnds"].endswith(f"< {judged.CERTIFICATE_S / 86_400:.0f} * 86400")
