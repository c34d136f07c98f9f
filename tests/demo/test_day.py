"""The demonstration as a whole: the day tells the story that the README tells, through the real pipeline, and leaves other people's files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowwatch.core.entries import EntryKind
from flowwatch.core.readings import Reason
from flowwatch.demo import DemoFailed, prepared
from flowwatch.demo.holiday import REPEATED, SILENT
from flowwatch.demo.summary import hints, summary
from flowwatch.documents import shipped
from flowwatch.replay import replay


@pytest.mark.slow
def test_the_day_shows_every_stage_a_silence_a_recount_and_what_was_refused_and_replays_identically(tmp_path: Path) -> None:
    day = prepared(tmp_path / "demo", None, 1, "en")
    bands: dict[int, tuple[int, int]] = {}
    for minute in day.minutes():
        bands[minute] = (day.view.lower, day.view.upper)
        if SILENT[1] + 2 <= minute < SILENT[2]:
            assert day.view.silent
        if day.view.level == "I":
            assert set(day.view.modes.values()) == {"out"}

    stages = [json.loads(e.body)["to"] for e in day.entries if e.kind is EntryKind.TRANSITION]
    wave = ["three_in_five_out", "normal"]
    assert stages == ["normal", *wave, "three_in_five_out", "exit_only", *wave]
    assert day.refused == {Reason.DUPLICATE: len(REPEATED[1]), Reason.FAR_FUTURE: 1}
    assert day.covered >= 0.85 * day.holiday.minutes

    def width(minute: int) -> int:
        return bands[minute][1] - bands[minute][0]

    assert width(SILENT[2] - 1) > 3 * width(SILENT[1] - 1)
    assert width(395) < width(385) / 2

    assert "explain" in hints(day)[0]
    assert hints(day)[0].endswith(" yuyuan-i6")
    assert all("_" not in line for line in summary(day, 50)[:3])
    spans = list(replay(day.workspace.log, day.workspace.journal))
    assert spans
    assert all(span.identical for span in spans)


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "thesis.txt"
    kept.write_text("years of work")
    with pytest.raises(DemoFailed, match="no demonstration"):
        prepared(tmp_path, None, 1, "en")
    assert kept.read_text() == "years of work"


def test_a_folder_with_an_earlier_demonstration_is_filled_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    prepared(folder, None, 1, "en")
    (folder / "journal.db").write_text("the last one")
    prepared(folder, None, 1, "en")
    assert not (folder / "journal.db").exists()


def test_documents_without_a_plan_are_refused_before_anything_is_removed(tmp_path: Path) -> None:
    site = tmp_path / "documents" / "config" / "sites" / "yuyuan.yaml"
    site.parent.mkdir(parents=True)
    site.write_bytes((shipped() / "config" / "sites" / "yuyuan.yaml").read_bytes())
    folder = tmp_path / "demo"
    prepared(folder, None, 1, "en")
    (folder / "journal.db").write_text("the last one")
    with pytest.raises(DemoFailed, match="no site here has a plan"):
        prepared(folder, tmp_path / "documents", 1, "en")
    assert (folder / "journal.db").exists()
