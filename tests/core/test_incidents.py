"""What a command room is told: episodes raised once and cleared once, and for every decision what led to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.incidents import Incidents, Telling, What
from flowwatch.core.readings import SECOND
from tests.core.audit import check_journal
from tests.core.world import T0, TEXTS, act, bodies, counter, declare, delta, gate, play, recount, site, stage, term, tick, total

PLAN = [
    stage("calm"),
    stage("busy", [term(100, 80, hold_us=3 * SECOND)], SECOND, gates={"g0": "out"}),
    stage("full", [term(200, 150)], SECOND, level="I", gates={"g0": "out", "g1": "out"}),
]
asked = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([What.STAGE, What.COUNTER_SILENT]), st.sampled_from(["x", "y"]))


@given(st.lists(st.tuples(asked, st.sampled_from([None, "III", "I"]), st.booleans())))
def test_an_incident_is_raised_once_updated_on_change_and_cleared_once(calls: list[tuple[tuple[str, What, str], str | None, bool]]) -> None:
    incidents, open_now, raised = Incidents(), dict[tuple[str, What, str], str | None](), {"a": 0, "b": 0}
    for i, (key, level, ends) in enumerate(calls):
        if ends:
            assert (incidents.clear(key) is not None) == (key in open_now)
            open_now.pop(key, None)
            continue
        put = incidents.put(key, i, Telling(level))
        if key not in open_now:
            raised[key[0]] += 1
            assert put == "raised"
            assert (incidents.open[key].name, incidents.open[key].since) == (f"{key[0]}-i{raised[key[0]]}", i)
        else:
            assert (put is None) == (open_now[key] == level)
            assert put in (None, "updated")
        open_now[key] = level
        incidents = Incidents.from_state(incidents.to_state())
    assert {key: o.telling.level for key, o in incidents.open.items()} == open_now


def test_a_rise_tells_the_condition_the_figure_the_readings_and_commands_of_its_own() -> None:
    rows = [declare(site(stages=PLAN)), recount(T0, 90), tick(T0)]
    for i in range(1, 8):
        rows += [delta(T0 + i * SECOND, 5), tick(T0 + i * SECOND)]
    out = play(rows)
    rise = bodies(out.entries, "transition")[1]
    assert (rise["from"], rise["to"], rise["planned"], rise["reason"], rise["tick"]) == ("calm", "busy", "busy", "rise", T0 + 6 * SECOND)
    cause = rise["cause"]
    leaf = cause["term"].pop("leaf")
    assert (leaf["kind"], leaf["zone"], leaf["enter_m"]) == ("people", "mall", 100_000)
    assert cause["term"] == {"zone": "mall", "measure": "occupancy", "value_m": 120_000, "bar_m": 100_000, "edge": "enter", "held_s": 3}
    assert cause["estimate"]["inside_m"] == 120_000
    assert cause["estimate"]["lower_m"] < 120_000 < cause["estimate"]["upper_m"]
    assert cause["readings"] == [{"counter": "yu/c0", "at_us": T0 + 6 * SECOND, "offset": 13}]
    name = next(e.id for e in out.entries if e.kind == "transition" and e.at > T0)
    assert [(b["gate"], b["mode"], b["of"], b["reason"]) for b in bodies(out.entries, "command")[2:]] == [("g0", "out", name, "stage")]


def test_a_fall_tells_the_clear_bar() -> None:
    rows = [declare(site(stages=PLAN)), recount(T0, 300), tick(T0), recount(T0 + 5 * SECOND, 120), tick(T0 + 5 * SECOND)]
    fall = bodies(play(rows).entries, "transition")[1]
    assert fall["reason"] == "fall"
    assert fall["cause"]["term"].pop("leaf")["clear"] == "150"
    assert fall["cause"]["term"] == {
        "zone": "mall",
        "measure": "occupancy",
        "value_m": 120_000,
        "bar_m": 150_000,
        "edge": "clear",
        "held_s": 0,
    }


def test_the_stage_incident_carries_the_plans_words_and_level_through_its_life() -> None:
    rows = [declare(site(stages=PLAN)), recount(T0, 150), tick(T0), tick(T0 + 3 * SECOND)]
    for i, people in ((10, 300), (20, 120), (30, 10)):
        rows += [recount(T0 + i * SECOND, people), tick(T0 + i * SECOND)]
    told = [b for b in bodies(play(rows).entries, "incident") if b["what"] == "stage"]
    assert [(b["state"], b["subject"], b["level"], b["since_us"] - T0) for b in told] == [
        ("raised", "busy", "III", 3 * SECOND),
        ("updated", "full", "I", 3 * SECOND),
        ("updated", "busy", "III", 3 * SECOND),
        ("cleared", "busy", "III", 3 * SECOND),
    ]
    assert {b["incident"] for b in told} == {"yu-i1"}
    assert all(b["headline"] == TEXTS["headline"] and b["instruction"] == TEXTS["instruction"] for b in told)


def test_a_cause_names_a_reading_by_its_own_time_and_place_in_the_log() -> None:
    """The newest heard is named; a late one that came after it is another row."""
    rows = [
        declare(site(stages=PLAN)),
        recount(T0, 150),
        tick(T0),
        delta(T0 + 3 * SECOND, 90),
        tick(T0 + 3 * SECOND),
        delta(T0 + SECOND, 1),
    ]
    rows.append(tick(T0 + 4 * SECOND))
    rows += [recount(T0 + 6 * SECOND, 10), tick(T0 + 6 * SECOND)]
    for body in bodies(play(rows).entries, "transition"):
        for reading in body["cause"]["readings"]:
            assert rows[reading["offset"]].at == reading["at_us"]


def test_a_cause_names_eight_readings_at_most_the_newest_first() -> None:
    counters = [counter(f"c{i}") for i in range(12)]
    rows = [declare(site(stages=PLAN, counters=counters)), recount(T0, 0), tick(T0)]
    rows += [delta(T0 + SECOND * (1 + i % 5), 30, 0, i) for i in range(12)]
    readings = bodies(play([*rows, tick(T0 + 6 * SECOND)]).entries, "transition")[-1]["cause"]["readings"]
    assert len(readings) == 8
    times = [r["at_us"] for r in readings]
    assert times == sorted(times, reverse=True)
    assert all(rows[r["offset"]].at == r["at_us"] for r in readings)


def test_a_refused_total_is_no_reading_of_a_cause() -> None:
    document = site(stages=PLAN, counters=[counter("c0", "cumulative", gate="g0", zone=None, max_per_min=600)])
    rows = [
        declare(document),
        recount(T0, 300),
        total(T0, 50, 50),
        tick(T0),
        total(T0 + SECOND, 49, 50),
        recount(T0 + 2 * SECOND, 10),
        tick(T0 + 2 * SECOND),
    ]
    readings = bodies(play(rows).entries, "transition")[-1]["cause"]["readings"]
    assert readings == [{"counter": "yu/c0", "at_us": T0, "offset": 2}]


def test_a_recount_is_asked_for_when_only_stale_evidence_keeps_a_stage_up_and_no_longer_when_it_came() -> None:
    document = site(stages=PLAN, counters=[counter("c0"), counter("c1", gate="g1")])
    rows = [declare(document), recount(T0, 150), delta(T0, 0, 0, 1), tick(T0)]
    for i in range(1, 100):
        rows += [delta(T0 + i * SECOND, 0, 1), tick(T0 + i * SECOND)]
    rows += [recount(T0 + 100 * SECOND, 50), tick(T0 + 100 * SECOND), tick(T0 + 101 * SECOND)]
    out = play(rows)
    told = [(b["tick"] - T0, b["what"], b["subject"], b["state"]) for b in bodies(out.entries, "incident")]
    assert told == [
        (3 * SECOND, "stage", "busy", "raised"),
        (61 * SECOND, "counter_silent", "c1", "raised"),
        (71 * SECOND, "recount_needed", "mall", "raised"),
        (100 * SECOND, "stage", "busy", "cleared"),
        (100 * SECOND, "recount_needed", "mall", "cleared"),
    ]
    check_journal(rows, out)


def test_somebody_confirms_an_open_incident_once_it_is_told_as_an_update() -> None:
    rows = [
        declare(site(stages=PLAN)),
        recount(T0, 300),
        tick(T0),
        act(T0, "seen", "confirm", incident="yu-i1"),
        act(T0, "late", "confirm", incident="yu-i9"),
    ]
    out = play([*rows, tick(T0 + SECOND)])
    assert [(b["action"], b["accepted"], b["refused"]) for b in bodies(out.entries, "action")[1:]] == [
        ("seen", True, None),
        ("late", False, 'no open incident "yu-i9"'),
    ]
    update = bodies(out.entries, "incident")[-1]
    assert (update["incident"], update["state"], update["reason"]) == ("yu-i1", "updated", "confirmed")


def test_a_counter_that_leaves_the_site_while_silent_is_no_longer_an_incident() -> None:
    two = site(counters=[counter("c0"), counter("c1", gate="g1")], gates=[gate("g0"), gate("g1")])
    rows = [declare(two), delta(T0), tick(T0)]
    rows += [row for i in range(1, 70) for row in (delta(T0 + i * SECOND), tick(T0 + i * SECOND))]
    out = play([*rows, declare(site()), tick(T0 + 70 * SECOND)])
    silent = [(b["subject"], b["state"]) for b in bodies(out.entries, "incident") if b["what"] == "counter_silent"]
    assert silent == [("c1", "raised"), ("c1", "cleared")]
