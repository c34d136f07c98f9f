"""The commands that say who may do what: `user` and `token`, on the service's database, whether or not it runs.

A password comes from a prompt or a file, never from an argument, which every process of the machine can read. What a running service knows of
somebody it looks up again within a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.output import line, moment, table
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.service.auth.tokens import Tokens
    from flowwatch.service.auth.users import Users

ROLES = ("viewer", "operator", "supervisor", "planner", "admin")
SCOPES = ("readings:write", "read", "fire:write", "metrics:read")

password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="The file whose first line is the password; - is standard input. Without it, a prompt asks.",
)


@click.group()
def user() -> None:
    """Who may log in to the service, and what they may do."""


@user.command("add")
@options.data
@click.argument("name")
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="What they are; may be given several times.")
@click.option("--area", default="", metavar="PATH", help="Where: huangpu/yuyuan; everywhere, if not given.")
@password_file
def user_add(workspace: Workspace, name: str, roles: tuple[str, ...], area: str, password_file: Path | None) -> None:
    """Make a person; the first admin, for example: `flowwatch user add NAME --role admin`."""
    from flowwatch.service.auth.identity import Grant, Role

    with _users(workspace) as users:
        made = users.add(name, _password(password_file), [Grant(Role(role), area) for role in roles])
    click.echo(f"{made.name}: {', '.join(roles)} in {area or 'everywhere'}")


@user.command("list")
@options.data
@options.as_json
def user_list(workspace: Workspace, as_json: bool) -> None:
    """Show everybody and their rights."""
    with _users(workspace) as users:
        people = users.all()
    if as_json:
        for person in people:
            grants = [{"role": grant.role.value, "area": grant.area} for grant in person.grants]
            line({"name": person.name, "grants": grants, "created_at": moment(person.created_us)})
        return
    rows = [
        (
            person.name,
            ", ".join(f"{grant.role}{f' in {grant.area}' if grant.area else ''}" for grant in person.grants),
            moment(person.created_us),
        )
        for person in people
    ]
    table(("name", "rights", "since"), rows)


@user.command("remove")
@options.data
@click.argument("name")
def user_remove(workspace: Workspace, name: str) -> None:
    """Take a person away; their sessions end."""
    with _users(workspace) as users:
        users.remove(name)
    click.echo(f"{name}: removed")


@user.command("password")
@options.data
@click.argument("name")
@password_file
def user_password(workspace: Workspace, name: str, password_file: Path | None) -> None:
    """Set a person's password; their sessions end."""
    with _users(workspace) as users:
        users.need(name)
        users.set_password(name, _password(password_file))
    click.echo(f"{name}: new password")


@click.group()
def token() -> None:
    """What machines show to the service, and what they may do."""


@token.command("add")
@options.data
@click.argument("label")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="What it may do; may be given several times."
)
@click.option("--area", "areas", multiple=True, metavar="PATH", help="Where: huangpu/yuyuan; everywhere, if not given.")
@click.option("--site", "sites", multiple=True, metavar="SITE", help="The only sites that it may speak of.")
@click.option("--days", type=click.IntRange(1, 1830), default=365, show_default=True, help="How long it is good.")
@options.as_json
def token_add(
    workspace: Workspace, label: str, scopes: tuple[str, ...], areas: tuple[str, ...], sites: tuple[str, ...], days: int, as_json: bool
) -> None:
    """Make a token for the machine that LABEL names. It is shown once and not kept."""
    from flowwatch.service.auth.identity import Scope

    with _tokens(workspace) as tokens:
        text, made = tokens.add(
            label, [Scope(scope) for scope in scopes], areas or ("",), sites or None, days=days, by="flowwatch token add"
        )
    if as_json:
        line({"id": made.id, "token": text, "expires_at": moment(made.expires_us)})
    else:
        click.echo(f"{made.id}, good until {moment(made.expires_us)}; the token, which is not shown again:", err=True)
        click.echo(text)


@token.command("list")
@options.data
@options.as_json
def token_list(workspace: Workspace, as_json: bool) -> None:
    """Show every token that ever was; the tokens themselves are not kept."""
    import time

    now = time.time_ns() // 1000
    with _tokens(workspace) as tokens:
        found = [(token, "good" if token.holds(now) else "over" if token.revoked_us is None else "revoked") for token in tokens.all()]
    if as_json:
        for one, state in found:
            told: dict[str, Any] = {
                "id": one.id,
                "label": one.label,
                "scopes": sorted(one.scopes),
                "areas": list(one.areas),
                "state": state,
            }
            line(told | {"sites": one.sites, "expires_at": moment(one.expires_us)})
        return
    rows = [
        (
            one.id,
            one.label,
            ", ".join(sorted(one.scopes)),
            ", ".join(area or "everywhere" for area in one.areas),
            moment(one.expires_us),
            state,
        )
        for one, state in found
    ]
    table(("id", "label", "scopes", "areas", "until", "state"), rows)


@token.command("revoke")
@options.data
@click.argument("id_", metavar="ID")
def token_revoke(workspace: Workspace, id_: str) -> None:
    """End a token for good."""
    with _tokens(workspace) as tokens:
        tokens.revoke(id_)
    click.echo(f"{id_}: revoked")


@contextmanager
def _users(workspace: Workspace) -> Iterator[Users]:
    import time

    from flowwatch.service.auth.passwords import Passwords, WeakPasswordError
    from flowwatch.service.auth.users import UserError, Users
    from flowwatch.service.tables import open_store

    store = open_store(_root(workspace) / "service.db")
    try:
        yield Users(store, Passwords(), lambda: time.time_ns() // 1000)
    except (UserError, WeakPasswordError) as error:
        raise CommandError(Exit.USAGE, str(error)) from error
    finally:
        store.close()


@contextmanager
def _tokens(workspace: Workspace) -> Iterator[Tokens]:
    import time

    from flowwatch.service.auth.tokens import TokenError, Tokens
    from flowwatch.service.tables import open_store

    store = open_store(_root(workspace) / "service.db")
    try:
        yield Tokens(store, lambda: time.time_ns() // 1000)
    except TokenError as error:
        raise CommandError(Exit.USAGE, str(error)) from error
    finally:
        store.close()


def _root(workspace: Workspace) -> Path:
    if not workspace.root.is_dir():
        raise CommandError(Exit.USAGE, f"{workspace.root}: no folder here; `flowwatch log create --data {workspace.root}` makes one")
    return workspace.root


def _password(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise CommandError(Exit.USAGE, "no terminal to ask for the password; expected --password-file (- for standard input)")
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if str(file) == "-":
        with os.fdopen(os.dup(0), encoding="utf-8") as given:
            text = given.readline()
    else:
        text = file.read_text(encoding="utf-8").partition("\n")[0]
    return text.rstrip("\r\n")
