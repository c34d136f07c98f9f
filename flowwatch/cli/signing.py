"""The commands of two-person approval: `plan key` makes a person's key, `plan sign` puts their name under a version.

What is signed is what `run` would accept: documents that `check` has a fault of are not signed. A key is asked for its passphrase, if it has
one, at the terminal, or finds it in FLOWWATCH_PASSPHRASE.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit
from flowwatch.cli.planning import known_site, near_miss, site_files

if TYPE_CHECKING:
    from flowwatch.approval.roster import Roster
    from flowwatch.approval.signatures import Role
    from flowwatch.documents import Loaded

PASSPHRASE: Final = "FLOWWATCH_PASSPHRASE"  # noqa: S105 - the name of a variable


@click.command()
@click.argument("name")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write; it must not be there yet.",
)
@click.option("--passphrase", is_flag=True, help=f"Seal the key with a passphrase, asked for or taken from {PASSPHRASE}.")
def key(name: str, out: Path, passphrase: bool) -> None:
    """Make a private key for NAME, which only its owner may read, and print the line that goes into the roster."""
    import msgspec

    from flowwatch.approval.keys import create, public
    from flowwatch.documents.words import Name

    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        expected = "expected at most 64 letters, digits and - _ . : that begin with a letter or digit"
        raise CommandError(Exit.USAGE, f'found the name "{name}", {expected}') from None
    made = create(out, ask_passphrase(new=True) if passphrase else None)
    click.echo(f'  {name}: {{may: [write], key: "{public(made)}"}}')
    click.echo(f"{out}: the private key; keep it where only {name} can read it", err=True)
    click.echo(
        "The line above goes under `people:` of the roster, config/approvers.yaml; may: [write], [approve] or [write, approve]", err=True
    )


@click.command()
@click.argument("site")
@click.option("--as", "role", required=True, type=click.Choice(["author", "approver"]), help="author: I wrote it; approver: I agree to it.")
@click.option("--by", required=True, metavar="NAME", help="Who signs, by the name in the roster.")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key of NAME.",
)
@options.documents
@options.approvers
def sign(site: str, role: Literal["author", "approver"], by: str, key_file: Path, documents: Path | None, approvers: Path | None) -> None:
    """Sign the documents of SITE as they are now; what is missing for their approval then is printed.

    Documents with faults, or whose plans the safety analysis has faults of, are not signed (exit code 3). Signatures of older versions are
    dropped. The file, config/signatures/SITE.yaml beside the documents, is theirs who may write documents: what counts are the keys.
    """
    from flowwatch.approval import keys
    from flowwatch.approval.policy import Policy
    from flowwatch.approval.signatures import Role, Signature, file_of, load_signatures, statement, write_signatures
    from flowwatch.documents import shipped
    from flowwatch.documents.load import shown_path

    root, as_ = shipped() if documents is None else documents, Role(role)
    policy = Policy.of(root, approvers)
    if policy.roster is None:
        raise CommandError(Exit.USAGE, f"{policy.file}: found no roster, expected one that says who may sign (docs/approval.md)")
    files = site_files(root)
    site_file, plan_files = files[known_site(site, files)]
    loaded = _sound(root, site_file, plan_files)
    private = keys.read(key_file, ask_passphrase)
    _may_sign(policy.roster, policy.file, by, as_, keys.public(private), key_file)
    target = file_of(root, site)
    there = load_signatures(target, site, loaded.digest, policy.roster, replacing=(by, as_))
    click.echo(f"{site}: version {loaded.digest}")
    for file in (site_file, *plan_files):
        click.echo(f"  {shown_path(file)}")
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = keys.sign(private, statement(site, loaded.digest, as_, by, at))
    mine = Signature(site=site, version=loaded.digest, as_=as_, by=by, at=at, signature=text)
    write_signatures(target, [*(s for s in there if s.version == loaded.digest), mine])
    click.echo(f"signed by {by} as {role}, {at}: {shown_path(target)}")
    verdict = policy.verdict(loaded)
    click.echo("approved" if verdict.pair is not None else f"not approved yet: {verdict.missing}")


def _sound(root: Path, site_file: Path, plan_files: list[Path]) -> Loaded:
    """The documents without a fault. Raises `DocumentErrors`."""
    from flowwatch.documents import DocumentErrors, find, load
    from flowwatch.soundness import examine, neighbours, read

    loaded, found = load(site_file, plan_files), find(root)
    known = neighbours(found, (read(*files) for files in found))
    _, faults = examine(loaded.site, site_file, plan_files, known) if plan_files else (None, [])
    if faults:
        raise DocumentErrors(faults)
    return loaded


def _may_sign(roster: Roster, file: Path, by: str, role: Role, public: str, key_file: Path) -> None:
    """Raise `CommandError` unless the roster has that person with that key and the right to the role."""
    person = roster.people.get(by)
    if person is None:
        expected = f"expected one of {', '.join(roster.people)}{near_miss(by, roster.people)}"
        raise CommandError(Exit.USAGE, f'found no "{by}" in {file}, {expected}')
    if role.right not in person.may:
        able = " or ".join(roster.who_may(role.right)) or "nobody"
        raise CommandError(Exit.USAGE, f"{by} may {' and '.join(person.may)}, but not sign as {role.value}; {able} may ({file})")
    if person.key != public:
        owner = next((name for name, other in roster.people.items() if other.key == public), None)
        found = f"the key of {owner}" if owner else f"the key {public}, which is nobody's in {file}"
        raise CommandError(Exit.USAGE, f"{key_file}: found {found}, expected that of {by}, whose public key is {person.key}")


def ask_passphrase(*, new: bool = False) -> str:
    """The passphrase of a key, twice for a new one."""
    given = os.environ.get(PASSPHRASE)
    return given or str(click.prompt("Passphrase of the key", hide_input=True, confirmation_prompt=new, err=True))
