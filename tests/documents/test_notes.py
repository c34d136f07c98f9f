"""Notes say what is without fault and yet does nothing yet."""

from __future__ import annotations

from flowwatch.documents import Source, compile_sources, load, notes
from flowwatch.documents.load import source
from tests.documents.written import PLANS, SITE


def test_what_is_accepted_and_never_holds_yet_is_said() -> None:
    assert [note for note in notes(load(SITE, PLANS).site) if "calendar" not in note] == [
        'plan "evening", stage "pressed": forecast_p90 of "hall" never holds yet: flowwatch makes no forecast',
        'plan "evening", degraded rule "blind": stuck of "camera" never holds yet: flowwatch only sees silent counters',
    ]


def test_the_last_day_that_a_calendar_knows_is_said() -> None:
    (note,) = [note for note in notes(load(SITE, PLANS).site) if "calendar" in note]
    assert note.startswith('plan "evening": its calendar knows public holidays up to 20')
    assert note.endswith("-12-31")


def test_a_site_without_a_plan_has_no_notes() -> None:
    assert notes(load(SITE).site) == []


def test_a_role_without_a_chinese_word_is_said_once() -> None:
    plan = (
        PLANS[0]
        .read_text(encoding="utf-8")
        .replace("role: steward", "role: ferry_crew")
        .replace("{by: officer_in_charge,", "{by: ferry_crew,")
    )
    made = compile_sources(source(SITE), [Source("p.yaml", plan.encode())])
    assert [note for note in notes(made.site) if "role" in note] == [
        'plan "evening": the role "ferry_crew" has no Chinese word and stands as it is in Chinese texts (roles: rules/README.md)'
    ]
