from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowwatch import checkpoints, log, texts
from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.gates import Mode, violations
from flowwatch.core.incidents import What
from flowwatch.core.readings import Reason
from flowwatch.core.state import pack
from flowwatch.counting import feeds
from flowwatch.evidence import Evidence
from flowwatch.explain import explain, explanation
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.texts import Clock, Language, Names
from tests.journal.story import PARTITION, SECOND, START, afternoon, site

LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    journal, folder = afternoon(tmp_path_factory.mktemp("story"))
    with journal:
        yield journal, folder


def entry(journal: Journal, kind: EntryKind, **said: Any) -> Entry:
    """The first entry of that kind whose body says that."""
    return next(e for e in journal.entries(kind=kind) if said.items() <= json.loads(e.body).items())


def even(text: str) -> str:
    """Without the numbers that other entries before it may shift."""
    text = re.sub(r"yuyuan-\d+", "yuyuan-N", text)
    return re.sub(r"[0-9a-f]{12}", "VERSION", re.sub(r"\[p00:\d+\]", "[p00:N]", text))


GATE_1_IN_CHINESE = """\
2026-10-01 14:01:16　1 号口（gate-1）改为“只出”：不可以进，可以出（记录 yuyuan-N，该口第 2 号指令）。阶段“三进五出”要求如此。
原因：14:01:16 豫园商城在场约 1,521 人（区间 1,472–1,570），超过 1,500 人的启动阈值并已持续 3 秒，因此管控阶段由“正常”升为“三进五出”（记录 yuyuan-N）。
人数如何得来：由 2 个计数器的进出人数相减得出；14:01:01 的分钟记录：进 0 人、出 0 人，单按计数为 1,490 人；最近一次人工清点：14:00:00 为 1,490 人（记录 yuyuan-N）。
最后计入的读数：
  14:01:12  1 号闸机（turnstile-1）  进 30 人、出 3 人  [p00:N]
  14:01:12  2 号闸机（turnstile-2）  累计进 10,005 人、出 9,001 人  [p00:N]
当时生效的方案版本：VERSION（2026-10-01 14:00:01 起）。以上为 Asia/Shanghai 时间。"""  # noqa: E501

GATE_1_IN_ENGLISH = """\
2026-10-01 14:01:16  Gate 1 (gate-1) was set to out only: nobody may enter, people may leave (entry yuyuan-N, revision 2). \
Stage "three in, five out" asks for it.
Why: 14:01:16 about 1,521 people were in Yuyuan mall (between 1,472 and 1,570), over the enter bar of 1,500 for 3 s, \
so the stage rose from "normal" to "three in, five out" (entry yuyuan-N).
How it was counted: in minus out at 2 counters; the minute to 14:01:01: 0 in, 0 out, 1,490 by counting alone; \
last counted by hand at 14:00:00: 1,490 (entry yuyuan-N).
The last readings counted:
  14:01:12  Turnstile 1 (turnstile-1)  30 in, 3 out  [p00:N]
  14:01:12  Turnstile 2 (turnstile-2)  10,005 in and 9,001 out in all  [p00:N]
Documents in force: version VERSION, since 2026-10-01 14:00:01. Times are Asia/Shanghai."""


@pytest.mark.parametrize(("lang", "expected"), [("zh", GATE_1_IN_CHINESE), ("en", GATE_1_IN_ENGLISH)])
def test_a_gate_command_is_told_back_to_its_readings(story: tuple[Journal, Path], lang: Language, expected: str) -> None:
    journal, folder = story
    command = entry(journal, EntryKind.COMMAND, gate="gate-1", stage="three_in_five_out")
    assert even(explain(journal, folder, command.id, lang)) == expected


def test_every_entry_has_a_note_in_words_in_both_languages(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    codes = {"three_in_five_out", "exit_only", "occupancy_unknown", "counter_silent", "raised", "None", "override_ended"}
    kinds = set()
    for found in journal.entries():
        kinds.add(found.kind)
        for lang in LANGUAGES:
            note = explain(journal, folder, found.id, lang)
            assert found.id in note
            told = set(re.findall(r"\w+", note))
            assert not told & (codes if lang == "zh" else codes - {"raised"}), note
    assert kinds == set(EntryKind)


def test_an_incident_is_told_from_its_raising_to_its_end(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    raised = json.loads(entry(journal, EntryKind.INCIDENT, what="stage", state="raised").body)
    note = explain(journal, folder, raised["incident"], "zh")
    assert "Ⅲ级（黄色）预警：豫园商城启动“三进五出”" in note
    assert "处置要求：按表调整通道口。" in note
    assert "1 号闸机（turnstile-1）  进 30 人、出 3 人" in note
    assert "“三进五出”阶段结束，恢复常态" in note
    assert "始于 14:01:16，历时 35 秒" in note
    assert "上限 1,033 人低于 1,350 人的解除阈值，最短保持时间已满" in note


def test_a_silent_counter_is_told_with_its_last_reading(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    silent = entry(journal, EntryKind.INCIDENT, what="counter_silent", state="raised")
    note = explain(journal, folder, silent.id, "en")
    assert "Counter Turnstile 2 (turnstile-2) is silent; the band widens" in note
    assert "14:00:05  Turnstile 2 (turnstile-2)  10,000 in and 9,000 out in all" in note


def test_a_command_by_an_override_leads_to_the_operator_and_to_no_reading(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    note = explain(journal, folder, entry(journal, EntryKind.COMMAND, reason="override", gate="gate-2").id, "zh")
    assert "操作：14:01:21 王警官人工干预：2 号口（gate-2）保持“只出”，至 14:01:35。理由：现场确认。已执行。" in note
    assert "最后计入的读数" not in note


def test_an_override_of_the_stage_says_what_the_plan_itself_asks_for(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    note = explain(journal, folder, entry(journal, EntryKind.TRANSITION, reason="override").id, "en")
    assert 'An operator stepped in: the stage went from "three in, five out" to "exit only"' in note
    assert 'The plan itself asks for "three in, five out"' in note


def test_an_operators_record_is_found_by_its_own_id_and_a_refusal_is_told_in_chinese(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    assert "王警官人工干预：gate-9保持“只出”，至 14:01:35。理由：现场确认。未执行：没有通道口“gate-9”。" in explain(
        journal, folder, "hold-2", "zh"
    )
    assert "Not done: no gate" in explain(journal, folder, "hold-2", "en")


def test_the_data_form_holds_the_readings_as_the_log_has_them(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    command = entry(journal, EntryKind.COMMAND, gate="gate-1", stage="three_in_five_out")
    told = explanation(journal, folder, command.id, "en")
    json.dumps(told, allow_nan=False)
    assert (told["id"], told["kind"], told["site"], told["time_zone"]) == (command.id, "command", "yuyuan", "Asia/Shanghai")
    assert [step["what"] for step in told["steps"]] == ["command", "transition", "counting", "readings", "basis"]
    assert told["steps"][0]["facts"]["at"] == "2026-10-01T06:01:16.000000Z"
    rows = {(row["partition"], row["offset"]): row for row in log.cat(folder)}
    for reading in told["steps"][3]["facts"]["readings"]:
        row = rows[reading["partition"], reading["offset"]]
        assert (row["counter"], row["in"], row["out"]) == (reading["counter"], reading["in"], reading["out"])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("yuyuan-i99", r'no incident "yuyuan-i99": the last of yuyuan is yuyuan-i\d$'),
        ("yuyuan-9999", 'no entry "yuyuan-9999": chain "yuyuan" ends at yuyuan-'),
        ("yuyaun-3", 'did you mean "yuyuan-3"'),
        ("whatever", '"whatever" names no entry'),
    ],
)
def test_an_id_that_nothing_has_is_an_error_with_the_near_miss(story: tuple[Journal, Path], asked: str, told: str) -> None:
    with pytest.raises(UnknownIdError, match=told):
        explain(*story, asked, "zh")


def cut(folder: Path, kept: int) -> int:
    """Remove the log's oldest segments, of ten seconds each, as retention does; returns the first offset left."""
    segments = sorted((folder / PARTITION).glob("*.seg"))
    for segment in segments[:-kept]:
        segment.unlink()
    return int(segments[-kept].stem)


def test_what_retention_has_removed_is_said_to_be_removed(tmp_path: Path) -> None:
    journal, folder = afternoon(tmp_path)
    with journal:
        command = entry(journal, EntryKind.COMMAND, gate="gate-1", stage="three_in_five_out")
        first = cut(folder, 10)
        note = explain(journal, folder, command.id, "zh")
        assert note.count(f"原始记录已按保留期限删除（现存自第 {first:,} 行起）") == 2
        assert "该版本已不在日志中，名称取自现行版本。" in note
        assert "1 号口（gate-1）改为“只出”" in note
        cut(folder, 1)
        note = explain(journal, folder, command.id, "en")
        assert "the row is past its retention" in note
        assert "things go by their names. Times are UTC." in note
        assert "2026-10-01 06:01:16  gate-1 was set to out only" in note


def test_the_documents_of_removed_segments_are_found_in_the_checkpoint_at_the_logs_beginning(tmp_path: Path) -> None:
    journal, folder = afternoon(tmp_path)
    with journal:
        first = int(sorted((folder / PARTITION).glob("*.seg"))[-10].stem)
        engine = Engine(PARTITION)
        with log.Reader(folder, PARTITION) as reader:
            for chunk in reader.read(0, first):
                engine.feed(log.blocks(chunk))
        checkpoints.save(folder / PARTITION, first, pack(engine.to_state()))
        assert cut(folder, 10) == first
        command = entry(journal, EntryKind.COMMAND, gate="gate-1", stage="three_in_five_out")
        note = explain(journal, folder, command.id, "zh")
        assert "已不在日志中" not in note
        assert "1 号口（gate-1）改为“只出”" in note
        with Evidence(folder) as evidence:
            version = json.loads(entry(journal, EntryKind.DOCUMENT, previous=None).body)["version"]
            assert evidence.document("yuyuan", version) == json.loads(site())
            assert evidence.document("yuyuan", "000000000000") is None
            assert evidence.document("nowhere") is None


def test_a_zone_is_fed_by_the_counters_between_it_and_the_rest() -> None:
    document = json.loads(site())
    assert feeds(document, "mall") == (["turnstile-1", "turnstile-2"], [])
    assert feeds(document, "bridge") == ([], ["camera-9"])
    assert feeds(document, "site") == (["turnstile-1", "turnstile-2"], [])


def test_the_clock_is_the_sites_with_its_changes_and_its_dates() -> None:
    summer = START + 86_400 * SECOND
    clock = Clock({"time_zone": "Europe/Amsterdam", "offsets": [[0, 3600], [summer, 7200]]})
    assert clock.moment(summer - SECOND) == "2026-10-02 06:59:59"
    assert clock.moment(summer) == "2026-10-02 08:00:00"
    assert clock.time(summer, summer + SECOND) == "08:00:00"
    assert clock.time(summer, summer + 86_400 * SECOND) == "2026-10-02 08:00:00"
    assert Clock(None).moment(START) == "2026-10-01 06:00:00"
    assert Clock(None).moment(2**62) == str(2**62)


def test_every_code_has_words_in_both_languages() -> None:
    tables: list[tuple[Any, dict[Any, Any]]] = [
        (Reason, dict(texts.REASONS)),
        (EntryKind, dict(texts.KINDS)),
        (What, dict(texts.WHATS)),
        (Mode, dict(texts.MODES)),
        (What, {what: texts._INCIDENTS[what][0] for what in What}),
        (What, {what: texts._INCIDENTS[what][1] for what in What}),
    ]
    for codes, table in tables:
        for code in codes:
            assert set(table[code]) == {"zh", "en"}, code
            assert all(table[code].values())
            assert not re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", table[code]["zh"])), code


def test_every_reason_against_an_override_is_told_in_chinese() -> None:
    document = json.loads(site())
    gates = document["gates"]
    found = violations(document, {"gate-1": "closed", "gate-2": "in"}, 1000.0)
    gates[0] |= {"emergency": True}
    gates[1] |= {"entrance_only": True}
    found += violations(document, {"gate-1": "in", "gate-2": "both"}, None)
    assert len({re.sub(r'"[^"]*"|\d+', "", sentence) for sentence in found}) == 6
    for sentence in found:
        told = texts.why_not(sentence, Names(document, "zh"))
        assert not re.search(r"[A-Za-z]{2}", re.sub(r"“[^”]*”", "", told)), told
        assert texts.why_not(sentence, Names(document, "en")) == sentence


@pytest.mark.parametrize(
    ("figure", "zh", "en"),
    [
        ((1512, 1472, 1552, True), "豫园商城在场约 1,512 人（区间 1,472–1,552）", "about 1,512 people were in Yuyuan mall"),
        ((40, 12, None, False), "豫园商城人数尚未校准，但至少有 12 人在场", "Yuyuan mall was not anchored yet, but held at least 12"),
        ((-12, -30, 6, True), "豫园商城按计数推算为 -12 人", "by the counters Yuyuan mall held -12 people"),
    ],
)
def test_a_figure_is_told_with_its_band_or_with_what_is_sure(figure: tuple[int, int, int | None, bool], zh: str, en: str) -> None:
    inside, lower, upper, known = figure
    told = {"zone": "mall", "inside_m": inside * 1000, "lower_m": lower * 1000, "known": known}
    told |= {"upper_m": None if upper is None else upper * 1000}
    assert texts.crossing(told, None, Names(json.loads(site()), "zh")).startswith(zh)
    assert texts.crossing(told, None, Names(json.loads(site()), "en")).startswith(en)


@pytest.mark.parametrize(
    ("term", "zh", "en"),
    [
        (("occupancy", "enter", 30), "超过 3,000 人的启动阈值并已持续 30 秒", "over the enter bar of 3,000 for 30 s"),
        (("occupancy_upper", "enter", 0), "上限 3,012 人超过 3,000 人的启动阈值", "the upper edge 3,012 over the enter bar of 3,000"),
        (("occupancy_lower", "enter", 0), "下限 3,012 人超过 3,000 人的启动阈值", "the lower edge 3,012 over the enter bar of 3,000"),
        (
            ("occupancy", "clear", 0),
            "低于 3,000 人的解除阈值，最短保持时间已满，数据也足够新",
            "below the clear bar of 3,000, with the dwell",
        ),
    ],
)
def test_a_bar_is_told_with_its_edge_and_how_long_it_was_held(term: tuple[str, str, int], zh: str, en: str) -> None:
    measure, edge, held = term
    bar = {"zone": "mall", "measure": measure, "value_m": 3_012_000, "bar_m": 3_000_000, "edge": edge, "held_s": held}
    assert texts.crossing(None, bar, Names(None, "zh")).startswith(zh)
    assert texts.crossing(None, bar, Names(None, "en")).startswith(en)
