"""Faults come all at once, from all files, and what cannot be read silences only the questions that need it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.documents import DocumentErrors, load
from flowwatch.documents.faults import MOST
from tests.documents.written import PLAN_TEXT, PLAN_TEXTS, PLANS, SITE, SITE_TEXT, faults


def test_the_example_documents_have_no_fault() -> None:
    assert faults(SITE_TEXT, *PLAN_TEXTS) == []


def test_two_plans_may_both_have_a_stage_of_one_name_but_not_one_name() -> None:
    assert faults(SITE_TEXT, PLAN_TEXT, PLAN_TEXTS[1]) == []
    found = faults(SITE_TEXT, PLAN_TEXT, PLAN_TEXTS[1], PLAN_TEXTS[2], PLAN_TEXTS[1])
    assert found == ['p4.yaml:2:7: plan: found the plan "flood" again (first in p2.yaml), expected another name']


def test_a_main_plan_that_is_no_yaml_does_not_hide_the_faults_of_a_case_beside_it() -> None:
    found = faults(SITE_TEXT, "plan: [", PLAN_TEXTS[1].replace("site: hall", "site: hal"))
    assert [line.split(": ")[0] for line in found] == ["p.yaml:2:1", "p2.yaml:3:7"]


def test_a_bar_that_cannot_be_read_silences_only_comparisons_with_its_own_stage() -> None:
    stage = "  - {{stage: s{0}, title: {{zh: 高, en: Up}}, dwell: 1m, gates: {{others: out, turnstile: closed}}, when: {{any: [{1}]}}}}\n"
    bar = "{{zone: hall, measure: occupancy, enter: {0}, clear: {1}, hold: 1m}}"
    head = PLAN_TEXT[: PLAN_TEXT.index("  - stage: busy")]
    plan = head + "".join(
        stage.format(i, bar.format(*bars)) for i, bars in enumerate([(300, 250), (200, 150), ("many", 350), (100, 50), (90, 80)])
    )
    assert [line.split(": ")[1] for line in faults(SITE_TEXT, plan)] == [
        "stages[2].when.any[0].enter",
        "stages[3].when.any[0].enter",
        "stages[5].when.any[0].enter",
    ]


def test_faults_of_all_files_come_at_once_and_in_the_order_of_the_files() -> None:
    site = SITE_TEXT.replace("lanes: 2", "lane: 2", 1).replace("every: 5s", "every: 5 s")
    plan = PLAN_TEXT.replace("door-1: in", "dor-1: in").replace("clear: 250", "clear: 350").replace("{zh: 满, en: Full}", "{zh: 满}")
    beside = PLAN_TEXTS[1].replace("effect: tighten", "effect: tightens")
    found = [line.split(": ", 2)[:2] for line in faults(site, plan, beside)]
    assert found == [
        ["s.yaml:16:52", "gates.door-1.lane"],
        ["s.yaml:34:50", "counters.camera.every"],
        ["s.yaml:35:60", "counters.camera-out.every"],
        ["p.yaml:16:70", "stages[1].when.any[0].clear"],
        ["p.yaml:18:13", "stages[1].gates.dor-1"],
        ["p.yaml:51:12", "stages[3].title.en"],
        ["p2.yaml:5:16", "case.effect"],
    ]


def test_a_missing_text_in_the_site_does_not_hide_a_locked_way_out_in_the_plan() -> None:
    site = SITE_TEXT.replace("{zh: 一号门, en: Door 1}", "{zh: 一号门}")
    found = faults(site, PLAN_TEXT.replace("others: out}", "others: in}"))
    assert any("no way out" in line for line in found)
    assert any(line.startswith("s.yaml:") for line in found)


def test_every_fault_of_the_egress_invariants_points_at_the_gates_of_its_stage() -> None:
    found = faults(SITE_TEXT, PLAN_TEXT.replace("gates: {turnstile: closed, others: out", "gates: {others: in"))
    assert {line.split(": ")[0] for line in found} == {"p.yaml:54:5"}
    assert len(found) > 3


def test_an_unknown_lane_count_silences_only_the_question_of_egress() -> None:
    found = faults(
        SITE_TEXT.replace("lanes: 2", "lanes: two", 1), PLAN_TEXT.replace("others: out}", "others: in}").replace("hold: 1m", "hold: 1", 1)
    )
    assert [line.split(": ")[1] for line in found] == ["gates.door-1.lanes", "stages[1].when.any[0].hold"]


def test_faults_of_the_plan_are_told_when_the_site_is_no_yaml() -> None:
    found = faults("site: [", PLAN_TEXT.replace("hold: 1m", "hold: 1", 1))
    assert [line.split(":")[0] for line in found] == ["s.yaml", "p.yaml"]


def test_faults_of_the_plan_are_told_when_the_site_file_is_missing(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("plan: p\n", encoding="utf-8")
    with pytest.raises(DocumentErrors) as caught:
        load(tmp_path / "none.yaml", [plan])
    lines = str(caught.value).split("\n")
    assert "none.yaml:1:1: document: found a file that cannot be read (No such file or directory), expected a document" in lines[0]
    assert len(lines) == 4


def test_a_folder_in_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DocumentErrors, match="Is a directory"):
        load(tmp_path)


def test_a_file_that_is_not_utf_8_is_a_fault_with_its_place() -> None:
    assert faults("site: 大厅\n".encode("gb18030")) == [
        "s.yaml:1:7: document: found the byte 0xb4, which is not UTF-8, expected the file saved as UTF-8"
    ]


def test_a_byte_order_mark_is_no_fault() -> None:
    assert faults(b"\xef\xbb\xbf" + SITE_TEXT.encode(), PLAN_TEXT) == []


def test_windows_line_ends_are_no_fault_and_columns_count_characters() -> None:
    assert faults(SITE_TEXT.replace("\n", "\r\n").encode(), PLAN_TEXT) == []
    assert faults(SITE_TEXT.replace("{zh: 大厅, en: Hall}", "{zh: 大厅, eng: Hall}", 1).replace("\n", "\r\n"))[0].startswith(
        "s.yaml:3:17: title.eng"
    )


def test_a_document_of_more_than_a_mebibyte_is_refused_unread() -> None:
    assert faults("#" * (1 << 20) + "\n") == ["s.yaml:1:1: document: found 1048577 bytes, expected a document of at most 1048576"]


@pytest.mark.parametrize("bomb", ["[" * 500_000, "- " * 500_000, "{a: " * 200_000, "a: &a [*a]\n", "x: y\n" * 200_000, "? " * 400_000])
def test_a_yaml_bomb_is_refused_without_being_unfolded(bomb: str) -> None:
    found = faults(bomb, bomb)
    assert 2 <= len(found) <= 2 * MOST + 2


def test_a_file_full_of_faults_tells_the_first_and_that_there_are_more() -> None:
    found = faults("".join(f"k{i}: 1\n" for i in range(3000)))
    assert len(found) == MOST + 1
    assert found[-1].endswith(f"{MOST} faults found, the rest is not read")


def test_a_key_that_is_nearly_right_is_one_fault_and_not_also_a_missing_key() -> None:
    found = faults(SITE_TEXT.replace("time_zone:", "timezone:"))
    assert len(found) == 1
    assert found[0].endswith('did you mean "time_zone"?')


def test_faults_name_files_from_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text("{}", encoding="utf-8")
    with pytest.raises(DocumentErrors, match=r"^site\.yaml:1:1: site: "):
        load(tmp_path / "site.yaml")


def test_loading_the_example_files_gives_what_their_texts_give() -> None:
    assert load(SITE, PLANS).site["plans"][0]["plan"] == "evening"
