from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from flowwatch import checkpoints, log
from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.state import pack
from flowwatch.counting import feeds
from flowwatch.evidence import Evidence
from flowwatch.explain import explain, explanation
from flowwatch.journal import Journal, UnknownIdError
from flowwatch.titles import Language
from tests.journal.story import PARTITION, SECOND, START, Story, afternoon, decided, evening, site

LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    journal, folder = afternoon(tmp_path_factory.mktemp("story"))
    with journal:
        yield journal, folder


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    journal, folder = evening(tmp_path_factory.mktemp("night"))
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
2026-10-01 14:01:16　1 号口（gate-1）改为“只出”：禁止进入，可以离开（记录 yuyuan-N，该口第 2 号指令，仅作建议，由现场人员执行）。按“三进五出”阶段要求执行。
原因：14:01:16 豫园商城在场约 1,521 人（区间 1,472–1,570），超过 1,500 人的启动阈值并已持续 3 秒，因此管控阶段由“正常”升为“三进五出”（记录 yuyuan-N）。
人数来源：由 2 个计数器的进出人数相减得出；14:01:01 的分钟记录：进 0 人、出 0 人，仅按进出计数为 1,490 人；最近一次人工清点：14:00:00 为 1,490 人（记录 yuyuan-N）。
最后计入的读数：
  14:01:12  1 号闸机（turnstile-1）  进 30 人、出 3 人  [p00:N]
  14:01:12  2 号闸机（turnstile-2）  累计进 10,005 人、出 9,001 人  [p00:N]
当时生效的方案版本：VERSION（2026-10-01 14:00:01 起）。以上为 Asia/Shanghai 时间。"""  # noqa: E501

GATE_1_IN_ENGLISH = """\
2026-10-01 14:01:16  Gate 1 (gate-1) was set to out only: nobody may enter, people may leave (entry yuyuan-N, revision 2, \
advice, for people to carry out). \
Stage "three in, five out" asks for it.
Why: 14:01:16 about 1,521 people were at Yuyuan mall (between 1,472 and 1,570), over the enter bar of 1,500 people for 3 s, \
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


CODES = {"three_in_five_out", "exit_only", "occupancy_unknown", "counter_silent", "raised", "None", "override_ended", "drill_active"}
CODES |= {"confirmation_needed", "officer_in_charge", "one_way", "more-patrol", "case_ended", "waves", "drill_ended", "rise", "fire_ended"}
IN_ENGLISH = {"raised", "waves", "rise"}
"""Codes that are English words, too."""


@pytest.mark.parametrize("told", ["story", "night"])
def test_every_entry_has_a_note_in_words_in_both_languages(told: str, request: pytest.FixtureRequest) -> None:
    journal, folder = request.getfixturevalue(told)
    kinds = set()
    for found in journal.entries():
        kinds.add(found.kind)
        for lang in LANGUAGES:
            note = explain(journal, folder, found.id, lang)
            assert found.id in note
            assert not set(re.findall(r"[\w-]+", note, re.ASCII)) & (CODES if lang == "zh" else CODES - IN_ENGLISH), note
            assert not re.search(r"：：|。。|，，|；。|“”|, ,|\.\. |[{}]", note), note
    handled = {EntryKind.ALERT, EntryKind.HANDLING}  # they stand in the book of handling
    assert kinds == set(EntryKind) - handled - (set() if told == "story" else {EntryKind.REFUSALS})


def test_an_incident_is_told_from_its_raising_to_its_end(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    raised = json.loads(entry(journal, EntryKind.INCIDENT, what="stage", state="raised").body)
    note = explain(journal, folder, raised["incident"], "zh")
    assert "Ⅲ级（黄色）预警：豫园商城启动“三进五出”" in note
    assert "公众提示：按表调整通道口。" in note
    assert "1 号闸机（turnstile-1）  进 30 人、出 3 人" in note
    assert "“三进五出”阶段结束，恢复常态" in note
    assert "始于 14:01:16，历时 35 秒" in note
    assert "上限 1,033 人低于 1,350 人的解除阈值，最短保持时间已满" in note


def test_a_silent_counter_is_told_with_its_last_reading(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    silent = entry(journal, EntryKind.INCIDENT, what="counter_silent", state="raised")
    note = explain(journal, folder, silent.id, "en")
    assert "Turnstile 2 (turnstile-2) is silent; the band widens" in note
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
    assert "王警官人工干预：通道口“gate-9”保持“只出”，至 14:01:35。理由：现场确认。未执行：没有通道口“gate-9”。" in explain(
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


def test_a_stage_that_an_officer_declined_is_told_with_who_was_asked_and_who_said_what(night: tuple[Journal, Path]) -> None:
    note = explain(*night, "yuyuan-i6", "zh")
    said = [
        "14:00:34　Ⅰ级（红色）预警：客流已达到“豫园管控方案”的“只出不进”启动条件，等待值班指挥长确认",
        "请值班指挥长于 14:01:34 前答复；逾时无人答复则不执行。",
        "14:00:46　Ⅰ级（红色）预警：客流已达到“豫园管控方案”的“只出不进”启动条件，王警官决定暂不执行，条件仍然成立",
        "王警官已答复不同意；条件成立期间仍可改为同意。",
        "王警官确认：不同意“豫园管控方案”的管控阶段升为“只出不进”（事件 yuyuan-i6）。理由：现场确认。已执行。",
        "豫园商城在场约 3,200 人（区间 3,095–3,305），超过 3,000 人的启动阈值",
        "经人员确认，因此“豫园管控方案”的管控阶段由“三进五出”升为“只出不进”",
        "王警官确认：同意“豫园管控方案”的管控阶段升为“只出不进”（事件 yuyuan-i6）。",
    ]
    places = [note.rfind(sentence) for sentence in said]
    assert -1 not in places, note
    assert places == sorted(places), note
    in_english = explain(*night, "yuyuan-i6", "en")
    assert "The officer in charge is asked to answer by 14:01:34; without an answer it is not done." in in_english
    assert "王警官 said no; while the condition holds a yes is still possible." in in_english


def test_an_incident_that_nobody_has_ended_says_so_when_it_is_asked_for(night: tuple[Journal, Path]) -> None:
    asked = json.loads(entry(night[0], EntryKind.INCIDENT, reason="fall:normal").body)["incident"]
    note = explain(*night, asked, "zh")
    assert "客流已回落，“豫园管控方案”的管控阶段可降至“正常”，等待值班指挥长确认" in note
    assert "请值班指挥长答复；答复之前不执行。" in note
    assert "预警" not in note, "a fall is no warning"
    assert "该事件尚未解除。" in note
    assert "The incident is still open." in explain(*night, asked, "en")
    assert "尚未解除" not in explain(*night, "yuyuan-i6", "zh")


def test_a_drill_is_said_to_be_one_wherever_it_is_told(night: tuple[Journal, Path]) -> None:
    journal, folder = night
    command = entry(journal, EntryKind.COMMAND, drill=True)
    drill = entry(journal, EntryKind.INCIDENT, what="drill_active")
    for lang in LANGUAGES:
        mark = "【演练】" if lang == "zh" else "[DRILL]"
        for asked in (command.id, drill.id, json.loads(drill.body)["incident"], "drill-1"):
            assert mark in explain(journal, folder, asked, lang)
        real = entry(journal, EntryKind.COMMAND, reason="drill_ended")
        assert mark not in explain(journal, folder, real.id, lang)
    assert "按演练要求执行，实际阶段为“正常”。" in explain(journal, folder, command.id, "zh")
    assert "未执行：火警期间不得演练。" in explain(journal, folder, "drill-2", "zh")


def test_a_fire_is_told_with_who_reported_it_and_what_followed(night: tuple[Journal, Path]) -> None:
    note = explain(*night, "fire-1", "zh")
    assert "王警官火警指令：报告火警，各通道口一律向外疏散。" in note
    assert "2 号口（gate-2）改为“只出”" in note
    command = entry(night[0], EntryKind.COMMAND, reason="fire")
    assert "接到火警报告，各通道口一律向外疏散。\n操作：" in explain(*night, command.id, "zh")
    assert "王警官火警指令：解除火警。" in explain(*night, entry(night[0], EntryKind.COMMAND, reason="fire_ended").id, "zh")


def test_a_case_and_its_settings_are_told_with_the_plan_that_they_belong_to(night: tuple[Journal, Path]) -> None:
    journal, folder = night
    wave = explain(journal, folder, entry(journal, EntryKind.COMMAND, mode="wave").id, "zh")
    assert "1 号口（gate-1）改为“分批放行：进 50 秒、停 10 秒、出 1 分钟 50 秒”：按时段轮流放行" in wave
    assert "“元宵灯会预案”的管控阶段由“亮灯”转为“分批上桥”" in wave
    metered = explain(journal, folder, entry(journal, EntryKind.COMMAND, mode="metered").id, "en")
    assert "Gate 1 (gate-1) was set to metered entry, at most 40/min, people may leave (entry" in metered
    assert 'declare case "Lantern Festival" until 14:00:26' in metered
    assert "1 号屏（sign-1）显示：“桥上客流已满，请绕行”" in explain(journal, folder, "hold-1", "zh")


def test_devices_and_tasks_are_told_back_to_the_stage_that_asks_for_them(story: tuple[Journal, Path]) -> None:
    journal, folder = story
    link = explain(journal, folder, entry(journal, EntryKind.DEVICE, name="main-loop", state="one_way").id, "zh")
    assert "主环路（main-loop）：单向通行，由豫园商城往九曲桥" in link
    assert "超过 1,500 人的启动阈值" in link
    given = explain(journal, folder, entry(journal, EntryKind.TASK, state="given").id, "zh")
    assert "任务下达（巡逻警力）：九曲桥增派两名民警疏导，14:06:16 前完成" in given
    assert "超过 1,500 人的启动阈值" in given
    gone = explain(journal, folder, entry(journal, EntryKind.TASK, state="withdrawn").id, "en")
    assert "Task withdrawn (the patrol): Two officers to the Zigzag Bridge" in gone
    assert 'Stage "three in, five out" no longer asks for it.' in gone


def test_what_missing_data_do_to_a_plan_is_told_with_the_rule(night: tuple[Journal, Path]) -> None:
    note = explain(*night, entry(night[0], EntryKind.INCIDENT, what="degraded", state="raised").id, "zh")
    assert "条件：2 号闸机（turnstile-2）数据中断持续 20 秒" in note


def test_what_is_approved_is_told_with_who_wrote_it_and_who_agreed(tmp_path: Path) -> None:
    story = Story(tmp_path)
    signed = {"key": "k", "at": "2026-10-01T06:00:00Z", "signature": "s"}
    two: dict[str, Any] = {"author": {"by": "wang"} | signed, "approver": {"by": "li"} | signed | {"key": "l"}}
    with closing(story.writer) as writer:
        writer.append_document(site(), START)
        story.until(2)
        story.act("recount-1", "recount", zone="mall", count=10, counted_at_us=START)
        story.until(5)
        story.act("approve-1", "approve", version=sha256(site()).hexdigest(), **two)
        story.until(8)
        story.act("approve-2", "approve", version=sha256(site("second")).hexdigest(), **two)
        story.act("recount-2", "recount", zone="mall", count=20, counted_at_us=START)
        story.until(9)
        writer.append_document(site("second"), START + 9 * SECOND)
        story.until(12)
        story.act("recount-3", "recount", zone="mall", count=30, counted_at_us=START)
        story.until(13)
    journal, folder = decided(tmp_path, story)
    with journal:
        told = {id_: explain(journal, folder, id_, "en") for id_ in ("recount-1", "approve-1", "approve-2", "recount-2", "recount-3")}
        chinese = {id_: explain(journal, folder, id_, "zh") for id_ in told}
    by = "written by wang, approved by li"
    assert [by in told[id_] for id_ in told] == [False, True, True, True, False]
    assert re.search("Version [0-9a-f]{12} of the documents, by wang, is approved by li. \\(entry", told["approve-1"])
    assert re.search("　方案版本 [0-9a-f]{12} 由 li 批准（wang 编制）。（记录", chinese["approve-1"])
    assert "Not done: version" in told["approve-2"]
    assert "，wang 编制，li 批准）。" in chinese["recount-2"]
    assert "未在执行" in chinese["approve-2"]
