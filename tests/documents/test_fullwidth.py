"""The marks of Chinese input methods: found where a document's own mark must stand, one fault at the place; in texts they are right."""

from __future__ import annotations

import pytest

from tests.documents.written import PLAN_TEXT, SITE_TEXT, faults

COLON = 'document: found the full-width colon "：", expected ": "'
COMMA = 'document: found the full-width comma "，", expected ", "'
TITLE = "{zh: 满, en: Full}"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (TITLE, "{zh：满, en：Full}", f"p.yaml:51:15: {COLON} (2 times within these braces)"),
        (TITLE, "{zh：满，en：Full}", f"p.yaml:51:15: {COLON} (2 times within these braces)"),
        (TITLE, "{zh: 满, en：Full}", f"p.yaml:51:22: {COLON}"),
        (TITLE, "{zh: 满， en: Full}", f"p.yaml:51:18: {COMMA}"),
        ("enter: 300, clear", "enter: 300，clear", f"p.yaml:16:61: {COMMA}"),
        ("{door-1: in, turn", "{door-1：in, turn", f"p.yaml:18:19: {COLON}"),
        ("dwell: 5m", "dwell：5m", f"p.yaml:17:10: {COLON}"),
        ("- stage: busy", "- stage：busy", f"p.yaml:13:10: {COLON}"),
        ("plan: evening", "plan：evening", f"p.yaml:2:5: {COLON}"),
        ("site: hall", "site：hall", f"p.yaml:3:5: {COLON}"),
        ("stages:", "stages：", f"p.yaml:11:7: {COLON}"),
        ("valid: {until", "valid：{until", f"p.yaml:6:6: {COLON}"),
        (TITLE, "{zh: 满, en: “Full: exit only”}", 'p.yaml:51:24: document: found the full-width quotes "“ ”", expected plain ones'),
    ],
)
def test_a_full_width_mark_in_the_place_of_yamls_own_is_one_fault_at_its_place(right: str, wrong: str, told: str) -> None:
    assert faults(SITE_TEXT, PLAN_TEXT.replace(right, wrong, 1)) == [told]


def test_a_file_that_is_no_yaml_for_its_marks_names_each_line_of_them() -> None:
    wrong = PLAN_TEXT.replace("dwell: ", "dwell：").replace("site: hall", "site：hall")
    assert [line.split(": ")[0] for line in faults(SITE_TEXT, wrong)] == ["p.yaml:3:5", "p.yaml:17:10", "p.yaml:39:10", "p.yaml:53:10"]


@pytest.mark.parametrize(
    ("right", "wrong", "end"),
    [
        ('"17:00-23:00"', "“17:00-23:00”", '; its marks are full-width: write "17:00-23:00"'),
        ('"17:00-23:00"', "１７：００-23：00", '; its marks are full-width: write "17:00-23:00"'),
        ("level: IV", "level: “IV”", "; its marks are full-width: write IV"),
        ("zone: stage,", "zone: “stage”,", '; its marks are full-width: write "stage"'),
        ("[holiday, workday, weekend, fri, gala]", "[holiday，workday]", "; its marks are full-width: write holiday, workday"),
        ("enter: 300", "enter: ３００", '; did you mean "300"?'),
        (TITLE, "{zh: 满, en: “Full, exit only”}", 'expected it whole and in plain quotes: en: "Full, exit only"'),
    ],
)
def test_a_value_in_full_width_marks_is_said_in_plain_ones(right: str, wrong: str, end: str) -> None:
    (told,) = faults(SITE_TEXT, PLAN_TEXT.replace(right, wrong, 1))
    assert told.endswith(end)


def test_a_number_in_full_width_digits_is_said_in_plain_ones() -> None:
    (told,) = faults(SITE_TEXT.replace("lanes: 2", "lanes: ２", 1), PLAN_TEXT)
    assert told.endswith("; its marks are full-width: write 2")


def test_texts_for_people_keep_their_marks() -> None:
    assert faults(SITE_TEXT, PLAN_TEXT.replace(TITLE, "{zh: 满：“只出”，不进, en: Full}")) == []
    block = PLAN_TEXT.replace("    title: " + TITLE, "    title:\n      zh: >-\n        满，zh：“只出”\n      en: Full")
    assert faults(SITE_TEXT, block) == []
