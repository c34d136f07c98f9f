"""What the documents for readers say can be done: links lead somewhere, commands exist with these options, both languages say the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowwatch.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for folder in (".", "docs", "docs/decisions", "docs/runbooks/zh", "docs/runbooks/en", "benchmarks")
    for path in sorted((ROOT / folder).glob("*.md"))
]


def commands(page: Path) -> Iterator[str]:
    """The `flowwatch` command lines in a page's code blocks."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if match := re.match(r"(?:\$ )?(?:\.venv/bin/)?flowwatch (.*)", line):
                yield match[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_a_page_exist_with_their_options(page: Path) -> None:
    for command in commands(page):
        arguments = [word for word in shlex.split(command, comments=True) if word not in {"|", "<"}]
        result = CliRunner().invoke(main, [*arguments, "--help"], prog_name="flowwatch")
        assert result.exit_code == 0, (command, result.output)


def test_both_readmes_show_the_same_commands_in_the_same_order() -> None:
    def plain(name: str) -> list[str]:
        spoken = {"--lang zh ": "", "灯会延时": "lantern show runs late"}
        found = list(commands(ROOT / name))
        for chinese, english in spoken.items():
            found = [command.replace(chinese, english) for command in found]
        return [" ".join(shlex.split(command, comments=True)) for command in found]

    assert plain("README.md") == plain("README.zh-CN.md")
    assert plain("README.md")
