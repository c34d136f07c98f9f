"""The words of handling: every code has one in both languages, and a step is a sentence."""

from __future__ import annotations

import pytest

from flowwatch.core.incidents import What
from flowwatch.documents.alarms import Clocks
from flowwatch.handling import words
from flowwatch.handling.load import HIDDEN
from flowwatch.handling.records import FLOWWATCH, Act, Handling, Shown
from tests.handling.made import step


def test_every_code_has_a_word_in_both_languages() -> None:
    assert words.ACTS.keys() == {act.value for act in Act}
    assert words.HANDLINGS.keys() == {handling.value for handling in Handling}
    assert words.HIDDEN.keys() == {why.value for why in HIDDEN}
    assert words.CLOCKS.keys() == set(Clocks.__struct_fields__)
    assert words.KINDS.keys() >= {what.value for what in What}
    for table in (words.ACTS, words.HANDLINGS, words.HIDDEN, words.CLOCKS, words.KINDS):
        assert all(text["zh"] and text["en"] for text in table.values())


@pytest.mark.parametrize("act", list(Act))
def test_every_step_is_a_sentence_in_both_languages(act: Act) -> None:
    said = words.sentence(step(act, to="patrol-3", clock="arrive"))
    assert said.zh
    assert said.en
    assert "{" not in said.zh + said.en


@pytest.mark.parametrize("why", list(Shown))
def test_it_is_told_of_every_alert_whether_it_was_shown(why: Shown) -> None:
    assert words.shown(why).zh
    assert words.shown(why).en


def test_who_did_what_is_said_as_people_say_it() -> None:
    sent = words.sentence(step(Act.DISPATCH, to="巡逻3组"))
    assert (sent.zh, sent.en) == ("wang派警：巡逻3组", "wang sent 巡逻3组")
    late = words.sentence(step(Act.ESCALATE, by=FLOWWATCH, clock="acknowledge", to="officer_in_charge"))
    assert late.zh == "签收超时，升级督办，转由值班指挥长负责"
    assert late.en == "The time for acknowledging has run out; the officer in charge answers for it now"
