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
from flowwatch.handling import kinds, runbooks
from flowwatch.handling.kinds import Own
from flowwatch.handling.runbooks import INDEX, NoRunbookError
from flowwatch.service.leaf import LANGUAGES
from flowwatch.service.routes import NEEDS
from flowwatch.words import Language

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
    "zh": {"值班员", "带班领导", "现场民警"},
    "en": {"Operator", "Supervisor", "Officers on scene"},
}
ON_SCENE: Final = {"现场民警", "Officers on scene"}
FIRST: Final[dict[Language, tuple[str, str]]] = {
    "zh": ("**值班员**（1 分钟内）：", "签收"),
    "en": ("**Operator** (within a minute): ", "acknowledge"),
}
STEPS_BELOW: Final = "/v1/sites/{site}/incidents/{incident}"
pages = pytest.mark.parametrize("kind", KINDS)
languages = pytest.mark.parametrize("lang", LANGUAGES)


def sections(page: str) -> dict[str, str]:
    """Heading -> what stands under it."""
    return {head: body.strip() for head, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)}


def steps(page: str, lang: Language) -> list[str]:
    return re.findall(r"^\d+\. (.+)$", sections(page)[HEADINGS[lang][2]], re.MULTILINE)


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
def test_the_first_step_is_the_operators_within_a_minute_and_there_are_seven_at_most(kind: str, lang: Language) -> None:
    found = steps(runbooks.text(kind, lang), lang)
    assert 1 < len(found) <= 7
    assert found[0].startswith(FIRST[lang][0])


@pytest.mark.parametrize("kind", INCIDENTS)
@languages
def test_only_what_somebody_must_answer_is_to_be_acknowledged_first(kind: str, lang: Language) -> None:
    begins, acknowledges = FIRST[lang]
    first = steps(runbooks.text(kind, lang), lang)[0].removeprefix(begins)
    assert first.startswith(acknowledges) == (kinds.USUAL[kind] is not kinds.NOTICE)


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
