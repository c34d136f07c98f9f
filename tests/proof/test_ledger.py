from __future__ import annotations

import csv
import io
import json
import random
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.actuators.ledger import Delivery
from flowwatch.core.entries import GENESIS, Entry, EntryKind, Estimate, canonical
from flowwatch.handling.book import Book
from flowwatch.handling.readable import SHAPES, bodies, readable
from flowwatch.handling.records import Act, Alert, Handling, Said, Shown, Step, kind_of
from flowwatch.handling.records import body as body_of
from flowwatch.log import cat
from flowwatch.proof import day as days
from flowwatch.proof.cases import cases
from flowwatch.proof.figure import nice
from flowwatch.proof.ledger import Ledger, Stretch, gather, hours, orders, peaks, stretches
from flowwatch.proof.page import page
from flowwatch.proof.phrases import Phrases
from flowwatch.proof.sheets import sheets
from flowwatch.words import Language
from flowwatch.workspace import Workspace
from tests.journal.story import START, afternoon, evening
from tests.proof.told import MIDNIGHT

HOUR = 3_600_000_000
MINUTE = 60_000_000
SPAN = (MIDNIGHT, MIDNIGHT + 24 * HOUR)


def entry(seq: int, kind: EntryKind, at: int, **body: Any) -> Entry:
    return Entry("plaza", seq, kind, at, canonical({"site": "plaza", **body}), GENESIS)


def move(seq: int, at: int, plan: str, to: str | None) -> Entry:
    return entry(seq, EntryKind.TRANSITION, at, plan=plan, to=to, reason="rise", **{"from": None})


def figures(people: int, *, known: bool = True, came: int = 0, left: int = 0) -> dict[str, Any]:
    upper = (people + 5) * 1000 if known else None
    return {"inside_m": people * 1000, "lower_m": (people - 5) * 1000, "upper_m": upper, "known": known, "in": came, "out": left}


def test_a_stage_that_stood_before_the_day_stands_from_its_beginning_and_the_last_to_its_end() -> None:
    since, until = SPAN
    moves = [
        move(1, since - 5 * HOUR, "main", "calm"),
        move(2, since + 2 * HOUR, "main", "busy"),
        move(3, since + 3 * HOUR, "main", "calm"),
    ]
    assert stretches(moves, since, until) == {
        "main": [
            Stretch("main", "calm", since, since + 2 * HOUR, None, None),
            Stretch("main", "busy", since + 2 * HOUR, since + 3 * HOUR, "plaza-2", "rise"),
            Stretch("main", "calm", since + 3 * HOUR, until, "plaza-3", "rise"),
        ]
    }


def test_a_plan_that_is_not_followed_any_more_has_no_stage() -> None:
    since, until = SPAN
    found = stretches([move(1, since, "main", "calm"), move(2, since + HOUR, "main", None)], since, until)
    assert [(s.stage, s.until_us) for s in found["main"]] == [("calm", since + HOUR)]


def test_a_peak_is_the_most_by_the_figure_and_by_the_lower_edge_where_it_is_unknown() -> None:
    told = [(1, {"site": figures(10), "hall": figures(3, known=False)}), (2, {"site": figures(12)}), (3, {"hall": figures(9, known=False)})]
    assert [(p.zone, p.at_us, p.inside_m, p.known) for p in peaks(told)] == [("site", 2, 12_000, True), ("hall", 3, 9_000, False)]


def test_an_hour_counts_its_minutes_and_one_without_any_has_no_peak() -> None:
    since, until = SPAN
    told = [
        (since, {"site": figures(5, came=2)}),
        (since + 59 * MINUTE, {"site": figures(7, came=3, left=1)}),
        (since + HOUR, {"site": figures(1)}),
    ]
    found = hours(told, since, until)
    assert len(found) == 24
    assert [(h.people_in, h.people_out, h.peak and h.peak.inside_m) for h in found[:3]] == [(5, 1, 7_000), (0, 0, 1_000), (0, 0, None)]


def delivery(command: str, attempt: int, outcome: str | None) -> Delivery:
    return Delivery(1, "plaza", "gate/g1", command, 1, attempt, 1, "out", 5, outcome=outcome, answered_us=9 if outcome else None)


def test_a_command_has_its_own_deliveries_and_what_was_seen_until_the_next() -> None:
    commands = [entry(n, EntryKind.COMMAND, n * HOUR, gate="g1", setting="out", mode="out") for n in (1, 5)]
    seen = [(2 * HOUR, "gate_lost"), (6 * HOUR, "gate_unanswered")]
    told = [(at, {"what": what, "subject": "g1", "state": "raised"}) for at, what in seen]
    found = orders(commands, [delivery("plaza-1", 1, None), delivery("plaza-1", 2, "done"), delivery("plaza-5", 1, "refused")], told)
    assert [(o.last.attempt, o.last.outcome, o.effects) for o in found if o.last] == [
        (2, "done", (("gate_lost", 2 * HOUR),)),
        (1, "refused", (("gate_unanswered", 6 * HOUR),)),
    ]


def incident(at: int, name: str, state: str, level: str | None = None) -> tuple[int, dict[str, Any]]:
    return at, {"incident": name, "what": "stage", "subject": "busy", "state": state, "level": level, "since_us": at, "detail": None}


def record(seq: int, at: int, said: Step | Alert) -> tuple[Entry, Alert | Step]:
    return Entry("plaza", seq, kind_of(said), at, body_of(said), GENESIS), said


def step(seq: int, at: int, name: str, act: Act, by: str = "wang", **more: Any) -> tuple[Entry, Alert | Step]:
    return record(seq, at, Step(site="plaza", incident=name, act=act, by=by, handling=Handling.ACKNOWLEDGED, **more))


def told_of(seq: int, at: int, name: str, text: str, priority: str | None, **more: Any) -> tuple[Entry, Alert | Step]:
    given = {"what": "stage", "state": "updated", "level": priority} | more
    said = Alert(
        site="plaza",
        incident=name,
        subject="busy",
        since_us=at,
        text=Said(zh=text, en=text),
        priority=priority,
        shown=Shown.RAISED,
        **given,
    )
    return record(seq, at, said)


def test_an_incident_has_its_worst_level_and_the_times_and_people_of_its_steps() -> None:
    since, until = SPAN
    told = [
        incident(since + 1, "plaza-i1", "raised", "III"),
        incident(since + HOUR, "plaza-i1", "updated", "I"),
        incident(since + 2 * HOUR, "plaza-i1", "cleared", "III"),
    ]
    records = [
        step(1, since + 5, "plaza-i1", Act.ACKNOWLEDGE),
        step(2, since + 6, "plaza-i1", Act.ESCALATE, by="flowwatch", clock="arrive", due_us=since + 4),
        step(3, since + 9, "plaza-i1", Act.NOTE, by="li", reason="two officers sent"),
    ]
    (case,) = cases(told, records, since, until)
    assert (case.level, case.priority, case.ended_us, case.overdue) == ("I", "I", since + 2 * HOUR, {"arrive": since + 4})
    assert {act: (taken.at_us, taken.by) for act, taken in case.steps.items()} == {Act.ACKNOWLEDGE: (since + 5, "wang")}
    assert [(act, taken.by, taken.reason) for act, taken in case.others] == [(Act.NOTE, "li", "two officers sent")]


def test_what_was_over_before_the_day_is_not_in_it_unless_somebody_handled_it_then() -> None:
    since, until = SPAN
    told = [pair for name in ("a", "b") for pair in (incident(since - HOUR, name, "raised"), incident(since - MINUTE, name, "cleared"))]
    told.append(incident(since - 2 * HOUR, "open", "raised"))
    found = cases(told, [step(1, since + 5, "b", Act.CLOSE)], since, until)
    assert [case.name for case in found] == ["open", "b"]


def test_an_incident_that_opened_again_begins_its_way_anew() -> None:
    since, until = SPAN
    records = [step(1, since + 5, "a", Act.ACKNOWLEDGE), step(2, since + 6, "a", Act.REOPEN, by="flowwatch")]
    (case,) = cases([incident(since + 1, "a", "raised")], records, since, until)
    assert case.steps == {}


def test_what_was_done_before_it_opened_again_is_kept_and_shown() -> None:
    since, until = SPAN
    records = [
        step(1, since + HOUR, "a", Act.ACKNOWLEDGE),
        step(2, since + 2 * HOUR, "a", Act.DISPATCH, to="patrol-3"),
        step(3, since + 2 * HOUR + MINUTE, "a", Act.NOTE, by="li", reason="on their way"),
        step(4, since + 3 * HOUR, "a", Act.DISPATCH, by="zhao", to="patrol-4"),
        step(5, since + 4 * HOUR, "a", Act.REOPEN, by="flowwatch"),
        step(6, since + 5 * HOUR, "a", Act.ACKNOWLEDGE, by="zhao"),
    ]
    (case,) = cases([incident(since + 1, "a", "raised")], records, since, until)
    assert {act: taken.by for act, taken in case.steps.items()} == {Act.ACKNOWLEDGE: "zhao"}
    day = replace(gathered(), cases=[case])
    assert Phrases(day, "en").by(case) == [
        "zhao: acknowledged",
        "01:00 acknowledged wang",
        "02:00 dispatched wang (patrol-3)",
        "02:01 noted li (on their way)",
        "03:00 dispatched zhao (patrol-4)",
        "04:00 opened again",
    ]
    assert Phrases(day, "zh").by(case)[2] == "02:00 派警 wang（patrol-3）"
    (row,) = csv.DictReader(io.StringIO(dict(sheets(day, "en"))["incidents"].decode("utf-8-sig")))
    assert row["acknowledge_by"] == "zhao"
    assert row["also"].startswith("acknowledge 2026-10-01T01:00:00+00:00 wang; dispatch 2026-10-01T02:00:00+00:00 wang; note")


def test_an_incident_is_as_urgent_as_people_were_told_and_in_the_words_of_its_worst() -> None:
    """A plan that asks for a word about falling back from red is no red to people."""
    since, until = SPAN
    journal = [
        incident(since + 1, "a", "raised", "III"),
        incident(since + 2, "a", "updated", "I"),
        incident(since + 3, "a", "cleared", "I"),
        incident(since + 4, "b", "raised", "I"),
        (since + 5, incident(since + 5, "c", "raised", "I")[1] | {"what": "confirmation_needed", "reason": "fall"}),
    ]
    records = [
        told_of(1, since + 1, "a", "full", "III", state="raised"),
        told_of(2, since + 2, "a", "far too full", "I"),
        told_of(3, since + 3, "a", "over", "I", state="cleared"),
        told_of(4, since + 4, "b", "may fall", "IV", level="I", what="confirmation_needed"),
    ]
    found = cases(journal, records, since, until)
    assert [(case.name, case.priority, case.level) for case in found] == [("a", "I", "I"), ("b", "IV", "I"), ("c", "IV", "I")]
    assert [Phrases(gathered(), "en").case(case) for case in found[:2]] == ["far too full", "may fall"]
    (untold,) = cases(journal[:3], [], since, until)
    assert untold.body is not None
    assert untold.body["level"] == "I"


def test_a_notice_has_no_level_on_the_page() -> None:
    since, until = SPAN
    found = cases([incident(since, "a", "raised", "I")], [told_of(1, since, "a", "held by hand", None)], since, until)
    assert [case.priority for case in found] == [None]


# ---- a day that is not over, and what cannot be read


def gathered(**more: Any) -> Ledger:
    """A day on which nothing happened, but for what is said."""
    nothing: dict[str, Any] = dict.fromkeys(("before", "entries", "estimates", "ends"), ())
    nothing |= dict.fromkeys(("document", "records", "deliveries", "readings"))
    return gather(**{"site": "plaza", "day": "2026-10-01", "span": SPAN} | nothing | more)


def minute(n: int) -> Estimate:
    return Estimate("plaza", SPAN[0] + n * MINUTE, canonical({"zones": {"site": figures(9) | {"silent": []}}}))


def test_a_day_that_is_not_over_is_told_up_to_where_the_log_is_and_says_so() -> None:
    since, _ = SPAN
    now = since + 22 * HOUR
    records = [told_of(n, since + n * MINUTE, f"plaza-i{n}", "full", "III", state="raised")[0] for n in range(1, 12)]
    found = gathered(entries=[move(1, since + 20 * HOUR, "main", "busy")], records=records, estimates=[minute(1)], as_of_us=now)
    assert (found.over, len(found.hours)) == (False, 22)
    assert [(s.since_us, s.until_us) for s in found.stages["main"]] == [(since + 20 * HOUR, now)]
    assert found.load is not None
    assert found.load.per_hour == 11 / 22
    chinese, english = (" ".join(read(page(found, lang)).texts) for lang in ("zh", "en"))
    assert "截至 22:00，当日尚未结束" in chinese
    assert "至今" in chinese
    assert "as of 22:00; the day is not over" in english
    assert "so far" in english
    assert (chinese + english).count("24:00") == 2, "of the axes of the curves"
    tables = {name: list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")))) for name, data in sheets(found, "zh")}
    assert (tables["day"][0]["over"], tables["day"][0]["as_of"]) == ("False", "2026-10-01T22:00:00+00:00")
    assert (tables["stages"][0]["until"], tables["stages"][0]["minutes"]) == ("", "120.0")


def test_a_day_that_is_over_has_its_end() -> None:
    since, until = SPAN
    for as_of in (None, until, until + HOUR):
        found = gathered(entries=[move(1, since + 20 * HOUR, "main", "busy")], estimates=[minute(1)], as_of_us=as_of)
        text = " ".join(read(page(found, "zh")).texts)
        assert found.over
        assert text.count("24:00") == 2
        assert "尚未结束" not in text
        assert "至今" not in text


def test_a_day_that_has_not_begun_has_no_ledger() -> None:
    with pytest.raises(ValueError, match="expected a day that has begun"):
        gathered(as_of_us=SPAN[0])


def test_a_day_to_come_is_refused_with_how_far_the_log_is(tmp_path: Path) -> None:
    journal, _ = afternoon(tmp_path)
    journal.close()
    tomorrow = local_day() + timedelta(days=1)
    with pytest.raises(days.DayError, match=rf"{tomorrow} has not begun at yuyuan: the log is at {local_day()} 14:\d\d \(Asia/Shanghai\)"):
        days.ledger(Workspace(tmp_path), "yuyuan", tomorrow)
    assert not days.ledger(Workspace(tmp_path), "yuyuan", local_day()).over


DAMAGED = (b"", b"\x00damaged", b"[]", b"null", b"1", b"{}", b'{"site":"\xff"}', b"[" * 100_000, b'{"z":' + b"9" * 5_000 + b"}")


@pytest.mark.parametrize("bad", DAMAGED)
def test_what_cannot_be_read_is_named_on_the_page_and_hides_nothing_else(bad: bytes) -> None:
    since, _ = SPAN
    whole = entry(9, EntryKind.INCIDENT, since + 1, **incident(since + 1, "a", "raised", "II")[1] | {"site": "plaza"})
    broken = [Entry("plaza", n, kind, since + n, bad, GENESIS) for n, kind in enumerate(sorted(SHAPES), 1)]
    records = [Entry("plaza", n, kind, since + n, bad, GENESIS) for n, kind in ((1, EntryKind.ALERT), (2, EntryKind.HANDLING))]
    minutes = [Estimate("plaza", since + 1, bad), Estimate("plaza", since + 2, canonical({"zones": {"site": figures(7)}}))]
    found = gathered(
        before=broken[:2], entries=[*broken[2:], whole], records=[*records, step(3, since + 9, "a", Act.ACKNOWLEDGE)[0]], estimates=minutes
    )
    assert [case.name for case in found.cases] == ["a"]
    assert found.cases[0].steps[Act.ACKNOWLEDGE].by == "wang"
    assert found.peaks[0].inside_m == 7_000
    assert len(found.unreadable) == len(broken) + 2 + 1
    (note,) = [text for text in read(page(found, "zh")).texts if "无法读取" in text]
    assert note.startswith(f"有 {len(found.unreadable)} 条记录无法读取，未计入本日报（处置台账 plaza-1、")
    assert f"{len(found.unreadable)} records could not be read" in page(found, "en")
    assert "handling/plaza-1" in dict(sheets(found, "en"))["day"].decode("utf-8-sig")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), lang=st.sampled_from(["zh", "en"]))
def test_whatever_was_flipped_there_is_a_page(evening_of: Sources, seed: int, lang: Language) -> None:
    """One bit of every body, of journal, estimates and book alike."""
    rng = random.Random(seed)

    def flipped(body: bytes) -> bytes:
        at = rng.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :] if rng.random() < 0.7 else body

    entries = [replace(one, body=flipped(one.body)) for one in evening_of.entries]
    records = [replace(one, body=flipped(one.body)) for one in evening_of.records]
    minutes = [replace(one, body=flipped(one.body)) for one in evening_of.estimates]
    found = replace_of(evening_of.ledger, entries, records, minutes)
    read(page(found, lang))
    list(sheets(found, lang))


def test_a_fault_of_the_service_itself_is_an_incident_by_its_alerts() -> None:
    since, until = SPAN
    said = Said(zh="计数器成组中断", en="counters are silent together")
    alert = Alert(
        site="plaza",
        incident="plaza-h1",
        state="raised",
        what="counters_silent",
        subject="site",
        since_us=since + 5,
        text=said,
        priority="III",
        shown=Shown.RAISED,
    )
    (case,) = cases([], [record(1, since + 5, alert)], since, until)
    assert (case.name, case.priority, case.ended_us, case.told_us, case.sounded) == ("plaza-h1", "III", None, since + 5, True)


@pytest.mark.parametrize(("milli", "top"), [(1, 4_000), (3_241_000, 4_000_000), (99_999_000, 100_000_000)])
def test_the_scale_of_the_curve_is_round(milli: int, top: int) -> None:
    assert nice(milli) == top


# ---- the page


class Reader(HTMLParser):
    """Collects a page's texts, its balance of tags, and whatever it would load."""

    VOID = frozenset(("meta", "br", "line", "rect", "polyline", "polygon", "circle", "link", "img"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.loads: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [(tag, value) for name, value in attrs if name in ("src", "href", "action", "data")]
        assert tag not in ("script", "link", "iframe")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The evening of tests/journal/story.py, with a fire and a drill, handled by people."""
    folder = tmp_path_factory.mktemp("evening")
    journal, _ = evening(folder)
    with journal:
        book = Book.open(folder / "handling.db")
        for number, one in enumerate(journal.entries("yuyuan", EntryKind.INCIDENT)):
            body = json.loads(one.body)
            said = Said(zh="<b>事件</b>", en="<b>it</b>")
            keys = {key: body[key] for key in ("site", "incident", "state", "what", "subject", "since_us", "level")}
            book.write([("yuyuan", one.at, Alert(entry=one.id, entry_hash=one.hash.hex(), text=said, shown=Shown.RAISED, **keys))])
            if number == 3:
                by = {"site": "yuyuan", "incident": body["incident"], "by": "<script>alert(1)</script>", "handling": Handling.ACKNOWLEDGED}
                book.write([("yuyuan", one.at + 1, Step(act=Act.ACKNOWLEDGE, **by))])
        book.close()
    return days.ledger(Workspace(folder), "yuyuan", local_day())


def test_nothing_of_what_the_engine_and_people_wrote_is_unreadable(told: Ledger, evening_of: Sources) -> None:
    assert told.unreadable == []
    assert {one.kind for one in evening_of.entries} >= set(SHAPES) - {EntryKind.REFUSALS}
    for one in (*evening_of.entries, *evening_of.records):
        assert [*bodies([one]), *readable([one])]


def local_day() -> date:
    return datetime.fromtimestamp(START / 1e6, ZoneInfo("Asia/Shanghai")).date()


@dataclass(frozen=True)
class Sources:
    """What a ledger was made from."""

    ledger: Ledger
    entries: list[Entry]
    records: list[Entry]
    estimates: list[Estimate]


@pytest.fixture(scope="module")
def evening_of(told: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The same evening, by its records."""
    journal, _ = evening(tmp_path_factory.mktemp("again"))
    with journal:
        entries, minutes = list(journal.entries("yuyuan")), list(journal.estimates("yuyuan"))
    incidents = [json.loads(one.body) for one in entries if one.kind is EntryKind.INCIDENT]
    records = [told_of(n, START, one["incident"], "full", one["level"], what=one["what"])[0] for n, one in enumerate(incidents, 1)]
    return Sources(told, entries, records, minutes[:30])


def replace_of(ledger: Ledger, entries: list[Entry], records: list[Entry], estimates: list[Estimate]) -> Ledger:
    """A ledger of the same day from other records."""
    span = (ledger.since_us, ledger.until_us)
    given_: dict[str, Any] = {"site": ledger.site, "day": ledger.day, "span": span, "document": ledger.document, "before": ()}
    return gather(**given_, entries=entries, estimates=estimates, records=records, deliveries=None, readings=None, ends=())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_is_whole_loads_nothing_and_holds_no_bodys_markup(told: Ledger, lang: Language) -> None:
    html = page(told, lang)
    assert read(html).loads == []
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", html)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_page_speaks_one_language(told: Ledger) -> None:
    english = " ".join(read(page(told, "en")).texts)
    assert re.findall(r"[\u4e00-\u9fff]+", english.replace("现场确认", "").replace("王警官", "")) == []
    assert re.search(r"\b(incident|command|stage|reading)s?\b", " ".join(read(page(told, "zh")).texts)) is None


def test_a_drill_is_marked_wherever_it_stands(told: Ledger) -> None:
    drills = sum(1 for order in told.orders if order.body.get("drill"))
    assert drills
    assert page(told, "zh").count('<span class="drill">演练</span>') >= 2


def test_without_a_book_the_page_says_so(told: Ledger) -> None:
    assert "没有处置台账" in page(replace(told, handled=False), "zh")
    assert "There is no book of handling" in page(replace(told, handled=False), "en")


def test_readings_are_counted_as_the_log_and_the_journal_say(tmp_path: Path) -> None:
    """Of the afternoon it is known which reading of a counter of Yuyuan is refused."""
    journal, log_folder = afternoon(tmp_path)
    journal.close()
    rows = [
        row
        for row in cat(log_folder)
        if str(row.get("counter", "")).startswith("yuyuan/") and row["kind"] in ("delta", "cumulative", "absolute")
    ]
    found = days.ledger(Workspace(tmp_path), "yuyuan", local_day()).readings
    assert found is not None
    assert found.total == len(rows)
    assert found.accepted == found.total - sum(found.refused.values())
    assert {reason.name.lower(): n for reason, n in found.refused.items()} == {"negative_count": 1}


def test_the_alarm_load_of_the_day_is_shown_where_people_were_told(told: Ledger) -> None:
    """The fourth alert is answered after a microsecond, as is said above."""
    assert told.load is not None
    texts = read(page(told, "en")).texts
    assert "Alarm load" in texts
    assert f"{told.load.shown:,}" in texts
    assert "Alarm load" not in page(replace(told, load=None), "en")


def test_a_day_on_which_nothing_happened_is_a_page_too() -> None:
    nothing = gather(
        site="plaza",
        day="2026-10-01",
        span=SPAN,
        document=None,
        before=(),
        entries=(),
        estimates=(),
        records=None,
        deliveries=None,
        readings=None,
        ends=(),
    )
    for lang in ("zh", "en"):
        read(page(nothing, lang))
    assert [name for name, _ in sheets(nothing, "en")] == [
        "day",
        "readings",
        "peaks",
        "hours",
        "stages",
        "commands",
        "incidents",
        "actions",
        "chains",
    ]


def test_a_curve_breaks_where_nothing_was_decided() -> None:
    minutes = [minute(n) for n in (1, 2, 3, 60, 61)]
    found = gather(
        site="plaza",
        day="2026-10-01",
        span=SPAN,
        document=None,
        before=(),
        entries=(),
        estimates=minutes,
        records=None,
        deliveries=None,
        readings=None,
        ends=(),
    )
    assert page(found, "en").count('<polyline points="') == 2


def test_tables_are_read_back_by_any_spreadsheet_and_hold_no_formula(told: Ledger) -> None:
    tables = {name: list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")))) for name, data in sheets(told, "zh")}
    assert len(tables["commands"]) == len(told.orders)
    assert len(tables["incidents"]) == len(told.cases)
    assert {row["at"][-6:] for row in tables["commands"]} == {"+08:00"}
    evil = replace(told, ends=[replace(told.ends[0], chain="=cmd|'/c calc'!A1")])
    data = dict(sheets(evil, "zh"))["chains"].decode("utf-8-sig")
    assert "'=cmd" in data
