"""The commands of proof: `audit verify` looks whether journal and book of handling are what was written, `audit head` signs how far they are."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.moments import date_of
from flowwatch.cli.output import line
from flowwatch.cli.signing import ask_passphrase
from flowwatch.cli.workspace import need_journal
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.proof.audit import Audit
    from flowwatch.proof.heads import ChainHead, Kept

SHOWN = 40
"""Findings that are shown; `--json` has all."""


@click.group()
def audit() -> None:
    """Prove it: whether journal and book of handling are what was written; daily heads, signed, to be kept elsewhere."""


@audit.command("verify")
@options.data
@options.as_json
@click.option(
    "--heads",
    "head_files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="A daily head that was kept elsewhere, or a folder of them; may be repeated.",
)
@click.option("--key", metavar="KEY", help="Whose heads count: the public key in base64, or the file of the private one.")
@click.option("--late", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS", help="How late people may be told.")
def verify_(workspace: Workspace, as_json: bool, head_files: tuple[Path, ...], key: str | None, late: float) -> None:
    """Compute both files' chains again, compare them with each other and with the heads; whatever is wrong is named, exit code 1.

    Heads in the working folder are looked at, too, but only those that lay elsewhere prove anything against who can write there.
    """
    from flowwatch.proof import audit as proof

    need_journal(workspace)
    given = [kept for path in head_files for kept in _heads(path)]
    known = {kept.hash for kept in given}
    given += [kept for kept in proof.kept_in(proof.folder(workspace)) if kept.hash not in known]
    found = proof.examine(workspace, given, None if key is None else _public(key), late_us=round(late * 1_000_000))
    if as_json:
        line(proof.plain(found))
    else:
        _tell(found, key)
    if found.findings:
        leave(Exit.FINDINGS)


@audit.command()
@options.data
@options.deployment
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key to sign with; `flowwatch plan key` makes one.",
)
@click.option("--day", "day_text", metavar="YYYY-MM-DD", help="The day, in the sites' time zone. [default: yesterday]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to put a copy: a file, or a folder that is there.")
@click.option(
    "--previous",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The head before this one. [default: the newest of an earlier day in state/heads]",
)
@click.option("--name", metavar="NAME", help="The installation's name. [default: the deployment file's, else the computer's]")
def head(
    workspace: Workspace,
    deployment: Path | None,
    key_file: Path,
    day_text: str | None,
    out: Path | None,
    previous: Path | None,
    name: str | None,
) -> None:
    """Sign how far every chain was at the end of a day, and keep it in state/heads; keep a copy where nobody can write who can write here.

    A head names the one before it. Chains that do not follow from what that one signed are not signed over (exit code 1).
    """
    import time

    from flowwatch.approval import keys
    from flowwatch.documents.deployment import load_deployment
    from flowwatch.log.disk import replace_file
    from flowwatch.proof import audit as proof
    from flowwatch.proof import heads

    need_journal(workspace)
    zone = proof.zone_of(workspace)
    day = proof.yesterday(zone, time.time_ns() // 1000) if day_text is None else date_of(day_text)
    target = out / f"{day}.json" if out is not None and out.is_dir() else out
    place = proof.folder(workspace) / f"{day}.json"
    if place.exists():
        there = heads.read(place)
        if target is not None:
            replace_file(target, [place.read_bytes()])
        click.echo(f"{place}: signed before, {heads.named(_chains(there))}")
        return
    private = keys.read(key_file, ask_passphrase)
    before = heads.read(previous) if previous is not None else _newest(proof.kept_in(proof.folder(workspace)), day)
    if name is None and deployment is not None:
        name = load_deployment(deployment).deployment
    made = proof.make(workspace, day, private, installation=name, previous=before)
    path = proof.keep(workspace, made, target)
    told = ", ".join(f"{file}: {heads.named(there.chains)}" for file, there in made.files.items())
    click.echo(f"{path}: {day} ({made.zone}), {told}")
    click.echo(f"signed with {made.key}" + (f", follows from the head of {before.head.day}" if before else ", the first head"))


def _heads(path: Path) -> list[Kept]:
    from flowwatch.proof import audit as proof
    from flowwatch.proof import heads

    return proof.kept_in(path) if path.is_dir() else [heads.read(path)]


def _newest(kept: list[Kept], day: date) -> Kept | None:
    return next((one for one in reversed(kept) if one.head.day < day.isoformat()), None)


def _chains(kept: Kept) -> dict[str, ChainHead]:
    return {f"{file} {chain}": head for file, there in kept.head.files.items() for chain, head in there.chains.items()}


def _public(text: str) -> str:
    """The public key that `text` is, or that belongs to the private one in the file."""
    from flowwatch.approval import keys
    from flowwatch.approval.base64s import raw

    if Path(text).is_file():
        return keys.public(keys.read(Path(text), ask_passphrase))
    try:
        raw(text, 32)
    except ValueError:
        expected = "expected a public key, 44 characters as `flowwatch plan key` prints them, or the file of a private one"
        raise CommandError(Exit.USAGE, f'found "{text}", {expected}') from None
    return text


def _tell(found: Audit, key: str | None) -> None:
    findings = found.findings
    for finding in findings[:SHOWN]:
        click.echo(finding)
    if len(findings) > SHOWN:
        click.echo(f"and {len(findings) - SHOWN:,} more; --json has all")
    for name, books in found.files.items():
        if not books.there:
            click.echo(f"{name}: {books.path} is not there")
            continue
        entries = sum(seq - books.begun.get(chain, (0, b""))[0] for chain, (seq, _) in books.heads.items())
        click.echo(f"{name}: {len(books.heads)} chains, {entries:,} entries, {len(books.breaks)} breaks, {len(books.conflicts)} frozen")
    if found.files["handling"].there:
        click.echo(f"ties between both: {len(found.ties)} broken")
    if found.heads:
        first, last = found.heads[0].head.day, found.heads[-1].head.day
        who = "" if key is not None else "; compare the key with yours, or give it with --key: " + ", ".join(found.keys)
        click.echo(f"heads: {len(found.heads)}, {first} to {last}, {len(found.against_heads)} findings{who}")
    else:
        click.echo(
            "heads: none; without one that was kept elsewhere, a missing end or a chain made anew is not seen (`flowwatch audit head`)"
        )
