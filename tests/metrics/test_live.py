"""A real Prometheus beside a running installation: what it holds is what the journal and the book say, and every panel has something to show."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import pytest

from flowwatch.core.entries import EntryKind
from flowwatch.grafana.dashboards import expressions
from flowwatch.handling.ward import Ward
from flowwatch.journal import Journal
from flowwatch.metrics.names import NONE
from flowwatch.words import Language
from tests.metrics.evening import SILENT, Evening, evening

pytestmark = pytest.mark.slow
MOMENTS: Final = 10
BEFORE_S, AFTER_S = 5.0, 0.5
"""Around a moment nothing may have changed: a body is a second old at most, a scrape is a second from the next, and a tick half a second;
beside other work each may come a second later."""
LATE_S, MOST_LATE = 20.0, MOMENTS // 2
"""Where all of this machine stood still for a while, so much later; but not at most moments."""
SETTLED_S: Final = 15
"""From when on Prometheus has scraped some times, and with it everything that stood before."""
VALUES: Final = {"job": ".+", "instance": ".+", "site": "quay-.*", "area": ".+", "zone": "site", "gate": ".+", "__rate_interval": "10s"}
Labels = tuple[tuple[str, str], ...]
State = Mapping[Labels, float]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    with evening(tmp_path_factory.mktemp("evening")) as made:
        yield made


class Course:
    """A state that changes at known moments, seconds since the epoch."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._states: list[State] = []

    def add(self, at: float, state: State) -> None:
        self._times.append(at)
        self._states.append(dict(state))

    def at(self, moment: float) -> State:
        place = bisect_right(self._times, moment)
        return self._states[place - 1] if place else {}

    def still(self, moment: float) -> bool:
        return self.at(moment - BEFORE_S) == self.at(moment + AFTER_S)

    def lately(self, moment: float) -> list[State]:
        """What stood within `LATE_S` before a moment, or stands then."""
        return [self.at(moment - LATE_S), *self._states[bisect_right(self._times, moment - LATE_S) : bisect_right(self._times, moment)]]

    def __len__(self) -> int:
        return len(self._times)


def key(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def folded(lived: Evening, kind: EntryKind, take: Callable[[dict[Labels, float], dict[str, Any]], None]) -> Course:
    """The course of what entries of a kind say."""
    course, state = Course(), dict[Labels, float]()
    for entry in sorted(lived.decided(kind), key=lambda entry: (entry.at, entry.chain, entry.seq)):
        take(state, msgspec.json.decode(entry.body))
        course.add(entry.at / 1e6, state)
    return course


def stages(state: dict[Labels, float], body: dict[str, Any]) -> None:
    state[key(site=body["site"], plan=body["plan"])] = ["calm", "swapped", "empty"].index(body["to"])


def revisions(state: dict[Labels, float], body: dict[str, Any]) -> None:
    state[key(site=body["site"], gate=body["gate"])] = body["revision"]


def raised(state: dict[Labels, float], body: dict[str, Any]) -> None:
    if body["state"] == "raised":
        name = key(site=body["site"], what=body["what"])
        state[name] = state.get(name, 0) + 1


def people(lived: Evening) -> Course:
    course, state = Course(), dict[Labels, float]()
    with Journal.open(lived.workspace.journal, create=False) as journal:
        for estimate in journal.estimates():
            for zone, found in msgspec.json.decode(estimate.body)["zones"].items():
                for bound, name in (("lower", "lower_m"), ("estimate", "inside_m"), ("upper", "upper_m")):
                    if found["known"] or bound == "lower":
                        state[key(site=estimate.site, zone=zone, bound=bound)] = found[name] / 1000
            course.add(estimate.at / 1e6, state)
    return course


def active(lived: Evening) -> Course:
    """Open incidents by priority and handling, as the book tells them."""
    course, wards = Course(), dict[str, Ward]()
    entries = [entry for chain in lived.handled().values() for entry in chain]
    for entry in sorted(entries, key=lambda entry: (entry.at, entry.chain, entry.seq)):
        wards.setdefault(entry.chain, Ward(site=entry.chain)).take(entry)
        count: Counter[Labels] = Counter()
        for ward in wards.values():
            count.update(
                key(site=ward.site, priority=i.urgency or NONE, handling=i.handling.value) for i in ward.incidents.values() if i.open
            )
        course.add(entry.at / 1e6, count)
    return course


COURSES: Final[dict[str, Callable[[Evening], Course]]] = {
    "flowwatch_zone_occupancy_people": people,
    "flowwatch_plan_stage": lambda lived: folded(lived, EntryKind.TRANSITION, stages),
    "flowwatch_gate_command_revision": lambda lived: folded(lived, EntryKind.COMMAND, revisions),
    "flowwatch_incidents_total": lambda lived: folded(lived, EntryKind.INCIDENT, raised),
    "flowwatch_incidents_active": active,
}


def held(lived: Evening, name: str, at: float) -> State:
    """What Prometheus holds of a metric at a moment, without zeros of what has not happened yet."""
    found = {
        tuple(sorted((k, v) for k, v in one["metric"].items() if k not in ("__name__", "job", "instance"))): float(one["value"][1])
        for one in lived.ask(name, at)
    }
    return {labels: value for labels, value in found.items() if value or name != "flowwatch_incidents_total"}


def less(state: State, before: State) -> State:
    """A state without what was there before the service counted; without zeros, where there was anything."""
    return {labels: value - before.get(labels, 0) for labels, value in state.items() if value != before.get(labels, 0) or not before}


def uncounted(lived: Evening, name: str, course: Course) -> State:
    """What was raised before the service began to count: the engine may be sooner than it by some ticks. It is what is missing at every moment."""
    if name != "flowwatch_incidents_total":
        return {}
    moments = [lived.began + n for n in range(SETTLED_S, int(lived.ended - lived.began), 10)]
    seen = [(course.at(moment), held(lived, name, moment)) for moment in moments if course.still(moment)]
    missing = {
        labels: min(stood[labels] - counted.get(labels, 0) for stood, counted in seen if labels in stood)
        for labels in {labels for stood, _ in seen for labels in stood}
    }
    return {labels: value for labels, value in missing.items() if value > 0}


@pytest.mark.parametrize("name", COURSES)
def test_at_random_moments_prometheus_holds_what_the_records_say(lived: Evening, name: str) -> None:
    course, seed = COURSES[name](lived), random.randrange(2**32)
    print("seed", seed)
    dice, compared, late = random.Random(seed), 0, 0
    assert len(course) > 3
    before = uncounted(lived, name, course)
    for _ in range(10_000):
        moment = dice.uniform(lived.began + SETTLED_S, lived.ended - 1)
        if course.still(moment):
            found = held(lived, name, moment)
            late += found != less(course.at(moment), before)
            assert found in [less(state, before) for state in course.lately(moment)], moment - lived.began
            compared += 1
        if compared == MOMENTS:
            assert late <= MOST_LATE
            return
    pytest.fail(f"only {compared} moments at which nothing changed")


def test_the_evening_was_as_it_was_meant(lived: Evening) -> None:
    assert lived.faults == []
    reached = {(body["site"], body["to"]) for e in lived.decided(EntryKind.TRANSITION) if (body := msgspec.json.decode(e.body))}
    assert {("quay-0", "swapped"), ("quay-0", "empty")} <= reached
    what = {(body["what"], body["subject"]) for e in lived.decided(EntryKind.INCIDENT) if (body := msgspec.json.decode(e.body))}
    assert ("counter_silent", SILENT.partition("/")[2]) in what
    assert "gate_lost" in {kind for kind, _ in what}


def test_a_lost_counter_and_lost_gates_are_seen(lived: Evening) -> None:
    site, _, counter = SILENT.partition("/")
    (silent,) = lived.ask(f'flowwatch_counter_silent{{site="{site}",counter="{counter}"}}', lived.ended)
    assert silent["value"][1] == "1"
    up = {one["metric"]["gate"]: one["value"][1] for one in lived.ask('flowwatch_gate_up{site="quay-0"}', lived.ended)}
    assert len(up) == 8
    assert set(up.values()) == {"0"}
    assert {one["value"][1] for one in lived.ask('flowwatch_gate_up{site="quay-1"}', lived.ended)} == {"1"}


def test_no_scrape_failed_and_no_part_of_it(lived: Evening) -> None:
    """One that took all its time met a machine that stood still; a service that answers with a fault is quick."""
    lasted = f"{round(lived.ended - lived.began - 5)}s"
    assert lived.ask(f"count_over_time((up == 0 and on (instance) scrape_duration_seconds < 0.9)[{lasted}:1s])", lived.ended) == []
    (up,) = lived.ask(f"avg_over_time(up[{lasted}])", lived.ended)
    assert float(up["value"][1]) > 0.8
    assert lived.ask_all("flowwatch_metrics_failed == 1") == []


def test_people_through_gates_are_those_that_were_sent(lived: Evening) -> None:
    (came,) = lived.ask('sum(flowwatch_gate_flow_people_total{site="quay-0",direction="in"})', lived.ended)
    (left,) = lived.ask('sum(flowwatch_gate_flow_people_total{site="quay-0",direction="out"})', lived.ended)
    assert float(came["value"][1]) - float(left["value"][1]) == 1800


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_expression_of_every_panel_has_something_to_show(lived: Evening, lang: Language) -> None:
    nothing = [(one.dashboard, one.panel, one.ref) for one in expressions(lang, VALUES) if not lived.ask_all(one.expr)]
    assert nothing == []
