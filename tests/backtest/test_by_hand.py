"""A quarter of an hour on a small square, reckoned by hand: minutes, people in at shut gates, lead times, peaks, questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from flowwatch.backtest import LOG, Answer, Archive, Contender, Options, backtest
from flowwatch.backtest.comparison import comparison
from flowwatch.backtest.contenders import contender
from flowwatch.backtest.tally import Window
from flowwatch.host import Host, Start
from flowwatch.log import Reader
from flowwatch.log.segments import offsets, segment_file
from tests.backtest.made import MINUTE, Item, order, small_log, square, tried
from tests.core.world import T0, asked, plan, stage, term

BUSY: Final = stage("busy", [term(10, 8)], gates={"g0": "out"})
FULL: Final = stage("full", [term(20, 15)], gates={"g0": "out", "g1": "out"}, level="I")
STRICT: Final = square([stage("calm"), BUSY, FULL])
LOOSE: Final = square(
    [stage("calm"), stage("busy", [term(15, 8)], gates={"g0": "out"}), stage("full", [term(50, 40)], gates={"g0": "out"})]
)
#                      minute: in at g0, in at g1, out at g1
DAY: Final = {1: (12, 0, 0), 2: (3, 2, 0), 3: (5, 0, 0), 4: (1, 4, 0), 5: (0, 0, 10), 6: (0, 0, 10), 7: (0, 0, 0)}
# people inside:        12          17         22         27           17            7            7
# strict stage:         busy        busy       full       full         full          calm         calm
# loose stage:          calm        busy       busy       busy         busy          calm         calm


def at(minute: int) -> int:
    return T0 + minute * MINUTE


def day(record: Mapping[str, Any]) -> list[Item]:
    items: list[Item] = [("site", record), ("act", order(T0, "found-empty", "recount", zone="mall", count=0, counted_at_us=T0)), ("tick",)]
    for first, second, leave in DAY.values():
        items += [("count", "yu/c0", first, 0), ("count", "yu/c1", leave, second), ("tick",)]
    return items


def outcomes(root: Path, others: Sequence[Contender] = (), options: Options | None = None) -> list[dict[str, Any]]:
    """The outcome of the log's own documents, and of `others`."""
    archive = Archive(small_log(root, day(STRICT)))
    return backtest(archive, [contender(LOG, None, archive), *others], options or Options()).outcomes


def test_minutes_of_stages_and_gates_are_those_between_the_changes(tmp_path: Path) -> None:
    strict, loose = outcomes(tmp_path, [tried(LOOSE)])
    assert strict["stage_min"] == {"yu": {"calm": 2.0, "busy": 2.0, "full": 3.0}}
    assert strict["stages"] == {"yu": [[at(0), "calm"], [at(1), "busy"], [at(3), "full"], [at(6), "calm"]]}
    assert strict["stage_share"]["yu"]["full"] == pytest.approx(3 / 7, abs=1e-6)
    assert [strict["gates"][gate]["mode_min"] for gate in ("g0", "g1")] == [{"both": 2.0, "out": 5.0}, {"both": 4.0, "out": 3.0}]
    assert strict["shut_min"] == 8.0
    assert loose["stage_min"] == {"yu": {"calm": 3.0, "busy": 4.0}}
    assert [loose["gates"][gate]["mode_min"] for gate in ("g0", "g1")] == [{"both": 3.0, "out": 4.0}, {"both": 7.0}]


def test_people_are_counted_under_the_setting_that_stood_while_they_came(tmp_path: Path) -> None:
    strict, loose = outcomes(tmp_path, [tried(LOOSE)])
    assert [strict["gates"][gate]["came_in_while_shut"] for gate in ("g0", "g1")] == [3 + 5 + 1, 4]
    assert [strict["gates"][gate]["came_in"] for gate in ("g0", "g1")] == [12 + 3 + 5 + 1, 2 + 4]
    assert strict["came_in_while_shut"] == 13
    assert [loose["gates"][gate]["came_in_while_shut"] for gate in ("g0", "g1")] == [5 + 1, 0]
    assert sum(strict["series"]["in_while_shut"]) == 13


def test_lead_times_run_from_a_stage_in_force_to_the_next_bar_and_to_the_capacity(tmp_path: Path) -> None:
    strict, loose = outcomes(tmp_path, [tried(LOOSE)])
    told = [(lead["stage"], lead["next"], lead["risen_us"], lead["crossed_us"], lead["lead_us"]) for lead in strict["leads"]]
    assert told == [("busy", "full", at(1), at(3), 2 * MINUTE), ("full", "capacity", at(3), at(4), MINUTE)]
    told = [(lead["stage"], lead["next"], lead["risen_us"], lead["crossed_us"], lead["lead_us"]) for lead in loose["leads"]]
    assert told == [("busy", "full", None, None, None), ("full", "capacity", None, at(4), None)]
    assert [lead["first_risen_us"] for lead in loose["leads"]] == [at(2), None]


def test_a_stage_that_comes_after_the_next_bar_has_a_negative_lead_time(tmp_path: Path) -> None:
    slow = square([stage("calm"), stage("busy", [term(10, 8, hold_us=3 * MINUTE)]), stage("full", [term(20, 15, hold_us=9 * MINUTE)])])
    _, outcome = outcomes(tmp_path, [tried(slow)])
    assert [(lead["risen_us"], lead["crossed_us"], lead["lead_us"]) for lead in outcome["leads"]] == [
        (at(4), at(3), -MINUTE),
        (None, at(4), None),
    ]


def test_peaks_transitions_commands_and_alerts_are_counted_without_the_start(tmp_path: Path) -> None:
    (strict,) = outcomes(tmp_path)
    peak = strict["peaks"]["site"]
    assert (peak["inside_m"], peak["at_us"], peak["known"]) == (27_000, at(4), True)
    assert peak["lower_m"] < 27_000 < peak["upper_m"]
    assert (strict["transitions"], strict["commands"]) == (3, 1 + 1 + 2)
    assert strict["alerts"] == {"I": 1, "II": 0, "III": 1, "IV": 0}
    assert strict["readings"] == {"put": 14, "counted": 14, "refused": {}}


def test_a_window_chooses_what_is_looked_at_and_changes_nothing_in_it(tmp_path: Path) -> None:
    window = Window(at(2), at(5))
    strict, loose = outcomes(tmp_path, [tried(LOOSE)], Options(window))
    assert strict["stages"] == {"yu": [[at(2), "busy"], [at(3), "full"]]}
    assert strict["stage_min"] == {"yu": {"busy": 1.0, "full": 2.0}}
    assert strict["came_in_while_shut"] == 13
    assert (strict["transitions"], strict["came_in"]) == (1, 3 + 2 + 5 + 1 + 4)
    assert loose["stages"] == {"yu": [[at(2), "calm"], [at(2), "busy"]]}


@pytest.mark.parametrize(("answer", "risen"), [(Answer.YES, 2), (Answer.NONE, 3), (Answer.NO, None)])
def test_the_officer_agrees_at_the_next_tick_declines_or_lets_time_decide(tmp_path: Path, answer: Answer, risen: int | None) -> None:
    confirm = {"rise": asked(within=2 * MINUTE, otherwise="apply"), "fall": {"by": None, "within_us": None, "otherwise": "keep"}}
    asking = square([stage("calm"), BUSY | {"confirm": confirm}])
    _, outcome = outcomes(tmp_path, [tried(asking)], Options(answer=answer))
    assert outcome["leads"][0]["first_risen_us"] == (None if risen is None else at(risen))
    assert outcome["confirmations_asked"] == {"rise": 1, "fall": 0}


def test_time_without_ticks_is_nobodys_time(tmp_path: Path) -> None:
    items = [*day(STRICT)[:-1], ("tick", 9 * 60 * MINUTE), ("tick",), ("tick",)]
    archive = Archive(small_log(tmp_path, items))
    result = backtest(archive, [contender(LOG, None, archive)], Options())
    assert (result.archive["observed_min"], result.archive["without_ticks_min"]) == (8.0, 540.0)
    assert result.outcomes[0]["stage_min"] == {"yu": {"calm": 3.0, "busy": 2.0, "full": 3.0}}


def test_recounts_always_apply_and_other_orders_only_when_asked_for(tmp_path: Path) -> None:
    hold = order(T0, "hold", "override", gate="g1", mode="out", until_us=at(4))
    items = day(STRICT)
    archive = Archive(small_log(tmp_path, [*items[:2], ("act", hold), *items[2:]]))
    plans = [contender(LOG, None, archive)]
    (without,), (with_them,) = (backtest(archive, plans, Options(with_operators=w)).outcomes for w in (False, True))
    assert without["operators"] == {"applied": 1, "left_out": 1, "refused": 0}
    assert with_them["operators"] == {"applied": 2, "left_out": 0, "refused": 0}
    assert without["gates"]["g1"]["shut_min"] == 3.0
    assert with_them["gates"]["g1"]["shut_min"] == 6.0
    assert with_them["gates"]["g1"]["came_in_while_shut"] == 2 + 4


def test_counters_that_only_one_side_knows_are_named(tmp_path: Path) -> None:
    lacking = square([stage("calm"), BUSY], counters=[c for c in STRICT["counters"] if c["counter"] == "c0"])
    lacking["counters"].append(lacking["counters"][0] | {"counter": "c9"})
    _, outcome = outcomes(tmp_path, [tried(lacking)])
    assert outcome["counters"] == {"only_in_archive": ["yu/c1"], "only_in_site_file": ["yu/c9"]}
    assert outcome["readings"] == {"put": 14, "counted": 7, "refused": {"unknown_counter": 7}}


def test_the_comparison_sets_a_against_b_and_says_what_differs_in_both_languages(tmp_path: Path) -> None:
    archive = Archive(small_log(tmp_path, day(STRICT)))
    told = comparison(backtest(archive, [contender(LOG, None, archive), tried(LOOSE)], Options()))
    assert told["figures"]["came_in_while_shut"] == [13, 6, 7]
    assert told["figures"]["shut_min"] == [8.0, 4.0, 4.0]
    assert told["figures"]["stages.busy.min"] == [2.0, 4.0, -2.0]
    assert "At gates that were to let nobody enter, 13 people came in under A and 6 under B (+7)." in told["sentences"]["en"]
    assert '"busy" comes 1 min earlier under A: 2026-09-21 22:15:00 (A), 22:16:00 (B).' in told["sentences"]["en"]
    assert '"full" is reached at 2026-09-21 22:17:00 under A and never under B.' in told["sentences"]["en"]
    assert len(told["sentences"]["zh"]) == len(told["sentences"]["en"])


def test_a_late_stage_is_told_as_late(tmp_path: Path) -> None:
    slow = square([stage("calm"), stage("busy", [term(10, 8, hold_us=3 * MINUTE)]), FULL | {"leaves": [term(20, 15, hold_us=9 * MINUTE)]}])
    archive = Archive(small_log(tmp_path, day(STRICT)))
    told = comparison(backtest(archive, [contender(LOG, None, archive), tried(slow)], Options()))["sentences"]
    assert (
        '"busy" is in force, against the moment that what comes next is crossed, 2 min ahead under A and 1 min late under B.' in told["en"]
    )
    assert "“busy”生效比下一条线被越过：A 早 2 分钟，B 晚 1 分钟。" in told["zh"]


def test_a_plan_against_itself_decides_the_same(tmp_path: Path) -> None:
    archive = Archive(small_log(tmp_path, day(STRICT)))
    told = comparison(backtest(archive, [contender(LOG, None, archive), tried(STRICT)], Options()))
    assert all(difference == 0 for _, _, difference in told["figures"].values())
    assert told["sentences"]["en"] == ["On this archive the two plans decide the same."]


def test_a_zone_plan_beside_the_main_one_has_stages_and_minutes_of_its_own(tmp_path: Path) -> None:
    """At the second gate the zone plan asks to shut from 15 people on; the main plan would leave it open until 20."""
    beside = plan("gate-watch", [stage("open"), stage("tight", [term(15, 8)], gates={"g1": "out"})], zone="mall")
    _, outcome = outcomes(tmp_path, [tried(square([stage("calm"), BUSY, FULL], beside=[beside]))])
    assert outcome["stage_min"] == {"gate-watch": {"open": 3.0, "tight": 4.0}, "yu": {"calm": 2.0, "busy": 2.0, "full": 3.0}}
    assert outcome["gates"]["g1"]["mode_min"] == {"both": 3.0, "out": 4.0}
    assert [lead["stage"] for lead in outcome["leads"]] == ["busy", "full"]


def test_a_metered_gate_is_not_shut(tmp_path: Path) -> None:
    metered = square([stage("calm"), stage("busy", [term(10, 8)], gates={"g0": "metered 40/min both"})])
    _, outcome = outcomes(tmp_path, [tried(metered)])
    assert outcome["gates"]["g0"]["mode_min"] == {"both": 2.0, "metered": 5.0}
    assert outcome["gates"]["g0"]["setting_min"] == {"both": 2.0, "metered 40/min both": 5.0}
    assert (outcome["shut_min"], outcome["came_in_while_shut"]) == (0.0, 0)


def test_a_log_whose_beginning_was_deleted_is_tried_from_there_with_the_document_of_its_checkpoint(tmp_path: Path) -> None:
    """Each tick ends a segment; the first four are gone, so that only minutes 4 to 7 are left: nobody knows who was inside before."""
    log = small_log(tmp_path, day(STRICT), segment_bytes=1)
    with Reader(log, "p00") as reader:
        host = Host(log / "p00", Start(0, None), lambda _: None)
        while host.offset < reader.end():
            host.take(reader.read(host.offset, 1))
        host.close()
    for first in offsets(log / "p00", ".seg")[:4]:
        segment_file(log / "p00", first).unlink()
    archive = Archive(log)
    assert not archive.whole
    strict, loose = backtest(archive, [contender(LOG, None, archive), tried(LOOSE)], Options()).outcomes
    for outcome in (strict, loose):
        assert outcome["readings"]["counted"] == 8
        assert outcome["stage_min"] == {"yu": {"calm": 3.0}}
        assert not outcome["peaks"]["site"]["known"]
    assert [strict["gates"][gate]["came_in"] for gate in ("g0", "g1")] == [1, 4]
