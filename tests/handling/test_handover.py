"""The handover of a shift: what stands is on it, what is over is not, and it reads well in both languages."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from msgspec.structs import replace

from flowwatch.handling.handover import Handover, Open, StageNow, handover, held, plain
from flowwatch.handling.incident import Clock, begun
from flowwatch.handling.page import page
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Shown, Step
from tests.handling.made import SECOND, START, alert, entries, handed_over, step
from tests.journal.story import site

HOUR = 3_600
NOW = START + 8 * HOUR * SECOND
DOCUMENT = json.loads(site("handover"))


def us(hours: float) -> int:
    return START + int(hours * HOUR) * SECOND


def incident(said: Alert, *clocks: Clock, duty: str = "operator", **more: Any) -> Open:
    """An incident that was told once, with these clocks."""
    return Open(replace(begun(said, f"{said.site}-1", said.since_us), **more), duty, clocks)


def action(kind: str, **fields: Any) -> dict[str, Any]:
    """The body of an ACTION entry."""
    record = {"action": "01M9", "by": "li", "reason": "lantern show runs late", "site": "yuyuan", "at_us": START} | fields
    return {"type": kind, "accepted": True, "refused": None, "record": record}


def of(*said: tuple[float, Alert | Step], at_us: int = NOW, **more: Any) -> Handover:
    return handover("yuyuan", at_us, **{"incidents": (), "entries": entries(*said), "actions": ()} | more)


def test_a_shift_begins_with_the_last_handover_or_twelve_hours_ago() -> None:
    assert (of().since_us, of().before) == (NOW - 12 * HOUR * SECOND, None)
    found = of((0, handed_over("zhao", "wang")), (60, handed_over("wang", "li", "day")))
    assert found.before is not None
    assert (found.since_us, found.before.by, found.before.to, found.before.reason) == (START + 60 * SECOND, "wang", "li", "day")


def test_the_shift_counts_what_came_since_it_began() -> None:
    found = of(
        (-9, alert("yuyuan-i1")),
        (-8, step(Act.ACKNOWLEDGE, "yuyuan-i1", handling=Handling.ACKNOWLEDGED)),
        (0, handed_over("wang", "li")),
        (9, alert("yuyuan-i2", level="II")),
        (30, step(Act.ACKNOWLEDGE, "yuyuan-i2", handling=Handling.ACKNOWLEDGED)),
        (40, step(Act.CLOSE, "yuyuan-i2", by=FLOWWATCH, handling=Handling.CLOSED)),
        (50, step(Act.ESCALATE, "yuyuan-i1", by=FLOWWATCH, clock="arrive")),
    ).shift
    assert (found.load.shown, found.load.by_priority["II"], found.load.acknowledge_p50_s) == (1, 1, 21)
    assert (found.steps, found.load.escalations) == ({"acknowledge": 1}, {"arrive": 1})
    assert (found.closed, found.ended) == (0, 1), "nobody closed it: it ended"


def test_what_people_closed_is_told_apart_from_what_closed_by_itself() -> None:
    closed = {"handling": Handling.CLOSED}
    said = [(i, step(Act.CLOSE, f"yuyuan-i{i}", "zhao" if i == 1 else FLOWWATCH, **closed)) for i in (1, 2, 3)]
    found = of((0, handed_over("wang", "li")), *said)
    assert (found.shift.closed, found.shift.ended) == (1, 2)
    assert plain(found)["shift"].items() >= {"closed": 1, "ended": 2}.items()
    chinese, english = ([text for _, text in page(found, DOCUMENT, lang)] for lang in ("zh", "en"))
    assert chinese[-2:] == ["处理：办结 1", "自行解除、系统自动办结：2 起"]
    assert english[-2:] == ["Done: closed 1", "Over by themselves and closed without anybody: 2"]
    quiet = [text for _, text in page(of(*said[1:]), DOCUMENT, "zh")]
    assert quiet[-2:] == ["处理：无", "自行解除、系统自动办结：2 起"]


DAMAGED = [b"", b"\x00damaged", b"[]", b"null", b"1", b'{"site":"\xff"}', b"[" * 100_000, b'{"z":' + b"9" * 5_000 + b"}"]


@pytest.mark.parametrize("bad", DAMAGED)
@pytest.mark.parametrize("at", range(5))
def test_a_damaged_record_hides_nothing_but_itself_and_is_told(bad: bytes, at: int) -> None:
    book = entries(
        (0, handed_over("zhao", "wang")),
        (9, alert("yuyuan-i1")),
        (10, step(Act.MAINTAIN, "yuyuan-i1", reason="belt", until_us=us(20))),
        (11, alert("yuyuan-i2")),
        (12, step(Act.RESTORE, "yuyuan-i2")),
    )
    book[at] = dataclasses.replace(book[at], body=bad)
    found = of(entries=book)
    assert found.shift.unreadable == 1
    assert found.shift.load.shown == (1 if at in (1, 3) else 2)
    (told,) = [text for kind, text in page(found, DOCUMENT, "zh") if kind == "urgent"]
    assert told == "另有 1 条记录无法读取，以上未计入；请用 flowwatch audit verify 核查"
    assert "1 record could not be read and is left out here; `flowwatch audit verify` says which" in [
        text for _, text in page(found, DOCUMENT, "en")
    ]
    assert found.digest == of(entries=[one for i, one in enumerate(book) if i != at]).digest


@pytest.mark.parametrize(
    "record", [None, {}, {"gate": "gate-2", "until_us": "nine", "by": "li", "reason": "", "action": "01M9"}, [1], {"until_us": 10**30}]
)
def test_an_operators_record_that_is_damaged_is_passed_over(record: Any) -> None:
    good = action("override", gate="gate-1", mode="out", until_us=us(9))
    bad = {"id": "yuyuan-4", "type": "override", "accepted": True, "refused": None, "record": record}
    found = of(actions=[good, bad])
    assert ([one.name for one in found.held], found.shift.unreadable) == (["gate-1"], 1)


def test_what_people_hold_is_the_newest_word_on_each_thing_that_is_not_over() -> None:
    found = held(
        [
            action("override", gate="gate-2", mode="out", until_us=us(9)),
            action("override", gate="gate-1", mode="out", until_us=us(9)),
            action("override", gate="gate-1", mode="both", until_us=us(7)),
            action("override", stage="exit_only", until_us=us(8.5)),
            action("override", stage="calm", plan="bridge", until_us=us(10)) | {"accepted": False},
            action("override", case="rain", until_us=us(11)),
            action("drill", stage="exit_only", until_us=us(12)),
            action("recount", zone="mall", count=3),
        ],
        NOW,
    )
    assert [(one.of, one.name, one.value) for one in found] == [
        ("stage", None, "exit_only"),
        ("gate", "gate-2", "out"),
        ("case", "rain", None),
        ("drill", None, "exit_only"),
    ]


def test_what_was_put_off_is_listed_with_who_and_why_until_it_ends() -> None:
    said: list[tuple[float, Alert | Step]] = [(0, alert(f"yuyuan-i{i}")) for i in range(1, 6)]
    said += [
        (10, step(Act.SHELVE, "yuyuan-i1", reason="painted", until_us=us(9))),
        (11, step(Act.SHELVE, "yuyuan-i2", reason="over at seven", until_us=us(7))),
        (12, step(Act.DEFER, "yuyuan-i3", by="zhao", reason="a part must come", until_us=us(40))),
        (13, step(Act.SHELVE, "yuyuan-i4", reason="taken back", until_us=us(9))),
        (14, step(Act.UNSHELVE, "yuyuan-i4")),
        (15, step(Act.SHELVE, "yuyuan-i5", reason="became worse", until_us=us(9))),
        (16, step(Act.REOPEN, "yuyuan-i5", by=FLOWWATCH)),
        (17, step(Act.MAINTAIN, "yuyuan-i5", reason="new camera", until_us=us(20))),
        (18, step(Act.SHELVE, "yuyuan-i4", reason="until it ends")),
        (19, alert("yuyuan-i4", state="cleared", shown=Shown.ENDED)),
        (20, alert("yuyuan-i1", state="cleared", shown=Shown.ENDED)),
        (20, step(Act.CLOSE, "yuyuan-i1", by=FLOWWATCH, handling=Handling.CLOSED)),
    ]
    assert [(one.act, one.incident, one.by, one.reason) for one in of(*said).put_off] == [
        ("shelve", "yuyuan-i1", "wang", "painted"),
        ("maintain", "yuyuan-i5", "wang", "new camera"),
        ("defer", "yuyuan-i3", "zhao", "a part must come"),
    ]


def test_a_device_that_is_restored_is_put_off_no_more_whichever_of_its_incidents_said_so() -> None:
    maintained: list[tuple[float, Alert | Step]] = [
        (0, alert("yuyuan-i1")),
        (1, step(Act.MAINTAIN, "yuyuan-i1", reason="belt", until_us=us(20))),
        (2, alert("yuyuan-i2")),
    ]
    assert [one.act for one in of(*maintained).put_off] == ["maintain"]
    assert of(*maintained, (3, step(Act.RESTORE, "yuyuan-i2"))).put_off == ()


def test_the_digest_is_of_what_is_handed_over_and_not_of_the_moment() -> None:
    lost = incident(alert(), Clock("arrive", us(7), us(9), "running"))
    first = of(incidents=[lost])
    later = of(incidents=[incident(alert(), Clock("arrive", us(7), us(9), "overdue"))], at_us=NOW + 1)
    assert first.digest != of().digest
    assert first.digest != of(incidents=[incident(alert(), by="wang")]).digest
    assert len(first.digest) == 64
    before = (0.0, handed_over("wang", "li"))
    assert of(before, incidents=[lost]).digest == of(before, incidents=list(later.incidents), at_us=NOW + 1).digest


def whole() -> Handover:
    """One of everything."""
    red = alert("yuyuan-i7", what="stage", subject="exit_only", level="I", since_us=us(7.5))
    fed = alert("@service-h1", what="feed_undelivered", subject="webhook", level=None)
    return of(
        (0, handed_over("zhao", "wang", "夜班")),
        (9, alert("yuyuan-i2", level="II")),
        (31, step(Act.ACKNOWLEDGE, "yuyuan-i2", handling=Handling.ACKNOWLEDGED)),
        (40, step(Act.SHELVE, "yuyuan-i2", reason="更换模块", until_us=us(9))),
        incidents=[
            incident(
                red,
                Clock("arrive", us(7.5), us(7.75), "overdue"),
                duty="supervisor",
                handling=Handling.DISPATCHED,
                unit="巡逻3组",
                by="wang",
            ),
            incident(alert("yuyuan-i2"), Clock("acknowledge", START, us(8.1), "warned"), active=False, ended_us=us(6)),
        ],
        actions=[
            action("override", gate="gate-2", mode="out", until_us=us(9), reason="灯会延时"),
            action("drill", stage="exit_only", until_us=us(10), reason="月度演练"),
        ],
        stages=[StageNow("yuyuan", "exit_only", "I")],
        undelivered=[incident(fed)],
    )


def test_it_reads_as_a_dispatcher_writes_it() -> None:
    lines = [text for _, text in page(whole(), DOCUMENT, "zh")]
    assert lines == [
        "交接班：豫园（yuyuan）",
        "2026-10-01 22:00（Asia/Shanghai）",
        "上次交接 14:00，zhao交班，wang接班：夜班",
        "管控阶段：“只出不进”，Ⅰ级（红色）",
        "",
        "一、未办结事件（2）",
        "yuyuan-i7  与2号口失去联系",
        "    Ⅰ级（红色），21:30 起，已派警（巡逻3组），签收人 wang，值班长负责，到场时限 21:45，已超时",
        "yuyuan-i2  与2号口失去联系",
        "    Ⅲ级（黄色），14:00 起，待签收，值班员负责，20:00 已解除，签收时限 22:06，即将超时",
        "",
        "二、人工干预（1）",
        "2 号口（gate-2）保持“只出”，至 23:00，li：灯会延时",
        "",
        "三、演练（1）",
        "【演练】“只出不进”阶段，至 2026-10-02 00:00，li：月度演练",
        "",
        "四、搁置、挂账与设备检修（1）",
        "yuyuan-i2  2 号口（gate-2）：失去联系，搁置至 23:00，wang：更换模块",
        "",
        "五、本班情况",
        "预警 1 条，其中Ⅱ级（橙色）1 条；超时督办 0 次",
        "签收用时：半数在 22 秒内，九成在 22 秒内；未签收 0 条",
        "处理：签收 1，搁置 1",
        "",
        "六、未送达的推送（1）",
        "@service-h1  与2号口失去联系",
    ]


def test_it_reads_well_in_english() -> None:
    lines = [text for _, text in page(whole(), DOCUMENT, "en")]
    assert lines == [
        "Handover: Yuyuan (yuyuan)",
        "2026-10-01 22:00 (Asia/Shanghai)",
        "Last handover 14:00, zhao to wang: 夜班",
        'Stage: "exit only", level I (red)',
        "",
        "1. Open incidents (2)",
        "yuyuan-i7  gate-2 cannot be reached",
        "    level I (red), since 21:30; dispatched (巡逻3组); acknowledged by wang; the supervisor answers for it; arrive by 21:45, overdue",
        "yuyuan-i2  gate-2 cannot be reached",
        "    level III (yellow), since 14:00; not acknowledged; the operator answers for it; ended 20:00; acknowledge by 22:06, almost overdue",
        "",
        "2. Overrides in force (1)",
        "Gate 2 (gate-2) is held at out only, until 23:00, by li: 灯会延时",
        "",
        "3. Drills (1)",
        '[DRILL] stage "exit only", until 2026-10-02 00:00, by li: 月度演练',
        "",
        "4. Shelved, put off, under maintenance (1)",
        "yuyuan-i2  Gate 2 (gate-2): device lost; shelved until 23:00, by wang: 更换模块",
        "",
        "5. The shift",
        "Alerts: 1, of which level II (orange): 1; overdue and escalated: 0",
        "Acknowledged: half within 22 s, nine in ten within 22 s; 0 not",
        "Done: acknowledged 1, shelved 1",
        "",
        "6. Feeds that cannot be delivered (1)",
        "@service-h1  gate-2 cannot be reached",
    ]


def test_what_became_milder_says_how_bad_it_was() -> None:
    milder = of(incidents=[incident(alert(level="III"), worst="I")])
    assert any("Ⅲ级（黄色），最高Ⅰ级（红色），" in text for _, text in page(milder, DOCUMENT, "zh"))
    assert any("level III (yellow), was level I (red), " in text for _, text in page(milder, DOCUMENT, "en"))


def test_what_is_overdue_is_marked() -> None:
    assert [text for kind, text in page(whole(), DOCUMENT, "en") if kind == "urgent"]


def test_without_a_document_everything_keeps_its_name() -> None:
    assert ("title", "Handover: yuyuan") in list(page(of(), None, "en"))


def test_as_json_it_has_times_as_text() -> None:
    told = plain(whole())
    assert told["incidents"][0]["clocks"] == [{"clock": "arrive", "due_at": "2026-10-01T13:45:00.000000Z", "state": "overdue"}]
    assert json.loads(json.dumps(told)) == told
