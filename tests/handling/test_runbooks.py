"""The run books: a page for every kind of incident in both languages, built alike, whose commands and routes exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from flowwatch.cli.main import main
from flowwatch.core.incidents import What
from flowwatch.documents.alarms import Alarms
from flowwatch.documents.words import duration_us
from flowwatch.handling import kinds, runbooks
from flowwatch.handling.book import Book
from flowwatch.handling.kinds import Own
from flowwatch.handling.records import SERVICE, Said
from flowwatch.handling.runbooks import INDEX, NoRunbookError
from flowwatch.service.leaf import LANGUAGES
from flowwatch.service.routes import NEEDS
from flowwatch.words import Language
from tests.handling.made import START, alert
from tests.journal.story import afternoon

INCIDENTS: Final = sorted({*What, *Own})
KINDS: Final = sorted({*INCIDENTS, *runbooks.OPERATIONS})
HEADINGS: Final[dict[Language, list[str]]] = {
    "zh": ["含义", "系统已自动处理", "处置步骤", "查看与操作", "结束条件", "严禁", "升级上报"],
    "en": [
        *("What it means", "What flowwatch has done already", "What to do", "What to look at, what to enter"),
        *("When it ends", "What must not be done", "How it is escalated"),
    ],
}
WHO: Final[dict[Language, set[str]]] = {
    "zh": {"值班员", "值班长", "现场民警"},
    "en": {"Operator", "Supervisor", "Officers on scene"},
}
ON_SCENE: Final = {"现场民警", "Officers on scene"}
ACKNOWLEDGE: Final[dict[Language, str]] = {"zh": "签收", "en": "acknowledge"}
SEVERAL: Final = {What.STAGE, What.DEGRADED, What.INVARIANT_BROKEN, What.CONFIRMATION_NEEDED}
"""Kinds that are as urgent as the plan, or what it is about, says: their clocks differ."""
STEPS_BELOW: Final = "/v1/sites/{site}/incidents/{incident}"
pages = pytest.mark.parametrize("kind", KINDS)
languages = pytest.mark.parametrize("lang", LANGUAGES)


def sections(page: str) -> dict[str, str]:
    """Heading -> what stands under it."""
    return {head: body.strip() for head, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)}


def steps(page: str, lang: Language) -> list[str]:
    return re.findall(r"^\d+\. (.+)$", sections(page)[HEADINGS[lang][2]], re.MULTILINE)


def begins(kind: str, lang: Language) -> str:
    """Who takes the first step, and by when: the usual clock of the kind's priority, where it has one, and at once where no clock runs."""
    priority = None if kind in SEVERAL else kinds.USUAL.get(kind)
    if priority is None:
        return {"zh": "**值班员**（立即）：", "en": "**Operator** (at once): "}[lang]
    minutes = duration_us(getattr(Alarms().clocks, priority).acknowledge) // 60_000_000
    within = "a minute" if minutes == 1 else f"{minutes} minutes"
    return {"zh": f"**值班员**（{minutes} 分钟内）：", "en": f"**Operator** (within {within}): "}[lang]


def commands(page: str) -> Iterator[str]:
    """Every `flowwatch` command of a page, in blocks and in sentences."""
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL):
        yield from (line for line in block.splitlines() if line.strip())
    yield from re.findall(r"`(flowwatch [^`]+)`", page)


def parsed(line: str) -> click.Command:
    """The command that a line means, with its options read as the shell would give them; raises `click.UsageError` for what is none."""
    program, *words = shlex.split(line)
    assert program == "flowwatch", line
    command: click.Command = main
    context = click.Context(main, info_name=program)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(context.info_name, list(words), parent=context.parent)
    return command


@languages
def test_every_kind_has_a_page_and_every_page_a_kind(lang: Language) -> None:
    assert sorted(file.name for file in runbooks.folder(lang).iterdir()) == sorted([f"{INDEX}.md", *(f"{kind}.md" for kind in KINDS)])
    assert runbooks.kinds() == tuple(KINDS)


@pages
@languages
def test_a_page_has_all_headings_in_their_order_with_something_under_each(kind: str, lang: Language) -> None:
    found = sections(runbooks.text(kind, lang))
    assert list(found) == HEADINGS[lang]
    assert all(found.values())


@pages
@languages
def test_the_first_step_is_the_operators_by_the_clock_and_there_are_seven_at_most(kind: str, lang: Language) -> None:
    found = steps(runbooks.text(kind, lang), lang)
    assert 1 < len(found) <= 7
    assert found[0].startswith(begins(kind, lang))


@pytest.mark.parametrize("kind", INCIDENTS)
@languages
def test_only_what_somebody_must_answer_is_to_be_acknowledged_first(kind: str, lang: Language) -> None:
    first = steps(runbooks.text(kind, lang), lang)[0].removeprefix(begins(kind, lang))
    assert first.startswith(ACKNOWLEDGE[lang]) == (kinds.USUAL[kind] is not kinds.NOTICE)


@pages
@languages
def test_every_step_says_whose_it_is_and_operator_and_supervisor_have_one(kind: str, lang: Language) -> None:
    found = [re.match(r"\*\*([^*]+)\*\*", step) for step in steps(runbooks.text(kind, lang), lang)]
    assert all(found)
    named = {who[1] for who in found if who}
    assert named <= WHO[lang]
    assert named >= WHO[lang] - ON_SCENE


@pages
def test_both_languages_have_as_many_steps_commands_and_routes(kind: str) -> None:
    def counted(lang: Language) -> tuple[int, list[str], list[str]]:
        page = runbooks.text(kind, lang)
        named = [" ".join(re.findall(r"^flowwatch(?: [a-z]+)+|--\w[\w-]*", line)) for line in commands(page)]
        return len(steps(page, lang)), [name.replace(" --lang", "") for name in named], re.findall(r"`((?:GET|POST) [^`]+)`", page)

    assert counted("zh") == counted("en")


@pages
@languages
def test_every_command_is_one_that_the_command_line_takes(kind: str, lang: Language) -> None:
    found = list(commands(runbooks.text(kind, lang)))
    assert found
    for line in found:
        parsed(line)


OWN_TEXT: Final[dict[Language, str]] = {"zh": "几处同时出了毛病", "en": "several things went wrong at once"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's afternoon, in which the desk raised an incident of each kind of its own."""
    made = tmp_path_factory.mktemp("folder")
    afternoon(made)[0].close()
    book = Book.open(made / "handling.db")
    text = Said(OWN_TEXT["zh"], OWN_TEXT["en"])
    for i, kind in enumerate(Own):
        site, level = (SERVICE, "IV") if kind is Own.FEED_UNDELIVERED else ("yuyuan", kinds.USUAL[kind])
        name = f"{site}-h{1 if site == SERVICE else i + 1}"
        book.write([(site, START, alert(name, what=kind, subject="them", level=level, text=text))])
    book.close()
    return made


@pytest.mark.parametrize("kind", Own)
@languages
def test_the_page_of_the_desks_own_incidents_names_commands_that_show_them(kind: Own, lang: Language, folder: Path) -> None:
    name = f"{SERVICE}-h1" if kind is Own.FEED_UNDELIVERED else f"yuyuan-h{list(Own).index(kind) + 1}"
    page = runbooks.text(kind, lang)
    shown = []
    for line in commands(page):
        program, *words = shlex.split(line.replace("yuyuan-h1", name))
        assert words[:2] != ["journal", "show"], "the journal holds nothing of them"
        if words[0] in {"explain", "handover", "doctor"}:
            found = CliRunner().invoke(
                main, [*words, "--data", str(folder)], env={"COLUMNS": "200", "FLOWWATCH_LANG": lang}, prog_name=program
            )
            assert OWN_TEXT[lang] in found.output, (line, found.output)
            shown.append(words[0])
    assert {"explain", "handover"} <= set(shown)
    assert "`GET /v1/incidents/{id}/timeline`" in page


@pytest.mark.parametrize("kind", [kind for kind in What if "flowwatch explain" in runbooks.text(kind, "en")])
@languages
def test_the_page_of_a_journals_incident_explains_it_by_its_name_there(kind: What, lang: Language) -> None:
    names = {line.split()[2] for line in commands(runbooks.text(kind, lang)) if line.startswith("flowwatch explain ")}
    assert names == {"yuyuan-i3"}


@pytest.mark.parametrize("line", ["flowwatch operate relaese", "flowwatch doctor --langue zh", "flowwatch operate fire --on"])
def test_a_command_that_is_none_is_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(line)


@pytest.mark.parametrize("kind", [*KINDS, INDEX])
@languages
def test_every_route_that_a_page_names_is_one_of_the_service(kind: str, lang: Language) -> None:
    for method, path in re.findall(r"`(GET|POST|PUT|DELETE) ([^`]+)`", runbooks.text(kind, lang)):
        assert (method, path) in NEEDS


@languages
def test_the_index_names_the_routes_of_the_steps(lang: Language) -> None:
    named = re.findall(r"`(/[a-z]+)`", runbooks.text(INDEX, lang))
    assert len(named) == 11
    assert {("POST", f"{STEPS_BELOW}{step}") for step in named} <= NEEDS.keys()


@languages
def test_the_index_leads_to_every_page_by_its_own_title(lang: Language) -> None:
    links = re.findall(r"^- \[(.+)\]\((\w+)\.md\)$", runbooks.text(INDEX, lang), re.MULTILINE)
    assert sorted((kind, title) for title, kind in links) == [(kind, runbooks.title(kind, lang)) for kind in KINDS]


@pytest.mark.parametrize("kind", [*KINDS, INDEX])
@languages
def test_links_lead_to_pages_of_the_same_language(kind: str, lang: Language) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", runbooks.text(kind, lang)):
        assert (runbooks.folder(lang) / target).is_file()
        assert Path(target).name == target


def test_an_address_begins_as_people_reach_the_service() -> None:
    assert runbooks.address("gate_lost", "https://crowd.example.cn:8470") == "https://crowd.example.cn:8470/runbooks/gate_lost"


def test_a_kind_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(NoRunbookError, match="gate_lost"):
        runbooks.text("../../README", "en")


@languages
def test_the_command_shows_a_page_in_the_terminal(lang: Language) -> None:
    shown = CliRunner().invoke(main, ["runbook", "gate_lost", "--lang", lang], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for heading in HEADINGS[lang]:
        assert heading in shown.output
    assert "gates_lost" in shown.output
    assert ".md" not in shown.output


def test_the_command_lists_the_pages() -> None:
    shown = CliRunner().invoke(main, ["runbook", "--lang", "en"])
    assert [line.split()[0] for line in shown.output.splitlines()[1:]] == KINDS


def test_the_command_says_what_was_meant_instead() -> None:
    shown = CliRunner().invoke(main, ["runbook", "gate_lots"])
    assert shown.exit_code == 2
    assert 'did you mean "gate_lost"?' in shown.output
