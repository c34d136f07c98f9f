"""The options that several commands share, declared once so that they read and behave the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from flowwatch import words
from flowwatch.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])
Language = words.Language


@dataclass(frozen=True, slots=True)
class Manner:
    """How an operator's record is written and its outcome told: by whom, how long to wait for it, in which form."""

    by: str
    wait_s: float
    as_json: bool
    lang: Language


def data(command: F) -> F:
    """`--data DIR`: the working folder, given to the command as `workspace`."""
    return click.option(
        "--data",
        "workspace",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="FLOWWATCH_DIR",
        show_envvar=True,
        default=Path("flowwatch-data"),
        show_default=True,
        callback=lambda _context, _option, value: Workspace(value),
        help="The working folder; it holds log/, journal.db and state/.",
    )(command)


def documents(command: F) -> F:
    """`--documents ROOT`: the folder with rules/ and config/, given as `documents`; None where it is not given."""
    return click.option(
        "--documents",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        envvar="FLOWWATCH_DOCUMENTS",
        show_envvar=True,
        help="The folder that holds rules/ and config/; those that ship with flowwatch if nothing else is known.",
    )(command)


def approvers(command: F) -> F:
    """`--approvers FILE`: the roster of those who sign documents, given as `approvers`; None where it is not given."""
    return click.option(
        "--approvers",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar="FLOWWATCH_APPROVERS",
        show_envvar=True,
        help="Who signs documents (docs/approval.md); config/approvers.yaml beside the documents if it is not given.",
    )(command)


def deployment(command: F) -> F:
    """`--deployment FILE`: how this installation is connected, given as `deployment`; None where it is not given."""
    return click.option(
        "--deployment",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar="FLOWWATCH_DEPLOYMENT",
        show_envvar=True,
        help="How this installation is connected (docs/deployment.md): brokers, inputs, devices, actuators.",
    )(command)


def listen(command: F) -> F:
    """`--listen HOST:PORT`: where the service listens, given as `listen`; None where it is not given."""
    return click.option(
        "--listen", metavar="HOST:PORT", help="Where to listen. [default: as the deployment file says, else 127.0.0.1:8470]"
    )(command)


def as_json(command: F) -> F:
    """`--json`: the output is data for a program, given as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="JSON, one object a line, for programs.")(command)


def lang(command: F) -> F:
    """`--lang zh|en`: the language of texts meant for operators, given as `lang`."""
    return click.option(
        "--lang",
        type=click.Choice(["zh", "en"]),
        envvar="FLOWWATCH_LANG",
        show_envvar=True,
        default=language,
        show_default="by LANG",
        help="The language of the texts: 中文 or English.",
    )(command)


def operator(command: F) -> F:
    """`--by`, `--wait`, `--json` and `--lang`, given together as `manner`."""

    @wraps(command)
    def gathered(by: str, wait: float, as_json: bool, lang: Language, **rest: Any) -> Any:
        return command(manner=Manner(by, wait, as_json, lang), **rest)

    by = click.option("--by", default=_user, show_default="your user name", help="Who decides; it stands in the record for ever.")
    wait = click.option(
        "--wait",
        type=click.FloatRange(0),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help="While flowwatch runs: how long to wait for its word.",
    )
    return by(wait(as_json(lang(gathered))))  # type: ignore[return-value]  # `wraps` keeps the command's name and help, not its type


def language() -> Language:
    """The language that LC_ALL, LC_MESSAGES or LANG asks for, in this order as everywhere; English unless it is Chinese."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
