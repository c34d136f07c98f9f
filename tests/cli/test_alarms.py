"""`alarms report`: the figures of a span of the book, for people and for programs, and what its exit code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.handling.book import Book
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Shown, Step
from tests.cli.conftest import Invoke, objects
from tests.handling.made import alert, pages, step

HOURS = 3_600
SPAN = ("--since", "2026-10-01T10:00+08:00", "--until", "2026-10-01T14:00+08:00")


@pytest.fixture
def shift(told: Path) -> Path:
    """Four hours before the story's afternoon: an alert each half hour, all but the last answered within a minute; one escalated."""
    said: list[tuple[float, Alert | Step]] = []
    for i in range(8):
        at, name = (i - 8) * HOURS / 2, f"yuyuan-i{i + 1}"
        said.append((at, alert(name, subject=f"gate-{i % 2 + 1}", level="II" if i else "I")))
        if i < 7:
            said.append((at + 10 * (i + 1), step(Act.ACKNOWLEDGE, name, handling=Handling.ACKNOWLEDGED)))
    said += [(-60, alert("bund-i1", shown=Shown.SHELVED)), (-30, step(Act.ESCALATE, "yuyuan-i8", FLOWWATCH, clock="acknowledge"))]
    write(told, said)
    return told


def write(folder: Path, said: list[tuple[float, Alert | Step]]) -> None:
    book = Book.open(folder / "handling.db")
    book.write(pages(sorted(said, key=lambda one: one[0])))
    book.close()


def test_programs_read_every_figure_with_its_bound(shift: Path, invoke: Invoke) -> None:
    (found,) = objects(invoke("alarms", "report", "--data", shift, "--json", *SPAN))
    assert (found["since_at"], found["until_at"]) == ("2026-10-01T02:00:00.000000Z", "2026-10-01T06:00:00.000000Z")
    assert (found["shown"], found["per_hour"], found["worst_10min"], found["broken"]) == (8, 2, 1, [])
    assert (found["acknowledge_p50_s"], found["acknowledge_p90_s"], found["unanswered"]) == (40, 70, 1)
    assert found["suppressed"]["shelved"] == 1
    assert found["escalations"] == {"acknowledge": 1}
    assert {bound["name"]: bound["most"] for bound in found["bounds"]}["per_operator_hour"] == 6


def test_people_read_it_in_both_languages(shift: Path, invoke: Invoke) -> None:
    chinese = invoke("alarms", "report", "--data", shift, *SPAN, env={"LANG": "zh_CN.UTF-8"}).stdout
    assert "2026-10-01 10:00 至 2026-10-01 14:00（Asia/Shanghai）" in chinese
    assert "半数在 40 秒内，九成在 1 分钟 10 秒内；已签收 7 条，未签收 1 条" in chinese
    assert "超时督办：签收 1 次" in chinese
    assert "2 号口（gate-2）" in chinese
    english = invoke("alarms", "report", "--data", shift, *SPAN, "--operators", 2).stdout
    assert "half within 40 s, nine in ten within 1 min 10 s; 7 answered, 1 not" in english
    assert "2 operators" in english


def test_the_alerts_are_divided_among_the_operators_of_the_deployment_file(shift: Path, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("deployment: hall\nalarms: {operators: 4}\n")
    report = ("alarms", "report", "--data", shift, *SPAN, "--json")

    def divided(*options: str | Path | int) -> tuple[int, float]:
        (found,) = objects(invoke(*report, *options))
        return found["operators"], found["per_operator_hour"]

    assert divided() == (1, 2)
    assert divided("--deployment", file) == (4, 0.5)
    assert divided("--deployment", file, "--operators", 2) == (2, 1), "what is said at the command counts"


def test_a_broken_bound_is_a_finding(shift: Path, invoke: Invoke) -> None:
    write(shift, [(i - 100, alert(f"yuyuan-i{i + 20}")) for i in range(11)])
    result = invoke("alarms", "report", "--data", shift, *SPAN, code=Exit.FINDINGS)
    assert "!!  alerts in the worst 10 minutes" in result.stdout
    quiet = invoke("alarms", "report", "--data", shift, *SPAN, "--site", "bund", "--json")
    assert objects(quiet)[0]["shown"] == 0


def test_a_day_is_one_of_the_site_and_ends_now_if_it_is_not_over(shift: Path, invoke: Invoke) -> None:
    (found,) = objects(invoke("alarms", "report", "--data", shift, "--day", "2026-10-01", "--site", "yuyuan", "--json"))
    assert found["since_at"] == "2026-09-30T16:00:00.000000Z", "midnight at the site"
    assert found["until_at"] < "2026-10-01T06:10", "the log's last tick"


def test_slips_are_told(shift: Path, told: Path, invoke: Invoke) -> None:
    report = ("alarms", "report", "--data", shift)
    assert 'did you mean "yuyuan"?' in invoke(*report, "--site", "yuyuann", code=Exit.USAGE).output
    assert "expected one such as 2026-10-01" in invoke(*report, "--day", "1 October", code=Exit.USAGE).output
    assert "either --day" in invoke(*report, "--day", "2026-10-01", "--since", "8h", code=Exit.USAGE).output
    assert "before it begins" in invoke(*report, "--since", "1h", "--until", "2h", code=Exit.USAGE).output
    (told / "handling.db").unlink()
    assert "no book of handling here yet" in invoke("alarms", "report", "--data", told, code=Exit.USAGE).output
