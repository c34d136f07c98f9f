"""Whether devices are as they were asked to be: answers, refusals, other modes, lost links, people who pass all the same, releases, advise."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flowwatch.core.compliance import AGAINST_PER_MIN, ANSWER_US, GATE_WHATS
from flowwatch.core.engine import Engine
from flowwatch.core.readings import SECOND, Reason
from tests.core.world import (
    T0,
    Document,
    Row,
    act,
    bodies,
    counter,
    declare,
    delta,
    gate,
    plan,
    play,
    recount,
    refusals,
    report,
    site,
    stage,
    stored,
    term,
    tick,
    zone,
)

MINUTE = 60 * SECOND
WHATS = (*GATE_WHATS, "advise_only")
STAGES = [stage("calm"), stage("busy", [term(100, 80)], gates={"g0": "out"})]


def _place(delivery: str = "automatic", **changes: Any) -> Document:
    return site(stages=STAGES, gates=[gate("g0", delivery=delivery), gate("g1")], **changes)


def _begun(document: Document) -> Engine:
    """An engine with the gates as the calm stage has them ("both", revision 1), a second after `T0`."""
    engine = Engine("p00")
    play([declare(document), recount(T0, 0), tick(T0 + SECOND)], engine=engine)
    return engine


def _told(engine: Engine, rows: list[Row], *whats: str) -> list[tuple[int, str, str, str, str | None]]:
    """(seconds since T0, state, what, subject, reason) of the incidents that `rows` bring about."""
    found = bodies(play(rows, engine=engine).entries, "incident")
    return [((b["tick"] - T0) // SECOND, b["state"], b["what"], b["subject"], b["reason"]) for b in found if b["what"] in (whats or WHATS)]


def _seconds(first: int, last: int) -> list[Row]:
    return [tick(T0 + s * SECOND) for s in range(first, last + 1)]


def test_an_automatic_gate_that_says_nothing_is_told_after_the_time_to_answer() -> None:
    due = 1 + ANSWER_US // SECOND
    told = _told(_begun(_place()), _seconds(2, due + 5))
    assert told == [(due, "raised", "gate_unanswered", "g0", "silent")]


def test_an_answer_in_time_is_an_answer_and_a_late_one_clears() -> None:
    answer = report(T0 + 5 * SECOND, "gate/g0", setting="both", revision=2, outcome="done")
    assert _told(_begun(_place()), [*_seconds(2, 4), answer, *_seconds(5, 60)]) == []
    late = report(T0 + 40 * SECOND, "gate/g0", setting="both", revision=2, outcome="done")
    told = _told(_begun(_place()), [*_seconds(2, 39), late, *_seconds(40, 50)])
    assert [(s, state) for s, state, *_ in told] == [(31, "raised"), (40, "cleared")]


def test_a_word_of_an_older_command_answers_nothing() -> None:
    engine = _begun(_place())
    old = report(T0 + 2 * SECOND, "gate/g0", setting="both", revision=1, outcome="done")
    assert _told(engine, [old, *_seconds(2, 31)]) == [(31, "raised", "gate_unanswered", "g0", "silent")]


def test_a_gate_that_is_still_turning_is_in_no_wrong_mode() -> None:
    engine = _begun(_place())
    moving = report(T0 + 2 * SECOND, "gate/g0", setting="in", revision=0, outcome="moving")
    there = report(T0 + 20 * SECOND, "gate/g0", setting="both", revision=2)
    assert _told(engine, [moving, *_seconds(2, 19), there, *_seconds(20, 60)]) == []


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_a_refusal_is_told_at_once_with_its_reason(outcome: str) -> None:
    engine = _begun(_place())
    refusal = report(T0 + 2 * SECOND, "gate/g0", setting="in", revision=0, outcome=outcome, about=2, why="door jammed")
    entries = play([refusal, tick(T0 + 2 * SECOND)], engine=engine).entries
    [body] = bodies(entries, "incident")
    assert (body["what"], body["reason"], body["detail"]["why"]) == ("gate_unanswered", outcome, "door jammed")


def test_a_refusal_of_an_earlier_command_says_nothing_of_the_next() -> None:
    engine = _begun(_place())
    refusal = report(T0 + 2 * SECOND, "gate/g0", setting="in", revision=0, outcome="refused", about=2)
    play([refusal, tick(T0 + 2 * SECOND), recount(T0 + 3 * SECOND, 150)], engine=engine)
    told = _told(engine, _seconds(3, 32))
    assert [(s, state, reason) for s, state, _, _, reason in told] == [(3, "cleared", "refused")]
    assert _told(engine, _seconds(33, 33)) == [(33, "raised", "gate_unanswered", "g0", "silent")]


def test_a_gate_that_is_turned_by_hand_afterwards_is_in_the_wrong_mode() -> None:
    engine = _begun(_place())
    done = report(T0 + 2 * SECOND, "gate/g0", setting="both", revision=2, outcome="done")
    turned = report(T0 + 9 * SECOND, "gate/g0", setting="in", revision=2)
    back = report(T0 + 12 * SECOND, "gate/g0", setting="both", revision=2)
    told = _told(engine, [done, *_seconds(2, 8), turned, *_seconds(9, 11), back, *_seconds(12, 14)])
    assert told == [(9, "raised", "gate_wrong_mode", "g0", "in"), (12, "cleared", "gate_wrong_mode", "g0", "in")]


def test_a_lost_gate_is_told_whatever_its_delivery_and_waits_for_no_answer() -> None:
    engine = _begun(_place("advise"))
    lost = report(T0 + 2 * SECOND, "gate/g0", link="lost")
    told = _told(engine, [lost, *_seconds(2, 60), report(T0 + 61 * SECOND, "gate/g0"), *_seconds(61, 62)])
    assert [(s, state, what) for s, state, what, _, _ in told] == [(2, "raised", "gate_lost"), (61, "cleared", "gate_lost")]


def test_news_of_a_link_leave_what_the_gate_said_of_itself() -> None:
    engine = _begun(_place())
    done = report(T0 + 2 * SECOND, "gate/g0", setting="both", revision=2, outcome="done")
    rows = [done, *_seconds(2, 40), report(T0 + 41 * SECOND, "gate/g0", link="lost"), *_seconds(41, 44)]
    told = _told(engine, [*rows, report(T0 + 45 * SECOND, "gate/g0"), *_seconds(45, 90)])
    assert [(s, state, what) for s, state, what, _, _ in told] == [(41, "raised", "gate_lost"), (45, "cleared", "gate_lost")]


def test_a_gate_on_advise_owes_no_answer() -> None:
    assert _told(_begun(_place("advise")), _seconds(2, 100)) == []


def test_a_command_on_confirm_waits_for_its_release_and_then_for_its_answer() -> None:
    engine = _begun(_place("confirm"))
    assert ("yu", "release_needed", "g0") in engine.scribe.incidents.open
    told = _told(engine, [*_seconds(2, 50), act(T0 + 50 * SECOND, "r", "release", gate="g0", revision=1), *_seconds(51, 90)])
    assert told == [
        (51, "cleared", "release_needed", "g0", "both"),
        (81, "raised", "gate_unanswered", "g0", "silent"),
    ]


def test_a_release_of_another_command_than_the_present_is_refused() -> None:
    engine = _begun(_place("confirm"))
    play([recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND)], engine=engine)
    rows = [
        act(T0 + 3 * SECOND, "r1", "release", gate="g0", revision=1),
        act(T0 + 3 * SECOND, "r2", "release", device="gate/g0", revision=2),
    ]
    said = bodies(play([*rows, tick(T0 + 3 * SECOND)], engine=engine).entries, "action")
    assert [(b["accepted"], b["refused"]) for b in said] == [(False, 'the command to gate "g0" is number 2, not 1'), (True, None)]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"gate": "g1", "revision": 1}, 'commands to gate "g1" wait for nobody: its delivery is "advise"'),
        ({"gate": "g9", "revision": 1}, 'no gate "g9"'),
        ({"device": "barrier/b", "revision": 1}, 'no barrier "b"'),
    ],
)
def test_a_release_of_what_waits_for_nobody_is_refused(fields: dict[str, Any], sentence: str) -> None:
    entries = play([act(T0 + 2 * SECOND, "r", "release", **fields), tick(T0 + 2 * SECOND)], engine=_begun(_place("confirm"))).entries
    assert [b["refused"] for b in bodies(entries, "action")] == [sentence]


def test_one_record_puts_the_site_back_on_advise_and_one_ends_that() -> None:
    engine = _begun(_place())
    on = act(T0 + 2 * SECOND, "a", "deliver", to="advise")
    off = act(T0 + 60 * SECOND, "b", "deliver", to="plan")
    told = _told(engine, [on, *_seconds(2, 59), off, *_seconds(60, 95)])
    assert [(s, state, what) for s, state, what, _, _ in told] == [
        (2, "raised", "advise_only"),
        (60, "cleared", "advise_only"),
        (90, "raised", "gate_unanswered"),
    ]


def test_after_a_fire_has_begun_and_ended_every_gate_is_told_anew() -> None:
    engine = _begun(_place())
    rows = [act(T0 + 2 * SECOND, "f1", "fire", state="on"), act(T0 + 2 * SECOND, "f2", "fire", state="off"), tick(T0 + 3 * SECOND)]
    commands = bodies(play(rows, engine=engine).entries, "command")
    assert [(b["gate"], b["setting"], b["revision"]) for b in commands] == [("g0", "both", 2), ("g1", "both", 2)]


# -- people against the mode ------------------------------------------------------------------------------------------------------------


def _barred(minutes: int, per_min: int, *, every: int = SECOND, swapped: bool = False, way: str = "ingress") -> list[Any]:
    """Gate g0 leads out, and says so, and `per_min` people a minute pass it the wrong way."""
    document = _place(counters=[counter("c0", every_us=every, swapped=swapped)])
    engine = _begun(document)
    rows: list[Row] = [recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND)]
    rows += [report(T0 + 3 * SECOND, "gate/g0", setting="out", revision=4, outcome="done")]
    for s in range(3, minutes * 60):
        if s % 60 == 30:
            rows.append(delta(T0 + s * SECOND, **{way: per_min}))
        rows.append(tick(T0 + s * SECOND))
    return _told(engine, rows, "gate_contradicted")


def test_people_who_still_pass_a_closed_way_are_told_after_two_whole_minutes() -> None:
    assert _barred(6, 18) == [(240, "raised", "gate_contradicted", "g0", "in")]


def test_a_few_stragglers_contradict_nothing() -> None:
    assert _barred(8, AGAINST_PER_MIN - 1) == []


def test_people_who_leave_by_a_gate_that_leads_out_contradict_nothing() -> None:
    assert _barred(8, 40, way="egress") == []


def test_a_swapped_counter_is_read_the_way_it_hangs() -> None:
    assert _barred(6, 18, swapped=True) == []
    assert _barred(6, 18, swapped=True, way="egress") == [(240, "raised", "gate_contradicted", "g0", "in")]


def test_a_counter_that_knows_no_minute_contradicts_nothing() -> None:
    assert _barred(8, 100, every=15 * MINUTE) == []


def test_the_contradiction_ends_with_a_minute_in_which_hardly_anybody_passes() -> None:
    engine = _begun(_place())
    rows: list[Row] = [recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND), report(T0 + 3 * SECOND, "gate/g0", setting="out", revision=4)]
    for minute in range(7):
        rows += [tick(T0 + (60 * minute + 20) * SECOND), delta(T0 + (60 * minute + 30) * SECOND, 18 if minute < 4 else 1)]
        rows += [tick(T0 + (60 * minute + 40) * SECOND), tick(T0 + 60 * (minute + 1) * SECOND)]
    assert [(s, state) for s, state, *_ in _told(engine, sorted(rows, key=lambda r: r.at), "gate_contradicted")] == [
        (240, "raised"),
        (300, "cleared"),
    ]


# -- reports as they come ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (report(T0 + 2 * SECOND, "gate/g9"), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "g0"), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "gate/g0", "elsewhere"), Reason.UNKNOWN_SITE),
        (report(T0 + 2 * SECOND, "gate/g0", setting="sideways"), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "gate/g0", revision=-1), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "gate/g0", revision=True), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "gate/g0", link="maybe"), Reason.BAD_REPORT),
        (report(T0 + 2 * SECOND, "gate/g0", outcome="perhaps"), Reason.BAD_REPORT),
        (Row(report(T0, "gate/g0").kind, T0 + 2 * SECOND, payload=b"[" * 5000), Reason.BAD_REPORT),
        (Row(report(T0, "gate/g0").kind, T0 + 2 * SECOND, payload=None), Reason.BAD_REPORT),
    ],
)
def test_what_is_no_report_is_refused_and_counted(row: Row, reason: Reason) -> None:
    engine = _begun(_place())
    play([row, tick(T0 + 2 * SECOND)], engine=engine, first=3)
    assert refusals(engine) == [(3, reason)]


def test_a_restart_between_any_two_rows_changes_nothing() -> None:
    rng = random.Random(20261127)
    document = _place("confirm")
    rows: list[Row] = [declare(document), recount(T0, 0), tick(T0 + SECOND)]
    for s in range(2, 400):
        at = T0 + s * SECOND
        if rng.random() < 0.1:
            rows.append(recount(at, rng.choice([0, 150]), name=f"n{s}"))
        if rng.random() < 0.1:
            rows.append(act(at, f"r{s}", "release", gate="g0", revision=rng.randint(1, 6)))
        if rng.random() < 0.1:
            told: dict[str, Any] = {
                "setting": rng.choice(["in", "out", "both"]),
                "revision": rng.randint(0, 12),
                "link": rng.choice(["up", "up", "lost"]),
            }
            rows.append(report(at, "gate/g0", outcome=rng.choice([None, "done", "refused"]), **told))
        if rng.random() < 0.02:
            rows.append(act(at, f"d{s}", "deliver", to=rng.choice(["advise", "plan"])))
        if rng.random() < 0.3:
            rows.append(delta(at, rng.randint(0, 3), rng.randint(0, 3)))
        rows.append(tick(at))
    whole = play(rows).entries
    engine, pieces = Engine("p00"), []
    start = 0
    for stop in [i + 1 for i, row in enumerate(rows) if row.kind.name == "TICK"]:
        pieces += play(rows[start:stop], engine=engine, first=start).entries
        engine, start = stored(engine), stop
    assert [e.hash for e in pieces] == [e.hash for e in whole]
    assert {b["what"] for b in bodies(whole, "incident")} >= {"gate_lost", "release_needed", "advise_only"}


def test_a_gate_that_leaves_the_documents_takes_its_incidents_along() -> None:
    engine = _begun(_place())
    play(_seconds(2, 40), engine=engine)
    without = site(stages=[stage("calm")], gates=[gate("g1")], counters=[counter("c0", gate="g1")])
    told = _told(engine, [declare(without, T0 + 41 * SECOND), *_seconds(41, 42)], "gate_unanswered")
    assert [(s, state) for s, state, *_ in told] == [(41, "cleared")]


def test_a_barrier_is_held_to_its_command_like_a_gate() -> None:
    barriers = [{"barrier": "b", "title": {"zh": "b", "en": "b"}}]
    raised = stage("busy", [term(100, 80)], barriers={"b": "raise"})
    document = site(stages=[stage("calm"), raised], barriers=barriers, delivery="automatic")
    engine = _begun(document)
    told = _told(engine, [recount(T0 + 2 * SECOND, 150), *_seconds(2, 32)], "gate_unanswered")
    assert told == [(32, "raised", "gate_unanswered", "barrier/b", "silent")]


def test_a_site_without_plan_has_nothing_to_comply_with() -> None:
    engine = _begun(site(gates=[gate("g0", delivery="automatic"), gate("g1")]))
    assert _told(engine, [report(T0 + 2 * SECOND, "gate/g0", setting="in"), *_seconds(2, 60)]) == []


def test_a_zone_plan_beside_changes_nothing_of_it() -> None:
    beside = plan("mall-plan", [stage("quiet"), stage("full", [term(50, 40)], gates={"g0": "out"})], zone="mall")
    engine = _begun(_place(beside=[beside]))
    told = _told(engine, [recount(T0 + 2 * SECOND, 60), *_seconds(2, 32)], "gate_unanswered")
    assert told == [(32, "raised", "gate_unanswered", "g0", "silent")]


# -- gates that people turn ---------------------------------------------------------------------------------------------------------------


def test_a_gate_that_people_set_is_watched_from_then_on() -> None:
    engine = _begun(_place("advise"))
    rows: list[Row] = [recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND)]
    people = [row for s in range(3, 600) for row in ([delta(T0 + s * SECOND, 18)] if s % 60 == 30 else []) + [tick(T0 + s * SECOND)]]
    assert _told(stored(engine), [*rows, *people], "gate_contradicted") == []
    said = act(T0 + 3 * SECOND, "t", "turned", gate="g0", mode="out")
    assert _told(engine, [*rows, said, *people], "gate_contradicted") == [(240, "raised", "gate_contradicted", "g0", "in")]


def test_what_people_say_of_a_gate_on_the_spot_is_taken_as_it_is() -> None:
    engine = _begun(_place("advise"))
    rows = [act(T0 + 2 * SECOND, "t1", "turned", gate="g0", mode="in"), act(T0 + 2 * SECOND, "t2", "turned", gate="g9", mode="in")]
    said = bodies(play([*rows, tick(T0 + 2 * SECOND)], engine=engine).entries, "action")
    assert [b["refused"] for b in said] == [None, 'no gate "g9"']
    assert engine.standings["yu"].reported["gate/g0"].setting == "in"


def test_what_people_say_of_a_gate_brings_its_connection_back_to_nobody() -> None:
    engine = _begun(_place())
    lost = report(T0 + 2 * SECOND, "gate/g0", link="lost")
    said = act(T0 + 3 * SECOND, "t", "turned", gate="g0", mode="both")
    assert _told(engine, [lost, *_seconds(2, 2), said, *_seconds(3, 5)], "gate_lost") == [(2, "raised", "gate_lost", "g0", "lost")]


def test_silence_ends_no_warning_of_people_against_the_mode() -> None:
    engine = _begun(_place())
    rows: list[Row] = [recount(T0 + 2 * SECOND, 150), tick(T0 + 2 * SECOND), report(T0 + 3 * SECOND, "gate/g0", setting="out", revision=4)]
    for s in range(3, 900):
        if s % 60 == 30 and s < 300:
            rows.append(delta(T0 + s * SECOND, 18))
        elif s % 10 == 5 and s >= 600:
            rows.append(delta(T0 + s * SECOND, 0))
        rows.append(tick(T0 + s * SECOND))
    told = _told(engine, rows, "gate_contradicted")
    assert [(s, state) for s, state, *_ in told] == [(240, "raised"), (660, "cleared")]


def test_what_left_the_documents_owes_no_answer() -> None:
    barriers = [{"barrier": "b", "title": {"zh": "b", "en": "b"}}]
    raised = stage("busy", [term(100, 80)], barriers={"b": "raise"})
    engine = _begun(site(stages=[stage("calm"), raised], barriers=barriers, delivery="automatic"))
    play([recount(T0 + 2 * SECOND, 150), *_seconds(2, 5)], engine=engine)
    without = site(stages=[stage("calm"), stage("busy", [term(100, 80)])], delivery="automatic")
    assert _told(engine, [declare(without, T0 + 6 * SECOND), *_seconds(6, 90)], "gate_unanswered") == []


def test_after_a_fire_links_are_told_anew_like_gates() -> None:
    links = [{"link": "l", "title": {"zh": "l", "en": "l"}, "from": "mall", "to": "hall", "width_m": 3.0}]
    led = stage("busy", [term(100, 80)], links={"l": "one_way_back"})
    document = site(stages=[stage("calm"), led], links=links, zones=[zone(), zone("hall")], delivery="automatic")
    engine = _begun(document)
    play([recount(T0 + 2 * SECOND, 150), *_seconds(2, 3), recount(T0 + 4 * SECOND, 0), *_seconds(4, 5)], engine=engine)
    assert engine.standings["yu"].devices["link/l"] == (None, 2)
    fire = [
        act(T0 + 6 * SECOND, "f1", "fire", state="on"),
        *_seconds(6, 7),
        act(T0 + 8 * SECOND, "f2", "fire", state="off"),
        *_seconds(8, 9),
    ]
    told = bodies(play(fire, engine=engine).entries, "device")
    assert [(b["name"], b["state"], b["revision"]) for b in told] == [("l", None, 3), ("l", None, 4)]
